// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/opts.h"
#include "base/units.h"
#include "emu/options.h"
#include "emu/profile.h"
#include "emu/quantity.h"
#include "fsm/fsm.h"

#define STATE_SIZE_DEFAULT (UINT64_C(1) << 20)
#define PROGRAM "vfiomig-emu"

/* What was said, whatever the order: what it means depends on all of it. */
struct emu_args {
	struct emu_options *o;
	const char *profile, *caps;
	bool list_profiles;
	bool has_state_size, has_initial;
	uint64_t n_devices;
	struct opt_list delays, faults;
};

static void emu_options_apply_profile(struct emu_args *a)
{
	struct emu_config *c = &a->o->config;
	const struct emu_profile *p;

	if (!a->profile) {
		if (!a->has_initial)
			c->initial_bytes = c->state_size;
		return;
	}
	p = emu_profile_find(a->profile);
	if (!p)
		opts_misuse(PROGRAM, "--profile: '%s' is none of --list-profiles", a->profile);
	c->ids = p->ids;
	if (!a->caps)
		c->caps = p->caps;
	if (!a->has_initial)
		c->initial_bytes = a->has_state_size ? MIN(p->initial_bytes, c->state_size)
						     : p->initial_bytes;
	if (!a->has_state_size)
		c->state_size = p->state_size;
}

/* FROM:TO=TIME, of a device whose capabilities are known: they say which arc it means. */
static int emu_options_set_delay(struct emu_config *c, const char *arg, struct err *err)
{
	const char *equals = strchr(arg, '=');
	enum mig_state from, to;
	char arc[64];
	uint64_t ns;
	int r;

	if (!equals || equals - arg >= (ptrdiff_t)sizeof(arc))
		return err_set(err, -EINVAL, "'%s' is not FROM:TO=TIME", arg);
	memcpy(arc, arg, (size_t)(equals - arg));
	arc[equals - arg] = '\0';
	r = emu_parse_arc(arc, &from, &to, err);
	if (r < 0)
		return r;
	r = emu_parse_duration(equals + 1, &ns, err);
	if (r < 0)
		return r;
	r = emu_last_arc(&from, to, c->caps, err);
	if (r < 0)
		return r;
	c->delay_ns[from][to] = ns;
	return 0;
}

static void emu_options_set_behaviour(struct emu_args *a)
{
	struct emu_config *c = &a->o->config;
	struct err err = { 0 };

	for (size_t i = 0; i < a->delays.n; i++)
		if (emu_options_set_delay(c, a->delays.v[i], &err) < 0)
			opts_misuse(PROGRAM, "--delay: %s", err.text);
	for (size_t i = 0; i < a->faults.n; i++)
		if (emu_faults_parse(&c->faults, a->faults.v[i], &err) < 0)
			opts_misuse(PROGRAM, "--fault: %s", err.text);
	if (emu_faults_resolve(&c->faults, c->caps, a->o->n_devices, &err) < 0)
		opts_misuse(PROGRAM, "--fault: %s", err.text);
}

static void emu_options_settle(struct emu_args *a)
{
	struct err err = { 0 };

	if (a->list_profiles) {
		emu_profile_list(stdout);
		exit(fflush(stdout) == 0 ? EXIT_SUCCESS : ERR_IO);
	}
	if (!a->o->path)
		opts_misuse(PROGRAM, "no --socket");
	a->o->n_devices = (uint32_t)a->n_devices;
	if (a->caps && emu_parse_caps(a->caps, &a->o->config.caps, &err) < 0)
		opts_misuse(PROGRAM, "--caps: %s", err.text);
	emu_options_apply_profile(a);
	emu_options_set_behaviour(a);
}

/* A table, and as long as one. */
static void emu_options_read(struct emu_args *a, int argc, char **argv)
{
	struct emu_options *o = a->o;
	struct emu_config *c = &o->config;
	const struct opt which[] = {
		{ "socket", 's', .value = "PATH", .text = &o->path,
		  .doc = "listen at PATH; device N of several at PATH.N" },
		{ "devices", 'n', .value = "N", .number = &a->n_devices, .min = 1,
		  .max = EMU_DEVICES_MAX, .doc = "serve N devices (1)" },
		{ "profile", .value = "NAME", .text = &a->profile,
		  .doc = "a device such as NAME's, where nothing else is said" },
		{ "list-profiles", .flag = &a->list_profiles, .doc = "list them and exit" },
		{ 0 },
	};
	const struct opt what[] = {
		{ "caps", .value = "LIST", .text = &a->caps,
		  .doc = "of stop-copy, p2p, pre-copy (all); the first always" },
		{ "state-size", .value = "SIZE", .bytes = &c->state_size, .max = EMU_STATE_SIZE_MAX,
		  .given = &a->has_state_size, .doc = "bytes of a stream, 0 to 1T (1M)" },
		{ "initial-bytes", .value = "SIZE", .bytes = &c->initial_bytes,
		  .max = EMU_STATE_SIZE_MAX, .given = &a->has_initial,
		  .doc = "of them in PRE_COPY (all)" },
		{ "dirty-rate", .value = "SIZE", .bytes = &c->dirty_rate, .max = EMU_STATE_SIZE_MAX,
		  .doc = "that change in a second of running (0)" },
		{ "data-rate", .value = "SIZE", .bytes = &c->data_rate, .max = EMU_STATE_SIZE_MAX,
		  .doc = "of stream in a second (as fast as can be)" },
		{ "seed", .value = "N", .number = &c->seed, .max = UINT64_MAX,
		  .doc = "another seed, another state (1)" },
		{ 0 },
	};
	const struct opt how[] = {
		{ "delay", .value = "FROM:TO=TIME", .list = &a->delays,
		  .doc = "how long an arc takes (repeatable)" },
		{ "fault", .value = "FAULT", .list = &a->faults,
		  .doc = "misbehave (repeatable): see vfiomig-emu(8)" },
		{ "strict", .flag = &c->strict,
		  .doc = "refuse while stopped what libvfio-user refuses" },
		{ "reset-on-disconnect", .flag = &c->reset_on_disconnect,
		  .doc = "reset when a client goes, as the kernel does" },
		{ 0 },
	};
	const struct opt program[] = {
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
		       "vfiomigctl(8): 64K, 1.5GiB, 10MB; 50ms, 2s.",
		.groups = groups,
	};

	opts_parse(&line, argc, argv);
}

void emu_options_parse(struct emu_options *o, int argc, char **argv)
{
	struct emu_args a = { .o = o, .n_devices = 1 };

	*o = (struct emu_options){
		.config = {
			.ids = { 0x1234, 0x5646, 0xff0000, 0x01 },
			.caps = MIG_CAP_STOP_COPY | MIG_CAP_P2P | MIG_CAP_PRE_COPY,
			.state_size = STATE_SIZE_DEFAULT,
			.seed = 1,
		},
	};
	emu_options_read(&a, argc, argv);
	emu_options_settle(&a);
}
