/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The source of a move between hosts
 *
 * Devices go to the `receive` of another host in one transaction, of which engine/move.h says who
 * decides what and when: this carries it out, with the devices (engine/source.h), the other end
 * (engine/courier.h) and the journal.
 */

#include "engine/handover.h"
#include "engine/move.h"
#include "engine/source.h"
#include "transport/peer.h"
#include "transport/uri.h"
#include "wire/verdict.h"

/**
 * struct migrate_options - what to move, and where to
 * @source: its devices stay stopped, and no stream is raw
 * @uri: one of URI_CHANNEL
 * @peer: how to connect to it
 * @state_dir: of the journal; NULL for journal_default_dir()
 * @retries: how often a channel that breaks before READY is dialled again
 * @break_max_ns: unless the devices have been stopped for so long; UINT64_MAX for any
 * @check_only: ask the other end whether it would take them, and touch nothing
 */
struct migrate_options {
	struct source_options source;
	struct uri uri;
	struct peer_options peer;
	const char *state_dir;
	unsigned int retries;
	uint64_t break_max_ns;
	bool check_only;
};

/**
 * struct migrate_result - what came of it
 * @started: it has a txid
 * @state: where the source's machine has come to
 * @tries: channels dialled again before READY
 * @answer: what the other end said of the offer, if @answered; migrate_result_done() frees it
 * @downtime_ns: from the first device's stop until the other end said that they run; 0: unknown
 * @verdict: status, outcome and owner
 */
struct migrate_result {
	struct source_result source;
	bool started;
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
	enum move_state state;
	unsigned int tries;
	bool answered;
	struct verdict answer;
	uint64_t downtime_ns;
	struct handover_verdict verdict;
};

void migrate_result_done(struct migrate_result *result);

/**
 * migrate_run() - offer the devices, send their state, decide, and see it run there
 * @cancel: a wish to stop; heard until the decision is being written. Behind that a second one ends
 *          the wait for the other end's last word
 *
 * Return: 0: the devices run there; or negative errno with @err.kind as @ret->verdict has it.
 * ERR_IN_DOUBT: the decision was made, or may have been, and the other end has not confirmed it;
 * the devices stay stopped. @ret is set in any case.
 */
_must_check_ int migrate_run(const struct migrate_options *options, struct cancel *cancel,
			     struct migrate_result *ret, struct err *err);
