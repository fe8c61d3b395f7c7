// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "host/dev-name.h"
#include "host/pci-vf.h"
#include "host/sysfs.h"

/* "0000:3b:00.0" -> 0 */
static bool pci_vf_read_pf(const char *name, struct pci_vf *ret)
{
	struct dev_name parsed;
	uint64_t number;
	const char *dot;

	if (dev_name_parse(name, &parsed) != DEV_FORM_PCI || strlen(name) >= sizeof(ret->pf))
		return false;
	dot = strrchr(name, '.');
	if (!dot || parse_uint(dot + 1, 16, 255, &number) < 0)
		return false;
	snprintf(ret->pf, sizeof(ret->pf), "%s", name);
	ret->pf_number = (uint16_t)number;
	return true;
}

static bool pci_vf_is(const char *pf_folder, const char *link, const char *name)
{
	_cleanup_free_ char *target = NULL;

	return sysfs_link_name(pf_folder, link, &target) == 0 && strcmp(target, name) == 0;
}

/* Which of the PF's virtfnN leads to @name. */
static int pci_vf_find_number(const char *pf_folder, const char *name, uint16_t *ret)
{
	_cleanup_(closedirp) DIR *dir = opendir(pf_folder);
	const char *entry;
	uint64_t number;

	if (!dir)
		return -errno;
	while ((entry = dir_next(dir))) {
		if (strncmp(entry, "virtfn", 6) != 0 ||
		    parse_uint(entry + 6, 10, UINT16_MAX, &number) < 0 ||
		    !pci_vf_is(pf_folder, entry, name))
			continue;
		*ret = (uint16_t)number;
		return 0;
	}
	return -ENOENT;
}

int pci_vf_of(const struct vfio_node *node, struct pci_vf *ret, struct err *err)
{
	_cleanup_free_ char *pf = NULL, *folder = path_fmt("%s/physfn", node->sysfs);
	int r;

	if (!folder)
		return err_set(err, -ENOMEM, "%s", node->name);
	if (strcmp(node->bus, "pci") != 0)
		return PCI_NO_VF;
	r = sysfs_link_name(node->sysfs, "physfn", &pf);
	if (r == -ENOENT)
		return PCI_NO_VF;
	if (r < 0)
		return err_set(err, r, "%s: physfn", node->name);
	if (!pci_vf_read_pf(pf, ret))
		return err_set(err, -EINVAL,
			       "%s: its PF has the name '%s', which is no PCI address", node->name,
			       pf);
	r = pci_vf_find_number(folder, node->name, &ret->number);
	if (r < 0)
		return err_fail(err, ERR_MISSING, -ENODEV,
				"%s: its PF %s does not have it any more", node->name, pf);
	return PCI_VF;
}

int pci_vf_address(const struct host *host, const char *pf, unsigned int vf,
		   char ret[PCI_ADDRESS_MAX])
{
	_cleanup_free_ char *folder = path_fmt("%s/bus/pci/devices/%s", host->sys, pf);
	_cleanup_free_ char *link = path_fmt("virtfn%u", vf), *name = NULL;
	int r;

	if (!folder || !link)
		return -ENOMEM;
	r = sysfs_link_name(folder, link, &name);
	if (r < 0)
		return r;
	if (strlen(name) >= PCI_ADDRESS_MAX)
		return -ENOENT;
	snprintf(ret, PCI_ADDRESS_MAX, "%s", name);
	return 0;
}
