// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
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
#include "base/io.h"
#include "base/macros.h"
#include "ui/event-file.h"
#include "ui/event-json.h"
#include "ui/event-log.h"
#include "ui/report.h"
#include "effort.h"

static const struct mig_recovery recovered = {
	.found = MIG_ERROR,
	.found_known = true,
	.end_known = false,
	.reset = true,
	.ok = false,
};

static const struct err failed = {
	.code = -ENODEV,
	.system = true,
	.text = "vfio1: \"stop\"",
};

/* One of each kind, and of those with optional members one without. */
static const struct event one_of_each[] = {
	{ EVENT_OPENED, 100, 0, .state = MIG_RUNNING_P2P },
	{ EVENT_PHASE, 101, EVENT_SET, .phase = PHASE_PRE_COPY },
	{ EVENT_ARC, 110, 1, .arc = { MIG_RUNNING, MIG_PRE_COPY, 90, 15, 0 } },
	{ EVENT_ARC, 120, 1, .arc = { MIG_PRE_COPY, MIG_STOP_COPY, 112, 5, -EBUSY } },
	{ EVENT_ARRIVED, 121, 1, .phase = PHASE_START_P2P },
	{ EVENT_BARRIER, 122, EVENT_SET, .phase = PHASE_JUDGE },
	{ EVENT_PROGRESS, 123, 0, .progress = { 5, 0, false } },
	{ EVENT_PROGRESS, 124, 0, .progress = { 6, 7, true } },
	{ EVENT_ROUND, 125, 0, .round = { 3, 4, 5, false, { 0, 0, false } } },
	{ EVENT_ROUND, 126, 0, .round = { 4, 5, 6, true, { 7, 8, true } } },
	{ EVENT_DECISION, 127, EVENT_SET,
	  .decision = { SWITCHOVER_LIMIT,
			9,
			{ true, true, true, 1, 2, 3, 4, 5, 15, 6, 7, 37 },
			16,
			17,
			11,
			12,
			true,
			13,
			14 } },
	{ EVENT_DECISION, 128, EVENT_SET, .decision = { .round = { .now_ns = 38 } } },
	{ EVENT_STREAM, 129, 1, .stream = { 21, 22 } },
	{ EVENT_FINISH, 130, EVENT_SET, .state = MIG_ERROR },
	{ EVENT_FINISHED, 131, EVENT_SET, .state = MIG_ERROR },
	{ EVENT_FAILURE, 132, 1, .failure = &failed },
	{ EVENT_FAILURE, 133, EVENT_SET, .failure = &failed },
	{ EVENT_RECOVERY, 134, 1, .recovery = &recovered },
	{ EVENT_ACTION, 135, EVENT_SET,
	  .action = { ACTION_PRE_STOP, ACTION_BY_FREEZER, 92, 43, -ETIMEDOUT } },
	{ EVENT_ACTION, 136, EVENT_SET, .action = { ACTION_ABORT, ACTION_BY_SCRIPT, 135, 1, 0 } },
	{ EVENT_MOVE, 137, EVENT_SET, .move = MOVE_S_COMMITTED },
	{ EVENT_MOVE, 138, EVENT_SET, .move = MOVE_D_COMMITTING },
};

#define ORIGIN 90

/* As it is written: two events are the same if that is. Return: a copy to be freed. */
static char *text_of(const struct event *e, uint64_t origin_ns)
{
	struct json_object *o = event_json_new(e, origin_ns);
	char *text = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));

	report_done(o);
	assert_non_null(text);
	return text;
}

static void every_event_comes_back_from_json(void **state)
{
	unsigned int seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(one_of_each); i++) {
		char *text = text_of(&one_of_each[i], ORIGIN), *again;
		struct json_object *o = json_tokener_parse(text);
		struct event_json back;
		struct err err = { 0 };

		if (event_json_parse(o, 2, &back, &err) < 0)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(back.event.ns, one_of_each[i].ns - ORIGIN);
		assert_int_equal(back.event.device, one_of_each[i].device);
		again = text_of(&back.event, 0);
		assert_string_equal(again, text);
		seen |= 1u << one_of_each[i].kind;
		report_done(o);
		free(text);
		free(again);
	}
	assert_int_equal(seen, (1u << EVENT_NR_KINDS) - 1);
}

/* Written out, since what is written is a promise. */
static void events_have_names_and_units(void **state)
{
	static const struct {
		size_t i;
		const char *want;
	} rows[] = {
		{ 0, "{\"event\":\"opened\",\"at_ns\":10,\"device\":0,\"state\":\"running-p2p\"}" },
		{ 1, "{\"event\":\"phase\",\"at_ns\":11,\"phase\":\"pre-copy\"}" },
		{ 3, "{\"event\":\"arc\",\"at_ns\":30,\"device\":1,\"from\":\"pre-copy\","
		     "\"to\":\"stop-copy\",\"start_ns\":22,\"arc_ns\":5,\"error\":\"EBUSY\"}" },
		{ 7, "{\"event\":\"progress\",\"at_ns\":34,\"device\":0,\"bytes\":6,"
		     "\"expected_bytes\":7,\"total_exact\":true}" },
		{ 9, "{\"event\":\"round\",\"at_ns\":36,\"device\":0,\"round\":4,\"bytes\":5,"
		     "\"round_ns\":6,\"initial_bytes\":7,\"dirty_bytes\":8,\"reinit\":true}" },
		{ 12, "{\"event\":\"stream\",\"at_ns\":39,\"device\":1,\"bytes\":21,"
		      "\"stream_ns\":22}" },
		{ 15, "{\"event\":\"failure\",\"at_ns\":42,\"device\":1,"
		      "\"message\":\"vfio1: \\\"stop\\\"\",\"errno\":\"ENODEV\"}" },
		{ 17, "{\"event\":\"recovery\",\"at_ns\":44,\"device\":1,\"found\":\"error\","
		      "\"end\":null,\"reset\":true,\"ok\":false}" },
		{ 18, "{\"event\":\"action\",\"at_ns\":45,\"action\":\"pre-stop\","
		      "\"actor\":\"freeze-owner\",\"start_ns\":2,\"action_ns\":43,"
		      "\"error\":\"ETIMEDOUT\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = text_of(&one_of_each[rows[i].i], ORIGIN);

		assert_string_equal(text, rows[i].want);
		free(text);
	}
}

static void what_is_no_event_is_refused_by_the_name_of_its_key(void **state)
{
	static const struct {
		const char *text, *key;
	} rows[] = {
		{ "[]", "event" },
		{ "null", "event" },
		{ "{\"event\":\"explosion\",\"at_ns\":1}", "event" },
		{ "{\"event\":7,\"at_ns\":1}", "event" },
		{ "{\"event\":\"finish\\u0000\",\"at_ns\":1}", "event" },
		{ "{\"event\":\"finish\"}", "at_ns" },
		{ "{\"event\":\"finish\",\"at_ns\":-1}", "at_ns" },
		{ "{\"event\":\"finish\",\"at_ns\":1.5}", "at_ns" },
		{ "{\"event\":\"finish\",\"at_ns\":\"1\"}", "at_ns" },
		{ "{\"event\":\"finish\",\"at_ns\":1152921504606846977}", "at_ns" },
		{ "{\"event\":\"finish\",\"at_ns\":9223372036854775807}", "at_ns" },
		{ "{\"event\":\"finish\",\"at_ns\":18446744073709551615}", "at_ns" },
		{ "{\"event\":\"finish\",\"at_ns\":99999999999999999999999999}", "at_ns" },
		{ "{\"event\":\"opened\",\"at_ns\":1,\"state\":\"stop\"}", "device" },
		{ "{\"event\":\"opened\",\"at_ns\":1,\"device\":2,\"state\":\"stop\"}", "device" },
		{ "{\"event\":\"opened\",\"at_ns\":1,\"device\":-1,\"state\":\"stop\"}", "device" },
		{ "{\"event\":\"failure\",\"at_ns\":1,\"device\":2,\"message\":\"\"}", "device" },
		{ "{\"event\":\"opened\",\"at_ns\":1,\"device\":0,\"state\":\"STOP\"}", "state" },
		{ "{\"event\":\"opened\",\"at_ns\":1,\"device\":0}", "state" },
		{ "{\"event\":\"phase\",\"at_ns\":1,\"phase\":\"lunch\"}", "phase" },
		{ "{\"event\":\"arc\",\"at_ns\":9,\"device\":0,\"from\":\"stop\",\"to\":\"stop\","
		  "\"start_ns\":10,\"arc_ns\":0}",
		  "arc_ns" },
		{ "{\"event\":\"arc\",\"at_ns\":9,\"device\":0,\"from\":\"stop\",\"to\":\"stop\","
		  "\"start_ns\":5,\"arc_ns\":5}",
		  "arc_ns" },
		{ "{\"event\":\"arc\",\"at_ns\":9,\"device\":0,\"from\":\"stop\",\"to\":\"stop\","
		  "\"start_ns\":5,\"arc_ns\":4,\"error\":\"EWHAT\"}",
		  "error" },
		{ "{\"event\":\"progress\",\"at_ns\":1,\"device\":0,\"bytes\":[]}", "bytes" },
		{ "{\"event\":\"progress\",\"at_ns\":1,\"device\":0,\"bytes\":1,"
		  "\"expected_bytes\":2}",
		  "total_exact" },
		{ "{\"event\":\"round\",\"at_ns\":1,\"device\":0,\"round\":4294967296}", "round" },
		{ "{\"event\":\"decision\",\"at_ns\":1,\"verdict\":\"maybe\"}", "verdict" },
		{ "{\"event\":\"decision\",\"at_ns\":1,\"verdict\":\"limit\",\"round\":1,"
		  "\"told\":1}",
		  "told" },
		{ "{\"event\":\"failure\",\"at_ns\":1,\"message\":null}", "message" },
		{ "{\"event\":\"recovery\",\"at_ns\":1,\"device\":0,\"found\":1}", "found" },
		{ "{\"event\":\"recovery\",\"at_ns\":1,\"device\":0}", "reset" },
		{ "{\"event\":\"action\",\"at_ns\":1,\"action\":\"pre\"}", "action" },
		{ "{\"event\":\"action\",\"at_ns\":1,\"action\":\"abort\",\"actor\":\"x\"}",
		  "actor" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_object *o = json_tokener_parse(rows[i].text);
		struct event_json parsed;
		struct err err = { 0 };
		char key[32];

		snprintf(key, sizeof(key), "\"%s\" ", rows[i].key);
		assert_int_equal(event_json_parse(o, 2, &parsed, &err), -EBADMSG);
		assert_int_equal(err_status(&err), ERR_IMAGE);
		if (strncmp(err.text, key, strlen(key)) != 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		report_done(o);
	}
}

/*
 * The list
 */

static void collect(void *ctx, const struct event *e)
{
	event_list_add(ctx, e);
}

static void a_full_list_keeps_every_second_of_many(void **state)
{
	struct event_list list, again;
	struct err err = { 0 };
	const uint64_t want[] = { 0, 1, 4, 5, 8, 9 };

	(void)state;
	assert_int_equal(event_list_init(&list, 2, 10, &err), 0);
	for (uint64_t i = 0; i < 10; i++) {
		const struct event e = { EVENT_PROGRESS, i, (int)(i % 2), .progress = { i } };

		event_list_add(&list, &e);
	}
	assert_int_equal(list.n, 10);
	event_list_add(&list, &(struct event){ EVENT_PHASE, 10, EVENT_SET, .phase = PHASE_STOP });
	assert_int_equal(list.n, ARRAY_SIZE(want) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(list.v[i].event.ns, want[i]);
	assert_int_equal(list.v[6].event.kind, EVENT_PHASE);
	assert_int_equal(list.lost, 0);

	assert_int_equal(event_list_init(&again, 2, 10, &err), 0);
	event_list_replay(&list, collect, &again);
	assert_int_equal(again.n, list.n);
	event_list_done(&again);
	event_list_done(&list);
}

static void what_cannot_be_left_out_is_counted_where_there_is_no_room(void **state)
{
	struct event_list list;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(event_list_init(&list, 1, 4, &err), 0);
	for (unsigned int i = 0; i < 9; i++)
		event_list_add(&list, &(struct event){ EVENT_FINISH, i, EVENT_SET, .state = 0 });
	assert_int_equal(list.n, 4);
	assert_int_equal(list.lost, 5);
	/* Of a device that is none of the set. */
	event_list_add(&list, &(struct event){ EVENT_OPENED, 9, 1, .state = 0 });
	assert_int_equal(list.lost, 5);
	event_list_done(&list);
}

/*
 * The file
 */

static const char *const names[] = { "0000:3b:00.1", "im\xe4ge" };

/* A folder of its own, and in it. */
static int enter_folder(void **state)
{
	static char folder[] = "/tmp/test-events.XXXXXX";

	*state = mkdtemp(folder);
	return *state ? chdir(*state) : -1;
}

static int leave_folder(void **state)
{
	unlink("r.json");
	return chdir("/") < 0 || rmdir(*state) < 0 ? -1 : 0;
}

static struct event_log *open_log(void)
{
	struct event_log *log;
	struct err err = { 0 };

	unlink("r.json");
	if (event_log_open("r.json", "save", names, ARRAY_SIZE(names), &log, &err) < 0)
		fail_msg("%s", err.text);
	return log;
}

/* Return: the file's text, to be freed. */
static char *finish_log(struct event_log *log)
{
	struct json_object *result = report_new("save");
	struct err err = { 0 };
	char *text;

	assert_int_equal(access("r.json", F_OK), -1);
	if (event_log_finish(log, result, &err) < 0)
		fail_msg("%s", err.text);
	report_done(result);
	event_log_free(log);
	assert_int_equal(read_text(AT_FDCWD, "r.json", &text), 0);
	return text;
}

static void what_a_log_has_written_is_read_again(void **state)
{
	struct event_log *log = open_log();
	struct event_file file;
	struct err err = { 0 };
	char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(one_of_each); i++)
		if (one_of_each[i].kind != EVENT_PROGRESS)
			event_log_on_event(log, &one_of_each[i]);
	text = finish_log(log);
	if (event_file_parse(text, strlen(text), &file, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(file.command, "save");
	assert_string_equal(file.names[1], "im?ge");
	assert_int_equal(file.list.devices, 2);
	assert_int_equal(file.list.n, ARRAY_SIZE(one_of_each) - 2);
	/* Since the first arc began. */
	assert_int_equal(file.list.v[0].event.ns, 10);
	assert_string_equal(file.list.v[13].message, failed.text);
	assert_int_equal(file.list.v[13].code, failed.code);
	assert_true(file.list.v[15].recovery.reset);
	event_file_done(&file);
	free(text);
}

static void progress_is_kept_now_and_then_and_before_each_step(void **state)
{
	static const struct {
		uint64_t ns, bytes;
	} want[] = {
		{ 0, 1 },
		{ EVENT_LOG_PAUSE_NS, 3 },
		{ EVENT_LOG_PAUSE_NS + 2, 4 },
	};
	struct event_log *log = open_log();
	struct event_file file;
	struct err err = { 0 };
	char *text;

	(void)state;
	event_log_on_event(log, &(struct event){ EVENT_PROGRESS, 1, 0, .progress = { 1 } });
	event_log_on_event(log, &(struct event){ EVENT_PROGRESS, 2, 0, .progress = { 2 } });
	event_log_on_event(log, &(struct event){ EVENT_PROGRESS, EVENT_LOG_PAUSE_NS + 1, 0,
						 .progress = { 3 } });
	event_log_on_event(log, &(struct event){ EVENT_PROGRESS, EVENT_LOG_PAUSE_NS + 2, 0,
						 .progress = { 4 } });
	event_log_on_event(log, &(struct event){ EVENT_ROUND, EVENT_LOG_PAUSE_NS + 3, 0,
						 .round = { .number = 1 } });
	event_log_on_event(log, &(struct event){ EVENT_PHASE, EVENT_LOG_PAUSE_NS + 4, EVENT_SET,
						 .phase = PHASE_STOP });
	text = finish_log(log);
	assert_int_equal(event_file_parse(text, strlen(text), &file, &err), 0);
	assert_int_equal(file.list.n, ARRAY_SIZE(want) + 2);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(file.list.v[i].event.kind, EVENT_PROGRESS);
		assert_int_equal(file.list.v[i].event.ns, want[i].ns);
		assert_int_equal(file.list.v[i].event.progress.bytes, want[i].bytes);
	}
	event_file_done(&file);
	free(text);
}

static void a_log_that_is_not_finished_leaves_no_file(void **state)
{
	struct event_log *log = open_log();

	(void)state;
	event_log_on_event(log, &one_of_each[0]);
	event_log_free(log);
	assert_int_equal(access("r.json", F_OK), -1);
}

static void a_log_replaces_nothing(void **state)
{
	struct event_log *log;
	struct err err = { 0 };
	FILE *f;

	(void)state;
	free(finish_log(open_log()));
	assert_true(event_log_open("r.json", "save", names, 2, &log, &err) < 0);
	assert_int_equal(err_status(&err), ERR_OUTPUT);
	assert_true(event_log_open("/dev/null", "save", names, 2, &log, &err) < 0);
	assert_int_equal(err_status(&err), ERR_OUTPUT);
	assert_true(event_log_open("no/such/folder", "save", names, 2, &log, &err) < 0);
	assert_int_equal(err_status(&err), ERR_OUTPUT);
	/* One that came meanwhile. */
	log = open_log();
	f = fopen("r.json", "w");
	assert_non_null(f);
	fclose(f);
	assert_true(event_log_finish(log, NULL, &err) < 0);
	event_log_free(log);
	f = fopen("r.json", "r");
	assert_non_null(f);
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
}

#define HEAD "{\"schema\":1,\"command\":\"save\",\"version\":\"1\",\"devices\":["
#define TAIL "],\"lost_events\":0,\"result\":{}}"

static void what_is_no_report_is_refused_in_words(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "no JSON, or cut off" },
		{ "hello", "no JSON" },
		{ "{\"schema\":1", "no JSON, or cut off" },
		{ HEAD "],\"events\":[" TAIL "{}", "no JSON" },
		{ HEAD "],\"events\":[\xff" TAIL, "no JSON" },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "no JSON" },
		{ "null\n", "\"schema\" is missing or not an integer that makes sense" },
		{ "{}", "\"schema\" is missing or not an integer that makes sense" },
		{ "{\"schema\":2}", "\"schema\" is missing or not one that is known here" },
		{ "{\"schema\":1,\"command\":\"save\"}",
		  "\"events\" is missing or not a list of a sensible length" },
		{ HEAD "7],\"events\":[" TAIL, "device 0: \"address\" is missing or not a string" },
		{ HEAD "],\"events\":[7" TAIL, "event 0: \"event\" is missing or not a string" },
		{ HEAD "],\"events\":[{\"event\":\"finish\",\"at_ns\":2},"
		       "{\"event\":\"finished\",\"at_ns\":1}" TAIL,
		  "event 1: earlier than the one before it" },
		{ HEAD "],\"events\":[],\"lost_events\":0,\"result\":[]}",
		  "\"result\" is missing or not an object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event_file file;
		struct err err = { 0 };

		assert_int_equal(event_file_parse(rows[i].text, strlen(rows[i].text), &file, &err),
				 -EBADMSG);
		assert_string_equal(err.text, rows[i].want);
		assert_int_equal(err_status(&err), ERR_IMAGE);
		assert_null(file.root);
	}
}

/* @n times @item, with commas between. */
static char *text_with_many(const char *before, const char *item, size_t n, const char *after)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fputs(before, f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%s", i ? "," : "", item);
	fputs(after, f);
	fclose(f);
	return text;
}

static void a_report_of_any_size_takes_no_more_than_it_may(void **state)
{
	static const struct {
		const char *before, *item, *after;
		size_t n;
		const char *want;
	} rows[] = {
		{ HEAD, "{\"address\":\"x\"}", "],\"events\":[" TAIL, 256, NULL },
		{ HEAD, "{\"address\":\"x\"}", "],\"events\":[" TAIL, 1000,
		  "\"devices\" is missing or not a list of a sensible length" },
		{ HEAD "],\"events\":[", "{\"event\":\"finish\",\"at_ns\":1}", TAIL, EVENT_LIST_MAX,
		  NULL },
		{ HEAD "],\"events\":[", "{\"event\":\"finish\",\"at_ns\":1}", TAIL,
		  EVENT_LIST_MAX + 1, "\"events\" is missing or not a list of a sensible length" },
		{ HEAD "],\"events\":[", "0", TAIL, EVENT_FILE_VALUES_MAX,
		  "more than a report can hold" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event_file file;
		struct err err = { 0 };
		char *text;
		int r;

		/* A million allocations. */
		if (rows[i].n > 10000 && effort_share() > 1)
			continue;
		text = text_with_many(rows[i].before, rows[i].item, rows[i].n, rows[i].after);
		r = event_file_parse(text, strlen(text), &file, &err);

		assert_int_equal(r, rows[i].want ? -EBADMSG : 0);
		assert_string_equal(err.text, rows[i].want ? rows[i].want : "");
		event_file_done(&file);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_comes_back_from_json),
		cmocka_unit_test(events_have_names_and_units),
		cmocka_unit_test(what_is_no_event_is_refused_by_the_name_of_its_key),
		cmocka_unit_test(a_full_list_keeps_every_second_of_many),
		cmocka_unit_test(what_cannot_be_left_out_is_counted_where_there_is_no_room),
		cmocka_unit_test(what_a_log_has_written_is_read_again),
		cmocka_unit_test(progress_is_kept_now_and_then_and_before_each_step),
		cmocka_unit_test(a_log_that_is_not_finished_leaves_no_file),
		cmocka_unit_test(a_log_replaces_nothing),
		cmocka_unit_test(what_is_no_report_is_refused_in_words),
		cmocka_unit_test(a_report_of_any_size_takes_no_more_than_it_may),
	};

	return cmocka_run_group_tests_name("events", tests, enter_folder, leave_folder);
}
