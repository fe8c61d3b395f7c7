/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Labels: what the user wants an image to say of itself, KEY=VALUE
 *
 * They end up on terminals and in the JSON of other tools, and an image may come from anywhere:
 * keys are plain words, values can be printed, and both are short.
 */

#include <json-c/json.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

#define IMAGE_LABELS_MAX 64u
#define IMAGE_LABEL_KEY_MAX 63u
#define IMAGE_LABEL_VALUE_MAX 1024u

struct image_label {
	char *key, *value;
};

/** struct image_labels - in the order in which they were given; all zero for none */
struct image_labels {
	struct image_label v[IMAGE_LABELS_MAX];
	size_t n;
};

/**
 * image_labels_add() - one more
 * @key: letters, digits, '.', '_', '-' and '/', the first one a letter or a digit
 * @value: printable UTF-8, may be empty
 *
 * Return: 0; -EINVAL for what is too long, too many, no such text, or there already; -ENOMEM.
 */
_must_check_ int image_labels_add(struct image_labels *labels, const char *key, size_t key_len,
				  const char *value, size_t value_len, struct err *err);

/** image_labels_parse() - add "KEY=VALUE". Return: as image_labels_add(). */
_must_check_ int image_labels_parse(struct image_labels *labels, const char *text, struct err *err);

/** image_labels_copy() - @ret is empty before. Return: 0, -ENOMEM. */
_must_check_ int image_labels_copy(struct image_labels *ret, const struct image_labels *from,
				   struct err *err);

/** image_labels_json() - an object of strings. Return: NULL when memory is out. */
struct json_object *image_labels_json(const struct image_labels *labels);

/** image_labels_from_json() - Return: as image_labels_add(), which judges each of them. */
_must_check_ int image_labels_from_json(struct image_labels *ret, struct json_object *o,
					struct err *err);

void image_labels_done(struct image_labels *labels);
