/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a driver sees of the emulated device: its configuration space, and BAR 0
 */

#include <stddef.h>
#include <stdint.h>

struct emu_device;

#define EMU_BAR_SIZE 4096u
#define EMU_IDENTITY UINT32_C(0x554d4556) /* "VEMU" */

/* BAR 0, of 64 bits unless it says otherwise; the rest reads as zero. */
enum emu_reg {
	EMU_REG_IDENTITY = 0x00, /* 32 bits, and 32 bits of version */
	EMU_REG_COUNTER = 0x08, /* microseconds for which it ran; migrates with the state */
	EMU_REG_DIGEST = 0x10, /* of its internal state */
	EMU_REG_CONTROL = 0x18, /* 32 bits; written: dirty so many blocks; read: how many it has */
	EMU_REG_STATE = 0x1c, /* 32 bits: enum mig_state */
	EMU_REG_STATE_SIZE = 0x20,
	EMU_REG_MOVED = 0x28, /* bytes of stream in this session */
	EMU_REG_RESETS = 0x30,
	EMU_REGS_END = 0x38,
};

/** emu_config_reset() - the configuration space as after power-on */
void emu_config_reset(struct emu_device *d);

/** emu_config_write() - what may be written is, the rest is ignored. The range was checked. */
void emu_config_write(struct emu_device *d, size_t at, const uint8_t *from, size_t len);

/** emu_regs_read() - any part of BAR 0. The range was checked. */
void emu_regs_read(const struct emu_device *d, size_t at, void *to, size_t len);

/** emu_regs_write() - has an effect only while the device runs. The range was checked. */
void emu_regs_write(struct emu_device *d, size_t at, const void *from, size_t len);
