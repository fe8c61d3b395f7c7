/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who may be at the other end of a socket
 *
 * The system tells the user at the other end of a UNIX socket, and the machine at the other end of
 * a vsock connection. Of TCP it tells an address, which every user there can have; so nothing is
 * decided by it here, see address_allow().
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* VMADDR_CID_ANY: a vsock peer may be on any machine. */
#define TRUST_ANY_CID UINT32_MAX

/**
 * struct trust - what the user of this program has said
 * @insecure: any user may be at the other end of a UNIX socket
 * @cid: the only machine that may be at the other end of a vsock connection, or TRUST_ANY_CID
 */
struct trust {
	bool insecure;
	uint32_t cid;
};

/**
 * struct trust_peer - what the system tells of the other end
 * @family: AF_UNIX and so on
 * @uid: of AF_UNIX, if @uid_known
 * @cid: of AF_VSOCK
 */
struct trust_peer {
	int family;
	bool uid_known;
	uid_t uid;
	uint32_t cid;
};

enum trust_verdict {
	TRUST_GRANTED,
	TRUST_OTHER_USER,
	TRUST_UNKNOWN_USER,
	TRUST_OTHER_MACHINE
};

/** trust_judge() - pure. @own: the user that this process acts as; root is always trusted. */
enum trust_verdict trust_judge(const struct trust *t, uid_t own, const struct trust_peer *peer);

/**
 * trust_check() - judge the peer of @fd, a connected socket
 *
 * Of a UNIX socket that was connected to, the peer is the process that called listen().
 *
 * Return: 0, or -EPERM (ERR_CONFIG).
 */
_must_check_ int trust_check(const struct trust *t, int fd, struct err *err);
