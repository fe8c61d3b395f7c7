// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <paths.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/console.h"
#include "base/inherited-fds.h"
#include "base/io.h"
#include "base/log.h"
#include "base/trace.h"
#include "cmd/detach.h"

/* As long as its reader is waited for. */
#define TRACE_WAIT_MS 5000

/*
 * Lines that wait for a reader are the parent's to write. Descriptor of --status-fd: closed, so
 * that its reader sees the end when the parent ends.
 */
static int cmd_detach_streams(struct invocation *inv, struct err *err)
{
	_cleanup_fd_ int null = open(_PATH_DEVNULL, O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_set(err, -errno, "%s", _PATH_DEVNULL);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return err_set(err, -errno, "%s", _PATH_DEVNULL);
	lines_done(console_lines());
	if (!cmd_status(inv))
		return 0;
	lines_done(&inv->status);
	if (inv->status_fd > STDERR_FILENO)
		close(inv->status_fd);
	inv->status_fd = -1;
	return 0;
}

static int cmd_detach_become(struct invocation *inv, struct pid_file *file, struct err *err)
{
	int r;

	if (setsid() < 0)
		return err_set(err, -errno, "setsid");
	if (chdir("/") < 0)
		return err_set(err, -errno, "chdir");
	r = cmd_detach_streams(inv, err);
	if (r < 0)
		return r;
	inherited_fds_close();
	trace_go_on();
	return file ? pid_file_publish(file, getpid(), err) : 0;
}

/* Never returns where it fails: the parent still has all, and says why. */
static int cmd_detach_child(struct invocation *inv, struct pid_file *file, int to_parent)
{
	struct err err = { 0 };
	int r;

	r = cmd_detach_become(inv, file, &err);
	/* Without a parent that hears it, it goes on all the same. */
	if (write_full(to_parent, &err, sizeof(err)) < 0)
		log_debug("the parent is gone");
	close(to_parent);
	if (r < 0)
		_exit(err_status(&err));
	inv->show = NULL;
	inv->verbosity = -1;
	return CMD_DETACH_CHILD;
}

static int cmd_detach_parent(pid_t pid, int from_child, struct err *err)
{
	struct err said;
	ssize_t n = read_full(from_child, &said, sizeof(said));

	if (n == sizeof(said) && said.code >= 0)
		return CMD_DETACH_PARENT;
	waitpid(pid, NULL, 0);
	if (n != sizeof(said))
		return err_set(err, -ECHILD, "the process in the background has ended");
	*err = said;
	return said.code;
}

int cmd_detach(struct invocation *inv, struct pid_file *file, pid_t *ret_pid, struct err *err)
{
	_cleanup_fd_ int from = -1, to = -1;
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe");
	from = p[0];
	to = p[1];
	fflush(NULL);
	trace_finish(TRACE_WAIT_MS);
	pid = fork();
	if (pid)
		trace_go_on();
	if (pid < 0)
		return err_set(err, -errno, "fork");
	if (pid == 0) {
		close(TAKE_FD(from));
		return cmd_detach_child(inv, file, TAKE_FD(to));
	}
	close(TAKE_FD(to));
	*ret_pid = pid;
	return cmd_detach_parent(pid, from, err);
}
