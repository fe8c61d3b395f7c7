// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "host/uevent.h"
#include "effort.h"

#define VF "/devices/pci0000:00/0000:00:03.0/0000:01:10.0"

/* Strings with their NULs, the last one with the literal's. */
#define MESSAGE(text) text, sizeof(text)

static void message_says_what_happened_to_which_device(void **state)
{
	static const struct {
		const char *message;
		size_t len;
		struct uevent want;
		const char *device;
	} rows[] = {
		{ MESSAGE("bind@" VF "\0ACTION=bind\0DEVPATH=" VF "\0SUBSYSTEM=pci\0"
			  "DRIVER=vfio-pci\0PCI_SLOT_NAME=0000:01:10.0\0SEQNUM=1234"),
		  { "bind", VF, "pci", "vfio-pci", NULL, 1234, false },
		  "0000:01:10.0" },
		{ MESSAGE("add@" VF "/vfio-dev/vfio3\0SUBSYSTEM=vfio-dev\0"
			  "DEVNAME=vfio/devices/vfio3\0SEQNUM=18446744073709551615"),
		  { "add", VF "/vfio-dev/vfio3", "vfio-dev", NULL, "vfio/devices/vfio3", UINT64_MAX,
		    false },
		  "0000:01:10.0" },
		{ MESSAGE("remove@/devices/virtual/mtty/mtty/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001\0"
			  "SUBSYSTEM=mdev\0SEQNUM=no number\0SYNTH_UUID=0"),
		  { "remove", "/devices/virtual/mtty/mtty/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
		    "mdev", NULL, NULL, 0, true },
		  "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001" },
		{ MESSAGE("change@/"), { "change", "/", NULL, NULL, NULL, 0, false }, "" },
		{ MESSAGE("add@/x\0DRIVERS=a\0DRIVER\0=b\0\0SUBSYSTEM="),
		  { "add", "/x", "", NULL, NULL, 0, false },
		  "x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct uevent *want = &rows[i].want;
		char device[UEVENT_DEVICE_MAX];
		struct uevent e;

		assert_int_equal(uevent_parse(rows[i].message, rows[i].len, &e), 0);
		assert_string_equal(e.action, want->action);
		assert_string_equal(e.devpath, want->devpath);
		assert_string_equal(e.subsystem ? e.subsystem : "-",
				    want->subsystem ? want->subsystem : "-");
		assert_string_equal(e.driver ? e.driver : "-", want->driver ? want->driver : "-");
		assert_string_equal(e.devname ? e.devname : "-",
				    want->devname ? want->devname : "-");
		assert_true(e.seqnum == want->seqnum);
		assert_int_equal(e.synthetic, want->synthetic);
		uevent_device(&e, device);
		assert_string_equal(device, rows[i].device);
	}
}

static void what_is_no_uevent_is_refused(void **state)
{
	static const struct {
		const char *message;
		size_t len;
	} rows[] = {
		{ "", 0 },
		{ MESSAGE("") },
		{ MESSAGE("libudev\0\xfe\xed\xca\xfe") },
		{ MESSAGE("add") },
		{ MESSAGE("add@") },
		{ MESSAGE("add@relative") },
		{ MESSAGE("@/devices") },
		{ MESSAGE("ADD@/devices") },
		{ MESSAGE("addx@/devices") },
		{ MESSAGE("add\0@/devices") },
		{ "add@/devices", 12 }, /* its end is missing */
	};
	struct uevent e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(uevent_parse(rows[i].message, rows[i].len, &e), -EBADMSG);
}

static void only_the_kernel_is_believed(void **state)
{
	static const struct {
		uint32_t pid, groups;
		int64_t uid;
		bool trusted;
	} rows[] = {
		/* clang-format off */
		{ 0,    1, 0,     true },
		{ 4711, 1, 0,     false }, /* root's process, to the kernel's group */
		{ 0,    0, 0,     false }, /* to this socket alone */
		{ 0,    2, 0,     false }, /* udevd's group */
		{ 0,    3, 0,     false },
		{ 0,    1, 1000,  false },
		{ 0,    1, -1,    false },
		{ 0,    1, 65534, false },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(uevent_trusted(rows[i].pid, rows[i].groups, rows[i].uid),
				 rows[i].trusted);
}

static void storm_is_read_to_its_end(void **state)
{
	char message[256];

	(void)state;
	for (unsigned int i = 0; i < 100000; i += effort_share()) {
		int n = snprintf(message, sizeof(message),
				 "add@/devices/pci0000:00/0000:%02x:%02x.%x%cSUBSYSTEM=pci%c"
				 "SEQNUM=%u",
				 i >> 8 & 0xff, i >> 3 & 0x1f, i & 7, 0, 0, i);
		char device[UEVENT_DEVICE_MAX], want[16];
		struct uevent e;

		assert_int_equal(uevent_parse(message, (size_t)n + 1, &e), 0);
		assert_true(e.seqnum == i);
		uevent_device(&e, device);
		snprintf(want, sizeof(want), "0000:%02x:%02x.%x", i >> 8 & 0xff, i >> 3 & 0x1f,
			 i & 7);
		assert_string_equal(device, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_says_what_happened_to_which_device),
		cmocka_unit_test(what_is_no_uevent_is_refused),
		cmocka_unit_test(only_the_kernel_is_believed),
		cmocka_unit_test(storm_is_read_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
