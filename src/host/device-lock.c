// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "host/device-lock.h"

/* What a guardian may take that has nothing difficult to do. */
#define GUARDIAN_WAIT_MS 5000
#define GUARDIAN_LOOK_MS 20

/* A folder that another user could write to would let that user keep devices locked. */
static int device_lock_open_folder(const char *path)
{
	_cleanup_fd_ int dir = -1;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return TAKE_FD(dir);
}

static pid_t device_lock_read(int fd)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static void device_lock_write(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	/* Only for the message of the next one. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
		log_debug("lock: its process was not noted");
}

static int device_lock_wait(struct cancel *cancel, struct err *err)
{
	if (cancel)
		return cancel_pause(cancel, GUARDIAN_LOOK_MS, err);
	(void)poll(NULL, 0, GUARDIAN_LOOK_MS);
	return 0;
}

static int device_lock_refuse(const char *name, pid_t pid, bool lives, struct err *err)
{
	if (lives)
		return err_fail(err, ERR_SYSTEM, -EBUSY,
				"%s: another vfiomigctl (pid %d) is about to change it", name,
				(int)pid);
	err_fail(err, ERR_SYSTEM, -EBUSY,
		 "%s: what a vfiomigctl that was killed (pid %d) left of it is being put right",
		 name, (int)pid);
	return err_hint(err, -EBUSY, "try again once vfiomig-guard has ended");
}

/* Return: 0; 1 when this process has it; -EBUSY. */
static int device_lock_get(int fd, const char *name, struct cancel *cancel, struct err *err)
{
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += GUARDIAN_LOOK_MS) {
		bool lives;
		pid_t pid;
		int r;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(err, -errno, "%s: flock", name);
		pid = device_lock_read(fd);
		if (pid == getpid())
			return 1;
		/* 0: it is about to note itself. */
		lives = pid && (kill(pid, 0) == 0 || errno == EPERM);
		if (lives || waited >= GUARDIAN_WAIT_MS)
			return device_lock_refuse(name, pid, lives, err);
		r = device_lock_wait(cancel, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int device_lock_take_in(const char *folder, const char *name, struct cancel *cancel, int *ret,
			struct err *err)
{
	_cleanup_fd_ int dir = device_lock_open_folder(folder), fd = -1;
	int r;

	*ret = -1;
	if (dir >= 0)
		fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		log_info("%s: no lock in %s: another vfiomigctl is not kept off", name, folder);
		return 0;
	}
	r = device_lock_get(fd, name, cancel, err);
	if (r)
		return r < 0 ? r : 0;
	device_lock_write(fd);
	*ret = TAKE_FD(fd);
	return 0;
}

int device_lock_take(const char *name, struct cancel *cancel, int *ret, struct err *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[PATH_MAX] = "/run/vfiomigctl";

	*ret = -1;
	if (geteuid() != 0 && !runtime) {
		log_info("%s: no XDG_RUNTIME_DIR: another vfiomigctl is not kept off", name);
		return 0;
	}
	if (geteuid() != 0)
		snprintf(folder, sizeof(folder), "%s/vfiomigctl", runtime);
	return device_lock_take_in(folder, name, cancel, ret, err);
}
