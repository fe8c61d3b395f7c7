// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/units.h"
#include "device/kernel-v2.h"
#include "device/owner-denied.h"
#include "device/owner-match.h"
#include "device/owner.h"
#include "host/pci-function.h"
#include "host/processes.h"
#include "host/vfio-fd.h"

/* Devices that an fd may be of, and what they look like. */
struct candidates {
	struct vfio_nodes nodes;
	struct owner_looks *looks;
	struct vfio_node **node; /* of each of @looks; points into @nodes */
	size_t n;
};

static void owner_candidates_done(struct candidates *c)
{
	vfio_nodes_done(&c->nodes);
	free(c->looks);
	free(c->node);
}

static bool owner_holds_group(const struct vfio_fds *fds, int group)
{
	bool any = false;

	for (size_t i = 0; i < fds->n; i++) {
		if (fds->v[i].kind != VFIO_FD_GROUP)
			continue;
		if (fds->v[i].group == group)
			return true;
		any = true;
	}
	/* One that has closed its groups holds them all the same, and they may be any. */
	return !any;
}

static bool owner_names(const struct owner_devices *owner, const struct vfio_node *node)
{
	for (size_t i = 0; i < owner->n; i++)
		if (owner->v[i].node && !strcmp(owner->v[i].node->sysfs, node->sysfs))
			return true;
	return false;
}

static int owner_find_candidates(const struct host *host, const struct owner_devices *owner,
				 const struct vfio_fds *fds, struct candidates *ret)
{
	int r = vfio_nodes_list(host, &ret->nodes, NULL);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	ret->looks = calloc(ret->nodes.n + 1, sizeof(*ret->looks));
	ret->node = calloc(ret->nodes.n + 1, sizeof(*ret->node));
	if (!ret->looks || !ret->node)
		return -ENOMEM;
	for (size_t i = 0; i < ret->nodes.n; i++) {
		struct vfio_node *node = ret->nodes.v[i];
		struct owner_looks *looks = &ret->looks[ret->n];

		if (!owner_holds_group(fds, node->group) || owner_names(owner, node))
			continue;
		looks->pci = !strcmp(node->bus, "pci");
		looks->has_ids = pci_ids_from_sysfs(host, node, &looks->ids) >= 0;
		pci_function_bars(node, looks->bars);
		ret->node[ret->n++] = node;
	}
	return 0;
}

/* Reads information and registers that have no side effects; nothing of migration. */
static void owner_look_at_fd(int fd, struct owner_looks *ret)
{
	_cleanup_(mig_closep) struct mig_dev *mig = NULL;
	struct acquired acq = ACQUIRED_NONE;
	uint8_t config[64];
	ssize_t n;

	*ret = (struct owner_looks){ 0 };
	acq.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (acq.fd < 0 || kernel_v2_open(&acq, "", &mig, NULL) < 0)
		return;
	n = dev_config_read(mig, config, sizeof(config), NULL);
	ret->has_ids = n > 0 && pci_ids_from_config(config, (size_t)n, &ret->ids) >= 0;
	for (uint32_t i = 0; i < OWNER_BARS; i++) {
		struct dev_region region;

		if (dev_region(mig, i, &region, NULL) >= 0)
			ret->bars[i] = region.size;
	}
}

static void owner_set_names(struct owner_fd *f)
{
	f->name.name = f->node ? f->node->name : NULL;
	f->name.cdev = f->node ? f->node->cdev : NULL;
}

/* A node of its own, since the list goes. */
static void owner_take_node(const struct host *host, const struct vfio_node *node,
			    struct owner_fd *ret)
{
	if (vfio_node_from_sysfs(host, node->sysfs, &ret->node, NULL) != VFIO_NODE_FOUND)
		ret->node = NULL;
	owner_set_names(ret);
}

static int owner_name_rest(const struct host *host, struct owner_devices *owner,
			   const struct vfio_fds *fds)
{
	_cleanup_(owner_candidates_done) struct candidates c = { 0 };
	bool rest = false;
	int r;

	for (size_t i = 0; i < owner->n; i++)
		rest |= !owner->v[i].node;
	if (!rest)
		return 0;
	r = owner_find_candidates(host, owner, fds, &c);
	for (size_t i = 0; r >= 0 && i < owner->n; i++) {
		struct owner_looks looks;
		int only;

		if (owner->v[i].node)
			continue;
		owner_look_at_fd(owner->v[i].copy, &looks);
		only = owner_only(&looks, c.looks, c.n);
		if (only >= 0)
			owner_take_node(host, c.node[only], &owner->v[i]);
	}
	return r;
}

/*
 * One device may be open several times: the same file under several numbers, or, from a group,
 * several files.
 */
static bool owner_has(const struct owner_devices *owner, int copy, const struct vfio_node *node)
{
	if (node && owner_names(owner, node))
		return true;
	for (size_t i = 0; i < owner->n; i++)
		if (acquire_same_file(owner->v[i].copy, copy))
			return true;
	return false;
}

static int owner_add(struct owner_devices *owner, int fd, int *copy, struct vfio_node **node)
{
	struct owner_fd *v;

	if (owner_has(owner, *copy, *node))
		return 0;
	v = reallocarray(owner->v, owner->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	owner->v = v;
	v[owner->n] = (struct owner_fd){
		.copy = TAKE_FD(*copy),
		.node = TAKE_PTR(*node),
		.name = { .fd = fd },
	};
	owner_set_names(&v[owner->n++]);
	return 0;
}

static int owner_copy(const struct host *host, const char *spec, struct owner_devices *owner,
		      int fd, struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	_cleanup_fd_ int copy = pidfd_getfd(owner->pidfd, fd, 0);
	struct vfio_fd look;
	int r = copy < 0 ? -errno : 0;

	/* Closed meanwhile. */
	if (r == -EBADF)
		return 0;
	if (r == -ESRCH)
		return err_fail(err, ERR_MISSING, r, "%s: the process has ended", spec);
	if (r == -EPERM || r == -EACCES)
		return owner_denied(host, spec, owner->who.pid, "pidfd_getfd", r, err);
	if (r == -ENOSYS)
		return err_fail(err, ERR_UNSUPPORTED, r, "%s: pidfd_getfd: Linux 5.6 has it", spec);
	if (r < 0)
		return err_set(err, r, "%s: pidfd_getfd", spec);
	r = vfio_fd_look(host, 0, copy, &look);
	if (r < 0)
		return err_set(err, r, "%s: looking at a descriptor of our own", spec);
	node = look.node;
	if (look.kind != VFIO_FD_CDEV && look.kind != VFIO_FD_DEVICE)
		return 0;
	r = owner_add(owner, fd, &copy, &node);
	return r < 0 ? err_set(err, r, "%s", spec) : 0;
}

/* Return: 0; -ESRCH (ERR_MISSING); -EACCES, -EPERM (ERR_PERMISSION), with what is missing. */
static int owner_files(const struct host *host, const char *spec, pid_t pid, struct vfio_fds *ret,
		       struct err *err)
{
	int r = vfio_fds_find(host, pid, ret);
	char doing[64];

	if (r == -ENOENT || r == -ESRCH)
		return err_fail(err, ERR_MISSING, -ESRCH, "%s: the process has ended", spec);
	snprintf(doing, sizeof(doing), "looking into /proc/%d/fd", (int)pid);
	if (r == -EACCES || r == -EPERM)
		return owner_denied(host, spec, pid, doing, r, err);
	return r < 0 ? err_set(err, r, "%s: %s", spec, doing) : 0;
}

static int owner_look_into(const struct host *host, const char *spec, struct owner_devices *owner,
			   struct err *err)
{
	_cleanup_(vfio_fds_done) struct vfio_fds fds = { 0 };
	int r;

	r = owner_files(host, spec, owner->who.pid, &fds, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < fds.n; i++) {
		if (fds.v[i].kind != VFIO_FD_CDEV && fds.v[i].kind != VFIO_FD_DEVICE)
			continue;
		r = owner_copy(host, spec, owner, fds.v[i].fd, err);
		if (r < 0)
			return r;
	}
	r = owner_name_rest(host, owner, &fds);
	return r < 0 ? err_set(err, r, "%s", spec) : 0;
}

static int owner_no_pidfd(const struct host *host, const char *spec, pid_t pid, int r,
			  struct err *err)
{
	pid_t leader = process_leader(host, pid);

	if (r == -ESRCH || (!leader && r == -ENOENT))
		return err_fail(err, ERR_MISSING, r, "%s: there is no such process", spec);
	if (leader && leader != pid) {
		err_fail(err, ERR_USAGE, r, "%s: a thread, not a process", spec);
		return err_hint(err, r, "its process is pid:%d", (int)leader);
	}
	if (r == -ENOSYS)
		return err_fail(err, ERR_UNSUPPORTED, r, "%s: pidfd_open: Linux 5.3 has it", spec);
	return err_set(err, r, "%s: pidfd_open", spec);
}

int owner_open(const struct host *host, const char *spec, pid_t pid, struct owner_devices *ret,
	       struct err *err)
{
	_cleanup_(owner_done) struct owner_devices owner = { .who = { .pid = pid, .fd = -1 } };
	int r;

	owner.pidfd = pidfd_open(pid, 0);
	if (owner.pidfd < 0)
		return owner_no_pidfd(host, spec, pid, -errno, err);
	r = owner_look_into(host, spec, &owner, err);
	if (r < 0)
		return r;
	process_comm(host, pid, owner.who.comm);
	/* All that was read of /proc is of this process if it lives now. */
	if (owner_ended(owner.pidfd))
		return err_fail(err, ERR_MISSING, -ESRCH, "%s: the process has ended", spec);
	*ret = owner;
	owner = (struct owner_devices){ .pidfd = -1 };
	return 0;
}

void owner_done(struct owner_devices *owner)
{
	for (size_t i = 0; i < owner->n; i++) {
		if (owner->v[i].copy >= 0)
			close(owner->v[i].copy);
		vfio_node_free(owner->v[i].node);
	}
	free(owner->v);
	if (owner->pidfd >= 0)
		close(owner->pidfd);
	*owner = (struct owner_devices){ .pidfd = -1 };
}

bool owner_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Its descriptor @fd is of the device; one from a group may have several files. */
static bool owner_keeps_as(const struct device *dev, int pidfd, int fd, int copy)
{
	_cleanup_fd_ int theirs = pidfd_getfd(pidfd, fd, 0);
	struct vfio_node *node;
	bool same;

	if (theirs < 0)
		return false;
	if (acquire_same_file(theirs, copy))
		return true;
	node = dev->node ? vfio_fd_node(dev->host, 0, theirs) : NULL;
	same = node && !strcmp(node->sysfs, dev->node->sysfs);
	vfio_node_free(node);
	return same;
}

enum device_keeper owner_keeps(const struct device *dev, int pidfd, int copy)
{
	enum device_keeper keeper = KEEPER_CLOSED;
	struct vfio_fds fds = { 0 };
	int r = vfio_fds_find(dev->host, device_owner_pid(dev), &fds);

	for (size_t i = 0; r >= 0 && keeper != KEEPER_HOLDS && i < fds.n; i++)
		if ((fds.v[i].kind == VFIO_FD_CDEV || fds.v[i].kind == VFIO_FD_DEVICE) &&
		    owner_keeps_as(dev, pidfd, fds.v[i].fd, copy))
			keeper = KEEPER_HOLDS;
	vfio_fds_done(&fds);
	/* Last: what was read may have been of a later process with its number. */
	if (owner_ended(pidfd))
		return KEEPER_ENDED;
	return r < 0 ? KEEPER_HIDDEN : keeper;
}

int owner_streams_now(const struct device *dev, struct owner_streams *ret, struct err *err)
{
	pid_t pid = device_owner_pid(dev);
	struct vfio_fds fds = { 0 };
	struct err why = { 0 };
	int r;

	*ret = (struct owner_streams){ -1, -1 };
	r = pid ? owner_files(dev->host, dev->spec, pid, &fds, &why) : 0;
	/* What has ended has no stream open. */
	if (r < 0 && (r == -ESRCH || owner_ended(device_owner_pidfd(dev))))
		return 0;
	if (r < 0) {
		*err = why;
		return r;
	}
	for (size_t i = 0; i < fds.n; i++) {
		if (fds.v[i].kind == VFIO_FD_SAVING && ret->saving < 0)
			ret->saving = fds.v[i].fd;
		if (fds.v[i].kind == VFIO_FD_LOADING && ret->loading < 0)
			ret->loading = fds.v[i].fd;
	}
	vfio_fds_done(&fds);
	/* Its number may be another process's by now. */
	if (owner_ended(device_owner_pidfd(dev)))
		*ret = (struct owner_streams){ -1, -1 };
	return 0;
}
