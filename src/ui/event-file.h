/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Reading what ui/event-log.h has written
 *
 * Pure. Nothing is taken for granted: the text, its depth, the numbers and the lists are bounded
 * before anything is built of them.
 */

#include <json-c/json.h>
#include <stddef.h>

#include "base/err.h"
#include "ui/event-list.h"

/* A file of EVENT_LIST_MAX events has 20 MiB, and a million values. */
#define EVENT_FILE_MAX ((size_t)64 << 20)
#define EVENT_FILE_VALUES_MAX 2000000u
#define EVENT_FILE_DEVICES_MAX 256u

/**
 * struct event_file - what is in it
 * @command, @version: of the tool that wrote it
 * @names: of the devices, @list.devices of them
 * @result: the command's report
 *
 * Text is as it was found: not for a terminal.
 */
struct event_file {
	struct json_object *root; /* owns what the others point to */
	const char *command, *version;
	const char **names;
	struct event_list list;
	struct json_object *result;
};

/**
 * event_file_parse() - Return: 0; -EBADMSG (ERR_IMAGE) for what is no such file, with a text that
 * says why.
 *
 * On failure @ret is empty, and needs no event_file_done().
 */
_must_check_ int event_file_parse(const char *text, size_t len, struct event_file *ret,
				  struct err *err);

void event_file_done(struct event_file *file);
