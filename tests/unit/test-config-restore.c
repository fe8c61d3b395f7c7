// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/config-restore.h"

#include "fake-dev.h"

#define COMMAND 0x04
#define LINE 0x3c

/* A configuration space whose registers take what @writable lets them. */
static uint8_t space[256], writable[256];
static char order[64];

static int tell_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	(void)dev;
	(void)err;
	*ret = (struct dev_info){ VFIO_DEVICE_FLAGS_PCI, 9, 5 };
	return 0;
}

static int tell_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret, struct err *err)
{
	(void)dev;
	(void)err;
	*ret = (struct dev_region){
		.index = index,
		.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		.size = sizeof(space),
	};
	return 0;
}

static ssize_t read_space(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			  void *buf, size_t len, struct err *err)
{
	(void)dev;
	(void)region;
	(void)err;
	memcpy(buf, space + at, len);
	return (ssize_t)len;
}

static int write_space(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
		       const void *buf, size_t len, struct err *err)
{
	const uint8_t *bytes = buf;

	(void)dev;
	(void)region;
	(void)err;
	strcat(order, at == COMMAND ? "command " : at == LINE ? "line " : "other ");
	for (size_t i = 0; i < len; i++)
		space[at + i] = (uint8_t)((space[at + i] & ~writable[at + i]) |
					  (bytes[i] & writable[at + i]));
	return 0;
}

static const struct dev_ops ops = {
	.info = tell_info,
	.region = tell_region,
	.read = read_space,
	.write = write_space,
};

static uint8_t saved_space[256];
static const struct image_device saved = {
	.address = (char *)"dev0",
	.config = saved_space,
	.config_size = sizeof(saved_space),
};

static int setup(void **state)
{
	struct fake *f = fake_new(MIG_CAP_STOP_COPY);

	f->dev.dev_ops = &ops;
	memset(space, 0x5a, sizeof(space));
	memset(writable, 0xff, sizeof(writable));
	memset(saved_space, 0xa5, sizeof(saved_space));
	order[0] = '\0';
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	return fake_free(*state);
}

static void what_is_the_users_is_written_and_nothing_else(void **state)
{
	struct fake *f = *state;
	struct config_restore e = { 0 };

	assert_int_equal(config_restore_take(&saved, &e, NULL), 0);
	assert_int_equal(config_restore_apply(&e, &f->dev, NULL), 0);
	/* 0xa5a5 where PCI_COMMAND_OF_USER has ones, 0x5a5a where it has none */
	assert_int_equal(space[COMMAND], (0xa5 & 0x47) | (0x5a & ~0x47));
	assert_int_equal(space[COMMAND + 1], (0xa5 & 0x05) | (0x5a & ~0x05));
	assert_int_equal(space[LINE], 0xa5);
	for (size_t i = 0; i < sizeof(space); i++)
		if (i != COMMAND && i != COMMAND + 1 && i != LINE)
			assert_int_equal(space[i], 0x5a);
	assert_string_equal(order, "line command ");
	assert_int_equal(e.n, 2);
	assert_string_equal(e.changes[1].name, "command");
	assert_int_equal(e.changes[1].before, 0x5a5a);
	assert_int_equal(e.changes[0].after, 0xa5);
}

static void what_is_the_same_is_not_written(void **state)
{
	struct fake *f = *state;
	struct config_restore e = { 0 };

	memset(space, 0xa5, sizeof(space));
	assert_int_equal(config_restore_take(&saved, &e, NULL), 0);
	assert_int_equal(config_restore_apply(&e, &f->dev, NULL), 0);
	assert_int_equal(e.n, 0);
	assert_string_equal(order, "");
}

static void a_register_that_does_not_take_it_is_an_error(void **state)
{
	struct fake *f = *state;
	struct config_restore e = { 0 };
	struct err err = { 0 };

	memset(saved_space, 0xff, sizeof(saved_space));
	memset(space, 0, sizeof(space));
	writable[COMMAND] = 0xff & ~0x04; /* no bus master */
	assert_int_equal(config_restore_take(&saved, &e, NULL), 0);
	assert_int_equal(config_restore_apply(&e, &f->dev, &err), -EIO);
	assert_int_equal(err_status(&err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "command was set to 0x0547 and reads 0x0543"));
	assert_int_equal(e.n, 1);
}

static void an_image_without_a_configuration_space_has_nothing_to_restore(void **state)
{
	const struct image_device bare = { .address = (char *)"dev0" };
	struct fake *f = *state;
	struct config_restore e = { 0 };
	struct err err = { 0 };

	assert_int_equal(config_restore_take(&bare, &e, &err), -ENODATA);
	assert_int_equal(err_status(&err), ERR_IMAGE);
	/* What was not asked for does nothing. */
	assert_int_equal(config_restore_apply(&e, &f->dev, NULL), 0);
	assert_string_equal(order, "");
}

#define ON(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(what_is_the_users_is_written_and_nothing_else),
		ON(what_is_the_same_is_not_written),
		ON(a_register_that_does_not_take_it_is_an_error),
		ON(an_image_without_a_configuration_space_has_nothing_to_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
