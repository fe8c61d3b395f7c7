/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Images to test with, and a sink that remembers what it was told
 */

#include <stdbool.h>

#include "image/parser.h"
#include "image/sha256.h"
#include "image/writer.h"
#include "image-forge.h"

#define FIXTURE_DEVICES 4u

/* Streams of these lengths, their frames taking turns. */
struct image_spec {
	uint32_t n_devices;
	size_t sizes[FIXTURE_DEVICES];
	size_t frame; /* payload of a frame; 0 for IMAGE_FRAME_PAYLOAD */
	int zstd_level;
	bool random; /* contents that do not compress */
	bool sha256; /* announced, and of each device */
	const uint8_t *id; /* NULL for one that is the same each time */
};

/* All that a writer's function saw. */
struct written {
	struct bytes image;
	unsigned int calls;
	unsigned int fail_at; /* the call to fail, from 1; 0 for none */
};

int written_write(void *ctx, const void *buf, size_t len, struct err *err);

/**
 * frame_put() - seal the first @len bytes of @frame's payload and write them
 * @at: the place of the first one is zero but for the device; becomes that of the next
 */
int frame_put(struct image_writer *w, struct image_place *at, struct image_frame *frame, size_t len,
	      struct err *err);

/* Borrowed strings: not for image_manifest_done(). */
void fixture_manifest(struct image_manifest *m, struct image_device *devices, uint32_t n);

/** stream_byte() - what stands at @at of a device's stream */
uint8_t stream_byte(const struct image_spec *spec, uint32_t device, size_t at);

/** image_make() - a good image. The caller ends it with bytes_done(). */
struct bytes image_make(const struct image_spec *spec);

/* What a sink was told. */
struct heard {
	unsigned int begins, sections, ends;
	unsigned int calls; /* of all kinds */
	unsigned int fail_at; /* as above */
	struct image_info info;
	uint32_t n_devices;
	struct bytes streams[FIXTURE_DEVICES];
	struct image_totals totals[FIXTURE_DEVICES];
	uint8_t sha256[FIXTURE_DEVICES][IMAGE_SHA256_SIZE]; /* what totals.sha256 points to */
	uint64_t told_to; /* end of the last section that it was told of */
	bool keep; /* the streams' bytes */
	bool sum; /* as of struct image_sink */
};

extern const struct image_sink heard_sink;
void heard_done(struct heard *h);

/**
 * image_parse() - the whole of @image, @chunk bytes at a time (0: as many as there is room for)
 *
 * Checks that the parser never asks for more bytes than a good image has.
 *
 * Return: 0 for a good image, else the parser's error.
 */
int image_parse(const uint8_t *image, size_t len, size_t chunk, struct heard *h, struct err *err);

/* The image must be refused as an image, with @text in what is said. */
#define assert_refused(image, text) assert_refused_at(image, text, __FILE__, __LINE__)
void assert_refused_at(const struct bytes *image, const char *text, const char *file, int line);

void assert_streams(const struct heard *h, const struct image_spec *spec);
