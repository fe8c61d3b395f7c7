/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The kernel's log, watched for what no question of a user may cause
 *
 * BUG, WARNING, Oops, lockups, stalls and what the sanitizers and lockdep say. Records are those of
 * /dev/kmsg, Documentation/ABI/testing/dev-kmsg; only those are looked at that came after the
 * watch began.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define KERNEL_TROUBLE_MAX 256

/** kernel_trouble_in() - whether a line of the log tells of a fault of the kernel. Pure. */
bool kernel_trouble_in(const char *text);

/** kernel_trouble_open() - begin. Return: an fd, the caller's; negative errno, EPERM where
 * kernel.dmesg_restrict forbids it. */
_must_check_ int kernel_trouble_open(void);

/**
 * kernel_trouble_next() - the next line that tells of one, without waiting
 * @ret: printable
 *
 * Return: whether there is one.
 */
_must_check_ bool kernel_trouble_next(int fd, char ret[KERNEL_TROUBLE_MAX]);
