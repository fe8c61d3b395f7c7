// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/input.h"
#include "transport/output.h"
#include "transport/uri.h"

#define ALL (URI_PLAIN | URI_SOCKET)
#define MUCH ((size_t)1 << 20) /* more than a pipe or a socket holds */

struct bench {
	struct cancel cancel;
	struct uri uri;
	struct err err;
	char buf[MUCH];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(cancel_init(&b->cancel, NULL), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	cancel_done(&b->cancel);
	free(b);
	return 0;
}

static void *request(void *arg)
{
	struct bench *b = arg;

	cancel_request(&b->cancel);
	return NULL;
}

/* commands */

static struct output *output_to(struct bench *b, const char *text)
{
	struct output *out = NULL;

	assert_int_equal(uri_parse(text, ALL, &b->uri, NULL), 0);
	assert_int_equal(output_open(&b->uri, false, &b->cancel, &out, &b->err), 0);
	assert_string_equal(output_name(out), text);
	return out;
}

static struct input *input_of(struct bench *b, const char *text)
{
	struct input *in = NULL;

	assert_int_equal(uri_parse(text, ALL, &b->uri, NULL), 0);
	assert_int_equal(input_open(&b->uri, &b->cancel, &in, &b->err), 0);
	assert_string_equal(input_name(in), text);
	assert_true(input_ends(in) && !input_rewindable(in));
	return in;
}

/* All that comes, and what its end was. */
static ssize_t read_all(struct bench *b, struct input *in, size_t *ret)
{
	ssize_t n;

	*ret = 0;
	while ((n = input_read(in, b->buf + *ret, MUCH - *ret, &b->err)) > 0)
		*ret += (size_t)n;
	return n;
}

static void a_command_gets_every_byte_and_its_end(void **state)
{
	struct bench *b = *state;
	struct output *out = output_to(b, "exec:test $(wc -c) = 1048576");

	assert_int_equal(output_write(out, b->buf, MUCH, NULL), 0);
	assert_int_equal(output_finish(out, NULL), 0);
	assert_int_equal(output_publish(out, NULL), 0);
	assert_null(output_free(out));
}

static void a_command_brings_every_byte_and_its_end(void **state)
{
	struct bench *b = *state;
	struct input *in = input_of(b, "exec:head -c 1000000 /dev/zero; printf end");
	size_t len;

	assert_int_equal(read_all(b, in, &len), 0);
	assert_int_equal(len, 1000003);
	assert_memory_equal(b->buf + 1000000, "end", 3);
	assert_int_equal(input_read(in, b->buf, 1, NULL), 0);
	assert_int_equal(input_rewind(in, NULL), -ESPIPE);
	assert_null(input_free(in));
}

static const struct {
	const char *text, *why;
} bad_ends[] = {
	{ "exec:cat >/dev/null; exit 3", "ended with status 3" },
	{ "exec:cat >/dev/null; kill -KILL $$", "ended by signal 9 (Killed)" },
};

static void a_command_that_fails_is_an_io_error(void **state)
{
	struct bench *b = *state;
	char want[128];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(bad_ends); i++) {
		struct output *out = output_to(b, bad_ends[i].text);
		struct input *in;

		snprintf(want, sizeof(want), "%s: %s", bad_ends[i].text, bad_ends[i].why);
		assert_int_equal(output_write(out, "data", 4, NULL), 0);
		assert_int_equal(output_finish(out, &b->err), -EIO);
		assert_int_equal(err_status(&b->err), 74);
		assert_string_equal(b->err.text, want);
		output_free(out);

		in = input_of(b, bad_ends[i].text);
		assert_int_equal(read_all(b, in, &len), -EIO);
		assert_int_equal(len, 0);
		assert_string_equal(b->err.text, want);
		input_free(in);
	}
}

static void a_command_that_ends_early_tells_how(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *why;
	} rows[] = {
		{ "exec:exit 3", -EIO, "ended with status 3" },
		{ "exec:head -c 1 >/dev/null", -EPIPE, "ended before it had read all" },
		{ "exec:exec sleep 1000 <&-", -EPIPE, "closed its input before it had read all" },
	};
	struct bench *b = *state;
	char want[128];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct output *out = output_to(b, rows[i].text);

		snprintf(want, sizeof(want), "%s: %s", rows[i].text, rows[i].why);
		assert_int_equal(output_write(out, b->buf, MUCH, &b->err), rows[i].code);
		assert_int_equal(err_status(&b->err), 74);
		assert_string_equal(b->err.text, want);
		output_free(out);
	}
}

/* Once the shell has left a mark that it has come so far. */
static void *request_at_mark(void *arg)
{
	struct bench *b = arg;

	while (access("channel.mark", F_OK) < 0)
		usleep(1000);
	return request(b);
}

static void waiting_for_a_command_can_be_cancelled(void **state)
{
	struct bench *b = *state;
	struct output *out;
	pthread_t thread;

	unlink("channel.mark");
	out = output_to(b, "exec:cat >/dev/null; : >channel.mark; exec sleep 1000");
	assert_int_equal(pthread_create(&thread, NULL, request_at_mark, b), 0);
	assert_int_equal(output_finish(out, &b->err), -ECANCELED);
	assert_int_equal(err_status(&b->err), 75);
	assert_int_equal(pthread_join(thread, NULL), 0);
	unlink("channel.mark");
	output_free(out);
}

static void a_command_that_does_not_read_can_be_cancelled(void **state)
{
	struct bench *b = *state;
	struct input *in = input_of(b, "exec:exec sleep 1000");
	struct output *out;
	pthread_t thread;

	unlink("channel.mark");
	out = output_to(b, "exec:: >channel.mark; exec sleep 1000");
	assert_int_equal(pthread_create(&thread, NULL, request_at_mark, b), 0);
	assert_int_equal(output_write(out, b->buf, MUCH, NULL), -ECANCELED);
	assert_int_equal(input_read(in, b->buf, 1, NULL), -ECANCELED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	unlink("channel.mark");
	input_free(in);
	output_free(out);
}

static void a_command_that_does_not_want_to_end_is_killed(void **state)
{
	struct bench *b = *state;
	struct input *in = input_of(b, "exec:trap '' TERM; echo; exec sleep 1000");

	/* The line tells that SIGTERM is ignored by now. */
	assert_int_equal(input_read(in, b->buf, 1, NULL), 1);
	input_free(in);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* As the worker does, with everything blocked, and a descriptor that is there to be inherited. */
static void *look_from_inside(void *arg)
{
	static const char text[] = "exec:test ! -e /proc/self/fd/50 && "
				   "grep -h -e SigBlk -e SigIgn /proc/self/status && wc -c";
	struct bench *b = arg;
	struct input *in;
	sigset_t all;
	size_t len;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	in = input_of(b, text);
	if (read_all(b, in, &len) < 0)
		len = 0;
	b->buf[len] = '\0';
	input_free(in);
	return NULL;
}

static void a_command_finds_nothing_of_ours(void **state)
{
	unsigned long blocked, ignored;
	struct bench *b = *state;
	pthread_t thread;
	size_t input;

	assert_int_equal(dup2(STDERR_FILENO, 50), 50);
	assert_int_equal(pthread_create(&thread, NULL, look_from_inside, b), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(50);
	assert_int_equal(sscanf(b->buf, "SigBlk: %lx SigIgn: %lx %zu", &blocked, &ignored, &input),
			 3);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & (1ul << (SIGPIPE - 1)), 0);
	assert_int_equal(input, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_gets_every_byte_and_its_end),
		TEST(a_command_brings_every_byte_and_its_end),
		TEST(a_command_that_fails_is_an_io_error),
		TEST(a_command_that_ends_early_tells_how),
		TEST(waiting_for_a_command_can_be_cancelled),
		TEST(a_command_that_does_not_read_can_be_cancelled),
		TEST(a_command_that_does_not_want_to_end_is_killed),
		TEST(a_command_finds_nothing_of_ours),
	};

	signal(SIGPIPE, SIG_IGN); /* as main() does */
	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
