// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/macros.h"
#include "fake-host.h"
#include "host/debugfs.h"
#include "host/pci-ids.h"
#include "host/processes.h"
#include "host/vfio-node.h"

#define UUID "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
#define UUID_CAPITALS "83B8F4F2-509F-382F-3C1E-E6BFE0FA1001"
#define VF1 "pci0000:3a/0000:3b:00.1"
#define VF2 "pci0000:3a/0000:3b:00.2"
#define NIC "pci0000:00/0000:00:03.0"
#define MDEV "virtual/mtty/mtty/" UUID
#define VMD "pci10000:e0/10000:e1:00.0"

/*
 * Two VFs in group 7, one of them with VFIO's driver; a card with its own driver and one with
 * none; an mdev. As Linux 6.1 or later shows them.
 */
static int setup(void **state)
{
	struct fake_host *f = fake_host_new();

	fake_device(f, "pci", VF1, "mlx5_vfio_pci", 7);
	fake_vfio_dev(f, VF1, "vfio0", NULL_NUMBER, "/dev/null");
	fake_file(AT(f, "sys/bus/pci/drivers/mlx5_vfio_pci/module/version"), "1.2.3\n");
	fake_device(f, "pci", VF2, NULL, 7);
	fake_group(f, "7", ZERO_NUMBER, "/dev/zero");
	fake_device(f, "pci", NIC, "e1000e", 2);
	fake_device(f, "pci", VMD, NULL, -1);
	fake_device(f, "mdev", MDEV, "mtty", 9);
	fake_vfio_dev(f, MDEV, "vfio1", NULL, NULL);
	fake_group(f, "9", FULL_NUMBER, "/dev/full");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_host_free(*state);
	return 0;
}

/* "@" at the start of a row's text stands for the root of the tree. */
static const char *expand(struct fake_host *f, const char *text)
{
	return text[0] == '@' ? AT(f, "%s", text + 2) : text;
}

static struct vfio_node *resolve(struct fake_host *f, const char *spec)
{
	struct vfio_node *node = NULL;
	struct err err = { 0 };
	int r = vfio_node_resolve(&f->host, spec, &node, &err);

	if (r < 0)
		print_message("# %s\n", err.text);
	assert_int_equal(r, 0);
	return node;
}

static void every_form_finds_the_same_device(void **state)
{
	static const char *const specs[] = {
		"0000:3b:00.1",
		"3b:00.1",
		"0000:3B:00.1",
		"vfio0",
		"@/dev/vfio/devices/vfio0",
		"@/jail/renamed",
		"@/sys/bus/pci/devices/0000:3b:00.1",
		"@/sys/bus/pci/devices/0000:3b:00.1/",
		"@/sys/devices/" VF1,
		"@/sys/class/vfio-dev/vfio0",
		"@/sys/devices/" VF1 "/vfio-dev/vfio0",
		"@/shortcut",
	};
	struct fake_host *f = *state;

	fake_link(AT(f, "jail/renamed"), "/dev/null");
	fake_link(AT(f, "shortcut"), AT(f, "sys/bus/pci/devices/0000:3b:00.1"));
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;

		print_message("# %s\n", specs[i]);
		node = resolve(f, expand(f, specs[i]));
		assert_string_equal(node->name, "0000:3b:00.1");
		assert_string_equal(node->sysfs, AT(f, "sys/devices/" VF1));
	}
}

static void node_says_what_sysfs_says(void **state)
{
	static const struct {
		const char *spec, *name, *bus, *driver, *version, *cdev;
		int group;
		bool vfio;
	} rows[] = {
		/* clang-format off */
		{ "3b:00.1", "0000:3b:00.1", "pci", "mlx5_vfio_pci", "1.2.3", "vfio0", 7, true },
		{ "3b:00.2", "0000:3b:00.2", "pci", NULL, NULL, NULL, 7, false },
		{ "00:03.0", "0000:00:03.0", "pci", "e1000e", NULL, NULL, 2, false },
		{ "10000:E1:00.0", "10000:e1:00.0", "pci", NULL, NULL, NULL, -1, false },
		{ UUID, UUID, "mdev", "mtty", NULL, NULL, 9, true },
		{ UUID_CAPITALS, UUID, "mdev", "mtty", NULL, NULL, 9, true },
		{ "vfio1", UUID, "mdev", "mtty", NULL, NULL, 9, true },
		/* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(*state, rows[i].spec);

		print_message("# %s\n", rows[i].spec);
		assert_string_equal(node->name, rows[i].name);
		assert_string_equal(node->bus, rows[i].bus);
		assert_string_equal(node->driver ? node->driver : "-",
				    rows[i].driver ? rows[i].driver : "-");
		assert_string_equal(node->driver_version ? node->driver_version : "-",
				    rows[i].version ? rows[i].version : "-");
		assert_string_equal(node->cdev ? node->cdev : "-",
				    rows[i].cdev ? rows[i].cdev : "-");
		assert_int_equal(node->group, rows[i].group);
		assert_false(node->noiommu);
		assert_int_equal(node->vfio, rows[i].vfio);
	}
}

static void what_is_not_found_is_named(void **state)
{
	static const struct {
		const char *spec;
		int code, status;
		const char *text; /* after the path, where @spec is one */
		bool hint;
	} rows[] = {
		/* clang-format off */
		{ "0000:ff:1f.7", -ENODEV, ERR_MISSING, "0000:ff:1f.7: no such PCI device", false },
		{ "FF:1f.7",      -ENODEV, ERR_MISSING, "0000:ff:1f.7: no such PCI device", false },
		{ "vfio9",        -ENODEV, ERR_MISSING, "vfio9: no such VFIO device", false },
		{ "83b8f4f2-509f-382f-3c1e-e6bfe0fa1002", -ENODEV, ERR_MISSING,
		  "83b8f4f2-509f-382f-3c1e-e6bfe0fa1002: no such mdev", false },
		{ "xyz",          -EINVAL, ERR_USAGE, "xyz: not a device name", true },
		{ "",             -EINVAL, ERR_USAGE, "\"\": not a device name", true },
		{ "@/nowhere",    -ENODEV, ERR_MISSING, "no such device", false },
		{ "@/file/below", -ENODEV, ERR_MISSING, "no such device", false },
		{ "@/sys/bus/pci/devices/0000:ff:1f.7", -ENODEV, ERR_MISSING,
		  "no such device", false },
		{ "@/file",       -EINVAL, ERR_USAGE,
		  "neither a VFIO device's node nor its sysfs folder", true },
		{ "@/dev/tty",    -ENODEV, ERR_MISSING, "no device behind this node", false },
		{ "@/dev/random", -EINVAL, ERR_USAGE, "not the node of a VFIO device", true },
		{ "@/sys",        -EINVAL, ERR_USAGE, "not the folder of a device in sysfs", true },
		{ "@/dev",        -EINVAL, ERR_USAGE, "not the folder of a device in sysfs", true },
		{ "@/sys/bus/pci", -EINVAL, ERR_USAGE,
		  "not the folder of a device in sysfs", true },
		{ "@/loop",       -ELOOP, ERR_SYSTEM, "", false },
		{ "@/dev/vfio/7", -EINVAL, ERR_USAGE,
		  "a group, not a device; it holds 0000:3b:00.1, 0000:3b:00.2", true },
		{ "@/sys/class/vfio/7", -EINVAL, ERR_USAGE,
		  "a group, not a device; it holds 0000:3b:00.1, 0000:3b:00.2", true },
		{ "@/sys/kernel/iommu_groups/7", -EINVAL, ERR_USAGE,
		  "a group, not a device; it holds 0000:3b:00.1, 0000:3b:00.2", true },
		{ "@/dev/vfio/9", -EINVAL, ERR_USAGE,
		  "a group, not a device; it holds " UUID, true },
		/* clang-format on */
	};
	struct fake_host *f = *state;

	fake_file(AT(f, "file"), "");
	fake_link(AT(f, "loop"), "loop");
	fake_link(AT(f, "dev/tty"), "/dev/tty");
	fake_link(AT(f, "dev/random"), "/dev/random");
	fake_link(AT(f, "sys/dev/char/1:8"), AT(f, "sys/devices/virtual/mem/random"));
	fake_link(AT(f, "sys/devices/virtual/mem/random/subsystem"), AT(f, "sys/class/mem"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vfio_node *node = NULL;
		struct err err = { 0 };
		char text[sizeof(err.text) + PATH_MAX];

		print_message("# %s\n", rows[i].spec);
		assert_int_equal(vfio_node_resolve(&f->host, expand(f, rows[i].spec), &node, &err),
				 rows[i].code);
		assert_null(node);
		assert_int_equal(err.code, rows[i].code);
		assert_int_equal(err_status(&err), rows[i].status);
		assert_int_equal(err.hint[0] != '\0', rows[i].hint);
		snprintf(text, sizeof(text), "%s%s%s",
			 rows[i].spec[0] == '@' ? expand(f, rows[i].spec) : "",
			 rows[i].spec[0] == '@' && rows[i].text[0] ? ": " : "", rows[i].text);
		assert_string_equal(err.text, text);
	}
}

static void large_group_is_counted_and_an_empty_one_said(void **state)
{
	struct fake_host *f = *state;
	struct vfio_node *node = NULL;
	struct err err = { 0 };

	for (int i = 1; i <= 11; i++)
		fake_link(AT(f, "sys/kernel/iommu_groups/4/devices/0000:05:%02x.0", i), "nowhere");
	fake_dir(AT(f, "sys/kernel/iommu_groups/5/devices"));
	assert_int_equal(
		vfio_node_resolve(&f->host, AT(f, "sys/kernel/iommu_groups/4"), &node, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "holds 0000:05:01.0, 0000:05:02.0, "));
	assert_non_null(strstr(err.text, ", 0000:05:08.0 and 3 more"));
	assert_int_equal(
		vfio_node_resolve(&f->host, AT(f, "sys/kernel/iommu_groups/5"), &node, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "it holds no device"));
	assert_null(node);
}

static void list_has_the_devices_of_vfio_in_order(void **state)
{
	struct fake_host *f = *state;
	struct vfio_nodes nodes = { 0 };
	struct err err = { 0 };

	fake_vfio_dev(f, VF2, "vfio2", NULL, NULL);
	assert_int_equal(vfio_nodes_list(&f->host, &nodes, &err), 0);
	assert_int_equal(nodes.n, 3);
	assert_string_equal(nodes.v[0]->name, "0000:3b:00.1");
	assert_string_equal(nodes.v[1]->name, "0000:3b:00.2");
	assert_string_equal(nodes.v[2]->name, UUID);
	vfio_nodes_done(&nodes);
	assert_int_equal(nodes.n, 0);
}

static void host_without_vfio_has_an_empty_list(void **state)
{
	struct fake_host *f = *state;
	struct vfio_nodes nodes = { 0 };
	struct err err = { 0 };

	fake_remove(AT(f, "sys"));
	fake_dir(AT(f, "sys/class"));
	fake_dir(AT(f, "sys/devices"));
	assert_int_equal(vfio_nodes_list(&f->host, &nodes, &err), 0);
	assert_int_equal(nodes.n, 0);
	vfio_nodes_done(&nodes);
}

/* A mount point is there in every system's root; what is not mounted there proves nothing. */
static void host_without_sysfs_is_an_error_and_not_an_empty_list(void **state)
{
	static const char *const specs[] = { "3b:00.1", "vfio0", UUID, "@/dev/vfio/devices/vfio0" };
	struct fake_host *f = *state;
	struct vfio_nodes nodes = { 0 };
	struct vfio_node *node = NULL;
	struct err err = { 0 };

	for (int exists = 0; exists < 2; exists++) {
		fake_remove(AT(f, "sys"));
		if (exists)
			fake_dir(AT(f, "sys"));
		assert_int_equal(vfio_nodes_list(&f->host, &nodes, &err), -ENOENT);
		assert_non_null(strstr(err.text, "/sys: no sysfs is mounted here"));
		assert_int_equal(err_status(&err), ERR_SYSTEM);
		assert_null(nodes.v);
		for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
			memset(&err, 0, sizeof(err));
			assert_int_equal(
				vfio_node_resolve(&f->host, expand(f, specs[i]), &node, &err),
				-ENOENT);
			assert_non_null(strstr(err.text, "no sysfs is mounted here"));
			assert_int_equal(err_status(&err), ERR_SYSTEM);
		}
	}
}

static void group_lists_all_of_its_devices(void **state)
{
	struct fake_host *f = *state;
	struct vfio_nodes nodes = { 0 };

	fake_device(f, "pci", "pci0000:3a/0000:3a:00.0", "pcieport", 7);
	assert_int_equal(vfio_nodes_in_group(&f->host, 7, &nodes, NULL), 0);
	assert_int_equal(nodes.n, 3);
	assert_string_equal(nodes.v[0]->name, "0000:3a:00.0");
	assert_false(vfio_node_uses_dma(nodes.v[0]));
	assert_string_equal(nodes.v[1]->name, "0000:3b:00.1");
	assert_true(nodes.v[1]->vfio);
	assert_false(vfio_node_uses_dma(nodes.v[1]));
	assert_string_equal(nodes.v[2]->name, "0000:3b:00.2");
	assert_false(vfio_node_uses_dma(nodes.v[2]));
	vfio_nodes_done(&nodes);
	assert_int_equal(vfio_nodes_in_group(&f->host, 2, &nodes, NULL), 0);
	assert_int_equal(nodes.n, 1);
	assert_true(vfio_node_uses_dma(nodes.v[0]));
	vfio_nodes_done(&nodes);
	assert_int_equal(vfio_nodes_in_group(&f->host, 99, &nodes, NULL), 0);
	assert_int_equal(nodes.n, 0);
}

/* What 6.0 and older show: group nodes, and no word on which devices are VFIO's. */
static void older_kernel_is_read_by_its_groups(void **state)
{
	struct fake_host *f = *state;
	struct vfio_nodes nodes = { 0 };
	struct err err = { 0 };

	fake_remove(AT(f, "sys/class/vfio-dev"));
	fake_remove(AT(f, "sys/devices/" VF1 "/vfio-dev"));
	fake_remove(AT(f, "sys/devices/" MDEV "/vfio-dev"));
	fake_device(f, "pci", "pci0000:3a/0000:3a:00.0", "pcieport", 7);
	assert_int_equal(vfio_nodes_list(&f->host, &nodes, &err), 0);
	assert_int_equal(nodes.n, 2);
	assert_string_equal(nodes.v[0]->name, "0000:3b:00.1");
	assert_null(nodes.v[0]->cdev);
	assert_int_equal(nodes.v[0]->group, 7);
	assert_string_equal(nodes.v[1]->name, UUID);
	vfio_nodes_done(&nodes);
}

static void group_without_iommu_is_told_apart(void **state)
{
	struct fake_host *f = *state;
	struct vfio_nodes nodes = { 0 };
	struct vfio_node *none = NULL;
	struct err err = { 0 };
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;

	fake_remove(AT(f, "sys/class/vfio-dev"));
	fake_remove(AT(f, "sys/class/vfio"));
	fake_device(f, "pci", VMD, "vfio-pci", 12);
	fake_group(f, "noiommu-12", "5:0", "/dev/tty");
	node = resolve(f, "10000:e1:00.0");
	assert_true(node->noiommu);
	assert_true(node->vfio);
	assert_int_equal(node->group, 12);
	assert_int_equal(vfio_nodes_list(&f->host, &nodes, &err), 0);
	assert_int_equal(nodes.n, 1);
	vfio_nodes_done(&nodes);
	assert_int_equal(vfio_node_resolve(&f->host, AT(f, "dev/vfio/noiommu-12"), &none, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "it holds 10000:e1:00.0"));
}

static void half_gone_device_is_missing_and_not_listed(void **state)
{
	static const char *const gone[] = {
		"sys/devices/" VF1,
		"sys/devices/" VF1 "/subsystem",
		"sys/devices/" VF1 "/vfio-dev/vfio0/device",
	};
	struct fake_host *f = *state;
	struct vfio_node *node = NULL;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		struct vfio_nodes nodes = { 0 };

		print_message("# %s\n", gone[i]);
		fake_device(f, "pci", VF1, "mlx5_vfio_pci", 7);
		fake_vfio_dev(f, VF1, "vfio0", NULL_NUMBER, "/dev/null");
		fake_remove(AT(f, "%s", gone[i]));
		assert_int_equal(vfio_node_resolve(&f->host, "vfio0", &node, &err), -ENODEV);
		assert_string_equal(err.text, "vfio0: no such VFIO device");
		assert_null(node);
		memset(&err, 0, sizeof(err));
		assert_int_equal(vfio_nodes_list(&f->host, &nodes, &err), 0);
		assert_int_equal(err.code, 0);
		assert_int_equal(nodes.n, 1);
		assert_string_equal(nodes.v[0]->name, UUID);
		vfio_nodes_done(&nodes);
	}
}

struct churn {
	char here[PATH_MAX], away[PATH_MAX];
	atomic_bool stop;
};

/* The pauses let the other thread go on under valgrind, which runs one at a time. */
static void *come_and_go(void *arg)
{
	static const struct timespec moment = { .tv_nsec = 20000 };
	struct churn *c = arg;

	while (!atomic_load(&c->stop)) {
		if (rename(c->here, c->away) < 0 || rename(c->away, c->here) < 0)
			return c;
		nanosleep(&moment, NULL);
	}
	return NULL;
}

static void devices_may_leave_while_they_are_listed(void **state)
{
	struct fake_host *f = *state;
	struct churn churn = { .stop = false };
	bool failed = false;
	pthread_t thread;
	void *broken;

	snprintf(churn.here, sizeof(churn.here), "%s", AT(f, "sys/devices/" VF1));
	snprintf(churn.away, sizeof(churn.away), "%s", AT(f, "sys/away"));
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, &churn), 0);
	for (int i = 0; i < 100; i++) {
		struct vfio_nodes nodes = { 0 };

		if (vfio_nodes_list(&f->host, &nodes, NULL) < 0 || nodes.n < 1 || nodes.n > 2)
			failed = true;
		vfio_nodes_done(&nodes);
	}
	atomic_store(&churn.stop, true);
	pthread_join(thread, &broken);
	assert_null(broken);
	assert_false(failed);
}

static void strange_content_is_not_believed(void **state)
{
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct vfio_node *none = NULL;
	struct err err = { 0 };

	fake_link(AT(f, "sys/devices/" VF1 "/iommu_group"), "/99999999999999");
	fake_dir(AT(f, "sys/devices/" VF2 "/vfio-dev/oddity"));
	node = resolve(f, "3b:00.1");
	assert_int_equal(node->group, -1);
	node = vfio_node_free(node);
	node = resolve(f, "3b:00.2");
	assert_false(node->vfio);
	fake_link(AT(f, "sys/bus/pci/devices/0000:66:00.0"), "/");
	assert_int_equal(vfio_node_resolve(&f->host, "66:00.0", &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not in "));
}

static void sysfs_folder_may_be_relative(void **state)
{
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct vfio_node *none = NULL;
	struct err err = { 0 };

	assert_int_equal(vfio_node_from_sysfs(&f->host, "class/vfio-dev/vfio0", &node, &err),
			 VFIO_NODE_FOUND);
	assert_string_equal(node->name, "0000:3b:00.1");
	assert_int_equal(vfio_node_from_sysfs(&f->host, "devices/none", &none, &err),
			 VFIO_NODE_ABSENT);
	assert_int_equal(vfio_node_from_sysfs(&f->host, "bus/pci", &none, &err), VFIO_NODE_ABSENT);
	assert_int_equal(err.code, 0);
	assert_null(none);
}

static void debugfs_answers_in_the_words_of_the_kernel(void **state)
{
	static const struct {
		const char *path, *text;
		size_t size;
		int answer;
		const char *word;
	} rows[] = {
		/* clang-format off */
		{ NULL, NULL, 32, DEBUGFS_ABSENT, "" },
		{ "", NULL, 32, DEBUGFS_ABSENT, "" },
		{ "/0000:3b:00.1", NULL, 32, DEBUGFS_NO_V2, "" },
		{ "/0000:3b:00.1/migration", NULL, 32, DEBUGFS_NO_V2, "" },
		{ "/0000:3b:00.1/migration/state", "RUNNING\n", 32, DEBUGFS_STATE, "RUNNING" },
		{ "/0000:3b:00.1/migration/state", "PRE_COPY_P2P\n", 32, DEBUGFS_STATE,
		  "PRE_COPY_P2P" },
		{ "/0000:3b:00.1/migration/state", "PRE_COPY_P2P\n", 5, DEBUGFS_STATE, "PRE_" },
		{ "/0000:3b:00.1/migration/state", "STOP\nmore\n", 32, DEBUGFS_STATE, "STOP" },
		/* clang-format on */
	};
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f, "3b:00.1");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		char word[32] = "";

		if (rows[i].text)
			fake_file(AT(f, "sys/kernel/debug/vfio%s", rows[i].path), rows[i].text);
		else if (rows[i].path)
			fake_dir(AT(f, "sys/kernel/debug/vfio%s", rows[i].path));
		assert_int_equal(debugfs_migration_state(&f->host, node, word, rows[i].size, &err),
				 rows[i].answer);
		assert_string_equal(word, rows[i].word);
		assert_int_equal(err.code, 0);
	}
}

static void driver_that_does_not_say_its_state_is_an_error(void **state)
{
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f, "3b:00.1");
	struct err err = { 0 };
	char word[32];
	int r;

	/* A folder cannot be read: the nearest that files come to a driver's refusal. */
	fake_dir(AT(f, "sys/kernel/debug/vfio/0000:3b:00.1/migration/state"));
	r = debugfs_migration_state(&f->host, node, word, sizeof(word), &err);
	assert_int_equal(r, -EISDIR);
	assert_string_equal(err.text, "0000:3b:00.1: migration state in debugfs");
}

static void pci_ids_are_read_from_sysfs(void **state)
{
	static const char *const attrs[][2] = {
		{ "vendor", "0x15b3\n" },	    { "device", "0x101e\n" },
		{ "subsystem_vendor", "0x15b3\n" }, { "subsystem_device", "0x0083\n" },
		{ "class", "0x020000\n" },	    { "revision", "0x01\n" },
	};
	static const struct {
		const char *attr, *text;
		int code;
	} rows[] = {
		{ "vendor", "15b3\n", -EINVAL },    { "vendor", "0x115b3\n", -ERANGE },
		{ "class", "0x1020000", -ERANGE },  { "revision", "0x", -EINVAL },
		{ "device", "0x10 1e\n", -EINVAL }, { "device", "", -EINVAL },
	};
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = resolve(f, "3b:00.1");
	_cleanup_(vfio_node_freep) struct vfio_node *mdev = resolve(f, UUID);
	struct pci_ids ids;

	assert_int_equal(pci_ids_from_sysfs(&f->host, mdev, &ids), -ENOENT);
	assert_int_equal(pci_ids_from_sysfs(&f->host, node, &ids), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		fake_file(AT(f, "sys/devices/" VF1 "/%s", attrs[i][0]), attrs[i][1]);
	assert_int_equal(pci_ids_from_sysfs(&f->host, node, &ids), 0);
	assert_int_equal(ids.vendor, 0x15b3);
	assert_int_equal(ids.device, 0x101e);
	assert_int_equal(ids.subsystem_vendor, 0x15b3);
	assert_int_equal(ids.subsystem_device, 0x0083);
	assert_int_equal(ids.class_code, 0x020000);
	assert_int_equal(ids.revision, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("# %s, row %zu\n", rows[i].attr, i);
		fake_file(AT(f, "sys/devices/" VF1 "/%s", rows[i].attr), rows[i].text);
		assert_int_equal(pci_ids_from_sysfs(&f->host, node, &ids), rows[i].code);
		for (size_t j = 0; j < ARRAY_SIZE(attrs); j++)
			fake_file(AT(f, "sys/devices/" VF1 "/%s", attrs[j][0]), attrs[j][1]);
	}
}

static void pci_ids_are_read_from_config_space(void **state)
{
	uint8_t config[256] = {
		/* clang-format off */
		[0x00] = 0x53, 0x43, 0x4d, 0x44, /* vendor, device */
		[0x08] = 0x10, 0x02, 0x00, 0x07, /* revision, interface, subclass, class */
		[0x2c] = 0x48, 0x43, 0x31, 0x32,
		/* clang-format on */
	};
	struct pci_ids ids;

	(void)state;
	assert_int_equal(pci_ids_from_config(config, 64, &ids), 0);
	assert_int_equal(ids.vendor, 0x4353);
	assert_int_equal(ids.device, 0x444d);
	assert_int_equal(ids.subsystem_vendor, 0x4348);
	assert_int_equal(ids.subsystem_device, 0x3231);
	assert_int_equal(ids.class_code, 0x070002);
	assert_int_equal(ids.revision, 0x10);

	config[0x0e] = 0x81; /* a bridge, one of several functions */
	assert_int_equal(pci_ids_from_config(config, sizeof(config), &ids), 0);
	assert_int_equal(ids.subsystem_vendor, 0);

	assert_int_equal(pci_ids_from_config(config, 63, &ids), -EINVAL);
	assert_int_equal(pci_ids_from_config(config, 0, &ids), -EINVAL);
	config[0] = config[1] = 0xff;
	assert_int_equal(pci_ids_from_config(config, sizeof(config), &ids), -EINVAL);
}

static void name_of_a_function_never_leaves_the_buffer(void **state)
{
	static const struct pci_ids rows[] = {
		{ .vendor = 0x15b3, .device = 0x101e }, /* in any database */
		{ .vendor = 0xfffe, .device = 0xfffe }, /* in none */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[128] = "old", tiny[4] = "old", none[1] = { 'x' };

		pci_ids_name(&rows[i], name, sizeof(name));
		assert_string_not_equal(name, "old");
		assert_true(strlen(name) < sizeof(name));
		pci_ids_name(&rows[i], tiny, sizeof(tiny));
		assert_true(strlen(tiny) < sizeof(tiny));
		assert_string_not_equal(tiny, "old");
		pci_ids_name(&rows[i], none, 0);
		assert_int_equal(none[0], 'x');
	}
}

static void name_of_a_function_is_as_in_the_database(void **state)
{
	static const char text[] = "# pci.ids\n"
				   "\n"
				   "0010  Other\n"
				   "\t101e  not this one\n"
				   "15b3  Mellanox Technologies\n"
				   "# a remark\n"
				   "\t101d  First\n"
				   "\t\t101e 0001  a subsystem\n"
				   "\t101e  ConnectX Virtual Function\n"
				   "15b4  Last\n"
				   "\t1020  at the end";
	static const struct {
		struct pci_ids ids;
		const char *name;
	} rows[] = {
		{ { .vendor = 0x15b3, .device = 0x101e },
		  "Mellanox Technologies ConnectX Virtual Function" },
		{ { .vendor = 0x15b3, .device = 0x101d }, "Mellanox Technologies First" },
		{ { .vendor = 0x15b4, .device = 0x1020 }, "Last at the end" },
		{ { .vendor = 0x15b3, .device = 0x1020 }, "" },
		{ { .vendor = 0x15b4, .device = 0x101e }, "" },
		{ { .vendor = 0x0001, .device = 0x101e }, "" },
		{ { .vendor = 0xffff, .device = 0x0001 }, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t fits = strlen(rows[i].name) + 1;

		for (size_t size = 1; size <= fits; size++) {
			FILE *database = fmemopen((void *)text, sizeof(text) - 1, "r");
			char name[64] = "old";

			pci_ids_find(database, &rows[i].ids, name, size);
			assert_string_equal(name, size < fits ? "" : rows[i].name);
			fclose(database);
		}
	}
}

static void processes_are_found_with_all_they_have_started(void **state)
{
	static const struct {
		int pid;
		const char *text;
	} rows[] = {
		{ 10, "10 (tool) S 1 10 10" },
		{ 11, "11 (sh) S 10 10 10" },
		{ 12, "12 (a) R 9) S 11 10 10" },
		{ 13, "13 (b c) Z 12 10 10" },
		{ 14, "14 (other) S 10 10 10" },
		{ 15, "15 (its) S 14 10 10" },
		{ 16, "16 (else) S 1 16 16" },
		{ 17, "17 (cut" },
		{ 18, "" },
	};
	const struct processes other = { { 14 }, 1 };
	struct fake_host *f = *state;
	struct processes found;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		fake_file(AT(f, "proc/%d/stat", rows[i].pid), rows[i].text);
	fake_file(AT(f, "proc/10x/stat"), rows[1].text);
	processes_below(&f->host, 11, NULL, &found);
	assert_int_equal(found.n, 2);
	assert_int_equal(found.pids[0], 12);
	assert_int_equal(found.pids[1], 13);
	processes_below(&f->host, 10, NULL, &found);
	assert_int_equal(found.n, 5);
	processes_below(&f->host, 10, &other, &found);
	assert_int_equal(found.n, 3);
	assert_int_equal(found.pids[0], 11);
	processes_below(&f->host, 13, NULL, &found);
	assert_int_equal(found.n, 0);
}

static void more_processes_than_there_is_room_for_are_not_listed(void **state)
{
	struct fake_host *f = *state;
	struct processes found;

	for (int pid = 1000; pid < 2000; pid++) {
		char text[64];

		snprintf(text, sizeof(text), "%d (x) S %d 1 1", pid, pid < 1010 ? 10 : pid - 10);
		fake_file(AT(f, "proc/%d/stat", pid), text);
	}
	processes_below(&f->host, 10, NULL, &found);
	assert_int_equal(found.n, PROCESSES_MAX);
	fake_remove(f->proc);
	processes_below(&f->host, 10, NULL, &found);
	assert_int_equal(found.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_form_finds_the_same_device),
		TEST(node_says_what_sysfs_says),
		TEST(what_is_not_found_is_named),
		TEST(large_group_is_counted_and_an_empty_one_said),
		TEST(list_has_the_devices_of_vfio_in_order),
		TEST(host_without_vfio_has_an_empty_list),
		TEST(host_without_sysfs_is_an_error_and_not_an_empty_list),
		TEST(group_lists_all_of_its_devices),
		TEST(older_kernel_is_read_by_its_groups),
		TEST(group_without_iommu_is_told_apart),
		TEST(half_gone_device_is_missing_and_not_listed),
		TEST(devices_may_leave_while_they_are_listed),
		TEST(strange_content_is_not_believed),
		TEST(sysfs_folder_may_be_relative),
		TEST(debugfs_answers_in_the_words_of_the_kernel),
		TEST(driver_that_does_not_say_its_state_is_an_error),
		TEST(processes_are_found_with_all_they_have_started),
		TEST(more_processes_than_there_is_room_for_are_not_listed),
		TEST(pci_ids_are_read_from_sysfs),
		cmocka_unit_test(pci_ids_are_read_from_config_space),
		cmocka_unit_test(name_of_a_function_never_leaves_the_buffer),
		cmocka_unit_test(name_of_a_function_is_as_in_the_database),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
