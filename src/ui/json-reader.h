/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Members of a JSON object that comes from outside
 *
 * The first member that is not what it must be fails the reader, which then names it; the getters
 * go on with 0, so that a caller asks for all members and looks at @failed once.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/**
 * struct json_reader - an object being read
 * @o: may be NULL or of any type: then all members are missing
 * @failed: a member is missing or wrong; @key is its name, @want what it must be
 */
struct json_reader {
	struct json_object *o;
	bool failed;
	const char *key, *want;
};

/**
 * struct json_limits - what a document may have
 * @values: a value takes 50 times its size in memory once it is parsed: they are counted before,
 *          those in strings too
 */
struct json_limits {
	size_t len, values;
	int depth;
};

/**
 * json_reader_parse() - one document and nothing behind it but white space
 * @ret: the caller's
 *
 * Return: 0; -EBADMSG (ERR_IMAGE); -ENOMEM.
 */
_must_check_ int json_reader_parse(const char *text, size_t len, const struct json_limits *limits,
				   struct json_object **ret, struct err *err);

/** json_reader_has() - there is such a member, and it is not null. */
bool json_reader_has(const struct json_reader *r, const char *key);

/** json_reader_uint() - an integer of 0 to @max */
uint64_t json_reader_uint(struct json_reader *r, const char *key, uint64_t max);

/** json_reader_bool() - true or false */
bool json_reader_bool(struct json_reader *r, const char *key);

/** json_reader_string() - a string without NUL. Return: "" where it fails. */
const char *json_reader_string(struct json_reader *r, const char *key);

/** json_reader_array() - an array of at most @max members. Return: NULL where it fails. */
struct json_object *json_reader_array(struct json_reader *r, const char *key, size_t max);

/** json_reader_fail() - the member is not @want. */
void json_reader_fail(struct json_reader *r, const char *key, const char *want);

/** json_reader_result() - Return: 0; -EBADMSG (ERR_IMAGE) once it has failed. */
_must_check_ int json_reader_result(const struct json_reader *r, struct err *err);
