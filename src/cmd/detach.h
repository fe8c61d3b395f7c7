/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A daemon that goes on with what this process has
 *
 * By fork() alone: what holds a device is a descriptor, and a child inherits it. The threads of a
 * load have all been joined by then; another one would be missing in the child.
 */

#include "base/pid-file.h"
#include "cmd/cmd.h"

enum cmd_detach_end {
	CMD_DETACH_PARENT, /* a child has taken over */
	/* It does here: standard streams on /dev/null, and nothing else of the caller's is open. */
	CMD_DETACH_CHILD,
};

/**
 * cmd_detach() - Return: an outcome above; negative errno where no child goes on.
 * @file: published by the child; NULL for none
 * @ret_pid: of the child, in the parent
 */
_must_check_ int cmd_detach(struct invocation *inv, struct pid_file *file, pid_t *ret_pid,
			    struct err *err);
