// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd-name.h"
#include "base/listen-fds.h"
#include "base/macros.h"

/* Names joined by ' ' where it is accepted, NULL where it is not. */
static void what_the_variables_say_is_taken_or_refused(void **state)
{
	static const struct {
		const char *pid, *fds, *names, *want;
	} rows[] = {
		/* clang-format off */
		{ NULL,   NULL,   NULL,      "" },
		{ "7",    NULL,   "a",       "" },
		{ NULL,   "1",    "a",       "" },
		{ "8",    "1",    "a",       "" },	/* of another process */
		{ "8",    "rot",  "a",       "" },
		{ "7",    "0",    NULL,      "" },
		{ "7",    "0",    "",        "" },
		{ "7",    "1",    NULL,      "unknown" },
		{ "7",    "2",    NULL,      "unknown unknown" },
		{ "7",    "1",    "",        "" },
		{ "7",    "1",    "a",       "a" },
		{ "7",    "2",    "a:b",     "a b" },
		{ "7",    "3",    "a:a:b c", "a a b c" },
		{ "7",    "2",    ":",       " " },
		{ "7",    "2",    "a",       NULL },
		{ "7",    "1",    "a:b",     NULL },
		{ "7",    "1",    "a:",      NULL },
		{ "7",    "1",    "a\tb",    NULL },
		{ "7",    "1",    "\xc3\xa4", NULL },
		{ "7",    "-1",   "a",       NULL },
		{ "7",    "1x",   "a",       NULL },
		{ "7",    "",     "a",       NULL },
		{ "7",    "1025", NULL,      NULL },
		{ "7",    "99999999999999999999", NULL, NULL },
		{ "rot",  "1",    "a",       NULL },
		{ "0",    "1",    "a",       NULL },
		{ "-7",   "1",    "a",       NULL },
		{ "4294967303", "1", "a",    NULL },	/* 7, in 32 bits */
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct listen_fds_env env = { rows[i].pid, rows[i].fds, rows[i].names };
		char got[64] = "";
		struct listen_fds l;
		struct err err = { 0 };
		int r = listen_fds_parse(&env, 7, &l, &err);

		for (unsigned int n = 0; n < l.n; n++) {
			if (n)
				strcat(got, " ");
			strcat(got, l.names[n]);
		}
		if (!rows[i].want) {
			assert_int_equal(r, -EINVAL);
			assert_int_equal(l.n, 0);
			assert_int_equal(err_status(&err), ERR_CONFIG);
			assert_non_null(strstr(err.text, "LISTEN_"));
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(got, rows[i].want);
		listen_fds_done(&l);
	}
}

static void a_name_of_full_length_is_one_and_a_longer_one_is_none(void **state)
{
	char name[FD_NAME_MAX + 2];
	const struct listen_fds_env env = { "7", "1", name };
	struct listen_fds l;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[FD_NAME_MAX + 1] = '\0';
	assert_int_equal(listen_fds_parse(&env, 7, &l, NULL), -EINVAL);
	name[FD_NAME_MAX] = '\0';
	assert_int_equal(listen_fds_parse(&env, 7, &l, NULL), 0);
	assert_string_equal(l.names[0], name);
	listen_fds_done(&l);
}

static void names_carry_any_text_and_give_it_back(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "vfio0", "vfio0" }, { "0000:3b:00.1", "0000%3a3b%3a00.1" },
		{ "a b", "a b" },     { "100%", "100%25" },
		{ "%3a", "%253a" },   { "\n\xc3\xa4\x7f", "%0a%c3%a4%7f" },
		{ "", "" },
	};
	char buf[FD_NAME_BUF];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(fd_name_escape(rows[i].text, buf), rows[i].name);
		assert_true(fd_name_valid(buf));
		assert_string_equal(fd_name_unescape(rows[i].name, buf), rows[i].text);
	}
	assert_string_equal(fd_name_unescape("5%, %3, %zz, %3A, %00", buf), "5%, %3, %zz, :, %00");
}

static void a_text_that_is_too_long_is_cut_between_escapes(void **state)
{
	char text[FD_NAME_MAX + 9], buf[FD_NAME_BUF];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(strlen(fd_name_escape(text, buf)), FD_NAME_MAX);
	text[FD_NAME_MAX - 2] = ':';
	assert_int_equal(strlen(fd_name_escape(text, buf)), FD_NAME_MAX - 2);
	assert_true(fd_name_valid(buf));
}

/* The table of descriptors is the process's own: one test, in the order of a program. */
static void descriptors_are_found_by_name_and_not_passed_on(void **state)
{
	char pid[16], fds[] = "4";
	const struct listen_fds *l;
	struct err err = { 0 };
	int fd = -1;

	(void)state;
	for (int i = LISTEN_FDS_START; i < LISTEN_FDS_START + 4; i++)
		if (fcntl(i, F_GETFD) < 0 || fcntl(i, F_SETFD, 0) < 0)
			assert_int_equal(dup2(STDIN_FILENO, i), i);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", "device:iommufd:device:in", 1);
	listen_fds_take();
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
	for (int i = LISTEN_FDS_START; i < LISTEN_FDS_START + 4; i++)
		assert_true(fcntl(i, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(listen_fds(&l, NULL), 0);
	assert_int_equal(l->n, 4);

	assert_int_equal(listen_fds_find("in", &fd, NULL), 0);
	assert_int_equal(fd, LISTEN_FDS_START + 3);
	assert_int_equal(listen_fds_find("out", &fd, &err), -ENOENT);
	assert_int_equal(err_status(&err), ERR_MISSING);
	assert_non_null(strstr(err.text, "there are: device, iommufd, device, in"));
	assert_int_equal(listen_fds_find("device", &fd, &err), -EINVAL);
	assert_int_equal(err_status(&err), ERR_USAGE);
	assert_non_null(strstr(err.text, "fd:3, fd:5"));
	assert_int_equal(fd, LISTEN_FDS_START + 3);
}

/* What was taken before stays in the test's process: a child has a table of its own to spoil. */
static void a_mistake_is_told_to_who_asks(void **state)
{
	const struct listen_fds *l;
	char pid[16];
	struct err err = { 0 };
	int fd;

	(void)state;
	close(LISTEN_FDS_START + 1);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	listen_fds_take();
	assert_int_equal(listen_fds(&l, &err), -EBADF);
	assert_non_null(strstr(err.text, "LISTEN_FDS=2: descriptor 4"));
	assert_int_equal(listen_fds_find("in", &fd, &err), -EBADF);
	assert_int_equal(err_status(&err), ERR_CONFIG);
}

/* The inode behind a descriptor; 0 for none. */
static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

/* Numbers that overlap with those they get, in another order; one place is free before. */
static void descriptors_are_given_and_taken_back(void **state)
{
	static const char *const names[] = { "device", "iommufd", "device" };
	struct listen_fds_given given;
	ino_t before[3];
	char pid[16];
	int p[2], fds[3];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	close(LISTEN_FDS_START + 2);
	dup3(p[0], LISTEN_FDS_START, O_CLOEXEC);
	dup2(STDIN_FILENO, LISTEN_FDS_START + 1);
	fds[0] = p[1];
	fds[1] = LISTEN_FDS_START;
	fds[2] = LISTEN_FDS_START + 1;
	for (int i = 0; i < 3; i++)
		before[i] = inode_of(LISTEN_FDS_START + i);
	assert_int_equal(before[2], 0);

	assert_int_equal(listen_fds_give(fds, names, 3, &given, NULL), 0);
	assert_int_equal(inode_of(3), inode_of(p[1]));
	assert_int_equal(inode_of(4), before[0]);
	assert_int_equal(inode_of(5), before[1]);
	for (int fd = 3; fd < 6; fd++)
		assert_int_equal(fcntl(fd, F_GETFD), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_string_equal(getenv("LISTEN_PID"), pid);
	assert_string_equal(getenv("LISTEN_FDS"), "3");
	assert_string_equal(getenv("LISTEN_FDNAMES"), "device:iommufd:device");

	listen_fds_take_back(&given);
	assert_null(getenv("LISTEN_FDS"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(inode_of(LISTEN_FDS_START + i), before[i]);
	assert_int_equal(fcntl(LISTEN_FDS_START, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(LISTEN_FDS_START + 1, F_GETFD), 0);
}

static void what_cannot_be_given_changes_nothing(void **state)
{
	static const char *const names[] = { "device", "iommufd" };
	static const int fds[] = { STDIN_FILENO, 12345 };
	static struct listen_fds_given given;
	ino_t before = inode_of(LISTEN_FDS_START);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(listen_fds_give(fds, names, 2, &given, &err), -EBADF);
	assert_null(getenv("LISTEN_FDS"));
	assert_int_equal(inode_of(LISTEN_FDS_START), before);
	assert_int_equal(listen_fds_give(fds, names, LISTEN_FDS_MAX + 1, &given, &err), -E2BIG);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(listen_fds_give(NULL, NULL, 0, &given, &err), 0);
	assert_null(getenv("LISTEN_FDS"));
	listen_fds_take_back(&given);
	assert_int_equal(inode_of(LISTEN_FDS_START), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_variables_say_is_taken_or_refused),
		cmocka_unit_test(a_name_of_full_length_is_one_and_a_longer_one_is_none),
		cmocka_unit_test(names_carry_any_text_and_give_it_back),
		cmocka_unit_test(a_text_that_is_too_long_is_cut_between_escapes),
		cmocka_unit_test(descriptors_are_found_by_name_and_not_passed_on),
		cmocka_unit_test(a_mistake_is_told_to_who_asks),
		cmocka_unit_test(descriptors_are_given_and_taken_back),
		cmocka_unit_test(what_cannot_be_given_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
