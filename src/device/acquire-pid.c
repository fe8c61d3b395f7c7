// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "device/acquirer.h"
#include "device/owner.h"
#include "host/dev-name.h"
#include "host/lender.h"

/**
 * struct adopted - a device of another process
 * @copy: a copy of the owner's descriptor, of a device that stays open as long as we like
 */
struct adopted {
	struct device_owner owner;
	int pidfd;
	int copy;
};

static const struct adopted *acquire_pid_adopted(const struct device *dev)
{
	return dev->origin;
}

/* Return: the place of what comes after "PID/", NULL for "PID" alone, through @ret_name. */
static int acquire_pid_parse(const struct device *dev, const char *rest, pid_t *ret,
			     const char **ret_name, struct err *err)
{
	const char *slash = strchrnul(rest, '/');
	char number[16];
	uint64_t pid = 0;

	snprintf(number, sizeof(number), "%.*s", (int)MIN(slash - rest, 15), rest);
	if (parse_uint(number, 10, INT_MAX, &pid) < 0 || !pid || slash - rest > 15 ||
	    (*slash && !slash[1])) {
		err_fail(err, ERR_USAGE, -EINVAL, "%s: not a process and its device", dev->spec);
		return err_hint(err, -EINVAL, "pid:PID, or pid:PID/NAME where it has several");
	}
	*ret = (pid_t)pid;
	*ret_name = *slash ? slash + 1 : NULL;
	return 0;
}

static int acquire_pid_none(const struct device *dev, const struct owner_devices *owner,
			    const char *name, const char *list, struct err *err)
{
	const struct device_owner *who = &owner->who;

	if (!owner->n) {
		err_fail(err, ERR_MISSING, -ENODEV, "%s: %s (pid %d) has no VFIO device open",
			 dev->spec, who->comm, (int)who->pid);
		return err_hint(err, -ENODEV, "vfiomigctl list shows which process has which");
	}
	err_fail(err, ERR_MISSING, -ENODEV, "%s: %s (pid %d) has no device %s", dev->spec,
		 who->comm, (int)who->pid, name);
	return err_hint(err, -ENODEV, "it has %s", list);
}

static int acquire_pid_pick(struct device *dev, const struct owner_devices *owner, const char *name,
			    struct err *err)
{
	_cleanup_free_ struct owner_name *names = calloc(owner->n + 1, sizeof(*names));
	char prefix[32], list[192];
	int at;

	if (!names)
		return err_set(err, -ENOMEM, "%s", dev->spec);
	for (size_t i = 0; i < owner->n; i++)
		names[i] = owner->v[i].name;
	at = owner_pick(names, owner->n, name);
	if (at >= 0)
		return at;
	snprintf(prefix, sizeof(prefix), "pid:%d/", (int)owner->who.pid);
	owner_pick_list(names, owner->n, prefix, list, sizeof(list));
	if (at == OWNER_PICK_NONE)
		return acquire_pid_none(dev, owner, name, list, err);
	err_fail(err, ERR_USAGE, -EINVAL, "%s: %s (pid %d) has %zu VFIO devices open", dev->spec,
		 owner->who.comm, (int)owner->who.pid, owner->n);
	return err_hint(err, -EINVAL, "say which one: %s", list);
}

/* Its holder sees to it that one client at a time changes it. Return: 0; -EBUSY. */
static int acquire_pid_check_lent(const struct device *dev, const struct owner_devices *owner,
				  const char *name, struct err *err)
{
	const struct device_owner *who = &owner->who;
	_cleanup_free_ char *socket = owner->n ? lender_socket(dev->host, who->pid) : NULL;
	const struct vfio_node *node = NULL;

	if (!socket)
		return 0;
	for (size_t i = 0; i < owner->n; i++)
		if (owner->n == 1 || (name && owner_pick(&owner->v[i].name, 1, name) == 0))
			node = owner->v[i].node;
	err_fail(err, ERR_SYSTEM, -EBUSY, "%s: lent at hold:%s%s%s by %s (pid %d)", dev->spec,
		 socket, node ? "/" : "", node ? node->name : "", who->comm, (int)who->pid);
	return err_hint(err, -EBUSY, "it lets one client at a time change a device: hold:%s%s%s",
			socket, node ? "/" : "", node ? node->name : "");
}

static int acquire_pid_adopt(struct device *dev, struct owner_devices *owner, const char *name,
			     struct err *err)
{
	struct adopted *adopted;
	int at, r;

	r = acquire_pid_check_lent(dev, owner, name, err);
	if (r < 0)
		return r;
	at = acquire_pid_pick(dev, owner, name, err);
	if (at < 0)
		return at;
	adopted = calloc(1, sizeof(*adopted));
	if (!adopted)
		return err_set(err, -ENOMEM, "%s", dev->spec);
	adopted->owner = owner->who;
	adopted->owner.fd = owner->v[at].name.fd;
	adopted->pidfd = TAKE_FD(owner->pidfd);
	adopted->copy = TAKE_FD(owner->v[at].copy);
	dev->origin = adopted;
	dev->node = TAKE_PTR(owner->v[at].node);
	return 0;
}

/* An owner's devices are known by their addresses: @ret is that of a VF named by its PF. */
static int acquire_pid_look_up(const struct device *dev, const char *name, struct vfio_node **ret,
			       struct err *err)
{
	struct dev_name parsed;
	int r;

	*ret = NULL;
	if (!name)
		return 0;
	dev_name_parse(name, &parsed);
	if (parsed.form != DEV_FORM_VF && parsed.form != DEV_FORM_PORT)
		return 0;
	r = vfio_node_resolve(dev->host, name, ret, err);
	return r < 0 ? err_prefix(err, r, "%.*s", (int)(name - dev->spec - 1), dev->spec) : 0;
}

static int acquire_pid_find(struct device *dev, const char *rest, struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *vf = NULL;
	struct owner_devices owner;
	const char *name = NULL;
	pid_t pid = 0;
	int r;

	r = acquire_pid_parse(dev, rest, &pid, &name, err);
	if (r < 0)
		return r;
	r = acquire_pid_look_up(dev, name, &vf, err);
	if (r < 0)
		return r;
	if (vf)
		name = vf->name;
	r = owner_open(dev->host, dev->spec, pid, &owner, err);
	if (r < 0)
		return r;
	r = acquire_pid_adopt(dev, &owner, name, err);
	owner_done(&owner);
	return r;
}

static int acquire_pid_check(const struct device *dev, const struct device_options *opts,
			     struct err *err)
{
	(void)opts;
	return acquire_check_fd(acquire_pid_adopted(dev)->copy, dev->spec, err);
}

static int acquire_pid_acquire(struct device *dev, const struct device_options *opts,
			       struct acquired *ret, struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	int r;

	r = acquire_pid_check(dev, opts, err);
	if (r < 0)
		return r;
	acq.via = ACQUIRE_PID;
	acq.fd = fcntl(acquire_pid_adopted(dev)->copy, F_DUPFD_CLOEXEC, 3);
	if (acq.fd < 0)
		return err_set(err, -errno, "%s", dev->spec);
	*ret = acq;
	return 0;
}

static bool acquire_pid_same(const struct device *a, const struct device *b)
{
	return acquire_same_file(acquire_pid_adopted(a)->copy, acquire_pid_adopted(b)->copy);
}

static const struct device_owner *acquire_pid_owner(const struct device *dev)
{
	return &acquire_pid_adopted(dev)->owner;
}

static int acquire_pid_owner_pidfd(const struct device *dev)
{
	return acquire_pid_adopted(dev)->pidfd;
}

static enum device_keeper acquire_pid_keeper(const struct device *dev)
{
	const struct adopted *adopted = acquire_pid_adopted(dev);

	return owner_keeps(dev, adopted->pidfd, adopted->copy);
}

/* Readable once the owner has ended: nothing is to be read from it, so there is no attend op. */
static int acquire_pid_watch_fd(const struct device *dev)
{
	return acquire_pid_adopted(dev)->pidfd;
}

static void acquire_pid_done(struct device *dev)
{
	struct adopted *adopted = dev->origin;

	if (!adopted)
		return;
	close(adopted->copy);
	close(adopted->pidfd);
	free(adopted);
}

const struct acquirer acquirer_pid = {
	.prefix = "pid:",
	.ownership = DEVICE_SHARED,
	.opening = OPENING_FREE,
	.find = acquire_pid_find,
	.check = acquire_pid_check,
	.acquire = acquire_pid_acquire,
	.same = acquire_pid_same,
	.owner = acquire_pid_owner,
	.owner_pidfd = acquire_pid_owner_pidfd,
	.keeper = acquire_pid_keeper,
	.watch_fd = acquire_pid_watch_fd,
	.done = acquire_pid_done,
};
