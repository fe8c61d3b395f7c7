// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "host/kernel-module.h"
#include "host/sysfs.h"

void kernel_release(const struct host *host, char ret[KERNEL_RELEASE_MAX])
{
	_cleanup_free_ char *path = path_fmt("%s/sys/kernel/osrelease", host->proc);
	_cleanup_free_ char *text = NULL;

	ret[0] = '\0';
	if (!path || read_text(AT_FDCWD, path, &text) < 0)
		return;
	snprintf(ret, KERNEL_RELEASE_MAX, "%s", text);
	make_printable(ret);
}

/* "kernel/drivers/vfio/pci/mlx5/mlx5-vfio-pci.ko.xz: ...", which is mlx5_vfio_pci. */
static bool kernel_module_is(const char *line, const char *name)
{
	const char *file = line, *end = strstr(line, ".ko");
	size_t n = strlen(name);

	if (!end)
		return false;
	for (const char *c = line; c < end; c++)
		if (*c == '/')
			file = c + 1;
	if ((size_t)(end - file) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (file[i] != name[i] && !(file[i] == '-' && name[i] == '_'))
			return false;
	return true;
}

/* Return: whether there is such a list; *@found is set when @name is in it. */
static bool kernel_module_in_list(const struct host *host, const char *release, const char *list,
				  const char *name, bool *found)
{
	_cleanup_free_ char *path = path_fmt("%s/%s/%s", host->modules, release, list);
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	FILE *f = path ? fopen(path, "re") : NULL;

	if (!f)
		return false;
	while (!*found && getline(&line, &room, f) > 0)
		*found = kernel_module_is(line, name);
	fclose(f);
	return true;
}

enum kernel_module kernel_module_find(const struct host *host, const char *release,
				      const char *name)
{
	_cleanup_free_ char *folder = path_fmt("%s/module", host->sys);
	bool found = false, listed;

	if (folder && path_exists(folder, name))
		return MODULE_LOADED;
	listed = kernel_module_in_list(host, release, "modules.dep", name, &found);
	listed |= kernel_module_in_list(host, release, "modules.builtin", name, &found);
	return found ? MODULE_THERE : listed ? MODULE_ABSENT : MODULE_UNKNOWN;
}
