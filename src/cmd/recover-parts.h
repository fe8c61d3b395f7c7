/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Parts of `recover`: what the journal has, answering other ends, and what has the devices then
 */

#include "engine/recover.h"
#include "cmd/after.h"
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

/**
 * struct cmd_recover_wish - what is to become of a destination's devices; as on the command line
 */
struct cmd_recover_wish {
	struct cmd_after after;
	bool run, stop;
};

/** cmd_recover_wish_option() - the option by which there is one; NULL for none */
const char *cmd_recover_wish_option(const struct cmd_recover_wish *wish);

/** cmd_recover_wish_start() - what they come to for the devices' start */
enum recover_start cmd_recover_wish_start(const struct cmd_recover_wish *wish);

/**
 * cmd_recover_after_check() - before anything is asked or opened: can that be?
 *
 * Return: 0, also where nothing is wished; -EINVAL (ERR_USAGE) at a source; as cmd_after_check().
 */
_must_check_ int cmd_recover_after_check(struct cmd_recover_wish *wish,
					 const struct journal_record *record, struct err *err);

/**
 * struct cmd_recover_after - a transaction was brought to its end here
 * @txid: as the user calls it
 * @recover, @result: of recover_run(), which returned 0; the record is unlocked where the devices
 *	are held or passed on
 */
struct cmd_recover_after {
	struct invocation *inv;
	const char *txid;
	struct cmd_recover_wish *wish;
	const struct recover_options *recover;
	struct recover_result *result;
};

/**
 * cmd_recover_after_run() - devices that have the state now are passed on, or held if they must be
 *
 * The report is complete. Return: 0, also where there is nothing to pass on, which is warned of; as
 * cmd_loaded_finish().
 */
_must_check_ int cmd_recover_after_run(const struct cmd_recover_after *a, struct err *err);
