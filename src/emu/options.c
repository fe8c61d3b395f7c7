// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "emu/options.h"
#include "emu/profile.h"
#include "emu/quantity.h"
#include "fsm/fsm.h"

#define STATE_SIZE_DEFAULT (UINT64_C(1) << 20)
#define DELAYS_MAX 32

enum {
	OPT_SOCKET = 's',
	OPT_DEVICES = 'n',
	OPT_VERBOSE = 'v',
	OPT_QUIET = 'q',
	OPT_STATE_SIZE = 0x100,
	OPT_INITIAL_BYTES,
	OPT_DIRTY_RATE,
	OPT_DATA_RATE,
	OPT_CAPS,
	OPT_DELAY,
	OPT_FAULT,
	OPT_PROFILE,
	OPT_LIST_PROFILES,
	OPT_SEED,
	OPT_STRICT,
	OPT_RESET_ON_DISCONNECT,
	OPT_EXIT_WITH_PARENT,
};

/* A --delay waits for --caps: only then is it known which arc it means. */
struct delay {
	enum mig_state from, to;
	uint64_t ns;
};

/* What was said, whatever the order: a profile fills in the rest. */
struct args {
	struct emu_options *o;
	const struct emu_profile *profile;
	bool has_caps, has_state_size, has_initial;
	struct delay delays[DELAYS_MAX];
	size_t n_delays;
};

static const struct argp_option options[] = {
	{ "socket", OPT_SOCKET, "PATH", 0, "listen at PATH; device N of several at PATH.N", 1 },
	{ "devices", OPT_DEVICES, "N", 0, "serve N devices (1)", 1 },
	{ "profile", OPT_PROFILE, "NAME", 0, "a device such as NAME's, where nothing else is said",
	  1 },
	{ "list-profiles", OPT_LIST_PROFILES, NULL, 0, "list them and exit", 1 },

	{ "caps", OPT_CAPS, "LIST", 0, "of stop-copy, p2p, pre-copy (all); the first always", 2 },
	{ "state-size", OPT_STATE_SIZE, "SIZE", 0, "bytes of a stream, 0 to 1T (1M)", 2 },
	{ "initial-bytes", OPT_INITIAL_BYTES, "SIZE", 0, "of them in PRE_COPY (all)", 2 },
	{ "dirty-rate", OPT_DIRTY_RATE, "SIZE", 0, "that change in a second of running (0)", 2 },
	{ "data-rate", OPT_DATA_RATE, "SIZE", 0, "of stream in a second (as fast as can be)", 2 },
	{ "seed", OPT_SEED, "N", 0, "another seed, another state (1)", 2 },

	{ "delay", OPT_DELAY, "FROM:TO=TIME", 0, "how long an arc takes (repeatable)", 3 },
	{ "fault", OPT_FAULT, "FAULT", 0, "misbehave (repeatable): see vfiomig-emu(8)", 3 },
	{ "strict", OPT_STRICT, NULL, 0, "refuse while stopped what libvfio-user refuses", 3 },
	{ "reset-on-disconnect", OPT_RESET_ON_DISCONNECT, NULL, 0,
	  "reset when a client goes, as the kernel does", 3 },

	{ "exit-with-parent", OPT_EXIT_WITH_PARENT, NULL, 0, "end when the parent process does", 4 },
	{ "verbose", OPT_VERBOSE, NULL, 0, "say what happens; twice: every command", 4 },
	{ "quiet", OPT_QUIET, NULL, 0, "no warnings", 4 },
	{ 0 },
};

static uint64_t emu_options_size_arg(const char *arg, uint64_t max, const char *name,
				     struct argp_state *state)
{
	struct err err = { 0 };
	uint64_t n = 0;

	if (emu_parse_size(arg, max, &n, &err) < 0)
		argp_error(state, "--%s: %s", name, err.text);
	return n;
}

static uint64_t emu_options_number_arg(const char *arg, uint64_t max, const char *name,
				       struct argp_state *state)
{
	uint64_t n = 0;

	if (parse_uint(arg, 10, max, &n) < 0)
		argp_error(state, "--%s: '%s' is not a number up to %llu", name, arg,
			   (unsigned long long)max);
	return n;
}

static void emu_options_parse_delay(struct args *a, const char *arg, struct argp_state *state)
{
	const char *equals = strchr(arg, '=');
	struct err err = { 0 };
	struct delay *d;
	char arc[64];
	int r;

	if (!equals || equals - arg >= (ptrdiff_t)sizeof(arc))
		argp_error(state, "--delay: '%s' is not FROM:TO=TIME", arg);
	if (a->n_delays == DELAYS_MAX)
		argp_error(state, "--delay: more than %d", DELAYS_MAX);
	d = &a->delays[a->n_delays++];
	memcpy(arc, arg, (size_t)(equals - arg));
	arc[equals - arg] = '\0';
	r = emu_parse_arc(arc, &d->from, &d->to, &err);
	if (!r)
		r = emu_parse_duration(equals + 1, &d->ns, &err);
	if (r < 0)
		argp_error(state, "--delay: %s", err.text);
}

static void emu_options_apply_profile(struct args *a)
{
	struct emu_config *c = &a->o->config;
	const struct emu_profile *p = a->profile;

	if (p) {
		c->ids = p->ids;
		if (!a->has_caps)
			c->caps = p->caps;
		if (!a->has_initial)
			c->initial_bytes = a->has_state_size ? MIN(p->initial_bytes, c->state_size)
							     : p->initial_bytes;
		if (!a->has_state_size)
			c->state_size = p->state_size;
	} else if (!a->has_initial) {
		c->initial_bytes = c->state_size;
	}
}

/* All of it is there: what depends on several options. */
static void emu_options_finish(struct args *a, struct argp_state *state)
{
	struct emu_config *c = &a->o->config;
	struct err err = { 0 };

	if (!a->o->path)
		argp_error(state, "no --socket");
	emu_options_apply_profile(a);
	for (size_t i = 0; i < a->n_delays; i++) {
		struct delay *d = &a->delays[i];

		if (emu_last_arc(&d->from, d->to, c->caps, &err) < 0)
			argp_error(state, "--delay: %s", err.text);
		c->delay_ns[d->from][d->to] = d->ns;
	}
	if (emu_faults_resolve(&c->faults, c->caps, a->o->n_devices, &err) < 0)
		argp_error(state, "--fault: %s", err.text);
}

static error_t emu_options_parse_state(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct emu_config *c = &a->o->config;
	struct err err = { 0 };

	switch (key) {
	case OPT_CAPS:
		if (emu_parse_caps(arg, &c->caps, &err) < 0)
			argp_error(state, "--caps: %s", err.text);
		a->has_caps = true;
		return 0;
	case OPT_STATE_SIZE:
		c->state_size = emu_options_size_arg(arg, EMU_STATE_SIZE_MAX, "state-size", state);
		a->has_state_size = true;
		return 0;
	case OPT_INITIAL_BYTES:
		c->initial_bytes =
			emu_options_size_arg(arg, EMU_STATE_SIZE_MAX, "initial-bytes", state);
		a->has_initial = true;
		return 0;
	case OPT_DIRTY_RATE:
		c->dirty_rate = emu_options_size_arg(arg, EMU_STATE_SIZE_MAX, "dirty-rate", state);
		return 0;
	case OPT_DATA_RATE:
		c->data_rate = emu_options_size_arg(arg, EMU_STATE_SIZE_MAX, "data-rate", state);
		return 0;
	case OPT_SEED:
		c->seed = emu_options_number_arg(arg, UINT64_MAX, "seed", state);
		return 0;
	case OPT_DELAY:
		emu_options_parse_delay(a, arg, state);
		return 0;
	case OPT_FAULT:
		if (emu_faults_parse(&c->faults, arg, &err) < 0)
			argp_error(state, "--fault: %s", err.text);
		return 0;
	case OPT_STRICT:
		c->strict = true;
		return 0;
	case OPT_RESET_ON_DISCONNECT:
		c->reset_on_disconnect = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t emu_options_parse_key(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct emu_options *o = a->o;
	uint64_t n;

	switch (key) {
	case OPT_SOCKET:
		o->path = arg;
		return 0;
	case OPT_DEVICES:
		if (parse_uint(arg, 10, EMU_DEVICES_MAX, &n) < 0 || !n)
			argp_error(state, "--devices is 1 to %u, not '%s'", EMU_DEVICES_MAX, arg);
		o->n_devices = (uint32_t)n;
		return 0;
	case OPT_PROFILE:
		a->profile = emu_profile_find(arg);
		if (!a->profile)
			argp_error(state, "--profile: '%s' is none of --list-profiles", arg);
		return 0;
	case OPT_LIST_PROFILES:
		emu_profile_list(stdout);
		exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
	case OPT_EXIT_WITH_PARENT:
		o->exit_with_parent = true;
		return 0;
	case OPT_VERBOSE:
		o->verbosity++;
		return 0;
	case OPT_QUIET:
		o->verbosity = LOG_LEVEL_QUIET;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option", arg);
		return 0;
	case ARGP_KEY_SUCCESS:
		emu_options_finish(a, state);
		return 0;
	default:
		return emu_options_parse_state(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = emu_options_parse_key,
	.doc = "Serve emulated devices that migrate, over vfio-user.\v"
	       "One line 'ready: PATH' is printed for every socket that can be connected to. States "
	       "are error, stop, running, stop-copy, resuming, running-p2p, pre-copy, pre-copy-p2p; "
	       "sizes take K, M, G, T; times us, ms, s.",
};

void emu_options_parse(struct emu_options *o, int argc, char **argv)
{
	struct args a = { .o = o };

	*o = (struct emu_options){
		.n_devices = 1,
		.config = {
			.ids = { 0x1234, 0x5646, 0xff0000, 0x01 },
			.caps = MIG_CAP_STOP_COPY | MIG_CAP_P2P | MIG_CAP_PRE_COPY,
			.state_size = STATE_SIZE_DEFAULT,
			.seed = 1,
		},
	};
	argp_err_exit_status = ERR_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
}
