// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/unix-socket.h"
#include "device/hold-client.h"

/* One status and one advice for each way in which there is no holder at a path. */
static int hold_client_explain(int r, struct err *err)
{
	switch (r) {
	case -EPROTOTYPE:
		err_classify(err, ERR_PEER, r);
		return err_hint(err, r,
				"no holder listens there: the socket of a process that "
				"passes a device is unix:PATH, of a server vfio-user:PATH");
	case -ETIMEDOUT:
		return err_classify(err, ERR_PEER, r);
	case -ECONNREFUSED:
	case -ENOENT:
	case -ENOTDIR:
	case -ENOTSOCK:
		err_classify(err, ERR_MISSING, r);
		return err_hint(err, r, "is its holder running? vfiomigctl hold DEV --socket=PATH");
	default:
		return err_classify(err, err_denied(r, ERR_UNSPEC), r);
	}
}

int hold_check(const char *path, const char *name, struct err *err)
{
	int r = unix_check(path, name, err);

	return r < 0 ? hold_client_explain(r, err) : 0;
}

int hold_connect(const char *path, const char *name, const struct hold_wait *wait, int *ret_sock,
		 struct err *err)
{
	int r;

	/* connect() says ECONNREFUSED of a file that is no socket. */
	r = hold_check(path, name, err);
	if (r < 0)
		return r;
	r = unix_connect_packets(path, wait->cancel, wait->timeout_ms, ret_sock, err);
	if (r == -ECANCELED || r >= 0)
		return r;
	err_prefix(err, r, "%s", name);
	return hold_client_explain(r, err);
}

/* @until: on the monotonic clock; 0 for ever */
static int hold_client_wait(int sock, struct cancel *cancel, uint64_t until, struct err *err)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int n;

	if (cancel) {
		n = cancel_wait(cancel, &p, 1, until ? clock_ms_until(until) : -1, err);
		if (n < 0)
			return n;
	} else {
		do
			n = poll(&p, 1, until ? clock_ms_until(until) : -1);
		while (n < 0 && errno == EINTR);
	}
	if (n)
		return 0;
	err_fail(err, ERR_PEER, -ETIMEDOUT, "the holder does not answer");
	return err_hint(err, -ETIMEDOUT, "it is stopped, or busy with a device");
}

static int hold_client_receive(int sock, const struct hold_wait *wait, struct hold_packet *ret,
			       struct err *err)
{
	uint64_t until =
		wait->timeout_ms < 0 ? 0 : clock_ns() + (uint64_t)wait->timeout_ms * NSEC_PER_MSEC;
	int r;

	/* An event is no answer: the time that it may take goes on. */
	do {
		hold_packet_done(ret);
		r = hold_client_wait(sock, wait->cancel, until, err);
		if (r < 0)
			return r;
		r = hold_receive(sock, ret, err);
	} while (r == -EAGAIN || (r >= 0 && hold_is_event(ret->o)));
	return r;
}

int hold_ask(int sock, const struct hold_request *req, const struct hold_fds *fds,
	     const struct hold_wait *wait, struct hold_packet *ret, struct err *err)
{
	int r;

	*ret = HOLD_PACKET_NONE;
	r = hold_send(sock, hold_request_write(req), fds);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return err_set(err, r, "asking the holder");
	r = hold_client_receive(sock, wait, ret, err);
	/* One that turns a client away says why before it closes, and reads no request. */
	if (r == -ECONNRESET)
		r = hold_client_receive(sock, wait, ret, err);
	if (r < 0)
		return r;
	return hold_reply_read(ret->o, req->verb, err);
}

struct hold_fds hold_fds_of(const struct acquired *acq)
{
	struct hold_fds fds = HOLD_FDS_NONE;

	fds.v[HOLD_FD_DEVICE] = acq->fd;
	if (acq->via == ACQUIRE_GROUP) {
		fds.v[HOLD_FD_GROUP] = acq->keep[0];
		fds.v[HOLD_FD_CONTAINER] = acq->keep[1];
	} else {
		fds.v[HOLD_FD_IOMMUFD] = acq->keep[0];
	}
	return fds;
}

struct acquired hold_fds_take(struct hold_fds *fds)
{
	struct acquired acq = ACQUIRED_NONE;

	acq.fd = TAKE_FD(fds->v[HOLD_FD_DEVICE]);
	if (fds->v[HOLD_FD_GROUP] >= 0) {
		acq.via = ACQUIRE_GROUP;
		acq.keep[0] = TAKE_FD(fds->v[HOLD_FD_GROUP]);
		acq.keep[1] = TAKE_FD(fds->v[HOLD_FD_CONTAINER]);
	} else if (fds->v[HOLD_FD_IOMMUFD] >= 0) {
		acq.via = ACQUIRE_CDEV;
		acq.keep[0] = TAKE_FD(fds->v[HOLD_FD_IOMMUFD]);
	} else {
		acq.via = ACQUIRE_FD;
	}
	hold_fds_done(fds);
	return acq;
}
