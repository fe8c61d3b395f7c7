/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A second copy of an image that is received, on disk
 *
 * For devices whose state lives no longer than this process: a destination that has said READY may
 * have the only copy, and a crash must not end it. The file has no reader but `recover`, is its
 * user's alone (0600), and goes when the transaction is over.
 */

#include <stdint.h>
#include <stddef.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"

struct spool;

/**
 * spool_check() - whether files can be made in @dir, which is made (0700) if it is not there
 *
 * Return: 0; -EACCES and the like (ERR_PERMISSION); -ENOTDIR, -ENOENT, -EROFS and the like, and
 * -EPERM for a folder that others may write to (ERR_CONFIG).
 */
_must_check_ int spool_check(const char *dir, struct err *err);

/**
 * spool_check_room() - whether @dir, which is there, has room for a state of about @expected bytes
 *
 * Return: 0, also where the file system does not say; -ENOSPC (ERR_OUTPUT).
 */
_must_check_ int spool_check_room(const char *dir, uint64_t expected, struct err *err);

/**
 * spool_open() - a new, empty file "NAME.image" in @dir, which is made (0700) if it is not there
 * @cancel: stopped, as cancel_stop() has it, when it cannot be written; spool_failure() says why.
 *          May be NULL
 *
 * Replaces what an attempt before has left under that name. The name is durable afterwards.
 *
 * Return: 0; as spool_check(); -ENOSPC and the like (ERR_OUTPUT); -EIO (ERR_IO); as
 * spool_writer_new().
 */
_must_check_ int spool_open(const char *dir, const char *name, struct cancel *cancel,
			    struct spool **ret, struct err *err);

/** spool_write() - copies it. Return: 0; -ENOSPC and the like (ERR_IO), also of bytes before. */
_must_check_ int spool_write(struct spool *s, const void *buf, size_t len, struct err *err);

/** spool_end() - that was all: it is on its way to the disk while other things are done */
void spool_end(struct spool *s);

/**
 * spool_sync() - wait until all of it is durable; ends it
 *
 * Return: 0; as spool_write(), and as fsync(), never to be retried.
 */
_must_check_ int spool_sync(struct spool *s, struct err *err);

/** spool_failure() - Return: 0; what it has failed with so far, as spool_write(). */
_must_check_ int spool_failure(const struct spool *s, struct err *err);

/** spool_path() - absolute */
const char *spool_path(const struct spool *s);

/** spool_remove() - the file goes. What cannot be removed is warned about. */
void spool_remove(struct spool *s);

/** spool_free() - the file stays, unless it was removed */
struct spool *spool_free(struct spool *s);
DEFINE_CLEANUP(struct spool *, spool_free)
