// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "emu/conn.h"
#include "vfu/channel.h"

/* Commands before the others have their turn. */
#define TURN 16

/* What --fault garbage sends instead of a reply. */
#define NOISE_SIZE 4096u

struct emu_conn *emu_conn_new(int fd)
{
	struct emu_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	c->fd = fd;
	c->in = malloc(VFU_MESSAGE_MAX); /* touched as far as messages reach */
	c->out = malloc(VFU_MESSAGE_MAX);
	return c->in && c->out ? c : emu_conn_free(c);
}

struct emu_conn *emu_conn_free(struct emu_conn *c)
{
	if (!c)
		return NULL;
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
	return NULL;
}

static bool emu_conn_replying(const struct emu_conn *c)
{
	return c->out_at < c->out_len;
}

short emu_conn_events(const struct emu_conn *c, uint64_t now_ns)
{
	if (c->stalled || (emu_conn_replying(c) && now_ns < c->due_ns))
		return 0;
	return emu_conn_replying(c) ? POLLOUT : POLLIN;
}

uint64_t emu_conn_waits_until(const struct emu_conn *c)
{
	return !c->stalled && emu_conn_replying(c) ? c->due_ns : UINT64_MAX;
}

/* The rest of a message. Return: 1 when it is whole, 0, -EAGAIN, -ENOTCONN, worse. */
static int emu_conn_receive(struct emu_conn *c, struct err *err)
{
	size_t want = VFU_HEADER_SIZE;
	ssize_t n;
	int r;

	if (c->in_len >= VFU_HEADER_SIZE)
		want = c->h.size;
	if (c->in_len < want) {
		n = vfu_recv_some(c->fd, c->in + c->in_len, want - c->in_len, NULL);
		if (n == -EAGAIN)
			return -EAGAIN;
		if ((!n || n == -ECONNRESET) && c->in_len)
			return err_set(err, -ECONNRESET, "closed within a message");
		if (!n || n == -ECONNRESET)
			return -ENOTCONN;
		if (n < 0)
			return err_set(err, (int)n, "receive");
		c->in_len += (size_t)n;
	}
	if (c->in_len != want)
		return 0;
	if (want == VFU_HEADER_SIZE) {
		r = vfu_header_decode(c->in, &c->h, err);
		if (r < 0)
			return r;
		if (vfu_is_reply(&c->h))
			return err_set(err, -EPROTO, "a reply, where nothing was asked");
	}
	return c->in_len == c->h.size;
}

static int emu_conn_send_rest(struct emu_conn *c, struct err *err)
{
	struct iovec iov;
	ssize_t n;

	while (emu_conn_replying(c)) {
		iov.iov_base = c->out + c->out_at;
		iov.iov_len = c->out_len - c->out_at;
		n = vfu_send_some(c->fd, &iov, 1, NULL, 0);
		if (n == -EAGAIN)
			return -EAGAIN;
		if (n == -EPIPE || n == -ECONNRESET)
			return -ENOTCONN;
		if (n < 0)
			return err_set(err, (int)n, "send");
		c->out_at += (size_t)n;
	}
	return 0;
}

static void emu_conn_put_noise(struct emu_conn *c, uint64_t seed)
{
	uint64_t word;

	for (size_t i = 0; i < NOISE_SIZE; i += sizeof(word)) {
		word = emu_mix(seed + i);
		memcpy(c->out + i, &word, sizeof(word));
	}
	c->out_len = NOISE_SIZE;
}

/* A client that cannot tell what is refused learns it from a command that no server knows. */
static void emu_conn_spoil_refusal(struct vfu_header *h, const struct emu_deviations *off)
{
	bool known = h->command <= VFU_MIG_DATA_WRITE;

	if (emu_deviates(off, DEVIATE_ERROR_WITHOUT_ERRNO))
		h->error = 0;
	if (!known && emu_deviates(off, DEVIATE_WRONG_ID))
		h->id++;
	if (!known && emu_deviates(off, DEVIATE_WRONG_COMMAND))
		h->command = VFU_RESET;
	if (!known && emu_deviates(off, DEVIATE_REPLY_AS_COMMAND))
		h->flags &= ~VFU_TYPE_MASK;
}

static void emu_conn_put_reply(struct emu_conn *c, struct emu_device *d,
			       const struct emu_reply *reply)
{
	struct vfu_header h = vfu_reply_header(&c->h, reply->code);
	struct emu_fault *f;

	c->out_at = c->out_len = 0;
	c->due_ns = d->now_ns + reply->delay_ns;
	c->close = reply->close;
	if ((c->h.flags & VFU_NO_REPLY) &&
	    !emu_deviates(&d->config->deviations, DEVIATE_NO_REPLY_ANSWERED))
		return;
	f = emu_faults_at(&d->faults, FAULT_GARBAGE, 0, d->moved + 1);
	if (f && c->h.command != VFU_VERSION) {
		emu_fault_used(f);
		emu_conn_put_noise(c, d->now_ns);
		return;
	}
	if (reply->code < 0)
		emu_conn_spoil_refusal(&h, &d->config->deviations);
	h.size = (uint32_t)(VFU_HEADER_SIZE + reply->len);
	vfu_header_encode(&h, c->out);
	c->out_len = h.size;
}

static int emu_conn_answer(struct emu_conn *c, struct emu_device *d, const char *name,
			   struct err *err)
{
	struct emu_command command = {
		.h = c->h,
		.payload = c->in + VFU_HEADER_SIZE,
		.len = vfu_payload_size(&c->h),
	};
	struct emu_reply reply = { .payload = c->out + VFU_HEADER_SIZE };
	struct err why = { 0 };
	int r;

	r = emu_answer(d, &c->session, &command, &reply, &why);
	c->in_len = 0;
	if (r < 0) {
		*err = why;
		return r;
	}
	if (reply.code < 0)
		log_info("%s: %s: %s: %s", name, vfu_command_name(c->h.command), why.text,
			 err_name(reply.code));
	else
		log_debug("%s: %s%s", name, vfu_command_name(c->h.command),
			  r == EMU_STALLED ? ": no answer" : "");
	c->stalled = r == EMU_STALLED;
	if (r == EMU_DIED)
		return CONN_DIED;
	if (!c->stalled)
		emu_conn_put_reply(c, d, &reply);
	return CONN_WAITS;
}

/* The rest of a reply goes out, a command comes in. Return: 1 when it is whole, else as above. */
static int emu_conn_next(struct emu_conn *c, struct err *err)
{
	int r = emu_conn_send_rest(c, err);

	if (r < 0)
		return r;
	if (c->close)
		return -ENOTCONN;
	do
		r = emu_conn_receive(c, err);
	while (!r);
	return r;
}

int emu_conn_run(struct emu_conn *c, struct emu_device *d, const struct emu_event_log *log,
		 uint64_t now_ns, struct err *err)
{
	int r;

	for (int i = 0; i < TURN; i++) {
		emu_event_log_write(log, &d->events, now_ns);
		if (c->stalled || (emu_conn_replying(c) && now_ns < c->due_ns))
			return CONN_WAITS;
		r = emu_conn_next(c, err);
		if (r == -EAGAIN)
			return CONN_WAITS;
		if (r == -ENOTCONN)
			return CONN_CLOSED;
		if (r < 0)
			return r;
		emu_device_advance(d, now_ns);
		r = emu_conn_answer(c, d, log->device, err);
		if (r != CONN_WAITS)
			return r;
	}
	emu_event_log_write(log, &d->events, now_ns);
	return CONN_WAITS;
}
