/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a device was like before it was changed, kept until the next boot
 *
 * A small file below /run, there whole or not at all, and on disk before the change. It is of one
 * device, not of one address: a VF that was made anew has another folder in sysfs, whose inode is
 * in the record, and an old record is then none.
 */

#include <stdbool.h>
#include <stdint.h>

#include "host/vfio-node.h"

#define RUN_RECORD_DIR "/run/vfiomigctl"
#define RUN_RECORD_TEXT 128

/**
 * struct run_record
 * @found: what it was, a driver's name; "" for none
 * @override: driver_override then; "" for none
 * @moving: written before the change; a call that came to its end clears it
 */
struct run_record {
	char found[RUN_RECORD_TEXT];
	char override[RUN_RECORD_TEXT];
	bool moving;
};

/* Outcomes of run_record_read(); not errors. */
enum run_record_look {
	RUN_RECORD_FOUND = 0,
	RUN_RECORD_NONE,
};

/**
 * run_record_read() - of @node
 * @dir: RUN_RECORD_DIR
 * @kind: "driver", "autoprobe": what it is about
 *
 * Return: enum run_record_look; -EBADMSG (ERR_SYSTEM) for a file that is no record; what reading
 * said.
 */
_must_check_ int run_record_read(const char *dir, const char *kind, const struct vfio_node *node,
				 struct run_record *ret, struct err *err);

/** run_record_write() - instead of the one that is there; when it returns it is on disk */
_must_check_ int run_record_write(const char *dir, const char *kind, const struct vfio_node *node,
				  const struct run_record *record, struct err *err);

/** run_record_remove() - Return: 0, also where there is none. */
_must_check_ int run_record_remove(const char *dir, const char *kind, const struct vfio_node *node,
				   struct err *err);
