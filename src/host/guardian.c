// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "host/guardian.h"
#include "host/processes.h"

#define GUARDIAN_COMM "vfiomig-guard"

/* What it may take to end when all is well; it has nothing to do then. */
#define END_MS 5000

/* How often it is looked whether our first thread has ended while another one has not. */
#define LOOK_MS 1000

/* What a script gets from SIGTERM to SIGKILL, and is waited for after that. */
#define MERCY_MS 2000

/* What is told, as one write each: no part of one is lost. */
enum guardian_word {
	GUARDIAN_DONE,
	GUARDIAN_NOTE,
	GUARDIAN_MARK,
	GUARDIAN_FREEZING,
	GUARDIAN_THAWED,
	GUARDIAN_SCRIPT,
	GUARDIAN_SCRIPT_ENDED,
};

struct guardian_message {
	uint8_t word, note;
	uint16_t index;
	int32_t pid;
};

/**
 * struct guardian - our end
 * @fd: of the pipe that it reads
 */
struct guardian {
	pid_t pid;
	int pidfd;
	int fd;
};

/**
 * struct guard - the other end
 * @tool: the process that is guarded
 * @frozen: which freezers may have stopped their process
 * @script: the leader of a process group that is at work, 0 for none; @script_fd: its pidfd
 * @done: all is well
 */
struct guard {
	const struct guardian_options *options;
	pid_t tool;
	bool frozen[GUARDIAN_FREEZERS_MAX];
	uint8_t marks[GUARDIAN_MARKS_MAX];
	uint8_t note;
	pid_t script;
	int script_fd;
	bool done;
};

/*
 * The guardian itself
 */

static void guardian_thaw_all(struct guard *g)
{
	for (size_t i = 0; i < g->options->n_freezers; i++)
		if (g->frozen[i])
			freezer_thaw(&g->options->freezers[i]);
}

static void guardian_set_script(struct guard *g, pid_t group)
{
	if (g->script_fd >= 0)
		close(g->script_fd);
	g->script = group;
	g->script_fd = group ? pidfd_open(group, 0) : -1;
}

static bool guardian_script_ends(const struct guard *g, int patience_ms)
{
	struct pollfd p = { .fd = g->script_fd, .events = POLLIN };

	return poll(&p, 1, patience_ms) > 0;
}

/* What it did later would undo what is done from here on. One that has ended was not waited for. */
static void guardian_end_script(struct guard *g)
{
	if (g->script_fd < 0 || guardian_script_ends(g, 0))
		return;
	kill(-g->script, SIGTERM);
	(void)guardian_script_ends(g, MERCY_MS);
	kill(-g->script, SIGKILL);
	(void)guardian_script_ends(g, MERCY_MS);
	guardian_set_script(g, 0);
}

static void guardian_heed(struct guard *g, const struct guardian_message *m)
{
	switch ((enum guardian_word)m->word) {
	case GUARDIAN_DONE:
		g->done = true;
		break;
	case GUARDIAN_NOTE:
		g->note = m->note;
		break;
	case GUARDIAN_MARK:
		if (m->index < GUARDIAN_MARKS_MAX)
			g->marks[m->index] = m->note;
		break;
	case GUARDIAN_FREEZING:
	case GUARDIAN_THAWED:
		if (m->index < g->options->n_freezers)
			g->frozen[m->index] = m->word == GUARDIAN_FREEZING;
		break;
	case GUARDIAN_SCRIPT:
	case GUARDIAN_SCRIPT_ENDED:
		guardian_set_script(g, m->pid);
		break;
	}
}

int guardian_await(pid_t pid, int patience_ms)
{
	struct pollfd p = { .events = POLLIN };
	int status = 0, ready;

	p.fd = pidfd_open(pid, 0);
	if (p.fd < 0)
		return GUARDIAN_NOT_RECOVERED;
	ready = poll(&p, 1, patience_ms);
	close(p.fd);
	/* One that comes back later must not stop the device of an owner that runs by then. */
	if (ready <= 0)
		kill(pid, SIGKILL);
	if (ready <= 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return GUARDIAN_NOT_RECOVERED;
	return WEXITSTATUS(status);
}

static int guardian_recover(const struct guard *g)
{
	const struct guardian_options *o = g->options;
	pid_t pid = fork();

	if (!pid)
		_exit(o->recover(o->ctx, g->note, g->marks));
	return pid < 0 ? GUARDIAN_NOT_RECOVERED : guardian_await(pid, o->patience_ms);
}

/*
 * A process that was killed keeps its end of the pipe as long as a thread of it waits for a driver
 * or a file system. Its first thread is a zombie by then. A pidfd tells only of the last one.
 */
static bool guardian_tool_died(const struct guard *g)
{
	char path[32], state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)g->tool);
	state = process_state(AT_FDCWD, path);
	return state == 'Z' || state == 'X';
}

/* Heed what is told, until the tool has ended, and all that it had told before. */
static void guardian_listen(struct guard *g, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct guardian_message m;
	bool died = false;

	for (;;) {
		int ready = poll(&p, 1, died ? 0 : LOOK_MS);

		if (ready <= 0 && died)
			return;
		if (ready <= 0) {
			died = guardian_tool_died(g);
			continue;
		}
		if (read_full(fd, &m, sizeof(m)) != (ssize_t)sizeof(m))
			return;
		guardian_heed(g, &m);
	}
}

static void guardian_watch(struct guard *g, int fd)
{
	int recovered;

	guardian_listen(g, fd);
	if (g->done) {
		guardian_thaw_all(g);
		return;
	}
	guardian_end_script(g);
	recovered = guardian_recover(g);
	guardian_thaw_all(g);
	if (g->options->after)
		g->options->after(g->options->ctx, g->note, recovered);
}

static int guardian_compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* A pipe or a socket that it held would keep its reader waiting. */
static void guardian_close_others(const struct guardian_options *o, int fd)
{
	int keep[2 * GUARDIAN_FREEZERS_MAX + GUARDIAN_FDS_MAX + 1];
	size_t n = 0;
	int next = STDERR_FILENO + 1;

	keep[n++] = fd;
	for (size_t i = 0; i < o->n_fds; i++)
		keep[n++] = o->fds[i];
	for (size_t i = 0; i < o->n_freezers; i++) {
		keep[n++] = o->freezers[i].pidfd;
		keep[n++] = o->freezers[i].cgroup;
	}
	qsort(keep, n, sizeof(keep[0]), guardian_compare);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] > next)
			(void)close_range((unsigned int)next, (unsigned int)keep[i] - 1, 0);
		next = MAX(next, keep[i] + 1);
	}
	(void)close_range((unsigned int)next, UINT_MAX, 0);
}

/* A shell that waits for the end of our output must not wait for the guardian's. */
static void guardian_leave_streams(void)
{
	_cleanup_fd_ int null = open(_PATH_DEVNULL, O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
}

_Noreturn static void guardian_be(const struct guardian_options *o, pid_t tool, int fd)
{
	struct guard g = { .options = o, .tool = tool, .script_fd = -1 };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	log_setup(LOG_LEVEL_QUIET, GUARDIAN_COMM);
	prctl(PR_SET_NAME, GUARDIAN_COMM);
	setsid();
	guardian_leave_streams();
	guardian_close_others(o, fd);
	guardian_watch(&g, fd);
	_exit(0);
}

/*
 * Our end
 */

int guardian_start(const struct guardian_options *o, struct guardian **ret, struct err *err)
{
	_cleanup_free_ struct guardian *g = calloc(1, sizeof(*g));
	_cleanup_fd_ int theirs = -1;
	pid_t tool;
	int p[2];

	if (!g)
		return err_set(err, -ENOMEM, "calloc");
	if (o->n_freezers > GUARDIAN_FREEZERS_MAX || o->n_fds > GUARDIAN_FDS_MAX)
		return err_set(err, -E2BIG, "more devices than can be guarded");
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe");
	theirs = p[0];
	g->fd = p[1];
	tool = getpid();
	g->pid = fork();
	if (!g->pid)
		guardian_be(o, tool, theirs);
	if (g->pid < 0) {
		int r = err_set(err, -errno, "fork");

		close(g->fd);
		return r;
	}
	/* Without a pidfd it is waited for all the same, if for longer. */
	g->pidfd = pidfd_open(g->pid, 0);
	*ret = TAKE_PTR(g);
	return 0;
}

static int guardian_is_gone(const struct guardian *g, int r, struct err *err)
{
	return err_fail(err, ERR_ABORTED, r,
			"process %d, which was to bring things back if this one is killed, is gone",
			(int)g->pid);
}

static int guardian_tell(struct guardian *g, const struct guardian_message *m, struct err *err)
{
	int r = write_full(g->fd, m, sizeof(*m));

	return r < 0 ? guardian_is_gone(g, r, err) : 0;
}

/* A pipe without a reader has an error. */
int guardian_check(const struct guardian *g, struct err *err)
{
	struct pollfd p = { .fd = g->fd };

	return poll(&p, 1, 0) > 0 ? guardian_is_gone(g, -EPIPE, err) : 0;
}

int guardian_note(struct guardian *g, uint8_t note, struct err *err)
{
	const struct guardian_message m = { .word = GUARDIAN_NOTE, .note = note };

	return guardian_tell(g, &m, err);
}

int guardian_mark(struct guardian *g, size_t index, uint8_t mark, struct err *err)
{
	const struct guardian_message m = {
		.word = GUARDIAN_MARK,
		.note = mark,
		.index = (uint16_t)index,
	};

	return guardian_tell(g, &m, err);
}

int guardian_freezing(struct guardian *g, size_t index, struct err *err)
{
	const struct guardian_message m = { .word = GUARDIAN_FREEZING, .index = (uint16_t)index };

	return guardian_tell(g, &m, err);
}

void guardian_thawed(struct guardian *g, size_t index)
{
	const struct guardian_message m = { .word = GUARDIAN_THAWED, .index = (uint16_t)index };

	if (guardian_tell(g, &m, NULL) < 0)
		log_debug("guardian: gone");
}

int guardian_script(struct guardian *g, pid_t group, struct err *err)
{
	const struct guardian_message m = { .word = GUARDIAN_SCRIPT, .pid = group };

	return guardian_tell(g, &m, err);
}

void guardian_script_ended(struct guardian *g)
{
	const struct guardian_message m = { .word = GUARDIAN_SCRIPT_ENDED };

	if (guardian_tell(g, &m, NULL) < 0)
		log_debug("guardian: gone");
}

struct guardian *guardian_free(struct guardian *g)
{
	const struct guardian_message m = { .word = GUARDIAN_DONE };
	struct pollfd p = { .events = POLLIN };

	if (!g)
		return NULL;
	(void)guardian_tell(g, &m, NULL);
	close(g->fd);
	p.fd = g->pidfd;
	if (g->pidfd >= 0)
		(void)poll(&p, 1, END_MS);
	(void)waitpid(g->pid, NULL, g->pidfd >= 0 ? WNOHANG : 0);
	if (g->pidfd >= 0)
		close(g->pidfd);
	return mfree(g);
}
