// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "check/subject-parts.h"
#include "check/subject-raw.h"
#include "vfu/channel.h"

struct subject_raw {
	struct subject_dev *d;
	int fd;
};

int subject_raw_open(struct subject *s, struct subject_raw **ret, struct err *err)
{
	struct subject_dev *d = subject_dev(s);
	struct subject_raw *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_set(err, -ENOMEM, "connection");
	x->d = d;
	subject_vfu_release(d);
	r = unix_connect(device_socket(d->dev), d->cancel, d->opts.acquire.timeout_ms, &x->fd, err);
	if (r < 0) {
		free(x);
		return r;
	}
	*ret = x;
	return 0;
}

struct subject_raw *subject_raw_close(struct subject_raw *x)
{
	if (!x)
		return NULL;
	close(x->fd);
	return mfree(x);
}

void subject_raw_say(struct subject_raw *x, const void *bytes, size_t len)
{
	struct vfu_header h;
	ssize_t n;

	if (len >= sizeof(h)) {
		memcpy(&h, bytes, sizeof(h));
		subject_log(x->d, "said: id %u, command %u, %zu bytes, flags %#x, size %u", h.id,
			    h.command, len, h.flags, h.size);
	}
	n = send(x->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		subject_log(x->d, "send of %zu bytes: %s", len, err_name(-errno));
	else if ((size_t)n < len)
		subject_log(x->d, "send of %zu bytes: %zd of them", len, n);
}

/* Return: 0; or what came instead of all the bytes. */
static enum subject_heard subject_raw_take(struct subject_raw *x, void *buf, size_t len,
					   uint64_t end_ns)
{
	uint8_t *at = buf;
	ssize_t n;

	while (len) {
		struct pollfd p = { .fd = x->fd, .events = POLLIN };

		n = vfu_recv_some(x->fd, at, len, NULL);
		if (n == -EAGAIN) {
			if (cancel_wait(x->d->cancel, &p, 1, clock_ms_until(end_ns), NULL) <= 0)
				return SUBJECT_HEARD_NOTHING;
			continue;
		}
		if (n <= 0)
			return SUBJECT_HEARD_CLOSED;
		at += n;
		len -= (size_t)n;
	}
	return SUBJECT_HEARD_MESSAGE;
}

static void subject_raw_take_payload(struct subject_raw *x, struct subject_message *ret,
				     uint64_t end_ns)
{
	uint8_t rest[4096];
	size_t left, n;

	if (ret->h.size < VFU_HEADER_SIZE || ret->h.size > VFU_MESSAGE_MAX) {
		ret->heard = SUBJECT_HEARD_NONSENSE;
		return;
	}
	left = ret->h.size - VFU_HEADER_SIZE;
	ret->len = MIN(left, sizeof(ret->payload));
	ret->heard = subject_raw_take(x, ret->payload, ret->len, end_ns);
	for (left -= ret->len; left && ret->heard == SUBJECT_HEARD_MESSAGE; left -= n) {
		n = MIN(left, sizeof(rest));
		ret->heard = subject_raw_take(x, rest, n, end_ns);
	}
}

void subject_raw_hear(struct subject_raw *x, struct subject_message *ret)
{
	static const char *const words[] = {
		[SUBJECT_HEARD_CLOSED] = "the server has closed the connection",
		[SUBJECT_HEARD_NOTHING] = "nothing comes",
		[SUBJECT_HEARD_NONSENSE] = "a message of no size that there is",
	};
	uint64_t end_ns = clock_ns() + (uint64_t)x->d->opts.acquire.timeout_ms * 1000000;

	memset(ret, 0, sizeof(*ret));
	ret->heard = subject_raw_take(x, &ret->h, sizeof(ret->h), end_ns);
	if (ret->heard == SUBJECT_HEARD_MESSAGE)
		subject_raw_take_payload(x, ret, end_ns);
	if (ret->heard != SUBJECT_HEARD_MESSAGE)
		subject_log(x->d, "%s", words[ret->heard]);
	else
		subject_log(x->d, "comes: id %u, command %u, %u bytes, flags %#x, error %u",
			    ret->h.id, ret->h.command, ret->h.size, ret->h.flags, ret->h.error);
}
