// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/load-map.h"

#define MOST 4u
#define NONE LOAD_MAP_NONE

/**
 * struct row - what the user says, and what comes of it
 * @saved: addresses of the image's devices
 * @specs, @only, @pairs: as of struct load_map_options, up to a NULL
 * @map: where each device of the image goes
 * @status, @text, @hint: of what is refused: the kind, and parts of what is said
 */
struct row {
	const char *saved[MOST + 1];
	const char *specs[MOST + 1];
	const char *only[MOST + 1];
	const char *pairs[MOST + 1];
	uint32_t map[MOST];
	int status;
	const char *text, *hint;
};

static unsigned int count(const char *const *words)
{
	unsigned int n = 0;

	while (words[n])
		n++;
	return n;
}

static int map(const struct row *row, uint32_t *ret, struct err *err)
{
	const struct load_map_options o = {
		.only = row->only,
		.n_only = count(row->only),
		.pairs = row->pairs,
		.n_pairs = count(row->pairs),
		.specs = row->specs,
		.n = count(row->specs),
	};
	struct image_device devices[MOST] = { 0 };
	const struct image_manifest m = { .devices = devices, .n_devices = count(row->saved) };

	for (uint32_t i = 0; i < m.n_devices; i++)
		devices[i].address = (char *)row->saved[i];
	return load_map(&o, &m, ret, err);
}

static void each_device_goes_where_the_user_says_and_else_in_order(void **state)
{
	static const struct row rows[] = {
		{ { "a" }, { "x" }, { 0 }, { 0 }, .map = { 0 } },
		{ { "a", "b", "c" }, { "x", "y", "z" }, { 0 }, { 0 }, .map = { 0, 1, 2 } },
		/* by index and by address; the rest keeps its order */
		{ { "a", "b" }, { "x", "y" }, { 0 }, { "0=y" }, .map = { 1, 0 } },
		{ { "a", "b" }, { "x", "y" }, { 0 }, { "b=x" }, .map = { 1, 0 } },
		{ { "a", "b" }, { "x", "y" }, { 0 }, { "b=x", "a=y" }, .map = { 1, 0 } },
		{ { "a", "b", "c" }, { "x", "y", "z" }, { 0 }, { "2=x" }, .map = { 1, 2, 0 } },
		{ { "a", "b", "c" }, { "x", "y", "z" }, { 0 }, { "0=z" }, .map = { 2, 0, 1 } },
		{ { "a", "b", "c" },
		  { "x", "y", "z" },
		  { 0 },
		  { "b=z", "2=y" },
		  .map = { 0, 2, 1 } },
		{ { "a", "b" }, { "x", "y" }, { 0 }, { "a=x" }, .map = { 0, 1 } },
		/* an address that is a number and no index; a device that has an = */
		{ { "7", "b" }, { "x", "y" }, { 0 }, { "7=y" }, .map = { 1, 0 } },
		{ { "a", "b" },
		  { "x", "vfio-user:/a=b" },
		  { 0 },
		  { "a=vfio-user:/a=b" },
		  .map = { 1, 0 } },
		/* an index stands before an address */
		{ { "1", "0" }, { "x", "y" }, { 0 }, { "1=x" }, .map = { 1, 0 } },
		/* some of it */
		{ { "a", "b", "c" }, { "x" }, { "b" }, { 0 }, .map = { NONE, 0, NONE } },
		{ { "a", "b", "c" }, { "x" }, { "2" }, { 0 }, .map = { NONE, NONE, 0 } },
		{ { "a", "b", "c" }, { "x", "y" }, { "c", "0" }, { 0 }, .map = { 0, NONE, 1 } },
		{ { "a", "b", "c" }, { "x", "y" }, { "0", "c" }, { "c=x" }, .map = { 1, NONE, 0 } },
		{ { "a", "b" }, { "x" }, { "a", "0" }, { 0 }, .map = { 0, NONE } },
		/* which of two of one address is meant, an index says */
		{ { "a", "a" }, { "x", "y" }, { 0 }, { 0 }, .map = { 0, 1 } },
		{ { "a", "a" }, { "x", "y" }, { 0 }, { "1=x" }, .map = { 1, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t got[MOST] = { 99, 99, 99, 99 };
		struct err err = { 0 };

		if (map(&rows[i], got, &err) != 0)
			fail_msg("row %zu: %s", i, err.text);
		for (uint32_t d = 0; d < count(rows[i].saved); d++)
			if (got[d] != rows[i].map[d])
				fail_msg("row %zu: device %u goes to %u", i, d, got[d]);
		assert_int_equal(got[count(rows[i].saved)], 99);
	}
}

static void what_cannot_be_meant_is_refused_with_what_is_there(void **state)
{
	static const char all[] = "it holds 0 (a), 1 (b)";
	static const char twins[] = "it holds 0 (a), 1 (a)";
	static const struct row rows[] = {
		{ { "a", "b" },
		  { "x" },
		  .status = ERR_IMAGE,
		  .text = "holds 2 devices, not 1",
		  .hint = all },
		{ { "a", "b" },
		  { "x", "y", "z" },
		  .status = ERR_IMAGE,
		  .text = "holds 2 devices, not 3",
		  .hint = all },
		{ { "a" },
		  { "x", "y" },
		  .status = ERR_IMAGE,
		  .text = "holds 1 device, not 2",
		  .hint = "it holds 0 (a)" },
		{ { "a", "b" },
		  { "x", "y" },
		  { "b" },
		  .status = ERR_IMAGE,
		  .text = "holds 1 device of those wanted, not 2",
		  .hint = all },
		{ { "a", "b" },
		  { "x" },
		  { "c" },
		  .status = ERR_IMAGE,
		  .text = "c: no such device in the image",
		  .hint = all },
		{ { "a", "b" },
		  { "x" },
		  { "2" },
		  .status = ERR_IMAGE,
		  .text = "2: no such device in the image",
		  .hint = all },
		{ { "a", "b" },
		  { "x" },
		  { "-1" },
		  .status = ERR_IMAGE,
		  .text = "-1: no such device in the image",
		  .hint = all },
		{ { "a", "b" },
		  { "x" },
		  { "" },
		  .status = ERR_IMAGE,
		  .text = ": no such device in the image",
		  .hint = all },
		{ { "a", "b" },
		  { "x", "y" },
		  { 0 },
		  { "c=x" },
		  .status = ERR_IMAGE,
		  .text = "c: no such device in the image",
		  .hint = all },
		{ { "a", "a" },
		  { "x" },
		  { "a" },
		  .status = ERR_IMAGE,
		  .text = "a: stands for several devices in the image",
		  .hint = twins },
		{ { "a", "a" },
		  { "x", "y" },
		  { 0 },
		  { "a=y" },
		  .status = ERR_IMAGE,
		  .text = "a: stands for several devices in the image",
		  .hint = twins },
		{ { "a", "b" },
		  { "x", "y" },
		  { 0 },
		  { "a" },
		  .status = ERR_USAGE,
		  .text = "--map: 'a' is not SAVED=DEV" },
		{ { "a", "b" },
		  { "x", "y" },
		  { 0 },
		  { "a=z" },
		  .status = ERR_USAGE,
		  .text = "--map: z is none of the devices named" },
		{ { "a", "b" },
		  { "x", "y" },
		  { 0 },
		  { "a=" },
		  .status = ERR_USAGE,
		  .text = "--map:  is none of the devices named" },
		{ { "a", "b" },
		  { "x", "y" },
		  { 0 },
		  { "a=x", "b=x" },
		  .status = ERR_USAGE,
		  .text = "--map: 'b=x' is at odds with the rest" },
		{ { "a", "b" },
		  { "x", "y" },
		  { 0 },
		  { "a=x", "0=y" },
		  .status = ERR_USAGE,
		  .text = "--map: '0=y' is at odds with the rest" },
		/* one that --only leaves out */
		{ { "a", "b" },
		  { "x" },
		  { "a" },
		  { "b=x" },
		  .status = ERR_USAGE,
		  .text = "--map: 'b=x' is at odds with the rest" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t got[MOST];
		struct err err = { 0 };

		if (map(&rows[i], got, &err) != -EINVAL || err_status(&err) != rows[i].status ||
		    strcmp(err.text, rows[i].text) != 0 ||
		    strcmp(err.hint, rows[i].hint ? rows[i].hint : "") != 0)
			fail_msg("row %zu: %d: %s; %s", i, err_status(&err), err.text, err.hint);
	}
}

/* There may be more than an error has room for. */
static void a_list_that_is_too_long_is_cut(void **state)
{
	struct image_device devices[200] = { 0 };
	const struct image_manifest m = { .devices = devices, .n_devices = ARRAY_SIZE(devices) };
	const struct load_map_options o = { 0 };
	uint32_t got[ARRAY_SIZE(devices)];
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		devices[i].address = (char *)"0000:3b:00.1";
	assert_int_equal(load_map(&o, &m, got, &err), -EINVAL);
	assert_memory_equal(err.hint, "it holds 0 (0000:3b:00.1), 1 (", 30);
	assert_in_range(strlen(err.hint), 150, sizeof(err.hint) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_goes_where_the_user_says_and_else_in_order),
		cmocka_unit_test(what_cannot_be_meant_is_refused_with_what_is_there),
		cmocka_unit_test(a_list_that_is_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
