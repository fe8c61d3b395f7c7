// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "device/device.h"
#include "device/peek.h"
#include "fake-host.h"
#include "host/pci-function.h"

#define UUID "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
#define VF1 "pci0000:3a/0000:3b:00.1"
#define NIC "pci0000:00/0000:00:03.0"
#define BEHIND "pci0000:00/0000:00:1c.0/0000:04:00.0"
#define MDEV "virtual/mtty/mtty/" UUID
#define SIM "virtual/migsim/migsim/93b8f4f2-509f-382f-3c1e-e6bfe0fa1002"
#define VMD "pci10000:e0/10000:e1:00.0"

static int setup(void **state)
{
	struct fake_host *f = fake_host_new();

	fake_device(f, "pci", VF1, "mlx5_vfio_pci", 7);
	fake_vfio_dev(f, VF1, "vfio0", NULL_NUMBER, "/dev/null");
	fake_device(f, "pci", NIC, "vfio-pci", 2);
	fake_device(f, "pci", VMD, NULL, -1);
	fake_device(f, "pci", BEHIND, "vfio-pci", 3);
	fake_device(f, "mdev", MDEV, "mtty", 9);
	fake_vfio_dev(f, MDEV, "vfio1", ZERO_NUMBER, "/dev/zero");
	fake_device(f, "mdev", SIM, "migsim", 10);
	fake_vfio_dev(f, SIM, "vfio2", FULL_NUMBER, "/dev/full");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_host_free(*state);
	return 0;
}

static struct vfio_node *resolve(struct fake_host *f, const char *spec)
{
	struct vfio_node *node = NULL;

	assert_int_equal(vfio_node_resolve(&f->host, spec, &node, NULL), 0);
	return node;
}

static struct device *find(struct fake_host *f, const char *spec)
{
	struct device *dev = NULL;

	assert_int_equal(device_find(&f->host, spec, &dev, NULL), 0);
	return dev;
}

static void reset_of_a_function_is_guessed_from_sysfs(void **state)
{
	static const struct {
		const char *reset_method; /* NULL: no such file */
		bool reset;
		bool can;
	} rows[] = {
		{ NULL, false, false },	  { NULL, true, true },	 { "flr bus\n", true, true },
		{ "bus\n", false, true }, { "\n", true, false }, { "", false, false },
	};
	static const struct {
		const char *spec;
		bool root;
	} places[] = {
		{ "3b:00.1", true },	   { "0000:00:03.0", true }, { "0000:04:00.0", false },
		{ "10000:e1:00.0", true }, { UUID, false },
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f, "3b:00.1");

		fake_remove(AT(f, "sys/devices/" VF1 "/reset"));
		fake_remove(AT(f, "sys/devices/" VF1 "/reset_method"));
		if (rows[i].reset)
			fake_file(AT(f, "sys/devices/" VF1 "/reset"), "");
		if (rows[i].reset_method)
			fake_file(AT(f, "sys/devices/" VF1 "/reset_method"), rows[i].reset_method);
		assert_int_equal(pci_function_can_reset(node), rows[i].can);
	}
	fake_file(AT(f, "sys/devices/" MDEV "/reset"), "");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f, places[i].spec);

		assert_int_equal(pci_function_on_root_bus(node), places[i].root);
		if (strcmp(places[i].spec, UUID) == 0)
			assert_false(pci_function_can_reset(node));
	}
}

static void effect_of_closing_is_a_table(void **state)
{
	static const struct {
		enum device_ownership ownership;
		bool driver_keeps, pci, resets, root_bus, left;
		enum close_effect want;
	} rows[] = {
		/* clang-format off */
		{ DEVICE_LENT,   false, false, false, false, false, CLOSE_KEEPS },
		{ DEVICE_LENT,   false, false, false, false, true,  CLOSE_MAY_LOSE },
		{ DEVICE_LENT,   true,  false, false, false, true,  CLOSE_KEEPS },
		{ DEVICE_SHARED, false, true,  true,  false, false, CLOSE_KEEPS },
		{ DEVICE_SHARED, false, true,  true,  false, true,  CLOSE_RESETS },
		{ DEVICE_SHARED, false, true,  false, false, true,  CLOSE_MAY_RESET_BUS },
		{ DEVICE_SOLE,   true,  false, false, false, false, CLOSE_KEEPS },
		{ DEVICE_SOLE,   false, false, false, false, false, CLOSE_MAY_LOSE },
		{ DEVICE_SOLE,   false, true,  true,  false, false, CLOSE_RESETS },
		{ DEVICE_SOLE,   false, true,  true,  true,  false, CLOSE_RESETS },
		{ DEVICE_SOLE,   false, true,  false, false, false, CLOSE_MAY_RESET_BUS },
		{ DEVICE_SOLE,   false, true,  false, true,  false, CLOSE_KEEPS },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct close_facts facts = { rows[i].ownership, rows[i].driver_keeps,
						   rows[i].pci,	      rows[i].resets,
						   rows[i].root_bus,  rows[i].left };

		assert_int_equal(device_judge_close(&facts), rows[i].want);
		assert_non_null(device_close_text(rows[i].want));
	}
}

/* Its user maps the memory later, whether it is opened here or lent. */
static void function_that_a_holder_lends_has_no_dma(void **state)
{
	struct fake_host *f = *state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char spec[sizeof(a.sun_path) + 64];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/h", f->root);
	assert_return_code(fd, errno);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	for (unsigned int pci = 0; pci < 2; pci++) {
		_cleanup_(device_freep) struct device *dev = NULL;

		snprintf(spec, sizeof(spec), "hold:%s/%s", a.sun_path, pci ? "0000:3b:00.1" : UUID);
		dev = find(f, spec);
		assert_int_equal(device_lacks_dma(dev), pci);
		assert_false(device_opened_here(dev));
	}
	close(fd);
}

static void device_that_is_found_is_judged_by_sysfs(void **state)
{
	static const struct {
		const char *spec, *reset; /* a file to make, below the root */
		bool here, reset_by_open;
		enum close_effect effect;
	} rows[] = {
		/* clang-format off */
		{ "3b:00.1", "sys/devices/" VF1 "/reset",        true,  true,  CLOSE_RESETS },
		{ "0000:00:03.0", NULL,                          true,  false, CLOSE_KEEPS },
		{ "0000:04:00.0", NULL,                          true,  false,
		  CLOSE_MAY_RESET_BUS },
		{ "0000:04:00.0", "sys/devices/" BEHIND "/reset", true, true,  CLOSE_RESETS },
		{ UUID, NULL,                                    false, false, CLOSE_KEEPS },
		{ "vfio2", NULL,                                 false, false, CLOSE_MAY_LOSE },
		{ "vfio-user:/run/eth", NULL,                    false, false, CLOSE_KEEPS },
		{ "fd:0", NULL,                                  false, false, CLOSE_KEEPS },
		/* clang-format on */
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(device_freep) struct device *dev = NULL;

		if (rows[i].reset)
			fake_file(AT(f, "%s", rows[i].reset), "");
		dev = find(f, rows[i].spec);
		assert_int_equal(device_opened_here(dev), rows[i].here);
		assert_int_equal(device_lacks_dma(dev), rows[i].here);
		assert_int_equal(device_reset_by_open(dev), rows[i].reset_by_open);
		assert_int_equal(device_close_effect(dev), rows[i].effect);
		/* Once it is open, its own word counts. */
		dev->resets = !dev->resets;
		if (rows[i].here)
			assert_int_equal(device_reset_by_open(dev), !rows[i].reset_by_open);
	}
}

static void way_of_a_device_says_who_else_has_it(void **state)
{
	static const struct {
		const char *spec;
		enum device_ownership ownership;
		enum device_opening opening;
		bool served;
		const char *socket;
		int call_timeout_ms;
	} rows[] = {
		/* clang-format off */
		{ "3b:00.1",        DEVICE_SOLE,   OPENING_MAY_RESET, false, NULL,   7 },
		{ "fd:0",           DEVICE_SHARED, OPENING_FREE,      false, NULL,   7 },
		{ "unix:/r/e",      DEVICE_SHARED, OPENING_CONNECTS,  false, "/r/e", 7 },
		{ "vfio-user:/r/e", DEVICE_LENT,   OPENING_CONNECTS,  true,  "/r/e", 0 },
		/* clang-format on */
	};
	const struct device_options options = { .call_timeout_ms = 7 };
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(device_freep) struct device *dev = find(f, rows[i].spec);

		assert_int_equal(device_ownership(dev), rows[i].ownership);
		assert_int_equal(device_opening(dev), rows[i].opening);
		assert_int_equal(device_is_served(dev), rows[i].served);
		assert_int_equal(device_call_timeout(dev, &options), rows[i].call_timeout_ms);
		assert_int_equal(device_owner_pid(dev), 0);
		if (rows[i].socket)
			assert_string_equal(device_socket(dev), rows[i].socket);
		else
			assert_null(device_socket(dev));
	}
}

static void state_in_debugfs_counts_while_a_process_holds_the_device(void **state)
{
	static const struct {
		const char *spec, *name;
		const char *text; /* NULL: no such file */
		bool held;
		enum peek want;
		enum mig_state ret;
	} rows[] = {
		/* clang-format off */
		{ "vfio0", "0000:3b:00.1", "ERROR\n",     false, PEEK_MIGRATABLE, 0 },
		{ "vfio0", "0000:3b:00.1", "STOP_COPY\n", false, PEEK_MIGRATABLE, 0 },
		{ "vfio0", "0000:3b:00.1", "STOP_COPY\n", true,  PEEK_STATE, MIG_STOP_COPY },
		{ "vfio0", "0000:3b:00.1", "ERROR\n",     true,  PEEK_STATE, MIG_ERROR },
		{ "vfio0", "0000:3b:00.1", "WHATEVER\n",  true,  PEEK_MIGRATABLE, 0 },
		{ "vfio0", "0000:3b:00.1", NULL,          true,  PEEK_NO_V2, 0 },
		{ "vfio1", UUID,           "STOP\n",      false, PEEK_STATE, MIG_STOP },
		{ "vfio-user:x", "x",      "STOP\n",      true,  PEEK_UNKNOWN, 0 },
		/* clang-format on */
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(device_freep) struct device *dev = find(f, rows[i].spec);
		enum mig_state got = MIG_NR_STATES;

		fake_remove(AT(f, "sys/kernel/debug"));
		assert_int_equal(device_peek(dev, true, &got), PEEK_UNKNOWN);
		fake_dir(AT(f, "sys/kernel/debug/vfio/%s", rows[i].name));
		if (rows[i].text)
			fake_file(AT(f, "sys/kernel/debug/vfio/%s/migration/state", rows[i].name),
				  rows[i].text);
		assert_int_equal(device_peek(dev, rows[i].held, &got), rows[i].want);
		assert_int_equal(got, rows[i].want == PEEK_STATE ? rows[i].ret : MIG_NR_STATES);
	}
}

static void device_is_held_if_a_process_is_seen_to(void **state)
{
	struct fake_host *f = *state;
	_cleanup_(device_freep) struct device *dev = find(f, "vfio0");
	_cleanup_(device_freep) struct device *unknown = find(f, "vfio-user:x");

	assert_false(device_held(dev));
	fake_link(AT(f, "proc/300/fd/9"), AT(f, "dev/vfio/devices/vfio0"));
	assert_true(device_held(dev));
	assert_false(device_held(unknown));
	fake_remove(AT(f, "proc"));
	assert_false(device_held(dev));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset_of_a_function_is_guessed_from_sysfs),
		TEST(effect_of_closing_is_a_table),
		TEST(device_that_is_found_is_judged_by_sysfs),
		TEST(function_that_a_holder_lends_has_no_dma),
		TEST(way_of_a_device_says_who_else_has_it),
		TEST(state_in_debugfs_counts_while_a_process_holds_the_device),
		TEST(device_is_held_if_a_process_is_seen_to),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
