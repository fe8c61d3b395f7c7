// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/printable.h"
#include "base/trace-text.h"
#include "base/trace.h"
#include "base/units.h"

/* Records that may wait: a burst of some 10 ms of the fastest calls. 0.4 MiB, while it is on. */
#define RING_SIZE 1024u
/* More descriptors than that have no name in the trace. */
#define NAMES_MAX 256

/* What is written at once, so that lines of several processes in a pipe are whole. */
#define PIECE_SIZE ((size_t)PIPE_BUF)

/* The writer's life: it ends by itself, when it is told to or after a failure. */
enum trace_phase {
	TRACE_OFF, /* there is none, and may be one again */
	TRACE_RUNS,
	TRACE_ENDS, /* writes what is left */
	TRACE_OVER, /* for good */
};

/**
 * struct trace - the process's
 * @lock: of all below but @fd, @to, @head, @whole, which are the writer's while it runs
 * @changed: a record came, or @phase changed
 * @writer, @has_writer: to be joined
 * @whole: bytes of complete lines that the file has
 * @own: a regular file that was emptied here
 * @first, @n: of @ring
 * @dropped: since the newest record in @ring
 */
struct trace {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum trace_phase phase;
	pthread_t writer;
	bool has_writer;
	int fd;
	const char *to;
	bool own;
	struct trace_head head;
	off_t whole;
	struct trace_record *ring;
	size_t first, n;
	uint64_t dropped;
	struct {
		int fd;
		char device[TRACE_DEVICE_MAX];
	} names[NAMES_MAX];
	size_t n_names;
};

atomic_bool trace_is_on;

static struct trace trace = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static uint64_t trace_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/*
 * The writer. The lock is not held while it writes.
 */

/* A line that was cut off by a full disk would be no line. */
static void trace_fail(int r)
{
	atomic_store(&trace_is_on, false);
	if (trace.own && ftruncate(trace.fd, trace.whole) < 0)
		log_debug("%s: ends in the middle of a line", trace.to);
	log_warn("--trace: %s: %s: the trace ends here", trace.to, err_name(r));
}

static int trace_write(const char *text, size_t len)
{
	int r = write_full(trace.fd, text, len);

	if (r < 0)
		return r;
	trace.whole += (off_t)len;
	return 0;
}

/* Return: 0; negative errno, after which nothing more may be written. */
static int trace_write_records(const struct trace_record *records, size_t n)
{
	char text[PIECE_SIZE + TRACE_LINE_MAX + TRACE_LINE_MAX];
	size_t len = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (records[i].dropped)
			len += trace_text_dropped(&trace.head, records[i].dropped, text + len);
		if (len + TRACE_LINE_MAX > PIECE_SIZE) {
			r = trace_write(text, len);
			if (r < 0)
				return r;
			len = 0;
		}
		len += trace_text_record(&trace.head, &records[i], text + len);
	}
	return trace_write(text, len);
}

/* Some of what waits. Return: how many, 0 at the end. */
static size_t trace_take(struct trace_record *records, size_t max)
{
	size_t n;

	pthread_mutex_lock(&trace.lock);
	while (!trace.n && trace.phase == TRACE_RUNS)
		pthread_cond_wait(&trace.changed, &trace.lock);
	n = MIN(trace.n, max);
	for (size_t i = 0; i < n; i++)
		records[i] = trace.ring[(trace.first + i) % RING_SIZE];
	trace.first = (trace.first + n) % RING_SIZE;
	trace.n -= n;
	pthread_mutex_unlock(&trace.lock);
	return n;
}

static int trace_tell_rest(void)
{
	char text[TRACE_LINE_MAX];
	uint64_t dropped;

	pthread_mutex_lock(&trace.lock);
	dropped = trace.dropped;
	trace.dropped = 0;
	pthread_mutex_unlock(&trace.lock);
	if (!dropped)
		return 0;
	return trace_write(text, trace_text_dropped(&trace.head, dropped, text));
}

static int trace_write_all(void)
{
	struct trace_record records[16];
	size_t n;

	while ((n = trace_take(records, ARRAY_SIZE(records)))) {
		int r = trace_write_records(records, n);

		if (r < 0)
			return r;
	}
	return trace_tell_rest();
}

static void *trace_work(void *arg)
{
	int r = trace_write_all();

	(void)arg;
	if (r < 0)
		trace_fail(r);
	pthread_mutex_lock(&trace.lock);
	trace.n = 0;
	trace.phase = r < 0 ? TRACE_OVER : TRACE_OFF;
	pthread_cond_broadcast(&trace.changed);
	pthread_mutex_unlock(&trace.lock);
	return NULL;
}

static int trace_start(void)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	trace.phase = TRACE_RUNS;
	r = pthread_create(&trace.writer, NULL, trace_work, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		trace.phase = TRACE_OFF;
		return -r;
	}
	trace.has_writer = true;
	atomic_store(&trace_is_on, true);
	return 0;
}

/*
 * fork(): a child of a process with a writer has none, and what waits is the parent's to write. Its
 * lock may be held by a thread that the child does not have.
 */

static int trace_prepare_sync(void)
{
	pthread_condattr_t attr;
	int r;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&trace.changed, &attr);
	pthread_condattr_destroy(&attr);
	return -r;
}

static void trace_in_child(void)
{
	if (!trace.has_writer)
		return;
	atomic_store(&trace_is_on, false);
	trace.has_writer = false;
	trace.phase = TRACE_OVER;
}

void trace_go_on(void)
{
	int r;

	if (trace.fd < 0 || trace.phase != TRACE_OFF)
		return;
	trace.own = false; /* another process may write to it, too */
	r = trace_start();
	if (r < 0)
		log_warn("--trace: %s: the trace ends here", err_name(r));
}

/*
 * Where it goes
 */

/* A VFIO device, a disk, a watchdog: to open or write to them does something. */
static bool trace_may_write_to(const struct stat *st)
{
	const unsigned int memory = 1, terminals[] = { 4, 5, 204, 229 };
	unsigned int kind = major(st->st_rdev);

	if (S_ISREG(st->st_mode) || S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode))
		return true;
	if (!S_ISCHR(st->st_mode))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(terminals); i++)
		if (kind == terminals[i])
			return true;
	return kind == memory || (kind >= 136 && kind <= 143); /* pseudoterminals */
}

static int trace_refuse(const char *to, struct err *err)
{
	return err_fail(err, ERR_OUTPUT, -EINVAL,
			"--trace: %s: no regular file, FIFO, terminal or socket", to);
}

static int trace_open_descriptor(const char *to, int from, struct err *err)
{
	struct stat st;
	int flags = fcntl(from, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
		err_fail(err, ERR_USAGE, -EBADF, "--trace: %s: not open for writing", to);
		return -EBADF;
	}
	if (fstat(from, &st) < 0 || !trace_may_write_to(&st))
		return trace_refuse(to, err);
	trace.fd = fcntl(from, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return trace.fd < 0 ? err_fail(err, ERR_OUTPUT, -errno, "--trace: %s", to) : 0;
}

/* An image that was named by mistake must survive. */
static int trace_empty(const char *to, int fd, struct err *err)
{
	char head[128] = "";
	ssize_t n = pread(fd, head, sizeof(head) - 1, 0);

	if (n < 0)
		return err_fail(err, ERR_OUTPUT, -errno, "--trace: %s", to);
	if (n && strncmp(head, TRACE_TEXT_MARK, strlen(TRACE_TEXT_MARK)) != 0 &&
	    !strstr(head, TRACE_JSON_MARK)) {
		err_fail(err, ERR_OUTPUT, -EEXIST, "--trace: %s: is there, and is no trace", to);
		return err_hint(err, -EEXIST, "name another file, or remove it");
	}
	if (ftruncate(fd, 0) < 0)
		return err_fail(err, ERR_OUTPUT, -errno, "--trace: %s", to);
	return 0;
}

/* O_NONBLOCK: a FIFO without a reader says so at once. */
static int trace_open_file(const char *to, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	if (stat(to, &st) == 0 && (!trace_may_write_to(&st) || S_ISSOCK(st.st_mode)))
		return trace_refuse(to, err);
	fd = open(to, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0666);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		close(TAKE_FD(fd));
		fd = open(to, O_RDWR | O_APPEND | O_NOCTTY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_fail(err, ERR_OUTPUT, -errno, "--trace: %s", to);
	r = fcntl(fd, F_GETFL);
	if (r < 0 || fcntl(fd, F_SETFL, r & ~O_NONBLOCK) < 0)
		return err_fail(err, ERR_OUTPUT, -errno, "--trace: %s", to);
	trace.own = S_ISREG(st.st_mode);
	r = trace.own ? trace_empty(to, fd, err) : 0;
	if (r < 0)
		return r;
	trace.fd = TAKE_FD(fd);
	return 0;
}

static int trace_open_where(const char *to, struct err *err)
{
	uint64_t fd;

	if (!strcmp(to, "-"))
		return trace_open_descriptor(to, STDERR_FILENO, err);
	if (strncmp(to, "fd:", 3) != 0)
		return trace_open_file(to, err);
	if (parse_uint(to + 3, 10, INT_MAX, &fd) < 0)
		return err_fail(err, ERR_USAGE, -EINVAL, "--trace: '%s' is not fd:N", to);
	return trace_open_descriptor(to, (int)fd, err);
}

static enum trace_format trace_format_of(const char *to, enum trace_format format)
{
	const char *dot = strrchr(to, '.');

	if (format != TRACE_AUTO)
		return format;
	return dot && !strcmp(dot, ".json") ? TRACE_JSON : TRACE_TEXT;
}

int trace_open(const char *to, enum trace_format format, const char *command, struct err *err)
{
	char text[TRACE_LINE_MAX];
	int r;

	r = trace_open_where(to, err);
	if (r < 0)
		return r;
	trace.to = to;
	trace.head = (struct trace_head){
		.format = trace_format_of(to, format),
		.command = command,
		.pid = getpid(),
		.wall_ns = trace_wall_ns(),
		.origin_ns = clock_ns(),
	};
	trace.ring = calloc(RING_SIZE, sizeof(*trace.ring));
	if (!trace.ring)
		return err_set(err, -ENOMEM, "--trace");
	r = trace_prepare_sync();
	if (r < 0)
		return err_set(err, r, "--trace: a thread");
	if (pthread_atfork(NULL, NULL, trace_in_child))
		return err_set(err, -ENOMEM, "--trace");
	/* No record, so that it has to be written here; a pipe without room is the user's. */
	r = trace_write(text, trace_text_begin(&trace.head, text));
	if (r < 0)
		return err_fail(err, ERR_OUTPUT, r, "--trace: %s", to);
	r = trace_start();
	return r < 0 ? err_set(err, r, "--trace: a thread") : 0;
}

/* Return: whether the writer has ended. */
static bool trace_wait_end(int timeout_ms)
{
	struct timespec until;
	bool ended;

	clock_timespec(clock_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC, &until);
	pthread_mutex_lock(&trace.lock);
	if (trace.phase == TRACE_RUNS)
		trace.phase = TRACE_ENDS;
	pthread_cond_broadcast(&trace.changed);
	while (trace.phase == TRACE_ENDS &&
	       pthread_cond_timedwait(&trace.changed, &trace.lock, &until) != ETIMEDOUT)
		;
	ended = trace.phase != TRACE_ENDS;
	pthread_mutex_unlock(&trace.lock);
	return ended;
}

void trace_finish(int timeout_ms)
{
	if (!trace.has_writer)
		return;
	atomic_store(&trace_is_on, false);
	trace.has_writer = false;
	if (trace_wait_end(timeout_ms)) {
		pthread_join(trace.writer, NULL);
		return;
	}
	/* One that is blocked in write() is left to the end of the process. */
	pthread_detach(trace.writer);
	log_warn("--trace: %s: its reader has stopped: the end is lost", trace.to);
}

/*
 * Records
 */

void trace_begin(struct trace_record *r, const char *call, const char *what, int fd)
{
	/* Not the fields: most stay unused. */
	r->call = call;
	r->what = what;
	r->code = 0;
	r->fd = fd;
	r->n = 0;
	r->dropped = 0;
	r->wall_ns = trace_wall_ns();
	r->at_ns = clock_ns();
}

void trace_add(struct trace_record *r, const struct trace_field *field)
{
	if (r->n < TRACE_FIELDS_MAX)
		r->fields[r->n++] = *field;
}

static void trace_find_name(struct trace_record *r)
{
	*r->device = '\0';
	for (size_t i = 0; i < trace.n_names; i++)
		if (trace.names[i].fd == r->fd)
			memcpy(r->device, trace.names[i].device, sizeof(r->device));
}

void trace_end(struct trace_record *r, int64_t result, int error)
{
	int kept = errno;

	r->ns = clock_ns() - r->at_ns;
	r->thread = gettid();
	r->result = result;
	r->error = error;
	pthread_mutex_lock(&trace.lock);
	if (trace.phase == TRACE_RUNS && trace.n < RING_SIZE) {
		trace_find_name(r);
		r->dropped = trace.dropped;
		trace.dropped = 0;
		trace.ring[(trace.first + trace.n++) % RING_SIZE] = *r;
		pthread_cond_signal(&trace.changed);
	} else if (trace.phase == TRACE_RUNS) {
		trace.dropped++;
	}
	pthread_mutex_unlock(&trace.lock);
	errno = kept;
}

void trace_name(int fd, const char *device)
{
	size_t i = 0;

	if (!trace_wanted())
		return;
	pthread_mutex_lock(&trace.lock);
	while (i < trace.n_names && trace.names[i].fd != fd)
		i++;
	if (!device && i < trace.n_names) {
		trace.names[i] = trace.names[--trace.n_names];
	} else if (device && i < NAMES_MAX) {
		trace.names[i].fd = fd;
		snprintf(trace.names[i].device, sizeof(trace.names[i].device), "%s", device);
		make_printable(trace.names[i].device);
		trace.n_names = MAX(trace.n_names, i + 1);
	}
	pthread_mutex_unlock(&trace.lock);
}
