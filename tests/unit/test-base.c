// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "base/unix-socket.h"
#include "base/uuid.h"

/* err */

static void a_failure_is_recorded_and_its_code_handed_on(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, -ENOENT, "%s: %d", "a", 7), -ENOENT);
	assert_int_equal(e.code, -ENOENT);
	assert_int_equal(e.kind, ERR_UNSPEC);
	assert_string_equal(e.text, "a: 7");
	assert_string_equal(e.hint, "");

	assert_int_equal(err_fail(&e, ERR_IMAGE, -EBADMSG, "b"), -EBADMSG);
	assert_int_equal(e.code, -EBADMSG);
	assert_int_equal(e.kind, ERR_IMAGE);
	assert_string_equal(e.text, "b");
}

static void only_what_the_system_said_is_shown(void **state)
{
	char reason[ERR_REASON_MAX], story[ERR_STORY_MAX];
	struct err e = { 0 };
	int r = -ENOSPC;

	(void)state;
	assert_string_equal(err_reason(&e, reason), "");

	/* A constant of our own choice. */
	err_fail(&e, ERR_IMAGE, -EBADMSG, "checksum is wrong");
	assert_string_equal(err_reason(&e, reason), "");
	err_set(&e, -EPROTO, "not JSON");
	assert_string_equal(err_reason(&e, reason), "");

	err_fail(&e, ERR_OUTPUT, r, "file");
	assert_string_equal(err_reason(&e, reason), ": No space left on device (ENOSPC)");
	assert_string_equal(err_story(&e, story), "file: No space left on device (ENOSPC)");
	err_hint(&e, -ENOSPC, "make room");
	assert_string_equal(err_story(&e, story),
			    "file: No space left on device (ENOSPC); make room");
	err_note(&e, -ENOSPC, "it runs");
	assert_string_equal(err_story(&e, story),
			    "file: No space left on device (ENOSPC); it runs; make room");
	err_prefix(&e, r, "outer");
	assert_string_equal(err_reason(&e, reason), ": No space left on device (ENOSPC)");
	errno = EACCES;
	err_set(&e, -errno, "file");
	assert_string_equal(err_reason(&e, reason), ": Permission denied (EACCES)");
	err_set(&e, -ENOMEM, "buffer");
	assert_string_equal(err_reason(&e, reason), ": Cannot allocate memory (ENOMEM)");

	/* Nothing of an earlier failure is left. */
	err_set(&e, -EPROTO, "not JSON");
	assert_string_equal(err_reason(&e, reason), "");
}

static void a_prefix_adds_words_and_keeps_the_rest(void **state)
{
	struct err e = { 0 };
	int r;

	(void)state;
	r = err_fail(&e, ERR_DEVICE, -EIO, "inner");
	err_note(&e, r, "it is %s", "lost");
	err_hint(&e, r, "try %s", "this");
	assert_int_equal(err_prefix(&e, r, "outer %u", 1u), -EIO);
	assert_int_equal(err_prefix(&e, r, "outermost"), -EIO);
	assert_string_equal(e.text, "outermost: outer 1: inner");
	assert_int_equal(e.code, -EIO);
	assert_int_equal(e.kind, ERR_DEVICE);
	assert_string_equal(e.note, "it is lost");
	assert_string_equal(e.hint, "try this");
}

static void a_new_failure_forgets_the_old_one(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_hint(&e, err_fail(&e, ERR_DEVICE, -EIO, "a long story"), "help");
	err_note(&e, e.code, "gone");
	err_set(&e, -EPERM, "b");
	assert_int_equal(e.kind, ERR_UNSPEC);
	assert_string_equal(e.text, "b");
	assert_string_equal(e.note, "");
	assert_string_equal(e.hint, "");
}

static void a_kind_is_given_once(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, -EIO, "x");
	assert_int_equal(err_classify(&e, ERR_IMAGE, -EIO), -EIO);
	assert_int_equal(e.kind, ERR_IMAGE);
	assert_int_equal(err_classify(&e, ERR_DEVICE, -EIO), -EIO);
	assert_int_equal(e.kind, ERR_IMAGE);
}

static void nowhere_to_record_is_fine(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_fail(NULL, ERR_BUG, -EIO, "x"), -EIO);
	assert_int_equal(err_prefix(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_classify(NULL, ERR_BUG, -EIO), -EIO);
	assert_int_equal(err_hint(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_note(NULL, -EIO, "x"), -EIO);
}

static void what_does_not_fit_is_cut_off(void **state)
{
	char much[2 * sizeof(((struct err *)0)->text)];
	struct err e = { 0 };

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';

	err_set(&e, -EIO, "%s", much);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_prefix(&e, -EIO, "why");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "why: xxx", 8);

	err_set(&e, -EIO, "inner");
	err_prefix(&e, -EIO, "%s", much);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(e.text[0], 'x');
	for (size_t len = sizeof(e.text) - 10; len < sizeof(e.text) + 2; len++) {
		err_set(&e, -EIO, "inner");
		err_prefix(&e, -EIO, "%.*s", (int)len, much);
		assert_int_equal(strlen(e.text), MIN(len + strlen(": inner"), sizeof(e.text) - 1));
	}

	err_note(&e, -EIO, "%s", much);
	assert_int_equal(strlen(e.note), sizeof(e.note) - 1);
	err_hint(&e, -EIO, "%s", much);
	assert_int_equal(strlen(e.hint), sizeof(e.hint) - 1);
}

/* The numbers are a promise to scripts: written out here once more, on purpose. */
static void exit_statuses_keep_their_numbers(void **state)
{
	static const struct {
		enum err_kind kind;
		int status;
	} rows[] = {
		/* clang-format off */
		{ ERR_NONCONFORMING,  1 },
		{ ERR_USAGE,         64 },
		{ ERR_IMAGE,         65 },
		{ ERR_MISSING,       66 },
		{ ERR_UNSUPPORTED,   69 },
		{ ERR_BUG,           70 },
		{ ERR_SYSTEM,        71 },
		{ ERR_OUTPUT,        73 },
		{ ERR_IO,            74 },
		{ ERR_ABORTED,       75 },
		{ ERR_PERMISSION,    77 },
		{ ERR_DEVICE,        81 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };

		err_fail(&e, rows[i].kind, -ENOENT, "x");
		assert_int_equal(err_status(&e), rows[i].status);
	}
}

static void an_errno_alone_suggests_a_status(void **state)
{
	static const struct {
		int code, status;
	} rows[] = {
		/* clang-format off */
		{ -ENOENT,     66 },
		{ -ENODEV,     66 },
		{ -ENXIO,      66 },
		{ -EACCES,     77 },
		{ -EPERM,      77 },
		{ -ENOTTY,     69 },
		{ -EOPNOTSUPP, 69 },
		{ -EIO,        74 },
		{ -ENOSPC,     74 },
		{ -EDQUOT,     74 },
		{ -EFBIG,      74 },
		{ -EPIPE,      74 },
		{ -ENOMEM,     71 },
		{ -EMFILE,     71 },
		{ -EBUSY,      71 },
		{ -EINVAL,     71 },
		{ -4000,       71 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };

		err_set(&e, rows[i].code, "x");
		if (err_status(&e) != rows[i].status)
			fail_msg("%s: %d, not %d", err_name(rows[i].code), err_status(&e),
				 rows[i].status);
	}
}

static void an_errno_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(err_name(-EINVAL), "EINVAL");
	assert_string_equal(err_name(-ENOMSG), "ENOMSG");
	assert_string_equal(err_name(-4000), "unknown errno");
}

/* units */

static void bytes_are_written_with_three_digits(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ 0,                        "0 B" },
		{ 1,                        "1 B" },
		{ 1023,                     "1023 B" },
		{ 1024,                     "1.00 KiB" },
		{ 1536,                     "1.50 KiB" },
		{ 10234,                    "9.99 KiB" },
		{ 10235,                    "10.0 KiB" },
		{ 102348,                   "99.9 KiB" },
		{ 102349,                   "100 KiB" },
		{ 1048063,                  "1023 KiB" },
		{ 1048064,                  "1.00 MiB" }, /* 1023.5 KiB */
		{ 1048166,                  "1.00 MiB" }, /* 1023.6 KiB */
		{ UINT64_C(1) << 20,        "1.00 MiB" },
		{ UINT64_C(1073217535),     "1023 MiB" },
		{ UINT64_C(1073217536),     "1.00 GiB" },
		{ UINT64_C(1) << 30,        "1.00 GiB" },
		{ UINT64_C(1) << 40,        "1.00 TiB" },
		{ UINT64_C(1) << 50,        "1.00 PiB" },
		{ UINT64_C(3) << 59,        "1.50 EiB" },
		{ UINT64_MAX,               "16.0 EiB" },
		/* clang-format on */
	};
	char buf[UNITS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(format_bytes(buf, rows[i].bytes), rows[i].text);
}

static void durations_are_written_with_three_digits(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ 0,                       "0 ns" },
		{ 742,                     "742 ns" },
		{ 999,                     "999 ns" },
		{ 1000,                    "1.00 us" },
		{ 13800,                   "13.8 us" },
		{ 999499,                  "999 us" },
		{ 999500,                  "1.00 ms" },
		{ 1000000,                 "1.00 ms" },
		{ 99949999,                "99.9 ms" },
		{ 99950000,                "100 ms" },
		{ 999499999,               "999 ms" },
		{ 999500000,               "1.00 s" },
		{ 1200000000,              "1.20 s" },
		{ UINT64_C(60000000000),   "60.0 s" },
		{ UINT64_C(3600000000000), "3600 s" },
		{ UINT64_MAX,              "18446744074 s" },
		/* clang-format on */
	};
	char buf[UNITS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(format_duration(buf, rows[i].ns), rows[i].text);
}

static void rates_are_bytes_a_second(void **state)
{
	static const struct {
		uint64_t bytes, ns;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ 1000,             0,                "-" },
		{ 0,                NSEC_PER_SEC,     "0 B/s" },
		{ 512 << 20,        NSEC_PER_SEC,     "512 MiB/s" },
		{ 512 << 20,        NSEC_PER_SEC / 2, "1.00 GiB/s" },
		{ 1023,             NSEC_PER_SEC,     "1023 B/s" },
		{ 1,                UINT64_MAX,       "0 B/s" },
		{ UINT64_C(1) << 60, NSEC_PER_SEC,    "1.00 EiB/s" },
		/* clang-format on */
	};
	char buf[UNITS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(format_rate(buf, rows[i].bytes, rows[i].ns), rows[i].text);
}

static void only_the_whole_of_a_string_is_a_number(void **state)
{
	static const struct {
		const char *text;
		int base;
		uint64_t max;
		int result;
		uint64_t value;
	} rows[] = {
		/* clang-format off */
		{ "0",                     10, UINT64_MAX, 0,       0 },
		{ "007",                   10, UINT64_MAX, 0,       7 },
		{ "18446744073709551615",  10, UINT64_MAX, 0,       UINT64_MAX },
		{ "18446744073709551616",  10, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999x", 10, UINT64_MAX, -EINVAL, 0 },
		{ "255",                   10, 255,        0,       255 },
		{ "256",                   10, 255,        -ERANGE, 0 },
		{ "1",                     10, 0,          -ERANGE, 0 },
		{ "ff",                    16, UINT64_MAX, 0,       255 },
		{ "FF",                    16, UINT64_MAX, 0,       255 },
		{ "0x1f",                  16, UINT64_MAX, 0,       31 },
		{ "0x1f",                  0,  UINT64_MAX, 0,       31 },
		{ "0x",                    16, UINT64_MAX, -EINVAL, 0 },
		{ "0x1f",                  10, UINT64_MAX, -EINVAL, 0 },
		{ "ff",                    10, UINT64_MAX, -EINVAL, 0 },
		{ "",                      10, UINT64_MAX, -EINVAL, 0 },
		{ " 1",                    10, UINT64_MAX, -EINVAL, 0 },
		{ "\t1",                   10, UINT64_MAX, -EINVAL, 0 },
		{ "1 ",                    10, UINT64_MAX, -EINVAL, 0 },
		{ "+1",                    10, UINT64_MAX, -EINVAL, 0 },
		{ "-1",                    10, UINT64_MAX, -EINVAL, 0 },
		{ "-0",                    10, UINT64_MAX, -EINVAL, 0 },
		{ "1.5",                   10, UINT64_MAX, -EINVAL, 0 },
		{ "1e3",                   10, UINT64_MAX, -EINVAL, 0 },
		{ "\xb2",                  10, UINT64_MAX, -EINVAL, 0 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 4711;
		int r = parse_uint(rows[i].text, rows[i].base, rows[i].max, &value);

		if (r != rows[i].result || value != (r < 0 ? 4711 : rows[i].value))
			fail_msg("\"%s\": %d, %llu", rows[i].text, r, (unsigned long long)value);
	}
}

static void a_number_is_read_from_where_more_follows(void **state)
{
	static const struct {
		const char *text;
		int base;
		uint64_t max;
		const char *rest; /* NULL: there is no number */
		uint64_t value;
	} rows[] = {
		/* clang-format off */
		{ "6.12.38+deb13",         10, UINT64_MAX, ".12.38+deb13", 6 },
		{ "\t 1000\t1001",         10, UINT32_MAX, "\t1001",       1000 },
		{ "0x00fe0000 0x00fe3fff", 16, UINT64_MAX, " 0x00fe3fff",  0xfe0000 },
		{ "18446744073709551615",  10, UINT64_MAX, "",             UINT64_MAX },
		{ "18446744073709551616",  10, UINT64_MAX, NULL,           0 },
		{ "4294967296",            10, UINT32_MAX, NULL,           0 },
		{ "-1",                    10, UINT64_MAX, NULL,           0 },
		{ " +1",                   10, UINT64_MAX, NULL,           0 },
		{ "f",                     10, UINT64_MAX, NULL,           0 },
		{ "",                      10, UINT64_MAX, NULL,           0 },
		{ " \n",                   10, UINT64_MAX, NULL,           0 },
		{ NULL,                    10, UINT64_MAX, NULL,           0 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 4711;
		const char *rest = scan_uint(rows[i].text, rows[i].base, rows[i].max, &value);

		if (!rest != !rows[i].rest || (rest && strcmp(rest, rows[i].rest) != 0) ||
		    value != (rest ? rows[i].value : 4711))
			fail_msg("row %zu: %s, %llu", i, rest ? rest : "none",
				 (unsigned long long)value);
	}
}

/* uuid */

static void a_uuid_is_its_bytes_in_the_order_of_its_text(void **state)
{
	static const uint8_t want[UUID_SIZE] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
						 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
	uint8_t got[UUID_SIZE] = { 0 };

	(void)state;
	assert_true(uuid_parse("01234567-89ab-cdef-fedc-ba9876543210", got));
	assert_memory_equal(got, want, sizeof(want));
	memset(got, 0, sizeof(got));
	assert_true(uuid_parse("01234567-89AB-CDEF-FEDC-BA9876543210", got));
	assert_memory_equal(got, want, sizeof(want));
	assert_true(uuid_parse("01234567-89ab-cdef-fedc-ba9876543210", NULL));
}

static void what_is_no_uuid_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"-",
		"01234567",
		"01234567-89ab-cdef-fedc-ba987654321",
		"01234567-89ab-cdef-fedc-ba98765432100",
		"01234567-89ab-cdef-fedc-ba9876543210 ",
		"01234567_89ab-cdef-fedc-ba9876543210",
		"0123456789ab-cdef-fedc-ba9876543210--",
		"g1234567-89ab-cdef-fedc-ba9876543210",
		"01234567-89ab-cdef-fedc-ba987654321\xe9",
		"{01234567-89ab-cdef-fedc-ba9876543210}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (uuid_parse(rows[i], NULL))
			fail_msg("\"%s\"", rows[i]);
}

static void sizes_have_the_units_of_dd(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		int result;
	} rows[] = {
		/* clang-format off */
		{ "0",           0,          0,                     0 },
		{ "4096",        UINT64_MAX, 4096,                  0 },
		{ "64K",         UINT64_MAX, 65536,                 0 },
		{ "64k",         65536,      65536,                 0 },
		{ "1KiB",        UINT64_MAX, 1024,                  0 },
		{ "1kib",        UINT64_MAX, 1024,                  0 },
		{ "1KB",         UINT64_MAX, 1000,                  0 },
		{ "1kB",         UINT64_MAX, 1000,                  0 },
		{ "1M",          UINT64_MAX, 1 << 20,               0 },
		{ "1MiB",        UINT64_MAX, 1 << 20,               0 },
		{ "1MB",         UINT64_MAX, 1000000,               0 },
		{ "3GB",         UINT64_MAX, UINT64_C(3000000000),  0 },
		{ "3GiB",        UINT64_MAX, UINT64_C(3) << 30,     0 },
		{ "2g",          UINT64_MAX, UINT64_C(2) << 30,     0 },
		{ "1TB",         UINT64_MAX, UINT64_C(1000000000000), 0 },
		{ "1P",          UINT64_MAX, UINT64_C(1) << 50,     0 },
		{ "15E",         UINT64_MAX, UINT64_C(15) << 60,    0 },
		{ "16E",         UINT64_MAX, 0,                     -ERANGE },
		{ "18EB",        UINT64_MAX, UINT64_C(18000000000000000000), 0 },
		{ "19EB",        UINT64_MAX, 0,                     -ERANGE },
		{ "16777215t",   UINT64_MAX, UINT64_C(16777215) << 40, 0 },
		{ "16777216T",   UINT64_MAX, 0,                     -ERANGE },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX,   0 },
		{ "18446744073709551616", UINT64_MAX, 0,            -ERANGE },
		{ "99999999999999999999E", UINT64_MAX, 0,           -ERANGE },
		{ "65K",         65536,      0,                     -ERANGE },
		{ "4097",        4096,       0,                     -ERANGE },
		{ "1.5K",        UINT64_MAX, 1536,                  0 },
		{ "0.5MB",       UINT64_MAX, 500000,                0 },
		{ "0.3K",        UINT64_MAX, 308,                   0 }, /* 307.2 */
		{ "0.000000001K", UINT64_MAX, 1,                    0 },
		{ "0.000000001E", UINT64_MAX, 1152921505,           0 },
		{ "64.000000001K", 65536,    0,                     -ERANGE },
		{ "1.0",         UINT64_MAX, 0,                     -EINVAL },
		{ "1.K",         UINT64_MAX, 0,                     -EINVAL },
		{ ".5K",         UINT64_MAX, 0,                     -EINVAL },
		{ "1.0000000001K", UINT64_MAX, 0,                   -EINVAL },
		{ "1,5K",        UINT64_MAX, 0,                     -EINVAL },
		{ "",            UINT64_MAX, 0,                     -EINVAL },
		{ "-1",          UINT64_MAX, 0,                     -EINVAL },
		{ "+1",          UINT64_MAX, 0,                     -EINVAL },
		{ " 1",          UINT64_MAX, 0,                     -EINVAL },
		{ "1 K",         UINT64_MAX, 0,                     -EINVAL },
		{ "0x10",        UINT64_MAX, 0,                     -EINVAL },
		{ "1B",          UINT64_MAX, 0,                     -EINVAL },
		{ "1Kx",         UINT64_MAX, 0,                     -EINVAL },
		{ "1KBs",        UINT64_MAX, 0,                     -EINVAL },
		{ "1Z",          UINT64_MAX, 0,                     -EINVAL },
		{ "99999999999999999999x", UINT64_MAX, 0,           -EINVAL },
		{ "K",           UINT64_MAX, 0,                     -EINVAL },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 0;

		if (parse_bytes(rows[i].text, rows[i].max, &value) != rows[i].result ||
		    value != rows[i].value)
			fail_msg("\"%s\" is %llu", rows[i].text, (unsigned long long)value);
	}
}

static void times_have_units_and_decimals(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, ns;
		int result;
	} rows[] = {
		/* clang-format off */
		{ "0",           0,          0,                          0 },
		{ "0ms",         0,          0,                          0 },
		{ "10",          UINT64_MAX, 10 * NSEC_PER_SEC,          0 },
		{ "10s",         UINT64_MAX, 10 * NSEC_PER_SEC,          0 },
		{ "0.5",         UINT64_MAX, 500 * NSEC_PER_MSEC,        0 },
		{ "0.5s",        UINT64_MAX, 500 * NSEC_PER_MSEC,        0 },
		{ "500ms",       UINT64_MAX, 500 * NSEC_PER_MSEC,        0 },
		{ "1.25ms",      UINT64_MAX, 1250000,                    0 },
		{ "100us",       UINT64_MAX, 100000,                     0 },
		{ "2m",          UINT64_MAX, 120 * NSEC_PER_SEC,         0 },
		{ "1.5h",        UINT64_MAX, 5400 * NSEC_PER_SEC,        0 },
		{ "0.000000001", UINT64_MAX, 1,                          0 },
		{ "0.0000001ms", UINT64_MAX, 1,                          0 }, /* 0.1 ns */
		{ "18446744073s", UINT64_MAX, UINT64_C(18446744073) * NSEC_PER_SEC, 0 },
		{ "18446744073.709551615", UINT64_MAX, UINT64_MAX,       0 },
		{ "18446744074s", UINT64_MAX, 0,                         -ERANGE },
		{ "99999999999999999999h", UINT64_MAX, 0,                -ERANGE },
		{ "61",          60 * NSEC_PER_SEC, 0,                   -ERANGE },
		{ "60.000000001", 60 * NSEC_PER_SEC, 0,                  -ERANGE },
		{ "0.0000000001", UINT64_MAX, 0,                         -EINVAL },
		{ "",            UINT64_MAX, 0,                          -EINVAL },
		{ "s",           UINT64_MAX, 0,                          -EINVAL },
		{ ".5",          UINT64_MAX, 0,                          -EINVAL },
		{ "5.",          UINT64_MAX, 0,                          -EINVAL },
		{ "-1",          UINT64_MAX, 0,                          -EINVAL },
		{ "1 s",         UINT64_MAX, 0,                          -EINVAL },
		{ "1S",          UINT64_MAX, 0,                          -EINVAL },
		{ "5min",        UINT64_MAX, 0,                          -EINVAL },
		{ "1e3",         UINT64_MAX, 0,                          -EINVAL },
		{ "inf",         UINT64_MAX, 0,                          -EINVAL },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ns = 0;

		if (parse_duration(rows[i].text, rows[i].max, &ns) != rows[i].result ||
		    ns != rows[i].ns)
			fail_msg("\"%s\" is %llu", rows[i].text, (unsigned long long)ns);
	}
}

/* cancel */

struct canceller {
	struct cancel c;
	int pipe[2];
};

static int cancel_setup(void **state)
{
	struct canceller *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	assert_int_equal(cancel_init(&k->c, NULL), 0);
	assert_int_equal(pipe2(k->pipe, O_CLOEXEC), 0);
	*state = k;
	return 0;
}

static int cancel_teardown(void **state)
{
	struct canceller *k = *state;

	cancel_done(&k->c);
	cancel_done(&k->c);
	fd_closep(&k->pipe[0]);
	fd_closep(&k->pipe[1]);
	free(k);
	return 0;
}

static void nothing_is_cancelled_until_somebody_asks(void **state)
{
	struct canceller *k = *state;
	struct err e = { 0 };

	assert_int_equal(cancel_check(&k->c, &e), 0);
	assert_int_equal(cancel_pause(&k->c, 1, &e), 0);
	assert_int_equal(e.code, 0);
	assert_true(cancel_request(&k->c));
	assert_true(cancel_request(&k->c));
	assert_int_equal(cancel_check(&k->c, &e), -ECANCELED);
	assert_int_equal(err_status(&e), 75);
}

static void what_the_work_has_stopped_it_resumes(void **state)
{
	struct canceller *k = *state;
	struct pollfd p = { .fd = k->c.fd, .events = POLLIN };

	cancel_stop(&k->c);
	assert_int_equal(cancel_check(&k->c, NULL), -ECANCELED);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_true(cancel_resume(&k->c));
	assert_int_equal(cancel_check(&k->c, NULL), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	/* It may have stopped nothing. */
	assert_true(cancel_resume(&k->c));

	/* What others ask for stays, in any order. */
	cancel_stop(&k->c);
	assert_true(cancel_request(&k->c));
	cancel_stop(&k->c);
	assert_false(cancel_resume(&k->c));
	assert_int_equal(cancel_check(&k->c, NULL), -ECANCELED);
	assert_int_equal(poll(&p, 1, 0), 1);
}

static void a_deadline_is_not_resumed(void **state)
{
	struct canceller *k = *state;

	cancel_set_deadline(&k->c, 1);
	assert_int_equal(cancel_check(&k->c, NULL), -ETIME);
	assert_false(cancel_resume(&k->c));
	assert_int_equal(cancel_check(&k->c, NULL), -ETIME);
}

static void a_request_is_seen_in_every_poll(void **state)
{
	struct canceller *k = *state;
	struct pollfd p = { .fd = k->c.fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 0);
	assert_true(cancel_request(&k->c));
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(cancel_poll(&k->c, k->pipe[0], POLLIN, NULL), -ECANCELED);
	assert_int_equal(cancel_poll(&k->c, k->pipe[1], POLLOUT, NULL), -ECANCELED);
	assert_int_equal(cancel_pause(&k->c, 60 * 60 * 1000, NULL), -ECANCELED);
}

/* Reads from its canceller's pipe, in which there is nothing. */
static void *block(void *arg)
{
	static int result;
	struct canceller *k = arg;
	char c;

	cancel_interruptible_begin(&k->c, "reading");
	result = read(k->pipe[0], &c, 1) < 0 ? -errno : 0;
	cancel_interruptible_end(&k->c);
	return &result;
}

static void a_blocked_call_is_kicked_once_it_is_requested(void **state)
{
	struct canceller *k = *state;
	pthread_t thread;
	void *result;

	cancel_kick(&k->c); /* no call to interrupt */
	assert_int_equal(pthread_create(&thread, NULL, block, k), 0);
	cancel_kick(&k->c); /* not requested yet */
	assert_true(cancel_request(&k->c));
	/* One may come before the read, and is lost. */
	while (pthread_tryjoin_np(thread, &result))
		cancel_kick(&k->c);
	assert_int_equal(*(int *)result, -EINTR);
}

static void a_call_that_takes_too_long_is_kicked_unasked(void **state)
{
	struct canceller *k = *state;
	struct err err = { 0 };
	pthread_t thread;
	void *result;

	k->c.call_timeout_ms = 1000;
	assert_int_equal(pthread_create(&thread, NULL, block, k), 0);
	while (pthread_tryjoin_np(thread, &result)) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		cancel_kick(&k->c);
	}
	assert_int_equal(*(int *)result, -EINTR);
	assert_int_equal(cancel_check(&k->c, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "the driver has stalled for 1 s");
	assert_int_equal(err_status(&err), 75);
	assert_int_equal(cancel_pause(&k->c, 60 * 60 * 1000, NULL), -ETIMEDOUT);
}

static void what_is_past_the_point_of_no_return_is_not_kicked(void **state)
{
	struct canceller *k = *state;
	pthread_t thread;
	void *result;

	cancel_close(&k->c);
	assert_int_equal(pthread_create(&thread, NULL, block, k), 0);
	assert_false(cancel_request(&k->c));
	for (int i = 0; i < 1000; i++)
		cancel_kick(&k->c);
	assert_int_equal(write(k->pipe[1], "x", 1), 1);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal(*(int *)result, 0);
}

static void a_second_request_ends_the_waits_past_the_point_of_no_return(void **state)
{
	struct canceller *k = *state;
	struct pollfd p = { .fd = k->pipe[0], .events = POLLIN };

	cancel_close(&k->c);
	assert_false(cancel_request(&k->c));
	assert_int_equal(cancel_wait(&k->c, &p, 1, 1, NULL), 0);
	assert_int_equal(cancel_pause(&k->c, 1, NULL), 0);
	assert_true(cancel_rest(&k->c, 1));
	cancel_hurry(&k->c);
	assert_int_equal(cancel_check(&k->c, NULL), 0);
	assert_int_equal(cancel_wait(&k->c, &p, 1, -1, NULL), -ECANCELED);
	assert_int_equal(cancel_poll(&k->c, k->pipe[0], POLLIN, NULL), -ECANCELED);
	assert_int_equal(cancel_pause(&k->c, 60 * 60 * 1000, NULL), -ECANCELED);
	assert_false(cancel_rest(&k->c, 60 * 60 * 1000));
}

static void a_call_under_way_can_be_named(void **state)
{
	struct canceller *k = *state;
	struct cancel_waiting w;

	assert_int_equal(cancel_waiting(&k->c).call, CANCEL_CALL_NONE);
	cancel_call_begin(NULL, "nothing");
	cancel_call_begin(&k->c, "%s -> %s", "stop", "stop-copy");
	w = cancel_waiting(&k->c);
	assert_int_equal(w.call, CANCEL_CALL_FIXED);
	assert_string_equal(w.what, "stop -> stop-copy");
	assert_true(w.since_ns && w.since_ns <= clock_ns());
	/* No kick could end it. */
	assert_true(cancel_request(&k->c));
	cancel_kick(&k->c);
	cancel_call_end(&k->c);
	assert_int_equal(cancel_waiting(&k->c).call, CANCEL_CALL_NONE);
}

static bool kicks_are_blocked(void)
{
	sigset_t now;

	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
	return sigismember(&now, CANCEL_SIGNAL);
}

/* A thread with all signals blocked, as those that touch devices are. */
static void *make_calls(void *arg)
{
	struct cancel *c = arg;
	struct cancel_waiting w;
	sigset_t all;

	sigfillset(&all);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
	for (int i = 0; i < 2; i++) {
		cancel_interruptible_begin(c, "reading");
		assert_false(kicks_are_blocked());
		w = cancel_waiting(c);
		assert_true(w.since_ns && w.since_ns <= clock_ns());
		assert_true(cancel_waiting(c).since_ns == w.since_ns);
		cancel_interruptible_end(c);
	}
	for (int i = 0; i < 2; i++) {
		cancel_interruptible_begin(c, "reading");
		assert_false(kicks_are_blocked());
		cancel_request(c);
		cancel_kick(c);
		cancel_interruptible_end(c);
		/* What is done after a request is not interrupted by it. */
		assert_true(kicks_are_blocked());
	}
	return NULL;
}

static void kicks_are_blocked_behind_the_last_call_that_has_them(void **state)
{
	struct canceller *k = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, make_calls, &k->c), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* A device of a set: a thread that reads from a pipe of its own, in which there is nothing. */
struct set_device {
	struct cancel *cancel;
	const char *who;
	bool fixed; /* no kick may end it */
	int pipe[2];
	pthread_t thread;
	int result;
};

static void *set_device_block(void *arg)
{
	struct set_device *d = arg;
	char c;

	cancel_name_thread(d->who);
	if (d->fixed)
		cancel_call_begin(d->cancel, "%s", "an arc");
	else
		cancel_interruptible_begin(d->cancel, "reading");
	d->result = read(d->pipe[0], &c, 1) < 0 ? -errno : 0;
	if (d->fixed)
		cancel_call_end(d->cancel);
	else
		cancel_interruptible_end(d->cancel);
	return NULL;
}

/* One after the other, so that the order in which they began is known. */
static void set_start(struct cancel *c, struct set_device *devices, unsigned int n)
{
	int r;

	for (unsigned int i = 0; i < n; i++) {
		devices[i].cancel = c;
		assert_int_equal(pipe2(devices[i].pipe, O_CLOEXEC), 0);
		r = pthread_create(&devices[i].thread, NULL, set_device_block, &devices[i]);
		assert_int_equal(r, 0);
		while (cancel_count_waiting(c) <= i)
			sched_yield();
	}
}

static void set_end(struct set_device *devices, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		close(devices[i].pipe[0]);
		close(devices[i].pipe[1]);
	}
}

static void all_devices_of_a_set_are_kicked(void **state)
{
	struct canceller *k = *state;
	struct set_device devices[3] = { { .who = "a" }, { .who = "b" }, { .who = "c" } };

	set_start(&k->c, devices, 3);
	assert_int_equal(cancel_count_waiting(&k->c), 3);
	cancel_kick(&k->c); /* not requested yet */
	assert_true(cancel_request(&k->c));
	for (unsigned int i = 0; i < 3; i++)
		while (pthread_tryjoin_np(devices[i].thread, NULL))
			cancel_kick(&k->c);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(devices[i].result, -EINTR);
	assert_int_equal(cancel_count_waiting(&k->c), 0);
	set_end(devices, 3);
}

static void an_arc_is_not_kicked_with_the_reads_of_its_set(void **state)
{
	struct canceller *k = *state;
	struct set_device devices[3] = { { .who = "a" }, { .fixed = true }, { .who = "c" } };

	set_start(&k->c, devices, 3);
	assert_true(cancel_request(&k->c));
	for (unsigned int i = 0; i < 3; i += 2)
		while (pthread_tryjoin_np(devices[i].thread, NULL))
			cancel_kick(&k->c);
	for (int i = 0; i < 1000; i++)
		cancel_kick(&k->c);
	assert_int_equal(cancel_count_waiting(&k->c), 1);
	assert_int_equal(cancel_waiting(&k->c).call, CANCEL_CALL_FIXED);
	assert_int_equal(write(devices[1].pipe[1], "x", 1), 1);
	assert_int_equal(pthread_join(devices[1].thread, NULL), 0);
	assert_int_equal(devices[1].result, 0);
	set_end(devices, 3);
}

/* All are over their time: the one that began first and may be kicked has stalled. */
static void a_device_that_stalls_is_named_to_the_others(void **state)
{
	struct canceller *k = *state;
	struct set_device devices[3] = { { .fixed = true }, { .who = "b" }, { .who = "c" } };
	struct err err = { 0 };
	uint64_t since;

	set_start(&k->c, devices, 3);
	since = cancel_waiting(&k->c).since_ns;
	while (clock_ns() - since < 2 * NSEC_PER_MSEC)
		sched_yield();
	k->c.call_timeout_ms = 1;
	for (unsigned int i = 1; i < 3; i++)
		while (pthread_tryjoin_np(devices[i].thread, NULL))
			cancel_kick(&k->c);
	assert_int_equal(devices[1].result, -EINTR);
	assert_int_equal(devices[2].result, -EINTR);
	/* The arc was there before, but what no kick can end has no timeout. */
	assert_int_equal(cancel_check(&k->c, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "the driver of b has stalled for 0.001 s");
	cancel_name_thread("b");
	assert_int_equal(cancel_check(&k->c, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "the driver has stalled for 0.001 s");
	cancel_name_thread(NULL);
	assert_int_equal(write(devices[0].pipe[1], "x", 1), 1);
	assert_int_equal(pthread_join(devices[0].thread, NULL), 0);
	set_end(devices, 3);
}

static void calls_are_seen_one_after_the_other_the_oldest_first(void **state)
{
	static const char *const want[] = { "a: an arc", "reading", "c: reading" };
	struct canceller *k = *state;
	struct set_device devices[3] = { { .who = "a", .fixed = true }, { 0 }, { .who = "c" } };
	struct cancel_waiting w = { .call = CANCEL_CALL_NONE };
	char text[CANCEL_TEXT_MAX];
	uint64_t since = 0;

	set_start(&k->c, devices, 3);
	assert_string_equal(cancel_waiting(&k->c).who, "a");
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(cancel_next_waiting(&k->c, &w));
		assert_string_equal(cancel_waiting_text(&w, text), want[i]);
		assert_true(w.since_ns >= since);
		since = w.since_ns;
	}
	assert_false(cancel_next_waiting(&k->c, &w));
	assert_string_equal(w.who, "c");
	/* The end of one hides none of the others. */
	w = cancel_waiting(&k->c);
	assert_int_equal(write(devices[0].pipe[1], "x", 1), 1);
	assert_int_equal(pthread_join(devices[0].thread, NULL), 0);
	assert_true(cancel_next_waiting(&k->c, &w));
	assert_string_equal(w.who, "");
	assert_string_equal(w.what, "reading");
	for (unsigned int i = 1; i < 3; i++) {
		assert_int_equal(write(devices[i].pipe[1], "x", 1), 1);
		assert_int_equal(pthread_join(devices[i].thread, NULL), 0);
	}
	assert_int_equal(cancel_waiting(&k->c).call, CANCEL_CALL_NONE);
	set_end(devices, 3);
}

static void a_full_counter_is_a_request_all_the_same(void **state)
{
	const uint64_t most = UINT64_MAX - 1;
	struct canceller *k = *state;

	assert_int_equal(write(k->c.fd, &most, sizeof(most)), sizeof(most));
	assert_true(cancel_request(&k->c));
	assert_int_equal(cancel_check(&k->c, NULL), -ECANCELED);
}

static void what_is_ready_is_not_waited_for(void **state)
{
	struct canceller *k = *state;

	assert_int_equal(cancel_poll(&k->c, k->pipe[1], POLLOUT, NULL), 0);
	assert_int_equal(write(k->pipe[1], "x", 1), 1);
	assert_int_equal(cancel_poll(&k->c, k->pipe[0], POLLIN, NULL), 0);
}

static void a_broken_descriptor_ends_a_wait(void **state)
{
	struct canceller *k = *state;

	close(TAKE_FD(k->pipe[1]));
	assert_int_equal(cancel_poll(&k->c, k->pipe[0], POLLIN, NULL), 0);
	assert_int_equal(cancel_poll(&k->c, 9999, POLLIN, NULL), 0);
}

static void *request(void *arg)
{
	struct canceller *k = arg;

	cancel_request(&k->c);
	return NULL;
}

static void *make_ready(void *arg)
{
	struct canceller *k = arg;

	return write(k->pipe[1], "x", 1) == 1 ? NULL : arg;
}

static void a_wait_is_ended_from_another_thread(void **state)
{
	struct canceller *k = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, request, k), 0);
	assert_int_equal(cancel_poll(&k->c, k->pipe[0], POLLIN, NULL), -ECANCELED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void past_the_point_of_no_return_nothing_is_heard(void **state)
{
	struct canceller *k = *state;
	pthread_t thread;

	assert_true(cancel_request(&k->c));
	cancel_close(&k->c);
	assert_false(cancel_request(&k->c));
	assert_int_equal(cancel_check(&k->c, NULL), 0);
	assert_int_equal(cancel_pause(&k->c, 1, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, make_ready, k), 0);
	assert_int_equal(cancel_poll(&k->c, k->pipe[0], POLLIN, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void several_are_waited_for_at_once(void **state)
{
	struct canceller *k = *state;
	struct pollfd p[] = {
		{ .fd = k->pipe[0], .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
		{ .fd = k->pipe[1], .events = POLLOUT },
	};

	assert_int_equal(cancel_wait(&k->c, p, 3, -1, NULL), 1);
	assert_int_equal(p[0].revents, 0);
	assert_int_equal(p[2].revents, POLLOUT);
	assert_int_equal(write(k->pipe[1], "x", 1), 1);
	assert_int_equal(cancel_wait(&k->c, p, 3, 0, NULL), 2);
	assert_true(cancel_request(&k->c));
	assert_int_equal(cancel_wait(&k->c, p, 3, -1, NULL), -ECANCELED);
}

static void a_wait_ends_when_the_time_has_passed(void **state)
{
	struct canceller *k = *state;
	struct pollfd p = { .fd = k->pipe[0], .events = POLLIN };
	uint64_t start = clock_ns();

	assert_int_equal(cancel_wait(&k->c, &p, 1, 0, NULL), 0);
	assert_int_equal(cancel_wait(&k->c, &p, 1, 20, NULL), 0);
	assert_true(clock_ns() - start >= 20 * NSEC_PER_MSEC);
	assert_int_equal(clock_ms_until(start), 0);
	assert_int_equal(clock_ms_until(UINT64_MAX), INT_MAX);
}

/* io */

static void pipe_of(int p[2], const void *buf, size_t len)
{
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], buf, len), (ssize_t)len);
}

static void a_read_is_short_only_at_the_end(void **state)
{
	_cleanup_fd_ int r = -1;
	char buf[8];
	int p[2];

	(void)state;
	pipe_of(p, "abcdefgh", 8);
	r = p[0];
	assert_int_equal(read_full(p[0], buf, 5), 5);
	assert_memory_equal(buf, "abcde", 5);
	assert_int_equal(read_full(p[0], buf, 0), 0);
	close(p[1]);
	assert_int_equal(read_full(p[0], buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "fgh", 3);
	assert_int_equal(read_full(p[0], buf, sizeof(buf)), 0);
	assert_int_equal(read_full(-1, buf, sizeof(buf)), -EBADF);
}

static void nothing_to_do(int sig)
{
	(void)sig;
}

struct interrupter {
	pthread_t reader;
	int fd;
	bool wrote;
};

static void *interrupt_and_write(void *arg)
{
	struct interrupter *i = arg;

	i->wrote = true;
	for (char c = 'a'; c < 'a' + 8; c++) {
		for (int n = 0; n < 20; n++) {
			pthread_kill(i->reader, SIGUSR1);
			sched_yield();
		}
		i->wrote &= write(i->fd, &c, 1) == 1;
	}
	return NULL;
}

static void signals_and_pieces_do_not_shorten_a_read(void **state)
{
	const struct sigaction interrupts = { .sa_handler = nothing_to_do };
	struct interrupter i = { .reader = pthread_self() };
	struct sigaction before;
	pthread_t thread;
	char buf[8];
	int p[2];

	(void)state;
	pipe_of(p, "", 0);
	i.fd = p[1];
	assert_int_equal(sigaction(SIGUSR1, &interrupts, &before), 0);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_and_write, &i), 0);
	assert_int_equal(read_full(p[0], buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	assert_true(i.wrote);
	assert_memory_equal(buf, "abcdefgh", sizeof(buf));
	close(p[0]);
	close(p[1]);
}

struct drainer {
	int fd;
	size_t want;
	bool good;
};

static void *drain_slowly(void *arg)
{
	struct drainer *d = arg;
	char buf[4093];
	size_t at = 0;
	ssize_t n;

	d->good = true;
	while (at < d->want && (n = read(d->fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			d->good &= buf[i] == (char)(at * 7);
	d->good &= at == d->want;
	return NULL;
}

static void a_write_is_whole_however_small_the_pipe(void **state)
{
	enum {
		LEN = 300000
	};
	_cleanup_free_ char *buf = malloc(LEN);
	struct drainer d = { .want = LEN };
	pthread_t thread;
	int p[2];

	(void)state;
	assert_non_null(buf);
	for (size_t i = 0; i < LEN; i++)
		buf[i] = (char)(i * 7);
	pipe_of(p, "", 0);
	d.fd = p[0];
	assert_int_equal(pthread_create(&thread, NULL, drain_slowly, &d), 0);
	assert_int_equal(write_full(p[1], buf, LEN), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(d.good);
	close(p[0]);
	close(p[1]);
}

static void a_failed_write_says_why(void **state)
{
	_cleanup_fd_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(full >= 0);
	assert_int_equal(write_full(full, "x", 1), -ENOSPC);
	assert_int_equal(write_full(-1, "x", 1), -EBADF);
	assert_int_equal(write_full(-1, "x", 0), 0);
}

/* A file without a name. Return: "/proc/self/fd/N", good until the next call. */
static const char *file_of(int *fd, const char *text, size_t len)
{
	static char path[64];

	fd_closep(fd);
	*fd = memfd_create("text", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(write(*fd, text, len), (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	return path;
}

static void a_text_is_read_without_what_trails(void **state)
{
	static const struct {
		const char *file, *text;
	} rows[] = {
		{ "", "" },
		{ "\n", "" },
		{ "0x15b3\n", "0x15b3" },
		{ "a b \t\r\n", "a b" },
		{ " a\nb\n\n", " a\nb" },
	};
	_cleanup_fd_ int fd = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;

		assert_int_equal(read_text(AT_FDCWD,
					   file_of(&fd, rows[i].file, strlen(rows[i].file)), &text),
				 0);
		assert_string_equal(text, rows[i].text);
	}
}

static void a_text_has_a_largest_size(void **state)
{
	enum {
		LARGEST = 64 << 10
	};
	_cleanup_free_ char *big = malloc(LARGEST + 1);
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int fd = -1;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', LARGEST + 1);
	assert_int_equal(read_text(AT_FDCWD, file_of(&fd, big, LARGEST), &text), 0);
	assert_int_equal(strlen(text), LARGEST);
	text = mfree(text);
	assert_int_equal(read_text(AT_FDCWD, file_of(&fd, big, LARGEST + 1), &text), -EFBIG);
	assert_null(text);
}

static void a_text_that_cannot_be_read_says_why(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(read_text(AT_FDCWD, "/proc/self/no-such-file", &text), -ENOENT);
	assert_int_equal(read_text(AT_FDCWD, "/proc/self", &text), -EISDIR);
	assert_int_equal(read_text(-1, "relative", &text), -EBADF);
	assert_null(text);
}

/* In a process that has only the descriptors of @mask. Return: it is as it has to be. */
static bool takes_the_rest(unsigned int mask)
{
	int fd, good = 0;
	char c = 'x';

	for (fd = 0; fd < 3; fd++)
		if (!(mask & 1u << fd))
			close(fd);
	good += fd_take_standard(NULL) == 0;
	for (fd = 0; fd < 3; fd++) {
		ssize_t n = fd ? write(fd, &c, 0) : read(fd, &c, 0);

		good += (mask & 1u << fd) ? n == 0 : n < 0 && errno == EBADF;
	}
	/* And nothing else was taken. */
	good += fcntl(fd, F_GETFD) < 0 && errno == EBADF;
	return good == 5;
}

static void a_standard_descriptor_is_never_somebody_elses(void **state)
{
	(void)state;
	for (unsigned int mask = 0; mask < 8; mask++) {
		int status = -1;
		pid_t pid = fork();

		if (!pid) {
			dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 0);
			dup2(0, 1);
			dup2(0, 2);
			close_range(3, ~0u, 0);
			_exit(takes_the_rest(mask) ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void an_inherited_descriptor_is_not_passed_on(void **state)
{
	_cleanup_fd_ int fd = memfd_create("fd", 0);

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fd_cloexec(fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_cloexec(-1), -EBADF);
}

static void a_pipe_gets_more_room_and_keeps_what_it_has(void **state)
{
	_cleanup_fd_ int memfd = memfd_create("fd", 0);
	int room, fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pipe_widen(fds[1]);
	assert_int_equal(fcntl(fds[0], F_GETPIPE_SZ), 1 << 20);
	/* Only a privileged process may. */
	room = fcntl(fds[0], F_SETPIPE_SZ, 2 << 20);
	pipe_widen(fds[1]);
	assert_int_equal(fcntl(fds[0], F_GETPIPE_SZ), room < 0 ? 1 << 20 : 2 << 20);
	pipe_widen(memfd);
	pipe_widen(-1);
	close(fds[0]);
	close(fds[1]);
}

/* log */

static void tcp_is_told_from_all_else(void **state)
{
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int tcp6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(socket_is_tcp(tcp));
	assert_true(tcp6 < 0 || socket_is_tcp(tcp6));
	assert_false(socket_is_tcp(udp));
	assert_false(socket_is_tcp(local));
	assert_false(socket_is_tcp(fds[0]));
	assert_false(socket_is_tcp(-1));
	close(tcp);
	close(tcp6);
	close(udp);
	close(local);
	close(fds[0]);
	close(fds[1]);
}

static void only_what_was_asked_for_is_logged(void **state)
{
	static const struct {
		int level;
		const char *text;
	} rows[] = {
		{ LOG_LEVEL_QUIET, "" },
		{ LOG_LEVEL_WARN, "me: warning: 1\n" },
		{ LOG_LEVEL_INFO, "me: warning: 1\nme: 2\n" },
		{ LOG_LEVEL_DEBUG, "me: warning: 1\nme: 2\nme: debug: 3\n" },
		{ LOG_LEVEL_DEBUG + 1, "me: warning: 1\nme: 2\nme: debug: 3\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int before = dup(STDERR_FILENO), fd = memfd_create("log", MFD_CLOEXEC);
		char got[256] = "";

		dup2(fd, STDERR_FILENO);
		log_setup(rows[i].level, "me");
		log_warn("%d", 1);
		log_info("%d", 2);
		log_debug("%d", 3);
		dup2(before, STDERR_FILENO);
		close(before);
		assert_true(pread(fd, got, sizeof(got) - 1, 0) >= 0);
		close(fd);
		assert_string_equal(got, rows[i].text);
	}
}

#define CANCEL_TEST(f) cmocka_unit_test_setup_teardown(f, cancel_setup, cancel_teardown)

/* sockets */

static void sockets_have_paths(void **state)
{
	char dir[] = P_tmpdir "/unix.XXXXXX", path[64], name[200];
	mode_t before = umask(0);
	int listening, again, fd;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(unix_connect(path, NULL, 1000, &fd, NULL), -ENOENT);
	assert_int_equal(unix_listen(path, 0600, &listening, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	umask(before);
	assert_int_equal(unix_connect(path, NULL, 1000, &fd, NULL), 0);
	assert_int_equal(unix_listen(path, 0600, &again, NULL), -EADDRINUSE);
	close(fd);
	close(listening);
	assert_int_equal(unix_connect(path, NULL, 1000, &fd, NULL), -ECONNREFUSED);
	assert_int_equal(unix_listen(path, 0600, &listening, NULL), 0); /* left behind: replaced */
	close(listening);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(unix_listen(path, 0600, &listening, NULL), -EEXIST);
	assert_int_equal(access(path, F_OK), 0); /* no socket: not ours to remove */
	unlink(path);
	rmdir(dir);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(unix_connect(name, NULL, 1000, &fd, NULL), -ENAMETOOLONG);
	assert_int_equal(unix_listen(name, 0600, &fd, NULL), -ENAMETOOLONG);
	assert_int_equal(unix_connect("", NULL, 1000, &fd, NULL), -ENOENT);
}

static void a_listener_with_too_many_at_its_door_is_given_up(void **state)
{
	char dir[] = P_tmpdir "/unix.XXXXXX", path[64];
	int listening, fds[64], n = 0, r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(unix_listen(path, 0600, &listening, NULL), 0);
	while (!(r = unix_connect(path, NULL, 20, &fds[n], NULL)) && n < 63)
		n++;
	assert_int_equal(r, -ETIMEDOUT);
	while (n)
		close(fds[--n]);
	close(listening);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_recorded_and_its_code_handed_on),
		cmocka_unit_test(only_what_the_system_said_is_shown),
		cmocka_unit_test(a_prefix_adds_words_and_keeps_the_rest),
		cmocka_unit_test(a_new_failure_forgets_the_old_one),
		cmocka_unit_test(a_kind_is_given_once),
		cmocka_unit_test(nowhere_to_record_is_fine),
		cmocka_unit_test(what_does_not_fit_is_cut_off),
		cmocka_unit_test(exit_statuses_keep_their_numbers),
		cmocka_unit_test(an_errno_alone_suggests_a_status),
		cmocka_unit_test(an_errno_has_a_name),
		cmocka_unit_test(bytes_are_written_with_three_digits),
		cmocka_unit_test(durations_are_written_with_three_digits),
		cmocka_unit_test(rates_are_bytes_a_second),
		cmocka_unit_test(only_the_whole_of_a_string_is_a_number),
		cmocka_unit_test(a_number_is_read_from_where_more_follows),
		cmocka_unit_test(a_uuid_is_its_bytes_in_the_order_of_its_text),
		cmocka_unit_test(what_is_no_uuid_is_refused),
		cmocka_unit_test(sizes_have_the_units_of_dd),
		cmocka_unit_test(times_have_units_and_decimals),
		CANCEL_TEST(nothing_is_cancelled_until_somebody_asks),
		CANCEL_TEST(a_request_is_seen_in_every_poll),
		CANCEL_TEST(what_the_work_has_stopped_it_resumes),
		CANCEL_TEST(a_deadline_is_not_resumed),
		CANCEL_TEST(a_blocked_call_is_kicked_once_it_is_requested),
		CANCEL_TEST(a_call_that_takes_too_long_is_kicked_unasked),
		CANCEL_TEST(what_is_past_the_point_of_no_return_is_not_kicked),
		CANCEL_TEST(a_second_request_ends_the_waits_past_the_point_of_no_return),
		CANCEL_TEST(a_call_under_way_can_be_named),
		CANCEL_TEST(kicks_are_blocked_behind_the_last_call_that_has_them),
		CANCEL_TEST(all_devices_of_a_set_are_kicked),
		CANCEL_TEST(an_arc_is_not_kicked_with_the_reads_of_its_set),
		CANCEL_TEST(a_device_that_stalls_is_named_to_the_others),
		CANCEL_TEST(calls_are_seen_one_after_the_other_the_oldest_first),
		CANCEL_TEST(a_full_counter_is_a_request_all_the_same),
		CANCEL_TEST(what_is_ready_is_not_waited_for),
		CANCEL_TEST(a_broken_descriptor_ends_a_wait),
		CANCEL_TEST(a_wait_is_ended_from_another_thread),
		CANCEL_TEST(past_the_point_of_no_return_nothing_is_heard),
		CANCEL_TEST(several_are_waited_for_at_once),
		CANCEL_TEST(a_wait_ends_when_the_time_has_passed),
		cmocka_unit_test(a_read_is_short_only_at_the_end),
		cmocka_unit_test(signals_and_pieces_do_not_shorten_a_read),
		cmocka_unit_test(a_write_is_whole_however_small_the_pipe),
		cmocka_unit_test(a_failed_write_says_why),
		cmocka_unit_test(a_text_is_read_without_what_trails),
		cmocka_unit_test(a_text_has_a_largest_size),
		cmocka_unit_test(a_text_that_cannot_be_read_says_why),
		cmocka_unit_test(a_standard_descriptor_is_never_somebody_elses),
		cmocka_unit_test(an_inherited_descriptor_is_not_passed_on),
		cmocka_unit_test(a_pipe_gets_more_room_and_keeps_what_it_has),
		cmocka_unit_test(tcp_is_told_from_all_else),
		cmocka_unit_test(only_what_was_asked_for_is_logged),
		cmocka_unit_test(sockets_have_paths),
		cmocka_unit_test(a_listener_with_too_many_at_its_door_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
