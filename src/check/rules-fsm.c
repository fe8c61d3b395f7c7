// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state machine: each pair of states, and what is no state
 *
 * What a pair must come to is fsm/'s to say, which was compared with the kernel's own table.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/units.h"
#include "check/check.h"
#include "check/drain.h"
#include "fsm/fsm.h"

#define FSM_BLOCK (64u << 10)

/*
 * Pairs
 */

/* "fsm.stop-copy-to-running" */
static bool rules_fsm_pair_of(const char *id, enum mig_state *from, enum mig_state *to)
{
	const char *pair = id + strlen("fsm."), *sep = strstr(pair, "-to-");
	char name[24];

	if (!sep)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(sep - pair), pair);
	return fsm_parse(name, from) && fsm_parse(sep + strlen("-to-"), to);
}

/* The saving group shares one session. */
static bool rules_fsm_opens(enum mig_state from, enum mig_state to)
{
	if (fsm_saving(to))
		return !fsm_saving(from);
	return to == MIG_RESUMING && from != MIG_RESUMING;
}

/* Its own state again, so that leaving RESUMING has something to take. */
static bool rules_fsm_enter_resuming(struct check *c, struct subject_session **x)
{
	struct subject_state state;
	size_t at = 0;

	if (subject_save(c->device, FSM_BLOCK, &state) < 0)
		return false;
	if (!drain_begin(c, c->device, MIG_RESUMING, x)) {
		free(state.data);
		return false;
	}
	while (at < state.len && !check_stopped(c)) {
		ssize_t n = subject_write(*x, state.data + at, MIN(FSM_BLOCK, state.len - at));

		if (n <= 0) {
			check_broken(c, "its own state was refused: %s", err_name((int)n));
			break;
		}
		at += (size_t)n;
	}
	free(state.data);
	return at == state.len;
}

static bool rules_fsm_enter(struct check *c, enum mig_state state, struct subject_session **x)
{
	*x = NULL;
	if (state == MIG_RESUMING)
		return rules_fsm_enter_resuming(c, x);
	return subject_go(c->device, state, x) >= 0;
}

/* Of a device of the kernel: where a session begins there is a data_fd, and nowhere else. */
static void rules_fsm_judge_fd(struct check *c, enum mig_state from, enum mig_state to,
			       const struct subject_session *x)
{
	if (c->device->protocol != SUBJECT_V2)
		return;
	if (!x && rules_fsm_opens(from, to))
		check_violated(c, "%s -> %s gave no data_fd", fsm_name(from), fsm_name(to));
	if (x && !rules_fsm_opens(from, to))
		check_violated(c, "%s -> %s gave a data_fd", fsm_name(from), fsm_name(to));
	if (x && fcntl(subject_session_fd(x), F_GETFD) < 0)
		check_violated(c, "%s -> %s gave data_fd %d, which is not open", fsm_name(from),
			       fsm_name(to), subject_session_fd(x));
}

/* From the first state of the rule's pair to the second; @judge says what that must come to. */
static void rules_fsm_try(struct check *c, void (*judge)(struct check *c, const char *what,
							 enum mig_state from, enum mig_state to))
{
	struct subject_session *old;
	enum mig_state from, to;
	char what[48];

	if (!rules_fsm_pair_of(c->rule->id, &from, &to) || !rules_fsm_enter(c, from, &old))
		return;
	snprintf(what, sizeof(what), "%s -> %s", fsm_name(from), fsm_name(to));
	judge(c, what, from, to);
	subject_session_close(old);
}

static void rules_fsm_judge_way(struct check *c, const char *what, enum mig_state from,
				enum mig_state to)
{
	struct subject_session *x = NULL;

	if (check_worked(c, what, subject_take(c->device, from, to, &x)) && check_stays(c, to))
		rules_fsm_judge_fd(c, from, to, x);
	subject_session_close(x);
}

static void rules_fsm_judge_none(struct check *c, const char *what, enum mig_state from,
				 enum mig_state to)
{
	struct subject_session *x = NULL;

	check_refused(c, what, subject_set(c->device, to, &x), CHECK_ERRNOS(EINVAL));
	check_stays(c, from);
	subject_session_close(x);
}

static void rules_fsm_way(struct check *c)
{
	rules_fsm_try(c, rules_fsm_judge_way);
}

static void rules_fsm_none(struct check *c)
{
	rules_fsm_try(c, rules_fsm_judge_none);
}

/* "fsm.stop-again" */
static void rules_fsm_same(struct check *c)
{
	const char *name = c->rule->id + strlen("fsm.");
	struct subject_session *x = NULL, *old;
	enum mig_state state;
	char text[24];

	snprintf(text, sizeof(text), "%.*s", (int)(strlen(name) - strlen("-again")), name);
	if (!fsm_parse(text, &state) || !rules_fsm_enter(c, state, &old))
		return;
	if (check_worked(c, "SET of the state that it is in", subject_set(c->device, state, &x)) &&
	    check_stays(c, state))
		rules_fsm_judge_fd(c, state, state, x);
	subject_session_close(old);
	subject_session_close(x);
}

/*
 * What is no state
 */

/* In states of each kind; none of them may be left. */
static void rules_fsm_refused_everywhere(struct check *c, const uint32_t *states, size_t n)
{
	static const enum mig_state in[] = { MIG_RUNNING, MIG_STOP, MIG_STOP_COPY };

	for (size_t i = 0; i < ARRAY_SIZE(in) && !check_stopped(c); i++) {
		struct subject_session *x = NULL;
		char what[64];

		if (subject_go(c->device, in[i], &x) < 0)
			return;
		for (size_t k = 0; k < n; k++) {
			snprintf(what, sizeof(what), "SET of %s in %s",
				 subject_state_name(states[k]), subject_state_name(in[i]));
			check_refused(c, what, subject_set(c->device, states[k], NULL),
				      CHECK_ERRNOS(EINVAL));
			if (!check_stays(c, in[i]))
				return;
		}
		subject_session_close(x);
	}
}

static void rules_fsm_error(struct check *c)
{
	static const uint32_t error[] = { MIG_ERROR };

	rules_fsm_refused_everywhere(c, error, ARRAY_SIZE(error));
}

static void rules_fsm_invalid(struct check *c)
{
	static const uint32_t states[] = { 8, 9, 255, 256 + MIG_STOP, INT32_MAX, UINT32_MAX };

	rules_fsm_refused_everywhere(c, states, ARRAY_SIZE(states));
}

static void rules_fsm_no_p2p(struct check *c)
{
	static const uint32_t states[] = { MIG_RUNNING_P2P, MIG_PRE_COPY_P2P };

	rules_fsm_refused_everywhere(c, states, ARRAY_SIZE(states));
}

static void rules_fsm_no_pre_copy(struct check *c)
{
	static const uint32_t states[] = { MIG_PRE_COPY, MIG_PRE_COPY_P2P };

	rules_fsm_refused_everywhere(c, states, ARRAY_SIZE(states));
}

/* A question that is refused does not end what is under way. */
static void rules_fsm_refused_session(struct check *c)
{
	struct subject_session *x;
	uint8_t byte;
	ssize_t n;

	if (subject_go(c->device, MIG_STOP_COPY, &x) < 0)
		return;
	check_refused(c, "SET of error", subject_set(c->device, MIG_ERROR, NULL), CHECK_ERRNOS());
	if (check_stays(c, MIG_STOP_COPY) && x) {
		n = subject_read(x, &byte, sizeof(byte));
		if (n < 0)
			check_violated(c, "the session is gone: read gives %s", err_name((int)n));
	}
	subject_session_close(x);
}

/*
 * Paths
 */

/* Bytes of all that is left of a session. Return: negative errno where reading failed. */
static int64_t rules_fsm_drain(struct check *c, struct subject_session *x)
{
	uint8_t *buf = malloc(FSM_BLOCK);
	int64_t total = 0;
	ssize_t n = -ENOMEM;

	while (buf && !check_stopped(c) && total <= SUBJECT_STATE_MAX) {
		n = subject_read(x, buf, FSM_BLOCK);
		if (n <= 0)
			break;
		total += n;
	}
	free(buf);
	return n < 0 ? n : total;
}

/* The length of the stream of a STOP_COPY that is come by in one SET, or by arcs. */
static int64_t rules_fsm_stream_length(struct check *c, bool one_set)
{
	struct subject_session *x = NULL;
	int64_t total;
	int r;

	if (subject_go(c->device, MIG_RUNNING, NULL) < 0)
		return -EREMOTEIO;
	if (one_set) {
		r = subject_take(c->device, MIG_RUNNING, MIG_STOP_COPY, &x);
		if (!check_worked(c, "running -> stop-copy", r))
			return r;
		if (!x && subject_session_of(c->device, &x) < 0)
			return -ENOMEM;
	} else if (subject_go(c->device, MIG_STOP_COPY, &x) < 0) {
		return -EREMOTEIO;
	}
	if (!x)
		return -EBADF;
	total = rules_fsm_drain(c, x);
	subject_session_close(x);
	return total;
}

static void rules_fsm_combination(struct check *c)
{
	int64_t arcs = rules_fsm_stream_length(c, false), one;

	if (arcs < 0) {
		check_broken(c, "reading by arcs: %s", err_name((int)arcs));
		return;
	}
	one = rules_fsm_stream_length(c, true);
	if (one != arcs)
		check_violated(c, "the stream has %lld bytes after one SET, and %lld after arcs",
			       (long long)one, (long long)arcs);
}

/* A load that lacks its end, and one SET that leads far beyond it. */
static void rules_fsm_failed_path(struct check *c)
{
	static const uint32_t path[] = { MIG_RESUMING, MIG_STOP, MIG_RUNNING_P2P, MIG_ERROR };
	struct subject_session *x;
	struct subject_state state;
	uint32_t now;
	bool on_path = false;

	if (subject_save(c->device, FSM_BLOCK, &state) < 0)
		return;
	if (!drain_begin(c, c->device, MIG_RESUMING, &x)) {
		free(state.data);
		return;
	}
	if (state.len > 1)
		subject_write(x, state.data, MIN(FSM_BLOCK, state.len - 1));
	free(state.data);
	if (subject_set(c->device, MIG_RUNNING, NULL) >= 0) {
		check_note(c, "it took a stream without its end: there is no failure to look at");
	} else if (check_worked(c, "GET", subject_get(c->device, &now))) {
		for (size_t i = 0; i < ARRAY_SIZE(path); i++)
			on_path |= now == path[i];
		if (!on_path)
			check_violated(c, "it is in %s, which is not on the path",
				       subject_state_name(now));
	}
	subject_session_close(x);
}

static void rules_fsm_rounds(struct check *c)
{
	for (unsigned int i = 0; i < c->rounds && !check_stopped(c); i++) {
		if (!check_worked(c, "running -> stop",
				  subject_take(c->device, MIG_RUNNING, MIG_STOP, NULL)) ||
		    !check_stays(c, MIG_STOP) ||
		    !check_worked(c, "stop -> running",
				  subject_set(c->device, MIG_RUNNING, NULL)) ||
		    !check_stays(c, MIG_RUNNING))
			return;
	}
}

static void rules_fsm_times(struct check *c)
{
	static const enum mig_state way[] = { MIG_RUNNING_P2P, MIG_STOP,	MIG_STOP_COPY,
					      MIG_STOP,	       MIG_RUNNING_P2P, MIG_RUNNING };
	char text[160] = "", took[UNITS_MAX];
	enum mig_state from = MIG_RUNNING;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(way); i++) {
		uint64_t start = clock_ns();
		int r;

		if (!fsm_supported(way[i], c->device->caps))
			continue;
		r = subject_take(c->device, from, way[i], NULL);
		if (r < 0) {
			check_broken(c, "SET of %s: %s", fsm_name(way[i]), err_name(r));
			return;
		}
		from = way[i];
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s-> %s %s", at ? ", " : "",
				       fsm_name(way[i]), format_duration(took, clock_ns() - start));
		if (at >= sizeof(text))
			break;
	}
	check_tell(c, "%s", text);
}

#define FSM_SOURCE "uapi: enum vfio_device_mig_state"
#define FSM_SET_SOURCE "uapi: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE"
#define FSM_TABLE_SOURCE "uapi: enum vfio_device_mig_state, vfio_mig_get_next_state()"

#define FSM_P2P CHECK_NEEDS_P2P
#define FSM_PRE CHECK_NEEDS_PRE_COPY
#define FSM_BOTH (CHECK_NEEDS_P2P | CHECK_NEEDS_PRE_COPY)
#define KEEPS CHECK_HARMLESS
#define LOSES CHECK_DESTRUCTIVE

#define FSM_WAY(from, to, harm_, needs_)                                                          \
	{                                                                                         \
		.id = "fsm." from "-to-" to, .level = CHECK_MUST, .harm = (harm_),                \
		.needs = (needs_),                                                                \
		.text = from " -> " to " works, and gives a data_fd only if it begins a session", \
		.source = FSM_TABLE_SOURCE, .run = rules_fsm_way                                  \
	}

#define FSM_NONE(from, to, harm_, needs_)                                          \
	{                                                                          \
		.id = "fsm." from "-to-" to, .level = CHECK_MUST, .harm = (harm_), \
		.needs = (needs_),                                                 \
		.text = from " -> " to " fails with EINVAL and changes nothing",   \
		.source = FSM_TABLE_SOURCE, .run = rules_fsm_none                  \
	}

#define FSM_SAME(state, harm_, needs_)                                               \
	{                                                                            \
		.id = "fsm." state "-again", .level = CHECK_SHOULD, .harm = (harm_), \
		.needs = (needs_),                                                   \
		.text = "SET of " state " in " state " succeeds and does nothing",   \
		.source = "kernel: the migration_set_state callbacks of drivers",    \
		.run = rules_fsm_same                                                \
	}

static const struct check_rule fsm_rules[] = {
	/* clang-format off */
	FSM_SAME("running", KEEPS, 0),
	FSM_WAY("running", "running-p2p", KEEPS, FSM_P2P),
	FSM_WAY("running", "stop", KEEPS, 0),
	FSM_WAY("running", "stop-copy", KEEPS, 0),
	FSM_WAY("running", "resuming", LOSES, 0),
	FSM_WAY("running", "pre-copy", KEEPS, FSM_PRE),
	FSM_WAY("running", "pre-copy-p2p", KEEPS, FSM_BOTH),
	FSM_WAY("running-p2p", "running", KEEPS, FSM_P2P),
	FSM_SAME("running-p2p", KEEPS, FSM_P2P),
	FSM_WAY("running-p2p", "stop", KEEPS, FSM_P2P),
	FSM_WAY("running-p2p", "stop-copy", KEEPS, FSM_P2P),
	FSM_WAY("running-p2p", "resuming", LOSES, FSM_P2P),
	FSM_WAY("running-p2p", "pre-copy", KEEPS, FSM_BOTH),
	FSM_WAY("running-p2p", "pre-copy-p2p", KEEPS, FSM_BOTH),
	FSM_WAY("stop", "running", KEEPS, 0),
	FSM_WAY("stop", "running-p2p", KEEPS, FSM_P2P),
	FSM_SAME("stop", KEEPS, 0),
	FSM_WAY("stop", "stop-copy", KEEPS, 0),
	FSM_WAY("stop", "resuming", LOSES, 0),
	FSM_WAY("stop", "pre-copy", KEEPS, FSM_PRE),
	FSM_WAY("stop", "pre-copy-p2p", KEEPS, FSM_BOTH),
	FSM_WAY("stop-copy", "running", KEEPS, 0),
	FSM_WAY("stop-copy", "running-p2p", KEEPS, FSM_P2P),
	FSM_WAY("stop-copy", "stop", KEEPS, 0),
	FSM_SAME("stop-copy", KEEPS, 0),
	FSM_WAY("stop-copy", "resuming", LOSES, 0),
	FSM_NONE("stop-copy", "pre-copy", KEEPS, FSM_PRE),
	FSM_NONE("stop-copy", "pre-copy-p2p", KEEPS, FSM_BOTH),
	FSM_WAY("resuming", "running", LOSES, 0),
	FSM_WAY("resuming", "running-p2p", LOSES, FSM_P2P),
	FSM_WAY("resuming", "stop", LOSES, 0),
	FSM_WAY("resuming", "stop-copy", LOSES, 0),
	FSM_SAME("resuming", LOSES, 0),
	FSM_WAY("resuming", "pre-copy", LOSES, FSM_PRE),
	FSM_WAY("resuming", "pre-copy-p2p", LOSES, FSM_BOTH),
	FSM_WAY("pre-copy", "running", KEEPS, FSM_PRE),
	FSM_WAY("pre-copy", "running-p2p", KEEPS, FSM_BOTH),
	FSM_WAY("pre-copy", "stop", KEEPS, FSM_PRE),
	FSM_WAY("pre-copy", "stop-copy", KEEPS, FSM_PRE),
	FSM_WAY("pre-copy", "resuming", LOSES, FSM_PRE),
	FSM_SAME("pre-copy", KEEPS, FSM_PRE),
	FSM_WAY("pre-copy", "pre-copy-p2p", KEEPS, FSM_BOTH),
	FSM_WAY("pre-copy-p2p", "running", KEEPS, FSM_BOTH),
	FSM_WAY("pre-copy-p2p", "running-p2p", KEEPS, FSM_BOTH),
	FSM_WAY("pre-copy-p2p", "stop", KEEPS, FSM_BOTH),
	FSM_WAY("pre-copy-p2p", "stop-copy", KEEPS, FSM_BOTH),
	FSM_WAY("pre-copy-p2p", "resuming", LOSES, FSM_BOTH),
	FSM_WAY("pre-copy-p2p", "pre-copy", KEEPS, FSM_BOTH),
	FSM_SAME("pre-copy-p2p", KEEPS, FSM_BOTH),
	{ "fsm.error-refused", CHECK_MUST, CHECK_HARMLESS, 0,
	  "SET of error fails with EINVAL and changes nothing",
	  FSM_SOURCE ", any -> ERROR", rules_fsm_error },
	{ "fsm.invalid-refused", CHECK_MUST, CHECK_HARMLESS, 0,
	  "SET of a number that is no state fails with EINVAL and changes nothing",
	  FSM_SOURCE, rules_fsm_invalid },
	{ "fsm.p2p-not-announced", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_NO_P2P,
	  "without VFIO_MIGRATION_P2P, SET of its states fails with EINVAL, with no effect",
	  FSM_SOURCE ", optional states", rules_fsm_no_p2p },
	{ "fsm.pre-copy-not-announced", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_NO_PRE_COPY,
	  "without VFIO_MIGRATION_PRE_COPY, SET of its states fails with EINVAL, with no effect",
	  FSM_SOURCE ", optional states", rules_fsm_no_pre_copy },
	{ "fsm.refused-keeps-session", CHECK_MUST, CHECK_HARMLESS, 0,
	  "a SET that is no arc leaves the session as it is",
	  FSM_SET_SOURCE, rules_fsm_refused_session },
	{ "fsm.combination-equals-arcs", CHECK_SHOULD, CHECK_HARMLESS, 0,
	  "running -> stop-copy in one SET gives a stream as long as one after each arc by itself",
	  FSM_SOURCE ", combinations", rules_fsm_combination },
	{ "fsm.failed-set-on-path", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a SET that fails leaves a state of its path, or ERROR",
	  FSM_SET_SOURCE, rules_fsm_failed_path },
	{ "fsm.rounds", CHECK_MUST, CHECK_HARMLESS, 0,
	  "stopping and starting works each time",
	  FSM_SET_SOURCE, rules_fsm_rounds },
	{ "fsm.arc-times", CHECK_TELLS, CHECK_HARMLESS, 0,
	  "what each arc took",
	  FSM_SET_SOURCE, rules_fsm_times },
	/* clang-format on */
};

const struct check_group check_fsm_rules = CHECK_GROUP(fsm_rules);
