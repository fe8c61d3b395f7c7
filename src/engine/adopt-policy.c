// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>

#include "engine/adopt-policy.h"

#define TAKE ADOPT_TAKE
#define TELL ADOPT_TELL
#define SAVES ADOPT_OWNER_SAVES
#define LOADS ADOPT_OWNER_LOADS
#define MOVES ADOPT_OWNER_MOVES
#define RUNS ADOPT_RUNS
#define USED ADOPT_USED
#define BROKEN ADOPT_BROKEN

/* What the state alone says, by purpose. */
static const enum adopt_verdict by_state[MIG_NR_STATES][ADOPT_NR_PURPOSES] = {
	/* clang-format off */
	/*                      save    load    set     reset  */
	[MIG_ERROR]        = { BROKEN, BROKEN, BROKEN, TAKE   },
	[MIG_STOP]         = { TAKE,   TAKE,   TAKE,   USED   },
	[MIG_RUNNING]      = { TAKE,   RUNS,   TELL,   USED   },
	[MIG_STOP_COPY]    = { SAVES,  SAVES,  SAVES,  SAVES  },
	[MIG_RESUMING]     = { LOADS,  LOADS,  LOADS,  LOADS  },
	[MIG_RUNNING_P2P]  = { MOVES,  MOVES,  MOVES,  MOVES  },
	[MIG_PRE_COPY]     = { SAVES,  SAVES,  SAVES,  SAVES  },
	[MIG_PRE_COPY_P2P] = { SAVES,  SAVES,  SAVES,  SAVES  },
	/* clang-format on */
};

/* These depend on what the owner does beside. */
static bool adopt_policy_is_open(enum adopt_verdict verdict)
{
	return verdict == ADOPT_TAKE || verdict == ADOPT_TELL || verdict == ADOPT_RUNS ||
	       verdict == ADOPT_USED;
}

static enum adopt_verdict adopt_policy_streams(const struct adopt_facts *facts)
{
	if (facts->loading)
		return ADOPT_OWNER_WRITES;
	return facts->saving ? ADOPT_OWNER_READS : ADOPT_TAKE;
}

enum adopt_verdict adopt_judge(const struct adopt_facts *facts)
{
	enum adopt_verdict verdict = by_state[facts->state][facts->purpose];
	enum adopt_verdict streams = adopt_policy_streams(facts);

	/* No stream that is open is of use any more. */
	if (facts->state == MIG_ERROR)
		return verdict;
	if (facts->forced)
		return streams;
	if (!adopt_policy_is_open(verdict))
		return verdict;
	if (streams != ADOPT_TAKE)
		return streams;
	return verdict == ADOPT_RUNS && facts->frozen ? ADOPT_TAKE : verdict;
}

const char *adopt_reason(enum adopt_purpose purpose, enum adopt_verdict verdict,
			 const char **ret_hint)
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
		[ADOPT_USED] = { "its owner uses it, and does not learn of a reset",
			"to reset it all the same: --force" },
		[ADOPT_BROKEN] = { "it is in ERROR", "its owner has to reset it" },
		/* clang-format on */
	};

	*ret_hint = texts[verdict].hint;
	if (*ret_hint == later && (purpose == ADOPT_SET || purpose == ADOPT_RESET))
		*ret_hint = "try again once that has ended; if it was left behind: --force";
	return texts[verdict].reason;
}
