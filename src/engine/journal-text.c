// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/hex.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/journal-text.h"
#include "fsm/fsm.h"

#define JOURNAL_TEXT_HEAD "vfiomigctl journal "
#define JOURNAL_TEXT_VERSION 1
#define JOURNAL_TEXT_FOOT "checksum "
#define JOURNAL_TEXT_FOOT_LEN (sizeof(JOURNAL_TEXT_FOOT) - 1 + 16 + 1)
#define JOURNAL_TEXT_DEPTH_MAX 8
#define JOURNAL_TEXT_FLAGS (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)

#define JOURNAL_HEX_MAX (2 * WIRE_ID_SIZE + 1)

DEFINE_CLEANUP(struct json_object *, json_object_put)
DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

/* The fields of a record and of a device, for both directions. */

static const struct journal_text_string {
	const char *key;
	size_t at;
	bool required;
} journal_text_of_record[] = {
	/* clang-format off */
	{ "peer",   offsetof(struct journal_record, peer),   false },
	{ "spool",  offsetof(struct journal_record, spool),  false },
	{ "forced", offsetof(struct journal_record, forced), false },
	{ 0 },
	/* clang-format on */
}, journal_text_of_device[] = {
	/* clang-format off */
	{ "device",  offsetof(struct journal_device, spec),   true },
	{ "address", offsetof(struct journal_device, name),   true },
	{ "driver",  offsetof(struct journal_device, driver), false },
	{ 0 },
	/* clang-format on */
};

static const struct journal_text_id {
	const char *key;
	size_t at;
} journal_text_ids[] = {
	/* clang-format off */
	{ "txid",         offsetof(struct journal_record, txid) },
	{ "peer_journal", offsetof(struct journal_record, peer_journal) },
	{ "image",        offsetof(struct journal_record, end.image) },
	{ "digest",       offsetof(struct journal_record, end.digest) },
	/* clang-format on */
};

static const struct journal_text_number {
	const char *key;
	size_t at;
} journal_text_numbers[] = {
	/* clang-format off */
	{ "generation", offsetof(struct journal_record, generation) },
	{ "bytes",      offsetof(struct journal_record, end.bytes) },
	{ "begun_ns",   offsetof(struct journal_record, begun_ns) },
	{ "changed_ns", offsetof(struct journal_record, changed_ns) },
	/* clang-format on */
};

const char *journal_role_name(enum wire_role role)
{
	return role == WIRE_SOURCE ? "source" : "destination";
}

static void *journal_text_at(const void *record, size_t at)
{
	return (char *)record + at;
}

void journal_record_done(struct journal_record *r)
{
	for (unsigned int i = 0; r->devices && i < r->n_devices; i++) {
		free(r->devices[i].spec);
		free(r->devices[i].name);
		free(r->devices[i].driver);
	}
	free(r->devices);
	free(r->peer);
	free(r->spool);
	free(r->forced);
	*r = (struct journal_record){ 0 };
}

/* Encoding */

/* Takes ownership of @value, also on failure. A NULL @value means that json-c had no memory. */
static int journal_text_add(struct json_object *o, const char *key, struct json_object *value,
			    struct err *err)
{
	if (!value || json_object_object_add(o, key, value)) {
		json_object_put(value);
		return err_set(err, -ENOMEM, "journal");
	}
	return 0;
}

static int journal_text_add_strings(struct json_object *o, const void *from,
				    const struct journal_text_string *f, struct err *err)
{
	for (; f->key; f++) {
		const char *text = *(char **)journal_text_at(from, f->at);
		int r;

		if (!text)
			continue;
		if (strlen(text) > JOURNAL_STRING_MAX)
			return err_fail(err, ERR_SYSTEM, -E2BIG,
					"journal: \"%s\" of %zu bytes, more than %u", f->key,
					strlen(text), JOURNAL_STRING_MAX);
		r = journal_text_add(o, f->key, json_object_new_string(text), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int journal_text_add_id(struct json_object *o, const char *key, const uint8_t *id,
			       struct err *err)
{
	char text[JOURNAL_HEX_MAX];

	return journal_text_add(o, key, json_object_new_string(hex_encode(id, WIRE_ID_SIZE, text)),
				err);
}

static int journal_text_add_device(struct json_object *list, const struct journal_device *d,
				   struct err *err)
{
	struct json_object *o = json_object_new_object();
	int r;

	if (!o || json_object_array_add(list, o)) {
		json_object_put(o);
		return err_set(err, -ENOMEM, "journal");
	}
	r = journal_text_add_strings(o, d, journal_text_of_device, err);
	if (r < 0)
		return r;
	return journal_text_add(o, "found", json_object_new_string(fsm_name(d->found)), err);
}

static int journal_text_add_devices(struct json_object *o, const struct journal_record *record,
				    struct err *err)
{
	struct json_object *list = json_object_new_array();
	int r;

	r = journal_text_add(o, "devices", list, err);
	if (r < 0)
		return r;
	if (record->n_devices > JOURNAL_DEVICES_MAX)
		return err_fail(err, ERR_SYSTEM, -E2BIG, "journal: %u devices, more than %u",
				record->n_devices, JOURNAL_DEVICES_MAX);
	for (unsigned int i = 0; i < record->n_devices; i++) {
		r = journal_text_add_device(list, &record->devices[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int journal_text_add_words(struct json_object *o, const struct journal_record *record,
				  struct err *err)
{
	int r;

	r = journal_text_add(o, "role", json_object_new_string(journal_role_name(record->role)),
			     err);
	if (r < 0)
		return r;
	r = journal_text_add(o, "phase", json_object_new_string(wire_phase_name(record->phase)),
			     err);
	if (r < 0)
		return r;
	r = journal_text_add(o, "run", json_object_new_boolean(record->run), err);
	if (r < 0 || !record->told)
		return r;
	return journal_text_add(o, "told", json_object_new_string(wire_phase_name(record->told)),
				err);
}

/* @json between the first line and the last. */
static int journal_text_enclose(struct json_object *json, char **ret, size_t *ret_len,
				struct err *err)
{
	const char *body = json_object_to_json_string_ext(json, JOURNAL_TEXT_FLAGS);
	_cleanup_free_ char *text = NULL;
	size_t room, n;

	if (!body)
		return err_set(err, -ENOMEM, "journal");
	room = strlen(body) + 128;
	if (room > JOURNAL_TEXT_MAX)
		return err_fail(err, ERR_SYSTEM, -E2BIG, "journal: a record of %zu bytes", room);
	text = malloc(room);
	if (!text)
		return err_set(err, -ENOMEM, "journal");
	n = (size_t)snprintf(text, room, JOURNAL_TEXT_HEAD "%d\n%s\n", JOURNAL_TEXT_VERSION, body);
	n += (size_t)snprintf(text + n, room - n, JOURNAL_TEXT_FOOT "%016" PRIx64 "\n",
			      (uint64_t)XXH3_64bits(text, n));
	*ret = TAKE_PTR(text);
	*ret_len = n;
	return 0;
}

int journal_text_encode(const struct journal_record *record, char **ret, size_t *ret_len,
			struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *o = json_object_new_object();
	int r;

	if (!o)
		return err_set(err, -ENOMEM, "journal");
	r = journal_text_add_words(o, record, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(journal_text_ids); i++) {
		const struct journal_text_id *f = &journal_text_ids[i];

		r = journal_text_add_id(o, f->key, journal_text_at(record, f->at), err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(journal_text_numbers); i++) {
		const struct journal_text_number *f = &journal_text_numbers[i];
		const uint64_t *n = journal_text_at(record, f->at);

		r = journal_text_add(o, f->key, json_object_new_uint64(*n), err);
		if (r < 0)
			return r;
	}
	r = journal_text_add_strings(o, record, journal_text_of_record, err);
	if (r < 0)
		return r;
	r = journal_text_add_devices(o, record, err);
	if (r < 0)
		return r;
	return journal_text_enclose(o, ret, ret_len, err);
}

/* Decoding */

#define journal_text_bad(err, ...) err_fail(err, ERR_IMAGE, -EBADMSG, __VA_ARGS__)

static int journal_text_parse(const char *body, size_t len, struct json_object **ret,
			      struct err *err)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	enum json_tokener_error why;

	tokener = json_tokener_new_ex(JOURNAL_TEXT_DEPTH_MAX);
	if (!tokener)
		return err_set(err, -ENOMEM, "journal");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	*ret = json_tokener_parse_ex(tokener, body, (int)len);
	why = json_tokener_get_error(tokener);
	if (why == json_tokener_success && json_object_is_type(*ret, json_type_object))
		return 0;
	json_object_put(TAKE_PTR(*ret));
	return journal_text_bad(err, "no object of JSON: %s", json_tokener_error_desc(why));
}

/* The JSON of a file whose first and last line are right. */
static int journal_text_open(const char *text, size_t len, struct json_object **ret,
			     struct err *err)
{
	char foot[JOURNAL_TEXT_FOOT_LEN + 1];
	const char *body;
	uint64_t version;
	size_t n;

	if (len > JOURNAL_TEXT_MAX || len < JOURNAL_TEXT_FOOT_LEN || memchr(text, '\0', len) ||
	    strncmp(text, JOURNAL_TEXT_HEAD, sizeof(JOURNAL_TEXT_HEAD) - 1) != 0)
		return journal_text_bad(err, "no file of a journal");
	body = scan_uint(text + sizeof(JOURNAL_TEXT_HEAD) - 1, 10, UINT32_MAX, &version);
	if (!body || *body != '\n')
		return journal_text_bad(err, "no file of a journal");
	if (version != JOURNAL_TEXT_VERSION)
		return journal_text_bad(err,
					"of version %" PRIu64 " of the journal; this is one for %d",
					version, JOURNAL_TEXT_VERSION);
	n = len - JOURNAL_TEXT_FOOT_LEN;
	snprintf(foot, sizeof(foot), JOURNAL_TEXT_FOOT "%016" PRIx64 "\n",
		 (uint64_t)XXH3_64bits(text, n));
	if (memcmp(text + n, foot, JOURNAL_TEXT_FOOT_LEN) != 0)
		return journal_text_bad(err, "damaged: its checksum is another one");
	/* The line break before the checksum is none of the JSON. */
	if (body >= text + n)
		return journal_text_bad(err, "no file of a journal");
	return journal_text_parse(body, (size_t)(text + n - body) - 1, ret, err);
}

static int journal_text_get_string(struct json_object *o, const char *key, const char **ret,
				   struct err *err)
{
	struct json_object *v;

	*ret = NULL;
	if (!json_object_object_get_ex(o, key, &v))
		return 0;
	if (!json_object_is_type(v, json_type_string) ||
	    json_object_get_string_len(v) > (int)JOURNAL_STRING_MAX ||
	    strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
		return journal_text_bad(err, "\"%s\" is no string that it may be", key);
	*ret = json_object_get_string(v);
	return 0;
}

static int journal_text_get_strings(struct json_object *o, void *to,
				    const struct journal_text_string *f, struct err *err)
{
	for (; f->key; f++) {
		char **member = journal_text_at(to, f->at);
		const char *text;
		int r;

		r = journal_text_get_string(o, f->key, &text, err);
		if (r < 0)
			return r;
		if (!text && f->required)
			return journal_text_bad(err, "without \"%s\"", f->key);
		if (!text)
			continue;
		*member = strdup(text);
		if (!*member)
			return err_set(err, -ENOMEM, "journal");
	}
	return 0;
}

static int journal_text_get_id(struct json_object *o, const char *key, uint8_t *ret,
			       struct err *err)
{
	const char *text;
	int r;

	r = journal_text_get_string(o, key, &text, err);
	if (r < 0)
		return r;
	if (!text || !hex_decode(text, WIRE_ID_SIZE, ret))
		return journal_text_bad(err, "\"%s\" is no id", key);
	return 0;
}

static int journal_text_get_number(struct json_object *o, const char *key, uint64_t *ret,
				   struct err *err)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0)
		return journal_text_bad(err, "\"%s\" is no number that it may be", key);
	*ret = json_object_get_uint64(v);
	return 0;
}

/* A phase that a record may have, from @first on. NULL is none. */
static bool journal_text_get_phase(const char *text, enum wire_phase first, enum wire_phase *ret)
{
	for (*ret = first; *ret <= WIRE_PHASE_ABORTED; ++*ret)
		if (text && strcmp(text, wire_phase_name(*ret)) == 0)
			return true;
	return false;
}

static int journal_text_get_words(struct json_object *o, struct journal_record *ret,
				  struct err *err)
{
	const char *role, *phase, *told;
	struct json_object *v;
	int r;

	r = journal_text_get_string(o, "role", &role, err);
	if (r < 0)
		return r;
	r = journal_text_get_string(o, "phase", &phase, err);
	if (r < 0)
		return r;
	ret->role = WIRE_SOURCE;
	if (role && strcmp(role, journal_role_name(WIRE_SOURCE)) != 0)
		ret->role = WIRE_DESTINATION;
	if (!role || strcmp(role, journal_role_name(ret->role)) != 0)
		return journal_text_bad(err, "\"role\" is neither end");
	if (!journal_text_get_phase(phase, WIRE_PHASE_BEGUN, &ret->phase))
		return journal_text_bad(err, "\"phase\" is none");
	if (!json_object_object_get_ex(o, "run", &v) || !json_object_is_type(v, json_type_boolean))
		return journal_text_bad(err, "\"run\" is neither true nor false");
	ret->run = json_object_get_boolean(v);
	r = journal_text_get_string(o, "told", &told, err);
	if (r < 0)
		return r;
	if (told && !journal_text_get_phase(told, WIRE_PHASE_DONE, &ret->told))
		return journal_text_bad(err, "\"told\" is neither done nor aborted");
	return 0;
}

static int journal_text_get_device(struct json_object *o, struct journal_device *ret,
				   struct err *err)
{
	const char *found;
	int r;

	if (!json_object_is_type(o, json_type_object))
		return journal_text_bad(err, "a device that is no object");
	r = journal_text_get_strings(o, ret, journal_text_of_device, err);
	if (r < 0)
		return r;
	r = journal_text_get_string(o, "found", &found, err);
	if (r < 0)
		return r;
	if (!found || !fsm_parse(found, &ret->found))
		return journal_text_bad(err, "\"found\" is no state");
	return 0;
}

static int journal_text_get_devices(struct json_object *o, struct journal_record *ret,
				    struct err *err)
{
	struct json_object *list;
	size_t n;

	if (!json_object_object_get_ex(o, "devices", &list) ||
	    !json_object_is_type(list, json_type_array))
		return journal_text_bad(err, "without \"devices\"");
	n = json_object_array_length(list);
	if (n > JOURNAL_DEVICES_MAX)
		return journal_text_bad(err, "%zu devices", n);
	ret->devices = calloc(n ? n : 1, sizeof(*ret->devices));
	if (!ret->devices)
		return err_set(err, -ENOMEM, "journal");
	ret->n_devices = (unsigned int)n;
	for (unsigned int i = 0; i < n; i++) {
		int r = journal_text_get_device(json_object_array_get_idx(list, i),
						&ret->devices[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int journal_text_get_record(struct json_object *o, struct journal_record *ret,
				   struct err *err)
{
	int r;

	r = journal_text_get_words(o, ret, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(journal_text_ids); i++) {
		const struct journal_text_id *f = &journal_text_ids[i];

		r = journal_text_get_id(o, f->key, journal_text_at(ret, f->at), err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(journal_text_numbers); i++) {
		const struct journal_text_number *f = &journal_text_numbers[i];

		r = journal_text_get_number(o, f->key, journal_text_at(ret, f->at), err);
		if (r < 0)
			return r;
	}
	r = journal_text_get_strings(o, ret, journal_text_of_record, err);
	if (r < 0)
		return r;
	return journal_text_get_devices(o, ret, err);
}

int journal_text_decode(const char *text, size_t len, struct journal_record *ret, struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *o = NULL;
	_cleanup_(journal_record_done) struct journal_record record = { 0 };
	int r;

	r = journal_text_open(text, len, &o, err);
	if (r < 0)
		return r;
	r = journal_text_get_record(o, &record, err);
	if (r < 0)
		return r;
	*ret = record;
	record = (struct journal_record){ 0 };
	return 0;
}

/* Files of one value */

static int journal_text_encode_value(const char *key, struct json_object *value, char **ret,
				     size_t *ret_len, struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *o = json_object_new_object();
	int r;

	if (!o) {
		json_object_put(value);
		return err_set(err, -ENOMEM, "journal");
	}
	r = journal_text_add(o, key, value, err);
	if (r < 0)
		return r;
	return journal_text_enclose(o, ret, ret_len, err);
}

int journal_text_encode_id(const uint8_t id[WIRE_ID_SIZE], char **ret, size_t *ret_len,
			   struct err *err)
{
	char text[JOURNAL_HEX_MAX];

	return journal_text_encode_value("journal",
					 json_object_new_string(hex_encode(id, WIRE_ID_SIZE, text)),
					 ret, ret_len, err);
}

int journal_text_decode_id(const char *text, size_t len, uint8_t ret[WIRE_ID_SIZE], struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *o = NULL;
	int r;

	r = journal_text_open(text, len, &o, err);
	if (r < 0)
		return r;
	return journal_text_get_id(o, "journal", ret, err);
}

int journal_text_encode_number(uint64_t n, char **ret, size_t *ret_len, struct err *err)
{
	return journal_text_encode_value("generation", json_object_new_uint64(n), ret, ret_len,
					 err);
}

int journal_text_decode_number(const char *text, size_t len, uint64_t *ret, struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *o = NULL;
	int r;

	r = journal_text_open(text, len, &o, err);
	if (r < 0)
		return r;
	return journal_text_get_number(o, "generation", ret, err);
}
