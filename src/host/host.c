// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/host.h"

const struct host host_live = {
	.sys = "/sys",
	.dev = "/dev",
	.proc = "/proc",
	.module_root = "",
};
