/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a device goes through, for --event-log
 *
 * A device that is told the time does an arc at once, and says when its reply is due. What happens
 * until then is put down beforehand, each event with its own time, and taken out when that comes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "fsm/fsm.h"
#include "uapi/vfio.h"

/* Two an arc, a failure, an error: what one command can bring. */
#define EMU_EVENTS_MAX (2 * FSM_ARCS_MAX + 2)

/**
 * enum emu_event_kind
 * @EMU_EVENT_BEGIN: an arc begins: its first effects are from here on
 * @EMU_EVENT_END: it has been taken; the reply that says so follows
 * @EMU_EVENT_FAILED: it has not, and the device is where it was
 * @EMU_EVENT_ERROR: the device is in ERROR
 * @EMU_EVENT_RESET: it was reset, and runs
 */
enum emu_event_kind {
	EMU_EVENT_BEGIN,
	EMU_EVENT_END,
	EMU_EVENT_FAILED,
	EMU_EVENT_ERROR,
	EMU_EVENT_RESET
};

/**
 * struct emu_event - one of them
 * @ns: when; not before the one in front of it
 * @from, @to: of an arc
 * @code: negative errno of one that failed
 */
struct emu_event {
	enum emu_event_kind kind;
	uint64_t ns;
	enum mig_state from, to;
	int code;
};

/** struct emu_events - those that were not taken yet, the first one first */
struct emu_events {
	struct emu_event list[EMU_EVENTS_MAX];
	unsigned int n, taken;
};

/** emu_events_add() - the next one. What finds no room is dropped: no command brings so many. */
void emu_events_add(struct emu_events *e, const struct emu_event *event);

/** emu_events_due_ns() - when the next one is to be taken, or UINT64_MAX */
uint64_t emu_events_due_ns(const struct emu_events *e);

/** emu_events_take() - the next one, if it is due. Return: false for none. */
bool emu_events_take(struct emu_events *e, uint64_t now_ns, struct emu_event *ret);
