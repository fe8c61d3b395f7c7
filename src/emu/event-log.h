/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The file of --event-log
 *
 * A line an event, written by one write(2) at the end of the file before the reply goes out that
 * tells the client of it. So the order of the lines is that of the events, also between devices,
 * and also between emulators that share the file; and what a client did because of a reply stands
 * behind that reply's line.
 */

#include "base/err.h"
#include "emu/events.h"

/**
 * struct emu_event_log - where the events of a device go
 * @fd: -1 for nowhere
 * @device: its name, not copied
 */
struct emu_event_log {
	int fd;
	const char *device;
};

/** emu_event_log_open() - Return: 0 with a descriptor to append by, or negative errno. */
_must_check_ int emu_event_log_open(const char *path, int *ret_fd, struct err *err);

/** emu_event_log_write() - those of @events that are due, which are then taken out of them */
void emu_event_log_write(const struct emu_event_log *log, struct emu_events *events,
			 uint64_t now_ns);
