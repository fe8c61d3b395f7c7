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

/*
 * Limits against memory amplification: json-c allocates some hundred bytes for a "[]". With these
 * a hostile manifest of IMAGE_MANIFEST_MAX bytes takes a few times its size, not hundreds of times;
 * manifests of ours stay far below them.
 */
#define MANIFEST_DEPTH_MAX 16
#define MANIFEST_CONTAINERS_MAX 4096
#define MANIFEST_VALUES_MAX 65536

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

static int manifest_decode_refuse(struct err *err, const char *key, const char *why)
{
	err_fail(err, ERR_IMAGE, -EBADMSG, "\"%s\" %s", key, why);
	return -EBADMSG; /* in so many words, for the compiler: not PRESENT */
}

/* Check limits before json-c parses. Counts brackets and commas in strings, too: few have any. */
static int manifest_decode_check_text(const char *text, size_t len, struct err *err)
{
	size_t containers = 0, values = 0;

	if (len > IMAGE_MANIFEST_MAX)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%zu bytes, more than %u", len,
				IMAGE_MANIFEST_MAX);
	for (size_t i = 0; i < len; i++) {
		if (!text[i])
			return err_fail(err, ERR_IMAGE, -EBADMSG, "not JSON: a NUL byte");
		containers += text[i] == '[' || text[i] == '{';
		values += text[i] == ',';
	}
	if (containers > MANIFEST_CONTAINERS_MAX || values > MANIFEST_VALUES_MAX)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "more values than any manifest has");
	return 0;
}

static int manifest_decode_parse(const char *text, size_t len, struct json_object **ret,
				 struct err *err)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	_cleanup_(json_object_putp) struct json_object *root = NULL;
	enum json_tokener_error fault;

	tokener = json_tokener_new_ex(MANIFEST_DEPTH_MAX);
	if (!tokener)
		return err_set(err, -ENOMEM, "manifest");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tokener, text, (int)len);
	fault = json_tokener_get_error(tokener);
	if (fault == json_tokener_continue)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "not JSON: it ends too early");
	if (fault != json_tokener_success)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "not JSON: %s",
				json_tokener_error_desc(fault));
	if (json_tokener_get_parse_end(tokener) != len)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "bytes after the JSON");
	if (!json_object_is_type(root, json_type_object))
		return err_fail(err, ERR_IMAGE, -EBADMSG, "not a JSON object");
	*ret = TAKE_PTR(root);
	return 0;
}

/* Outcomes of the functions below: whether the key is there. A JSON null is of a wrong type. */
enum {
	ABSENT = 0,
	PRESENT = 1
};

static int manifest_decode_get_string(struct json_object *o, const char *key, const char **ret,
				      size_t *ret_len, struct err *err)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value))
		return ABSENT;
	if (!json_object_is_type(value, json_type_string))
		return manifest_decode_refuse(err, key, "is not a string");
	*ret = json_object_get_string(value);
	*ret_len = (size_t)json_object_get_string_len(value);
	return PRESENT;
}

static int manifest_decode_get_text(struct json_object *o, const char *key, char **ret,
				    struct err *err)
{
	const char *text;
	size_t len;
	int r;

	r = manifest_decode_get_string(o, key, &text, &len, err);
	if (r != PRESENT)
		return r;
	if (len > IMAGE_TEXT_MAX)
		return manifest_decode_refuse(err, key, "is too long");
	if (!is_printable(text, len))
		return manifest_decode_refuse(err, key, "has characters that cannot be printed");
	*ret = strndup(text, len);
	if (!*ret)
		return err_set(err, -ENOMEM, "manifest");
	return PRESENT;
}

/* @digits: their exact number, or 0 for any number that fits. */
static int manifest_decode_get_hex(struct json_object *o, const char *key, size_t digits,
				   uint64_t *ret, struct err *err)
{
	const char *text;
	size_t len, n;
	int r;

	r = manifest_decode_get_string(o, key, &text, &len, err);
	if (r != PRESENT)
		return r;
	if (len < 2 || memcmp(text, "0x", 2) != 0)
		return manifest_decode_refuse(err, key, "is not a hexadecimal number");
	n = strspn(text + 2, "0123456789abcdef");
	if (n != len - 2 || (digits && n != digits) ||
	    parse_uint(text + 2, 16, UINT64_MAX, ret) < 0)
		return manifest_decode_refuse(err, key,
					      "is not a hexadecimal number of the right length");
	return PRESENT;
}

static int manifest_decode_get_array(struct json_object *o, const char *key,
				     struct json_object **ret, struct err *err)
{
	if (!json_object_object_get_ex(o, key, ret))
		return ABSENT;
	if (!json_object_is_type(*ret, json_type_array))
		return manifest_decode_refuse(err, key, "is not a list");
	return PRESENT;
}

/* The manifest has all of the IDs, or none. */
static int manifest_decode_ids(struct json_object *o, struct image_device *dev, struct err *err)
{
	size_t present = 0;
	uint64_t value;
	int r;

	for (size_t i = 0; i < MANIFEST_ID_FIELDS; i++) {
		const struct manifest_id_field *f = &manifest_id_fields[i];

		r = manifest_decode_get_hex(o, f->key, (size_t)f->digits, &value, err);
		if (r < 0)
			return r;
		if (r == ABSENT && present)
			return manifest_decode_refuse(err, f->key, "is missing");
		if (r == ABSENT)
			continue;
		if (present++ != i)
			return manifest_decode_refuse(err, manifest_id_fields[0].key, "is missing");
		manifest_id_put(dev, f, (uint32_t)value);
	}
	dev->has_ids = present > 0;
	return 0;
}

/* Ignore unknown words: later versions may add some. */
static int manifest_decode_get_words(struct json_object *o, const char *key, manifest_word_fn *name,
				     uint64_t *ret, struct err *err)
{
	struct json_object *list, *word;
	int r;

	r = manifest_decode_get_array(o, key, &list, err);
	if (r != PRESENT)
		return r;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		word = json_object_array_get_idx(list, i);
		if (!json_object_is_type(word, json_type_string))
			return manifest_decode_refuse(err, key, "is not a list of words");
		for (unsigned int bit = 0; name(bit); bit++)
			if (!strcmp(json_object_get_string(word), name(bit)))
				*ret |= UINT64_C(1) << bit;
	}
	return PRESENT;
}

static int manifest_decode_caps(struct json_object *o, struct image_device *dev, struct err *err)
{
	int r;

	r = manifest_decode_get_hex(o, "flags", 0, &dev->caps, err);
	if (r < 0)
		return r;
	return manifest_decode_get_words(o, "migration", fsm_cap_name, &dev->caps, err);
}

/* Those of manifest_decode_get_words() that fit an unsigned int. */
static int manifest_decode_get_flags(struct json_object *o, const char *key, manifest_word_fn *name,
				     unsigned int *ret, struct err *err)
{
	uint64_t bits = 0;
	int r = manifest_decode_get_words(o, key, name, &bits, err);

	*ret = (unsigned int)bits;
	return r;
}

static int manifest_decode_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int manifest_decode_config(struct json_object *o, struct image_device *dev, struct err *err)
{
	const char *text;
	size_t len;
	int r;

	r = manifest_decode_get_string(o, "config", &text, &len, err);
	if (r != PRESENT)
		return r;
	if (!len || len % 2 || len / 2 > IMAGE_CONFIG_MAX)
		return manifest_decode_refuse(err, "config", "has a wrong length");
	dev->config = malloc(len / 2);
	if (!dev->config)
		return err_set(err, -ENOMEM, "manifest");
	dev->config_size = len / 2;
	for (size_t i = 0; i < len / 2; i++) {
		int high = manifest_decode_nibble(text[2 * i]),
		    low = manifest_decode_nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return manifest_decode_refuse(err, "config",
						      "is not in lower-case hexadecimal");
		dev->config[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int manifest_decode_owner_pid(struct json_object *o, uint32_t *ret, struct err *err)
{
	struct json_object *value;
	int64_t pid;

	if (!json_object_object_get_ex(o, "owner_pid", &value))
		return 0;
	if (!json_object_is_type(value, json_type_int))
		return manifest_decode_refuse(err, "owner_pid", "is not a number");
	pid = json_object_get_int64(value);
	if (pid < 1 || pid > INT32_MAX)
		return manifest_decode_refuse(err, "owner_pid", "is no process id");
	*ret = (uint32_t)pid;
	return 0;
}

static int manifest_decode_device(struct json_object *o, struct image_device *dev, struct err *err)
{
	int r;

	if (!json_object_is_type(o, json_type_object))
		return err_fail(err, ERR_IMAGE, -EBADMSG, "not an object");
	for (size_t i = 0; i < MANIFEST_TEXT_FIELDS; i++) {
		const struct manifest_text_field *f = &manifest_text_fields[i];

		r = manifest_decode_get_text(o, f->key, manifest_text_of(dev, f), err);
		if (r < 0)
			return r;
		if (r == ABSENT && f->required)
			return manifest_decode_refuse(err, f->key, "is missing");
	}
	r = manifest_decode_owner_pid(o, &dev->owner_pid, err);
	if (r < 0)
		return r;
	r = manifest_decode_ids(o, dev, err);
	if (r < 0)
		return r;
	r = manifest_decode_caps(o, dev, err);
	if (r < 0)
		return r;
	r = manifest_decode_get_flags(o, "interrupts", pci_interrupt_name, &dev->interrupts, err);
	if (r < 0)
		return r;
	r = manifest_decode_get_flags(o, "digests", manifest_digest_name, &dev->digests, err);
	if (r < 0)
		return r;
	return manifest_decode_config(o, dev, err);
}

static int manifest_decode_devices(struct json_object *root, struct image_manifest *m,
				   struct err *err)
{
	struct json_object *list;
	size_t n;
	int r;

	r = manifest_decode_get_array(root, "devices", &list, err);
	if (r < 0)
		return r;
	n = r == PRESENT ? json_object_array_length(list) : 0;
	if (!n || n > IMAGE_DEVICES_MAX)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%zu devices, not 1 to %u", n,
				IMAGE_DEVICES_MAX);
	m->devices = calloc(n, sizeof(*m->devices));
	if (!m->devices)
		return err_set(err, -ENOMEM, "manifest");
	m->n_devices = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		r = manifest_decode_device(json_object_array_get_idx(list, i), &m->devices[i], err);
		if (r < 0)
			return err_prefix(err, r, "device %zu", i);
	}
	return 0;
}

static int manifest_decode_check_schema(struct json_object *root, struct err *err)
{
	struct json_object *schema;
	int64_t value;

	if (!json_object_object_get_ex(root, "schema", &schema) ||
	    !json_object_is_type(schema, json_type_int))
		return manifest_decode_refuse(err, "schema", "is not a number");
	value = json_object_get_int64(schema);
	if (value != MANIFEST_SCHEMA)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"schema %" PRId64 "; this tool reads schema %d", value,
				MANIFEST_SCHEMA);
	return 0;
}

static int manifest_decode_source(struct json_object *root, enum image_source *ret, struct err *err)
{
	_cleanup_free_ char *word = NULL;
	int r;

	r = manifest_decode_get_text(root, "source", &word, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; word && i < IMAGE_NR_SOURCES; i++) {
		const char *name = image_source_name((enum image_source)i);

		if (name && !strcmp(word, name))
			*ret = (enum image_source)i;
	}
	return 0;
}

static int manifest_decode_labels(struct json_object *root, struct image_labels *ret,
				  struct err *err)
{
	struct json_object *o;
	struct err why = { 0 };
	int r;

	if (!json_object_object_get_ex(root, "labels", &o))
		return 0;
	r = image_labels_from_json(ret, o, &why);
	if (r == -EINVAL)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "\"labels\": %s", why.text);
	return r < 0 ? err_set(err, -ENOMEM, "manifest") : 0;
}

/* Of an offer; json-c has the largest number for what is larger. */
static int manifest_decode_expected(struct json_object *root, uint64_t *ret, struct err *err)
{
	struct json_object *v;

	if (!json_object_object_get_ex(root, "expected_bytes", &v))
		return 0;
	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
		return manifest_decode_refuse(err, "expected_bytes", "is not a number of bytes");
	*ret = json_object_get_uint64(v);
	return 0;
}

int image_manifest_decode(const char *text, size_t len, struct image_manifest *ret, struct err *err)
{
	_cleanup_(image_manifest_done) struct image_manifest m = { 0 };
	_cleanup_(json_object_putp) struct json_object *root = NULL;
	int r;

	r = manifest_decode_check_text(text, len, err);
	if (r < 0)
		return r;
	r = manifest_decode_parse(text, len, &root, err);
	if (r < 0)
		return r;
	r = manifest_decode_check_schema(root, err);
	if (r < 0)
		return r;
	r = manifest_decode_get_text(root, "tool", &m.tool, err);
	if (r < 0)
		return r;
	r = manifest_decode_get_text(root, "kernel", &m.kernel, err);
	if (r < 0)
		return r;
	r = manifest_decode_source(root, &m.source, err);
	if (r < 0)
		return r;
	r = manifest_decode_expected(root, &m.expected, err);
	if (r < 0)
		return r;
	r = manifest_decode_labels(root, &m.labels, err);
	if (r < 0)
		return r;
	r = manifest_decode_devices(root, &m, err);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct image_manifest){ 0 };
	return 0;
}
