/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The folder of a journal
 *
 * What is in it decides which end runs a device: only its user may write there.
 */

#include "base/err.h"

/**
 * journal_folder_make() - @dir with all that leads to it, mode 0700, durably
 *
 * What is there stays as it is. Return: 0; -errno (ERR_CONFIG, ERR_PERMISSION).
 */
_must_check_ int journal_folder_make(const char *dir, struct err *err);

/**
 * journal_folder_open() - one that is there
 * @ret_dir: its path from the root; @ret_fd: it; both the caller's, and set on success only
 *
 * Return: 0; -ENOENT and the like (ERR_CONFIG, ERR_PERMISSION); -EACCES (ERR_CONFIG) for one of
 * another user, or that others may write to.
 */
_must_check_ int journal_folder_open(const char *dir, char **ret_dir, int *ret_fd, struct err *err);
