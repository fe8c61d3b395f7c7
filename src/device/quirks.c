// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "device/quirks.h"

/* clang-format off */
static const struct quirks table[] = {
	{
		.driver = "mlx5_vfio_pci",
		.trusts_length = true,
		.notes = {
			"migratable only if devlink set the VF's port function so before binding",
			"new pre-copy data is made only when pre-copy information is asked for",
			"a truncated stream is not noticed by the driver",
			"a load is checked while it is written; the kernel log has the syndrome",
			"a slow reader stalls the device in STOP_COPY (8 MiB chunks)",
		},
	},
	{
		.driver = "hisi_acc_vfio_pci",
		.notes = {
			"no P2P: not to be stopped together with devices that reach it",
			"a load of another device fails with EFAULT; the kernel log has the field",
		},
	},
	{
		.driver = "pds_vfio_pci",
		.notes = {
			"no pre-copy; the size it reports is a constant, not an estimate",
			"may enter ERROR by itself after a firmware recovery; only a reset helps",
		},
	},
	{
		.driver = "qat_vfio_pci",
		.notes = {
			"the size it reports is its maximum of 4096 bytes",
			"a load is checked as soon as its first section is written",
		},
	},
	{
		.driver = "virtio_vfio_pci",
		.notes = {
			"new pre-copy data is made only when pre-copy information is asked for, "
			"at most once a second",
			"no device DMA logging: dirty pages come from the IOMMU",
		},
	},
	{
		.driver = "xe_vfio_pci",
		.notes = {
			"a signal in a read or write of the stream loses data: never share the fd",
			"the destination must be provisioned alike (GGTT, VRAM)",
		},
	},
	{
		.driver = "mtty",
		.keeps_state = true,
		.notes = {
			"sample driver: its state survives close and even a killed process",
			"a bad header is refused by write(), and loaded if that is ignored",
			"its DMA logging records nothing",
		},
	},
};
/* clang-format on */

const struct quirks *quirks_of(const char *driver)
{
	for (size_t i = 0; driver && i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].driver, driver))
			return &table[i];
	return NULL;
}

bool quirks_keeps_state(const char *driver)
{
	const struct quirks *q = quirks_of(driver);

	return q && q->keeps_state;
}
