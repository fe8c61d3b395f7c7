/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices that are watched, and not touched
 *
 * What the kernel tells of them (uevents, devlink's ports), where sysfs says that they are, and
 * their migration state by a look into debugfs now and then. Nothing is opened.
 */

#include "base/cancel.h"
#include "engine/dwell.h"
#include "engine/until.h"
#include "host/devlink.h"
#include "host/uevent.h"

#define MONITOR_DEVICES_MAX 1024u

struct device;
struct netlink;

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
 * struct monitor_listener - who is told what happens, as it happens
 * @device: where it is now; @driver and @cdev may be NULL
 * @uevent: of a device that is watched, or of VFIO, PCI and mdev where all are
 * @port: a VF's port has changed, or is @gone
 * @overrun: events of @source ("uevents") were lost; all devices are looked at anew
 * @state: the state of @d has changed, or is not known any more; @index is its place among all
 *         devices. Return: 0 or negative errno, which ends the watch
 * @pending_fd: what becomes writable when the listener can go on with what it was told; or -1
 * @flush: go on with it. Return: 0; negative errno when its reader is gone
 */
struct monitor_listener {
	void (*device)(void *ctx, const char *device, enum presence presence, const char *driver,
		       const char *cdev);
	void (*uevent)(void *ctx, const char *device, const struct uevent *event);
	void (*port)(void *ctx, const char *device, const struct devlink_port *port, bool gone);
	void (*overrun)(void *ctx, const char *source);
	int (*state)(void *ctx, size_t index, const struct monitor_device *d,
		     const struct dwell_change *change, struct err *err);
	int (*pending_fd)(void *ctx);
	int (*flush)(void *ctx, struct err *err);
};

/**
 * struct monitor_options
 * @specs: @n_specs devices as a user names them; none: all that VFIO has or gets
 * @until: when it ends; UNTIL_NONE for when it is cancelled
 * @until_text: as the user said it
 * @states: look at the migration states, each @interval_ns
 * @timeout_ns: the watch ends after it; 0 for never
 */
struct monitor_options {
	const char *const *specs;
	size_t n_specs;
	struct until until;
	const char *until_text;
	bool states;
	uint64_t interval_ns, timeout_ns;
};

/**
 * struct monitor - one watch
 * @options, @listener, @listener_ctx, @cancel: the caller's
 * @v: @n devices, in the order in which they were named or seen
 * @overruns: so far
 *
 * What follows is monitor.c's.
 */
struct monitor {
	const struct monitor_options *options;
	const struct monitor_listener *listener;
	void *listener_ctx;
	struct cancel *cancel;
	struct monitor_device *v;
	size_t n;
	unsigned int overruns;

	struct uevents *uevents;
	struct netlink *devlink;
	size_t goal;
	uint64_t next_look_ns, end_ns;
};

/**
 * monitor_run() - until --until is so, the time is over, or it is cancelled
 *
 * Return: 0: also where it was cancelled and nothing was waited for; ERR_ABORTED when what was
 * waited for had not come; what the listener returned; negative errno.
 */
_must_check_ int monitor_run(struct monitor *m, struct err *err);

/** monitor_end() - no state is known from here on: the dwell of each device is complete */
void monitor_end(struct monitor *m);

/** monitor_longest_gap() - the longest time between two looks at any device, in ns */
uint64_t monitor_longest_gap(const struct monitor *m);

/** monitor_done() - release what monitor_run() has made */
void monitor_done(struct monitor *m);
