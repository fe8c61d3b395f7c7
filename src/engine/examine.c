// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/units.h"
#include "device/quirks.h"
#include "engine/examine.h"
#include "engine/migratable.h"
#include "host/debugfs.h"
#include "host/holder.h"
#include "host/module.h"
#include "host/pci-function.h"
#include "host/process-role.h"
#include "host/sysfs.h"

/* Bit 14 of a set of capabilities, by linux/capability.h. */
#define EXAMINE_CAP_IPC_LOCK (UINT64_C(1) << 14)

/*
 * The host
 */

static unsigned int examine_count(const char *root, const char *folder)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", root, folder);
	_cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
	unsigned int n = 0;

	while (dir && n < UINT_MAX && dir_next(dir))
		n++;
	return n;
}

/* What follows @key in one of the files of /proc/self. */
static char *examine_self(const struct host *host, const char *file, const char *key)
{
	_cleanup_free_ char *path = path_fmt("%s/self/%s", host->proc, file);
	_cleanup_free_ char *text = NULL;
	const char *at;

	if (!path || read_text(AT_FDCWD, path, &text) < 0)
		return NULL;
	at = strstr(text, key);
	return at ? strdup(at + strlen(key)) : NULL;
}

static void examine_memlock(const struct host *host, struct host_facts *ret)
{
	_cleanup_free_ char *limit = examine_self(host, "limits", "Max locked memory");
	_cleanup_free_ char *caps = examine_self(host, "status", "CapEff:");
	uint64_t set;

	ret->ipc_lock = scan_uint(caps, 16, UINT64_MAX, &set) && set & EXAMINE_CAP_IPC_LOCK;
	if (!limit)
		return;
	ret->memlock = UINT64_MAX;
	ret->memlock_known = true;
	if (strncmp(limit + strspn(limit, " "), "unlimited", 9) != 0)
		ret->memlock_known = scan_uint(limit, 10, UINT64_MAX, &ret->memlock);
}

/* "6.12.38+deb13-amd64" */
static void examine_version(struct host_facts *ret)
{
	uint64_t major, minor;
	const char *at = scan_uint(ret->release, 10, UINT_MAX, &major);

	if (!at || *at != '.' || !scan_uint(at + 1, 10, UINT_MAX, &minor))
		return;
	ret->major = (unsigned int)major;
	ret->minor = (unsigned int)minor;
}

static enum debugfs_look examine_debugfs(const struct host *host)
{
	_cleanup_free_ char *root = path_fmt("%s/kernel/debug", host->sys);

	if (!root || !examine_count(root, "."))
		return DEBUGFS_CLOSED;
	return path_exists(root, "vfio") ? DEBUGFS_WITH_VFIO : DEBUGFS_WITHOUT_VFIO;
}

void examine_host(const struct host *host, struct host_facts *ret)
{
	*ret = (struct host_facts){
		.module_root = host->module_root,
		.sysfs = sysfs_check(host, NULL) == 0,
		.vfio = path_exists(host->sys, "class/vfio") ||
			path_exists(host->sys, "class/vfio-dev"),
		.vfio_class = path_exists(host->sys, "class/vfio-dev"),
		.iommus = examine_count(host->sys, "class/iommu"),
		.groups = examine_count(host->sys, "kernel/iommu_groups"),
		.iommufd = path_exists(host->dev, "iommu"),
		.container = path_exists(host->dev, "vfio/vfio"),
		.debugfs = examine_debugfs(host),
	};
	ret->dev_lacks = (path_exists(host->sys, "class/misc/iommu") && !ret->iommufd) ||
			 (path_exists(host->sys, "class/misc/vfio") && !ret->container);
	kernel_release(host, ret->release);
	examine_version(ret);
	examine_memlock(host, ret);
}

/*
 * The device
 */

static unsigned int examine_number(const struct vfio_node *node, const char *attribute)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", node->sysfs, attribute);
	_cleanup_free_ char *text = NULL;
	uint64_t number;

	if (!path || read_text(AT_FDCWD, path, &text) < 0 ||
	    parse_uint(text, 10, UINT_MAX, &number) < 0)
		return 0;
	return (unsigned int)number;
}

static void examine_pf_driver(const struct host *host, struct device_facts *ret)
{
	_cleanup_(vfio_node_freep) struct vfio_node *pf = NULL;
	_cleanup_free_ char *path = path_fmt("bus/pci/devices/%s", ret->vf.pf);

	if (!path || vfio_node_from_sysfs(host, path, &pf, NULL) != VFIO_NODE_FOUND)
		return;
	snprintf(ret->pf_driver, sizeof(ret->pf_driver), "%s", pf->driver ? pf->driver : "");
	ret->pf_vfio = pf->vfio;
}

static void examine_kind(const struct host *host, struct device_facts *ret)
{
	const struct vfio_node *node = ret->node;

	if (strcmp(node->bus, "pci") != 0)
		return;
	ret->kind = FUNCTION_PLAIN;
	if (pci_vf_of(node, &ret->vf, NULL) == PCI_VF) {
		ret->kind = FUNCTION_VF;
		examine_pf_driver(host, ret);
		return;
	}
	ret->total_vfs = examine_number(node, "sriov_totalvfs");
	ret->vfs = examine_number(node, "sriov_numvfs");
	if (!ret->total_vfs)
		return;
	ret->kind = FUNCTION_PF;
	if (pci_vf_address(host, node->name, 0, ret->first_vf) < 0)
		ret->first_vf[0] = '\0';
}

static void examine_variant(const struct host *host, struct device_facts *ret)
{
	ret->has_ids = pci_ids_from_sysfs(host, ret->node, &ret->ids) == 0;
	/* A PF's IDs are not in the table, but for those that stand for any of a vendor. */
	if (!ret->has_ids || ret->kind == FUNCTION_PF)
		return;
	ret->variant = variant_find(&ret->ids, *ret->pf_driver ? ret->pf_driver : NULL);
	/* One of a vendor's own is known by the aliases of its module only. */
	if (!ret->variant && (module_choose(host, ret->node, &ret->choice, NULL) != MODULE_CHOSEN ||
			      strcmp(ret->choice.module, "vfio_pci") == 0))
		ret->choice = (struct modalias_choice){ 0 };
	if (ret->variant)
		ret->module = module_find(host, ret->variant->module);
}

/* A process that has it by VFIO is a holder, and no use of the host's. */
static void examine_uses(const struct host *host, struct device_facts *ret)
{
	struct pci_uses uses = { 0 };

	if (ret->kind == FUNCTION_NOT_PCI || ret->node->vfio)
		return;
	if (pci_uses_find(host, ret->node, &uses, NULL) >= 0 && uses.n) {
		ret->uses = (unsigned int)uses.n;
		snprintf(ret->use, sizeof(ret->use), "%s", uses.v[0]);
	}
	pci_uses_done(&uses);
}

static void examine_group(const struct host *host, struct device_facts *ret)
{
	_cleanup_(vfio_nodes_done) struct vfio_nodes nodes = { 0 };

	if (ret->node->group < 0 || vfio_nodes_in_group(host, ret->node->group, &nodes, NULL) < 0)
		return;
	for (size_t i = 0; i < nodes.n; i++) {
		const struct vfio_node *mate = nodes.v[i];

		if (strcmp(mate->name, ret->node->name) == 0)
			continue;
		ret->mates++;
		if (vfio_node_uses_dma(mate) && !*ret->blocker)
			snprintf(ret->blocker, sizeof(ret->blocker), "%s (%s)", mate->name,
				 mate->driver);
	}
}

static void examine_devlink_fail(struct device_facts *ret, const struct err *why)
{
	char reason[ERR_REASON_MAX];

	ret->devlink = DEVLINK_FAILED;
	snprintf(ret->devlink_error, sizeof(ret->devlink_error), "%.90s%s", why->text,
		 err_reason(why, reason));
}

static void examine_devlink(struct netlink *devlink, struct device_facts *ret)
{
	struct devlink_vf vf = { .pf = ret->vf.pf_number, .vf = ret->vf.number };
	const char *pf_driver = *ret->pf_driver ? ret->pf_driver : NULL, *by;
	enum migratable_need need = migratable_need(ret->node->driver, pf_driver, &by);
	struct devlink_port port;
	struct err why = { 0 };
	int r;

	ret->needs_switch = need == NEED_SWITCH;
	ret->mlx5 = by && strncmp(by, "mlx5", 4) == 0;
	if (!devlink || ret->kind != FUNCTION_VF || need == NEED_NOTHING)
		return;
	snprintf(vf.dev, sizeof(vf.dev), "%s", ret->vf.pf);
	r = devlink_find_port(devlink, &vf, &port, &why);
	if (r < 0) {
		examine_devlink_fail(ret, &why);
		return;
	}
	if (r == DEVLINK_NO_DEVICE) {
		ret->devlink = DEVLINK_NO_PF;
		return;
	}
	ret->devlink = r == DEVLINK_FOUND ? DEVLINK_WITH_PORT : DEVLINK_WITHOUT_PORT;
	ret->switch_now = r == DEVLINK_FOUND ? port.migratable : DEVLINK_ABSENT;
	if (devlink_get_mode(devlink, ret->vf.pf, &ret->mode, &why) < 0)
		examine_devlink_fail(ret, &why);
}

static void examine_migration(const struct host *host, struct device_facts *ret)
{
	int answer = debugfs_migration_state(host, ret->node, ret->state, sizeof(ret->state), NULL);

	if (answer == DEBUGFS_STATE)
		ret->migration = MIGRATION_OFFERED;
	else if (answer == DEBUGFS_NO_V2)
		ret->migration = MIGRATION_NONE;
	make_printable(ret->state);
	ret->state_counts = ret->holders || quirks_keeps_state(ret->node->driver);
}

static bool examine_path(const char *path, struct device_facts *ret)
{
	if (access(path, F_OK) < 0)
		return false;
	snprintf(ret->path, sizeof(ret->path), "%s", path);
	ret->access = access(path, R_OK | W_OK) == 0 ? NODE_OPEN : NODE_DENIED;
	return true;
}

/* The cdev first, as opening does. */
static void examine_access(const struct host *host, struct device_facts *ret)
{
	const struct vfio_node *node = ret->node;
	_cleanup_free_ char *cdev =
		path_fmt("%s/vfio/devices/%s", host->dev, node->cdev ? node->cdev : "-");
	_cleanup_free_ char *group =
		path_fmt("%s/vfio/%s%d", host->dev, node->noiommu ? "noiommu-" : "", node->group);

	if (node->cdev && cdev && examine_path(cdev, ret))
		return;
	if (node->group >= 0 && group)
		examine_path(group, ret);
}

static void examine_name_holder(const struct host *host, const struct holder *h,
				struct device_facts *ret)
{
	struct process_role role;

	process_role_find(host, h->pid, &role);
	ret->holder_pid = (int)h->pid;
	snprintf(ret->holder, sizeof(ret->holder), "%s (pid %d%s%.60s%s%.60s%s%.40s)", h->comm,
		 (int)h->pid,
		 !*role.vm	? ""
		 : role.libvirt ? ", libvirt domain "
				: ", VM ",
		 role.vm, *role.unit ? ", unit " : "", role.unit, *role.pod ? ", pod " : "",
		 role.pod);
}

static void examine_holders(const struct host *host, struct device_facts *ret)
{
	struct holders holders = { 0 };

	if (holders_find(host, ret->node, &holders, NULL) < 0)
		ret->holders_partial = true;
	ret->holders_partial |= holders.partial;
	ret->holders = (unsigned int)holders.n;
	ret->own_fd = ret->node->vfio ? pci_use_own_fd(host, ret->node) : -1;
	if (holders.n)
		examine_name_holder(host, &holders.v[0], ret);
	holders_done(&holders);
}

void examine_device(const struct host *host, const struct vfio_node *node, struct netlink *devlink,
		    uint64_t now_us, struct device_facts *ret)
{
	const uint64_t back_us = EXAMINE_LOG_MINUTES * UINT64_C(60000000);

	*ret = (struct device_facts){ .node = node, .can_reset = pci_function_can_reset(node) };
	examine_kind(host, ret);
	examine_variant(host, ret);
	examine_uses(host, ret);
	examine_group(host, ret);
	examine_devlink(devlink, ret);
	examine_holders(host, ret);
	examine_migration(host, ret);
	examine_access(host, ret);
	ret->log_error = kernel_log_find(host, node->name, now_us > back_us ? now_us - back_us : 0,
					 &ret->log);
}
