/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A data transfer session's stream
 *
 * An object, not an fd: v2 gives a data fd, v1 a window in a region, vfio-user request and
 * reply. Bytes are opaque and ordered; how they are cut into reads and writes means nothing.
 *
 * One thread uses a stream, with every signal blocked: xe consumes data before it notices a
 * signal, and what it had consumed by then is lost.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

struct mig_stream;

/**
 * struct mig_precopy_info - what VFIO_MIG_GET_PRECOPY_INFO says
 * @reinit: the device was reconfigured: new initial bytes are to come. Only ever set after the
 *          PRECOPY_INFOv2 opt-in
 */
struct mig_precopy_info {
	uint64_t initial_bytes;
	uint64_t dirty_bytes;
	bool reinit;
};

/* Called only through mig_read(), mig_write(), mig_precopy() and mig_close(). */
struct mig_stream_ops {
	/**
	 * @read: Return: bytes; 0 or -ENOMSG when there is nothing (for now in PRE_COPY, for
	 * good in STOP_COPY); other negative errno. May block until there is something.
	 */
	ssize_t (*read)(struct mig_stream *s, void *buf, size_t len);

	/** @write: Return: bytes taken, maybe fewer than @len; negative errno. */
	ssize_t (*write)(struct mig_stream *s, const void *buf, size_t len);

	/** @precopy_info: Optional. Some drivers make new data only when asked this. */
	int (*precopy_info)(struct mig_stream *s, struct mig_precopy_info *ret);

	/** @mid_chunk: Optional. See mig_mid_chunk(). */
	bool (*mid_chunk)(const struct mig_stream *s);

	/** @why: Optional. The story behind the last errno, valid until the next call. */
	const struct err *(*why)(struct mig_stream *s);

	void (*close)(struct mig_stream *s);
};

struct mig_stream {
	const struct mig_stream_ops *ops;
};
