/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which steps bring a PCI function to another driver
 *
 * Pure: facts in, one verdict and its steps out, by the first row of a table that fits; and for
 * each step what undoes it.
 */

#include <stdbool.h>

/* Which driver has it. Each is one bit, so that a row can take several. */
enum bind_now {
	BIND_NOW_NONE = 1 << 0,
	BIND_NOW_TARGET = 1 << 1, /* the one that it is to have */
	BIND_NOW_OTHER = 1 << 2,
};

enum bind_want {
	BIND_WANT_DRIVER = 1 << 0,
	BIND_WANT_NONE = 1 << 1, /* no driver */
	BIND_WANT_BACK = 1 << 2, /* what the record says, which may be none */
};

/*
 * What an earlier call has left. A rule without a record is a call of an earlier boot, whose work
 * udev has taken up: as one that was cut off.
 */
enum bind_past {
	BIND_PAST_NONE = 1 << 0, /* nothing: no call has changed its driver */
	BIND_PAST_DONE = 1 << 1, /* what it had before */
	BIND_PAST_CUT = 1 << 2, /* and that the call was killed half-way */
};

/* What a rule for every boot says of it (host/udev-rule.h). */
enum bind_rule {
	BIND_RULE_NONE = 1 << 0, /* there is none */
	BIND_RULE_SAME = 1 << 1, /* the driver that it is to have */
	BIND_RULE_OTHER = 1 << 2,
};

/* For how long. */
enum bind_term {
	BIND_TERM_BOOT = 1 << 0, /* up to the next boot */
	BIND_TERM_EVERY = 1 << 1, /* at every boot */
};

/**
 * struct bind_facts
 * @now: BIND_NOW_NONE also where none is wanted, which counts as the target
 * @to_none: what it is to have is no driver
 * @used: something uses it
 * @term: of BIND_WANT_DRIVER
 * @force: the user wants it nevertheless
 */
struct bind_facts {
	enum bind_now now;
	enum bind_want want;
	enum bind_past past;
	enum bind_rule rule;
	enum bind_term term;
	bool to_none, used, force;
};

/* In the order in which they are taken. */
enum bind_step {
	BIND_MEND = 1 << 0, /* driver_override as it was before the call that was killed */
	BIND_RECORD = 1 << 1, /* write down what it has: before anything changes */
	BIND_UNBIND = 1 << 2,
	BIND_BIND = 1 << 3,
	BIND_KEEP = 1 << 4, /* write the rule */
	BIND_DROP = 1 << 5, /* remove the rule */
	BIND_SETTLE = 1 << 6, /* the record says that the work is done */
	BIND_FORGET = 1 << 7, /* remove the record */
};
#define BIND_STEPS 8u

enum bind_verdict {
	BIND_READY, /* by the steps, which may be none */
	BIND_IN_USE, /* refused */
	BIND_NO_RECORD, /* nothing to go back to */
};

/**
 * bind_plan() - what is to be done
 * @ret_steps: enum bind_step; 0 unless BIND_READY
 */
enum bind_verdict bind_plan(const struct bind_facts *facts, unsigned int *ret_steps);

/* What undoes a step. */
enum bind_undo {
	BIND_UNDO_NOTHING,
	BIND_UNDO_BIND, /* to the driver that it had when the call began */
	BIND_UNDO_UNBIND,
	BIND_UNDO_RULE, /* as it was when the call began, which may be none */
	BIND_UNDO_RECORD, /* remove the record that this call has written */
};

enum bind_undo bind_step_undo(enum bind_step step);

/** bind_changes() - a step of @steps changes the driver */
bool bind_changes(unsigned int steps);
