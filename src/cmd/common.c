// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "base/uuid.h"
#include "cmd/cmd.h"
#include "cmd/files.h"

enum {
	OPT_PROGRESS = OPT_COMMON,
	OPT_STATUS_FD
};
enum {
	OPT_VIA = OPT_DEVICE,
	OPT_VF_TOKEN,
	OPT_PROTOCOL,
	OPT_TIMEOUT
};

#define TIMEOUT_SECONDS 30

/*
 * Options of every command, before or after its name
 */

static const struct argp_option common_options[] = {
	{ "json", 'j', NULL, 0, "print one JSON document", 0 },
	{ "verbose", 'v', NULL, 0, "say what is done; twice: each arc and each retry", 0 },
	{ "quiet", 'q', NULL, 0, "no warnings, no progress, no report", 0 },
	{ "progress", OPT_PROGRESS, "WHEN", 0, "auto, always, never or json", 0 },
	{ "status-fd", OPT_STATUS_FD, "N", 0, "write progress as JSON lines to descriptor N", 0 },
	{ 0 },
};

static bool cmd_parse_progress(const char *arg, enum progress_mode *ret)
{
	static const char *const words[] = {
		[PROGRESS_AUTO] = "auto",
		[PROGRESS_ALWAYS] = "always",
		[PROGRESS_NEVER] = "never",
		[PROGRESS_JSON] = "json",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(arg, words[i])) {
			*ret = (enum progress_mode)i;
			return true;
		}
	return false;
}

static bool cmd_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static error_t cmd_parse_common(int key, char *arg, struct argp_state *state)
{
	struct invocation *inv = state->input;
	uint64_t fd;

	switch (key) {
	case 'j':
		inv->json = true;
		return 0;
	case 'v':
		inv->verbosity = inv->verbosity < 0 ? 1 : inv->verbosity + 1;
		return 0;
	case 'q':
		inv->verbosity = -1;
		return 0;
	case OPT_PROGRESS:
		if (!cmd_parse_progress(arg, &inv->progress))
			argp_error(state, "--progress is auto, always, never or json, not '%s'",
				   arg);
		return 0;
	case OPT_STATUS_FD:
		if (parse_uint(arg, 10, INT_MAX, &fd) < 0 || !cmd_writable((int)fd))
			argp_error(state, "--status-fd: '%s' is not open for writing", arg);
		inv->status_fd = (int)fd;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp common_argp = { .options = common_options, .parser = cmd_parse_common };

/*
 * How to open a device
 */

static const struct argp_option open_options[] = {
	{ "via", OPT_VIA, "WAY", 0, "open by cdev or group, whatever the system has", 0 },
	{ "vf-token", OPT_VF_TOKEN, "UUID", 0, "token that the driver of the VF's PF asks for", 0 },
	{ "protocol", OPT_PROTOCOL, "WHICH", 0, "speak v1 or v2, whatever the device has", 0 },
	{ "timeout", OPT_TIMEOUT, "SECONDS", 0,
	  "give up on a vfio-user server that is silent for so long (30); save and resume also on "
	  "a peer (30) and on a driver's stream (never)",
	  0 },
	{ 0 },
};

static error_t cmd_parse_open(int key, char *arg, struct argp_state *state)
{
	struct device_options *o = state->input;
	uint64_t seconds;

	switch (key) {
	case ARGP_KEY_INIT:
		o->acquire.timeout_ms = TIMEOUT_SECONDS * 1000;
		return 0;
	case OPT_TIMEOUT:
		if (parse_uint(arg, 10, INT_MAX / 1000, &seconds) < 0 || !seconds)
			argp_error(state, "--timeout: '%s' is not a number of seconds", arg);
		o->acquire.timeout_ms = o->call_timeout_ms = (int)seconds * 1000;
		return 0;
	case OPT_VIA:
		if (!strcmp(arg, "cdev"))
			o->acquire.via = ACQUIRE_CDEV;
		else if (!strcmp(arg, "group"))
			o->acquire.via = ACQUIRE_GROUP;
		else
			argp_error(state, "--via is cdev or group, not '%s'", arg);
		return 0;
	case OPT_PROTOCOL:
		if (!strcmp(arg, "v1"))
			o->protocol = PROTOCOL_V1;
		else if (!strcmp(arg, "v2"))
			o->protocol = PROTOCOL_V2;
		else
			argp_error(state, "--protocol is v1 or v2, not '%s'", arg);
		return 0;
	case OPT_VF_TOKEN:
		if (!uuid_parse(arg, NULL))
			argp_error(state, "--vf-token: '%s' is not a UUID", arg);
		o->acquire.vf_token = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp open_argp = { .options = open_options, .parser = cmd_parse_open };

/*
 * How long a device may refuse to be stopped
 */

#define DRAIN_SECONDS 5

static const struct argp_option arc_retry_options[] = {
	{ "drain-timeout", OPT_DRAIN, "SECONDS", 0,
	  "ask a device that is too busy to be stopped again, for so long (5)", 0 },
	{ 0 },
};

static error_t cmd_parse_arc_retry(int key, char *arg, struct argp_state *state)
{
	struct arc_retry *d = state->input;
	uint64_t seconds;

	switch (key) {
	case ARGP_KEY_INIT:
		d->budget_ns = DRAIN_SECONDS * NSEC_PER_SEC;
		return 0;
	case OPT_DRAIN:
		if (parse_uint(arg, 10, 86400, &seconds) < 0)
			argp_error(state, "--drain-timeout: '%s' is not a number of seconds", arg);
		d->budget_ns = seconds * NSEC_PER_SEC;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp arc_retry_argp = { .options = arc_retry_options, .parser = cmd_parse_arc_retry };

/*
 * Positional arguments
 */

static error_t cmd_take(const char **slot, const char *name, int key, char *arg,
			const struct argp_state *state)
{
	if (key == ARGP_KEY_ARG && !*slot) {
		*slot = arg;
		return 0;
	}
	if (key == ARGP_KEY_END && !*slot)
		argp_error(state, "no %s", name);
	return ARGP_ERR_UNKNOWN;
}

static error_t cmd_parse_device(int key, char *arg, struct argp_state *state)
{
	struct device_args *a = state->input;

	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = &a->options;
		return 0;
	}
	return cmd_take(&a->spec, "DEV", key, arg, state);
}

static error_t cmd_parse_file(int key, char *arg, struct argp_state *state)
{
	struct file_args *a = state->input;

	return cmd_take(&a->text, "FILE", key, arg, state);
}

static const struct argp_child device_children[] = {
	{ &open_argp, 0, "Opening the device:", 1 },
	{ 0 },
};

const struct argp device_argp = { .parser = cmd_parse_device, .children = device_children };
const struct argp file_argp = { .parser = cmd_parse_file };

void cmd_parse(const struct invocation *inv, const struct argp *argp, int argc, char **argv,
	       void *input)
{
	argp_parse(argp, argc, argv, 0, NULL, input);
	log_setup(inv->verbosity, program_invocation_short_name);
}

static int cmd_parse_open_file(const char *text, unsigned int kinds, enum err_kind kind,
			       struct uri *ret, struct err *err)
{
	int r = uri_parse(text, kinds, ret, err);

	if (r >= 0 && ret->kind == URI_FD && fcntl(ret->fd, F_GETFD) < 0)
		return err_fail(err, kind, -errno, "%s: not open here", text);
	return r;
}

int cmd_input(struct invocation *inv, const char *text, unsigned int kinds, struct uri *ret,
	      struct err *err)
{
	int r = cmd_parse_open_file(text, kinds, ERR_MISSING, ret, err);

	return r < 0 ? r : cmd_files_input(inv, ret, err);
}

/*
 * What is written to @uri comes out of @fd too. What devices make of it is theirs: /dev/null can take
 * any number of things at once, and terminals take no data.
 */
static bool cmd_leads_to(const struct uri *uri, int fd)
{
	struct stat to, here;
	int r;

	if (uri->kind == URI_FILE)
		r = stat(uri->path, &to);
	else if (uri->kind & (URI_STDIO | URI_FD))
		r = fstat(uri->kind == URI_FD ? uri->fd : STDOUT_FILENO, &to);
	else
		return false;
	return r == 0 && fstat(fd, &here) == 0 && to.st_dev == here.st_dev &&
	       to.st_ino == here.st_ino && !S_ISCHR(to.st_mode);
}

int cmd_output(struct invocation *inv, const char *text, unsigned int kinds, struct uri *ret,
	       struct err *err)
{
	int r = cmd_parse_open_file(text, kinds, ERR_OUTPUT, ret, err);

	if (r < 0)
		return r;
	inv->stdout_taken = ret->kind == URI_STDIO || cmd_leads_to(ret, STDOUT_FILENO);
	if (inv->stdout_taken && inv->json) {
		err_fail(err, ERR_USAGE, -EINVAL, "--json and the data both want standard output");
		return err_hint(err, -EINVAL, "name a file, or use --status-fd for JSON");
	}
	if (inv->status_fd >= 0 && cmd_leads_to(ret, inv->status_fd)) {
		err_fail(err, ERR_USAGE, -EINVAL, "--status-fd: %d is where the data goes",
			 inv->status_fd);
		inv->status_fd = -1;
		return -EINVAL;
	}
	return cmd_files_output(inv, ret, err);
}

struct progress cmd_progress(const struct invocation *inv, const struct transfer *transfer,
			     const char *name)
{
	return (struct progress){
		.mode = inv->verbosity < 0 && inv->progress == PROGRESS_AUTO ? PROGRESS_NEVER
									     : inv->progress,
		.status_fd = inv->status_fd,
		.command = inv->command->name,
		.kind = "device",
		.name = name,
		.transfer = transfer,
	};
}
