// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/bench-keys.h"
#include "ui/bench-report.h"

/*
 * Into JSON
 */

static void bench_report_summary(struct json_object *o, const struct bench_summary *s,
				 enum bench_unit unit)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "min", s->min }, { "median", s->median }, { "p99", s->p99 },
		{ "max", s->max }, { "low", s->low },	    { "high", s->high },
	};
	char key[BENCH_KEY_MAX];

	report_uint(o, "n", s->n);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		report_uint(o, bench_key(key, rows[i].name, unit), rows[i].value);
}

static void bench_report_arc(struct json_object *arcs, const struct bench_step *s, const char *name)
{
	struct json_object *o = report_append(arcs);

	report_string(o, "of", bench_kind_name(s->kind));
	report_string(o, "device", name);
	report_bool(o, "second", s->second);
	report_string(o, "from", fsm_name(s->from));
	report_string(o, "to", fsm_name(s->to));
	bench_report_summary(o, &s->summary, BENCH_NS);
}

static void bench_report_measures(struct json_object *o, const struct bench_result *result,
				  enum bench_unit unit)
{
	struct json_object *list = report_array(o, bench_unit_keys[unit].list);

	for (unsigned int i = 0; i < BENCH_NR_MEASURES; i++) {
		struct json_object *entry;

		if (bench_measures[i].unit != unit || !result->summaries[i].n)
			continue;
		entry = report_append(list);
		report_string(entry, "name", bench_measures[i].name);
		report_string(entry, "words", bench_measures[i].words);
		bench_report_summary(entry, &result->summaries[i], unit);
	}
}

void bench_report_render(struct json_object *o, const struct bench_result *result, const char *dev,
			 const char *second)
{
	struct json_object *arcs = report_array(o, "arcs");

	for (unsigned int i = 0; i < result->n_steps; i++)
		if (!result->steps[i].stream)
			bench_report_arc(arcs, &result->steps[i],
					 result->steps[i].second ? second : dev);
	for (unsigned int unit = 0; unit < BENCH_NR_UNITS; unit++)
		bench_report_measures(o, result, (enum bench_unit)unit);
}

/*
 * Against a baseline
 */

/* struct bench_report_rows - the comparison as it grows */
struct bench_report_rows {
	struct json_object *lists[BENCH_NR_UNITS];
	double threshold;
	unsigned int n, worse;
};

/* @words: what is compared */
static void bench_report_row(struct bench_report_rows *rows, const char *words,
			     const struct bench_summary *before, const struct bench_summary *now,
			     enum bench_unit unit)
{
	struct json_object *o = report_append(rows->lists[unit]);
	enum bench_verdict verdict = bench_compare(before, now, rows->threshold);
	char key[BENCH_KEY_MAX], change[32];
	double percent = bench_change(before, now);

	report_string(o, "words", words);
	report_uint(o, bench_key(key, "before", unit), before->median);
	report_uint(o, bench_key(key, "now", unit), now->median);
	snprintf(change, sizeof(change), "%.1f", percent);
	json_object_object_add(o, "change_percent", json_object_new_double_s(percent, change));
	report_string(o, "verdict", bench_verdict_name(verdict));
	rows->n++;
	rows->worse += verdict == BENCH_WORSE;
}

static void bench_report_compare_arcs(struct bench_report_rows *rows,
				      const struct bench_result *result,
				      const struct bench_baseline *baseline)
{
	for (unsigned int i = 0; i < result->n_steps; i++) {
		const struct bench_step *s = &result->steps[i];
		const struct bench_summary *before = bench_baseline_arc(baseline, s);
		char words[96];

		if (s->stream || !before)
			continue;
		snprintf(words, sizeof(words), "%s%s: %s -> %s", bench_kind_name(s->kind),
			 s->second ? ", second" : "", fsm_name(s->from), fsm_name(s->to));
		bench_report_row(rows, words, before, &s->summary, BENCH_NS);
	}
}

void bench_report_compare(struct json_object *o, const struct bench_result *result,
			  const struct bench_baseline *baseline, const char *file,
			  unsigned int threshold, unsigned int *ret_compared,
			  unsigned int *ret_worse)
{
	struct json_object *c = report_object(o, "comparison");
	struct bench_report_rows rows = { .threshold = threshold };

	report_name(c, "baseline", file);
	report_uint(c, "threshold_percent", threshold);
	rows.lists[BENCH_NS] = report_array(c, "times");
	rows.lists[BENCH_BYTES] = report_array(c, "sizes");
	bench_report_compare_arcs(&rows, result, baseline);
	for (unsigned int i = 0; i < BENCH_NR_MEASURES; i++) {
		const struct bench_summary *before = &baseline->measures[i];

		if (bench_measures[i].compared && before->n && result->summaries[i].n)
			bench_report_row(&rows, bench_measures[i].words, before,
					 &result->summaries[i], bench_measures[i].unit);
	}
	report_uint(c, "worse", rows.worse);
	*ret_compared = rows.n;
	*ret_worse = rows.worse;
}

/*
 * From JSON: columns of a list, as text or as Markdown
 */

#define BENCH_REPORT_COLUMNS 8

/* struct bench_report_table - a list of the report, and its @n columns */
struct bench_report_table {
	const char *list, *title;
	struct report_row columns[BENCH_REPORT_COLUMNS];
	size_t n;
};

static const struct bench_report_table bench_report_arcs = {
	"arcs",
	"Arcs",
	{
		{ "of", "OF", REPORT_TEXT },
		{ "device", "DEVICE", REPORT_TEXT },
		{ "from", "FROM", REPORT_TEXT },
		{ "to", "TO", REPORT_TEXT },
		{ "min_ns", "MIN", REPORT_NS },
		{ "median_ns", "MEDIAN", REPORT_NS },
		{ "p99_ns", "P99", REPORT_NS },
		{ "max_ns", "MAX", REPORT_NS },
	},
	8,
};

static const struct bench_report_table bench_report_times = {
	"times",
	"Times",
	{
		{ "words", "TIME", REPORT_TEXT },
		{ "min_ns", "MIN", REPORT_NS },
		{ "median_ns", "MEDIAN", REPORT_NS },
		{ "p99_ns", "P99", REPORT_NS },
		{ "max_ns", "MAX", REPORT_NS },
	},
	5,
};

static const struct bench_report_table bench_report_sizes = {
	"sizes",
	"Sizes",
	{
		{ "words", "SIZE", REPORT_TEXT },
		{ "min_bytes", "MIN", REPORT_BYTES },
		{ "median_bytes", "MEDIAN", REPORT_BYTES },
		{ "max_bytes", "MAX", REPORT_BYTES },
	},
	4,
};

static const struct bench_report_table bench_report_rates = {
	"rates",
	"Rates",
	{
		{ "words", "RATE", REPORT_TEXT },
		{ "min_bytes_per_second", "MIN", REPORT_RATE },
		{ "median_bytes_per_second", "MEDIAN", REPORT_RATE },
		{ "max_bytes_per_second", "MAX", REPORT_RATE },
	},
	4,
};

static const struct bench_report_table bench_report_counts = {
	"counts",
	"Numbers",
	{
		{ "words", "NUMBER", REPORT_TEXT },
		{ "min", "MIN", REPORT_TEXT },
		{ "median", "MEDIAN", REPORT_TEXT },
		{ "max", "MAX", REPORT_TEXT },
	},
	4,
};

static const struct bench_report_table bench_report_other_times = {
	"times",
	"Against the baseline",
	{
		{ "words", "MEDIAN OF", REPORT_TEXT },
		{ "before_ns", "BEFORE", REPORT_NS },
		{ "now_ns", "NOW", REPORT_NS },
		{ "change_percent", "CHANGE, %", REPORT_TEXT },
		{ "verdict", "VERDICT", REPORT_TEXT },
	},
	5,
};

static const struct bench_report_table bench_report_other_sizes = {
	"sizes",
	"Sizes against the baseline",
	{
		{ "words", "MEDIAN OF", REPORT_TEXT },
		{ "before_bytes", "BEFORE", REPORT_BYTES },
		{ "now_bytes", "NOW", REPORT_BYTES },
		{ "change_percent", "CHANGE, %", REPORT_TEXT },
		{ "verdict", "VERDICT", REPORT_TEXT },
	},
	5,
};

static const struct bench_report_table *const bench_report_tables[] = {
	&bench_report_arcs,  &bench_report_times,  &bench_report_sizes,
	&bench_report_rates, &bench_report_counts,
};

typedef void bench_report_show(FILE *f, struct json_object *list,
			       const struct bench_report_table *table);

static void bench_report_one(FILE *f, struct json_object *o, const struct bench_report_table *table,
			     bench_report_show *show)
{
	struct json_object *list;

	if (json_object_object_get_ex(o, table->list, &list) && json_object_array_length(list))
		show(f, list, table);
}

static void bench_report_each(FILE *f, struct json_object *report, bench_report_show *show)
{
	struct json_object *comparison;

	for (size_t i = 0; i < ARRAY_SIZE(bench_report_tables); i++)
		bench_report_one(f, report, bench_report_tables[i], show);
	if (!json_object_object_get_ex(report, "comparison", &comparison))
		return;
	bench_report_one(f, comparison, &bench_report_other_times, show);
	bench_report_one(f, comparison, &bench_report_other_sizes, show);
}

static void bench_report_show_text(FILE *f, struct json_object *list,
				   const struct bench_report_table *table)
{
	fputc('\n', f);
	report_table(f, list, table->columns, table->n);
}

void bench_report_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "device.driver", "driver", REPORT_TEXT },
		{ "pair.address", "second device", REPORT_TEXT },
		{ "rounds", "rounds", REPORT_TEXT },
		{ "state", "state now", REPORT_TEXT },
		{ "svg", "picture", REPORT_TEXT },
		{ "comparison.baseline", "baseline", REPORT_TEXT },
		{ "comparison.threshold_percent", "threshold, %", REPORT_TEXT },
		{ "comparison.worse", "worse", REPORT_TEXT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
	bench_report_each(f, report, bench_report_show_text);
}

/* "|" ends a cell of Markdown. */
static void bench_report_put_cell(FILE *f, const char *text)
{
	fputc(' ', f);
	for (; *text; text++)
		fprintf(f, *text == '|' ? "\\%c" : "%c", *text);
	fputs(" |", f);
}

static void bench_report_cell(FILE *f, struct json_object *o, const struct report_row *column)
{
	struct json_object *value;
	char buf[UNITS_MAX];
	uint64_t n;

	if (!json_object_object_get_ex(o, column->key, &value)) {
		bench_report_put_cell(f, "-");
		return;
	}
	n = json_object_get_uint64(value);
	if (column->format == REPORT_NS)
		bench_report_put_cell(f, format_duration(buf, n));
	else if (column->format == REPORT_BYTES)
		bench_report_put_cell(f, format_bytes(buf, n));
	else if (column->format == REPORT_RATE)
		bench_report_put_cell(f, format_rate(buf, n, UINT64_C(1000000000)));
	else
		bench_report_put_cell(f, json_object_get_string(value));
}

static void bench_report_show_markdown(FILE *f, struct json_object *list,
				       const struct bench_report_table *table)
{
	fprintf(f, "\n%s:\n\n|", table->title);
	for (size_t i = 0; i < table->n; i++)
		bench_report_put_cell(f, table->columns[i].label);
	fputs("\n|", f);
	for (size_t i = 0; i < table->n; i++)
		fputs(table->columns[i].format == REPORT_TEXT ? "---|" : "---:|", f);
	fputc('\n', f);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		fputc('|', f);
		for (size_t j = 0; j < table->n; j++)
			bench_report_cell(f, json_object_array_get_idx(list, i),
					  &table->columns[j]);
		fputc('\n', f);
	}
}

static const char *bench_report_text(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) && value ? json_object_get_string(value)
								  : NULL;
}

static void bench_report_markdown_device(FILE *f, struct json_object *report, const char *key,
					 const char *label)
{
	struct json_object *o;

	if (!json_object_object_get_ex(report, key, &o))
		return;
	fprintf(f, "- %s: %s", label, bench_report_text(o, "address"));
	if (bench_report_text(o, "driver"))
		fprintf(f, ", driver %s", bench_report_text(o, "driver"));
	fputc('\n', f);
}

void bench_report_markdown(FILE *f, struct json_object *report)
{
	struct json_object *c;

	fprintf(f, PACKAGE_STRING " bench, %s rounds, Linux %s\n\n",
		bench_report_text(report, "rounds"), bench_report_text(report, "kernel"));
	bench_report_markdown_device(f, report, "device", "device");
	bench_report_markdown_device(f, report, "pair", "second device");
	bench_report_each(f, report, bench_report_show_markdown);
	if (json_object_object_get_ex(report, "comparison", &c))
		fprintf(f,
			"\nA change counts when it is over %s %% of the median, and the intervals "
			"that hold\nthe medians with 99 %% have nothing in common.\n",
			bench_report_text(c, "threshold_percent"));
}
