/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Answering other ends from the journal, at an address
 *
 * Each that connects is listened to in a thread of its own, see engine/guests.h: one that says
 * nothing keeps no other out, and costs a place for a while.
 */

#include <stdint.h>

#include "base/cancel.h"
#include "engine/journal.h"
#include "transport/listener.h"

/**
 * struct recover_serve_options
 * @journal: the caller's
 * @timeout_ms: of silence, after which one that has connected is given up
 * @keep: until it is cancelled; else until one end was answered, and has gone
 */
struct recover_serve_options {
	struct journal *journal;
	int timeout_ms;
	bool keep;
};

/**
 * recover_serve() - answer ASK and TELL of those who connect to @l
 * @l: taken in any case
 * @ret: how many ends were answered
 *
 * What is turned away is told why, and warned of. Called in a thread with every signal blocked.
 *
 * Return: 0, also where it is cancelled and was to go on until then; -ECANCELED; as guests_new().
 */
_must_check_ int recover_serve(const struct recover_serve_options *options, struct listener *l,
			       struct cancel *cancel, uint64_t *ret, struct err *err);
