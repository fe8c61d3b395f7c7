// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "image/labels.h"

static bool labels_is_key(const char *key, size_t len)
{
	if (!len || len > IMAGE_LABEL_KEY_MAX || !isalnum((unsigned char)*key))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)key[i]) ||
		    (!isalnum((unsigned char)key[i]) && (!key[i] || !strchr("._-/", key[i]))))
			return false;
	return true;
}

static bool labels_has(const struct image_labels *labels, const char *key, size_t len)
{
	for (size_t i = 0; i < labels->n; i++)
		if (strlen(labels->v[i].key) == len && !memcmp(labels->v[i].key, key, len))
			return true;
	return false;
}

/* Return: why @key and @value make no further label, or NULL. */
static const char *labels_fault(const struct image_labels *labels, const char *key, size_t key_len,
				const char *value, size_t value_len)
{
	if (labels->n == IMAGE_LABELS_MAX)
		return "more than 64 labels";
	if (!labels_is_key(key, key_len))
		return "a label's key is 1 to 63 letters, digits, '.', '_', '-' or '/', a letter "
		       "or digit first";
	if (labels_has(labels, key, key_len))
		return "a label's key is there twice";
	if (value_len > IMAGE_LABEL_VALUE_MAX)
		return "a label's value has more than 1024 bytes";
	if (!is_printable(value, value_len))
		return "a label's value has characters that cannot be printed";
	return NULL;
}

int image_labels_add(struct image_labels *labels, const char *key, size_t key_len,
		     const char *value, size_t value_len, struct err *err)
{
	const char *fault = labels_fault(labels, key, key_len, value, value_len);
	struct image_label *label = &labels->v[labels->n];

	if (fault)
		return err_set(err, -EINVAL, "%s", fault);
	label->key = strndup(key, key_len);
	label->value = strndup(value, value_len);
	if (!label->key || !label->value) {
		free(label->key);
		free(label->value);
		return err_set(err, -ENOMEM, "labels");
	}
	labels->n++;
	return 0;
}

int image_labels_parse(struct image_labels *labels, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');

	if (!equals)
		return err_set(err, -EINVAL, "a label is KEY=VALUE");
	return image_labels_add(labels, text, (size_t)(equals - text), equals + 1,
				strlen(equals + 1), err);
}

int image_labels_copy(struct image_labels *ret, const struct image_labels *from, struct err *err)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct image_label *label = &from->v[i];
		int r = image_labels_add(ret, label->key, strlen(label->key), label->value,
					 strlen(label->value), err);

		if (r < 0)
			return r;
	}
	return 0;
}

struct json_object *image_labels_json(const struct image_labels *labels)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; o && i < labels->n; i++) {
		struct json_object *value = json_object_new_string(labels->v[i].value);

		if (!value || json_object_object_add(o, labels->v[i].key, value) < 0) {
			json_object_put(value);
			json_object_put(o);
			return NULL;
		}
	}
	return o;
}

int image_labels_from_json(struct image_labels *ret, struct json_object *o, struct err *err)
{
	int r;

	if (!json_object_is_type(o, json_type_object))
		return err_set(err, -EINVAL, "not an object of labels");
	json_object_object_foreach(o, key, value)
	{
		if (!json_object_is_type(value, json_type_string))
			return err_set(err, -EINVAL, "a label's value is no string");
		r = image_labels_add(ret, key, strlen(key), json_object_get_string(value),
				     (size_t)json_object_get_string_len(value), err);
		if (r < 0)
			return r;
	}
	return 0;
}

void image_labels_done(struct image_labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		free(labels->v[i].key);
		free(labels->v[i].value);
	}
	labels->n = 0;
}
