// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/load-outcome.h"
#include "uapi/vfio.h"

/* Of a refused RESUMING -> STOP: "the original state or some other state along the path". */
static bool load_outcome_on_path(uint32_t state)
{
	return state == MIG_RESUMING || state == MIG_STOP || state == MIG_ERROR;
}

enum load_outcome load_outcome(const struct load_observed *seen)
{
	if (seen->stop < 0)
		return load_outcome_on_path(seen->state) ? LOAD_REFUSED : LOAD_STRAY;
	if (seen->state != MIG_STOP)
		return LOAD_ASTRAY;
	if (seen->write < 0)
		return LOAD_FORGOTTEN;
	return seen->saves ? LOAD_UNNOTICED : LOAD_BROKE;
}

const char *load_outcome_text(enum load_outcome outcome)
{
	switch (outcome) {
	case LOAD_REFUSED:
		return "was refused";
	case LOAD_UNNOTICED:
		return "was not noticed; the device can still be saved";
	case LOAD_FORGOTTEN:
		return "was refused by write(), and then loaded all the same";
	case LOAD_STRAY:
		return "was refused, and left the device off the path";
	case LOAD_ASTRAY:
		return "was loaded, and the device is not in stop";
	case LOAD_BROKE:
		return "was loaded, and the device cannot be saved any more";
	}
	return "is of no kind";
}
