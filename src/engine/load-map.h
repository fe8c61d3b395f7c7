/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which device of an image is loaded into which device here
 *
 * In the order given, unless the user says otherwise. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/manifest.h"

/**
 * struct load_map_options - what the user says
 * @only: devices of the image that are wanted, each an index or an address in it; @n_only of them,
 *        0 for all
 * @pairs: SAVED=DEV; DEV as on the command line
 * @specs: what the @n devices here are called on the command line
 */
struct load_map_options {
	const char *const *only;
	unsigned int n_only;
	const char *const *pairs;
	unsigned int n_pairs;
	const char *const *specs;
	unsigned int n;
};

#define LOAD_MAP_NONE UINT32_MAX

/**
 * load_map() - find a device here for each of the image that is wanted
 * @ret: for each device of @m, the index of the one here, or LOAD_MAP_NONE; as many as @m has
 *
 * Return: 0; -EINVAL (ERR_IMAGE) where the numbers differ, or for a name that stands for none or
 * for several, with what is there.
 */
_must_check_ int load_map(const struct load_map_options *o, const struct image_manifest *m,
			  uint32_t *ret, struct err *err);
