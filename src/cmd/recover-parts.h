/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Parts of `recover`: what the journal has, and answering other ends
 */

#include "engine/recover.h"
#include "cmd/cmd.h"

/** cmd_recover_view_list() - the report of cmd_recover_list() as text */
void cmd_recover_view_list(FILE *f, struct json_object *report);

/** cmd_recover_list() - all transactions of @j, into the report */
_must_check_ int cmd_recover_list(struct invocation *inv, struct journal *j, struct err *err);

/** cmd_recover_render_record() - what identifies a transaction, into @o */
void cmd_recover_render_record(struct json_object *o, const struct journal_record *record);

/**
 * struct cmd_recover_serve - answering ASK
 * @uri: where: one of URI_LISTEN, or URI_STDIO
 * @keep: one connection after the other, until a signal
 */
struct cmd_recover_serve {
	struct invocation *inv;
	struct journal *journal;
	struct uri uri;
	struct peer_options peer;
	bool keep;
	struct cancel cancel;
	uint64_t served;
};

/** cmd_recover_serve_run() - Return: 0; as listener_open(), recover_answer(). */
_must_check_ int cmd_recover_serve_run(struct cmd_recover_serve *s, struct err *err);
