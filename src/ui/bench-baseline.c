// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "fsm/fsm.h"
#include "ui/bench-baseline.h"
#include "ui/bench-keys.h"
#include "ui/json-reader.h"
#include "ui/report.h"

/* A report has some thousand values. */
static const struct json_limits bench_baseline_limits = {
	.len = BENCH_BASELINE_MAX,
	.values = 65536,
	.depth = 8,
};

static void bench_baseline_read_summary(struct json_reader *r, enum bench_unit unit,
					struct bench_summary *ret)
{
	char key[BENCH_KEY_MAX];

	ret->n = json_reader_uint(r, "n", BENCH_ROUNDS_MAX);
	ret->median = json_reader_uint(r, bench_key(key, "median", unit), INT64_MAX);
	ret->low = json_reader_uint(r, bench_key(key, "low", unit), INT64_MAX);
	ret->high = json_reader_uint(r, bench_key(key, "high", unit), INT64_MAX);
	if (!r->failed && (ret->low > ret->median || ret->median > ret->high))
		json_reader_fail(r, "median", "between low and high");
	if (!r->failed && ret->n < BENCH_SAMPLES_MIN)
		json_reader_fail(r, "n", "at least 8, to be compared with");
}

static bool bench_baseline_kind(const char *name, enum bench_kind *ret)
{
	for (unsigned int i = 0; i < BENCH_NR_KINDS; i++)
		if (!strcmp(bench_kind_name((enum bench_kind)i), name)) {
			*ret = (enum bench_kind)i;
			return true;
		}
	return false;
}

static int bench_baseline_read_arc(struct json_object *o, struct bench_baseline *b, struct err *err)
{
	struct json_reader r = { .o = o };
	struct bench_step s = { 0 };

	if (!bench_baseline_kind(json_reader_string(&r, "of"), &s.kind))
		json_reader_fail(&r, "of", "what is measured here");
	if (!fsm_parse(json_reader_string(&r, "from"), &s.from))
		json_reader_fail(&r, "from", "a state");
	if (!fsm_parse(json_reader_string(&r, "to"), &s.to))
		json_reader_fail(&r, "to", "a state");
	s.second = json_reader_bool(&r, "second");
	bench_baseline_read_summary(&r, BENCH_NS, &s.summary);
	if (!r.failed)
		b->arcs[b->n_arcs++] = s;
	return json_reader_result(&r, err);
}

/* What is not known here is of a later version, and is not compared. */
static int bench_baseline_read_measure(struct json_object *o, enum bench_unit unit,
				       struct bench_baseline *b, struct err *err)
{
	struct json_reader r = { .o = o };
	const char *name = json_reader_string(&r, "name");

	for (unsigned int i = 0; i < BENCH_NR_MEASURES; i++)
		if (bench_measures[i].unit == unit && !strcmp(bench_measures[i].name, name))
			bench_baseline_read_summary(&r, unit, &b->measures[i]);
	return json_reader_result(&r, err);
}

static int bench_baseline_read_measures(struct json_reader *r, enum bench_unit unit,
					struct bench_baseline *b, struct err *err)
{
	const char *list = bench_unit_keys[unit].list;
	struct json_object *a = json_reader_array(r, list, BENCH_NR_MEASURES);
	int code;

	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		code = bench_baseline_read_measure(json_object_array_get_idx(a, i), unit, b, err);
		if (code < 0)
			return err_prefix(err, code, "%s, entry %zu", list, i);
	}
	return json_reader_result(r, err);
}

static int bench_baseline_read_arcs(struct json_reader *r, struct bench_baseline *b,
				    struct err *err)
{
	struct json_object *a = json_reader_array(r, "arcs", BENCH_STEPS_MAX);
	int code;

	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		code = bench_baseline_read_arc(json_object_array_get_idx(a, i), b, err);
		if (code < 0)
			return err_prefix(err, code, "arc %zu", i);
	}
	return json_reader_result(r, err);
}

static int bench_baseline_read(struct json_object *root, struct bench_baseline *b, struct err *err)
{
	struct json_reader r = { .o = root };
	int code;

	if (json_reader_uint(&r, "schema", UINT32_MAX) != REPORT_SCHEMA)
		json_reader_fail(&r, "schema", "one that is known here");
	if (strcmp(json_reader_string(&r, "command"), "bench") != 0)
		json_reader_fail(&r, "command", "bench");
	code = json_reader_result(&r, err);
	if (code < 0)
		return code;
	code = bench_baseline_read_arcs(&r, b, err);
	if (code < 0)
		return code;
	for (unsigned int unit = 0; unit < BENCH_NR_UNITS; unit++) {
		code = bench_baseline_read_measures(&r, (enum bench_unit)unit, b, err);
		if (code < 0)
			return code;
	}
	return 0;
}

int bench_baseline_parse(const char *text, size_t len, struct bench_baseline *ret, struct err *err)
{
	struct json_object *root = NULL;
	int r;

	*ret = (struct bench_baseline){ 0 };
	r = json_reader_parse(text, len, &bench_baseline_limits, &root, err);
	r = r < 0 ? r : bench_baseline_read(root, ret, err);
	json_object_put(root);
	return r;
}

const struct bench_summary *bench_baseline_arc(const struct bench_baseline *b,
					       const struct bench_step *like)
{
	for (unsigned int i = 0; i < b->n_arcs; i++) {
		const struct bench_step *s = &b->arcs[i];

		if (s->kind == like->kind && s->second == like->second && s->from == like->from &&
		    s->to == like->to)
			return &s->summary;
	}
	return NULL;
}
