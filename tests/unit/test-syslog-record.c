// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "ui/syslog-record.h"

static void a_record_has_the_facts_of_the_report(void **state)
{
	static const struct {
		const char *report, *text;
		int severity;
	} rows[] = {
		{ "{\"command\":\"save\",\"device\":{\"address\":\"0000:3b:00.1\"},\"bytes\":7,"
		  "\"downtime_ns\":12,\"image\":{\"id\":\"ab\",\"digest\":\"cd\"},\"status\":0,"
		  "\"outcome\":\"completed\",\"owner\":\"destination\"}",
		  "save outcome=completed owner=destination status=0 image=ab bytes=7 "
		  "downtime_ns=12 devices=0000:3b:00.1",
		  LOG_NOTICE },
		{ "{\"command\":\"resume\",\"devices\":[{\"device\":{\"address\":\"a\"}},"
		  "{\"device\":{\"address\":\"b c\"}},{}],\"status\":75,\"outcome\":\"aborted\","
		  "\"owner\":\"source\",\"error\":{\"message\":\"x: \\\"y\\\"\\u001b[2J\\nz\"}}",
		  "resume outcome=aborted owner=source status=75 "
		  "error=\"x: \\\"y\\\"?[2J?z\" devices=\"a,b c,-\"",
		  LOG_WARNING },
		{ "{\"command\":\"recover\",\"txid\":\"0011\",\"phase\":\"prepared\",\"devices\":"
		  "[{\"address\":\"a\"}],\"status\":80,\"outcome\":\"in-doubt\"}",
		  "recover outcome=in-doubt status=80 txid=0011 phase=prepared devices=a",
		  LOG_ERR },
		{ "{\"status\":81}", "- status=81", LOG_ERR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_object *o = json_tokener_parse(rows[i].report);
		char *text;

		assert_non_null(o);
		assert_int_equal(syslog_record_text(o, &text, NULL), 0);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(syslog_record_priority(o), LOG_DAEMON | rows[i].severity);
		free(text);
		json_object_put(o);
	}
}

static void a_value_has_an_end(void **state)
{
	struct json_object *o = json_object_new_object();
	char value[4096], *text;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	json_object_object_add(o, "forced", json_object_new_string(value));
	assert_int_equal(syslog_record_text(o, &text, NULL), 0);
	assert_true(strlen(text) < 600);
	free(text);
	json_object_put(o);
}

static void a_logger_gets_one_line_and_is_not_waited_for(void **state)
{
	char folder[] = "/tmp/syslog-XXXXXX", line[512], expected[128];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err err = { 0 };
	unsigned int sent = 0;
	ssize_t n;
	int fd, r;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/log", folder);
	assert_int_equal(syslog_record_send(a.sun_path, 27, "x", &err), -ENOENT);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(syslog_record_send(a.sun_path, 27, "save status=0", &err), 0);
	n = recv(fd, line, sizeof(line) - 1, 0);
	assert_true(n > 0);
	line[n] = '\0';
	snprintf(expected, sizeof(expected), "[%d]: save status=0", getpid());
	assert_int_equal(strncmp(line, "<27>", 4), 0);
	assert_string_equal(line + strlen(line) - strlen(expected), expected);
	/* One that has stopped reading. */
	do {
		r = syslog_record_send(a.sun_path, 27, "x", &err);
		sent++;
	} while (r >= 0 && sent < 100000);
	assert_int_equal(r, -EAGAIN);
	close(fd);
	assert_int_equal(syslog_record_send(a.sun_path, 27, "x", &err), -ECONNREFUSED);
	unlink(a.sun_path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_has_the_facts_of_the_report),
		cmocka_unit_test(a_value_has_an_end),
		cmocka_unit_test(a_logger_gets_one_line_and_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
