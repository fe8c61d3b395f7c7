// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a driver must survive: mutated streams, and operations in any order
 *
 * Neither is forbidden to a user, so neither may crash the kernel, hang it, or leave a device that
 * a reset does not bring back. The kernel's log is looked at after each step, so that what it says
 * can be quoted with the step. What fails is tried again with less, and is kept in a file in the
 * current folder. After a fault of the kernel nothing is tried again: what it holds is unknown.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/macros.h"
#include "check/drain.h"
#include "check/kernel-trouble.h"
#include "check/mutate.h"
#include "check/op-model.h"
#include "check/shrink.h"

#define SOURCE_LEAVE "uapi: enum vfio_device_mig_state, RESUMING -> STOP"
#define SOURCE_FSM "uapi: enum vfio_device_mig_state"

#define OPS_MAX 40u

/* Streams and sequences that are tried for each of --rounds. */
#define ROUNDS_MAX 100000u

/* How a try ended. */
enum hostile_end {
	HOSTILE_FINE,
	HOSTILE_KERNEL, /* the kernel's log has a fault */
	HOSTILE_LOST, /* the device cannot be brought back, or does not answer */
	HOSTILE_WRONG, /* the state machine is not as the text has it */
};

/**
 * struct hostile - a run of tries
 * @kmsg: the kernel's log, -1 where it cannot be read
 * @good: the device's own stream
 * @edits: of the stream that is tried; @n_edits of them
 * @ops: of the sequence that is tried
 * @why: what the last try that failed has shown
 */
struct hostile {
	struct check *c;
	int kmsg;
	struct subject_state good;
	struct mutate_edit edits[MUTATE_EDITS_MAX];
	unsigned int n_edits;
	struct op ops[OPS_MAX];
	char why[KERNEL_TROUBLE_MAX + 128];
};

static void rules_hostile_done(struct hostile *h)
{
	free(h->good.data);
	if (h->kmsg >= 0)
		close(h->kmsg);
}

/* Return: whether the run can begin; else a verdict was told. */
static bool rules_hostile_init(struct hostile *h, struct check *c)
{
	bool in_kernel = c->device->protocol == SUBJECT_V2;

	*h = (struct hostile){ .c = c, .kmsg = in_kernel ? kernel_trouble_open() : -1 };
	if (in_kernel && h->kmsg < 0)
		check_warn(c, "/dev/kmsg cannot be read, %s: faults of the kernel go unseen",
			   err_name(h->kmsg));
	if (!drain_session(c, c->device, &drain_by_block, &h->good))
		return false;
	if (!h->good.len)
		check_skip(c, "its state has no bytes");
	return h->good.len;
}

static enum hostile_end rules_hostile_look(struct hostile *h, const char *after)
{
	char line[KERNEL_TROUBLE_MAX];

	if (h->kmsg < 0 || !kernel_trouble_next(h->kmsg, line))
		return HOSTILE_FINE;
	snprintf(h->why, sizeof(h->why), "after %s the kernel's log has: %s", after, line);
	return HOSTILE_KERNEL;
}

static enum hostile_end rules_hostile_home(struct hostile *h)
{
	struct err err = { 0 };

	if (subject_home(h->c->device, true, &err) == 0)
		return HOSTILE_FINE;
	snprintf(h->why, sizeof(h->why), "it cannot be brought back: %.*s", 200, err.text);
	return HOSTILE_LOST;
}

/* RESUMING, @bad, STOP, and home again. */
static enum hostile_end rules_hostile_load(struct hostile *h, const struct subject_state *bad)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct check *c = h->c;
	uint32_t state;

	if (subject_go(c->device, MIG_RESUMING, &x) < 0 || !x) {
		snprintf(h->why, sizeof(h->why), "it cannot go to resuming");
		return HOSTILE_LOST;
	}
	if (drain_write(c, x, &drain_by_odd_sizes, bad) == -ECANCELED)
		return HOSTILE_FINE;
	if (subject_get(c->device, &state) == 0 && state != MIG_ERROR &&
	    subject_set(c->device, MIG_STOP, NULL) >= 0 && subject_get(c->device, &state) == 0 &&
	    state != MIG_STOP) {
		snprintf(h->why, sizeof(h->why), "SET stop worked, and the device is in %s",
			 subject_state_name(state));
		return HOSTILE_WRONG;
	}
	x = subject_session_close(x);
	return rules_hostile_home(h);
}

/* One mutant, of those edits that @keep has. */
static enum hostile_end rules_hostile_try_edits(struct hostile *h, const bool *keep,
						struct subject_state *ret)
{
	struct mutate_edit edits[MUTATE_EDITS_MAX];
	enum hostile_end end, kernel;
	unsigned int n = 0;

	for (unsigned int i = 0; i < h->n_edits; i++)
		if (keep[i])
			edits[n++] = h->edits[i];
	if (mutate_apply(&h->good, edits, n, ret) < 0) {
		check_broken(h->c, "no memory for a stream of %zu bytes", h->good.len);
		return HOSTILE_FINE;
	}
	end = rules_hostile_load(h, ret);
	kernel = rules_hostile_look(h, "a load of it");
	return kernel == HOSTILE_FINE ? end : kernel;
}

static bool rules_hostile_edits_fail(void *ctx, const bool *keep)
{
	_cleanup_state_ struct subject_state bad = { 0 };

	return rules_hostile_try_edits(ctx, keep, &bad) != HOSTILE_FINE;
}

static void rules_hostile_keep(struct hostile *h, const struct subject_state *bad,
			       unsigned int number)
{
	char name[80];
	int fd;

	snprintf(name, sizeof(name), "vfiomigctl-check-%llu-%u.stream",
		 (unsigned long long)h->c->seed, number);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		check_note(h->c, "%s: %s: the stream is not kept", name, err_name(-errno));
		return;
	}
	if (write(fd, bad->data, bad->len) != (ssize_t)bad->len)
		check_note(h->c, "%s: not all of the stream could be written", name);
	else
		check_note(h->c, "the stream is kept in %s", name);
	close(fd);
}

/* What was found, with as few edits as it takes. */
static void rules_hostile_report_edits(struct hostile *h, enum hostile_end end, unsigned int number)
{
	_cleanup_state_ struct subject_state bad = { 0 };
	bool keep[MUTATE_EDITS_MAX] = { true, true, true, true };
	char why[sizeof(h->why)], text[MUTATE_TEXT_MAX];
	struct mutate_edit needed[MUTATE_EDITS_MAX];
	unsigned int n = 0;

	snprintf(why, sizeof(why), "%s", h->why);
	if (end == HOSTILE_WRONG && rules_hostile_home(h) == HOSTILE_FINE)
		shrink(keep, h->n_edits, rules_hostile_edits_fail, h);
	for (unsigned int i = 0; i < h->n_edits; i++) {
		if (!keep[i])
			continue;
		check_note(h->c, "stream %u: %s", number, mutate_text(&h->edits[i], text));
		needed[n++] = h->edits[i];
	}
	if (mutate_apply(&h->good, needed, n, &bad) == 0)
		rules_hostile_keep(h, &bad, number);
	check_violated(h->c, "stream %u of seed %llu: %s", number, (unsigned long long)h->c->seed,
		       why);
}

static void rules_hostile_mutants(struct check *c)
{
	static const bool all[MUTATE_EDITS_MAX] = { true, true, true, true };
	_cleanup_(rules_hostile_done) struct hostile h = { .kmsg = -1 };
	unsigned int n = MIN(c->rounds, ROUNDS_MAX), i;

	if (!rules_hostile_init(&h, c))
		return;
	for (i = 0; i < n && !check_stopped(c); i++) {
		_cleanup_state_ struct subject_state bad = { 0 };
		enum hostile_end end;

		h.n_edits = mutate_make(&h.good, c->seed, i, h.edits);
		end = rules_hostile_try_edits(&h, all, &bad);
		if (end == HOSTILE_FINE)
			continue;
		rules_hostile_report_edits(&h, end, i);
		return;
	}
	check_note(c, "%u streams of seed %llu", i, (unsigned long long)c->seed);
}

/* A SET, and what the state machine says of it. In ERROR the kernel warns at any. */
static enum hostile_end rules_hostile_set(struct hostile *h, const struct op *op,
					  struct subject_session **x)
{
	struct subject *s = h->c->device;
	struct subject_session *got = NULL;
	enum op_verdict verdict;
	uint32_t from, after;
	char text[OP_TEXT_MAX];
	int r;

	if (subject_get(s, &from) < 0 || from == MIG_ERROR)
		return HOSTILE_FINE;
	r = subject_set(s, op->value, &got);
	if (got) {
		subject_session_close(*x);
		*x = got;
	}
	/* A server has no data fds: its stream is there in each state that has one. */
	if (!*x && subject_session_of(s, x) < 0)
		return HOSTILE_FINE;
	if (r == -EREMOTEIO || subject_get(s, &after) < 0) {
		snprintf(h->why, sizeof(h->why), "after %s it does not answer", op_text(op, text));
		return HOSTILE_LOST;
	}
	verdict = op_judge_set(from, op->value, s->caps, r, after);
	if (verdict == OP_FINE)
		return HOSTILE_FINE;
	snprintf(h->why, sizeof(h->why), "%s from %s %s, %s", op_text(op, text),
		 subject_state_name(from), op_verdict_text(verdict), subject_state_name(after));
	return HOSTILE_WRONG;
}

static enum hostile_end rules_hostile_op(struct hostile *h, const struct op *op,
					 struct subject_session **x)
{
	struct subject *s = h->c->device;
	struct mig_precopy_info info;
	uint8_t buf[OP_BYTES_MAX];
	uint64_t size;

	switch (op->kind) {
	case OP_SET:
		return rules_hostile_set(h, op, x);
	case OP_READ:
		if (*x)
			subject_read(*x, buf, op->value);
		return HOSTILE_FINE;
	case OP_WRITE:
		if (*x)
			subject_write(*x, h->good.data, MIN((size_t)op->value, h->good.len));
		return HOSTILE_FINE;
	case OP_CLOSE:
		*x = subject_session_close(*x);
		return HOSTILE_FINE;
	case OP_PRECOPY_INFO:
		if (*x && s->protocol == SUBJECT_V2)
			(void)!subject_precopy_info(*x, &info);
		return HOSTILE_FINE;
	case OP_DATA_SIZE:
		if (s->protocol == SUBJECT_V2)
			(void)!subject_data_size(s, &size);
		return HOSTILE_FINE;
	default:
		if (s->needs & CHECK_NEEDS_RESET)
			(void)!subject_reset(s);
		return HOSTILE_FINE;
	}
}

/* The operations that @keep has, from RUNNING, and home again. */
static enum hostile_end rules_hostile_try_ops(struct hostile *h, const bool *keep)
{
	_cleanup_session_ struct subject_session *x = NULL;
	enum hostile_end end = rules_hostile_home(h);
	char text[OP_TEXT_MAX];

	for (size_t i = 0; end == HOSTILE_FINE && i < OPS_MAX; i++) {
		if (!keep[i] || check_stopped(h->c))
			continue;
		end = rules_hostile_op(h, &h->ops[i], &x);
		if (rules_hostile_look(h, op_text(&h->ops[i], text)) != HOSTILE_FINE)
			return HOSTILE_KERNEL;
	}
	if (end != HOSTILE_FINE)
		return end;
	x = subject_session_close(x);
	return rules_hostile_home(h);
}

static bool rules_hostile_ops_fail(void *ctx, const bool *keep)
{
	return rules_hostile_try_ops(ctx, keep) != HOSTILE_FINE;
}

static void rules_hostile_report_ops(struct hostile *h, enum hostile_end end, bool *keep,
				     uint64_t seed)
{
	char why[sizeof(h->why)], text[OP_TEXT_MAX];

	snprintf(why, sizeof(why), "%s", h->why);
	if (end == HOSTILE_WRONG)
		shrink(keep, OPS_MAX, rules_hostile_ops_fail, h);
	check_violated(h->c, "operations of seed %llu: %s", (unsigned long long)seed, why);
	for (size_t i = 0; i < OPS_MAX; i++)
		if (keep[i])
			check_note(h->c, "operation %zu: %s", i, op_text(&h->ops[i], text));
}

static void rules_hostile_operations(struct check *c)
{
	_cleanup_(rules_hostile_done) struct hostile h = { .kmsg = -1 };
	unsigned int n = MIN(c->rounds, ROUNDS_MAX), i;

	if (!rules_hostile_init(&h, c))
		return;
	for (i = 0; i < n && !check_stopped(c); i++) {
		bool keep[OPS_MAX];
		enum hostile_end end;

		for (size_t k = 0; k < OPS_MAX; k++)
			keep[k] = true;
		op_make(c->seed + i, h.ops, OPS_MAX);
		end = rules_hostile_try_ops(&h, keep);
		if (end == HOSTILE_FINE)
			continue;
		rules_hostile_report_ops(&h, end, keep, c->seed + i);
		return;
	}
	check_note(c, "%u sequences of %u operations, from seed %llu", i, OPS_MAX,
		   (unsigned long long)c->seed);
}

static const struct check_rule rules_hostile[] = {
	{ "hostile.mutated-streams", CHECK_MUST, CHECK_HOSTILE, CHECK_NEEDS_RESET,
	  "no stream that is loaded hurts the kernel, or a device beyond what a reset mends",
	  SOURCE_LEAVE, rules_hostile_mutants },
	{ "hostile.operations", CHECK_MUST, CHECK_HOSTILE, CHECK_NEEDS_RESET,
	  "in any order of operations the state machine holds, and the kernel is not hurt",
	  SOURCE_FSM, rules_hostile_operations },
};

const struct check_group check_hostile_rules = CHECK_GROUP(rules_hostile);
