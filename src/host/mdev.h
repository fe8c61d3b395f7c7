/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Mediated devices
 */

#include "host/vfio-node.h"

#define MDEV_NAME_MAX 128

/**
 * mdev_type_name() - what the type of a mediated device is called
 *
 * By its driver's own words, which are optional; else the type's folder: "mtty-2". What is not
 * printable ASCII is replaced.
 *
 * Return: @buf; NULL for a device of another kind.
 */
const char *mdev_type_name(const struct vfio_node *node, char buf[MDEV_NAME_MAX]);
