// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/peek.h"
#include "engine/monitor.h"
#include "host/dev-name.h"
#include "host/pci-vf.h"
#include "uapi/devlink.h"

/* Which processes have a device open takes a look at all of them. */
#define MONITOR_HELD_NS NSEC_PER_SEC

/* Read in a row, before anything else is looked at. */
#define MONITOR_EVENTS_MAX 256

/*
 * The devices
 */

static void monitor_forget(struct monitor_device *d)
{
	d->driver = mfree(d->driver);
	d->cdev = mfree(d->cdev);
	d->dev = device_free(d->dev);
	d->held_ns = 0;
}

/* Return: its index; @m->n when it is not there. */
static size_t monitor_index(const struct monitor *m, const char *name)
{
	size_t i = 0;

	while (i < m->n && strcmp(m->v[i].name, name) != 0)
		i++;
	return i;
}

/* The kernel's name of what a user calls a device; one that is not there yet has one, too. */
static int monitor_name(const char *spec, char ret[UEVENT_DEVICE_MAX], struct err *err)
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
static bool monitor_can(const char *name)
{
	struct dev_name parsed;
	enum dev_form form = dev_name_parse(name, &parsed);

	return form == DEV_FORM_PCI || form == DEV_FORM_MDEV;
}

static int monitor_find(const char *name, struct vfio_node **ret, struct err *err)
{
	char path[UEVENT_DEVICE_MAX + 32];
	struct dev_name parsed;
	bool pci = dev_name_parse(name, &parsed) == DEV_FORM_PCI;

	snprintf(path, sizeof(path), "bus/%s/devices/%s", pci ? "pci" : "mdev", name);
	return vfio_node_from_sysfs(&host_live, path, ret, err);
}

static bool monitor_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* What sysfs says of it now. */
static int monitor_refresh(struct monitor *m, struct monitor_device *d, bool first, struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	enum presence presence = PRESENCE_GONE;
	const char *driver = NULL, *cdev = NULL;
	int r;

	r = monitor_find(d->name, &node, err);
	if (r < 0)
		return r;
	if (r == VFIO_NODE_FOUND) {
		driver = node->driver;
		cdev = node->cdev;
		presence = node->vfio ? PRESENCE_VFIO : driver ? PRESENCE_DRIVER : PRESENCE_FREE;
	}
	if (!first && presence == d->presence && monitor_same(driver, d->driver) &&
	    monitor_same(cdev, d->cdev))
		return 0;
	monitor_forget(d);
	d->presence = presence;
	m->listener->device(m->listener_ctx, d->name, presence, driver, cdev);
	if (driver && !(d->driver = strdup(driver)))
		return err_set(err, -ENOMEM, "%s", d->name);
	if (cdev && !(d->cdev = strdup(cdev)))
		return err_set(err, -ENOMEM, "%s", d->name);
	return 0;
}

static int monitor_add(struct monitor *m, const char *name, struct err *err)
{
	struct monitor_device *d;

	if (monitor_index(m, name) < m->n)
		return 0;
	if (!monitor_can(name))
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: neither a PCI function nor an mdev", name);
	if (m->n == MONITOR_DEVICES_MAX)
		return err_fail(err, ERR_SYSTEM, -E2BIG, "more than %u devices",
				MONITOR_DEVICES_MAX);
	d = &m->v[m->n++];
	snprintf(d->name, sizeof(d->name), "%s", name);
	return monitor_refresh(m, d, true, err);
}

/* Those that VFIO has and that are not known yet. */
static int monitor_add_all(struct monitor *m, struct err *err)
{
	_cleanup_(vfio_nodes_done) struct vfio_nodes nodes = { 0 };
	int r;

	if (m->options->n_specs)
		return 0;
	r = vfio_nodes_list(&host_live, &nodes, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < nodes.n; i++) {
		if (!monitor_can(nodes.v[i]->name))
			continue;
		r = monitor_add(m, nodes.v[i]->name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int monitor_add_named(struct monitor *m, struct err *err)
{
	char name[UEVENT_DEVICE_MAX];
	int r;

	for (size_t i = 0; i < m->options->n_specs; i++) {
		r = monitor_name(m->options->specs[i], name, err);
		if (r < 0)
			return r;
		r = monitor_add(m, name, err);
		if (r < 0)
			return r;
	}
	if (m->options->until.kind != UNTIL_STATE)
		return 0;
	r = monitor_name(m->options->until.device, name, err);
	if (r < 0)
		return err_prefix(err, r, "--until");
	r = monitor_add(m, name, err);
	m->goal = monitor_index(m, name);
	return r;
}

static int monitor_rescan(struct monitor *m, const char *source, struct err *err)
{
	int r;

	m->overruns++;
	m->listener->overrun(m->listener_ctx, source);
	for (size_t i = 0; i < m->n; i++) {
		r = monitor_refresh(m, &m->v[i], false, err);
		if (r < 0)
			return r;
	}
	return monitor_add_all(m, err);
}

/*
 * What is heard
 */

static bool monitor_concerns(const struct monitor *m, const char *name, const struct uevent *event)
{
	if (m->options->n_specs)
		return monitor_index(m, name) < m->n;
	return event->subsystem &&
	       (!strcmp(event->subsystem, "vfio-dev") || !strcmp(event->subsystem, "pci") ||
		!strcmp(event->subsystem, "mdev"));
}

static int monitor_on_uevent(struct monitor *m, const struct uevent *event, struct err *err)
{
	char name[UEVENT_DEVICE_MAX];
	size_t i;

	uevent_device(event, name);
	if (!monitor_concerns(m, name, event))
		return 0;
	m->listener->uevent(m->listener_ctx, name, event);
	i = monitor_index(m, name);
	if (i < m->n)
		return monitor_refresh(m, &m->v[i], false, err);
	if (!event->subsystem || strcmp(event->subsystem, "vfio-dev") != 0 ||
	    strcmp(event->action, "add") != 0 || !monitor_can(name))
		return 0;
	return monitor_add(m, name, err);
}

static int monitor_hear_uevents(struct monitor *m, struct err *err)
{
	struct uevent event;
	int r;

	for (int i = 0; i < MONITOR_EVENTS_MAX; i++) {
		r = uevents_read(m->uevents, &event, err);
		if (r == UEVENTS_NOTHING)
			return 0;
		if (r == UEVENTS_ONE)
			r = monitor_on_uevent(m, &event, err);
		else if (r == UEVENTS_OVERRUN)
			r = monitor_rescan(m, "uevents", err);
		else if (r == UEVENTS_REFUSED)
			log_debug("a uevent that is not the kernel's is ignored");
		if (r < 0)
			return r;
	}
	return 0;
}

static int monitor_on_port(void *ctx, uint8_t cmd, struct nlattr *attrs, int len)
{
	struct monitor *m = ctx;
	struct devlink_port port;
	char name[PCI_ADDRESS_MAX];

	if (cmd != UAPI_DEVLINK_CMD_PORT_NEW && cmd != UAPI_DEVLINK_CMD_PORT_DEL)
		return 0;
	/* A port that is no VF's, or whose VF has gone before it. */
	if (devlink_port_decode(attrs, len, &port) < 0 || !port.is_vf || port.external ||
	    pci_vf_address(&host_live, port.dev, port.vf, name) < 0)
		return 0;
	if (!m->options->n_specs || monitor_index(m, name) < m->n)
		m->listener->port(m->listener_ctx, name, &port, cmd == UAPI_DEVLINK_CMD_PORT_DEL);
	return 0;
}

static int monitor_hear_devlink(struct monitor *m, struct err *err)
{
	int r;

	for (int i = 0; i < MONITOR_EVENTS_MAX; i++) {
		r = netlink_read(m->devlink, monitor_on_port, m, err);
		if (r == NETLINK_NOTHING)
			return 0;
		if (r == NETLINK_OVERRUN)
			r = monitor_rescan(m, "devlink notifications", err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * What is looked at
 */

/* Of a device that no process has open, debugfs has an old state: see device/peek.h. */
static bool monitor_peek(struct monitor_device *d, enum mig_state *ret)
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

static int monitor_look(struct monitor *m, struct err *err)
{
	for (size_t i = 0; i < m->n; i++) {
		struct monitor_device *d = &m->v[i];
		struct dwell_change change;
		enum mig_state state;
		enum dwell_seen seen;
		int r;

		/* The driver may be busy with a long arc, and lets nothing look meanwhile. */
		cancel_call_begin(m->cancel, "state of %s", d->name);
		seen = monitor_peek(d, &state) ? dwell_look(&d->dwell, state, clock_ns(), &change)
					       : dwell_lose(&d->dwell, clock_ns(), &change);
		cancel_call_end(m->cancel);
		if (seen != DWELL_CHANGED)
			continue;
		r = m->listener->state(m->listener_ctx, i, d, &change, err);
		if (r < 0)
			return r;
	}
	m->next_look_ns = clock_ns() + m->options->interval_ns;
	return 0;
}

static bool monitor_reached(const struct monitor *m)
{
	_cleanup_free_ struct until_fact *facts = calloc(m->n + 1, sizeof(*facts));

	for (size_t i = 0; facts && i < m->n; i++)
		facts[i] = (struct until_fact){
			.presence = m->v[i].presence,
			.state_known = m->v[i].dwell.known,
			.state = m->v[i].dwell.state,
		};
	return facts && until_met(&m->options->until, facts, m->n, m->goal);
}

/*
 * The loop
 */

static int monitor_timeout_ms(const struct monitor *m)
{
	uint64_t at = m->next_look_ns;

	if (m->end_ns && (!at || m->end_ns < at))
		at = m->end_ns;
	return at ? clock_ms_until(at) : -1;
}

static int monitor_wait(struct monitor *m, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = uevents_fd(m->uevents), .events = POLLIN },
		{ .fd = m->devlink ? netlink_fd(m->devlink) : -1, .events = POLLIN },
		{ .fd = m->listener->pending_fd(m->listener_ctx), .events = POLLOUT },
	};
	int r;

	r = cancel_wait(m->cancel, p, ARRAY_SIZE(p), monitor_timeout_ms(m), err);
	if (r < 0)
		return r;
	if (p[0].revents)
		r = monitor_hear_uevents(m, err);
	if (r < 0)
		return r;
	if (p[1].revents)
		r = monitor_hear_devlink(m, err);
	if (r < 0)
		return r;
	if (m->options->states && clock_ns() >= m->next_look_ns)
		r = monitor_look(m, err);
	if (r < 0)
		return r;
	return m->listener->flush(m->listener_ctx, err);
}

/* A signal ends it: only where it was to wait for something is that a failure. */
static int monitor_cancelled(const struct monitor *m, int r, struct err *err)
{
	if (r == -ECANCELED && m->options->until.kind == UNTIL_NONE) {
		*err = (struct err){ 0 };
		return 0;
	}
	return r;
}

static int monitor_listen(struct monitor *m, struct err *err)
{
	int r = m->options->states ? monitor_look(m, err) : 0;

	if (r < 0)
		return r;
	while (!monitor_reached(m)) {
		if (m->end_ns && clock_ns() >= m->end_ns) {
			if (m->options->until.kind == UNTIL_NONE)
				return 0;
			return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
					"--until=%s: not so when the time was over",
					m->options->until_text);
		}
		r = monitor_wait(m, err);
		if (r < 0)
			return monitor_cancelled(m, r, err);
	}
	return 0;
}

/* First heard, then looked at: what happens in between is seen twice rather than never. */
static int monitor_open(struct monitor *m, struct err *err)
{
	struct err why = { 0 };
	int r;

	r = uevents_open(&m->uevents, err);
	if (r < 0)
		return r;
	if (devlink_open(&m->devlink, &why) >= 0 &&
	    netlink_join(m->devlink, UAPI_DEVLINK_GROUP, &why) >= 0)
		return 0;
	/* There may be none, and nothing of VFIO depends on it. */
	log_info("no notifications of ports: %s", why.text);
	m->devlink = netlink_close(m->devlink);
	return 0;
}

int monitor_run(struct monitor *m, struct err *err)
{
	int r;

	m->end_ns = m->options->timeout_ns ? clock_ns() + m->options->timeout_ns : 0;
	m->v = calloc(MONITOR_DEVICES_MAX, sizeof(*m->v));
	if (!m->v)
		return err_set(err, -ENOMEM, "devices");
	r = monitor_open(m, err);
	if (r < 0)
		return r;
	r = monitor_add_named(m, err);
	if (r < 0)
		return r;
	r = monitor_add_all(m, err);
	return r < 0 ? r : monitor_listen(m, err);
}

void monitor_end(struct monitor *m)
{
	struct dwell_change change;

	for (size_t i = 0; i < m->n; i++)
		dwell_lose(&m->v[i].dwell, clock_ns(), &change);
}

uint64_t monitor_longest_gap(const struct monitor *m)
{
	uint64_t gap = 0;

	for (size_t i = 0; i < m->n; i++)
		gap = MAX(gap, m->v[i].dwell.longest_gap_ns);
	return gap;
}

void monitor_done(struct monitor *m)
{
	for (size_t i = 0; i < m->n; i++)
		monitor_forget(&m->v[i]);
	m->v = mfree(m->v);
	m->n = 0;
	m->uevents = uevents_close(m->uevents);
	m->devlink = netlink_close(m->devlink);
}
