// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * What vfiomig-emu answers to vfio-user, and whom it puts up with
 */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct message reply;

/* Connect and send a VERSION. Return: what the reply says. */
static int propose(int fd, uint16_t major, uint16_t minor, const char *json)
{
	uint8_t payload[4 + 512];
	size_t len = json ? strlen(json) + 1 : 0;

	memcpy(payload, &major, 2);
	memcpy(payload + 2, &minor, 2);
	if (json)
		memcpy(payload + 4, json, len);
	return wire_call(fd, VERSION, payload, 4 + len, &reply);
}

static void the_lower_minor_version_is_agreed_on(void **state)
{
	static const struct {
		uint16_t proposed, most;
	} rows[] = { { 0, 0 }, { 1, 1 }, { 2, 2 }, { 77, 76 } };
	struct emu e;
	uint16_t v[2];

	(void)state;
	emu_start(&e, 1, NULL);
	for (size_t i = 0; i < N(rows); i++) {
		int fd = wire_connect(e.path);

		assert_int_equal(propose(fd, 0, rows[i].proposed, i % 2 ? NULL : "{}"), 0);
		memcpy(v, reply.payload, 4);
		assert_int_equal(v[0], 0);
		assert_in_range(v[1], 0, rows[i].most);
		assert_true(reply.len > 4 && !reply.payload[reply.len - 1]);
		assert_non_null(strstr((char *)reply.payload + 4, "\"max_msg_fds\":8"));
		assert_non_null(
			strstr((char *)reply.payload + 4, "\"max_data_xfer_size\":1048576"));
		assert_non_null(
			strstr((char *)reply.payload + 4, "\"migration\":{\"pgsize\":4096}"));
		assert_null(strstr((char *)reply.payload + 4, "twin_socket"));
		close(fd);
	}
	emu_stop(&e);
}

static void versions_that_cannot_be_are_the_end_of_the_connection(void **state)
{
	static const struct {
		uint16_t major;
		const char *json;
	} rows[] = {
		{ 1, NULL },
		{ 0, "{" },
		{ 0, "[]" },
		{ 0, "{\"capabilities\":{\"max_msg_fds\":1025}}" },
		{ 0, "{\"capabilities\":{\"max_data_xfer_size\":0}}" },
	};
	struct emu e;

	(void)state;
	emu_start(&e, 1, "-q", NULL);
	for (size_t i = 0; i < N(rows); i++) {
		int fd = wire_connect(e.path);

		assert_int_equal(propose(fd, rows[i].major, 0, rows[i].json), -EINVAL);
		wire_expect_closed(fd);
	}
	close(wire_open(&e, 0));
	emu_stop(&e);
}

static void a_client_that_breaks_the_protocol_is_dropped_and_the_next_is_served(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[16];
	} rows[] = {
		{ "no version first", { 1, 0, 4, 0, 16 } },
		{ "a size below a header's", { 1, 0, 1, 0, 15 } },
		{ "a size of nothing", { 1, 0, 1, 0, 0 } },
		{ "a size beyond all limits", { 1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "a size just beyond", { 1, 0, 1, 0, 0x11, 0x20, 0x10, 0 } },
		{ "a reply", { 1, 0, 1, 0, 16, 0, 0, 0, 1 } },
		{ "an unknown type", { 1, 0, 1, 0, 16, 0, 0, 0, 2 } },
		{ "noise", "no message at a" },
	};
	struct emu e;

	(void)state;
	emu_start(&e, 1, "-q", NULL);
	for (size_t i = 0; i < N(rows); i++) {
		int fd = wire_connect(e.path);

		wire_send_raw(fd, rows[i].bytes, sizeof(rows[i].bytes));
		wire_expect_closed(fd);
		fd = wire_open(&e, 0); /* and in the middle of a session */
		if (i) {
			wire_send_raw(fd, rows[i].bytes, sizeof(rows[i].bytes));
			wire_expect_closed(fd);
			continue;
		}
		close(fd);
	}
	/* Closed within a header, and within a payload. */
	for (size_t cut = 1; cut < 16; cut += 7) {
		int fd = wire_open(&e, 0);

		wire_send_raw(fd, rows[7].bytes, cut);
		close(fd);
	}
	close(wire_open(&e, 0));
	emu_stop(&e);
}

static void random_bytes_never_bring_it_down(void **state)
{
	struct emu e;

	(void)state;
	emu_start(&e, 1, "-q", NULL);
	srand(7);
	for (int i = 0; i < 300; i++) {
		int fd = i % 2 ? wire_open(&e, 0) : wire_connect(e.path);
		uint8_t junk[256];
		uint32_t size = 16 + (uint32_t)rand() % 100;

		for (size_t j = 0; j < sizeof(junk); j++)
			junk[j] = (uint8_t)rand();
		if (i % 4 == 1) { /* a header that is believed, with any payload */
			junk[2] = (uint8_t)(rand() % 20);
			junk[3] = 0;
			memcpy(junk + 4, &size, 4);
			memset(junk + 8, 0, 4);
		}
		(void)!send(fd, junk, sizeof(junk), MSG_NOSIGNAL);
		close(fd);
	}
	close(wire_open(&e, 0));
	emu_stop(&e);
}

static void the_device_is_a_pci_function(void **state)
{
	uint32_t info[4] = { 16 }, got[4], region[8] = { 32 };
	uint64_t size;
	uint16_t ids[2];
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_call(fd, GET_INFO, info, sizeof(info), &reply), 0);
	assert_int_equal(reply.len, 16);
	memcpy(got, reply.payload, sizeof(got));
	assert_int_equal(got[0], 16);
	assert_int_equal(got[1], 3); /* can be reset, PCI */
	assert_int_equal(got[2], 9);
	assert_int_equal(got[3], 5);
	for (uint32_t i = 0; i < 9; i++) {
		region[2] = i;
		assert_int_equal(wire_call(fd, GET_REGION_INFO, region, sizeof(region), &reply), 0);
		assert_int_equal(reply.len, 32);
		memcpy(got, reply.payload, sizeof(got));
		memcpy(&size, reply.payload + 16, sizeof(size));
		assert_int_equal(got[2], i);
		assert_int_equal(got[1], i == BAR0 || i == CONFIG ? 3 : 0);
		assert_int_equal(size, i == BAR0 ? 4096 : i == CONFIG ? 256 : 0);
	}
	for (uint32_t i = 0; i < 5; i++) {
		info[2] = i;
		assert_int_equal(wire_call(fd, GET_IRQ_INFO, info, sizeof(info), &reply), 0);
		memcpy(got, reply.payload, sizeof(got));
		assert_int_equal(got[3], i ? 0 : 1);
	}
	assert_int_equal(wire_read_region(fd, CONFIG, 0, ids, sizeof(ids)), 0);
	assert_true(ids[0] && ids[0] != 0xffff && ids[1] != 0xffff);
	assert_int_equal((uint32_t)wire_reg64(fd, REG_IDENTITY), 0x554d4556);
	close(fd);
	emu_stop(&e);
}

static void what_may_be_written_of_the_configuration_space_is_kept(void **state)
{
	uint32_t bar = UINT32_MAX, ids, before;
	uint16_t command = 0x0407;
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--profile", "mlx5", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_read_region(fd, CONFIG, 0, &before, 4), 0);
	assert_int_equal(before, 0x101e15b3);
	assert_int_equal(wire_write_region(fd, CONFIG, 0, &bar, 4), 0);
	assert_int_equal(wire_read_region(fd, CONFIG, 0, &ids, 4), 0);
	assert_int_equal(ids, before);
	assert_int_equal(wire_write_region(fd, CONFIG, 0x10, &bar, 4), 0);
	assert_int_equal(wire_read_region(fd, CONFIG, 0x10, &bar, 4), 0);
	assert_int_equal(bar, 0xfffff000); /* which is how its size is found out */
	assert_int_equal(wire_write_region(fd, CONFIG, 4, &command, 2), 0);
	command = 0;
	assert_int_equal(wire_read_region(fd, CONFIG, 4, &command, 2), 0);
	assert_int_equal(command & 7, 7);
	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(wire_read_region(fd, CONFIG, 4, &command, 2), 0);
	assert_int_equal(command, 0);
	close(fd);
	emu_stop(&e);
}

/* A command with a payload of 32-bit words, refused. */
static const struct {
	uint16_t command;
	size_t len;
	uint32_t words[8];
	int error;
} refusals[] = {
	/* clang-format off */
	{ GET_INFO,         0, { 0 },                              EINVAL },
	{ GET_INFO,        15, { 16 },                             EINVAL },
	{ GET_INFO,        16, { 15 },                             EINVAL },
	{ GET_REGION_INFO, 31, { 32 },                             EINVAL },
	{ GET_REGION_INFO, 32, { 31 },                             EINVAL },
	{ GET_REGION_INFO, 32, { 32, 0, 9 },                       EINVAL },
	{ GET_REGION_INFO, 32, { 32, 0, UINT32_MAX },              EINVAL },
	{ GET_IRQ_INFO,    15, { 16 },                             EINVAL },
	{ GET_IRQ_INFO,    16, { 15 },                             EINVAL },
	{ GET_IRQ_INFO,    16, { 16, 0, 5 },                       EINVAL },
	{ SET_IRQS,        19, { 20 },                             EINVAL },
	{ SET_IRQS,        20, { 19 },                             EINVAL },
	{ SET_IRQS,        20, { 20, 0x21, 5 },                    EINVAL },
	{ DMA_MAP,         31, { 32 },                             EINVAL },
	{ DMA_UNMAP,       23, { 24 },                             EINVAL },
	/* offset, high half, region, count */
	{ REGION_READ,     15, { 0, 0, 0, 4 },                     EINVAL },
	{ REGION_READ,     16, { 0, 0, 0, 0 },                     EINVAL },
	{ REGION_READ,     16, { 0, 0, 0, 4097 },                  EINVAL },
	{ REGION_READ,     16, { 4096, 0, 0, 1 },                  EINVAL },
	{ REGION_READ,     16, { 4095, 0, 0, 2 },                  EINVAL },
	{ REGION_READ,     16, { 0xffffffff, 0xffffffff, 0, 1 },   EINVAL },
	{ REGION_READ,     16, { 0, 0, 0, UINT32_MAX },            EINVAL },
	{ REGION_READ,     16, { 0, 0, 1, 4 },                     EINVAL },
	{ REGION_READ,     16, { 0, 0, 9, 4 },                     EINVAL },
	{ REGION_READ,     16, { 253, 0, CONFIG, 4 },              EINVAL },
	{ REGION_WRITE,    16, { 0x18, 0, 0, 4 },                  EINVAL },
	{ REGION_WRITE,    24, { 0x18, 0, 0, 4 },                  EINVAL },
	{ DATA_READ,        7, { 8 },                              EINVAL },
	{ DATA_READ,        8, { 12, 4 },                          EINVAL }, /* not saving */
	{ DATA_READ,        8, { MIB + 9, MIB + 1 },               EINVAL },
	{ DATA_WRITE,       7, { 8 },                              EINVAL },
	{ DATA_WRITE,      12, { 12, 4 },                          EINVAL }, /* not resuming */
	{ DATA_WRITE,       8, { MIB + 9, MIB + 1 },               EINVAL },
	{ VERSION,          4, { 0 },                              EINVAL }, /* a second one */
	{ 6,               16, { 16 },                             EINVAL }, /* REGION_IO_FDS */
	{ 11,              16, { 0 },                              EINVAL }, /* DMA_READ */
	{ 12,              16, { 0 },                              EINVAL }, /* DMA_WRITE */
	{ 14,              16, { 0 },                              EINVAL },
	{ 15,              16, { 0 },                              EINVAL }, /* WRITE_MULTI */
	{ 19,               0, { 0 },                              EINVAL },
	{ 0,                0, { 0 },                              EINVAL },
	{ UINT16_MAX,       0, { 0 },                              EINVAL },
	{ FEATURE,          7, { 8, 1 | GET },                     EINVAL },
	{ FEATURE,          8, { 15, 1 | GET },                    EINVAL },
	{ FEATURE,          8, { 8, 1 },                           EINVAL },
	{ FEATURE,          8, { 16, 1 | GET | SET },              EINVAL },
	{ FEATURE,         16, { 16, 1 | SET },                    EINVAL },
	{ FEATURE,          8, { 16, 2 | SET },                    EINVAL },
	{ FEATURE,          8, { 15, 2 | GET },                    EINVAL },
	{ FEATURE,         24, { 24, 6 | GET },                    EINVAL },
	{ FEATURE,          8, { 8, 7 | GET },                     EINVAL },
	{ FEATURE,         32, { 40, 8 | SET },                    EINVAL },
	{ FEATURE,         32, { 40, 8 | GET, 0, 0, 4096, 0, 4096 }, EINVAL }, /* not started */
	{ FEATURE,          8, { 16, 9 | GET },                    EINVAL },
	{ FEATURE,          8, { 16, 12 | SET },                   EINVAL },
	{ FEATURE,          8, { 8, 0 | PROBE | GET },             EINVAL },
	{ FEATURE,          8, { 8, 1 | PROBE | SET },             EINVAL },
	{ FEATURE,          8, { 8, 9 | PROBE | GET },             EINVAL },
	{ FEATURE,          8, { 16, 1 | GET | 1u << 19 },         EINVAL },
	/* clang-format on */
};

static void what_cannot_be_is_refused_and_nothing_else_happens(void **state)
{
	uint64_t digest;
	struct emu e;
	int fd, r;

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_open(&e, 0);
	digest = wire_reg64(fd, REG_DIGEST);
	for (size_t i = 0; i < N(refusals); i++) {
		r = wire_call(fd, refusals[i].command, refusals[i].words, refusals[i].len, &reply);
		if (r != -refusals[i].error)
			fail_msg("row %zu, command %u: %d", i, refusals[i].command, r);
	}
	assert_int_equal(wire_state(fd), RUNNING);
	assert_int_equal(wire_reg64(fd, REG_DIGEST), digest);
	close(fd);
	emu_stop(&e);
}

static void features_are_probed_as_they_are_served(void **state)
{
	static const uint32_t served[] = { 1 | GET, 2 | GET, 2 | SET, 2 | GET | SET,
					   6 | SET, 7 | SET, 8 | GET, 1,
					   2,	    6,	     7,	      8 };
	struct emu e;
	uint64_t caps;
	int fd;

	(void)state;
	emu_start(&e, 1, "--caps", "stop-copy,pre-copy", NULL);
	fd = wire_open(&e, 0);
	for (size_t i = 0; i < N(served); i++) {
		assert_int_equal(wire_feature(fd, PROBE | served[i], NULL, 0, 8, &reply), 0);
		assert_int_equal(reply.len, 8);
	}
	assert_int_equal(wire_feature(fd, GET | 1, NULL, 0, 16, &reply), 0);
	memcpy(&caps, reply.payload + 8, sizeof(caps));
	assert_int_equal(caps, 5);
	close(fd);
	emu_stop(&e);
}

static void dma_logging_reports_every_eighth_page_of_its_ranges(void **state)
{
	/* page size, number of ranges, one range of 64 pages */
	uint64_t start[4] = { 4096, 1, 0x100000, 64 * 4096 };
	uint64_t range[3] = { 0x100000, 128 * 4096, 4096 }, bitmap[2];
	uint64_t many[2] = { 4096, 257 };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_feature(fd, SET | 7, NULL, 0, 8, &reply), 0); /* none to stop */
	assert_int_equal(wire_feature(fd, SET | 6, many, sizeof(many), 24, &reply), -E2BIG);
	assert_int_equal(wire_feature(fd, SET | 6, start, 16, 24, &reply), -EINVAL);
	start[0] = 4097;
	assert_int_equal(wire_feature(fd, SET | 6, start, sizeof(start), 40, &reply), -EINVAL);
	start[0] = 4096;
	assert_int_equal(wire_feature(fd, SET | 6, start, sizeof(start), 40, &reply), 0);
	assert_int_equal(reply.len, 40);
	assert_int_equal(wire_feature(fd, SET | 6, start, sizeof(start), 40, &reply), -EEXIST);
	for (unsigned int round = 0; round < 9; round++) {
		assert_int_equal(wire_feature(fd, GET | 8, range, sizeof(range), 48, &reply), 0);
		assert_int_equal(reply.len, 8 + 24 + 16);
		memcpy(bitmap, reply.payload + 32, sizeof(bitmap));
		assert_int_equal(bitmap[0], UINT64_C(0x0101010101010101) << round % 8);
		assert_int_equal(bitmap[1], 0); /* not logged */
	}
	/* Too little room: how much it takes, and nothing more. */
	assert_int_equal(wire_feature(fd, GET | 8, range, sizeof(range), 32, &reply), 0);
	assert_int_equal(reply.len, 32);
	assert_int_equal(reply.payload[0], 48);
	range[2] = 3000;
	assert_int_equal(wire_feature(fd, GET | 8, range, sizeof(range), 48, &reply), -EINVAL);
	range[2] = 4096;
	range[1] = UINT64_MAX - 4095;
	assert_int_equal(wire_feature(fd, GET | 8, range, sizeof(range), 48, &reply), -EINVAL);
	assert_int_equal(wire_feature(fd, SET | 7, NULL, 0, 8, &reply), 0);
	range[1] = 4096;
	assert_int_equal(wire_feature(fd, GET | 8, range, sizeof(range), 48, &reply), -EINVAL);
	close(fd);
	emu_stop(&e);
}

static void memory_and_interrupts_are_accepted_and_fds_closed(void **state)
{
	uint32_t header[4] = { 9 | DMA_MAP << 16, 16 + 32 };
	uint64_t map[4] = { 32 | UINT64_C(3) << 32, 0, 0x10000, 0x1000 };
	uint32_t irqs[5] = { 20, 0x24, 0, 0, 1 };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov[] = { { header, sizeof(header) }, { map, sizeof(map) } };
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = 2,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct pollfd p = { .events = POLLIN };
	struct emu e;
	int fd, ends[2];

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(pipe(ends), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ends[1], sizeof(int));
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), 48);
	close(ends[1]);
	wire_receive(fd, &reply);
	assert_int_equal(reply.id, 9);
	assert_int_equal(reply.flags, FLAG_REPLY);
	assert_int_equal(reply.len, 0);
	p.fd = ends[0];
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_true(p.revents & POLLHUP); /* no writer is left */
	close(ends[0]);
	assert_int_equal(wire_call(fd, DMA_UNMAP, map, 24, &reply), 0);
	assert_int_equal(reply.len, 24);
	assert_int_equal(wire_call(fd, SET_IRQS, irqs, sizeof(irqs), &reply), 0);
	assert_int_equal(reply.len, 0);
	close(fd);
	emu_stop(&e);
}

static void commands_in_flight_are_answered_in_order(void **state)
{
	uint32_t payload[2] = { 8 + 4096, 4096 };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "64K", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	for (uint16_t id = 100; id < 120; id++)
		wire_send(fd, id, DATA_READ, 0, payload, sizeof(payload));
	for (uint16_t id = 100; id < 120; id++) {
		uint32_t size;

		wire_receive(fd, &reply);
		assert_int_equal(reply.id, id);
		memcpy(&size, reply.payload + 4, sizeof(size));
		assert_int_equal(size, id < 116 ? 4096 : 0);
	}
	close(fd);
	emu_stop(&e);
}

static void no_reply_means_no_reply_even_to_a_mistake(void **state)
{
	uint32_t set[4] = { 16, 2 | SET, STOP, UINT32_MAX };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_open(&e, 0);
	wire_send(fd, 1, FEATURE, FLAG_NO_REPLY, set, sizeof(set));
	wire_send(fd, 2, 19, FLAG_NO_REPLY, NULL, 0);
	assert_int_equal(wire_state(fd), STOP); /* the first reply that comes */
	close(fd);
	emu_stop(&e);
}

static void the_client_s_own_limit_holds(void **state)
{
	uint8_t buf[1001];
	uint32_t n = 1000;
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_connect(e.path);
	assert_int_equal(propose(fd, 0, 1, "{\"capabilities\":{\"max_data_xfer_size\":1000}}"), 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), 0);
	assert_int_equal(n, 1000);
	n = 1001;
	assert_int_equal(wire_data_read(fd, buf, &n), -EINVAL);
	close(fd);
	emu_stop(&e);
}

static void sixty_four_devices_have_a_client_each(void **state)
{
	uint64_t digests[64];
	struct emu e;
	int fds[64];

	(void)state;
	emu_start(&e, 64, "--devices", "64", "--state-size", "1M", NULL);
	for (unsigned int i = 0; i < 64; i++)
		fds[i] = wire_open(&e, i);
	for (unsigned int i = 0; i < 64; i++) {
		digests[i] = wire_reg64(fds[i], REG_DIGEST);
		assert_int_equal(wire_set_state(fds[i], i % 2 ? STOP : PRE_COPY), 0);
		if (i)
			assert_true(digests[i] != digests[i - 1]);
	}
	for (unsigned int i = 0; i < 64; i++) {
		assert_int_equal(wire_state(fds[i]), i % 2 ? STOP : PRE_COPY);
		close(fds[i]);
	}
	emu_stop(&e);
}

static void a_slow_device_does_not_hold_up_the_others(void **state)
{
	uint32_t payload[2] = { 8 + 100000, 100000 };
	struct emu e;
	int slow, other;

	(void)state;
	emu_start(&e, 2, "--devices", "2", "--data-rate", "1", NULL);
	slow = wire_open(&e, 0);
	other = wire_open(&e, 1);
	assert_int_equal(wire_set_state(slow, STOP_COPY), 0);
	wire_send(slow, 1, DATA_READ, 0, payload, sizeof(payload)); /* takes a day */
	assert_int_equal(wire_set_state(other, STOP_COPY), 0);
	assert_int_equal(wire_state(other), STOP_COPY);
	close(slow); /* nor does it wait for the day to be over */
	slow = wire_open(&e, 0);
	assert_int_equal(wire_state(slow), STOP_COPY);
	close(slow);
	close(other);
	emu_stop(&e);
}

static void usage_errors_exit_with_64(void **state)
{
	static const char *const bad[][2] = {
		{ "--fault", "fail" },
		{ "--fault", "fail=stop:stop-copy" },
		{ "--fault", "fail=stop:stop-copy:ENOSUCH" },
		{ "--fault", "fail=stop:nowhere:EIO" },
		{ "--fault", "fail=stop-copy:pre-copy:EIO" },
		{ "--fault", "fail=running:running:EIO" },
		{ "--fault", "garbage=x" },
		{ "--fault", "short-read=1" },
		{ "--fault", "truncate" },
		{ "--fault", "drain=running:stop:soon" },
		{ "--fault", "refuse-reset=EAGAIN*0" },
		{ "--fault", "x@garbage" },
		{ "--fault", "1@garbage" },
		{ "--fault", "boredom" },
		{ "--state-size", "2T" },
		{ "--state-size", "1X" },
		{ "--state-size", "-1" },
		{ "--devices", "0" },
		{ "--devices", "257" },
		{ "--caps", "stop" },
		{ "--caps", "stop-copy," },
		{ "--delay", "running:stop" },
		{ "--delay", "running:stop=5x" },
		{ "--profile", "nvme" },
		{ "--deviate", "nosuch" },
		{ "--deviate", "1@stale-state" },
		{ "--seed", "x" },
	};

	(void)state;
	assert_int_equal(emu_status(NULL), 64);
	for (size_t i = 0; i < N(bad); i++)
		if (emu_status("--socket", "/nonexistent/s", bad[i][0], bad[i][1], NULL) != 64)
			fail_msg("%s %s", bad[i][0], bad[i][1]);
	assert_int_equal(emu_status("--socket", "s", "more", NULL), 64);
	assert_int_equal(emu_status("--list-profiles", NULL), 0);
	assert_int_equal(emu_status("--list-deviations", NULL), 0);
	assert_int_equal(emu_status("--socket", "/nonexistent/s", NULL), 66);
}

static void a_socket_in_use_is_left_alone_and_one_left_behind_is_replaced(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, NULL);
	assert_int_equal(emu_status("--socket", e.path, NULL), 71);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_state(fd), RUNNING);
	close(fd);
	kill(e.pid, SIGKILL);
	assert_true(WIFSIGNALED(emu_wait(&e)));
	assert_int_equal(access(e.path, F_OK), 0);
	emu_restart(&e, 1, NULL);
	close(wire_open(&e, 0));
	emu_stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lower_minor_version_is_agreed_on),
		cmocka_unit_test(versions_that_cannot_be_are_the_end_of_the_connection),
		cmocka_unit_test(
			a_client_that_breaks_the_protocol_is_dropped_and_the_next_is_served),
		cmocka_unit_test(random_bytes_never_bring_it_down),
		cmocka_unit_test(the_device_is_a_pci_function),
		cmocka_unit_test(what_may_be_written_of_the_configuration_space_is_kept),
		cmocka_unit_test(what_cannot_be_is_refused_and_nothing_else_happens),
		cmocka_unit_test(features_are_probed_as_they_are_served),
		cmocka_unit_test(dma_logging_reports_every_eighth_page_of_its_ranges),
		cmocka_unit_test(memory_and_interrupts_are_accepted_and_fds_closed),
		cmocka_unit_test(commands_in_flight_are_answered_in_order),
		cmocka_unit_test(no_reply_means_no_reply_even_to_a_mistake),
		cmocka_unit_test(the_client_s_own_limit_holds),
		cmocka_unit_test(sixty_four_devices_have_a_client_each),
		cmocka_unit_test(a_slow_device_does_not_hold_up_the_others),
		cmocka_unit_test(usage_errors_exit_with_64),
		cmocka_unit_test(a_socket_in_use_is_left_alone_and_one_left_behind_is_replaced),
	};

	return cmocka_run_group_tests_name("vfiomig-emu: server", tests, NULL, NULL);
}
