// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/trace-text.h"

/* A line under construction: what has no room is cut off, but for the newline. */
struct trace_line {
	char *buf;
	size_t len;
};

static void trace_text_print(struct trace_line *l, const char *fmt, ...) _printf_(2, 3);

static void trace_text_print(struct trace_line *l, const char *fmt, ...)
{
	size_t room = TRACE_LINE_MAX - 1 - l->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->buf + l->len, room, fmt, ap);
	va_end(ap);
	l->len += n < 0 ? 0 : MIN((size_t)n, room - 1);
}

static size_t trace_text_end(struct trace_line *l)
{
	l->buf[l->len++] = '\n';
	l->buf[l->len] = '\0';
	return l->len;
}

/* "2026-11-30T06:45:01.123456Z". */
static void trace_text_time(char buf[static 40], uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / NSEC_PER_SEC);
	char whole[24];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, 40, "%s.%06uZ", whole, (unsigned int)(wall_ns % NSEC_PER_SEC / 1000));
}

/*
 * JSON
 */

static size_t trace_text_json(struct json_object *o, char *buf)
{
	struct trace_line l = { .buf = buf };

	trace_text_print(&l, "%s",
			 json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return trace_text_end(&l);
}

static struct json_object *trace_text_object(const struct trace_head *head, const char *event)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "schema", json_object_new_int(1));
	json_object_object_add(o, "command", json_object_new_string(head->command));
	json_object_object_add(o, "event", json_object_new_string(event));
	return o;
}

static void trace_text_add_time(struct json_object *o, uint64_t wall_ns)
{
	char time[40];

	trace_text_time(time, wall_ns);
	json_object_object_add(o, "time", json_object_new_string(time));
}

static struct json_object *trace_text_value(const struct trace_field *f)
{
	char hex[24];

	switch (f->how) {
	case TRACE_NUMBER:
		return json_object_new_uint64(f->n);
	case TRACE_SIGNED:
		return json_object_new_int64((int64_t)f->n);
	case TRACE_HEX:
		snprintf(hex, sizeof(hex), "0x%" PRIx64, f->n);
		return json_object_new_string(hex);
	case TRACE_WORD:
		break;
	}
	return json_object_new_string(f->word);
}

static void trace_text_add_fields(struct json_object *o, const struct trace_record *r, bool out)
{
	struct json_object *fields = NULL;

	for (size_t i = 0; i < r->n; i++) {
		if (r->fields[i].out != out)
			continue;
		if (!fields) {
			fields = json_object_new_object();
			json_object_object_add(o, out ? "out" : "in", fields);
		}
		json_object_object_add(fields, r->fields[i].name, trace_text_value(&r->fields[i]));
	}
}

static size_t trace_text_json_record(const struct trace_head *head, const struct trace_record *r,
				     char *buf)
{
	struct json_object *o = trace_text_object(head, "call");
	char code[24];

	trace_text_add_time(o, r->wall_ns);
	json_object_object_add(o, "at_ns", json_object_new_uint64(r->at_ns - head->origin_ns));
	json_object_object_add(o, "duration_ns", json_object_new_uint64(r->ns));
	json_object_object_add(o, "thread", json_object_new_int(r->thread));
	if (*r->device)
		json_object_object_add(o, "device", json_object_new_string(r->device));
	json_object_object_add(o, "fd", json_object_new_int(r->fd));
	json_object_object_add(o, "call", json_object_new_string(r->call));
	if (r->what)
		json_object_object_add(o, "name", json_object_new_string(r->what));
	if (r->code) {
		snprintf(code, sizeof(code), "0x%lx", r->code);
		json_object_object_add(o, "request", json_object_new_string(code));
	}
	trace_text_add_fields(o, r, false);
	trace_text_add_fields(o, r, true);
	json_object_object_add(o, "result", json_object_new_int64(r->result));
	if (r->error)
		json_object_object_add(o, "errno", json_object_new_string(err_name(-r->error)));
	return trace_text_json(o, buf);
}

/*
 * Text
 */

static void trace_text_print_field(struct trace_line *l, const struct trace_field *f)
{
	trace_text_print(l, " %s=", f->name);
	switch (f->how) {
	case TRACE_NUMBER:
		trace_text_print(l, "%" PRIu64, f->n);
		break;
	case TRACE_SIGNED:
		trace_text_print(l, "%" PRId64, (int64_t)f->n);
		break;
	case TRACE_HEX:
		trace_text_print(l, "0x%" PRIx64, f->n);
		break;
	case TRACE_WORD:
		trace_text_print(l, "%s", f->word);
		break;
	}
}

static void trace_text_print_fields(struct trace_line *l, const struct trace_record *r, bool out)
{
	bool any = false;

	for (size_t i = 0; i < r->n; i++) {
		if (r->fields[i].out != out)
			continue;
		if (out && !any)
			trace_text_print(l, " ->");
		any = true;
		trace_text_print_field(l, &r->fields[i]);
	}
}

static size_t trace_text_plain_record(const struct trace_head *head, const struct trace_record *r,
				      char *buf)
{
	struct trace_line l = { .buf = buf };
	char time[40];

	(void)head;
	trace_text_time(time, r->wall_ns);
	time[strlen(time) - 1] = '\0';
	trace_text_print(&l, "%s %d %s fd %d %s", strchr(time, 'T') + 1, (int)r->thread,
			 *r->device ? r->device : "-", r->fd, r->call);
	if (r->what)
		trace_text_print(&l, " %s", r->what);
	else if (r->code)
		trace_text_print(&l, " 0x%lx", r->code);
	trace_text_print_fields(&l, r, false);
	trace_text_print_fields(&l, r, true);
	trace_text_print(&l, " = %" PRId64, r->result);
	if (r->error)
		trace_text_print(&l, " %s", err_name(-r->error));
	trace_text_print(&l, " <%" PRIu64 ".%06" PRIu64 ">", r->ns / NSEC_PER_SEC,
			 r->ns % NSEC_PER_SEC / 1000);
	return trace_text_end(&l);
}

/*
 * What the header has
 */

size_t trace_text_begin(const struct trace_head *head, char buf[static TRACE_LINE_MAX])
{
	struct trace_line l = { .buf = buf };
	struct json_object *o;
	char time[40];

	if (head->format == TRACE_JSON) {
		o = trace_text_object(head, "trace");
		trace_text_add_time(o, head->wall_ns);
		json_object_object_add(o, "pid", json_object_new_int(head->pid));
		return trace_text_json(o, buf);
	}
	trace_text_time(time, head->wall_ns);
	trace_text_print(&l, TRACE_TEXT_MARK "1: %s, pid %d, %s", head->command, (int)head->pid,
			 time);
	return trace_text_end(&l);
}

size_t trace_text_record(const struct trace_head *head, const struct trace_record *r,
			 char buf[static TRACE_LINE_MAX])
{
	if (head->format == TRACE_JSON)
		return trace_text_json_record(head, r, buf);
	return trace_text_plain_record(head, r, buf);
}

size_t trace_text_dropped(const struct trace_head *head, uint64_t n,
			  char buf[static TRACE_LINE_MAX])
{
	struct trace_line l = { .buf = buf };
	struct json_object *o;

	if (head->format == TRACE_JSON) {
		o = trace_text_object(head, "dropped");
		json_object_object_add(o, "dropped", json_object_new_uint64(n));
		return trace_text_json(o, buf);
	}
	trace_text_print(&l, "# %" PRIu64 " dropped here: they came faster than they were written",
			 n);
	return trace_text_end(&l);
}
