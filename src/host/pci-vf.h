/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A virtual function and the function that it is of, by sysfs
 */

#include <stdint.h>

#include "host/vfio-node.h"

#define PCI_ADDRESS_MAX 20

/**
 * struct pci_vf
 * @pf: the physical function's address
 * @pf_number: its function number, which devlink calls the PF's number
 * @number: of the VF, as in virtfnN
 */
struct pci_vf {
	char pf[PCI_ADDRESS_MAX];
	uint16_t pf_number, number;
};

/* Outcomes of pci_vf_of(); not errors. */
enum pci_vf_kind {
	PCI_VF = 0,
	PCI_NO_VF, /* a device of another kind */
};

/** pci_vf_of() - @ret is set for PCI_VF. Return: enum pci_vf_kind; -ENODEV when it goes. */
_must_check_ int pci_vf_of(const struct vfio_node *node, struct pci_vf *ret, struct err *err);

/** pci_vf_address() - the VF number @vf of @pf. Return: 0; -ENOENT for none. */
_must_check_ int pci_vf_address(const struct host *host, const char *pf, unsigned int vf,
				char ret[PCI_ADDRESS_MAX]);
