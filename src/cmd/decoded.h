/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a stream holds, in a report: inspect --decode, info --decode
 */

#include "decode/decode.h"
#include "cmd/cmd.h"

/* Nodes of a stream that are listed; of what follows, only the result is told. */
#define CMD_DECODED_MAX 20000u

/**
 * struct cmd_decoded - a stream on its way into a report
 * @object: the stream's member "decoded"
 * @lists: where nodes of each depth go; those of deeper ones belong to the last record there
 * @listed: nodes so far
 * @result: once it has ended
 */
struct cmd_decoded {
	struct decode *decode;
	struct json_object *object;
	struct json_object *lists[DECODE_DEPTH_MAX + 1];
	unsigned int listed;
	struct decode_result result;
};

/**
 * cmd_decoded_begin() - a stream begins
 * @o: gets "decoded"
 * @driver: that wrote it, or NULL
 */
_must_check_ int cmd_decoded_begin(struct cmd_decoded *c, struct json_object *o, const char *driver,
				   struct err *err);

/** cmd_decoded_end() - the stream is over; see decode_finish(). For one that never began, too. */
void cmd_decoded_end(struct cmd_decoded *c, bool complete);

/** cmd_decoded_view() - "decoded" of @o as a tree; nothing where there is none */
void cmd_decoded_view(FILE *f, struct json_object *o);
