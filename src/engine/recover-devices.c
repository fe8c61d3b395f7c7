// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/peek.h"
#include "device/recover.h"
#include "engine/leftover.h"
#include "engine/load.h"
#include "engine/recover-devices.h"
#include "fsm/fsm.h"

static const char *const recover_devices_names[RECOVER_NR_DEVICES] = {
	[RECOVER_RUN] = "running", [RECOVER_HOLD] = "stopped",	[RECOVER_LOADING] = "loading",
	[RECOVER_BLANK] = "blank", [RECOVER_SILENT] = "silent",
};

const char *recover_devices_name(enum recover_devices place)
{
	return recover_devices_names[place];
}

/* Looking */

static bool recover_devices_has(const struct journal_item *item, const char *name)
{
	for (unsigned int i = 0; !item->damaged && i < item->record.n_devices; i++)
		if (!strcmp(item->record.devices[i].name, name))
			return true;
	return false;
}

static void recover_devices_silence(struct recover_device *d, const struct err *why)
{
	char reason[ERR_REASON_MAX];

	d->place = RECOVER_SILENT;
	snprintf(d->story, sizeof(d->story), "%.400s%s", why->text, err_reason(why, reason));
}

static enum recover_devices recover_devices_place(const struct recover_set *set,
						  const struct recover_device *d)
{
	const bool source = set->record->role == WIRE_SOURCE;

	if (d->state == MIG_ERROR)
		return RECOVER_BLANK;
	if (d->state == MIG_RESUMING)
		return RECOVER_LOADING;
	if (source)
		return d->state == mig_settled(d->was->found) ? RECOVER_RUN : RECOVER_HOLD;
	if (!fsm_runs(d->state))
		return RECOVER_HOLD;
	/*
	 * The process that started it is dead. If the device may have been reset by that, it runs
	 * nothing of use; the spool is there for just that.
	 */
	if (set->record->phase == WIRE_PHASE_COMMITTED && set->spooled &&
	    device_close_effect(d->dev) != CLOSE_KEEPS)
		return RECOVER_BLANK;
	return RECOVER_RUN;
}

/* No process has it open any more, so its driver was told that it is not used: it was reset. */
static bool recover_devices_was_reset(const struct device *dev)
{
	return !dev->mig && device_opening(dev) == OPENING_MAY_RESET && device_reset_by_open(dev) &&
	       !device_held(dev);
}

static int recover_devices_ask(struct recover_device *d, const struct device_options *opts,
			       struct err *err)
{
	int r;

	if (!d->dev->mig) {
		r = device_open(d->dev, opts, err);
		if (r < 0)
			return r;
		r = mig_query(d->dev->mig, err);
	} else {
		r = mig_refresh(d->dev->mig, err);
	}
	if (r < 0)
		return r;
	if (!d->dev->mig->state_known)
		return err_fail(err, ERR_DEVICE, -EIO, "it does not say where it is");
	d->state = d->dev->mig->state;
	d->known = true;
	return 0;
}

static void recover_devices_look_at(struct recover_set *set, struct recover_device *d,
				    const struct device_options *opts)
{
	struct err err = { 0 };

	if (!d->dev && device_find(&host_live, d->was->spec, &d->dev, &err) < 0) {
		recover_devices_silence(d, &err);
		return;
	}
	if (recover_devices_was_reset(d->dev)) {
		d->place = RECOVER_BLANK;
		snprintf(d->story, sizeof(d->story),
			 "no process has it open, and closing it has reset it: its state is gone");
		return;
	}
	if (recover_devices_ask(d, opts, &err) < 0) {
		recover_devices_silence(d, &err);
		return;
	}
	d->place = recover_devices_place(set, d);
}

static void recover_devices_yield_one(struct recover_device *d, const struct journal_item *items,
				      size_t n, const struct journal_record *record)
{
	char hex[2 * WIRE_ID_SIZE + 1];

	for (size_t i = 0; i < n; i++) {
		const struct journal_record *other = &items[i].record;

		if (!recover_devices_has(&items[i], d->was->name) ||
		    !leftover_yields(record, other))
			continue;
		d->place = RECOVER_SILENT;
		snprintf(d->story, sizeof(d->story), "it is part of transaction %s, which is %s",
			 hex_encode(other->txid, WIRE_ID_SIZE, hex),
			 other->begun_ns > record->begun_ns ? "newer"
			 : other->phase == WIRE_PHASE_DONE  ? "done, and its state has come since"
							    : "not over");
	}
}

/* Those that are another transaction's are left alone. */
static int recover_devices_yield(struct journal *j, struct recover_set *set, struct err *err)
{
	struct journal_item *items;
	size_t n;
	int r = journal_list(j, &items, &n, err);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < set->n; i++)
		if (!*set->v[i].story)
			recover_devices_yield_one(&set->v[i], items, n, set->record);
	journal_list_done(items, n);
	return 0;
}

int recover_devices_look(struct journal *j, const struct journal_record *record,
			 const struct device_options *opts, struct recover_set *ret,
			 struct err *err)
{
	struct recover_set set = { .record = record, .n = record->n_devices };
	int r;

	set.v = calloc(set.n ? set.n : 1, sizeof(*set.v));
	if (!set.v)
		return err_set(err, -ENOMEM, "calloc");
	set.spooled = record->spool && access(record->spool, R_OK) == 0;
	for (unsigned int i = 0; i < set.n; i++)
		set.v[i].was = &record->devices[i];
	r = recover_devices_yield(j, &set, err);
	for (unsigned int i = 0; r >= 0 && i < set.n; i++)
		if (!*set.v[i].story)
			recover_devices_look_at(&set, &set.v[i], opts);
	/* Until they were open another process may have had them, and have brought a state. */
	r = r < 0 ? r : recover_devices_yield(j, &set, err);
	if (r < 0) {
		recover_devices_done(&set);
		return r;
	}
	for (unsigned int i = 0; i < set.n; i++)
		set.place = MAX(set.place, set.v[i].place);
	*ret = set;
	return 0;
}

void recover_devices_done(struct recover_set *set)
{
	for (unsigned int i = 0; i < set->n; i++)
		device_free(set->v[i].dev);
	free(set->v);
	*set = (struct recover_set){ 0 };
}

/* Doing */

static int recover_devices_goto(struct recover_device *d, enum mig_state to,
				struct arc_retry *retry, struct err *err)
{
	struct mig_dev *mig = d->dev->mig;
	int r;

	r = mig_goto_retrying(retry, mig, to, NULL, err);
	d->state = mig->state;
	if (r < 0)
		err->kind = ERR_DEVICE;
	return r;
}

/* What runs again answers its neighbours before any of them runs in full. */
static int recover_devices_run(struct recover_set *set, bool give_back, struct arc_retry *retry,
			       struct err *err)
{
	for (int p2p = set->n > 1; p2p >= 0; p2p--) {
		for (unsigned int i = 0; i < set->n; i++) {
			struct recover_device *d = &set->v[i];
			enum mig_state to = give_back ? mig_settled(d->was->found) : MIG_RUNNING;
			int r;

			if (p2p && (to != MIG_RUNNING || d->state == MIG_RUNNING ||
				    !fsm_supported(MIG_RUNNING_P2P, d->dev->mig->caps)))
				continue;
			r = recover_devices_goto(d, p2p ? MIG_RUNNING_P2P : to, retry, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int recover_devices_stop(struct recover_set *set, struct arc_retry *retry, struct err *err)
{
	for (unsigned int i = 0; i < set->n; i++) {
		int r = recover_devices_goto(&set->v[i], MIG_STOP, retry, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int recover_devices_discard(struct recover_set *set, struct arc_retry *retry,
				   struct err *err)
{
	for (unsigned int i = 0; i < set->n; i++) {
		struct recover_device *d = &set->v[i];
		int r;

		if (!d->known)
			continue;
		r = mig_reset(d->dev->mig, err);
		if (r < 0) {
			err->kind = ERR_DEVICE;
			return r;
		}
		r = recover_devices_goto(d, MIG_STOP, retry, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void recover_devices_loaded(struct recover_set *set)
{
	for (unsigned int i = 0; i < set->n; i++) {
		struct recover_device *d = &set->v[i];

		d->known = d->dev->mig && d->dev->mig->state_known;
		d->state = d->known ? d->dev->mig->state : MIG_ERROR;
	}
}

static int recover_devices_load(struct recover_set *set, const struct device_options *opts,
				const struct arc_retry *retry, struct cancel *cancel,
				struct err *err)
{
	_cleanup_free_ struct device **devs = calloc(set->n, sizeof(struct device *));
	_cleanup_free_ const char **specs = calloc(set->n, sizeof(char *));
	_cleanup_(load_result_done) struct load_result result = { 0 };
	struct load_options load = {
		.devs = devs,
		.n = set->n,
		.device = opts,
		.p2p = true,
		.run_paused = true,
		.retry_ns = retry->budget_ns,
		.map = { .specs = specs, .n = set->n },
	};
	int r;

	if (!devs || !specs)
		return err_set(err, -ENOMEM, "calloc");
	for (unsigned int i = 0; i < set->n; i++) {
		devs[i] = set->v[i].dev;
		specs[i] = set->v[i].was->spec;
	}
	r = uri_parse(set->record->spool, URI_FILE, &load.uri, err);
	if (r < 0)
		return r;
	r = load_run(&load, cancel, &result, err);
	recover_devices_loaded(set);
	return r;
}

int recover_devices_do(struct recover_set *set, enum recover_action action,
		       const struct device_options *opts, struct arc_retry *retry,
		       struct cancel *cancel, struct err *err)
{
	switch (action) {
	case RECOVER_GIVE_BACK:
		return recover_devices_run(set, true, retry, err);
	case RECOVER_STOP:
		return recover_devices_stop(set, retry, err);
	case RECOVER_DISCARD:
		return recover_devices_discard(set, retry, err);
	case RECOVER_LOAD:
		return recover_devices_load(set, opts, retry, cancel, err);
	case RECOVER_START:
		return recover_devices_run(set, false, retry, err);
	default:
		return err_fail(err, ERR_BUG, -EINVAL, "%#x is nothing that is done to devices",
				(unsigned int)action);
	}
}

bool recover_devices_must_hold(const struct recover_set *set)
{
	for (unsigned int i = 0; i < set->n; i++)
		if (set->v[i].known && device_close_effect(set->v[i].dev) != CLOSE_KEEPS)
			return true;
	return false;
}
