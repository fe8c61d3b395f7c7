// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/macros.h"
#include "host/cgroup.h"
#include "host/freezer.h"
#include "host/processes.h"

/* How often the threads of a process that is to stop are looked at. */
#define LOOK_MS 2

static int freezer_tell(const struct freezer *f, int signal)
{
	return pidfd_send_signal(f->pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

static int freezer_refuse(int r, pid_t pid, struct err *err)
{
	if (r != -EPERM)
		return err_fail(err, ERR_MISSING, r, "process %d", (int)pid);
	err_fail(err, ERR_PERMISSION, r, "process %d: may not be stopped", (int)pid);
	return err_hint(err, r, "run this as the user of that process, or with CAP_KILL");
}

/* A number that was read while its process had not ended was that process's. */
static int freezer_open_cgroup(struct freezer *f, struct err *err)
{
	int r;

	f->cgroup = cgroup_open_own(f->host, f->pid);
	r = freezer_tell(f, 0);
	return r < 0 ? freezer_refuse(r, f->pid, err) : 0;
}

int freezer_open(struct freezer *f, const struct host *host, pid_t pid, int pidfd, struct err *err)
{
	int r;

	*f = FREEZER_NONE;
	f->host = host;
	f->pid = pid;
	if (pid == getpid())
		return err_fail(err, ERR_USAGE, -EINVAL,
				"process %d is this one: it cannot stop itself", (int)pid);
	f->pidfd = pidfd < 0 ? pidfd_open(pid, 0) : fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	if (f->pidfd < 0)
		return freezer_refuse(-errno, pid, err);
	r = freezer_tell(f, 0);
	if (r < 0)
		return freezer_refuse(r, pid, err);
	return freezer_open_cgroup(f, err);
}

void freezer_close(struct freezer *f)
{
	if (f->pidfd >= 0)
		close(f->pidfd);
	if (f->cgroup >= 0)
		close(f->cgroup);
	*f = FREEZER_NONE;
}

/*
 * Whether it is stopped
 */

static char freezer_thread_state(int task, const char *tid)
{
	char path[32];

	snprintf(path, sizeof(path), "%.16s/stat", tid);
	return process_state(task, path);
}

/* Stopped by a signal or a debugger; or on its way out, and never to run again. */
static bool freezer_state_rests(char state)
{
	return state == 0 || strchr("TtZX", state);
}

/* A process of which nothing can be seen does not count as stopped. */
static bool freezer_threads_rest(const struct freezer *f)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	bool rest = true, seen = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%d/task", f->host->proc, (int)f->pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (rest && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		seen = true;
		rest = freezer_state_rests(freezer_thread_state(dirfd(dir), entry->d_name));
	}
	closedir(dir);
	return seen && rest;
}

static bool freezer_is_frozen(const struct freezer *f, const char *file)
{
	_cleanup_free_ char *text = NULL;
	unsigned long frozen = 0;

	if (!strcmp(file, "cgroup.freeze"))
		return read_text(f->cgroup, file, &text) >= 0 && !strcmp(text, "1");
	return cgroup_read_flag(f->cgroup, file, "frozen", &frozen) >= 0 && frozen;
}

bool freezer_runs(const struct freezer *f)
{
	return f->cgroup >= 0 ? !freezer_is_frozen(f, "cgroup.freeze") : !freezer_threads_rest(f);
}

/*
 * Stopping it, and letting it go on
 */

static int freezer_write(const struct freezer *f, const char *text)
{
	_cleanup_fd_ int fd = openat(f->cgroup, "cgroup.freeze", O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : write_full(fd, text, strlen(text));
}

static int freezer_begin(const struct freezer *f)
{
	return f->cgroup >= 0 ? freezer_write(f, "1") : freezer_tell(f, SIGSTOP);
}

static bool freezer_rests(const struct freezer *f)
{
	return f->cgroup >= 0 ? freezer_is_frozen(f, "cgroup.events") : freezer_threads_rest(f);
}

/* The kernel tells no user space when the last thread has stopped by a signal. */
static int freezer_await(const struct freezer *f, struct cancel *cancel, struct err *err)
{
	uint64_t until_ns = clock_ns() + FREEZER_STOP_MS * NSEC_PER_MSEC;

	for (;;) {
		struct pollfd p = { .fd = f->pidfd, .events = POLLIN };
		int r;

		if (freezer_rests(f))
			return 0;
		if (clock_ns() >= until_ns)
			return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
					"process %d: does not stop within %d s", (int)f->pid,
					FREEZER_STOP_MS / 1000);
		r = cancel_wait(cancel, &p, 1, LOOK_MS, err);
		if (r < 0)
			return r;
		if (r)
			return err_fail(err, ERR_ABORTED, -ESRCH, "process %d has ended",
					(int)f->pid);
	}
}

int freezer_freeze(const struct freezer *f, struct cancel *cancel, struct err *err)
{
	int r;

	r = freezer_begin(f);
	if (r < 0)
		err_fail(err, ERR_ABORTED, r, "process %d: cannot be stopped", (int)f->pid);
	else
		r = freezer_await(f, cancel, err);
	if (r < 0)
		freezer_thaw(f);
	return r;
}

/* What cannot be told to go on has ended, or its cgroup with it. */
void freezer_thaw(const struct freezer *f)
{
	if (f->cgroup >= 0)
		(void)freezer_write(f, "0");
	else
		(void)freezer_tell(f, SIGCONT);
}
