/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which kernel this is, and which modules it has
 */

#include "host/host.h"

#define KERNEL_RELEASE_MAX 64

/**
 * kernel_release() - "6.12.38+deb13-amd64", as uname(1) prints it
 * @ret: "" when /proc does not tell
 */
void kernel_release(const struct host *host, char ret[KERNEL_RELEASE_MAX]);

enum kernel_module {
	MODULE_UNKNOWN, /* this machine has no list of the kernel's modules, as in a container */
	MODULE_ABSENT, /* neither a file nor built in */
	MODULE_THERE, /* can be loaded, or is built in */
	MODULE_LOADED,
};

/**
 * kernel_module_find() - by /sys/module and the lists that depmod(8) makes
 * @name: with underscores; file names have either
 */
enum kernel_module kernel_module_find(const struct host *host, const char *release,
				      const char *name);
