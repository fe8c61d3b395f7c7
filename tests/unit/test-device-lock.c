// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/device-lock.h"

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/device-lock.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/dev0", folder);
	unlink(path);
	chmod(folder, 0700);
	return rmdir(folder);
}

static int take(int *ret, struct err *err)
{
	return device_lock_take_in(folder, "dev0", NULL, ret, err);
}

/*
 * A process that takes the lock. With @heir it leaves it to a child of its own and is killed; the
 * pipe in @ret_end ends that child, or itself. Return: its pid.
 */
static pid_t start_other(bool heir, int *ret_end)
{
	int go[2], done[2], lock;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(go[1]);
		if (take(&lock, NULL) < 0 || lock < 0)
			_exit(1);
		if (heir && fork())
			_exit(0);
		(void)!write(done[1], "x", 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	close(go[0]);
	close(done[1]);
	assert_int_equal(read(done[0], &byte, 1), 1);
	close(done[0]);
	*ret_end = go[1];
	return pid;
}

static void a_lock_of_a_process_that_lives_is_refused_by_its_number(void **state)
{
	struct err err = { 0 };
	char want[32];
	int end, lock;
	pid_t pid = start_other(false, &end);

	(void)state;
	assert_int_equal(take(&lock, &err), -EBUSY);
	assert_int_equal(lock, -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	snprintf(want, sizeof(want), "(pid %d)", (int)pid);
	assert_non_null(strstr(err.text, want));
	close(end);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(take(&lock, NULL), 0);
	assert_true(lock >= 0);
	close(lock);
}

/* The heir ends only once this process waits, or just before: either way it gets the lock. */
static void a_lock_that_a_dead_process_left_is_waited_for(void **state)
{
	int end, lock;
	pid_t pid = start_other(true, &end);

	(void)state;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(end);
	assert_int_equal(take(&lock, NULL), 0);
	assert_true(lock >= 0);
	close(lock);
}

static void a_process_is_not_kept_off_by_itself(void **state)
{
	int first, second;

	(void)state;
	assert_int_equal(take(&first, NULL), 0);
	assert_true(first >= 0);
	assert_int_equal(take(&second, NULL), 0);
	assert_int_equal(second, -1);
	close(first);
}

static void a_folder_that_others_may_write_to_is_not_used(void **state)
{
	int lock;

	(void)state;
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(take(&lock, NULL), 0);
	assert_int_equal(lock, -1);
	assert_int_equal(device_lock_take_in("/proc/none/there", "dev0", NULL, &lock, NULL), 0);
	assert_int_equal(lock, -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lock_of_a_process_that_lives_is_refused_by_its_number),
		TEST(a_lock_that_a_dead_process_left_is_waited_for),
		TEST(a_process_is_not_kept_off_by_itself),
		TEST(a_folder_that_others_may_write_to_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
