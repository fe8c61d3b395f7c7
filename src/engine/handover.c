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

#define LINK(link) (1u << HANDOVER_##link)
#define SENT(sent) (1u << HANDOVER_##sent)
#define FATE(fate) (1u << MIG_FATE_##fate)
#define ANY (~0u)
#define COPY 1u
#define MOVE 2u

#define AS_FAILED HANDOVER_AS_FAILED, OUTCOME_ABORTED
#define COMPLETED HANDOVER_DONE, OUTCOME_COMPLETED
#define IN_DOUBT HANDOVER_IN_DOUBT, OUTCOME_IN_DOUBT
#define DEVICE HANDOVER_DEVICE, OUTCOME_DEVICE_ERROR

/* The first row that fits; masks but for the verdict. */
struct handover_sender_row {
	unsigned int links, sent, kinds, fates;
	struct handover_verdict verdict;
};

struct handover_verdict handover_sender_verdict(enum handover_link link, enum handover_sent sent,
						bool copy, enum mig_fate fate)
{
	const unsigned int gone = FATE(BLANK) | FATE(LOST);
	const struct handover_sender_row rows[] = {
		/* clang-format off */
		/* it was not handed over: the device has it, or nothing has */
		{ ANY,            SENT(FAILED) | SENT(REFUSED), ANY,  FATE(BACK),    { AS_FAILED, OWNER_SOURCE      } },
		{ ANY,            SENT(FAILED) | SENT(REFUSED), ANY,  FATE(HOLDS),   { DEVICE,    OWNER_SOURCE      } },
		{ ANY,            SENT(FAILED) | SENT(REFUSED), ANY,  gone,          { DEVICE,    OWNER_NONE        } },
		{ ANY,            SENT(FAILED) | SENT(REFUSED), ANY,  ANY,           { DEVICE,    OWNER_UNKNOWN     } },

		/* a move that was accepted: whatever the device does, the state is the receiver's */
		{ ANY,            SENT(ACCEPTED),               MOVE, FATE(BACK),    { COMPLETED, OWNER_DESTINATION } },
		{ ANY,            SENT(ACCEPTED),               MOVE, ANY,           { DEVICE,    OWNER_DESTINATION } },
		/* a move that its reader may run, or may not */
		{ LINK(ONE_WAY),  SENT(TAKEN),                  MOVE, FATE(BACK),    { COMPLETED, OWNER_UNKNOWN     } },
		{ ANY,            SENT(DOUBT),                  MOVE, FATE(BACK),    { IN_DOUBT,  OWNER_UNKNOWN     } },
		{ LINK(ONE_WAY),  SENT(TAKEN) | SENT(DOUBT),    MOVE, ANY,           { DEVICE,    OWNER_UNKNOWN     } },
		{ ANY,            SENT(DOUBT),                  MOVE, ANY,           { DEVICE,    OWNER_UNKNOWN     } },

		/* a copy, or a file: the device goes on with the state, if it has it */
		{ ANY,            SENT(DOUBT),                  COPY, FATE(BACK),    { AS_FAILED, OWNER_SOURCE      } },
		{ ANY,            ANY,                          ANY,  FATE(BACK),    { COMPLETED, OWNER_SOURCE      } },
		{ ANY,            ANY,                          ANY,  FATE(HOLDS),   { DEVICE,    OWNER_SOURCE      } },
		{ ANY,            SENT(ACCEPTED),               COPY, gone,          { DEVICE,    OWNER_DESTINATION } },
		{ LINK(STORED),   SENT(TAKEN),                  ANY,  gone,          { DEVICE,    OWNER_NONE        } },
		{ ANY,            ANY,                          ANY,  ANY,           { DEVICE,    OWNER_UNKNOWN     } },
		/* clang-format on */
	};
	size_t i = 0;

	while (!(rows[i].links & 1u << link) || !(rows[i].sent & 1u << sent) ||
	       !(rows[i].kinds & (copy ? COPY : MOVE)) || !(rows[i].fates & 1u << fate)) {
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

	return (struct handover_verdict){ COMPLETED, here ? OWNER_DESTINATION : live[origin] };
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
	enum owner other = handover_other_owner(link, origin);
	bool copy = handover_is_copy(link, origin);
	bool fine = fate == MIG_FATE_BACK;

	switch (received) {
	case HANDOVER_LOADING:
		fine = fate == MIG_FATE_BLANK;
		break;
	case HANDOVER_ANSWERING:
		if (copy)
			break;
		if (fine)
			return (struct handover_verdict){ IN_DOUBT, OWNER_UNKNOWN };
		return (struct handover_verdict){ DEVICE, OWNER_UNKNOWN };
	case HANDOVER_OWNED:
		return (struct handover_verdict){ DEVICE,
						  copy ? other : handover_last_owner(fate) };
	default:
		break;
	}
	if (fine)
		return (struct handover_verdict){ AS_FAILED, other };
	return (struct handover_verdict){ DEVICE, other };
}
