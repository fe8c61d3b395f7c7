// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "ui/event-file.h"
#include "ui/event-json.h"
#include "ui/json-reader.h"
#include "ui/report.h"

static const struct json_limits event_file_limits = {
	.len = EVENT_FILE_MAX,
	.values = EVENT_FILE_VALUES_MAX,
	.depth = 16,
};

static int event_file_bad(struct err *err, const char *why)
{
	return err_fail(err, ERR_IMAGE, -EBADMSG, "%s", why);
}

static int event_file_parse_names(struct event_file *file, struct json_object *devices,
				  struct err *err)
{
	unsigned int n = file->list.devices;

	file->names = calloc(n ? n : 1, sizeof(*file->names));
	if (!file->names)
		return err_set(err, -ENOMEM, "names of %u devices", n);
	for (unsigned int i = 0; i < n; i++) {
		struct json_reader r = { .o = json_object_array_get_idx(devices, i) };
		int code;

		file->names[i] = json_reader_string(&r, "address");
		code = json_reader_result(&r, err);
		if (code < 0)
			return err_prefix(err, code, "device %u", i);
	}
	return 0;
}

static int event_file_parse_event(struct event_file *file, struct json_object *o, uint64_t *last,
				  struct err *err)
{
	struct event_json parsed;
	int r;

	r = event_json_parse(o, file->list.devices, &parsed, err);
	if (r < 0)
		return r;
	if (parsed.event.ns < *last)
		return event_file_bad(err, "earlier than the one before it");
	*last = parsed.event.ns;
	event_list_add(&file->list, &parsed.event);
	return 0;
}

static int event_file_parse_events(struct event_file *file, struct json_object *events,
				   struct err *err)
{
	uint64_t last = 0;
	int r;

	for (size_t i = 0; i < json_object_array_length(events); i++) {
		r = event_file_parse_event(file, json_object_array_get_idx(events, i), &last, err);
		if (r < 0)
			return err_prefix(err, r, "event %zu", i);
	}
	return 0;
}

static int event_file_parse_root(struct event_file *file, struct err *err)
{
	struct json_reader r = { .o = file->root };
	struct json_object *devices, *events;
	uint64_t lost;
	int code;

	if (json_reader_uint(&r, "schema", UINT32_MAX) != REPORT_SCHEMA)
		json_reader_fail(&r, "schema", "one that is known here");
	file->command = json_reader_string(&r, "command");
	events = json_reader_array(&r, "events", EVENT_LIST_MAX);
	file->version = json_reader_string(&r, "version");
	devices = json_reader_array(&r, "devices", EVENT_FILE_DEVICES_MAX);
	lost = json_reader_uint(&r, "lost_events", EVENT_JSON_MAX);
	json_object_object_get_ex(file->root, "result", &file->result);
	if (!json_object_is_type(file->result, json_type_object))
		json_reader_fail(&r, "result", "an object");
	code = json_reader_result(&r, err);
	if (code < 0)
		return code;
	code = event_list_init(&file->list, (unsigned int)json_object_array_length(devices),
			       EVENT_LIST_MAX, err);
	if (code < 0)
		return code;
	file->list.lost = lost;
	code = event_file_parse_names(file, devices, err);
	if (code < 0)
		return code;
	return event_file_parse_events(file, events, err);
}

int event_file_parse(const char *text, size_t len, struct event_file *ret, struct err *err)
{
	int r;

	*ret = (struct event_file){ 0 };
	r = json_reader_parse(text, len, &event_file_limits, &ret->root, err);
	if (r < 0)
		return r;
	r = event_file_parse_root(ret, err);
	if (r < 0)
		event_file_done(ret);
	return r;
}

void event_file_done(struct event_file *file)
{
	event_list_done(&file->list);
	free(file->names);
	report_done(file->root);
	*file = (struct event_file){ 0 };
}
