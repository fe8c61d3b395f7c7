// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "emu/device.h"
#include "emu/regs.h"

#define REGS_VERSION 1

/* PCI configuration space, type 0 */
#define PCI_IDS 0x00
#define PCI_COMMAND 0x04
#define PCI_CLASS_REVISION 0x08
#define PCI_BAR0 0x10
#define PCI_SUBSYSTEM 0x2c
#define PCI_INTERRUPT 0x3c

static void emu_regs_put(uint8_t *base, size_t at, uint64_t value, size_t size)
{
	memcpy(base + at, &value, size); /* little-endian, as any host of vfio-user is so far */
}

/* Bits that can be written: command, base of a BAR of 4 KiB, interrupt line. */
static uint8_t emu_regs_writable(size_t at)
{
	static const uint8_t mask[] = {
		[PCI_COMMAND] = 0x47,  [PCI_COMMAND + 1] = 0x05, [PCI_BAR0 + 1] = 0xf0,
		[PCI_BAR0 + 2] = 0xff, [PCI_BAR0 + 3] = 0xff,	 [PCI_INTERRUPT] = 0xff,
	};

	return at < ARRAY_SIZE(mask) ? mask[at] : 0;
}

void emu_config_reset(struct emu_device *d)
{
	const struct emu_ids *ids = &d->config->ids;

	memset(d->pci, 0, sizeof(d->pci));
	emu_regs_put(d->pci, PCI_IDS, ids->vendor | (uint32_t)ids->device << 16, 4);
	emu_regs_put(d->pci, PCI_CLASS_REVISION, ids->revision | ids->class_code << 8, 4);
	emu_regs_put(d->pci, PCI_SUBSYSTEM, ids->vendor | (uint32_t)ids->device << 16, 4);
	emu_regs_put(d->pci, PCI_INTERRUPT + 1, 1, 1); /* INTA */
}

void emu_config_write(struct emu_device *d, size_t at, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t mask = emu_regs_writable(at + i);

		d->pci[at + i] = (uint8_t)((d->pci[at + i] & ~mask) | (from[i] & mask));
	}
}

void emu_regs_read(const struct emu_device *d, size_t at, void *to, size_t len)
{
	uint8_t regs[EMU_REGS_END] = { 0 };

	emu_regs_put(regs, EMU_REG_IDENTITY, EMU_IDENTITY | (uint64_t)REGS_VERSION << 32, 8);
	emu_regs_put(regs, EMU_REG_COUNTER, d->running_ns / 1000, 8);
	emu_regs_put(regs, EMU_REG_DIGEST, emu_content_digest(&d->content), 8);
	emu_regs_put(regs, EMU_REG_CONTROL, d->content.n_blocks, 4);
	emu_regs_put(regs, EMU_REG_STATE, d->state, 4);
	emu_regs_put(regs, EMU_REG_STATE_SIZE, d->config->state_size, 8);
	emu_regs_put(regs, EMU_REG_MOVED, d->moved, 8);
	emu_regs_put(regs, EMU_REG_RESETS, d->n_resets, 8);
	memset(to, 0, len);
	if (at < sizeof(regs))
		memcpy(to, regs + at, MIN(len, sizeof(regs) - at));
}

void emu_regs_write(struct emu_device *d, size_t at, const void *from, size_t len)
{
	uint32_t n;

	if (at != EMU_REG_CONTROL || len != sizeof(n))
		return;
	memcpy(&n, from, sizeof(n));
	emu_device_dirty(d, n);
}
