/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What uses a PCI function, so that its driver must not be taken away
 *
 * Network interfaces that are up, file systems and swap on its block devices, also by way of what
 * is stacked on them (LVM, dm-crypt, MD), processes that hold it through VFIO, and VFs of it. What
 * another mount namespace has mounted is not seen.
 */

#include <stddef.h>

#include "host/vfio-node.h"

#define PCI_USE_TEXT 192

/** struct pci_uses - each in words: "eth3 is up" */
struct pci_uses {
	char (*v)[PCI_USE_TEXT];
	size_t n;
};

/**
 * pci_uses_find() - all of them
 *
 * Return: 0, @ret to be released with pci_uses_done(); what reading said.
 */
_must_check_ int pci_uses_find(const struct host *host, const struct vfio_node *node,
			       struct pci_uses *ret, struct err *err);
void pci_uses_done(struct pci_uses *uses);

/* How such a use is told, with the descriptor's number. */
#define PCI_USE_OWN_FD "fd %d, which this process has inherited, has it"

/**
 * pci_use_own_fd() - a descriptor of @node that this process has inherited
 *
 * Taking the driver away would wait for this process itself, for ever. Return: -1 for none.
 */
int pci_use_own_fd(const struct host *host, const struct vfio_node *node);
