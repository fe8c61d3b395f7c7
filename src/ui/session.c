// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "ui/interrupt.h"
#include "ui/session.h"

#define KICK_PAUSE_MS 50

/* Between two looks at what the worker waits for. */
#define LOOK_MS 500

/* A call that takes so long is named; then again at twice the time, and so on. */
#define NAME_AFTER_NS (2 * NSEC_PER_SEC)

struct session_worker {
	session_fn *fn;
	void *ctx;
	int done; /* eventfd */
	int result;
	struct err err; /* its own: read only after the join */
};

static void *session_work(void *arg)
{
	struct session_worker *w = arg;
	const uint64_t one = 1;

	w->result = w->fn(w->ctx, &w->err);
	if (write(w->done, &one, sizeof(one)) < 0)
		log_warn("eventfd: %s", err_name(-errno));
	return NULL;
}

/*
 * What nohup asked for stays ignored: a device that is held must outlive the terminal. SIGINT is
 * heard even where a shell ignores it, for what it runs in the background: a script must be able to
 * stop what it started there.
 */
static bool session_is_ignored(int signal)
{
	struct sigaction sa;

	return sigaction(signal, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

const char *session_ended_by(void)
{
	return session_is_ignored(SIGHUP) ? "SIGINT or SIGTERM" : "SIGINT, SIGTERM or SIGHUP";
}

void session_block_signals(void)
{
	/* Raised by an instruction of the thread itself, never during a read. */
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

/* Everything is blocked before the thread starts, so that it inherits it. */
static int session_open_signals(struct err *err)
{
	static const int heard[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
	sigset_t mine;
	int fd;

	sigemptyset(&mine);
	for (size_t i = 0; i < ARRAY_SIZE(heard); i++)
		if (heard[i] != SIGHUP || !session_is_ignored(SIGHUP))
			sigaddset(&mine, heard[i]);
	fd = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "signalfd");
	session_block_signals();
	return fd;
}

static int session_open_clock(const struct progress *progress, int *ret, struct err *err)
{
	const struct itimerspec second = { { 1, 0 }, { 1, 0 } };

	if (!progress || !progress_wanted(progress))
		return 0;
	*ret = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*ret < 0 || timerfd_settime(*ret, 0, &second, NULL) < 0)
		return err_set(err, -errno, "timerfd");
	return 0;
}

/**
 * struct watch - what the main thread knows of the work
 * @progress: may be NULL
 * @asked: signals so far that ask to stop
 * @named_ns: until when calls have been named that take long
 */
struct watch {
	struct cancel *cancel;
	struct progress *progress;
	unsigned int asked;
	uint64_t named_ns;
};

/* Of several calls one that no kick ends is worth the words most; then the oldest. */
static struct cancel_waiting session_main_call(struct cancel *cancel)
{
	struct cancel_waiting waiting = { .call = CANCEL_CALL_NONE };

	while (cancel_next_waiting(cancel, &waiting))
		if (waiting.call == CANCEL_CALL_FIXED)
			return waiting;
	return cancel_waiting(cancel);
}

static void session_ask_to_stop(struct watch *w, int signal)
{
	struct interrupt i = {
		.signal = signal,
		.again = w->asked++,
		.waiting = session_main_call(w->cancel),
		.calls = cancel_count_waiting(w->cancel),
	};
	char text[INTERRUPT_TEXT_MAX];

	i.too_late = !cancel_request(w->cancel);
	if (i.again)
		cancel_hurry(w->cancel);
	if (!w->progress)
		return;
	i.waiting_ns = clock_ns() - i.waiting.since_ns;
	i.state = progress_state(w->progress);
	i.idle = progress_is_idle(w->progress) && i.waiting.call == CANCEL_CALL_NONE;
	i.several = progress_several(w->progress);
	i.timeout_ms = w->progress->timeout_ms;
	progress_interrupted(w->progress, interrupt_text(&i, text));
}

static void session_heard_signal(struct watch *w, int fd)
{
	struct cancel_waiting waiting = session_main_call(w->cancel);
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGUSR1)
			session_ask_to_stop(w, (int)info.ssi_signo);
		else if (w->progress)
			progress_line(w->progress, &waiting);
	}
}

/* Has a call come to NAME_AFTER_NS, or twice that and so on, since it was @before old? */
static bool session_is_due(uint64_t before, uint64_t now)
{
	uint64_t at = NAME_AFTER_NS;

	while (at <= before)
		at *= 2;
	return at <= now;
}

/* A call that the driver does not come back from looks like a tool that does nothing. */
static void session_name_calls(struct watch *w)
{
	struct cancel_waiting waiting = { .call = CANCEL_CALL_NONE };
	uint64_t now = clock_ns();

	while (w->progress && cancel_next_waiting(w->cancel, &waiting)) {
		uint64_t since = MIN(waiting.since_ns, now), before = MAX(w->named_ns, since);

		if (session_is_due(before - since, now - since))
			progress_waiting(w->progress, &waiting, now - since);
	}
	w->named_ns = now;
}

static int session_pause_ms(const struct watch *w, bool requested)
{
	if (requested || atomic_load(&w->cancel->deadline_ns))
		return KICK_PAUSE_MS;
	if (w->cancel->call_timeout_ms)
		return MIN(MAX(w->cancel->call_timeout_ms / 4, 1), LOOK_MS);
	return w->progress ? LOOK_MS : -1;
}

/* What a reader had no room for goes out as soon as there is some. */
static void session_flush(struct lines *status)
{
	lines_flush(console_lines());
	if (status)
		lines_flush(status);
}

static void session_listen(struct watch *w, int done, int signals, int clock)
{
	struct lines *status = w->progress ? w->progress->status : NULL;
	struct pollfd p[] = {
		{ .fd = done, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = clock, .events = POLLIN },
		{ .fd = w->cancel->fd, .events = POLLIN },
		{ .events = POLLOUT },
		{ .events = POLLOUT },
	};
	struct cancel_waiting waiting;
	uint64_t ticks;

	while (!p[0].revents) {
		p[4].fd = lines_pending_fd(console_lines());
		p[5].fd = status ? lines_pending_fd(status) : -1;
		/* Once it is requested that stays so, and what blocks in the kernel is kicked. */
		if (poll(p, ARRAY_SIZE(p), session_pause_ms(w, p[3].fd < 0)) < 0)
			continue;
		if (p[3].revents)
			p[3].fd = -1;
		cancel_kick(w->cancel);
		if (p[1].revents)
			session_heard_signal(w, signals);
		waiting = session_main_call(w->cancel);
		session_name_calls(w);
		if (p[2].revents && read(clock, &ticks, sizeof(ticks)) > 0)
			progress_tick(w->progress, &waiting);
		session_flush(status);
	}
	if (w->progress)
		progress_end(w->progress);
}

/*
 * A signal that came when the work was ending is answered by its result; the caller may go by it.
 */
static void session_take_late_signals(const struct watch *w, int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGUSR1)
			cancel_request(w->cancel);
}

int session_run(session_fn *fn, void *ctx, struct cancel *cancel, struct progress *progress,
		struct err *err)
{
	struct session_worker w = { .fn = fn, .ctx = ctx };
	struct watch watch = { .cancel = cancel, .progress = progress };
	_cleanup_fd_ int signals = -1, clock = -1, done = -1;
	pthread_t thread;
	int r;

	signals = session_open_signals(err);
	if (signals < 0)
		return signals;
	r = session_open_clock(progress, &clock, err);
	if (r < 0)
		return r;
	done = eventfd(0, EFD_CLOEXEC);
	if (done < 0)
		return err_set(err, -errno, "eventfd");
	w.done = done;
	r = pthread_create(&thread, NULL, session_work, &w);
	if (r)
		return err_set(err, -r, "pthread_create");
	session_listen(&watch, done, signals, clock);
	pthread_join(thread, NULL);
	session_take_late_signals(&watch, signals);
	*err = w.err;
	return w.result;
}

int session_hold(const struct session_loop *loop, struct lines *status, struct err *err)
{
	_cleanup_fd_ int signals = session_open_signals(err);
	struct pollfd p[3 + SESSION_POLL_MAX] = {
		{ .fd = signals, .events = POLLIN },
		{ .events = POLLOUT },
		{ .events = POLLOUT },
	};
	struct signalfd_siginfo info;
	unsigned int n;
	int r;

	if (signals < 0)
		return signals;
	for (;;) {
		n = loop->fill(loop->ctx, &p[3]);
		p[1].fd = lines_pending_fd(console_lines());
		p[2].fd = status ? lines_pending_fd(status) : -1;
		if (poll(p, 3 + n, -1) < 0)
			continue;
		r = loop->ready(loop->ctx, &p[3], n, err);
		session_flush(status);
		if (r)
			return r;
		while (read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGUSR1)
				return 0;
			loop->say(loop->ctx);
		}
	}
}
