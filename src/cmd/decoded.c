// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>

#include "base/macros.h"
#include "cmd/decoded.h"

static void cmd_decoded_add_value(struct json_object *o, const struct decode_node *node)
{
	switch (node->kind) {
	case DECODE_UINT:
		report_uint(o, "value", node->value);
		break;
	case DECODE_HEX:
		report_hex(o, "value", (int)(2 * node->size), node->value);
		break;
	case DECODE_TEXT:
	case DECODE_REMARK:
		report_string(o, "value", node->text);
		break;
	case DECODE_OCTETS:
		report_octets(o, "value", node->bytes, (size_t)node->size);
		break;
	case DECODE_RECORD:
	case DECODE_PAYLOAD:
		break;
	}
	if (node->meaning)
		report_string(o, "meaning", node->meaning);
}

static void cmd_decoded_on_node(void *ctx, const struct decode_node *node)
{
	static const char *const kinds[] = {
		[DECODE_RECORD] = "record", [DECODE_UINT] = "number",
		[DECODE_HEX] = "number",    [DECODE_TEXT] = "text",
		[DECODE_OCTETS] = "octets", [DECODE_PAYLOAD] = "payload",
		[DECODE_REMARK] = "remark",
	};
	struct cmd_decoded *c = ctx;
	struct json_object *o;

	if (c->listed == CMD_DECODED_MAX) {
		report_bool(c->object, "partial", true);
		return;
	}
	c->listed++;
	o = report_append(c->lists[node->depth]);
	report_uint(o, "at", node->at);
	report_uint(o, "size", node->size);
	report_string(o, "name", node->name);
	report_string(o, "kind", kinds[node->kind]);
	cmd_decoded_add_value(o, node);
	if (node->kind == DECODE_RECORD)
		c->lists[node->depth + 1] = report_array(o, "members");
}

int cmd_decoded_begin(struct cmd_decoded *c, struct json_object *o, const char *driver,
		      struct err *err)
{
	int r = decode_new(driver, cmd_decoded_on_node, c, &c->decode, err);

	if (r < 0)
		return r;
	c->object = report_object(o, "decoded");
	c->lists[0] = report_array(c->object, "members");
	return 0;
}

void cmd_decoded_end(struct cmd_decoded *c, bool complete)
{
	static const char *const ways[] = {
		[DECODE_BY_NONE] = NULL,
		[DECODE_BY_DRIVER] = "driver",
		[DECODE_BY_MAGIC] = "magic",
	};
	const struct decode_result *result;
	struct json_object *odd;

	if (!c->decode)
		return;
	decode_finish(c->decode, complete);
	result = decode_result(c->decode);
	report_string(c->object, "layout", result->layout);
	report_string(c->object, "by", ways[result->by]);
	report_string(c->object, "source", result->source);
	report_uint(c->object, "bytes", result->bytes);
	report_bool(c->object, "complete", complete);
	if (result->odd[0]) {
		odd = report_object(c->object, "odd");
		report_uint(odd, "at", result->odd_at);
		report_string(odd, "why", result->odd);
	}
	c->result = *result;
	c->decode = decode_free(c->decode);
}

static const char *cmd_decoded_text(struct json_object *o, const char *key)
{
	struct json_object *member;

	return json_object_object_get_ex(o, key, &member) ? json_object_get_string(member) : NULL;
}

static uint64_t cmd_decoded_number(struct json_object *o, const char *key)
{
	struct json_object *member;

	return json_object_object_get_ex(o, key, &member) ? json_object_get_uint64(member) : 0;
}

#define NAME_WIDTH 20

static void cmd_decoded_view_node(FILE *f, struct json_object *o, int depth)
{
	const char *kind = cmd_decoded_text(o, "kind"), *name = cmd_decoded_text(o, "name"),
		   *value = cmd_decoded_text(o, "value"), *meaning = cmd_decoded_text(o, "meaning");
	uint64_t size = cmd_decoded_number(o, "size");

	fprintf(f, "%10" PRIu64 "  %*s", cmd_decoded_number(o, "at"), 2 * depth, "");
	if (!kind || kind[0] == 'r')
		fprintf(f, "%s%s%s", name, value ? ": " : "", value ? value : "");
	else
		fprintf(f, "%-*s", MAX(1, NAME_WIDTH - 2 * depth), name);
	if (!value && kind && kind[0] == 'p')
		fprintf(f, "  %" PRIu64 " byte%s", size, size == 1 ? "" : "s");
	else if (value && kind && kind[0] != 'r')
		fprintf(f, "  %s", value);
	fprintf(f, "%s%s%s\n", meaning ? " (" : "", meaning ? meaning : "", meaning ? ")" : "");
}

/* No deeper than the decoder goes: see DECODE_DEPTH_MAX. */
static void cmd_decoded_view_list(FILE *f, struct json_object *o, int depth)
{
	struct json_object *list, *member;

	if (!json_object_object_get_ex(o, "members", &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		member = json_object_array_get_idx(list, i);
		cmd_decoded_view_node(f, member, depth);
		cmd_decoded_view_list(f, member, depth + 1);
	}
}

void cmd_decoded_view(FILE *f, struct json_object *o)
{
	struct json_object *d, *odd, *complete;
	const char *layout, *by;

	if (!json_object_object_get_ex(o, "decoded", &d))
		return;
	layout = cmd_decoded_text(d, "layout");
	by = cmd_decoded_text(d, "by");
	fprintf(f, "\n%10s  %s%s%s\n", "AT", layout ? "STREAM OF " : "STREAM", layout ? layout : "",
		by && by[0] == 'm' ? ", BY ITS FIRST BYTES" : "");
	cmd_decoded_view_list(f, d, 0);
	if (json_object_object_get_ex(d, "partial", &odd))
		fprintf(f, "%10s  more is not listed\n", "");
	if (json_object_object_get_ex(d, "odd", &odd))
		fprintf(f, "%10" PRIu64 "  odd: %s\n", cmd_decoded_number(odd, "at"),
			cmd_decoded_text(odd, "why"));
	if (json_object_object_get_ex(d, "complete", &complete) &&
	    !json_object_get_boolean(complete))
		fprintf(f, "%10" PRIu64 "  this is its beginning only\n",
			cmd_decoded_number(d, "bytes"));
}
