// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * That vfiomig-emu misbehaves as it is told to, and not otherwise
 */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void an_arc_fails_with_its_error_and_the_device_stays_before_it(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "fail=stop:stop-copy:ENOSPC", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), -ENOSPC);
	assert_int_equal(wire_state(fd), STOP); /* on the way */
	assert_int_equal(wire_set_state(fd, STOP_COPY), -ENOSPC);
	assert_int_equal(wire_set_state(fd, RESUMING), 0);
	close(fd);
	emu_stop(&e);
}

/* Each arc of a device with everything, and what to set to get to its beginning. */
static const struct {
	const char *fault;
	uint32_t from, to;
} arcs[] = {
	{ "running:running-p2p", RUNNING, RUNNING_P2P },
	{ "running-p2p:running", RUNNING_P2P, RUNNING },
	{ "running-p2p:stop", RUNNING_P2P, STOP },
	{ "stop:running-p2p", STOP, RUNNING_P2P },
	{ "stop:stop-copy", STOP, STOP_COPY },
	{ "stop-copy:stop", STOP_COPY, STOP },
	{ "stop:resuming", STOP, RESUMING },
	{ "resuming:stop", RESUMING, STOP },
	{ "running:pre-copy", RUNNING, PRE_COPY },
	{ "pre-copy:running", PRE_COPY, RUNNING },
	{ "pre-copy:pre-copy-p2p", PRE_COPY, PRE_COPY_P2P },
	{ "pre-copy-p2p:pre-copy", PRE_COPY_P2P, PRE_COPY },
	{ "running-p2p:pre-copy-p2p", RUNNING_P2P, PRE_COPY_P2P },
	{ "pre-copy-p2p:running-p2p", PRE_COPY_P2P, RUNNING_P2P },
	{ "pre-copy-p2p:stop-copy", PRE_COPY_P2P, STOP_COPY },
};

static void every_arc_can_fail_and_end_in_error(void **state)
{
	char fail[64], error[64];
	struct emu e;
	int fd;

	(void)state;
	for (size_t i = 0; i < N(arcs); i++) {
		strcpy(fail, "fail=");
		strcat(strcat(fail, arcs[i].fault), ":EREMOTEIO*1");
		strcpy(error, "error=");
		strcat(strcat(error, arcs[i].fault), "*1");
		emu_start(&e, 1, "--state-size", "0", "--fault", fail, NULL);
		fd = wire_open(&e, 0);
		assert_int_equal(wire_set_state(fd, arcs[i].from), 0);
		assert_int_equal(wire_set_state(fd, arcs[i].to), -EREMOTEIO);
		assert_int_equal(wire_state(fd), arcs[i].from);
		assert_int_equal(wire_set_state(fd, arcs[i].to), 0);
		close(fd);
		emu_stop(&e);
		emu_start(&e, 1, "--state-size", "0", "--fault", error, NULL);
		fd = wire_open(&e, 0);
		assert_int_equal(wire_set_state(fd, arcs[i].from), 0);
		assert_int_equal(wire_set_state(fd, arcs[i].to), -EIO);
		assert_int_equal(wire_state(fd), ERROR);
		assert_int_equal(wire_reset(fd), 0);
		assert_int_equal(wire_state(fd), RUNNING);
		close(fd);
		emu_stop(&e);
	}
}

/* With P2P, running:stop is not an arc: it stands for the last one on the way. */
static void a_pair_that_is_no_arc_stands_for_the_last_on_its_way(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "fail=running:stop:EIO", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP), -EIO);
	assert_int_equal(wire_state(fd), RUNNING_P2P);
	close(fd);
	emu_stop(&e);
}

static void a_device_refuses_to_stop_until_it_has_drained(void **state)
{
	struct emu e;
	int fd, r, refused = 0;

	(void)state;
	emu_start(&e, 1, "--fault", "drain=running:stop:200ms", NULL);
	fd = wire_open(&e, 0);
	while ((r = wire_set_state(fd, STOP)) == -EBUSY) {
		assert_int_equal(wire_state(fd), RUNNING_P2P);
		refused++;
	}
	assert_int_equal(r, 0);
	assert_true(refused > 0);
	close(fd);
	emu_stop(&e);
}

static void a_stalled_arc_is_never_answered_and_the_device_stays_before_it(void **state)
{
	uint32_t set[4] = { 16, 2 | SET, STOP_COPY, UINT32_MAX };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "stall=stop:stop-copy*1", NULL);
	fd = wire_open(&e, 0);
	wire_send(fd, 1, FEATURE, 0, set, sizeof(set));
	wire_send(fd, 2, RESET, 0, NULL, 0);
	wire_expect_silence(fd);
	close(fd);
	fd = wire_open(&e, 0); /* a client that does not wait is served */
	assert_int_equal(wire_state(fd), STOP);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	close(fd);
	emu_stop(&e);
}

static void reading_stalls_where_it_is_told_to(void **state)
{
	uint8_t buf[60000];
	uint32_t n = sizeof(buf), payload[2] = { 8 + 60000, 60000 };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1M", "--fault", "stall=100000", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), 0);
	assert_int_equal(n, sizeof(buf));
	wire_send(fd, 1, DATA_READ, 0, payload, sizeof(payload));
	wire_expect_silence(fd);
	close(fd);
	emu_stop(&e);
}

static void reading_and_writing_fail_where_they_are_told_to(void **state)
{
	uint8_t buf[60000] = { 0 };
	uint32_t n = sizeof(buf);
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1M", "--fault", "fail=100000:EPROTO*1", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), -EPROTO);
	assert_int_equal(wire_state(fd), STOP_COPY);
	assert_int_equal(wire_data_read(fd, buf, &n), 0); /* once */
	close(fd);
	emu_stop(&e);

	emu_start(&e, 1, "--state-size", "1M", "--fault", "fail=100000:EPROTO", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, RESUMING), 0);
	assert_int_equal(wire_data_write(fd, buf, sizeof(buf)), 0);
	assert_int_equal(wire_data_write(fd, buf, sizeof(buf)), -EPROTO);
	close(fd);
	emu_stop(&e);
}

static void short_reads_are_short_and_nothing_is_lost(void **state)
{
	struct stream s = { 0 };
	uint8_t byte[1000];
	uint32_t n = sizeof(byte);
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "300000", "--fault", "short-read", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, byte, &n), 0);
	assert_in_range(n, 1, 999);
	assert_int_equal(wire_set_state(fd, STOP), 0);
	stream_save(fd, &s);
	assert_int_equal(s.len, 300000);
	assert_int_equal(stream_load(fd, &s, MIB), 0);
	close(fd);
	emu_stop(&e);
	stream_done(&s);
}

static void a_truncated_stream_ends_early_and_is_refused(void **state)
{
	struct stream s = { 0 };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "300000", "--fault", "truncate=123456", NULL);
	fd = wire_open(&e, 0);
	stream_save(fd, &s);
	assert_int_equal(s.len, 123456);
	assert_int_equal(stream_load(fd, &s, MIB), -EINVAL);
	close(fd);
	emu_stop(&e);
	stream_done(&s);
}

static void corrupt_bytes_are_those_and_no_others(void **state)
{
	struct stream good = { 0 }, bad = { 0 };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1500000", "--fault", "corrupt=0*1", "--fault",
		  "corrupt=1048576*1", "--fault", "corrupt=1499999*1", NULL);
	fd = wire_open(&e, 0);
	stream_save(fd, &bad);
	stream_save(fd, &good);
	assert_int_equal(bad.len, good.len);
	for (size_t i = 0; i < good.len; i++) {
		bool told = i == 0 || i == 1048576 || i == 1499999;

		if ((good.p[i] != bad.p[i]) != told)
			fail_msg("byte %zu", i);
	}
	assert_int_equal(stream_load(fd, &bad, MIB), -EINVAL);
	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(stream_load(fd, &good, MIB), 0);
	close(fd);
	emu_stop(&e);
	stream_done(&good);
	stream_done(&bad);
}

static void the_process_dies_where_it_is_told_to(void **state)
{
	uint8_t buf[60000];
	uint32_t n = sizeof(buf), payload[2] = { 8 + 60000, 60000 };
	struct emu e;
	int fd, status;

	(void)state;
	emu_start(&e, 1, "--state-size", "1M", "--fault", "die-at=100000", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), 0);
	wire_send(fd, 1, DATA_READ, 0, payload, sizeof(payload));
	wire_expect_closed(fd);
	status = emu_wait(&e);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(access(e.path, F_OK), 0); /* no clean-up either */
	unlink(e.path);
	rmdir(e.dir);
}

static void an_arc_that_was_taken_can_end_in_error(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "error=stop*2", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP), 0);
	assert_int_equal(wire_state(fd), ERROR);
	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), -EIO); /* on the way */
	assert_int_equal(wire_state(fd), ERROR);
	assert_int_equal(wire_set_state(fd, RUNNING), -EINVAL);
	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	close(fd);
	emu_stop(&e);
}

static void a_device_is_in_error_where_reading_gets_to(void **state)
{
	uint8_t buf[60000];
	uint32_t n = sizeof(buf);
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1M", "--fault", "error=100000*1", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, PRE_COPY), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), -EIO);
	assert_int_equal(wire_state(fd), ERROR);
	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(wire_state(fd), RUNNING);
	close(fd);
	emu_stop(&e);
}

static void resets_are_refused_as_often_as_it_is_told_to(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "refuse-reset=EAGAIN*3", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, RESUMING), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(wire_reset(fd), -EAGAIN);
	assert_int_equal(wire_state(fd), RESUMING);
	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(wire_state(fd), RUNNING);
	close(fd);
	emu_stop(&e);
}

static void garbage_is_no_message(void **state)
{
	uint32_t get[2] = { 16, 2 | GET }, size;
	uint8_t header[16];
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "garbage*1", NULL);
	fd = wire_open(&e, 0);
	wire_send(fd, 1, FEATURE, 0, get, sizeof(get));
	assert_int_equal(recv(fd, header, sizeof(header), MSG_WAITALL), sizeof(header));
	memcpy(&size, header + 4, sizeof(size));
	assert_true(size > 2 * MIB || memcmp(header, "\1\0\20\0", 4) != 0);
	close(fd);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_state(fd), RUNNING);
	close(fd);
	emu_stop(&e);
}

static void a_fault_can_be_one_device_s_alone(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 3, "--devices", "3", "--fault", "1@fail=running:running-p2p:EIO", NULL);
	for (unsigned int i = 0; i < 3; i++) {
		fd = wire_open(&e, i);
		assert_int_equal(wire_set_state(fd, RUNNING_P2P), i == 1 ? -EIO : 0);
		close(fd);
	}
	emu_stop(&e);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Never sooner; how much later does not matter. */
static void an_arc_takes_as_long_as_it_is_told_to(void **state)
{
	struct emu e;
	uint64_t start;
	int fd;

	(void)state;
	emu_start(&e, 1, "--delay", "running:stop=150ms", "--delay", "stop:stop-copy=50ms", NULL);
	fd = wire_open(&e, 0);
	start = now_ns();
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_true(now_ns() - start >= 200000000);
	assert_int_equal(wire_state(fd), STOP_COPY);
	close(fd);
	emu_stop(&e);
}

/* The signal may come before the command does; and each leaves out one reply's delay. */
static void a_delay_is_over_when_it_is_told_so(void **state)
{
	static struct message reply;
	const uint32_t stop[] = { 16, SET | 2, STOP, UINT32_MAX };
	struct pollfd p = { .events = POLLIN };
	unsigned int signals = 0;
	struct emu e;

	(void)state;
	emu_start(&e, 1, "--delay", "running:stop=3600s", NULL);
	p.fd = wire_open(&e, 0);
	wire_send(p.fd, 7, FEATURE, 0, stop, sizeof(stop));
	while (!poll(&p, 1, 10) && signals++ < 1000)
		assert_int_equal(kill(e.pid, SIGUSR1), 0);
	assert_int_equal(p.revents, POLLIN);
	wire_receive(p.fd, &reply);
	assert_int_equal(reply.id, 7);
	assert_int_equal(reply.error, 0);
	assert_int_equal(wire_state(p.fd), STOP);
	close(p.fd);
	emu_stop(&e);
}

static void the_stream_is_no_faster_than_its_rate(void **state)
{
	struct stream s = { 0 };
	struct emu e;
	uint64_t start;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "100000", "--data-rate", "500000", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	start = now_ns();
	stream_read(fd, &s, 10000);
	assert_true(now_ns() - start >= 190000000);
	assert_int_equal(s.len, 100000);
	close(fd);
	emu_stop(&e);
	stream_done(&s);
}

static void a_strict_device_refuses_while_stopped_what_libvfio_user_does(void **state)
{
	static const struct {
		uint16_t command;
		uint32_t words[8];
		size_t len;
		bool refused;
	} rows[] = {
		{ GET_INFO, { 16 }, 16, true },
		{ GET_REGION_INFO, { 32 }, 32, true },
		{ GET_IRQ_INFO, { 16 }, 16, true },
		{ SET_IRQS, { 20, 0x24 }, 20, true },
		{ DMA_MAP, { 32 }, 32, true },
		{ DMA_UNMAP, { 24 }, 24, true },
		{ RESET, { 0 }, 0, true },
		{ DATA_WRITE, { 8, 0 }, 8, true },
		{ REGION_READ, { 0, 0, 0, 4 }, 16, false },
		{ FEATURE, { 16, 2 | GET }, 8, false },
	};
	static const uint32_t stopped[] = { STOP, STOP_COPY };
	static struct message reply;
	struct emu e;
	int fd, r;

	(void)state;
	emu_start(&e, 1, "--strict", NULL);
	fd = wire_open(&e, 0);
	for (size_t s = 0; s < N(stopped); s++) {
		assert_int_equal(wire_set_state(fd, stopped[s]), 0);
		for (size_t i = 0; i < N(rows); i++) {
			r = wire_call(fd, rows[i].command, rows[i].words, rows[i].len, &reply);
			if (r != (rows[i].refused ? -EINVAL : 0))
				fail_msg("command %u: %d", rows[i].command, r);
			assert_int_equal(wire_state(fd), stopped[s]);
		}
	}
	assert_int_equal(wire_set_state(fd, RUNNING), 0);
	assert_int_equal(wire_call(fd, GET_INFO, rows[0].words, 16, &reply), 0);
	assert_int_equal(wire_reset(fd), 0);
	close(fd);
	emu_stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arc_fails_with_its_error_and_the_device_stays_before_it),
		cmocka_unit_test(every_arc_can_fail_and_end_in_error),
		cmocka_unit_test(a_pair_that_is_no_arc_stands_for_the_last_on_its_way),
		cmocka_unit_test(a_device_refuses_to_stop_until_it_has_drained),
		cmocka_unit_test(a_stalled_arc_is_never_answered_and_the_device_stays_before_it),
		cmocka_unit_test(reading_stalls_where_it_is_told_to),
		cmocka_unit_test(reading_and_writing_fail_where_they_are_told_to),
		cmocka_unit_test(short_reads_are_short_and_nothing_is_lost),
		cmocka_unit_test(a_truncated_stream_ends_early_and_is_refused),
		cmocka_unit_test(corrupt_bytes_are_those_and_no_others),
		cmocka_unit_test(the_process_dies_where_it_is_told_to),
		cmocka_unit_test(an_arc_that_was_taken_can_end_in_error),
		cmocka_unit_test(a_device_is_in_error_where_reading_gets_to),
		cmocka_unit_test(resets_are_refused_as_often_as_it_is_told_to),
		cmocka_unit_test(garbage_is_no_message),
		cmocka_unit_test(a_fault_can_be_one_device_s_alone),
		cmocka_unit_test(an_arc_takes_as_long_as_it_is_told_to),
		cmocka_unit_test(a_delay_is_over_when_it_is_told_so),
		cmocka_unit_test(the_stream_is_no_faster_than_its_rate),
		cmocka_unit_test(a_strict_device_refuses_while_stopped_what_libvfio_user_does),
	};

	return cmocka_run_group_tests_name("vfiomig-emu: faults", tests, NULL, NULL);
}
