// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "ui/check-parts.h"
#include "ui/check-report.h"

void check_report_list(FILE *f, struct json_object *report)
{
	struct json_object *list = check_parts_list(report, "rules");

	for (size_t i = 0; i < check_parts_length(list); i++) {
		struct json_object *rule = json_object_array_get_idx(list, i);

		fprintf(f, "%-44s %-6s %s\n", check_parts_text(rule, "id"),
			check_parts_text(rule, "level"), check_parts_text(rule, "harm"));
		fprintf(f, "    %s\n    (%s)\n", check_parts_text(rule, "text"),
			check_parts_text(rule, "source"));
	}
}

/* The reason stands beside the verdict where it is short of evidence: skips, figures. */
static bool check_text_explains(struct json_object *result)
{
	return check_parts_is(result, "fail") || check_parts_is(result, "warn") ||
	       check_parts_is(result, "broken");
}

static void check_text_evidence(FILE *f, struct json_object *result)
{
	struct json_object *lines = check_parts_list(result, "evidence");

	fprintf(f, "        %s %s (%s)\n", check_parts_text(result, "level"),
		check_parts_text(result, "text"), check_parts_text(result, "source"));
	for (size_t i = 0; i < check_parts_length(lines); i++)
		fprintf(f, "        | %s\n",
			json_object_get_string(json_object_array_get_idx(lines, i)));
}

void check_text_result(FILE *f, struct json_object *result)
{
	const char *reason = check_parts_text(result, "reason");

	if (check_parts_is(result, "known"))
		reason = check_parts_text(check_parts_list(result, "known"), "what");
	fprintf(f, "%-6s  %s%s%s\n", check_parts_text(result, "verdict"),
		check_parts_text(result, "id"), *reason ? ": " : "", reason);
	if (check_text_explains(result))
		check_text_evidence(f, result);
}

static void check_text_summary(FILE *f, struct json_object *summary, size_t tried)
{
	static const char *const verdicts[] = { "pass",	 "info", "skip",  "warn",
						"known", "fail", "broken" };
	uint64_t selected = check_parts_count(summary, "selected");

	fprintf(f, "%" PRIu64 " rule%s", selected, selected == 1 ? "" : "s");
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (check_parts_count(summary, verdicts[i]))
			fprintf(f, ", %" PRIu64 " %s", check_parts_count(summary, verdicts[i]),
				verdicts[i]);
	if (tried < selected)
		fprintf(f, ", %" PRIu64 " not tried", selected - tried);
	fputc('\n', f);
}

void check_report_text(FILE *f, struct json_object *report)
{
	struct json_object *results = check_parts_list(report, "results");

	if (!results)
		return;
	check_text_summary(f, check_parts_list(report, "summary"), check_parts_length(results));
}
