// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "image/checker.h"
#include "image/input-buffer.h"
#include "image/parser.h"
#include "image/sha256.h"
#include "image/totals.h"

/* What has to come next. */
enum parser_state {
	AT_HEADER,
	AT_MANIFEST,
	AT_SECTION,
	AT_EOF, /* IMAGE END was good */
	REFUSED,
};

/* The SHA-256 of a device's stream: @running here, or NULL, and as the image has it once @seen. */
struct stream_sum {
	struct image_sha256 *running;
	bool seen;
	uint8_t said[IMAGE_SHA256_SIZE];
};

/*
 * @at: place in the image of the input's first byte
 * @sure: bytes from @at that an intact image has at least: the section that has begun, and another
 *        page after any section but the last
 * @asked: the sink was asked for room for this section
 * @sums: one a device
 */
struct image_parser {
	const struct image_sink *sink;
	void *ctx;
	enum parser_state state;
	uint64_t at;
	size_t sure;
	bool asked;
	struct input_buffer input;
	struct image_info info;
	struct image_checker checker;
	struct image_manifest manifest;
	struct image_totals_set totals;
	struct stream_sum *sums;
};

/*
 * A section that is complete in the input at @buf; @content is its payload, decompressed. Of one
 * that was checked elsewhere there are the header and, if the sink wants it, the content alone.
 */
struct section {
	struct image_head head;
	const uint8_t *buf, *content;
};

static const void *parser_payload(const struct section *s)
{
	return s->buf + IMAGE_SECTION_HEADER;
}

/* Outcomes of the steps below: more bytes are needed, or some were consumed. */
enum {
	STEP_WAIT = 0,
	STEP_TAKEN = 1
};

int image_parser_new(const struct image_sink *sink, void *ctx, struct image_parser **ret,
		     struct err *err)
{
	struct image_parser *p;

	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(err, -ENOMEM, "image parser");
	p->sink = sink;
	p->ctx = ctx;
	p->sure = (size_t)2 * IMAGE_PAGE; /* HEADER, and the MANIFEST's first */
	*ret = p;
	return 0;
}

struct image_parser *image_parser_free(struct image_parser *p)
{
	if (!p)
		return NULL;
	for (uint32_t i = 0; p->sums && i < p->manifest.n_devices; i++)
		image_sha256_free(p->sums[i].running);
	free(p->sums);
	image_totals_done(&p->totals);
	image_manifest_done(&p->manifest);
	image_checker_done(&p->checker);
	input_buffer_done(&p->input);
	free(p);
	return NULL;
}

int image_parser_buffer(struct image_parser *p, void **ret, size_t *ret_len, struct err *err)
{
	uint8_t *buf;
	int r;

	assert(p->state != REFUSED);
	r = input_buffer_space(&p->input, p->sure, &buf, ret_len, err);
	if (r < 0)
		return r;
	*ret = buf;
	return 0;
}

static void parser_take(struct image_parser *p, size_t len)
{
	input_buffer_take(&p->input, len);
	p->at += len;
	p->sure = IMAGE_PAGE;
	p->asked = false;
}

static int parser_take_header(struct image_parser *p, struct err *err)
{
	const uint8_t *buf = input_buffer_start(&p->input);
	size_t have = p->input.len;
	int r;

	r = image_header_decode(buf, MIN(have, IMAGE_HEADER_SIZE), &p->info, err);
	if (r < 0)
		return r;
	if (have < IMAGE_PAGE)
		return STEP_WAIT;
	r = image_check_padding(buf, IMAGE_HEADER_SIZE, IMAGE_PAGE, err);
	if (r < 0)
		return r;
	r = image_checker_init(&p->checker, image_seed(&p->info), err);
	if (r < 0)
		return r;
	parser_take(p, IMAGE_PAGE);
	p->state = AT_MANIFEST;
	return STEP_TAKEN;
}

static bool parser_has_sha256(const struct image_parser *p, uint32_t device)
{
	return p->manifest.devices[device].digests & IMAGE_HAS_SHA256;
}

static int parser_start_sums(struct image_parser *p, struct err *err)
{
	int r;

	p->sums = calloc(p->manifest.n_devices, sizeof(*p->sums));
	if (!p->sums)
		return err_set(err, -ENOMEM, "image parser");
	for (uint32_t i = 0; i < p->manifest.n_devices; i++) {
		if (!p->sink->sum || !parser_has_sha256(p, i))
			continue;
		r = image_sha256_new(&p->sums[i].running, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parser_check_manifest(struct image_parser *p, const struct section *s, struct err *err)
{
	int r;

	if (p->state != AT_MANIFEST)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "a second MANIFEST");
	r = image_manifest_decode(parser_payload(s), s->head.size, &p->manifest, err);
	if (r < 0)
		return err_prefix(err, r, "MANIFEST");
	r = parser_start_sums(p, err);
	if (r < 0)
		return r;
	return image_totals_init(&p->totals, p->manifest.n_devices, image_seed(&p->info), err);
}

/* The device must exist, and not have ended. */
static int parser_check_open(const struct image_parser *p, const struct image_head *head,
			     struct err *err)
{
	const char *name = image_section_name(head->type);

	if (head->device >= p->totals.n_devices)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"%s of device %" PRIu32 ", but there are only %" PRIu32, name,
				head->device, p->totals.n_devices);
	if (p->totals.devices[head->device].ended)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%s of device %" PRIu32 " after its end",
				name, head->device);
	return 0;
}

static int parser_check_data(struct image_parser *p, struct section *s, struct err *err)
{
	const struct image_head *head = &s->head;
	const struct image_running_total *total;
	int r;

	r = parser_check_open(p, head, err);
	if (r < 0)
		return r;
	if (p->sums[head->device].seen)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"DATA of device %" PRIu32 " after its SHA-256", head->device);
	total = &p->totals.devices[head->device];
	if (head->sequence != total->count)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"frame %" PRIu64 " of device %" PRIu32 " where frame %" PRIu64
				" should be",
				head->sequence, head->device, total->count);
	if (head->offset != total->bytes)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"frame %" PRIu64 " of device %" PRIu32 " is for offset %" PRIu64
				", not %" PRIu64,
				head->sequence, head->device, head->offset, total->bytes);
	r = s->buf ? image_check_content(&p->checker, head, s->buf, &s->content, err) : 0;
	if (r >= 0 && p->sums[head->device].running)
		image_sha256_add(p->sums[head->device].running, s->content, head->raw_size);
	return r;
}

static int parser_check_sha256(struct image_parser *p, const struct section *s, struct err *err)
{
	uint8_t is[IMAGE_SHA256_SIZE];
	uint32_t device = s->head.device;
	struct stream_sum *sum;
	int r;

	r = parser_check_open(p, &s->head, err);
	if (r < 0)
		return r;
	sum = &p->sums[device];
	if (!parser_has_sha256(p, device) || sum->seen)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%s SHA-256 of device %" PRIu32,
				sum->seen ? "a second" : "an unannounced", device);
	sum->seen = true;
	memcpy(sum->said, parser_payload(s), sizeof(sum->said));
	if (!sum->running)
		return 0;
	image_sha256_end(sum->running, is);
	if (memcmp(is, sum->said, sizeof(is)) != 0)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "SHA-256 of device %" PRIu32 " is wrong",
				device);
	return 0;
}

static int parser_check_device_end(struct image_parser *p, const struct section *s, struct err *err)
{
	struct image_running_total *total;
	struct image_end said;
	int r;

	r = parser_check_open(p, &s->head, err);
	if (r < 0)
		return r;
	r = image_device_end_decode(parser_payload(s), &said, err);
	if (r < 0)
		return r;
	total = &p->totals.devices[s->head.device];
	r = image_totals_check(total, &said, "frames", err);
	if (r < 0)
		return err_prefix(err, r, "end of device %" PRIu32, s->head.device);
	if (parser_has_sha256(p, s->head.device) && !p->sums[s->head.device].seen)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"SHA-256 of device %" PRIu32 " is missing", s->head.device);
	total->ended = true;
	return 0;
}

static int parser_check_end(struct image_parser *p, const struct section *s, struct err *err)
{
	struct image_end said;
	int r;

	for (uint32_t i = 0; i < p->totals.n_devices; i++)
		if (!p->totals.devices[i].ended)
			return err_fail(err, ERR_IMAGE, -EBADMSG,
					"IMAGE END before the end of device %" PRIu32, i);
	r = image_end_decode(parser_payload(s), &said, err);
	if (r < 0)
		return r;
	r = image_totals_check(&p->totals.all, &said, "sections", err);
	if (r < 0)
		return err_prefix(err, r, "IMAGE END");
	return 0;
}

/* Check whether a section that is good by itself belongs here. */
static int parser_check_place(struct image_parser *p, struct section *s, struct err *err)
{
	int r;

	r = image_head_check(&s->head, err);
	if (r < 0)
		return r;
	if (p->state == AT_MANIFEST && s->head.type != IMAGE_MANIFEST)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%s where the MANIFEST should be",
				image_section_name(s->head.type));

	switch (s->head.type) {
	case IMAGE_MANIFEST:
		return parser_check_manifest(p, s, err);
	case IMAGE_DATA:
		return parser_check_data(p, s, err);
	case IMAGE_SHA256:
		return parser_check_sha256(p, s, err);
	case IMAGE_DEVICE_END:
		return parser_check_device_end(p, s, err);
	case IMAGE_END:
		return parser_check_end(p, s, err);
	default:
		return 0;
	}
}

static int parser_check_section(struct image_parser *p, struct section *s, struct err *err)
{
	int r;

	r = image_check_sum(&p->checker, &s->head, s->buf, err);
	if (r < 0)
		return r;
	r = image_check_padding(s->buf, IMAGE_SECTION_HEADER + s->head.size,
				image_section_length(&s->head), err);
	return r < 0 ? r : parser_check_place(p, s, err);
}

static int parser_tell_section(struct image_parser *p, const struct image_head *head,
			       struct err *err)
{
	struct image_section_info info = {
		.at = p->at,
		.type = head->type,
		.flags = head->flags,
		.size = head->size,
		.raw_size = head->raw_size,
		.device = head->device,
		.sequence = head->sequence,
	};

	return p->sink->section ? p->sink->section(p->ctx, &info, err) : 0;
}

static int parser_tell_device_end(struct image_parser *p, uint32_t device, struct err *err)
{
	const struct image_running_total *total = &p->totals.devices[device];
	struct image_totals totals = {
		.bytes = total->bytes,
		.stored = total->stored,
		.frames = total->count,
		.sha256 = p->sums[device].seen ? p->sums[device].said : NULL,
	};

	image_digest_value(&total->digest, totals.digest);
	return p->sink->device_end ? p->sink->device_end(p->ctx, device, &totals, err) : 0;
}

static int parser_tell_end(struct image_parser *p, struct err *err)
{
	struct image_receipt receipt = { .accepted = true };

	memcpy(receipt.id, p->info.id, sizeof(receipt.id));
	image_digest_value(&p->totals.all.digest, receipt.digest);
	return p->sink->end ? p->sink->end(p->ctx, &receipt, err) : 0;
}

/* Give a section to the sink; only called after parser_check_section(). */
static int parser_tell(struct image_parser *p, const struct section *s, struct err *err)
{
	const struct image_sink *sink = p->sink;
	int r;

	r = parser_tell_section(p, &s->head, err);
	if (r < 0)
		return r;
	switch (s->head.type) {
	case IMAGE_MANIFEST:
		return sink->begin ? sink->begin(p->ctx, &p->info, &p->manifest, err) : 0;
	case IMAGE_DATA:
		if (!sink->data)
			return 0;
		return sink->data(p->ctx, s->head.device, s->content, s->head.raw_size, err);
	case IMAGE_DEVICE_END:
		return parser_tell_device_end(p, s->head.device, err);
	case IMAGE_END:
		return parser_tell_end(p, err);
	default:
		return 0;
	}
}

static void parser_account(struct image_parser *p, const struct image_head *head)
{
	if (head->type == IMAGE_END) {
		p->state = AT_EOF;
		return;
	}
	if (head->type == IMAGE_MANIFEST)
		p->state = AT_SECTION;
	image_totals_section(&p->totals, head);
}

/* @r: what checking @s came to */
static int parser_settle_section(struct image_parser *p, const struct section *s, int r,
				 struct err *err)
{
	if (r < 0)
		return err_prefix(err, r, "at byte %" PRIu64, p->at);
	parser_account(p, &s->head);
	return parser_tell(p, s, err);
}

/*
 * The header is not verified yet, so it may be that of anything. Without the next section's first
 * page, since what is lent is for this one.
 */
static int parser_borrow_room(struct image_parser *p, const struct image_head *head,
			      struct err *err)
{
	size_t len = image_section_length(head);
	uint8_t *room = NULL;
	int r;

	if (p->asked || !p->sink->room || p->state != AT_SECTION || head->type != IMAGE_DATA ||
	    head->flags & IMAGE_ZSTD || len > IMAGE_FRAME_SIZE ||
	    head->device >= p->totals.n_devices)
		return 0;
	p->asked = true;
	r = p->sink->room(p->ctx, head->device, head->size, &room, err);
	if (r < 0 || !room)
		return r;
	input_buffer_lend(&p->input, room);
	p->sure = len;
	return 0;
}

static int parser_take_section(struct image_parser *p, struct err *err)
{
	struct section s = { .buf = input_buffer_start(&p->input) };
	size_t len;
	int r;

	if (p->input.len < IMAGE_SECTION_HEADER)
		return STEP_WAIT;
	r = image_head_decode(s.buf, &s.head, err);
	if (r < 0)
		return err_prefix(err, r, "at byte %" PRIu64, p->at);
	len = image_section_length(&s.head);
	if (!p->input.lent)
		p->sure = len + (s.head.type == IMAGE_END ? 0 : IMAGE_PAGE);
	if (p->input.len < len) {
		r = parser_borrow_room(p, &s.head, err);
		return r < 0 ? r : STEP_WAIT;
	}

	r = parser_check_section(p, &s, err);
	r = parser_settle_section(p, &s, r, err);
	if (r < 0)
		return r;
	parser_take(p, len);
	return STEP_TAKEN;
}

static int parser_step(struct image_parser *p, struct err *err)
{
	int r;

	if (!p->input.len)
		return STEP_WAIT;
	switch (p->state) {
	case AT_HEADER:
		r = parser_take_header(p, err);
		return r < 0 ? err_prefix(err, r, "at byte 0") : r;
	case AT_MANIFEST:
	case AT_SECTION:
		return parser_take_section(p, err);
	default:
		r = err_fail(err, ERR_IMAGE, -EBADMSG, "bytes after the end of the image");
		return err_prefix(err, r, "at byte %" PRIu64, p->at);
	}
}

int image_parser_filled(struct image_parser *p, size_t len, struct err *err)
{
	int r;

	assert(p->state != REFUSED);
	input_buffer_fill(&p->input, len);
	do
		r = parser_step(p, err);
	while (r == STEP_TAKEN);
	if (r < 0) {
		p->state = REFUSED;
		return r;
	}
	return p->state == AT_EOF ? IMAGE_COMPLETE : IMAGE_MORE;
}

bool image_parser_wants_contents(const struct image_parser *p)
{
	if (p->sink->data)
		return true;
	for (uint32_t i = 0; i < p->manifest.n_devices; i++)
		if (p->sums[i].running)
			return true;
	return false;
}

bool image_parser_between(const struct image_parser *p, uint64_t *ret_at, uint64_t *ret_seed)
{
	*ret_at = p->at;
	*ret_seed = image_seed(&p->info);
	return p->state == AT_SECTION && (p->sink->turns || !image_parser_wants_contents(p));
}

int image_parser_checked(struct image_parser *p, const uint8_t head[IMAGE_SECTION_HEADER],
			 const uint8_t *content, struct err *err)
{
	struct section s = { .content = content };
	int r;

	assert(p->state == AT_SECTION && (content || !image_parser_wants_contents(p)));
	r = image_head_decode(head, &s.head, err);
	assert(r < 0 || s.head.type == IMAGE_DATA);
	r = r < 0 ? r : parser_check_place(p, &s, err);
	r = parser_settle_section(p, &s, r, err);
	if (r < 0) {
		p->state = REFUSED;
		return r;
	}
	image_parser_restart(p);
	p->at += image_section_length(&s.head);
	return 0;
}

uint64_t image_parser_restart(struct image_parser *p)
{
	input_buffer_drop(&p->input);
	p->sure = IMAGE_PAGE;
	p->asked = false;
	return p->at;
}

int image_parser_eof(const struct image_parser *p, struct err *err)
{
	uint64_t at = p->at + p->input.len;

	if (p->state == AT_EOF)
		return 0;
	if (p->state == REFUSED)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "at byte %" PRIu64 ": refused before",
				p->at);
	if (!at)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "empty, not even a HEADER");
	return err_fail(err, ERR_IMAGE, -EBADMSG, "at byte %" PRIu64 ": image is truncated", at);
}

uint64_t image_parser_bytes(const struct image_parser *p)
{
	return p->totals.all.bytes;
}
