// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "host/debugfs.h"
#include "host/sysfs.h"

/* EPERM: kernel lockdown; EACCES: file permissions; ENOTDIR: something else lies in its place. */
static bool debugfs_nothing_known(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EPERM || r == -ENOTDIR;
}

int debugfs_migration_state(const struct host *host, const struct vfio_node *node, char *ret,
			    size_t size, struct err *err)
{
	_cleanup_free_ char *folder = NULL, *path = NULL, *text = NULL;
	int r;

	folder = path_fmt("%s/kernel/debug/vfio/%s", host->sys, node->name);
	path = folder ? path_fmt("%s/migration/state", folder) : NULL;
	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = read_text(AT_FDCWD, path, &text);
	if (r == 0) {
		snprintf(ret, size, "%.*s", (int)strcspn(text, " \t\n"), text);
		return DEBUGFS_STATE;
	}
	/* The folder lives as long as VFIO has the device; a read that it ends early gives EIO. */
	if (debugfs_nothing_known(r) || !path_exists(folder, "."))
		return r == -ENOENT && path_exists(folder, ".") ? DEBUGFS_NO_V2 : DEBUGFS_ABSENT;
	return err_set(err, r, "%s: migration state in debugfs", node->name);
}
