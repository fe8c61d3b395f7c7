/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a user may call a device
 *
 * Pure: says which form a name has and how the kernel writes it, not whether such a device
 * exists. People copy addresses from tools that leave out the domain, that pad it, or that print
 * capitals; the kernel knows one spelling. A form goes before a file of that name: "eth0/vf3" is a
 * VF in whatever folder it is said, and "./eth0/vf3" a path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dev_form {
	DEV_FORM_NONE, /* not a name of a device */
	DEV_FORM_PCI, /* "3b:00.1", "0000:3B:00.1", "10000:e1:00.0" */
	DEV_FORM_MDEV, /* a UUID */
	DEV_FORM_VFIO, /* "vfio0", as in /dev/vfio/devices and /sys/class/vfio-dev */
	DEV_FORM_VF, /* "3b:00.0/vf3", "eth0/vf3": of a PF, or of its network device */
	DEV_FORM_PORT, /* "pci/0000:3b:00.0/4": a port of devlink */
	DEV_FORM_PATH, /* has a slash; only a look at it tells a node from a folder */
};

/* Holds the longest: the kernel has 63 characters for an InfiniBand device. */
#define DEV_NAME_SIZE 64

/**
 * struct dev_name - a name, understood
 * @kernel: the kernel's spelling, as in /sys/bus/.../devices; of a VF and of a port, the PF's
 *          address, or what stands in its place; "" for a path and for no name
 * @number: of the VF or the port
 */
struct dev_name {
	enum dev_form form;
	char kernel[DEV_NAME_SIZE];
	uint32_t number;
};

/** dev_name_parse() - Return: the form, which is in @ret too. Cannot fail. */
enum dev_form dev_name_parse(const char *spec, struct dev_name *ret);

/**
 * dev_name_split_vf() - a path or name that ends in "/vfN"
 * @ret_len: of what is before that, 1 at least
 *
 * Return: whether it does.
 */
bool dev_name_split_vf(const char *spec, size_t *ret_len, uint32_t *ret_number);
