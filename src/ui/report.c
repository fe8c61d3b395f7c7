// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/printable.h"
#include "base/units.h"
#include "ui/report.h"

#define VALUE_MAX 1024
#define KEY_MAX 64

/* Abort when memory is out: a report without one of its members would be taken for complete. */
static struct json_object *report_must(struct json_object *o)
{
	if (!o)
		abort();
	return o;
}

struct json_object *report_new(const char *command)
{
	struct json_object *o = report_must(json_object_new_object());

	report_int(o, "schema", REPORT_SCHEMA);
	report_string(o, "command", command);
	return o;
}

void report_done(struct json_object *report)
{
	json_object_put(report);
}

static void report_add(struct json_object *o, const char *key, struct json_object *value)
{
	if (json_object_object_add(o, key, value) < 0)
		abort();
}

/* Replace what JSON cannot hold: it is UTF-8, and a path may be any bytes. */
static struct json_object *report_new_string(const char *value)
{
	_cleanup_free_ char *text = strdup(value);

	if (!text)
		abort();
	make_printable(text);
	return report_must(json_object_new_string(text));
}

void report_string(struct json_object *o, const char *key, const char *value)
{
	report_add(o, key, value ? report_new_string(value) : NULL);
}

/* Encode by RFC 4648, with padding. Return: a string for the caller to free. */
static char *report_base64(const char *value)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = (const uint8_t *)value;
	size_t len = strlen(value);
	char *text = malloc((len + 2) / 3 * 4 + 1), *out = text;

	if (!text)
		abort();
	for (size_t i = 0; i < len; i += 3) {
		size_t n = MIN(len - i, (size_t)3);
		uint32_t bits = (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
				(n > 2 ? in[i + 2] : 0);

		*out++ = letters[bits >> 18];
		*out++ = letters[bits >> 12 & 63];
		*out++ = letters[bits >> 6 & 63];
		*out++ = letters[bits & 63];
		if (n < 2)
			out[-2] = '=';
		if (n < 3)
			out[-1] = '=';
	}
	*out = '\0';
	return text;
}

void report_name(struct json_object *o, const char *key, const char *value)
{
	_cleanup_free_ char *exact = NULL;
	char exact_key[KEY_MAX];

	report_string(o, key, value);
	if (!value || is_printable(value, strlen(value)))
		return;
	exact = report_base64(value);
	snprintf(exact_key, sizeof(exact_key), "%s_base64", key);
	report_string(o, exact_key, exact);
}

void report_uint(struct json_object *o, const char *key, uint64_t value)
{
	report_add(o, key, report_must(json_object_new_uint64(value)));
}

void report_int(struct json_object *o, const char *key, int64_t value)
{
	report_add(o, key, report_must(json_object_new_int64(value)));
}

void report_bool(struct json_object *o, const char *key, bool value)
{
	report_add(o, key, report_must(json_object_new_boolean(value)));
}

void report_null(struct json_object *o, const char *key)
{
	report_add(o, key, NULL);
}

void report_hex(struct json_object *o, const char *key, int digits, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%0*" PRIx64, digits, value);
	report_string(o, key, text);
}

void report_octets(struct json_object *o, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * REPORT_OCTETS_MAX + 1] = "";

	assert(len <= REPORT_OCTETS_MAX);
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	report_string(o, key, text);
}

struct json_object *report_object(struct json_object *o, const char *key)
{
	struct json_object *child = report_must(json_object_new_object());

	report_add(o, key, child);
	return child;
}

struct json_object *report_array(struct json_object *o, const char *key)
{
	struct json_object *child = report_must(json_object_new_array());

	report_add(o, key, child);
	return child;
}

static struct json_object *report_append_value(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, report_must(value)) < 0)
		abort();
	return value;
}

struct json_object *report_append(struct json_object *array)
{
	return report_append_value(array, json_object_new_object());
}

void report_append_string(struct json_object *array, const char *value)
{
	report_append_value(array, report_new_string(value));
}

void report_json(FILE *f, struct json_object *report, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);

	fprintf(f, "%s\n", json_object_to_json_string_ext(report, flags));
}

/* The member @key of an object, or of an array by its number. Return: NULL when there is none. */
static struct json_object *report_member(struct json_object *o, const char *key)
{
	struct json_object *member = NULL;
	uint64_t n;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &member);
	else if (json_object_is_type(o, json_type_array) && parse_uint(key, 10, SIZE_MAX, &n) >= 0)
		member = json_object_array_get_idx(o, (size_t)n);
	return member;
}

/* Follow "a.b.0" through what is nested. Return: the member, NULL when there is none. */
static struct json_object *report_look_up(struct json_object *o, const char *path)
{
	char key[KEY_MAX];

	while (o && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		path += n + (path[n] == '.');
		o = report_member(o, key);
	}
	return o;
}

static void report_show_list(char *buf, struct json_object *array)
{
	size_t at = 0, n = json_object_array_length(array);

	snprintf(buf, VALUE_MAX, "%s", n ? "" : "none");
	for (size_t i = 0; i < n && at < VALUE_MAX; i++)
		at += (size_t)snprintf(buf + at, VALUE_MAX - at, "%s%s", i ? " " : "",
				       json_object_get_string(json_object_array_get_idx(array, i)));
}

/* Format @value for people. Return: @buf, or a constant. */
static const char *report_show(char buf[VALUE_MAX], struct json_object *value,
			       enum report_format format)
{
	uint64_t n = json_object_get_uint64(value);
	char exact[UNITS_MAX];

	switch (format) {
	case REPORT_BYTES:
		return format_bytes(buf, n);
	case REPORT_BYTES_EXACT:
		format_bytes(exact, n);
		if (n < 1024)
			return strcpy(buf, exact);
		snprintf(buf, VALUE_MAX, "%s (%" PRIu64 " bytes)", exact, n);
		return buf;
	case REPORT_NS:
	case REPORT_NS_IF_ANY:
		return format_duration(buf, n);
	case REPORT_RATE:
		return format_rate(buf, n, NSEC_PER_SEC);
	case REPORT_TEXT:
		break;
	}
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "yes" : "no";
	if (json_object_is_type(value, json_type_array))
		report_show_list(buf, value);
	else
		snprintf(buf, VALUE_MAX, "%s", json_object_get_string(value));
	return buf;
}

/* Return: the value that @row shows; NULL for a row that is left out. */
static struct json_object *report_row_value(struct json_object *o, const struct report_row *row)
{
	struct json_object *value = report_look_up(o, row->key);

	return row->format == REPORT_NS_IF_ANY && !json_object_get_uint64(value) ? NULL : value;
}

void report_lines(FILE *f, struct json_object *o, const struct report_row *rows, size_t n)
{
	char buf[VALUE_MAX];
	int width = 0;

	for (size_t i = 0; i < n; i++)
		if (report_row_value(o, &rows[i]))
			width = MAX(width, (int)strlen(rows[i].label));
	for (size_t i = 0; i < n; i++) {
		struct json_object *value = report_row_value(o, &rows[i]);

		if (value)
			fprintf(f, "%-*s  %s\n", width, rows[i].label,
				report_show(buf, value, rows[i].format));
	}
}

/* Return: the text of one cell, "-" where the value is missing. */
static const char *report_cell(char buf[VALUE_MAX], struct json_object *array, size_t line,
			       const struct report_row *column)
{
	struct json_object *value;

	value = report_look_up(json_object_array_get_idx(array, line), column->key);
	return value ? report_show(buf, value, column->format) : "-";
}

/* No more columns than this in a table. */
#define TABLE_COLUMNS 32

/**
 * struct report_layout - how wide each of @n columns is; -1 for one that is left out
 */
struct report_layout {
	int widths[TABLE_COLUMNS];
	size_t n;
};

static struct report_layout report_lay_out(struct json_object *array,
					   const struct report_row *columns, size_t n,
					   unsigned int if_any)
{
	const size_t lines = json_object_array_length(array);
	struct report_layout l = { .n = MIN(n, (size_t)TABLE_COLUMNS) };
	char buf[VALUE_MAX];

	for (size_t c = 0; c < l.n; c++) {
		bool any = !(if_any & 1u << c);

		l.widths[c] = (int)strlen(columns[c].label);
		for (size_t i = 0; i < lines; i++) {
			const char *text = report_cell(buf, array, i, &columns[c]);

			l.widths[c] = MAX(l.widths[c], (int)strlen(text));
			any |= strcmp(text, "-") != 0;
		}
		if (!any)
			l.widths[c] = -1;
	}
	return l;
}

/* With two spaces between columns. */
static int report_layout_total(const struct report_layout *l)
{
	int total = -2;

	for (size_t c = 0; c < l->n; c++)
		if (l->widths[c] >= 0)
			total += l->widths[c] + 2;
	return total;
}

static void report_layout_fit(struct report_layout *l, const struct report_fit *fit)
{
	for (size_t i = 0; i < fit->n; i++) {
		const struct report_give *give = &fit->gives[i];
		int *width = &l->widths[give->column], least = (int)give->least;
		int over = report_layout_total(l) - (int)MIN(fit->width, (unsigned int)INT_MAX);

		if (over <= 0)
			return;
		if (!least)
			*width = -1;
		else if (*width > least)
			*width = MAX(least, *width - over);
	}
}

/* In its place, to @width characters. */
static void report_cut(char *text, size_t width)
{
	const size_t len = strlen(text);
	const char *bracket = strrchr(text, '['), *slash = strrchr(text, '/');
	const char *tail = bracket ? bracket : slash;
	size_t rest = tail ? strlen(tail) : 0, head;

	if (len <= width || width < 2)
		return;
	if (rest + 3 > width)
		rest = 0;
	head = width - rest - 2;
	/* Never within a character of several bytes. */
	while (head && ((unsigned char)text[head] & 0xc0) == 0x80)
		head--;
	memmove(text + head + 2, text + len - rest, rest + 1);
	text[head] = text[head + 1] = '.';
}

static void report_table_line(FILE *f, struct json_object *array, size_t line,
			      const struct report_row *columns, const struct report_layout *l)
{
	char buf[VALUE_MAX], cell[VALUE_MAX];
	int space = 0;

	for (size_t c = 0; c < l->n; c++) {
		if (l->widths[c] < 0)
			continue;
		snprintf(cell, sizeof(cell), "%s",
			 line ? report_cell(buf, array, line - 1, &columns[c]) : columns[c].label);
		report_cut(cell, (size_t)l->widths[c]);
		/* No spaces behind the last column. */
		fprintf(f, "%*s%s", space, "", cell);
		space = l->widths[c] - (int)strlen(cell) + 2;
	}
	fputc('\n', f);
}

void report_table_fit(FILE *f, struct json_object *array, const struct report_row *columns,
		      size_t n, const struct report_fit *fit)
{
	const size_t lines = json_object_array_length(array);
	struct report_layout l = report_lay_out(array, columns, n, fit->if_any);

	if (!lines)
		return;
	report_layout_fit(&l, fit);
	for (size_t i = 0; i < lines + 1; i++)
		report_table_line(f, array, i, columns, &l);
}

void report_table(FILE *f, struct json_object *array, const struct report_row *columns, size_t n)
{
	report_table_fit(f, array, columns, n, &(struct report_fit){ 0 });
}

unsigned int report_width(FILE *f)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	if (columns && parse_uint(columns, 10, UINT16_MAX, &n) >= 0 && n)
		return (unsigned int)n;
	return REPORT_WIDTH;
}
