/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a manifest's JSON is made of, for encoding and decoding
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "image/manifest.h"

#define MANIFEST_SCHEMA 1

DEFINE_CLEANUP(struct json_object *, json_object_put)

/** struct manifest_text_field - a text of a device: char * at @at in struct image_device */
struct manifest_text_field {
	const char *key;
	size_t at;
	bool required;
};

#define MANIFEST_TEXT_FIELDS 7
extern const struct manifest_text_field manifest_text_fields[MANIFEST_TEXT_FIELDS];

/**
 * struct manifest_id_field - one of the PCI IDs
 *
 * Hexadecimal with all leading zeros, as lspci shows them; @size is the member's.
 */
struct manifest_id_field {
	const char *key;
	size_t at;
	size_t size;
	int digits;
};

#define MANIFEST_ID_FIELDS 6
extern const struct manifest_id_field manifest_id_fields[MANIFEST_ID_FIELDS];

/* A word for each bit of a set, from bit 0 on; NULL after the last. */
typedef const char *manifest_word_fn(unsigned int bit);

/** manifest_digest_name() - for image_device.digests */
manifest_word_fn manifest_digest_name;

/** manifest_text_of() - where the text is */
char **manifest_text_of(struct image_device *dev, const struct manifest_text_field *f);

uint32_t manifest_id_get(const struct image_device *dev, const struct manifest_id_field *f);
void manifest_id_put(struct image_device *dev, const struct manifest_id_field *f, uint32_t value);
