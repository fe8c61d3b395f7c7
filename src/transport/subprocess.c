// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/spawn.h"
#include "host/processes.h"
#include "transport/subprocess.h"

/* From SIGTERM to SIGKILL. */
#define MERCY_MS UINT64_C(2000)

/* How often to look which processes are left. */
#define LOOK_MS 20

extern char **environ;

/* The command's ends of its pipes, -1 for one that it does not have. */
struct subprocess_ends {
	int in, out;
};

static void subprocess_ends_done(struct subprocess_ends *ends)
{
	fd_closep(&ends->in);
	fd_closep(&ends->out);
}

/* A pipe has no number below 3: main() has seen to that. Return: as posix_spawn(). */
static int subprocess_arrange(posix_spawn_file_actions_t *actions,
			      const struct subprocess_ends *theirs)
{
	int r;

	if (theirs->in >= 0)
		r = posix_spawn_file_actions_adddup2(actions, theirs->in, STDIN_FILENO);
	else
		r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, _PATH_DEVNULL, O_RDONLY,
						     0);
	if (r)
		return r;
	r = posix_spawn_file_actions_adddup2(
		actions, theirs->out >= 0 ? theirs->out : STDERR_FILENO, STDOUT_FILENO);
	return r ? r : posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/* Return: 0 or a positive errno, as posix_spawn(). */
static int subprocess_spawn_with(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr,
				 pid_t *ret_pid, const char *text)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"--", (char *)text, NULL };
	int r = spawn_undo_signals(attr, 0);

	return r ? r : posix_spawn(ret_pid, _PATH_BSHELL, actions, attr, argv, environ);
}

static int subprocess_spawn(pid_t *ret_pid, const char *text, const struct subprocess_ends *theirs)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	r = posix_spawnattr_init(&attr);
	if (r)
		return -r;
	r = posix_spawn_file_actions_init(&actions);
	if (r) {
		posix_spawnattr_destroy(&attr);
		return -r;
	}
	r = subprocess_arrange(&actions, theirs);
	r = r ? r : subprocess_spawn_with(&actions, &attr, ret_pid, text);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

/* Return: 0, with our end in @ret_ours and the command's in @ret_theirs; negative errno. */
static int subprocess_pipe(bool writing, int *ret_ours, int *ret_theirs)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	*ret_ours = p[writing];
	*ret_theirs = p[!writing];
	pipe_widen(*ret_ours);
	return fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int subprocess_pipes(struct subprocess *c, enum subprocess_end end,
			    struct subprocess_ends *theirs)
{
	int r = 0;

	if (end != SUBPROCESS_WRITES)
		r = subprocess_pipe(true, &c->in, &theirs->in);
	if (r < 0 || end == SUBPROCESS_READS)
		return r;
	return subprocess_pipe(false, &c->out, &theirs->out);
}

int subprocess_start(struct subprocess *c, const struct uri *uri, enum subprocess_end end,
		     struct err *err)
{
	_cleanup_(subprocess_ends_done) struct subprocess_ends theirs = { -1, -1 };
	int r;

	*c = SUBPROCESS_NONE;
	c->name = uri->text;
	r = subprocess_pipes(c, end, &theirs);
	if (r < 0)
		return err_set(err, r, "%s: pipe", c->name);
	r = subprocess_spawn(&c->pid, uri->command, &theirs);
	if (r < 0)
		return err_set(err, r, "%s: cannot run %s", c->name, _PATH_BSHELL);
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd < 0)
		return err_set(err, -errno, "%s: pidfd_open", c->name);
	log_info("%s: runs as process %d", c->name, (int)c->pid);
	return 0;
}

static void subprocess_close(struct subprocess *c)
{
	if (c->in >= 0)
		close(TAKE_FD(c->in));
	if (c->out >= 0)
		close(TAKE_FD(c->out));
}

/* It was waited for. */
static void subprocess_forget(struct subprocess *c)
{
	c->pid = 0;
	if (c->pidfd >= 0)
		close(TAKE_FD(c->pidfd));
}

/* It has ended. Return: its wait status; no success where there is none. */
static int subprocess_reap(struct subprocess *c)
{
	int status = -1;

	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	subprocess_forget(c);
	return status;
}

static int subprocess_judge(const struct subprocess *c, int status, struct err *err)
{
	if (WIFSIGNALED(status))
		return err_fail(err, ERR_IO, -EIO, "%s: ended by signal %d (%s)", c->name,
				WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return err_fail(err, ERR_IO, -EIO, "%s: ended with status %d", c->name,
				WEXITSTATUS(status));
	return 0;
}

int subprocess_wait(struct subprocess *c, struct cancel *cancel, int timeout_ms, struct err *err)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	int r;

	assert(c->pid);
	r = cancel_wait(cancel, &p, 1, timeout_ms, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, -ETIMEDOUT, "%s: does not end", c->name);
	return subprocess_judge(c, subprocess_reap(c), err);
}

/* The command, what it has started, and orphans that became our children; all but @others. */
static void subprocess_find_family(const struct subprocess *c, const struct processes *others,
				   struct processes *ret)
{
	processes_below(&host_live, getpid(), others, ret);
	/* Without /proc at least the one that is known. */
	if (c->pid && !ret->n)
		ret->pids[ret->n++] = c->pid;
}

static void subprocess_signal_all(const struct processes *family, int signal)
{
	for (size_t i = 0; i < family->n; i++)
		kill(family->pids[i], signal);
}

/*
 * All of them at once: one that sees the end of its input because another one has ended first
 * could take it for the end of the image. No process ends while all are stopped, and a stopped
 * one starts none.
 */
static void subprocess_ask_family(const struct subprocess *c, const struct processes *others)
{
	struct processes family = { .n = 0 };
	size_t known;

	do {
		known = family.n;
		subprocess_find_family(c, others, &family);
		subprocess_signal_all(&family, SIGSTOP);
	} while (family.n > known);
	subprocess_signal_all(&family, SIGTERM);
	subprocess_signal_all(&family, SIGCONT);
}

/* Only what is a child of ours by now can be waited for; the others become that. */
static void subprocess_reap_family(struct subprocess *c, const struct processes *family)
{
	for (size_t i = 0; i < family->n; i++) {
		pid_t pid = family->pids[i];

		if (waitpid(pid, NULL, WNOHANG) == pid && pid == c->pid)
			subprocess_forget(c);
	}
}

/*
 * All of a pipeline, as if it had a process group to be ended by: that would keep ssh(1) from
 * asking the terminal for a password. Who loses its parent becomes our child, for as long as
 * this takes: so none escapes, and what went into the background before stays there (ssh's
 * ControlPersist).
 *
 * The signals come first: the end of its input alone could pass for the end of the image.
 */
static void subprocess_stop_family(struct subprocess *c, struct cancel *cancel)
{
	uint64_t until_ns = clock_ns() + MERCY_MS * NSEC_PER_MSEC, now_ns;
	const struct processes own = { { c->pid }, 1 };
	struct processes others, family;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	processes_below(&host_live, getpid(), &own, &others);
	subprocess_ask_family(c, &others);
	subprocess_close(c);
	for (;;) {
		struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

		subprocess_find_family(c, &others, &family);
		if (!family.n)
			break;
		now_ns = clock_ns();
		if (atomic_load(&cancel->hurried))
			until_ns = MIN(until_ns, now_ns);
		if (now_ns >= until_ns)
			subprocess_signal_all(&family, SIGKILL);
		if (now_ns >= until_ns + MERCY_MS * NSEC_PER_MSEC) {
			log_warn("%s: cannot be ended", c->name);
			break;
		}
		poll(&p, 1, LOOK_MS);
		subprocess_reap_family(c, &family);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

void subprocess_stop(struct subprocess *c, struct cancel *cancel)
{
	if (c->pid)
		subprocess_stop_family(c, cancel);
	subprocess_close(c);
}
