// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/acquirer.h"
#include "engine/compat.h"
#include "fake-dev.h"

/* One device and the image that was taken of it; tests then make them differ. */
struct pair {
	struct vfio_node node;
	struct device dev;
	struct image_device saved;
	struct fake *f;
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->node = (struct vfio_node){
		.name = (char *)"0000:3b:00.1",
		.sysfs = (char *)"/sys/devices/x",
		.bus = (char *)"pci",
		.driver = (char *)"mlx5_vfio_pci",
		.driver_version = (char *)"1.0",
		.group = 7,
	};
	p->f = fake_new(MIG_CAP_STOP_COPY | MIG_CAP_P2P);
	p->dev = (struct device){
		.lock = -1,
		.spec = (char *)"3b:00.1",
		.node = &p->node,
		.how = &acquirer_node,
		.mig = &p->f->dev,
		.has_ids = true,
		.ids = { 0x15b3, 0x101e, 0x15b3, 0x0001, 0x020000, 0x0a },
	};
	p->saved = (struct image_device){
		.address = (char *)"0000:af:00.3",
		.bus = (char *)"pci",
		.driver = (char *)"mlx5_vfio_pci",
		.driver_version = (char *)"1.0",
		.has_ids = true,
		.vendor = 0x15b3,
		.device = 0x101e,
		.subsystem_vendor = 0x15b3,
		.subsystem_device = 0x0001,
		.class_code = 0x020000,
		.revision = 0x0a,
		.caps = MIG_CAP_STOP_COPY | MIG_CAP_P2P,
		.protocol = (char *)"fake",
	};
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;
	int r = fake_free(p->f);

	free(p);
	return r;
}

/* compat_check(), and what it printed meanwhile. */
static int check(const struct pair *p, bool force, struct err *err, char printed[512])
{
	int before = dup(STDERR_FILENO), fd = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;
	int r;

	dup2(fd, STDERR_FILENO);
	r = compat_check(&p->saved, &p->dev, force, err);
	dup2(before, STDERR_FILENO);
	close(before);
	n = pread(fd, printed, 511, 0);
	printed[n > 0 ? n : 0] = '\0';
	close(fd);
	return r;
}

static void assert_fits(const struct pair *p, bool force, const char *printed)
{
	struct err err = { 0 };
	char got[512];

	assert_int_equal(check(p, force, &err, got), 0);
	assert_int_equal(err.code, 0);
	assert_string_equal(got, printed);
}

static void the_device_it_was_taken_of_fits(void **state)
{
	struct pair *p = *state;

	assert_fits(p, false, "");
	assert_fits(p, true, "");
	p->dev.mig = NULL;
	assert_fits(p, false, "");
}

static void differ_in_protocol(struct pair *p)
{
	p->saved.protocol = (char *)"v1";
}

static void differ_in_driver(struct pair *p)
{
	p->saved.driver = (char *)"mtty";
}

static void differ_in_vendor(struct pair *p)
{
	p->saved.vendor = 0x8086;
}

static void differ_in_device(struct pair *p)
{
	p->saved.device = 0x1;
}

static void differ_in_subsystem_vendor(struct pair *p)
{
	p->saved.subsystem_vendor = 0xffff;
}

static void differ_in_subsystem_device(struct pair *p)
{
	p->saved.subsystem_device = 0;
}

static void differ_in_class(struct pair *p)
{
	p->saved.class_code = 0x070002;
}

static const struct {
	void (*differ)(struct pair *p);
	const char *clause;
} vital[] = {
	/* clang-format off */
	{ differ_in_protocol,         "protocol is v1 in the image, fake here" },
	{ differ_in_driver,           "driver is mtty in the image, mlx5_vfio_pci here" },
	{ differ_in_vendor,           "vendor is 0x8086 in the image, 0x15b3 here" },
	{ differ_in_device,           "device is 0x0001 in the image, 0x101e here" },
	{ differ_in_subsystem_vendor, "subsystem vendor is 0xffff in the image, 0x15b3 here" },
	{ differ_in_subsystem_device, "subsystem device is 0x0000 in the image, 0x0001 here" },
	{ differ_in_class,            "class is 0x070002 in the image, 0x020000 here" },
	/* clang-format on */
};

static void assert_refused(const struct pair *p, const char *clauses)
{
	struct err err = { 0 };
	char text[512], printed[512];

	snprintf(text, sizeof(text), "0000:3b:00.1: the image is of another device: %s", clauses);
	assert_int_equal(check(p, false, &err, printed), -EXDEV);
	assert_int_equal(err_status(&err), 65);
	assert_string_equal(err.text, text);
	assert_string_equal(err.hint, "--force-mismatch tries all the same");
	assert_string_equal(printed, "");
}

static void what_differs_is_refused_by_name(void **state)
{
	struct pair *p = *state;
	const struct pair good = *p;

	for (size_t i = 0; i < ARRAY_SIZE(vital); i++) {
		char warning[256];

		*p = good;
		vital[i].differ(p);
		assert_refused(p, vital[i].clause);
		snprintf(warning, sizeof(warning), "me: warning: 0000:3b:00.1: %s\n",
			 vital[i].clause);
		assert_fits(p, true, warning);
	}
	*p = good;
}

static void everything_that_differs_is_named(void **state)
{
	struct pair *p = *state;

	differ_in_driver(p);
	differ_in_vendor(p);
	differ_in_class(p);
	assert_refused(p,
		       "driver is mtty in the image, mlx5_vfio_pci here; vendor is 0x8086 in the "
		       "image, 0x15b3 here; class is 0x070002 in the image, 0x020000 here");
}

static void names_of_any_length_are_told_as_far_as_they_fit(void **state)
{
	struct pair *p = *state;
	char name[IMAGE_TEXT_MAX + 1], printed[512];
	struct err err = { 0 };

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	p->saved.driver = name;
	differ_in_vendor(p);
	assert_int_equal(check(p, false, &err, printed), -EXDEV);
	assert_memory_equal(err.text, "0000:3b:00.1: the image is of another device: driver is xxx",
			    59);
}

static void what_one_side_does_not_know_is_not_compared(void **state)
{
	struct pair *p = *state;
	const struct pair good = *p;

	p->saved.driver = NULL;
	assert_fits(p, false, "");
	*p = good;
	p->node.driver = NULL;
	assert_fits(p, false, "");
	*p = good;
	p->dev.node = NULL; /* an inherited fd of who knows what */
	assert_fits(p, false, "");
	*p = good;
	for (size_t i = 2; i < ARRAY_SIZE(vital); i++)
		vital[i].differ(p);
	p->saved.revision = 0;
	p->saved.has_ids = false;
	assert_fits(p, false, "");
	p->saved.has_ids = true;
	p->dev.has_ids = false;
	assert_fits(p, false, "");
	*p = good;
	p->saved.driver_version = NULL;
	assert_fits(p, false, "");
}

/* Before it is open only sysfs speaks: the protocol and the flags are not known yet. */
static void before_it_is_open_it_is_checked_as_far_as_sysfs_knows(void **state)
{
	struct pair *p = *state;

	p->dev.mig = NULL;
	differ_in_protocol(p);
	p->saved.caps = 0;
	p->saved.revision = 0;
	assert_fits(p, false, "");
	differ_in_vendor(p);
	assert_refused(p, vital[2].clause);
	assert_fits(p, true, ""); /* will be warned of once, when it is open */
}

static void verdict_is_the_one_that_a_resume_comes_to(void **state)
{
	struct pair *p = *state;

	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_YES);
	p->saved.revision = 1;
	p->saved.caps = MIG_CAP_STOP_COPY;
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_YES);
	p->saved.vendor = 0x8086;
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_NO);
	p->saved.vendor = 0x15b3;
	p->f->dev.caps = 0;
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_NO);
	/* Found, and not open: sysfs may know. */
	p->dev.mig = NULL;
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_YES);
	p->dev.has_ids = false;
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_YES);
	p->saved.driver = (char *)"mtty";
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_NO);
	p->saved.driver = NULL;
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_UNKNOWN);
	/* A server that is not connected to. */
	p->saved.driver = (char *)"mlx5_vfio_pci";
	p->dev.node = NULL;
	p->dev.how = &acquirer_user;
	assert_int_equal(compat_fit(&p->saved, &p->dev), COMPAT_UNKNOWN);
}

static void small_differences_are_only_warned_of(void **state)
{
	struct pair *p = *state;
	const struct pair good = *p;

	p->saved.revision = 0x0b;
	assert_fits(p, false,
		    "me: warning: 0000:3b:00.1: revision is 0x0b in the image, 0x0a here\n");
	*p = good;
	p->saved.driver_version = (char *)"2.0";
	assert_fits(p, false,
		    "me: warning: 0000:3b:00.1: driver version is 2.0 in the image, 1.0 here\n");
	*p = good;
	p->saved.caps = MIG_CAP_STOP_COPY;
	assert_fits(p, false,
		    "me: warning: 0000:3b:00.1: migration flags are stop-copy in the image, "
		    "stop-copy p2p here\n");
	p->saved.caps = UINT64_C(0x8000000000000001);
	assert_fits(
		p, false,
		"me: warning: 0000:3b:00.1: migration flags are stop-copy 0x8000000000000000 in "
		"the image, stop-copy p2p here\n");
	p->saved.caps = 0;
	assert_fits(p, false,
		    "me: warning: 0000:3b:00.1: migration flags are none in the image, "
		    "stop-copy p2p here\n");
}

static void the_place_it_was_taken_at_means_nothing(void **state)
{
	struct pair *p = *state;

	p->saved.address = (char *)"fd:3";
	p->saved.bus = (char *)"mdev";
	assert_fits(p, false, "");
}

static void a_manifest_says_what_the_device_is(void **state)
{
	struct pair *p = *state;
	struct image_manifest m = { 0 };
	struct image_device *d;

	p->dev.config_size = 256;
	memset(p->dev.config, 0x5a, sizeof(p->dev.config));
	assert_int_equal(compat_manifest(&(struct device *){ &p->dev }, 1, &m, NULL), 0);
	assert_int_equal(m.n_devices, 1);
	assert_non_null(m.kernel);
	assert_non_null(m.tool);
	d = &m.devices[0];
	assert_string_equal(d->address, "0000:3b:00.1");
	assert_string_equal(d->bus, "pci");
	assert_string_equal(d->driver, "mlx5_vfio_pci");
	assert_string_equal(d->driver_version, "1.0");
	assert_string_equal(d->protocol, "fake");
	assert_true(d->has_ids);
	assert_int_equal(d->vendor, 0x15b3);
	assert_int_equal(d->device, 0x101e);
	assert_int_equal(d->subsystem_vendor, 0x15b3);
	assert_int_equal(d->subsystem_device, 1);
	assert_int_equal(d->class_code, 0x020000);
	assert_int_equal(d->revision, 0x0a);
	assert_int_equal(d->caps, MIG_CAP_STOP_COPY | MIG_CAP_P2P);
	assert_int_equal(d->config_size, 256);
	assert_memory_equal(d->config, p->dev.config, 256);

	/* And the device fits its own image. */
	p->saved = *d;
	assert_fits(p, false, "");
	image_manifest_done(&m);
}

static void a_manifest_of_a_device_that_nobody_knows_is_short(void **state)
{
	struct pair *p = *state;
	struct image_manifest m = { 0 };

	p->dev.node = NULL;
	p->dev.has_ids = false;
	p->dev.spec = (char *)"fd:9";
	assert_int_equal(compat_manifest(&(struct device *){ &p->dev }, 1, &m, NULL), 0);
	assert_string_equal(m.devices[0].address, "fd:9");
	assert_null(m.devices[0].bus);
	assert_null(m.devices[0].driver);
	assert_null(m.devices[0].driver_version);
	assert_null(m.devices[0].config);
	assert_false(m.devices[0].has_ids);
	image_manifest_done(&m);
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(the_device_it_was_taken_of_fits),
		PAIR_TEST(what_differs_is_refused_by_name),
		PAIR_TEST(everything_that_differs_is_named),
		PAIR_TEST(names_of_any_length_are_told_as_far_as_they_fit),
		PAIR_TEST(what_one_side_does_not_know_is_not_compared),
		PAIR_TEST(before_it_is_open_it_is_checked_as_far_as_sysfs_knows),
		PAIR_TEST(small_differences_are_only_warned_of),
		PAIR_TEST(verdict_is_the_one_that_a_resume_comes_to),
		PAIR_TEST(the_place_it_was_taken_at_means_nothing),
		PAIR_TEST(a_manifest_says_what_the_device_is),
		PAIR_TEST(a_manifest_of_a_device_that_nobody_knows_is_short),
	};

	log_setup(LOG_LEVEL_WARN, "me");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
