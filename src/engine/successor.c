// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/successor.h"

#define HERE SUCCESSOR_HERE
#define OFFERED SUCCESSOR_OFFERED
#define TOOK SUCCESSOR_TOOK
#define REFUSED SUCCESSOR_REFUSED
#define FAILED SUCCESSOR_FAILED
#define DOUBT SUCCESSOR_DOUBT

/*
 * Before they were offered no answer can be about them: it is a failure. After it only an explicit
 * refusal is one.
 */
enum successor_stage successor_next(enum successor_stage stage, enum successor_event event)
{
	static const enum successor_stage next[SUCCESSOR_NR_STAGES][SUCCESSOR_NR_EVENTS] = {
		/* clang-format off */
		/*            OFFER    TAKE     REFUSE   FAILURE */
		[HERE]    = { OFFERED, FAILED,  REFUSED, FAILED  },
		[OFFERED] = { OFFERED, TOOK,    REFUSED, DOUBT   },
		[TOOK]    = { TOOK,    TOOK,    TOOK,    TOOK    },
		[REFUSED] = { REFUSED, REFUSED, REFUSED, REFUSED },
		[FAILED]  = { FAILED,  FAILED,  FAILED,  FAILED  },
		[DOUBT]   = { DOUBT,   DOUBT,   DOUBT,   DOUBT   },
		/* clang-format on */
	};

	return next[stage][event];
}

/* What is not certain to be open elsewhere is kept open here: twice loses nothing. */
enum successor_hold successor_holds(enum successor_stage stage)
{
	return stage == TOOK ? SUCCESSOR_LET_GO : SUCCESSOR_HOLD;
}

struct handover_verdict successor_verdict(enum successor_stage stage,
					  struct handover_verdict loaded)
{
	static const struct {
		enum handover_status status;
		enum outcome outcome;
	} rows[SUCCESSOR_NR_STAGES] = {
		/* clang-format off */
		[HERE]    = { HANDOVER_DEVICE,   OUTCOME_DEVICE_ERROR },
		[OFFERED] = { HANDOVER_IN_DOUBT, OUTCOME_IN_DOUBT     },
		[TOOK]    = { HANDOVER_DONE,     OUTCOME_COMPLETED    },
		[REFUSED] = { HANDOVER_DEVICE,   OUTCOME_DEVICE_ERROR },
		[FAILED]  = { HANDOVER_DEVICE,   OUTCOME_DEVICE_ERROR },
		[DOUBT]   = { HANDOVER_IN_DOUBT, OUTCOME_IN_DOUBT     },
		/* clang-format on */
	};

	return (struct handover_verdict){ rows[stage].status, rows[stage].outcome, loaded.owner };
}

enum successor_stage successor_worst(const enum successor_stage *stages, unsigned int n)
{
	unsigned int took = 0;
	enum successor_stage worst = TOOK;

	for (unsigned int i = 0; i < n; i++) {
		if (stages[i] == DOUBT || stages[i] == OFFERED)
			return DOUBT;
		if (stages[i] == TOOK)
			took++;
		else
			worst = stages[i];
	}
	return took && took < n ? DOUBT : worst;
}
