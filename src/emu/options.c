// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/opts.h"
#include "base/printed.h"
#include "emu/deviation.h"
#include "emu/options.h"
#include "emu/profile.h"
#include "emu/settings.h"

#define PROGRAM "vfiomig-emu"

/* What was said, whatever the order: what it means depends on all of it. */
struct emu_args {
	struct emu_options *o;
	bool list_profiles, list_deviations;
	uint64_t n_devices;
	struct emu_settings settings;
};

static void emu_options_settle(struct emu_args *a)
{
	struct emu_options *o = a->o;
	struct err err = { 0 };

	if (a->list_profiles || a->list_deviations) {
		if (a->list_profiles)
			emu_profile_list(stdout);
		else
			emu_deviation_list(stdout);
		printed_exit();
	}
	if (!o->path)
		opts_misuse(PROGRAM, "no --socket");
	o->n_devices = (uint32_t)a->n_devices;
	o->configs = calloc(o->n_devices, sizeof(*o->configs));
	if (!o->configs)
		opts_misuse(PROGRAM, "no memory for %u devices", o->n_devices);
	for (uint32_t i = 0; i < o->n_devices; i++)
		if (emu_settings_config(&a->settings, i, o->n_devices, &o->configs[i], &err) < 0)
			opts_misuse(PROGRAM, "%s", err.text);
}

/* A table, and as long as one. */
static void emu_options_read(struct emu_args *a, int argc, char **argv)
{
	struct emu_options *o = a->o;
	struct emu_settings *s = &a->settings;
	const struct opt which[] = {
		{ "socket", 's', .value = "PATH", .text = &o->path,
		  .doc = "listen at PATH; device N of several at PATH.N" },
		{ "devices", 'n', .value = "N", .number = &a->n_devices, .min = 1,
		  .max = EMU_DEVICES_MAX, .doc = "serve N devices (1)" },
		{ "profile", .value = "NAME", .list = &s->profile,
		  .doc = "a device such as NAME's, where nothing else is said" },
		{ "list-profiles", .flag = &a->list_profiles, .doc = "list them and exit" },
		{ 0 },
	};
	const struct opt what[] = {
		{ "caps", .value = "LIST", .list = &s->caps,
		  .doc = "of stop-copy, p2p, pre-copy (all); the first always" },
		{ "state-size", .value = "SIZE", .list = &s->state_size,
		  .doc = "bytes of a stream, 0 to 1T (1M)" },
		{ "initial-bytes", .value = "SIZE", .list = &s->initial_bytes,
		  .doc = "of them in PRE_COPY (all)" },
		{ "dirty-rate", .value = "SIZE", .list = &s->dirty_rate,
		  .doc = "that change in a second of running (0)" },
		{ "dirty-interval", .value = "TIME", .list = &s->dirty_interval,
		  .doc = "that they change in, all at once (0)" },
		{ "data-rate", .value = "SIZE", .list = &s->data_rate,
		  .doc = "of stream in a second (as fast as can be)" },
		{ "seed", .value = "N", .list = &s->seed,
		  .doc = "another seed, another state (1)" },
		{ 0 },
	};
	const struct opt how[] = {
		{ "delay", .value = "FROM:TO=TIME", .list = &s->delays,
		  .doc = "how long an arc takes (repeatable)" },
		{ "fault", .value = "FAULT", .list = &s->faults,
		  .doc = "misbehave (repeatable): see vfiomig-emu(8)" },
		{ "deviate", .value = "NAME", .list = &s->deviations,
		  .doc = "break a rule (repeatable), one of --list-deviations" },
		{ "list-deviations", .flag = &a->list_deviations, .doc = "list them and exit" },
		{ "strict", .flag = &s->strict,
		  .doc = "refuse while stopped what libvfio-user refuses" },
		{ "reset-on-disconnect", .flag = &s->reset_on_disconnect,
		  .doc = "reset when a client goes, as the kernel does" },
		{ 0 },
	};
	const struct opt program[] = {
		{ "event-log", .value = "FILE", .text = &o->event_log,
		  .doc = "append a line to FILE for all that happens to a device" },
		{ "exit-with-parent", .flag = &o->exit_with_parent,
		  .doc = "end when the parent process does" },
		{ "verbose", 'v', .louder = &o->verbosity,
		  .doc = "say what happens; twice: every command" },
		{ "quiet", 'q', .silent = &o->verbosity, .doc = "no warnings" },
		{ 0 },
	};
	const struct opt_group groups[] = {
		{ .opts = which }, { .opts = what }, { .opts = how }, { .opts = program }, { 0 },
	};
	const struct opt_line line = {
		.program = PROGRAM,
		.version = PROGRAM " " PACKAGE_VERSION "\nvfio-user 0.2",
		.doc = "Serve emulated devices that migrate, over vfio-user.\v"
		       "One line 'ready: PATH' is printed for every socket that can be "
		       "connected to. States are error, stop, running, stop-copy, resuming, "
		       "running-p2p, pre-copy, pre-copy-p2p; sizes and times are as in "
		       "vfiomigctl(8): 64K, 1.5GiB, 10MB; 50ms, 2s. With N@ in front, what is said "
		       "of devices is said of device N alone: --state-size 1@64K.",
		.groups = groups,
	};

	opts_parse(&line, argc, argv);
}

void emu_options_parse(struct emu_options *o, int argc, char **argv)
{
	struct emu_args a = { .o = o, .n_devices = 1 };

	*o = (struct emu_options){ 0 };
	emu_options_read(&a, argc, argv);
	emu_options_settle(&a);
}

void emu_options_done(struct emu_options *o)
{
	o->configs = mfree(o->configs);
}
