// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/macros.h"
#include "fsm/fsm.h"
#include "cmd/loaded.h"
#include "cmd/recover-parts.h"

const char *cmd_recover_wish_option(const struct cmd_recover_wish *wish)
{
	const struct {
		const char *name;
		bool given;
	} options[] = {
		{ "-- COMMAND", wish->after.command },
		{ "--handover", wish->after.handover },
		{ "--background", wish->after.background },
		{ "--no-hold", wish->after.no_hold },
		{ "--run", wish->run },
		{ "--stop", wish->stop },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].given)
			return options[i].name;
	return NULL;
}

/* What is passed on its new holder starts, once it has mapped the memory for it. */
enum recover_start cmd_recover_wish_start(const struct cmd_recover_wish *wish)
{
	if (wish->stop)
		return RECOVER_START_NONE;
	if (wish->run)
		return RECOVER_START_ALL;
	return cmd_after_passes(&wish->after) ? RECOVER_START_NONE : RECOVER_START_AS_RECEIVED;
}

/* Find the devices without opening one. What cannot be found, recover_run() says and judges. */
static void cmd_recover_after_find(const struct journal_record *record, struct cmd_devices *d)
{
	for (unsigned int i = 0; i < record->n_devices && d->n < CMD_DEVICES_MAX; i++) {
		struct err unfound = { 0 };
		struct device *dev;

		if (device_find(&host_live, record->devices[i].spec, &dev, &unfound) >= 0)
			d->v[d->n++] = dev;
	}
}

int cmd_recover_after_check(struct cmd_recover_wish *wish, const struct journal_record *record,
			    struct err *err)
{
	struct cmd_devices d = { 0 };
	int r;

	if (!cmd_recover_wish_option(wish))
		return 0;
	if (record->role != WIRE_DESTINATION)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"%s is for a transaction's destination, and this end is its source",
				cmd_recover_wish_option(wish));
	cmd_recover_after_find(record, &d);
	r = cmd_after_check(&wish->after, &d, err);
	cmd_devices_done(&d);
	return r;
}

/* The set's devices stay the set's: cmd_loaded_done() is not for these. */
static void cmd_recover_after_devices(const struct recover_set *set, struct cmd_devices *d)
{
	for (unsigned int i = 0; i < set->n && d->n < CMD_DEVICES_MAX; i++) {
		if (!set->v[i].known)
			continue;
		d->v[d->n] = set->v[i].dev;
		d->specs[d->n] = set->v[i].was->spec;
		d->names[d->n] = device_name(d->v[d->n]);
		d->n++;
	}
	snprintf(d->title, sizeof(d->title), "%u devices", d->n);
}

static bool cmd_recover_after_runs(const struct recover_set *set)
{
	for (unsigned int i = 0; i < set->n; i++)
		if (set->v[i].known && fsm_runs(set->v[i].state))
			return true;
	return false;
}

/* A destination's devices that have, by this very call, what was moved. */
static bool cmd_recover_after_has(const struct cmd_recover_after *a)
{
	const struct recover_result *result = a->result;

	return result->looked && !a->recover->plan_only &&
	       a->recover->seen->role == WIRE_DESTINATION && result->phase == WIRE_PHASE_DONE &&
	       result->was != WIRE_PHASE_DONE;
}

/* The caller must not believe that COMMAND ran, or that a process holds the devices for it. */
static int cmd_recover_after_nothing(const struct cmd_recover_after *a)
{
	const char *option = cmd_recover_wish_option(a->wish);

	if (option && !a->recover->plan_only)
		log_warn("%s: nothing was brought back here: without %s", a->txid, option);
	return 0;
}

int cmd_recover_after_run(const struct cmd_recover_after *a, struct err *err)
{
	struct recover_result *result = a->result;
	struct cmd_loaded l = {
		.inv = a->inv,
		.options = *a->recover->device,
		.after = a->wish->after,
		/* That they do not start was decided when they were received, or by the user. */
		.stop = true,
	};
	int r;

	if (!cmd_recover_after_has(a))
		return cmd_recover_after_nothing(a);
	if (!cmd_after_acts(&a->wish->after) && !recover_devices_must_hold(&result->set))
		return 0;
	cmd_recover_after_devices(&result->set, &l.devices);
	l.result.opened = l.result.accepted = l.result.hold = true;
	l.result.starts = cmd_recover_after_runs(&result->set);
	l.result.verdict = (struct handover_verdict){ HANDOVER_DONE, result->plan.outcome,
						      result->plan.owner };
	/* The transaction is over: neither its lock nor a fork's copy of it outlives this. */
	result->entry = journal_entry_free(result->entry);
	r = cmd_loaded_finish(&l, 0, err);
	a->wish->after = l.after;
	return r;
}
