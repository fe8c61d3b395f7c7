// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "fake-host.h"
#include "host/sysfs.h"
#include "host/vf-name.h"

#define BUS "pci0000:3a/"
#define NIC BUS "0000:3b:00.0" /* an Ethernet PF in switchdev mode, VFs 0 and 1 */
#define HCA BUS "0000:3b:00.1" /* an InfiniBand PF, VF 0 */
#define VIRTIO BUS "0000:3c:00.0" /* a virtio-net PF, VF 2 alone is left */
#define NVME BUS "0000:3d:00.0" /* a PF without VFs, and without a name but its address */
#define PLAIN BUS "0000:3e:00.0" /* no SR-IOV */

static void make_function(struct fake_host *f, const char *folder, const char *total,
			  const char *now)
{
	fake_device(f, "pci", folder, "driver", -1);
	if (!total)
		return;
	fake_file(AT(f, "sys/devices/%s/sriov_totalvfs", folder), total);
	fake_file(AT(f, "sys/devices/%s/sriov_numvfs", folder), now);
}

static void make_vf(struct fake_host *f, const char *pf, unsigned int number, const char *vf)
{
	fake_device(f, "pci", vf, NULL, -1);
	fake_link(AT(f, "sys/devices/%s/physfn", vf), AT(f, "sys/devices/%s", pf));
	fake_link(AT(f, "sys/devices/%s/virtfn%u", pf, number), AT(f, "sys/devices/%s", vf));
}

/* @parent: below /sys/devices; @port: phys_port_name, or NULL */
static void make_class(struct fake_host *f, const char *class, const char *parent, const char *name,
		       const char *port)
{
	fake_dir(AT(f, "sys/devices/%s/%s/%s", parent, class, name));
	fake_link(AT(f, "sys/devices/%s/%s/%s/subsystem", parent, class, name),
		  AT(f, "sys/class/%s", class));
	fake_link(AT(f, "sys/class/%s/%s", class, name),
		  AT(f, "sys/devices/%s/%s/%s", parent, class, name));
	if (port)
		fake_file(AT(f, "sys/devices/%s/%s/%s/phys_port_name", parent, class, name), port);
}

static int setup(void **state)
{
	struct fake_host *f = fake_host_new();

	make_function(f, NIC, "8\n", "2\n");
	make_vf(f, NIC, 0, BUS "0000:3b:00.2");
	make_vf(f, NIC, 1, BUS "0000:3b:00.3");
	make_class(f, "net", NIC, "eth0", "p0\n");
	make_class(f, "net", NIC, "a_rep", "pf0vf0\n");
	make_class(f, "net", NIC, "b_rep", "c1pf0vf1\n");
	make_class(f, "net", BUS "0000:3b:00.2", "eth0v0", NULL);
	make_function(f, HCA, "4\n", "1\n");
	make_vf(f, HCA, 0, BUS "0000:3b:01.0");
	make_class(f, "net", HCA, "ib10", NULL);
	make_class(f, "net", HCA, "ib9", NULL);
	make_class(f, "infiniband", HCA, "mlx5_0", NULL);
	make_function(f, VIRTIO, "4\n", "1\n");
	make_vf(f, VIRTIO, 2, BUS "0000:3c:00.3");
	make_class(f, "net", VIRTIO "/virtio4", "ens2", NULL);
	make_function(f, NVME, "4\n", "0\n");
	make_function(f, PLAIN, NULL, NULL);
	make_class(f, "net", PLAIN, "eno1", NULL);
	make_class(f, "net", "virtual", "bond0", NULL);
	fake_dir(AT(f, "sys/devices"));
	fake_dir(AT(f, "sys/class"));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_host_free(*state);
	return 0;
}

/* "@" at the start of a name stands for the tree's /sys. */
static const char *expand(struct fake_host *f, const char *text)
{
	return text[0] == '@' ? AT(f, "sys%s", text + 1) : text;
}

static void every_name_of_the_pf_leads_to_its_vf(void **state)
{
	static const struct {
		const char *spec, *address;
	} rows[] = {
		/* clang-format off */
		{ "0000:3b:00.0/vf1", "0000:3b:00.3" },
		{ "3b:00.0/vf0",      "0000:3b:00.2" },
		{ "3B:00.0/vf0",      "0000:3b:00.2" },
		{ "eth0/vf0",         "0000:3b:00.2" },
		{ "eth0/vf1",         "0000:3b:00.3" },
		{ "a_rep/vf1",        "0000:3b:00.3" },
		{ "ib9/vf0",          "0000:3b:01.0" },
		{ "mlx5_0/vf0",       "0000:3b:01.0" },
		{ "ens2/vf2",         "0000:3c:00.3" },
		{ "eth0",             "0000:3b:00.0" },
		{ "eth0v0",           "0000:3b:00.2" },
		{ "mlx5_0",           "0000:3b:00.1" },
		{ "ens2",             "0000:3c:00.0" },
		{ "@/class/net/eth0/vf1",                 "0000:3b:00.3" },
		{ "@/class/infiniband/mlx5_0/vf0",        "0000:3b:01.0" },
		{ "@/bus/pci/devices/0000:3b:00.0/vf0",   "0000:3b:00.2" },
		{ "@/bus/pci/devices/0000:3b:00.0//vf0",  "0000:3b:00.2" },
		/* clang-format on */
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
		struct err err = { 0 };

		print_message("# %s\n", rows[i].spec);
		assert_int_equal(vfio_node_resolve(&f->host, expand(f, rows[i].spec), &node, &err),
				 0);
		assert_string_equal(node->name, rows[i].address);
	}
}

static void what_is_missing_is_said(void **state)
{
	static const struct {
		const char *spec, *text, *hint;
	} rows[] = {
		/* clang-format off */
		{ "eth7/vf0",    "there is no network or InfiniBand device eth7", "" },
		{ "ff:00.0/vf0", "there is no PCI device 0000:ff:00.0", "" },
		{ "eth0/vf2",    "0000:3b:00.0 has 2 VFs, vf0 to vf1",
		  "vfiomigctl vfs 0000:3b:00.0 shows them" },
		{ "ib9/vf65535", "0000:3b:00.1 has one VF, vf0",
		  "vfiomigctl vfs 0000:3b:00.1 shows them" },
		{ "3d:00.0/vf0", "0000:3d:00.0 has no VFs",
		  "vfiomigctl vfs 0000:3d:00.0 N makes them" },
		{ "eno1/vf0",    "0000:3e:00.0 is no PF: it has no SR-IOV", "" },
		{ "eth0v0/vf0",  "0000:3b:00.2 is a VF itself, of 0000:3b:00.0", "" },
		{ "3b:00.3/vf0", "0000:3b:00.3 is a VF itself, of 0000:3b:00.0", "" },
		{ "bond0",       "there is no PCI function behind bond0", "" },
		{ "bond0/vf0",   "there is no PCI function behind bond0", "" },
		{ "@/class/net/bond0/vf0",  "there is no PCI function behind bond0", "" },
		{ "@/class/net/eth0/vf9",   "0000:3b:00.0 has 2 VFs, vf0 to vf1",
		  "vfiomigctl vfs 0000:3b:00.0 shows them" },
		{ "@/class/net/eth7/vf0",   "no such device", "" },
		{ "@/../dev/vf0",           "no such device", "" },
		/* clang-format on */
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *spec = expand(f, rows[i].spec);
		struct vfio_node *node = NULL;
		struct err err = { 0 };
		char text[sizeof(err.text) + PATH_MAX];

		print_message("# %s\n", rows[i].spec);
		assert_int_equal(vfio_node_resolve(&f->host, spec, &node, &err), -ENODEV);
		assert_null(node);
		assert_int_equal(err_status(&err), ERR_MISSING);
		snprintf(text, sizeof(text), "%s: %s", spec, rows[i].text);
		assert_string_equal(err.text, text);
		assert_string_equal(err.hint, rows[i].hint);
	}
}

/* A VF that goes while it is looked for has a link that leads nowhere. */
static void vf_that_goes_is_missing(void **state)
{
	struct fake_host *f = *state;
	struct vfio_node *node = NULL;
	struct err err = { 0 };

	fake_remove(AT(f, "sys/devices/" BUS "0000:3b:00.3"));
	assert_int_equal(vfio_node_resolve(&f->host, "eth0/vf1", &node, &err), -ENODEV);
	assert_string_equal(err.text, "eth0/vf1: no such PCI device");
	assert_int_equal(err_status(&err), ERR_MISSING);
}

static void no_sysfs_is_not_no_pf(void **state)
{
	struct fake_host *f = *state;
	struct vfio_node *node = NULL;
	struct err err = { 0 };

	fake_remove(f->sys);
	assert_int_equal(vfio_node_resolve(&f->host, "eth0/vf1", &node, &err), -ENOENT);
	assert_int_equal(err_status(&err), ERR_SYSTEM);
	assert_non_null(strstr(err.text, "no sysfs is mounted here"));
}

static void port_leads_to_its_vf_or_says_why_not(void **state)
{
	static const struct {
		struct devlink_port port;
		const char *address, *text;
	} rows[] = {
		{ { .dev = "0000:3b:00.0", .flavour = 4, .is_vf = true, .vf = 1 },
		  "0000:3b:00.3",
		  NULL },
		{ { .dev = "0000:3b:00.1", .flavour = 4, .is_vf = true, .pf = 1 },
		  "0000:3b:01.0",
		  NULL },
		{ { .dev = "0000:3b:00.0", .flavour = 0 },
		  NULL,
		  "not the port of a VF, but of flavour physical" },
		{ { .dev = "0000:3b:00.0", .flavour = 7 },
		  NULL,
		  "not the port of a VF, but of flavour pcisf" },
		{ { .dev = "0000:3b:00.0", .flavour = 99 },
		  NULL,
		  "not the port of a VF, but of flavour unknown" },
		{ { .dev = "0000:3b:00.0", .is_vf = true, .external = true, .controller = 1 },
		  NULL,
		  "the port of a VF of another host (controller 1)" },
		{ { .dev = "0000:3b:00.0", .is_vf = true, .pf = 1 },
		  NULL,
		  "the port of a VF of PF number 1, not of 0000:3b:00.0" },
		{ { .dev = "0000:3b:00.0", .is_vf = true, .vf = 5 },
		  NULL,
		  "0000:3b:00.0 has 2 VFs, vf0 to vf1" },
		{ { .dev = "0000:ff:00.0", .is_vf = true },
		  NULL,
		  "there is no PCI device 0000:ff:00.0" },
	};
	struct fake_host *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char address[PCI_ADDRESS_MAX] = "";
		struct err err = { 0 };
		int r;

		r = vf_name_of_port(&f->host, "pci/3b/4", &rows[i].port, address, &err);
		if (rows[i].address) {
			assert_int_equal(r, 0);
			assert_string_equal(address, rows[i].address);
			continue;
		}
		assert_int_equal(r, -ENODEV);
		assert_int_equal(err_status(&err), ERR_MISSING);
		assert_string_equal(err.text + strlen("pci/3b/4: "), rows[i].text);
	}
}

/* What is shown is taken again, and leads back. */
static void vf_is_called_by_the_network_device_of_its_pf(void **state)
{
	static const struct {
		const char *address, *name;
	} rows[] = {
		{ "3b:00.2", "eth0/vf0" },	   { "3b:00.3", "eth0/vf1" },
		{ "3b:01.0", "ib9/vf0" },	   { "3c:00.3", "ens2/vf2" },
		{ "3d:00.1", "0000:3d:00.0/vf0" },
	};
	struct fake_host *f = *state;

	make_vf(f, NVME, 0, BUS "0000:3d:00.1");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = NULL, *same = NULL;
		struct err err = { 0 };
		char name[VF_NAME_MAX];
		struct pci_vf vf;

		assert_int_equal(vfio_node_resolve(&f->host, rows[i].address, &node, &err), 0);
		assert_int_equal(pci_vf_of(node, &vf, &err), PCI_VF);
		assert_string_equal(vf_name_make(&f->host, &vf, name), rows[i].name);
		assert_int_equal(vfio_node_resolve(&f->host, name, &same, &err), 0);
		assert_string_equal(same->name, node->name);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_name_of_the_pf_leads_to_its_vf),
		TEST(what_is_missing_is_said),
		TEST(vf_that_goes_is_missing),
		TEST(no_sysfs_is_not_no_pf),
		TEST(port_leads_to_its_vf_or_says_why_not),
		TEST(vf_is_called_by_the_network_device_of_its_pf),
	};

	return cmocka_run_group_tests_name("vf-name", tests, NULL, NULL);
}
