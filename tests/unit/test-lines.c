// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/lines.h"
#include "base/macros.h"

/* A pipe, blocking as others may have it, and the lines that go into it. */
struct bench {
	int pipe[2];
	struct lines lines;
	char got[(1 << 20) + 1];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(pipe2(b->pipe, O_CLOEXEC), 0);
	lines_init(&b->lines, b->pipe[1], "lost ", ".");
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	lines_done(&b->lines);
	close(b->pipe[0]);
	if (b->pipe[1] >= 0)
		close(b->pipe[1]);
	free(b);
	return 0;
}

/* Until not a byte more has room. Return: how many there were. */
static size_t fill(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	char buf[4096];
	size_t done = 0;

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	for (size_t n = sizeof(buf); n; n /= 2)
		for (ssize_t r; (r = write(fd, buf, n)) > 0;)
			done += (size_t)r;
	assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
	return done;
}

/* What is in the pipe. */
static char *drain(struct bench *b)
{
	size_t n = 0;
	ssize_t r;

	assert_int_equal(fcntl(b->pipe[0], F_SETFL, O_NONBLOCK), 0);
	while ((r = read(b->pipe[0], b->got + n, sizeof(b->got) - 1 - n)) > 0)
		n += (size_t)r;
	b->got[n] = '\0';
	return b->got;
}

/* That, and what waits for room in it. */
static char *drain_all(struct bench *b)
{
	char *all = strdup(drain(b)), *more;

	while (lines_pending_fd(&b->lines) >= 0) {
		lines_flush(&b->lines);
		assert_true(asprintf(&more, "%s%s", all, drain(b)) >= 0);
		free(all);
		all = more;
	}
	strcpy(b->got, all);
	free(all);
	return b->got;
}

static void what_has_room_is_written_at_once(void **state)
{
	struct bench *b = *state;

	lines_put(&b->lines, "one\n");
	lines_put(&b->lines, "two\n");
	assert_int_equal(lines_pending_fd(&b->lines), -1);
	assert_string_equal(drain(b), "one\ntwo\n");
	assert_int_equal(lines_finish(&b->lines, 0), 0);
}

static void what_has_no_room_waits_and_comes_in_order(void **state)
{
	struct bench *b = *state;
	size_t n = fill(b->pipe[1]);

	lines_put(&b->lines, "one\n");
	lines_put(&b->lines, "two\n");
	assert_true(lines_pending_fd(&b->lines) >= 0);
	assert_int_equal(lines_finish(&b->lines, 1), -ETIMEDOUT);
	drain(b);
	assert_int_equal(strlen(b->got), n);
	lines_put(&b->lines, "three\n");
	assert_string_equal(drain(b), "one\ntwo\nthree\n");
	assert_int_equal(lines_pending_fd(&b->lines), -1);
}

static void a_descriptor_that_others_share_stays_as_it_is(void **state)
{
	struct bench *b = *state;

	fill(b->pipe[1]);
	lines_put(&b->lines, "one\n");
	assert_int_equal(fcntl(b->pipe[1], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(b->pipe[1], F_GETFD), FD_CLOEXEC);
}

static void the_oldest_are_lost_and_counted(void **state)
{
	enum {
		LINES = 10000
	};
	struct bench *b = *state;
	unsigned long long lost;
	unsigned int first;
	char line[32];

	fill(b->pipe[1]);
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		lines_put(&b->lines, line);
	}
	drain(b);
	drain_all(b);
	assert_int_equal(sscanf(b->got, "lost %llu.\nline %u\n", &lost, &first), 2);
	assert_true(lost > 0 && first == lost);
	assert_true(strlen(b->got) <= LINES_ROOM + 32);
	assert_non_null(strstr(b->got, "line 9999\n"));
	/* Said once. */
	lines_put(&b->lines, "more\n");
	assert_string_equal(drain(b), "more\n");
}

static void a_line_longer_than_the_room_is_whole_and_alone(void **state)
{
	static char text[2 * LINES_ROOM + 2];
	struct bench *b = *state;

	fill(b->pipe[1]);
	memset(text, 'y', sizeof(text) - 2);
	text[sizeof(text) - 2] = '\n';
	lines_put(&b->lines, "one\n");
	lines_put(&b->lines, text);
	drain(b);
	drain_all(b);
	assert_memory_equal(b->got, "lost 1.\n", 8);
	assert_string_equal(b->got + 8, text);
}

/* A line that was begun is finished, whatever else is lost. */
static void a_line_that_was_begun_is_finished(void **state)
{
	static char text[LINES_ROOM + 2];
	struct bench *b = *state;
	size_t len = sizeof(text) - 1;

	memset(text, 'y', len - 1);
	text[len - 1] = '\n';
	assert_true(fcntl(b->pipe[1], F_SETPIPE_SZ, 4096) > 0);
	lines_put(&b->lines, text);
	lines_put(&b->lines, "one\n");
	lines_put(&b->lines, "two\n");
	drain_all(b);
	assert_memory_equal(b->got, text, len);
	assert_string_equal(b->got + len, "lost 1.\ntwo\n");
}

static void a_reader_that_is_gone_is_an_error_and_no_wait(void **state)
{
	struct bench *b = *state;

	fill(b->pipe[1]);
	lines_put(&b->lines, "one\n");
	close(b->pipe[0]);
	b->pipe[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lines_finish(&b->lines, 60000), -EPIPE);
	assert_int_equal(lines_pending_fd(&b->lines), -1);
}

static void sockets_and_files_are_written_to_as_well(void **state)
{
	int pair[2], file = memfd_create("lines", MFD_CLOEXEC);
	struct lines l;
	char got[16];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	lines_init(&l, pair[1], "lost ", ".");
	fill(pair[1]);
	lines_put(&l, "one\n");
	assert_int_equal(lines_finish(&l, 1), -ETIMEDOUT);
	lines_done(&l);
	close(pair[0]);
	close(pair[1]);

	lines_init(&l, file, "lost ", ".");
	lines_put(&l, "one\n");
	lines_done(&l);
	assert_int_equal(pread(file, got, sizeof(got), 0), 4);
	close(file);
}

/* As dup2() does it under a program's feet. */
static void a_descriptor_may_become_another(void **state)
{
	struct bench *b = *state;
	int file = memfd_create("lines", MFD_CLOEXEC);
	char got[16];

	lines_put(&b->lines, "one\n");
	assert_int_equal(dup2(file, b->pipe[1]), b->pipe[1]);
	lines_put(&b->lines, "two\n");
	assert_string_equal(drain(b), "one\n");
	assert_int_equal(pread(file, got, sizeof(got), 0), 4);
	close(file);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_has_room_is_written_at_once),
		TEST(what_has_no_room_waits_and_comes_in_order),
		TEST(a_descriptor_that_others_share_stays_as_it_is),
		TEST(the_oldest_are_lost_and_counted),
		TEST(a_line_longer_than_the_room_is_whole_and_alone),
		TEST(a_line_that_was_begun_is_finished),
		TEST(a_reader_that_is_gone_is_an_error_and_no_wait),
		TEST(sockets_and_files_are_written_to_as_well),
		TEST(a_descriptor_may_become_another),
	};

	signal(SIGPIPE, SIG_IGN); /* as main() does */
	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
