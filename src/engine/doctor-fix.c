// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "engine/doctor-fix.h"

/* What is changed by it: a host's modules may be loaded whatever is wrong with a device. */
static const enum doctor_subject doctor_fix_changes[DOCTOR_NR_FIXES] = {
	[DOCTOR_FIX_VFIO] = DOCTOR_HOST,
	[DOCTOR_FIX_IOMMUFD] = DOCTOR_HOST,
	[DOCTOR_FIX_SWITCH] = DOCTOR_DEVICE,
	[DOCTOR_FIX_DRIVER] = DOCTOR_DEVICE,
};

static bool doctor_fix_find(const struct doctor_fix_fact *facts, size_t n, enum doctor_fix fix,
			    size_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (facts[i].verdict != DOCTOR_PROBLEM || facts[i].fix != fix)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

static bool doctor_fix_find_gate(const struct doctor_fix_fact *facts, size_t n, size_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (facts[i].verdict != DOCTOR_PROBLEM || facts[i].fix != DOCTOR_FIX_NONE ||
		    facts[i].rule->gate != DOCTOR_GATE)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

enum doctor_fix_next doctor_fix_next(const struct doctor_fix_fact *facts, size_t n,
				     unsigned int taken, size_t *ret_which)
{
	for (unsigned int fix = DOCTOR_FIX_NONE + 1; fix < DOCTOR_NR_FIXES; fix++) {
		if (!doctor_fix_find(facts, n, (enum doctor_fix)fix, ret_which))
			continue;
		if (taken & 1u << fix)
			return DOCTOR_NEXT_NO_HELP;
		if (doctor_fix_changes[fix] == DOCTOR_DEVICE &&
		    doctor_fix_find_gate(facts, n, ret_which))
			return DOCTOR_NEXT_GATED;
		return DOCTOR_NEXT_FIX;
	}
	return DOCTOR_NEXT_NOTHING;
}
