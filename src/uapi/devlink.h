/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * devlink uAPI
 *
 * Values of linux/devlink.h under our own names, as uapi/vfio.h has those of VFIO: the attribute
 * that makes a VF migratable came with Linux 6.2, and Debian 12's headers are of 6.1.
 * src/uapi/devlink-check.c compares them with the system's.
 */

#define UAPI_DEVLINK_FAMILY "devlink"
#define UAPI_DEVLINK_VERSION 1
#define UAPI_DEVLINK_GROUP "config" /* the multicast group of notifications */

enum uapi_devlink_cmd {
	UAPI_DEVLINK_CMD_GET = 1,
	UAPI_DEVLINK_CMD_PORT_GET = 5,
	UAPI_DEVLINK_CMD_PORT_SET = 6,
	UAPI_DEVLINK_CMD_PORT_NEW = 7, /* replies and notifications */
	UAPI_DEVLINK_CMD_PORT_DEL = 8,
	UAPI_DEVLINK_CMD_ESWITCH_GET = 29,
	UAPI_DEVLINK_CMD_ESWITCH_SET = 30,
};

enum uapi_devlink_attr {
	UAPI_DEVLINK_BUS_NAME = 1, /* string */
	UAPI_DEVLINK_DEV_NAME = 2, /* string */
	UAPI_DEVLINK_PORT_INDEX = 3, /* u32 */
	UAPI_DEVLINK_NETDEV_NAME = 7, /* string */
	UAPI_DEVLINK_ESWITCH_MODE = 25, /* u16 */
	UAPI_DEVLINK_PORT_FLAVOUR = 77, /* u16 */
	UAPI_DEVLINK_PORT_PF_NUMBER = 127, /* u16 */
	UAPI_DEVLINK_PORT_VF_NUMBER = 128, /* u16 */
	UAPI_DEVLINK_PORT_FUNCTION = 145, /* nest */
	UAPI_DEVLINK_PORT_EXTERNAL = 149, /* u8 */
	UAPI_DEVLINK_PORT_CONTROLLER = 150, /* u32 */
	UAPI_DEVLINK_ATTR_MAX = UAPI_DEVLINK_PORT_CONTROLLER, /* the largest of these */
};

/* In the nest UAPI_DEVLINK_PORT_FUNCTION: a struct nla_bitfield32; Linux 6.2 */
#define UAPI_DEVLINK_FN_CAPS 4
#define UAPI_DEVLINK_FN_CAP_MIGRATABLE (1u << 1)

#define UAPI_DEVLINK_FLAVOUR_PCI_VF 4
#define UAPI_DEVLINK_MODE_LEGACY 0
#define UAPI_DEVLINK_MODE_SWITCHDEV 1
