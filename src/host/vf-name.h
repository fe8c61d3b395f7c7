/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A VF by its PF, as administrators speak
 *
 * "eth0/vf3" is the VF number 3 of the function behind the network device eth0. The PF may be told
 * by its address, by a network or an InfiniBand device, or by a port of devlink that leads to the
 * VF. The number is that of virtfnN in sysfs, of ip(8) and of devlink(8).
 */

#include "host/dev-name.h"
#include "host/devlink.h"
#include "host/pci-vf.h"

/**
 * vf_name_find() - the address of the VF that a name means
 * @spec: as the user wrote it, for messages
 * @name: of DEV_FORM_VF or DEV_FORM_PORT
 *
 * A port is looked up in the devlink of the running kernel, whatever @host is.
 *
 * Return: 0; -ENODEV (ERR_MISSING) where there is no such PF, it is none, it has fewer VFs, or
 * the port does not lead to a VF of this host; what reading sysfs or asking devlink said.
 */
_must_check_ int vf_name_find(const struct host *host, const char *spec,
			      const struct dev_name *name, char ret[PCI_ADDRESS_MAX],
			      struct err *err);

/* Outcomes of vf_name_find_function(); not errors. */
enum vf_name_function {
	VF_NAME_FUNCTION = 0,
	VF_NAME_NONE, /* there is no network or InfiniBand device of that name */
};

/**
 * vf_name_find_function() - the address of the function behind a network or InfiniBand device
 *
 * Return: enum vf_name_function; -ENODEV (ERR_MISSING) where the device is not a PCI function's;
 * what reading sysfs said.
 */
_must_check_ int vf_name_find_function(const struct host *host, const char *spec,
				       char ret[PCI_ADDRESS_MAX], struct err *err);

/** vf_name_of_port() - the second half of that: @port is what @spec names. Return: the same. */
_must_check_ int vf_name_of_port(const struct host *host, const char *spec,
				 const struct devlink_port *port, char ret[PCI_ADDRESS_MAX],
				 struct err *err);

/**
 * vf_name_in_folder() - the VF number @number of the PF that a folder of sysfs belongs to
 * @folder: canonical, inside of @host->sys; the PF's or one below it, as that of a network device
 *
 * Return: the same.
 */
_must_check_ int vf_name_in_folder(const struct host *host, const char *spec, const char *folder,
				   unsigned int number, char ret[PCI_ADDRESS_MAX], struct err *err);

#define VF_NAME_MAX 64

/**
 * vf_name_make() - "eth0/vf3", or "0000:3b:00.0/vf3" for a PF without a network device
 *
 * Of several network devices it is the first one that is no representor. vf_name_find() finds the
 * VF by it, as long as the PF keeps that network device. Return: @buf.
 */
char *vf_name_make(const struct host *host, const struct pci_vf *vf, char buf[VF_NAME_MAX]);
