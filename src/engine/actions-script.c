// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/actions-actor.h"

/*
 * A program of the user's, run by its path. It gets a process group of its own, so that one that
 * hangs is ended with all that it has started, and no descriptor but its three: what it holds open
 * after its end keeps nothing waiting.
 */

#define PREFIX "VFIOMIG_"

/* From SIGTERM to SIGKILL. */
#define MERCY_MS 2000

#define ID_SIZE 16
#define LINE_MAX_SIZE 400

/* What the kernel keeps in a pipe, and how much of it is read at once. */
#define PIPE_SIZE 65536u
#define READ_SIZE 4096u

#define VARIABLES_MAX 16

extern char **environ;

struct actions_script {
	const struct actions_options *options;
	char *devices, *owners; /* one a line */
	bool has_id;
	uint8_t id[ID_SIZE];
	char run[48]; /* of this run alone, the guardian's part included */
	struct guardian *guardian; /* NULL in that itself */
};

/*
 * What it is told
 */

/** struct script_env - the environment; @own are freed */
struct script_env {
	char **v;
	size_t n;
	char *own[VARIABLES_MAX];
	size_t n_own;
	bool failed;
};

static void actions_script_env_done(struct script_env *env)
{
	for (size_t i = 0; i < env->n_own; i++)
		free(env->own[i]);
	free(env->v);
}

static void actions_script_set(struct script_env *env, const char *name, const char *value)
{
	char *text;

	if (!value || env->n_own == VARIABLES_MAX)
		return;
	if (asprintf(&text, PREFIX "%s=%s", name, value) < 0) {
		env->failed = true;
		return;
	}
	env->own[env->n_own++] = text;
	env->v[env->n++] = text;
}

/* Ours, but what another run of this program has put there. */
static int actions_script_inherit(struct script_env *env, struct err *err)
{
	size_t n = 0;

	while (environ[n])
		n++;
	env->v = calloc(n + VARIABLES_MAX + 1, sizeof(*env->v));
	if (!env->v)
		return err_set(err, -ENOMEM, "calloc");
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], PREFIX, strlen(PREFIX)) != 0)
			env->v[env->n++] = environ[i];
	return 0;
}

static int actions_script_env(const struct actions_script *s, enum action action,
			      const struct action_facts *facts, struct script_env *env,
			      struct err *err)
{
	char id[2 * ID_SIZE + 1] = "";
	int r;

	r = actions_script_inherit(env, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ID_SIZE; i++)
		snprintf(id + 2 * i, 3, "%02x", s->id[i]);
	actions_script_set(env, "ACTION", action_name(action));
	actions_script_set(env, "RUN", s->run);
	actions_script_set(env, "COMMAND", s->options->command);
	actions_script_set(env, "PHASE", phase_name(facts->phase));
	actions_script_set(env, "DEVICES", s->devices);
	actions_script_set(env, "OWNER_PID", *s->owners ? s->owners : NULL);
	actions_script_set(env, "FILE", s->options->file);
	actions_script_set(env, "IMAGE_ID", s->has_id ? id : NULL);
	if (action == ACTION_ABORT) {
		actions_script_set(env, "REASON", facts->failure ? facts->failure->text : NULL);
		actions_script_set(env, "RECOVERED", facts->recovered ? "yes" : "no");
	}
	return env->failed ? err_set(err, -ENOMEM, "asprintf") : 0;
}

/*
 * What it says
 */

/** struct script_output - one of its two streams, as far as a line of it has come */
struct script_output {
	const char *path;
	void (*log)(const char *fmt, ...);
	int fd; /* -1 at its end */
	char line[LINE_MAX_SIZE + 1];
	size_t len;
};

static void actions_script_flush(struct script_output *o)
{
	o->line[o->len] = '\0';
	if (o->len)
		o->log("%s: %s", o->path, o->line);
	o->len = 0;
}

/* One read, so that a writer without end holds nothing up. Return: there may be more. */
static bool actions_script_hear(struct script_output *o)
{
	char buf[READ_SIZE];
	ssize_t n;

	if (o->fd < 0)
		return false;
	n = read(o->fd, buf, sizeof(buf));
	if (n < 0)
		return false;
	if (!n)
		close(TAKE_FD(o->fd));
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n' || o->len == LINE_MAX_SIZE)
			actions_script_flush(o);
		if (buf[i] != '\n' && buf[i])
			o->line[o->len++] = buf[i];
	}
	return n;
}

/* What is in the pipe when the script has ended; processes that it leaves may go on writing. */
static void actions_script_hear_rest(struct script_output *o)
{
	for (size_t got = 0; got < PIPE_SIZE && actions_script_hear(o); got += READ_SIZE)
		continue;
	actions_script_flush(o);
}

/*
 * Running it
 */

/** struct script_run - @streams: standard output, told with -v only; standard error, which may be
 * about a failure or not: that is told beside it */
struct script_run {
	const char *path;
	pid_t pid;
	int pidfd;
	struct script_output streams[2];
};

#define SCRIPT_RUN_NONE(script)                                          \
	{                                                                \
		.path = (script), .pidfd = -1,                           \
		.streams = {                                             \
			{ .path = (script), .log = log_info, .fd = -1 }, \
			{ .path = (script), .log = log_note, .fd = -1 }, \
		},                                                       \
	}

static void actions_script_run_done(struct script_run *run)
{
	for (size_t i = 0; i < ARRAY_SIZE(run->streams); i++) {
		actions_script_hear_rest(&run->streams[i]);
		if (run->streams[i].fd >= 0)
			close(run->streams[i].fd);
	}
	if (run->pidfd >= 0)
		close(run->pidfd);
}

/*
 * A script must not begin before the guardian knows of it, nor at all if this process is killed
 * before: hence fork(), and a link over which it is told to go, and tells why it could not.
 */

/** struct script_start - of the process that becomes the script */
struct script_start {
	const char *path;
	int streams[2]; /* its output and error */
	int link;
	char *const *argv;
	char **env;
};

static int actions_script_arrange(const struct script_start *start)
{
	const struct sigaction fallback = { .sa_handler = SIG_DFL };
	int null = open(_PATH_DEVNULL, O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(start->streams[0], STDOUT_FILENO) < 0 ||
	    dup2(start->streams[1], STDERR_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0 ||
	    sigaction(SIGPIPE, &fallback, NULL) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -errno;
	return 0;
}

/* Of a process of several threads: only what is safe in a signal handler, too. */
_Noreturn static void actions_script_be(const struct script_start *start)
{
	char go;
	int r;

	setpgid(0, 0);
	if (read(start->link, &go, 1) != 1)
		_exit(EXIT_FAILURE);
	r = actions_script_arrange(start);
	if (!r) {
		execve(start->path, start->argv, start->env);
		r = -errno;
	}
	(void)!write(start->link, &r, sizeof(r));
	_exit(EXIT_FAILURE);
}

/* Return: 0 once it is executed; what it, or the link to it, failed with. */
static int actions_script_go(int link)
{
	int r = 0;

	if (send(link, "", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	return read_full(link, &r, sizeof(r)) < 0 ? -EIO : r;
}

/* Return: 0; what the guardian says, where this can be refused still. */
static int actions_script_tell(const struct actions_script *s, pid_t pid, enum action action,
			       struct err *err)
{
	struct err why = { 0 };
	int r;

	r = s->guardian ? guardian_script(s->guardian, pid, &why) : 0;
	if (r >= 0)
		return 0;
	log_debug("%s", why.text);
	if (!action_may_refuse(action))
		return 0;
	*err = why;
	return r;
}

static void actions_script_reap(const struct actions_script *s, pid_t pid, int *ret_status)
{
	if (s->guardian)
		guardian_script_ended(s->guardian);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		continue;
}

static int actions_script_release(const struct actions_script *s, struct script_run *run,
				  enum action action, int link, struct err *err)
{
	int r;

	run->pidfd = pidfd_open(run->pid, 0);
	if (run->pidfd < 0)
		return err_set(err, -errno, "%s: pidfd_open", run->path);
	r = actions_script_tell(s, run->pid, action, err);
	if (r < 0)
		return r;
	r = actions_script_go(link);
	return r < 0 ? err_set(err, r, "%s: cannot be run", run->path) : 0;
}

static int actions_script_fork(const struct actions_script *s, struct script_run *run,
			       struct script_start *start, enum action action, struct err *err)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	int link[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link) < 0)
		return err_set(err, -errno, "socketpair");
	ours = link[0];
	theirs = start->link = link[1];
	run->pid = fork();
	if (run->pid < 0)
		return err_set(err, -errno, "%s: fork", run->path);
	if (!run->pid) {
		close(ours);
		actions_script_be(start);
	}
	/* Whichever comes first. */
	(void)setpgid(run->pid, run->pid);
	close(TAKE_FD(theirs));
	r = actions_script_release(s, run, action, ours, err);
	if (r < 0) {
		kill(-run->pid, SIGKILL);
		actions_script_reap(s, run->pid, NULL);
	}
	return r;
}

static int actions_script_start(const struct actions_script *s, struct script_run *run,
				enum action action, char **env, struct err *err)
{
	char *const argv[] = { (char *)run->path, (char *)action_name(action), NULL };
	struct script_start start = { .path = run->path, .argv = argv, .env = env };
	_cleanup_fd_ int out = -1, error = -1;
	int p[2];

	for (size_t i = 0; i < ARRAY_SIZE(run->streams); i++) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return err_set(err, -errno, "pipe");
		run->streams[i].fd = p[0];
		start.streams[i] = *(i ? &error : &out) = p[1];
		if (fcntl(p[0], F_SETFL, O_NONBLOCK) < 0)
			return err_set(err, -errno, "pipe");
	}
	return actions_script_fork(s, run, &start, action, err);
}

/* Why a wait ended. */
enum script_wait {
	SCRIPT_ENDED,
	SCRIPT_TIMED_OUT,
	SCRIPT_CANCELLED
};

/* @stop: a descriptor that ends the wait, or -1. */
static enum script_wait actions_script_await(struct script_run *run, int stop, int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = run->pidfd, .events = POLLIN },
			{ .fd = stop, .events = POLLIN },
			{ .fd = run->streams[0].fd, .events = POLLIN },
			{ .fd = run->streams[1].fd, .events = POLLIN },
		};

		(void)poll(p, ARRAY_SIZE(p), clock_ms_until(end));
		for (size_t i = 0; i < ARRAY_SIZE(run->streams); i++)
			(void)actions_script_hear(&run->streams[i]);
		if (p[0].revents)
			return SCRIPT_ENDED;
		if (p[1].revents)
			return SCRIPT_CANCELLED;
		if (clock_ns() >= end)
			return SCRIPT_TIMED_OUT;
	}
}

/* All of its group. It was not waited for, so its number is still its own. */
static void actions_script_stop(struct script_run *run)
{
	kill(-run->pid, SIGTERM);
	if (actions_script_await(run, -1, MERCY_MS) != SCRIPT_ENDED)
		log_info("%s: does not end by SIGTERM", run->path);
	kill(-run->pid, SIGKILL);
}

static int actions_script_judge(const struct script_run *run, enum action action, int status,
				struct err *err)
{
	const char *name = action_name(action);

	if (WIFSIGNALED(status))
		return err_fail(err, ERR_ABORTED, -EIO, "%s: %s: ended by signal %d (%s)",
				run->path, name, WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return err_fail(err, ERR_ABORTED, -EIO, "%s: %s: ended with status %d", run->path,
				name, WEXITSTATUS(status));
	return 0;
}

/* What may be refused ends by the first request, the rest by a second one. */
static int actions_script_stop_fd(enum action action, const struct cancel *cancel)
{
	if (!cancel)
		return -1;
	return action_may_refuse(action) && !atomic_load(&cancel->closed) ? cancel->fd
									  : cancel->hurry_fd;
}

static int actions_script_wait(struct script_run *run, const struct actions_script *s,
			       enum action action, struct cancel *cancel, struct err *err)
{
	int timeout_ms = s->options->timeout_ms, status = 0;
	enum script_wait why;

	why = actions_script_await(run, actions_script_stop_fd(action, cancel), timeout_ms);
	if (why != SCRIPT_ENDED)
		actions_script_stop(run);
	actions_script_reap(s, run->pid, &status);
	if (why == SCRIPT_TIMED_OUT)
		return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
				"%s: %s: did not end within %d ms (--action-timeout)", run->path,
				action_name(action), timeout_ms);
	if (why == SCRIPT_CANCELLED)
		return err_fail(err, ERR_ABORTED, -ECANCELED, "%s: %s: interrupted", run->path,
				action_name(action));
	return actions_script_judge(run, action, status, err);
}

static int actions_script_run(const struct actions_script *s, enum action action,
			      const struct action_facts *facts, struct script_env *env,
			      struct err *err)
{
	struct script_run run = SCRIPT_RUN_NONE(s->options->script);
	int r;

	r = actions_script_env(s, action, facts, env, err);
	if (r < 0)
		return r;
	r = actions_script_start(s, &run, action, env->v, err);
	r = r < 0 ? r : actions_script_wait(&run, s, action, facts->cancel, err);
	actions_script_run_done(&run);
	return r;
}

static int actions_script_act(void *ctx, enum action action, const struct action_facts *facts,
			      struct err *err)
{
	struct script_env env = { 0 };
	int r;

	r = actions_script_run(ctx, action, facts, &env, err);
	actions_script_env_done(&env);
	return r < 0 ? err_classify(err, ERR_ABORTED, r) : r;
}

/*
 * Its context
 */

static void actions_script_free(void *ctx)
{
	struct actions_script *s = ctx;

	free(s->devices);
	free(s->owners);
	free(s);
}

static int actions_script_list(struct actions_script *s, const struct member *members,
			       unsigned int n, struct err *err)
{
	_cleanup_file_ FILE *devices = NULL, *owners = NULL;
	size_t devices_size, owners_size;

	devices = open_memstream(&s->devices, &devices_size);
	owners = open_memstream(&s->owners, &owners_size);
	if (!devices || !owners)
		return err_set(err, -ENOMEM, "open_memstream");
	for (unsigned int i = 0; i < n; i++) {
		pid_t pid = s->options->owner ? s->options->owner(members[i].dev) : 0;

		fprintf(devices, "%s%s", i ? "\n" : "", members[i].dev->spec);
		if (pid)
			fprintf(owners, "%s%d", ftello(owners) ? "\n" : "", (int)pid);
	}
	return 0;
}

int actions_script_new(const struct actions_options *o, const struct member *members,
		       unsigned int n, struct actions_script **ret, struct err *err)
{
	struct actions_script *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "calloc");
	s->options = o;
	snprintf(s->run, sizeof(s->run), "%d-%llu", (int)getpid(), (unsigned long long)clock_ns());
	r = actions_script_list(s, members, n, err);
	if (r < 0) {
		actions_script_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void actions_script_image(struct actions_script *s, const uint8_t *id)
{
	memcpy(s->id, id, ID_SIZE);
	s->has_id = true;
}

void actions_script_guard(struct actions_script *s, struct guardian *guardian)
{
	s->guardian = guardian;
}

int actions_script_check(const char *path, struct err *err)
{
	struct stat st;
	int r;

	if (stat(path, &st) >= 0 && !S_ISREG(st.st_mode))
		return err_fail(err, ERR_PERMISSION, -EACCES,
				"--action-script=%s: %s, not a program", path,
				S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
	if (access(path, X_OK) >= 0)
		return 0;
	r = -errno;
	err_fail(err, r == -EACCES ? ERR_PERMISSION : ERR_MISSING, r, "--action-script=%s", path);
	return r == -EACCES ? err_hint(err, r, "chmod +x %s", path) : r;
}

const struct actor_ops actions_script_ops = {
	.actor = ACTION_BY_SCRIPT,
	.act = actions_script_act,
	.free = actions_script_free,
};
