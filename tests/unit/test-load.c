// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/acquirer.h"
#include "engine/load.h"
#include "fake-dev.h"
#include "image-fixture.h"

/* A load up to the opening of the device: for the rest a kernel is needed. */

struct image {
	int fd;
	uint64_t size;
};

static int append(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct image *image = ctx;
	int r = write_full(image->fd, buf, len);

	image->size += len;
	return r < 0 ? err_set(err, r, "memfd") : 0;
}

/* An image of a stream of 5000 bytes. */
static struct image make_image(const struct image_manifest *m)
{
	struct image image = { .fd = memfd_create("image", MFD_CLOEXEC) };
	const struct image_writer_options opts = { .created_ns = 1 };
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	_cleanup_(image_frame_freep) struct image_frame *frame = image_frame_new();

	assert_true(image.fd >= 0 && frame);
	assert_int_equal(image_writer_new(m, &opts, append, &image, &w, NULL), 0);
	for (uint32_t i = 0; i < m->n_devices; i++) {
		struct image_place start = { .device = i };

		fake_fill(frame->payload, 0, 5000);
		assert_int_equal(frame_put(w, &start, frame, 5000, NULL), 0);
		assert_int_equal(image_writer_device_end(w, i, NULL), 0);
	}
	assert_int_equal(image_writer_end(w, NULL), 0);
	assert_int_equal(lseek(image.fd, 0, SEEK_SET), 0);
	return image;
}

struct load {
	struct vfio_node node;
	struct image_device saved[2];
	struct image_manifest manifest;
	struct device dev;
	struct device *devs[1];
	const char *specs[1];
	struct cancel cancel;
	struct transfer transfer;
	struct device_options device;
	struct load_options o;
	struct load_result r;
	struct image image;
	int null;
};

static int load_setup(void **state)
{
	struct load *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->node = (struct vfio_node){
		.name = (char *)"mdev0",
		.bus = (char *)"mdev",
		.driver = (char *)"mtty",
		.group = -1,
	};
	for (size_t i = 0; i < 2; i++)
		l->saved[i] = (struct image_device){
			.address = (char *)"mdev1",
			.driver = (char *)"mtty",
			.protocol = (char *)"v2",
		};
	l->manifest = (struct image_manifest){ .devices = l->saved, .n_devices = 1 };
	/* Opening it will fail: it is no VFIO device. That shows how far a load came. */
	l->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	l->dev = (struct device){
		.lock = -1,
		.host = &host_live,
		.spec = (char *)"fd:9",
		.node = &l->node,
		.how = &acquirer_fd,
		.origin = &l->null,
	};
	l->devs[0] = &l->dev;
	l->specs[0] = l->dev.spec;
	assert_int_equal(cancel_init(&l->cancel, NULL), 0);
	transfer_start(&l->transfer);
	l->image.fd = -1;
	l->o = (struct load_options){
		.devs = l->devs,
		.n = 1,
		.map = { .specs = l->specs, .n = 1 },
		.device = &l->device,
		.uri = { .kind = URI_FD, .text = "the image" },
		.transfer = &l->transfer,
	};
	*state = l;
	return 0;
}

static int load_teardown(void **state)
{
	struct load *l = *state;

	load_result_done(&l->r);
	cancel_done(&l->cancel);
	fd_closep(&l->image.fd);
	fd_closep(&l->null);
	free(l);
	return 0;
}

static void use_image(struct load *l)
{
	fd_closep(&l->image.fd);
	l->image = make_image(&l->manifest);
	l->o.uri.fd = l->image.fd;
}

static int run(struct load *l, struct err *err)
{
	load_result_done(&l->r);
	return load_run(&l->o, &l->cancel, &l->r, err);
}

#define OPENED (-ENOTTY) /* what opening /dev/null says */

static void a_good_image_is_verified_before_the_device_is_opened(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	use_image(l);
	assert_int_equal(run(l, &err), OPENED);
	assert_int_equal(l->transfer.bytes, 5000);
	assert_false(l->r.opened);
	assert_false(l->r.devices[0].recovered);
	assert_null(l->dev.mig);
}

static void to_verify_needs_no_device(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	use_image(l);
	l->o.verify_only = true;
	assert_int_equal(run(l, &err), 0);
	assert_int_equal(l->transfer.bytes, 5000);
	assert_int_equal(l->r.info.created_ns, 1);
	assert_false(l->r.opened);
	l->o.raw = true;
	assert_int_equal(run(l, &err), 0);
}

static void a_damaged_file_never_reaches_the_device(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	use_image(l);
	/* One bit anywhere: a page a time will do here. */
	for (uint64_t at = 0; at < l->image.size; at += 4096 / 2 + 1) {
		uint8_t byte;

		assert_int_equal(pread(l->image.fd, &byte, 1, (off_t)at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(l->image.fd, &byte, 1, (off_t)at), 1);
		assert_int_equal(lseek(l->image.fd, 0, SEEK_SET), 0);
		assert_int_equal(run(l, &err), -EBADMSG);
		assert_int_equal(err_status(&err), 65);
		assert_memory_equal(err.text, "the image: ", 11);
		byte ^= 0x10;
		assert_int_equal(pwrite(l->image.fd, &byte, 1, (off_t)at), 1);
	}
}

static void a_truncated_file_never_reaches_the_device(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	use_image(l);
	for (uint64_t len = 0; len < l->image.size; len += 4096) {
		use_image(l);
		assert_int_equal(ftruncate(l->image.fd, (off_t)len), 0);
		assert_int_equal(run(l, &err), -EBADMSG);
		assert_int_equal(err_status(&err), 65);
	}
}

static void an_image_of_another_device_does_not_open_this_one(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	l->saved[0].driver = (char *)"mdpy";
	use_image(l);
	assert_int_equal(run(l, &err), -EXDEV);
	assert_int_equal(err_status(&err), 65);
	assert_string_equal(err.text, "the image: mdev0: the image is of another device: driver is "
				      "mdpy in the image, mtty here");
	l->o.force_mismatch = true;
	assert_int_equal(lseek(l->image.fd, 0, SEEK_SET), 0);
	assert_int_equal(run(l, &err), OPENED);
}

static void an_image_of_two_devices_is_not_for_one(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	l->manifest.n_devices = 2;
	use_image(l);
	assert_int_equal(run(l, &err), -EINVAL);
	assert_int_equal(err_status(&err), 65);
	assert_string_equal(err.text, "the image: holds 2 devices, not 1");
	assert_string_equal(err.hint, "it holds 0 (mdev1), 1 (mdev1)");
}

/* What cannot be read twice is checked frame by frame, and its first words before anything. */
static void a_pipe_is_judged_by_its_beginning_before_the_device_is_opened(void **state)
{
	static const struct {
		const char *driver;
		size_t damage; /* the byte to flip, 0 for none */
		int result;
	} rows[] = {
		{ "mtty", 0, OPENED },
		{ "mdpy", 0, -EXDEV },
		{ "mtty", 12, -EBADMSG }, /* HEADER */
		{ "mtty", 4096 + 70, -EBADMSG }, /* MANIFEST */
	};
	struct load *l = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_fd_ int in = -1;
		struct err err = { 0 };
		char buf[65536];
		ssize_t n;
		int p[2];

		l->saved[0].driver = (char *)rows[i].driver;
		use_image(l);
		n = read(l->image.fd, buf, sizeof(buf));
		assert_int_equal(n, l->image.size);
		if (rows[i].damage)
			buf[rows[i].damage] ^= 1;
		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		in = p[0];
		assert_int_equal(write_full(p[1], buf, (size_t)n), 0);
		close(p[1]);
		l->o.uri.fd = in;
		assert_int_equal(run(l, &err), rows[i].result);
		assert_false(l->r.opened);
	}
}

static void a_load_that_was_cancelled_before_it_began_opens_nothing(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	use_image(l);
	assert_true(cancel_request(&l->cancel));
	assert_int_equal(run(l, &err), -ECANCELED);
	assert_int_equal(err_status(&err), 75);
	assert_false(l->r.opened);
}

static void an_input_that_is_missing_is_said_first(void **state)
{
	struct load *l = *state;
	struct err err = { 0 };

	l->o.uri =
		(struct uri){ .kind = URI_FILE, .text = "/no/such/file", .path = "/no/such/file" };
	assert_int_equal(run(l, &err), -ENOENT);
	assert_int_equal(err_status(&err), 66);
}

#define LOAD_TEST(f) cmocka_unit_test_setup_teardown(f, load_setup, load_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOAD_TEST(a_good_image_is_verified_before_the_device_is_opened),
		LOAD_TEST(to_verify_needs_no_device),
		LOAD_TEST(a_damaged_file_never_reaches_the_device),
		LOAD_TEST(a_truncated_file_never_reaches_the_device),
		LOAD_TEST(an_image_of_another_device_does_not_open_this_one),
		LOAD_TEST(an_image_of_two_devices_is_not_for_one),
		LOAD_TEST(a_pipe_is_judged_by_its_beginning_before_the_device_is_opened),
		LOAD_TEST(a_load_that_was_cancelled_before_it_began_opens_nothing),
		LOAD_TEST(an_input_that_is_missing_is_said_first),
	};

	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
