// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "transport/input-ops.h"

/* What was read of the peer, to learn whether it is the sender, comes first. */
struct input_peer {
	struct input in;
	struct peer *peer;
	uint8_t *start;
	size_t len, done;
};

static struct input_peer *input_peer_of(struct input *in)
{
	return container_of(in, struct input_peer, in);
}

static ssize_t input_peer_read(struct input *in, void *buf, size_t len, struct err *err)
{
	struct input_peer *p = input_peer_of(in);
	size_t n = MIN(len, p->len - p->done);

	if (!n)
		return peer_read(p->peer, buf, len, err);
	memcpy(buf, p->start + p->done, n);
	p->done += n;
	return (ssize_t)n;
}

static int input_peer_answer(struct input *in, const void *buf, size_t len, struct err *err)
{
	struct peer *peer = input_peer_of(in)->peer;

	/*
	 * TCP would take it all the same; and a sender that gave up waiting goes on as after a
	 * failure.
	 */
	if (peer_is_gone(peer))
		return err_fail(err, ERR_ABORTED, -ECONNRESET, "%s: did not wait for an answer",
				peer_name(peer));
	return peer_write_now(peer, buf, len, err);
}

static void input_peer_free(struct input *in)
{
	struct input_peer *p = input_peer_of(in);

	peer_free(p->peer);
	free(p->start);
	free(p);
}

static const struct input_ops input_peer_ops = {
	.read = input_peer_read,
	.answer = input_peer_answer,
	.free = input_peer_free,
};

int input_from_peer(struct peer *peer, uint8_t *start, size_t len, struct input **ret,
		    struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	struct input_peer *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		r = err_set(err, -ENOMEM, "%s", peer_name(peer));
		peer_free(peer);
		free(start);
		return r;
	}
	in = &p->in;
	in->ops = &input_peer_ops;
	in->carried = peer_is_plain_tcp(peer);
	p->peer = peer;
	p->start = start;
	p->len = len;
	r = input_name_it(in, peer_name(peer), err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(in);
	return 0;
}
