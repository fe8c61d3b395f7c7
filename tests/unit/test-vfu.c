// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "uapi/vfio.h"
#include "vfu/channel.h"
#include "vfu/version.h"

/*
 * Headers
 */

static void a_header_is_believed_or_not(void **state)
{
	static const struct {
		uint32_t size, flags;
		int result;
	} rows[] = {
		/* clang-format off */
		{ 16,                   0,                       0 },
		{ 16,                   VFU_TYPE_REPLY,          0 },
		{ 16,                   VFU_NO_REPLY,            0 },
		{ 16,                   VFU_TYPE_REPLY | VFU_ERROR, 0 },
		{ VFU_MESSAGE_MAX,      0,                       0 },
		{ VFU_MESSAGE_MAX + 1,  0,                       -EPROTO },
		{ UINT32_MAX,           0,                       -EPROTO },
		{ 0x80000000u,          0,                       -EPROTO },
		{ 15,                   0,                       -EPROTO },
		{ 0,                    0,                       -EPROTO },
		{ 16,                   2,                       -EPROTO },
		{ 16,                   15,                      -EPROTO },
		{ 16,                   VFU_ERROR,               -EPROTO },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vfu_header h = { 7, VFU_FEATURE, rows[i].size, rows[i].flags, 5 }, back;
		uint8_t wire[VFU_HEADER_SIZE];
		struct err err = { 0 };

		vfu_header_encode(&h, wire);
		if (vfu_header_decode(wire, &back, &err) != rows[i].result)
			fail_msg("row %zu", i);
		if (!rows[i].result)
			assert_memory_equal(&h, &back, sizeof(h));
		else
			assert_true(err.code == -EPROTO && *err.text);
	}
}

static void flags_that_mean_nothing_are_not_seen(void **state)
{
	struct vfu_header h = { 1, 2, 16, 0xffffff01, 0 };
	uint8_t wire[VFU_HEADER_SIZE];

	(void)state;
	vfu_header_encode(&h, wire);
	assert_int_equal(vfu_header_decode(wire, &h, NULL), 0);
	assert_int_equal(h.flags, VFU_TYPE_REPLY);
	h.flags = 0xffffffc1 | VFU_ERROR | VFU_NO_REPLY;
	vfu_header_encode(&h, wire);
	assert_int_equal(vfu_header_decode(wire, &h, NULL), 0);
	assert_int_equal(h.flags, VFU_TYPE_REPLY | VFU_ERROR | VFU_NO_REPLY);
}

static void a_header_lies_as_the_protocol_draws_it(void **state)
{
	static const uint8_t drawn[VFU_HEADER_SIZE] = { 0x02, 0x01, 0x04, 0x03, 0x18, 0, 0, 0,
							0x21, 0,    0,	  0,	0x16, 0, 0, 0 };
	struct vfu_header h;

	(void)state;
	assert_int_equal(vfu_header_decode(drawn, &h, NULL), 0);
	assert_int_equal(h.id, 0x0102);
	assert_int_equal(h.command, 0x0304);
	assert_int_equal(vfu_payload_size(&h), 8);
	assert_true(vfu_is_reply(&h));
	assert_int_equal(vfu_reply_code(&h), -EINVAL);
}

static void an_error_always_has_a_number(void **state)
{
	static const struct {
		uint32_t flags, error;
		int code;
	} rows[] = {
		{ VFU_TYPE_REPLY, 0, 0 },
		{ VFU_TYPE_REPLY, EINVAL, 0 }, /* reserved there */
		{ VFU_TYPE_REPLY | VFU_ERROR, ENOSPC, -ENOSPC },
		{ VFU_TYPE_REPLY | VFU_ERROR, 0, -EIO },
		{ VFU_TYPE_REPLY | VFU_ERROR, VFU_ERRNO_MAX, -VFU_ERRNO_MAX },
		{ VFU_TYPE_REPLY | VFU_ERROR, VFU_ERRNO_MAX + 1, -EIO },
		{ VFU_TYPE_REPLY | VFU_ERROR, 0x80000000u, -EIO },
		{ VFU_TYPE_REPLY | VFU_ERROR, (uint32_t)-EINVAL, -EIO },
	};
	struct vfu_header h = vfu_command_header(9, VFU_RESET), reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		h.flags = rows[i].flags;
		h.error = rows[i].error;
		assert_int_equal(vfu_reply_code(&h), rows[i].code);
	}
	reply = vfu_reply_header(&h, -EBUSY);
	assert_int_equal(reply.id, 9);
	assert_int_equal(reply.command, VFU_RESET);
	assert_int_equal(vfu_reply_code(&reply), -EBUSY);
	reply = vfu_reply_header(&h, 0);
	assert_int_equal(vfu_reply_code(&reply), 0);
}

static void a_refused_probe_is_no_or_a_failure(void **state)
{
	static const struct {
		uint32_t flags, error;
		enum vfu_answer answer;
	} rows[] = {
		{ VFU_TYPE_REPLY, 0, VFU_YES },
		{ VFU_TYPE_REPLY, EINVAL, VFU_YES }, /* no flag, no error */
		{ VFU_TYPE_REPLY | VFU_ERROR, 0, VFU_NO },
		{ VFU_TYPE_REPLY | VFU_ERROR, ENOSYS, VFU_NO },
		{ VFU_TYPE_REPLY | VFU_ERROR, EINVAL, VFU_NO },
		{ VFU_TYPE_REPLY | VFU_ERROR, ENOTTY, VFU_NO },
		{ VFU_TYPE_REPLY | VFU_ERROR, EOPNOTSUPP, VFU_NO },
		{ VFU_TYPE_REPLY | VFU_ERROR, EIO, VFU_FAILED },
		{ VFU_TYPE_REPLY | VFU_ERROR, EBUSY, VFU_FAILED },
		{ VFU_TYPE_REPLY | VFU_ERROR, UINT32_MAX, VFU_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vfu_header h = { 1, VFU_FEATURE, 16, rows[i].flags, rows[i].error };

		assert_int_equal(vfu_probe_answer(&h), rows[i].answer);
	}
}

static void commands_have_names(void **state)
{
	(void)state;
	assert_string_equal(vfu_command_name(VFU_VERSION), "VERSION");
	assert_string_equal(vfu_command_name(VFU_MIG_DATA_WRITE), "MIG_DATA_WRITE");
	assert_string_equal(vfu_command_name(14), "unknown");
	assert_string_equal(vfu_command_name(0), "unknown");
	assert_string_equal(vfu_command_name(19), "unknown");
	assert_string_equal(vfu_command_name(UINT16_MAX), "unknown");
}

/*
 * Payloads
 */

static void data_must_be_there_and_no_more_than_asked_for(void **state)
{
	static const struct {
		uint32_t size, max;
		size_t len;
		int result;
	} rows[] = {
		{ 0, 0, 8, 0 },
		{ 100, 100, 108, 0 },
		{ 50, 100, 108, 0 }, /* padded */
		{ 101, 100, 109, -EPROTO },
		{ 100, 100, 107, -EPROTO },
		{ 100, 100, 8, -EPROTO },
		{ 0, 100, 7, -EPROTO },
		{ UINT32_MAX, UINT32_MAX, 108, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vfu_mig_data d = { .argsz = 1, .size = rows[i].size };

		if (vfu_mig_data_check(&d, rows[i].len, rows[i].max, NULL) != rows[i].result)
			fail_msg("row %zu", i);
	}
}

static void a_region_s_reply_must_fit_what_was_asked(void **state)
{
	static const struct vfu_region_access asked = { 0x10, 7, 4 };
	static const struct {
		struct vfu_region_access a;
		size_t len;
		bool data;
		int result;
	} rows[] = {
		{ { 0x10, 7, 4 }, 20, true, 0 },	{ { 0x10, 7, 4 }, 64, true, 0 },
		{ { 0x10, 7, 4 }, 19, true, -EPROTO },	{ { 0x10, 7, 4 }, 16, false, 0 },
		{ { 0x10, 7, 4 }, 15, false, -EPROTO }, { { 0x11, 7, 4 }, 20, true, -EPROTO },
		{ { 0x10, 6, 4 }, 20, true, -EPROTO },	{ { 0x10, 7, 3 }, 20, true, -EPROTO },
		{ { 0x10, 7, 5 }, 21, true, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (vfu_region_check(&asked, &rows[i].a, rows[i].len, rows[i].data, NULL) !=
		    rows[i].result)
			fail_msg("row %zu", i);
}

static void a_feature_s_data_is_that_feature_s(void **state)
{
	const uint32_t flags = UAPI_FEATURE_MIG_DEVICE_STATE | UAPI_FEATURE_GET;
	uint32_t payload[] = { 16, flags, MIG_STOP, UINT32_MAX };
	struct vfu_mig_state s;

	(void)state;
	assert_int_equal(vfu_feature_data(payload, 16, flags, &s, sizeof(s), NULL), 0);
	assert_int_equal(s.state, MIG_STOP);
	assert_int_equal(s.data_fd, -1);
	assert_int_equal(vfu_feature_data(payload, 15, flags, &s, sizeof(s), NULL), -EPROTO);
	assert_int_equal(vfu_feature_data(payload, 8, flags, &s, sizeof(s), NULL), -EPROTO);
	assert_int_equal(vfu_feature_data(payload, 7, flags, &s, sizeof(s), NULL), -EPROTO);
	assert_int_equal(vfu_feature_data(payload, 16, UAPI_FEATURE_MIGRATION, &s, sizeof(s), NULL),
			 -EPROTO);
}

/*
 * Versions
 */

static int decode(const char *json, size_t len, struct vfu_version *v, struct err *err)
{
	uint8_t payload[4 + 2 * VFU_JSON_MAX] = { 0, 0, 2, 0 };

	assert_true(len <= sizeof(payload) - 4);
	if (len)
		memcpy(payload + 4, json, len);
	return vfu_version_decode(payload, 4 + len, v, err);
}

static void what_a_peer_may_say_is_understood(void **state)
{
	static const struct {
		const char *json;
		struct vfu_version v;
	} rows[] = {
		/* clang-format off */
		{ "", { 0, 2, 1, 1048576, 0, false } },
		{ "{}", { 0, 2, 1, 1048576, 0, false } },
		{ " { } ", { 0, 2, 1, 1048576, 0, false } },
		{ "{\"capabilities\":{}}", { 0, 2, 1, 1048576, 0, false } },
		{ "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
		  "\"migration\":{\"pgsize\":4096}}}", { 0, 2, 8, 1048576, 4096, false } },
		{ "{\"capabilities\":{\"max_msg_fds\":0}}", { 0, 2, 0, 1048576, 0, false } },
		{ "{\"capabilities\":{\"max_msg_fds\":1024}}", { 0, 2, 1024, 1048576, 0, false } },
		{ "{\"capabilities\":{\"max_data_xfer_size\":1}}", { 0, 2, 1, 1, 0, false } },
		/* more than can be used is as good as what can */
		{ "{\"capabilities\":{\"max_data_xfer_size\":1048577}}",
		  { 0, 2, 1, 1048576, 0, false } },
		{ "{\"capabilities\":{\"max_data_xfer_size\":9223372036854775807}}",
		  { 0, 2, 1, 1048576, 0, false } },
		{ "{\"capabilities\":{\"max_data_xfer_size\":99999999999999999999}}",
		  { 0, 2, 1, 1048576, 0, false } },
		{ "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}",
		  { 0, 2, 1, 1048576, 0, true } },
		{ "{\"capabilities\":{\"twin_socket\":{\"supported\":false}}}",
		  { 0, 2, 1, 1048576, 0, false } },
		{ "{\"capabilities\":{\"twin_socket\":{}}}", { 0, 2, 1, 1048576, 0, false } },
		{ "{\"capabilities\":{\"migration\":{}}}", { 0, 2, 1, 1048576, 0, false } },
		/* unknown keys */
		{ "{\"x\":[1,{\"y\":null}],\"capabilities\":{\"z\":{},\"write_multiple\":true,"
		  "\"max_dma_maps\":65535,\"pgsizes\":4096,\"max_msg_fds\":2}}",
		  { 0, 2, 2, 1048576, 0, false } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vfu_version v;
		struct err err = { 0 };

		if (decode(rows[i].json, strlen(rows[i].json) + 1, &v, &err))
			fail_msg("%s: %s", rows[i].json, err.text);
		assert_int_equal(v.major, 0);
		assert_int_equal(v.minor, 2);
		assert_int_equal(v.max_msg_fds, rows[i].v.max_msg_fds);
		assert_int_equal(v.max_data_xfer_size, rows[i].v.max_data_xfer_size);
		assert_int_equal(v.pgsize, rows[i].v.pgsize);
		assert_int_equal(v.twin_socket, rows[i].v.twin_socket);
	}
	{
		struct vfu_version v;

		assert_int_equal(decode(NULL, 0, &v, NULL), 0); /* no JSON at all */
		assert_int_equal(decode("{}\0\0\0", 5, &v, NULL), 0);
	}
}

static void what_no_peer_may_say_is_refused(void **state)
{
	static const char *const rows[] = {
		"{",
		"}",
		"[]",
		"1",
		"null",
		"\"capabilities\"",
		"{\"capabilities\":[]}",
		"{\"capabilities\":null}",
		"{\"capabilities\":{\"max_msg_fds\":1025}}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
		"{\"capabilities\":{\"max_msg_fds\":8.5}}",
		"{\"capabilities\":{\"max_msg_fds\":null}}",
		"{\"capabilities\":{\"max_msg_fds\":18446744073709551615}}",
		"{\"capabilities\":{\"max_data_xfer_size\":0}}",
		"{\"capabilities\":{\"max_data_xfer_size\":-1}}",
		"{\"capabilities\":{\"max_data_xfer_size\":true}}",
		"{\"capabilities\":{\"migration\":4096}}",
		"{\"capabilities\":{\"migration\":{\"pgsize\":0}}}",
		"{\"capabilities\":{\"migration\":{\"pgsize\":4097}}}",
		"{\"capabilities\":{\"migration\":{\"pgsize\":-4096}}}",
		"{\"capabilities\":{\"twin_socket\":true}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":1}}}",
		"{} {}",
		"{}x",
		"{\"capabilities\":{},}",

		"{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}",
	};
	struct vfu_version v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		if (decode(rows[i], strlen(rows[i]) + 1, &v, &err) != -EPROTO || !*err.text)
			fail_msg("%s", rows[i]);
	}
	assert_int_equal(decode("{}", 2, &v, NULL), -EPROTO); /* no NUL */
	assert_int_equal(decode("{\0}", 4, &v, NULL), -EPROTO);
	assert_int_equal(vfu_version_decode("\0\0\0", 3, &v, NULL), -EPROTO);
	assert_int_equal(vfu_version_decode("", 0, &v, NULL), -EPROTO);
}

static void too_much_json_is_not_even_looked_at(void **state)
{
	static char json[VFU_JSON_MAX + 2];
	struct vfu_version v;

	(void)state;
	memset(json, ' ', sizeof(json));
	memcpy(json, "{}", 2);
	json[VFU_JSON_MAX - 1] = '\0';
	assert_int_equal(decode(json, VFU_JSON_MAX, &v, NULL), 0);
	json[VFU_JSON_MAX - 1] = ' ';
	json[VFU_JSON_MAX] = '\0';
	assert_int_equal(decode(json, VFU_JSON_MAX + 1, &v, NULL), -EPROTO);
	memset(json, '[', sizeof(json));
	json[VFU_JSON_MAX - 1] = '\0';
	assert_int_equal(decode(json, VFU_JSON_MAX, &v, NULL), -EPROTO);
}

static void what_is_written_is_read_back(void **state)
{
	static const struct vfu_version rows[] = {
		{ 0, 2, 8, 1048576, 4096, false },
		{ 7, 9, 0, 1, 0, false },
		{ UINT16_MAX, UINT16_MAX, 1024, 4096, UINT64_C(1) << 62, false },
	};
	uint8_t payload[VFU_VERSION_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = vfu_version_encode(&rows[i], payload);
		struct vfu_version v;

		assert_true(len <= sizeof(payload) && !payload[len - 1]);
		assert_int_equal(vfu_version_decode(payload, len, &v, NULL), 0);
		assert_int_equal(v.major, rows[i].major);
		assert_int_equal(v.minor, rows[i].minor);
		assert_int_equal(v.max_msg_fds, rows[i].max_msg_fds);
		assert_int_equal(v.max_data_xfer_size, rows[i].max_data_xfer_size);
		assert_int_equal(v.pgsize, rows[i].pgsize);
	}
}

static void both_sides_agree_on_the_lower_minor_version(void **state)
{
	static const struct vfu_version ours = { 0, 2, 8, VFU_XFER_MAX, 4096, false };
	struct vfu_version theirs = ours, v;

	(void)state;
	for (uint16_t minor = 0; minor < 5; minor++) {
		theirs.minor = minor;
		assert_int_equal(vfu_version_accept(&ours, &theirs, &v, NULL), 0);
		assert_int_equal(v.minor, MIN(minor, 2));
		assert_int_equal(vfu_version_confirm(&theirs, &v, NULL), 0);
		v.minor = (uint16_t)(minor + 1);
		assert_int_equal(vfu_version_confirm(&theirs, &v, NULL), -EPROTONOSUPPORT);
	}
	theirs.major = 1;
	assert_int_equal(vfu_version_accept(&ours, &theirs, &v, NULL), -EPROTONOSUPPORT);
	assert_int_equal(vfu_version_confirm(&ours, &theirs, NULL), -EPROTONOSUPPORT);
	theirs = ours;
	theirs.twin_socket = true;
	assert_int_equal(vfu_version_confirm(&ours, &theirs, NULL), -EPROTO);
}

/*
 * Sockets
 */

struct pair {
	struct vfu_channel a, b;
};

static struct pair make_pair(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	return (struct pair){ { .fd = fds[0], .timeout_ms = 60000 },
			      { .fd = fds[1], .timeout_ms = 60000 } };
}

static void close_pair(struct pair *p)
{
	close(p->a.fd);
	close(p->b.fd);
}

/* The other side: byte by byte, if told to. */
struct sender {
	struct vfu_channel *ch;
	const uint8_t *bytes;
	size_t len, step;
};

static void *send_slowly(void *arg)
{
	struct sender *s = arg;
	ssize_t n;

	for (size_t at = 0; at < s->len; at += (size_t)n) {
		n = send(s->ch->fd, s->bytes + at, MIN(s->step, s->len - at), MSG_NOSIGNAL);
		if (n <= 0)
			break;
	}
	return NULL;
}

static void a_message_arrives_however_it_is_cut(void **state)
{
	static const size_t steps[] = { 1, 7, 16, 17, 4096 };
	uint8_t bytes[16 + 300 + 16], got[300];
	struct vfu_header h = { 1, VFU_REGION_READ, 316, VFU_TYPE_REPLY, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	vfu_header_encode(&h, bytes);
	h.id = 2;
	h.size = 16;
	vfu_header_encode(&h, bytes + 316);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct pair p = make_pair();
		struct sender s = { &p.a, bytes, sizeof(bytes), steps[i] };
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, send_slowly, &s), 0);
		assert_int_equal(vfu_receive_header(&p.b, &h, NULL, NULL), 0);
		assert_int_equal(vfu_payload_size(&h), 300);
		assert_int_equal(vfu_receive(&p.b, got, 100, NULL), 0);
		assert_memory_equal(got, bytes + 16, 100);
		if (i % 2) /* the rest may be left */
			assert_int_equal(vfu_receive(&p.b, got, 200, NULL), 0);
		assert_int_equal(vfu_receive(&p.b, got, 201, NULL), -EPROTO);
		assert_int_equal(vfu_receive_header(&p.b, &h, NULL, NULL), 0);
		assert_int_equal(h.id, 2);
		pthread_join(thread, NULL);
		close_pair(&p);
	}
}

struct receiver {
	struct vfu_channel *ch;
	uint8_t *buf;
	size_t len;
	int result;
};

static void *receive_all(void *arg)
{
	struct receiver *r = arg;
	struct vfu_header h;

	r->result = vfu_receive_header(r->ch, &h, NULL, NULL);
	r->len = vfu_payload_size(&h);
	if (!r->result)
		r->result = vfu_receive(r->ch, r->buf, r->len, NULL);
	return NULL;
}

static void a_message_of_any_size_is_sent_whole(void **state)
{
	static const struct vfu_mig_data head = { 8, VFU_XFER_MAX };
	struct vfu_header h = vfu_command_header(3, VFU_MIG_DATA_WRITE);
	uint8_t *data = malloc(VFU_XFER_MAX), *got = malloc(VFU_PAYLOAD_MAX);
	struct vfu_parts parts = {
		.head = &head, .head_len = sizeof(head), .data = data, .data_len = VFU_XFER_MAX
	};
	struct pair p = make_pair();
	struct receiver r = { .ch = &p.b, .buf = got };
	pthread_t thread;

	(void)state;
	assert_true(data && got);
	for (size_t i = 0; i < VFU_XFER_MAX; i++)
		data[i] = (uint8_t)(i * 7 >> 3);
	assert_int_equal(pthread_create(&thread, NULL, receive_all, &r), 0);
	assert_int_equal(vfu_send(&p.a, &h, &parts, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.len, sizeof(head) + VFU_XFER_MAX);
	assert_memory_equal(got, &head, sizeof(head));
	assert_memory_equal(got + sizeof(head), data, VFU_XFER_MAX);
	parts.data_len = VFU_PAYLOAD_MAX;
	assert_int_equal(vfu_send(&p.a, &h, &parts, NULL), -EMSGSIZE);
	close_pair(&p);
	free(data);
	free(got);
}

static void fds_come_along_or_are_closed(void **state)
{
	struct vfu_header h = vfu_command_header(1, VFU_DMA_MAP);
	struct vfu_fds fds = { .n = 0 };
	int pipes[2][2], sent[2];
	struct vfu_parts parts = { .fds = sent, .n_fds = 2 };
	struct pair p = make_pair();
	char c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		sent[i] = pipes[i][1];
	}
	assert_int_equal(vfu_send(&p.a, &h, &parts, NULL), 0);
	assert_int_equal(vfu_send(&p.a, &h, &parts, NULL), 0);
	close(sent[0]);
	close(sent[1]);
	assert_int_equal(vfu_receive_header(&p.b, &h, &fds, NULL), 0);
	assert_int_equal(fds.n, 2);
	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(fds.fd[i], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(write(fds.fd[i], "x", 1), 1);
		assert_int_equal(read(pipes[i][0], &c, 1), 1);
	}
	vfu_fds_done(&fds);
	assert_int_equal(vfu_receive_header(&p.b, &h, NULL, NULL), 0);
	assert_int_equal(read(pipes[0][0], &c, 1), 0); /* no process has the other end */
	assert_int_equal(read(pipes[1][0], &c, 1), 0);
	close(pipes[0][0]);
	close(pipes[1][0]);
	close_pair(&p);
}

static void more_fds_than_anybody_wants_are_closed(void **state)
{
	struct vfu_header h = vfu_command_header(1, VFU_DMA_MAP);
	int ends[2], sent[VFU_FDS_MAX];
	struct vfu_parts parts = { .fds = sent, .n_fds = VFU_FDS_MAX };
	struct vfu_fds fds = { .n = VFU_FDS_MAX - 1 };
	struct pair p = make_pair();
	uint8_t wire[16];
	char c;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (size_t i = 0; i < VFU_FDS_MAX; i++)
		sent[i] = ends[1];
	assert_int_equal(vfu_send(&p.a, &h, &parts, NULL), 0);
	close(ends[1]);
	for (size_t i = 0; i < fds.n; i++)
		fds.fd[i] = dup(p.a.fd); /* what came before */
	assert_int_equal(vfu_recv_some(p.b.fd, wire, sizeof(wire), &fds), 16);
	assert_int_equal(fds.n, VFU_FDS_MAX);
	vfu_fds_done(&fds);
	assert_int_equal(read(ends[0], &c, 1), 0);
	close(ends[0]);
	parts.n_fds = VFU_FDS_MAX + 1;
	assert_int_equal(vfu_send(&p.a, &h, &parts, NULL), -EMSGSIZE);
	close_pair(&p);
}

static void a_peer_that_is_gone_or_silent_or_mad_is_told_apart(void **state)
{
	static const uint8_t junk[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct pair p = make_pair();
	struct vfu_header h;
	struct err err = { 0 };
	uint8_t byte;

	(void)state;
	p.b.timeout_ms = 10;
	assert_int_equal(vfu_receive_header(&p.b, &h, NULL, &err), -ETIMEDOUT);
	assert_int_equal(send(p.a.fd, junk, 16, 0), 16);
	assert_int_equal(vfu_receive_header(&p.b, &h, NULL, &err), -EPROTO);
	h = (struct vfu_header){ 1, 1, 20, 0, 0 };
	assert_int_equal(send(p.a.fd, &h, 16, 0), 16);
	close(p.a.fd);
	assert_int_equal(vfu_receive_header(&p.b, &h, NULL, &err), 0);
	assert_int_equal(vfu_receive(&p.b, &byte, 1, &err), -ECONNRESET);
	assert_int_equal(vfu_receive_header(&p.b, &h, NULL, &err), -ECONNRESET);
	assert_int_equal(vfu_send(&p.b, &h, NULL, &err), -EPIPE);
	close(p.b.fd);
}

/* Bytes that come all the time, but far too few of them; until the other end is closed. */
static void *dribble(void *arg)
{
	const struct vfu_channel *ch = arg;

	while (send(ch->fd, "", 1, MSG_NOSIGNAL) == 1)
		poll(NULL, 0, 1);
	return NULL;
}

static void a_peer_that_dribbles_is_as_good_as_silent(void **state)
{
	static uint8_t payload[VFU_PAYLOAD_MAX];
	struct pair p = make_pair();
	struct vfu_header h = { 1, VFU_REGION_READ, VFU_MESSAGE_MAX, VFU_TYPE_REPLY, 0 };
	struct err err = { 0 };
	pthread_t thread;

	(void)state;
	p.b.timeout_ms = 100;
	assert_int_equal(send(p.a.fd, &h, 16, 0), 16);
	assert_int_equal(vfu_receive_header(&p.b, &h, NULL, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, dribble, &p.a), 0);
	assert_int_equal(vfu_receive(&p.b, payload, sizeof(payload), &err), -ETIMEDOUT);
	assert_string_equal(err.text, "no whole message within 0.1 s");
	close(p.b.fd);
	pthread_join(thread, NULL);
	close(p.a.fd);
}

/* What a server needs that takes a message by one recv(): in a full socket, too. */
static void a_message_that_fits_is_sent_whole_or_not_at_all(void **state)
{
	static uint8_t bytes[64 << 10];
	struct iovec iov[2] = { { .iov_base = bytes, .iov_len = 24 }, { .iov_base = bytes } };
	struct pair p = make_pair();
	size_t fit = vfu_message_fit(p.a.fd), sent = 0;
	ssize_t n;

	(void)state;
	assert_true(fit >= (32u << 10) + 24 && fit < sizeof(bytes));
	for (size_t len = fit; len > 1000; len = len * 2 / 3) {
		iov[1].iov_len = len - 24;
		while ((n = vfu_send_some(p.a.fd, iov, 2, NULL, 0)) > 0) {
			assert_int_equal(n, len);
			sent += len;
		}
		assert_int_equal(n, -EAGAIN);
		/* Room again, though not for all of them: by what is a message's last byte. */
		while (sent > fit * 2) {
			n = vfu_recv_some(p.b.fd, bytes, MIN(sizeof(bytes), sent), NULL);
			assert_true(n > 0);
			sent -= (size_t)n;
		}
	}
	close_pair(&p);
}

static void *cancel_it(void *arg)
{
	cancel_request(arg);
	return NULL;
}

static void waiting_can_be_cancelled(void **state)
{
	struct pair p = make_pair();
	struct cancel cancel;
	struct vfu_header h;
	pthread_t thread;

	(void)state;
	assert_int_equal(cancel_init(&cancel, NULL), 0);
	p.b.cancel = &cancel;
	p.b.timeout_ms = -1;
	assert_int_equal(pthread_create(&thread, NULL, cancel_it, &cancel), 0);
	assert_int_equal(vfu_receive_header(&p.b, &h, NULL, NULL), -ECANCELED);
	pthread_join(thread, NULL);
	cancel_done(&cancel);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_believed_or_not),
		cmocka_unit_test(flags_that_mean_nothing_are_not_seen),
		cmocka_unit_test(a_header_lies_as_the_protocol_draws_it),
		cmocka_unit_test(an_error_always_has_a_number),
		cmocka_unit_test(a_refused_probe_is_no_or_a_failure),
		cmocka_unit_test(commands_have_names),
		cmocka_unit_test(data_must_be_there_and_no_more_than_asked_for),
		cmocka_unit_test(a_region_s_reply_must_fit_what_was_asked),
		cmocka_unit_test(a_feature_s_data_is_that_feature_s),
		cmocka_unit_test(what_a_peer_may_say_is_understood),
		cmocka_unit_test(what_no_peer_may_say_is_refused),
		cmocka_unit_test(too_much_json_is_not_even_looked_at),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(both_sides_agree_on_the_lower_minor_version),
		cmocka_unit_test(a_message_arrives_however_it_is_cut),
		cmocka_unit_test(a_message_of_any_size_is_sent_whole),
		cmocka_unit_test(fds_come_along_or_are_closed),
		cmocka_unit_test(more_fds_than_anybody_wants_are_closed),
		cmocka_unit_test(a_peer_that_is_gone_or_silent_or_mad_is_told_apart),
		cmocka_unit_test(a_peer_that_dribbles_is_as_good_as_silent),
		cmocka_unit_test(a_message_that_fits_is_sent_whole_or_not_at_all),
		cmocka_unit_test(waiting_can_be_cancelled),
	};

	return cmocka_run_group_tests_name("vfu", tests, NULL, NULL);
}
