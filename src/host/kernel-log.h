/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel has logged about a device
 *
 * Drivers say there why they refuse, and an errno does not. Read without waiting from /dev/kmsg,
 * whose records are "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT"; the kernel's
 * Documentation/ABI/testing/dev-kmsg.
 */

#include <stdint.h>
#include <stddef.h>

#include "base/err.h"
#include "host/host.h"

#define KERNEL_LOG_WARNING 4

/**
 * struct kernel_log - the records that name the device
 * @lines: how many; @warnings: of those, at KERNEL_LOG_WARNING or worse
 * @last: the last warning, or the last one where none is; printable; "" for none
 */
struct kernel_log {
	unsigned int lines, warnings;
	char last[256];
};

/**
 * kernel_log_find() - the records since @since_us of the kernel's clock that have @name in them
 *
 * Return: 0; what open() said: -EPERM where kernel.dmesg_restrict forbids it.
 */
_must_check_ int kernel_log_find(const struct host *host, const char *name, uint64_t since_us,
				 struct kernel_log *ret);
