// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "ui/check-parts.h"
#include "ui/check-report.h"

#define TAP_VERSION "TAP version 14\n"

/* A description ends at " # ", and a backslash says that a character is only itself. */
static void check_tap_put(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '#' || *text == '\\')
			fputc('\\', f);
		fputc(*text, f);
	}
}

/* A plain scalar would need rules of its own: all are in double quotes. */
static void check_tap_quote(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		fputc(*text, f);
	}
	fputs("\"\n", f);
}

static void check_tap_pair(FILE *f, const char *key, const char *value)
{
	if (!*value)
		return;
	fprintf(f, "  %s: ", key);
	check_tap_quote(f, value);
}

static void check_tap_diagnostics(FILE *f, struct json_object *result)
{
	struct json_object *lines = check_parts_list(result, "evidence");

	fputs("  ---\n", f);
	check_tap_pair(f, "verdict", check_parts_text(result, "verdict"));
	check_tap_pair(f, "level", check_parts_text(result, "level"));
	check_tap_pair(f, "message", check_parts_text(result, "reason"));
	check_tap_pair(f, "source", check_parts_text(result, "source"));
	if (check_parts_length(lines))
		fputs("  evidence: |\n", f);
	/* Not a list: TAP::Parser takes an item with a colon for a hash, quoted or not. */
	for (size_t i = 0; i < check_parts_length(lines); i++)
		fprintf(f, "    %s\n", json_object_get_string(json_object_array_get_idx(lines, i)));
	fputs("  ...\n", f);
}

/* What a directive says, after the description. */
static void check_tap_directive(FILE *f, struct json_object *result)
{
	const char *what = NULL, *why = "";

	if (check_parts_is(result, "skip")) {
		what = "SKIP";
		why = check_parts_text(result, "reason");
	}
	if (check_parts_is(result, "known")) {
		what = "todo";
		why = check_parts_text(check_parts_list(result, "known"), "what");
	}
	if (!what)
		return;
	fprintf(f, " # %s ", what);
	check_tap_put(f, why);
}

void check_tap_result(FILE *f, struct json_object *result, size_t number)
{
	bool bad = check_parts_is(result, "fail") || check_parts_is(result, "broken") ||
		   check_parts_is(result, "known");

	fprintf(f, "%sok %zu - ", bad ? "not " : "", number);
	check_tap_put(f, check_parts_text(result, "id"));
	fputs(": ", f);
	check_tap_put(f, check_parts_text(result, "text"));
	check_tap_directive(f, result);
	fputc('\n', f);
	if (!check_parts_is(result, "pass") && !check_parts_is(result, "skip"))
		check_tap_diagnostics(f, result);
}

void check_tap_begin(FILE *f, uint64_t selected)
{
	fprintf(f, TAP_VERSION "1..%" PRIu64 "\n", selected);
}

void check_report_tap(FILE *f, struct json_object *report)
{
	struct json_object *results = check_parts_list(report, "results");
	uint64_t selected = check_parts_count(check_parts_list(report, "summary"), "selected");

	if (results && check_parts_length(results) == selected)
		return;
	/* Nothing was begun. */
	if (!results)
		fputs(TAP_VERSION, f);
	fputs("Bail out! ", f);
	check_tap_put(f, check_parts_text(check_parts_list(report, "error"), "message"));
	fputc('\n', f);
}
