// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/bind-plan.h"
#include "engine/vfs.h"
#include "fake-host.h"
#include "host/modalias.h"
#include "host/module.h"
#include "host/pci-use.h"
#include "host/run-record.h"
#include "host/udev-rule.h"

#define VF "pci0000:3a/0000:3b:00.1"
#define MLX5_VF "v000015B3d0000101Esv000015B3sd00000000bc02sc00i00"

/* Lines of modules.alias of Linux 6.12, in its order, and strings of modules.builtin.modinfo. */
static const char *const aliases[] = {
	"# Aliases extracted from modules themselves.",
	"alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core",
	"alias vfio_pci:v000019E5d0000A25Bsv*sd*bc*sc*i* hisi_acc_vfio_pci",
	"alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci",
	"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci",
	"alias vfio_pci:v00001AF4d00001041sv*sd*bc*sc*i* virtio_vfio_pci",
	"alias vfio_pci:v00001DD8d00001003sv*sd*bc*sc*i* pds_vfio_pci",
	"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* another_vfio_pci",
	"alias vfio_pci:v000015B3d0000101E", /* no module */
	"alias symbol:vfio_pci_core_enable vfio_pci_core",
	"",
};

static void alias_with_fewest_wildcards_is_meant(void **state)
{
	static const struct {
		const char *modalias, *module;
		unsigned int wildcards;
	} rows[] = {
		/* clang-format off */
		{ "pci:" MLX5_VF, "mlx5_vfio_pci", 5 },
		{ "pci:v00001DD8d00001003sv00001DD8sd00004000bc02sc00i00", "pds_vfio_pci", 5 },
		{ "pci:v00008086d000010CAsv00008086sd00000000bc02sc00i00", "vfio_pci", 7 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct modalias_choice best = { 0 };
		char alias[MODALIAS_MAX];

		assert_true(modalias_for_vfio(rows[i].modalias, alias));
		for (size_t j = 0; j < ARRAY_SIZE(aliases); j++)
			modalias_consider(MODALIAS_LOADABLE, aliases[j], alias, &best);
		assert_string_equal(best.module, rows[i].module);
		assert_int_equal(best.wildcards, rows[i].wildcards);
	}
}

static void builtin_modules_have_aliases_too(void **state)
{
	static const char *const strings[] = {
		"vfio_pci.license=GPL v2",
		"vfio_pci.alias=vfio_pci:v*d*sv*sd*bc*sc*i*",
		"mlx5_vfio_pci.alias=vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*",
		".alias=vfio_pci:v000015B3d0000101Esv000015B3sd*bc*sc*i*",
		"../x.alias=vfio_pci:v000015B3d0000101Esv000015B3sd*bc*sc*i*",
	};
	struct modalias_choice best = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		modalias_consider(MODALIAS_BUILTIN, strings[i], "vfio_pci:" MLX5_VF, &best);
	assert_string_equal(best.module, "mlx5_vfio_pci");
	assert_int_equal(best.file, MODALIAS_BUILTIN);
}

static void pattern_matches_all_or_not(void **state)
{
	static const struct {
		const char *pattern, *alias;
		bool matches;
	} rows[] = {
		/* clang-format off */
		{ "", "", true },            { "", "a", false },       { "*", "", true },
		{ "a*", "abc", true },       { "*c", "abc", true },    { "*b", "abc", false },
		{ "a*b*c", "aXbYbZc", true }, { "a*b*c", "aXbYbZ", false },
		{ "a?c", "abc", true },      { "a?c", "ac", false },   { "abc", "ab", false },
		{ "*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
		/* clang-format on */
	};
	char alias[MODALIAS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(modalias_matches(rows[i].pattern, rows[i].alias), rows[i].matches);
	assert_false(modalias_for_vfio("virtio:d00000001v00001AF4", alias));
}

/*
 * Plans
 */

#define R BIND_RECORD
#define U BIND_UNBIND
#define B BIND_BIND
#define S BIND_SETTLE
#define M BIND_MEND
#define F BIND_FORGET

#define FACTS(want_, past_, now_, to_none_, used_, force_)                                    \
	{                                                                                     \
		.want = BIND_WANT_##want_, .past = BIND_PAST_##past_, .now = BIND_NOW_##now_, \
		.to_none = (to_none_), .used = (used_), .force = (force_),                    \
	}

static void plan_follows_from_the_facts(void **state)
{
	static const struct {
		struct bind_facts facts;
		enum bind_verdict verdict;
		unsigned int steps;
	} rows[] = {
		/* clang-format off */
		{ FACTS(DRIVER, NONE, NONE,   0, 0, 0), BIND_READY, R | B | S },
		{ FACTS(DRIVER, NONE, OTHER,  0, 0, 0), BIND_READY, R | U | B | S },
		{ FACTS(DRIVER, NONE, TARGET, 0, 1, 0), BIND_READY, 0 },
		{ FACTS(DRIVER, NONE, OTHER,  0, 1, 0), BIND_IN_USE, 0 },
		{ FACTS(DRIVER, NONE, OTHER,  0, 1, 1), BIND_READY, R | U | B | S },
		{ FACTS(DRIVER, DONE, OTHER,  0, 0, 0), BIND_READY, R | U | B | S },
		{ FACTS(DRIVER, CUT,  NONE,   0, 0, 0), BIND_READY, M | B | S },
		{ FACTS(DRIVER, CUT,  TARGET, 0, 1, 0), BIND_READY, M | S },
		{ FACTS(DRIVER, CUT,  OTHER,  0, 0, 0), BIND_READY, M | U | B | S },
		{ FACTS(DRIVER, CUT,  OTHER,  0, 1, 0), BIND_IN_USE, 0 },
		{ FACTS(NONE,   NONE, NONE,   1, 0, 0), BIND_READY, 0 },
		{ FACTS(NONE,   NONE, OTHER,  1, 0, 0), BIND_READY, R | U | S },
		{ FACTS(NONE,   NONE, OTHER,  1, 1, 0), BIND_IN_USE, 0 },
		{ FACTS(NONE,   CUT,  NONE,   1, 0, 0), BIND_READY, M | S },
		{ FACTS(BACK,   NONE, OTHER,  0, 0, 1), BIND_NO_RECORD, 0 },
		{ FACTS(BACK,   DONE, OTHER,  0, 0, 0), BIND_READY, R | U | B | F },
		{ FACTS(BACK,   DONE, OTHER,  0, 1, 0), BIND_IN_USE, 0 },
		{ FACTS(BACK,   DONE, OTHER,  1, 0, 0), BIND_READY, R | U | F },
		{ FACTS(BACK,   DONE, TARGET, 0, 1, 0), BIND_READY, F },
		{ FACTS(BACK,   DONE, NONE,   0, 0, 0), BIND_READY, R | B | F },
		{ FACTS(BACK,   DONE, NONE,   1, 0, 0), BIND_READY, F },
		{ FACTS(BACK,   CUT,  NONE,   0, 0, 0), BIND_READY, M | B | F },
		{ FACTS(BACK,   CUT,  OTHER,  0, 0, 0), BIND_READY, M | U | B | F },
		{ FACTS(BACK,   CUT,  TARGET, 0, 1, 0), BIND_READY, M | F },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int steps;

		assert_int_equal(bind_plan(&rows[i].facts, &steps), rows[i].verdict);
		assert_int_equal(steps, rows[i].steps);
	}
}

#define K BIND_KEEP
#define D BIND_DROP

static void rule_for_every_boot_follows_the_wish(void **state)
{
	static const struct {
		enum bind_want want;
		enum bind_now now;
		enum bind_past past;
		enum bind_rule rule;
		enum bind_term term;
		unsigned int steps;
	} rows[] = {
		/* clang-format off */
		{ BIND_WANT_DRIVER, BIND_NOW_OTHER,  BIND_PAST_NONE, BIND_RULE_NONE,
		  BIND_TERM_EVERY, R | U | B | K | S },
		{ BIND_WANT_DRIVER, BIND_NOW_TARGET, BIND_PAST_NONE, BIND_RULE_NONE,
		  BIND_TERM_EVERY, K },
		{ BIND_WANT_DRIVER, BIND_NOW_TARGET, BIND_PAST_DONE, BIND_RULE_SAME,
		  BIND_TERM_EVERY, 0 },
		{ BIND_WANT_DRIVER, BIND_NOW_OTHER,  BIND_PAST_DONE, BIND_RULE_OTHER,
		  BIND_TERM_EVERY, R | U | B | K | S },
		{ BIND_WANT_DRIVER, BIND_NOW_OTHER,  BIND_PAST_NONE, BIND_RULE_NONE,
		  BIND_TERM_BOOT,  R | U | B | S },
		{ BIND_WANT_DRIVER, BIND_NOW_OTHER,  BIND_PAST_DONE, BIND_RULE_OTHER,
		  BIND_TERM_BOOT,  R | U | B | S },
		{ BIND_WANT_NONE,   BIND_NOW_OTHER,  BIND_PAST_DONE, BIND_RULE_OTHER,
		  BIND_TERM_BOOT,  R | U | B | S },
		/* After a boot: the rule is all that is left. */
		{ BIND_WANT_DRIVER, BIND_NOW_TARGET, BIND_PAST_CUT,  BIND_RULE_SAME,
		  BIND_TERM_EVERY, M | S },
		{ BIND_WANT_BACK,   BIND_NOW_OTHER,  BIND_PAST_CUT,  BIND_RULE_OTHER,
		  BIND_TERM_BOOT,  M | U | B | D | F },
		{ BIND_WANT_BACK,   BIND_NOW_OTHER,  BIND_PAST_DONE, BIND_RULE_OTHER,
		  BIND_TERM_BOOT,  R | U | B | D | F },
		{ BIND_WANT_BACK,   BIND_NOW_TARGET, BIND_PAST_DONE, BIND_RULE_SAME,
		  BIND_TERM_BOOT,  D | F },
		{ BIND_WANT_BACK,   BIND_NOW_OTHER,  BIND_PAST_DONE, BIND_RULE_NONE,
		  BIND_TERM_BOOT,  R | U | B | F },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct bind_facts facts = {
			.want = rows[i].want,
			.now = rows[i].now,
			.past = rows[i].past,
			.rule = rows[i].rule,
			.term = rows[i].term,
		};
		struct bind_facts used = facts;
		unsigned int steps;

		assert_int_equal(bind_plan(&facts, &steps), BIND_READY);
		assert_int_equal(steps, rows[i].steps);
		/* A refusal writes and removes no rule either. */
		used.used = true;
		if (bind_plan(&used, &steps) != BIND_READY)
			assert_int_equal(steps, 0);
	}
}

static bool is_planned(const struct bind_facts *f)
{
	return f->to_none ? f->now != BIND_NOW_TARGET && f->want != BIND_WANT_DRIVER
			  : f->want != BIND_WANT_NONE;
}

/* Whatever the facts are: a change is preceded by a record, and what is used stays. */
static void nothing_changes_unrecorded_or_in_use(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 27 * 8; i++) {
		const struct bind_facts f = {
			.now = 1u << i % 3,
			.want = 1u << i / 3 % 3,
			.past = 1u << i / 9 % 3,
			.to_none = i / 27 % 2,
			.used = i / 54 % 2,
			.force = i / 108 % 2,
		};
		enum bind_verdict verdict;
		unsigned int steps;

		if (!is_planned(&f))
			continue;
		verdict = bind_plan(&f, &steps);
		if (bind_changes(steps))
			assert_true(steps & R || f.past == BIND_PAST_CUT);
		if (f.past == BIND_PAST_CUT && verdict == BIND_READY)
			assert_true(steps & M);
		if (f.used && !f.force)
			assert_false(steps & U);
		if (verdict != BIND_READY)
			assert_int_equal(steps, 0);
		if (steps & U)
			assert_int_equal(f.now, BIND_NOW_OTHER);
		if (f.to_none)
			assert_false(steps & B);
	}
}

static void every_change_has_an_undo(void **state)
{
	(void)state;
	assert_int_equal(bind_step_undo(R), BIND_UNDO_RECORD);
	assert_int_equal(bind_step_undo(U), BIND_UNDO_BIND);
	assert_int_equal(bind_step_undo(B), BIND_UNDO_UNBIND);
	assert_int_equal(bind_step_undo(K), BIND_UNDO_RULE);
	assert_int_equal(bind_step_undo(D), BIND_UNDO_RULE);
	assert_int_equal(bind_step_undo(M), BIND_UNDO_NOTHING);
}

static void number_of_vfs_changes_by_way_of_none(void **state)
{
	const unsigned int make = VFS_NO_PROBE | VFS_MAKE | VFS_PROBE;
	const struct {
		struct vfs_facts facts; /* now, want, total, used, force, cut */
		enum vfs_verdict verdict;
		unsigned int steps;
	} rows[] = {
		/* clang-format off */
		{ { 0, 3, 7, 0, 0, 0 }, VFS_READY, make },
		{ { 2, 3, 7, 0, 0, 0 }, VFS_READY, VFS_REMOVE | make },
		{ { 2, 3, 7, 1, 0, 0 }, VFS_IN_USE, 0 },
		{ { 2, 3, 7, 1, 1, 0 }, VFS_READY, VFS_REMOVE | make },
		{ { 2, 0, 7, 0, 0, 0 }, VFS_READY, VFS_REMOVE },
		{ { 2, 0, 7, 1, 0, 0 }, VFS_IN_USE, 0 },
		{ { 3, 3, 7, 1, 0, 0 }, VFS_READY, 0 },
		{ { 3, 3, 7, 1, 0, 1 }, VFS_READY, VFS_MEND },
		{ { 0, 3, 7, 0, 0, 1 }, VFS_READY, VFS_MEND | make },
		{ { 0, 8, 7, 0, 1, 0 }, VFS_TOO_MANY, 0 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int steps;

		assert_int_equal(vfs_plan(&rows[i].facts, &steps), rows[i].verdict);
		assert_int_equal(steps, rows[i].steps);
	}
}

/*
 * A host of files
 */

static struct vfio_node *find(struct fake_host *f, const char *spec)
{
	struct vfio_node *node = NULL;
	struct err err = { 0 };

	assert_int_equal(vfio_node_resolve(&f->host, spec, &node, &err), 0);
	return node;
}

static int setup(void **state)
{
	struct fake_host *f = fake_host_new();

	fake_device(f, "pci", VF, "igbvf", 7);
	fake_device(f, "pci", "pci0000:3a/0000:3b:00.2", "igbvf", 8);
	fake_file(AT(f, "proc/self/mountinfo"), "");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_host_free(*state);
	return 0;
}

static void record_is_of_one_device_and_whole(void **state)
{
	const struct run_record record = { .found = "igbvf", .override = "", .moving = true };
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = find(f, "3b:00.1");
	_cleanup_(vfio_node_freep) struct vfio_node *other = find(f, "3b:00.2");
	char dir[PATH_MAX], path[PATH_MAX];
	struct run_record read = { 0 };
	struct err err = { 0 };

	fake_file(AT(f, "run/exists"), "");
	snprintf(dir, sizeof(dir), "%s", AT(f, "run/vfiomigctl"));
	snprintf(path, sizeof(path), "%s", AT(f, "run/vfiomigctl/0000:3b:00.1.driver"));
	assert_int_equal(run_record_read(dir, "driver", node, &read, &err), RUN_RECORD_NONE);
	assert_int_equal(run_record_write(dir, "driver", node, &record, &err), 0);
	assert_int_equal(run_record_read(dir, "driver", node, &read, &err), RUN_RECORD_FOUND);
	assert_string_equal(read.found, "igbvf");
	assert_string_equal(read.override, "");
	assert_true(read.moving);
	assert_int_equal(run_record_read(dir, "autoprobe", node, &read, &err), RUN_RECORD_NONE);
	assert_int_equal(run_record_read(dir, "driver", other, &read, &err), RUN_RECORD_NONE);
	/* Of a device that had the address before. */
	fake_file(path, "inode 1\nfound igbvf\noverride \nmoving no\nend\n");
	assert_int_equal(run_record_read(dir, "driver", node, &read, &err), RUN_RECORD_NONE);
	fake_file(path, "inode 1\nfound igb");
	assert_int_equal(run_record_read(dir, "driver", node, &read, &err), -EBADMSG);
	fake_file(path, "inode 1\nfound ../x\noverride \nmoving no\nend\n");
	assert_int_equal(run_record_read(dir, "driver", node, &read, &err), -EBADMSG);
	assert_int_equal(run_record_remove(dir, "driver", node, &err), 0);
	assert_int_equal(run_record_remove(dir, "driver", node, &err), 0);
	assert_int_equal(run_record_read(dir, "driver", node, &read, &err), RUN_RECORD_NONE);
}

static void ids(struct fake_host *f)
{
	static const char *const rows[][2] = {
		{ "vendor", "0x15b3\n" },	    { "device", "0x101e\n" },
		{ "subsystem_vendor", "0x15b3\n" }, { "subsystem_device", "0x0000\n" },
		{ "class", "0x020000\n" },	    { "revision", "0x00\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		fake_file(AT(f, "sys/devices/" VF "/%s", rows[i][0]), rows[i][1]);
}

/* What a reader of the file relies on, whole: udev is particular. */
static void rule_says_all_that_a_boot_takes(void **state)
{
	const struct udev_rule rule = { .driver = "mlx5_vfio_pci",
					.module = "mlx5_vfio_pci",
					.found = "mlx5_core" };
	const struct udev_rule builtin = { .driver = "vfio-pci", .module = "", .found = "" };
	const struct udev_rule quoted = { .driver = "a\"b", .module = "", .found = "" };
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = find(f, "3b:00.1");
	_cleanup_free_ char *text = NULL, *other = NULL, *none = NULL;
	struct err err = { 0 };

	ids(f);
	assert_int_equal(udev_rule_text(&f->host, node, &rule, &text, &err), 0);
	assert_string_equal(
		text, "# Written by vfiomigctl bind --persist; vfiomigctl unbind removes it.\n"
		      "# driver mlx5_vfio_pci\n"
		      "# module mlx5_vfio_pci\n"
		      "# found mlx5_core\n"
		      "ACTION!=\"add|bind\", GOTO=\"vfiomigctl_end\"\n"
		      "SUBSYSTEM!=\"pci\", GOTO=\"vfiomigctl_end\"\n"
		      "KERNEL!=\"0000:3b:00.1\", GOTO=\"vfiomigctl_end\"\n"
		      "ATTR{vendor}!=\"0x15b3\", GOTO=\"vfiomigctl_end\"\n"
		      "ATTR{device}!=\"0x101e\", GOTO=\"vfiomigctl_end\"\n"
		      "TEST==\"/sys/bus/pci/drivers/mlx5_vfio_pci/0000:3b:00.1\", "
		      "GOTO=\"vfiomigctl_end\"\n"
		      "ACTION==\"bind\", ATTR{driver_override}!=\"mlx5_vfio_pci\", "
		      "GOTO=\"vfiomigctl_end\"\n"
		      "ATTR{driver_override}=\"mlx5_vfio_pci\", "
		      "RUN{builtin}+=\"kmod load mlx5_vfio_pci\"\n"
		      "TEST!=\"/sys/bus/pci/drivers/mlx5_vfio_pci/0000:3b:00.1\", "
		      "TEST==\"driver/unbind\", ATTR{driver/unbind}=\"0000:3b:00.1\"\n"
		      "TEST!=\"/sys/bus/pci/drivers/mlx5_vfio_pci/0000:3b:00.1\", "
		      "ATTR{subsystem/drivers_probe}=\"0000:3b:00.1\"\n"
		      "LABEL=\"vfiomigctl_end\"\n");
	assert_int_equal(udev_rule_text(&f->host, node, &builtin, &other, &err), 0);
	assert_non_null(strstr(other, "\nATTR{driver_override}=\"vfio-pci\"\n"));
	assert_int_equal(udev_rule_text(&f->host, node, &quoted, &none, &err), -EINVAL);
}

static void rule_is_ours_or_left_alone(void **state)
{
	const struct udev_rule rule = { .driver = "vfio-pci", .module = "vfio_pci", .found = "" };
	struct fake_host *f = *state;
	_cleanup_(vfio_node_freep) struct vfio_node *node = find(f, "3b:00.1");
	_cleanup_free_ char *text = NULL, *read_back = NULL, *none = NULL, *path = NULL;
	struct udev_rule read = { 0 };
	struct err err = { 0 };
	char dir[PATH_MAX];

	ids(f);
	snprintf(dir, sizeof(dir), "%s", AT(f, "etc/udev/rules.d"));
	path = udev_rule_path(dir, node);
	assert_int_equal(udev_rule_text(&f->host, node, &rule, &text, &err), 0);
	assert_int_equal(udev_rule_read(dir, node, &read, &none, &err), UDEV_RULE_NONE);
	assert_int_equal(udev_rule_write(dir, node, text, false, &err), -ENOENT);
	assert_int_equal(err_status(&err), ERR_OUTPUT);
	fake_dir(AT(f, "etc/udev"));
	assert_int_equal(udev_rule_write(dir, node, text, false, &err), 0);
	assert_int_equal(udev_rule_read(dir, node, &read, &read_back, &err), UDEV_RULE_FOUND);
	assert_string_equal(read.driver, "vfio-pci");
	assert_string_equal(read.module, "vfio_pci");
	assert_string_equal(read.found, "");
	assert_memory_equal(text, read_back, strlen(read_back));
	/* One that came meanwhile stays; and nothing is left beside it. */
	assert_int_equal(udev_rule_write(dir, node, "x", false, &err), -EEXIST);
	assert_int_equal(udev_rule_write(dir, node, text, true, &err), 0);
	assert_int_equal(udev_rule_remove(dir, node, &err), 0);
	assert_int_equal(udev_rule_remove(dir, node, &err), 0);
	assert_int_equal(rmdir(dir), 0);
	fake_file(path, "# driver x\n");
	assert_int_equal(udev_rule_read(dir, node, &read, &none, &err), -EBADMSG);
	assert_int_equal(err_status(&err), ERR_CONFIG);
	assert_null(none);
}

static void expect_uses(struct fake_host *f, const char *const *texts, size_t n)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = find(f, "3b:00.1");
	struct pci_uses uses = { 0 };
	struct err err = { 0 };

	assert_int_equal(pci_uses_find(&f->host, node, &uses, &err), 0);
	assert_int_equal(uses.n, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(uses.v[i], texts[i]);
	pci_uses_done(&uses);
}

static void use_is_found_by_what_leads_to_it(void **state)
{
	static const char *const texts[] = {
		"network interface eth3 is up",
		"nvme0n1p1 is mounted on /data",
		"dm-0 is mounted on /secret",
		"it has VFs (2)",
	};
	struct fake_host *f = *state;

	fake_file(AT(f, "sys/devices/" VF "/net/eth3/flags"), "0x1002\n");
	fake_file(AT(f, "sys/devices/" VF "/sriov_numvfs"), "0\n");
	fake_dir(AT(f, "sys/devices/" VF "/nvme/nvme0/nvme0n1/nvme0n1p1"));
	fake_dir(AT(f, "sys/devices/virtual/block/dm-0"));
	fake_dir(AT(f, "sys/devices/pci0000:3a/0000:3b:00.2/nvme/nvme1/nvme1n1"));
	fake_link(AT(f, "sys/devices/virtual/block/dm-0/slaves/nvme0n1p1"),
		  "../../../../" VF "/nvme/nvme0/nvme0n1/nvme0n1p1");
	fake_link(AT(f, "sys/dev/block/259:1"),
		  "../../devices/" VF "/nvme/nvme0/nvme0n1/nvme0n1p1");
	fake_link(AT(f, "sys/dev/block/259:2"),
		  "../../devices/pci0000:3a/0000:3b:00.2/nvme/nvme1/nvme1n1");
	fake_link(AT(f, "sys/dev/block/254:0"), "../../devices/virtual/block/dm-0");
	fake_file(AT(f, "proc/self/mountinfo"),
		  "25 1 259:2 / / rw - ext4 /dev/nvme1n1 rw\nnot a mount\n");
	expect_uses(f, NULL, 0);
	fake_file(AT(f, "sys/devices/" VF "/net/eth3/flags"), "0x1003\n");
	fake_file(AT(f, "sys/devices/" VF "/sriov_numvfs"), "2\n");
	fake_file(AT(f, "proc/self/mountinfo"),
		  "25 1 259:2 / / rw - ext4 /dev/nvme1n1 rw\n"
		  "26 25 259:1 / /data rw,relatime shared:3 - ext4 /dev/nvme0n1p1 rw\n"
		  "27 25 254:0 / /secret rw - ext4 /dev/mapper/x rw\n"
		  "28 25 0:22 / /proc rw - proc proc rw\n");
	expect_uses(f, texts, ARRAY_SIZE(texts));
}

static void inherited_descriptor_is_a_use(void **state)
{
	static const struct {
		const char *target;
		bool used;
	} rows[] = {
		{ "/dev/vfio/devices/vfio3", true },
		{ "/dev/vfio/devices/vfio4", false },
		{ "/dev/vfio/7", true },
		{ "/dev/vfio/8", false },
		{ "anon_inode:[vfio-device]", true },
		{ "/home/7", false },
	};
	struct fake_host *f = *state;

	fake_vfio_dev(f, VF, "vfio3", NULL_NUMBER, "/dev/null");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static const char *const texts[] = {
			"fd 9, which this process has inherited, has it",
		};

		fake_remove(AT(f, "proc/self/fd"));
		fake_link(AT(f, "proc/self/fd/9"), rows[i].target);
		expect_uses(f, texts, rows[i].used);
	}
}

static void driver_is_read_from_the_module(void **state)
{
	static const struct {
		const char *module;
		int r;
		const char *driver;
	} rows[] = {
		{ "migsim-pci", 0, "migsim-pci" }, { "vfio_pci", 0, "vfio-pci" },
		{ "mlx5_core", -ENOTUNIQ, NULL },  { "vfio", -ENODEV, NULL },
		{ "nosuch", -ENODEV, NULL },
	};
	struct fake_host *f = *state;

	fake_dir(AT(f, "sys/module/migsim_pci/drivers/pci:migsim-pci"));
	fake_dir(AT(f, "sys/module/vfio_pci/drivers/pci:vfio-pci"));
	fake_dir(AT(f, "sys/module/mlx5_core/drivers/pci:mlx5_core"));
	fake_dir(AT(f, "sys/module/mlx5_core/drivers/pci:mlx5_core.sf"));
	fake_dir(AT(f, "sys/module/vfio/drivers/platform:x"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *driver = NULL;
		struct err err = { 0 };

		assert_int_equal(module_driver(&f->host, rows[i].module, &driver, &err), rows[i].r);
		if (rows[i].driver)
			assert_string_equal(driver, rows[i].driver);
	}
}

#define LISTS "lib/modules/6.12.38-amd64"

/* The lists of a kernel that is not the one that runs the test. */
static void make_lists(struct fake_host *f)
{
	fake_file(AT(f, "proc/sys/kernel/osrelease"), "6.12.38-amd64\n");
	fake_file(AT(f, LISTS "/modules.alias"),
		  "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n"
		  "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n");
	fake_file(
		AT(f, LISTS "/modules.dep"),
		"kernel/drivers/vfio/pci/mlx5/mlx5-vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko\n");
	fake_file(AT(f, LISTS "/modules.builtin"), "kernel/drivers/vfio/pci/vfio-pci.ko\n");
}

static void module_is_chosen_by_the_lists_of_that_kernel(void **state)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct modalias_choice choice = { 0 };
	struct fake_host *f = *state;
	struct err err = { 0 };

	fake_device(f, "pci", VF, NULL, 7);
	fake_file(AT(f, "sys/devices/" VF "/modalias"), "pci:" MLX5_VF "\n");
	assert_int_equal(vfio_node_resolve(&f->host, "3b:00.1", &node, &err), 0);

	assert_int_equal(module_choose(&f->host, node, &choice, &err), -ENOENT);
	assert_non_null(strstr(err.text, "osrelease does not tell which kernel runs"));
	fake_file(AT(f, "proc/sys/kernel/osrelease"), "6.12.38-amd64\n");
	assert_int_equal(module_choose(&f->host, node, &choice, &err), -ENOENT);
	assert_non_null(strstr(err.text, LISTS ": has no modules.alias"));
	make_lists(f);
	assert_int_equal(module_choose(&f->host, node, &choice, &err), MODULE_CHOSEN);
	assert_string_equal(choice.module, "mlx5_vfio_pci");
}

static void module_is_found_by_either_spelling(void **state)
{
	static const struct {
		const char *module;
		enum module_found found;
	} rows[] = {
		{ "mlx5_vfio_pci", MODULE_THERE }, { "mlx5-vfio-pci", MODULE_THERE },
		{ "vfio_pci", MODULE_THERE },	   { "vfio", MODULE_ABSENT },
		{ "migsim-pci", MODULE_LOADED },   { "migsim_pci", MODULE_LOADED },
	};
	struct fake_host *f = *state;

	fake_dir(AT(f, "sys/module/migsim_pci"));
	assert_int_equal(module_find(&f->host, "vfio_pci"), MODULE_UNKNOWN);
	make_lists(f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(module_find(&f->host, rows[i].module), rows[i].found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alias_with_fewest_wildcards_is_meant),
		cmocka_unit_test(builtin_modules_have_aliases_too),
		cmocka_unit_test(pattern_matches_all_or_not),
		cmocka_unit_test(plan_follows_from_the_facts),
		cmocka_unit_test(rule_for_every_boot_follows_the_wish),
		cmocka_unit_test(nothing_changes_unrecorded_or_in_use),
		cmocka_unit_test(every_change_has_an_undo),
		cmocka_unit_test(number_of_vfs_changes_by_way_of_none),
		cmocka_unit_test_setup_teardown(record_is_of_one_device_and_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(rule_says_all_that_a_boot_takes, setup, teardown),
		cmocka_unit_test_setup_teardown(rule_is_ours_or_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(use_is_found_by_what_leads_to_it, setup, teardown),
		cmocka_unit_test_setup_teardown(inherited_descriptor_is_a_use, setup, teardown),
		cmocka_unit_test_setup_teardown(module_is_chosen_by_the_lists_of_that_kernel, setup,
						teardown),
		cmocka_unit_test_setup_teardown(module_is_found_by_either_spelling, setup,
						teardown),
		cmocka_unit_test_setup_teardown(driver_is_read_from_the_module, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
