/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a holder does with a device, and its driver may not come back from
 *
 * It is done in a thread, which alone touches the device until it has ended: a driver that hangs
 * holds up neither the other devices nor the signals. Most calls take microseconds, so that the
 * loop waits for their end a moment; after that, the end and the clock are descriptors for its
 * poll().
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"

/**
 * struct hold_call_work - what is done
 * @run: in the thread; tells what it is in by cancel_interruptible_begin() or cancel_call_begin()
 * @ctx: of @run; must stay until hold_call_end(), and for good after hold_call_forsake()
 * @drop: in the thread, at its end, where it was forsaken by then; may be NULL
 * @kickable: an interruptible call that is late is interrupted
 */
struct hold_call_work {
	void (*run)(void *ctx, struct cancel *cancel);
	void (*drop)(void *ctx);
	void *ctx;
	bool kickable;
};

struct hold_call;

/** hold_call_start() - Return: 0, and hold_call_end() or hold_call_forsake() has to follow. */
_must_check_ int hold_call_start(const struct hold_call_work *work, struct hold_call **ret,
				 struct err *err);

/**
 * hold_call_wait() - for a moment, as its caller has others to serve
 *
 * What it is in then is timed from there at the latest. Return: it has ended.
 */
bool hold_call_wait(struct hold_call *c);

/** hold_call_done_fd() - readable once the thread is through with the device */
int hold_call_done_fd(const struct hold_call *c);

/** hold_call_late_fd() - readable once its driver may hang, and now and then from there on */
int hold_call_late_fd(const struct hold_call *c);

/**
 * hold_call_note_late() - after hold_call_late_fd(): interrupt it, where that may be done
 *
 * Return: whether it is late for the first time.
 */
bool hold_call_note_late(struct hold_call *c);
bool hold_call_is_late(const struct hold_call *c);

/** hold_call_waits_for() - "stop-copy -> stop, for 12 s". Return: @buf. */
char *hold_call_waits_for(struct hold_call *c, char *buf, size_t size);

/** hold_call_await() - wait a little for its end, with no try left. Return: it has ended. */
bool hold_call_await(struct hold_call *c);

/** hold_call_end() - once hold_call_done_fd() is readable; else it waits */
void hold_call_end(struct hold_call *c);

/** hold_call_forsake() - the driver does not come back: the device stays its thread's */
void hold_call_forsake(struct hold_call *c);
