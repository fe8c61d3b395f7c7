// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "ui/report.h"

/* What is printed into a memory stream. */
struct printed {
	char *text;
	size_t len;
	FILE *f;
};

static FILE *print_to(struct printed *p)
{
	p->f = open_memstream(&p->text, &p->len);
	assert_non_null(p->f);
	return p->f;
}

/* Ends it, compares and frees. */
static void assert_printed(struct printed *p, const char *want)
{
	fclose(p->f);
	assert_string_equal(p->text, want);
	free(p->text);
}

static struct json_object *sample(void)
{
	struct json_object *o = report_new("save"), *child, *list;

	report_string(o, "device", "0000:3b:00.1");
	report_uint(o, "bytes", 1572864);
	report_int(o, "offset", -1);
	report_bool(o, "published", true);
	report_bool(o, "raw", false);
	report_hex(o, "vendor", 4, 0x15b3);
	report_hex(o, "address", 1, UINT64_MAX);
	report_string(o, "driver", NULL);
	report_null(o, "nothing");
	report_uint(o, "downtime_ns", 13800);
	report_uint(o, "most", UINT64_MAX);
	child = report_object(o, "file");
	report_string(child, "path", "a/b.img");
	report_object(child, "empty");
	list = report_array(o, "flags");
	report_append_string(list, "stop-copy");
	report_append_string(list, "p2p");
	report_array(o, "notes");
	list = report_array(o, "arcs");
	child = report_append(list);
	report_string(child, "to", "stop");
	report_uint(child, "ns", 742);
	child = report_append(list);
	report_string(child, "to", "stop-copy");
	return o;
}

static void a_report_on_one_line_is_json(void **state)
{
	_cleanup_(report_donep) struct json_object *o = sample();
	struct printed p;

	(void)state;
	report_json(print_to(&p), o, false);
	assert_printed(&p,
		       "{\"schema\":1,\"command\":\"save\",\"device\":\"0000:3b:00.1\","
		       "\"bytes\":1572864,\"offset\":-1,\"published\":true,\"raw\":false,"
		       "\"vendor\":\"0x15b3\",\"address\":\"0xffffffffffffffff\",\"driver\":null,"
		       "\"nothing\":null,\"downtime_ns\":13800,\"most\":18446744073709551615,"
		       "\"file\":{\"path\":\"a/b.img\",\"empty\":{}},"
		       "\"flags\":[\"stop-copy\",\"p2p\"],\"notes\":[],"
		       "\"arcs\":[{\"to\":\"stop\",\"ns\":742},{\"to\":\"stop-copy\"}]}\n");
}

/* The examples of RFC 4648 that are no printable text, and what could be a path. */
static void a_name_that_is_no_utf8_can_be_had_back(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "a/b.img", "{\"file\":\"a/b.img\"}" },
		{ "ger\xc3\xa4t", "{\"file\":\"ger\xc3\xa4t\"}" },
		{ "\x14\xfb\x9c\x03\xd9\x7e",
		  "{\"file\":\"?????~\",\"file_base64\":\"FPucA9l+\"}" },
		{ "\x14\xfb\x9c\x03\xd9", "{\"file\":\"?????\",\"file_base64\":\"FPucA9k=\"}" },
		{ "\x14\xfb\x9c\x03", "{\"file\":\"????\",\"file_base64\":\"FPucAw==\"}" },
		{ "a\377", "{\"file\":\"a?\",\"file_base64\":\"Yf8=\"}" },
		{ "\n", "{\"file\":\"?\",\"file_base64\":\"Cg==\"}" },
		{ NULL, "{\"file\":null}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_object *o = json_object_new_object();

		report_name(o, "file", rows[i].name);
		assert_string_equal(
			json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE),
			rows[i].want);
		report_done(o);
	}
}

static void a_pretty_report_says_the_same(void **state)
{
	_cleanup_(report_donep) struct json_object *o = sample(), *back = NULL;
	struct printed p;

	(void)state;
	report_json(print_to(&p), o, true);
	fclose(p.f);
	assert_non_null(strchr(p.text, '\n'));
	assert_int_equal(p.text[p.len - 1], '\n');
	back = json_tokener_parse(p.text);
	assert_true(json_object_equal(o, back));
	free(p.text);
}

static void text_is_a_view_of_the_same_report(void **state)
{
	static const struct report_row rows[] = {
		{ "device", "device", REPORT_TEXT },
		{ "bytes", "size", REPORT_BYTES },
		{ "bytes", "exactly", REPORT_BYTES_EXACT },
		{ "bytes", "rate", REPORT_RATE },
		{ "offset", "offset", REPORT_TEXT },
		{ "most", "most", REPORT_TEXT },
		{ "published", "published", REPORT_TEXT },
		{ "raw", "raw", REPORT_TEXT },
		{ "vendor", "vendor", REPORT_TEXT },
		{ "downtime_ns", "downtime", REPORT_NS },
		{ "downtime_ns", "downtime?", REPORT_NS_IF_ANY },
		{ "file.path", "file", REPORT_TEXT },
		{ "flags", "flags", REPORT_TEXT },
		{ "notes", "notes", REPORT_TEXT },
	};
	_cleanup_(report_donep) struct json_object *o = sample();
	struct printed p;

	(void)state;
	report_lines(print_to(&p), o, rows, ARRAY_SIZE(rows));
	assert_printed(&p, "device     0000:3b:00.1\n"
			   "size       1.50 MiB\n"
			   "exactly    1.50 MiB (1572864 bytes)\n"
			   "rate       1.50 MiB/s\n"
			   "offset     -1\n"
			   "most       18446744073709551615\n"
			   "published  yes\n"
			   "raw        no\n"
			   "vendor     0x15b3\n"
			   "downtime   13.8 us\n"
			   "downtime?  13.8 us\n"
			   "file       a/b.img\n"
			   "flags      stop-copy p2p\n"
			   "notes      none\n");
}

static void what_is_not_there_takes_no_line_and_no_room(void **state)
{
	static const struct report_row rows[] = {
		{ "missing", "a very long label indeed", REPORT_TEXT },
		{ "driver", "another long label", REPORT_TEXT }, /* null */
		{ "nothing", "and another one", REPORT_BYTES },
		{ "file.missing", "deeper", REPORT_TEXT },
		{ "missing.path", "not below it", REPORT_TEXT },
		{ "device.path", "below a string", REPORT_TEXT },
		{ "flags.9", "below a list", REPORT_TEXT },
		{ "no_ns", "no time at all", REPORT_NS_IF_ANY },
		{ "nothing", "nor here", REPORT_NS_IF_ANY },
		{ "file.path", "file", REPORT_TEXT },
	};
	_cleanup_(report_donep) struct json_object *o = sample();
	struct printed p;

	(void)state;
	report_uint(o, "no_ns", 0);
	report_lines(print_to(&p), o, rows, ARRAY_SIZE(rows));
	assert_printed(&p, "file  a/b.img\n");
	report_lines(print_to(&p), o, rows, ARRAY_SIZE(rows) - 1);
	assert_printed(&p, "");
	report_lines(print_to(&p), o, rows, 0);
	assert_printed(&p, "");
}

static void small_sizes_are_exact_as_they_are(void **state)
{
	static const struct report_row rows[] = {
		{ "a", "a", REPORT_BYTES_EXACT },
		{ "b", "b", REPORT_BYTES_EXACT },
	};
	_cleanup_(report_donep) struct json_object *o = report_new("x");
	struct printed p;

	(void)state;
	report_uint(o, "a", 1023);
	report_uint(o, "b", 1024);
	report_lines(print_to(&p), o, rows, ARRAY_SIZE(rows));
	assert_printed(&p, "a  1023 B\nb  1.00 KiB (1024 bytes)\n");
}

static void a_table_is_aligned_and_has_no_trailing_spaces(void **state)
{
	static const struct report_row columns[] = {
		{ "to", "to", REPORT_TEXT },
		{ "ns", "time", REPORT_NS },
		{ "why.text", "reason", REPORT_TEXT },
	};
	_cleanup_(report_donep) struct json_object *o = sample();
	struct json_object *line, *list;
	struct printed p;

	(void)state;
	assert_true(json_object_object_get_ex(o, "arcs", &list));
	line = report_append(list);
	report_string(report_object(line, "why"), "text", "a longer story");
	report_table(print_to(&p), list, columns, ARRAY_SIZE(columns));
	assert_printed(&p, "to         time    reason\n"
			   "stop       742 ns  -\n"
			   "stop-copy  -       -\n"
			   "-          -       a longer story\n");
}

/* Each column in its turn, as far as needed; what does not help is left alone. */
static void a_row_may_be_of_a_lists_member(void **state)
{
	static const struct report_row rows[] = {
		{ "steps.0", "would", REPORT_TEXT },
		{ "steps.1", "then", REPORT_TEXT },
		{ "steps.2", "then", REPORT_TEXT },
		{ "steps.x", "never", REPORT_TEXT },
	};
	_cleanup_(report_donep) struct json_object *o = report_new("x");
	struct json_object *list = report_array(o, "steps");
	struct printed p;

	(void)state;
	report_append_string(list, "remove");
	report_append_string(list, "make");
	report_lines(print_to(&p), o, rows, ARRAY_SIZE(rows));
	assert_printed(&p, "would  remove\nthen   make\n");
}

static void a_wide_table_gives_way_in_order(void **state)
{
	static const struct report_row columns[] = {
		{ "dev", "DEVICE", REPORT_TEXT },
		{ "none", "VF OF", REPORT_TEXT },
		{ "who", "HELD BY", REPORT_TEXT },
		{ "name", "NAME", REPORT_TEXT },
	};
	static const struct report_give gives[] = { { 3, 6 }, { 3, 0 }, { 2, 12 }, { 0, 16 } };
	static const struct {
		unsigned int width;
		const char *text;
	} rows[] = {
		{ 100, "DEVICE                      HELD BY                NAME\n"
		       "/run/a/very/long/way/dev.1  qemu-system-x86[1234]  A longer name\n"
		       "0000:3b:00.1                -                      -\n" },
		{ 62, "DEVICE                      HELD BY                NAME\n"
		      "/run/a/very/long/way/dev.1  qemu-system-x86[1234]  A longer ..\n"
		      "0000:3b:00.1                -                      -\n" },
		{ 57, "DEVICE                      HELD BY                NAME\n"
		      "/run/a/very/long/way/dev.1  qemu-system-x86[1234]  A lo..\n"
		      "0000:3b:00.1                -                      -\n" },
		{ 56, "DEVICE                      HELD BY\n"
		      "/run/a/very/long/way/dev.1  qemu-system-x86[1234]\n"
		      "0000:3b:00.1                -\n" },
		{ 48, "DEVICE                      HELD BY\n"
		      "/run/a/very/long/way/dev.1  qemu-system-..[1234]\n"
		      "0000:3b:00.1                -\n" },
		{ 30, "DEVICE            HELD BY\n"
		      "/run/a/v../dev.1  qemu..[1234]\n"
		      "0000:3b:00.1      -\n" },
		/* All has given way: wider than asked for, and nothing is lost that must not be. */
		{ 1, "DEVICE            HELD BY\n"
		     "/run/a/v../dev.1  qemu..[1234]\n"
		     "0000:3b:00.1      -\n" },
	};
	_cleanup_(report_donep) struct json_object *o = report_new("x");
	struct json_object *list = report_array(o, "list"), *line = report_append(list);

	(void)state;
	report_string(line, "dev", "/run/a/very/long/way/dev.1");
	report_string(line, "who", "qemu-system-x86[1234]");
	report_string(line, "name", "A longer name");
	report_string(report_append(list), "dev", "0000:3b:00.1");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct report_fit fit = {
			.width = rows[i].width, .if_any = 1u << 1, .gives = gives, .n = 4
		};
		struct printed p;

		report_table_fit(print_to(&p), list, columns, ARRAY_SIZE(columns), &fit);
		assert_printed(&p, rows[i].text);
	}
}

static void a_cell_is_cut_between_characters(void **state)
{
	static const struct report_row columns[] = { { "a", "A", REPORT_TEXT } };
	static const struct report_give gives[] = { { 0, 4 } };
	static const struct {
		const char *value, *shown;
	} rows[] = {
		{ "abcd", "abcd" },
		{ "abcde", "ab.." },
		{ "a\xc3\xbc"
		  "bcd",
		  "a.." },
		{ "abc[12345]", "ab.." }, /* no room for all of the number, so for none of it */
		{ "abcdef/x", "ab.." },
		{ "abcdef/", "a../" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(report_donep) struct json_object *o = report_new("x");
		const struct report_fit fit = { .width = 4, .gives = gives, .n = 1 };
		struct json_object *list = report_array(o, "list");
		char text[32];
		struct printed p;

		report_string(report_append(list), "a", rows[i].value);
		report_table_fit(print_to(&p), list, columns, 1, &fit);
		snprintf(text, sizeof(text), "A\n%s\n", rows[i].shown);
		assert_printed(&p, text);
	}
}

static void an_empty_table_is_nothing_at_all(void **state)
{
	static const struct report_row columns[] = {
		{ "to", "to", REPORT_TEXT },
		{ "ns", "time", REPORT_NS },
	};
	_cleanup_(report_donep) struct json_object *o = sample();
	struct json_object *list;
	struct printed p;

	(void)state;
	assert_true(json_object_object_get_ex(o, "notes", &list));
	report_table(print_to(&p), list, columns, ARRAY_SIZE(columns));
	assert_printed(&p, "");
}

static void values_of_any_length_are_cut_and_not_overrun(void **state)
{
	static const struct report_row rows[] = {
		{ "text", "text", REPORT_TEXT },
		{ "list", "list", REPORT_TEXT },
	};
	_cleanup_(report_donep) struct json_object *o = report_new("x");
	struct json_object *list = report_array(o, "list");
	struct printed p;
	char much[4000];

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	report_string(o, "text", much);
	for (int i = 0; i < 3; i++)
		report_append_string(list, i == 1 ? much : "short");
	report_lines(print_to(&p), o, rows, ARRAY_SIZE(rows));
	fclose(p.f);
	assert_memory_equal(p.text, "text  xxx", 9);
	assert_non_null(strstr(p.text, "\nlist  short xxx"));
	assert_true(p.len < sizeof(much));
	free(p.text);
}

static void no_report_is_nothing_to_free(void **state)
{
	(void)state;
	report_done(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_on_one_line_is_json),
		cmocka_unit_test(a_name_that_is_no_utf8_can_be_had_back),
		cmocka_unit_test(a_pretty_report_says_the_same),
		cmocka_unit_test(text_is_a_view_of_the_same_report),
		cmocka_unit_test(what_is_not_there_takes_no_line_and_no_room),
		cmocka_unit_test(small_sizes_are_exact_as_they_are),
		cmocka_unit_test(a_table_is_aligned_and_has_no_trailing_spaces),
		cmocka_unit_test(a_row_may_be_of_a_lists_member),
		cmocka_unit_test(a_wide_table_gives_way_in_order),
		cmocka_unit_test(a_cell_is_cut_between_characters),
		cmocka_unit_test(an_empty_table_is_nothing_at_all),
		cmocka_unit_test(values_of_any_length_are_cut_and_not_overrun),
		cmocka_unit_test(no_report_is_nothing_to_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
