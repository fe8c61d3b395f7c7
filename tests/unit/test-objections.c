// SPDX-License-Identifier: GPL-2.0-or-later

/* What a target refuses of a stream, and what of a device may be sampled: the tables. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/objections.h"
#include "engine/sample.h"

struct row {
	const char *layout;
	enum decode_fact fact;
	uint64_t saved, here;
	enum objection_verdict verdict;
	int code;
};

/* clang-format off */
static const struct row rows[] = {
	{ "hisi_acc", DECODE_VERSION,      1, 1, OBJECTION_NONE,    EFAULT },
	{ "hisi_acc", DECODE_VERSION,      1, 2, OBJECTION_REFUSED, EFAULT },
	{ "hisi_acc", DECODE_DEVICE_ID,    0xa251, 0xa251, OBJECTION_NONE,    EFAULT },
	{ "hisi_acc", DECODE_DEVICE_ID,    0xa251, 0xa259, OBJECTION_REFUSED, EFAULT },
	{ "hisi_acc", DECODE_QUEUES,       16, 16, OBJECTION_NONE,    EFAULT },
	{ "hisi_acc", DECODE_QUEUES,       16, 32, OBJECTION_REFUSED, EFAULT },
	{ "hisi_acc", DECODE_ISOLATION,    0, 1, OBJECTION_REFUSED, EFAULT },
	{ "qat",      DECODE_VERSION,      1, 2, OBJECTION_NONE,    EINVAL },
	{ "qat",      DECODE_VERSION,      2, 1, OBJECTION_REFUSED, EINVAL },
	{ "qat",      DECODE_CAPABILITIES, 0x5, 0x7, OBJECTION_NONE,    EINVAL },
	{ "qat",      DECODE_CAPABILITIES, 0x7, 0x5, OBJECTION_REFUSED, EINVAL },
	{ "qat",      DECODE_SERVICES,     0x5, 0x7, OBJECTION_REFUSED, EINVAL },
	{ "qat",      DECODE_EXTENDED,     0x5, 0x7, OBJECTION_NONE,    EINVAL },
	{ "qat",      DECODE_EXTENDED,     0x8, 0x7, OBJECTION_REFUSED, EINVAL },
	{ "mtty",     DECODE_VERSION,      1, 2, OBJECTION_REFUSED, EFAULT },
	{ "mtty",     DECODE_MINOR,        0, 1, OBJECTION_REFUSED, EFAULT },
	{ "mtty",     DECODE_PORTS,        1, 2, OBJECTION_REFUSED, EFAULT },
	{ "mtty",     DECODE_PORTS,        2, 1, OBJECTION_REFUSED, ENOMEM },
	{ "mtty",     DECODE_PORTS,        2, 2, OBJECTION_NONE,    EFAULT },
	{ "xe",       DECODE_DEVICE_ID,    1, 2, OBJECTION_REFUSED, ENODEV },
	{ "xe",       DECODE_REVISION,     1, 2, OBJECTION_REFUSED, ENODEV },
	{ "xe",       DECODE_VERSION,      1, 2, OBJECTION_REFUSED, EINVAL },
};
/* clang-format on */

static void keep(void *ctx, const struct objection *o)
{
	struct objection *kept = ctx;

	*kept = *o;
}

static void each_value_that_is_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct decode_result saved = { .layout = rows[i].layout };
		struct decode_result here = saved;
		struct objection o = { 0 };

		saved.has[rows[i].fact] = here.has[rows[i].fact] = true;
		saved.facts[rows[i].fact] = rows[i].saved;
		here.facts[rows[i].fact] = rows[i].here;
		assert_int_equal(objections_find(&saved,
						 &(struct objection_target){ .stream = &here },
						 keep, &o),
				 1);
		assert_int_equal(o.verdict, rows[i].verdict);
		assert_int_equal(o.fact, rows[i].fact);
		assert_int_equal(o.code, rows[i].code);
		assert_true(o.here_known && o.here == rows[i].here && o.saved == rows[i].saved);
		/* Of another layout, or of no target, nothing is known. */
		here.layout = "mlx5";
		objections_find(&saved, &(struct objection_target){ .stream = &here }, keep, &o);
		assert_int_equal(o.verdict, OBJECTION_CANNOT_TELL);
		assert_int_equal(o.code, rows[i].code == ENOMEM ? EFAULT : rows[i].code);
		objections_find(&saved, &(struct objection_target){ 0 }, keep, &o);
		assert_int_equal(o.verdict, OBJECTION_CANNOT_TELL);
		assert_false(o.here_known);
	}
}

static void a_device_id_is_known_without_a_stream(void **state)
{
	struct decode_result saved = { .layout = "hisi_acc",
				       .has[DECODE_DEVICE_ID] = true,
				       .facts[DECODE_DEVICE_ID] = 0xa251 };
	const struct objection_target target = { .has_device_id = true, .device_id = 0xa255 };
	struct objection o = { 0 };

	(void)state;
	assert_int_equal(objections_find(&saved, &target, keep, &o), 1);
	assert_int_equal(o.verdict, OBJECTION_REFUSED);
	assert_int_equal(o.here, 0xa255);
	saved.layout = "xe";
	assert_int_equal(objections_find(&saved, &target, keep, &o), 1);
	assert_int_equal(o.verdict, OBJECTION_CANNOT_TELL);
}

static void drivers_that_compare_nothing(void **state)
{
	static const char *const layouts[] = { "mlx5", "virtio", "pds", NULL };
	struct decode_result saved = { 0 };

	(void)state;
	for (unsigned int i = 0; i < DECODE_FACTS; i++)
		saved.has[i] = true;
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		saved.layout = layouts[i];
		assert_int_equal(
			objections_find(&saved, &(struct objection_target){ 0 }, NULL, NULL), 0);
	}
}

static void how_a_device_is_sampled(void **state)
{
	static const struct {
		enum mig_state found;
		unsigned int caps;
		enum sample_way way;
	} ways[] = {
		{ MIG_RUNNING, MIG_CAP_PRE_COPY | MIG_CAP_P2P, SAMPLE_PRE_COPY },
		{ MIG_RUNNING, MIG_CAP_P2P, SAMPLE_STOPS },
		{ MIG_RUNNING_P2P, MIG_CAP_PRE_COPY | MIG_CAP_P2P, SAMPLE_STOPS },
		{ MIG_STOP, MIG_CAP_PRE_COPY, SAMPLE_STOPPED },
		{ MIG_STOP_COPY, 0, SAMPLE_SESSION },
		{ MIG_PRE_COPY, MIG_CAP_PRE_COPY, SAMPLE_SESSION },
		{ MIG_PRE_COPY_P2P, MIG_CAP_PRE_COPY, SAMPLE_SESSION },
		{ MIG_RESUMING, 0, SAMPLE_SESSION },
		{ MIG_ERROR, MIG_CAP_PRE_COPY, SAMPLE_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		assert_int_equal(sample_way(ways[i].found, ways[i].caps), ways[i].way);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_that_is_compared),
		cmocka_unit_test(a_device_id_is_known_without_a_stream),
		cmocka_unit_test(drivers_that_compare_nothing),
		cmocka_unit_test(how_a_device_is_sampled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
