/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Small helpers for host/: paths, links and folders of sysfs and /proc
 *
 * What they read is bounded; whatever they look at may be gone the next moment.
 */

#include <dirent.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "host/host.h"

DEFINE_CLEANUP(DIR *, closedir)

/** sysfs_check() - Return: 0, or -ENOENT with the message that no sysfs is mounted. */
_must_check_ int sysfs_check(const struct host *host, struct err *err);

/** path_fmt() - Return: a new string that the caller frees, or NULL when out of memory. */
char *path_fmt(const char *fmt, ...) _printf_(1, 2);

/** path_base() - what follows the last slash. */
const char *path_base(const char *path);

/** path_inside() - Return: the rest of @path, with its slash, or NULL when it is not in @root. */
const char *path_inside(const char *path, const char *root);

/** path_real() - realpath() of a formatted path. Return: 0 or negative errno. */
_must_check_ int path_real(char **ret, const char *fmt, ...) _printf_(2, 3);

/** path_exists() - without a word on why not. */
bool path_exists(const char *dir, const char *name);

/** dir_next() - the next entry that does not start with a dot, or NULL. */
const char *dir_next(DIR *dir);

/**
 * sysfs_link_name() - the last part of what a link points to: the driver of DEVICE/driver
 *
 * Return: 0, -ENOENT when there is no link, or negative errno.
 */
_must_check_ int sysfs_link_name(const char *dir, const char *name, char **ret);

/** sysfs_devt() - the device number in @dir/dev. Return: 0 or negative errno. */
_must_check_ int sysfs_devt(const char *dir, dev_t *ret);
