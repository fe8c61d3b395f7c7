/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which fix is next, of all that doctor has found
 *
 * One at a time: what the next one is follows from another look, since a fix may mend more than its
 * own problem, or nothing. Pure.
 */

#include "engine/doctor.h"

/**
 * struct doctor_fix_fact - a finding
 * @rule: that has found it
 */
struct doctor_fix_fact {
	const struct doctor_rule *rule;
	enum doctor_verdict verdict;
	enum doctor_fix fix;
};

enum doctor_fix_next {
	DOCTOR_NEXT_FIX, /* take it */
	DOCTOR_NEXT_NOTHING, /* no problem that is left has a fix */
	DOCTOR_NEXT_GATED, /* a problem without one stands before it */
	DOCTOR_NEXT_NO_HELP, /* it was taken, and its problem is still there */
};

/**
 * doctor_fix_next() - judge all findings
 * @taken: a bit (1 << enum doctor_fix) for each that was
 * @ret_which: of DOCTOR_NEXT_FIX and DOCTOR_NEXT_NO_HELP the finding that is mended; of
 *	DOCTOR_NEXT_GATED the one that stands before it
 */
enum doctor_fix_next doctor_fix_next(const struct doctor_fix_fact *facts, size_t n,
				     unsigned int taken, size_t *ret_which);
