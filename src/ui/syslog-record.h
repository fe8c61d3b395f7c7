/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One line to the system's log for what became of a state
 *
 * What has happened to a device must not depend on where a script sent its output. The line has
 * the facts of the report as KEY=VALUE, in the same words; what holds a space, a quote or an equals
 * sign is quoted.
 */

#include <json-c/json.h>

#include "base/err.h"

#define SYSLOG_RECORD_SOCKET "/dev/log"

/**
 * syslog_record_text() - "migrate outcome=completed owner=destination status=0 ..."
 * @report: whole: with status and outcome
 * @ret: printable, of one line; the caller's
 *
 * Keys that the report lacks are left out. Return: 0, -ENOMEM.
 */
_must_check_ int syslog_record_text(struct json_object *report, char **ret, struct err *err);

/** syslog_record_priority() - facility and severity: the worse the outcome, the graver; pure */
int syslog_record_priority(struct json_object *report);

/**
 * syslog_record_send() - to the logger that listens at @path
 *
 * Never waits for it. Return: 0; -EAGAIN for one that has no room, -ENOENT, -ECONNREFUSED and the
 * like for none.
 */
_must_check_ int syslog_record_send(const char *path, int priority, const char *text,
				    struct err *err);
