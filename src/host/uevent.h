/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel tells of devices that come, go, and change their drivers
 *
 * Uevents are hints: they may be lost, a process with the right to may inject one through sysfs
 * (SYNTH_UUID), and the node that one tells of may not have its owner yet. What is so is in sysfs.
 * The kernel sends them to the network namespaces that belong to the first user namespace only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

/* The kernel's are 2 KiB of variables (UEVENT_BUFFER_SIZE) behind action and path. */
#define UEVENT_MAX 8192

/**
 * struct uevent - one of them; all strings are within the message
 * @action: "add", "remove", "bind", "unbind", "change", ...
 * @devpath: below /sys
 * @subsystem, @driver, @devname: NULL where the message has none
 * @synthetic: a process asked for it by writing to a "uevent" in sysfs
 */
struct uevent {
	const char *action;
	const char *devpath;
	const char *subsystem;
	const char *driver;
	const char *devname;
	uint64_t seqnum;
	bool synthetic;
};

/**
 * uevent_parse() - "ACTION@DEVPATH", and "KEY=VALUE" for each variable, all ended by NUL
 *
 * Pure. Return: 0; -EBADMSG for what is not that, such as what udevd sends on.
 */
_must_check_ int uevent_parse(const char *message, size_t len, struct uevent *ret);

#define UEVENT_DEVICE_MAX 64

/**
 * uevent_device() - the device that one is about: for a vfio-dev the one that it belongs to
 * @ret: the kernel's name; "" where it does not fit
 *
 * Pure.
 */
void uevent_device(const struct uevent *event, char ret[UEVENT_DEVICE_MAX]);

/**
 * uevent_trusted() - a message is the kernel's own
 * @pid: of the sender's netlink address, 0 for the kernel
 * @groups: it was sent to; 1 is the kernel's, 2 udevd's
 * @uid: of the sender, -1 where it is not told
 *
 * Processes with the right to may send to this socket, too. Pure.
 */
bool uevent_trusted(uint32_t pid, uint32_t groups, int64_t uid);

struct uevents;

_must_check_ int uevents_open(struct uevents **ret, struct err *err);
struct uevents *uevents_close(struct uevents *uevents);
DEFINE_CLEANUP(struct uevents *, uevents_close)

/** uevents_fd() - readable when there is something for uevents_read() */
int uevents_fd(const struct uevents *uevents);

/* Outcomes of uevents_read(); not errors. */
enum uevents_heard {
	UEVENTS_ONE = 0,
	UEVENTS_NOTHING, /* nothing there now */
	UEVENTS_REFUSED, /* a message that is not the kernel's, or that is no uevent */
	UEVENTS_OVERRUN, /* some were lost: look at everything again */
};

/**
 * uevents_read() - one message, without waiting
 * @ret: set for UEVENTS_ONE; good until the next call
 */
_must_check_ int uevents_read(struct uevents *uevents, struct uevent *ret, struct err *err);
