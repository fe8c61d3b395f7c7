/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the lab's test programs share: a device, opened, or the end with a message
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/acquire.h"
#include "host/vfio-node.h"

#define USAGE_STATUS 2

static inline _unused_ __attribute__((noreturn)) void die(const struct err *err)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, err->text,
		strerror(-err->code));
	exit(EXIT_FAILURE);
}

static inline _unused_ __attribute__((noreturn)) void die_errno(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* @dev: as the tool itself takes it, fd:N included. */
static inline _unused_ void open_device(const char *dev, enum acquire_via via, struct acquired *ret)
{
	const struct acquire_options opts = { .via = via };
	struct vfio_node *node = NULL;
	struct err err = { 0 };
	int r;

	*ret = ACQUIRED_NONE;
	if (!strncmp(dev, "fd:", strlen("fd:"))) {
		r = acquire_inherited(atoi(dev + strlen("fd:")), dev, ret, &err);
	} else {
		r = vfio_node_resolve(&host_live, dev, &node, &err);
		if (r >= 0)
			r = acquire_node(&host_live, node, &opts, ret, &err);
		vfio_node_free(node);
	}
	if (r < 0)
		die(&err);
}
