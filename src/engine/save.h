/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From devices to a file or a receiver: source and output together
 */

#include "engine/handover.h"
#include "engine/source.h"
#include "transport/peer.h"
#include "transport/uri.h"

/**
 * struct save_options - what to save, and where to
 * @peer: of a @uri that is a socket
 * @force: an existing file may be replaced
 */
struct save_options {
	struct source_options source;
	struct uri uri;
	struct peer_options peer;
	bool force;
};

/**
 * struct save_result - what came of it
 * @published: the file has its name, the reader has all, or the receiver has accepted the state
 * @verdict: status, outcome and owner
 */
struct save_result {
	struct source_result source;
	bool published;
	struct handover_verdict verdict;
};

void save_result_done(struct save_result *result);

/**
 * struct save_room - the room that an image takes and has, as far as it is known
 * @expected: what the driver expects STOP_COPY to yield, some of them their maximum
 * @free: where the file is made
 */
struct save_room {
	bool expected_known, free_known;
	uint64_t expected, free;
};

/**
 * save_check_room() - there is enough of it
 *
 * Asks the devices, if all are open. What compression makes of a stream is not known before.
 *
 * Return: 0, -ENOSPC (ERR_OUTPUT). @ret is set in any case.
 */
_must_check_ int save_check_room(const struct save_options *o, struct save_room *ret,
				 struct err *err);

/**
 * save_run() - open the output, then the devices; save; publish
 * @cancel: a wish to stop; heard until the end of the image leaves for a receiver, else until the
 *          file has its name
 *
 * Who owns the state, and what becomes of the devices, engine/handover.h decides. The file appears
 * only when it is complete and synced. It also does when the streams were complete and a device
 * then went wrong on its way back: it may be the only copy of the state.
 *
 * Return: 0, or negative errno with @err.kind as @ret->verdict has it. @ret is set in any case.
 */
_must_check_ int save_run(const struct save_options *options, struct cancel *cancel,
			  struct save_result *ret, struct err *err);
