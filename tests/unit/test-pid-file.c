// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/pid-file.h"

static char folder[32], path[64];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/pid-file-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/it.pid", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder); /* fails where anything else was left */
}

static void put(const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static void assert_holds(const char *text)
{
	char *got;

	assert_int_equal(read_text(AT_FDCWD, path, &got), 0);
	assert_string_equal(got, text);
	free(got);
}

static void it_is_there_whole_and_goes_with_its_process(void **state)
{
	struct pid_file p, other;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(pid_file_find(path, &p, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(pid_file_publish(&p, 1234, NULL), 0);
	assert_holds("1234");

	assert_int_equal(pid_file_find(path, &other, &err), -EEXIST);
	assert_int_equal(err_status(&err), ERR_OUTPUT);
	assert_non_null(strstr(err.text, "of process 1234, which lives"));
	pid_file_done(&other);
	assert_holds("1234");

	pid_file_remove(&p);
	assert_int_equal(access(path, F_OK), -1);
	pid_file_done(&p);
}

static void one_that_was_left_over_is_replaced(void **state)
{
	static const char *const left[] = { "1\n", "4194304\n", "77", "" };
	struct pid_file p;

	(void)state;
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
		put(left[i]);
		assert_int_equal(pid_file_find(path, &p, NULL), 0);
		assert_int_equal(pid_file_publish(&p, 99, NULL), 0);
		assert_holds("99");
		pid_file_done(&p);
	}
}

/* Any user may lock a file that it may read, and hold on to it. */
static void another_users_locks_do_not_keep_a_file_that_was_left_over(void **state)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct pid_file p;
	int fd, dir;

	(void)state;
	put("1\n");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	assert_int_equal(flock(dir, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(pid_file_find(path, &p, NULL), 0);
	assert_int_equal(pid_file_publish(&p, 99, NULL), 0);
	assert_holds("99");
	pid_file_done(&p);
	close(fd);
	close(dir);
}

static void what_is_no_pid_file_is_left_alone(void **state)
{
	static const char *const texts[] = {
		"1 2\n", "12\n\n", "x\n", "-1\n", "\n1", " 1\n", "123456789012345678\n"
	};
	struct pid_file p;
	struct err err = { 0 };
	char *got;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		put(texts[i]);
		assert_int_equal(pid_file_find(path, &p, &err), -EEXIST);
		assert_non_null(strstr(err.text, "no pid file"));
		pid_file_done(&p);
	}
	assert_int_equal(read_text(AT_FDCWD, path, &got), 0);
	assert_string_equal(got, "123456789012345678");
	free(got);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(pid_file_find(path, &p, &err), -ELOOP);
	assert_int_equal(err_status(&err), ERR_OUTPUT);
	pid_file_done(&p);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pid_file_find(path, &p, &err), -EEXIST);
	pid_file_done(&p);
}

/* One comes between the look at the place and the publication, empty or with an old file. */
static void the_slower_of_two_is_refused(void **state)
{
	struct pid_file fast, slow;

	(void)state;
	for (int old = 0; old < 2; old++) {
		if (old)
			put("1\n");
		assert_int_equal(pid_file_find(path, &slow, NULL), 0);
		assert_int_equal(pid_file_find(path, &fast, NULL), 0);
		assert_int_equal(pid_file_publish(&fast, 1, NULL), 0);
		assert_int_equal(pid_file_publish(&slow, 2, NULL), -EEXIST);
		assert_holds("1");
		pid_file_remove(&slow);
		pid_file_done(&slow);
		assert_holds("1");
		pid_file_remove(&fast);
		pid_file_done(&fast);
	}
}

/* A child has it, the parent lets go: it stays locked until the child ends, by whatever. */
static void the_lock_is_the_child_s(void **state)
{
	struct pid_file p, other;
	int pipes[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(pid_file_find(path, &p, NULL), 0);
	assert_int_equal(pid_file_publish(&p, 5, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) == 0 ? 0 : 1);
	}
	pid_file_done(&p);
	assert_int_equal(pid_file_find(path, &other, NULL), -EEXIST);
	pid_file_done(&other);
	close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pid_file_find(path, &other, NULL), 0);
	pid_file_done(&other);
	close(pipes[0]);
}

static void another_s_file_is_not_removed(void **state)
{
	struct pid_file p;

	(void)state;
	assert_int_equal(pid_file_find(path, &p, NULL), 0);
	assert_int_equal(pid_file_publish(&p, 5, NULL), 0);
	unlink(path);
	put("6\n");
	pid_file_remove(&p);
	assert_holds("6");
	pid_file_done(&p);
}

static void a_place_that_is_none_is_said(void **state)
{
	static const struct {
		const char *path;
		int r;
	} rows[] = {
		{ "", -EINVAL },
		{ "/tmp/", -EINVAL },
		{ "/no/such/folder/pid", -ENOENT },
		{ "/etc/passwd/pid", -ENOTDIR },
	};
	struct pid_file p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = { 0 };

		assert_int_equal(pid_file_find(rows[i].path, &p, &err), rows[i].r);
		pid_file_done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_there_whole_and_goes_with_its_process, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_was_left_over_is_replaced, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			another_users_locks_do_not_keep_a_file_that_was_left_over, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_pid_file_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(the_slower_of_two_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_lock_is_the_child_s, setup, teardown),
		cmocka_unit_test_setup_teardown(another_s_file_is_not_removed, setup, teardown),
		cmocka_unit_test(a_place_that_is_none_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
