// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* After <sys/socket.h>, which it needs and does not include. */
#include <linux/vm_sockets.h>

#include "transport/trust.h"

_Static_assert(TRUST_ANY_CID == VMADDR_CID_ANY, "any machine");

static enum trust_verdict trust_judge_user(const struct trust *t, uid_t own,
					   const struct trust_peer *peer)
{
	if (t->insecure)
		return TRUST_GRANTED;
	if (!peer->uid_known)
		return TRUST_UNKNOWN_USER;
	return peer->uid == 0 || peer->uid == own ? TRUST_GRANTED : TRUST_OTHER_USER;
}

enum trust_verdict trust_judge(const struct trust *t, uid_t own, const struct trust_peer *peer)
{
	switch (peer->family) {
	case AF_UNIX:
		return trust_judge_user(t, own, peer);
	case AF_VSOCK:
		return t->cid == TRUST_ANY_CID || t->cid == peer->cid ? TRUST_GRANTED
								      : TRUST_OTHER_MACHINE;
	default:
		return TRUST_GRANTED;
	}
}

/* What cannot be asked stays unknown: AF_UNSPEC is no family that anything is known of. */
static struct trust_peer trust_ask(int fd)
{
	struct trust_peer peer = { .family = AF_UNSPEC };
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t sa_len = sizeof(sa), cred_len = sizeof(struct ucred);
	struct sockaddr_vm vm;
	struct ucred cred;

	if (getsockname(fd, (struct sockaddr *)&sa, &sa_len) == 0)
		peer.family = sa.ss_family;
	if (peer.family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0) {
		peer.uid_known = true;
		peer.uid = cred.uid;
	}
	sa_len = sizeof(sa);
	peer.cid = TRUST_ANY_CID;
	if (peer.family == AF_VSOCK && getpeername(fd, (struct sockaddr *)&sa, &sa_len) == 0) {
		memcpy(&vm, &sa, sizeof(vm));
		peer.cid = vm.svm_cid;
	}
	return peer;
}

int trust_check(const struct trust *t, int fd, struct err *err)
{
	const struct trust_peer peer = trust_ask(fd);
	const uid_t own = geteuid();

	switch (trust_judge(t, own, &peer)) {
	case TRUST_OTHER_USER:
		err_fail(err, ERR_CONFIG, -EPERM,
			 "user %u is at the other end, neither root nor user %u", peer.uid, own);
		break;
	case TRUST_UNKNOWN_USER:
		err_fail(err, ERR_CONFIG, -EPERM, "which user is at the other end cannot be told");
		break;
	case TRUST_OTHER_MACHINE:
		return err_fail(err, ERR_CONFIG, -EPERM, "machine %u is at the other end, not %u",
				peer.cid, t->cid);
	default:
		return 0;
	}
	return err_hint(err, -EPERM, "--insecure trusts every user");
}
