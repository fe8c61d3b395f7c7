// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/journal-spec.h"
#include "engine/migrate-record.h"

static int migrate_record_describe(const struct member *m, struct journal_device *ret)
{
	const char *driver = device_driver(m->dev);

	*ret = (struct journal_device){
		.spec = journal_spec_device(m->dev),
		.name = strdup(device_name(m->dev)),
		.driver = driver ? strdup(driver) : NULL,
		.found = mig_settled(m->result->found),
	};
	return ret->spec && ret->name && (!driver || ret->driver) ? 0 : -ENOMEM;
}

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
	for (; ret->n_devices < record->n; ret->n_devices++) {
		unsigned int i = ret->n_devices;

		if (migrate_record_describe(&record->members[i], &ret->devices[i]) < 0) {
			ret->n_devices++;
			return -ENOMEM;
		}
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
