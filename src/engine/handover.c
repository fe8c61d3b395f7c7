// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <stddef.h>

#include "base/macros.h"
#include "engine/handover.h"

/*
 * The sender
 */

#define SENDING HANDOVER_SENDING
#define ENDING HANDOVER_ENDING
#define FAILED HANDOVER_FAILED
#define REFUSED HANDOVER_REFUSED
#define DOUBT HANDOVER_DOUBT
#define TAKEN HANDOVER_TAKEN
#define ACCEPTED HANDOVER_ACCEPTED

/*
 * Before the end has left, "accepted" is as good as a failure: the receiver cannot have the state.
 * After it a file that fails has no name, and nothing acts on it.
 */
enum handover_sent handover_sent_next(enum handover_link link, enum handover_sent sent,
				      enum handover_event event)
{
	static const enum handover_sent before_end[HANDOVER_NR_EVENTS] = {
		/* clang-format off */
		/* END     TAKEN   ACCEPT  REFUSE   FAILURE */
		   ENDING, FAILED, FAILED, REFUSED, FAILED,
		/* clang-format on */
	};
	static const enum handover_sent after_end[HANDOVER_NR_LINKS][HANDOVER_NR_EVENTS] = {
		/* clang-format off */
		/*                       END     TAKEN   ACCEPT    REFUSE   FAILURE */
		[HANDOVER_STORED]   = { ENDING, TAKEN,  FAILED,   FAILED,  FAILED },
		[HANDOVER_ONE_WAY]  = { ENDING, TAKEN,  DOUBT,    DOUBT,   DOUBT  },
		[HANDOVER_ANSWERED] = { ENDING, DOUBT,  ACCEPTED, REFUSED, DOUBT  },
		/* clang-format on */
	};

	if (sent == SENDING)
		return before_end[event];
	return sent == ENDING ? after_end[link][event] : sent;
}

bool handover_gives_back(enum handover_sent sent)
{
	return sent == FAILED || sent == REFUSED;
}

#define IS(value) (1u << (value))
#define ANY (~0u)
#define STORED IS(HANDOVER_STORED)
#define ONE_WAY IS(HANDOVER_ONE_WAY)
#define NOT_SENT (IS(FAILED) | IS(REFUSED))
#define MAYBE (IS(TAKEN) | IS(DOUBT))
#define COPY 1u
#define MOVE 2u
#define BACK IS(MIG_FATE_BACK)
#define HOLDS IS(MIG_FATE_HOLDS)
#define GONE (IS(MIG_FATE_BLANK) | IS(MIG_FATE_LOST))

/* Status, outcome, owner. */
#define COMPLETED(owner)                                        \
	{                                                       \
		HANDOVER_DONE, OUTCOME_COMPLETED, OWNER_##owner \
	}
#define ABORTED(owner)                                             \
	{                                                          \
		HANDOVER_AS_FAILED, OUTCOME_ABORTED, OWNER_##owner \
	}
#define IN_DOUBT(owner)                                            \
	{                                                          \
		HANDOVER_IN_DOUBT, OUTCOME_IN_DOUBT, OWNER_##owner \
	}
#define DEVICE(owner)                                                \
	{                                                            \
		HANDOVER_DEVICE, OUTCOME_DEVICE_ERROR, OWNER_##owner \
	}

/* The first row that fits; masks but for the verdict. */
struct handover_row {
	unsigned int links, sent, kinds, fates;
	struct handover_verdict verdict;
};

struct handover_verdict handover_sender_verdict(enum handover_link link, enum handover_sent sent,
						bool copy, enum mig_fate fate)
{
	static const struct handover_row rows[] = {
		/* clang-format off */
		/* it was not handed over: the device has it, or nothing has */
		{ ANY,     NOT_SENT,     ANY,  BACK,  ABORTED(SOURCE)        },
		{ ANY,     NOT_SENT,     ANY,  HOLDS, DEVICE(SOURCE)         },
		{ ANY,     NOT_SENT,     ANY,  GONE,  DEVICE(NONE)           },
		{ ANY,     NOT_SENT,     ANY,  ANY,   DEVICE(UNKNOWN)        },
		/* an accepted move: whatever the device does, the state is the receiver's */
		{ ANY,     IS(ACCEPTED), MOVE, BACK,  COMPLETED(DESTINATION) },
		{ ANY,     IS(ACCEPTED), MOVE, ANY,   DEVICE(DESTINATION)    },
		/* a move that its reader may run, or may not */
		{ ONE_WAY, IS(TAKEN),    MOVE, BACK,  COMPLETED(UNKNOWN)     },
		{ ANY,     IS(DOUBT),    MOVE, BACK,  IN_DOUBT(UNKNOWN)      },
		{ ONE_WAY, MAYBE,        MOVE, ANY,   DEVICE(UNKNOWN)        },
		{ ANY,     IS(DOUBT),    MOVE, ANY,   DEVICE(UNKNOWN)        },
		/* a copy, or a file: the device goes on with the state, if it has it */
		{ ANY,     IS(DOUBT),    COPY, BACK,  ABORTED(SOURCE)        },
		{ ANY,     ANY,          ANY,  BACK,  COMPLETED(SOURCE)      },
		{ ANY,     ANY,          ANY,  HOLDS, DEVICE(SOURCE)         },
		{ ANY,     IS(ACCEPTED), COPY, GONE,  DEVICE(DESTINATION)    },
		{ STORED,  IS(TAKEN),    ANY,  GONE,  DEVICE(NONE)           },
		{ ANY,     ANY,          ANY,  ANY,   DEVICE(UNKNOWN)        },
		/* clang-format on */
	};
	size_t i = 0;

	while (!(rows[i].links & IS(link)) || !(rows[i].sent & IS(sent)) ||
	       !(rows[i].kinds & (copy ? COPY : MOVE)) || !(rows[i].fates & IS(fate))) {
		i++;
		assert(i < ARRAY_SIZE(rows));
	}
	return rows[i].verdict;
}

/*
 * The receiver
 */

enum handover_give_up handover_gives_up(enum handover_received received)
{
	static const enum handover_give_up what[HANDOVER_NR_RECEIVED] = {
		[HANDOVER_IDLE] = HANDOVER_NOTHING_TO_DO, [HANDOVER_TOUCHED] = HANDOVER_RETURN,
		[HANDOVER_LOADING] = HANDOVER_DISCARD,	  [HANDOVER_ANSWERING] = HANDOVER_KEEP,
		[HANDOVER_OWNED] = HANDOVER_KEEP,
	};

	return what[received];
}

bool handover_may_start(enum handover_link link, enum handover_origin origin, bool clone)
{
	return clone || link == HANDOVER_STORED || origin == HANDOVER_STOPS;
}

static bool handover_is_copy(enum handover_link link, enum handover_origin origin)
{
	return link != HANDOVER_STORED && origin == HANDOVER_RUNS_ON;
}

struct handover_verdict handover_completed(enum handover_link link, enum handover_origin origin,
					   bool started)
{
	static const enum owner live[HANDOVER_NR_ORIGINS] = {
		[HANDOVER_STOPS] = OWNER_DESTINATION,
		[HANDOVER_RUNS_ON] = OWNER_SOURCE,
		[HANDOVER_NOT_SAID] = OWNER_UNKNOWN,
	};
	bool here = started || link == HANDOVER_STORED;

	return (struct handover_verdict){
		HANDOVER_DONE,
		OUTCOME_COMPLETED,
		here ? OWNER_DESTINATION : live[origin],
	};
}

/* Who has a state that this end does not have. */
static enum owner handover_other_owner(enum handover_link link, enum handover_origin origin)
{
	if (link == HANDOVER_STORED)
		return OWNER_NONE;
	if (link == HANDOVER_ANSWERED || origin == HANDOVER_RUNS_ON)
		return OWNER_SOURCE;
	return OWNER_UNKNOWN; /* it may hold it, stopped, or believe that it is here */
}

/* Who has a state that no other end has, by what became of the device. */
static enum owner handover_last_owner(enum mig_fate fate)
{
	static const enum owner owners[MIG_NR_FATES] = {
		[MIG_FATE_BACK] = OWNER_DESTINATION, [MIG_FATE_HOLDS] = OWNER_DESTINATION,
		[MIG_FATE_BLANK] = OWNER_NONE,	     [MIG_FATE_LOST] = OWNER_NONE,
		[MIG_FATE_UNKNOWN] = OWNER_UNKNOWN,
	};

	return owners[fate];
}

struct handover_verdict handover_gave_up(enum handover_link link, enum handover_origin origin,
					 enum handover_received received, enum mig_fate fate)
{
	struct handover_verdict device = DEVICE(UNKNOWN), doubt = IN_DOUBT(UNKNOWN);
	struct handover_verdict aborted = ABORTED(UNKNOWN);
	enum owner other = handover_other_owner(link, origin);
	bool copy = handover_is_copy(link, origin);

	device.owner = aborted.owner = other;
	switch (received) {
	case HANDOVER_LOADING:
		return fate == MIG_FATE_BLANK ? aborted : device;
	case HANDOVER_ANSWERING:
		if (copy)
			break;
		device.owner = OWNER_UNKNOWN;
		return fate == MIG_FATE_BACK ? doubt : device;
	case HANDOVER_OWNED:
		device.owner = copy ? other : handover_last_owner(fate);
		return device;
	default:
		break;
	}
	return fate == MIG_FATE_BACK ? aborted : device;
}
