// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "ui/picture-scale.h"
#include "ui/picture-series.h"
#include "ui/picture-states.h"
#include "ui/picture.h"
#include "effort.h"

#define HEAD "{\"schema\":1,\"command\":\"save\",\"version\":\"1\",\"devices\":["
#define TAIL "],\"lost_events\":0,\"result\":{}}"
#define ONE "{\"address\":\"vfio0\"}"
#define ARC(at, from, to, start, took)                                                         \
	"{\"event\":\"arc\",\"at_ns\":" #at ",\"device\":0,\"from\":\"" from "\",\"to\":\"" to \
	"\",\"start_ns\":" #start ",\"arc_ns\":" #took "}"
#define PROGRESS(at, bytes) \
	"{\"event\":\"progress\",\"at_ns\":" #at ",\"device\":0,\"bytes\":" #bytes "}"
#define PHASE(at, phase) "{\"event\":\"phase\",\"at_ns\":" #at ",\"phase\":\"" phase "\"}"
/* clang-format off */
#define DECISION(at, round, dirty)                                                     \
	"{\"event\":\"decision\",\"at_ns\":" #at ",\"verdict\":\"not-yet\",\"round\":" #round \
	",\"told\":true,\"reinit\":false,\"quiescent\":false,\"initial_bytes\":0,"         \
	"\"dirty_bytes\":" #dirty ",\"stop_copy_bytes\":0,\"moved_bytes\":0,"              \
	"\"moved_ns\":0,\"moved_told_bytes\":0,\"left_bytes\":" #dirty ","                 \
	"\"suspected_bytes\":0,\"arcs_ns\":0,\"finish_ns\":0,\"bytes_per_second\":0,"      \
	"\"dirty_bytes_per_second\":0,\"pause_ns\":0}"
/* clang-format on */

static void parse(const char *text, struct event_file *ret)
{
	struct err err = { 0 };

	if (event_file_parse(text, strlen(text), ret, &err) < 0)
		fail_msg("%s: %s", err.text, text);
}

/* Return: the picture, to be freed. */
static char *draw(const char *text)
{
	struct event_file file;
	struct summary summary;
	struct err err = { 0 };
	char *svg;
	size_t size;
	FILE *f = open_memstream(&svg, &size);

	assert_non_null(f);
	parse(text, &file);
	assert_int_equal(summary_init(&summary, file.list.devices, &err), 0);
	event_list_replay(&file.list, summary_on_event, &summary);
	summary_end(&summary);
	assert_int_equal(picture_draw(f, &file, &summary, &err), 0);
	fclose(f);
	summary_done(&summary);
	event_file_done(&file);
	return svg;
}

static void nothing_is_too_short_or_too_long_to_be_drawn(void **state)
{
	static const char *const texts[] = {
		HEAD "],\"events\":[" TAIL,
		HEAD ONE "],\"events\":[" TAIL,
		HEAD ONE "],\"events\":[{\"event\":\"finish\",\"at_ns\":0}" TAIL,
		HEAD ONE "],\"events\":[" ARC(0, "running", "stop", 0, 0) TAIL,
		HEAD ONE "],\"events\":[" ARC(1, "running", "stop", 0, 1) "," ARC(
			1152921504606846976, "stop", "running", 1, 1152921504606846975) TAIL,
		HEAD ONE "],\"events\":[" PROGRESS(0, 1152921504606846976) "," PROGRESS(
			0, 0) "," PROGRESS(1, 1152921504606846976) TAIL,
		HEAD ONE "],\"events\":[" PHASE(0, "pre-copy") "," DECISION(
			1, 1, 1152921504606846976) "," DECISION(1152921504606846976, 2, 0) TAIL,
	};
	static const char *const never[] = { "nan", "inf", "-nan", "e+" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *svg = draw(texts[i]);

		for (size_t n = 0; n < ARRAY_SIZE(never); n++)
			if (strstr(svg, never[n]))
				fail_msg("%s in the picture of %s", never[n], texts[i]);
		assert_memory_equal(svg, "<svg ", 5);
		assert_string_equal(svg + strlen(svg) - 7, "</svg>\n");
		free(svg);
	}
}

/* What it still is a report of can be drawn. */
static void a_damaged_report_is_refused_or_drawn(void **state)
{
	/* clang-format off */
	static const char whole[] = HEAD ONE "],\"events\":["
		PHASE(0, "pre-copy") "," ARC(1, "running", "stop", 0, 1) ","
		PROGRESS(2, 100) "," DECISION(3, 1, 30) ","
		"{\"event\":\"failure\",\"at_ns\":4,\"device\":0,\"message\":\"\","
		"\"errno\":null},"
		"{\"event\":\"recovery\",\"at_ns\":5,\"device\":0,\"found\":\"stop\","
		"\"end\":\"running\",\"reset\":false,\"ok\":true}" TAIL;
	/* clang-format on */
	static const char instead[] = { '9', '"', '}' };
	unsigned int drawn = 0;
	char text[sizeof(whole)];

	(void)state;
	free(draw(whole));
	for (size_t i = 0; i < sizeof(whole) - 1; i += effort_share())
		for (size_t n = 0; n < sizeof(instead); n++) {
			struct event_file file;
			struct err err = { 0 };

			memcpy(text, whole, sizeof(text));
			text[i] = instead[n];
			if (event_file_parse(text, sizeof(text) - 1, &file, &err) < 0) {
				assert_int_equal(err_status(&err), ERR_IMAGE);
				continue;
			}
			event_file_done(&file);
			free(draw(text));
			drawn++;
		}
	assert_true(drawn * effort_share() > 10);
}

static void names_are_text_and_never_elements(void **state)
{
	static const struct {
		const char *address, *want;
	} rows[] = {
		{ "<b>&\\u0007", ">&lt;b&gt;&amp;?<" },
		{ "ger\xc3\xa4t \\uffff\\ufffe!", ">ger\xc3\xa4t !<" },
	};
	char text[256], *svg;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), HEAD "{\"address\":\"%s\"}],\"events\":[" TAIL,
			 rows[i].address);
		svg = draw(text);
		assert_non_null(strstr(svg, rows[i].want));
		free(svg);
	}
}

static void a_picture_of_many_devices_says_how_many_it_leaves_out(void **state)
{
	char *text, *svg;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_non_null(f);
	fputs(HEAD ONE, f);
	for (int i = 1; i < 70; i++)
		fputs("," ONE, f);
	fputs("],\"events\":[" TAIL, f);
	fclose(f);
	svg = draw(text);
	assert_non_null(strstr(svg, ">and 6 more devices<"));
	free(svg);
	free(text);
}

/* Moments and what is left then. */
struct want {
	uint64_t ns;
	double left;
};

static void check_series(const char *text, const struct want *want, size_t n)
{
	struct picture_series s;
	struct event_file file;
	struct err err = { 0 };
	double moved = 0;

	parse(text, &file);
	assert_int_equal(picture_series_init(&s, &file, 0, 100, &err), 0);
	assert_int_equal(s.n, n);
	for (size_t i = 0; i < n; i++)
		if (s.points[i].ns != want[i].ns || s.points[i].left != want[i].left)
			fail_msg("point %zu: %g left at %llu", i, s.points[i].left,
				 (unsigned long long)s.points[i].ns);
	/* All bytes are in one bin or another. */
	for (size_t i = 0; i < PICTURE_BINS; i++)
		moved += s.bins[i] * 100 / PICTURE_BINS / (double)NSEC_PER_SEC;
	assert_true(moved > 149.9 && moved < 150.1);
	picture_series_done(&s);
	event_file_done(&file);
}

static void what_is_left_is_told_in_pre_copy_and_known_afterwards(void **state)
{
	/* clang-format off */
	static const char with_decisions[] = HEAD ONE "],\"events\":["
		PHASE(0, "pre-copy") ","
		PROGRESS(40, 100) "," DECISION(40, 1, 30) ","
		PROGRESS(50, 120) "," DECISION(50, 2, 25) ","
		PHASE(60, "stop-copy") "," PROGRESS(100, 150) ","
		PHASE(100, "start-p2p") TAIL;
	static const char without[] = HEAD ONE "],\"events\":["
		PHASE(0, "pre-copy") "," PROGRESS(40, 100) "," PROGRESS(60, 120) ","
		PROGRESS(100, 150) "," PHASE(100, "stop-copy") TAIL;
	/* clang-format on */
	static const struct want told[] = {
		{ 0, 100 }, { 40, 0 }, { 40, 30 }, { 50, 10 }, { 50, 25 }, { 60, 30 }, { 100, 0 },
	};
	static const struct want known[] = { { 0, 150 }, { 40, 50 }, { 60, 30 }, { 100, 0 } };

	(void)state;
	check_series(with_decisions, told, ARRAY_SIZE(told));
	check_series(without, known, ARRAY_SIZE(known));
}

static void marks_are_round_numbers(void **state)
{
	char text[PICTURE_LABEL_MAX];

	(void)state;
	assert_true(picture_step(0, 4) == 1);
	assert_true(picture_step(4, 4) == 1);
	assert_true(picture_step(5, 4) == 2);
	assert_true(picture_step(100.0 * (1 << 20), 4) == 32.0 * (1 << 20));
	assert_string_equal(picture_bytes(text, 0), "0 B");
	assert_string_equal(picture_bytes(text, 1536), "1.5 KiB");
	assert_string_equal(picture_bytes(text, 1023.0 * 1024 * 1024), "1023 MiB");
	assert_string_equal(picture_bytes(text, 1024.0 * 1024 * 1024), "1 GiB");
}

/*
 * The states that monitor has seen
 */

static char *draw_states(const struct picture_state *v, size_t n, uint64_t down_from,
			 uint64_t down_to, unsigned int devices)
{
	struct picture_states_device *names = calloc(devices, sizeof(*names));
	struct picture_states p = { .start_ns = 1000, .end_ns = 100001000, .gap_ns = 1000000 };
	struct err err = { 0 };
	char *svg = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&svg, &size);

	assert_non_null(names);
	for (unsigned int i = 0; i < devices; i++)
		names[i] = (struct picture_states_device){ "0000:3b:00.1<&", i ? 0 : 5000000 };
	for (size_t i = 0; i < n; i++)
		assert_int_equal(picture_states_add(&p, &v[i], &err), 0);
	if (down_to)
		picture_states_down(&p, down_from, down_to);
	picture_states_draw(f, &p, names, devices);
	picture_states_done(&p);
	free(names);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(svg + strlen(svg) - 7, "</svg>\n");
	return svg;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		n++;
	}
	return n;
}

static void states_are_drawn_as_far_as_they_were_seen(void **state)
{
	static const struct picture_state changes[] = {
		{ 0, 2000, true, MIG_RUNNING },	  { 1, 2000, true, MIG_STOP },
		{ 0, 10001000, true, MIG_STOP },  { 0, 15001000, true, MIG_RUNNING },
		{ 1, 20001000, false, MIG_STOP },
	};
	char *svg;

	(void)state;
	/* One was never seen. The legend has a box of each state, too. */
	svg = draw_states(changes, ARRAY_SIZE(changes), 0, 0, 3);
	assert_int_equal(count(svg, "class=\"s-running\""), 2 + 1);
	assert_int_equal(count(svg, "class=\"s-stop\""), 2 + 1);
	assert_non_null(strstr(svg, ">states of 2 devices, 100 ms<"));
	assert_non_null(strstr(svg, ">0000:3b:00.1&lt;&amp;<"));
	assert_null(strstr(svg, "class=\"window\""));
	free(svg);
	/* Down for a short part of it: that is large below, and all of it above. */
	svg = draw_states(changes, ARRAY_SIZE(changes), 10001000, 15001000, 3);
	assert_int_equal(count(svg, "class=\"window\""), 1);
	assert_int_equal(count(svg, "class=\"s-running\""), 2 + 2 + 1);
	free(svg);
	/* For all of it. */
	svg = draw_states(changes, ARRAY_SIZE(changes), 2000, 90001000, 3);
	assert_int_equal(count(svg, "class=\"window\""), 0);
	free(svg);
	svg = draw_states(NULL, 0, 0, 0, 1);
	assert_non_null(strstr(svg, ">no state was seen<"));
	free(svg);
}

static void states_without_room_are_counted(void **state)
{
	enum {
		MANY = PICTURE_STATES_MAX + 7,
		DEVICES = 70
	};
	struct picture_state *v = calloc(MANY, sizeof(*v));
	char *svg;

	(void)state;
	assert_non_null(v);
	for (unsigned int i = 0; i < MANY; i++)
		v[i] = (struct picture_state){ i % DEVICES, 2000 + i, true,
					       i / DEVICES % 2 ? MIG_STOP : MIG_RUNNING };
	svg = draw_states(v, MANY, 0, 0, DEVICES);
	assert_non_null(strstr(svg, ">and 7 changes that had no room<"));
	assert_non_null(strstr(svg, ">and 6 more devices<"));
	free(svg);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_are_drawn_as_far_as_they_were_seen),
		cmocka_unit_test(states_without_room_are_counted),
		cmocka_unit_test(nothing_is_too_short_or_too_long_to_be_drawn),
		cmocka_unit_test(a_damaged_report_is_refused_or_drawn),
		cmocka_unit_test(names_are_text_and_never_elements),
		cmocka_unit_test(a_picture_of_many_devices_says_how_many_it_leaves_out),
		cmocka_unit_test(what_is_left_is_told_in_pre_copy_and_known_afterwards),
		cmocka_unit_test(marks_are_round_numbers),
	};

	return cmocka_run_group_tests_name("picture", tests, NULL, NULL);
}
