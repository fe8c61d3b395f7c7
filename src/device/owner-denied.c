// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/units.h"
#include "device/owner-denied.h"
#include "host/sysfs.h"

#define CAP_SYS_PTRACE_BIT 19

enum owner_denial owner_judge_denial(const struct owner_evidence *e)
{
	if (e->ptrace_scope >= 3)
		return OWNER_DENIED_TO_ALL;
	if (e->capable)
		return e->other_namespace ? OWNER_DENIED_NAMESPACE : OWNER_DENIED_MODULE;
	if (!e->same_user)
		return OWNER_DENIED_USER;
	if (e->more_capable)
		return OWNER_DENIED_CAPABILITIES;
	return e->ptrace_scope ? OWNER_DENIED_YAMA : OWNER_DENIED_DUMPABLE;
}

/* Return: what follows @key at the start of a line of /proc/WHO/NAME, the caller's; or NULL. */
static char *owner_denied_line(const struct host *host, const char *who, const char *key)
{
	_cleanup_free_ char *path = path_fmt("%s/%s/status", host->proc, who);
	_cleanup_free_ char *text = NULL;
	char *line;

	if (!path || read_text(AT_FDCWD, path, &text) < 0)
		return NULL;
	line = strstr(text, key);
	return line ? strdup(line + strlen(key)) : NULL;
}

/* Return: the capabilities that WHO has, by a key such as "\nCapEff:". */
static unsigned long long owner_denied_caps(const struct host *host, const char *who,
					    const char *key)
{
	_cleanup_free_ char *caps = owner_denied_line(host, who, key);

	return caps ? strtoull(caps, NULL, 16) : 0;
}

static bool owner_denied_capable(const struct host *host)
{
	return owner_denied_caps(host, "self", "\nCapEff:") >> CAP_SYS_PTRACE_BIT & 1;
}

/* Those that are permitted count, of both: security/commoncap.c of Linux. */
static bool owner_denied_more_capable(const struct host *host, const char *who)
{
	static const char permitted[] = "\nCapPrm:";

	return owner_denied_caps(host, who, permitted) &
	       ~owner_denied_caps(host, "self", permitted);
}

static int owner_denied_scope(const struct host *host)
{
	_cleanup_free_ char *path = path_fmt("%s/sys/kernel/yama/ptrace_scope", host->proc);
	_cleanup_free_ char *text = NULL;
	uint64_t scope = 0;

	if (path && read_text(AT_FDCWD, path, &text) >= 0)
		(void)scan_uint(text, 10, INT_MAX, &scope);
	return (int)scope;
}

/* In all four places: real, effective, saved and of the file system. */
static bool owner_denied_same_user(const struct host *host, const char *who, unsigned int *ret)
{
	_cleanup_free_ char *line = owner_denied_line(host, who, "\nUid:");
	const char *at = line;
	uint64_t uid[3];

	for (int i = 0; i < 3; i++)
		at = scan_uint(at, 10, UINT32_MAX, &uid[i]);
	if (!at)
		return false;
	*ret = (unsigned int)uid[0];
	return uid[0] == geteuid() && uid[1] == uid[0] && uid[2] == uid[0];
}

static bool owner_denied_first_namespace(const struct host *host)
{
	_cleanup_free_ char *path = path_fmt("%s/self/uid_map", host->proc);
	uint64_t first, lower, count;
	_cleanup_free_ char *map = NULL;
	const char *at;

	/* The first one maps every id to itself; a kernel without user namespaces has no map. */
	if (!path || read_text(AT_FDCWD, path, &map) < 0)
		return true;
	at = scan_uint(map, 10, UINT32_MAX, &first);
	at = scan_uint(at, 10, UINT32_MAX, &lower);
	at = scan_uint(at, 10, UINT32_MAX, &count);
	return at && !first && !lower && count == UINT32_MAX;
}

static bool owner_denied_namespace(const struct host *host, const char *who)
{
	_cleanup_free_ char *ours = path_fmt("%s/self/ns", host->proc);
	_cleanup_free_ char *theirs = path_fmt("%s/%s/ns", host->proc, who);
	_cleanup_free_ char *one = NULL, *other = NULL;

	if (!owner_denied_first_namespace(host))
		return true;
	return ours && theirs && sysfs_link_name(ours, "user", &one) == 0 &&
	       sysfs_link_name(theirs, "user", &other) == 0 && strcmp(one, other) != 0;
}

static void owner_denied_hint(enum owner_denial why, unsigned int uid, int code, struct err *err)
{
	switch (why) {
	case OWNER_DENIED_TO_ALL:
		err_hint(err, code,
			 "kernel.yama.ptrace_scope is 3: no process may, until a boot without it");
		return;
	case OWNER_DENIED_USER:
		err_hint(
			err, code,
			"it is a process of user %u: run as root (CAP_SYS_PTRACE), or as that user",
			uid);
		return;
	case OWNER_DENIED_CAPABILITIES:
		err_hint(err, code,
			 "CAP_SYS_PTRACE is missing: the process has capabilities that this one "
			 "lacks");
		return;
	case OWNER_DENIED_YAMA:
		err_hint(err, code,
			 "kernel.yama.ptrace_scope asks for CAP_SYS_PTRACE: run as root, or set it "
			 "to 0");
		return;
	case OWNER_DENIED_DUMPABLE:
		err_hint(err, code,
			 "the process is not dumpable (it has changed its user, say): run as root "
			 "(CAP_SYS_PTRACE)");
		return;
	case OWNER_DENIED_NAMESPACE:
		err_hint(err, code,
			 "CAP_SYS_PTRACE counts in its own user namespace only: run outside of the "
			 "container");
		return;
	case OWNER_DENIED_MODULE:
		err_hint(err, code,
			 "CAP_SYS_PTRACE is there: SELinux, AppArmor or seccomp forbids it");
		return;
	}
}

int owner_denied(const struct host *host, const char *spec, pid_t pid, const char *doing, int code,
		 struct err *err)
{
	struct owner_evidence e = { 0 };
	unsigned int uid = 0;
	char who[16];

	snprintf(who, sizeof(who), "%d", (int)pid);
	e.capable = owner_denied_capable(host);
	e.same_user = owner_denied_same_user(host, who, &uid);
	e.more_capable = owner_denied_more_capable(host, who);
	e.other_namespace = owner_denied_namespace(host, who);
	e.ptrace_scope = owner_denied_scope(host);
	err_fail(err, ERR_PERMISSION, code, "%s: %s", spec, doing);
	owner_denied_hint(owner_judge_denial(&e), uid, code, err);
	return code;
}
