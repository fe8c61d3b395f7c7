/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A host of files
 *
 * Trees like /sys, /dev and /proc below a temporary folder. Nodes are links to /dev/null and its
 * like: they have a device number, and need no privileges.
 */

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"

#define NULL_NUMBER "1:3"
#define ZERO_NUMBER "1:5"
#define FULL_NUMBER "1:7"

/* A path below the root. Good until the fourth next one is asked for. */
#define AT(f, ...) fake_path((f), __VA_ARGS__)

struct fake_host {
	struct host host;
	char root[PATH_MAX / 4];
	char sys[PATH_MAX / 2], dev[PATH_MAX / 2], proc[PATH_MAX / 2];
	char path[4][PATH_MAX];
	unsigned int next;
};

/* Not assert(): what is checked here must be done even with NDEBUG. */
static inline void fake_must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	abort();
}

static inline __attribute__((format(printf, 2, 3))) const char *fake_path(struct fake_host *f,
									  const char *fmt, ...)
{
	char *path = f->path[f->next++ % 4];
	int n = snprintf(path, PATH_MAX, "%s/", f->root);
	va_list ap;

	va_start(ap, fmt);
	n = vsnprintf(path + n, PATH_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	fake_must(n >= 0 && n < PATH_MAX / 2, fmt);
	return path;
}

static inline void fake_parents(const char *path)
{
	char folder[PATH_MAX];
	char *slash = folder;

	snprintf(folder, sizeof(folder), "%s", path);
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		fake_must(mkdir(folder, 0755) == 0 || errno == EEXIST, folder);
		*slash = '/';
	}
}

static inline void fake_dir(const char *path)
{
	fake_parents(path);
	fake_must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
}

static inline void fake_file(const char *path, const char *text)
{
	FILE *file;

	fake_parents(path);
	file = fopen(path, "we");
	fake_must(file && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

static inline void fake_link(const char *path, const char *target)
{
	fake_parents(path);
	unlink(path);
	fake_must(symlink(target, path) == 0, path);
}

/*
 * A device in @folder below /sys/devices. @driver may be NULL, @group -1.
 */
static inline void fake_device(struct fake_host *f, const char *bus, const char *folder,
			       const char *driver, int group)
{
	const char *name = strrchr(folder, '/') + 1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", AT(f, "sys/devices/%s", folder));
	fake_dir(path);
	fake_link(AT(f, "sys/devices/%s/subsystem", folder), AT(f, "sys/bus/%s", bus));
	fake_link(AT(f, "sys/bus/%s/devices/%s", bus, name), path);
	if (driver) {
		fake_dir(AT(f, "sys/bus/%s/drivers/%s", bus, driver));
		fake_link(AT(f, "sys/devices/%s/driver", folder),
			  AT(f, "sys/bus/%s/drivers/%s", bus, driver));
	}
	if (group >= 0) {
		fake_link(AT(f, "sys/kernel/iommu_groups/%d/devices/%s", group, name), path);
		fake_link(AT(f, "sys/devices/%s/iommu_group", folder),
			  AT(f, "sys/kernel/iommu_groups/%d", group));
	}
}

/* What VFIO adds to its devices since 6.1. @number is NULL where it makes no cdev. */
static inline void fake_vfio_dev(struct fake_host *f, const char *folder, const char *vfio,
				 const char *number, const char *node)
{
	fake_dir(AT(f, "sys/devices/%s/vfio-dev/%s", folder, vfio));
	fake_link(AT(f, "sys/devices/%s/vfio-dev/%s/subsystem", folder, vfio),
		  AT(f, "sys/class/vfio-dev"));
	fake_link(AT(f, "sys/devices/%s/vfio-dev/%s/device", folder, vfio),
		  AT(f, "sys/devices/%s", folder));
	fake_link(AT(f, "sys/class/vfio-dev/%s", vfio),
		  AT(f, "sys/devices/%s/vfio-dev/%s", folder, vfio));
	if (!number)
		return;
	fake_file(AT(f, "sys/devices/%s/vfio-dev/%s/dev", folder, vfio), number);
	fake_link(AT(f, "sys/dev/char/%s", number),
		  AT(f, "sys/devices/%s/vfio-dev/%s", folder, vfio));
	fake_link(AT(f, "dev/vfio/devices/%s", vfio), node);
}

/* The node of a group: @name is "7" or "noiommu-7". */
static inline void fake_group(struct fake_host *f, const char *name, const char *number,
			      const char *node)
{
	fake_file(AT(f, "sys/devices/virtual/vfio/%s/dev", name), number);
	fake_link(AT(f, "sys/devices/virtual/vfio/%s/subsystem", name), AT(f, "sys/class/vfio"));
	fake_link(AT(f, "sys/class/vfio/%s", name), AT(f, "sys/devices/virtual/vfio/%s", name));
	fake_link(AT(f, "sys/dev/char/%s", number), AT(f, "sys/devices/virtual/vfio/%s", name));
	fake_link(AT(f, "dev/vfio/%s", name), node);
}

static inline struct fake_host *fake_host_new(void)
{
	struct fake_host *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");
	char template[PATH_MAX / 4];

	fake_must(f, "fake host");
	snprintf(template, sizeof(template), "%s/fake-host-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	fake_must(mkdtemp(template), template);
	snprintf(f->root, sizeof(f->root), "%s", template);
	snprintf(f->sys, sizeof(f->sys), "%s/sys", f->root);
	snprintf(f->dev, sizeof(f->dev), "%s/dev", f->root);
	snprintf(f->proc, sizeof(f->proc), "%s/proc", f->root);
	f->host = (struct host){
		.sys = f->sys, .dev = f->dev, .proc = f->proc, .module_root = f->root
	};
	fake_dir(f->sys);
	fake_dir(f->dev);
	fake_file(AT(f, "proc/1/comm"), "init\n");
	fake_dir(AT(f, "proc/1/fd"));
	return f;
}

static inline int fake_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fake_remove(const char *path)
{
	nftw(path, fake_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fake_host_free(struct fake_host *f)
{
	fake_remove(f->root);
	free(f);
}
