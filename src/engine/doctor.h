/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why a device is not migratable
 *
 * A table of rules, in the order in which things have to be put right; vfiomigctl-doctor(8) has
 * the same one. Pure: examine.h finds out the facts.
 */

#include "engine/examine.h"

enum doctor_verdict {
	DOCTOR_NOT_ASKED, /* the rule says nothing of such a device */
	DOCTOR_OK,
	DOCTOR_UNKNOWN, /* it could not be seen from here, or is for its user to judge */
	DOCTOR_PROBLEM,
};

/*
 * What is safe to do about a problem without being asked: it stops and resets nothing that is in
 * use, and can be undone. In the order in which it is to be done.
 */
enum doctor_fix {
	DOCTOR_FIX_NONE, /* by hand, if at all */
	DOCTOR_FIX_VFIO, /* load VFIO */
	DOCTOR_FIX_IOMMUFD, /* load iommufd */
	DOCTOR_FIX_SWITCH, /* switch the VF on in devlink, which comes before its driver */
	DOCTOR_FIX_DRIVER, /* bind it to its driver, whose module is loaded */
	DOCTOR_NR_FIXES
};

/**
 * struct doctor_finding - what a rule has found
 * @evidence: what was seen; never empty
 * @cause: why it is so, and what follows; NULL where there is nothing to say; static
 * @command: what mends it, or shows more; "" for none
 * @fix: of a problem: which fix @command is
 */
struct doctor_finding {
	enum doctor_verdict verdict;
	char evidence[384];
	const char *cause;
	char command[320];
	enum doctor_fix fix;
};

enum doctor_subject {
	DOCTOR_HOST,
	DOCTOR_DEVICE,
};

/* What a problem means for the fixes of other problems of the device. */
enum doctor_gate {
	DOCTOR_OPEN,
	DOCTOR_GATE, /* until it is mended, they would change the device for nothing */
};

/* struct doctor_rule - @name and @question are a promise to scripts and to the manual */
struct doctor_rule {
	enum doctor_subject subject;
	enum doctor_gate gate;
	const char *name, *question;
	void (*judge)(const struct host_facts *h, const struct device_facts *d,
		      struct doctor_finding *f);
};

/** doctor_rule_at() - all of them, those of the host first. Return: NULL behind the last. */
const struct doctor_rule *doctor_rule_at(unsigned int i);

/**
 * doctor_judge() - have one rule look
 * @d: may be NULL for a rule of the host
 */
void doctor_judge(const struct doctor_rule *rule, const struct host_facts *h,
		  const struct device_facts *d, struct doctor_finding *ret);

#define DOCTOR_FIX_WORDS 6

/**
 * doctor_fix_words() - the command that is a fix
 * @d: as of doctor_judge()
 * @ret: its words, then NULL; @d's and @h's, or static
 */
void doctor_fix_words(enum doctor_fix fix, const struct host_facts *h, const struct device_facts *d,
		      const char *ret[DOCTOR_FIX_WORDS + 1]);

/** doctor_verdict_name() - "ok", "unknown", "problem"; NULL for what was not asked */
const char *doctor_verdict_name(enum doctor_verdict verdict);
