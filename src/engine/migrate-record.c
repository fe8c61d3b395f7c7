// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/journal-spec.h"
#include "engine/migrate-record.h"

static int migrate_record_fill(const struct migrate_record *record, struct journal_record *ret)
{
	*ret = (struct journal_record){
		.generation = record->generation,
		.role = WIRE_SOURCE,
		.phase = WIRE_PHASE_BEGUN,
		.peer = record->peer ? journal_spec_uri(record->peer) : NULL,
		.devices = calloc(record->n, sizeof(*ret->devices)),
	};
	memcpy(ret->txid, record->txid, sizeof(ret->txid));
	memcpy(ret->peer_journal, record->peer_journal, sizeof(ret->peer_journal));
	if (!ret->devices || (record->peer && !ret->peer))
		return -ENOMEM;
	for (unsigned int i = 0; i < record->n; i++) {
		const struct member *m = &record->members[i];
		int r;

		ret->n_devices = i + 1;
		r = journal_spec_device(m->dev, mig_settled(m->result->found), &ret->devices[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int migrate_record_add(struct journal *j, const struct migrate_record *record,
		       struct journal_entry **ret, struct err *err)
{
	struct journal_record whole;
	int r = migrate_record_fill(record, &whole);

	if (r < 0)
		err_set(err, r, "the record of the transaction");
	else
		r = journal_add(j, &whole, ret, err);
	journal_record_done(&whole);
	return r;
}
