// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd-name.h"
#include "base/io.h"
#include "base/listen-fds.h"
#include "base/units.h"

/* What sd_listen_fds_with_names(3) calls a descriptor that has no name. */
#define NO_NAME "unknown"

static struct {
	struct listen_fds fds;
	struct err err;
	bool for_another; /* LISTEN_PID is another process */
} taken;

void listen_fds_done(struct listen_fds *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	*l = (struct listen_fds){ 0 };
}

static int listen_fds_bad_names(const char *why, unsigned int n, const char *names, struct err *err)
{
	return err_fail(err, ERR_CONFIG, -EINVAL, "LISTEN_FDNAMES=%s: %s (LISTEN_FDS=%u)", names,
			why, n);
}

/* One name of those in @at, up to the next ':' or the end. */
static int listen_fds_add(struct listen_fds *l, const char *at, size_t len)
{
	char *name = strndup(at, len);

	if (!name)
		return -ENOMEM;
	l->names[l->n++] = name;
	return fd_name_valid(name) ? 0 : -EINVAL;
}

/* Names for each of @n, no more and no less. */
static int listen_fds_split(struct listen_fds *l, unsigned int n, const char *names,
			    struct err *err)
{
	const char *at = names;

	for (unsigned int i = 0; i < n; i++) {
		size_t len;
		int r;

		if (!at)
			return listen_fds_bad_names("too few names", n, names, err);
		len = strcspn(at, ":");
		r = listen_fds_add(l, at, len);
		if (r == -EINVAL)
			return listen_fds_bad_names("not a name", n, names, err);
		if (r < 0)
			return err_set(err, r, "LISTEN_FDNAMES");
		at = at[len] ? at + len + 1 : NULL;
	}
	return at ? listen_fds_bad_names("too many names", n, names, err) : 0;
}

static int listen_fds_make(const struct listen_fds_env *env, unsigned int n, struct listen_fds *l,
			   struct err *err)
{
	l->names = calloc(n ? n : 1, sizeof(*l->names));
	if (!l->names)
		return err_set(err, -ENOMEM, "LISTEN_FDS");
	if (env->names && n)
		return listen_fds_split(l, n, env->names, err);
	for (unsigned int i = 0; i < n; i++)
		if (listen_fds_add(l, NO_NAME, strlen(NO_NAME)) < 0)
			return err_set(err, -ENOMEM, "LISTEN_FDS");
	return 0;
}

int listen_fds_parse(const struct listen_fds_env *env, pid_t self, struct listen_fds *ret,
		     struct err *err)
{
	uint64_t pid, n;
	int r;

	*ret = (struct listen_fds){ 0 };
	if (!env->pid || !env->fds)
		return 0;
	if (parse_uint(env->pid, 10, INT32_MAX, &pid) < 0 || !pid)
		return err_fail(err, ERR_CONFIG, -EINVAL, "LISTEN_PID=%s: not a process", env->pid);
	if ((pid_t)pid != self)
		return 0;
	if (parse_uint(env->fds, 10, LISTEN_FDS_MAX, &n) < 0)
		return err_fail(err, ERR_CONFIG, -EINVAL, "LISTEN_FDS=%s: not a number up to %u",
				env->fds, LISTEN_FDS_MAX);
	r = listen_fds_make(env, (unsigned int)n, ret, err);
	if (r < 0)
		listen_fds_done(ret);
	return r;
}

static int listen_fds_close_on_exec(const struct listen_fds *l, struct err *err)
{
	for (unsigned int i = 0; i < l->n; i++) {
		int fd = LISTEN_FDS_START + (int)i, r = fd_cloexec(fd);

		if (r < 0)
			return err_fail(err, ERR_CONFIG, r, "LISTEN_FDS=%u: descriptor %d", l->n,
					fd);
	}
	return 0;
}

static void listen_fds_clear_env(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

void listen_fds_take(void)
{
	const struct listen_fds_env env = {
		.pid = getenv("LISTEN_PID"),
		.fds = getenv("LISTEN_FDS"),
		.names = getenv("LISTEN_FDNAMES"),
	};
	uint64_t pid = 0;
	int r;

	listen_fds_done(&taken.fds);
	r = listen_fds_parse(&env, getpid(), &taken.fds, &taken.err);
	taken.for_another = r >= 0 && env.pid && env.fds &&
			    (!scan_uint(env.pid, 10, INT_MAX, &pid) || (pid_t)pid != getpid());
	if (r >= 0 && listen_fds_close_on_exec(&taken.fds, &taken.err) < 0)
		listen_fds_done(&taken.fds);
	listen_fds_clear_env();
}

int listen_fds(const struct listen_fds **ret, struct err *err)
{
	if (taken.err.code < 0) {
		if (err)
			*err = taken.err;
		return taken.err.code;
	}
	*ret = &taken.fds;
	return 0;
}

const char *listen_fds_why_none(void)
{
	if (taken.for_another)
		return "no name that was passed to this process: LISTEN_PID names another one, "
		       "which has to exec this (as a shell does with exec), or give a number: fd:N";
	return "not a file descriptor's number, and no name that was passed to this process";
}

static int listen_fds_several(const struct listen_fds *l, const char *name, struct err *err)
{
	char numbers[128] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < l->n && len < sizeof(numbers) - 16; i++)
		if (!strcmp(l->names[i], name))
			len += (size_t)snprintf(numbers + len, sizeof(numbers) - len, "%sfd:%u",
						len ? ", " : "", LISTEN_FDS_START + i);
	return err_fail(err, ERR_USAGE, -EINVAL, "fd:%s: several have this name: %s", name,
			numbers);
}

static int listen_fds_none(const struct listen_fds *l, const char *name, struct err *err)
{
	char names[256] = "";
	size_t len = 0;

	if (!l->n)
		return err_fail(err, ERR_USAGE, -ENOENT, "fd:%s: %s", name, listen_fds_why_none());
	for (unsigned int i = 0; i < l->n && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
					l->names[i]);
	return err_fail(err, ERR_MISSING, -ENOENT,
			"fd:%s: no descriptor has this name; there are: %s", name, names);
}

int listen_fds_find(const char *name, int *ret, struct err *err)
{
	const struct listen_fds *l = NULL;
	unsigned int found = 0;
	int r, fd = -1;

	r = listen_fds(&l, err);
	if (r < 0)
		return err_prefix(err, r, "fd:%s", name);
	for (unsigned int i = 0; i < l->n; i++) {
		if (strcmp(l->names[i], name) != 0)
			continue;
		fd = LISTEN_FDS_START + (int)i;
		found++;
	}
	if (!found)
		return listen_fds_none(l, name, err);
	if (found > 1)
		return listen_fds_several(l, name, err);
	*ret = fd;
	return 0;
}

static int listen_fds_set_env(const char *const *names, unsigned int n)
{
	_cleanup_free_ char *all = calloc(n, FD_NAME_MAX + 1);
	char number[16];
	size_t len = 0;

	if (!all)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		len += (size_t)sprintf(all + len, "%s%.*s", i ? ":" : "", (int)FD_NAME_MAX,
				       names[i]);
	if (setenv("LISTEN_FDNAMES", all, 1) < 0)
		return -errno;
	snprintf(number, sizeof(number), "%u", n);
	if (setenv("LISTEN_FDS", number, 1) < 0)
		return -errno;
	snprintf(number, sizeof(number), "%d", (int)getpid());
	return setenv("LISTEN_PID", number, 1) < 0 ? -errno : 0;
}

/* Copies of @fds, and of what has the numbers that they are to get, out of the way of both. */
static int listen_fds_copy(const int *fds, int *copies, struct listen_fds_given *given)
{
	int first = LISTEN_FDS_START + (int)given->n;

	for (unsigned int i = 0; i < given->n; i++) {
		int fd = LISTEN_FDS_START + (int)i;

		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, first);
		if (copies[i] < 0)
			return -errno;
		given->flags[i] = fcntl(fd, F_GETFD);
		if (given->flags[i] < 0)
			continue;
		given->saved[i] = fcntl(fd, F_DUPFD_CLOEXEC, first);
		if (given->saved[i] < 0)
			return -errno;
	}
	return 0;
}

static void listen_fds_drop(int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* Nothing fails any more: the numbers are below those of the copies, and so below the limit. */
static int listen_fds_place(const int *copies, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (dup2(copies[i], LISTEN_FDS_START + (int)i) < 0)
			return -errno;
	return 0;
}

int listen_fds_give(const int *fds, const char *const *names, unsigned int n,
		    struct listen_fds_given *ret, struct err *err)
{
	int copies[LISTEN_FDS_MAX];
	int r;

	ret->n = 0;
	if (n > LISTEN_FDS_MAX)
		return err_set(err, -E2BIG, "%u descriptors to pass on, and not more than %u", n,
			       LISTEN_FDS_MAX);
	listen_fds_clear_env();
	if (!n)
		return 0;
	ret->n = n;
	memset(ret->saved, -1, n * sizeof(int));
	memset(copies, -1, n * sizeof(int));
	r = listen_fds_set_env(names, n);
	r = r < 0 ? r : listen_fds_copy(fds, copies, ret);
	if (r < 0)
		listen_fds_drop(ret->saved, n);
	r = r < 0 ? r : listen_fds_place(copies, n);
	listen_fds_drop(copies, n);
	if (r >= 0)
		return 0;
	ret->n = 0;
	listen_fds_clear_env();
	return err_set(err, r, "%u descriptors to pass on", n);
}

void listen_fds_take_back(struct listen_fds_given *given)
{
	for (unsigned int i = 0; i < given->n; i++) {
		int fd = LISTEN_FDS_START + (int)i;

		if (given->saved[i] < 0)
			close(fd);
		else
			dup3(given->saved[i], fd, given->flags[i] & FD_CLOEXEC ? O_CLOEXEC : 0);
	}
	listen_fds_drop(given->saved, given->n);
	given->n = 0;
	listen_fds_clear_env();
}
