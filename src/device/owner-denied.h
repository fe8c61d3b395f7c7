/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why a process may not be looked into, or a descriptor of its may not be taken
 *
 * The kernel says EACCES or EPERM for all of it: whose process it is, user namespaces, Yama
 * (kernel.yama.ptrace_scope), processes that are not dumpable, security modules.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "host/host.h"

/**
 * struct owner_evidence - what speaks for one reason or another
 * @capable: the caller has CAP_SYS_PTRACE in its own user namespace
 * @same_user: the process runs as the caller's user
 * @more_capable: it has capabilities that the caller lacks
 * @other_namespace: it is in another user namespace than the caller, or the caller is in one that
 *                   is not the system's first
 * @ptrace_scope: of Yama: 0 to 3; 0 also without Yama
 */
struct owner_evidence {
	bool capable, same_user, other_namespace, more_capable;
	int ptrace_scope;
};

enum owner_denial {
	OWNER_DENIED_TO_ALL, /* Yama lets none attach until the next boot */
	OWNER_DENIED_USER, /* it is another user's */
	OWNER_DENIED_CAPABILITIES, /* it has more of them than the caller */
	OWNER_DENIED_YAMA, /* Yama lets only CAP_SYS_PTRACE attach, or a parent */
	OWNER_DENIED_DUMPABLE, /* it has shut itself off: set-user-ID, capabilities, prctl() */
	OWNER_DENIED_NAMESPACE, /* the capability does not count there */
	OWNER_DENIED_MODULE, /* none of that: SELinux, AppArmor, seccomp */
};

/** owner_judge_denial() - pure. */
enum owner_denial owner_judge_denial(const struct owner_evidence *e);

/**
 * owner_denied() - say what is missing, and where to get it
 * @spec: what the user called the device
 * @doing: "looking into /proc/7/fd", "pidfd_getfd"
 * @code: what was refused with: -EACCES, -EPERM
 *
 * Return: @code (ERR_PERMISSION).
 */
int owner_denied(const struct host *host, const char *spec, pid_t pid, const char *doing, int code,
		 struct err *err);
