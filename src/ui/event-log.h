/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A run's events in a file, for `vfiomigctl report`
 *
 * Kept in memory until the end (ui/event-list.h), so that no stopped device waits for a disk, and
 * no file is half-written; it gets its name when all of it is there and synced. What is there
 * already is not replaced.
 */

#include <json-c/json.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "engine/event.h"

/* Each device's progress at most so often. */
#define EVENT_LOG_PAUSE_NS (50 * NSEC_PER_MSEC)

struct event_log;

/**
 * event_log_open() - before anything is done to a device: a path that cannot be is refused now
 * @path: of the file
 * @command, @names: which command it is of, and its @n devices; copied
 *
 * Return: 0; ERR_OUTPUT when the file exists, or cannot be created.
 */
_must_check_ int event_log_open(const char *path, const char *command, const char *const *names,
				unsigned int n, struct event_log **ret, struct err *err);

/** event_log_on_event() - an event_fn; @log: struct event_log. Never waits. */
void event_log_on_event(void *log, const struct event *e);

/**
 * event_log_finish() - write all, whether or not the command has succeeded
 * @result: the command's report; stays the caller's
 *
 * To be called after the last event. Return: 0; ERR_IO, ERR_OUTPUT.
 */
_must_check_ int event_log_finish(struct event_log *log, struct json_object *result,
				  struct err *err);

/** event_log_free() - without event_log_finish() no file is left. */
struct event_log *event_log_free(struct event_log *log);
DEFINE_CLEANUP(struct event_log *, event_log_free)
