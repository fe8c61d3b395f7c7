// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "host/pci-config.h"
#include "image/format.h"
#include "image/manifest-fields.h"

#define MANIFEST_TEXT_FLAGS \
	(JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

/* Takes ownership of @value, also on failure. A NULL @value means that json-c had no memory. */
static int manifest_encode_add(struct json_object *o, const char *key, struct json_object *value,
			       struct err *err)
{
	if (!value || json_object_object_add(o, key, value)) {
		json_object_put(value);
		return err_set(err, -ENOMEM, "manifest");
	}
	return 0;
}

static int manifest_encode_append(struct json_object *array, struct json_object *value,
				  struct err *err)
{
	if (!value || json_object_array_add(array, value)) {
		json_object_put(value);
		return err_set(err, -ENOMEM, "manifest");
	}
	return 0;
}

static int manifest_encode_add_text(struct json_object *o, const char *key, const char *text,
				    struct err *err)
{
	_cleanup_free_ char *copy = NULL;

	if (!text)
		return 0;
	if (strlen(text) > IMAGE_TEXT_MAX)
		return err_set(err, -EINVAL, "manifest: \"%s\" of %zu bytes, more than %u", key,
			       strlen(text), IMAGE_TEXT_MAX);
	copy = strdup(text);
	if (!copy)
		return err_set(err, -ENOMEM, "manifest");
	make_printable(copy);
	return manifest_encode_add(o, key, json_object_new_string(copy), err);
}

static int manifest_encode_add_hex(struct json_object *o, const char *key, int digits,
				   uint64_t value, struct err *err)
{
	char text[2 + 16 + 1];

	snprintf(text, sizeof(text), "0x%0*" PRIx64, digits, value);
	return manifest_encode_add(o, key, json_object_new_string(text), err);
}

/* A list with the word of each bit that is set. */
static int manifest_encode_add_words(struct json_object *o, const char *key, manifest_word_fn *word,
				     uint64_t bits, struct err *err)
{
	struct json_object *list = json_object_new_array();
	int r;

	r = manifest_encode_add(o, key, list, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; word(i); i++) {
		if (!(bits & UINT64_C(1) << i))
			continue;
		r = manifest_encode_append(list, json_object_new_string(word(i)), err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Migration flags: those with a name as words, the others as a number. */
static int manifest_encode_add_caps(struct json_object *o, uint64_t caps, struct err *err)
{
	int r;

	r = manifest_encode_add_words(o, "migration", fsm_cap_name, caps, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; fsm_cap_name(i); i++)
		caps &= ~(UINT64_C(1) << i);
	return caps ? manifest_encode_add_hex(o, "flags", 1, caps, err) : 0;
}

static int manifest_encode_add_config(struct json_object *o, const uint8_t *config, size_t size,
				      struct err *err)
{
	static const char nibbles[] = "0123456789abcdef";
	char text[2 * IMAGE_CONFIG_MAX];

	if (!config || !size)
		return 0;
	if (size > IMAGE_CONFIG_MAX)
		return err_set(err, -EINVAL, "manifest: configuration space of %zu bytes", size);
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = nibbles[config[i] >> 4];
		text[2 * i + 1] = nibbles[config[i] & 15];
	}
	return manifest_encode_add(o, "config", json_object_new_string_len(text, (int)(2 * size)),
				   err);
}

static int manifest_encode_add_ids(struct json_object *o, const struct image_device *dev,
				   struct err *err)
{
	int r;

	for (size_t i = 0; i < MANIFEST_ID_FIELDS; i++) {
		const struct manifest_id_field *f = &manifest_id_fields[i];

		r = manifest_encode_add_hex(o, f->key, f->digits, manifest_id_get(dev, f), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int manifest_encode_add_owner_pid(struct json_object *o, uint32_t pid, struct err *err)
{
	return pid ? manifest_encode_add(o, "owner_pid", json_object_new_int64(pid), err) : 0;
}

static int manifest_encode_device(struct json_object *o, struct image_device *dev, struct err *err)
{
	int r;

	for (size_t i = 0; i < MANIFEST_TEXT_FIELDS; i++) {
		const struct manifest_text_field *f = &manifest_text_fields[i];
		const char *text = *manifest_text_of(dev, f);

		if (f->required && !text)
			return err_set(err, -EINVAL, "manifest: a device without \"%s\"", f->key);
		r = manifest_encode_add_text(o, f->key, text, err);
		if (r < 0)
			return r;
	}
	r = manifest_encode_add_owner_pid(o, dev->owner_pid, err);
	if (r < 0)
		return r;
	if (dev->has_ids) {
		r = manifest_encode_add_ids(o, dev, err);
		if (r < 0)
			return r;
	}
	r = manifest_encode_add_caps(o, dev->caps, err);
	if (r < 0)
		return r;
	if (dev->config_size) {
		r = manifest_encode_add_words(o, "interrupts", pci_interrupt_name, dev->interrupts,
					      err);
		if (r < 0)
			return r;
	}
	if (dev->digests) {
		r = manifest_encode_add_words(o, "digests", manifest_digest_name, dev->digests,
					      err);
		if (r < 0)
			return r;
	}
	return manifest_encode_add_config(o, dev->config, dev->config_size, err);
}

static int manifest_encode(struct json_object *root, const struct image_manifest *m,
			   struct err *err)
{
	struct json_object *devices, *o;
	int r;

	r = manifest_encode_add(root, "schema", json_object_new_int(MANIFEST_SCHEMA), err);
	if (r < 0)
		return r;
	r = manifest_encode_add_text(root, "tool", m->tool, err);
	if (r < 0)
		return r;
	r = manifest_encode_add_text(root, "kernel", m->kernel, err);
	if (r < 0)
		return r;
	r = manifest_encode_add_text(root, "source", image_source_name(m->source), err);
	if (r < 0)
		return r;
	if (m->expected) {
		r = manifest_encode_add(root, "expected_bytes", json_object_new_uint64(m->expected),
					err);
		if (r < 0)
			return r;
	}
	if (m->labels.n) {
		r = manifest_encode_add(root, "labels", image_labels_json(&m->labels), err);
		if (r < 0)
			return r;
	}
	devices = json_object_new_array();
	r = manifest_encode_add(root, "devices", devices, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < m->n_devices; i++) {
		o = json_object_new_object();
		r = manifest_encode_append(devices, o, err);
		if (r < 0)
			return r;
		r = manifest_encode_device(o, &m->devices[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int image_manifest_encode(const struct image_manifest *m, char **ret, size_t *ret_len,
			  struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *root = NULL;
	const char *text;
	size_t len;
	int r;

	if (!m->n_devices || m->n_devices > IMAGE_DEVICES_MAX)
		return err_set(err, -EINVAL, "manifest: %" PRIu32 " devices, not 1 to %u",
			       m->n_devices, IMAGE_DEVICES_MAX);
	root = json_object_new_object();
	if (!root)
		return err_set(err, -ENOMEM, "manifest");
	r = manifest_encode(root, m, err);
	if (r < 0)
		return r;
	text = json_object_to_json_string_length(root, MANIFEST_TEXT_FLAGS, &len);
	if (!text)
		return err_set(err, -ENOMEM, "manifest");
	if (len > IMAGE_MANIFEST_MAX)
		return err_set(err, -EINVAL, "manifest of %zu bytes, more than %u", len,
			       IMAGE_MANIFEST_MAX);
	*ret = strndup(text, len);
	if (!*ret)
		return err_set(err, -ENOMEM, "manifest");
	*ret_len = len;
	return 0;
}
