// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "host/dev-name.h"

#define UUID "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"

struct row {
	const char *spec;
	enum dev_form form;
	const char *kernel;
};

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct dev_name name;

		print_message("# \"%s\"\n", rows[i].spec);
		assert_int_equal(dev_name_parse(rows[i].spec, &name), rows[i].form);
		assert_int_equal(name.form, rows[i].form);
		assert_string_equal(name.kernel, rows[i].kernel);
	}
}

static void every_spelling_becomes_the_one_of_the_kernel(void **state)
{
	static const struct row rows[] = {
		/* clang-format off */
		{ "0000:3b:00.1",     DEV_FORM_PCI, "0000:3b:00.1" },
		{ "3b:00.1",          DEV_FORM_PCI, "0000:3b:00.1" },
		{ "0000:3B:00.1",     DEV_FORM_PCI, "0000:3b:00.1" },
		{ "0:3b:0.1",         DEV_FORM_PCI, "0000:3b:00.1" },
		{ "00000000:3B:00.1", DEV_FORM_PCI, "0000:3b:00.1" },
		{ "10000:E1:1f.7",    DEV_FORM_PCI, "10000:e1:1f.7" },
		{ "ffffffff:ff:1f.7", DEV_FORM_PCI, "ffffffff:ff:1f.7" },
		{ "0:0:0.0",          DEV_FORM_PCI, "0000:00:00.0" },
		{ UUID,               DEV_FORM_MDEV, UUID },
		{ "83B8F4F2-509F-382f-3C1E-E6BFE0FA1001", DEV_FORM_MDEV, UUID },
		{ "vfio0",            DEV_FORM_VFIO, "vfio0" },
		{ "vfio104857",       DEV_FORM_VFIO, "vfio104857" },
		{ "/dev/vfio/devices/vfio0", DEV_FORM_PATH, "" },
		{ "/sys/bus/pci/devices/0000:3b:00.1", DEV_FORM_PATH, "" },
		{ "./node",           DEV_FORM_PATH, "" },
		{ "/",                DEV_FORM_PATH, "" },
		/* clang-format on */
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void what_is_almost_a_name_is_none(void **state)
{
	static const struct row rows[] = {
		/* clang-format off */
		{ "", DEV_FORM_NONE, "" },
		{ "xyz", DEV_FORM_NONE, "" },
		{ " 3b:00.1", DEV_FORM_NONE, "" },
		{ "3b:00.1 ", DEV_FORM_NONE, "" },
		{ "3b:00", DEV_FORM_NONE, "" },
		{ "3b:00.", DEV_FORM_NONE, "" },
		{ "3b:00.8", DEV_FORM_NONE, "" },
		{ "3b:20.0", DEV_FORM_NONE, "" },
		{ "3b:00.01", DEV_FORM_NONE, "" },
		{ "03b:00.1", DEV_FORM_NONE, "" },
		{ "3g:00.1", DEV_FORM_NONE, "" },
		{ ":3b:00.1", DEV_FORM_NONE, "" },
		{ "0000::3b:00.1", DEV_FORM_NONE, "" },
		{ "0000:3b:00:1", DEV_FORM_NONE, "" },
		{ "0000:3b.00.1", DEV_FORM_NONE, "" },
		{ "100000000:3b:00.1", DEV_FORM_NONE, "" },
		{ "-1:3b:00.1", DEV_FORM_NONE, "" },
		{ "0x3b:00.1", DEV_FORM_NONE, "" },
		{ "vfio", DEV_FORM_NONE, "" },
		{ "vfio-1", DEV_FORM_NONE, "" },
		{ "vfio00", DEV_FORM_NONE, "" },
		{ "vfio1x", DEV_FORM_NONE, "" },
		{ "VFIO0", DEV_FORM_NONE, "" },
		{ "vfio1234567890", DEV_FORM_NONE, "" },
		{ "7", DEV_FORM_NONE, "" },
		{ "fd:3", DEV_FORM_NONE, "" },
		{ "pid:4242", DEV_FORM_NONE, "" },
		{ "83b8f4f2-509f-382f-3c1e-e6bfe0fa100", DEV_FORM_NONE, "" },
		{ "83b8f4f2-509f-382f-3c1e-e6bfe0fa10012", DEV_FORM_NONE, "" },
		{ "83b8f4f2-509f-382f-3c1e-e6bfe0fa100g", DEV_FORM_NONE, "" },
		{ "83b8f4f2+509f-382f-3c1e-e6bfe0fa1001", DEV_FORM_NONE, "" },
		{ "83b8f4f2509f382f3c1ee6bfe0fa1001", DEV_FORM_NONE, "" },
		{ "{83b8f4f2-509f-382f-3c1e-e6bfe0fa1001}", DEV_FORM_NONE, "" },
		/* clang-format on */
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void vfs_and_ports_have_a_number(void **state)
{
	static const struct {
		const char *spec;
		enum dev_form form;
		const char *kernel;
		uint32_t number;
	} rows[] = {
		/* clang-format off */
		{ "0000:3b:00.0/vf3",     DEV_FORM_VF,   "0000:3b:00.0", 3 },
		{ "3B:0.0/vf0",           DEV_FORM_VF,   "0000:3b:00.0", 0 },
		{ "eth0/vf65535",         DEV_FORM_VF,   "eth0", 65535 },
		{ "enp59s0f0np0/vf127",   DEV_FORM_VF,   "enp59s0f0np0", 127 },
		{ "vfio0/vf1",            DEV_FORM_VF,   "vfio0", 1 },
		{ "eth0/vf65536",         DEV_FORM_PATH, "", 0 },
		{ "eth0/vf03",            DEV_FORM_PATH, "", 0 },
		{ "eth0/vf",              DEV_FORM_PATH, "", 0 },
		{ "eth0/vf-1",            DEV_FORM_PATH, "", 0 },
		{ "eth0/vf1x",            DEV_FORM_PATH, "", 0 },
		{ "eth0/vfio1",           DEV_FORM_PATH, "", 0 },
		{ "3b:00.9/vf1",          DEV_FORM_PATH, "", 0 },
		{ "/vf1",                 DEV_FORM_PATH, "", 0 },
		{ "./vf1",                DEV_FORM_PATH, "", 0 },
		{ "../vf1",               DEV_FORM_PATH, "", 0 },
		{ "./eth0/vf1",           DEV_FORM_PATH, "", 0 },
		{ "/sys/class/net/eth0/vf1", DEV_FORM_PATH, "", 0 },
		{ "an-interface-with-a-name-of-more-than-sixty-four-characters-12345/vf1",
		  DEV_FORM_PATH, "", 0 },
		{ "pci/0000:3b:00.0/4",   DEV_FORM_PORT, "0000:3b:00.0", 4 },
		{ "pci/3b:00.0/0",        DEV_FORM_PORT, "0000:3b:00.0", 0 },
		{ "pci/0000:3b:00.0/4294967295", DEV_FORM_PORT, "0000:3b:00.0", 4294967295 },
		{ "pci/0000:3b:00.0/4294967296", DEV_FORM_PATH, "", 0 },
		{ "pci/0000:3b:00.0/",    DEV_FORM_PATH, "", 0 },
		{ "pci/0000:3b:00.0",     DEV_FORM_PATH, "", 0 },
		{ "pci/4",                DEV_FORM_PATH, "", 0 },
		{ "pci//4",               DEV_FORM_PATH, "", 0 },
		{ "pci/0000:3b:00.0/4/5", DEV_FORM_PATH, "", 0 },
		{ "auxiliary/x.sf.2/4",   DEV_FORM_PATH, "", 0 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dev_name name;

		print_message("# \"%s\"\n", rows[i].spec);
		assert_int_equal(dev_name_parse(rows[i].spec, &name), rows[i].form);
		assert_string_equal(name.kernel, rows[i].kernel);
		assert_int_equal(name.number, rows[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_becomes_the_one_of_the_kernel),
		cmocka_unit_test(what_is_almost_a_name_is_none),
		cmocka_unit_test(vfs_and_ports_have_a_number),
	};

	return cmocka_run_group_tests_name("dev-name", tests, NULL, NULL);
}
