// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Writer and parser together: what goes in comes out, and lies in the file as the drawing in
 * image/format.h has it.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/macros.h"
#include "effort.h"
#include "image-fixture.h"

#define PAYLOAD IMAGE_FRAME_PAYLOAD

static const struct image_spec specs[] = {
	/* clang-format off */
	{ .n_devices = 1, .sizes = { 0 } },
	{ .n_devices = 1, .sizes = { 1 } },
	{ .n_devices = 1, .sizes = { PAYLOAD - 1 } },
	{ .n_devices = 1, .sizes = { PAYLOAD } },
	{ .n_devices = 1, .sizes = { PAYLOAD + 1 } },
	{ .n_devices = 1, .sizes = { 3 * PAYLOAD + 5 }, .random = true },
	{ .n_devices = 1, .sizes = { 4032 }, .frame = 4032 },
	{ .n_devices = 1, .sizes = { 4033 }, .frame = 4033 },
	{ .n_devices = 4, .sizes = { 0, 1, 70000, 20 }, .frame = 10000 },
	{ .n_devices = 3, .sizes = { 200000, 5, 90000 }, .frame = 30000, .random = true },
	{ .n_devices = 1, .sizes = { 0 }, .zstd_level = 1 },
	{ .n_devices = 1, .sizes = { 1 }, .zstd_level = 1 },
	{ .n_devices = 1, .sizes = { 2 * PAYLOAD + 1 }, .zstd_level = 3 },
	{ .n_devices = 1, .sizes = { 2 * PAYLOAD + 1 }, .zstd_level = -5 },
	{ .n_devices = 2, .sizes = { PAYLOAD, PAYLOAD }, .zstd_level = 1, .random = true },
	{ .n_devices = 4, .sizes = { 0, 1, 70000, 20000 }, .frame = 10000, .zstd_level = 19 },
	/* clang-format on */
};

static void whatever_is_written_is_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct heard h = { .keep = true };
		struct bytes image = image_make(&specs[i]);
		struct err err = { 0 };

		assert_int_equal(image_parse(image.p, image.len, 0, &h, &err), 0);
		assert_streams(&h, &specs[i]);
		heard_done(&h);
		bytes_done(&image);
	}
}

static void it_does_not_matter_in_which_pieces_an_image_arrives(void **state)
{
	static const struct image_spec small[] = {
		{ .n_devices = 2, .sizes = { 9000, 4500 }, .frame = 5000 },
		{ .n_devices = 2,
		  .sizes = { 150000, 9000 },
		  .frame = 70000,
		  .zstd_level = 1,
		  .random = true },
	};
	static const size_t chunks[] = { 1, 63, 64, 4095, 4096, 4097, 65537 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(small) * ARRAY_SIZE(chunks); i++) {
		const struct image_spec *spec = &small[i / ARRAY_SIZE(chunks)];
		struct heard h = { .keep = true };
		struct bytes image = image_make(spec);

		assert_int_equal(
			image_parse(image.p, image.len, chunks[i % ARRAY_SIZE(chunks)], &h, NULL),
			0);
		assert_streams(&h, spec);
		heard_done(&h);
		bytes_done(&image);
	}
}

static void random_pieces_do_not_matter_either(void **state)
{
	static const struct image_spec spec = { .n_devices = 3,
						.sizes = { 40000, 0, 9000 },
						.frame = 7000 };
	struct bytes image = image_make(&spec);

	(void)state;
	srandom(1);
	for (int i = 0; i < 200; i += (int)effort_share()) {
		_cleanup_(image_parser_freep) struct image_parser *p = NULL;
		struct heard h = { .keep = true };
		size_t room, n;
		void *buf;

		assert_int_equal(image_parser_new(&heard_sink, &h, &p, NULL), 0);
		for (size_t at = 0; at < image.len; at += n) {
			assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
			n = (size_t)random() % 9000;
			n = MIN(MIN(room, image.len - at), n);
			memcpy(buf, image.p + at, n);
			assert_true(image_parser_filled(p, n, NULL) >= 0);
		}
		assert_int_equal(image_parser_eof(p, NULL), 0);
		assert_streams(&h, &spec);
		heard_done(&h);
	}
	bytes_done(&image);
}

static void frames_of_one_size_take_one_read_each(void **state)
{
	static const struct image_spec spec = { .n_devices = 1, .sizes = { 20 * PAYLOAD } };
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct bytes image = image_make(&spec);
	struct heard h = { 0 };
	size_t room, n, reads = 0;
	void *buf;

	(void)state;
	assert_int_equal(image_parser_new(&heard_sink, &h, &p, NULL), 0);
	for (size_t at = 0; at < image.len; at += n, reads++) {
		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		assert_int_equal((uintptr_t)buf % IMAGE_PAGE, 0);
		n = MIN(room, image.len - at);
		memcpy(buf, image.p + at, n);
		assert_true(image_parser_filled(p, n, NULL) >= 0);
	}
	assert_in_range(reads, 20, 23);
	bytes_done(&image);
}

static void a_section_is_one_write_of_whole_pages(void **state)
{
	static const size_t lengths[] = { 1, 4032, 4033, PAYLOAD };
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	_cleanup_(image_frame_freep) struct image_frame *frame = image_frame_new();
	struct image_writer_options opts = { 0 };
	struct image_device devices[1];
	struct image_manifest m;
	struct written out = { 0 }; /* whose function checks size and place of each write */
	struct image_place at = { 0 };
	unsigned int calls = 1;

	(void)state;
	fixture_manifest(&m, devices, 1);
	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
	assert_int_equal(out.calls, calls);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(frame->payload, 0xff, PAYLOAD);
		assert_int_equal(frame_put(w, &at, frame, lengths[i], NULL), 0);
		assert_int_equal(out.calls, ++calls);
	}
	assert_int_equal(image_writer_device_end(w, 0, NULL), 0);
	assert_int_equal(out.calls, ++calls);
	assert_int_equal(image_writer_end(w, NULL), 0);
	assert_int_equal(out.calls, ++calls);
	assert_int_equal(out.image.len, 8 * IMAGE_PAGE + IMAGE_FRAME_SIZE);
	bytes_done(&out.image);
}

static void frames_that_compress_are_smaller_and_others_are_plain(void **state)
{
	struct image_spec spec = { .n_devices = 1, .sizes = { PAYLOAD }, .zstd_level = 1 };
	struct bytes image = image_make(&spec);
	size_t at[3];

	(void)state;
	assert_int_equal(forge_sections(image.p, image.len, at, 3), 3);
	assert_int_equal(get32(image.p + at[1] + AT_FLAGS), IMAGE_MANDATORY | IMAGE_ZSTD);
	assert_int_equal(get32(image.p + at[1] + AT_RAW_SIZE), PAYLOAD);
	assert_true(image.len < 16 * 4096);
	bytes_done(&image);

	spec.random = true;
	image = image_make(&spec);
	assert_int_equal(forge_sections(image.p, image.len, at, 3), 3);
	assert_int_equal(get32(image.p + at[1] + AT_FLAGS), IMAGE_MANDATORY);
	assert_int_equal(get32(image.p + at[1] + AT_SIZE), PAYLOAD);
	bytes_done(&image);
}

static void a_frame_of_one_page_is_never_compressed(void **state)
{
	struct image_spec spec = { .n_devices = 1, .sizes = { 4032 }, .zstd_level = 1 };
	struct bytes image = image_make(&spec);

	(void)state;
	assert_int_equal(get32(image.p + 2 * 4096 + AT_FLAGS), IMAGE_MANDATORY);
	bytes_done(&image);
}

static void a_frame_that_compresses_by_less_than_a_page_is_plain(void **state)
{
	static const struct image_spec random = { .random = true };
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	_cleanup_(image_frame_freep) struct image_frame *frame = image_frame_new();
	struct image_writer_options opts = { .zstd_level = 3 };
	struct image_device devices[1];
	struct image_manifest m;
	struct written out = { 0 };
	struct image_place at = { 0 };
	size_t len = 2 * 4096 - 64;

	(void)state;
	fixture_manifest(&m, devices, 1);
	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
	for (size_t i = 0; i < len; i++)
		frame->payload[i] = i < 7000 ? stream_byte(&random, 0, i) : 0;
	assert_int_equal(frame_put(w, &at, frame, len, NULL), 0);
	assert_int_equal(get32(out.image.p + 2 * 4096 + AT_FLAGS), IMAGE_MANDATORY);
	assert_int_equal(get32(out.image.p + 2 * 4096 + AT_SIZE), len);
	bytes_done(&out.image);
}

static void a_level_zstd_does_not_have_is_refused(void **state)
{
	struct image_writer_options opts = { .zstd_level = 1000 };
	struct image_writer *w = NULL;
	struct image_device devices[1];
	struct image_manifest m;
	struct written out = { 0 };
	struct err err = { 0 };

	(void)state;
	fixture_manifest(&m, devices, 1);
	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, &err), -EINVAL);
	assert_int_equal(err_status(&err), ERR_USAGE);
	assert_int_equal(out.calls, 0);
}

static void a_failed_write_is_passed_on_and_ends_the_image(void **state)
{
	(void)state;
	for (unsigned int call = 1; call <= 4; call++) {
		_cleanup_(image_writer_freep) struct image_writer *w = NULL;
		_cleanup_(image_frame_freep) struct image_frame *frame = image_frame_new();
		struct image_writer_options opts = { 0 };
		struct image_device devices[1];
		struct image_manifest m;
		struct written out = { .fail_at = call };
		struct image_place at = { 0 };
		struct err err = { 0 };
		int r;

		fixture_manifest(&m, devices, 1);
		frame->payload[0] = 0;
		r = image_writer_new(&m, &opts, written_write, &out, &w, &err);
		if (!r)
			r = frame_put(w, &at, frame, 1, &err);
		if (!r)
			r = image_writer_device_end(w, 0, &err);
		if (!r)
			r = image_writer_end(w, &err);
		assert_int_equal(r, -ENOSPC);
		assert_string_equal(err.text, "the disk");
		assert_int_equal(out.calls, call);
		if (call == 2) {
			assert_int_equal(frame_put(w, &at, frame, 1, &err), -ENOSPC);
			assert_int_equal(image_writer_device_end(w, 0, &err), -ENOSPC);
			assert_int_equal(out.calls, call);
		}
		bytes_done(&out.image);
	}
}

static void two_images_never_have_the_same_id(void **state)
{
	struct image_writer_options opts = { 0 };
	struct image_device devices[1];
	struct image_manifest m;
	struct bytes images[2];

	(void)state;
	fixture_manifest(&m, devices, 1);
	for (int i = 0; i < 2; i++) {
		_cleanup_(image_writer_freep) struct image_writer *w = NULL;
		struct written out = { 0 };

		assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
		images[i] = out.image;
	}
	assert_memory_not_equal(images[0].p + 16, images[1].p + 16, 16);
	bytes_done(&images[0]);
	bytes_done(&images[1]);
}

static void an_image_says_when_it_was_made(void **state)
{
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct image_writer_options opts = { 0 };
	struct image_device devices[1];
	struct image_manifest m;
	struct written out = { 0 };
	struct heard h = { 0 };
	time_t before = time(NULL);
	size_t room;
	void *buf;

	(void)state;
	fixture_manifest(&m, devices, 1);
	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
	assert_int_equal(image_parser_new(&heard_sink, &h, &p, NULL), 0);
	assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
	assert_int_equal(room, out.image.len);
	memcpy(buf, out.image.p, out.image.len);
	assert_int_equal(image_parser_filled(p, out.image.len, NULL), IMAGE_MORE);
	assert_int_equal(h.begins, 1);
	assert_in_range(h.info.created_ns / 1000000000, (uint64_t)before, (uint64_t)time(NULL));
	assert_int_equal(h.info.major, 1);
	assert_int_equal(h.info.minor, 0);
	bytes_done(&out.image);
}

/*
 * The format as it was released, byte for byte but for the zeros between. A change here is a
 * change of the promise: a new version, not a new test.
 */
static const struct {
	size_t at;
	const char *hex;
} golden[] = {
	/* clang-format off */
	{ 0x0000, "89564d49470d0a1a0100000040000000" },
	{ 0x0010, "000102030405060708090a0b0c0d0e0f" },
	{ 0x0020, "00002a36fe9c97170000000000000000" },
	{ 0x0030, "00000000000000003020503d1f33d50e" },
	{ 0x1000, "010000000100000056020000ffffffff" },
	{ 0x1020, "56020000000000000000000000000000" },
	{ 0x1030, "0000000000000000d86a6cae8e4f6ae5" },
	{ 0x2000, "02000000010000000500000000000000" },
	{ 0x2020, "05000000000000000000000000000000" },
	{ 0x2030, "0000000000000000cebd360f42377db4" },
	{ 0x2040, "74686520730000000000000000000000" },
	{ 0x3000, "02000000010000000400000000000000" },
	{ 0x3010, "01000000000000000500000000000000" },
	{ 0x3020, "04000000000000000000000000000000" },
	{ 0x3030, "0000000000000000f9a7e2ca4fc2b90d" },
	{ 0x3040, "74617465000000000000000000000000" },
	{ 0x4000, "03000000010000003000000000000000" },
	{ 0x4020, "30000000000000000000000000000000" },
	{ 0x4030, "00000000000000003d16b5bc8b20ffb1" },
	{ 0x4040, "09000000000000000200000000000000" },
	{ 0x4050, "62af6006fa9d89e3545e7772e586f366" },
	{ 0x5000, "040000000100000030000000ffffffff" },
	{ 0x5020, "30000000000000000000000000000000" },
	{ 0x5030, "0000000000000000bded48671b1c1dc6" },
	{ 0x5040, "04000000000000000900000000000000" },
	{ 0x5050, "5e65714fb27d63c7d164b9c1fef4fd8b" },
	/* clang-format on */
};

static const char golden_manifest[] =
	/* clang-format off */
	"{\n"
	"  \"schema\": 1,\n"
	"  \"tool\": \"vfiomigctl 1.0\",\n"
	"  \"kernel\": \"6.12.0\",\n"
	"  \"devices\": [\n"
	"    {\n"
	"      \"address\": \"0000:3b:00.1\",\n"
	"      \"bus\": \"pci\",\n"
	"      \"driver\": \"mlx5_vfio_pci\",\n"
	"      \"driver_version\": \"1.0\",\n"
	"      \"protocol\": \"v2\",\n"
	"      \"vendor\": \"0x15b3\",\n"
	"      \"device\": \"0x101e\",\n"
	"      \"subsystem_vendor\": \"0x15b3\",\n"
	"      \"subsystem_device\": \"0x0062\",\n"
	"      \"class\": \"0x020000\",\n"
	"      \"revision\": \"0x01\",\n"
	"      \"migration\": [\n"
	"        \"stop-copy\",\n"
	"        \"p2p\",\n"
	"        \"pre-copy\"\n"
	"      ],\n"
	"      \"flags\": \"0x10\",\n"
	"      \"interrupts\": [\n"
	"        \"msix\"\n"
	"      ],\n"
	"      \"config\": \"b3151e10\"\n"
	"    }\n"
	"  ]\n"
	"}";
/* clang-format on */

static struct bytes make_golden(void)
{
	static const uint8_t id[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct image_writer_options opts = { .created_ns = 1700000000000000000, .id = id };
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	_cleanup_(image_frame_freep) struct image_frame *frame = image_frame_new();
	uint8_t config[4] = { 0xb3, 0x15, 0x1e, 0x10 };
	struct image_device device = {
		.address = (char *)"0000:3b:00.1",
		.bus = (char *)"pci",
		.driver = (char *)"mlx5_vfio_pci",
		.driver_version = (char *)"1.0",
		.has_ids = true,
		.vendor = 0x15b3,
		.device = 0x101e,
		.subsystem_vendor = 0x15b3,
		.subsystem_device = 0x62,
		.class_code = 0x020000,
		.revision = 1,
		.caps = 0x17,
		.protocol = (char *)"v2",
		.interrupts = 2, /* MSI-X */
		.config = config,
		.config_size = sizeof(config),
	};
	struct image_manifest m = {
		.kernel = (char *)"6.12.0",
		.tool = (char *)"vfiomigctl 1.0",
		.devices = &device,
		.n_devices = 1,
	};
	struct image_place at = { 0 };
	struct written out = { 0 };

	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
	memcpy(frame->payload, "the state", 9);
	assert_int_equal(frame_put(w, &at, frame, 5, NULL), 0);
	memcpy(frame->payload, "tate", 4); /* the rest was overwritten by padding */
	assert_int_equal(frame_put(w, &at, frame, 4, NULL), 0);
	assert_int_equal(image_writer_device_end(w, 0, NULL), 0);
	assert_int_equal(image_writer_end(w, NULL), 0);
	return out.image;
}

static uint8_t unhex(const char *hex)
{
	char pair[3] = { hex[0], hex[1], '\0' };

	return (uint8_t)strtoul(pair, NULL, 16);
}

static struct bytes golden_bytes(void)
{
	static const uint8_t zeros[6 * 4096];
	struct bytes b = { 0 };

	bytes_add(&b, zeros, sizeof(zeros));
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++)
		for (size_t n = 0; golden[i].hex[n]; n += 2)
			b.p[golden[i].at + n / 2] = unhex(golden[i].hex + n);
	memcpy(b.p + 4096 + 64, golden_manifest, strlen(golden_manifest));
	return b;
}

static void the_format_is_what_was_promised(void **state)
{
	struct bytes image = make_golden(), want = golden_bytes();

	(void)state;
	assert_int_equal(image.len, want.len);
	assert_memory_equal(image.p, want.p, want.len);
	bytes_done(&want);
	bytes_done(&image);
}

static void an_image_of_the_first_release_can_be_read(void **state)
{
	struct bytes image = golden_bytes();
	struct heard h = { .keep = true };

	(void)state;
	assert_int_equal(image_parse(image.p, image.len, 0, &h, NULL), 0);
	assert_int_equal(h.info.created_ns, 1700000000000000000);
	assert_int_equal(h.streams[0].len, 9);
	assert_memory_equal(h.streams[0].p, "the state", 9);
	assert_int_equal(h.totals[0].frames, 2);
	assert_int_equal(h.totals[0].stored, 9);
	heard_done(&h);
	bytes_done(&image);
}

static void checksums_and_digests_are_those_of_the_drawing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bytes image = image_make(&specs[i]), again = { 0 };

		bytes_add(&again, image.p, image.len);
		forge_sign(again.p, again.len);
		assert_memory_equal(again.p, image.p, image.len);
		bytes_done(&again);
		bytes_done(&image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_written_is_read_back),
		cmocka_unit_test(it_does_not_matter_in_which_pieces_an_image_arrives),
		cmocka_unit_test(random_pieces_do_not_matter_either),
		cmocka_unit_test(frames_of_one_size_take_one_read_each),
		cmocka_unit_test(a_section_is_one_write_of_whole_pages),
		cmocka_unit_test(frames_that_compress_are_smaller_and_others_are_plain),
		cmocka_unit_test(a_frame_of_one_page_is_never_compressed),
		cmocka_unit_test(a_frame_that_compresses_by_less_than_a_page_is_plain),
		cmocka_unit_test(a_level_zstd_does_not_have_is_refused),
		cmocka_unit_test(a_failed_write_is_passed_on_and_ends_the_image),
		cmocka_unit_test(two_images_never_have_the_same_id),
		cmocka_unit_test(an_image_says_when_it_was_made),
		cmocka_unit_test(the_format_is_what_was_promised),
		cmocka_unit_test(an_image_of_the_first_release_can_be_read),
		cmocka_unit_test(checksums_and_digests_are_those_of_the_drawing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
