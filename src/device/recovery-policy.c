// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/recovery-policy.h"

#define DONE MIG_STEP_DONE
#define WALK MIG_STEP_WALK
#define RESET MIG_STEP_RESET
#define LEAVE MIG_STEP_LEAVE

enum mig_step mig_next_step(enum mig_holds holds, enum mig_place place)
{
	static const enum mig_step steps[MIG_NR_HOLDS][MIG_NR_PLACES] = {
		/* clang-format off */
		/*                       unknown  wanted  error   resuming  other  moved */
		[MIG_HOLDS_OWN]      = { LEAVE,   DONE,   RESET,  LEAVE,    WALK,  LEAVE },
		[MIG_HOLDS_GIVEN_UP] = { RESET,   RESET,  RESET,  RESET,    RESET, RESET },
		[MIG_HOLDS_ACCEPTED] = { LEAVE,   DONE,   LEAVE,  LEAVE,    WALK,  LEAVE },
		[MIG_HOLDS_NOTHING]  = { LEAVE,   DONE,   LEAVE,  LEAVE,    WALK,  LEAVE },
		/* clang-format on */
	};

	return steps[holds][place];
}

enum mig_fate mig_fate_of(enum mig_place place, bool lost)
{
	static const enum mig_fate fates[MIG_NR_PLACES][2] = {
		/* clang-format off */
		/*                        has it             lost it */
		[MIG_PLACE_UNKNOWN]  = { MIG_FATE_UNKNOWN,  MIG_FATE_UNKNOWN },
		[MIG_PLACE_WANTED]   = { MIG_FATE_BACK,     MIG_FATE_BLANK   },
		[MIG_PLACE_ERROR]    = { MIG_FATE_LOST,     MIG_FATE_LOST    },
		[MIG_PLACE_RESUMING] = { MIG_FATE_LOST,     MIG_FATE_LOST    },
		[MIG_PLACE_OTHER]    = { MIG_FATE_HOLDS,    MIG_FATE_LOST    },
		[MIG_PLACE_MOVED]    = { MIG_FATE_BACK,     MIG_FATE_BLANK   },
		/* clang-format on */
	};

	return fates[place][lost];
}
