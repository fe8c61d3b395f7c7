/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The client's end of a holder's socket
 *
 * The connection is the lease: what a client has got it has until it releases it or the connection
 * ends. A changing client whose connection ends without a release counts as lost.
 */

#include "base/cancel.h"
#include "device/acquire.h"
#include "device/hold-message.h"

/**
 * struct hold_wait - how long to wait for a holder
 * @cancel: ends the wait; may be NULL
 * @timeout_ms: -1 for ever
 */
struct hold_wait {
	struct cancel *cancel;
	int timeout_ms;
};

/**
 * hold_connect() - connect to the holder that listens at @path
 * @name: what messages call it
 *
 * Return: 0; what stat() or connect() said: -ENOENT, -ECONNREFUSED (ERR_MISSING) without a holder;
 * -ENOTSOCK (ERR_MISSING); -EPROTOTYPE (ERR_PEER) for a socket that is no holder's; -EACCES
 * (ERR_PERMISSION); -ETIMEDOUT (ERR_PEER); -ECANCELED.
 */
_must_check_ int hold_connect(const char *path, const char *name, const struct hold_wait *wait,
			      int *ret_sock, struct err *err);

/** hold_check() - the same without connecting, as far as it can be told: -ENOENT, -ENOTSOCK */
_must_check_ int hold_check(const char *path, const char *name, struct err *err);

/**
 * hold_ask() - a request and the answer to it; events in between are dropped
 * @fds: go with it; stay the caller's; NULL for none
 * @ret: hold_packet_done() in any case; its object is there where the holder has answered, if
 *       with a refusal
 *
 * Return: 0; what the holder refused with; -ECONNRESET, -EBADMSG (ERR_PEER); -ETIMEDOUT;
 * -ECANCELED.
 */
_must_check_ int hold_ask(int sock, const struct hold_request *req, const struct hold_fds *fds,
			  const struct hold_wait *wait, struct hold_packet *ret, struct err *err);

/** hold_fds_of() - the descriptors of an open device, by what they are; @acq's */
struct hold_fds hold_fds_of(const struct acquired *acq);

/** hold_fds_take() - the same the other way round; @fds has none of them afterwards */
struct acquired hold_fds_take(struct hold_fds *fds);
