// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "check/rules.h"
#include "check/verdict.h"
#include "ui/check-parts.h"
#include "ui/check-report.h"

static void check_json_rule(struct json_object *o, const struct check_rule *rule)
{
	report_string(o, "id", rule->id);
	report_string(o, "level", check_level_name(rule->level));
	report_string(o, "harm", check_harm_name(rule->harm));
	report_string(o, "text", rule->text);
	report_string(o, "source", rule->source);
}

void check_report_rules(struct json_object *report, const struct check_selection *selection)
{
	struct json_object *list = report_array(report, "rules");
	const struct check_rule *rule;

	for (size_t i = 0; (rule = check_rule_at(i)); i++)
		if (check_selected(selection, rule->id))
			check_json_rule(report_append(list), rule);
}

/* A line of text is an element. */
static void check_json_lines(struct json_object *list, const char *text)
{
	char line[256];

	while (text && *text) {
		size_t len = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		report_append_string(list, line);
		text += len + (text[len] == '\n');
	}
}

static void check_json_known(struct json_object *o, const struct check_known *known)
{
	struct json_object *k;

	if (!known) {
		report_null(o, "known");
		return;
	}
	k = report_object(o, "known");
	report_string(k, "what", known->what);
	report_string(k, "source", known->source);
}

static void check_json_result(struct json_object *o, const struct check_result *result)
{
	check_json_rule(o, result->rule);
	report_string(o, "verdict", check_verdict_name(result->verdict));
	report_string(o, "reason", result->reason && *result->reason ? result->reason : NULL);
	check_json_known(o, result->known);
	check_json_lines(report_array(o, "evidence"), result->evidence);
	report_uint(o, "ns", result->ns);
}

struct json_object *check_report_result(const struct check_result *result)
{
	struct json_object *o = json_object_new_object();

	check_json_result(o, result);
	return o;
}

void check_report_results(struct json_object *report, const struct check_results *results)
{
	struct json_object *list = report_array(report, "results"), *summary;

	for (size_t i = 0; i < results->n; i++)
		check_json_result(report_append(list), &results->v[i]);
	summary = report_object(report, "summary");
	report_uint(summary, "selected", results->selected);
	for (int v = CHECK_PASS; v < CHECK_NR_VERDICTS; v++)
		report_uint(summary, check_verdict_name((enum check_verdict)v),
			    check_results_count(results, (enum check_verdict)v));
}

/*
 * Reading it again
 */

const char *check_parts_text(struct json_object *o, const char *key)
{
	struct json_object *member;

	return json_object_object_get_ex(o, key, &member) && member ? json_object_get_string(member)
								    : "";
}

uint64_t check_parts_count(struct json_object *o, const char *key)
{
	struct json_object *member;

	return json_object_object_get_ex(o, key, &member) ? json_object_get_uint64(member) : 0;
}

struct json_object *check_parts_list(struct json_object *o, const char *key)
{
	struct json_object *member;

	return json_object_object_get_ex(o, key, &member) ? member : NULL;
}

size_t check_parts_length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

bool check_parts_is(struct json_object *result, const char *verdict)
{
	return !strcmp(check_parts_text(result, "verdict"), verdict);
}
