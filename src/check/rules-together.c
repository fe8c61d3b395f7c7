// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two threads at once, and many times
 *
 * VMMs save, reset and ask for states from several threads. What a driver answers to that may
 * differ from run to run; it must be an answer, and the device must be in a state that it has.
 */

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "check/check.h"
#include "check/drain.h"

#define SOURCE_SET "uapi: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, the ioctl is synchronous"
#define SOURCE_RESET "uapi: VFIO_DEVICE_RESET, from any state"
#define SOURCE_SESSION "uapi: struct vfio_device_feature_mig_state, data_fd"

#define TOGETHER_BLOCK (64u << 10)

/**
 * struct rules_together - what the second thread does until it is told to end
 * @s: the device for it
 * @done: nothing is left to be done at the same time
 * @odd: an answer that is none, or 0
 */
struct rules_together {
	struct check *c;
	struct subject *s;
	struct subject_session *x;
	atomic_bool done;
	int odd;
};

/* Answers that make sense to a caller who was not the only one. */
static bool rules_together_sensible(int result)
{
	return result >= 0 || result == -EINVAL || result == -EBUSY || result == -EAGAIN ||
	       result == -ENODEV || result == -EINTR || result == -EPERM || result == -ENOMSG ||
	       result == -EIO;
}

static void *rules_together_set(void *arg)
{
	struct rules_together *t = arg;

	while (!atomic_load(&t->done) && !check_stopped(t->c)) {
		int r = subject_set(t->s, MIG_RUNNING, NULL);

		if (!rules_together_sensible(r) && !t->odd)
			t->odd = r;
	}
	return NULL;
}

static void *rules_together_read(void *arg)
{
	struct rules_together *t = arg;
	static _Thread_local uint8_t buf[TOGETHER_BLOCK];

	while (!atomic_load(&t->done) && !check_stopped(t->c)) {
		ssize_t n = subject_read(t->x, buf, sizeof(buf));

		if (!rules_together_sensible((int)MIN(n, (ssize_t)0)) && !t->odd)
			t->odd = (int)n;
		if (n < 0)
			break;
	}
	return NULL;
}

/* Return: whether the thread runs; else a verdict was told. */
static bool rules_together_begin(struct rules_together *t, void *(*work)(void *), pthread_t *ret)
{
	int r = subject_fork(t->c->device, &t->s);

	if (r < 0) {
		check_broken(t->c, "a second thread: %s", err_name(r));
		return false;
	}
	r = -pthread_create(ret, NULL, work, t);
	if (r == 0)
		return true;
	subject_close(t->s);
	check_broken(t->c, "a second thread: %s", err_name(r));
	return false;
}

static void rules_together_end(struct rules_together *t, pthread_t thread, const char *what)
{
	atomic_store(&t->done, true);
	pthread_join(thread, NULL);
	subject_close(t->s);
	if (t->odd)
		check_violated(t->c, "%s: %s", what, err_name(t->odd));
}

/* Whatever the two of them have made of it. */
static void rules_together_check_state(struct check *c)
{
	uint32_t state;

	if (!check_worked(c, "GET", subject_get(c->device, &state)))
		return;
	if (state >= MIG_NR_STATES || state == MIG_ERROR)
		check_violated(c, "it is in %s afterwards", subject_state_name(state));
}

static void rules_together_two_set(struct check *c)
{
	struct rules_together t = { .c = c };
	pthread_t thread;

	if (!rules_together_begin(&t, rules_together_set, &thread))
		return;
	for (unsigned int i = 0; i < 10 * c->rounds && !check_stopped(c); i++) {
		int r = subject_set(c->device, i % 2 ? MIG_STOP_COPY : MIG_STOP, NULL);

		if (!rules_together_sensible(r)) {
			check_violated(c, "a SET while another one is made: %s", err_name(r));
			break;
		}
	}
	rules_together_end(&t, thread, "a SET while another one is made");
	rules_together_check_state(c);
}

static void rules_together_while_read(struct check *c, int (*act)(struct check *c),
				      const char *what)
{
	for (unsigned int i = 0; i < c->rounds && !check_stopped(c); i++) {
		struct rules_together t = { .c = c };
		pthread_t thread;
		int r;

		if (!drain_begin(c, c->device, MIG_STOP_COPY, &t.x))
			return;
		if (!rules_together_begin(&t, rules_together_read, &thread)) {
			subject_session_close(t.x);
			return;
		}
		r = act(c);
		rules_together_end(&t, thread, what);
		subject_session_close(t.x);
		if (!rules_together_sensible(r))
			check_violated(c, "%s: %s", what, err_name(r));
		rules_together_check_state(c);
	}
}

static int rules_together_stop(struct check *c)
{
	return subject_set(c->device, MIG_STOP, NULL);
}

static int rules_together_reset(struct check *c)
{
	return subject_reset(c->device);
}

static void rules_together_set_while_read(struct check *c)
{
	rules_together_while_read(c, rules_together_stop, "a SET while the stream is read");
}

static void rules_together_reset_while_read(struct check *c)
{
	rules_together_while_read(c, rules_together_reset, "a reset while the stream is read");
}

/*
 * What the kernel and this process hold: memory in KiB that the kernel cannot take back, 0 where it
 * does not say; descriptors. Both are those of all that runs, so a little more means nothing.
 */
struct rules_together_held {
	long kib, fds;
};

static long rules_together_kib(void)
{
	static const char key[] = "SUnreclaim:";
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = 0;

	while (f && !kib && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			kib = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static long rules_together_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	long n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static struct rules_together_held rules_together_hold(void)
{
	return (struct rules_together_held){ rules_together_kib(), rules_together_fds() };
}

/* One session, begun and left; of every second one a part is read. */
static bool rules_together_session(struct check *c, bool read)
{
	_cleanup_session_ struct subject_session *x = NULL;
	uint8_t byte;

	if (subject_go(c->device, MIG_STOP_COPY, &x) < 0)
		return false;
	if (read && x && subject_read(x, &byte, 1) < 0)
		return false;
	return subject_go(c->device, MIG_STOP, NULL) == 0;
}

/* Return: whether all @n sessions worked. */
static bool rules_together_some(struct check *c, unsigned int n)
{
	for (unsigned int i = 0; i < n && !check_stopped(c); i++)
		if (!rules_together_session(c, i % 2)) {
			check_violated(c, "session %u of %u failed", i + 1, n);
			return false;
		}
	return !check_stopped(c);
}

/*
 * What leaks grows with each session, so by as much in the second half as in the first. Memory that
 * others take meanwhile does so in one of them.
 */
static void rules_together_judge(struct check *c, const struct rules_together_held at[3],
				 unsigned int half)
{
	long first = at[1].kib - at[0].kib, second = at[2].kib - at[1].kib;
	long fds = at[2].fds - at[0].fds;

	check_note(c, "%u sessions, and again: the kernel's slabs grew by %ld and %ld KiB", half,
		   first, second);
	if (fds >= (long)half)
		check_violated(c, "%ld descriptors more are open after %u sessions", fds, 2 * half);
	if (c->device->protocol == SUBJECT_V2 && first > (long)half && second > (long)half)
		check_warn(c, "the kernel's slabs grew by %ld KiB in %u sessions", first + second,
			   2 * half);
}

static void rules_together_sessions(struct check *c)
{
	struct rules_together_held at[3];
	unsigned int half = 50 * c->rounds;

	/* What is made once, and kept, is made now. */
	if (!rules_together_session(c, true))
		return;
	at[0] = rules_together_hold();
	for (unsigned int i = 1; i < ARRAY_SIZE(at); i++) {
		if (!rules_together_some(c, half))
			return;
		at[i] = rules_together_hold();
	}
	rules_together_judge(c, at, half);
}

static const struct check_rule rules_together[] = {
	{ "together.two-sets", CHECK_MUST, CHECK_HARMLESS, 0,
	  "SETs of two threads are answered, and the device is in a state that it has", SOURCE_SET,
	  rules_together_two_set },
	{ "together.set-while-read", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "a SET while another thread reads the stream is answered, and so is the read",
	  SOURCE_SESSION, rules_together_set_while_read },
	{ "together.reset-while-read", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_RESET,
	  "a reset while another thread reads the stream is answered, and so is the read",
	  SOURCE_RESET, rules_together_reset_while_read },
	{ "together.many-sessions", CHECK_MUST, CHECK_HARMLESS, 0,
	  "a thousand sessions work as one does, and leave nothing behind", SOURCE_SESSION,
	  rules_together_sessions },
};

const struct check_group check_together_rules = CHECK_GROUP(rules_together);
