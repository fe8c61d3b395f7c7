// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/doctor-fix.h"
#include "host/process-role.h"

#include "fake-host.h"

#define PF "pci0000:00/0000:3b:00.0"
#define VF "pci0000:00/0000:3b:00.2"
#define VF_NAME "0000:3b:00.2"

#define MINUTE_US UINT64_C(60000000)
#define NOW_US (100 * MINUTE_US)

/*
 * A host on which VF is migratable, with mlx5's driver: each row of the tables spoils something.
 */

static void make_ids(struct fake_host *f, const char *folder, const char *vendor,
		     const char *device)
{
	static const char *const zeros[] = { "subsystem_vendor", "subsystem_device", "revision" };

	fake_file(AT(f, "sys/devices/%s/vendor", folder), vendor);
	fake_file(AT(f, "sys/devices/%s/device", folder), device);
	fake_file(AT(f, "sys/devices/%s/class", folder), "0x020000\n");
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		fake_file(AT(f, "sys/devices/%s/%s", folder, zeros[i]), "0x0000\n");
}

static void set_driver(struct fake_host *f, const char *folder, const char *driver)
{
	fake_dir(AT(f, "sys/bus/pci/drivers/%s", driver));
	fake_link(AT(f, "sys/devices/%s/driver", folder), AT(f, "sys/bus/pci/drivers/%s", driver));
}

static void make_vfio(struct fake_host *f)
{
	fake_group(f, "7", ZERO_NUMBER, "/dev/zero");
	fake_vfio_dev(f, VF, "vfio0", NULL_NUMBER, "/dev/null");
}

static void unmake_vfio(struct fake_host *f)
{
	fake_remove(AT(f, "sys/devices/" VF "/vfio-dev"));
	fake_remove(AT(f, "sys/class/vfio-dev/vfio0"));
	fake_remove(AT(f, "dev/vfio/devices/vfio0"));
}

static struct fake_host *make_host(void)
{
	struct fake_host *f = fake_host_new();

	fake_file(AT(f, "proc/sys/kernel/osrelease"), "6.12.38-amd64\n");
	fake_file(AT(f, "proc/self/limits"),
		  "Limit  Soft Limit  Hard Limit  Units\n"
		  "Max locked memory         8388608   8388608  bytes\n");
	fake_file(AT(f, "proc/self/status"), "CapEff:\t000001ffffffffff\n");
	fake_dir(AT(f, "sys/class/iommu/dmar0"));
	fake_file(AT(f, "dev/iommu"), "");
	fake_file(AT(f, "dev/kmsg"), "");
	fake_file(AT(f, "lib/modules/6.12.38-amd64/modules.builtin"), "kernel/fs/ext4/ext4.ko\n");
	fake_file(
		AT(f, "lib/modules/6.12.38-amd64/modules.dep"),
		"kernel/drivers/vfio/pci/mlx5/mlx5-vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko\n");
	fake_device(f, "pci", PF, "mlx5_core", 6);
	make_ids(f, PF, "0x15b3\n", "0x101d\n");
	fake_file(AT(f, "sys/devices/" PF "/sriov_totalvfs"), "8\n");
	fake_file(AT(f, "sys/devices/" PF "/sriov_numvfs"), "1\n");
	fake_device(f, "pci", VF, "mlx5_vfio_pci", 7);
	make_ids(f, VF, "0x15b3\n", "0x101e\n");
	fake_link(AT(f, "sys/devices/" VF "/physfn"), "../0000:3b:00.0");
	fake_link(AT(f, "sys/devices/" PF "/virtfn0"), "../" VF_NAME);
	fake_file(AT(f, "sys/devices/" VF "/reset"), "");
	fake_file(AT(f, "sys/devices/" PF "/reset"), "");
	make_vfio(f);
	fake_file(AT(f, "sys/kernel/debug/vfio/" VF_NAME "/migration/state"), "RUNNING\n");
	return f;
}

static void no_sysfs(struct fake_host *f)
{
	fake_remove(AT(f, "sys/class"));
}

static void old_kernel(struct fake_host *f)
{
	fake_file(AT(f, "proc/sys/kernel/osrelease"), "5.15.0-100-generic\n");
}

static void no_release(struct fake_host *f)
{
	fake_remove(AT(f, "proc/sys"));
}

static void no_vfio(struct fake_host *f)
{
	fake_remove(AT(f, "sys/class/vfio"));
	fake_remove(AT(f, "sys/class/vfio-dev"));
}

static void no_iommu(struct fake_host *f)
{
	fake_remove(AT(f, "sys/class/iommu"));
	fake_remove(AT(f, "sys/kernel/iommu_groups"));
}

static void no_nodes(struct fake_host *f)
{
	fake_remove(AT(f, "dev/iommu"));
}

static void container_dev(struct fake_host *f)
{
	fake_remove(AT(f, "dev/iommu"));
	fake_dir(AT(f, "sys/class/misc/iommu"));
}

static void group_only(struct fake_host *f)
{
	fake_remove(AT(f, "dev/iommu"));
	fake_file(AT(f, "dev/vfio/vfio"), "");
}

static void no_debugfs(struct fake_host *f)
{
	fake_remove(AT(f, "sys/kernel/debug"));
}

static void debugfs_without(struct fake_host *f)
{
	no_debugfs(f);
	fake_dir(AT(f, "sys/kernel/debug/tracing"));
}

static void no_capability(struct fake_host *f)
{
	fake_file(AT(f, "proc/self/status"), "CapEff:\t0000000000000000\n");
}

static void no_capability_no_limit(struct fake_host *f)
{
	no_capability(f);
	fake_file(AT(f, "proc/self/limits"), "Max locked memory         unlimited   unlimited\n");
}

static void no_group(struct fake_host *f)
{
	fake_remove(AT(f, "sys/devices/" VF "/iommu_group"));
}

static void noiommu_group(struct fake_host *f)
{
	fake_group(f, "noiommu-7", FULL_NUMBER, "/dev/full");
}

static void driven_mate(struct fake_host *f)
{
	fake_device(f, "pci", "pci0000:00/0000:3b:00.3", "mlx5_core", 7);
}

static void idle_mate(struct fake_host *f)
{
	fake_device(f, "pci", "pci0000:00/0000:3b:00.3", NULL, 7);
}

static void plain(struct fake_host *f)
{
	set_driver(f, VF, "vfio-pci");
	fake_remove(AT(f, "sys/kernel/debug/vfio/" VF_NAME "/migration"));
}

static void plain_other(struct fake_host *f)
{
	plain(f);
	make_ids(f, VF, "0x8086\n", "0x10ca\n");
}

static void host_driver(struct fake_host *f)
{
	plain(f);
	set_driver(f, VF, "mlx5_core");
	unmake_vfio(f);
}

static void interface_up(struct fake_host *f)
{
	host_driver(f);
	fake_file(AT(f, "proc/self/mountinfo"), "");
	fake_file(AT(f, "sys/devices/" VF "/net/eth3/flags"), "0x1003\n");
}

static void interfaces_up(struct fake_host *f)
{
	interface_up(f);
	fake_file(AT(f, "sys/devices/" VF "/net/eth4/flags"), "0x1003\n");
}

static void no_driver(struct fake_host *f)
{
	host_driver(f);
	fake_remove(AT(f, "sys/devices/" VF "/driver"));
}

/* A driver that is not Linux's own, beside the one that takes any function. */
static void vendor_module(struct fake_host *f)
{
	plain_other(f);
	fake_file(AT(f, "sys/devices/" VF "/modalias"),
		  "pci:v00008086d00001889sv00008086sd00000000bc02sc00i00\n");
	fake_file(AT(f, "lib/modules/6.12.38-amd64/modules.alias"),
		  "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n"
		  "alias vfio_pci:v00008086d00001889sv*sd*bc*sc*i* vendor_vfio_pci\n");
}

static void only_vfio_pci(struct fake_host *f)
{
	vendor_module(f);
	fake_file(AT(f, "lib/modules/6.12.38-amd64/modules.alias"),
		  "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n");
}

static void no_module(struct fake_host *f)
{
	fake_file(AT(f, "lib/modules/6.12.38-amd64/modules.dep"), "kernel/drivers/vfio/vfio.ko:\n");
}

static void builtin_module(struct fake_host *f)
{
	no_module(f);
	fake_file(AT(f, "lib/modules/6.12.38-amd64/modules.builtin"),
		  "kernel/drivers/vfio/pci/mlx5/mlx5_vfio_pci.ko\n");
}

static void loaded_module(struct fake_host *f)
{
	fake_dir(AT(f, "sys/module/mlx5_vfio_pci"));
}

static void no_modules(struct fake_host *f)
{
	fake_remove(AT(f, "lib/modules"));
}

static void virtio_function(struct fake_host *f)
{
	make_ids(f, VF, "0x1af4\n", "0x1041\n");
}

static void no_migration(struct fake_host *f)
{
	fake_remove(AT(f, "sys/kernel/debug/vfio/" VF_NAME "/migration"));
}

static void error_state(struct fake_host *f)
{
	fake_file(AT(f, "sys/kernel/debug/vfio/" VF_NAME "/migration/state"), "ERROR\n");
}

static void held(struct fake_host *f)
{
	fake_file(AT(f, "proc/321/comm"), "qemu-system-x86\n");
	fake_link(AT(f, "proc/321/fd/9"), AT(f, "dev/vfio/devices/vfio0"));
	fake_file(AT(f, "proc/321/cgroup"),
		  "0::/machine.slice/machine-qemu\\x2d3\\x2dweb.scope/libvirt/emulator\n");
}

static void held_by_itself(struct fake_host *f)
{
	fake_link(AT(f, "proc/self/fd/9"), "/dev/vfio/devices/vfio0");
}

static void held_in_error(struct fake_host *f)
{
	held(f);
	error_state(f);
}

static void no_node(struct fake_host *f)
{
	fake_remove(AT(f, "dev/vfio"));
}

static void pf_on_vfio(struct fake_host *f)
{
	set_driver(f, PF, "vfio-pci");
	fake_vfio_dev(f, PF, "vfio1", FULL_NUMBER, "/dev/full");
}

static void no_reset(struct fake_host *f)
{
	fake_file(AT(f, "sys/devices/" VF "/reset_method"), "\n");
}

static void log_of_now(struct fake_host *f)
{
	fake_file(AT(f, "dev/kmsg"), "6,1,5999000000,-;mlx5_vfio_pci " VF_NAME ": enabling\n"
				     "4,2,5999000001,-;mlx5_vfio_pci " VF_NAME ": refused\x1b[2J\n"
				     " DEVICE=+pci:" VF_NAME "\n"
				     "6,3,5999000002,-;mlx5_vfio_pci " VF_NAME ": later\n"
				     "3,4,5999000003,-;other 0000:3b:00.3: worse\n");
}

static void log_of_old(struct fake_host *f)
{
	fake_file(AT(f, "dev/kmsg"), "3,1,5000000000,-;mlx5_vfio_pci " VF_NAME ": refused\n");
}

static void no_log(struct fake_host *f)
{
	fake_remove(AT(f, "dev/kmsg"));
}

static void all_is_well(struct fake_host *f)
{
	(void)f;
}

static void sriov_off(struct fake_host *f)
{
	fake_file(AT(f, "sys/devices/" PF "/sriov_numvfs"), "0\n");
}

static void no_sriov(struct fake_host *f)
{
	fake_remove(AT(f, "sys/devices/" PF "/sriov_totalvfs"));
}

static const struct doctor_rule *rule_of(const char *name)
{
	const struct doctor_rule *rule;

	for (unsigned int i = 0; (rule = doctor_rule_at(i)); i++)
		if (strcmp(rule->name, name) == 0)
			return rule;
	fail_msg("no rule %s", name);
	return NULL;
}

static void look(struct fake_host *f, const char *device, const char *name,
		 struct doctor_finding *ret)
{
	const struct doctor_rule *rule = rule_of(name);
	struct vfio_node *node = NULL;
	struct host_facts host;
	struct device_facts facts;

	examine_host(&f->host, &host);
	if (rule->subject == DOCTOR_DEVICE) {
		assert_int_equal(vfio_node_from_sysfs(&f->host, AT(f, "sys/devices/%s", device),
						      &node, NULL),
				 VFIO_NODE_FOUND);
		examine_device(&f->host, node, NULL, NOW_US, &facts);
	}
	host.module_root = ""; /* as it would be */
	doctor_judge(rule, &host, node ? &facts : NULL, ret);
	vfio_node_free(node);
}

#define FIX(name) DOCTOR_FIX_##name

/* The finding, how it was made, and its text. */
static const struct {
	const char *rule;
	void (*spoil)(struct fake_host *f);
	enum doctor_verdict verdict;
	const char *evidence, *command;
	const char *device; /* NULL for the VF */
	enum doctor_fix fix;
} made[] = {
	/* clang-format off */
	{ "sysfs", all_is_well, DOCTOR_OK, "sysfs is mounted", "", NULL, FIX(NONE) },
	{ "sysfs", no_sysfs, DOCTOR_PROBLEM, "no sysfs", "mount -t sysfs", NULL, FIX(NONE) },
	{ "kernel", all_is_well, DOCTOR_OK, "Linux 6.12.38-amd64", "", NULL, FIX(NONE) },
	{ "kernel", old_kernel, DOCTOR_PROBLEM, "Linux 5.15.0-100-generic", "", NULL, FIX(NONE) },
	{ "kernel", no_release, DOCTOR_UNKNOWN, "/proc does not tell", "uname -r",
	  NULL, FIX(NONE) },
	{ "vfio", all_is_well, DOCTOR_OK, "VFIO is there", "", NULL, FIX(NONE) },
	{ "vfio", no_vfio, DOCTOR_PROBLEM, "no VFIO", "modprobe vfio-pci", NULL,
	  FIX(VFIO) },
	{ "iommu", all_is_well, DOCTOR_OK, "1 IOMMU, 2 IOMMU groups", "", NULL, FIX(NONE) },
	{ "iommu", no_iommu, DOCTOR_PROBLEM, "no IOMMU", "", NULL, FIX(NONE) },
	{ "nodes", all_is_well, DOCTOR_OK, "/dev/iommu", "", NULL, FIX(NONE) },
	{ "nodes", no_nodes, DOCTOR_PROBLEM, "neither /dev/iommu nor", "modprobe iommufd", NULL,
	  FIX(IOMMUFD) },
	{ "nodes", container_dev, DOCTOR_PROBLEM, "neither /dev/iommu nor", "", NULL, FIX(NONE) },
	{ "nodes", group_only, DOCTOR_OK, "/dev/vfio/vfio, and no /dev/iommu",
	  "", NULL, FIX(NONE) },
	{ "debugfs", all_is_well, DOCTOR_OK, "debugfs has vfio", "", NULL, FIX(NONE) },
	{ "debugfs", no_debugfs, DOCTOR_UNKNOWN, "debugfs cannot be read", "mount -t",
	  NULL, FIX(NONE) },
	{ "debugfs", debugfs_without, DOCTOR_UNKNOWN, "debugfs has no vfio", "", NULL, FIX(NONE) },
	{ "memlock", all_is_well, DOCTOR_OK, "CAP_IPC_LOCK", "", NULL, FIX(NONE) },
	{ "memlock", no_capability, DOCTOR_UNKNOWN, "8.00 MiB may be locked", "ulimit -l",
	  NULL, FIX(NONE) },
	{ "memlock", no_capability_no_limit, DOCTOR_OK, "no limit", "", NULL, FIX(NONE) },
	{ "function", all_is_well, DOCTOR_OK, "VF 0 of 0000:3b:00.0 (mlx5_core)",
	  "", NULL, FIX(NONE) },
	{ "function", all_is_well, DOCTOR_PROBLEM, "a PF, with 1 VF",
	  "vfiomigctl doctor " VF_NAME, PF, FIX(NONE) },
	{ "function", sriov_off, DOCTOR_PROBLEM, "a PF, and none of its 8 VFs is enabled",
	  "vfiomigctl vfs 0000:3b:00.0 8", PF, FIX(NONE) },
	{ "function", no_sriov, DOCTOR_UNKNOWN, "neither a VF nor a PF", "", PF, FIX(NONE) },
	{ "group", all_is_well, DOCTOR_OK, "IOMMU group 7", "", NULL, FIX(NONE) },
	{ "group", no_group, DOCTOR_PROBLEM, "in no IOMMU group", "", NULL, FIX(NONE) },
	{ "group", noiommu_group, DOCTOR_UNKNOWN, "no-IOMMU group 7", "", NULL, FIX(NONE) },
	{ "group-mates", all_is_well, DOCTOR_OK, "0 other devices in its group",
	  "", NULL, FIX(NONE) },
	{ "group-mates", idle_mate, DOCTOR_OK, "1 other device in its group", "", NULL, FIX(NONE) },
	{ "group-mates", driven_mate, DOCTOR_PROBLEM,
	  "0000:3b:00.3 (mlx5_core) is in its group", "", NULL, FIX(NONE) },
	{ "group-mates", no_group, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "driver", all_is_well, DOCTOR_OK, "mlx5_vfio_pci", "", NULL, FIX(NONE) },
	{ "driver", plain, DOCTOR_PROBLEM, "vfio-pci, and not mlx5_vfio_pci",
	  "vfiomigctl bind " VF_NAME, NULL, FIX(DRIVER) },
	{ "driver", host_driver, DOCTOR_PROBLEM, "mlx5_core, and not mlx5_vfio_pci",
	  "vfiomigctl bind " VF_NAME, NULL, FIX(DRIVER) },
	{ "driver", no_driver, DOCTOR_PROBLEM, "no driver, and not mlx5_vfio_pci",
	  "vfiomigctl bind " VF_NAME, NULL, FIX(DRIVER) },
	{ "driver", plain_other, DOCTOR_PROBLEM, "vfio-pci", "", NULL, FIX(NONE) },
	{ "driver", vendor_module, DOCTOR_PROBLEM, "vfio-pci, and not vendor_vfio_pci",
	  "vfiomigctl bind " VF_NAME, NULL, FIX(DRIVER) },
	{ "driver", only_vfio_pci, DOCTOR_PROBLEM, "vfio-pci", "", NULL, FIX(NONE) },
	{ "driver", all_is_well, DOCTOR_NOT_ASKED, "", "", PF, FIX(NONE) },
	{ "driver", pf_on_vfio, DOCTOR_PROBLEM, "vfio-pci", "", PF, FIX(NONE) },
	{ "use", all_is_well, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "use", host_driver, DOCTOR_OK, "nothing that can be seen from here",
	  "", NULL, FIX(NONE) },
	{ "use", interface_up, DOCTOR_PROBLEM, "network interface eth3 is up",
	  "", NULL, FIX(NONE) },
	{ "use", interfaces_up, DOCTOR_PROBLEM, " is up and 1 more", "", NULL, FIX(NONE) },
	{ "module", vendor_module, DOCTOR_OK, "vendor_vfio_pci is for it, by its alias",
	  "", NULL, FIX(NONE) },
	{ "module", only_vfio_pci, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "module", all_is_well, DOCTOR_OK, "mlx5_vfio_pci is there", "", NULL, FIX(NONE) },
	{ "module", builtin_module, DOCTOR_OK, "mlx5_vfio_pci is there", "", NULL, FIX(NONE) },
	{ "module", loaded_module, DOCTOR_OK, "mlx5_vfio_pci is loaded", "", NULL, FIX(NONE) },
	{ "module", no_module, DOCTOR_PROBLEM, "no module mlx5_vfio_pci (CONFIG_MLX5_VFIO_PCI)",
	  "", NULL, FIX(NONE) },
	{ "module", no_modules, DOCTOR_UNKNOWN, "mlx5_vfio_pci: there is no list of modules",
	  "modprobe mlx5_vfio_pci", NULL, FIX(NONE) },
	{ "module", old_kernel, DOCTOR_PROBLEM,
	  "mlx5_vfio_pci migrates it since Linux 5.18; this is 5.15.0-100-generic",
	  "", NULL, FIX(NONE) },
	{ "module", virtio_function, DOCTOR_PROBLEM,
	  "virtio_vfio_pci migrates it since Linux 6.13; this is 6.12.38-amd64",
	  "", NULL, FIX(NONE) },
	{ "module", plain_other, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "devlink", all_is_well, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "firmware", all_is_well, DOCTOR_OK, "its driver offers migration", "", NULL, FIX(NONE) },
	{ "firmware", plain, DOCTOR_UNKNOWN, "the kernel does not show it",
	  "mlxconfig -d 0000:3b:00.0 query VF_MIGRATION_MODE", NULL, FIX(NONE) },
	{ "migration", all_is_well, DOCTOR_OK, "by debugfs", "", NULL, FIX(NONE) },
	{ "migration", no_migration, DOCTOR_PROBLEM, "not by debugfs", "", NULL, FIX(NONE) },
	{ "migration", no_debugfs, DOCTOR_UNKNOWN, "debugfs does not tell",
	  "vfiomigctl info " VF_NAME, NULL, FIX(NONE) },
	{ "migration", host_driver, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "state", all_is_well, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	/* Of a device that is not open it is what was left behind, or never set. */
	{ "state", error_state, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "state", held, DOCTOR_OK, "RUNNING", "", NULL, FIX(NONE) },
	{ "state", held_in_error, DOCTOR_PROBLEM, "ERROR",
	  "vfiomigctl reset pid:321/" VF_NAME, NULL, FIX(NONE) },
	{ "access", all_is_well, DOCTOR_OK, "/dev/vfio/devices/vfio0", "", NULL, FIX(NONE) },
	{ "access", no_node, DOCTOR_PROBLEM, "no node of it in /dev/vfio", "", NULL, FIX(NONE) },
	{ "access", host_driver, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "token", all_is_well, DOCTOR_NOT_ASKED, "", "", NULL, FIX(NONE) },
	{ "token", pf_on_vfio, DOCTOR_UNKNOWN, "its PF 0000:3b:00.0 has the driver vfio-pci", "",
	  NULL, FIX(NONE) },
	{ "reset", all_is_well, DOCTOR_OK, "the kernel can reset it", "", NULL, FIX(NONE) },
	{ "reset", no_reset, DOCTOR_PROBLEM, "the kernel has no way to reset it",
	  VF_NAME "/reset_method", NULL, FIX(NONE) },
	{ "held", all_is_well, DOCTOR_OK, "by no process", "", NULL, FIX(NONE) },
	{ "held", held, DOCTOR_PROBLEM,
	  "qemu-system-x86 (pid 321, unit machine-qemu\\x2d3\\x2dweb.scope)",
	  "vfiomigctl info pid:321/" VF_NAME, NULL, FIX(NONE) },
	{ "held", held_by_itself, DOCTOR_PROBLEM, "fd 9, which this process has inherited, has it",
	  "vfiomigctl info fd:9", NULL, FIX(NONE) },
	{ "log", all_is_well, DOCTOR_OK, "no warning in 10 minutes", "", NULL, FIX(NONE) },
	{ "log", log_of_old, DOCTOR_OK, "no warning in 10 minutes", "", NULL, FIX(NONE) },
	{ "log", log_of_now, DOCTOR_UNKNOWN, "mlx5_vfio_pci " VF_NAME ": refused?[2J",
	  "dmesg | grep " VF_NAME, NULL, FIX(NONE) },
	{ "log", no_log, DOCTOR_UNKNOWN, "/dev/kmsg: ENOENT", "dmesg", NULL, FIX(NONE) },
	/* clang-format on */
};

static void each_finding_is_made_and_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		struct fake_host *f = make_host();
		struct doctor_finding finding;

		made[i].spoil(f);
		look(f, made[i].device ? made[i].device : VF, made[i].rule, &finding);
		if (finding.verdict != made[i].verdict ||
		    !strstr(finding.evidence, made[i].evidence) ||
		    !strstr(finding.command, made[i].command) ||
		    (!*made[i].command && *finding.command))
			fail_msg("row %zu, %s: verdict %d, '%s', '%s'", i, made[i].rule,
				 (int)finding.verdict, finding.evidence, finding.command);
		/* What is said to be wrong is explained, or mended; what is right has no cause. */
		if (finding.verdict == DOCTOR_PROBLEM)
			assert_non_null(finding.cause);
		if (finding.verdict == DOCTOR_OK)
			assert_null(finding.cause);
		assert_int_equal(finding.fix, made[i].fix);
		assert_true(!finding.fix || *finding.command);
		fake_host_free(f);
	}
}

#define DEVLINK_ROW(look_, now_, mode_, needs_, verdict_, evidence_, command_)                    \
	{                                                                                         \
		DEVLINK_##look_, DEVLINK_##now_, DEVLINK_MODE_##mode_, needs_, DOCTOR_##verdict_, \
			evidence_, command_                                                       \
	}

/* devlink has no folder, so that its facts are given as they are. */
static const struct {
	enum devlink_look look;
	enum devlink_value now;
	enum devlink_mode mode;
	bool needs;
	enum doctor_verdict verdict;
	const char *evidence, *command;
} switches[] = {
	/* clang-format off */
	DEVLINK_ROW(NOT_ASKED, ABSENT, UNKNOWN, true, NOT_ASKED, "", ""),
	DEVLINK_ROW(FAILED, ABSENT, UNKNOWN, true, UNKNOWN, "broken", "vfiomigctl migratable x"),
	DEVLINK_ROW(NO_PF, ABSENT, UNKNOWN, false, NOT_ASKED, "", ""),
	DEVLINK_ROW(NO_PF, ABSENT, UNKNOWN, true, PROBLEM, "its PF pf is not in devlink", ""),
	DEVLINK_ROW(WITHOUT_PORT, ABSENT, LEGACY, false, NOT_ASKED, "", ""),
	DEVLINK_ROW(WITHOUT_PORT, ABSENT, LEGACY, true, PROBLEM, "its PF pf shows no port for it",
		    "vfiomigctl migratable --switchdev --rebind x on"),
	DEVLINK_ROW(WITHOUT_PORT, ABSENT, UNKNOWN, true, UNKNOWN, "its PF pf shows no port", ""),
	DEVLINK_ROW(WITHOUT_PORT, ABSENT, SWITCHDEV, true, PROBLEM, "its PF pf shows no port", ""),
	DEVLINK_ROW(WITH_PORT, ABSENT, SWITCHDEV, false, NOT_ASKED, "", ""),
	DEVLINK_ROW(WITH_PORT, ABSENT, SWITCHDEV, true, PROBLEM, "its port has no such switch", ""),
	DEVLINK_ROW(WITH_PORT, ON, SWITCHDEV, true, OK, "on", ""),
	DEVLINK_ROW(WITH_PORT, OFF, SWITCHDEV, false, PROBLEM, "off",
		    "vfiomigctl migratable --rebind x on"),
	/* clang-format on */
};

#define TAKEN(fix) (1u << DOCTOR_FIX_##fix)
#define PROBLEM(rule_, fix_)                             \
	{                                                \
		rule_, DOCTOR_PROBLEM, DOCTOR_FIX_##fix_ \
	}

/* What is next of findings, in any order, and about which of them. */
static void next_fix_follows_from_all_findings(void **state)
{
	static const struct {
		struct {
			const char *rule;
			enum doctor_verdict verdict;
			enum doctor_fix fix;
		} findings[4];
		unsigned int taken;
		enum doctor_fix_next next;
		const char *which;
	} rows[] = {
		/* clang-format off */
		{ { { "kernel", DOCTOR_OK, DOCTOR_FIX_NONE } }, 0, DOCTOR_NEXT_NOTHING, NULL },
		{ { PROBLEM("driver", DRIVER) }, 0, DOCTOR_NEXT_FIX, "driver" },
		/* In the order in which they are to be done, not in the one of the rules. */
		{ { PROBLEM("driver", DRIVER), PROBLEM("devlink", SWITCH) }, 0,
		  DOCTOR_NEXT_FIX, "devlink" },
		{ { PROBLEM("driver", DRIVER), PROBLEM("devlink", SWITCH),
		    PROBLEM("nodes", IOMMUFD), PROBLEM("vfio", VFIO) }, 0,
		  DOCTOR_NEXT_FIX, "vfio" },
		{ { PROBLEM("driver", DRIVER), PROBLEM("nodes", IOMMUFD) }, TAKEN(VFIO),
		  DOCTOR_NEXT_FIX, "nodes" },
		/* What cannot be mended keeps the device as it is, and not the host. */
		{ { PROBLEM("iommu", NONE), PROBLEM("driver", DRIVER) }, 0,
		  DOCTOR_NEXT_GATED, "iommu" },
		{ { PROBLEM("iommu", NONE), PROBLEM("driver", DRIVER), PROBLEM("vfio", VFIO) }, 0,
		  DOCTOR_NEXT_FIX, "vfio" },
		{ { PROBLEM("driver", DRIVER), PROBLEM("use", NONE) }, 0,
		  DOCTOR_NEXT_GATED, "use" },
		{ { PROBLEM("driver", DRIVER), PROBLEM("held", NONE) }, 0,
		  DOCTOR_NEXT_GATED, "held" },
		{ { PROBLEM("driver", DRIVER), PROBLEM("devlink", NONE) }, 0,
		  DOCTOR_NEXT_GATED, "devlink" },
		{ { PROBLEM("iommu", NONE) }, 0, DOCTOR_NEXT_NOTHING, NULL },
		/* A problem that stands before nothing, and what is not known. */
		{ { PROBLEM("reset", NONE), PROBLEM("driver", DRIVER) }, 0,
		  DOCTOR_NEXT_FIX, "driver" },
		{ { { "group", DOCTOR_UNKNOWN, DOCTOR_FIX_NONE }, PROBLEM("driver", DRIVER) }, 0,
		  DOCTOR_NEXT_FIX, "driver" },
		/* Once each. */
		{ { PROBLEM("driver", DRIVER) }, TAKEN(DRIVER), DOCTOR_NEXT_NO_HELP, "driver" },
		{ { PROBLEM("devlink", SWITCH), PROBLEM("driver", DRIVER) }, TAKEN(SWITCH),
		  DOCTOR_NEXT_NO_HELP, "devlink" },
		{ { { "devlink", DOCTOR_OK, DOCTOR_FIX_SWITCH }, PROBLEM("driver", DRIVER) },
		  TAKEN(SWITCH), DOCTOR_NEXT_FIX, "driver" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doctor_fix_fact facts[4];
		size_t n = 0, which = 0;

		for (; n < 4 && rows[i].findings[n].rule; n++)
			facts[n] = (struct doctor_fix_fact){
				.rule = rule_of(rows[i].findings[n].rule),
				.verdict = rows[i].findings[n].verdict,
				.fix = rows[i].findings[n].fix,
			};
		assert_int_equal(doctor_fix_next(facts, n, rows[i].taken, &which), rows[i].next);
		if (rows[i].which)
			assert_string_equal(facts[which].rule->name, rows[i].which);
	}
}

static void fix_is_the_command_that_is_told(void **state)
{
	static const struct {
		enum doctor_fix fix;
		const char *root, *driver, *text;
	} rows[] = {
		/* clang-format off */
		{ DOCTOR_FIX_VFIO,    "",   NULL, "modprobe vfio-pci " },
		{ DOCTOR_FIX_VFIO,    "/r", NULL, "modprobe -d /r vfio-pci " },
		{ DOCTOR_FIX_IOMMUFD, "",   NULL, "modprobe iommufd " },
		{ DOCTOR_FIX_SWITCH,  "",   NULL, "vfiomigctl migratable " VF_NAME " on " },
		{ DOCTOR_FIX_SWITCH,  "",   "x",
		  "vfiomigctl migratable --rebind " VF_NAME " on " },
		{ DOCTOR_FIX_DRIVER,  "",   "x",  "vfiomigctl bind " VF_NAME " " },
		{ DOCTOR_FIX_DRIVER,  "/r", NULL, "vfiomigctl bind --module-root /r " VF_NAME " " },
		{ DOCTOR_FIX_NONE,    "",   NULL, "" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[] = VF_NAME, driver[8] = "";
		struct vfio_node node = { .name = name };
		const struct host_facts host = { .module_root = rows[i].root };
		const struct device_facts device = { .node = &node };
		const char *words[DOCTOR_FIX_WORDS + 1];
		char text[128] = "";

		if (rows[i].driver) {
			strcpy(driver, rows[i].driver);
			node.driver = driver;
		}
		doctor_fix_words(rows[i].fix, &host, &device, words);
		for (size_t j = 0; words[j]; j++) {
			strcat(text, words[j]);
			strcat(text, " ");
		}
		assert_string_equal(text, rows[i].text);
	}
}

static void switch_is_judged(void **state)
{
	char name[] = "x", driver[] = "vfio-pci", bus[] = "pci";
	const struct vfio_node node = { .name = name, .driver = driver, .bus = bus };
	const struct host_facts host = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		const struct device_facts d = {
			.node = &node,
			.kind = FUNCTION_VF,
			.vf.pf = "pf",
			.needs_switch = switches[i].needs,
			.devlink = switches[i].look,
			.switch_now = switches[i].now,
			.mode = switches[i].mode,
			.devlink_error = "broken",
		};
		struct doctor_finding finding;

		doctor_judge(rule_of("devlink"), &host, &d, &finding);
		if (finding.verdict != switches[i].verdict ||
		    !strstr(finding.evidence, switches[i].evidence) ||
		    !strstr(finding.command, switches[i].command))
			fail_msg("row %zu: verdict %d, '%s', '%s'", i, (int)finding.verdict,
				 finding.evidence, finding.command);
	}
}

static void what_is_denied_is_told(void **state)
{
	char name[] = "x", bus[] = "pci";
	const struct vfio_node node = { .name = name, .bus = bus, .vfio = true };
	const struct device_facts d = { .node = &node,
					.access = NODE_DENIED,
					.path = "/dev/vfio/7",
					.holders_partial = true,
					.own_fd = -1 };
	const struct host_facts host = { 0 };
	struct doctor_finding finding;

	(void)state;
	doctor_judge(rule_of("access"), &host, &d, &finding);
	assert_int_equal(finding.verdict, DOCTOR_PROBLEM);
	assert_string_equal(finding.evidence, "/dev/vfio/7 is not for this user");
	doctor_judge(rule_of("held"), &host, &d, &finding);
	assert_int_equal(finding.verdict, DOCTOR_UNKNOWN);
}

static void variant_is_known_by_ids_or_pf(void **state)
{
	static const struct {
		uint16_t vendor, device;
		const char *pf_driver, *module;
	} rows[] = {
		{ 0x15b3, 0x101e, "mlx5_core", "mlx5_vfio_pci" },
		{ 0x15b3, 0x101e, NULL, "mlx5_vfio_pci" },
		{ 0x15b3, 0x101d, NULL, NULL },
		{ 0x8086, 0x4943, "4xxx", "qat_vfio_pci" },
		{ 0x8086, 0xb080, "xe", "xe_vfio_pci" },
		{ 0x8086, 0xb080, "i915", NULL },
		{ 0x8086, 0xb080, NULL, NULL },
		{ 0x1234, 0x101e, "xe", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct pci_ids ids = { .vendor = rows[i].vendor, .device = rows[i].device };
		const struct variant *v = variant_find(&ids, rows[i].pf_driver);

		assert_string_equal(v ? v->module : "-", rows[i].module ? rows[i].module : "-");
	}
}

/* A name in a file of NULs: fputs() cannot write that. */
static void write_words(const char *path, const char *words, size_t n)
{
	FILE *file;

	fake_file(path, "");
	file = fopen(path, "we");
	fake_must(file && fwrite(words, 1, n, file) == n && fclose(file) == 0, path);
}

#define WORDS(words) words, sizeof(words)

static void process_is_known_by_cgroup_and_command(void **state)
{
	static const struct {
		const char *cgroup, *words;
		size_t len;
		const char *unit, *pod, *vm;
		bool libvirt;
	} rows[] = {
		/* clang-format off */
		{ "0::/machine.slice/machine-qemu\\x2d3\\x2dweb.scope/libvirt/emulator\n",
		  WORDS("/usr/bin/qemu-system-x86_64\0-name\0guest=web,debug-threads=on"),
		  "machine-qemu\\x2d3\\x2dweb.scope", "", "web", true },
		{ "0::/system.slice/vm@1.service\n", WORDS("/usr/bin/kvm\0-name\0one"),
		  "vm@1.service", "", "one", false },
		{ "1:name=systemd:/system.slice/old.service\n", WORDS("dpdk\0-name\0no"),
		  "old.service", "", "", false },
		{ "0::/kubepods.slice/kubepods-burstable.slice/"
		  "kubepods-burstable-pod12ab_34.slice/cri-containerd-99.scope\n",
		  WORDS("app"), "cri-containerd-99.scope", "12ab-34", "", false },
		{ "0::/kubepods/besteffort/pod12ab-34/99\n",
		  WORDS("app"), "", "12ab-34", "", false },
		{ "0::/pod12ab-34/99\n", WORDS("qemu\0-name"), "", "", "", false },
		{ "0::/a\x1b[2J.scope\n", WORDS("qemu\0-name\0\x1b[2J"), "a?[2J.scope", "", "?[2J",
		  false },
		{ "", WORDS(""), "", "", "", false },
		/* clang-format on */
	};
	struct fake_host *f = fake_host_new();
	struct process_role role;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_file(AT(f, "proc/7/cgroup"), rows[i].cgroup);
		write_words(AT(f, "proc/7/cmdline"), rows[i].words, rows[i].len);
		process_role_find(&f->host, 7, &role);
		assert_string_equal(role.unit, rows[i].unit);
		assert_string_equal(role.pod, rows[i].pod);
		assert_string_equal(role.vm, rows[i].vm);
		assert_int_equal(role.libvirt, rows[i].libvirt);
	}
	process_role_find(&f->host, 8, &role);
	assert_string_equal(role.unit, "");
	fake_host_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_finding_is_made_and_told),
		cmocka_unit_test(next_fix_follows_from_all_findings),
		cmocka_unit_test(fix_is_the_command_that_is_told),
		cmocka_unit_test(switch_is_judged),
		cmocka_unit_test(what_is_denied_is_told),
		cmocka_unit_test(variant_is_known_by_ids_or_pf),
		cmocka_unit_test(process_is_known_by_cgroup_and_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
