// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/spawn.h"
#include "host/module.h"
#include "host/sysfs.h"

extern char **environ;

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
static int module_read_files(const char *root, const char *alias, struct modalias_choice *best,
			     struct err *err)
{
	static const struct {
		const char *name;
		enum modalias_file file;
	} files[] = {
		{ "modules.alias", MODALIAS_LOADABLE },
		{ "modules.builtin.modinfo", MODALIAS_BUILTIN },
	};
	struct utsname kernel;
	unsigned int there = 0;

	if (uname(&kernel) < 0)
		return err_set(err, -errno, "uname");
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *path =
			path_fmt("%s/lib/modules/%s/%s", root, kernel.release, files[i].name);
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
	err_fail(err, ERR_UNSUPPORTED, -ENOENT, "%s/lib/modules/%s: has no modules.alias", root,
		 kernel.release);
	return err_hint(err, -ENOENT, "--driver names the driver, --module-root another folder");
}

int module_choose(const char *root, const struct vfio_node *node, struct modalias_choice *ret,
		  struct err *err)
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
	r = module_read_files(root, alias, &best, err);
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

int module_load(const struct host *host, const char *root, const char *module, struct err *err)
{
	_cleanup_free_ char *folder = module_folder(host, module);
	_cleanup_free_ char *name = strdup(module), *dir = strdup(root);
	char program[] = "modprobe", option[] = "-d", end[] = "--";
	char *const from_root[] = { program, option, dir, end, name, NULL };
	char *const argv[] = { program, end, name, NULL };
	int status = 0, r;

	if (!folder || !name || !dir)
		return err_set(err, -ENOMEM, "%s", module);
	if (path_exists(folder, "."))
		return 0;
	r = module_run(*root ? from_root : argv, &status);
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
