// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "engine/hold.h"
#include "cmd/devices.h"
#include "cmd/files.h"
#include "cmd/holding.h"

/* What the command's own usage has last: the URI of a move, the FILE of an image. */
static const char *cmd_devices_last(const struct invocation *inv)
{
	return strstr(inv->command->args_doc, "URI") ? "URI" : "FILE";
}

void cmd_devices_split(struct invocation *inv, struct cmd_devices *d)
{
	if (d->args.n < 2)
		opts_misuse(inv->program, "no %s", d->args.n ? cmd_devices_last(inv) : "DEV");
	d->file = d->args.v[d->args.n - 1];
	if (d->args.n - 1 > CMD_DEVICES_MAX)
		opts_misuse(inv->program, "more than %u devices", CMD_DEVICES_MAX);
	d->n = (unsigned int)d->args.n - 1;
	for (unsigned int i = 0; i < d->n; i++)
		d->specs[i] = d->names[i] = d->args.v[i];
}

int cmd_devices_find(const struct invocation *inv, struct cmd_devices *d,
		     struct device_options *options, const struct uri *uri, struct err *err)
{
	if (d->n > 1)
		options->acquire.shared = &d->shared;
	for (unsigned int i = 0; i < d->n; i++) {
		int r;

		r = cmd_find_device(inv, d->specs[i], d->file, &d->v[i], err);
		if (r < 0)
			return r;
		d->names[i] = device_name(d->v[i]);
		r = cmd_files_device(d->v[i], uri, err);
		if (r < 0)
			return r;
	}
	if (d->n > 1)
		snprintf(d->title, sizeof(d->title), "%u devices", d->n);
	return 0;
}

void cmd_devices_done(struct cmd_devices *d)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (!d->forsaken[i])
			d->v[i] = device_free(d->v[i]);
	acquire_shared_done(&d->shared);
}

const char *cmd_devices_title(const struct cmd_devices *d)
{
	return d->n > 1 ? d->title : d->names[0];
}

bool cmd_devices_any_served(const struct cmd_devices *d)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (device_is_served(d->v[i]))
			return true;
	return false;
}

int cmd_devices_call_timeout(const struct cmd_devices *d, const struct device_options *options)
{
	int ms = 0;

	for (unsigned int i = 0; i < d->n; i++)
		ms = MAX(ms, device_call_timeout(d->v[i], options));
	return ms;
}

enum close_effect cmd_devices_effect(const struct cmd_devices *d, const struct device **ret)
{
	enum close_effect worst = CLOSE_KEEPS;

	*ret = d->v[0];
	for (unsigned int i = 0; i < d->n; i++) {
		enum close_effect effect = device_close_effect(d->v[i]);

		if (effect <= worst)
			continue;
		worst = effect;
		*ret = d->v[i];
	}
	return worst;
}

/* @r: what the hold has ended with, which a driver that hangs does not hide. Return: as that. */
static int cmd_devices_end_hold(struct cmd_devices *d, struct hold *hold, int r, struct err *err)
{
	struct err hangs = { 0 };
	int end = hold_end(hold, &hangs);

	for (unsigned int i = 0; i < d->n; i++)
		d->forsaken[i] = hold_is_forsaken(hold, d->v[i]);
	if (r < 0 || end >= 0)
		return r;
	*err = hangs;
	return end;
}

int cmd_devices_hold(struct invocation *inv, struct cmd_devices *d, struct err *err)
{
	_cleanup_(hold_freep) struct hold *hold = NULL;
	struct cmd_holding holding = { .inv = inv };
	const struct hold_options opts = {
		.host = &host_live,
		.told = cmd_holding_told,
		.ctx = &holding,
	};
	int r;

	r = hold_new(&opts, &hold, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < d->n; i++) {
		r = hold_add(hold, d->v[i], err);
		if (r < 0)
			return r;
	}
	holding.hold = hold;
	hold_begin(hold);
	r = cmd_holding_run(&holding, err);
	return cmd_devices_end_hold(d, hold, r, err);
}
