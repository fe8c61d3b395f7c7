// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: profiles. They have the habits of drivers, as a user of the device can see them, with
 * sizes that are like the real ones where those are small, and quick to move where they are not.
 */

#include <linux/errno.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "migsim.h"

#define CAPS_ALL	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)
#define CAPS_NO_P2P	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY)
#define CAPS_NO_PRECOPY	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P)

/* What is the same for all. */
#define COMMON		.can_reset = true, .v1_window = SZ_64K

static const struct {
	const char *name;
	struct migsim_habits habits;
} profiles[] = {
	{ "none", {
		COMMON,
		.size = SZ_1M,
		.vendor = 0x1b36, .device = 0x00ff, .subvendor = 0x1b36, .subdevice = 0x0001,
		.class = 0xff0000, .revision = 0x01,
		.caps = CAPS_ALL,
		.reset_on_open = true,
		.detect_short = true,
		.bad_errno = EINVAL,
	} },

	/* New dirty contents only for who asks; the one with poll(); takes cut off streams. */
	{ "mlx5", {
		COMMON,
		.size = SZ_16M,
		.vendor = 0x15b3, .device = 0x101e, .subvendor = 0x15b3, .subdevice = 0x0058,
		.class = 0x020000, .revision = 0x00,
		.caps = CAPS_ALL,
		.reset_on_open = true,
		.dma_logging = true,
		.initial_bytes = SZ_4M,
		.dirty_bytes = SZ_1M,
		.dirty_rate = SZ_256K,
		.dirty_by_query = true,
		.prepare = 10,
		.poll = true,
		.nonblock = true,
		.bad_errno = EINVAL,
	} },

	/* 40 bytes tell whether the devices match, and come first; 176 in all. */
	{ "hisi_acc", {
		COMMON,
		.size = 112,
		.vendor = 0x19e5, .device = 0xa251, .subvendor = 0x19e5, .subdevice = 0xa251,
		.class = 0x120000, .revision = 0x30,
		.caps = CAPS_NO_P2P,
		.reset_on_open = true,
		.initial_bytes = 40,
		.precopy_end_zero = true,
		.detect_short = true,
		.bad_errno = EFAULT,
	} },

	/* Says 64 KiB, always; the firmware looks at it all when it has it all. */
	{ "pds", {
		COMMON,
		.size = 40000,
		.vendor = 0x1dd8, .device = 0x1003, .subvendor = 0x1dd8, .subdevice = 0x4000,
		.class = 0x020000, .revision = 0x00,
		.caps = CAPS_NO_PRECOPY,
		.reset_on_open = true,
		.data_size = MIGSIM_SIZE_OVER,
		.dma_logging = true,
		.check_at_stop = true,
		.detect_short = true,
		.bad_errno = EINVAL,
	} },

	/* Says 4096, always. */
	{ "qat", {
		COMMON,
		.size = 3000,
		.vendor = 0x8086, .device = 0x4941, .subvendor = 0x8086, .subdevice = 0x0000,
		.class = 0x0b4000, .revision = 0x40,
		.caps = CAPS_ALL,
		.reset_on_open = true,
		.data_size = MIGSIM_SIZE_OVER,
		.initial_bytes = 256,
		.precopy_end_zero = true,
		.detect_short = true,
		.bad_errno = EINVAL,
	} },

	/* As mlx5, but the device is asked once a second at most. */
	{ "virtio", {
		COMMON,
		.size = SZ_4K,
		.vendor = 0x1af4, .device = 0x1041, .subvendor = 0x1af4, .subdevice = 0x0040,
		.class = 0x020000, .revision = 0x01,
		.caps = CAPS_ALL,
		.reset_on_open = true,
		.initial_bytes = SZ_1K,
		.dirty_bytes = 512,
		.dirty_by_query = true,
		.query_interval = 1000,
		.bad_errno = EINVAL,
	} },

	/* Much, and made while it is read: the first read waits. */
	{ "xe", {
		COMMON,
		.size = SZ_64M,
		.vendor = 0x8086, .device = 0xb080, .subvendor = 0x8086, .subdevice = 0x0000,
		.class = 0x030000, .revision = 0x04,
		.caps = CAPS_NO_PRECOPY,
		.reset_on_open = true,
		.prepare = 20,
		.detect_short = true,
		.bad_errno = EINVAL,
	} },

	/* Of ../migsim-pci, real: nothing but their registers, and a log that is true. */
	{ "igbvf", {
		COMMON,
		.vendor = 0x8086, .device = 0x10ca, .subvendor = 0x1af4, .subdevice = 0x1100,
		.class = 0x020000, .revision = 0x01,
		.caps = CAPS_ALL,
		.reset_on_open = true,
		.dma_logging = true,
		.detect_short = true,
		.bad_errno = EINVAL,
	} },

	/* The sample driver: what it holds survives a close. 96 bytes in all. */
	{ "mtty", {
		COMMON,
		.size = 32,
		.vendor = 0x4348, .device = 0x3253, .subvendor = 0x4348, .subdevice = 0x3253,
		.class = 0x070002, .revision = 0x10,
		.caps = CAPS_ALL,
		.dma_logging = true,
		.initial_bytes = 24,
		.precopy_end_zero = true,
		.detect_short = true,
		.bad_errno = EFAULT,
	} },
};

const struct migsim_habits *migsim_profile(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++)
		if (!strcmp(name, profiles[i].name))
			return &profiles[i].habits;
	return NULL;
}

const char *migsim_profile_name(const char *written)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++)
		if (sysfs_streq(written, profiles[i].name))
			return profiles[i].name;
	return NULL;
}
