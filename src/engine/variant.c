// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "engine/variant.h"

#define ANY_DEVICE 0

/*
 * By the device tables below drivers/vfio/pci/ of Linux 6.12 and later. virtio_vfio_pci is older
 * than what is said here: at first it did not migrate. nvgrace_gpu_vfio_pci is not here, since it
 * does not either.
 */
static const struct variant variants[] = {
	/* clang-format off */
	{ 0x15b3, 0x101e, NULL, "mlx5_vfio_pci",     "CONFIG_MLX5_VFIO_PCI",     5, 18 },
	{ 0x19e5, 0xa251, NULL, "hisi_acc_vfio_pci", "CONFIG_HISI_ACC_VFIO_PCI", 5, 18 },
	{ 0x19e5, 0xa256, NULL, "hisi_acc_vfio_pci", "CONFIG_HISI_ACC_VFIO_PCI", 5, 18 },
	{ 0x19e5, 0xa259, NULL, "hisi_acc_vfio_pci", "CONFIG_HISI_ACC_VFIO_PCI", 5, 18 },
	{ 0x1dd8, 0x1003, NULL, "pds_vfio_pci",      "CONFIG_PDS_VFIO_PCI",      6, 6 },
	{ 0x8086, 0x4941, NULL, "qat_vfio_pci",      "CONFIG_QAT_VFIO_PCI",      6, 10 },
	{ 0x8086, 0x4943, NULL, "qat_vfio_pci",      "CONFIG_QAT_VFIO_PCI",      6, 10 },
	{ 0x8086, 0x4945, NULL, "qat_vfio_pci",      "CONFIG_QAT_VFIO_PCI",      6, 10 },
	{ 0x1af4, 0x1041, NULL, "virtio_vfio_pci",   "CONFIG_VIRTIO_VFIO_PCI",   6, 13 },
	{ 0x1af4, 0x1042, NULL, "virtio_vfio_pci",   "CONFIG_VIRTIO_VFIO_PCI",   6, 15 },
	{ 0x8086, ANY_DEVICE, "xe", "xe_vfio_pci",   "CONFIG_XE_VFIO_PCI",       6, 19 },
	/* clang-format on */
};

const struct variant *variant_find(const struct pci_ids *ids, const char *pf_driver)
{
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		const struct variant *v = &variants[i];

		if (v->vendor != ids->vendor ||
		    (v->device != ANY_DEVICE && v->device != ids->device))
			continue;
		if (!v->pf_driver || (pf_driver && strcmp(pf_driver, v->pf_driver) == 0))
			return v;
	}
	return NULL;
}
