/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The states that devices were seen in, as a picture
 *
 * A lane a device; where the devices were down for a short part of the time, that part is drawn
 * large. What no look has seen is left blank. SVG that needs nothing else, in light and dark.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "fsm/fsm.h"

/* All together take 2 MiB; then only the first ones are kept. */
#define PICTURE_STATES_MAX 65536u

/** struct picture_state - a change, at @ns; to what is not @known: closed, or gone */
struct picture_state {
	unsigned int device;
	uint64_t ns;
	bool known;
	enum mig_state state;
};

/** struct picture_states_device - @name is the caller's */
struct picture_states_device {
	const char *name;
	uint64_t downtime_ns;
};

/**
 * struct picture_states - all zero to begin with
 * @v: @n changes in the order of their times; @lost: more that found no room
 * @start_ns, @end_ns: of all
 * @down_start_ns, @down_end_ns: the first moment that a device was down, and the last, of those
 *	that ran again; 0 for none
 * @gap_ns: each change is seen that late at most
 */
struct picture_states {
	struct picture_state *v;
	size_t n, room;
	uint64_t lost;
	uint64_t start_ns, end_ns, down_start_ns, down_end_ns, gap_ns;
};

/** picture_states_add() - Return: 0, also where there is no room; -ENOMEM. */
_must_check_ int picture_states_add(struct picture_states *p, const struct picture_state *state,
				    struct err *err);

/** picture_states_down() - a device was down from @from_ns to @to_ns */
void picture_states_down(struct picture_states *p, uint64_t from_ns, uint64_t to_ns);

/** picture_states_draw() - @n @devices, by their indices; one that was never seen has no lane */
void picture_states_draw(FILE *f, const struct picture_states *p,
			 const struct picture_states_device *devices, unsigned int n);

void picture_states_done(struct picture_states *p);
