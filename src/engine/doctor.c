// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "base/units.h"
#include "engine/doctor.h"

/* Migration by the v2 protocol came with Linux 5.18. */
#define DOCTOR_MAJOR 5
#define DOCTOR_MINOR 18

static void doctor_say(struct doctor_finding *f, enum doctor_verdict verdict, const char *fmt, ...)
	_printf_(3, 4);
static void doctor_suggest(struct doctor_finding *f, const char *cause, const char *fmt, ...)
	_printf_(3, 4);

static void doctor_say(struct doctor_finding *f, enum doctor_verdict verdict, const char *fmt, ...)
{
	va_list ap;

	f->verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(f->evidence, sizeof(f->evidence), fmt, ap);
	va_end(ap);
	make_printable(f->evidence);
}

static void doctor_suggest(struct doctor_finding *f, const char *cause, const char *fmt, ...)
{
	va_list ap;

	f->cause = cause;
	va_start(ap, fmt);
	vsnprintf(f->command, sizeof(f->command), fmt, ap);
	va_end(ap);
}

void doctor_fix_words(enum doctor_fix fix, const struct host_facts *h, const struct device_facts *d,
		      const char *ret[DOCTOR_FIX_WORDS + 1])
{
	const bool from = h->module_root && *h->module_root;
	size_t n = 0;

	if (fix == DOCTOR_FIX_VFIO || fix == DOCTOR_FIX_IOMMUFD) {
		ret[n++] = "modprobe";
		if (from) {
			ret[n++] = "-d";
			ret[n++] = h->module_root;
		}
		ret[n++] = fix == DOCTOR_FIX_VFIO ? "vfio-pci" : "iommufd";
	} else if (fix == DOCTOR_FIX_SWITCH) {
		ret[n++] = "vfiomigctl";
		ret[n++] = "migratable";
		if (d->node->driver)
			ret[n++] = "--rebind";
		ret[n++] = d->node->name;
		ret[n++] = "on";
	} else if (fix == DOCTOR_FIX_DRIVER) {
		ret[n++] = "vfiomigctl";
		ret[n++] = "bind";
		if (from) {
			ret[n++] = "--module-root";
			ret[n++] = h->module_root;
		}
		ret[n++] = d->node->name;
	}
	ret[n] = NULL;
}

static void doctor_mend(struct doctor_finding *f, const char *cause, enum doctor_fix fix,
			const struct host_facts *h, const struct device_facts *d)
{
	const char *words[DOCTOR_FIX_WORDS + 1];
	size_t len = 0;

	f->cause = cause;
	f->fix = fix;
	doctor_fix_words(fix, h, d, words);
	for (size_t i = 0; words[i] && len < sizeof(f->command); i++)
		len += (size_t)snprintf(f->command + len, sizeof(f->command) - len, "%s%s",
					i ? " " : "", words[i]);
}

static bool doctor_older(const struct host_facts *h, unsigned int major, unsigned int minor)
{
	return h->major < major || (h->major == major && h->minor < minor);
}

/*
 * The host
 */

static void doctor_judge_sysfs(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	(void)d;
	if (h->sysfs) {
		doctor_say(f, DOCTOR_OK, "sysfs is mounted");
		return;
	}
	doctor_say(f, DOCTOR_PROBLEM, "no sysfs");
	doctor_suggest(f, "a container without /sys, or not mounted: no device can be seen",
		       "mount -t sysfs sysfs /sys");
}

static void doctor_judge_kernel(const struct host_facts *h, const struct device_facts *d,
				struct doctor_finding *f)
{
	(void)d;
	if (!h->major) {
		doctor_say(f, DOCTOR_UNKNOWN, "/proc does not tell");
		doctor_suggest(f, "Linux 5.18 is the first one with migration", "uname -r");
		return;
	}
	doctor_say(f, DOCTOR_OK, "Linux %s", h->release);
	if (!doctor_older(h, DOCTOR_MAJOR, DOCTOR_MINOR))
		return;
	f->verdict = DOCTOR_PROBLEM;
	f->cause = "Linux 5.18 is the first one with migration";
}

static void doctor_judge_vfio(const struct host_facts *h, const struct device_facts *d,
			      struct doctor_finding *f)
{
	(void)d;
	if (h->vfio) {
		doctor_say(f, DOCTOR_OK, "VFIO is there%s",
			   h->vfio_class ? "" : ", without the class vfio-dev (Linux 6.1)");
		return;
	}
	doctor_say(f, DOCTOR_PROBLEM, "no VFIO");
	doctor_mend(f, "not loaded, or a kernel without CONFIG_VFIO", DOCTOR_FIX_VFIO, h, NULL);
}

static void doctor_judge_iommu(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	(void)d;
	if (h->iommus || h->groups) {
		doctor_say(f, DOCTOR_OK, "%u IOMMU%s, %u IOMMU group%s", h->iommus,
			   h->iommus == 1 ? "" : "s", h->groups, h->groups == 1 ? "" : "s");
		return;
	}
	doctor_say(f, DOCTOR_PROBLEM, "no IOMMU");
	f->cause = "off in the firmware (VT-d, AMD-Vi, SMMU) or on the kernel's command line: "
		   "intel_iommu=on is needed on some kernels";
}

static void doctor_judge_nodes(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	(void)d;
	if (h->iommufd || h->container) {
		doctor_say(f, DOCTOR_OK, "%s",
			   h->iommufd && h->container ? "/dev/iommu and /dev/vfio/vfio"
			   : h->iommufd		      ? "/dev/iommu"
						      : "/dev/vfio/vfio, and no /dev/iommu");
		return;
	}
	doctor_say(f, DOCTOR_PROBLEM, "neither /dev/iommu nor /dev/vfio/vfio");
	if (h->dev_lacks)
		f->cause = "the kernel has them and this /dev has not: a container that was not "
			   "given them";
	else
		doctor_mend(f,
			    "a kernel without CONFIG_IOMMUFD and CONFIG_VFIO_CONTAINER, or not "
			    "loaded",
			    DOCTOR_FIX_IOMMUFD, h, NULL);
}

static void doctor_judge_debugfs(const struct host_facts *h, const struct device_facts *d,
				 struct doctor_finding *f)
{
	(void)d;
	switch (h->debugfs) {
	case DEBUGFS_WITH_VFIO:
		doctor_say(f, DOCTOR_OK, "debugfs has vfio");
		return;
	case DEBUGFS_WITHOUT_VFIO:
		doctor_say(f, DOCTOR_UNKNOWN, "debugfs has no vfio");
		f->cause = "before Linux 6.8, or without CONFIG_VFIO_DEBUGFS: what a device that "
			   "is held is doing cannot be seen";
		return;
	case DEBUGFS_CLOSED:
		doctor_say(f, DOCTOR_UNKNOWN, "debugfs cannot be read");
		doctor_suggest(f,
			       "not mounted, or not for this user: what a device that is held is "
			       "doing cannot be seen",
			       "mount -t debugfs debugfs /sys/kernel/debug");
		return;
	}
}

static void doctor_judge_memlock(const struct host_facts *h, const struct device_facts *d,
				 struct doctor_finding *f)
{
	char size[UNITS_MAX];

	(void)d;
	if (h->ipc_lock || (h->memlock_known && h->memlock == UINT64_MAX)) {
		doctor_say(f, DOCTOR_OK, "%s", h->ipc_lock ? "CAP_IPC_LOCK" : "no limit");
		return;
	}
	doctor_say(f, DOCTOR_UNKNOWN, "%s may be locked",
		   h->memlock_known ? format_bytes(size, h->memlock) : "it is not known how much");
	doctor_suggest(f,
		       "enough for vfiomigctl; a VMM that is started from here locks all memory "
		       "of its guest",
		       "ulimit -l");
}

/*
 * The device
 */

static void doctor_judge_pf(const struct device_facts *d, struct doctor_finding *f)
{
	const char *name = d->node->name;

	if (!d->vfs) {
		doctor_say(f, DOCTOR_PROBLEM, "a PF, and none of its %u VFs is enabled",
			   d->total_vfs);
		doctor_suggest(f, "VFs migrate, PFs do not", "vfiomigctl vfs %s %u", name,
			       d->total_vfs);
		return;
	}
	doctor_say(f, DOCTOR_PROBLEM, "a PF, with %u VF%s", d->vfs, d->vfs == 1 ? "" : "s");
	doctor_suggest(f, "VFs migrate, PFs do not", "vfiomigctl doctor %s",
		       *d->first_vf ? d->first_vf : "VF");
}

static void doctor_judge_function(const struct host_facts *h, const struct device_facts *d,
				  struct doctor_finding *f)
{
	(void)h;
	if (d->kind == FUNCTION_NOT_PCI)
		return;
	if (d->kind == FUNCTION_VF) {
		doctor_say(f, DOCTOR_OK, "VF %u of %s (%s)", d->vf.number, d->vf.pf,
			   *d->pf_driver ? d->pf_driver : "no driver");
		return;
	}
	if (d->migration == MIGRATION_OFFERED) {
		doctor_say(f, DOCTOR_OK, "no VF, and its driver offers migration all the same");
		return;
	}
	if (d->kind == FUNCTION_PF) {
		doctor_judge_pf(d, f);
		return;
	}
	doctor_say(f, DOCTOR_UNKNOWN, "neither a VF nor a PF");
	f->cause = "all drivers of Linux that migrate PCI functions are for VFs";
}

static void doctor_judge_group(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	if (d->node->group < 0) {
		doctor_say(f, DOCTOR_PROBLEM, "in no IOMMU group");
		f->cause = h->iommus ? "its IOMMU does not cover it" : "the host has no IOMMU";
		return;
	}
	doctor_say(f, DOCTOR_OK, "IOMMU group %d", d->node->group);
	if (!d->node->noiommu)
		return;
	doctor_say(f, DOCTOR_UNKNOWN, "no-IOMMU group %d", d->node->group);
	f->cause = "its DMA reaches all memory, and nothing tracks it";
}

static void doctor_judge_mates(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	(void)h;
	if (d->node->group < 0)
		return;
	if (!*d->blocker) {
		doctor_say(f, DOCTOR_OK, "%u other device%s in its group", d->mates,
			   d->mates == 1 ? "" : "s");
		return;
	}
	doctor_say(f, DOCTOR_PROBLEM, "%s is in its group", d->blocker);
	f->cause = "VFIO gives out no device of a group in which another driver has one: unbind "
		   "it, or give it to VFIO, too";
}

/* The driver that is for it, by what is known of Linux, else by what modules say. NULL for none. */
static const char *doctor_module(const struct device_facts *d)
{
	if (d->variant)
		return d->variant->module;
	return *d->choice.module ? d->choice.module : NULL;
}

static void doctor_judge_driver(const struct host_facts *h, const struct device_facts *d,
				struct doctor_finding *f)
{
	const struct vfio_node *node = d->node;
	const char *driver = node->driver ? node->driver : "no driver";
	const char *module = doctor_module(d);

	/* That it is none is said already, and that its driver is the host's is as it should be. */
	if (d->kind == FUNCTION_PF && !node->vfio)
		return;
	if (d->migration == MIGRATION_OFFERED ||
	    (node->vfio && node->driver && strcmp(node->driver, "vfio-pci") != 0)) {
		doctor_say(f, DOCTOR_OK, "%s", driver);
		return;
	}
	doctor_say(f, DOCTOR_PROBLEM, "%s", driver);
	if (module) {
		doctor_say(f, DOCTOR_PROBLEM, "%s, and not %s", driver, module);
		doctor_mend(f,
			    node->vfio ? "vfio-pci takes any function and migrates none"
				       : "VFIO does not have it",
			    DOCTOR_FIX_DRIVER, h, d);
		return;
	}
	f->cause = node->vfio ? "vfio-pci takes any function and migrates none; Linux is not known "
				"to have a driver that migrates this one"
			      : "VFIO does not have it; Linux is not known to have a driver that "
				"migrates this one";
}

static void doctor_judge_module(const struct host_facts *h, const struct device_facts *d,
				struct doctor_finding *f)
{
	const struct variant *v = d->variant;

	if (!v) {
		if (*d->choice.module)
			doctor_say(f, DOCTOR_OK, "%s is for it, by its alias", d->choice.module);
		return;
	}
	if (h->major && doctor_older(h, v->major, v->minor)) {
		doctor_say(f, DOCTOR_PROBLEM, "%s migrates it since Linux %u.%u; this is %s",
			   v->module, v->major, v->minor, h->release);
		f->cause = "the kernel is too old for this device";
		return;
	}
	switch (d->module) {
	case MODULE_LOADED:
	case MODULE_THERE:
		doctor_say(f, DOCTOR_OK, "%s is %s", v->module,
			   d->module == MODULE_LOADED ? "loaded" : "there");
		return;
	case MODULE_ABSENT:
		doctor_say(f, DOCTOR_PROBLEM, "no module %s (%s)", v->module, v->config);
		f->cause = "the kernel was built without it, or a package with more of its modules "
			   "is not installed";
		return;
	case MODULE_UNKNOWN:
		doctor_say(f, DOCTOR_UNKNOWN, "%s: there is no list of modules", v->module);
		doctor_suggest(f, "a container, or the kernel's modules are not installed",
			       "modprobe %s", v->module);
		return;
	}
}

static void doctor_judge_use(const struct host_facts *h, const struct device_facts *d,
			     struct doctor_finding *f)
{
	char more[32] = "";

	(void)h;
	if (d->kind == FUNCTION_NOT_PCI || d->node->vfio)
		return;
	if (!d->uses) {
		doctor_say(f, DOCTOR_OK, "nothing that can be seen from here");
		return;
	}
	if (d->uses > 1)
		snprintf(more, sizeof(more), " and %u more", d->uses - 1);
	doctor_say(f, DOCTOR_PROBLEM, "%s%s", d->use, more);
	f->cause = "it is not taken from a driver that works for the host: end that first";
}

static void doctor_judge_port(const struct host_facts *h, const struct device_facts *d,
			      struct doctor_finding *f)
{
	if (d->switch_now == DEVLINK_ON) {
		doctor_say(f, DOCTOR_OK, "on");
		return;
	}
	if (d->switch_now == DEVLINK_OFF) {
		doctor_say(f, DOCTOR_PROBLEM, "off");
		doctor_mend(f, "its PF's driver takes it for one that does not migrate",
			    DOCTOR_FIX_SWITCH, h, d);
		return;
	}
	if (!d->needs_switch)
		return;
	doctor_say(f, DOCTOR_PROBLEM, "its port has no such switch");
	f->cause = "before Linux 6.2, or the device's firmware does not offer it";
}

static void doctor_judge_devlink(const struct host_facts *h, const struct device_facts *d,
				 struct doctor_finding *f)
{
	switch (d->devlink) {
	case DEVLINK_NOT_ASKED:
		return;
	case DEVLINK_FAILED:
		doctor_say(f, DOCTOR_UNKNOWN, "%s", d->devlink_error);
		doctor_suggest(f, "devlink did not answer", "vfiomigctl migratable %s",
			       d->node->name);
		return;
	case DEVLINK_WITH_PORT:
		doctor_judge_port(h, d, f);
		return;
	case DEVLINK_NO_PF:
	case DEVLINK_WITHOUT_PORT:
		break;
	}
	/* Of a driver that is not known, no port is no sign of anything. */
	if (!d->needs_switch)
		return;
	if (d->devlink == DEVLINK_NO_PF) {
		doctor_say(f, DOCTOR_PROBLEM, "its PF %s is not in devlink", d->vf.pf);
		f->cause = "its driver has a switch there, which must be on before the VF is bound";
		return;
	}
	doctor_say(f, d->mode == DEVLINK_MODE_UNKNOWN ? DOCTOR_UNKNOWN : DOCTOR_PROBLEM,
		   "its PF %s shows no port for it", d->vf.pf);
	if (d->mode == DEVLINK_MODE_SWITCHDEV)
		return;
	doctor_suggest(f,
		       "legacy mode of the eswitch hides the ports; to see the mode takes "
		       "CAP_NET_ADMIN",
		       "vfiomigctl migratable --switchdev %s%s on",
		       d->node->driver ? "--rebind " : "", d->node->name);
}

static void doctor_judge_firmware(const struct host_facts *h, const struct device_facts *d,
				  struct doctor_finding *f)
{
	(void)h;
	if (d->kind != FUNCTION_VF || !d->mlx5)
		return;
	if (d->migration == MIGRATION_OFFERED) {
		doctor_say(f, DOCTOR_OK, "its driver offers migration");
		return;
	}
	doctor_say(f, DOCTOR_UNKNOWN, "the kernel does not show it");
	doctor_suggest(f, "the firmware's VF_MIGRATION_MODE may be off",
		       "mlxconfig -d %s query VF_MIGRATION_MODE", d->vf.pf);
}

static void doctor_judge_migration(const struct host_facts *h, const struct device_facts *d,
				   struct doctor_finding *f)
{
	(void)h;
	if (!d->node->vfio)
		return;
	switch (d->migration) {
	case MIGRATION_OFFERED:
		doctor_say(f, DOCTOR_OK, "by debugfs");
		return;
	case MIGRATION_NONE:
		doctor_say(f, DOCTOR_PROBLEM, "not by debugfs");
		f->cause = "the driver offers none for this device, for one of the reasons above; "
			   "or it speaks v1 (--protocol=v1)";
		return;
	case MIGRATION_UNKNOWN:
		doctor_say(f, DOCTOR_UNKNOWN, "debugfs does not tell");
		doctor_suggest(f, "only opening the device tells, which resets a PCI function",
			       "vfiomigctl info %s", d->node->name);
		return;
	}
}

static void doctor_judge_state(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	(void)h;
	if (d->migration != MIGRATION_OFFERED || !d->state_counts)
		return;
	doctor_say(f, DOCTOR_OK, "%s", d->state);
	if (strcmp(d->state, "ERROR") != 0)
		return;
	f->verdict = DOCTOR_PROBLEM;
	if (d->holders)
		doctor_suggest(f, "a change of state has failed: only a reset leads out",
			       "vfiomigctl reset pid:%d/%s", d->holder_pid, d->node->name);
	else
		doctor_suggest(f, "a change of state has failed: only a reset leads out",
			       "vfiomigctl reset %s", d->node->name);
}

static void doctor_judge_access(const struct host_facts *h, const struct device_facts *d,
				struct doctor_finding *f)
{
	(void)h;
	if (!d->node->vfio)
		return;
	switch (d->access) {
	case NODE_OPEN:
		doctor_say(f, DOCTOR_OK, "%s", d->path);
		return;
	case NODE_DENIED:
		doctor_say(f, DOCTOR_PROBLEM, "%s is not for this user", d->path);
		doctor_suggest(f, "its mode or owner", "chown $USER %s", d->path);
		return;
	case NODE_ABSENT:
		doctor_say(f, DOCTOR_PROBLEM, "no node of it in /dev/vfio");
		f->cause = "a container that was not given it, or udev has not made it";
		return;
	}
}

static void doctor_judge_token(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	(void)h;
	if (d->kind != FUNCTION_VF || !d->pf_vfio)
		return;
	doctor_say(f, DOCTOR_UNKNOWN, "its PF %s has the driver %s", d->vf.pf, d->pf_driver);
	f->cause = "the PF's user has set a token, without which the VF is not given out: "
		   "--vf-token";
}

static void doctor_judge_reset(const struct host_facts *h, const struct device_facts *d,
			       struct doctor_finding *f)
{
	(void)h;
	if (d->kind == FUNCTION_NOT_PCI)
		return;
	doctor_say(f, DOCTOR_OK, "the kernel can reset it");
	if (d->can_reset)
		return;
	doctor_say(f, DOCTOR_PROBLEM, "the kernel has no way to reset it");
	doctor_suggest(f, "nothing brings it back from ERROR, or drops a load that failed",
		       "cat /sys/bus/pci/devices/%s/reset_method", d->node->name);
}

static void doctor_judge_held(const struct host_facts *h, const struct device_facts *d,
			      struct doctor_finding *f)
{
	(void)h;
	if (d->holders) {
		char more[32] = "";

		if (d->holders > 1)
			snprintf(more, sizeof(more), " and %u more", d->holders - 1);
		doctor_say(f, DOCTOR_PROBLEM, "%s%s", d->holder, more);
		doctor_suggest(f, "one process at a time can open it: take part in that one's",
			       "vfiomigctl info pid:%d/%s", d->holder_pid, d->node->name);
		return;
	}
	if (d->own_fd >= 0) {
		doctor_say(f, DOCTOR_PROBLEM, PCI_USE_OWN_FD, d->own_fd);
		doctor_suggest(f, "it can be opened once: take part in that",
			       "vfiomigctl info fd:%d", d->own_fd);
		return;
	}
	doctor_say(f, DOCTOR_OK, "by no process");
	if (!d->holders_partial || !d->node->vfio)
		return;
	doctor_say(f, DOCTOR_UNKNOWN, "by no process that can be seen from here");
	f->cause = "only root sees all of them";
}

static void doctor_judge_log(const struct host_facts *h, const struct device_facts *d,
			     struct doctor_finding *f)
{
	(void)h;
	if (d->log_error < 0) {
		doctor_say(f, DOCTOR_UNKNOWN, "/dev/kmsg: %s", err_name(d->log_error));
		doctor_suggest(f, "kernel.dmesg_restrict, or a container", "dmesg");
		return;
	}
	if (!d->log.warnings) {
		doctor_say(f, DOCTOR_OK, "no warning in %u minutes", EXAMINE_LOG_MINUTES);
		return;
	}
	doctor_say(f, DOCTOR_UNKNOWN, "%s", d->log.last);
	doctor_suggest(f, "a warning of the kernel: drivers say there why they refuse",
		       "dmesg | grep %s", d->node->name);
}

/* vfiomigctl-doctor(8) has the names and questions, too: tests/cli/doctor.bats compares them. */
static const struct doctor_rule doctor_rules[] = {
	/* clang-format off */
	{ DOCTOR_HOST, DOCTOR_GATE, "sysfs", "Can the host's devices be seen?",
	  doctor_judge_sysfs },
	{ DOCTOR_HOST, DOCTOR_GATE, "kernel", "Is the kernel new enough?", doctor_judge_kernel },
	{ DOCTOR_HOST, DOCTOR_GATE, "vfio", "Does the kernel have VFIO?", doctor_judge_vfio },
	{ DOCTOR_HOST, DOCTOR_GATE, "iommu", "Is there an IOMMU?", doctor_judge_iommu },
	{ DOCTOR_HOST, DOCTOR_GATE, "nodes", "Is there a way to open a device?",
	  doctor_judge_nodes },
	{ DOCTOR_HOST, DOCTOR_OPEN, "debugfs", "Can states be seen from outside?",
	  doctor_judge_debugfs },
	{ DOCTOR_HOST, DOCTOR_OPEN, "memlock", "How much memory may be locked?",
	  doctor_judge_memlock },
	{ DOCTOR_DEVICE, DOCTOR_GATE, "function", "Is it a VF?", doctor_judge_function },
	{ DOCTOR_DEVICE, DOCTOR_GATE, "group", "Is it in an IOMMU group?", doctor_judge_group },
	{ DOCTOR_DEVICE, DOCTOR_GATE, "group-mates", "Does its group belong to VFIO?",
	  doctor_judge_mates },
	{ DOCTOR_DEVICE, DOCTOR_GATE, "devlink", "Is its switch in devlink on?",
	  doctor_judge_devlink },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "driver", "Has it a driver that migrates?",
	  doctor_judge_driver },
	{ DOCTOR_DEVICE, DOCTOR_GATE, "module", "Does the kernel have that driver?",
	  doctor_judge_module },
	{ DOCTOR_DEVICE, DOCTOR_GATE, "use", "Does the host use it?", doctor_judge_use },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "firmware", "Does its firmware allow it?",
	  doctor_judge_firmware },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "migration", "Does its driver offer migration?",
	  doctor_judge_migration },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "state", "What state is it in?", doctor_judge_state },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "access", "May it be opened?", doctor_judge_access },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "token", "Does it need a VF token?", doctor_judge_token },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "reset", "Can it be reset?", doctor_judge_reset },
	{ DOCTOR_DEVICE, DOCTOR_GATE, "held", "Is it held?", doctor_judge_held },
	{ DOCTOR_DEVICE, DOCTOR_OPEN, "log", "What does the kernel's log say?", doctor_judge_log },
	/* clang-format on */
};

const struct doctor_rule *doctor_rule_at(unsigned int i)
{
	return i < ARRAY_SIZE(doctor_rules) ? &doctor_rules[i] : NULL;
}

void doctor_judge(const struct doctor_rule *rule, const struct host_facts *h,
		  const struct device_facts *d, struct doctor_finding *ret)
{
	*ret = (struct doctor_finding){ .verdict = DOCTOR_NOT_ASKED };
	rule->judge(h, d, ret);
}

const char *doctor_verdict_name(enum doctor_verdict verdict)
{
	static const char *const names[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_UNKNOWN] = "unknown",
		[DOCTOR_PROBLEM] = "problem",
	};

	return verdict < ARRAY_SIZE(names) ? names[verdict] : NULL;
}
