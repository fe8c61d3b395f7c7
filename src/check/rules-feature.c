// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * VFIO_DEVICE_FEATURE: what is announced, and how a question is to be asked
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "check/check.h"

#define FEATURE_GET_MIGRATION (UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION)
#define FEATURE_GET_STATE (UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DEVICE_STATE)
#define FEATURE_SET_STATE (UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE)
#define FEATURE_GET_SIZE (UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DATA_SIZE)
#define FEATURE_UNKNOWN 0xfffeu /* far beyond what will be defined */

struct feature_state {
	uint32_t state;
	int32_t data_fd;
};

static int rules_feature_get_migration(struct check *c, uint64_t *ret)
{
	*ret = 0;
	return subject_feature(c->device, FEATURE_GET_MIGRATION, UAPI_FEATURE_HEADER + 8, ret, 8);
}

static void rules_feature_stop_copy(struct check *c)
{
	uint64_t flags;
	int r = rules_feature_get_migration(c, &flags);

	if (check_worked(c, "GET MIGRATION", r) && !(flags & MIG_CAP_STOP_COPY))
		check_violated(c, "flags are %#llx: no VFIO_MIGRATION_STOP_COPY",
			       (unsigned long long)flags);
}

static void rules_feature_flags(struct check *c)
{
	const uint64_t defined = MIG_CAP_STOP_COPY | MIG_CAP_P2P | MIG_CAP_PRE_COPY;
	uint64_t flags;
	int r = rules_feature_get_migration(c, &flags);

	if (check_worked(c, "GET MIGRATION", r) && flags & ~defined)
		check_violated(c, "flags are %#llx: %#llx means nothing yet",
			       (unsigned long long)flags, (unsigned long long)(flags & ~defined));
}

static void rules_feature_constant(struct check *c)
{
	static const enum mig_state states[] = { MIG_RUNNING, MIG_STOP, MIG_STOP_COPY };
	uint64_t first = 0, flags;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct subject_session *x = NULL;

		if (subject_go(c->device, states[i], &x) < 0)
			return;
		if (!check_worked(c, "GET MIGRATION", rules_feature_get_migration(c, &flags)))
			return;
		if (!i)
			first = flags;
		if (flags != first)
			check_violated(c, "flags are %#llx in %s, and were %#llx",
				       (unsigned long long)flags, subject_state_name(states[i]),
				       (unsigned long long)first);
		/* Its fd is closed by the runner, at the end. */
		(void)x;
	}
}

/**
 * struct feature_row - a question about a feature, and how it must be answered
 * @extra: beyond the header and @len bytes of data, or less: of argsz
 */
struct feature_row {
	const char *what;
	uint32_t flags;
	size_t len;
	int extra;
};

static int rules_feature_ask(struct check *c, const struct feature_row *row)
{
	uint8_t data[16] __attribute__((aligned(8))) = { 0 };
	const struct feature_state stop = { .state = MIG_STOP, .data_fd = -1 };

	/* What would be done, were it not refused, is no harm. */
	if ((row->flags & 0xffffu) == UAPI_FEATURE_MIG_DEVICE_STATE)
		memcpy(data, &stop, sizeof(stop));
	return subject_feature(c->device, row->flags,
			       (uint32_t)((int)(UAPI_FEATURE_HEADER + row->len) + row->extra), data,
			       row->len);
}

static void rules_feature_all_work(struct check *c, const struct feature_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_worked(c, rows[i].what, rules_feature_ask(c, &rows[i]));
}

static void rules_feature_all_refused(struct check *c, const struct feature_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_refused(c, rows[i].what, rules_feature_ask(c, &rows[i]), CHECK_ERRNOS());
		check_stays(c, MIG_RUNNING);
	}
}

/* The errno that the kernel's own check of a question gives. */
static void rules_feature_all_einval(struct check *c, const struct feature_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_refused(c, rows[i].what, rules_feature_ask(c, &rows[i]),
			      CHECK_ERRNOS(EINVAL));
		check_stays(c, MIG_RUNNING);
	}
}

static void rules_feature_probe(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "PROBE MIGRATION", UAPI_FEATURE_PROBE | UAPI_FEATURE_MIGRATION, 0, 0 },
		{ "PROBE GET MIGRATION", UAPI_FEATURE_PROBE | FEATURE_GET_MIGRATION, 0, 0 },
		{ "PROBE MIG_DEVICE_STATE", UAPI_FEATURE_PROBE | UAPI_FEATURE_MIG_DEVICE_STATE, 0,
		  0 },
		{ "PROBE GET SET MIG_DEVICE_STATE",
		  UAPI_FEATURE_PROBE | UAPI_FEATURE_GET | FEATURE_SET_STATE, 0, 0 },
	};

	rules_feature_all_work(c, rows, ARRAY_SIZE(rows));
	check_stays(c, MIG_RUNNING);
}

static void rules_feature_probe_refused(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "PROBE SET MIGRATION",
		  UAPI_FEATURE_PROBE | UAPI_FEATURE_SET | UAPI_FEATURE_MIGRATION, 0, 0 },
		{ "PROBE of an unknown feature", UAPI_FEATURE_PROBE | FEATURE_UNKNOWN, 0, 0 },
	};

	rules_feature_all_refused(c, rows, ARRAY_SIZE(rows));
}

static void rules_feature_set_migration(struct check *c)
{
	static const struct feature_row row = { "SET MIGRATION",
						UAPI_FEATURE_SET | UAPI_FEATURE_MIGRATION, 8, 0 };
	uint64_t before, after;

	if (!check_worked(c, "GET MIGRATION", rules_feature_get_migration(c, &before)))
		return;
	rules_feature_all_refused(c, &row, 1);
	rules_feature_get_migration(c, &after);
	if (after != before)
		check_violated(c, "flags are %#llx afterwards, and were %#llx",
			       (unsigned long long)after, (unsigned long long)before);
}

static void rules_feature_unknown(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "GET of an unknown feature", UAPI_FEATURE_GET | FEATURE_UNKNOWN, 8, 0 },
		{ "SET of an unknown feature", UAPI_FEATURE_SET | FEATURE_UNKNOWN, 8, 0 },
	};

	rules_feature_all_refused(c, rows, ARRAY_SIZE(rows));
}

static void rules_feature_get_or_set(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "neither GET nor SET of MIGRATION", UAPI_FEATURE_MIGRATION, 8, 0 },
		{ "neither GET nor SET of MIG_DEVICE_STATE", UAPI_FEATURE_MIG_DEVICE_STATE, 8, 0 },
	};

	rules_feature_all_einval(c, rows, ARRAY_SIZE(rows));
}

static void rules_feature_get_and_set(struct check *c)
{
	static const struct feature_row row = {
		"GET and SET of MIG_DEVICE_STATE at once",
		UAPI_FEATURE_GET | FEATURE_SET_STATE,
		8,
		0,
	};

	rules_feature_all_einval(c, &row, 1);
}

static void rules_feature_reserved(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "GET MIGRATION with flag 19", FEATURE_GET_MIGRATION | 1u << 19, 8, 0 },
		{ "GET MIGRATION with flag 31", FEATURE_GET_MIGRATION | 1u << 31, 8, 0 },
		{ "SET stop with flag 19", FEATURE_SET_STATE | 1u << 19, 8, 0 },
	};

	rules_feature_all_einval(c, rows, ARRAY_SIZE(rows));
}

static void rules_feature_argsz_small(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "GET MIGRATION without room for it", FEATURE_GET_MIGRATION, 8, -8 },
		{ "GET MIGRATION with a byte too few", FEATURE_GET_MIGRATION, 8, -1 },
		{ "GET MIG_DEVICE_STATE with a byte too few", FEATURE_GET_STATE, 8, -1 },
	};

	rules_feature_all_einval(c, rows, ARRAY_SIZE(rows));
}

static void rules_feature_argsz_set(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "SET MIG_DEVICE_STATE without a state", FEATURE_SET_STATE, 8, -8 },
		{ "SET MIG_DEVICE_STATE with a byte too few", FEATURE_SET_STATE, 8, -1 },
	};

	rules_feature_all_einval(c, rows, ARRAY_SIZE(rows));
}

static void rules_feature_argsz_header(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "argsz 0", FEATURE_GET_MIGRATION, 8, -16 },
		{ "argsz 4", FEATURE_GET_MIGRATION, 8, -12 },
		{ "argsz 7", FEATURE_GET_STATE, 8, -9 },
	};

	rules_feature_all_einval(c, rows, ARRAY_SIZE(rows));
}

static void rules_feature_argsz_large(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "GET MIGRATION with more room", FEATURE_GET_MIGRATION, 16, 0 },
		{ "GET MIG_DEVICE_STATE with more room", FEATURE_GET_STATE, 16, 0 },
	};

	rules_feature_all_work(c, rows, ARRAY_SIZE(rows));
}

/* As they were filled in: GET may not leave a number there. */
static void rules_feature_no_fd(struct check *c)
{
	static const enum mig_state states[] = { MIG_RUNNING, MIG_STOP, MIG_STOP_COPY };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct feature_state got = { .data_fd = 12345 };
		struct subject_session *x = NULL;

		if (subject_go(c->device, states[i], &x) < 0)
			return;
		if (check_worked(c, "GET MIG_DEVICE_STATE",
				 subject_feature(c->device, FEATURE_GET_STATE,
						 UAPI_FEATURE_HEADER + sizeof(got), &got,
						 sizeof(got))) &&
		    got.data_fd != -1)
			check_violated(c, "data_fd is %d in %s, and must be -1", got.data_fd,
				       subject_state_name(states[i]));
	}
}

static void rules_feature_open_runs(struct check *c)
{
	struct err err = { 0 };
	int r = subject_reopen(c->device, &err);

	if (r < 0) {
		check_broken(c, "it cannot be opened again: %s: %s", err.text, err_name(r));
		return;
	}
	check_stays(c, MIG_RUNNING);
}

static void rules_feature_data_size(struct check *c)
{
	static const enum mig_state states[] = { MIG_RUNNING, MIG_STOP };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		uint64_t size;

		if (subject_go(c->device, states[i], NULL) < 0)
			return;
		check_worked(c, "GET MIG_DATA_SIZE", subject_data_size(c->device, &size));
		check_stays(c, states[i]);
	}
}

static void rules_feature_data_size_args(struct check *c)
{
	static const struct feature_row rows[] = {
		{ "GET MIG_DATA_SIZE without room for it", FEATURE_GET_SIZE, 8, -8 },
		{ "GET MIG_DATA_SIZE with a byte too few", FEATURE_GET_SIZE, 8, -1 },
		{ "SET MIG_DATA_SIZE", UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DATA_SIZE, 8, 0 },
	};

	rules_feature_all_einval(c, rows, ARRAY_SIZE(rows));
}

/* The opt-in is of the open device, and what other rules are about is one without it. */
static void rules_feature_opt_out(struct check *c)
{
	struct err err = { 0 };

	if (subject_reopen(c->device, &err) < 0)
		check_broken(c, "it cannot be opened again: %s", err.text);
}

static void rules_feature_precopy_v2(struct check *c)
{
	static const struct feature_row set = {
		"SET MIG_PRECOPY_INFOv2",
		UAPI_FEATURE_SET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2,
		0,
		0,
	};

	rules_feature_all_work(c, &set, 1);
	rules_feature_all_work(c, &set, 1);
	check_stays(c, MIG_RUNNING);
	rules_feature_opt_out(c);
}

static void rules_feature_precopy_v2_get(struct check *c)
{
	static const struct feature_row get = {
		"GET MIG_PRECOPY_INFOv2",
		UAPI_FEATURE_GET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2,
		8,
		0,
	};

	rules_feature_all_refused(c, &get, 1);
}

static void rules_feature_precopy_v2_none(struct check *c)
{
	static const struct feature_row set = {
		"SET MIG_PRECOPY_INFOv2",
		UAPI_FEATURE_SET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2,
		0,
		0,
	};

	rules_feature_all_refused(c, &set, 1);
}

#define FEATURE_SOURCE "uapi: VFIO_DEVICE_FEATURE"
#define FEATURE_MIGRATION_SOURCE "uapi: VFIO_DEVICE_FEATURE_MIGRATION"
#define FEATURE_STATE_SOURCE "uapi: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE"
#define FEATURE_CHECK_SOURCE "kernel: vfio_check_feature()"

static const struct check_rule feature_rules[] = {
	/* clang-format off */
	{ "feature.stop-copy-announced", CHECK_MUST, CHECK_HARMLESS, 0,
	  "the migration flags have VFIO_MIGRATION_STOP_COPY",
	  FEATURE_MIGRATION_SOURCE, rules_feature_stop_copy },
	{ "feature.flags-defined", CHECK_SHOULD, CHECK_HARMLESS, 0,
	  "the migration flags have no bit that is not defined",
	  FEATURE_MIGRATION_SOURCE, rules_feature_flags },
	{ "feature.flags-constant", CHECK_SHOULD, CHECK_HARMLESS, 0,
	  "the migration flags are the same in each state",
	  FEATURE_MIGRATION_SOURCE, rules_feature_constant },
	{ "feature.probe-works", CHECK_MUST, CHECK_HARMLESS, 0,
	  "PROBE of the migration features succeeds, with GET and SET where they have them",
	  FEATURE_SOURCE, rules_feature_probe },
	{ "feature.probe-refused", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "PROBE of a method or feature that there is not fails",
	  FEATURE_SOURCE, rules_feature_probe_refused },
	{ "feature.set-migration-refused", CHECK_MUST, CHECK_HARMLESS, 0,
	  "SET of MIGRATION, which has GET alone, fails and changes nothing",
	  FEATURE_MIGRATION_SOURCE, rules_feature_set_migration },
	{ "feature.unknown-refused", CHECK_MUST, CHECK_HARMLESS, 0,
	  "GET and SET of a feature that is not defined fail",
	  FEATURE_SOURCE, rules_feature_unknown },
	{ "feature.operation-required", CHECK_MUST, CHECK_HARMLESS, 0,
	  "a question that is neither GET nor SET nor PROBE fails with EINVAL",
	  FEATURE_CHECK_SOURCE, rules_feature_get_or_set },
	{ "feature.get-set-exclusive", CHECK_MUST, CHECK_HARMLESS, 0,
	  "GET and SET at once, without PROBE, fail with EINVAL",
	  FEATURE_SOURCE, rules_feature_get_and_set },
	{ "feature.reserved-flags-refused", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "flags that are not defined fail with EINVAL",
	  FEATURE_CHECK_SOURCE, rules_feature_reserved },
	{ "feature.argsz-too-small", CHECK_MUST, CHECK_HARMLESS, 0,
	  "an argsz without room for the data that GET returns fails with EINVAL",
	  FEATURE_CHECK_SOURCE, rules_feature_argsz_small },
	{ "feature.argsz-too-small-for-set", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "a SET whose argsz has no room for the state fails with EINVAL and changes nothing",
	  FEATURE_CHECK_SOURCE, rules_feature_argsz_set },
	{ "feature.argsz-below-header", CHECK_MUST, CHECK_HARMLESS, 0,
	  "an argsz without room for the header fails with EINVAL",
	  FEATURE_CHECK_SOURCE, rules_feature_argsz_header },
	{ "feature.argsz-larger", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "an argsz with more room than is needed is accepted",
	  FEATURE_CHECK_SOURCE, rules_feature_argsz_large },
	{ "feature.get-state-no-fd", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "GET of the state has -1 as data_fd",
	  FEATURE_STATE_SOURCE, rules_feature_no_fd },
	{ "feature.open-runs", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_REOPEN,
	  "a device that is opened is in RUNNING",
	  "kernel: the open_device callbacks of vfio drivers", rules_feature_open_runs },
	{ "feature.data-size", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_DATA_SIZE,
	  "MIG_DATA_SIZE is told while the device runs and while it is stopped",
	  "uapi: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE", rules_feature_data_size },
	{ "feature.data-size-arguments", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_DATA_SIZE,
	  "MIG_DATA_SIZE without room for it, and its SET, fail with EINVAL",
	  FEATURE_CHECK_SOURCE, rules_feature_data_size_args },
	{ "feature.precopy-info-v2", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_PRECOPY_V2 | CHECK_NEEDS_REOPEN,
	  "the opt-in to PRECOPY_INFOv2 succeeds, also a second time",
	  "uapi: VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2", rules_feature_precopy_v2 },
	{ "feature.precopy-info-v2-get-refused", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_PRECOPY_V2,
	  "GET of PRECOPY_INFOv2, which has SET alone, fails",
	  "uapi: VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2", rules_feature_precopy_v2_get },
	{ "feature.precopy-info-v2-needs-pre-copy", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_NO_PRE_COPY,
	  "without PRE_COPY the opt-in to PRECOPY_INFOv2 fails",
	  "uapi: VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2", rules_feature_precopy_v2_none },
	/* clang-format on */
};

const struct check_group check_feature_rules = CHECK_GROUP(feature_rules);
