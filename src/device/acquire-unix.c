// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/unix-socket.h"
#include "device/acquirer.h"
#include "host/vfio-fd.h"

/*
 * A device that a process passes over a UNIX socket, to whatever connects: as little of a protocol
 * as there can be, so that ten lines of any language are the other end. The first message has one
 * descriptor, and bytes that mean nothing; the connection stays open as long as the device is used,
 * to tell the other end. Should that go, the device is still open here.
 */

/* More than one, so that a second one is seen, and can be refused instead of lost. */
#define ACQUIRE_UNIX_FDS 8

/** struct passed - @path of the socket; @connection, -1 for none */
struct passed {
	char *path;
	int connection;
};

static int acquire_unix_find(struct device *dev, const char *rest, struct err *err)
{
	struct passed *passed = calloc(1, sizeof(*passed));

	dev->origin = passed;
	if (!passed)
		return err_set(err, -ENOMEM, "%s", dev->spec);
	passed->connection = -1;
	passed->path = strdup(rest);
	return passed->path ? 0 : err_set(err, -ENOMEM, "%s", dev->spec);
}

static int acquire_unix_explain(int r, struct err *err)
{
	if (r == -EPROTOTYPE) {
		err_classify(err, ERR_PEER, r);
		return err_hint(err, r, "a holder of vfiomigctl is hold:PATH");
	}
	if (r == -ENOENT || r == -ENOTSOCK || r == -ECONNREFUSED)
		return err_classify(err, ERR_MISSING, r);
	return r;
}

static int acquire_unix_check(const struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	const struct passed *passed = dev->origin;
	int r = unix_check(passed->path, dev->spec, err);

	(void)opts;
	return r < 0 ? acquire_unix_explain(r, err) : 0;
}

/* Root, or the caller's own user: another one's device could be any file of its. */
static int acquire_unix_judge_peer(const struct device *dev, int sock, struct err *err)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_set(err, -errno, "%s: SO_PEERCRED", dev->spec);
	if (peer.uid != 0 && peer.uid != geteuid())
		return err_fail(err, ERR_PERMISSION, -EPERM,
				"%s: a process of user %u listens there, not of root or user %u",
				dev->spec, (unsigned int)peer.uid, (unsigned int)geteuid());
	return 0;
}

static int acquire_unix_wait(const struct device *dev, const struct device_options *opts, int sock,
			     struct err *err)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int n;

	if (opts->cancel) {
		n = cancel_wait(opts->cancel, &p, 1, opts->acquire.timeout_ms, err);
		if (n < 0)
			return n;
	} else {
		do
			n = poll(&p, 1, opts->acquire.timeout_ms);
		while (n < 0 && errno == EINTR);
	}
	if (n <= 0)
		return err_fail(err, ERR_PEER, -ETIMEDOUT,
				"%s: no device came within %d ms of connecting", dev->spec,
				opts->acquire.timeout_ms);
	return 0;
}

/* Return: how many descriptors came; they are in @fds. */
static size_t acquire_unix_take(struct msghdr *msg, int fds[ACQUIRE_UNIX_FDS])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < here; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (n < ACQUIRE_UNIX_FDS)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

static int acquire_unix_receive(const struct device *dev, int sock, int *ret, struct err *err)
{
	char bytes[256], control[CMSG_SPACE(ACQUIRE_UNIX_FDS * sizeof(int))];
	struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fds[ACQUIRE_UNIX_FDS];
	ssize_t got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	size_t n;

	if (got < 0)
		return err_fail(err, ERR_PEER, -errno, "%s", dev->spec);
	n = acquire_unix_take(&msg, fds);
	if (n == 1 && got && !(msg.msg_flags & MSG_CTRUNC)) {
		*ret = fds[0];
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	if (!got && !n)
		return err_fail(err, ERR_PEER, -ENODATA,
				"%s: the connection was closed before a device came", dev->spec);
	err_fail(err, ERR_PEER, -EBADMSG, "%s: the first message has %s, not one descriptor",
		 dev->spec, n ? "several descriptors" : "no descriptor");
	return err_hint(err, -EBADMSG,
			n ? "pass one device a connection" : "a holder of vfiomigctl is hold:PATH");
}

static int acquire_unix_acquire(struct device *dev, const struct device_options *opts,
				struct acquired *ret, struct err *err)
{
	struct passed *passed = dev->origin;
	_cleanup_fd_ int sock = -1, fd = -1;
	int r;

	r = acquire_unix_check(dev, opts, err);
	if (r < 0)
		return r;
	r = unix_connect(passed->path, opts->cancel, opts->acquire.timeout_ms, &sock, err);
	if (r < 0 && r != -ECANCELED)
		err_prefix(err, r, "%s", dev->spec);
	if (r < 0)
		return acquire_unix_explain(r, err);
	r = acquire_unix_judge_peer(dev, sock, err);
	if (r < 0)
		return r;
	r = acquire_unix_wait(dev, opts, sock, err);
	if (r < 0)
		return r;
	r = acquire_unix_receive(dev, sock, &fd, err);
	if (r < 0)
		return r;
	r = acquire_check_fd(fd, dev->spec, err);
	if (r < 0)
		return r;
	if (!dev->node)
		dev->node = vfio_fd_node(dev->host, 0, fd);
	passed->connection = TAKE_FD(sock);
	ret->via = ACQUIRE_UNIX;
	ret->fd = TAKE_FD(fd);
	return 0;
}

static bool acquire_unix_same(const struct device *a, const struct device *b)
{
	const struct passed *x = a->origin, *y = b->origin;
	struct stat sx, sy;

	if (!strcmp(x->path, y->path))
		return true;
	return stat(x->path, &sx) == 0 && stat(y->path, &sy) == 0 && sx.st_dev == sy.st_dev &&
	       sx.st_ino == sy.st_ino;
}

static const char *acquire_unix_socket(const struct device *dev)
{
	return ((const struct passed *)dev->origin)->path;
}

static void acquire_unix_close(struct device *dev)
{
	struct passed *passed = dev->origin;

	if (passed && passed->connection >= 0)
		close(TAKE_FD(passed->connection));
}

static void acquire_unix_done(struct device *dev)
{
	struct passed *passed = dev->origin;

	if (passed)
		free(passed->path);
	free(passed);
}

const struct acquirer acquirer_unix = {
	.prefix = "unix:",
	.ownership = DEVICE_SHARED,
	.opening = OPENING_CONNECTS,
	.find = acquire_unix_find,
	.check = acquire_unix_check,
	.acquire = acquire_unix_acquire,
	.same = acquire_unix_same,
	.socket = acquire_unix_socket,
	.close = acquire_unix_close,
	.done = acquire_unix_done,
};
