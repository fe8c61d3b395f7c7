/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * An event as JSON, see schema/report-file.json
 *
 * Reading takes nothing for granted: who wrote the file is not known.
 */

#include <json-c/json.h>

#include "base/err.h"
#include "engine/event.h"

/* What a number in such a file may be: 36 years in nanoseconds, an exbibyte. */
#define EVENT_JSON_MAX ((uint64_t)1 << 60)

/** event_json_new() - @e, its times being nanoseconds since @origin_ns. Aborts without memory. */
struct json_object *event_json_new(const struct event *e, uint64_t origin_ns);

/**
 * struct event_json - what an event that was read points to
 */
struct event_json {
	struct event event;
	struct mig_recovery recovery;
	struct err failure;
};

/**
 * event_json_parse() - the other way
 * @o: any JSON
 * @devices: of the set
 * @ret: its times begin at 0; must stay where it is
 *
 * Return: 0; -EBADMSG (ERR_IMAGE) for what is no event, names the key.
 */
_must_check_ int event_json_parse(struct json_object *o, unsigned int devices,
				  struct event_json *ret, struct err *err);
