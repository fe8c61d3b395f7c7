// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/layout.h"

/*
 * pds_vfio_pci: what the firmware gives and takes, without any header of the driver. Only its size
 * says something: a target takes 64 KiB.
 */

const struct decode_driver decode_pds = {
	.layout = "pds",
	.driver = "pds_vfio_pci",
	.source = "include/linux/pds/pds_adminq.h",
	.tail = "device state",
	.max = 65536,
};
