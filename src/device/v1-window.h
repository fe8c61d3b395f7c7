/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The migration region of v1: registers, and a data section
 *
 * The data section, or parts of it, may be mapped; what is not is read and written through the
 * device fd ("trapped"). Registers are always trapped: drivers act on each access.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "uapi/vfio.h"

#define V1_AREAS_MAX 8

/** struct v1_area - a part of the region that is mapped; @offset within the region */
struct v1_area {
	uint64_t offset, size;
	uint8_t *map;
};

/** struct v1_window - @fd is the device's, @at the region's place in it */
struct v1_window {
	int fd;
	uint64_t at, size;
	struct v1_area areas[V1_AREAS_MAX];
	unsigned int n_areas;
};

/** v1_window_present() - the device behind @fd has the region; touches nothing. */
bool v1_window_present(int fd);

/* Outcomes of v1_window_open(); not errors. */
enum v1_window_outcome {
	V1_WINDOW_OPEN = 0,
	V1_WINDOW_NONE = 1, /* the device has no such region */
};

/**
 * v1_window_open() - find and map it
 * @fd: borrowed
 *
 * Return: enum v1_window_outcome, or negative errno.
 */
_must_check_ int v1_window_open(struct v1_window *w, int fd);
void v1_window_close(struct v1_window *w);

/* Registers, by their place in struct uapi_v1_registers. Return: 0 or negative errno. */
_must_check_ int v1_read(const struct v1_window *w, size_t at, void *buf, size_t len);
_must_check_ int v1_write(const struct v1_window *w, size_t at, const void *buf, size_t len);

/**
 * v1_window_room() - bytes of the data section from @offset on
 *
 * 0 for an @offset that is not inside of it: it comes from the driver.
 */
uint64_t v1_window_room(const struct v1_window *w, uint64_t offset);

/* From and to the data section; @offset and @len are inside of it. */
_must_check_ int v1_copy_out(const struct v1_window *w, uint64_t offset, void *buf, size_t len);
_must_check_ int v1_copy_in(const struct v1_window *w, uint64_t offset, const void *buf,
			    size_t len);
