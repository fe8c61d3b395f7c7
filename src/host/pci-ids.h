/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Numbers and names of a PCI function
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "host/vfio-node.h"

struct pci_ids {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem_device;
	uint32_t class_code; /* 24 bits: class, subclass, programming interface */
	uint8_t revision;
};

/**
 * pci_ids_from_sysfs() - as the kernel has them; a VF's too
 *
 * Return: 0; -ENOENT for a device that is not on the PCI bus, or not any more; -EINVAL or -ERANGE
 * for what is not a number of PCI.
 */
_must_check_ int pci_ids_from_sysfs(const struct host *host, const struct vfio_node *node,
				    struct pci_ids *ret);

/**
 * pci_ids_from_config() - from the first 64 bytes of a configuration space
 *
 * What a VFIO user sees: vfio-pci fills in the IDs that a VF's own registers lack, and an mdev
 * has IDs nowhere else.
 *
 * Return: 0, or -EINVAL when @len is too short or no function answers there (vendor 0xffff).
 */
_must_check_ int pci_ids_from_config(const void *config, size_t len, struct pci_ids *ret);

/**
 * pci_ids_name() - "Vendor Device" from the PCI ID database, in words
 * @buf: set to "" when this machine has no database (Debian package pci.ids), the database does
 *       not know the function, or the name does not fit
 */
void pci_ids_name(const struct pci_ids *ids, char *buf, size_t size);

/** pci_ids_find() - the same, from @database, a file in the format of pci.ids */
void pci_ids_find(FILE *database, const struct pci_ids *ids, char *buf, size_t size);
