/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames of a file, checked by several threads
 *
 * To verify an image is to read it and to sum it, and no frame needs another for that. The headers
 * say where the next section begins, so threads take one each. The parser hears of them in their
 * order, and remains the only judge: at the first section that is not DATA, not complete or not
 * good, all end, and the parser goes on from there with bytes that it reads again.
 *
 * Where the parser's sink wants contents, the thread that has checked a frame also brings it to the
 * parser, in its turn. So a frame is read, summed and written by one CPU, out of its own cache: to
 * hand a frame of 1 MiB to another CPU costs as much as to copy it once more.
 */

#include "base/cancel.h"
#include "image/parser.h"
#include "transport/input.h"

/** Hears, in any of the threads but in one at a time, how many bytes of streams were checked. */
typedef void scan_progress_fn(void *ctx, uint64_t bytes);

/**
 * struct scan_ahead - what to read, and with what
 * @in: rewindable
 * @threads: the calling one is one of them
 * @progress: may be NULL
 */
struct scan_ahead {
	struct input *in;
	struct image_parser *parser;
	struct cancel *cancel;
	unsigned int threads;
	scan_progress_fn *progress;
	void *ctx;
};

/**
 * scan_ahead() - check the DATA that comes next, if it is enough to be worth it
 *
 * The parser's sink is called in any of the threads, too, though never in two at once. Afterwards
 * the input is where the parser goes on; at the same place as before, perhaps.
 *
 * Return: 0; -ECANCELED; what the parser or its sink said; -EIO if the place cannot be gone to.
 */
_must_check_ int scan_ahead(const struct scan_ahead *opts, struct err *err);
