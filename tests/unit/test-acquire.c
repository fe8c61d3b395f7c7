// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "device/acquire-shared.h"
#include "device/acquire-why.h"
#include "device/acquire.h"
#include "fake-host.h"

#define VF1 "pci0000:3a/0000:3b:00.1"
#define VF2 "pci0000:3a/0000:3b:00.2"
#define BRIDGE "pci0000:3a/0000:3a:00.0"

/* Two functions of VFIO in one group, with the bridge above them. */
static int setup(void **state)
{
	struct fake_host *f = fake_host_new();

	fake_device(f, "pci", VF1, "mlx5_vfio_pci", 7);
	fake_vfio_dev(f, VF1, "vfio0", NULL_NUMBER, "/dev/null");
	fake_device(f, "pci", VF2, "vfio-pci", 7);
	fake_vfio_dev(f, VF2, "vfio1", FULL_NUMBER, "/dev/full");
	fake_device(f, "pci", BRIDGE, "pcieport", 7);
	fake_group(f, "7", ZERO_NUMBER, "/dev/zero");
	fake_link(AT(f, "dev/iommu"), "/dev/null");
	fake_link(AT(f, "dev/vfio/vfio"), "/dev/null");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_host_free(*state);
	return 0;
}

static struct vfio_node *resolve(struct fake_host *f)
{
	struct vfio_node *node = NULL;

	assert_int_equal(vfio_node_resolve(&f->host, "3b:00.1", &node, NULL), 0);
	return node;
}

/* A process with one open file. */
static void fake_holder(struct fake_host *f, int pid, const char *target)
{
	fake_file(AT(f, "proc/%d/comm", pid), "vmm\n");
	fake_link(AT(f, "proc/%d/fd/9", pid), target);
}

static void way_is_the_one_that_the_host_has_nodes_for(void **state)
{
	static const struct {
		const char *without[2]; /* below the root */
		enum acquire_via via;
		const char *token;
		enum acquire_via want;
	} rows[] = {
		{ { 0 }, ACQUIRE_AUTO, NULL, ACQUIRE_CDEV },
		{ { 0 }, ACQUIRE_AUTO, "token", ACQUIRE_GROUP },
		{ { 0 }, ACQUIRE_CDEV, "token", ACQUIRE_CDEV },
		{ { 0 }, ACQUIRE_GROUP, NULL, ACQUIRE_GROUP },
		{ { "dev/iommu" }, ACQUIRE_AUTO, NULL, ACQUIRE_GROUP },
		{ { "dev/iommu" }, ACQUIRE_CDEV, NULL, ACQUIRE_CDEV },
		/* No devtmpfs, or a container that was given the group alone. */
		{ { "dev/vfio/devices" }, ACQUIRE_AUTO, NULL, ACQUIRE_GROUP },
		{ { "dev/vfio/devices/vfio0" }, ACQUIRE_AUTO, NULL, ACQUIRE_GROUP },
		/* The kernel made no character device. */
		{ { "sys/devices/" VF1 "/vfio-dev/vfio0/dev" }, ACQUIRE_AUTO, NULL, ACQUIRE_GROUP },
		{ { "dev/vfio/7" }, ACQUIRE_AUTO, "token", ACQUIRE_CDEV },
		{ { "dev/vfio/vfio" }, ACQUIRE_AUTO, "token", ACQUIRE_CDEV },
		{ { "dev/vfio/7", "dev/iommu" }, ACQUIRE_AUTO, NULL, ACQUIRE_CDEV },
		{ { "dev/vfio", "dev/iommu" }, ACQUIRE_AUTO, NULL, ACQUIRE_CDEV },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
		struct fake_host *f = *state;
		const struct acquire_options opts = { .via = rows[i].via,
						      .vf_token = rows[i].token };

		print_message("# row %zu\n", i);
		for (size_t j = 0; j < 2 && rows[i].without[j]; j++)
			fake_remove(AT(f, "%s", rows[i].without[j]));
		node = resolve(f);
		assert_int_equal(acquire_way(&f->host, node, &opts), rows[i].want);
		teardown(state);
		setup(state);
	}
}

static void way_of_a_device_without_iommu_is_its_group(void **state)
{
	const struct acquire_options opts = { .via = ACQUIRE_AUTO };
	const struct acquire_options cdev = { .via = ACQUIRE_CDEV };
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct acquired acq = ACQUIRED_NONE;
	struct err err = { 0 };

	fake_remove(AT(f, "sys/devices/" VF1 "/vfio-dev/vfio0/dev"));
	fake_remove(AT(f, "sys/class/vfio/7"));
	fake_remove(AT(f, "dev/vfio/7"));
	fake_group(f, "noiommu-7", ZERO_NUMBER, "/dev/zero");
	node = resolve(f);
	assert_true(node->noiommu);
	assert_int_equal(acquire_way(&f->host, node, &opts), ACQUIRE_GROUP);
	assert_int_equal(acquire_node(&f->host, node, &cdev, &acq, &err), -ENODEV);
	assert_string_equal(err.text,
			    "0000:3b:00.1: has no VFIO character device, as it has no IOMMU");
	assert_non_null(strstr(err.hint, "--via group"));
}

static void a_missing_node_is_told_from_a_missing_device(void **state)
{
	const struct acquire_options opts = { .via = ACQUIRE_CDEV };
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f);
	struct acquired acq = ACQUIRED_NONE;
	struct err err = { 0 };

	fake_remove(AT(f, "dev/vfio/devices"));
	assert_int_equal(acquire_node(&f->host, node, &opts, &acq, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/dev/vfio/devices/vfio0"));
	assert_non_null(strstr(err.hint, "--via group"));
}

static void denial_has_one_reason(void **state)
{
	static const struct {
		bool uses_dma, held, mates, partial, msi;
		enum acquire_denial want;
	} rows[] = {
		/* clang-format off */
		{ false, false, false, false, false, DENIED_INTERRUPTS },
		{ false, false, false, false, true,  DENIED_UNKNOWN },
		{ false, false, false, true,  false, DENIED_INTERRUPTS },
		{ false, false, true,  false, false, DENIED_INTERRUPTS },
		{ false, false, true,  true,  false, DENIED_MATE_UNSEEN },
		{ false, false, true,  true,  true,  DENIED_MATE_UNSEEN },
		{ false, true,  true,  false, false, DENIED_MATE_HELD },
		{ false, true,  true,  true,  true,  DENIED_MATE_HELD },
		{ true,  false, true,  false, false, DENIED_NOT_VIABLE },
		{ true,  true,  true,  true,  true,  DENIED_NOT_VIABLE },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct acquire_evidence e = { rows[i].uses_dma, rows[i].held, rows[i].mates,
						    rows[i].partial, rows[i].msi };

		assert_int_equal(acquire_judge_denial(&e), rows[i].want);
	}
}

static void denial_names_what_stands_in_the_way(void **state)
{
	static const char param[] = "sys/module/iommufd/parameters/allow_unsafe_interrupts";
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f);
	struct err err = { 0 };

	fake_file(AT(f, "%s", param), "N\n");
	assert_int_equal(acquire_denied(&f->host, node, "BIND", "iommufd", &err), -EPERM);
	assert_string_equal(err.text, "0000:3b:00.1: BIND");
	assert_true(err.system);
	assert_non_null(strstr(err.hint, "allow_unsafe_interrupts of the module iommufd"));

	fake_file(AT(f, "%s", param), "Y\n");
	assert_int_equal(acquire_denied(&f->host, node, "BIND", "iommufd", &err), -EPERM);
	assert_null(strstr(err.hint, "interrupt"));

	fake_file(AT(f, "proc/77/fd"), "not a folder");
	assert_int_equal(acquire_denied(&f->host, node, "BIND", "iommufd", &err), -EPERM);
	assert_non_null(strstr(err.hint, "cannot be seen from here may hold another device of "
					 "IOMMU group 7"));

	fake_holder(f, 300, AT(f, "dev/vfio/devices/vfio1"));
	assert_int_equal(acquire_denied(&f->host, node, "BIND", "iommufd", &err), -EPERM);
	assert_string_equal(err.text, "0000:3b:00.1: its IOMMU group is in use: "
				      "vmm (pid 300, fd 9) holds 0000:3b:00.2");
	assert_null(strstr(err.hint, "interrupt"));

	fake_device(f, "pci", "pci0000:3a/0000:3b:00.3", "e1000e", 7);
	assert_int_equal(acquire_denied(&f->host, node, "BIND", "iommufd", &err), -EPERM);
	assert_string_equal(err.text, "0000:3b:00.1: IOMMU group 7 is not viable: 0000:3b:00.3, "
				      "which is in it, has the driver e1000e");
	assert_int_equal(err_status(&err), ERR_UNSUPPORTED);
	memset(&err, 0, sizeof(err));
	assert_int_equal(acquire_not_viable(&f->host, node, &err), -EPERM);
	assert_non_null(strstr(err.text, "0000:3b:00.3, which is in it, has the driver e1000e"));
}

static void busy_names_the_holder_of_the_device_or_of_its_group(void **state)
{
	static const struct {
		const char *link;
		const char *text;
	} rows[] = {
		{ "dev/vfio/devices/vfio0",
		  "0000:3b:00.1: held by another process: vmm (pid 300, fd 9)" },
		{ "dev/vfio/7", "0000:3b:00.1: held by another process: vmm (pid 300, fd 9)" },
		{ "dev/vfio/devices/vfio1", "0000:3b:00.1: its IOMMU group is in use: "
					    "vmm (pid 300, fd 9) holds 0000:3b:00.2" },
		{ NULL,
		  "0000:3b:00.1: held by another process: which one cannot be seen from here" },
	};
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		fake_remove(AT(f, "proc/300"));
		if (rows[i].link)
			fake_holder(f, 300, AT(f, "%s", rows[i].link));
		assert_int_equal(acquire_busy(&f->host, node, &err), -EBUSY);
		assert_string_equal(err.text, rows[i].text);
		assert_int_equal(err_status(&err), ERR_SYSTEM);
		assert_non_null(strstr(err.hint, "fd:N"));
	}
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_rdev == sb.st_rdev;
}

/* One iommufd serves all groups; of a group and its container only devices of that group. */
static void devices_of_a_set_share_what_they_are_opened_through(void **state)
{
	static struct acquire_shared shared;
	int keep[2] = { -1, -1 };
	struct acquired by_group = { .via = ACQUIRE_GROUP, .fd = -1 };
	struct acquired by_cdev = { .via = ACQUIRE_CDEV, .fd = -1, .keep = { -1, -1 } };

	(void)state;
	by_group.keep[0] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	by_group.keep[1] = open("/dev/full", O_RDWR | O_CLOEXEC);
	by_cdev.keep[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	acquire_shared_find(NULL, ACQUIRE_CDEV, 7, keep);
	assert_int_equal(keep[0], -1);
	acquire_shared_add(&shared, 7, &by_group);
	acquire_shared_add(&shared, 8, &by_cdev);

	acquire_shared_find(&shared, ACQUIRE_GROUP, 8, keep);
	assert_int_equal(keep[0], -1);
	acquire_shared_find(&shared, ACQUIRE_GROUP, 7, keep);
	assert_true(same_file(keep[0], by_group.keep[0]) && same_file(keep[1], by_group.keep[1]));
	assert_true(keep[0] != by_group.keep[0]);
	close(keep[0]);
	close(keep[1]);
	keep[1] = -1;
	acquire_shared_find(&shared, ACQUIRE_CDEV, 9, keep);
	assert_true(same_file(keep[0], by_cdev.keep[0]));
	assert_int_equal(keep[1], -1);
	close(keep[0]);
	acquired_done(&by_group);
	acquired_done(&by_cdev);
	acquire_shared_done(&shared);
	assert_int_equal(shared.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(way_is_the_one_that_the_host_has_nodes_for),
		TEST(way_of_a_device_without_iommu_is_its_group),
		TEST(a_missing_node_is_told_from_a_missing_device),
		TEST(denial_has_one_reason),
		TEST(denial_names_what_stands_in_the_way),
		TEST(busy_names_the_holder_of_the_device_or_of_its_group),
		TEST(devices_of_a_set_share_what_they_are_opened_through),
	};

	return cmocka_run_group_tests_name("acquire", tests, NULL, NULL);
}
