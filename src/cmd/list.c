// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/printable.h"
#include "device/peek.h"
#include "fsm/fsm.h"
#include "host/holder.h"
#include "host/lender.h"
#include "host/mdev.h"
#include "host/stray.h"
#include "host/vf-name.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

struct cmd_list_args {
	struct invocation *inv;
	struct device_options options;
	struct opt_list specs; /* none: all that VFIO has */
	bool probe;
};

enum cmd_list_column {
	COLUMN_DEVICE,
	COLUMN_VF_OF,
	COLUMN_DRIVER,
	COLUMN_GROUP,
	COLUMN_CDEV,
	COLUMN_MIGRATABLE,
	COLUMN_STATE,
	COLUMN_HOLDER,
	COLUMN_CLIENT,
	COLUMN_NAME,
	NR_COLUMNS
};

static const struct report_row cmd_list_columns[NR_COLUMNS] = {
	[COLUMN_DEVICE] = { "address", "DEVICE", REPORT_TEXT },
	[COLUMN_VF_OF] = { "vf_of.name", "VF OF", REPORT_TEXT },
	[COLUMN_DRIVER] = { "driver", "DRIVER", REPORT_TEXT },
	[COLUMN_GROUP] = { "iommu_group", "GROUP", REPORT_TEXT },
	[COLUMN_CDEV] = { "cdev", "CDEV", REPORT_TEXT },
	[COLUMN_MIGRATABLE] = { "migratable", "MIGRATABLE", REPORT_TEXT },
	[COLUMN_STATE] = { "state", "STATE", REPORT_TEXT },
	[COLUMN_HOLDER] = { "holder", "HELD BY", REPORT_TEXT },
	[COLUMN_CLIENT] = { "client", "CLIENT", REPORT_TEXT },
	[COLUMN_NAME] = { "name", "NAME", REPORT_TEXT },
};

/*
 * What other commands take as DEV gives way last, but for paths of sockets that are longer than a
 * UUID. HELD BY keeps the process's number, VF OF the VF's, and CDEV is another name of a device.
 */
static const struct report_give cmd_list_gives[] = {
	{ COLUMN_NAME, 12 },   { COLUMN_NAME, 0 },    { COLUMN_HOLDER, 14 }, { COLUMN_CLIENT, 14 },
	{ COLUMN_GROUP, 0 },   { COLUMN_DEVICE, 36 }, { COLUMN_DRIVER, 9 },  { COLUMN_VF_OF, 10 },
	{ COLUMN_DEVICE, 16 }, { COLUMN_HOLDER, 10 },
};

static void cmd_list_view(FILE *f, struct json_object *report)
{
	const struct report_fit fit = {
		.width = report_width(f),
		.if_any = 1u << COLUMN_VF_OF | 1u << COLUMN_CLIENT,
		.gives = cmd_list_gives,
		.n = ARRAY_SIZE(cmd_list_gives),
	};
	struct json_object *devices;

	if (!json_object_object_get_ex(report, "devices", &devices))
		return;
	if (json_object_array_length(devices))
		report_table_fit(f, devices, cmd_list_columns, NR_COLUMNS, &fit);
	else
		fputs("no device is bound to VFIO\n", f);
}

/*
 * "qemu-system-x86[1234]", or where a holder lends it: "hold:/run/nic.sock". Return: it is lent.
 */
static bool cmd_list_name_holder(const struct holder *h, const char *socket, size_t n, char *buf,
				 size_t size)
{
	if (socket)
		snprintf(buf, size, "hold:%s", socket);
	else
		snprintf(buf, size, "%s[%d]%s", h->comm, (int)h->pid, n > 1 ? ", ..." : "");
	return socket;
}

/* The first of them for the table, or one that lends it; all for JSON. Return: how many. */
static size_t cmd_list_render_holders(struct json_object *o, const struct vfio_node *node)
{
	struct json_object *list = report_array(o, "holders");
	struct holders holders = { 0 };
	char first[PATH_MAX] = "?";
	bool lent = false;
	size_t n;

	if (holders_find(&host_live, node, &holders, NULL) < 0)
		holders.partial = true;
	n = holders.n;
	for (size_t i = 0; i < n; i++) {
		const struct holder *h = &holders.v[i];
		_cleanup_free_ char *socket = lender_socket(&host_live, h->pid);
		struct json_object *item = report_append(list);

		if (!i || (socket && !lent))
			lent = cmd_list_name_holder(h, socket, n, first, sizeof(first));
		report_int(item, "pid", h->pid);
		report_string(item, "comm", h->comm);
		report_int(item, "fd", h->fd);
		report_string(item, "how", h->how);
		if (socket) {
			make_printable(socket);
			report_string(item, "socket", socket);
		}
	}
	make_printable(first);
	if (n || holders.partial)
		report_string(o, "holder", first);
	report_bool(o, "holders_partial", holders.partial);
	holders_done(&holders);
	return n;
}

/* What it is called: an mdev by its type, another one by its PCI numbers. */
static void cmd_list_render_name(struct json_object *o, const struct device *dev)
{
	char type[MDEV_NAME_MAX], name[256] = "";

	if (dev->node && mdev_type_name(dev->node, type)) {
		report_string(o, "name", type);
		return;
	}
	if (dev->has_ids)
		pci_ids_name(&dev->ids, name, sizeof(name));
	report_string(o, "name", *name ? name : NULL);
}

/* As its holder says: the client that changes it, or what else is done with it. */
static void cmd_list_render_lease(struct json_object *o, const struct device *dev)
{
	const struct device_lease *l = device_lease(dev);
	struct json_object *lease;
	char client[96];

	if (!l)
		return;
	lease = report_object(o, "lease");
	report_string(lease, "use", l->use);
	report_string(lease, "by", *l->by ? l->by : NULL);
	if (l->pid)
		report_int(lease, "pid", l->pid);
	else
		report_null(lease, "pid");
	snprintf(client, sizeof(client), "%s[%d]", *l->by ? l->by : "a client", (int)l->pid);
	report_string(o, "client", l->pid ? client : l->use);
}

/* Of what goes meanwhile, or is none, it is null. */
static void cmd_list_render_vf(struct json_object *o, const struct vfio_node *node)
{
	struct json_object *vf_of;
	char name[VF_NAME_MAX];
	struct pci_vf vf;

	if (!node || pci_vf_of(node, &vf, NULL) != PCI_VF) {
		report_null(o, "vf_of");
		return;
	}
	vf_of = report_object(o, "vf_of");
	report_string(vf_of, "name", vf_name_make(&host_live, &vf, name));
	report_string(vf_of, "pf", vf.pf);
	report_uint(vf_of, "number", vf.number);
}

static void cmd_list_render_peek(struct json_object *o, const struct device *dev, bool held)
{
	enum mig_state state;
	char hint[96];

	switch (device_peek(dev, held, &state)) {
	case PEEK_STATE:
		render_state_now(o, state, true);
		report_bool(o, "migratable", true);
		return;
	case PEEK_MIGRATABLE:
		report_bool(o, "migratable", true);
		return;
	case PEEK_NO_V2:
		report_bool(o, "migratable", false);
		report_string(o, "reason",
			      "its driver offers no migration (v2; v1 would show with --probe)");
		snprintf(hint, sizeof(hint), "vfiomigctl doctor %s says why", device_name(dev));
		report_string(o, "hint", hint);
		return;
	case PEEK_UNKNOWN:
		return;
	}
}

static int cmd_list_ask(struct device *dev, const struct device_options *opts, struct err *err)
{
	int r;

	r = device_open(dev, opts, err);
	return r < 0 ? r : mig_query(dev->mig, err);
}

static void cmd_list_probe(struct json_object *o, struct device *dev,
			   const struct device_options *opts)
{
	struct err why = { 0 };
	int r;

	r = cmd_list_ask(dev, opts, &why);
	if (dev->has_ids)
		render_ids(report_object(o, "ids"), &dev->ids);
	if (r < 0) {
		if (err_status(&why) == ERR_UNSUPPORTED)
			report_bool(o, "migratable", false);
		render_reason(o, dev, &why);
		return;
	}
	report_bool(o, "migratable", true);
	json_object_object_del(o, "reason");
	json_object_object_del(o, "hint");
	report_string(o, "protocol", dev->mig->ops->name);
	render_caps(o, dev->mig->caps);
	render_state_now(o, dev->mig->state, true);
}

/* The table has no column for the reason. */
static void cmd_list_warn_why(struct json_object *o, const struct device *dev)
{
	struct json_object *reason, *hint;

	if (!json_object_object_get_ex(o, "reason", &reason) || !reason)
		return;
	if (json_object_object_get_ex(o, "hint", &hint) && hint)
		log_warn("%s: %s; %s", device_name(dev), json_object_get_string(reason),
			 json_object_get_string(hint));
	else
		log_warn("%s: %s", device_name(dev), json_object_get_string(reason));
}

static int cmd_list_render_one(struct json_object *list, const char *spec,
			       const struct cmd_list_args *a, struct err *err)
{
	_cleanup_(device_freep) struct device *dev = NULL;
	struct err why = { 0 };
	struct json_object *o;
	size_t held = 0;
	bool known;
	int r;

	r = device_find(&host_live, spec, &dev, err);
	if (r < 0)
		return r;
	known = dev->node;
	o = report_append(list);
	render_node_facts(o, dev);
	cmd_list_render_vf(o, dev->node);
	report_null(o, "migratable");
	report_null(o, "state");
	report_null(o, "holder");
	if (dev->node) {
		held = cmd_list_render_holders(o, dev->node);
		cmd_list_render_peek(o, dev, held);
	}
	if (device_check(dev, &a->options, &why) < 0)
		render_reason(o, dev, &why);
	else if (device_opening(dev) != OPENING_MAY_RESET || (a->probe && !held))
		cmd_list_probe(o, dev, &a->options);
	if (!known && dev->node) {
		render_node_facts(o, dev);
		cmd_list_render_vf(o, dev->node);
		cmd_list_render_holders(o, dev->node);
	}
	cmd_list_render_name(o, dev);
	cmd_list_render_lease(o, dev);
	r = cancel_check(a->options.cancel, err);
	if (r < 0)
		return r;
	/* Only of devices that were named on the command line. */
	if (a->specs.n)
		cmd_list_warn_why(o, dev);
	return 0;
}

/* A device that has left the list, but for the process that has not closed it yet. */
static void cmd_list_render_leaving(struct json_object *list, const struct stray *stray)
{
	struct json_object *o = report_append(list), *item;
	const char *name = stray->name ? stray->name : "(unknown)";
	char holder[64];

	report_name(o, "address", name);
	report_null(o, "vf_of");
	report_null(o, "bus");
	report_null(o, "driver");
	report_null(o, "driver_version");
	report_null(o, "iommu_group");
	report_string(o, "cdev", stray->cdev);
	report_null(o, "name");
	report_null(o, "migratable");
	report_null(o, "state");
	snprintf(holder, sizeof(holder), "%s[%d]", stray->comm, (int)stray->pid);
	report_string(o, "holder", holder);
	item = report_append(report_array(o, "holders"));
	report_int(item, "pid", stray->pid);
	report_string(item, "comm", stray->comm);
	report_int(item, "fd", stray->fd);
	report_string(item, "how", stray->cdev ? "cdev" : stray->group ? "group" : "device fd");
	report_bool(o, "holders_partial", false);
	report_bool(o, "leaving", true);
	log_warn("%s: is being unbound or removed, which waits until %s (pid %d, fd %d) closes it",
		 name, stray->comm, (int)stray->pid, stray->fd);
}

static void cmd_list_render_unnamed(struct json_object *list, const struct stray *stray)
{
	struct json_object *o = report_append(list);

	report_int(o, "pid", stray->pid);
	report_string(o, "comm", stray->comm);
	report_int(o, "fd", stray->fd);
	log_warn("%s (pid %d, fd %d) holds a device that the kernel does not name (before Linux "
		 "6.18): vfiomigctl info pid:%d/fd%d",
		 stray->comm, (int)stray->pid, stray->fd, (int)stray->pid, stray->fd);
}

/* Without /proc nothing is known of them, which is said of each device (holders_partial). */
static void cmd_list_strays(struct json_object *report, struct json_object *list)
{
	struct json_object *unnamed = report_array(report, "unnamed_holders");
	struct strays strays = { 0 };
	struct err why = { 0 };

	if (strays_find(&host_live, &strays, &why) < 0)
		log_info("%s", why.text);
	for (size_t i = 0; i < strays.n; i++)
		if (strays.v[i].leaving)
			cmd_list_render_leaving(list, &strays.v[i]);
		else
			cmd_list_render_unnamed(unnamed, &strays.v[i]);
	strays_done(&strays);
}

static int cmd_list_all(struct json_object *list, const struct cmd_list_args *a, struct err *err)
{
	_cleanup_(vfio_nodes_done) struct vfio_nodes nodes = { 0 };
	int r;

	r = vfio_nodes_list(&host_live, &nodes, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < nodes.n; i++) {
		r = cmd_list_render_one(list, nodes.v[i]->sysfs, a, err);
		/* ERR_MISSING: the device has gone since it was listed. */
		if (r < 0 && err_status(err) != ERR_MISSING)
			return r;
	}
	cmd_list_strays(a->inv->report, list);
	return 0;
}

static int cmd_list_lent(struct json_object *list, char *const *lent, const struct cmd_list_args *a,
			 struct err *err)
{
	for (size_t i = 0; lent[i]; i++) {
		int r = cmd_list_render_one(list, lent[i], a, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A holder's name alone stands for all of its devices. */
static int cmd_list_named(struct json_object *list, const char *spec, const struct cmd_list_args *a,
			  struct err *err)
{
	_cleanup_(device_freep) struct device *dev = NULL;
	char **lent = NULL;
	int r;

	r = device_find(&host_live, spec, &dev, err);
	if (r < 0)
		return r;
	r = device_lent(dev, &a->options, &lent, err);
	if (r < 0)
		return r;
	if (!lent)
		return cmd_list_render_one(list, spec, a, err);
	r = cmd_list_lent(list, lent, a, err);
	device_lent_done(lent);
	return r;
}

static int cmd_list_work(void *ctx, struct err *err)
{
	struct cmd_list_args *a = ctx;
	struct json_object *list = report_array(a->inv->report, "devices");
	int r;

	if (!a->specs.n)
		return cmd_list_all(list, a, err);
	for (size_t i = 0; i < a->specs.n; i++) {
		r = cmd_list_named(list, a->specs.v[i], a, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int cmd_list_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_list_args a = { .inv = inv };
	const struct opt opts[] = {
		{ "probe", .flag = &a.probe,
		  .doc = "open and ask each device that no process holds; resets PCI functions" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a.specs, .optional = true }, { 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a.options,
		.open_title = "Opening a device (--probe):",
	};
	struct progress progress;
	struct cancel cancel;
	int r;

	cmd_parse(inv, &line, argc, argv);
	inv->view = cmd_list_view;
	r = cancel_init(&cancel, err);
	if (r < 0)
		return r;
	a.options.cancel = &cancel;
	a.options.only_asks = true;
	progress = cmd_progress(inv, NULL, a.specs.n == 1 ? a.specs.v[0] : "list");
	r = session_run(cmd_list_work, &a, &cancel, &progress, err);
	cancel_done(&cancel);
	return r;
}

const struct command cmd_list = {
	.name = "list",
	.args_doc = "[DEV...]",
	.summary = "show the devices bound to VFIO, without opening them",
	.doc = "List the devices bound to VFIO, or these.\v"
	       "Opens nothing unless --probe is given: what is not known then is shown as '-'. A "
	       "vfio-user device is asked all the same: that resets nothing.",
	.run = cmd_list_run,
};
