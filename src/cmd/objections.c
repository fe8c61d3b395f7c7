// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/objections.h"
#include "engine/scan.h"
#include "cmd/image-diff.h"
#include "cmd/objections.h"

/* What a target compares lies in the first bytes of a stream. */
#define CMD_OBJECTIONS_BYTES (64u << 10)

/* struct beginning - the stream's, on its way through the decoder; @enough: no more is needed */
struct beginning {
	const struct cmd_objections *question;
	struct decode *decode;
	uint32_t index;
	uint64_t bytes;
	bool enough;
};

static int cmd_objections_on_begin(void *ctx, const struct image_info *info,
				   const struct image_manifest *m, struct err *err)
{
	struct beginning *b = ctx;
	const struct image_device *saved =
		b->question->has_index ? NULL : image_diff_find(m, b->question->dev);

	(void)info;
	b->index = saved ? (uint32_t)(saved - m->devices) : b->question->index;
	if (b->index >= m->n_devices || (!saved && !b->question->has_index))
		return err_set(err, -ENODEV, "no such device in the image");
	return decode_new(m->devices[b->index].driver, NULL, NULL, &b->decode, err);
}

static int cmd_objections_on_data(void *ctx, uint32_t device, const void *buf, size_t len,
				  struct err *err)
{
	struct beginning *b = ctx;

	if (device != b->index)
		return 0;
	decode_push(b->decode, buf, len);
	b->bytes += len;
	b->enough = b->bytes >= CMD_OBJECTIONS_BYTES;
	return b->enough ? err_set(err, -ECANCELED, "read as far as needed") : 0;
}

static int cmd_objections_read(struct beginning *b, struct cancel *cancel, struct err *err)
{
	static const struct image_sink sink = { .begin = cmd_objections_on_begin,
						.data = cmd_objections_on_data };
	_cleanup_(input_freep) struct input *in = NULL;
	int r;

	r = input_open(b->question->uri, cancel, &in, err);
	if (r < 0)
		return r;
	r = scan_image(in, &sink, b, cancel, NULL, err);
	return b->enough ? 0 : r;
}

static void cmd_objections_value(struct json_object *o, const char *key, enum decode_fact fact,
				 uint64_t value)
{
	if (decode_fact_is_number(fact))
		report_uint(o, key, value);
	else
		report_hex(o, key, 1, value);
}

static void cmd_objections_on_objection(void *ctx, const struct objection *objection)
{
	static const char *const verdicts[] = {
		[OBJECTION_NONE] = "taken",
		[OBJECTION_REFUSED] = "refused",
		[OBJECTION_CANNOT_TELL] = "unknown",
	};
	struct json_object *o = report_append(ctx);

	report_string(o, "field", decode_fact_name(objection->fact));
	cmd_objections_value(o, "saved", objection->fact, objection->saved);
	if (objection->here_known)
		cmd_objections_value(o, "here", objection->fact, objection->here);
	else
		report_null(o, "here");
	report_string(o, "verdict", verdicts[objection->verdict]);
	report_string(o, "errno", err_name(-objection->code));
}

int cmd_objections_add(struct json_object *o, const struct cmd_objections *q, struct cancel *cancel,
		       struct err *err)
{
	const struct objection_target target = {
		.stream = q->here,
		.has_device_id = q->dev->has_ids,
		.device_id = q->dev->ids.device,
	};
	struct beginning b = { .question = q };
	struct err why = { 0 };
	int r;

	if (q->uri->kind != URI_FILE)
		return 0;
	r = cmd_objections_read(&b, cancel, &why);
	if (r < 0)
		log_debug("%s: what its target compares is not told: %s", device_name(q->dev),
			  why.text);
	else if (b.decode)
		objections_find(decode_result(b.decode), &target, cmd_objections_on_objection,
				report_array(o, "objections"));
	decode_free(b.decode);
	return cancel_check(cancel, err);
}

void cmd_objections_view(FILE *f, struct json_object *o)
{
	static const struct report_row columns[] = {
		{ "field", "ITS DRIVER COMPARES", REPORT_TEXT },
		{ "saved", "IMAGE", REPORT_TEXT },
		{ "here", "DEVICE", REPORT_TEXT },
		{ "verdict", "VERDICT", REPORT_TEXT },
		{ "errno", "ERRNO IF REFUSED", REPORT_TEXT },
	};
	struct json_object *list;

	if (!json_object_object_get_ex(o, "objections", &list) || !json_object_array_length(list))
		return;
	fputc('\n', f);
	report_table(f, list, columns, ARRAY_SIZE(columns));
}
