// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "transport/output-ops.h"
#include "transport/speech.h"

/* Of image/receipt.h. */
#define ANSWER_MAGIC "\x89VRC"

struct output_peer {
	struct output out;
	struct peer *peer;
};

static struct output_peer *output_peer_of(struct output *out)
{
	return container_of(out, struct output_peer, out);
}

static int output_peer_write(struct output *out, const void *buf, size_t len, struct err *err)
{
	return peer_write(output_peer_of(out)->peer, buf, len, err);
}

static int output_peer_finish(struct output *out, struct err *err)
{
	return peer_finish(output_peer_of(out)->peer, err);
}

/* What has come instead may have a name: TLS, where this end has none. */
static int output_peer_unanswered(const struct output *out, const void *got, size_t len,
				  struct err *err)
{
	if (speech_check(ANSWER_MAGIC, got, len, err) < 0)
		return err_prefix(err, -EPROTO, "%s", out->name);
	return err_fail(err, ERR_ABORTED, -ECONNRESET,
			"%s: closed the connection without an answer", out->name);
}

static int output_peer_answer(struct output *out, void *buf, size_t len, struct err *err)
{
	struct peer *peer = output_peer_of(out)->peer;
	size_t done = 0;
	uint64_t first_ns = 0;

	while (done < len) {
		ssize_t n = peer_read(peer, (char *)buf + done, len - done, err);

		if (n < 0)
			return (int)n;
		if (!n)
			return output_peer_unanswered(out, buf, done, err);
		done += (size_t)n;
		first_ns = first_ns ? first_ns : clock_ns();
		/* A record of one piece comes at once, or its sender dribbles. */
		if (done < len && peer_is_late(peer, first_ns))
			return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
					"%s: has not answered in full in time", out->name);
	}
	return 0;
}

static bool output_peer_denies(const struct output *out)
{
	return peer_denies(container_of(out, const struct output_peer, out)->peer);
}

static void output_peer_free(struct output *out)
{
	struct output_peer *o = output_peer_of(out);

	peer_free(o->peer);
	free(o);
}

static const struct output_ops output_peer_ops = {
	.write = output_peer_write,
	.finish = output_peer_finish,
	.answer = output_peer_answer,
	.denies = output_peer_denies,
	.free = output_peer_free,
};

int output_connect(const struct uri *uri, const struct peer_options *opts, struct cancel *cancel,
		   struct output **ret, struct err *err)
{
	_cleanup_(output_freep) struct output *out = NULL;
	struct output_peer *o;
	int r;

	o = calloc(1, sizeof(*o));
	if (!o)
		return err_set(err, -ENOMEM, "%s", uri->text);
	out = &o->out;
	out->ops = &output_peer_ops;
	out->has_reader = true;
	r = output_name_it(out, uri->text, err);
	if (r < 0)
		return r;
	r = peer_connect(uri, opts, cancel, &o->peer, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out);
	return 0;
}
