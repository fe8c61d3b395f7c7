/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a rule has said, and what it did for that
 *
 * Each question to the device is a line; the same one again is counted, and of many the first ones
 * and the last ones are kept. The
 * verdict and its reason stand apart, so that no number of questions pushes them out. Several
 * threads of a rule write, and the runner reads while a rule that does not come back still does.
 */

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "base/cancel.h"
#include "base/err.h"
#include "check/check.h"

#define CHECK_LINE_MAX 192

/**
 * struct check_record - of one rule that is being tried
 * @cancel: ends its time; the calls of its subjects are made under it
 * @verdict, @reason: the worst so far, and what it was said with first
 * @said: counts all of them, for who waits
 * @times: of a line, one after the other
 * @lines: @n_lines were written: the first half of those kept stays
 * @random: state of check_random()
 */
struct check_record {
	struct cancel *cancel;
	atomic_ulong said;
	pthread_mutex_t lock; /* of what follows */
	enum check_verdict verdict;
	char reason[CHECK_LINE_MAX];
	size_t n_lines;
	unsigned int times[CHECK_EVIDENCE_MAX];
	char lines[CHECK_EVIDENCE_MAX][CHECK_LINE_MAX];
	uint64_t random;
};

/** check_record_init() - @random: of the run's seed and the rule (check_record_seed()) */
void check_record_init(struct check_record *r, struct cancel *cancel, uint64_t random);
void check_record_done(struct check_record *r);

/** check_record_seed() - a start for check_random(): another one for each rule. Pure. */
uint64_t check_record_seed(uint64_t seed, const char *id);

/** check_record_add() - a line of evidence */
void check_record_add(struct check_record *r, const char *fmt, ...) _printf_(2, 3);

/** check_record_say() - a verdict, and the line that goes with it */
void check_record_say(struct check_record *r, enum check_verdict verdict, const char *fmt,
		      va_list ap) __attribute__((format(printf, 3, 0)));

/**
 * check_record_evidence() - the lines that were kept, one under the other
 *
 * A line between the first ones and the last ones says how many are missing.
 *
 * Return: the caller's, NULL when memory is out.
 */
char *check_record_evidence(struct check_record *r);

/** check_record_verdict() - what it is so far, and its reason. */
enum check_verdict check_record_verdict(struct check_record *r, char reason[CHECK_LINE_MAX]);
