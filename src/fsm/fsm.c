// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "fsm/fsm.h"

#define P2P MIG_CAP_P2P
#define PRE MIG_CAP_PRE_COPY

/*
 * One row per arc. The device must report all of @needs and none of @lacks: with P2P there is no
 * direct RUNNING <-> STOP, every stop passes the quiescent state.
 */
struct arc {
	enum mig_state from, to;
	unsigned int needs, lacks;
};

static const struct arc v2_arcs[] = {
	/* clang-format off */
	{ MIG_RUNNING,      MIG_STOP,         0,         P2P },
	{ MIG_STOP,         MIG_RUNNING,      0,         P2P },
	{ MIG_RUNNING,      MIG_RUNNING_P2P,  P2P,       0   },
	{ MIG_RUNNING_P2P,  MIG_RUNNING,      P2P,       0   },
	{ MIG_RUNNING_P2P,  MIG_STOP,         P2P,       0   },
	{ MIG_STOP,         MIG_RUNNING_P2P,  P2P,       0   },
	{ MIG_STOP,         MIG_STOP_COPY,    0,         0   },
	{ MIG_STOP_COPY,    MIG_STOP,         0,         0   },
	{ MIG_STOP,         MIG_RESUMING,     0,         0   },
	{ MIG_RESUMING,     MIG_STOP,         0,         0   },
	{ MIG_RUNNING,      MIG_PRE_COPY,     PRE,       0   },
	{ MIG_PRE_COPY,     MIG_RUNNING,      PRE,       0   },
	{ MIG_PRE_COPY,     MIG_STOP_COPY,    PRE,       P2P },
	{ MIG_PRE_COPY,     MIG_PRE_COPY_P2P, PRE | P2P, 0   },
	{ MIG_PRE_COPY_P2P, MIG_PRE_COPY,     PRE | P2P, 0   },
	{ MIG_PRE_COPY_P2P, MIG_RUNNING_P2P,  PRE | P2P, 0   },
	{ MIG_RUNNING_P2P,  MIG_PRE_COPY_P2P, PRE | P2P, 0   },
	{ MIG_PRE_COPY_P2P, MIG_STOP_COPY,    PRE | P2P, 0   },
	/* clang-format on */
};

static const struct arc v1_arcs[] = {
	/* clang-format off */
	{ MIG_RUNNING,      MIG_STOP,         0,         0   },
	{ MIG_STOP,         MIG_RUNNING,      0,         0   },
	{ MIG_RUNNING,      MIG_PRE_COPY,     PRE,       0   },
	{ MIG_PRE_COPY,     MIG_RUNNING,      PRE,       0   },
	{ MIG_PRE_COPY,     MIG_STOP_COPY,    PRE,       0   },
	{ MIG_RUNNING,      MIG_STOP_COPY,    0,         0   },
	{ MIG_STOP,         MIG_STOP_COPY,    0,         0   },
	{ MIG_STOP_COPY,    MIG_STOP,         0,         0   },
	{ MIG_RUNNING,      MIG_RESUMING,     0,         0   },
	{ MIG_STOP,         MIG_RESUMING,     0,         0   },
	{ MIG_RESUMING,     MIG_STOP,         0,         0   },
	/* clang-format on */
};

struct machine {
	const struct arc *arcs;
	size_t n;
};

static const struct machine v2 = { v2_arcs, ARRAY_SIZE(v2_arcs) };
static const struct machine v1 = { v1_arcs, ARRAY_SIZE(v1_arcs) };

static const char *const names[MIG_NR_STATES] = {
	[MIG_ERROR] = "error",	     [MIG_STOP] = "stop",
	[MIG_RUNNING] = "running",   [MIG_STOP_COPY] = "stop-copy",
	[MIG_RESUMING] = "resuming", [MIG_RUNNING_P2P] = "running-p2p",
	[MIG_PRE_COPY] = "pre-copy", [MIG_PRE_COPY_P2P] = "pre-copy-p2p",
};

bool fsm_saving(enum mig_state state)
{
	return state == MIG_PRE_COPY || state == MIG_PRE_COPY_P2P || state == MIG_STOP_COPY;
}

bool fsm_runs(enum mig_state state)
{
	return state == MIG_RUNNING || state == MIG_RUNNING_P2P || state == MIG_PRE_COPY ||
	       state == MIG_PRE_COPY_P2P;
}

bool fsm_supported(enum mig_state state, unsigned int caps)
{
	switch (state) {
	case MIG_RUNNING_P2P:
		return caps & P2P;
	case MIG_PRE_COPY:
		return caps & PRE;
	case MIG_PRE_COPY_P2P:
		return (caps & P2P) && (caps & PRE);
	default:
		return (unsigned int)state < MIG_NR_STATES;
	}
}

/*
 * One saving session is one stream: a path may stay inside the saving group, or end in it, but
 * never pass through it, since the stream it opened on the way would be lost.
 */
static bool fsm_arc_open(const struct arc *a, enum mig_state from, enum mig_state to,
			 unsigned int caps)
{
	if ((caps & a->needs) != a->needs || (caps & a->lacks))
		return false;
	return a->to == to || !fsm_saving(a->to) || (fsm_saving(from) && fsm_saving(to));
}

static enum mig_state fsm_machine_next(const struct machine *m, enum mig_state from,
				       enum mig_state to, unsigned int caps)
{
	uint8_t hops[MIG_NR_STATES];
	bool moved = true;

	if (!fsm_supported(from, caps) || !fsm_supported(to, caps) || from == MIG_ERROR)
		return MIG_ERROR;
	if (from == to)
		return to;
	if (from == MIG_STOP_COPY && fsm_saving(to))
		return MIG_ERROR; /* a finished stream cannot be reopened */

	/* Hops left to @to from every state; eight states, so relax until it settles. */
	memset(hops, UINT8_MAX, sizeof(hops));
	hops[to] = 0;
	while (moved) {
		moved = false;
		for (size_t i = 0; i < m->n; i++) {
			const struct arc *a = &m->arcs[i];

			if (hops[a->to] == UINT8_MAX || hops[a->from] <= hops[a->to] + 1 ||
			    !fsm_arc_open(a, from, to, caps))
				continue;
			hops[a->from] = (uint8_t)(hops[a->to] + 1);
			moved = true;
		}
	}

	for (const struct arc *a = m->arcs; a < m->arcs + m->n; a++)
		if (a->from == from && fsm_arc_open(a, from, to, caps) &&
		    hops[a->to] + 1 == hops[from])
			return a->to;
	return MIG_ERROR;
}

enum mig_state fsm_next(enum mig_state from, enum mig_state to, unsigned int caps)
{
	return fsm_machine_next(&v2, from, to, caps);
}

enum mig_state fsm_v1_next(enum mig_state from, enum mig_state to, unsigned int caps)
{
	return fsm_machine_next(&v1, from, to, caps & ~(unsigned int)P2P);
}

static const unsigned int v1_bits[MIG_NR_STATES] = {
	[MIG_ERROR] = UAPI_V1_SAVING | UAPI_V1_RESUMING,
	[MIG_STOP] = 0,
	[MIG_RUNNING] = UAPI_V1_RUNNING,
	[MIG_STOP_COPY] = UAPI_V1_SAVING,
	[MIG_RESUMING] = UAPI_V1_RESUMING,
	[MIG_RUNNING_P2P] = UAPI_V1_RUNNING, /* v1 has no quiescent states */
	[MIG_PRE_COPY] = UAPI_V1_SAVING | UAPI_V1_RUNNING,
	[MIG_PRE_COPY_P2P] = UAPI_V1_SAVING | UAPI_V1_RUNNING,
};

unsigned int fsm_v1_bits(enum mig_state state)
{
	return v1_bits[(unsigned int)state < MIG_NR_STATES ? state : MIG_ERROR];
}

bool fsm_v1_state(unsigned int bits, enum mig_state *ret)
{
	for (unsigned int i = 0; i < MIG_NR_STATES; i++)
		if (fsm_supported((enum mig_state)i, PRE) && v1_bits[i] == bits) {
			*ret = (enum mig_state)i;
			return true;
		}
	return false;
}

const char *fsm_name(enum mig_state state)
{
	return (unsigned int)state < MIG_NR_STATES ? names[state] : "unknown";
}

const char *fsm_cap_name(unsigned int bit)
{
	static const char *const caps[] = { "stop-copy", "p2p", "pre-copy" };

	return bit < ARRAY_SIZE(caps) ? caps[bit] : NULL;
}

static bool fsm_same_word(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		int x = *a == '_' ? '-' : tolower((unsigned char)*a);

		if (x != (unsigned char)*b)
			return false;
	}
	return !*a && !*b;
}

bool fsm_parse(const char *name, enum mig_state *ret)
{
	for (unsigned int i = 0; i < MIG_NR_STATES; i++)
		if (fsm_same_word(name, names[i])) {
			*ret = (enum mig_state)i;
			return true;
		}
	return false;
}
