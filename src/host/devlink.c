// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "host/devlink.h"
#include "uapi/devlink.h"

#define DEVLINK_BUS "pci"

/*
 * What the kernel says
 */

static const struct nla_policy devlink_policy[UAPI_DEVLINK_ATTR_MAX + 1] = {
	[UAPI_DEVLINK_BUS_NAME] = { .type = NLA_STRING },
	[UAPI_DEVLINK_DEV_NAME] = { .type = NLA_STRING },
	[UAPI_DEVLINK_PORT_INDEX] = { .type = NLA_U32 },
	[UAPI_DEVLINK_NETDEV_NAME] = { .type = NLA_STRING },
	[UAPI_DEVLINK_ESWITCH_MODE] = { .type = NLA_U16 },
	[UAPI_DEVLINK_PORT_FLAVOUR] = { .type = NLA_U16 },
	[UAPI_DEVLINK_PORT_PF_NUMBER] = { .type = NLA_U16 },
	[UAPI_DEVLINK_PORT_VF_NUMBER] = { .type = NLA_U16 },
	[UAPI_DEVLINK_PORT_FUNCTION] = { .type = NLA_NESTED },
	[UAPI_DEVLINK_PORT_EXTERNAL] = { .type = NLA_U8 },
	[UAPI_DEVLINK_PORT_CONTROLLER] = { .type = NLA_U32 },
};

/* Of an attribute that the kernel sends as soon as there is one value to show. */
static enum devlink_value devlink_decode_function(struct nlattr *nest)
{
	struct nlattr *tb[UAPI_DEVLINK_FN_CAPS + 1];
	struct nla_bitfield32 caps;

	if (nla_parse_nested(tb, UAPI_DEVLINK_FN_CAPS, nest, NULL) < 0 ||
	    !tb[UAPI_DEVLINK_FN_CAPS] || nla_len(tb[UAPI_DEVLINK_FN_CAPS]) < (int)sizeof(caps))
		return DEVLINK_ABSENT;
	nla_memcpy(&caps, tb[UAPI_DEVLINK_FN_CAPS], sizeof(caps));
	if (!(caps.selector & UAPI_DEVLINK_FN_CAP_MIGRATABLE))
		return DEVLINK_ABSENT;
	return caps.value & UAPI_DEVLINK_FN_CAP_MIGRATABLE ? DEVLINK_ON : DEVLINK_OFF;
}

int devlink_port_decode(struct nlattr *attrs, int len, struct devlink_port *ret)
{
	struct nlattr *tb[UAPI_DEVLINK_ATTR_MAX + 1];

	*ret = (struct devlink_port){ 0 };
	if (nla_parse(tb, UAPI_DEVLINK_ATTR_MAX, attrs, len, devlink_policy) < 0 ||
	    !tb[UAPI_DEVLINK_BUS_NAME] || !tb[UAPI_DEVLINK_DEV_NAME] ||
	    !tb[UAPI_DEVLINK_PORT_INDEX])
		return -EBADMSG;
	nla_strlcpy(ret->bus, tb[UAPI_DEVLINK_BUS_NAME], sizeof(ret->bus));
	nla_strlcpy(ret->dev, tb[UAPI_DEVLINK_DEV_NAME], sizeof(ret->dev));
	if (tb[UAPI_DEVLINK_NETDEV_NAME])
		nla_strlcpy(ret->netdev, tb[UAPI_DEVLINK_NETDEV_NAME], sizeof(ret->netdev));
	ret->index = nla_get_u32(tb[UAPI_DEVLINK_PORT_INDEX]);
	ret->flavour = tb[UAPI_DEVLINK_PORT_FLAVOUR] ? nla_get_u16(tb[UAPI_DEVLINK_PORT_FLAVOUR])
						     : UINT16_MAX;
	ret->is_vf = ret->flavour == UAPI_DEVLINK_FLAVOUR_PCI_VF &&
		     tb[UAPI_DEVLINK_PORT_PF_NUMBER] && tb[UAPI_DEVLINK_PORT_VF_NUMBER];
	if (ret->is_vf) {
		ret->pf = nla_get_u16(tb[UAPI_DEVLINK_PORT_PF_NUMBER]);
		ret->vf = nla_get_u16(tb[UAPI_DEVLINK_PORT_VF_NUMBER]);
	}
	if (tb[UAPI_DEVLINK_PORT_EXTERNAL])
		ret->external = nla_get_u8(tb[UAPI_DEVLINK_PORT_EXTERNAL]);
	if (tb[UAPI_DEVLINK_PORT_CONTROLLER])
		ret->controller = nla_get_u32(tb[UAPI_DEVLINK_PORT_CONTROLLER]);
	if (tb[UAPI_DEVLINK_PORT_FUNCTION])
		ret->migratable = devlink_decode_function(tb[UAPI_DEVLINK_PORT_FUNCTION]);
	return 0;
}

bool devlink_port_leads_to(const struct devlink_port *port, const struct devlink_vf *vf)
{
	return port->is_vf && !port->external && port->pf == vf->pf && port->vf == vf->vf &&
	       strcmp(port->bus, DEVLINK_BUS) == 0 && strcmp(port->dev, vf->dev) == 0;
}

char *devlink_port_name(const struct devlink_port *port, char buf[DEVLINK_PORT_NAME_MAX])
{
	snprintf(buf, DEVLINK_PORT_NAME_MAX, "%s/%s/%u", port->bus, port->dev, port->index);
	return buf;
}

const char *devlink_flavour_name(uint16_t flavour)
{
	/* enum devlink_port_flavour of linux/devlink.h, in its order */
	static const char *const names[] = { "physical", "cpu",	    "dsa",    "pcipf",
					     "pcivf",	 "virtual", "unused", "pcisf" };

	return flavour < ARRAY_SIZE(names) ? names[flavour] : "unknown";
}

const char *devlink_mode_name(enum devlink_mode mode)
{
	static const char *const names[] = {
		[DEVLINK_MODE_LEGACY] = "legacy",
		[DEVLINK_MODE_SWITCHDEV] = "switchdev",
		[DEVLINK_MODE_UNKNOWN] = NULL,
	};

	return names[mode];
}

/*
 * What it is asked
 */

int devlink_open(struct netlink **ret, struct err *err)
{
	int r = netlink_open(UAPI_DEVLINK_FAMILY, UAPI_DEVLINK_VERSION, ret, err);

	if (r == -ENOENT)
		err_hint(err, r, "a kernel with CONFIG_NET_DEVLINK has it");
	return r;
}

/* A request about a device. Return: NULL when out of memory. */
static struct nl_msg *devlink_request(struct netlink *nl, uint8_t cmd, const char *bus,
				      const char *dev)
{
	struct nl_msg *msg = netlink_request(nl, cmd);

	if (msg && nla_put_string(msg, UAPI_DEVLINK_BUS_NAME, bus) >= 0 &&
	    nla_put_string(msg, UAPI_DEVLINK_DEV_NAME, dev) >= 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

/**
 * struct devlink_search
 * @vf: whose port is looked for
 * @found: it has been, and is *@ret
 */
struct devlink_search {
	const struct devlink_vf *vf;
	struct devlink_port *ret;
	bool found;
};

static void devlink_search_begin(void *ctx)
{
	struct devlink_search *search = ctx;

	search->found = false;
}

static int devlink_search_see(void *ctx, uint8_t cmd, struct nlattr *attrs, int len)
{
	struct devlink_search *search = ctx;
	struct devlink_port port;
	int r;

	(void)cmd;
	r = devlink_port_decode(attrs, len, &port);
	if (r < 0)
		return r;
	if (!devlink_port_leads_to(&port, search->vf))
		return 0;
	*search->ret = port;
	search->found = true;
	return 0;
}

static int devlink_find_device(struct netlink *nl, const char *dev, struct err *err)
{
	int r = netlink_ask(nl, devlink_request(nl, UAPI_DEVLINK_CMD_GET, DEVLINK_BUS, dev), NULL,
			    NULL, err);

	return r == -ENODEV ? DEVLINK_NO_DEVICE : r;
}

int devlink_find_port(struct netlink *nl, const struct devlink_vf *vf, struct devlink_port *ret,
		      struct err *err)
{
	struct devlink_search search = { .vf = vf, .ret = ret };
	int r;

	r = devlink_find_device(nl, vf->dev, err);
	if (r != DEVLINK_FOUND)
		return r;
	r = netlink_dump(nl, netlink_request(nl, UAPI_DEVLINK_CMD_PORT_GET), devlink_search_begin,
			 devlink_search_see, &search, err);
	if (r < 0)
		return r;
	return search.found ? DEVLINK_FOUND : DEVLINK_NO_PORT;
}

static int devlink_see_port(void *ctx, uint8_t cmd, struct nlattr *attrs, int len)
{
	(void)cmd;
	return devlink_port_decode(attrs, len, ctx);
}

/* Return: NULL when out of memory. */
static struct nl_msg *devlink_port_request(struct netlink *nl, const char *dev, uint32_t index)
{
	struct nl_msg *msg = devlink_request(nl, UAPI_DEVLINK_CMD_PORT_GET, DEVLINK_BUS, dev);

	if (msg && nla_put_u32(msg, UAPI_DEVLINK_PORT_INDEX, index) >= 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

int devlink_get_port(struct netlink *nl, const char *dev, uint32_t index, struct devlink_port *ret,
		     struct err *err)
{
	struct devlink_port port = { 0 };
	int r;

	/* The kernel says the same of a port and of a device that it does not have. */
	r = devlink_find_device(nl, dev, err);
	if (r != DEVLINK_FOUND)
		return r;
	r = netlink_ask(nl, devlink_port_request(nl, dev, index), devlink_see_port, &port, err);
	if (r == -ENODEV)
		return DEVLINK_NO_PORT;
	if (r < 0)
		return r;
	*ret = port;
	return DEVLINK_FOUND;
}

static int devlink_see_mode(void *ctx, uint8_t cmd, struct nlattr *attrs, int len)
{
	struct nlattr *tb[UAPI_DEVLINK_ATTR_MAX + 1];
	enum devlink_mode *mode = ctx;

	(void)cmd;
	if (nla_parse(tb, UAPI_DEVLINK_ATTR_MAX, attrs, len, devlink_policy) < 0)
		return -EBADMSG;
	/* A driver may have an eswitch whose mode it does not tell. */
	if (!tb[UAPI_DEVLINK_ESWITCH_MODE])
		return 0;
	*mode = nla_get_u16(tb[UAPI_DEVLINK_ESWITCH_MODE]) == UAPI_DEVLINK_MODE_SWITCHDEV
			? DEVLINK_MODE_SWITCHDEV
			: DEVLINK_MODE_LEGACY;
	return 0;
}

int devlink_get_mode(struct netlink *nl, const char *dev, enum devlink_mode *ret, struct err *err)
{
	int r;

	*ret = DEVLINK_MODE_UNKNOWN;
	r = netlink_ask(nl, devlink_request(nl, UAPI_DEVLINK_CMD_ESWITCH_GET, DEVLINK_BUS, dev),
			devlink_see_mode, ret, err);
	if (r == -EOPNOTSUPP)
		*ret = DEVLINK_MODE_NONE;
	/* Only a privileged user may ask: others go on without. */
	return r == -EOPNOTSUPP || r == -EPERM ? 0 : r;
}

int devlink_set_switchdev(struct netlink *nl, const char *dev, struct err *err)
{
	struct nl_msg *msg = devlink_request(nl, UAPI_DEVLINK_CMD_ESWITCH_SET, DEVLINK_BUS, dev);

	if (msg && nla_put_u16(msg, UAPI_DEVLINK_ESWITCH_MODE, UAPI_DEVLINK_MODE_SWITCHDEV) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return netlink_ask(nl, msg, NULL, NULL, err);
}

/* Both value and selector: the selector alone would switch it off. */
static bool devlink_put_migratable(struct nl_msg *msg, uint32_t index, bool on)
{
	const struct nla_bitfield32 caps = {
		.value = on ? UAPI_DEVLINK_FN_CAP_MIGRATABLE : 0,
		.selector = UAPI_DEVLINK_FN_CAP_MIGRATABLE,
	};
	struct nlattr *nest;

	if (nla_put_u32(msg, UAPI_DEVLINK_PORT_INDEX, index) < 0)
		return false;
	nest = nla_nest_start(msg, UAPI_DEVLINK_PORT_FUNCTION);
	if (!nest || nla_put(msg, UAPI_DEVLINK_FN_CAPS, sizeof(caps), &caps) < 0)
		return false;
	return nla_nest_end(msg, nest) >= 0;
}

int devlink_set_migratable(struct netlink *nl, const struct devlink_port *port, bool on,
			   struct err *err)
{
	struct nl_msg *msg = devlink_request(nl, UAPI_DEVLINK_CMD_PORT_SET, port->bus, port->dev);

	if (msg && !devlink_put_migratable(msg, port->index, on)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return netlink_ask(nl, msg, NULL, NULL, err);
}
