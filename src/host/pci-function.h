/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What sysfs tells of a PCI function before it is opened
 */

#include <stdbool.h>
#include <stdint.h>

#include "host/vfio-node.h"

/**
 * pci_function_can_reset() - the kernel has a way to reset this function alone
 *
 * By reset_method (Linux 5.15), which its administrator can empty, else by the presence of reset.
 * Only a guess: the way may turn out not to work. Once the device is open its
 * VFIO_DEVICE_FLAGS_RESET tells.
 */
bool pci_function_can_reset(const struct vfio_node *node);

/**
 * pci_function_on_root_bus() - there is no bridge above it
 *
 * The kernel resets a bus by the bridge above it: a root bus is never reset.
 */
bool pci_function_on_root_bus(const struct vfio_node *node);

/**
 * pci_function_bars() - sizes of the first six BARs, as sysfs has them
 * @ret: all 0 for a device that is not on the PCI bus
 */
void pci_function_bars(const struct vfio_node *node, uint64_t ret[6]);
