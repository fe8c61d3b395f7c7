/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Reading an image: what inspect, verify and extract share
 */

#include "cmd/cmd.h"
#include "engine/scan.h"

/**
 * struct image_scan - an image being read
 * @inv, @file: the caller's
 * @sink, @ctx: get the parts
 * @finish: called when all of the image was good, in the session too; may be NULL
 * @done: called last, whatever happened, in the session too; may be NULL
 * @uri: what @file is
 * @transfer: counts what was read
 */
struct image_scan {
	struct invocation *inv;
	const char *file;
	struct uri uri;
	const struct image_sink *sink;
	void *ctx;
	int (*finish)(void *ctx, struct err *err);
	void (*done)(void *ctx);
	struct cancel cancel;
	struct transfer transfer;
};

/** image_scan_run() - open the file and scan it in a session of its own. */
_must_check_ int image_scan_run(struct image_scan *scan, struct err *err);

/** render_image() - "image": header and writer; "devices": what they are. */
void render_image(struct json_object *report, const struct image_info *info,
		  const struct image_manifest *m);

/** render_image_end() - "image.digest", of all of the image. */
void render_image_end(struct json_object *report, const struct image_receipt *receipt);

/** render_totals() - the device's totals, into its entry of "devices". */
void render_totals(struct json_object *report, uint32_t device, const struct image_totals *totals);
