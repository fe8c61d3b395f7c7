// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "wire/verdict.h"

#define VERDICT_SCHEMA 1

/* Against memory amplification: json-c allocates some hundred bytes for a "[]". */
#define VERDICT_DEPTH_MAX 8
#define VERDICT_CONTAINERS_MAX 8192
#define VERDICT_VALUES_MAX 32768

DEFINE_CLEANUP(struct json_object *, json_object_put)
DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

static int verdict_no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "verdict");
}

/* What is not printable is replaced, and what is too long cut. */
static int verdict_copy(const char *text, char **ret, struct err *err)
{
	*ret = strndup(text ? text : "", VERDICT_STRING_MAX);
	if (!*ret)
		return verdict_no_memory(err);
	make_printable(*ret);
	return 0;
}

/*
 * Building one
 */

int verdict_refuse(struct verdict *v, const char *reason, struct err *err)
{
	v->accepted = false;
	return v->reason ? 0 : verdict_copy(reason, &v->reason, err);
}

int verdict_add_device(struct verdict *v, const char *saved, const char *here, struct err *err)
{
	struct verdict_device *d;
	int r;

	if (v->n_devices == VERDICT_DEVICES_MAX)
		return err_set(err, -E2BIG, "verdict");
	d = realloc(v->devices, (v->n_devices + 1) * sizeof(*d));
	if (!d)
		return verdict_no_memory(err);
	v->devices = d;
	d += v->n_devices++;
	*d = (struct verdict_device){ 0 };
	r = verdict_copy(saved, &d->saved, err);
	r = r < 0 ? r : verdict_copy(here, &d->here, err);
	return r < 0 ? r : (int)v->n_devices - 1;
}

int verdict_add_difference(struct verdict *v, const char *field, const char *saved,
			   const char *here, bool vital, struct err *err)
{
	struct verdict_device *d = &v->devices[v->n_devices - 1];
	struct verdict_difference *x;
	int r;

	if (d->n_differences == VERDICT_DIFFERENCES_MAX)
		return 0;
	x = &d->differences[d->n_differences++];
	x->vital = vital;
	r = verdict_copy(field, &x->field, err);
	r = r < 0 ? r : verdict_copy(saved, &x->saved, err);
	return r < 0 ? r : verdict_copy(here, &x->here, err);
}

void verdict_done(struct verdict *v)
{
	for (size_t i = 0; i < v->n_devices; i++) {
		struct verdict_device *d = &v->devices[i];

		free(d->saved);
		free(d->here);
		for (size_t j = 0; j < d->n_differences; j++) {
			free(d->differences[j].field);
			free(d->differences[j].saved);
			free(d->differences[j].here);
		}
	}
	free(v->devices);
	free(v->reason);
	*v = (struct verdict){ 0 };
}

/*
 * To JSON
 */

/* Takes @value in any case. NULL means that json-c had no memory. */
static int verdict_put(struct json_object *o, const char *key, struct json_object *value,
		       struct err *err)
{
	if (value && !json_object_object_add(o, key, value))
		return 0;
	json_object_put(value);
	return verdict_no_memory(err);
}

static int verdict_put_text(struct json_object *o, const char *key, const char *text,
			    struct err *err)
{
	return verdict_put(o, key, json_object_new_string(text), err);
}

/* A new object at the end of @list, which owns it. */
static struct json_object *verdict_append(struct json_object *list)
{
	struct json_object *o = json_object_new_object();

	if (o && !json_object_array_add(list, o))
		return o;
	json_object_put(o);
	return NULL;
}

static int verdict_encode_difference(struct json_object *list, const struct verdict_difference *x,
				     struct err *err)
{
	struct json_object *o = verdict_append(list);
	int r;

	if (!o)
		return verdict_no_memory(err);
	r = verdict_put_text(o, "field", x->field, err);
	r = r < 0 ? r : verdict_put_text(o, "saved", x->saved, err);
	r = r < 0 ? r : verdict_put_text(o, "here", x->here, err);
	return r < 0 ? r : verdict_put(o, "vital", json_object_new_boolean(x->vital), err);
}

static int verdict_encode_device(struct json_object *list, const struct verdict_device *d,
				 struct err *err)
{
	struct json_object *o = verdict_append(list), *differences;
	int r;

	if (!o)
		return verdict_no_memory(err);
	r = verdict_put_text(o, "saved", d->saved, err);
	r = r < 0 ? r : verdict_put_text(o, "here", d->here, err);
	if (r < 0)
		return r;
	differences = json_object_new_array();
	r = verdict_put(o, "differences", differences, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < d->n_differences; i++) {
		r = verdict_encode_difference(differences, &d->differences[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int verdict_encode_all(struct json_object *root, const struct verdict *v, struct err *err)
{
	struct json_object *devices;
	int r;

	r = verdict_put(root, "schema", json_object_new_int(VERDICT_SCHEMA), err);
	r = r < 0 ? r : verdict_put(root, "accepted", json_object_new_boolean(v->accepted), err);
	if (r < 0)
		return r;
	r = v->reason ? verdict_put_text(root, "reason", v->reason, err) : 0;
	if (r < 0)
		return r;
	devices = json_object_new_array();
	r = verdict_put(root, "devices", devices, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < v->n_devices; i++) {
		r = verdict_encode_device(devices, &v->devices[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int verdict_encode(const struct verdict *v, char **ret, size_t *ret_len, struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *root = json_object_new_object();
	const char *text;
	size_t len;
	int r;

	if (!root)
		return verdict_no_memory(err);
	r = verdict_encode_all(root, v, err);
	if (r < 0)
		return r;
	text = json_object_to_json_string_length(root, JSON_C_TO_STRING_PLAIN, &len);
	if (!text)
		return verdict_no_memory(err);
	if (len > VERDICT_TEXT_MAX)
		return err_set(err, -E2BIG, "verdict");
	*ret = strdup(text);
	if (!*ret)
		return verdict_no_memory(err);
	*ret_len = len;
	return 0;
}

/*
 * From JSON
 */

static int verdict_bad(struct err *err, const char *key, const char *why)
{
	err_fail(err, ERR_PEER, -EPROTO, "VERDICT: \"%s\" %s", key, why);
	return -EPROTO; /* in so many words, for the compiler */
}

static int verdict_check_text(const char *text, size_t len, struct err *err)
{
	size_t containers = 0, values = 0;

	if (len > VERDICT_TEXT_MAX)
		return err_fail(err, ERR_PEER, -EPROTO, "VERDICT: %zu bytes, more than %u", len,
				VERDICT_TEXT_MAX);
	for (size_t i = 0; i < len; i++) {
		containers += text[i] == '[' || text[i] == '{';
		values += text[i] == ',';
	}
	if (memchr(text, '\0', len) || containers > VERDICT_CONTAINERS_MAX ||
	    values > VERDICT_VALUES_MAX)
		return err_fail(err, ERR_PEER, -EPROTO, "VERDICT: no text that a destination says");
	return 0;
}

static int verdict_parse(const char *text, size_t len, struct json_object **ret, struct err *err)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	_cleanup_(json_object_putp) struct json_object *root = NULL;
	int r;

	r = verdict_check_text(text, len, err);
	if (r < 0)
		return r;
	tokener = json_tokener_new_ex(VERDICT_DEPTH_MAX);
	if (!tokener)
		return verdict_no_memory(err);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tokener, text, (int)len);
	if (!root || json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != len ||
	    !json_object_is_type(root, json_type_object))
		return err_fail(err, ERR_PEER, -EPROTO, "VERDICT: not a JSON object");
	*ret = TAKE_PTR(root);
	return 0;
}

static int verdict_get(struct json_object *o, const char *key, enum json_type type,
		       struct json_object **ret, struct err *err)
{
	if (!json_object_object_get_ex(o, key, ret))
		return verdict_bad(err, key, "is missing");
	if (!json_object_is_type(*ret, type))
		return verdict_bad(err, key, "is of a wrong type");
	return 0;
}

/* What is too long was not written by verdict_encode(). */
static int verdict_get_text(struct json_object *o, const char *key, char **ret, struct err *err)
{
	struct json_object *value;
	size_t len;
	int r;

	r = verdict_get(o, key, json_type_string, &value, err);
	if (r < 0)
		return r;
	len = (size_t)json_object_get_string_len(value);
	if (len > VERDICT_STRING_MAX || !is_printable(json_object_get_string(value), len))
		return verdict_bad(err, key, "is no printable text of a usual length");
	return verdict_copy(json_object_get_string(value), ret, err);
}

static int verdict_get_bool(struct json_object *o, const char *key, bool *ret, struct err *err)
{
	struct json_object *value;
	int r = verdict_get(o, key, json_type_boolean, &value, err);

	if (r >= 0)
		*ret = json_object_get_boolean(value);
	return r;
}

static int verdict_get_list(struct json_object *o, const char *key, size_t max,
			    struct json_object **ret, struct err *err)
{
	int r = verdict_get(o, key, json_type_array, ret, err);

	if (r < 0)
		return r;
	if (json_object_array_length(*ret) > max)
		return verdict_bad(err, key, "has too many members");
	for (size_t i = 0; i < json_object_array_length(*ret); i++)
		if (!json_object_is_type(json_object_array_get_idx(*ret, i), json_type_object))
			return verdict_bad(err, key, "has a member that is no object");
	return 0;
}

static int verdict_decode_difference(struct json_object *o, struct verdict_device *d,
				     struct err *err)
{
	struct verdict_difference *x = &d->differences[d->n_differences++];
	int r;

	r = verdict_get_text(o, "field", &x->field, err);
	r = r < 0 ? r : verdict_get_text(o, "saved", &x->saved, err);
	r = r < 0 ? r : verdict_get_text(o, "here", &x->here, err);
	return r < 0 ? r : verdict_get_bool(o, "vital", &x->vital, err);
}

static int verdict_decode_device(struct json_object *o, struct verdict_device *d, struct err *err)
{
	struct json_object *list;
	int r;

	r = verdict_get_text(o, "saved", &d->saved, err);
	r = r < 0 ? r : verdict_get_text(o, "here", &d->here, err);
	if (r < 0)
		return r;
	r = verdict_get_list(o, "differences", VERDICT_DIFFERENCES_MAX, &list, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		r = verdict_decode_difference(json_object_array_get_idx(list, i), d, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int verdict_decode_devices(struct json_object *root, struct verdict *v, struct err *err)
{
	struct json_object *list;
	size_t n;
	int r;

	r = verdict_get_list(root, "devices", VERDICT_DEVICES_MAX, &list, err);
	if (r < 0)
		return r;
	n = json_object_array_length(list);
	v->devices = calloc(n ? n : 1, sizeof(*v->devices));
	if (!v->devices)
		return verdict_no_memory(err);
	while (v->n_devices < n) {
		struct json_object *o = json_object_array_get_idx(list, v->n_devices);

		r = verdict_decode_device(o, &v->devices[v->n_devices++], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int verdict_decode_all(struct json_object *root, struct verdict *v, struct err *err)
{
	int r = verdict_get_bool(root, "accepted", &v->accepted, err);

	if (r < 0)
		return r;
	/* A refusal says why. */
	r = v->accepted ? 0 : verdict_get_text(root, "reason", &v->reason, err);
	return r < 0 ? r : verdict_decode_devices(root, v, err);
}

int verdict_decode(const char *text, size_t len, struct verdict *ret, struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *root = NULL;
	struct verdict v = { 0 };
	int r;

	r = verdict_parse(text, len, &root, err);
	if (r < 0)
		return r;
	r = verdict_decode_all(root, &v, err);
	if (r < 0)
		verdict_done(&v);
	else
		*ret = v;
	return r;
}
