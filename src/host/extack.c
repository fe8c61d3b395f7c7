// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "host/extack.h"

/* What is left of a message. */
struct extack_cursor {
	const uint8_t *at;
	size_t len;
};

static bool extack_skip(struct extack_cursor *c, size_t n)
{
	/* What aligns the last piece may be missing. */
	if (n > ALIGN_UP(c->len, NLMSG_ALIGNTO))
		return false;
	n = MIN(n, c->len);
	c->at += n;
	c->len -= n;
	return true;
}

static bool extack_take(struct extack_cursor *c, void *ret, size_t n)
{
	if (n > c->len)
		return false;
	memcpy(ret, c->at, n);
	return extack_skip(c, n);
}

static void extack_take_text(const uint8_t *at, size_t len, struct extack *ret)
{
	size_t n = strnlen((const char *)at, MIN(len, sizeof(ret->text) - 1));

	memcpy(ret->text, at, n);
	ret->text[n] = '\0';
	make_printable(ret->text);
}

/* An attribute that goes on behind the message's end hides all that follows. */
static void extack_parse_attributes(struct extack_cursor *c, struct extack *ret)
{
	struct nlattr attr;

	while (c->len >= sizeof(attr)) {
		memcpy(&attr, c->at, sizeof(attr));
		if (attr.nla_len < sizeof(attr) || attr.nla_len > c->len)
			return;
		switch (attr.nla_type & NLA_TYPE_MASK) {
		case NLMSGERR_ATTR_MSG:
			extack_take_text(c->at + sizeof(attr), attr.nla_len - sizeof(attr), ret);
			break;
		case NLMSGERR_ATTR_OFFS:
			ret->has_offset = attr.nla_len == sizeof(attr) + sizeof(ret->offset);
			if (ret->has_offset)
				memcpy(&ret->offset, c->at + sizeof(attr), sizeof(ret->offset));
			break;
		default:
			break;
		}
		if (!extack_skip(c, NLA_ALIGN(attr.nla_len)))
			return;
	}
}

/* The request's header is always there; its payload, unless the flags say that it was left out. */
static bool extack_skip_request(struct extack_cursor *c, uint16_t flags)
{
	struct nlmsghdr request;

	if (!extack_take(c, &request, sizeof(request)))
		return false;
	if (flags & NLM_F_CAPPED)
		return true;
	return request.nlmsg_len >= sizeof(request) &&
	       extack_skip(c, NLMSG_ALIGN((size_t)request.nlmsg_len) - sizeof(request));
}

int extack_parse(const void *message, size_t len, struct extack *ret)
{
	struct extack_cursor c = { .at = message, .len = len };
	struct nlmsghdr header;

	*ret = (struct extack){ 0 };
	if (!extack_take(&c, &header, sizeof(header)) || header.nlmsg_len < sizeof(header) ||
	    header.nlmsg_len > len)
		return -EBADMSG;
	if (header.nlmsg_type != NLMSG_ERROR && header.nlmsg_type != NLMSG_DONE)
		return -EBADMSG;
	c.len = header.nlmsg_len - sizeof(header);
	if (!extack_take(&c, &ret->error, sizeof(ret->error)) || ret->error > 0)
		return -EBADMSG;
	if (header.nlmsg_type == NLMSG_ERROR && !extack_skip_request(&c, header.nlmsg_flags))
		return -EBADMSG;
	if (header.nlmsg_flags & NLM_F_ACK_TLVS)
		extack_parse_attributes(&c, ret);
	return 0;
}
