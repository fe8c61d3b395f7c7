/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which device of the system an anonymous device fd may be
 *
 * Before Linux 6.18 nothing names the device of an fd that came from a group. What VFIO says of it
 * (numbers in the configuration space, sizes of its regions) leaves out devices that it cannot be;
 * when one is left, that is it. Of mdevs sysfs says nothing that could be compared.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/pci-ids.h"

#define OWNER_BARS 6

/**
 * struct owner_looks - what is known of a device, or of an fd's
 * @pci: on the PCI bus; of an fd nothing tells
 * @ids: if @has_ids
 * @bars: sizes; 0 where a BAR is none or not known
 */
struct owner_looks {
	bool pci, has_ids;
	struct pci_ids ids;
	uint64_t bars[OWNER_BARS];
};

/** owner_may_be() - nothing that is known of both tells them apart. Pure. */
bool owner_may_be(const struct owner_looks *fd, const struct owner_looks *device);

/** owner_only() - the place of the only one of @n devices that @fd may be, or -1. Pure. */
int owner_only(const struct owner_looks *fd, const struct owner_looks *devices, size_t n);
