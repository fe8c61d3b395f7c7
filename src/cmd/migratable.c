// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/peek.h"
#include "engine/migratable.h"
#include "host/pci-driver.h"
#include "host/pci-use.h"
#include "host/pci-vf.h"
#include "host/sysfs.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

/**
 * struct cmd_migratable_args
 * @vf, @pf_driver: where it is a VF; @pf_driver may be NULL even then
 * @needing: the driver that @facts.need follows from
 * @own_fd: of the device, which this process has inherited; -1 for none
 * @port: @facts.port tells whether there is one
 * @found: its value before anything was done
 * @plan: what is to be done, or was
 */
struct cmd_migratable_args {
	struct invocation *inv;
	const char *spec, *word;
	bool switchdev, rebind, dry_run;

	struct device *device;
	struct pci_vf vf;
	char *pf_driver;
	const char *needing;
	int own_fd;
	struct netlink *devlink;
	struct devlink_port port;
	struct migratable_facts facts;
	enum devlink_value found;
	enum migratable_plan plan;
	bool changed;
	struct cancel cancel;
};

static void cmd_migratable_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "device.driver", "driver", REPORT_TEXT },
		{ "port", "port", REPORT_TEXT },
		{ "eswitch_mode", "eswitch mode", REPORT_TEXT },
		{ "steps.0", "would do", REPORT_TEXT },
		{ "steps.1", "then", REPORT_TEXT },
		{ "steps.2", "then", REPORT_TEXT },
		{ "migratable", "migratable", REPORT_TEXT },
		{ "changed", "changed", REPORT_TEXT },
		{ "reason", "reason", REPORT_TEXT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static void cmd_migratable_parse(struct cmd_migratable_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "switchdev", .flag = &a->switchdev,
		  .doc = "set the PF's eswitch to switchdev mode if the VFs' ports are hidden" },
		{ "rebind", .flag = &a->rebind,
		  .doc = "take a bound VF from its driver for it, and give it back" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, change nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = {
		{ "DEV", .text = &a->spec },
		{ "VALUE", .text = &a->word, .optional = true },
		{ 0 },
	};

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	a->facts.want = !a->word ? WANT_SHOW : strcmp(a->word, "on") == 0 ? WANT_ON : WANT_OFF;
	if (a->facts.want == WANT_OFF && strcmp(a->word, "off") != 0)
		opts_misuse(a->inv->program, "VALUE is on or off, not '%s'", a->word);
	a->facts.may = (a->switchdev ? MAY_SWITCHDEV : 0u) | (a->rebind ? MAY_REBIND : 0u);
}

/*
 * The facts
 */

static int cmd_migratable_find_driver(const char *folder, char **ret)
{
	*ret = mfree(*ret);
	return sysfs_link_name(folder, "driver", ret);
}

static int cmd_migratable_look_at_use(struct cmd_migratable_args *a, struct err *err)
{
	_cleanup_free_ char *driver = NULL;
	int r = cmd_migratable_find_driver(a->device->node->sysfs, &driver);

	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "%s: driver", device_name(a->device));
	a->own_fd = pci_use_own_fd(&host_live, a->device->node);
	a->facts.use = r == -ENOENT				  ? USE_FREE
		       : device_held(a->device) || a->own_fd >= 0 ? USE_HELD
								  : USE_BOUND;
	return 0;
}

static int cmd_migratable_look_at_port(struct cmd_migratable_args *a, struct err *err)
{
	struct devlink_vf vf = { .pf = a->vf.pf_number, .vf = a->vf.number };
	int r;

	snprintf(vf.dev, sizeof(vf.dev), "%s", a->vf.pf);
	if (!a->devlink)
		r = devlink_open(&a->devlink, err);
	else
		r = 0;
	if (r < 0)
		return r;
	r = devlink_find_port(a->devlink, &vf, &a->port, err);
	if (r < 0)
		return r;
	a->facts.port = r == DEVLINK_NO_DEVICE ? PORT_NO_DEVLINK
			: r == DEVLINK_NO_PORT ? PORT_NONE
					       : PORT_THERE;
	a->facts.now = r == DEVLINK_FOUND ? a->port.migratable : DEVLINK_ABSENT;
	if (r == DEVLINK_NO_DEVICE)
		return 0;
	return devlink_get_mode(a->devlink, a->vf.pf, &a->facts.mode, err);
}

static int cmd_migratable_look(struct cmd_migratable_args *a, struct err *err)
{
	_cleanup_free_ char *pf = path_fmt("%s/physfn", a->device->node->sysfs);
	int r;

	if (!pf)
		return err_set(err, -ENOMEM, "%s", device_name(a->device));
	r = pci_vf_of(a->device->node, &a->vf, err);
	if (r < 0)
		return r;
	a->facts.port = PORT_NO_VF;
	if (r == PCI_VF) {
		int s = cmd_migratable_find_driver(pf, &a->pf_driver);

		if (s < 0 && s != -ENOENT)
			return err_set(err, s, "%s: driver", a->vf.pf);
	}
	a->facts.need = migratable_need(device_driver(a->device), a->pf_driver, &a->needing);
	/* Of a device that needs no switch nothing is asked, since there may be no devlink. */
	if (a->facts.need == NEED_NOTHING || r == PCI_NO_VF)
		return 0;
	r = cmd_migratable_look_at_use(a, err);
	return r < 0 ? r : cmd_migratable_look_at_port(a, err);
}

/*
 * The refusals
 */

static int cmd_migratable_refuse_port(const struct cmd_migratable_args *a, struct err *err)
{
	const char *name = device_name(a->device), *driver = a->pf_driver;

	if (a->plan == PLAN_NO_DEVLINK) {
		err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: its PF %s (%s) is not in devlink",
			 name, a->vf.pf, driver ? driver : "no driver");
		return driver ? -EOPNOTSUPP
			      : err_hint(err, -EOPNOTSUPP, "bind the PF to its own driver");
	}
	if (a->plan == PLAN_HIDDEN) {
		err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
			 "%s: its PF %s shows no ports of VFs in legacy mode", name, a->vf.pf);
		return err_hint(err, -EOPNOTSUPP,
				"--switchdev sets the mode, which all VFs of the PF feel");
	}
	if (a->facts.mode == DEVLINK_MODE_UNKNOWN) {
		err_fail(err, ERR_PERMISSION, -EPERM, "%s: its PF %s shows no port for it", name,
			 a->vf.pf);
		return err_hint(err, -EPERM,
				"to see whether its eswitch hides it takes CAP_NET_ADMIN");
	}
	return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: its PF %s has no port for it", name,
			a->vf.pf);
}

static int cmd_migratable_refuse(const struct cmd_migratable_args *a, struct err *err)
{
	char port[DEVLINK_PORT_NAME_MAX];
	const char *name = device_name(a->device), *driver = device_driver(a->device);

	devlink_port_name(&a->port, port);
	switch (a->plan) {
	case PLAN_CANNOT_OFF:
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: %s has no switch: its devices are always migratable", name,
				a->needing);
	case PLAN_NO_VF:
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: not a VF: devlink has a switch for VFs only", name);
	case PLAN_NO_ATTRIBUTE:
		err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: its port %s has no such switch",
			 name, port);
		return err_hint(err, -EOPNOTSUPP,
				"Linux 6.2 and a PF driver with migration have one");
	case PLAN_HELD:
		if (a->own_fd >= 0)
			return err_fail(err, ERR_UNSUPPORTED, -EBUSY, "%s: " PCI_USE_OWN_FD, name,
					a->own_fd);
		err_fail(err, ERR_UNSUPPORTED, -EBUSY, "%s: a process has it open", name);
		return err_hint(err, -EBUSY, "vfiomigctl list %s shows which", name);
	case PLAN_BOUND:
		err_fail(err, ERR_UNSUPPORTED, -EBUSY,
			 "%s: %s has it, and the switch is set before", name,
			 driver ? driver : "a driver");
		return err_hint(err, -EBUSY,
				"--rebind takes it from the driver for it, and gives it back");
	default:
		return cmd_migratable_refuse_port(a, err);
	}
}

/*
 * The work
 */

static const char *cmd_migratable_state(const struct cmd_migratable_args *a)
{
	return a->facts.want == WANT_ON ? "on" : "off";
}

static void cmd_migratable_add_step(struct json_object *list, const char *fmt, ...) _printf_(2, 3);

static void cmd_migratable_add_step(struct json_object *list, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report_append_string(list, text);
}

static void cmd_migratable_render_steps(struct cmd_migratable_args *a)
{
	struct json_object *list = report_array(a->inv->report, "steps");
	const char *driver = device_driver(a->device);

	report_bool(a->inv->report, "dry_run", true);
	if (a->plan == PLAN_SWITCHDEV)
		cmd_migratable_add_step(list, "set the eswitch of pci/%s to switchdev", a->vf.pf);
	if (a->plan == PLAN_REBIND)
		cmd_migratable_add_step(list, "unbind from %s", driver);
	if (migratable_plan_changes(a->plan))
		cmd_migratable_add_step(list, "set migratable %s", cmd_migratable_state(a));
	if (a->plan == PLAN_REBIND)
		cmd_migratable_add_step(list, "bind to %s", driver);
}

static int cmd_migratable_explain(const struct cmd_migratable_args *a, const char *what, int r,
				  struct err *err)
{
	err_prefix(err, r, "%s: %s", device_name(a->device), what);
	if (r == -EPERM || r == -EACCES)
		return err_hint(err, r, "it takes CAP_NET_ADMIN: run it as root");
	return r;
}

static int cmd_migratable_set(struct cmd_migratable_args *a, struct err *err)
{
	int r = devlink_set_migratable(a->devlink, &a->port, a->facts.want == WANT_ON, err);

	if (r < 0) {
		char port[DEVLINK_PORT_NAME_MAX];

		return cmd_migratable_explain(a, devlink_port_name(&a->port, port), r, err);
	}
	a->changed = true;
	return 0;
}

/* Given back in any case; that it could not be is then what is worth the words. */
static int cmd_migratable_rebind(struct cmd_migratable_args *a, struct err *err)
{
	const struct vfio_node *node = a->device->node;
	char reason[ERR_REASON_MAX];
	struct err why = { 0 };
	int r, back;

	r = pci_driver_unbind(&host_live, node, err);
	if (r < 0)
		return r;
	r = cmd_migratable_set(a, err);
	back = pci_driver_bind(&host_live, node, node->driver, &why);
	if (back >= 0)
		return r < 0 ? err_note(err, r, "%s has it again", node->driver) : 0;
	if (r >= 0) {
		*err = why;
		return err_classify(err, ERR_DEVICE, back);
	}
	err->kind = ERR_DEVICE;
	return err_note(err, r, "it could not be given back: %s%s", why.text,
			err_reason(&why, reason));
}

static int cmd_migratable_check_result(struct cmd_migratable_args *a, struct err *err)
{
	enum devlink_value want = a->facts.want == WANT_ON ? DEVLINK_ON : DEVLINK_OFF;
	int r = cmd_migratable_look_at_port(a, err);

	if (r < 0)
		return r;
	if (a->facts.now == want)
		return 0;
	return err_fail(err, ERR_DEVICE, -EIO, "%s: set to %s, and it does not read so",
			device_name(a->device), cmd_migratable_state(a));
}

static int cmd_migratable_set_switchdev(struct cmd_migratable_args *a, struct err *err)
{
	int r;

	log_warn("pci/%s: to switchdev mode: until their representors are connected, "
		 "no traffic of its VFs leaves the device",
		 a->vf.pf);
	r = devlink_set_switchdev(a->devlink, a->vf.pf, err);
	if (r < 0)
		return cmd_migratable_explain(a, "switchdev mode", r, err);
	a->changed = true;
	a->facts.may &= ~(unsigned int)MAY_SWITCHDEV; /* once */
	return cmd_migratable_look_at_port(a, err);
}

static int cmd_migratable_act(struct cmd_migratable_args *a, struct err *err)
{
	int r = 0;

	if (a->plan == PLAN_SWITCHDEV)
		r = cmd_migratable_set_switchdev(a, err);
	if (r < 0)
		return r;
	a->plan = migratable_plan(&a->facts);
	switch (a->plan) {
	case PLAN_SHOW:
	case PLAN_DONE:
	case PLAN_NOT_NEEDED:
		return 0;
	case PLAN_SET:
		r = cmd_migratable_set(a, err);
		break;
	case PLAN_REBIND:
		r = cmd_migratable_rebind(a, err);
		break;
	default:
		return cmd_migratable_refuse(a, err);
	}
	return r < 0 ? r : cmd_migratable_check_result(a, err);
}

static int cmd_migratable_work(void *ctx, struct err *err)
{
	struct cmd_migratable_args *a = ctx;
	int r;

	r = cmd_migratable_look(a, err);
	if (r < 0)
		return r;
	a->found = a->facts.now;
	a->plan = migratable_plan(&a->facts);
	if (a->dry_run && (migratable_plan_changes(a->plan) || a->plan == PLAN_DONE)) {
		cmd_migratable_render_steps(a);
		return 0;
	}
	r = cancel_check(&a->cancel, err);
	if (r < 0)
		return r;
	/* Half of it would leave the VF without its driver: from here on it is done to its end. */
	if (migratable_plan_changes(a->plan))
		cancel_close(&a->cancel);
	cancel_call_begin(&a->cancel, "devlink and driver of %s", device_name(a->device));
	r = cmd_migratable_act(a, err);
	cancel_call_end(&a->cancel);
	return r;
}

static void cmd_migratable_render_value(struct json_object *o, const char *key,
					enum devlink_value value)
{
	if (value == DEVLINK_ABSENT)
		report_null(o, key);
	else
		report_bool(o, key, value == DEVLINK_ON);
}

static void cmd_migratable_render(struct cmd_migratable_args *a)
{
	struct json_object *o = a->inv->report;
	char text[DEVLINK_PORT_NAME_MAX];

	render_device(o, a->device);
	if (a->facts.need == NEED_UNKNOWN && a->facts.port != PORT_THERE)
		report_null(o, "switch");
	else
		report_string(o, "switch", a->facts.need == NEED_NOTHING ? "none" : "devlink");
	report_string(o, "port",
		      a->facts.port == PORT_THERE ? devlink_port_name(&a->port, text) : NULL);
	report_string(o, "eswitch_mode", devlink_mode_name(a->facts.mode));
	cmd_migratable_render_value(o, "migratable_found", a->found);
	cmd_migratable_render_value(o, "migratable", a->facts.now);
	if (a->word)
		report_bool(o, "changed", a->changed);
	if (a->facts.need == NEED_NOTHING) {
		snprintf(text, sizeof(text), "%s needs no switch", a->needing);
		report_string(o, "reason", text);
	}
}

static int cmd_migratable_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_migratable_args a = {
		.inv = inv,
		.own_fd = -1,
		.facts = { .port = PORT_NO_VF, .use = USE_FREE },
	};
	struct progress progress;
	int r;

	cmd_migratable_parse(&a, argc, argv);
	inv->view = cmd_migratable_view;
	inv->acts = a.word && !a.dry_run;
	r = device_find(&host_live, a.spec, &a.device, err);
	if (r < 0)
		return r;
	r = cancel_init(&a.cancel, err);
	if (r >= 0 && !a.device->node)
		r = err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: not a PCI function",
			     device_name(a.device));
	if (r >= 0) {
		progress = cmd_progress(inv, NULL, device_name(a.device));
		r = session_run(cmd_migratable_work, &a, &a.cancel, &progress, err);
		cmd_migratable_render(&a);
	}
	cancel_done(&a.cancel);
	netlink_close(a.devlink);
	free(a.pf_driver);
	device_free(a.device);
	return r;
}

const struct command cmd_migratable = {
	.name = "migratable",
	.args_doc = "DEV [VALUE]",
	.summary = "show or set the devlink switch that a VF needs",
	.doc = "Show whether a VF is migratable, or make it so, by devlink.\v"
	       "Some drivers, mlx5 among them, offer migration only of VFs for which that was "
	       "switched on before a driver got them. VALUE is on or off. Opens nothing.",
	.run = cmd_migratable_run,
};
