/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a command has to say: one document, shown as JSON or as text
 *
 * The JSON object is the truth; text is a view of it, described by rows that name a key, a
 * label and a format. So neither can say what the other does not know. Keys carry their unit
 * ("bytes", "downtime_ns"); 64-bit addresses are hex strings.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"

#define REPORT_SCHEMA 1
#define REPORT_OCTETS_MAX 32

enum report_format {
	REPORT_TEXT, /* as it is; booleans as yes and no; a list with spaces between */
	REPORT_BYTES, /* 1.5 MiB */
	REPORT_BYTES_EXACT, /* 1.5 MiB (1572864 bytes) */
	REPORT_NS, /* 13.8 us */
	REPORT_NS_IF_ANY, /* the same; 0 is not worth a line */
	REPORT_RATE, /* bytes a second */
};

/**
 * struct report_row - one line of text, or one column of a table
 * @key: "bytes", or "arcs.0.ns" for what lies deeper
 * @label: in front of it, or the column's heading
 */
struct report_row {
	const char *key;
	const char *label;
	enum report_format format;
};

/** report_new() - { "schema": 1, "command": @command }. Aborts when memory is out. */
struct json_object *report_new(const char *command);

void report_done(struct json_object *report);
DEFINE_CLEANUP(struct json_object *, report_done)

/* Add a member; NULL strings become null. */
void report_string(struct json_object *o, const char *key, const char *value);
/*
 * What the user calls a file or a device, which may be any bytes. Where @value is no printable
 * UTF-8, KEY has "?" for what is not, and KEY_base64 has all of its bytes (RFC 4648, with padding).
 */
void report_name(struct json_object *o, const char *key, const char *value);
void report_uint(struct json_object *o, const char *key, uint64_t value);
void report_int(struct json_object *o, const char *key, int64_t value);
void report_bool(struct json_object *o, const char *key, bool value);
void report_null(struct json_object *o, const char *key);
/* Any number of bytes in hexadecimal, as sha256sum(1) prints them; up to REPORT_OCTETS_MAX. */
void report_octets(struct json_object *o, const char *key, const uint8_t *bytes, size_t len);
/* "0x15b3": @digits at least */
void report_hex(struct json_object *o, const char *key, int digits, uint64_t value);
struct json_object *report_object(struct json_object *o, const char *key);
struct json_object *report_array(struct json_object *o, const char *key);
/* Append a new object to an array. */
struct json_object *report_append(struct json_object *array);
void report_append_string(struct json_object *array, const char *value);

/** report_json() - the document, on one line or (@pretty) on many. */
void report_json(FILE *f, struct json_object *report, bool pretty);

/** report_lines() - "label  value" lines; rows that have nothing to show are left out. */
void report_lines(FILE *f, struct json_object *o, const struct report_row *rows, size_t n);

/**
 * report_table() - a heading and a line for each member; "-" where a value is missing
 *
 * Nothing at all for an empty array.
 */
void report_table(FILE *f, struct json_object *array, const struct report_row *columns, size_t n);

/**
 * struct report_give - a column that gives way where a table is too wide
 * @column: its index
 * @least: it is cut to so many characters, and no further; 0: it is left out
 */
struct report_give {
	unsigned int column, least;
};

/**
 * struct report_fit - how wide a table may be
 * @width: so many characters; it is wider where all that gives way has done so
 * @if_any: 1 << INDEX of columns that are left out where no line has a value for them
 * @gives: @n of them, in the order in which they give way, each as far as needed
 */
struct report_fit {
	unsigned int width, if_any;
	const struct report_give *gives;
	size_t n;
};

#define REPORT_WIDTH 100

/** report_width() - of the terminal that @f is; $COLUMNS; else REPORT_WIDTH. */
unsigned int report_width(FILE *f);

/**
 * report_table_fit() - the same, made to fit
 *
 * What is cut has ".." for what is missing. Its end stays from the last "[" or "/" on, where there
 * is room: a process's number, the last part of a path.
 */
void report_table_fit(FILE *f, struct json_object *array, const struct report_row *columns,
		      size_t n, const struct report_fit *fit);
