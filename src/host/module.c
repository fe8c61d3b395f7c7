// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/printable.h"
#include "base/spawn.h"
#include "host/module.h"
#include "host/sysfs.h"

extern char **environ;

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

static int module_read_aliases(const char *path, enum modalias_file file, const char *alias,
			       struct modalias_choice *best)
{
	_cleanup_file_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	const int end = file == MODALIAS_BUILTIN ? '\0' : '\n';
	size_t room = 0;
	ssize_t n;

	if (!f)
		return -errno;
	while ((n = getdelim(&line, &room, end, f)) > 0) {
		if (line[n - 1] == end)
			line[n - 1] = '\0';
		modalias_consider(file, line, alias, best);
	}
	return ferror(f) ? -EIO : 0;
}

/* The kernel may lack either file: one without built-in modules, or without others. */
static int module_read_files(const struct host *host, const char *alias,
			     struct modalias_choice *best, struct err *err)
{
	static const struct {
		const char *name;
		enum modalias_file file;
	} files[] = {
		{ "modules.alias", MODALIAS_LOADABLE },
		{ "modules.builtin.modinfo", MODALIAS_BUILTIN },
	};
	char release[KERNEL_RELEASE_MAX];
	unsigned int there = 0;

	kernel_release(host, release);
	if (!*release)
		return err_fail(err, ERR_SYSTEM, -ENOENT,
				"%s/sys/kernel/osrelease does not tell which kernel runs",
				host->proc);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *path =
			path_fmt("%s/lib/modules/%s/%s", host->module_root, release, files[i].name);
		int r;

		if (!path)
			return err_set(err, -ENOMEM, "%s", files[i].name);
		r = module_read_aliases(path, files[i].file, alias, best);
		if (r < 0 && r != -ENOENT)
			return err_set(err, r, "%s", path);
		there += r >= 0;
	}
	if (there)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -ENOENT, "%s/lib/modules/%s: has no modules.alias",
		 host->module_root, release);
	return err_hint(err, -ENOENT, "--driver names the driver, --module-root another folder");
}

int module_choose(const struct host *host, const struct vfio_node *node,
		  struct modalias_choice *ret, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/modalias", node->sysfs);
	_cleanup_free_ char *modalias = NULL;
	struct modalias_choice best = { 0 };
	char alias[MODALIAS_MAX];
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = read_text(AT_FDCWD, path, &modalias);
	if (r < 0)
		return err_set(err, r, "%s: modalias", node->name);
	if (!modalias_for_vfio(modalias, alias))
		return MODULE_NONE;
	r = module_read_files(host, alias, &best, err);
	if (r < 0)
		return err_prefix(err, r, "%s: which driver", node->name);
	*ret = best;
	return best.module[0] ? MODULE_CHOSEN : MODULE_NONE;
}

/* As the kernel writes a module's name: with "_" for "-". The caller frees it. */
static char *module_folder(const struct host *host, const char *module)
{
	char *path = path_fmt("%s/module/%s", host->sys, module);

	for (char *p = path ? path + strlen(path) - strlen(module) : NULL; p && *p; p++)
		if (*p == '-')
			*p = '_';
	return path;
}

/* "kernel/drivers/vfio/pci/mlx5/mlx5-vfio-pci.ko.xz: ...", which is mlx5_vfio_pci. */
static bool module_has_line(const char *line, const char *name)
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
		if (file[i] != name[i] && !(strchr("-_", file[i]) && strchr("-_", name[i])))
			return false;
	return true;
}

/* Return: whether there is such a list; *@found is set when @name is in it. */
static bool module_in_list(const struct host *host, const char *release, const char *list,
			   const char *name, bool *found)
{
	_cleanup_free_ char *path =
		path_fmt("%s/lib/modules/%s/%s", host->module_root, release, list);
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	FILE *f = path ? fopen(path, "re") : NULL;

	if (!f)
		return false;
	while (!*found && getline(&line, &room, f) > 0)
		*found = module_has_line(line, name);
	fclose(f);
	return true;
}

enum module_found module_find(const struct host *host, const char *name)
{
	_cleanup_free_ char *folder = module_folder(host, name);
	char release[KERNEL_RELEASE_MAX];
	bool found = false, listed;

	if (folder && path_exists(folder, "."))
		return MODULE_LOADED;
	kernel_release(host, release);
	listed = module_in_list(host, release, "modules.dep", name, &found);
	listed |= module_in_list(host, release, "modules.builtin", name, &found);
	return found ? MODULE_THERE : listed ? MODULE_ABSENT : MODULE_UNKNOWN;
}

/* Return: 0 or a positive errno, as posix_spawn(). */
static int module_spawn(pid_t *ret, char *const argv[])
{
	posix_spawnattr_t attr;
	int r, s;

	r = posix_spawnattr_init(&attr);
	if (r)
		return r;
	r = spawn_undo_signals(&attr, 0);
	s = r ? r : posix_spawnp(ret, argv[0], NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	return s;
}

static int module_run(char *const argv[], int *ret_status)
{
	pid_t pid;
	int r;

	r = module_spawn(&pid, argv);
	if (r)
		return -r;
	do
		r = waitpid(pid, ret_status, 0) < 0 ? -errno : 0;
	while (r == -EINTR);
	return r;
}

int module_load(const struct host *host, const char *module, struct err *err)
{
	_cleanup_free_ char *folder = module_folder(host, module);
	_cleanup_free_ char *name = strdup(module);
	_cleanup_free_ char *dir = strdup(host->module_root);
	char program[] = "modprobe", option[] = "-d", end[] = "--";
	char *const from_root[] = { program, option, dir, end, name, NULL };
	char *const argv[] = { program, end, name, NULL };
	int status = 0, r;

	if (!folder || !name || !dir)
		return err_set(err, -ENOMEM, "%s", module);
	if (path_exists(folder, "."))
		return 0;
	r = module_run(*dir ? from_root : argv, &status);
	if (r < 0)
		return err_set(err, r, "modprobe");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_fail(err, ERR_UNSUPPORTED, -ENOENT, "%s: modprobe does not load it", module);
}

int module_driver(const struct host *host, const char *module, char **ret, struct err *err)
{
	_cleanup_free_ char *folder = module_folder(host, module);
	_cleanup_free_ char *path = NULL, *found = NULL;
	_cleanup_(closedirp) DIR *dir = NULL;
	const char *entry;

	path = folder ? path_fmt("%s/drivers", folder) : NULL;
	if (!path)
		return err_set(err, -ENOMEM, "%s", module);
	dir = opendir(path);
	if (!dir && errno != ENOENT)
		return err_set(err, -errno, "%s", path);
	while (dir && (entry = dir_next(dir))) {
		if (strncmp(entry, "pci:", 4) != 0)
			continue;
		if (found) {
			err_fail(err, ERR_UNSUPPORTED, -ENOTUNIQ, "module %s: has several drivers",
				 module);
			return err_hint(err, -ENOTUNIQ, "--driver names one of them");
		}
		found = strdup(entry + 4);
		if (!found)
			return err_set(err, -ENOMEM, "%s", module);
	}
	if (!found)
		return err_fail(err, ERR_UNSUPPORTED, -ENODEV, "module %s: has no PCI driver",
				module);
	*ret = TAKE_PTR(found);
	return 0;
}
