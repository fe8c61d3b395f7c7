// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/opts.h"
#include "base/suggest.h"

#define WORDS_MAX 8

/* Where the values of the command line below go. */
struct values {
	bool flag, given;
	int verbosity;
	const char *text, *first, *second;
	struct opt_list list, rest;
	unsigned int choice;
	uint64_t number, bytes, duration_ns;
};

static const char *const colours[] = { NULL, "red", "green" };

/* Reads @words by a table that has an option of each kind. */
static int read_words(struct values *v, const char *const words[WORDS_MAX], bool first_only,
		      int *ret_next, struct err *err)
{
	const struct opt some[] = {
		{ "flag", 'f', .flag = &v->flag },
		{ "louder", 'l', .louder = &v->verbosity },
		{ "silent", 's', .silent = &v->verbosity },
		{ "text", 't', .value = "TEXT", .text = &v->text, .given = &v->given },
		{ "list", .value = "TEXT", .list = &v->list },
		{ 0 },
	};
	const struct opt others[] = {
		{ "colour", .value = "COLOUR", .choice = &v->choice, OPT_WORDS(colours) },
		{ "number", 'n', .value = "N", .number = &v->number, .min = 2, .max = 10 },
		{ "bytes", .value = "SIZE", .bytes = &v->bytes, .min = 1, .max = 1 << 20 },
		{ "duration", .value = "TIME", .duration_ns = &v->duration_ns,
		  .max = 60 * NSEC_PER_SEC, .value_optional = true, .given = &v->given },
		{ 0 },
	};
	const struct opt_group groups[] = { { .opts = some },
					    { .title = "Others:", .opts = others },
					    { 0 } };
	const struct opt_arg args[] = {
		{ "FIRST", .text = &v->first },
		{ "SECOND", .text = &v->second, .optional = true },
		{ 0 },
	};
	const struct opt_line line = {
		.program = "prog",
		.version = "prog 1",
		.groups = groups,
		.args = args,
		.first_only = first_only,
	};
	char *argv[WORDS_MAX + 2] = { (char *)"/somewhere/prog" };
	int argc = 1;

	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[argc++] = (char *)words[i];
	return opts_try(&line, argc, argv, ret_next, err);
}

static void values_go_where_the_table_says(void **state)
{
	static const char *const words[WORDS_MAX] = { "-fll",	"a", "--text=x",     "--list=1",
						      "--list", "2", "--colour=RED", "b" };
	struct values v = { 0 };
	struct err err = { 0 };
	int next;

	(void)state;
	assert_int_equal(read_words(&v, words, false, &next, &err), OPTS_READ);
	assert_true(v.flag && v.given);
	assert_int_equal(v.verbosity, 2);
	assert_string_equal(v.text, "x");
	assert_string_equal(v.first, "a");
	assert_string_equal(v.second, "b");
	assert_int_equal(v.list.n, 2);
	assert_string_equal(v.list.v[1], "2");
	assert_int_equal(v.choice, 1);
}

static void quantities_are_read_within_their_bounds(void **state)
{
	static const char *const words[WORDS_MAX] = { "-n10", "--bytes=1MiB", "--duration=0.5",
						      "a" };
	struct values v = { 0 };
	struct err err = { 0 };
	int next;

	(void)state;
	assert_int_equal(read_words(&v, words, false, &next, &err), OPTS_READ);
	assert_int_equal(v.number, 10);
	assert_int_equal(v.bytes, 1 << 20);
	assert_int_equal(v.duration_ns, NSEC_PER_SEC / 2);
}

/* So it keeps its default. */
static void an_optional_value_may_be_left_out(void **state)
{
	static const char *const words[WORDS_MAX] = { "--duration", "5" };
	struct values v = { .duration_ns = 7 };
	struct err err = { 0 };
	int next;

	(void)state;
	assert_int_equal(read_words(&v, words, false, &next, &err), OPTS_READ);
	assert_true(v.given);
	assert_int_equal(v.duration_ns, 7);
	assert_string_equal(v.first, "5");
}

static void the_last_of_loud_and_silent_counts(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		int verbosity;
	} rows[] = {
		{ { "-l", "a" }, 1 },  { { "-lll", "a" }, 3 },	{ { "-ls", "a" }, -1 },
		{ { "-sl", "a" }, 1 }, { { "-ssll", "a" }, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct values v = { 0 };
		struct err err = { 0 };
		int next;

		assert_int_equal(read_words(&v, rows[i].words, false, &next, &err), OPTS_READ);
		assert_int_equal(v.verbosity, rows[i].verbosity);
	}
}

static void misuse_is_told_in_one_line(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *message;
	} rows[] = {
		{ { NULL }, "no FIRST" },
		{ { "a", "b", "c" }, "one argument too many: 'c'" },
		{ { "--nosuch", "a" }, "unrecognized option '--nosuch'" },
		{ { "-z" }, "invalid option -- 'z'" },
		{ { "-fz" }, "invalid option -- 'z'" },
		{ { "--text" }, "option '--text' requires an argument" },
		{ { "-t" }, "option requires an argument -- 't'" },
		{ { "--flag=1" }, "option '--flag' doesn't allow an argument" },
		{ { "--l" }, "option '--l' is ambiguous; possibilities: '--louder' '--list'" },
		{ { "--colour=blue" }, "--colour is red or green, not 'blue'" },
		{ { "--colour=" }, "--colour is red or green, not ''" },
		{ { "--number=1" }, "--number is 2 to 10, not '1'" },
		{ { "--number=11" }, "--number is 2 to 10, not '11'" },
		{ { "--number=x" }, "--number is 2 to 10, not 'x'" },
		{ { "--bytes=0" }, "--bytes is 1 B to 1.00 MiB, not '0'" },
		{ { "--bytes=2M" }, "--bytes is 1 B to 1.00 MiB, not '2M'" },
		{ { "--bytes=M" }, "--bytes: 'M' is not a size such as 4096, 64K, 10MB or 1GiB" },
		{ { "--duration=1h" }, "--duration is 0 ns to 60.0 s, not '1h'" },
		{ { "--duration=1d" },
		  "--duration: '1d' is not a duration such as 0.5, 10s, 500ms or 2m" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct values v = { 0 };
		struct err err = { 0 };
		int next;

		assert_int_equal(read_words(&v, rows[i].words, false, &next, &err), -EINVAL);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_string_equal(err.text, rows[i].message);
	}
}

/* What getopt prints is caught; standard error is the program's again afterwards. */
static void standard_error_is_left_as_it_was(void **state)
{
	static const char *const words[WORDS_MAX] = { "--nosuch" };
	struct values v = { 0 };
	struct err err = { 0 };
	FILE *before = stderr;
	int next;

	(void)state;
	assert_int_equal(read_words(&v, words, false, &next, &err), -EINVAL);
	assert_ptr_equal(stderr, before);
}

/* Of a program with commands the rest is for the command to read. */
static void only_the_first_argument_is_read(void **state)
{
	static const char *const words[WORDS_MAX] = { "-f", "first", "--nosuch", "-l" };
	struct values v = { 0 };
	struct err err = { 0 };
	int next;

	(void)state;
	assert_int_equal(read_words(&v, words, true, &next, &err), OPTS_READ);
	assert_string_equal(v.first, "first");
	assert_int_equal(next, 3);
	assert_true(v.flag);
	assert_int_equal(v.verbosity, 0);
}

static void too_long_a_list_is_refused(void **state)
{
	struct opt_list *list = calloc(1, sizeof(*list));
	const struct opt_arg args[] = { { "WORD", .list = list, .optional = true }, { 0 } };
	const struct opt_group groups[] = { { 0 } };
	const struct opt_line line = { .program = "prog", .args = args, .groups = groups };
	char *argv[OPT_LIST_MAX + 3];
	struct err err = { 0 };
	int next;

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		argv[i] = (char *)"x";
	assert_int_equal(opts_try(&line, OPT_LIST_MAX + 1, argv, &next, &err), OPTS_READ);
	assert_int_equal(list->n, OPT_LIST_MAX);
	list->n = 0;
	assert_int_equal(opts_try(&line, OPT_LIST_MAX + 2, argv, &next, &err), -EINVAL);
	assert_string_equal(err.text, "WORD: more than 257");
	free(list);
}

static void list_that_must_be_has_one_word_at_least(void **state)
{
	struct opt_list *list = calloc(1, sizeof(*list));
	const struct opt_arg args[] = { { "WORD", .list = list }, { 0 } };
	const struct opt_group groups[] = { { 0 } };
	const struct opt_line line = { .program = "prog", .args = args, .groups = groups };
	char *argv[] = { (char *)"prog", (char *)"x", (char *)"y", NULL };
	struct err err = { 0 };
	int next;

	(void)state;
	assert_non_null(list);
	assert_int_equal(opts_try(&line, 3, argv, &next, &err), OPTS_READ);
	assert_int_equal(list->n, 2);
	list->n = 0;
	assert_int_equal(opts_try(&line, 1, argv, &next, &err), -EINVAL);
	assert_string_equal(err.text, "no WORD");
	free(list);
}

static void words_are_joined(void **state)
{
	static const struct {
		const char *words[4];
		const char *joined;
	} rows[] = {
		{ { NULL, NULL, NULL, NULL }, "" },
		{ { "a", NULL, NULL, NULL }, "a" },
		{ { NULL, "a", NULL, "b" }, "a or b" },
		{ { "a", "b", "c", "d" }, "a, b, c or d" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(opts_join(buf, sizeof(buf), rows[i].words, 4, "or"),
				    rows[i].joined);
	/* Cut off rather than written past its end. */
	assert_string_equal(opts_join(buf, 6, rows[3].words, 4, "or"), "a, b,");
}

static void a_mistyped_word_is_recognized(void **state)
{
	static const char *const words[] = { "save",  "resume",	 "list",   "info",   "state",
					     "reset", "inspect", "verify", "extract" };
	static const struct {
		const char *typed, *meant;
	} rows[] = {
		{ "resume", "resume" },
		{ "RESUME", "resume" },
		{ "resme", "resume" }, /* one missing */
		{ "resumee", "resume" }, /* one surplus */
		{ "reaume", "resume" }, /* one wrong */
		{ "rseume", "resume" }, /* two exchanged */
		{ "restore", NULL },
		{ "rest", "reset" },
		{ "veriyf", "verify" },
		{ "lst", "list" },
		{ "insp", "inspect" }, /* begins one word */
		{ "e", "extract" },
		{ "s", NULL }, /* begins two */
		{ "x", NULL },
		{ "", NULL },
		{ "migrate", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *meant = suggest_word(rows[i].typed, words, ARRAY_SIZE(words));

		if (meant != rows[i].meant &&
		    (!meant || !rows[i].meant || strcmp(meant, rows[i].meant) != 0))
			fail_msg("%s: %s", rows[i].typed, meant ? meant : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_go_where_the_table_says),
		cmocka_unit_test(quantities_are_read_within_their_bounds),
		cmocka_unit_test(an_optional_value_may_be_left_out),
		cmocka_unit_test(the_last_of_loud_and_silent_counts),
		cmocka_unit_test(misuse_is_told_in_one_line),
		cmocka_unit_test(standard_error_is_left_as_it_was),
		cmocka_unit_test(only_the_first_argument_is_read),
		cmocka_unit_test(too_long_a_list_is_refused),
		cmocka_unit_test(list_that_must_be_has_one_word_at_least),
		cmocka_unit_test(words_are_joined),
		cmocka_unit_test(a_mistyped_word_is_recognized),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("opts", tests, NULL, NULL);
}
