// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/journal-spec.h"
#include "engine/receive-parts.h"

static int receive_record_device(const struct receive *r, unsigned int i,
				 struct journal_device *ret)
{
	const struct device *dev = r->options->load.devs[i];

	return journal_spec_device(dev, dev->mig ? dev->mig->state : MIG_RUNNING, ret);
}

/* What the record says beside its phase. */
static int receive_record_fill(const struct receive *r, struct journal_record *ret)
{
	unsigned int n = r->options->load.n;

	memcpy(ret->txid, r->txid, sizeof(ret->txid));
	memcpy(ret->peer_journal, r->peer_journal, sizeof(ret->peer_journal));
	ret->generation = r->generation;
	ret->role = WIRE_DESTINATION;
	ret->run = r->carrier.in ? r->result->load.starts
				 : r->options->load.start != LOAD_STARTS_NONE;
	ret->end = r->end;
	/* Of the word that is followed now: an earlier try's, or one not written, says nothing. */
	ret->told = WIRE_PHASE_NONE;
	free(ret->forced);
	ret->forced = *r->forced.by ? strdup(r->forced.by) : NULL;
	if (*r->forced.by && !ret->forced)
		return -ENOMEM;
	free(ret->spool);
	ret->spool = r->spool ? strdup(spool_path(r->spool)) : NULL;
	if (r->spool && !ret->spool)
		return -ENOMEM;
	if (ret->devices)
		return 0;
	ret->devices = calloc(n, sizeof(*ret->devices));
	if (!ret->devices)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		int e;

		ret->n_devices = i + 1;
		e = receive_record_device(r, i, &ret->devices[i]);
		if (e < 0)
			return e;
	}
	return 0;
}

/* The source's generation is of another journal than ours, and may be of any size. */
static int receive_record_add(struct receive *r, struct journal_record *record, bool *ret_there,
			      struct err *err)
{
	int e;

	if (r->generation > INT64_MAX)
		return err_fail(err, ERR_PEER, -ERANGE, "transaction %s: generation %" PRIu64,
				r->name, r->generation);
	e = journal_add(r->options->journal, record, &r->entry, err);
	*ret_there = e == -EEXIST;
	if (!*ret_there)
		return e;
	*err = (struct err){ 0 };
	return journal_lock(r->options->journal, r->txid, WIRE_DESTINATION, &r->entry, err);
}

/* Another try, in this process or in one before, begins anew; nothing else does. */
static int receive_record_check(struct receive *r, struct err *err)
{
	const struct journal_record *record = journal_record(r->entry);

	if (record->phase != WIRE_PHASE_BEGUN && record->phase != WIRE_PHASE_ABORTED)
		return err_fail(err, ERR_ABORTED, -EALREADY,
				"transaction %s: it has been here, its record says %s", r->name,
				wire_phase_name(record->phase));
	if (record->generation > r->generation)
		return err_fail(err, ERR_ABORTED, -ESTALE, "transaction %s: of an old generation",
				r->name);
	return 0;
}

/* @ret_there: there was one already, which does not say so yet */
static int receive_record_begin(struct receive *r, bool *ret_there, struct err *err)
{
	struct journal_record record = { .phase = WIRE_PHASE_BEGUN };
	int e;

	e = receive_record_fill(r, &record);
	e = e < 0 ? err_set(err, e, "journal") : receive_record_add(r, &record, ret_there, err);
	journal_record_done(&record);
	return e;
}

static int receive_record_write(struct receive *r, enum wire_phase phase, struct err *err)
{
	struct journal_record *record;
	bool there;
	int e;

	if (!r->entry) {
		e = receive_record_begin(r, &there, err);
		if (e < 0 || !there)
			return e;
		e = receive_record_check(r, err);
		if (e < 0)
			return e;
	}
	record = journal_record(r->entry);
	e = receive_record_fill(r, record);
	if (e < 0)
		return err_set(err, e, "journal");
	record->phase = phase;
	return journal_write(r->entry, err);
}

enum move_event receive_record(struct receive *r, enum wire_phase phase)
{
	struct err err = { 0 };
	int e;

	pthread_mutex_lock(&r->journal_lock);
	e = receive_record_write(r, phase, &err);
	pthread_mutex_unlock(&r->journal_lock);
	if (e == JOURNAL_WRITTEN)
		return MOVE_ON_WRITTEN;
	if (!r->failed.code)
		r->failed = err;
	return e < 0 ? MOVE_ON_NOT_WRITTEN : MOVE_ON_UNSURE;
}

/* What fails here fails once more when it is written, and is told then. */
void receive_record_ahead(struct receive *r)
{
	enum wire_phase next = move_phase_ahead(r->state);

	if (next == WIRE_PHASE_NONE || !r->entry)
		return;
	pthread_mutex_lock(&r->journal_lock);
	if (receive_record_fill(r, journal_record(r->entry)) >= 0)
		journal_prepare(r->entry, next);
	pthread_mutex_unlock(&r->journal_lock);
}

int receive_each_left(struct receive *r, leftover_fn *fn, struct err *err)
{
	const struct receive_options *o = r->options;
	int e;

	pthread_mutex_lock(&r->journal_lock);
	e = leftover_each(o->journal, r->entry ? journal_record(r->entry) : NULL, o->load.devs,
			  o->load.n, fn, r, err);
	pthread_mutex_unlock(&r->journal_lock);
	return e;
}

int receive_phase(struct receive *r, const uint8_t txid[WIRE_ID_SIZE], enum wire_role role,
		  struct wire_state *ret, struct err *err)
{
	int e;

	pthread_mutex_lock(&r->journal_lock);
	e = journal_phase(r->options->journal, txid, role, ret, err);
	pthread_mutex_unlock(&r->journal_lock);
	return e;
}
