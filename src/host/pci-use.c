// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/printable.h"
#include "base/units.h"
#include "host/holder.h"
#include "host/pci-use.h"
#include "host/sysfs.h"

/* Of stacked block devices: deeper ones are not looked at. */
#define PCI_USE_DEPTH 8

static int pci_use_add(struct pci_uses *uses, const char *fmt, ...) _printf_(2, 3);

static int pci_use_add(struct pci_uses *uses, const char *fmt, ...)
{
	char(*v)[PCI_USE_TEXT] = realloc(uses->v, (uses->n + 1) * sizeof(*v));
	va_list ap;

	if (!v)
		return -ENOMEM;
	uses->v = v;
	va_start(ap, fmt);
	vsnprintf(v[uses->n], sizeof(*v), fmt, ap);
	va_end(ap);
	make_printable(v[uses->n]);
	uses->n++;
	return 0;
}

static int pci_use_find_interfaces(const struct vfio_node *node, struct pci_uses *uses)
{
	_cleanup_free_ char *path = path_fmt("%s/net", node->sysfs);
	_cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
	const char *name;
	int r = 0;

	if (!path)
		return -ENOMEM;
	while (r == 0 && dir && (name = dir_next(dir))) {
		_cleanup_free_ char *flags = path_fmt("%s/%s/flags", path, name), *text = NULL;

		if (!flags)
			return -ENOMEM;
		/* An interface that is gone by now is not up. */
		if (read_text(AT_FDCWD, flags, &text) == 0 && strtoul(text, NULL, 16) & IFF_UP)
			r = pci_use_add(uses, "network interface %s is up", name);
	}
	return r;
}

/*
 * Block devices
 */

/* A disk with several paths belongs to a subsystem, which links to its controllers. */
static bool pci_use_leads_to(const char *block, const struct vfio_node *node)
{
	_cleanup_free_ char *folder = path_fmt("%.*s", (int)(path_base(block) - block), block);
	_cleanup_(closedirp) DIR *dir = folder ? opendir(folder) : NULL;
	const char *name;

	while (dir && (name = dir_next(dir))) {
		_cleanup_free_ char *real = NULL;

		if (strncmp(name, "nvme", 4) != 0)
			continue;
		if (path_real(&real, "%s%s", folder, name) == 0 && path_inside(real, node->sysfs))
			return true;
	}
	return false;
}

static bool pci_use_is_on(const char *block, const struct vfio_node *node, unsigned int depth)
{
	_cleanup_free_ char *path = path_fmt("%s/slaves", block);
	_cleanup_(closedirp) DIR *dir = NULL;
	const char *name;

	if (path_inside(block, node->sysfs) || pci_use_leads_to(block, node))
		return true;
	dir = path && depth ? opendir(path) : NULL;
	while (dir && (name = dir_next(dir))) {
		_cleanup_free_ char *below = NULL;

		if (path_real(&below, "%s/%s", path, name) == 0 &&
		    pci_use_is_on(below, node, depth - 1))
			return true;
	}
	return false;
}

/* The block device that @number is, and whether @node is below it: its name in @ret_name. */
static bool pci_use_find_block(const struct host *host, const struct vfio_node *node, dev_t number,
			       char ret_name[64])
{
	_cleanup_free_ char *block = NULL;

	if (path_real(&block, "%s/dev/block/%u:%u", host->sys, major(number), minor(number)) < 0)
		return false;
	if (!pci_use_is_on(block, node, PCI_USE_DEPTH))
		return false;
	snprintf(ret_name, 64, "%s", path_base(block));
	return true;
}

/* btrfs and others show a number that is no device's: the source then is one's node. */
static dev_t pci_use_mount_device(unsigned int major_number, unsigned int minor_number,
				  const char *rest)
{
	const char *source = strstr(rest, " - ");
	struct stat st;
	char path[256];

	if (major_number)
		return makedev(major_number, minor_number);
	if (!source || sscanf(source, " - %*s %255s", path) != 1 || path[0] != '/')
		return 0;
	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) ? st.st_rdev : 0;
}

/* "ID PARENT MAJOR:MINOR ROOT WHERE ...", see proc_pid_mountinfo(5). */
static bool pci_use_mount(const char *line, unsigned int ret_number[2], char ret_where[128])
{
	uint64_t id, parent, number[2];
	const char *at = scan_uint(scan_uint(line, 10, INT_MAX, &id), 10, INT_MAX, &parent);

	at = scan_uint(at, 10, UINT_MAX, &number[0]);
	if (!at || *at != ':')
		return false;
	at = scan_uint(at + 1, 10, UINT_MAX, &number[1]);
	if (!at || sscanf(at, "%*s %127s", ret_where) != 1)
		return false;
	ret_number[0] = (unsigned int)number[0];
	ret_number[1] = (unsigned int)number[1];
	return true;
}

static int pci_use_find_mounts(const struct host *host, const struct vfio_node *node,
			       struct pci_uses *uses)
{
	_cleanup_free_ char *path = path_fmt("%s/self/mountinfo", host->proc), *line = NULL;
	_cleanup_file_ FILE *f = path ? fopen(path, "re") : NULL;
	size_t room = 0;

	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		char where[128], name[64];
		unsigned int of[2];
		dev_t number;
		int r;

		if (!pci_use_mount(line, of, where))
			continue;
		number = pci_use_mount_device(of[0], of[1], line);
		if (!number || !pci_use_find_block(host, node, number, name))
			continue;
		r = pci_use_add(uses, "%s is mounted on %s", name, where);
		if (r < 0)
			return r;
	}
	return ferror(f) ? -EIO : 0;
}

static int pci_use_find_swap(const struct host *host, const struct vfio_node *node,
			     struct pci_uses *uses)
{
	_cleanup_free_ char *path = path_fmt("%s/swaps", host->proc), *line = NULL;
	_cleanup_file_ FILE *f = path ? fopen(path, "re") : NULL;
	size_t room = 0;

	/* A kernel without swap has no such file. */
	while (f && getline(&line, &room, f) > 0) {
		struct stat st;
		char name[64];
		int r;

		line[strcspn(line, " \t")] = '\0';
		if (line[0] != '/' || stat(line, &st) < 0)
			continue;
		if (!pci_use_find_block(host, node, S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev,
					name))
			continue;
		r = pci_use_add(uses, "%s has swap space", name);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * VFIO and SR-IOV
 */

static int pci_use_add_holders(const struct holders *holders, struct pci_uses *uses)
{
	for (size_t i = 0; i < holders->n; i++) {
		const struct holder *h = &holders->v[i];
		int r = pci_use_add(uses, "%s[%d] has it open (%s)", h->comm, (int)h->pid, h->how);

		if (r < 0)
			return r;
	}
	return 0;
}

/* By cdev or group; of an fd that came from a group Linux before 6.18 does not tell the device. */
static bool pci_use_is_own(const struct vfio_node *node, const char *target)
{
	char group[16];

	snprintf(group, sizeof(group), "%d", node->group);
	if (strcmp(target, "anon_inode:[vfio-device]") == 0)
		return true;
	return strstr(target, "/vfio/") &&
	       ((node->cdev && !strcmp(path_base(target), node->cdev)) ||
		strcmp(path_base(target), group) == 0);
}

int pci_use_own_fd(const struct host *host, const struct vfio_node *node)
{
	_cleanup_free_ char *path = path_fmt("%s/self/fd", host->proc);
	_cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
	const char *fd;

	while (dir && (fd = dir_next(dir))) {
		char target[256];
		uint64_t number;
		ssize_t n = readlinkat(dirfd(dir), fd, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (pci_use_is_own(node, target) && parse_uint(fd, 10, INT_MAX, &number) == 0)
			return (int)number;
	}
	return -1;
}

static int pci_use_find_holders(const struct host *host, const struct vfio_node *node,
				struct pci_uses *uses)
{
	struct holders holders = { 0 };
	int r, fd;

	if (!node->vfio)
		return 0;
	r = holders_find(host, node, &holders, NULL);
	if (r < 0)
		return r;
	r = pci_use_add_holders(&holders, uses);
	holders_done(&holders);
	fd = r < 0 ? -1 : pci_use_own_fd(host, node);
	return fd < 0 ? r : pci_use_add(uses, PCI_USE_OWN_FD, fd);
}

static int pci_use_find_vfs(const struct vfio_node *node, struct pci_uses *uses)
{
	_cleanup_free_ char *path = path_fmt("%s/sriov_numvfs", node->sysfs), *text = NULL;

	if (!path)
		return -ENOMEM;
	if (read_text(AT_FDCWD, path, &text) < 0 || strcmp(text, "0") == 0)
		return 0;
	return pci_use_add(uses, "it has VFs (%s)", text);
}

static int pci_use_find_all(const struct host *host, const struct vfio_node *node,
			    struct pci_uses *uses)
{
	int r;

	r = pci_use_find_interfaces(node, uses);
	if (r < 0)
		return r;
	r = pci_use_find_mounts(host, node, uses);
	if (r < 0)
		return r;
	r = pci_use_find_swap(host, node, uses);
	if (r < 0)
		return r;
	r = pci_use_find_vfs(node, uses);
	return r < 0 ? r : pci_use_find_holders(host, node, uses);
}

int pci_uses_find(const struct host *host, const struct vfio_node *node, struct pci_uses *ret,
		  struct err *err)
{
	struct pci_uses uses = { 0 };
	int r = pci_use_find_all(host, node, &uses);

	if (r < 0) {
		pci_uses_done(&uses);
		return err_set(err, r, "%s: what uses it", node->name);
	}
	*ret = uses;
	return 0;
}

void pci_uses_done(struct pci_uses *uses)
{
	free(uses->v);
	*uses = (struct pci_uses){ 0 };
}
