/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel says about a netlink request, in its own words
 *
 * An acknowledgement, and the end of a dump, carry an errno and, for a socket that asked for it
 * (NETLINK_EXT_ACK, Linux 4.12), a text and the place in the request that it is about. libnl hands
 * on neither, and makes of several errnos one code. Pure: bytes in, a struct out; they are the
 * kernel's, but the text may be any driver's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define EXTACK_TEXT_MAX 256

/**
 * struct extack - an answer
 * @error: negative errno, or 0: then @text, if any, is a warning
 * @text: "" for none; without control characters, cut where it is longer
 * @offset: of the attribute in the request that is wrong, from the request's first byte; if
 *          @has_offset
 */
struct extack {
	int error;
	char text[EXTACK_TEXT_MAX];
	bool has_offset;
	uint32_t offset;
};

/**
 * extack_parse() - read an NLMSG_ERROR or NLMSG_DONE message
 * @message: all of it, from its struct nlmsghdr on, with or without the request in it
 *           (NETLINK_CAP_ACK)
 *
 * Return: 0; -EBADMSG for what is neither, or is too short for what it says.
 */
_must_check_ int extack_parse(const void *message, size_t len, struct extack *ret);
