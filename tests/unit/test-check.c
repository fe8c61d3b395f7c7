// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "check/known.h"
#include "check/record.h"
#include "check/rules.h"
#include "check/verdict.h"

static void a_violation_is_as_bad_as_its_level(void **state)
{
	(void)state;
	assert_int_equal(check_violation(CHECK_MUST), CHECK_FAIL);
	assert_int_equal(check_violation(CHECK_SHOULD), CHECK_WARN);
	assert_int_equal(check_violation(CHECK_TELLS), CHECK_WARN);
}

static void what_is_known_excuses_what_was_found_alone(void **state)
{
	static const struct {
		enum check_verdict said;
		bool known, strict;
		enum check_verdict want;
		bool bad;
	} rows[] = {
		{ CHECK_PASS, false, false, CHECK_PASS, false },
		{ CHECK_PASS, true, false, CHECK_PASS, false },
		{ CHECK_INFO, true, false, CHECK_INFO, false },
		{ CHECK_SKIP, true, false, CHECK_SKIP, false },
		{ CHECK_WARN, false, false, CHECK_WARN, false },
		{ CHECK_WARN, true, false, CHECK_KNOWN, false },
		{ CHECK_WARN, true, true, CHECK_WARN, false },
		{ CHECK_FAIL, false, false, CHECK_FAIL, true },
		{ CHECK_FAIL, true, false, CHECK_KNOWN, false },
		{ CHECK_FAIL, true, true, CHECK_FAIL, true },
		{ CHECK_BROKEN, false, false, CHECK_BROKEN, true },
		{ CHECK_BROKEN, true, false, CHECK_BROKEN, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum check_verdict got = check_judge(rows[i].said, rows[i].known, rows[i].strict);

		assert_int_equal(got, rows[i].want);
		assert_int_equal(check_bad(got), rows[i].bad);
	}
}

static void a_kind_of_harm_needs_its_option(void **state)
{
	const unsigned int some = 1u << CHECK_HARMLESS | 1u << CHECK_PAIR;

	(void)state;
	assert_null(check_gate(CHECK_HARMLESS, 1u << CHECK_HARMLESS));
	assert_null(check_gate(CHECK_PAIR, some));
	assert_non_null(strstr(check_gate(CHECK_DESTRUCTIVE, some), "--destructive"));
	assert_non_null(strstr(check_gate(CHECK_HOSTILE, some), "--hostile"));
	assert_non_null(strstr(check_gate(CHECK_PAIR, 1u << CHECK_HARMLESS), "--pair"));
}

static void each_need_that_a_device_lacks_has_words(void **state)
{
	(void)state;
	assert_null(check_lack(0, 0));
	for (unsigned int bit = CHECK_NEEDS_KERNEL; bit <= CHECK_NEEDS_WATCH; bit <<= 1) {
		assert_non_null(check_lack(bit, ~bit));
		assert_null(check_lack(bit, bit));
	}
}

static void lists_have_ids_groups_and_patterns(void **state)
{
	static const struct {
		const char *rules, *skip, *id;
		bool want;
	} rows[] = {
		{ NULL, NULL, "fsm.rounds", true },
		{ "fsm", NULL, "fsm.rounds", true },
		{ "fsm", NULL, "feature.data-size", false },
		{ "fs", NULL, "fsm.rounds", false },
		{ "fsm.rounds", NULL, "fsm.rounds", true },
		{ "fsm.round", NULL, "fsm.rounds", false },
		{ "feature,fsm.rounds", NULL, "fsm.rounds", true },
		{ "*.rounds", NULL, "fsm.rounds", true },
		{ "fsm.r*s", NULL, "fsm.rounds", true },
		{ NULL, "fsm", "fsm.rounds", false },
		{ "fsm", "fsm.rounds", "fsm.rounds", false },
		{ "fsm", "feature", "fsm.rounds", true },
		{ "", NULL, "fsm.rounds", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct check_selection s = { rows[i].rules, rows[i].skip };

		assert_int_equal(check_selected(&s, rows[i].id), rows[i].want);
	}
}

static void a_word_that_means_no_rule_is_refused(void **state)
{
	const struct check_selection good = { "fsm", "fsm.rounds" }, none = { "fsm,nosuch", NULL },
				     all = { "fsm.rounds", "fsm" };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(check_selection_check(&good, &err), 0);
	assert_int_equal(check_selection_check(&none, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text, "--rules: 'nosuch' is no rule, group or pattern of rules");
	assert_int_equal(check_selection_check(&all, &err), -EINVAL);
}

static void assert_id(const char *id)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	assert_int_equal(n, strlen(id));
	assert_ptr_equal(strchr(id, '.'), strrchr(id, '.'));
	assert_non_null(strchr(id, '.'));
}

/* Reports, --rules and known deviations name them. */
static void ids_are_unique_and_rules_are_whole(void **state)
{
	const struct check_rule *rule, *other;

	(void)state;
	for (size_t i = 0; (rule = check_rule_at(i)); i++) {
		assert_id(rule->id);
		assert_non_null(rule->run);
		assert_true(*rule->text && rule->text[strlen(rule->text) - 1] != '.');
		assert_true(!strncmp(rule->source, "uapi: ", 6) ||
			    !strncmp(rule->source, "kernel: ", 8) ||
			    !strncmp(rule->source, "vfio-user: ", 11) ||
			    !strncmp(rule->source, "posix: ", 7));
		for (size_t k = 0; k < i && (other = check_rule_at(k)); k++)
			assert_string_not_equal(rule->id, other->id);
	}
}

static bool is_rule(const char *id)
{
	const struct check_rule *rule;

	for (size_t i = 0; (rule = check_rule_at(i)); i++)
		if (!strcmp(rule->id, id))
			return true;
	return false;
}

static void what_is_known_names_a_rule_and_its_source(void **state)
{
	const struct check_known *k;

	(void)state;
	for (size_t i = 0; (k = check_known_at(i)); i++) {
		if (!is_rule(k->rule))
			fail_msg("%s of %s is no rule", k->rule, k->driver);
		assert_true(*k->what && *k->source);
	}
}

static void known_deviations_are_of_a_driver_and_of_kernels(void **state)
{
	static const struct check_known k[] = {
		{ "one", "a.b", NULL, NULL, "always", "s" },
		{ "two", "a.b", "6.12", "7.2", "for some", "s" },
		{ "two", "a.c", NULL, "6.7", "once", "s" },
	};
	static const struct {
		const char *driver, *release, *rule, *want;
	} rows[] = {
		{ "one", "5.18.0", "a.b", "always" },
		{ "one", "7.2.0-rc1", "a.b", "always" },
		{ "one", "6.12.0", "a.c", NULL },
		{ "three", "6.12.0", "a.b", NULL },
		{ NULL, "6.12.0", "a.b", NULL },
		{ "two", "6.11.9", "a.b", NULL },
		{ "two", "6.12.0", "a.b", "for some" },
		{ "two", "6.12.38+deb13-amd64", "a.b", "for some" },
		{ "two", "7.1.4", "a.b", "for some" },
		{ "two", "7.2.0", "a.b", NULL },
		{ "two", "10.0.1", "a.b", NULL },
		{ "two", "6.6", "a.c", "once" },
		{ "two", "6.7.0", "a.c", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct check_known *got = check_known_match(k, ARRAY_SIZE(k), rows[i].driver,
								  rows[i].release, rows[i].rule);

		if (rows[i].want)
			assert_string_equal(got->what, rows[i].want);
		else
			assert_null(got);
	}
}

/*
 * Evidence
 */

static struct check_rule must = { .id = "a.must", .level = CHECK_MUST };

static void the_worst_verdict_counts_with_its_first_reason(void **state)
{
	struct check_record r;
	struct check c = { .rule = &must, .record = &r };
	char reason[CHECK_LINE_MAX];
	char *evidence;

	(void)state;
	check_record_init(&r, NULL, 1);
	assert_int_equal(check_record_verdict(&r, reason), CHECK_PASS);
	check_note(&c, "asked");
	check_warn(&c, "odd");
	check_violated(&c, "first");
	check_violated(&c, "second");
	check_warn(&c, "odd again");
	assert_int_equal(check_record_verdict(&r, reason), CHECK_FAIL);
	assert_string_equal(reason, "first");
	evidence = check_record_evidence(&r);
	assert_string_equal(evidence, "asked\nodd\nfirst\nsecond\nodd again\n");
	free(evidence);
	check_record_done(&r);
}

static void of_many_lines_the_first_and_the_last_are_kept(void **state)
{
	struct check_record r;
	char *evidence, last[32];

	(void)state;
	check_record_init(&r, NULL, 1);
	for (unsigned int i = 1; i <= 1000; i++)
		check_record_add(&r, "line %u", i);
	evidence = check_record_evidence(&r);
	assert_ptr_equal(strstr(evidence, "line 1\n"), evidence);
	assert_non_null(strstr(evidence, "line 32\n(936 lines are left out)\nline 969\n"));
	snprintf(last, sizeof(last), "line 1000\n");
	assert_string_equal(evidence + strlen(evidence) - strlen(last), last);
	free(evidence);
	check_record_done(&r);
}

static void the_same_line_again_is_counted(void **state)
{
	struct check_record r;
	char *evidence;

	(void)state;
	check_record_init(&r, NULL, 1);
	for (unsigned int i = 0; i < 1000; i++)
		check_record_add(&r, "read");
	check_record_add(&r, "write");
	check_record_add(&r, "read");
	evidence = check_record_evidence(&r);
	assert_string_equal(evidence, "read (1000 times)\nwrite\nread\n");
	free(evidence);
	check_record_done(&r);
}

static void what_a_device_said_is_safe_to_show(void **state)
{
	struct check_record r;
	char *evidence;

	(void)state;
	check_record_init(&r, NULL, 1);
	check_record_add(&r, "a\033[31mb\nc");
	evidence = check_record_evidence(&r);
	assert_string_equal(evidence, "a?[31mb?c\n");
	free(evidence);
	check_record_done(&r);
}

static void chance_goes_by_seed_and_rule(void **state)
{
	struct check_record r[3];
	uint64_t v[3][2];

	(void)state;
	check_record_init(&r[0], NULL, check_record_seed(1, "a.b"));
	check_record_init(&r[1], NULL, check_record_seed(1, "a.b"));
	check_record_init(&r[2], NULL, check_record_seed(1, "a.c"));
	for (size_t i = 0; i < 3; i++) {
		struct check c = { .rule = &must, .record = &r[i] };

		v[i][0] = check_random(&c);
		v[i][1] = check_random(&c);
		check_record_done(&r[i]);
	}
	assert_memory_equal(v[0], v[1], sizeof(v[0]));
	assert_true(v[0][0] != v[0][1]);
	assert_true(v[0][0] != v[2][0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_violation_is_as_bad_as_its_level),
		cmocka_unit_test(what_is_known_excuses_what_was_found_alone),
		cmocka_unit_test(a_kind_of_harm_needs_its_option),
		cmocka_unit_test(each_need_that_a_device_lacks_has_words),
		cmocka_unit_test(lists_have_ids_groups_and_patterns),
		cmocka_unit_test(a_word_that_means_no_rule_is_refused),
		cmocka_unit_test(ids_are_unique_and_rules_are_whole),
		cmocka_unit_test(what_is_known_names_a_rule_and_its_source),
		cmocka_unit_test(known_deviations_are_of_a_driver_and_of_kernels),
		cmocka_unit_test(the_worst_verdict_counts_with_its_first_reason),
		cmocka_unit_test(of_many_lines_the_first_and_the_last_are_kept),
		cmocka_unit_test(the_same_line_again_is_counted),
		cmocka_unit_test(what_a_device_said_is_safe_to_show),
		cmocka_unit_test(chance_goes_by_seed_and_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
