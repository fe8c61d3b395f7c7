/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The running kernel and its modules: which there are, which one a device wants, loading it, and
 * the drivers that it has
 *
 * A module is loaded alone, by its name: modprobe of an alias loads every module that matches. What
 * its driver is called is read from sysfs, since module and driver may be spelled differently.
 * Module names are taken with "-" or "_", as modprobe(8) takes them.
 */

#include "host/host.h"
#include "host/modalias.h"
#include "host/vfio-node.h"

#define KERNEL_RELEASE_MAX 64

/**
 * kernel_release() - "6.12.38+deb13-amd64", as uname(1) prints it
 * @ret: "" when /proc does not tell
 */
void kernel_release(const struct host *host, char ret[KERNEL_RELEASE_MAX]);

enum module_found {
	MODULE_UNKNOWN, /* this machine has no list of the kernel's modules, as in a container */
	MODULE_ABSENT, /* neither a file nor built in */
	MODULE_THERE, /* can be loaded, or is built in */
	MODULE_LOADED,
};

/** module_find() - by /sys/module and the lists that depmod(8) makes */
enum module_found module_find(const struct host *host, const char *module);

/* Outcomes of module_choose(); not errors. */
enum module_choice {
	MODULE_CHOSEN = 0,
	MODULE_NONE, /* no module has an alias for it */
};

/**
 * module_choose() - the vfio driver's module that is for @node, of the running kernel's
 *
 * Return: enum module_choice; -ENOENT (ERR_UNSUPPORTED) when no list of aliases is there; what
 * reading said.
 */
_must_check_ int module_choose(const struct host *host, const struct vfio_node *node,
			       struct modalias_choice *ret, struct err *err);

/**
 * module_load() - by modprobe(8); returns when it has ended
 *
 * Return: 0, also when it is there already; -ENOENT (ERR_UNSUPPORTED) when modprobe has failed, and
 * has said why on standard error; what starting it said.
 */
_must_check_ int module_load(const struct host *host, const char *module, struct err *err);

/**
 * module_driver() - the PCI driver of a module that is loaded or built in
 * @ret: the caller frees it
 *
 * Return: 0; -ENODEV (ERR_UNSUPPORTED) where it has none; -ENOTUNIQ (ERR_UNSUPPORTED) for several.
 */
_must_check_ int module_driver(const struct host *host, const char *module, char **ret,
			       struct err *err);
