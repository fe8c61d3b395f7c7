// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "ui/check-parts.h"
#include "ui/check-report.h"

/* The text of attributes and elements; control characters were made '?' long before. */
static void check_junit_put(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc(*text, f);
		}
	}
}

static void check_junit_attribute(FILE *f, const char *name, const char *value)
{
	fprintf(f, " %s=\"", name);
	check_junit_put(f, value);
	fputc('"', f);
}

static void check_junit_evidence(FILE *f, struct json_object *result)
{
	struct json_object *lines = check_parts_list(result, "evidence");

	for (size_t i = 0; i < check_parts_length(lines); i++) {
		check_junit_put(f, json_object_get_string(json_object_array_get_idx(lines, i)));
		fputc('\n', f);
	}
}

/* Which element says a verdict; NULL for none. */
static const char *check_junit_element(struct json_object *result)
{
	static const struct {
		const char *verdict, *element;
	} elements[] = {
		{ "fail", "failure" },	{ "broken", "error" },	  { "skip", "skipped" },
		{ "known", "skipped" }, { "warn", "system-out" }, { "info", "system-out" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(elements); i++)
		if (check_parts_is(result, elements[i].verdict))
			return elements[i].element;
	return NULL;
}

static void check_junit_verdict(FILE *f, struct json_object *result, const char *element)
{
	struct json_object *known = check_parts_list(result, "known");
	bool says = strcmp(element, "system-out") != 0;

	fprintf(f, "      <%s", element);
	if (says) {
		check_junit_attribute(f, "message",
				      check_parts_is(result, "known")
					      ? check_parts_text(known, "what")
					      : check_parts_text(result, "reason"));
		check_junit_attribute(f, "type", check_parts_text(result, "level"));
	}
	fputc('>', f);
	check_junit_evidence(f, result);
	fprintf(f, "</%s>\n", element);
}

static void check_junit_case(FILE *f, struct json_object *result)
{
	const char *id = check_parts_text(result, "id"), *element = check_junit_element(result);
	char group[64];

	snprintf(group, sizeof(group), "%.*s", (int)strcspn(id, "."), id);
	fputs("    <testcase", f);
	check_junit_attribute(f, "classname", group);
	check_junit_attribute(f, "name", id);
	fprintf(f, " time=\"%.6f\"", (double)check_parts_count(result, "ns") / 1e9);
	if (!element) {
		fputs("/>\n", f);
		return;
	}
	fputs(">\n", f);
	check_junit_verdict(f, result, element);
	fputs("    </testcase>\n", f);
}

/* A run that was ended is an error of its own: without it, what is missing would not show. */
static void check_junit_ended(FILE *f, struct json_object *report)
{
	const char *why = check_parts_text(check_parts_list(report, "error"), "message");

	fputs("    <testcase classname=\"check\" name=\"check.all-tried\" time=\"0\">\n", f);
	fputs("      <error", f);
	check_junit_attribute(f, "message", why);
	fputs(" type=\"ended\"></error>\n    </testcase>\n", f);
}

void check_report_junit(FILE *f, struct json_object *report)
{
	struct json_object *results = check_parts_list(report, "results"),
			   *summary = check_parts_list(report, "summary");
	size_t n = check_parts_length(results);
	bool ended = !results || n < check_parts_count(summary, "selected");

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite", f);
	check_junit_attribute(f, "name", "vfiomigctl check");
	fprintf(f,
		" tests=\"%zu\" failures=\"%" PRIu64 "\" errors=\"%" PRIu64 "\" skipped=\"%" PRIu64
		"\">\n",
		n + ended, check_parts_count(summary, "fail"),
		check_parts_count(summary, "broken") + ended,
		check_parts_count(summary, "skip") + check_parts_count(summary, "known"));
	for (size_t i = 0; i < n; i++)
		check_junit_case(f, json_object_array_get_idx(results, i));
	if (ended)
		check_junit_ended(f, report);
	fputs("  </testsuite>\n</testsuites>\n", f);
}
