/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where the kernel shows itself
 *
 * Everything in host/ reads files below these roots and opens no device. A test gives a tree of
 * its own; the tool gives host_live.
 */

struct host {
	const char *sys; /* "/sys" */
	const char *dev; /* "/dev" */
	const char *proc; /* "/proc" */
	const char *module_root; /* has lib/modules/RELEASE: "" for "/" */
};

extern const struct host host_live;
