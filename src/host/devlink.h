/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * devlink: the switch that makes a VF migratable
 *
 * A PF's driver that has one shows a port for each VF, of flavour pcivf, and the switch is an
 * attribute of the function behind that port (Linux 6.2; Documentation/networking/devlink/
 * devlink-port.rst). mlx5 shows the ports in switchdev mode only, and takes the switch only while
 * no driver has the VF.
 */

#include <stdbool.h>
#include <stdint.h>

#include "host/netlink.h"

#define DEVLINK_NAME_MAX 64

enum devlink_value {
	DEVLINK_ABSENT, /* the port, or this kernel, has no such attribute */
	DEVLINK_OFF,
	DEVLINK_ON,
};

/**
 * struct devlink_port
 * @bus, @dev: of the PF: "pci", "0000:3b:00.0"
 * @netdev: its representor, or ""
 * @flavour: as devlink_flavour_name() has it
 * @pf, @vf: their numbers, if @is_vf
 * @external: the VF is of another host, to which @controller leads
 * @migratable: of the function behind it
 */
struct devlink_port {
	char bus[DEVLINK_NAME_MAX], dev[DEVLINK_NAME_MAX];
	char netdev[16];
	uint32_t index;
	uint16_t flavour;
	bool is_vf, external;
	uint32_t controller;
	uint16_t pf, vf;
	enum devlink_value migratable;
};

/* struct devlink_vf - a VF of this host: the VF number @vf of @dev, which is its function @pf */
struct devlink_vf {
	char dev[DEVLINK_NAME_MAX];
	uint16_t pf, vf;
};

/** devlink_port_decode() - from a message's attributes. Pure. Return: 0, -EBADMSG. */
_must_check_ int devlink_port_decode(struct nlattr *attrs, int len, struct devlink_port *ret);

/** devlink_port_leads_to() - it is the port of that VF. Pure. */
bool devlink_port_leads_to(const struct devlink_port *port, const struct devlink_vf *vf);

#define DEVLINK_PORT_NAME_MAX (2 * DEVLINK_NAME_MAX + 16)

/** devlink_port_name() - "pci/0000:3b:00.0/4", as devlink(8) has it. Return: @buf. */
char *devlink_port_name(const struct devlink_port *port, char buf[DEVLINK_PORT_NAME_MAX]);

/** devlink_flavour_name() - "pcivf", as devlink(8) has it. Return: a constant. */
const char *devlink_flavour_name(uint16_t flavour);

/** devlink_open() - Return: as netlink_open(). netlink_close() it. */
_must_check_ int devlink_open(struct netlink **ret, struct err *err);

/* Outcomes of devlink_find_port(); not errors. */
enum devlink_found {
	DEVLINK_FOUND = 0,
	DEVLINK_NO_PORT, /* the PF is there, without a port for this VF */
	DEVLINK_NO_DEVICE, /* the PF's driver, or the PF without a driver, has no devlink */
};

/**
 * devlink_get_port() - the port number @index of @dev, whatever it leads to; takes no privileges
 *
 * Return: enum devlink_found, with @ret set for DEVLINK_FOUND only; what netlink_ask() said.
 */
_must_check_ int devlink_get_port(struct netlink *nl, const char *dev, uint32_t index,
				  struct devlink_port *ret, struct err *err);

/** devlink_find_port() - @ret is set for DEVLINK_FOUND only */
_must_check_ int devlink_find_port(struct netlink *nl, const struct devlink_vf *vf,
				   struct devlink_port *ret, struct err *err);

enum devlink_mode {
	DEVLINK_MODE_UNKNOWN, /* not ours to ask */
	DEVLINK_MODE_NONE, /* the driver has no eswitch */
	DEVLINK_MODE_LEGACY,
	DEVLINK_MODE_SWITCHDEV,
};

/** devlink_mode_name() - "legacy"; NULL for what is not known or not there */
const char *devlink_mode_name(enum devlink_mode mode);

_must_check_ int devlink_get_mode(struct netlink *nl, const char *dev, enum devlink_mode *ret,
				  struct err *err);

/** devlink_set_switchdev() - the PF's eswitch, for all its VFs. Return: the kernel's errno. */
_must_check_ int devlink_set_switchdev(struct netlink *nl, const char *dev, struct err *err);

/** devlink_set_migratable() - Return: 0, also where it is so already; the kernel's errno. */
_must_check_ int devlink_set_migratable(struct netlink *nl, const struct devlink_port *port,
					bool on, struct err *err);
