// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "fake-host.h"
#include "host/holder.h"

#define VF1 "pci0000:3a/0000:3b:00.1"
#define VF2 "pci0000:3a/0000:3b:00.2"
#define DEVICE_FD "anon_inode:[vfio-device]"

static int setup(void **state)
{
	struct fake_host *f = fake_host_new();

	fake_device(f, "pci", VF1, "mlx5_vfio_pci", 7);
	fake_vfio_dev(f, VF1, "vfio0", NULL_NUMBER, "/dev/null");
	fake_device(f, "pci", VF2, "mlx5_vfio_pci", 8);
	fake_vfio_dev(f, VF2, "vfio1", FULL_NUMBER, "/dev/full");
	fake_group(f, "7", ZERO_NUMBER, "/dev/zero");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_host_free(*state);
	return 0;
}

static void fake_process(struct fake_host *f, int pid, const char *comm)
{
	fake_file(AT(f, "proc/%d/comm", pid), comm);
	fake_link(AT(f, "proc/%d/fd/0", pid), "/dev/pts/0");
	fake_link(AT(f, "proc/%d/fd/1", pid), "pipe:[4711]");
	fake_link(AT(f, "proc/%d/fd/2", pid), "/var/log/vfio.log (deleted)");
	fake_link(AT(f, "proc/%d/fd/3", pid), "socket:[4712]");
}

static void fake_fd(struct fake_host *f, int pid, int fd, const char *target)
{
	fake_link(AT(f, "proc/%d/fd/%d", pid, fd), target);
}

static struct holders find(struct fake_host *f, const char *spec)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct holders holders = { 0 };
	struct err err = { 0 };

	assert_int_equal(vfio_node_resolve(&f->host, spec, &node, &err), 0);
	assert_int_equal(holders_find(&f->host, node, &holders, &err), 0);
	return holders;
}

static void open_file_is_known_by_number_path_or_fdinfo(void **state)
{
	static const struct {
		const char *link, *fdinfo;
		const char *how; /* NULL: does not hold it */
	} rows[] = {
		/* clang-format off */
		{ "@/dev/vfio/devices/vfio0", NULL, "cdev" },
		{ "@/dev/vfio/7", NULL, "group" },
		{ "@/container/dev/renamed", NULL, "cdev" },
		{ "@/container/dev/vfio/7", NULL, "group" },
		{ "@/elsewhere/devices/vfio0", NULL, NULL },
		{ "@/dev/vfio/devices/vfio1", NULL, NULL },
		{ "@/dev/vfio/8", NULL, NULL },
		{ "@/file", NULL, NULL },
		{ DEVICE_FD, "pos:\t0\nvfio-device-syspath: /sys/devices/" VF1 "\n", "device fd" },
		{ DEVICE_FD, "pos:\t0\nvfio-device-syspath: /sys/devices/" VF2 "\n", NULL },
		{ DEVICE_FD, "vfio-device-syspath: /sys/devices/" VF1 "0\n", NULL },
		{ DEVICE_FD, "vfio-device-syspath: /devices/" VF1 "\n", NULL },
		{ DEVICE_FD, "pos:\t0\n", NULL },
		{ DEVICE_FD, NULL, NULL },
		{ "anon_inode:[eventfd]", "vfio-device-syspath: /sys/devices/" VF1 "\n", NULL },
		/* clang-format on */
	};
	struct fake_host *f = *state;

	fake_link(AT(f, "container/dev/renamed"), "/dev/null");
	fake_link(AT(f, "container/dev/vfio/7"), "/dev/zero");
	fake_link(AT(f, "elsewhere/devices/vfio0"), "/dev/full");
	fake_file(AT(f, "file"), "");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *link = rows[i].link;
		struct holders holders;

		print_message("# row %zu: %s\n", i, link);
		fake_remove(AT(f, "proc/4242"));
		fake_process(f, 4242, "qemu-system-x86\n");
		fake_fd(f, 4242, 11, link[0] == '@' ? AT(f, "%s", link + 2) : link);
		if (rows[i].fdinfo)
			fake_file(AT(f, "proc/4242/fdinfo/11"), rows[i].fdinfo);
		holders = find(f, "vfio0");
		assert_int_equal(holders.n, rows[i].how ? 1 : 0);
		assert_false(holders.partial);
		if (rows[i].how) {
			assert_int_equal(holders.v[0].pid, 4242);
			assert_int_equal(holders.v[0].fd, 11);
			assert_string_equal(holders.v[0].comm, "qemu-system-x86");
			assert_string_equal(holders.v[0].how, rows[i].how);
		}
		holders_done(&holders);
		assert_null(holders.v);
	}
}

static void path_counts_where_the_number_cannot_be_had(void **state)
{
	static const char *const without[] = {
		"dev/vfio/devices/vfio0", /* what the link leads to is gone */
		"sys/devices/" VF1 "/vfio-dev/vfio0/dev", /* the kernel's number for it is */
	};
	struct fake_host *f = *state;

	fake_process(f, 4242, "vmm\n");
	fake_fd(f, 4242, 5, AT(f, "dev/vfio/devices/vfio0"));
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
		struct holders holders = { 0 };

		assert_int_equal(vfio_node_resolve(&f->host, "vfio0", &node, NULL), 0);
		assert_string_equal(node->cdev, "vfio0");
		unlink(AT(f, "%s", without[i]));
		assert_int_equal(holders_find(&f->host, node, &holders, NULL), 0);
		assert_int_equal(holders.n, 1);
		holders_done(&holders);
		fake_link(AT(f, "dev/vfio/devices/vfio0"), "/dev/null");
	}
}

static void process_is_listed_once_with_its_most_telling_file(void **state)
{
	static const struct {
		const char *file[3]; /* fds 9, 10, 11 */
		int fd;
		const char *how;
	} rows[] = {
		/* clang-format off */
		{ { "@/dev/vfio/7", "@/dev/vfio/7", "@/dev/vfio/7" }, 9, "group" },
		{ { "@/dev/vfio/7", DEVICE_FD, DEVICE_FD }, 10, "device fd" },
		{ { "@/dev/vfio/devices/vfio0", DEVICE_FD, "@/dev/vfio/7" }, 9, "cdev" },
		{ { DEVICE_FD, "@/dev/vfio/devices/vfio0", "@/dev/vfio/7" }, 9, "device fd" },
		/* clang-format on */
	};
	struct fake_host *f = *state;

	fake_process(f, 4242, "vmm\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct holders holders;

		for (int j = 0; j < 3; j++) {
			const char *file = rows[i].file[j];

			fake_fd(f, 4242, 9 + j, file[0] == '@' ? AT(f, "%s", file + 2) : file);
			fake_file(AT(f, "proc/4242/fdinfo/%d", 9 + j),
				  "vfio-device-syspath: /sys/devices/" VF1 "\n");
		}
		holders = find(f, "vfio0");
		assert_int_equal(holders.n, 1);
		assert_int_equal(holders.v[0].fd, rows[i].fd);
		assert_string_equal(holders.v[0].how, rows[i].how);
		holders_done(&holders);
	}
}

static void holders_come_in_order_and_without_ourselves(void **state)
{
	struct fake_host *f = *state;
	struct holders holders;

	fake_process(f, 5000, "vmm\n");
	fake_fd(f, 5000, 4, AT(f, "dev/vfio/7"));
	fake_process(f, 300, "\033[31mred\tname\n");
	fake_fd(f, 300, 4, AT(f, "dev/vfio/devices/vfio0"));
	fake_process(f, getpid(), "test\n");
	fake_fd(f, getpid(), 4, AT(f, "dev/vfio/devices/vfio0"));
	fake_fd(f, 1, 4, "/dev/null");
	fake_file(AT(f, "proc/self/comm"), "");
	holders = find(f, "3b:00.1");
	assert_int_equal(holders.n, 3);
	assert_int_equal(holders.v[0].pid, 1);
	assert_int_equal(holders.v[1].pid, 300);
	assert_string_equal(holders.v[1].comm, "?[31mred?name");
	assert_int_equal(holders.v[2].pid, 5000);
	holders_done(&holders);
}

static void what_cannot_be_looked_into_is_said(void **state)
{
	static const struct {
		const char *what;
		bool partial;
	} rows[] = {
		{ "a process that is gone", false },
		{ "a process that does not let us look", true },
		{ "an open file that does not let us look", true },
		{ "a /proc that hides the first process", true },
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct holders holders;

		print_message("# %s\n", rows[i].what);
		fake_remove(AT(f, "proc"));
		fake_dir(AT(f, "proc/1/fd"));
		if (i == 0)
			fake_dir(AT(f, "proc/77"));
		else if (i == 1)
			fake_file(AT(f, "proc/77/fd"), "not a folder");
		else if (i == 2)
			fake_file(AT(f, "proc/77/fd/3"), "not a link");
		else
			fake_remove(AT(f, "proc/1"));
		holders = find(f, "vfio0");
		assert_int_equal(holders.n, 0);
		assert_int_equal(holders.partial, rows[i].partial);
		holders_done(&holders);
	}
}

static void host_without_proc_is_an_error(void **state)
{
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct holders holders = { 0 };
	struct err err = { 0 };

	fake_remove(AT(f, "proc"));
	assert_int_equal(vfio_node_resolve(&f->host, "vfio0", &node, &err), 0);
	assert_int_equal(holders_find(&f->host, node, &holders, &err), -ENOENT);
	assert_string_equal(err.text, "0000:3b:00.1: who holds it");
	assert_null(holders.v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(open_file_is_known_by_number_path_or_fdinfo),
		TEST(path_counts_where_the_number_cannot_be_had),
		TEST(process_is_listed_once_with_its_most_telling_file),
		TEST(holders_come_in_order_and_without_ourselves),
		TEST(what_cannot_be_looked_into_is_said),
		TEST(host_without_proc_is_an_error),
	};

	return cmocka_run_group_tests_name("holder", tests, NULL, NULL);
}
