/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the source of a move puts into its journal before it touches a device
 */

#include "engine/journal.h"
#include "engine/member.h"

/**
 * struct migrate_record - a transaction that begins
 * @txid, @peer_journal: WIRE_ID_SIZE bytes
 * @peer: URI of the other end, if it can be connected to once more, or NULL
 * @members: @n of them, open, not settled
 */
struct migrate_record {
	const uint8_t *txid;
	uint64_t generation;
	const char *peer;
	const uint8_t *peer_journal;
	const struct member *members;
	unsigned int n;
};

/** migrate_record_add() - write it as WIRE_PHASE_BEGUN. Return: as journal_add(); -ENOMEM. */
_must_check_ int migrate_record_add(struct journal *j, const struct migrate_record *record,
				    struct journal_entry **ret, struct err *err);
