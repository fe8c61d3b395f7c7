/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Lines of --status-fd and --progress=json, see schema/progress.json
 */

#include "ui/progress.h"
#include "ui/report.h"

/** progress_json_new() - an event that is of @p's devices or file */
struct json_object *progress_json_new(const struct progress *p, const char *event);

/** progress_json_put() - write it, as one line. */
void progress_json_put(const struct progress *p, struct json_object *o);

/** progress_json_call() - what only the driver ends, and for how long it has been waited for */
void progress_json_call(struct json_object *o, const struct cancel_waiting *waiting, uint64_t ns);

/** progress_json_line() - the event that says how far it is */
void progress_json_line(const struct progress *p, const struct progress_view *v,
			const struct cancel_waiting *waiting);
