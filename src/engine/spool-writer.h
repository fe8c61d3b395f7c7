/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bytes on their way into a file, by a thread of its own
 *
 * The caller's bytes are copied into pieces of a fixed pool; the thread writes them, past the page
 * cache where the file system lets it: a second copy there, and the pages for it, would cost more
 * than the disk. Where it does not, the disk is told to begin while more is on its way. What is
 * promised of the file is promised by spool_writer_wait() alone.
 */

#include <stddef.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"

struct spool_writer;

/**
 * spool_writer_new() - of @fd, a new and empty file that is open for writing
 * @fd: the caller's; outlives the writer, and nothing else writes to it
 * @cancel: stopped, as cancel_stop() has it, when a write fails; NULL for none
 *
 * All memory that it will ever have is allocated afterwards.
 *
 * Return: 0; -ENOMEM; -EAGAIN for a thread that there cannot be.
 */
_must_check_ int spool_writer_new(int fd, struct cancel *cancel, struct spool_writer **ret,
				  struct err *err);

/**
 * spool_writer_put() - the next bytes, which are copied; waits while the pool is full
 *
 * Return: 0; negative errno of a write before, then for ever.
 */
_must_check_ int spool_writer_put(struct spool_writer *w, const void *buf, size_t len);

/**
 * spool_writer_end() - that was all: the rest is written, and the file synced, meanwhile
 *
 * spool_writer_put() may not follow. A second call does nothing.
 */
void spool_writer_end(struct spool_writer *w);

/**
 * spool_writer_wait() - until that is done; ends it first
 *
 * Return: 0: all of it is durable; negative errno of the call that failed, fsync() included, which
 * is made once.
 */
_must_check_ int spool_writer_wait(struct spool_writer *w);

/** spool_writer_failure() - negative errno of the first call that has failed so far, or 0 */
int spool_writer_failure(struct spool_writer *w);

/** spool_writer_free() - what was not written by then never is; the file stays open */
struct spool_writer *spool_writer_free(struct spool_writer *w);
DEFINE_CLEANUP(struct spool_writer *, spool_writer_free)
