// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "device/owner-denied.h"
#include "device/owner-match.h"
#include "device/owner-pick.h"
#include "fake-host.h"
#include "host/lender.h"
#include "host/pci-function.h"
#include "host/stray.h"
#include "host/vfio-fd.h"

#define VF1 "pci0000:3a/0000:3b:00.1"
#define VF2 "pci0000:3a/0000:3b:00.2"
#define UUID "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"

static int setup(void **state)
{
	struct fake_host *f = fake_host_new();

	fake_device(f, "pci", VF1, "mlx5_vfio_pci", 7);
	fake_vfio_dev(f, VF1, "vfio0", NULL_NUMBER, "/dev/null");
	fake_device(f, "pci", VF2, "mlx5_vfio_pci", 8);
	fake_group(f, "8", ZERO_NUMBER, "/dev/zero");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_host_free(*state);
	return 0;
}

static void a_device_is_picked_by_name_or_descriptor(void **state)
{
	static const struct owner_name devices[] = {
		{ "0000:3b:00.1", "vfio0", 12 },
		{ UUID, "vfio1", 5 },
		{ NULL, NULL, 30 },
		{ NULL, NULL, 31 },
	};
	static const struct {
		const char *want;
		int n, place;
	} rows[] = {
		/* clang-format off */
		{ NULL, 0, OWNER_PICK_NONE },
		{ NULL, 1, 0 },
		{ NULL, 2, OWNER_PICK_SEVERAL },
		{ "0000:3b:00.1", 4, 0 },
		{ "3B:00.1", 4, 0 },
		{ "3b:00.2", 4, OWNER_PICK_NONE },
		{ UUID, 4, 1 },
		{ "vfio1", 4, 1 },
		{ "vfio2", 4, OWNER_PICK_NONE },
		{ "fd12", 4, 0 },
		{ "fd31", 4, 3 },
		{ "fd3", 4, OWNER_PICK_NONE },
		{ "fd", 4, OWNER_PICK_NONE },
		{ "31", 4, OWNER_PICK_NONE },
		{ "", 4, OWNER_PICK_NONE },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("# row %zu\n", i);
		assert_int_equal(owner_pick(devices, (size_t)rows[i].n, rows[i].want),
				 rows[i].place);
	}
}

/* Every word of the list leads to its device. */
static void what_may_be_written_is_listed(void **state)
{
	static const struct owner_name devices[] = {
		{ "0000:3b:00.1", NULL, 12 },
		{ NULL, NULL, 30 },
		/* Two mounts of one bus, say. */
		{ "0000:3b:00.2", NULL, 31 },
		{ "0000:3b:00.2", NULL, 32 },
	};
	char buf[128], tight[48];

	(void)state;
	owner_pick_list(devices, 4, "pid:7/", buf, sizeof(buf));
	assert_string_equal(buf, "pid:7/0000:3b:00.1, pid:7/fd30, pid:7/fd31, pid:7/fd32");
	owner_pick_list(devices, 4, "pid:7/", tight, sizeof(tight));
	assert_string_equal(tight, " and 4 more");
	owner_pick_list(devices, 1, "", tight, sizeof(tight));
	assert_string_equal(tight, "0000:3b:00.1");
}

static const struct pci_ids nic = { 0x15b3, 0x101e, 0x15b3, 0x58, 0x020000, 0 };
static const struct pci_ids qat = { 0x8086, 0x4941, 0x8086, 0, 0x0b4000, 0 };

static void what_differs_is_not_the_device(void **state)
{
	const struct {
		struct owner_looks fd, device;
		bool may;
	} rows[] = {
		{ { false, true, nic, { 0 } }, { true, true, nic, { 0 } }, true },
		{ { false, true, nic, { 0 } }, { true, true, qat, { 0 } }, false },
		{ { false, true, nic, { 4096 } }, { true, true, nic, { 8192 } }, false },
		{ { false, true, nic, { 4096 } }, { true, true, nic, { 4096, 9 } }, true },
		{ { false, true, nic, { 4096 } }, { true, true, nic, { 0 } }, true },
		/* A device without configuration space is none of the PCI bus. */
		{ { false, false, nic, { 0 } }, { true, true, nic, { 0 } }, false },
		/* An mdev has numbers that only VFIO shows, or none. */
		{ { false, true, nic, { 0 } }, { false, false, qat, { 0 } }, true },
		{ { false, false, nic, { 0 } }, { false, false, nic, { 0 } }, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("# row %zu\n", i);
		assert_int_equal(owner_may_be(&rows[i].fd, &rows[i].device), rows[i].may);
	}
}

static void only_one_candidate_is_certain(void **state)
{
	const struct owner_looks fd = { .has_ids = true, .ids = nic };
	const struct owner_looks devices[] = {
		{ .pci = true, .has_ids = true, .ids = qat },
		{ .pci = true, .has_ids = true, .ids = nic },
		{ .pci = true, .has_ids = true, .ids = nic },
	};

	(void)state;
	assert_int_equal(owner_only(&fd, devices, 0), -1);
	assert_int_equal(owner_only(&fd, devices, 1), -1);
	assert_int_equal(owner_only(&fd, devices, 2), 1);
	assert_int_equal(owner_only(&fd, devices, 3), -1);
}

static void a_lender_listens_for_packets(void **state)
{
	static const struct {
		const char *line, *path;
		unsigned long inode;
	} rows[] = {
		/* clang-format off */
		{ "Num       RefCount Protocol Flags    Type St Inode Path", NULL, 0 },
		{ "0000000000000000: 00000002 00000000 00010000 0005 01 4711 /h", "/h", 4711 },
		{ "ffff8881069f0a00: 00000002 00000000 00010000 0005 01    17 h", "h", 17 },
		{ "0000000000000000: 00000002 00000000 00010000 0005 01 4711 /a b", "/a b", 4711 },
		/* A stream; one that is connected; without a path; abstract; cut. */
		{ "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/h", NULL, 4711 },
		{ "0000000000000000: 00000003 00000000 00000000 0005 03 4711 /run/h", NULL, 4711 },
		{ "0000000000000000: 00000002 00000000 00010000 0005 01 4711", NULL, 4711 },
		{ "0000000000000000: 00000002 00000000 00010000 0005 01 4711 @h", NULL, 4711 },
		{ "0000000000000000: 00000002 00000000 00010000", NULL, 0 },
		{ "", NULL, 0 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned long inode = 0;
		const char *path = lender_parse(rows[i].line, &inode);

		print_message("# row %zu\n", i);
		assert_int_equal(inode, rows[i].inode);
		if (rows[i].path)
			assert_string_equal(path, rows[i].path);
		else
			assert_null(path);
	}
}

static void denial_has_one_reason(void **state)
{
	static const struct {
		bool capable, same_user, other_namespace, more_capable;
		int scope;
		enum owner_denial want;
	} rows[] = {
		{ true, true, false, false, 3, OWNER_DENIED_TO_ALL },
		{ false, true, false, false, 3, OWNER_DENIED_TO_ALL },
		{ false, false, false, false, 0, OWNER_DENIED_USER },
		{ false, false, true, false, 1, OWNER_DENIED_USER },
		{ false, true, false, true, 0, OWNER_DENIED_CAPABILITIES },
		{ false, true, false, true, 1, OWNER_DENIED_CAPABILITIES },
		{ false, true, false, true, 3, OWNER_DENIED_TO_ALL },
		{ false, false, false, true, 0, OWNER_DENIED_USER },
		{ false, true, false, false, 1, OWNER_DENIED_YAMA },
		{ false, true, false, false, 2, OWNER_DENIED_YAMA },
		{ false, true, false, false, 0, OWNER_DENIED_DUMPABLE },
		{ true, false, true, false, 0, OWNER_DENIED_NAMESPACE },
		{ true, false, false, false, 1, OWNER_DENIED_MODULE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct owner_evidence e = { rows[i].capable, rows[i].same_user,
						  rows[i].other_namespace, rows[i].more_capable,
						  rows[i].scope };

		print_message("# row %zu\n", i);
		assert_int_equal(owner_judge_denial(&e), rows[i].want);
	}
}

/* As /proc has it, "@" being the root. */
static void what_is_missing_is_read_from_proc(void **state)
{
	static const struct {
		const char *caps, *uids, *map, *scope, *theirs, *hint;
	} rows[] = {
		{ "0", "%u\t%u\t%u\t%u", "0 0 4294967295", "1", "user:[1]", "ptrace_scope asks" },
		{ "0", "%u\t%u\t%u\t%u", "0 0 4294967295", "0", "user:[1]", "not dumpable" },
		{ "0", "4711\t4711\t4711\t4711", "0 0 4294967295", "0", "user:[1]", "user 4711" },
		{ "80000", "4711\t4711\t4711\t4711", "0 0 4294967295", "0", "user:[1]", "SELinux" },
		{ "80000", "4711\t4711\t4711\t4711", "0 0 4294967295", "0", "user:[2]",
		  "namespace" },
		{ "80000", "4711\t4711\t4711\t4711", "0 1000 1", "0", "user:[1]", "namespace" },
		{ "80000", "4711\t4711\t4711\t4711", "0 0 4294967295", "3", "user:[1]", "is 3" },
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int me = geteuid();
		char uids[64], status[128];
		struct err err = { 0 };

		print_message("# row %zu\n", i);
		if (strchr(rows[i].uids, '%'))
			snprintf(uids, sizeof(uids), "%u\t%u\t%u\t%u", me, me, me, me);
		else
			snprintf(uids, sizeof(uids), "%s", rows[i].uids);
		snprintf(status, sizeof(status), "Name:\tx\nCapEff:\t%s\nX:\n", rows[i].caps);
		fake_file(AT(f, "proc/self/status"), status);
		fake_file(AT(f, "proc/self/uid_map"), rows[i].map);
		fake_link(AT(f, "proc/self/ns/user"), "user:[1]");
		snprintf(status, sizeof(status), "Name:\tx\nUid:\t%s\n", uids);
		fake_file(AT(f, "proc/9/status"), status);
		fake_link(AT(f, "proc/9/ns/user"), rows[i].theirs);
		fake_file(AT(f, "proc/sys/kernel/yama/ptrace_scope"), rows[i].scope);
		assert_int_equal(owner_denied(&f->host, "pid:9", 9, "pidfd_getfd", -EPERM, &err),
				 -EPERM);
		assert_int_equal(err_status(&err), ERR_PERMISSION);
		assert_string_equal(err.text, "pid:9: pidfd_getfd");
		assert_non_null(strstr(err.hint, rows[i].hint));
	}
}

static void driver_streams_are_known_by_name_and_direction(void **state)
{
	static const struct {
		const char *link;
		unsigned int flags;
		enum vfio_fd_kind want;
	} rows[] = {
		{ "anon_inode:mlx5vf_mig", O_RDONLY, VFIO_FD_SAVING },
		{ "anon_inode:mlx5vf_mig", O_WRONLY | O_CLOEXEC, VFIO_FD_LOADING },
		{ "anon_inode:pds_vfio_lm", O_RDONLY, VFIO_FD_SAVING },
		{ "anon_inode:mtty_mig", O_RDWR, VFIO_FD_OTHER },
		{ "anon_inode:inotify", O_RDONLY, VFIO_FD_OTHER },
		{ "anon_inode:kvm-vcpu-stats:0", O_RDONLY, VFIO_FD_OTHER },
		{ "/tmp/mtty_mig", O_RDONLY, VFIO_FD_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(vfio_fd_stream(rows[i].link, rows[i].flags), rows[i].want);
}

static void open_files_of_a_process_are_told_apart(void **state)
{
	static const struct {
		int fd;
		const char *link, *info;
		enum vfio_fd_kind kind;
		const char *name; /* NULL: none is known */
		int group;
	} rows[] = {
		/* clang-format off */
		{ 3, "@/dev/vfio/devices/vfio0", "", VFIO_FD_CDEV, "0000:3b:00.1", -1 },
		{ 4, "@/dev/vfio/8", "", VFIO_FD_GROUP, NULL, 8 },
		{ 5, VFIO_FD_LINK, "pos:\t0\nvfio-device-syspath: /sys/devices/" VF2 "\n",
		  VFIO_FD_DEVICE, NULL, -1 },
		{ 6, VFIO_FD_LINK, "pos:\t0\nflags:\t02\n", VFIO_FD_DEVICE, NULL, -1 },
		{ 7, "anon_inode:mtty_mig", "pos:\t0\nflags:\t00\n", VFIO_FD_SAVING, NULL, -1 },
		{ 8, "anon_inode:mtty_mig", "pos:\t0\nflags:\t02000001\n", VFIO_FD_LOADING,
		  NULL, -1 },
		{ 10, "/dev/null", "", VFIO_FD_CDEV, "0000:3b:00.1", -1 },
		/* clang-format on */
	};
	struct fake_host *f = *state;
	struct vfio_fds fds = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *link = rows[i].link;

		fake_link(AT(f, "proc/9/fd/%d", rows[i].fd),
			  *link == '@' ? AT(f, "%s", link + 2) : link);
		fake_file(AT(f, "proc/9/fdinfo/%d", rows[i].fd), rows[i].info);
	}
	fake_link(AT(f, "proc/9/fd/0"), "/dev/pts/0");
	fake_link(AT(f, "proc/9/fd/1"), "anon_inode:[eventfd]");
	fake_link(AT(f, "proc/9/fd/2"), "/srv/vfio.log");
	assert_int_equal(vfio_fds_find(&f->host, 10, &fds), -ENOENT);
	assert_int_equal(vfio_fds_find(&f->host, 9, &fds), 0);
	assert_int_equal(fds.n, ARRAY_SIZE(rows));
	for (size_t i = 0; i < fds.n; i++) {
		print_message("# row %zu\n", i);
		assert_int_equal(fds.v[i].fd, rows[i].fd);
		assert_int_equal(fds.v[i].kind, rows[i].kind);
		assert_int_equal(fds.v[i].group, rows[i].group);
		if (rows[i].name)
			assert_string_equal(fds.v[i].node->name, rows[i].name);
		else
			assert_null(fds.v[i].node);
	}
	vfio_fds_done(&fds);
}

static void what_no_list_has_is_found_by_its_open_files(void **state)
{
	static const struct {
		int pid;
		const char *link, *info;
		const char *name, *cdev; /* NULL: not known */
		bool found, leaving;
	} rows[] = {
		/* clang-format off */
		{ 20, "@/dev/vfio/devices/vfio0", "", NULL, NULL, false, false },
		/* The node is gone, but for this link, and its number leads nowhere. */
		{ 21, "@/dev/vfio/devices/vfio3 (deleted)", "", "vfio3", "vfio3", true, true },
		{ 22, "@/dev/vfio/devices/vfiox", "", NULL, NULL, false, false },
		{ 23, VFIO_FD_LINK, "pos:\t0\n", NULL, NULL, true, false },
		/* /dev/null is the number of the first device here. */
		{ 24, "/dev/tty", "", NULL, NULL, false, false },
		/* clang-format on */
	};
	struct fake_host *f = *state;
	struct strays strays = { 0 };
	struct err err = { 0 };
	size_t at = 0;

	assert_int_equal(strays_find(&f->host, &strays, &err), 0);
	assert_int_equal(strays.n, 0);
	/* Its number is that of no device of sysfs. */
	fake_link(AT(f, "dev/vfio/devices/vfio3 (deleted)"), "/dev/urandom");
	fake_link(AT(f, "dev/vfio/devices/vfiox"), "/dev/urandom");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *link = rows[i].link;

		fake_link(AT(f, "proc/%d/fd/9", rows[i].pid),
			  *link == '@' ? AT(f, "%s", link + 2) : link);
		fake_file(AT(f, "proc/%d/fdinfo/9", rows[i].pid), rows[i].info);
		fake_file(AT(f, "proc/%d/comm", rows[i].pid), "owner\n");
	}
	/* What holds its group is known by that, */
	fake_vfio_dev(f, VF2, "vfio1", NULL, NULL);
	fake_link(AT(f, "proc/25/fd/9"), VFIO_FD_LINK);
	fake_link(AT(f, "proc/25/fd/10"), AT(f, "dev/vfio/8"));
	assert_int_equal(strays_find(&f->host, &strays, &err), 0);
	assert_int_equal(strays.n, 2);
	strays_done(&strays);
	/* unless VFIO has no device of the group any more. */
	fake_remove(AT(f, "sys/devices/" VF2 "/vfio-dev"));
	assert_int_equal(strays_find(&f->host, &strays, &err), 0);
	assert_int_equal(strays.n, 3);
	assert_int_equal(strays.v[2].pid, 25);
	assert_int_equal(strays.v[2].fd, 10);
	assert_true(strays.v[2].leaving && strays.v[2].group);
	assert_string_equal(strays.v[2].name, "0000:3b:00.2");
	strays.n--;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct stray *stray = &strays.v[at];

		if (!rows[i].found)
			continue;
		print_message("# row %zu\n", i);
		assert_in_range(++at, 1, strays.n);
		assert_int_equal(stray->pid, rows[i].pid);
		assert_int_equal(stray->fd, 9);
		assert_string_equal(stray->comm, "owner");
		assert_int_equal(stray->leaving, rows[i].leaving);
		assert_int_equal(!stray->name, !rows[i].name);
		if (rows[i].name)
			assert_string_equal(stray->name, rows[i].name);
		if (rows[i].cdev)
			assert_string_equal(stray->cdev, rows[i].cdev);
	}
	assert_int_equal(at, strays.n);
	strays.n++;
	strays_done(&strays);
}

static void sizes_of_bars_are_read_from_sysfs(void **state)
{
	struct fake_host *f = *state;
	struct vfio_node *node = NULL;
	struct err err = { 0 };
	uint64_t bars[6];

	assert_int_equal(vfio_node_resolve(&f->host, "3b:00.1", &node, &err), 0);
	pci_function_bars(node, bars);
	assert_int_equal(bars[0], 0);
	fake_file(AT(f, "sys/devices/" VF1 "/resource"),
		  "0x00000000e0800000 0x00000000e08fffff 0x000000000014220c\n"
		  "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
		  "0x00000000e0900000 0x00000000e0900fff 0x0000000000040200\n");
	pci_function_bars(node, bars);
	assert_int_equal(bars[0], 0x100000);
	assert_int_equal(bars[1], 0);
	assert_int_equal(bars[2], 0x1000);
	assert_int_equal(bars[5], 0);
	vfio_node_free(node);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_device_is_picked_by_name_or_descriptor),
		TEST(what_may_be_written_is_listed),
		TEST(what_differs_is_not_the_device),
		TEST(only_one_candidate_is_certain),
		TEST(denial_has_one_reason),
		cmocka_unit_test(a_lender_listens_for_packets),
		TEST(what_is_missing_is_read_from_proc),
		TEST(driver_streams_are_known_by_name_and_direction),
		TEST(open_files_of_a_process_are_told_apart),
		TEST(what_no_list_has_is_found_by_its_open_files),
		TEST(sizes_of_bars_are_read_from_sysfs),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
