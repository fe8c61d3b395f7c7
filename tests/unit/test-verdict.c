// SPDX-License-Identifier: GPL-2.0-or-later

/* VERDICT: what is written can be read, and what is read is not believed */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "wire/verdict.h"

static void what_is_said_is_heard(void **state)
{
	struct verdict v = { 0 }, back = { 0 };
	struct err err = { 0 };
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(verdict_add_device(&v, "0000:3b:00.1", "vfio1", &err), 0);
	assert_int_equal(verdict_add_difference(&v, "driver", "mlx5", "mtty", true, &err), 0);
	assert_int_equal(verdict_add_difference(&v, "revision", "0x01", "0x\x1b", false, &err), 0);
	assert_int_equal(verdict_add_device(&v, "b", "c", &err), 1);
	assert_int_equal(verdict_refuse(&v, "driver is mlx5", &err), 0);
	assert_int_equal(verdict_refuse(&v, "the second reason", &err), 0);
	assert_int_equal(verdict_encode(&v, &text, &len, &err), 0);
	assert_int_equal(strlen(text), len);

	assert_int_equal(verdict_decode(text, len, &back, &err), 0);
	assert_false(back.accepted);
	assert_string_equal(back.reason, "driver is mlx5");
	assert_int_equal(back.n_devices, 2);
	assert_string_equal(back.devices[0].saved, "0000:3b:00.1");
	assert_string_equal(back.devices[0].here, "vfio1");
	assert_int_equal(back.devices[0].n_differences, 2);
	assert_string_equal(back.devices[0].differences[0].field, "driver");
	assert_true(back.devices[0].differences[0].vital);
	/* What cannot be printed is not sent. */
	assert_string_equal(back.devices[0].differences[1].here, "0x?");
	assert_false(back.devices[0].differences[1].vital);
	assert_int_equal(back.devices[1].n_differences, 0);
	verdict_done(&back);
	verdict_done(&v);
	free(text);
}

static void the_caps_hold(void **state)
{
	struct verdict v = { 0 }, back = { 0 };
	struct err err = { 0 };
	char long_text[2 * VERDICT_STRING_MAX];
	char *text;
	size_t len;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (unsigned int i = 0; i < VERDICT_DEVICES_MAX; i++)
		assert_int_equal(verdict_add_device(&v, "a", "b", &err), i);
	assert_int_equal(verdict_add_device(&v, "a", "b", &err), -E2BIG);
	for (unsigned int i = 0; i < 2 * VERDICT_DIFFERENCES_MAX; i++)
		assert_int_equal(verdict_add_difference(&v, long_text, "x", "y", true, &err), 0);
	assert_int_equal(v.devices[VERDICT_DEVICES_MAX - 1].n_differences, VERDICT_DIFFERENCES_MAX);
	v.accepted = true;
	assert_int_equal(verdict_encode(&v, &text, &len, &err), 0);
	assert_int_equal(verdict_decode(text, len, &back, &err), 0);
	assert_true(back.accepted);
	assert_null(back.reason);
	assert_int_equal(strlen(back.devices[VERDICT_DEVICES_MAX - 1].differences[0].field),
			 VERDICT_STRING_MAX);
	verdict_done(&back);
	verdict_done(&v);
	free(text);
}

static void what_is_no_verdict_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *names;
	} rows[] = {
		{ "", "not a JSON object" },
		{ "[]", "not a JSON object" },
		{ "{", "not a JSON object" },
		{ "{} x", "not a JSON object" },
		{ "{}", "accepted" },
		{ "{\"accepted\":1,\"devices\":[]}", "accepted" },
		{ "{\"accepted\":false,\"devices\":[]}", "reason" },
		{ "{\"accepted\":false,\"reason\":7,\"devices\":[]}", "reason" },
		{ "{\"accepted\":false,\"reason\":\"\\u001b[2J\",\"devices\":[]}", "reason" },
		{ "{\"accepted\":true}", "devices" },
		{ "{\"accepted\":true,\"devices\":{}}", "devices" },
		{ "{\"accepted\":true,\"devices\":[1]}", "devices" },
		{ "{\"accepted\":true,\"devices\":[{\"here\":\"a\",\"differences\":[]}]}",
		  "saved" },
		{ "{\"accepted\":true,\"devices\":[{\"saved\":\"a\",\"here\":\"a\"}]}",
		  "differences" },
		{ "{\"accepted\":true,\"devices\":[{\"saved\":\"a\",\"here\":\"a\","
		  "\"differences\":[{\"field\":\"x\",\"saved\":\"y\",\"here\":\"z\","
		  "\"vital\":\"yes\"}]}]}",
		  "vital" },
		{ "{\"accepted\":true,\"devices\":[[[[[[[[[[[]]]]]]]]]]]}", "not a JSON object" },
	};
	struct verdict v = { .n_devices = 77 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(verdict_decode(rows[i].text, strlen(rows[i].text), &v, &err),
				 -EPROTO);
		assert_int_equal(err.kind, ERR_PEER);
		if (!strstr(err.text, rows[i].names))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(v.n_devices, 77);
	}
}

static void what_would_take_much_memory_is_not_parsed(void **state)
{
	size_t len = VERDICT_TEXT_MAX + 1;
	char *text = malloc(len);
	struct err err = { 0 };
	struct verdict v;

	(void)state;
	assert_non_null(text);
	memset(text, '[', len);
	assert_int_equal(verdict_decode(text, len, &v, &err), -EPROTO);
	assert_int_equal(verdict_decode(text, len - 1, &v, &err), -EPROTO);
	memset(text, ',', len);
	assert_int_equal(verdict_decode(text, len - 1, &v, &err), -EPROTO);
	assert_int_equal(verdict_decode("{\"accepted\":true,\"devices\":[]}\0", 31, &v, &err),
			 -EPROTO);
	free(text);
}

static void what_later_versions_add_is_ignored(void **state)
{
	static const char text[] = "{\"schema\":9,\"accepted\":true,\"x\":[{\"y\":1}],\"devices\":"
				   "[{\"saved\":\"a\",\"here\":\"b\",\"z\":null,"
				   "\"differences\":[]}]}";
	struct err err = { 0 };
	struct verdict v;

	(void)state;
	assert_int_equal(verdict_decode(text, strlen(text), &v, &err), 0);
	assert_int_equal(v.n_devices, 1);
	verdict_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_heard),
		cmocka_unit_test(the_caps_hold),
		cmocka_unit_test(what_is_no_verdict_is_refused),
		cmocka_unit_test(what_would_take_much_memory_is_not_parsed),
		cmocka_unit_test(what_later_versions_add_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
