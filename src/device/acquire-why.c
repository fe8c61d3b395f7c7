// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "device/acquire-why.h"
#include "host/holder.h"
#include "host/lender.h"
#include "host/sysfs.h"

/* The other devices of the group, and the first one that explains something. */
struct mates {
	struct vfio_nodes group;
	const struct vfio_node *driven; /* by another driver than VFIO's */
	const struct vfio_node *held; /* open, by @holder */
	struct holder holder;
	bool partial;
	size_t n;
};

static void acquire_why_mates_done(struct mates *m)
{
	vfio_nodes_done(&m->group);
}

static void acquire_why_look_at(const struct host *host, const struct vfio_node *mate,
				struct mates *m)
{
	struct holders holders = { 0 };

	m->n++;
	if (!m->driven && vfio_node_uses_dma(mate))
		m->driven = mate;
	if (m->held || !mate->vfio)
		return;
	if (holders_find(host, mate, &holders, NULL) < 0)
		m->partial = true;
	m->partial |= holders.partial;
	if (holders.n) {
		m->held = mate;
		m->holder = holders.v[0];
	}
	holders_done(&holders);
}

static void acquire_why_find_mates(const struct host *host, const struct vfio_node *node,
				   struct mates *m)
{
	*m = (struct mates){ 0 };
	if (node->group < 0 || vfio_nodes_in_group(host, node->group, &m->group, NULL) < 0)
		return;
	for (size_t i = 0; i < m->group.n; i++)
		if (strcmp(m->group.v[i]->name, node->name) != 0)
			acquire_why_look_at(host, m->group.v[i], m);
}

enum acquire_denial acquire_judge_denial(const struct acquire_evidence *e)
{
	if (e->mate_uses_dma)
		return DENIED_NOT_VIABLE;
	if (e->mate_held)
		return DENIED_MATE_HELD;
	if (e->mates && e->partial)
		return DENIED_MATE_UNSEEN;
	return e->msi_allowed ? DENIED_UNKNOWN : DENIED_INTERRUPTS;
}

/* A parameter that is "N", or that cannot be read, allows nothing. */
static bool acquire_why_msi_allowed(const struct host *host, const char *module)
{
	_cleanup_free_ char *path =
		path_fmt("%s/module/%s/parameters/allow_unsafe_interrupts", host->sys, module);
	_cleanup_free_ char *text = NULL;

	return path && read_text(AT_FDCWD, path, &text) == 0 && strcmp(text, "Y") == 0;
}

static int acquire_why_not_viable(const struct vfio_node *node, const struct mates *m,
				  struct err *err)
{
	if (m->driven)
		err_fail(err, ERR_UNSUPPORTED, -EPERM,
			 "%s: IOMMU group %d is not viable: %s, which is in it, has the driver %s",
			 node->name, node->group, m->driven->name, m->driven->driver);
	else
		err_fail(err, ERR_UNSUPPORTED, -EPERM, "%s: IOMMU group %d is not viable",
			 node->name, node->group);
	return err_hint(err, -EPERM, "bind every device of the group to a vfio driver, or to none");
}

static int acquire_why_mate_held(const struct vfio_node *node, const struct mates *m, int code,
				 struct err *err)
{
	const struct holder *h = &m->holder;

	err_fail(err, code == -EBUSY ? ERR_SYSTEM : ERR_UNSUPPORTED, code,
		 "%s: its IOMMU group is in use: %s (pid %d, fd %d) holds %s", node->name, h->comm,
		 (int)h->pid, h->fd, m->held->name);
	return err_hint(err, code,
			"one process has all devices of a group: end it, or have it open this "
			"device, too, and hand over its fd (fd:N)");
}

int acquire_denied(const struct host *host, const struct vfio_node *node, const char *doing,
		   const char *module, struct err *err)
{
	_cleanup_(acquire_why_mates_done) struct mates m;
	struct acquire_evidence e;
	enum acquire_denial why;

	acquire_why_find_mates(host, node, &m);
	e = (struct acquire_evidence){
		.mate_uses_dma = m.driven,
		.mate_held = m.held,
		.mates = m.n,
		.partial = m.partial,
		.msi_allowed = acquire_why_msi_allowed(host, module),
	};
	why = acquire_judge_denial(&e);
	if (why == DENIED_NOT_VIABLE)
		return acquire_why_not_viable(node, &m, err);
	if (why == DENIED_MATE_HELD)
		return acquire_why_mate_held(node, &m, -EPERM, err);
	/* The kernel said it: the caller is here because of it. */
	err_record(err, ERR_UNSPEC, -EPERM, true, "%s: %s", node->name, doing);
	if (why == DENIED_INTERRUPTS)
		return err_hint(err, -EPERM,
				"no interrupt remapping? see allow_unsafe_interrupts of the module "
				"%s",
				module);
	if (why == DENIED_MATE_UNSEEN)
		return err_hint(
			err, -EPERM,
			"a process that cannot be seen from here may hold another device of "
			"IOMMU group %d; or there is no interrupt remapping",
			node->group);
	return err_hint(err, -EPERM, "the kernel's log may tell more");
}

int acquire_not_viable(const struct host *host, const struct vfio_node *node, struct err *err)
{
	_cleanup_(acquire_why_mates_done) struct mates m;

	acquire_why_find_mates(host, node, &m);
	return acquire_why_not_viable(node, &m, err);
}

/* "tail (pid 300, fd 9), qemu (pid 301, fd 12)" */
static void acquire_why_name_holders(const struct holders *holders, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < holders->n && at < size; i++) {
		const struct holder *h = &holders->v[i];

		at += (size_t)snprintf(text + at, size - at, "%s%s (pid %d, fd %d)", i ? ", " : "",
				       h->comm, (int)h->pid, h->fd);
	}
}

static void acquire_why_hint_holder(const struct host *host, const struct vfio_node *node,
				    const struct holders *holders, struct err *err)
{
	_cleanup_free_ char *socket = NULL;

	if (!holders->n) {
		err_hint(err, -EBUSY, "end it, or have it hand over its device fd (fd:N)");
		return;
	}
	socket = lender_socket(host, holders->v[0].pid);
	if (socket)
		err_hint(err, -EBUSY, "it is lent: name it hold:%s/%s, or end the holder", socket,
			 node->name);
	else
		err_hint(err, -EBUSY,
			 "take part in it as pid:%d, end it, or have it hand over its device fd "
			 "(fd:N)",
			 (int)holders->v[0].pid);
}

int acquire_busy(const struct host *host, const struct vfio_node *node, struct err *err)
{
	_cleanup_(acquire_why_mates_done) struct mates m = { 0 };
	struct holders holders = { 0 };
	char text[256];

	if (holders_find(host, node, &holders, NULL) < 0 || !holders.n)
		acquire_why_find_mates(host, node, &m);
	if (m.held) {
		holders_done(&holders);
		return acquire_why_mate_held(node, &m, -EBUSY, err);
	}
	acquire_why_name_holders(&holders, text, sizeof(text));
	err_record(err, ERR_SYSTEM, -EBUSY, true, "%s: held by another process: %s", node->name,
		   holders.n ? text : "which one cannot be seen from here");
	acquire_why_hint_holder(host, node, &holders, err);
	holders_done(&holders);
	return -EBUSY;
}
