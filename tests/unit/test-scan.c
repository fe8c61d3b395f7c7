// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Two ways to read a file say the same of it: one thread that pushes all of it to the parser, or
 * several that check frames by their place. If the sink wants contents, they take turns.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/scan-ahead.h"
#include "engine/scan.h"
#include "effort.h"
#include "image-fixture.h"

#define THREADS 3
#define SECTIONS_MAX 128

/* More frames in a row than it takes to start threads; several sizes, and all kinds of sections. */
static const struct image_spec specs[] = {
	{ .n_devices = 1, .sizes = { 60000 }, .frame = 2000 },
	{ .n_devices = 2, .sizes = { 90000, 70000 }, .frame = 4032, .random = true },
	{ .n_devices = 2, .sizes = { 80000, 50000 }, .frame = 5000, .sha256 = true },
	{ .n_devices = 1, .sizes = { 400000 }, .frame = 20000, .zstd_level = 1 },
	{ .n_devices = 3, .sizes = { 100, 90000, 0 }, .frame = 4000 },
};

struct fixture {
	struct cancel cancel;
	struct image_sink sink;
	struct input *in;
	int fd;
	unsigned int calls; /* of scan_both() */
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .sink = heard_sink, .fd = memfd_create("image", MFD_CLOEXEC) };
	f.sink.turns = true;
	assert_true(f.fd >= 0);
	assert_int_equal(cancel_init(&f.cancel, NULL), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	input_free(f->in);
	cancel_done(&f->cancel);
	close(f->fd);
	return 0;
}

/* An input of the file with these bytes behind @before others. */
static void open_file(struct fixture *f, const struct bytes *image, size_t before)
{
	char name[32];
	struct uri uri;

	f->in = input_free(f->in);
	assert_int_equal(ftruncate(f->fd, (off_t)before), 0);
	assert_int_equal(pwrite(f->fd, image->p, image->len, (off_t)before), image->len);
	assert_int_equal(lseek(f->fd, (off_t)before, SEEK_SET), before);
	snprintf(name, sizeof(name), "fd:%d", f->fd);
	assert_int_equal(uri_parse(name, URI_PLAIN, &uri, NULL), 0);
	assert_int_equal(input_open(&uri, &f->cancel, &f->in, NULL), 0);
}

/* What reading the file comes to. */
struct scan_outcome {
	int r;
	struct err err;
	struct heard heard;
};

static void scan(struct fixture *f, unsigned int threads, unsigned int fail_at,
		 struct scan_outcome *ret)
{
	heard_done(&ret->heard);
	*ret = (struct scan_outcome){ .heard = { .keep = true, .fail_at = fail_at } };
	assert_int_equal(input_rewind(f->in, NULL), 0);
	ret->r =
		scan_image_with(f->in, &f->sink, &ret->heard, &f->cancel, NULL, threads, &ret->err);
}

static void assert_same(const struct scan_outcome *a, const struct scan_outcome *b)
{
	assert_int_equal(a->r, b->r);
	assert_int_equal(a->err.kind, b->err.kind);
	assert_string_equal(a->err.text, b->err.text);
	assert_int_equal(a->heard.begins, b->heard.begins);
	assert_int_equal(a->heard.sections, b->heard.sections);
	assert_int_equal(a->heard.ends, b->heard.ends);
	assert_int_equal(a->heard.calls, b->heard.calls);
	assert_int_equal(a->heard.told_to, b->heard.told_to);
	for (uint32_t i = 0; i < FIXTURE_DEVICES; i++) {
		const struct image_totals *x = &a->heard.totals[i], *y = &b->heard.totals[i];

		assert_int_equal(x->bytes, y->bytes);
		assert_int_equal(x->stored, y->stored);
		assert_int_equal(x->frames, y->frames);
		assert_memory_equal(x->digest, y->digest, sizeof(x->digest));
		assert_int_equal(a->heard.streams[i].len, b->heard.streams[i].len);
		if (a->heard.streams[i].len)
			assert_memory_equal(a->heard.streams[i].p, b->heard.streams[i].p,
					    a->heard.streams[i].len);
	}
}

/* Return: what both said, of contents as well every other time. */
static int scan_both(struct fixture *f, const struct bytes *image, unsigned int fail_at)
{
	struct scan_outcome one = { 0 }, many = { 0 };
	int r;

	open_file(f, image, 0);
	f->sink.data = f->calls++ % 2 ? heard_sink.data : NULL;
	scan(f, 1, fail_at, &one);
	scan(f, THREADS, fail_at, &many);
	assert_same(&one, &many);
	r = one.r;
	heard_done(&one.heard);
	heard_done(&many.heard);
	return r;
}

static void a_good_image_is_good(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bytes image = image_make(&specs[i]);
		struct scan_outcome many = { 0 };

		assert_int_equal(scan_both(f, &image, 0), 0);
		assert_int_equal(scan_both(f, &image, 0), 0);
		open_file(f, &image, 12345);
		f->sink.data = heard_sink.data;
		scan(f, THREADS, 0, &many);
		assert_int_equal(many.r, 0);
		assert_int_equal(many.heard.ends, specs[i].n_devices);
		for (uint32_t d = 0; d < specs[i].n_devices; d++)
			assert_int_equal(many.heard.totals[d].bytes, specs[i].sizes[d]);
		assert_streams(&many.heard, &specs[i]);
		heard_done(&many.heard);
		bytes_done(&image);
	}
}

static void a_cut_image_is_refused_alike(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bytes image = image_make(&specs[i]), cut = image;

		for (cut.len = 0; cut.len < image.len;
		     cut.len += (cut.len % 3 ? 1021 : 2039) * effort_share())
			assert_int_equal(scan_both(f, &cut, 0), -EBADMSG);
		for (cut.len = 4096; cut.len < image.len; cut.len += 4096)
			assert_int_equal(scan_both(f, &cut, 0), -EBADMSG);
		bytes_done(&image);
	}
}

static void an_image_with_a_bit_flipped_is_refused_alike(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bytes image = image_make(&specs[i]);

		f->sink.sum = i != 1; /* where there are none to check, frames are checked ahead */
		for (size_t at = 0; at < image.len;
		     at += (at % 4096 < 64 ? 7 : 613) * effort_share()) {
			uint8_t bit = (uint8_t)(1 << at % 8);

			image.p[at] ^= bit;
			assert_int_equal(scan_both(f, &image, 0), -EBADMSG);
			image.p[at] ^= bit;
		}
		bytes_done(&image);
	}
}

/* With good checksums, so that what is wrong is where the section stands and what it says. */
static void a_forged_section_is_refused_alike(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} rows[] = {
		{ AT_TYPE, 0 },	       { AT_TYPE, IMAGE_MANIFEST },
		{ AT_TYPE, 77 },       { AT_TYPE, IMAGE_KEEPALIVE },
		{ AT_FLAGS, 0 },       { AT_FLAGS, 5 },
		{ AT_FLAGS, 3 },       { AT_SIZE, 0 },
		{ AT_SIZE, 5 << 20 },  { AT_DEVICE, 1 },
		{ AT_DEVICE, 9 },      { AT_SEQUENCE, 3 },
		{ AT_OFFSET + 4, 1 },  { AT_RAW_SIZE, 0 },
		{ AT_RAW_SIZE, 4033 }, { AT_RESERVED, 1 },
	};
	struct fixture *f = *state;
	size_t at[SECTIONS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bytes image = image_make(&specs[i]), forged = { 0 };
		size_t n = forge_sections(image.p, image.len, at, SECTIONS_MAX);

		for (size_t k = 0; k < n * ARRAY_SIZE(rows); k += 5 * effort_share()) {
			size_t row = k % ARRAY_SIZE(rows), section = k / ARRAY_SIZE(rows);

			forged.len = 0;
			bytes_add(&forged, image.p, image.len);
			put32(forged.p + at[section] + rows[row].at, rows[row].value);
			forge_sign(forged.p, forged.len);
			scan_both(f, &forged, 0);
		}
		bytes_done(&forged);
		bytes_done(&image);
	}
}

static void sections_that_change_places_are_refused_alike(void **state)
{
	struct fixture *f = *state;
	struct bytes image = image_make(&specs[1]);
	size_t at[SECTIONS_MAX], n = forge_sections(image.p, image.len, at, SECTIONS_MAX);

	for (size_t a = 0; a + 3 < n; a++) {
		const size_t one = at[a], other = at[a + 1 + a % 2];
		uint8_t page[4096];

		for (int turn = 0; turn < 2; turn++) {
			memcpy(page, image.p + one, sizeof(page));
			memcpy(image.p + one, image.p + other, sizeof(page));
			memcpy(image.p + other, page, sizeof(page));
			assert_int_equal(scan_both(f, &image, 0), turn ? 0 : -EBADMSG);
		}
	}
	bytes_done(&image);
}

static void a_section_that_is_skipped_interrupts_nothing(void **state)
{
	struct fixture *f = *state;
	size_t at[SECTIONS_MAX];

	for (size_t section = 1; section < 14; section += 2) {
		struct bytes image = image_make(&specs[0]);
		size_t n = forge_sections(image.p, image.len, at, SECTIONS_MAX);

		put64(image.p + at[n - 1] + AT_PAYLOAD, n - 1 + 2);
		forge_section(&image, at[section], 77, 0, FORGE_NO_DEVICE, image.p, 9000);
		forge_section(&image, at[section], IMAGE_KEEPALIVE, 0, FORGE_NO_DEVICE, NULL, 0);
		forge_sign(image.p, image.len);
		assert_int_equal(scan_both(f, &image, 0), 0);
		bytes_done(&image);
	}
}

static void what_is_appended_is_refused_alike(void **state)
{
	struct fixture *f = *state;
	struct bytes image = image_make(&specs[0]);

	bytes_add(&image, "x", 1);
	assert_int_equal(scan_both(f, &image, 0), -EBADMSG);
	bytes_done(&image);
}

static void a_sink_that_fails_ends_it_alike(void **state)
{
	struct fixture *f = *state;
	struct bytes image = image_make(&specs[1]);

	for (unsigned int call = 1; call < 45; call += 3)
		assert_int_equal(scan_both(f, &image, call), -EIO);
	bytes_done(&image);
}

static void a_cancel_ends_it(void **state)
{
	struct fixture *f = *state;
	struct bytes image = image_make(&specs[0]);

	cancel_request(&f->cancel);
	assert_int_equal(scan_both(f, &image, 0), -ECANCELED);
	bytes_done(&image);
}

static int count_bytes(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	(void)device;
	(void)buf;
	(void)err;
	*(size_t *)ctx += len;
	return 0;
}

static const struct image_sink sinks[] = {
	{ .sum = true },
	{ .turns = true, .data = count_bytes },
};

/* Feeds a parser of @image up to its first DATA. */
static struct image_parser *parse_start(const struct bytes *image, const struct image_sink *sink,
					size_t *bytes)
{
	struct image_parser *p;
	uint64_t place, seed;
	size_t room, at = 0;
	void *buf;

	assert_int_equal(image_parser_new(sink, bytes, &p, NULL), 0);
	while (!image_parser_between(p, &place, &seed)) {
		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		memcpy(buf, image->p + at, room);
		at += room;
		assert_int_equal(image_parser_filled(p, room, NULL), IMAGE_MORE);
	}
	return p;
}

/* Which of them did the work is not told, so this sees to it that it was not the parser alone. */
static void all_data_in_a_row_is_checked_ahead(void **state)
{
	static const struct {
		size_t damaged; /* this section, from the MANIFEST on; 0 for none */
		size_t ends_at; /* the section where the parser has to go on */
	} rows[] = { { 0, 31 }, { 1, 1 }, { 9, 9 }, { 30, 30 }, { 31, 31 } };
	struct fixture *f = *state;
	struct bytes image = image_make(&specs[0]);
	size_t at[SECTIONS_MAX];
	uint64_t place, seed;
	uint8_t byte;

	forge_sections(image.p, image.len, at, SECTIONS_MAX);
	for (size_t k = 0; k < ARRAY_SIZE(rows) * ARRAY_SIZE(sinks); k++) {
		_cleanup_(image_parser_freep) struct image_parser *p = NULL;
		struct scan_ahead ahead = { .cancel = &f->cancel, .threads = THREADS };
		const struct image_sink *sink = &sinks[k / ARRAY_SIZE(rows)];
		size_t i = k % ARRAY_SIZE(rows), bytes = 0;

		if (rows[i].damaged)
			image.p[at[rows[i].damaged] + AT_PAYLOAD] ^= 1;
		open_file(f, &image, 0);
		ahead.in = f->in;
		ahead.parser = p = parse_start(&image, sink, &bytes);
		assert_int_equal(scan_ahead(&ahead, NULL), 0);
		assert_true(image_parser_between(p, &place, &seed));
		assert_int_equal(place, at[rows[i].ends_at]);
		assert_int_equal(bytes, sink->data ? image_parser_bytes(p) : 0);
		assert_int_equal(input_read(f->in, &byte, 1, NULL), 1);
		assert_int_equal(lseek(f->fd, 0, SEEK_CUR), place + 1);
		if (rows[i].damaged)
			image.p[at[rows[i].damaged] + AT_PAYLOAD] ^= 1;
	}
	bytes_done(&image);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(a_good_image_is_good),
		ON(a_cut_image_is_refused_alike),
		ON(an_image_with_a_bit_flipped_is_refused_alike),
		ON(a_forged_section_is_refused_alike),
		ON(sections_that_change_places_are_refused_alike),
		ON(a_section_that_is_skipped_interrupts_nothing),
		ON(what_is_appended_is_refused_alike),
		ON(a_sink_that_fails_ends_it_alike),
		ON(a_cancel_ends_it),
		ON(all_data_in_a_row_is_checked_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
