// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "device/recover.h"
#include "engine/hold-lease.h"

/* What the client that the event is of has now. */
enum lease_has {
	HAS_NOTHING,
	HAS_READ,
	HAS_CHANGE,
	NR_HAS
};

void lease_recover(struct lease *l)
{
	assert(l->changer == LEASE_NONE);
	l->changer = LEASE_RECOVERS;
}

void lease_recovered(struct lease *l)
{
	assert(l->changer == LEASE_RECOVERS);
	l->changer = LEASE_NONE;
}

bool lease_idle(const struct lease *l)
{
	return !l->readers && l->changer == LEASE_NONE;
}

static void hold_lease_set(struct lease *l, int client, enum lease_has has)
{
	const uint64_t bit = UINT64_C(1) << client;

	l->readers = has == HAS_READ ? l->readers | bit : l->readers & ~bit;
	if (has == HAS_CHANGE)
		l->changer = client;
	else if (l->changer == client)
		l->changer = LEASE_NONE;
}

enum lease_verdict lease_step(struct lease *l, int client, enum lease_event event)
{
	static const struct {
		enum lease_verdict verdict;
		enum lease_has then;
	} steps[NR_HAS][LEASE_NR_EVENTS] = {
		/* clang-format off */
		[HAS_NOTHING] = {
			[LEASE_ASKS_READ]   = { LEASE_GRANTED,      HAS_READ },
			[LEASE_ASKS_CHANGE] = { LEASE_GRANTED,      HAS_CHANGE },
			[LEASE_RELEASES]    = { LEASE_NOT_HIS,      HAS_NOTHING },
			[LEASE_GOES]        = { LEASE_NOT_HIS,      HAS_NOTHING },
		},
		[HAS_READ] = {
			[LEASE_ASKS_READ]   = { LEASE_GRANTED,      HAS_READ },
			[LEASE_ASKS_CHANGE] = { LEASE_GRANTED,      HAS_CHANGE },
			[LEASE_RELEASES]    = { LEASE_READ_ENDED,   HAS_NOTHING },
			[LEASE_GOES]        = { LEASE_READ_ENDED,   HAS_NOTHING },
		},
		[HAS_CHANGE] = {
			[LEASE_ASKS_READ]   = { LEASE_GRANTED,      HAS_CHANGE },
			[LEASE_ASKS_CHANGE] = { LEASE_GRANTED,      HAS_CHANGE },
			[LEASE_RELEASES]    = { LEASE_CHANGE_ENDED, HAS_NOTHING },
			[LEASE_GOES]        = { LEASE_LOST,         HAS_NOTHING },
		},
		/* clang-format on */
	};
	enum lease_has has = HAS_NOTHING;

	assert(client >= 0 && client < LEASE_CLIENTS_MAX);
	if (l->changer == client)
		has = HAS_CHANGE;
	else if (l->readers >> client & 1)
		has = HAS_READ;
	if (l->changer == LEASE_RECOVERS &&
	    (event == LEASE_ASKS_READ || event == LEASE_ASKS_CHANGE))
		return LEASE_NOT_YET;
	if (event == LEASE_ASKS_CHANGE && has != HAS_CHANGE && l->changer != LEASE_NONE)
		return LEASE_BUSY;
	hold_lease_set(l, client, steps[has][event].then);
	return steps[has][event].verdict;
}

/* A state without a session that a device in ERROR can be brought to, its content being lost. */
static enum mig_state hold_lease_blank(enum mig_state found)
{
	return found == MIG_STOP ? MIG_STOP : MIG_RUNNING;
}

struct lease_recovery lease_recovery(enum lease_verdict end, enum hold_if_lost if_lost,
				     enum mig_state found, enum mig_state now)
{
	const struct lease_recovery none = { false, now, MIG_HOLDS_OWN };

	/* As a resume leaves what it could not load: its user says when a blank one runs. */
	if (now == MIG_RESUMING)
		return (struct lease_recovery){ true, MIG_STOP, MIG_HOLDS_GIVEN_UP };
	if (now == MIG_ERROR && end == LEASE_LOST)
		return (struct lease_recovery){ true, hold_lease_blank(found), MIG_HOLDS_OWN };
	if (now == MIG_ERROR)
		return none;
	if (end == LEASE_LOST && if_lost == HOLD_IF_LOST_RETURN && found != MIG_ERROR &&
	    found != now)
		return (struct lease_recovery){ true, found, MIG_HOLDS_OWN };
	if (mig_settled(now) != now)
		return (struct lease_recovery){ true, mig_settled(now), MIG_HOLDS_OWN };
	return none;
}
