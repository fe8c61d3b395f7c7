// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "host/mdev.h"
#include "host/sysfs.h"

const char *mdev_type_name(const struct vfio_node *node, char buf[MDEV_NAME_MAX])
{
	_cleanup_free_ char *path = path_fmt("%s/mdev_type/name", node->sysfs);
	_cleanup_free_ char *text = NULL;

	if (strcmp(node->bus, "mdev") != 0 || !path)
		return NULL;
	if ((read_text(AT_FDCWD, path, &text) < 0 || !*text) &&
	    sysfs_link_name(node->sysfs, "mdev_type", &text) < 0)
		return NULL;
	snprintf(buf, MDEV_NAME_MAX, "%s", text);
	make_printable(buf);
	return buf;
}
