// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/macros.h"
#include "host/dev-name.h"
#include "host/sysfs.h"
#include "host/vf-name.h"
#include "host/vfio-node.h"

/* So many members of a group are named in a message; the rest are counted. */
#define MEMBERS_SHOWN 8

static const struct {
	enum dev_form form;
	const char *folder; /* below /sys */
	const char *what;
} places[] = {
	/* clang-format off */
	{ DEV_FORM_PCI,  "bus/pci/devices",  "PCI device" },
	{ DEV_FORM_MDEV, "bus/mdev/devices", "mdev" },
	{ DEV_FORM_VFIO, "class/vfio-dev",   "VFIO device" },
	/* clang-format on */
};

static int vfio_resolve_refuse(const char *spec, const char *why, struct err *err)
{
	err_fail(err, ERR_USAGE, -EINVAL, "%s: %s", *spec ? spec : "\"\"", why);
	return err_hint(
		err, -EINVAL,
		"a device is named by its PCI address (0000:3b:00.1 or 3b:00.1), its PF "
		"(eth0/vf3 or 3b:00.0/vf3), a devlink port (pci/0000:3b:00.0/4), an mdev's UUID, "
		"vfioN, a path in /dev or sysfs, fd:N, pid:PID, hold:PATH, unix:PATH, "
		"vfio-user:PATH");
}

static int vfio_resolve_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* "0000:3b:00.1, 0000:3b:00.2", or "no device". */
static void vfio_resolve_name_members(const struct host *host, const char *group, char *buf,
				      size_t size)
{
	_cleanup_free_ char *path = path_fmt("%s/kernel/iommu_groups/%s/devices", host->sys, group);
	struct dirent **entries = NULL;
	size_t used = 0;
	int i, n;

	n = path ? scandir(path, &entries, vfio_resolve_visible, alphasort) : 0;
	snprintf(buf, size, "no device");
	for (i = 0; i < n; i++) {
		if (i < MEMBERS_SHOWN && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "",
						 entries[i]->d_name);
		free(entries[i]);
	}
	if (n > MEMBERS_SHOWN && used < size)
		snprintf(buf + used, size - used, " and %d more", n - MEMBERS_SHOWN);
	free(entries);
}

/* @group: "7", or "noiommu-7" as its node is called. */
static int vfio_resolve_refuse_group(const struct host *host, const char *spec, const char *group,
				     struct err *err)
{
	char members[320];

	if (strncmp(group, "noiommu-", 8) == 0)
		group += 8;
	vfio_resolve_name_members(host, group, members, sizeof(members));
	err_fail(err, ERR_USAGE, -EINVAL, "%s: a group, not a device; it holds %s", spec, members);
	return err_hint(err, -EINVAL, "name one of its devices");
}

/* The message has the name that the user gave, not the sysfs folder that does not exist. */
static int vfio_resolve_find(const struct host *host, const char *spec, const char *what,
			     const char *path, struct vfio_node **ret, struct err *err)
{
	int r;

	r = vfio_node_from_sysfs(host, path, ret, err);
	if (r != VFIO_NODE_ABSENT)
		return r;
	/* Where no sysfs is mounted, no device is found, whatever there is. */
	r = sysfs_check(host, err);
	if (r < 0)
		return err_prefix(err, r, "%s", spec);
	return err_fail(err, ERR_MISSING, -ENODEV, "%s: no such %s", spec, what);
}

static int vfio_resolve_no_device(const char *spec, int r, struct err *err)
{
	if (r == -ENOENT)
		return err_fail(err, ERR_MISSING, -ENODEV, "%s: no device behind this node", spec);
	return err_set(err, r, "%s", spec);
}

/*
 * A node is known by its number, not by where it is: containers and private /dev trees have nodes
 * of their own, under names of their own.
 */
static int vfio_resolve_find_by_number(const struct host *host, const char *spec, dev_t number,
				       struct vfio_node **ret, struct err *err)
{
	_cleanup_free_ char *real = NULL, *class = NULL;
	int r;

	r = sysfs_check(host, err);
	if (r < 0)
		return err_prefix(err, r, "%s", spec);
	r = path_real(&real, "%s/dev/char/%u:%u", host->sys, major(number), minor(number));
	if (r < 0)
		return vfio_resolve_no_device(spec, r, err);
	r = sysfs_link_name(real, "subsystem", &class);
	if (r < 0)
		return vfio_resolve_no_device(spec, r, err);
	if (strcmp(class, "vfio") == 0)
		return vfio_resolve_refuse_group(host, spec, path_base(real), err);
	if (strcmp(class, "vfio-dev") != 0)
		return vfio_resolve_refuse(spec, "not the node of a VFIO device", err);
	return vfio_resolve_find(host, spec, "VFIO device", real, ret, err);
}

static int vfio_resolve_find_by_folder(const struct host *host, const char *spec,
				       struct vfio_node **ret, struct err *err)
{
	_cleanup_free_ char *real = NULL, *root = NULL, *class = NULL;
	const char *inside;
	int r;

	r = path_real(&real, "%s", spec);
	if (r < 0)
		return err_set(err, r, "%s", spec);
	r = path_real(&root, "%s", host->sys);
	if (r < 0)
		return err_set(err, r, "%s", spec);
	inside = path_inside(real, root);
	if (!inside)
		return vfio_resolve_refuse(spec, "not the folder of a device in sysfs", err);
	if (strncmp(inside, "/kernel/iommu_groups/", 21) == 0 && !strchr(inside + 21, '/'))
		return vfio_resolve_refuse_group(host, spec, inside + 21, err);
	r = sysfs_link_name(real, "subsystem", &class);
	if (r == -ENOENT && path_exists(real, "."))
		return vfio_resolve_refuse(spec, "not the folder of a device in sysfs", err);
	if (r == 0 && strcmp(class, "vfio") == 0)
		return vfio_resolve_refuse_group(host, spec, path_base(real), err);
	return vfio_resolve_find(host, spec, "device", real, ret, err);
}

static int vfio_resolve_find_function(const struct host *host, const char *spec,
				      const char *address, struct vfio_node **ret, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("bus/pci/devices/%s", address);

	if (!path)
		return err_set(err, -ENOMEM, "%s", spec);
	return vfio_resolve_find(host, spec, "PCI device", path, ret, err);
}

/* "/sys/class/net/eth0/vf3": sysfs has no such entry, but what is in front of it. */
static int vfio_resolve_find_below(const struct host *host, const char *spec,
				   struct vfio_node **ret, struct err *err)
{
	_cleanup_free_ char *folder = NULL, *root = NULL;
	char address[PCI_ADDRESS_MAX];
	uint32_t number;
	size_t n;
	int r;

	if (dev_name_split_vf(spec, &n, &number) &&
	    path_real(&folder, "%.*s", (int)MIN(n, (size_t)PATH_MAX), spec) >= 0 &&
	    path_real(&root, "%s", host->sys) >= 0 && path_inside(folder, root)) {
		r = vf_name_in_folder(host, spec, folder, number, address, err);
		return r < 0 ? r : vfio_resolve_find_function(host, spec, address, ret, err);
	}
	return err_fail(err, ERR_MISSING, -ENODEV, "%s: no such device", spec);
}

static int vfio_resolve_find_by_path(const struct host *host, const char *spec,
				     struct vfio_node **ret, struct err *err)
{
	struct stat st;
	int r = stat(spec, &st) < 0 ? -errno : 0;

	if (r == -ENOENT || r == -ENOTDIR)
		return vfio_resolve_find_below(host, spec, ret, err);
	if (r < 0)
		return err_set(err, r, "%s", spec);
	if (S_ISCHR(st.st_mode))
		return vfio_resolve_find_by_number(host, spec, st.st_rdev, ret, err);
	if (S_ISDIR(st.st_mode))
		return vfio_resolve_find_by_folder(host, spec, ret, err);
	return vfio_resolve_refuse(spec, "neither a VFIO device's node nor its sysfs folder", err);
}

/* Last: a name that has another form is taken for that. */
static int vfio_resolve_find_other(const struct host *host, const char *spec,
				   struct vfio_node **ret, struct err *err)
{
	char address[PCI_ADDRESS_MAX];
	int r = vf_name_find_function(host, spec, address, err);

	if (r < 0)
		return r;
	if (r == VF_NAME_NONE)
		return vfio_resolve_refuse(spec, "not a device name", err);
	return vfio_resolve_find_function(host, spec, address, ret, err);
}

int vfio_node_resolve(const struct host *host, const char *spec, struct vfio_node **ret,
		      struct err *err)
{
	char address[PCI_ADDRESS_MAX];
	struct dev_name name;
	size_t i;
	int r;

	dev_name_parse(spec, &name);
	if (name.form == DEV_FORM_PATH)
		return vfio_resolve_find_by_path(host, spec, ret, err);
	if (name.form == DEV_FORM_VF || name.form == DEV_FORM_PORT) {
		r = vf_name_find(host, spec, &name, address, err);
		return r < 0 ? r : vfio_resolve_find_function(host, spec, address, ret, err);
	}
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = NULL;

		if (places[i].form != name.form)
			continue;
		path = path_fmt("%s/%s", places[i].folder, name.kernel);
		if (!path)
			return err_set(err, -ENOMEM, "%s", spec);
		return vfio_resolve_find(host, name.kernel, places[i].what, path, ret, err);
	}
	return vfio_resolve_find_other(host, spec, ret, err);
}
