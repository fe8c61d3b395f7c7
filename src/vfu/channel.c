// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "vfu/channel.h"

void vfu_fds_done(struct vfu_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		close(fds->fd[i]);
	fds->n = 0;
}

/* Aligned as CMSG_*() wants it, with room for as many fds as are ever kept. */
union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(VFU_FDS_MAX * sizeof(int))];
};

static void channel_collect(struct msghdr *msg, struct vfu_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (fds->n < VFU_FDS_MAX)
				fds->fd[fds->n++] = fd;
			else
				close(fd);
		}
	}
}

/* Without room for them the kernel itself closes the fds that come along. */
ssize_t vfu_recv_some(int fd, void *buf, size_t len, struct vfu_fds *fds)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (fds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
	}
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (fds)
		channel_collect(&msg, fds);
	return n;
}

ssize_t vfu_send_some(int fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov };
	union control control = { 0 };
	struct cmsghdr *c;
	ssize_t n;

	assert(n_fds <= VFU_FDS_MAX);
	if (n_fds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static uint64_t channel_deadline(const struct vfu_channel *ch)
{
	if (ch->timeout_ms < 0)
		return UINT64_MAX;
	return clock_ns() + (uint64_t)ch->timeout_ms * NSEC_PER_MSEC;
}

/* Wait for the rest of a message, until @deadline and no longer, however little comes meanwhile. */
static int channel_wait_for(struct vfu_channel *ch, short events, uint64_t deadline,
			    struct err *err)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = ch->fd, .events = events },
			{ .fd = -1, .events = POLLIN },
		};
		int left = deadline == UINT64_MAX ? -1 : clock_ms_until(deadline);
		int r;

		if (ch->cancel) {
			r = cancel_check(ch->cancel, err);
			if (r < 0)
				return r;
			if (!atomic_load(&ch->cancel->closed))
				p[1].fd = ch->cancel->fd;
		}
		r = poll(p, ARRAY_SIZE(p), left);
		if (r < 0 && errno != EINTR)
			return err_set(err, -errno, "poll");
		if (r > 0 && p[0].revents)
			return 0;
		if (!r)
			return err_set(err, -ETIMEDOUT, "no whole message within %g s",
				       ch->timeout_ms / 1e3);
	}
}

static int channel_receive_all(struct vfu_channel *ch, void *buf, size_t len, struct vfu_fds *fds,
			       struct err *err)
{
	size_t done = 0;
	ssize_t n;
	int r;

	while (done < len) {
		n = vfu_recv_some(ch->fd, (uint8_t *)buf + done, len - done, fds);
		if (n == -EAGAIN) {
			r = channel_wait_for(ch, POLLIN, ch->deadline_ns, err);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return err_set(err, (int)n, "receive");
		if (!n)
			return err_set(err, -ECONNRESET, "the peer closed the connection");
		done += (size_t)n;
	}
	return 0;
}

int vfu_receive(struct vfu_channel *ch, void *buf, size_t len, struct err *err)
{
	int r;

	if (len > ch->left)
		return err_set(err, -EPROTO, "%zu bytes of payload where %zu are needed", ch->left,
			       len);
	r = channel_receive_all(ch, buf, len, NULL, err);
	if (r < 0)
		return r;
	ch->left -= len;
	return 0;
}

int vfu_drop_rest(struct vfu_channel *ch, struct err *err)
{
	uint8_t sink[4096];

	while (ch->left) {
		int r = vfu_receive(ch, sink, MIN(ch->left, sizeof(sink)), err);

		if (r < 0)
			return r;
	}
	return 0;
}

int vfu_receive_header(struct vfu_channel *ch, struct vfu_header *ret, struct vfu_fds *fds,
		       struct err *err)
{
	uint8_t wire[VFU_HEADER_SIZE];
	int r;

	if (fds)
		fds->n = 0;
	r = vfu_drop_rest(ch, err);
	if (r < 0)
		return r;
	ch->deadline_ns = channel_deadline(ch);
	r = channel_receive_all(ch, wire, sizeof(wire), fds, err);
	if (r < 0)
		return r;
	r = vfu_header_decode(wire, ret, err);
	if (r < 0)
		return r;
	ch->left = vfu_payload_size(ret);
	return 0;
}

/* Skip @n bytes that went out. Return: the first part that is not done. */
static size_t channel_advance(struct iovec *iov, size_t n_iov, size_t n)
{
	size_t i = 0;

	while (i < n_iov && n >= iov[i].iov_len)
		n -= iov[i++].iov_len;
	if (i < n_iov) {
		iov[i].iov_base = (uint8_t *)iov[i].iov_base + n;
		iov[i].iov_len -= n;
	}
	return i;
}

static int channel_send_all(struct vfu_channel *ch, struct iovec *iov, size_t n_iov, const int *fds,
			    size_t n_fds, struct err *err)
{
	uint64_t deadline = channel_deadline(ch);
	ssize_t n;
	int r;

	for (size_t i = 0; i < n_iov;) {
		n = vfu_send_some(ch->fd, iov + i, n_iov - i, fds, n_fds);
		if (n == -EAGAIN) {
			r = channel_wait_for(ch, POLLOUT, deadline, err);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return err_set(err, (int)n, "send");
		n_fds = 0; /* they went with the first byte */
		i += channel_advance(iov + i, n_iov - i, (size_t)n);
	}
	return 0;
}

int vfu_send(struct vfu_channel *ch, const struct vfu_header *h, const struct vfu_parts *parts,
	     struct err *err)
{
	static const struct vfu_parts none;
	const struct vfu_parts *p = parts ? parts : &none;
	struct vfu_header sized = *h;
	uint8_t wire[VFU_HEADER_SIZE];
	struct iovec iov[] = {
		{ .iov_base = wire, .iov_len = sizeof(wire) },
		{ .iov_base = (void *)p->head, .iov_len = p->head_len },
		{ .iov_base = (void *)p->data, .iov_len = p->data_len },
	};

	if (p->head_len > VFU_SLACK || p->data_len > VFU_PAYLOAD_MAX - p->head_len ||
	    p->n_fds > VFU_FDS_MAX)
		return err_set(err, -EMSGSIZE, "a message of %zu bytes and %zu fds",
			       p->head_len + p->data_len, p->n_fds);
	sized.size = (uint32_t)(VFU_HEADER_SIZE + p->head_len + p->data_len);
	vfu_header_encode(&sized, wire);
	return channel_send_all(ch, iov, ARRAY_SIZE(iov), p->fds, p->n_fds, err);
}

/* As much as af_unix puts into the pages of one buffer. What its head has room for is a reserve. */
#define SKB_PAGES (32u << 10)
#define SKB_HEAD 1024u

size_t vfu_message_fit(int fd)
{
	socklen_t len = sizeof(int);
	int size;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0)
		return SKB_PAGES + SKB_HEAD;
	/* Half of it, less what the kernel keeps for itself. */
	return MIN((size_t)MAX(size / 2 - 128, 1024), (size_t)SKB_PAGES + SKB_HEAD);
}
