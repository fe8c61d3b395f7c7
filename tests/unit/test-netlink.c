// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/genl.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "host/devlink.h"
#include "host/extack.h"
#include "uapi/devlink.h"

/*
 * Messages written here by hand, from linux/netlink.h alone.
 */

struct message {
	uint8_t bytes[512];
	size_t len;
};

static void add(struct message *m, const void *data, size_t len)
{
	memcpy(m->bytes + m->len, data, len);
	m->len += len;
	while (m->len % 4)
		m->bytes[m->len++] = 0;
}

static void add_attribute(struct message *m, uint16_t type, const void *data, size_t len)
{
	const struct nlattr attr = { .nla_len = (uint16_t)(sizeof(attr) + len), .nla_type = type };

	add(m, &attr, sizeof(attr));
	add(m, data, len);
}

static void end(struct message *m)
{
	struct nlmsghdr h;

	memcpy(&h, m->bytes, sizeof(h));
	h.nlmsg_len = (uint32_t)m->len;
	memcpy(m->bytes, &h, sizeof(h));
}

static struct message answer(uint16_t type, uint16_t flags, int error)
{
	const struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = flags };
	struct message m = { .len = 0 };

	add(&m, &h, sizeof(h));
	add(&m, &error, sizeof(error));
	return m;
}

/* An answer with the request that it is about: all of it, or (capped) its header. */
static struct message refusal(bool capped, int error, const char *text)
{
	struct message m = answer(NLMSG_ERROR, NLM_F_ACK_TLVS | (capped ? NLM_F_CAPPED : 0), error);
	const struct nlmsghdr request = { .nlmsg_len = sizeof(request) + 60, .nlmsg_type = 20 };
	const uint8_t payload[60] = { 0xff, 0xff, 0xff };
	const uint32_t offset = 64;

	add(&m, &request, sizeof(request));
	if (!capped)
		add(&m, payload, sizeof(payload));
	add_attribute(&m, NLMSGERR_ATTR_MSG, text, strlen(text) + 1);
	add_attribute(&m, NLMSGERR_ATTR_OFFS, &offset, sizeof(offset));
	end(&m);
	return m;
}

static void text_is_found_with_and_without_the_request(void **state)
{
	(void)state;
	for (int capped = 0; capped < 2; capped++) {
		struct message m = refusal(capped, -EOPNOTSUPP, "supported for VFs only");
		struct extack x;

		assert_int_equal(extack_parse(m.bytes, m.len, &x), 0);
		assert_int_equal(x.error, -EOPNOTSUPP);
		assert_string_equal(x.text, "supported for VFs only");
		assert_true(x.has_offset);
		assert_int_equal(x.offset, 64);
	}
}

static void warning_comes_with_success(void **state)
{
	struct message m = refusal(true, 0, "mode is deprecated");
	struct extack x;

	(void)state;
	assert_int_equal(extack_parse(m.bytes, m.len, &x), 0);
	assert_int_equal(x.error, 0);
	assert_string_equal(x.text, "mode is deprecated");
}

static void end_of_a_dump_has_an_errno(void **state)
{
	struct message m = answer(NLMSG_DONE, NLM_F_MULTI | NLM_F_ACK_TLVS, -EMSGSIZE);
	struct extack x;

	(void)state;
	add_attribute(&m, NLMSGERR_ATTR_MSG, "gone", 5);
	end(&m);
	assert_int_equal(extack_parse(m.bytes, m.len, &x), 0);
	assert_int_equal(x.error, -EMSGSIZE);
	assert_string_equal(x.text, "gone");
}

static void control_characters_do_not_reach_a_terminal(void **state)
{
	struct message m = refusal(false, -EINVAL, "mod: \x1b[2Jred\tthing\n");
	struct extack x;

	(void)state;
	assert_int_equal(extack_parse(m.bytes, m.len, &x), 0);
	assert_string_equal(x.text, "mod: ?[2Jred?thing?");
}

static void without_the_flag_there_is_no_text(void **state)
{
	struct message m = refusal(true, -EPERM, "text");
	struct nlmsghdr h;
	struct extack x;

	(void)state;
	memcpy(&h, m.bytes, sizeof(h));
	h.nlmsg_flags = NLM_F_CAPPED;
	memcpy(m.bytes, &h, sizeof(h));
	assert_int_equal(extack_parse(m.bytes, m.len, &x), 0);
	assert_int_equal(x.error, -EPERM);
	assert_string_equal(x.text, "");
	assert_false(x.has_offset);
}

static void long_text_is_cut(void **state)
{
	struct message m = answer(NLMSG_ERROR, NLM_F_ACK_TLVS | NLM_F_CAPPED, -EINVAL);
	const struct nlmsghdr request = { .nlmsg_len = sizeof(request) };
	char text[400];
	struct extack x;

	(void)state;
	memset(text, 'a', sizeof(text));
	add(&m, &request, sizeof(request));
	add_attribute(&m, NLMSGERR_ATTR_MSG, text, sizeof(text));
	end(&m);
	assert_int_equal(extack_parse(m.bytes, m.len, &x), 0);
	assert_int_equal(strlen(x.text), EXTACK_TEXT_MAX - 1);
}

/* Every length that a message can be cut to, from a copy that is no longer. */
static void cut_message_is_refused_or_loses_its_words(void **state)
{
	struct message m = refusal(false, -EINVAL, "text");

	(void)state;
	for (size_t len = 0; len < m.len; len++) {
		_cleanup_free_ uint8_t *copy = malloc(len + 1);
		struct nlmsghdr h;
		struct extack x;
		int r;

		memcpy(&h, m.bytes, sizeof(h));
		h.nlmsg_len = (uint32_t)len;
		memcpy(copy, m.bytes, len);
		if (len >= sizeof(h))
			memcpy(copy, &h, sizeof(h));
		r = extack_parse(copy, len, &x);
		assert_true(r == -EBADMSG || (r == 0 && x.error == -EINVAL));
		if (len <= sizeof(h) + sizeof(int) + sizeof(h) + 56)
			assert_int_equal(r, -EBADMSG);
	}
}

static void what_is_no_answer_is_refused(void **state)
{
	struct message wrong_type = answer(20, 0, -EINVAL);
	struct message positive = answer(NLMSG_DONE, 0, 5);
	struct extack x;

	(void)state;
	end(&wrong_type);
	end(&positive);
	assert_int_equal(extack_parse(wrong_type.bytes, wrong_type.len, &x), -EBADMSG);
	assert_int_equal(extack_parse(positive.bytes, positive.len, &x), -EBADMSG);
}

/*
 * Ports
 */

struct port_row {
	const char *bus, *dev;
	uint16_t flavour, pf, vf;
	uint8_t external;
	uint32_t value, selector;
	bool leads;
	enum devlink_value migratable;
};

static struct nl_msg *port_message(const struct port_row *row)
{
	const struct nla_bitfield32 caps = { .value = row->value, .selector = row->selector };
	struct nl_msg *msg = nlmsg_alloc();
	struct nlattr *nest;

	assert_non_null(msg);
	nla_put_string(msg, UAPI_DEVLINK_BUS_NAME, row->bus);
	nla_put_string(msg, UAPI_DEVLINK_DEV_NAME, row->dev);
	nla_put_u32(msg, UAPI_DEVLINK_PORT_INDEX, 4);
	nla_put_u16(msg, UAPI_DEVLINK_PORT_FLAVOUR, row->flavour);
	nla_put_u16(msg, UAPI_DEVLINK_PORT_PF_NUMBER, row->pf);
	nla_put_u16(msg, UAPI_DEVLINK_PORT_VF_NUMBER, row->vf);
	nla_put_u8(msg, UAPI_DEVLINK_PORT_EXTERNAL, row->external);
	nla_put_string(msg, UAPI_DEVLINK_NETDEV_NAME, "eth0pf0vf3");
	nest = nla_nest_start(msg, UAPI_DEVLINK_PORT_FUNCTION);
	if (row->selector)
		nla_put(msg, UAPI_DEVLINK_FN_CAPS, sizeof(caps), &caps);
	nla_nest_end(msg, nest);
	return msg;
}

static void port_is_the_one_of_the_vf(void **state)
{
	static const struct devlink_vf vf = { .dev = "0000:3b:00.1", .pf = 1, .vf = 3 };
	static const struct port_row rows[] = {
		/* clang-format off */
		{ "pci", "0000:3b:00.1", 4, 1, 3, 0, 2, 2, true,  DEVLINK_ON },
		{ "pci", "0000:3b:00.1", 4, 1, 3, 0, 1, 3, true,  DEVLINK_OFF },
		{ "pci", "0000:3b:00.1", 4, 1, 3, 0, 3, 1, true,  DEVLINK_ABSENT },
		{ "pci", "0000:3b:00.1", 4, 1, 3, 0, 0, 0, true,  DEVLINK_ABSENT },
		{ "pci", "0000:3b:00.1", 4, 1, 3, 1, 2, 2, false, DEVLINK_ON },
		{ "pci", "0000:3b:00.1", 4, 1, 2, 0, 2, 2, false, DEVLINK_ON },
		{ "pci", "0000:3b:00.1", 4, 0, 3, 0, 2, 2, false, DEVLINK_ON },
		{ "pci", "0000:3b:00.1", 7, 1, 3, 0, 2, 2, false, DEVLINK_ON },
		{ "pci", "0000:3b:00.0", 4, 1, 3, 0, 2, 2, false, DEVLINK_ON },
		{ "auxiliary", "0000:3b:00.1", 4, 1, 3, 0, 2, 2, false, DEVLINK_ON },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nl_msg *msg = port_message(&rows[i]);
		struct nlmsghdr *h = nlmsg_hdr(msg);
		char name[DEVLINK_PORT_NAME_MAX];
		struct devlink_port port;

		assert_int_equal(
			devlink_port_decode(nlmsg_attrdata(h, 0), nlmsg_attrlen(h, 0), &port), 0);
		assert_int_equal(devlink_port_leads_to(&port, &vf), rows[i].leads);
		assert_int_equal(port.migratable, rows[i].migratable);
		assert_string_equal(port.netdev, "eth0pf0vf3");
		if (rows[i].leads)
			assert_string_equal(devlink_port_name(&port, name), "pci/0000:3b:00.1/4");
		nlmsg_free(msg);
	}
}

static void port_without_its_name_is_refused(void **state)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct devlink_port port;

	(void)state;
	nla_put_u32(msg, UAPI_DEVLINK_PORT_INDEX, 4);
	assert_int_equal(devlink_port_decode(nlmsg_attrdata(nlmsg_hdr(msg), 0),
					     nlmsg_attrlen(nlmsg_hdr(msg), 0), &port),
			 -EBADMSG);
	nlmsg_free(msg);
}

/*
 * Exchanges: a kernel that answers each request with what is next in a script.
 */

#define FAMILY 30

/* One datagram: what recvmsg() fails with, or messages in it. */
struct datagram {
	int fails;
	uint32_t from;
	bool stale; /* of a request before */
	struct message m;
};

static struct {
	struct datagram v[8];
	size_t n, at;
	unsigned int requests;
	uint32_t seq;
} kernel;

static int fake_send(struct nl_sock *sk, struct nl_msg *msg)
{
	(void)sk;
	kernel.requests++;
	kernel.seq = nlmsg_hdr(msg)->nlmsg_seq;
	return (int)nlmsg_hdr(msg)->nlmsg_len;
}

/* Each message gets the number of the request. */
static int fake_recv(struct nl_sock *sk, struct sockaddr_nl *from, unsigned char **buf,
		     struct ucred **credentials)
{
	struct datagram *d = &kernel.v[kernel.at++];

	(void)sk;
	(void)credentials;
	assert_true(kernel.at <= kernel.n);
	*from = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = d->from };
	if (d->fails) {
		errno = d->fails;
		return d->fails == ENOBUFS  ? -NLE_NOMEM
		       : d->fails == EAGAIN ? -NLE_AGAIN
					    : -NLE_FAILURE;
	}
	for (size_t i = 0; i < d->m.len;) {
		struct nlmsghdr h;

		memcpy(&h, d->m.bytes + i, sizeof(h));
		h.nlmsg_seq = kernel.seq - d->stale;
		memcpy(d->m.bytes + i, &h, sizeof(h));
		i += NLMSG_ALIGN(h.nlmsg_len);
	}
	*buf = malloc(d->m.len);
	assert_non_null(*buf);
	memcpy(*buf, d->m.bytes, d->m.len);
	return (int)d->m.len;
}

static struct netlink *fake_kernel(const struct datagram *v, size_t n)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct nl_cb *cb;

	assert_non_null(sk);
	memset(&kernel, 0, sizeof(kernel));
	memcpy(kernel.v, v, n * sizeof(*v));
	kernel.n = n;
	cb = nl_socket_get_cb(sk);
	nl_cb_overwrite_recv(cb, fake_recv);
	nl_cb_overwrite_send(cb, fake_send);
	nl_cb_put(cb);
	return netlink_wrap(sk, "fake", FAMILY, 1);
}

/* A generic netlink message with one attribute, a number. */
static void add_item(struct message *m, uint16_t flags, uint32_t number)
{
	const struct nlmsghdr h = { .nlmsg_len = sizeof(h) + 4 + 8,
				    .nlmsg_type = FAMILY,
				    .nlmsg_flags = flags };
	const uint8_t generic[4] = { 7, 1 };

	add(m, &h, sizeof(h));
	add(m, generic, sizeof(generic));
	add_attribute(m, 3, &number, sizeof(number));
}

static struct datagram items(uint16_t flags, uint32_t first, uint32_t n)
{
	struct datagram d = { 0 };

	for (uint32_t i = 0; i < n; i++)
		add_item(&d.m, flags, first + i);
	return d;
}

static struct datagram done(uint16_t flags, int error)
{
	struct datagram d = { .m = answer(NLMSG_DONE, (uint16_t)(NLM_F_MULTI | flags), error) };

	end(&d.m);
	return d;
}

/* What was seen since the last beginning. */
struct seen {
	uint32_t sum;
	unsigned int begun, fails_at;
};

static void seen_begin(void *ctx)
{
	struct seen *seen = ctx;

	seen->begun++;
	seen->sum = 0;
}

static int seen_add(void *ctx, uint8_t cmd, struct nlattr *attrs, int len)
{
	struct seen *seen = ctx;
	struct nlattr *tb[4];

	assert_int_equal(cmd, 7);
	assert_int_equal(nla_parse(tb, 3, attrs, len, NULL), 0);
	seen->sum += nla_get_u32(tb[3]);
	return seen->fails_at && seen->sum >= seen->fails_at ? -EBADMSG : 0;
}

static int dump(struct netlink *nl, struct seen *seen, struct err *err)
{
	return netlink_dump(nl, netlink_request(nl, 5), seen_begin, seen_add, seen, err);
}

static void dump_that_changed_is_read_again(void **state)
{
	const struct datagram script[] = {
		items(NLM_F_MULTI, 100, 2),
		items(NLM_F_MULTI | NLM_F_DUMP_INTR, 1, 1),
		done(NLM_F_DUMP_INTR, 0),
		items(NLM_F_MULTI, 1, 3),
		done(0, 0),
	};
	_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(script, ARRAY_SIZE(script));
	struct seen seen = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dump(nl, &seen, &err), 0);
	assert_int_equal(seen.begun, 2);
	assert_int_equal(seen.sum, 6);
	assert_int_equal(kernel.requests, 2);
}

static void dump_that_fails_at_its_end_has_failed(void **state)
{
	struct datagram script[] = { items(NLM_F_MULTI, 1, 2), done(0, -EMSGSIZE) };
	_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(script, ARRAY_SIZE(script));
	struct seen seen = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dump(nl, &seen, &err), -EMSGSIZE);
	assert_string_equal(err.text, "fake");
	assert_true(err.system);
}

static void dump_ends_with_the_callers_failure(void **state)
{
	const struct datagram script[] = { items(NLM_F_MULTI, 1, 4), done(0, 0) };
	_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(script, ARRAY_SIZE(script));
	struct seen seen = { .fails_at = 3 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dump(nl, &seen, &err), -EBADMSG);
	assert_int_equal(seen.sum, 3);
	assert_int_equal(kernel.at, 2);
}

/* libnl makes one code of several of these. */
static void errno_and_words_are_the_kernels(void **state)
{
	static const int errors[] = {
		EINVAL, EFAULT, ENOPROTOOPT, ENOBUFS, ENOMEM, ENODEV, EUCLEAN
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const struct datagram script[] = { { .m = refusal(i % 2, -errors[i], "no\n") } };
		_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(script, 1);
		struct err err = { 0 };

		assert_int_equal(netlink_ask(nl, netlink_request(nl, 6), NULL, NULL, &err),
				 -errors[i]);
		assert_string_equal(err.text, "fake: no?");
		assert_true(err.system);
	}
}

static void reply_comes_before_its_acknowledgement(void **state)
{
	struct datagram script[] = { items(0, 4, 1), { .m = refusal(true, 0, "warning") } };
	_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(script, ARRAY_SIZE(script));
	struct seen seen = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(netlink_ask(nl, netlink_request(nl, 5), seen_add, &seen, &err), 0);
	assert_int_equal(seen.sum, 4);
	assert_int_equal(kernel.at, 2);
}

static struct datagram reply(struct nl_msg *port)
{
	struct datagram d = { 0 };
	struct genlmsghdr *g;

	assert_non_null(genlmsg_put(port, 0, 0, FAMILY, 0, 0, UAPI_DEVLINK_CMD_PORT_NEW, 1));
	g = nlmsg_data(nlmsg_hdr(port));
	assert_int_equal(g->cmd, UAPI_DEVLINK_CMD_PORT_NEW);
	nla_put_string(port, UAPI_DEVLINK_BUS_NAME, "pci");
	nla_put_string(port, UAPI_DEVLINK_DEV_NAME, "0000:3b:00.0");
	nla_put_u32(port, UAPI_DEVLINK_PORT_INDEX, 4);
	nla_put_u16(port, UAPI_DEVLINK_PORT_FLAVOUR, 4);
	nla_put_u16(port, UAPI_DEVLINK_PORT_PF_NUMBER, 0);
	nla_put_u16(port, UAPI_DEVLINK_PORT_VF_NUMBER, 3);
	add(&d.m, nlmsg_hdr(port), nlmsg_hdr(port)->nlmsg_len);
	nlmsg_free(port);
	return d;
}

static void port_that_is_not_there_is_told_from_a_device(void **state)
{
	const struct datagram no = { .m = refusal(true, -ENODEV, "") };
	const struct datagram yes = { .m = refusal(true, 0, "") };
	struct datagram rows[][3] = {
		{ no },
		{ yes, no },
		{ yes, reply(nlmsg_alloc()), yes },
		{ { .m = refusal(true, -EPERM, "no") } },
		{ yes, { .m = refusal(true, -EIO, "no") } },
	};
	static const struct {
		int r;
		size_t n;
	} results[] = {
		{ DEVLINK_NO_DEVICE, 1 },
		{ DEVLINK_NO_PORT, 2 },
		{ DEVLINK_FOUND, 3 },
		{ -EPERM, 1 },
		{ -EIO, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(rows[i], results[i].n);
		struct devlink_port port = { .vf = 77 };
		struct err err = { 0 };

		assert_int_equal(devlink_get_port(nl, "0000:3b:00.0", 4, &port, &err),
				 results[i].r);
		assert_int_equal(kernel.at, results[i].n);
		assert_int_equal(port.vf, results[i].r == DEVLINK_FOUND ? 3 : 77);
		if (results[i].r == DEVLINK_FOUND)
			assert_string_equal(devlink_flavour_name(port.flavour), "pcivf");
	}
}

static void other_processes_are_not_heard(void **state)
{
	struct datagram script[] = {
		items(0, 50, 1),
		{ .m = refusal(true, -EPERM, "forged") },
		{ .m = refusal(true, 0, "forged") },
		{ .m = refusal(true, -EPERM, "late"), .stale = true },
		items(0, 4, 1),
		{ .m = refusal(true, 0, "") },
	};
	_cleanup_(netlink_closep) struct netlink *nl = NULL;
	struct seen seen = { 0 };
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		script[i].from = 4711;
	nl = fake_kernel(script, ARRAY_SIZE(script));
	assert_int_equal(netlink_ask(nl, netlink_request(nl, 5), seen_add, &seen, &err), 0);
	assert_int_equal(seen.sum, 4);
	assert_int_equal(kernel.at, 6);
}

static void failed_receive_has_its_errno(void **state)
{
	static const int errors[] = { ENOBUFS, EIO, ENOTCONN };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const struct datagram script[] = { { .fails = errors[i] } };
		_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(script, 1);
		struct err err = { 0 };

		assert_int_equal(netlink_ask(nl, netlink_request(nl, 5), NULL, NULL, &err),
				 -errors[i]);
		assert_string_equal(err.text, "fake: reply");
	}
}

static void notifications_may_be_lost(void **state)
{
	struct datagram script[] = {
		items(0, 1, 1), { .fails = ENOBUFS }, { .fails = EAGAIN }, { .fails = EIO }
	};
	_cleanup_(netlink_closep) struct netlink *nl = fake_kernel(script, ARRAY_SIZE(script));
	struct seen seen = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(netlink_read(nl, seen_add, &seen, &err), NETLINK_HEARD);
	assert_int_equal(seen.sum, 1);
	assert_int_equal(netlink_read(nl, seen_add, &seen, &err), NETLINK_OVERRUN);
	assert_int_equal(netlink_read(nl, seen_add, &seen, &err), NETLINK_NOTHING);
	assert_int_equal(netlink_read(nl, seen_add, &seen, &err), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_found_with_and_without_the_request),
		cmocka_unit_test(warning_comes_with_success),
		cmocka_unit_test(end_of_a_dump_has_an_errno),
		cmocka_unit_test(control_characters_do_not_reach_a_terminal),
		cmocka_unit_test(without_the_flag_there_is_no_text),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(cut_message_is_refused_or_loses_its_words),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(port_is_the_one_of_the_vf),
		cmocka_unit_test(port_without_its_name_is_refused),
		cmocka_unit_test(dump_that_changed_is_read_again),
		cmocka_unit_test(dump_that_fails_at_its_end_has_failed),
		cmocka_unit_test(dump_ends_with_the_callers_failure),
		cmocka_unit_test(errno_and_words_are_the_kernels),
		cmocka_unit_test(reply_comes_before_its_acknowledgement),
		cmocka_unit_test(port_that_is_not_there_is_told_from_a_device),
		cmocka_unit_test(other_processes_are_not_heard),
		cmocka_unit_test(failed_receive_has_its_errno),
		cmocka_unit_test(notifications_may_be_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
