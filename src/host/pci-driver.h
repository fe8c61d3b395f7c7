/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Taking a PCI function from its driver, and giving it back
 *
 * Writes to sysfs. Both may take as long as the driver takes; of a device of VFIO that a process
 * has open the driver waits for that process.
 */

#include "host/vfio-node.h"

/**
 * pci_driver_unbind() - take it from the driver that it has
 *
 * Its driver_override stays as it is. Return: 0; what write() said.
 */
_must_check_ int pci_driver_unbind(const struct host *host, const struct vfio_node *node,
				   struct err *err);

/**
 * pci_driver_bind() - give it to @driver, and see that it has it
 *
 * By driver_override, which is afterwards what it was before: an override for ever is not ours to
 * leave behind.
 *
 * Return: 0; -ENODEV (ERR_DEVICE) when the driver does not take it, whose reason is in the kernel's
 * log; what write() said.
 */
_must_check_ int pci_driver_bind(const struct host *host, const struct vfio_node *node,
				 const char *driver, struct err *err);

/** pci_driver_get_override() - "" for none; the caller frees @ret. Return: what read() said. */
_must_check_ int pci_driver_get_override(const struct vfio_node *node, char **ret, struct err *err);

/** pci_driver_set_override() - "" for none; its driver stays. Return: what write() said. */
_must_check_ int pci_driver_set_override(const struct vfio_node *node, const char *driver,
					 struct err *err);
