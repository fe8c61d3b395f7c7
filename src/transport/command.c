// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "transport/command.h"

/* From SIGTERM to SIGKILL. */
#define MERCY_MS 2000

extern char **environ;

/* The pipe first: without standard input of our own, its end may have that very number. */
static int arrange(posix_spawn_file_actions_t *actions, enum command_end end, int theirs)
{
	int r;

	if (end == COMMAND_READS) {
		r = posix_spawn_file_actions_adddup2(actions, theirs, STDIN_FILENO);
		if (!r)
			r = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	} else {
		r = posix_spawn_file_actions_adddup2(actions, theirs, STDOUT_FILENO);
		if (!r)
			r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, _PATH_DEVNULL,
							     O_RDONLY, 0);
	}
	return r ? r : posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/* As if it was not us who started it: nothing blocked, and of what main() ignores nothing ignored. */
static int undo_signals(posix_spawnattr_t *attr)
{
	sigset_t none, ignored;
	int r;

	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(attr, &ignored);
	return r ? r
		 : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(pid_t *ret_pid, const char *text, enum command_end end, int theirs)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"--", (char *)text, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (!r) {
		r = arrange(&actions, end, theirs);
		if (!r)
			r = undo_signals(&attr);
		if (!r)
			r = posix_spawn(ret_pid, _PATH_BSHELL, &actions, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int command_start(struct command *c, const struct uri *uri, enum command_end end, struct err *err)
{
	_cleanup_fd_ int theirs = -1;
	int p[2], r;

	*c = COMMAND_NONE;
	c->name = uri->text;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, -errno, "%s: pipe", c->name);
	c->fd = end == COMMAND_READS ? p[1] : p[0];
	theirs = end == COMMAND_READS ? p[0] : p[1];
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, -errno, "%s: pipe", c->name);
	pipe_widen(c->fd);
	r = spawn(&c->pid, uri->command, end, theirs);
	if (r < 0)
		return err_set(err, r, "%s: cannot run %s", c->name, _PATH_BSHELL);
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd < 0)
		return err_set(err, -errno, "%s: pidfd_open", c->name);
	log_info("%s: runs as process %d", c->name, (int)c->pid);
	return 0;
}

/* It has ended, or is about to. Return: its wait status; no success where there is none. */
static int reap(struct command *c)
{
	int status = -1;

	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	c->pid = 0;
	if (c->pidfd >= 0)
		close(TAKE_FD(c->pidfd));
	return status;
}

static int judge(const struct command *c, int status, struct err *err)
{
	if (WIFSIGNALED(status))
		return err_fail(err, ERR_IO, -EIO, "%s: ended by signal %d (%s)", c->name,
				WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return err_fail(err, ERR_IO, -EIO, "%s: ended with status %d", c->name,
				WEXITSTATUS(status));
	return 0;
}

int command_wait(struct command *c, struct cancel *cancel, int timeout_ms, struct err *err)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	int r;

	assert(c->pid);
	r = cancel_wait(cancel, &p, 1, timeout_ms, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, -ETIMEDOUT, "%s: does not end", c->name);
	return judge(c, reap(c), err);
}

/* The signal comes first: the end of its input alone could pass for the end of the image. */
void command_stop(struct command *c)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	if (c->pid)
		kill(c->pid, SIGTERM);
	if (c->fd >= 0)
		close(TAKE_FD(c->fd));
	if (!c->pid)
		return;
	if (poll(&p, 1, MERCY_MS) <= 0)
		kill(c->pid, SIGKILL);
	reap(c);
}
