// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI function as vfio-pci shows one that was just opened: memory enabled, everything else off.
 */

#include <linux/overflow.h>
#include <linux/pci_regs.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>

#include "migsim.h"

#define PCI_PM_CAP	0x40
#define PCI_MSI_CAP	0x50
#define PCI_MSIX_CAP	0x60
#define PCI_EXP_CAP	0x70
#define PCI_VENDOR_CAP	0xb0

#define BAR0_MSIX_TABLE	0x800
#define BAR0_MSIX_PBA	0xc00
#define BAR0_DIRTY	0x28

static const char pci_vendor_text[13] = "migsim device";

/* What is not 0 after a reset, beside the ids. */
static const struct {
	u8 at;
	u32 value;
} pci_defaults[] = {
	{ PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_STATUS_CAP_LIST << 16 },
	{ PCI_CAPABILITY_LIST, PCI_PM_CAP },
	{ PCI_INTERRUPT_LINE, 1 << 8 },

	{ PCI_PM_CAP, PCI_CAP_ID_PM | PCI_MSI_CAP << 8 | 3 << 16 },
	{ PCI_PM_CAP + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET },

	{ PCI_MSI_CAP, PCI_CAP_ID_MSI | PCI_MSIX_CAP << 8 | PCI_MSI_FLAGS_64BIT << 16 },

	{ PCI_MSIX_CAP, PCI_CAP_ID_MSIX | PCI_EXP_CAP << 8 | (MIGSIM_MSIX_VECTORS - 1) << 16 },
	{ PCI_MSIX_CAP + PCI_MSIX_TABLE, BAR0_MSIX_TABLE },
	{ PCI_MSIX_CAP + PCI_MSIX_PBA, BAR0_MSIX_PBA },

	/* An endpoint by version 2 of the capability, on one lane of the slowest kind. */
	{ PCI_EXP_CAP, PCI_CAP_ID_EXP | PCI_VENDOR_CAP << 8 | 2 << 16 },
	{ PCI_EXP_CAP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER },
	{ PCI_EXP_CAP + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
					PCI_EXP_DEVCTL_READRQ_512B },
	{ PCI_EXP_CAP + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4 },
	{ PCI_EXP_CAP + PCI_EXP_LNKCTL, (PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1) << 16 },
	{ PCI_EXP_CAP + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT },

	{ PCI_VENDOR_CAP, PCI_CAP_ID_VNDR | 16 << 16 },
};

/* The bits that a write changes. Whether MSI or MSI-X is on is SET_IRQS' to say. */
static const u8 pci_writable[MIGSIM_CONFIG_SIZE] = {
	[PCI_COMMAND]		= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY,
	[PCI_COMMAND + 1]	= (PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE) >> 8,
	[PCI_CACHE_LINE_SIZE]	= 0xff,
	/* Its low 12 bits are 0 for ever: that is how sizing finds out that it is of 4096 bytes. */
	[PCI_BASE_ADDRESS_0 + 1] = 0xf0,
	[PCI_BASE_ADDRESS_0 + 2] = 0xff,
	[PCI_BASE_ADDRESS_0 + 3] = 0xff,
	[PCI_INTERRUPT_LINE]	= 0xff,

	[PCI_PM_CAP + PCI_PM_CTRL] = PCI_PM_CTRL_STATE_MASK,

	[PCI_MSI_CAP + PCI_MSI_ADDRESS_LO] = 0xfc,
	[PCI_MSI_CAP + PCI_MSI_ADDRESS_LO + 1 ... PCI_MSI_CAP + PCI_MSI_DATA_64 + 1] = 0xff,

	[PCI_EXP_CAP + PCI_EXP_DEVCTL] = 0xff,
	[PCI_EXP_CAP + PCI_EXP_DEVCTL + 1] = 0x78,
};

void migsim_pci_identify(struct migsim *m)
{
	const struct migsim_habits *h = &m->habits;
	u8 *config = m->config;

	put_unaligned_le16(h->vendor, config + PCI_VENDOR_ID);
	put_unaligned_le16(h->device, config + PCI_DEVICE_ID);
	put_unaligned_le32(h->class << 8 | h->revision, config + PCI_CLASS_REVISION);
	put_unaligned_le16(h->subvendor, config + PCI_SUBSYSTEM_VENDOR_ID);
	put_unaligned_le16(h->subdevice, config + PCI_SUBSYSTEM_ID);
}

void migsim_pci_init(struct migsim *m)
{
	u8 *config = m->config;

	memset(config, 0, sizeof(m->config));
	for (unsigned int i = 0; i < ARRAY_SIZE(pci_defaults); i++)
		put_unaligned_le32(pci_defaults[i].value, config + pci_defaults[i].at);
	memcpy(config + PCI_VENDOR_CAP + 3, pci_vendor_text, sizeof(pci_vendor_text));
	migsim_pci_identify(m);
}

void migsim_pci_show_irqs(struct migsim *m)
{
	u8 *msi = m->config + PCI_MSI_CAP + PCI_MSI_FLAGS;
	u8 *msix = m->config + PCI_MSIX_CAP + PCI_MSIX_FLAGS + 1;

	*msi &= ~PCI_MSI_FLAGS_ENABLE;
	*msix &= ~(PCI_MSIX_FLAGS_ENABLE >> 8);
	if (m->irq_vectors && m->irq_index == VFIO_PCI_MSI_IRQ_INDEX)
		*msi |= PCI_MSI_FLAGS_ENABLE;
	if (m->irq_vectors && m->irq_index == VFIO_PCI_MSIX_IRQ_INDEX)
		*msix |= PCI_MSIX_FLAGS_ENABLE >> 8;
}

/* --- configuration space ----------------------------------------------------------------- */

static bool config_has(u64 at, size_t count)
{
	return at <= MIGSIM_CONFIG_SIZE && count <= MIGSIM_CONFIG_SIZE - at;
}

static ssize_t config_read(struct migsim *m, char __user *buf, size_t count, u64 at)
{
	u8 copy[MIGSIM_CONFIG_SIZE];

	/* As vfio-pci says it. */
	if (!config_has(at, count))
		return -EFAULT;
	migsim_lock(m);
	memcpy(copy, m->config + at, count);
	migsim_unlock(m);
	return copy_to_user(buf, copy, count) ? -EFAULT : count;
}

static ssize_t config_write(struct migsim *m, const char __user *buf, size_t count, u64 at)
{
	u8 copy[MIGSIM_CONFIG_SIZE];

	if (!config_has(at, count))
		return -EFAULT;
	if (copy_from_user(copy, buf, count))
		return -EFAULT;
	migsim_lock(m);
	for (size_t i = 0; i < count; i++) {
		u8 mask = pci_writable[at + i];

		m->config[at + i] = (m->config[at + i] & ~mask) | (copy[i] & mask);
	}
	migsim_unlock(m);
	return count;
}

/* --- BAR0 -------------------------------------------------------------------------------- */

struct bar0 {
	char magic[4];
	__le32 version;
	__le64 counter, digest, seed, size, dirty;
};

static_assert(offsetof(struct bar0, dirty) == BAR0_DIRTY);

static int bar0_check(struct migsim *m, size_t count, u64 at)
{
	lockdep_assert_held(&m->lock);

	if ((count != 4 && count != 8) || at % count || at >= MIGSIM_BAR0_SIZE)
		return -EINVAL;
	return m->config[PCI_COMMAND] & PCI_COMMAND_MEMORY ? 0 : -EIO;
}

static void bar0_get(struct migsim *m, u8 *ret, size_t count, u64 at)
{
	struct bar0 regs = {
		.magic = "MSIM",
		.version = cpu_to_le32(1),
		.counter = cpu_to_le64(migsim_counter(m)),
		.digest = cpu_to_le64(migsim_digest(m)),
		.seed = cpu_to_le64(m->state.seed),
		.size = cpu_to_le64(m->state.size),
	};
	u64 table = BAR0_MSIX_TABLE;

	memset(ret, 0, count);
	if (at < sizeof(regs))
		memcpy(ret, (u8 *)&regs + at, count);
	/* The user of vfio-pci has no access to the vectors either: they are the host's. */
	else if (at >= table && at < table + MIGSIM_MSIX_VECTORS * PCI_MSIX_ENTRY_SIZE)
		memset(ret, 0xff, count);
}

static ssize_t bar0_read(struct migsim *m, char __user *buf, size_t count, u64 at)
{
	u8 copy[8];
	int err;

	migsim_lock(m);
	err = bar0_check(m, count, at);
	if (!err)
		bar0_get(m, copy, count, at);
	migsim_unlock(m);
	if (err)
		return err;
	return copy_to_user(buf, copy, count) ? -EFAULT : count;
}

static void bar0_dirty(struct migsim *m, u64 bytes)
{
	/* All of it is as dirty as it gets. */
	if (check_add_overflow(m->dirtied, bytes, &m->dirtied) || m->dirtied > m->state.size)
		m->dirtied = m->state.size;
	wake_up_all(&m->readable);
	migsim_log_dirty(m);
}

static ssize_t bar0_write(struct migsim *m, const char __user *buf, size_t count, u64 at)
{
	__le64 raw = 0;
	int err;

	if (count > sizeof(raw))
		return -EINVAL;
	if (copy_from_user(&raw, buf, count))
		return -EFAULT;
	migsim_lock(m);
	err = bar0_check(m, count, at);
	if (!err && at == BAR0_DIRTY)
		bar0_dirty(m, le64_to_cpu(raw));
	migsim_unlock(m);
	return err ?: count;
}

/* --- regions ----------------------------------------------------------------------------- */

ssize_t migsim_pci_read(struct migsim *m, unsigned int index, char __user *buf, size_t count,
			u64 at)
{
	switch (index) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return config_read(m, buf, count, at);
	case VFIO_PCI_BAR0_REGION_INDEX:
		return bar0_read(m, buf, count, at);
	default:
		return -EINVAL;
	}
}

ssize_t migsim_pci_write(struct migsim *m, unsigned int index, const char __user *buf,
			 size_t count, u64 at)
{
	switch (index) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return config_write(m, buf, count, at);
	case VFIO_PCI_BAR0_REGION_INDEX:
		return bar0_write(m, buf, count, at);
	default:
		return -EINVAL;
	}
}

int migsim_pci_region_info(struct migsim *m, struct vfio_region_info *info)
{
	if (info->index > VFIO_PCI_CONFIG_REGION_INDEX)
		return -EINVAL;
	info->offset = (u64)info->index << MIGSIM_OFFSET_SHIFT;
	info->size = 0;
	info->flags = 0;
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX)
		info->size = MIGSIM_CONFIG_SIZE;
	else if (info->index == VFIO_PCI_BAR0_REGION_INDEX)
		info->size = MIGSIM_BAR0_SIZE;
	if (info->size)
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	return 0;
}
