// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * That the event log of vfiomig-emu says what happened, in the order in which it did
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define LOG_MAX 65536

/* A line of it. */
struct line {
	uint64_t ns;
	char device[16]; /* the last part of the path */
	char words[96];
};

static char log_path[64];

static char *log_name(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	snprintf(log_path, sizeof(log_path), "%s/emu-log.XXXXXX",
		 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	fd = mkstemp(log_path);
	assert_true(fd >= 0);
	close(fd);
	return log_path;
}

/* All lines of it so far. Return: how many. */
static size_t log_read(struct line *lines, size_t max)
{
	static char text[LOG_MAX];
	char path[128], *slash, *next;
	size_t n = 0;
	ssize_t len;
	int fd = open(log_path, O_RDONLY);

	assert_true(fd >= 0);
	len = read(fd, text, sizeof(text) - 1);
	assert_true(len >= 0);
	close(fd);
	text[len] = '\0';
	for (char *at = text; *at; at = next + 1) {
		next = strchr(at, '\n');
		assert_non_null(next);
		*next = '\0';
		assert_true(n < max);
		assert_int_equal(sscanf(at, "%" SCNu64 " %127s %95[^\n]", &lines[n].ns, path,
					lines[n].words),
				 3);
		slash = strrchr(path, '/');
		snprintf(lines[n].device, sizeof(lines[n].device), "%.15s",
			 slash ? slash + 1 : path);
		assert_true(!n || lines[n].ns >= lines[n - 1].ns);
		n++;
	}
	return n;
}

/* What device @device went through, "begin a b|end a b", is @story. */
static void expect_story(const char *device, const char *story)
{
	static struct line lines[1000];
	size_t n = log_read(lines, N(lines));
	char found[4096] = "";

	for (size_t i = 0; i < n; i++) {
		if (strcmp(lines[i].device, device) != 0)
			continue;
		assert_true(strlen(found) + sizeof(lines[i].words) < sizeof(found));
		strcat(strcat(found, *found ? "|" : ""), lines[i].words);
	}
	assert_string_equal(found, story);
}

static void every_arc_has_a_beginning_and_an_end(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 2, "--devices", "2", "--event-log", log_name(), NULL);
	fd = wire_open(&e, 1);
	expect_story("s.1", "");
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	/* The reply that came is behind the last line. */
	expect_story("s.1", "begin running running-p2p|end running running-p2p|"
			    "begin running-p2p stop|end running-p2p stop|"
			    "begin stop stop-copy|end stop stop-copy");
	assert_int_equal(wire_reset(fd), 0);
	expect_story("s", "");
	close(fd);
	emu_stop(&e);
	expect_story("s.1", "begin running running-p2p|end running running-p2p|"
			    "begin running-p2p stop|end running-p2p stop|"
			    "begin stop stop-copy|end stop stop-copy|reset");
	unlink(log_path);
}

static void what_an_arc_came_to_is_told(void **state)
{
	static const struct {
		const char *fault;
		int result;
		const char *story;
	} rows[] = {
		{ "fail=running:running-p2p:EBUSY", -EBUSY,
		  "begin running running-p2p|failed running running-p2p EBUSY" },
		{ "error=running:running-p2p", -EIO,
		  "begin running running-p2p|failed running running-p2p EIO|error" },
		{ "error=running-p2p", 0,
		  "begin running running-p2p|end running running-p2p|error" },
	};
	struct emu e;
	int fd;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		emu_start(&e, 1, "--fault", rows[i].fault, "--event-log", log_name(), NULL);
		fd = wire_open(&e, 0);
		assert_int_equal(wire_set_state(fd, RUNNING_P2P), rows[i].result);
		expect_story("s", rows[i].story);
		close(fd);
		emu_stop(&e);
		unlink(log_path);
	}
}

static void an_arc_that_is_never_answered_has_no_end(void **state)
{
	uint32_t set[4] = { 16, 2 | SET, RUNNING_P2P, UINT32_MAX };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "stall=running:running-p2p*1", "--event-log", log_name(), NULL);
	fd = wire_open(&e, 0);
	wire_send(fd, 1, FEATURE, 0, set, sizeof(set));
	wire_expect_silence(fd);
	close(fd);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_state(fd), RUNNING);
	expect_story("s", "begin running running-p2p");
	close(fd);
	emu_stop(&e);
	unlink(log_path);
}

/* The arcs of a way that takes time stand apart by as much, and its devices do not wait. */
static void the_lines_of_an_arc_are_as_far_apart_as_it_is_long(void **state)
{
	uint32_t set[4] = { 16, 2 | SET, STOP, UINT32_MAX };
	static struct line lines[100];
	struct message reply;
	struct emu e;
	int slow, quick;

	(void)state;
	emu_start(&e, 2, "--devices", "2", "--delay", "0@running:running-p2p=100ms", "--delay",
		  "0@running:stop=100ms", "--event-log", log_name(), NULL);
	slow = wire_open(&e, 0);
	quick = wire_open(&e, 1);
	wire_send(slow, 7, FEATURE, 0, set, sizeof(set));
	while (log_read(lines, N(lines)) < 1)
		usleep(1000);
	assert_int_equal(wire_set_state(quick, STOP), 0);
	wire_receive(slow, &reply);
	assert_int_equal(log_read(lines, N(lines)), 8);
	expect_story("s", "begin running running-p2p|end running running-p2p|"
			  "begin running-p2p stop|end running-p2p stop");
	assert_string_equal(lines[0].device, "s");
	assert_string_equal(lines[7].device, "s");
	assert_true(lines[7].ns - lines[0].ns >= 200000000);
	close(slow);
	close(quick);
	emu_stop(&e);
	unlink(log_path);
}

static void a_reset_by_disconnecting_is_told(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--reset-on-disconnect", "--fault", "error=100", "--event-log", log_name(),
		  NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, RESUMING), 0);
	assert_int_equal(wire_data_write(fd, log_path, 60), 0);
	assert_int_equal(wire_data_write(fd, log_path, 60), -EIO);
	assert_int_equal(wire_state(fd), ERROR);
	close(fd);
	/* The next client is served when the last one is gone for good. */
	fd = wire_open(&e, 0);
	assert_int_equal(wire_state(fd), RUNNING);
	expect_story("s", "begin running running-p2p|end running running-p2p|"
			  "begin running-p2p stop|end running-p2p stop|"
			  "begin stop resuming|end stop resuming|error|reset");
	close(fd);
	emu_stop(&e);
	unlink(log_path);
}

static void emulators_share_a_log(void **state)
{
	static struct line lines[100];
	struct emu e[2];
	int fd[2];

	(void)state;
	log_name();
	for (size_t i = 0; i < N(e); i++) {
		emu_start(&e[i], 1, "--event-log", log_path, NULL);
		fd[i] = wire_open(&e[i], 0);
	}
	for (size_t i = 0; i < N(e); i++)
		assert_int_equal(wire_set_state(fd[i], RUNNING_P2P), 0);
	for (size_t i = 0; i < N(e); i++)
		assert_int_equal(wire_set_state(fd[i], STOP), 0);
	assert_int_equal(log_read(lines, N(lines)), 8);
	for (size_t i = 0; i < N(e); i++) {
		close(fd[i]);
		emu_stop(&e[i]);
	}
	unlink(log_path);
}

static void a_log_that_cannot_be_written_is_refused(void **state)
{
	(void)state;
	assert_int_equal(
		emu_status("--socket", "/nonexistent/s", "--event-log", "/nonexistent/log", NULL),
		66);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_arc_has_a_beginning_and_an_end),
		cmocka_unit_test(what_an_arc_came_to_is_told),
		cmocka_unit_test(an_arc_that_is_never_answered_has_no_end),
		cmocka_unit_test(the_lines_of_an_arc_are_as_far_apart_as_it_is_long),
		cmocka_unit_test(a_reset_by_disconnecting_is_told),
		cmocka_unit_test(emulators_share_a_log),
		cmocka_unit_test(a_log_that_cannot_be_written_is_refused),
	};

	return cmocka_run_group_tests_name("vfiomig-emu: event log", tests, NULL, NULL);
}
