/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The answer to a signal that asks to stop: what is under way, and how long it may take
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"

#define INTERRUPT_TEXT_MAX 400

/**
 * struct interrupt - what is known when the signal comes
 * @signal: its number
 * @again: it is not the first
 * @idle: the work waits for others to begin something
 * @too_late: the work is past its point of no return
 * @waiting, @waiting_ns: the call under way, and for how long
 * @calls: under way in all
 * @state: of the device in words, or NULL; of all, where there are @several
 * @timeout_ms: for how long a silent peer is waited for; 0 where there is none
 */
struct interrupt {
	int signal;
	bool again, idle, too_late, several;
	struct cancel_waiting waiting;
	uint64_t waiting_ns;
	unsigned int calls;
	const char *state;
	int timeout_ms;
};

/** interrupt_text() - pure. Return: @buf. */
char *interrupt_text(const struct interrupt *i, char buf[INTERRUPT_TEXT_MAX]);
