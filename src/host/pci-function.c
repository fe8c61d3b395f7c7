// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/units.h"
#include "host/pci-function.h"
#include "host/sysfs.h"

bool pci_function_can_reset(const struct vfio_node *node)
{
	_cleanup_free_ char *path = path_fmt("%s/reset_method", node->sysfs);
	_cleanup_free_ char *methods = NULL;

	if (strcmp(node->bus, "pci") != 0)
		return false;
	if (path && read_text(AT_FDCWD, path, &methods) == 0)
		return methods[strspn(methods, " \t\n")];
	return path_exists(node->sysfs, "reset");
}

/* /sys/devices/pci0000:00/0000:00:03.0: the folder above a root bus's function is its bus. */
bool pci_function_on_root_bus(const struct vfio_node *node)
{
	const char *function = path_base(node->sysfs), *bus;

	if (strcmp(node->bus, "pci") != 0 || function - node->sysfs < 2)
		return false;
	for (bus = function - 1; bus > node->sysfs && bus[-1] != '/';)
		bus--;
	return strncmp(bus, "pci", strlen("pci")) == 0;
}

/* A line "0xSTART 0xEND 0xFLAGS" for each BAR; all zeros for one that is none. */
void pci_function_bars(const struct vfio_node *node, uint64_t ret[6])
{
	_cleanup_free_ char *path = path_fmt("%s/resource", node->sysfs);
	_cleanup_free_ char *text = NULL;
	char *rest, *line;

	memset(ret, 0, 6 * sizeof(*ret));
	if (strcmp(node->bus, "pci") != 0 || !path || read_text(AT_FDCWD, path, &text) < 0)
		return;
	rest = text;
	for (int i = 0; i < 6 && (line = strsep(&rest, "\n")); i++) {
		uint64_t start, end;

		if (scan_uint(scan_uint(line, 16, UINT64_MAX, &start), 16, UINT64_MAX, &end) &&
		    end > start)
			ret[i] = end - start + 1;
	}
}
