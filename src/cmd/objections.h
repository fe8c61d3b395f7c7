/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a device's driver will object to in a stream: info --diff, inspect --diff, resume --dry-run
 */

#include "decode/decode.h"
#include "device/device.h"
#include "transport/uri.h"
#include "ui/report.h"

/**
 * struct cmd_objections - a question
 * @uri: an image; only of a file something is told, since it is read again, as far as it takes
 * @dev: found or open: the target
 * @index: of @dev's stream in the image, if @has_index; else by address, as image_diff() does
 * @here: of the target's own stream, or NULL
 */
struct cmd_objections {
	const struct uri *uri;
	const struct device *dev;
	bool has_index;
	uint32_t index;
	const struct decode_result *here;
};

/**
 * cmd_objections_add() - "objections" of @o, a list
 *
 * To be called in a session, of an image that was good: what is wrong with it now is a debug
 * message. Return: 0; -ECANCELED.
 */
_must_check_ int cmd_objections_add(struct json_object *o, const struct cmd_objections *q,
				    struct cancel *cancel, struct err *err);

/** cmd_objections_view() - the same as a table; nothing where there is none */
void cmd_objections_view(FILE *f, struct json_object *o);
