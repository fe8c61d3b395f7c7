/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a user may call a device
 *
 * Pure: says which form a name has and how the kernel writes it, not whether such a device
 * exists. People copy addresses from tools that leave out the domain, that pad it, or that print
 * capitals; the kernel knows one spelling.
 */

enum dev_form {
	DEV_FORM_NONE, /* not a name of a device */
	DEV_FORM_PCI, /* "3b:00.1", "0000:3B:00.1", "10000:e1:00.0" */
	DEV_FORM_MDEV, /* a UUID */
	DEV_FORM_VFIO, /* "vfio0", as in /dev/vfio/devices and /sys/class/vfio-dev */
	DEV_FORM_PATH, /* has a slash; only a look at it tells a node from a folder */
};

/* Holds the longest: a UUID of 36 characters. */
#define DEV_NAME_SIZE 40

/**
 * struct dev_name - a name, understood
 * @kernel: the kernel's spelling, as in /sys/bus/.../devices; "" for a path and for no name
 */
struct dev_name {
	enum dev_form form;
	char kernel[DEV_NAME_SIZE];
};

/** dev_name_parse() - Return: the form, which is in @ret too. Cannot fail. */
enum dev_form dev_name_parse(const char *spec, struct dev_name *ret);
