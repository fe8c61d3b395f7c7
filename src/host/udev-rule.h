/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A function's driver for every boot: a rule for udev
 *
 * One file for each function, which needs nothing of this program at the boot. It acts when the
 * function appears, which for a VF is when its PF's driver makes it, whenever that is:
 *
 * - driver_override is written first. The kernel takes the device's lock for that, and holds it as
 *   long as it probes drivers: afterwards the host's driver has either not been tried, and does not
 *   match any more, or has it for good, and is taken off it. So neither the order of modules nor
 *   what was loaded before matters.
 * - the module is loaded behind all rules; if that is what was missing, the kernel binds the
 *   function then.
 * - whether the driver has it is seen by its folder in sysfs, since udev reads DRIVER once for an
 *   event, which may be before this.
 *
 * A function in whose place another kind of card is found is left alone.
 */

#include "host/vfio-node.h"

#define UDEV_RULE_DIR "/etc/udev/rules.d"
#define UDEV_RULE_TEXT 128

/**
 * struct udev_rule
 * @driver: that it is given to
 * @module: that is loaded for it; "" where it is built in
 * @found: the driver before that, "" for none: what going back means when nothing else knows it
 */
struct udev_rule {
	char driver[UDEV_RULE_TEXT], module[UDEV_RULE_TEXT], found[UDEV_RULE_TEXT];
};

/** udev_rule_path() - where a function's is. The caller frees it; NULL when out of memory. */
char *udev_rule_path(const char *dir, const struct vfio_node *node);

/**
 * udev_rule_text() - the file's contents
 * @ret: the caller frees it
 *
 * Return: 0; -EINVAL (ERR_UNSUPPORTED) for a driver's name that a rule cannot hold; what reading
 * the function's IDs said.
 */
_must_check_ int udev_rule_text(const struct host *host, const struct vfio_node *node,
				const struct udev_rule *rule, char **ret, struct err *err);

/* Outcomes of udev_rule_read(); not errors. */
enum udev_rule_look {
	UDEV_RULE_FOUND = 0,
	UDEV_RULE_NONE,
};

/**
 * udev_rule_read() - the one of @node
 * @dir: UDEV_RULE_DIR
 * @ret_text: all of the file, which the caller frees; set for UDEV_RULE_FOUND only
 *
 * Return: enum udev_rule_look; -EBADMSG (ERR_CONFIG) for a file that udev_rule_text() has not
 * written; what reading said.
 */
_must_check_ int udev_rule_read(const char *dir, const struct vfio_node *node,
				struct udev_rule *ret, char **ret_text, struct err *err);

/**
 * udev_rule_write() - @text as the rule of @node, on disk when it returns
 * @replace: there is one that udev_rule_read() has found; else a file that is there stays
 *
 * @dir is made if its parent is there. A udev that runs takes notice by itself, with an event that
 * is three seconds later than its last look at the rules.
 *
 * Return: 0; -ENOENT (ERR_OUTPUT) on a system without udev; what writing said.
 */
_must_check_ int udev_rule_write(const char *dir, const struct vfio_node *node, const char *text,
				 bool replace, struct err *err);

/** udev_rule_remove() - Return: 0, also where there is none. */
_must_check_ int udev_rule_remove(const char *dir, const struct vfio_node *node, struct err *err);
