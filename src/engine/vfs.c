// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/units.h"
#include "engine/vfs.h"
#include "host/run-record.h"
#include "host/sysfs.h"
#include "host/uevent.h"

#define VFS_RECORD_KIND "autoprobe"
#define VFS_AUTOPROBE "sriov_drivers_autoprobe"

enum vfs_verdict vfs_plan(const struct vfs_facts *f, unsigned int *ret_steps)
{
	const bool changes = f->now != f->want;

	*ret_steps = 0;
	if (f->want > f->total)
		return VFS_TOO_MANY;
	if (changes && f->now && f->used && !f->force)
		return VFS_IN_USE;
	if (f->cut)
		*ret_steps |= VFS_MEND;
	if (changes && f->now)
		*ret_steps |= VFS_REMOVE;
	if (changes && f->want)
		*ret_steps |= VFS_NO_PROBE | VFS_MAKE | VFS_PROBE;
	return VFS_READY;
}

/*
 * Attributes
 */

static int vfs_read(const struct vfs *v, const char *name, char **ret, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", v->node->sysfs, name);
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", v->node->name);
	r = read_text(AT_FDCWD, path, ret);
	return r < 0 ? err_set(err, r, "%s: %s", v->node->name, name) : 0;
}

static int vfs_read_number(const struct vfs *v, const char *name, unsigned int *ret,
			   struct err *err)
{
	_cleanup_free_ char *text = NULL;
	uint64_t number;
	int r = vfs_read(v, name, &text, err);

	if (r < 0)
		return r;
	r = parse_uint(text, 10, UINT16_MAX, &number);
	if (r < 0)
		return err_set(err, r, "%s: %s: '%s'", v->node->name, name, text);
	*ret = (unsigned int)number;
	return 0;
}

/* An attribute wants all of it in one write(). */
static int vfs_write(const struct vfs *v, const char *name, const char *text, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", v->node->sysfs, name);
	_cleanup_fd_ int fd = -1;

	if (!path)
		return err_set(err, -ENOMEM, "%s", v->node->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", v->node->name, name);
	if (write(fd, text, strlen(text)) < 0)
		return err_set(err, -errno, "%s: %s to %s", v->node->name, name, text);
	return 0;
}

static int vfs_write_number(const struct vfs *v, unsigned int number, struct err *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return vfs_write(v, "sriov_numvfs", text, err);
}

/*
 * The facts
 */

static int vfs_look_at_use(struct vfs *v, struct err *err)
{
	for (unsigned int i = 0; i < v->facts.now && !v->uses.n; i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *vf = NULL;
		int r;

		/* One that is gone by now is not in use. */
		if (pci_vf_address(v->host, v->node->name, i, v->user) < 0)
			continue;
		r = vfio_node_resolve(v->host, v->user, &vf, NULL);
		if (r < 0)
			continue;
		r = pci_uses_find(v->host, vf, &v->uses, err);
		if (r < 0)
			return r;
	}
	v->facts.used = v->uses.n > 0;
	return 0;
}

static int vfs_lock(struct vfs *v, struct err *err)
{
	v->lock = open(v->node->sysfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->lock < 0)
		return err_set(err, -errno, "%s", v->node->sysfs);
	if (flock(v->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_set(err, -errno, "%s: lock", v->node->sysfs);
	err_fail(err, ERR_UNSUPPORTED, -EBUSY, "%s: another process is changing it", v->node->name);
	return err_hint(err, -EBUSY, "try again when that is over");
}

static int vfs_refuse_function(const struct vfs *v, struct err *err)
{
	struct pci_vf vf;

	if (pci_vf_of(v->node, &vf, err) == PCI_VF) {
		err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: a VF itself, of %s", v->node->name,
			 vf.pf);
		return err_hint(err, -EOPNOTSUPP, "vfiomigctl vfs %s", vf.pf);
	}
	err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: has no SR-IOV", v->node->name);
	return err_hint(err, -EOPNOTSUPP, "name a physical function that can have VFs");
}

int vfs_look(struct vfs *v, struct err *err)
{
	struct run_record record;
	int r;

	v->lock = -1;
	if (!path_exists(v->node->sysfs, "sriov_totalvfs"))
		return vfs_refuse_function(v, err);
	r = vfs_lock(v, err);
	if (r < 0)
		return r;
	r = vfs_read_number(v, "sriov_totalvfs", &v->facts.total, err);
	if (r < 0)
		return r;
	r = vfs_read_number(v, "sriov_numvfs", &v->facts.now, err);
	if (r < 0)
		return r;
	r = run_record_read(v->records, VFS_RECORD_KIND, v->node, &record, err);
	if (r < 0)
		return r;
	v->facts.cut = r == RUN_RECORD_FOUND;
	return vfs_look_at_use(v, err);
}

int vfs_prepare(struct vfs *v, unsigned int want, bool force, struct err *err)
{
	v->facts.want = want;
	v->facts.force = force;
	switch (vfs_plan(&v->facts, &v->steps)) {
	case VFS_READY:
		return 0;
	case VFS_TOO_MANY:
		return err_fail(err, ERR_UNSUPPORTED, -ERANGE, "%s: can have %u VFs, not %u",
				v->node->name, v->facts.total, want);
	case VFS_IN_USE:
		break;
	}
	err_fail(err, ERR_UNSUPPORTED, -EBUSY, "%s: its VF %s is in use: %s%s", v->node->name,
		 v->user, v->uses.v[0], v->uses.n > 1 ? ", ..." : "");
	return err_hint(err, -EBUSY, "end that, or --force removes it nevertheless");
}

/*
 * The steps
 */

static int vfs_mend(const struct vfs *v, struct err *err)
{
	struct run_record record;
	int r = run_record_read(v->records, VFS_RECORD_KIND, v->node, &record, err);

	if (r < 0)
		return r;
	if (r == RUN_RECORD_NONE)
		return 0;
	r = vfs_write(v, VFS_AUTOPROBE, record.found, err);
	return r < 0 ? r : run_record_remove(v->records, VFS_RECORD_KIND, v->node, err);
}

static int vfs_stop_probing(const struct vfs *v, struct err *err)
{
	_cleanup_free_ char *found = NULL;
	struct run_record record = { .moving = true };
	int r = vfs_read(v, VFS_AUTOPROBE, &found, err);

	if (r < 0)
		return r;
	snprintf(record.found, sizeof(record.found), "%s", found);
	r = run_record_write(v->records, VFS_RECORD_KIND, v->node, &record, err);
	return r < 0 ? r : vfs_write(v, VFS_AUTOPROBE, "0", err);
}

static bool vfs_all_there(const struct vfs *v)
{
	char address[PCI_ADDRESS_MAX];

	for (unsigned int i = 0; i < v->facts.want; i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *vf = NULL;

		if (pci_vf_address(v->host, v->node->name, i, address) < 0 ||
		    vfio_node_resolve(v->host, address, &vf, NULL) < 0)
			return false;
	}
	return true;
}

/* What is so is in sysfs; events say when to look again. */
static int vfs_wait(const struct vfs *v, struct uevents *events, struct cancel *cancel,
		    struct err *err)
{
	while (!vfs_all_there(v)) {
		struct pollfd p = { .fd = uevents_fd(events), .events = POLLIN };
		struct uevent event;
		int r = cancel_wait(cancel, &p, 1, 1000, err);

		if (r < 0)
			return r;
		do
			r = uevents_read(events, &event, err);
		while (r == UEVENTS_ONE || r == UEVENTS_REFUSED);
		if (r < 0)
			return r;
	}
	return 0;
}

static int vfs_make(const struct vfs *v, struct cancel *cancel, struct err *err)
{
	_cleanup_(uevents_closep) struct uevents *events = NULL;
	int r = uevents_open(&events, err);

	if (r < 0)
		return r;
	r = vfs_write_number(v, v->facts.want, err);
	return r < 0 ? r : vfs_wait(v, events, cancel, err);
}

static int vfs_take(const struct vfs *v, enum vfs_step step, struct cancel *cancel, struct err *err)
{
	switch (step) {
	case VFS_NO_PROBE:
		return vfs_stop_probing(v, err);
	case VFS_REMOVE:
		return vfs_write_number(v, 0, err);
	case VFS_MAKE:
		return vfs_make(v, cancel, err);
	case VFS_MEND:
	case VFS_PROBE:
		return vfs_mend(v, err);
	}
	return 0;
}

static int vfs_take_all(const struct vfs *v, struct cancel *cancel, struct err *err)
{
	for (unsigned int i = 0; i < VFS_STEPS; i++) {
		int r;

		if (!(v->steps & 1u << i))
			continue;
		r = vfs_take(v, 1u << i, cancel, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int vfs_run(struct vfs *v, struct cancel *cancel, struct err *err)
{
	char reason[ERR_REASON_MAX];
	struct err why = { 0 };
	int r = vfs_take_all(v, cancel, err);

	if (r >= 0)
		return 0;
	if (v->steps & VFS_REMOVE)
		err_note(err, r, "there may be no VFs left");
	/* Whatever failed: the attribute is the administrator's. */
	if (vfs_mend(v, &why) < 0)
		err_note(err, r, "%s%s", why.text, err_reason(&why, reason));
	return r;
}

void vfs_done(struct vfs *v)
{
	pci_uses_done(&v->uses);
	fd_closep(&v->lock);
	v->lock = -1;
}
