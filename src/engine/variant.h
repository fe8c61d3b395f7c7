/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The drivers that migrate PCI functions
 *
 * VFIO's own vfio-pci takes any function and migrates none: that is for a variant of it, one for
 * each family of devices. Pure.
 */

#include "host/pci-ids.h"

/**
 * struct variant - a driver, for one device ID
 * @pf_driver: the PF's; it tells where the IDs are too many to list, else NULL
 * @module: as in /sys/module, which is the name that driver_override wants
 * @config: what builds it
 * @major, @minor: the first Linux in which it migrates the device
 */
struct variant {
	uint16_t vendor, device;
	const char *pf_driver;
	const char *module;
	const char *config;
	unsigned int major, minor;
};

/**
 * variant_find() - the driver that migrates a function
 * @ids: of the function; @pf_driver: of its PF, or NULL
 *
 * Return: NULL for none that is in Linux.
 */
const struct variant *variant_find(const struct pci_ids *ids, const char *pf_driver);
