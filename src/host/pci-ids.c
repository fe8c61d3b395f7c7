// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/io.h"
#include "base/units.h"
#include "host/pci-ids.h"
#include "host/sysfs.h"

/* The standard header of any function, which has all fields that are read here. */
#define CONFIG_HEADER_SIZE 64
#define VENDOR_NONE 0xffff

/* "0x15b3"; the kernel always writes the prefix. */
static int pci_ids_read_hex(const struct vfio_node *node, const char *attr, uint64_t max,
			    uint64_t *ret)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", node->sysfs, attr);
	_cleanup_free_ char *text = NULL;
	int r;

	if (!path)
		return -ENOMEM;
	r = read_text(AT_FDCWD, path, &text);
	if (r < 0)
		return r;
	if (strncmp(text, "0x", 2) != 0)
		return -EINVAL;
	return parse_uint(text + 2, 16, max, ret);
}

int pci_ids_from_sysfs(const struct host *host, const struct vfio_node *node, struct pci_ids *ret)
{
	enum {
		VENDOR,
		DEVICE,
		SUB_VENDOR,
		SUB_DEVICE,
		CLASS,
		REVISION,
		NR
	};
	static const struct {
		const char *attr;
		uint64_t max;
	} attrs[NR] = {
		[VENDOR] = { "vendor", UINT16_MAX },
		[DEVICE] = { "device", UINT16_MAX },
		[SUB_VENDOR] = { "subsystem_vendor", UINT16_MAX },
		[SUB_DEVICE] = { "subsystem_device", UINT16_MAX },
		[CLASS] = { "class", 0xffffff },
		[REVISION] = { "revision", UINT8_MAX },
	};
	uint64_t value[NR];
	int i;

	(void)host;
	if (strcmp(node->bus, "pci") != 0)
		return -ENOENT;
	for (i = 0; i < NR; i++) {
		int r = pci_ids_read_hex(node, attrs[i].attr, attrs[i].max, &value[i]);

		if (r < 0)
			return r;
	}
	*ret = (struct pci_ids){
		.vendor = (uint16_t)value[VENDOR],
		.device = (uint16_t)value[DEVICE],
		.subsystem_vendor = (uint16_t)value[SUB_VENDOR],
		.subsystem_device = (uint16_t)value[SUB_DEVICE],
		.class_code = (uint32_t)value[CLASS],
		.revision = (uint8_t)value[REVISION],
	};
	return 0;
}

static uint16_t pci_ids_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

int pci_ids_from_config(const void *config, size_t len, struct pci_ids *ret)
{
	const uint8_t *c = config;
	struct pci_ids ids = { 0 };

	if (len < CONFIG_HEADER_SIZE)
		return -EINVAL;
	ids.vendor = pci_ids_le16(c + PCI_VENDOR_ID);
	if (ids.vendor == VENDOR_NONE)
		return -EINVAL;
	ids.device = pci_ids_le16(c + PCI_DEVICE_ID);
	ids.revision = c[PCI_REVISION_ID];
	ids.class_code = (uint32_t)pci_ids_le16(c + PCI_CLASS_DEVICE) << 8 | c[PCI_CLASS_PROG];
	/* Bridges have other things at these offsets. */
	if ((c[PCI_HEADER_TYPE] & 0x7f) == PCI_HEADER_TYPE_NORMAL) {
		ids.subsystem_vendor = pci_ids_le16(c + PCI_SUBSYSTEM_VENDOR_ID);
		ids.subsystem_device = pci_ids_le16(c + PCI_SUBSYSTEM_ID);
	}
	*ret = ids;
	return 0;
}
