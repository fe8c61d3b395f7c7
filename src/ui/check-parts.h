/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Reading a check's report, and parts of its views; for ui/check-*.c only
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** check_parts_text() - member @key as text, "" where there is none */
const char *check_parts_text(struct json_object *o, const char *key);

/** check_parts_count() - member @key as a number, 0 where there is none */
uint64_t check_parts_count(struct json_object *o, const char *key);

/** check_parts_list() - member @key, an array, or NULL */
struct json_object *check_parts_list(struct json_object *o, const char *key);

/** check_parts_length() - of an array, or 0 for NULL */
size_t check_parts_length(struct json_object *array);

/** check_parts_is() - the verdict of a result is @verdict */
bool check_parts_is(struct json_object *result, const char *verdict);

/** check_text_result() - one result, as text */
void check_text_result(FILE *f, struct json_object *result);

/** check_tap_begin() - the version and the plan */
void check_tap_begin(FILE *f, uint64_t selected);

/** check_tap_result() - one result as TAP 14, of this number from 1 */
void check_tap_result(FILE *f, struct json_object *result, size_t number);
