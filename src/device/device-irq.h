/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel tells the holder of a PCI device: its REQ and ERR interrupts
 *
 * REQ asks for the device back: an unbind, a hot-unplug or `sriov_numvfs = 0` waits until every
 * process has closed it. ERR tells of an error of the bus that the device did not survive.
 */

#include "device/device.h"

enum device_irq {
	DEVICE_IRQ_ERR,
	DEVICE_IRQ_REQ,
	DEVICE_NR_IRQS
};

/**
 * device_irq_arm() - have the interrupt signal an eventfd
 * @fd: the eventfd
 *
 * Replaces what another process that has the device open may have set: not for one that is shared.
 *
 * Return: 0; -ENOTTY, -EINVAL and the like where the device has no such interrupt.
 */
_must_check_ int device_irq_arm(const struct device *dev, enum device_irq irq, int fd,
				struct err *err);
