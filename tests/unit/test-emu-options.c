// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "emu/deviation.h"
#include "emu/faults.h"
#include "emu/profile.h"
#include "emu/quantity.h"
#include "emu/settings.h"
#include "fsm/fsm.h"

#define ALL (MIG_CAP_STOP_COPY | MIG_CAP_P2P | MIG_CAP_PRE_COPY)

static void sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t size;
	} rows[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "64K", 0, 65536 },
		{ "64k", 0, 65536 },
		{ "64KiB", 0, 65536 },
		{ "1M", 0, 1048576 },
		{ "2GB", 0, UINT64_C(2000000000) },
		{ "1.5K", 0, 1536 },
		{ "1T", 0, UINT64_C(1) << 40 },
		{ "1025G", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "18446744073709551615T", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 M", -EINVAL, 0 },
		{ "1Mb/s", -EINVAL, 0 },
		{ "1P", -ERANGE, 0 },
		{ "K", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t size = 0;
		struct err err = { 0 };

		if (emu_parse_size(rows[i].text, UINT64_C(1) << 40, &size, &err) != rows[i].result)
			fail_msg("'%s'", rows[i].text);
		assert_int_equal(size, rows[i].size);
		assert_true(!rows[i].result || *err.text);
	}
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t ns;
	} rows[] = {
		{ "0", 0, 0 },
		{ "50ms", 0, 50000000 },
		{ "2s", 0, UINT64_C(2000000000) },
		{ "7us", 0, 7000 },
		{ "0s", 0, 0 },
		{ "86400s", 0, UINT64_C(86400000000000) },
		{ "86401s", -ERANGE, 0 },
		{ "18446744073709551615s", -ERANGE, 0 },
		{ "5", 0, UINT64_C(5000000000) },
		{ "1.5s", 0, 1500000000 },
		{ "24h", 0, UINT64_C(86400000000000) },
		{ "s", -EINVAL, 0 },
		{ "5min", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ns = 0;

		if (emu_parse_duration(rows[i].text, &ns, NULL) != rows[i].result)
			fail_msg("'%s'", rows[i].text);
		assert_int_equal(ns, rows[i].ns);
	}
}

static void a_pair_of_states_stands_for_the_last_arc_on_its_way(void **state)
{
	static const struct {
		enum mig_state from, to;
		unsigned int caps;
		int result;
		enum mig_state arc_from;
	} rows[] = {
		{ MIG_RUNNING, MIG_STOP, MIG_CAP_STOP_COPY, 0, MIG_RUNNING },
		{ MIG_RUNNING, MIG_STOP, ALL, 0, MIG_RUNNING_P2P },
		{ MIG_RUNNING, MIG_STOP_COPY, ALL, 0, MIG_STOP },
		{ MIG_PRE_COPY, MIG_STOP_COPY, ALL, 0, MIG_PRE_COPY_P2P },
		{ MIG_RESUMING, MIG_RUNNING, ALL, 0, MIG_RUNNING_P2P },
		{ MIG_STOP, MIG_STOP, ALL, -EINVAL, MIG_STOP },
		{ MIG_STOP_COPY, MIG_PRE_COPY, ALL, -EINVAL, MIG_STOP_COPY },
		{ MIG_RUNNING, MIG_PRE_COPY, MIG_CAP_STOP_COPY, -EINVAL, MIG_RUNNING },
		{ MIG_ERROR, MIG_STOP, ALL, -EINVAL, MIG_ERROR },
		{ MIG_STOP, MIG_ERROR, ALL, -EINVAL, MIG_STOP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum mig_state from = rows[i].from;

		if (emu_last_arc(&from, rows[i].to, rows[i].caps, NULL) != rows[i].result ||
		    from != rows[i].arc_from)
			fail_msg("row %zu: from %s", i, fsm_name(from));
	}
}

static void capabilities_are_read(void **state)
{
	unsigned int caps = 0;

	(void)state;
	assert_int_equal(emu_parse_caps("stop-copy", &caps, NULL), 0);
	assert_int_equal(caps, 1);
	assert_int_equal(emu_parse_caps("pre-copy,stop-copy,p2p", &caps, NULL), 0);
	assert_int_equal(caps, 7);
	/* Every device that migrates has stop-copy. */
	assert_int_equal(emu_parse_caps("p2p", &caps, NULL), 0);
	assert_int_equal(caps, 3);
	assert_int_equal(emu_parse_caps("", &caps, NULL), -EINVAL);
	assert_int_equal(emu_parse_caps("stop-copy,", &caps, NULL), -EINVAL);
	assert_int_equal(emu_parse_caps("stop", &caps, NULL), -EINVAL);
	assert_int_equal(emu_parse_caps("stop-copy,nosuch", &caps, NULL), -EINVAL);
}

static void faults_are_read(void **state)
{
	static const struct {
		const char *text;
		struct emu_fault f;
	} rows[] = {
#define EVER .times = EMU_FOREVER, .device = EMU_EVERY_DEVICE
		{ "fail=stop:stop-copy:EIO",
		  { FAULT_FAIL_ARC, .from = MIG_STOP, .to = MIG_STOP_COPY, .code = -EIO, EVER } },
		{ "fail=stop:stop-copy:EIO*2",
		  { FAULT_FAIL_ARC, .from = MIG_STOP, .to = MIG_STOP_COPY, .code = -EIO, .times = 2,
		    .device = EMU_EVERY_DEVICE } },
		{ "3@fail=1M:ENOSPC",
		  { FAULT_FAIL_AT, .at = 1 << 20, .code = -ENOSPC, .times = EMU_FOREVER,
		    .device = 3 } },
		{ "error=RUNNING:pre_copy",
		  { FAULT_ERROR, .from = MIG_RUNNING, .to = MIG_PRE_COPY, EVER } },
		{ "error=pre-copy", { FAULT_ERROR_IN, .to = MIG_PRE_COPY, EVER } },
		{ "1@error=4K*1", { FAULT_ERROR_AT, .at = 4096, .times = 1, .device = 1 } },
		{ "stall=resuming:stop",
		  { FAULT_STALL_ARC, .from = MIG_RESUMING, .to = MIG_STOP, EVER } },
		{ "stall=4096", { FAULT_STALL_AT, .at = 4096, EVER } },
		{ "drain=running:stop:200ms",
		  { FAULT_DRAIN, .from = MIG_RUNNING, .to = MIG_STOP, .ns = 200000000, EVER } },
		{ "short-read", { FAULT_SHORT_READ, EVER } },
		{ "truncate=0", { FAULT_TRUNCATE, .at = 0, EVER } },
		{ "corrupt=77", { FAULT_CORRUPT, .at = 77, EVER } },
		{ "die-at=1G", { FAULT_DIE, .at = 1 << 30, EVER } },
		{ "refuse-reset=EAGAIN*3",
		  { FAULT_REFUSE_RESET, .code = -EAGAIN, .times = 3, .device = EMU_EVERY_DEVICE } },
		{ "garbage", { FAULT_GARBAGE, EVER } },
		{ "garbage=5*1",
		  { FAULT_GARBAGE, .at = 5, .times = 1, .device = EMU_EVERY_DEVICE } },
#undef EVER
	};
	struct emu_faults f = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct emu_fault *got = &f.list[i], *want = &rows[i].f;
		struct err err = { 0 };

		if (emu_faults_parse(&f, rows[i].text, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (got->kind != want->kind || got->from != want->from || got->to != want->to ||
		    got->at != want->at || got->ns != want->ns || got->code != want->code ||
		    got->times != want->times || got->device != want->device)
			fail_msg("%s", rows[i].text);
	}
}

static void bad_grammar_is_explained(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "no kind of fault" },
		{ "explode", "no kind of fault" },
		{ "fail", "FROM:TO:ERRNO" },
		{ "fail=", "FROM:TO:ERRNO" },
		{ "fail=stop", "':'" },
		{ "fail=stop:stop-copy", "FROM:TO:ERRNO" },
		{ "fail=stop:stop-copy:5", "not an error number" },
		{ "fail=here:stop-copy:EIO", "'here' is not a state" },
		{ "fail=stop:there:EIO", "'there' is not a state" },
		{ "fail=12:EIEIO", "not an error number" },
		{ "fail=12Q:EIO", "not a size" },
		{ "error", "FROM:TO, STATE or BYTES" },
		{ "error=", "'' is not a state" },
		{ "error=here", "'here' is not a state" },
		{ "error=stop:there", "'there' is not a state" },
		{ "error=12Q", "not a size" },
		{ "stall", "FROM:TO or BYTES" },
		{ "stall=12Q", "not a size" },
		{ "drain=running:stop", "FROM:TO:DURATION" },
		{ "drain=running:stop:200x", "not a duration" },
		{ "short-read=5", "nothing" },
		{ "truncate", "BYTES" },
		{ "truncate=-1", "not a size" },
		{ "corrupt=x", "not a size" },
		{ "refuse-reset", "ERRNO" },
		{ "refuse-reset=EAGAIN*", "no number of times" },
		{ "refuse-reset=EAGAIN*0", "no number of times" },
		{ "refuse-reset=EAGAIN*x", "no number of times" },
		{ "refuse-reset=EAGAIN*99999999999", "no number of times" },
		{ "@garbage", "no device" },
		{ "-1@garbage", "no device" },
		{ "1@2@garbage", "no kind of fault" },
	};
	struct emu_faults f = { .n = 0 };
	char huge[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		if (emu_faults_parse(&f, rows[i].text, &err) != -EINVAL ||
		    !strstr(err.text, rows[i].words))
			fail_msg("%s: %s", rows[i].text, err.text);
	}
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_int_equal(emu_faults_parse(&f, huge, NULL), -EINVAL);
	assert_int_equal(f.n, 0);
	for (int i = 0; i < EMU_FAULTS_MAX; i++)
		assert_int_equal(emu_faults_parse(&f, "garbage", NULL), 0);
	assert_int_equal(emu_faults_parse(&f, "garbage", NULL), -ENOSPC);
}

static void faults_are_used_up_and_belong_to_their_device(void **state)
{
	struct emu_faults all = { .n = 0 }, f;
	struct emu_fault *one;

	(void)state;
	assert_int_equal(emu_faults_parse(&all, "2@fail=stop:resuming:EIO*2", NULL), 0);
	assert_int_equal(emu_faults_parse(&all, "truncate=100", NULL), 0);
	assert_int_equal(emu_faults_check(&all, 2, NULL), -EINVAL);
	assert_int_equal(emu_faults_check(&all, 3, NULL), 0);
	assert_int_equal(emu_faults_resolve(&all, ALL, NULL), 0);
	emu_faults_of(&all, 1, &f);
	assert_int_equal(f.n, 1);
	emu_faults_of(&all, 2, &f);
	assert_int_equal(f.n, 2);
	assert_null(emu_faults_arc(&f, FAULT_ERROR, MIG_STOP, MIG_RESUMING));
	assert_null(emu_faults_arc(&f, FAULT_FAIL_ARC, MIG_STOP, MIG_STOP_COPY));
	for (int i = 0; i < 2; i++) {
		one = emu_faults_arc(&f, FAULT_FAIL_ARC, MIG_STOP, MIG_RESUMING);
		assert_non_null(one);
		emu_fault_used(one);
	}
	assert_null(emu_faults_arc(&f, FAULT_FAIL_ARC, MIG_STOP, MIG_RESUMING));
	assert_null(emu_faults_at(&f, FAULT_TRUNCATE, 0, 100));
	one = emu_faults_at(&f, FAULT_TRUNCATE, 0, 101);
	assert_non_null(one);
	emu_fault_used(one);
	assert_non_null(emu_faults_at(&f, FAULT_TRUNCATE, 100, 101));
	assert_null(emu_faults_at(&f, FAULT_TRUNCATE, 101, 200));
}

static void an_error_in_a_state_is_for_devices_that_come_to_it(void **state)
{
	struct emu_faults f = { .n = 0 };
	struct emu_fault *one;

	(void)state;
	assert_int_equal(emu_faults_parse(&f, "error=running-p2p*1", NULL), 0);
	assert_int_equal(emu_faults_resolve(&f, MIG_CAP_STOP_COPY, NULL), -EINVAL);
	assert_int_equal(emu_faults_resolve(&f, ALL, NULL), 0);
	assert_null(emu_faults_in(&f, FAULT_ERROR_IN, MIG_RUNNING));
	one = emu_faults_in(&f, FAULT_ERROR_IN, MIG_RUNNING_P2P);
	assert_non_null(one);
	emu_fault_used(one);
	assert_null(emu_faults_in(&f, FAULT_ERROR_IN, MIG_RUNNING_P2P));
}

/* Options with the values that they were given, up to one without. */
static struct opt_list given(const char *first, ...)
{
	struct opt_list list = { .n = 0 };
	va_list ap;

	va_start(ap, first);
	for (const char *v = first; v; v = va_arg(ap, const char *))
		list.v[list.n++] = v;
	va_end(ap);
	return list;
}

static void a_value_of_one_device_wins_over_that_of_all(void **state)
{
	struct emu_settings s = {
		.profile = given("2@hisi", NULL),
		.caps = given("1@p2p", NULL),
		.state_size = given("1@64K", "2M", "3M", NULL),
		.dirty_rate = given("0@1M", NULL),
		.delays = given("0@running:stop=2s", "running:stop=1s", NULL),
		.faults = given("1@short-read", "garbage", NULL),
	};
	struct emu_config c[3];

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal(emu_settings_config(&s, i, ARRAY_SIZE(c), &c[i], NULL), 0);
	assert_int_equal(c[0].state_size, 3 << 20);
	assert_int_equal(c[1].state_size, 64 << 10);
	assert_int_equal(c[2].state_size, 3 << 20);
	assert_int_equal(c[0].initial_bytes, c[0].state_size);
	assert_int_equal(c[2].initial_bytes, 40);
	assert_int_equal(c[0].caps, ALL);
	assert_int_equal(c[1].caps, MIG_CAP_STOP_COPY | MIG_CAP_P2P);
	assert_int_equal(c[2].caps, MIG_CAP_STOP_COPY | MIG_CAP_PRE_COPY);
	assert_int_equal(c[2].ids.vendor, 0x19e5);
	assert_int_equal(c[0].dirty_rate, 1 << 20);
	assert_int_equal(c[1].dirty_rate, 0);
	assert_int_equal(c[0].delay_ns[MIG_RUNNING_P2P][MIG_STOP], UINT64_C(2000000000));
	assert_int_equal(c[1].delay_ns[MIG_RUNNING_P2P][MIG_STOP], UINT64_C(1000000000));
	assert_int_equal(c[2].delay_ns[MIG_RUNNING][MIG_STOP], UINT64_C(1000000000));
	assert_int_equal(c[0].faults.n, 1);
	assert_int_equal(c[1].faults.n, 2);
}

static void a_bad_value_names_its_option(void **state)
{
	static const struct {
		size_t list; /* offset of its option */
		const char *value, *words;
	} rows[] = {
#define AT(member) offsetof(struct emu_settings, member)
		{ AT(profile), "nvme", "--profile: 'nvme' is none of" },
		{ AT(caps), "1@", "--caps: no device has number 1: the last one's is 0" },
		{ AT(caps), "0@stop", "--caps: 'stop' is not a list of" },
		{ AT(state_size), "x@1M", "--state-size: 'x' is no device's number" },
		{ AT(state_size), "0@2T", "--state-size: '2T' is too large" },
		{ AT(initial_bytes), "", "--initial-bytes: '' is not a size" },
		{ AT(dirty_rate), "fast", "--dirty-rate: 'fast' is not a size" },
		{ AT(dirty_interval), "1x", "--dirty-interval: '1x' is not a duration" },
		{ AT(data_rate), "-1", "--data-rate: '-1' is not a size" },
		{ AT(seed), "0x1", "--seed: '0x1' is not a number" },
		{ AT(delays), "7@running:stop=1s", "--delay: no device has number 7" },
		{ AT(delays), "running=1s", "--delay: 'running' is not FROM:TO" },
		{ AT(delays), "running:stop", "--delay: 'running:stop' is not FROM:TO=TIME" },
		{ AT(faults), "1@garbage", "--fault: no device has number 1" },
#undef AT
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct emu_settings s = { .strict = false };
		struct emu_config c;
		struct err err = { 0 };

		*(struct opt_list *)((char *)&s + rows[i].list) = given(rows[i].value, NULL);
		if (emu_settings_config(&s, 0, 1, &c, &err) >= 0 ||
		    strncmp(err.text, rows[i].words, strlen(rows[i].words)) != 0)
			fail_msg("'%s': %s", rows[i].value, err.text);
	}
}

static void profiles_are_known_by_name(void **state)
{
	static const char *const names[] = { "mlx5", "hisi", "pds", "qat", "virtio", "xe", "mtty" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct emu_profile *p = emu_profile_find(names[i]);

		assert_non_null(p);
		assert_true(p->caps & MIG_CAP_STOP_COPY);
		assert_true(p->initial_bytes <= p->state_size);
		assert_true(!p->initial_bytes == !(p->caps & MIG_CAP_PRE_COPY));
	}
	assert_null(emu_profile_find("nvme"));
	assert_null(emu_profile_find(""));
}

static void deviations_are_known_by_name(void **state)
{
	char *text = NULL, *line, *rest, name[64];
	struct emu_deviations d = { 0 };
	unsigned int n = 0;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_non_null(f);
	emu_deviation_list(f);
	assert_int_equal(fclose(f), 0);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
		assert_false(emu_deviates(&d, (enum emu_deviation)n));
		assert_int_equal(sscanf(line, "%63s", name), 1);
		assert_int_equal(emu_deviation_add(&d, name, NULL), 0);
		/* Each name is one deviation's, in the order of the list. */
		assert_true(emu_deviates(&d, (enum emu_deviation)n));
	}
	assert_int_equal(n, EMU_NR_DEVIATIONS);
	assert_int_equal(emu_deviation_add(&d, "nosuch", NULL), -EINVAL);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(a_pair_of_states_stands_for_the_last_arc_on_its_way),
		cmocka_unit_test(capabilities_are_read),
		cmocka_unit_test(faults_are_read),
		cmocka_unit_test(bad_grammar_is_explained),
		cmocka_unit_test(faults_are_used_up_and_belong_to_their_device),
		cmocka_unit_test(an_error_in_a_state_is_for_devices_that_come_to_it),
		cmocka_unit_test(a_value_of_one_device_wins_over_that_of_all),
		cmocka_unit_test(a_bad_value_names_its_option),
		cmocka_unit_test(profiles_are_known_by_name),
		cmocka_unit_test(deviations_are_known_by_name),
	};

	return cmocka_run_group_tests_name("vfiomig-emu: options", tests, NULL, NULL);
}
