// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/macros.h"
#include "engine/spool-writer.h"
#include "engine/spool.h"

#define MIB ((size_t)1 << 20)

/* More than all pieces of the writer's pool, and no whole block. */
#define MOST (11 * MIB + 777)

static uint8_t *bytes;

static int setup(void **state)
{
	(void)state;
	bytes = malloc(MOST);
	for (size_t i = 0; bytes && i < MOST; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	return bytes ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(bytes);
	return 0;
}

static void assert_file(int fd, size_t len)
{
	uint8_t *is = malloc(len + 1);

	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_DIRECT), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(read_full(fd, is, len + 1), len);
	assert_memory_equal(is, bytes, len);
	free(is);
}

static void put(struct spool_writer *w, size_t len, size_t share)
{
	for (size_t done = 0, n; done < len; done += n) {
		n = MIN(share, len - done);
		assert_int_equal(spool_writer_put(w, bytes + done, n), 0);
	}
}

/* On a file system that lets it be written past the page cache, or does not. */
static int a_file(void)
{
	char path[] = "spool-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	unlink(path);
	return fd;
}

static void what_was_put_is_there_whatever_its_size(void **state)
{
	static const size_t sizes[] = {
		0, 1, 4095, 4096, 4097, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 4 * MIB + 4096, MOST,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned int cached = 0; cached < 2; cached++) {
			int fd = cached ? memfd_create("spool", MFD_CLOEXEC) : a_file();
			struct spool_writer *w;

			assert_int_equal(spool_writer_new(fd, NULL, &w, NULL), 0);
			put(w, sizes[i], i % 2 ? MOST : 300000);
			spool_writer_end(w);
			assert_int_equal(spool_writer_wait(w), 0);
			assert_int_equal(spool_writer_failure(w), 0);
			spool_writer_free(w);
			assert_file(fd, sizes[i]);
			close(fd);
		}
	}
}

/* An offset that is no block's: what direct writes refuse goes through the cache. */
static void a_write_that_is_refused_as_direct_is_made_otherwise(void **state)
{
	int fd = a_file();
	struct spool_writer *w;

	(void)state;
	assert_int_equal(spool_writer_new(fd, NULL, &w, NULL), 0);
	put(w, 100, 100);
	assert_int_equal(spool_writer_wait(w), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
	spool_writer_free(w);
	assert_file(fd, 100);
	close(fd);
}

static bool is_stopped(struct cancel *c)
{
	struct err err = { 0 };

	return cancel_check(c, &err) == -ECANCELED && !atomic_load(&c->asked);
}

/* Waits for the first failure, as none but the writer's thread makes it. */
static void await_failure(struct spool_writer *w, int code)
{
	while (!spool_writer_failure(w))
		usleep(1000);
	assert_int_equal(spool_writer_failure(w), code);
}

static void a_disk_that_is_full_stops_the_work_at_once(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct spool_writer *w;
	struct cancel cancel;

	(void)state;
	assert_int_equal(cancel_init(&cancel, NULL), 0);
	assert_int_equal(spool_writer_new(fd, &cancel, &w, NULL), 0);
	assert_int_equal(spool_writer_put(w, bytes, 2 * MIB), 0);
	await_failure(w, -ENOSPC);
	assert_true(is_stopped(&cancel));
	/* A room that no piece leaves is waited for by nothing. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(spool_writer_put(w, bytes, MOST), -ENOSPC);
	assert_int_equal(spool_writer_wait(w), -ENOSPC);
	assert_int_equal(spool_writer_wait(w), -ENOSPC);
	spool_writer_free(w);
	cancel_done(&cancel);
	close(fd);
}

/* All is written, and it is not durable. */
static void a_sync_that_fails_is_told(void **state)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct spool_writer *w;
	struct cancel cancel;

	(void)state;
	assert_int_equal(cancel_init(&cancel, NULL), 0);
	assert_int_equal(spool_writer_new(fd, &cancel, &w, NULL), 0);
	put(w, MOST, MOST);
	assert_int_equal(spool_writer_failure(w), 0);
	assert_int_equal(spool_writer_wait(w), -EINVAL);
	assert_true(is_stopped(&cancel));
	spool_writer_free(w);
	cancel_done(&cancel);
	close(fd);
}

static void what_is_given_up_need_not_be_written(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 8 * MIB; len += 4 * MIB) {
		int fd = a_file();
		struct spool_writer *w;

		assert_int_equal(spool_writer_new(fd, NULL, &w, NULL), 0);
		put(w, len, MIB);
		spool_writer_free(w);
		/* The descriptor is still its owner's. */
		assert_int_equal(close(fd), 0);
	}
}

/* A write that is cut short by a limit, at no block: what was written stays, and it has failed. */
static void a_spool_tells_where_it_could_not_be_written(void **state)
{
	struct rlimit was, limit;
	char dir[] = "/tmp/spool-XXXXXX";
	struct err err = { 0 };
	struct spool *s;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	limit.rlim_cur = 3 * MIB + 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(spool_open(dir, "a", NULL, &s, &err), 0);
	assert_int_equal(spool_failure(s, &err), 0);
	assert_int_equal(spool_write(s, bytes, 3 * MIB, &err), 0);
	assert_int_equal(spool_write(s, bytes, MIB, &err), 0);
	assert_int_equal(spool_sync(s, &err), -EFBIG);
	assert_int_equal(err_status(&err), ERR_IO);
	assert_non_null(strstr(err.text, "spool /tmp/spool-"));
	assert_int_equal(spool_failure(s, NULL), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(stat(spool_path(s), &st), 0);
	assert_true(st.st_size <= (off_t)(3 * MIB + 100));
	spool_remove(s);
	assert_int_equal(stat(spool_path(s), &st), -1);
	spool_free(s);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_there_whatever_its_size),
		cmocka_unit_test(a_write_that_is_refused_as_direct_is_made_otherwise),
		cmocka_unit_test(a_disk_that_is_full_stops_the_work_at_once),
		cmocka_unit_test(a_sync_that_fails_is_told),
		cmocka_unit_test(what_is_given_up_need_not_be_written),
		cmocka_unit_test(a_spool_tells_where_it_could_not_be_written),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
