// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Netlink's messages against whatever libFuzzer thinks of
 *
 * An input is a uevent, the kernel's answer to a request, and a devlink port's attributes; each of
 * the parsers takes it for its own.
 */

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "host/devlink.h"
#include "host/extack.h"
#include "host/uevent.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that a parsed uevent points to is within the message, and ends there. */
static void check_within(const char *text, const uint8_t *data, size_t size)
{
	const char *start = (const char *)data;

	if (!text)
		return;
	assert(text >= start && text < start + size);
	assert(memchr(text, '\0', size - (size_t)(text - start)));
}

static void try_uevent(const uint8_t *data, size_t size)
{
	char device[UEVENT_DEVICE_MAX];
	struct uevent e;

	if (uevent_parse((const char *)data, size, &e) < 0)
		return;
	assert(e.action && strlen(e.action) < 16);
	check_within(e.devpath, data, size);
	check_within(e.subsystem, data, size);
	check_within(e.driver, data, size);
	check_within(e.devname, data, size);
	uevent_device(&e, device);
	assert(strlen(device) < sizeof(device) && !strchr(device, '/'));
}

static void try_extack(const uint8_t *data, size_t size)
{
	struct extack x;
	int r = extack_parse(data, size, &x);

	assert(r == 0 || r == -EBADMSG);
	assert(r < 0 || x.error <= 0);
	assert(is_printable(x.text, strlen(x.text)));
}

/* Attributes are read in place, as words: libnl's buffers are aligned. */
static void try_port(const uint8_t *data, size_t size)
{
	char name[DEVLINK_PORT_NAME_MAX];
	struct devlink_port port;
	uint8_t *copy = malloc(size + 1);

	assert(copy);
	memcpy(copy, data, size);
	if (devlink_port_decode((struct nlattr *)copy, (int)size, &port) == 0)
		assert(strlen(devlink_port_name(&port, name)) < sizeof(name));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_uevent(data, size);
	try_extack(data, size);
	try_port(data, size);
	return 0;
}

static size_t put_words(uint8_t *data, unsigned int seed)
{
	static const char *const words[] = {
		"add@/devices/pci0000:00/0000:01:10.0/vfio-dev/vfio0",
		"SUBSYSTEM=vfio-dev",
		"DEVNAME=vfio/devices/vfio0",
		"SEQNUM=18446744073709551616",
		"SYNTH_UUID=0",
	};
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (i && !(seed >> i & 1))
			continue;
		memcpy(data + len, words[i], strlen(words[i]) + 1);
		len += strlen(words[i]) + 1;
	}
	return len;
}

static size_t put_answer(uint8_t *data, unsigned int seed)
{
	const struct nlmsghdr request = { .nlmsg_len = 76 };
	const struct nlattr attr = { .nla_len = 12, .nla_type = NLMSGERR_ATTR_MSG };
	struct nlmsghdr h = {
		.nlmsg_type = seed & 1 ? NLMSG_ERROR : NLMSG_DONE,
		.nlmsg_flags = NLM_F_ACK_TLVS | (seed & 2 ? NLM_F_CAPPED : 0),
	};
	size_t len = sizeof(h) + 4;

	memset(data, 0xff, 256);
	if (h.nlmsg_type == NLMSG_ERROR) {
		memcpy(data + len, &request, sizeof(request));
		len += seed & 2 ? sizeof(request) : request.nlmsg_len;
	}
	memcpy(data + len, &attr, sizeof(attr));
	memcpy(data + len + sizeof(attr), "text\x1b[2", 8);
	len += attr.nla_len;
	h.nlmsg_len = (uint32_t)len;
	memcpy(data, &h, sizeof(h));
	return len;
}

static size_t put_port(uint8_t *data)
{
	static const uint8_t
		port[] = {
			8,   0, 1,   0,	  'p', 'c', 'i', 0, /* bus */
			17,  0, 2,   0,	  '0', '0', '0', '0', ':', '3', 'b', ':', '0', '0', '.',
			'0', 0, 0,   0,	  0,   8,   0,	 3,   0,   4,	0,   0,	  0, /* index */
			6,   0, 77,  0,	  4,   0,   0,	 0, /* flavour */
			6,   0, 127, 0,	  0,   0,   0,	 0,   6,   0,	128, 0,	  3,   0,   0,
			0, /* numbers */
			16,  0, 145, 128, 12,  0,   4,	 0,   2,   0,	0,   0,	  2,   0,   0,
			0, /* function */
		};

	memcpy(data, port, sizeof(port));
	return sizeof(port);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	if (size >= 8 || max < 512)
		return LLVMFuzzerMutate(data, size, max);
	switch (seed / 7 % 3) {
	case 0:
		return put_words(data, seed >> 4);
	case 1:
		return put_answer(data, seed >> 4);
	default:
		return put_port(data);
	}
}
