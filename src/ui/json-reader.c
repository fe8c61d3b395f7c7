// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "ui/json-reader.h"

static int json_reader_bad(struct err *err, const char *why)
{
	return err_fail(err, ERR_IMAGE, -EBADMSG, "%s", why);
}

static bool json_reader_has_too_much(const char *text, size_t len, const struct json_limits *limits)
{
	size_t values = 0;

	for (size_t i = 0; i < len; i++)
		values += text[i] == ',' || text[i] == '{' || text[i] == '[';
	return values > limits->values;
}

int json_reader_parse(const char *text, size_t len, const struct json_limits *limits,
		      struct json_object **ret, struct err *err)
{
	struct json_tokener *tokener;
	enum json_tokener_error why;
	size_t end;

	if (len > limits->len || json_reader_has_too_much(text, len, limits))
		return json_reader_bad(err, "more than a report can hold");
	tokener = json_tokener_new_ex(limits->depth);
	if (!tokener)
		return err_set(err, -ENOMEM, "json_tokener");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*ret = json_tokener_parse_ex(tokener, text, (int)len);
	why = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (end < len && (text[end] == '\n' || text[end] == ' '))
		end++;
	if (why == json_tokener_continue)
		return json_reader_bad(err, "no JSON, or cut off");
	if (why != json_tokener_success || end != len)
		return json_reader_bad(err, "no JSON");
	return 0;
}

void json_reader_fail(struct json_reader *r, const char *key, const char *want)
{
	if (r->failed)
		return;
	r->failed = true;
	r->key = key;
	r->want = want;
}

/* Return: NULL also for null. */
static struct json_object *json_reader_get(const struct json_reader *r, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_is_type(r->o, json_type_object))
		return NULL;
	json_object_object_get_ex(r->o, key, &value);
	return value;
}

bool json_reader_has(const struct json_reader *r, const char *key)
{
	return json_reader_get(r, key);
}

/* json-c makes INT64_MAX of what is larger, and of -1 a negative number still. */
uint64_t json_reader_uint(struct json_reader *r, const char *key, uint64_t max)
{
	struct json_object *value = json_reader_get(r, key);
	int64_t n = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;

	if (n >= 0 && n < INT64_MAX && (uint64_t)n <= max)
		return (uint64_t)n;
	json_reader_fail(r, key, "an integer that makes sense");
	return 0;
}

bool json_reader_bool(struct json_reader *r, const char *key)
{
	struct json_object *value = json_reader_get(r, key);

	if (!json_object_is_type(value, json_type_boolean))
		json_reader_fail(r, key, "true or false");
	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

const char *json_reader_string(struct json_reader *r, const char *key)
{
	struct json_object *value = json_reader_get(r, key);
	const char *text;

	if (json_object_is_type(value, json_type_string)) {
		text = json_object_get_string(value);
		if (strlen(text) == (size_t)json_object_get_string_len(value))
			return text;
	}
	json_reader_fail(r, key, "a string");
	return "";
}

struct json_object *json_reader_array(struct json_reader *r, const char *key, size_t max)
{
	struct json_object *value = json_reader_get(r, key);

	if (json_object_is_type(value, json_type_array) && json_object_array_length(value) <= max)
		return value;
	json_reader_fail(r, key, "a list of a sensible length");
	return NULL;
}

int json_reader_result(const struct json_reader *r, struct err *err)
{
	if (!r->failed)
		return 0;
	return err_fail(err, ERR_IMAGE, -EBADMSG, "\"%s\" is missing or not %s", r->key, r->want);
}
