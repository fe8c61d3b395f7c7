// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/trace-text.h"
#include "base/trace.h"
#include "device/call-fields.h"
#include "uapi/vfio.h"

/*
 * Decoding
 */

/* " name=value name=value -> name=value" of a record's fields, without the rest of its line. */
static const char *text_of(const struct trace_record *r)
{
	static char line[TRACE_LINE_MAX];
	const struct trace_head head = { .format = TRACE_TEXT, .command = "test" };
	char *from, *to;

	trace_text_record(&head, r, line);
	from = strstr(line, " call");
	to = strstr(line, " = 0 <");
	assert_non_null(from);
	assert_non_null(to);
	*to = '\0';
	return from + strlen(" call");
}

static struct trace_record record(void)
{
	return (struct trace_record){ .call = "call", .fd = 3 };
}

union argument {
	struct vfio_device_info info;
	struct vfio_region_info region;
	struct vfio_irq_info irq;
	struct vfio_irq_set set;
	struct vfio_group_status group;
	struct uapi_device_feature feature;
	struct uapi_bind_iommufd bind;
	struct uapi_precopy_info precopy;
	struct {
		uint32_t argsz, flags;
		struct vfu_log_report report;
	} report;
	int fd;
	uint8_t room[64];
};

#define FEATURE(op, index) UAPI_FEATURE_##op | UAPI_FEATURE_##index
#define STATE(op) FEATURE(op, MIG_DEVICE_STATE)

static void an_ioctl_is_told_as_question_and_answer(void **state)
{
	static const struct {
		unsigned long request;
		union argument asked, answered;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ VFIO_DEVICE_GET_INFO, { .info = { .argsz = 20 } },
		  { .info = { .argsz = 20, .flags = 3, .num_regions = 9, .num_irqs = 5 } },
		  " argsz=20 -> flags=0x3 num_regions=9 num_irqs=5" },
		{ VFIO_DEVICE_GET_REGION_INFO, { .region = { .argsz = 32, .index = 7 } },
		  { .region = { .argsz = 64, .index = 7, .size = 4096, .offset = 7ull << 40 } },
		  " argsz=32 index=7 -> argsz=64 flags=0x0 size=4096 offset=0x70000000000" },
		{ VFIO_DEVICE_GET_IRQ_INFO, { .irq = { .index = 3 } },
		  { .irq = { .index = 3, .flags = 1, .count = 2 } },
		  " index=3 -> flags=0x1 count=2" },
		{ VFIO_DEVICE_SET_IRQS, { .set = { .argsz = 24, .flags = 0x24, .count = 1 } },
		  { .set = { .argsz = 24 } },
		  " argsz=24 flags=0x24 index=0 start=0 count=1" },
		{ VFIO_GROUP_GET_STATUS, { .group = { .argsz = 8 } }, { .group = { .flags = 1 } },
		  " -> flags=0x1" },
		{ VFIO_GROUP_SET_CONTAINER, { .fd = 5 }, { .fd = 5 }, " container=5" },
		{ UAPI_DEVICE_BIND_IOMMUFD,
		  { .bind = { .argsz = 24, .flags = 1, .iommufd = 6, .token_uuid_ptr = 0x5ec7e7 } },
		  { .bind = { .out_devid = 1, .token_uuid_ptr = 0x5ec7e7 } },
		  " argsz=24 flags=0x1 iommufd=6 -> out_devid=1" },
		{ UAPI_MIG_GET_PRECOPY_INFO, { .precopy = { .argsz = 24 } },
		  { .precopy = { .initial_bytes = 1, .dirty_bytes = UINT64_MAX } },
		  " argsz=24 -> flags=0x0 initial_bytes=1 dirty_bytes=18446744073709551615" },
		{ UAPI_DEVICE_RESET, { .fd = 0 }, { .fd = 0 }, "" },
		{ UAPI_DEVICE_FEATURE,
		  { .feature = { .argsz = 8, .flags = FEATURE(PROBE, MIGRATION) } },
		  { .feature = { .argsz = 8, .flags = FEATURE(PROBE, MIGRATION) } },
		  " argsz=8 op=PROBE feature=MIGRATION" },
		{ UAPI_DEVICE_FEATURE,
		  { .feature = { 16, FEATURE(GET, MIGRATION), .migration_flags = 99 } },
		  { .feature = { 16, FEATURE(GET, MIGRATION), .migration_flags = 7 } },
		  " argsz=16 op=GET feature=MIGRATION -> flags=0x7" },
		{ UAPI_DEVICE_FEATURE,
		  { .feature = { .argsz = 16, .flags = STATE(SET), .mig = { 3, -1 } } },
		  { .feature = { .argsz = 16, .flags = STATE(SET), .mig = { 3, 9 } } },
		  " argsz=16 op=SET feature=MIG_DEVICE_STATE state=stop-copy -> data_fd=9" },
		{ UAPI_DEVICE_FEATURE,
		  { .feature = { .argsz = 16, .flags = STATE(GET) } },
		  { .feature = { .argsz = 16, .flags = STATE(GET), .mig = { 8, -1 } } },
		  " argsz=16 op=GET feature=MIG_DEVICE_STATE -> state=8 data_fd=-1" },
		{ UAPI_DEVICE_FEATURE,
		  { .feature = { .argsz = 16, .flags = FEATURE(GET, MIG_DATA_SIZE) } },
		  { .feature = { .argsz = 16, .flags = FEATURE(GET, MIG_DATA_SIZE),
				 .stop_copy_length = 1 << 20 } },
		  " argsz=16 op=GET feature=MIG_DATA_SIZE -> stop_copy_length=1048576" },
		{ UAPI_DEVICE_FEATURE,
		  { .report = { 32, FEATURE(GET, DMA_LOGGING_REPORT), { 4096, 8192, 4096 } } },
		  { .report = { 32, FEATURE(GET, DMA_LOGGING_REPORT), { 4096, 8192, 4096 } } },
		  " argsz=32 op=GET feature=DMA_LOGGING_REPORT iova=0x1000 length=8192"
		  " page_size=4096" },
		{ UAPI_DEVICE_FEATURE,
		  { .feature = { .argsz = 8, .flags = UAPI_FEATURE_SET | 77 } },
		  { .feature = { .argsz = 8, .flags = UAPI_FEATURE_SET | 77 } },
		  " argsz=8 op=SET feature=77" },
		/* A size that is none must not be believed. */
		{ UAPI_DEVICE_FEATURE, { .feature = { 4, FEATURE(GET, MIGRATION) } },
		  { .feature = { .argsz = 4 } }, " argsz=4" },
		{ 0x5401, { .fd = 0 }, { .fd = 0 }, "" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct trace_record r = record();

		call_fields_request(&r, rows[i].request, &rows[i].asked, CALL_ASKED);
		call_fields_request(&r, rows[i].request, &rows[i].answered, CALL_ANSWERED);
		assert_string_equal(text_of(&r), rows[i].text);
	}
	assert_string_equal(call_fields_name(UAPI_DEVICE_RESET), "VFIO_DEVICE_RESET");
	assert_null(call_fields_name(0x5401));
}

static void an_ioctl_that_takes_a_number_has_it(void **state)
{
	struct trace_record r = record();

	(void)state;
	call_fields_request(&r, VFIO_SET_IOMMU, (void *)3, CALL_ASKED);
	call_fields_request(&r, VFIO_SET_IOMMU, (void *)3, CALL_ANSWERED);
	assert_string_equal(text_of(&r), " value=3");
}

/* Of each message the longest prefix that lacks a member does without that member. */
static void a_message_is_told_as_far_as_it_is_here(void **state)
{
	static const struct {
		enum vfu_command command;
		enum call_fields_when when;
		uint32_t payload[8];
		size_t len;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ VFU_FEATURE, CALL_ASKED, { 16, STATE(SET), 1, UINT32_MAX }, 16,
		  " op=SET feature=MIG_DEVICE_STATE state=stop" },
		{ VFU_FEATURE, CALL_ANSWERED, { 16, STATE(GET), 2, UINT32_MAX }, 16,
		  " -> state=running data_fd=-1" },
		{ VFU_FEATURE, CALL_ANSWERED, { 16, STATE(GET), 2 }, 12,
		  " -> state=running" },
		{ VFU_FEATURE, CALL_ANSWERED, { 16, STATE(GET), 2 }, 11, "" },
		{ VFU_FEATURE, CALL_ASKED, { 16, FEATURE(GET, MIGRATION) }, 7, "" },
		{ VFU_MIG_DATA_READ, CALL_ASKED, { 8, 4096 }, 8, " bytes=4096" },
		{ VFU_MIG_DATA_READ, CALL_ANSWERED, { 8, 17, 0x5ec7e75 }, 12, " -> bytes=17" },
		{ VFU_MIG_DATA_WRITE, CALL_ASKED, { 8, 17, 0x5ec7e75 }, 12, " bytes=17" },
		{ VFU_REGION_WRITE, CALL_ASKED, { 4, 0, 7, 2, 0x5ec7e7 }, 20,
		  " region=7 offset=0x4 count=2" },
		{ VFU_GET_INFO, CALL_ANSWERED, { 16, 1, 9, 5 }, 16,
		  " -> flags=0x1 num_regions=9 num_irqs=5" },
		{ VFU_RESET, CALL_ASKED, { 0 }, 0, "" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vfu_header h = { .command = (uint16_t)rows[i].command };
		struct trace_record r = record();

		call_fields_message(&r, &h, rows[i].payload, rows[i].len, rows[i].when);
		assert_string_equal(text_of(&r), rows[i].text);
	}
}

/*
 * Lines
 */

static void the_longest_record_is_a_whole_line(void **state)
{
	static const enum trace_format formats[] = { TRACE_TEXT, TRACE_JSON };
	struct trace_record r = record();
	char line[TRACE_LINE_MAX];

	(void)state;
	memset(r.device, '"', sizeof(r.device) - 1);
	r.what = "VFIO_DEVICE_GET_REGION_INFO";
	r.code = UINT64_MAX;
	r.fd = INT32_MIN;
	r.result = INT64_MIN;
	r.error = 4095;
	for (int i = 0; i < TRACE_FIELDS_MAX + 1; i++) {
		const struct trace_field f = {
			.name = "a_name_of_a_field_that_is_long",
			.how = TRACE_HEX,
			.out = i % 2,
			.n = UINT64_MAX,
		};

		trace_add(&r, &f);
	}
	assert_int_equal(r.n, TRACE_FIELDS_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct trace_head head = { .format = formats[i], .command = "migratable" };
		size_t len = trace_text_record(&head, &r, line);

		assert_int_equal(len, strlen(line));
		assert_ptr_equal(strchr(line, '\n'), line + len - 1);
		assert_int_equal(line[len - 2], formats[i] == TRACE_JSON ? '}' : '>');
	}
}

/*
 * The sink. A process has one trace: each test runs in a child, whose exit status is the verdict.
 */

static void in_child(void (*test)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		test();
		exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define EXPECT(what)                                                  \
	do {                                                          \
		if (!(what)) {                                        \
			fprintf(stderr, "%d: %s\n", __LINE__, #what); \
			exit(1);                                      \
		}                                                     \
	} while (0)

static void put(uint64_t n)
{
	const struct trace_field f = { .name = "n", .n = n };
	struct trace_record r;

	trace_begin(&r, "call", NULL, 3);
	trace_add(&r, &f);
	trace_end(&r, 0, 0);
}

static void open_at(int fd)
{
	struct err err = { 0 };
	static char to[32];

	snprintf(to, sizeof(to), "fd:%d", fd);
	EXPECT(trace_open(to, TRACE_TEXT, "test", &err) == 0);
	EXPECT(trace_wanted());
}

#define RECORDS 5000

/* A pipe that is not read: what does not fit is dropped and counted in its place. */
static void drop(void)
{
	uint64_t next = 0, told = 0, lost = 0;
	char line[TRACE_LINE_MAX], *at;
	int p[2];
	FILE *f;

	EXPECT(pipe(p) == 0);
	open_at(p[1]);
	while (next < RECORDS)
		put(next++);
	f = fdopen(p[0], "r");
	EXPECT(fgets(line, sizeof(line), f));
	EXPECT(!strncmp(line, TRACE_TEXT_MARK, strlen(TRACE_TEXT_MARK)));
	while (told < RECORDS) {
		EXPECT(fgets(line, sizeof(line), f));
		at = strstr(line, " n=");
		if (at) {
			/* Each has its number, or is among those that were lost before it. */
			EXPECT(strtoull(at + 3, NULL, 10) == told);
			told++;
		} else {
			EXPECT(!strncmp(line, "# ", 2) && strtoull(line + 2, NULL, 10) > 0);
			lost += strtoull(line + 2, NULL, 10);
			told += strtoull(line + 2, NULL, 10);
		}
		/* What was lost is told before the next one that is not. */
		put(next++);
	}
	EXPECT(lost > 0);
}

static void *put_many(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < 200; i++)
		put(i);
	return NULL;
}

static void whole_lines(void)
{
	char path[] = "/tmp/test-trace.XXXXXX", line[TRACE_LINE_MAX];
	int fd = mkstemp(path);
	pthread_t threads[4];
	unsigned int n = 0;
	FILE *f;

	EXPECT(fd >= 0);
	unlink(path);
	open_at(fd);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		EXPECT(pthread_create(&threads[i], NULL, put_many, NULL) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	trace_finish(60000);
	EXPECT(!trace_wanted());
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	f = fdopen(fd, "r");
	while (fgets(line, sizeof(line), f)) {
		EXPECT(n == 0 || strstr(line, " call n=") || line[0] == '#');
		EXPECT(strlen(line) > 2 && line[strlen(line) - 2] != ' ');
		n++;
	}
	/* 800 fit into the ring: nothing was lost, however slow the disk. */
	EXPECT(n == 801);
}

static void lose_reader(void)
{
	int p[2];

	EXPECT(pipe(p) == 0);
	open_at(p[1]);
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	/* EPIPE ends it; to go on recording is harmless. */
	while (trace_wanted())
		put(0);
	put(1);
	trace_finish(60000);
}

static void fork_is_quiet(void)
{
	char path[] = "/tmp/test-trace.XXXXXX", line[TRACE_LINE_MAX];
	int fd = mkstemp(path), status, n = 0;
	FILE *f = fdopen(fd, "r");
	pid_t pid;

	EXPECT(f);
	unlink(path);
	open_at(fd);
	put(1);
	/* A child of a process that is traced is not, and cannot be. */
	pid = fork();
	if (!pid) {
		trace_finish(60000);
		trace_go_on();
		_exit(trace_wanted());
	}
	EXPECT(waitpid(pid, &status, 0) == pid && !status);
	EXPECT(trace_wanted());
	trace_finish(60000);
	EXPECT(!trace_wanted());
	pid = fork();
	trace_go_on();
	EXPECT(trace_wanted());
	put(2);
	trace_finish(60000);
	if (!pid)
		_exit(0);
	EXPECT(waitpid(pid, &status, 0) == pid && !status);
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, " n=1 ") ? 1 : strstr(line, " n=2 ") ? 10 : 0;
	EXPECT(n == 21);
}

static void what_a_stopped_reader_misses_is_counted(void **state)
{
	(void)state;
	in_child(drop);
}

static void lines_of_threads_are_whole(void **state)
{
	(void)state;
	in_child(whole_lines);
}

static void a_failed_write_ends_the_trace(void **state)
{
	(void)state;
	in_child(lose_reader);
}

static void a_child_is_traced_when_it_says_so(void **state)
{
	(void)state;
	in_child(fork_is_quiet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ioctl_is_told_as_question_and_answer),
		cmocka_unit_test(an_ioctl_that_takes_a_number_has_it),
		cmocka_unit_test(a_message_is_told_as_far_as_it_is_here),
		cmocka_unit_test(the_longest_record_is_a_whole_line),
		cmocka_unit_test(what_a_stopped_reader_misses_is_counted),
		cmocka_unit_test(lines_of_threads_are_whole),
		cmocka_unit_test(a_failed_write_ends_the_trace),
		cmocka_unit_test(a_child_is_traced_when_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
