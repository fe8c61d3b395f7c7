/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Read an image from an input to its end
 */

#include "base/cancel.h"
#include "engine/transfer.h"
#include "image/parser.h"
#include "transport/input.h"

/**
 * scan_image() - parse all of @in
 * @sink: gets the parts, each verified; may be empty to only verify
 * @transfer: is told the bytes of the streams so far; NULL where that is for the sink to do
 *
 * An input with an end (input_ends()) must end where the image does. One without (a pipe, a socket)
 * may stay open: nothing is read after the image's end.
 *
 * A file is read by several threads if the sink takes no contents, or knows turns, which says the
 * same of any image (engine/scan-ahead.h). The sink is then called in any of them, never in two at
 * once.
 *
 * Return: 0 when the image was complete; -ECANCELED; what the parser, the sink or the input said.
 */
_must_check_ int scan_image(struct input *in, const struct image_sink *sink, void *ctx,
			    struct cancel *cancel, struct transfer *transfer, struct err *err);

/** scan_image_with() - the same with so many @threads at most, instead of as many as help */
_must_check_ int scan_image_with(struct input *in, const struct image_sink *sink, void *ctx,
				 struct cancel *cancel, struct transfer *transfer,
				 unsigned int threads, struct err *err);
