// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>

#include "engine/adopt-policy.h"

#define TAKE ADOPT_TAKE
#define SAVES ADOPT_OWNER_SAVES
#define LOADS ADOPT_OWNER_LOADS
#define MOVES ADOPT_OWNER_MOVES
#define RUNS ADOPT_RUNS
#define BROKEN ADOPT_BROKEN

/* What the state alone says, by purpose. */
static const enum adopt_verdict by_state[MIG_NR_STATES][ADOPT_NR_PURPOSES] = {
	/* clang-format off */
	/*                      save    load   */
	[MIG_ERROR]        = { BROKEN, BROKEN },
	[MIG_STOP]         = { TAKE,   TAKE   },
	[MIG_RUNNING]      = { TAKE,   RUNS   },
	[MIG_STOP_COPY]    = { SAVES,  SAVES  },
	[MIG_RESUMING]     = { LOADS,  LOADS  },
	[MIG_RUNNING_P2P]  = { MOVES,  MOVES  },
	[MIG_PRE_COPY]     = { SAVES,  SAVES  },
	[MIG_PRE_COPY_P2P] = { SAVES,  SAVES  },
	/* clang-format on */
};

enum adopt_verdict adopt_judge(const struct adopt_facts *facts)
{
	enum adopt_verdict verdict = by_state[facts->state][facts->purpose];

	if (verdict != ADOPT_TAKE && verdict != ADOPT_RUNS)
		return verdict;
	if (facts->loading)
		return ADOPT_OWNER_WRITES;
	if (facts->saving)
		return ADOPT_OWNER_READS;
	return verdict == ADOPT_RUNS && facts->frozen ? ADOPT_TAKE : verdict;
}

const char *adopt_reason(enum adopt_verdict verdict, const char **ret_hint)
{
	static const char later[] = "try again once its owner has ended with it";
	static const struct {
		const char *reason, *hint;
	} texts[ADOPT_NR_VERDICTS] = {
		/* clang-format off */
		[ADOPT_OWNER_SAVES] = { "its owner saves it itself, or another vfiomigctl does",
			later },
		[ADOPT_OWNER_LOADS] = { "its owner loads it itself", later },
		[ADOPT_OWNER_MOVES] = { "its owner is stopping or starting it", later },
		[ADOPT_OWNER_READS] = {
			"its owner has a driver's stream open, as if it saved it",
			"have it end its migration, or close the stream" },
		[ADOPT_OWNER_WRITES] = {
			"its owner has a driver's stream open, as if it loaded it",
			"have it end its migration, or close the stream" },
		[ADOPT_RUNS] = { "its owner uses it: it runs",
			"pause the owner, so that the device is in STOP (of QEMU: stop), or "
			"freeze it (--freeze-owner)" },
		[ADOPT_BROKEN] = { "it is in ERROR", "its owner has to reset it" },
		/* clang-format on */
	};

	*ret_hint = texts[verdict].hint;
	return texts[verdict].reason;
}
