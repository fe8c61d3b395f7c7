// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/peek.h"
#include "host/dev-name.h"
#include "host/pci-vf.h"
#include "transport/output.h"
#include "uapi/devlink.h"
#include "ui/monitor-log.h"
#include "ui/picture-states.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

/* How often the states are looked at if nothing is said; each look is a read in debugfs. */
#define MONITOR_INTERVAL_NS (100 * NSEC_PER_MSEC)

/* Which processes have a device open takes a look at all of them. */
#define MONITOR_HELD_NS NSEC_PER_SEC

#define MONITOR_DEVICES_MAX 1024u

/* Read in a row, before anything else is looked at. */
#define MONITOR_EVENTS_MAX 256

/**
 * struct monitor_device
 * @name: the kernel's
 * @dev: for a look at its state; NULL while VFIO does not have it
 * @held, @held_ns: a process has it open; when that was looked at
 */
struct monitor_device {
	char name[UEVENT_DEVICE_MAX];
	enum presence presence;
	char *driver, *cdev;
	struct device *dev;
	bool held;
	uint64_t held_ns;
	struct dwell dwell;
};

/**
 * struct cmd_monitor_args
 * @uevents, @devlink: where things are heard; @devlink may be NULL
 * @v: @n devices: those that were named, else all that VFIO has or has had
 * @goal: index of the device that --until is about
 * @next_look_ns, @end_ns: on the monotonic clock; 0 for never
 * @lost: overruns so far
 * @out, @picture: of --svg; @uncancelled: of its writing, which a signal has not to end
 */
struct cmd_monitor_args {
	struct invocation *inv;
	struct opt_list specs;
	const char *until_text;
	struct until until;
	const char *svg;
	bool states, force;
	uint64_t interval_ns, timeout_ns;

	struct monitor_log log;
	struct uevents *uevents;
	struct netlink *devlink;
	struct monitor_device *v;
	size_t n, goal;
	uint64_t next_look_ns, end_ns;
	unsigned int lost;
	struct cancel cancel, uncancelled;
	struct output *out;
	struct picture_states picture;
};

static void cmd_monitor_view(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "device", "DEVICE", REPORT_TEXT },	     { "state", "STATE", REPORT_TEXT },
		{ "times", "TIMES", REPORT_TEXT },	     { "dwell_ns", "IN ALL", REPORT_NS },
		{ "downtime_ns", "DOWN", REPORT_NS_IF_ANY },
	};
	static const struct report_row rows[] = {
		{ "longest_gap_ns", "longest time between two looks", REPORT_NS_IF_ANY },
	};
	struct json_object *states;

	if (!json_object_object_get_ex(report, "dwell", &states))
		return;
	report_table(f, states, columns, ARRAY_SIZE(columns));
	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static void cmd_monitor_parse(struct cmd_monitor_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "states", .value = "INTERVAL", .value_optional = true,
		  .duration_ns = &a->interval_ns, .min = NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC,
		  .given = &a->states,
		  .doc = "look at the migration states, each INTERVAL (100ms)" },
		{ "svg", .value = "FILE", .text = &a->svg,
		  .doc = "draw the states as a picture at the end, to FILE" },
		{ "force", .flag = &a->force, .doc = "replace FILE if it exists" },
		{ "until", .value = "WHAT", .text = &a->until_text,
		  .doc = "end as soon as WHAT is so: bound, gone, or 'DEV STATE'" },
		{ "timeout", .value = "TIME", .duration_ns = &a->timeout_ns, .min = NSEC_PER_MSEC,
		  .max = 86400 * NSEC_PER_SEC,
		  .doc = "end after TIME; with --until, that is a failure" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->specs, .optional = true }, { 0 } };

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	a->states |= a->svg != NULL;
	if (!a->interval_ns)
		a->interval_ns = MONITOR_INTERVAL_NS;
	if (!a->until_text)
		return;
	if (!until_parse(a->until_text, &a->until))
		opts_misuse(a->inv->program, "--until is bound, gone, or 'DEV STATE', not '%s'",
			    a->until_text);
	if (a->until.kind == UNTIL_STATE)
		a->states = true;
	else if (!a->specs.n)
		opts_misuse(a->inv->program, "--until=%s: of which DEV?", a->until_text);
}

/*
 * The devices
 */

static void cmd_monitor_forget(struct monitor_device *d)
{
	d->driver = mfree(d->driver);
	d->cdev = mfree(d->cdev);
	d->dev = device_free(d->dev);
	d->held_ns = 0;
}

/* Return: its index; @a->n when it is not there. */
static size_t cmd_monitor_index(const struct cmd_monitor_args *a, const char *name)
{
	size_t i = 0;

	while (i < a->n && strcmp(a->v[i].name, name) != 0)
		i++;
	return i;
}

/* The kernel's name of what a user calls a device; one that is not there yet has one, too. */
static int cmd_monitor_name(const char *spec, char ret[UEVENT_DEVICE_MAX], struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct dev_name name;
	int r;

	switch (dev_name_parse(spec, &name)) {
	case DEV_FORM_PCI:
	case DEV_FORM_MDEV:
		snprintf(ret, UEVENT_DEVICE_MAX, "%s", name.kernel);
		return 0;
	default:
		break;
	}
	r = vfio_node_resolve(&host_live, spec, &node, err);
	if (r < 0)
		return r;
	snprintf(ret, UEVENT_DEVICE_MAX, "%s", node->name);
	return 0;
}

/* A device on another bus has no name that tells where it is. */
static bool cmd_monitor_can(const char *name)
{
	struct dev_name parsed;
	enum dev_form form = dev_name_parse(name, &parsed);

	return form == DEV_FORM_PCI || form == DEV_FORM_MDEV;
}

static int cmd_monitor_find(const char *name, struct vfio_node **ret, struct err *err)
{
	char path[UEVENT_DEVICE_MAX + 32];
	struct dev_name parsed;
	bool pci = dev_name_parse(name, &parsed) == DEV_FORM_PCI;

	snprintf(path, sizeof(path), "bus/%s/devices/%s", pci ? "pci" : "mdev", name);
	return vfio_node_from_sysfs(&host_live, path, ret, err);
}

static bool cmd_monitor_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* What sysfs says of it now. */
static int cmd_monitor_refresh(struct cmd_monitor_args *a, struct monitor_device *d, bool first,
			       struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	enum presence presence = PRESENCE_GONE;
	const char *driver = NULL, *cdev = NULL;
	int r;

	r = cmd_monitor_find(d->name, &node, err);
	if (r < 0)
		return r;
	if (r == VFIO_NODE_FOUND) {
		driver = node->driver;
		cdev = node->cdev;
		presence = node->vfio ? PRESENCE_VFIO : driver ? PRESENCE_DRIVER : PRESENCE_FREE;
	}
	if (!first && presence == d->presence && cmd_monitor_same(driver, d->driver) &&
	    cmd_monitor_same(cdev, d->cdev))
		return 0;
	cmd_monitor_forget(d);
	d->presence = presence;
	monitor_log_device(&a->log, d->name, presence, driver, cdev);
	if (driver && !(d->driver = strdup(driver)))
		return err_set(err, -ENOMEM, "%s", d->name);
	if (cdev && !(d->cdev = strdup(cdev)))
		return err_set(err, -ENOMEM, "%s", d->name);
	return 0;
}

static int cmd_monitor_add(struct cmd_monitor_args *a, const char *name, struct err *err)
{
	struct monitor_device *d;

	if (cmd_monitor_index(a, name) < a->n)
		return 0;
	if (!cmd_monitor_can(name))
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: neither a PCI function nor an mdev", name);
	if (a->n == MONITOR_DEVICES_MAX)
		return err_fail(err, ERR_SYSTEM, -E2BIG, "more than %u devices",
				MONITOR_DEVICES_MAX);
	d = &a->v[a->n++];
	snprintf(d->name, sizeof(d->name), "%s", name);
	return cmd_monitor_refresh(a, d, true, err);
}

/* Those that VFIO has and that are not known yet. */
static int cmd_monitor_add_all(struct cmd_monitor_args *a, struct err *err)
{
	_cleanup_(vfio_nodes_done) struct vfio_nodes nodes = { 0 };
	int r;

	if (a->specs.n)
		return 0;
	r = vfio_nodes_list(&host_live, &nodes, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < nodes.n; i++) {
		if (!cmd_monitor_can(nodes.v[i]->name))
			continue;
		r = cmd_monitor_add(a, nodes.v[i]->name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int cmd_monitor_add_named(struct cmd_monitor_args *a, struct err *err)
{
	char name[UEVENT_DEVICE_MAX];
	int r;

	for (size_t i = 0; i < a->specs.n; i++) {
		r = cmd_monitor_name(a->specs.v[i], name, err);
		if (r < 0)
			return r;
		r = cmd_monitor_add(a, name, err);
		if (r < 0)
			return r;
	}
	if (a->until.kind != UNTIL_STATE)
		return 0;
	r = cmd_monitor_name(a->until.device, name, err);
	if (r < 0)
		return err_prefix(err, r, "--until");
	r = cmd_monitor_add(a, name, err);
	a->goal = cmd_monitor_index(a, name);
	return r;
}

static int cmd_monitor_rescan(struct cmd_monitor_args *a, const char *source, struct err *err)
{
	int r;

	a->lost++;
	monitor_log_overrun(&a->log, source);
	for (size_t i = 0; i < a->n; i++) {
		r = cmd_monitor_refresh(a, &a->v[i], false, err);
		if (r < 0)
			return r;
	}
	return cmd_monitor_add_all(a, err);
}

/*
 * What is heard
 */

static bool cmd_monitor_concerns(const struct cmd_monitor_args *a, const char *name,
				 const struct uevent *event)
{
	if (a->specs.n)
		return cmd_monitor_index(a, name) < a->n;
	return event->subsystem &&
	       (!strcmp(event->subsystem, "vfio-dev") || !strcmp(event->subsystem, "pci") ||
		!strcmp(event->subsystem, "mdev"));
}

static int cmd_monitor_on_uevent(struct cmd_monitor_args *a, const struct uevent *event,
				 struct err *err)
{
	char name[UEVENT_DEVICE_MAX];
	size_t i;

	uevent_device(event, name);
	if (!cmd_monitor_concerns(a, name, event))
		return 0;
	monitor_log_uevent(&a->log, name, event);
	i = cmd_monitor_index(a, name);
	if (i < a->n)
		return cmd_monitor_refresh(a, &a->v[i], false, err);
	if (!event->subsystem || strcmp(event->subsystem, "vfio-dev") != 0 ||
	    strcmp(event->action, "add") != 0 || !cmd_monitor_can(name))
		return 0;
	return cmd_monitor_add(a, name, err);
}

static int cmd_monitor_hear_uevents(struct cmd_monitor_args *a, struct err *err)
{
	struct uevent event;
	int r;

	for (int i = 0; i < MONITOR_EVENTS_MAX; i++) {
		r = uevents_read(a->uevents, &event, err);
		if (r == UEVENTS_NOTHING)
			return 0;
		if (r == UEVENTS_ONE)
			r = cmd_monitor_on_uevent(a, &event, err);
		else if (r == UEVENTS_OVERRUN)
			r = cmd_monitor_rescan(a, "uevents", err);
		else if (r == UEVENTS_REFUSED)
			log_debug("a uevent that is not the kernel's is ignored");
		if (r < 0)
			return r;
	}
	return 0;
}

static int cmd_monitor_on_port(void *ctx, uint8_t cmd, struct nlattr *attrs, int len)
{
	struct cmd_monitor_args *a = ctx;
	struct devlink_port port;
	char name[PCI_ADDRESS_MAX];

	if (cmd != UAPI_DEVLINK_CMD_PORT_NEW && cmd != UAPI_DEVLINK_CMD_PORT_DEL)
		return 0;
	/* A port that is no VF's, or whose VF has gone before it. */
	if (devlink_port_decode(attrs, len, &port) < 0 || !port.is_vf || port.external ||
	    pci_vf_address(&host_live, port.dev, port.vf, name) < 0)
		return 0;
	if (!a->specs.n || cmd_monitor_index(a, name) < a->n)
		monitor_log_port(&a->log, name, &port, cmd == UAPI_DEVLINK_CMD_PORT_DEL);
	return 0;
}

static int cmd_monitor_hear_devlink(struct cmd_monitor_args *a, struct err *err)
{
	int r;

	for (int i = 0; i < MONITOR_EVENTS_MAX; i++) {
		r = netlink_read(a->devlink, cmd_monitor_on_port, a, err);
		if (r == NETLINK_NOTHING)
			return 0;
		if (r == NETLINK_OVERRUN)
			r = cmd_monitor_rescan(a, "devlink notifications", err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * What is looked at
 */

/* Of a device that no process has open, debugfs has an old state: see device/peek.h. */
static bool cmd_monitor_peek(struct monitor_device *d, enum mig_state *ret)
{
	uint64_t now = clock_ns();

	if (d->presence != PRESENCE_VFIO)
		return false;
	if (!d->dev && device_find(&host_live, d->name, &d->dev, NULL) < 0)
		return false;
	if (!d->held_ns || now - d->held_ns > MONITOR_HELD_NS) {
		d->held = device_held(d->dev);
		d->held_ns = now;
	}
	return device_peek(d->dev, d->held, ret) == PEEK_STATE;
}

/* What the picture is made of. */
static int cmd_monitor_keep(struct cmd_monitor_args *a, size_t i, const struct dwell_change *change,
			    struct err *err)
{
	const struct dwell *d = &a->v[i].dwell;
	const struct picture_state state = {
		.device = (unsigned int)i,
		.ns = d->known ? d->last_look_ns : clock_ns(),
		.known = d->known,
		.state = d->state,
	};

	if (!a->svg)
		return 0;
	if (change->up)
		picture_states_down(&a->picture, state.ns - change->down_ns, state.ns);
	return picture_states_add(&a->picture, &state, err);
}

static int cmd_monitor_look(struct cmd_monitor_args *a, struct err *err)
{
	for (size_t i = 0; i < a->n; i++) {
		struct monitor_device *d = &a->v[i];
		struct dwell_change change;
		enum mig_state state;
		enum dwell_seen seen;

		/* The driver may be busy with a long arc, and lets nothing look meanwhile. */
		cancel_call_begin(&a->cancel, "state of %s", d->name);
		seen = cmd_monitor_peek(d, &state)
			       ? dwell_look(&d->dwell, state, clock_ns(), &change)
			       : dwell_lose(&d->dwell, clock_ns(), &change);
		cancel_call_end(&a->cancel);
		if (seen != DWELL_CHANGED)
			continue;
		monitor_log_state(&a->log, d->name, &d->dwell, &change);
		if (cmd_monitor_keep(a, i, &change, err) < 0)
			return -ENOMEM;
	}
	a->next_look_ns = clock_ns() + a->interval_ns;
	return 0;
}

static bool cmd_monitor_reached(const struct cmd_monitor_args *a)
{
	_cleanup_free_ struct until_fact *facts = calloc(a->n + 1, sizeof(*facts));

	for (size_t i = 0; facts && i < a->n; i++)
		facts[i] = (struct until_fact){
			.presence = a->v[i].presence,
			.state_known = a->v[i].dwell.known,
			.state = a->v[i].dwell.state,
		};
	return facts && until_met(&a->until, facts, a->n, a->goal);
}

/*
 * The loop
 */

static int cmd_monitor_timeout_ms(const struct cmd_monitor_args *a)
{
	uint64_t at = a->next_look_ns;

	if (a->end_ns && (!at || a->end_ns < at))
		at = a->end_ns;
	return at ? clock_ms_until(at) : -1;
}

static int cmd_monitor_wait(struct cmd_monitor_args *a, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = uevents_fd(a->uevents), .events = POLLIN },
		{ .fd = a->devlink ? netlink_fd(a->devlink) : -1, .events = POLLIN },
		{ .fd = lines_pending_fd(&a->log.out), .events = POLLOUT },
	};
	int r;

	r = cancel_wait(&a->cancel, p, ARRAY_SIZE(p), cmd_monitor_timeout_ms(a), err);
	if (r < 0)
		return r;
	if (p[0].revents)
		r = cmd_monitor_hear_uevents(a, err);
	if (r < 0)
		return r;
	if (p[1].revents)
		r = cmd_monitor_hear_devlink(a, err);
	if (r < 0)
		return r;
	if (a->states && clock_ns() >= a->next_look_ns)
		r = cmd_monitor_look(a, err);
	if (r < 0)
		return r;
	lines_flush(&a->log.out);
	return monitor_log_check(&a->log, err);
}

/* A signal ends it: only where it was to wait for something is that a failure. */
static int cmd_monitor_end(const struct cmd_monitor_args *a, int r, struct err *err)
{
	if (r == -ECANCELED && a->until.kind == UNTIL_NONE) {
		*err = (struct err){ 0 };
		return 0;
	}
	return r;
}

static int cmd_monitor_listen(struct cmd_monitor_args *a, struct err *err)
{
	int r = a->states ? cmd_monitor_look(a, err) : 0;

	if (r < 0)
		return r;
	while (!cmd_monitor_reached(a)) {
		if (a->end_ns && clock_ns() >= a->end_ns) {
			if (a->until.kind == UNTIL_NONE)
				return 0;
			return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
					"--until=%s: not so when the time was over", a->until_text);
		}
		r = cmd_monitor_wait(a, err);
		if (r < 0)
			return cmd_monitor_end(a, r, err);
	}
	return 0;
}

/* First heard, then looked at: what happens in between is seen twice rather than never. */
static int cmd_monitor_open(struct cmd_monitor_args *a, struct err *err)
{
	struct err why = { 0 };
	int r;

	r = uevents_open(&a->uevents, err);
	if (r < 0)
		return r;
	if (devlink_open(&a->devlink, &why) >= 0 &&
	    netlink_join(a->devlink, UAPI_DEVLINK_GROUP, &why) >= 0)
		return 0;
	/* There may be none, and nothing of VFIO depends on it. */
	log_info("no notifications of ports: %s", why.text);
	a->devlink = netlink_close(a->devlink);
	return 0;
}

static int cmd_monitor_work(void *ctx, struct err *err)
{
	struct cmd_monitor_args *a = ctx;
	int r;

	a->end_ns = a->timeout_ns ? clock_ns() + a->timeout_ns : 0;
	r = cmd_monitor_open(a, err);
	if (r < 0)
		return r;
	r = cmd_monitor_add_named(a, err);
	if (r < 0)
		return r;
	r = cmd_monitor_add_all(a, err);
	return r < 0 ? r : cmd_monitor_listen(a, err);
}

/*
 * The result
 */

static void cmd_monitor_render_dwell(struct json_object *list, const struct monitor_device *d)
{
	bool first = true;

	for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
		struct json_object *o;

		if (!d->dwell.visits[s])
			continue;
		o = report_append(list);
		report_string(o, "device", d->name);
		report_string(o, "state", fsm_name((enum mig_state)s));
		report_uint(o, "times", d->dwell.visits[s]);
		report_uint(o, "dwell_ns", d->dwell.total_ns[s]);
		if (first)
			report_uint(o, "downtime_ns", d->dwell.downtime_ns);
		first = false;
	}
}

static void cmd_monitor_render(struct cmd_monitor_args *a)
{
	struct json_object *o = a->inv->report, *list;
	struct dwell_change change;
	uint64_t gap = 0;

	report_uint(o, "overruns", a->lost);
	if (a->until_text)
		report_name(o, "until", a->until_text);
	if (!a->states)
		return;
	list = report_array(o, "dwell");
	for (size_t i = 0; i < a->n; i++) {
		dwell_lose(&a->v[i].dwell, clock_ns(), &change);
		gap = MAX(gap, a->v[i].dwell.longest_gap_ns);
		cmd_monitor_render_dwell(list, &a->v[i]);
	}
	report_uint(o, "interval_ns", a->interval_ns);
	report_uint(o, "longest_gap_ns", gap);
}

/* First, so that a place where nothing can be written ends it before anything was seen. */
static int cmd_monitor_open_picture(struct cmd_monitor_args *a, struct err *err)
{
	struct uri uri;
	int r;

	if (!a->svg)
		return 0;
	r = cmd_output(a->inv, a->svg, URI_FILE, &uri, err);
	return r < 0 ? r : output_open(&uri, a->force, &a->uncancelled, &a->out, err);
}

static char *cmd_monitor_draw(struct cmd_monitor_args *a, size_t *ret_len, struct err *err)
{
	_cleanup_free_ struct picture_states_device *devices = calloc(a->n + 1, sizeof(*devices));
	char *text = NULL;
	FILE *f = devices ? open_memstream(&text, ret_len) : NULL;

	if (!f) {
		err_set(err, -ENOMEM, "%s", a->svg);
		return NULL;
	}
	a->picture.start_ns = a->log.start_ns;
	a->picture.end_ns = clock_ns();
	for (size_t i = 0; i < a->n; i++) {
		devices[i] =
			(struct picture_states_device){ a->v[i].name, a->v[i].dwell.downtime_ns };
		a->picture.gap_ns = MAX(a->picture.gap_ns, a->v[i].dwell.longest_gap_ns);
	}
	picture_states_draw(f, &a->picture, devices, (unsigned int)a->n);
	if (fclose(f) == 0)
		return text;
	err_set(err, -ENOMEM, "%s", a->svg);
	return mfree(text);
}

/* However it has ended: what was seen is worth as much after a failure. */
static int cmd_monitor_write_picture(struct cmd_monitor_args *a, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	if (!a->out)
		return 0;
	text = cmd_monitor_draw(a, &len, err);
	if (!text)
		return -ENOMEM;
	r = output_write(a->out, text, len, err);
	if (r < 0)
		return r;
	r = output_finish(a->out, err);
	if (r < 0)
		return r;
	r = output_publish(a->out, err);
	if (r < 0)
		return r;
	report_name(a->inv->report, "svg", a->svg);
	return 0;
}

/* With --json the result is the last line of many, and not a document of its own. */
static void cmd_monitor_show_json(struct cmd_monitor_args *a, int r, const struct err *err)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	a->inv->stdout_taken = true;
	a->inv->view = NULL;
	a->inv->add_result(a->inv, r, err);
	report_string(a->inv->report, "event", "result");
	f = open_memstream(&text, &size);
	if (!f)
		return;
	report_json(f, a->inv->report, false);
	if (fclose(f) == 0)
		lines_put(&a->log.out, text);
	free(text);
}

/* How long the result waits for a reader that is slow. */
#define MONITOR_WAIT_MS 5000

static int cmd_monitor_watch_all(struct cmd_monitor_args *a, struct err *err)
{
	struct err why = { 0 };
	int r, s;

	r = cmd_monitor_open_picture(a, err);
	if (r < 0)
		return r;
	monitor_log_init(&a->log, a->inv->json, a->inv->verbosity < 0);
	r = session_run(cmd_monitor_work, a, &a->cancel, NULL, err);
	s = cmd_monitor_write_picture(a, r < 0 ? &why : err);
	if (r < 0 && s < 0)
		log_warn("%s: not drawn: %s", a->svg, why.text);
	r = r < 0 ? r : s;
	cmd_monitor_render(a);
	if (a->inv->json)
		cmd_monitor_show_json(a, r, err);
	lines_finish(&a->log.out, MONITOR_WAIT_MS);
	monitor_log_done(&a->log);
	return r;
}

static int cmd_monitor_watch(struct cmd_monitor_args *a, struct err *err)
{
	int r;

	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	r = cancel_init(&a->uncancelled, err);
	if (r < 0) {
		cancel_done(&a->cancel);
		return r;
	}
	r = cmd_monitor_watch_all(a, err);
	a->out = output_free(a->out);
	cancel_done(&a->uncancelled);
	cancel_done(&a->cancel);
	return r;
}

static int cmd_monitor_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_monitor_args a = { .inv = inv };
	int r;

	cmd_monitor_parse(&a, argc, argv);
	inv->view = cmd_monitor_view;
	a.v = calloc(MONITOR_DEVICES_MAX, sizeof(*a.v));
	if (!a.v)
		return err_set(err, -ENOMEM, "devices");
	r = cmd_monitor_watch(&a, err);
	for (size_t i = 0; i < a.n; i++)
		cmd_monitor_forget(&a.v[i]);
	free(a.v);
	uevents_close(a.uevents);
	netlink_close(a.devlink);
	picture_states_done(&a.picture);
	return r;
}

const struct command cmd_monitor = {
	.name = "monitor",
	.args_doc = "[DEV...]",
	.summary = "show what happens to devices, as it happens",
	.doc = "Show what happens to devices: they come and go, get and lose drivers, migrate.\v"
	       "Without DEV, all devices that VFIO has or gets. Opens nothing: what other "
	       "processes do to a device is seen by --states.",
	.run = cmd_monitor_run,
};
