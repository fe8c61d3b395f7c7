/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Holding devices, for others or only to keep them
 *
 * A state lives as long as a process has the device open. A holder is such a process: it lends the
 * descriptors of its devices to clients over a UNIX socket (device/hold-message.h), keeps order
 * among those that change a state (engine/hold-lease.h), and brings back what a client that was
 * killed has left. It hears, by the devices' REQ interrupts, when the host wants a device back,
 * which would wait in silence for the holder else.
 *
 * The caller polls what hold_fill() asks for and calls hold_ready(). Neither waits for a client:
 * one that does not read its answers loses its connection. Nor for what clients send: their
 * connections and what came with their messages are closed by a child (base/closer.h). Nor for a
 * driver: what is asked of it, its interrupts, its closing and the arcs that make up for a client
 * that was lost have a thread (engine/hold-call.h).
 */

#include <poll.h>
#include <sys/types.h>

#include "device/device.h"
#include "device/hold-message.h"

#define HOLD_DEVICES_MAX 256u
#define HOLD_UIDS_MAX 64u

/* The most descriptors that hold_fill() asks for. */
#define HOLD_POLL_MAX (1 + 3 * 64 + 5 * HOLD_DEVICES_MAX)

/* What to do when the host asks for a device. */
enum hold_on_request {
	ON_REQUEST_RELEASE, /* close it */
	ON_REQUEST_REFUSE, /* keep it: the host waits */
};

enum hold_news_kind {
	HOLD_NEWS_TAKEN, /* a client has given a device */
	HOLD_NEWS_CLIENT_LOST, /* one that changed a device has ended in the middle */
	HOLD_NEWS_REQUEST, /* the host asks for a device */
	HOLD_NEWS_GIVEN_UP, /* a device was closed for the host */
	HOLD_NEWS_BUS_ERROR, /* a device's ERR interrupt */
	HOLD_NEWS_ALONE, /* what lent a device, or used it beside us, is gone; it is held still */
	HOLD_NEWS_GONE, /* a server is gone, and its device with it */
	HOLD_NEWS_HANGS, /* the driver of a device has not come back for long */
	HOLD_NR_NEWS
};

/**
 * struct hold_news - what has happened
 * @dev: still open, but for HOLD_NEWS_GIVEN_UP and HOLD_NEWS_GONE
 * @text: in words, without the name
 */
struct hold_news {
	enum hold_news_kind kind;
	const char *name;
	const struct device *dev;
	const char *text;
};

/** hold_news_name() - of JSON events: "request" */
const char *hold_news_name(enum hold_news_kind kind);

/**
 * struct hold_options
 * @host, @device: for devices that are given
 * @on_request: what to do when the host asks for a device
 * @uids: @n_uids users whose processes may be clients, beside the superuser and the caller's own
 * @drain_ns: how long an arc that the device refuses is tried again after a client was lost
 * @told: hears of what happens; may be NULL
 */
struct hold_options {
	const struct host *host;
	struct device_options device;
	enum hold_on_request on_request;
	uid_t uids[HOLD_UIDS_MAX];
	size_t n_uids;
	uint64_t drain_ns;
	void (*told)(void *ctx, const struct hold_news *news);
	void *ctx;
};

struct hold;

/** hold_new() - @opts is copied; what it points to stays the caller's */
_must_check_ int hold_new(const struct hold_options *opts, struct hold **ret, struct err *err);

/**
 * hold_end() - let no call to a driver be under way any more; before hold_free()
 *
 * Waits a moment for what is under way. A device whose driver does not come back is forsaken: it is
 * neither to be closed nor to be asked from here on, and its thread ends with this process.
 *
 * Return: 0; -EBUSY (ERR_DEVICE) with the name of a forsaken device, and what its driver is in.
 */
_must_check_ int hold_end(struct hold *h, struct err *err);

/**
 * hold_close() - after hold_end(): close all devices at the same time, none waits for another
 *
 * Those of hold_add() stay the caller's to free. Return: as hold_end().
 */
_must_check_ int hold_close(struct hold *h, struct err *err);

/** hold_is_forsaken() - by hold_end() or hold_close() */
bool hold_is_forsaken(const struct hold *h, const struct device *dev);

/**
 * hold_free() - close the socket, remove its file, let the clients go
 *
 * Devices of hold_add() stay open and the caller's; those that are the holder's are closed, but for
 * forsaken ones. Waits for ever where hold_begin() was called, and hold_end() was not.
 */
struct hold *hold_free(struct hold *h);
DEFINE_CLEANUP(struct hold *, hold_free)

/**
 * hold_add() - hold an open device
 * @dev: the caller's, until hold_free(); closed earlier where it is given up
 *
 * Asks whether it can migrate, if that was not asked yet: one that cannot is held, too.
 *
 * Return: 0; -EEXIST for a name that is held already; -ENOSPC.
 */
_must_check_ int hold_add(struct hold *h, struct device *dev, struct err *err);

/** hold_take() - the same; @dev is the holder's from here on, also after a failure */
_must_check_ int hold_take(struct hold *h, struct device *dev, struct err *err);

/**
 * hold_begin() - hear of what the host does to the devices that are held by now
 *
 * Once, when the loop of hold_fill() and hold_ready() begins. Before that no call is under way: a
 * process that goes on in a child by fork() does so before. Afterwards hold_end() has to come.
 */
void hold_begin(struct hold *h);

/**
 * hold_listen() - serve clients at @path
 *
 * A socket whose holder is dead is replaced. The file's mode is 0600, and 0666 where other users
 * are allowed: who may connect is checked for each client in any case. Sets the process's umask
 * for a moment: no other thread may create a file meanwhile.
 *
 * Return: 0; -EADDRINUSE when it is served; -ENAMETOOLONG (ERR_USAGE); else (ERR_OUTPUT) as
 * unix_listen_packets(), and ERR_PERMISSION for -EACCES and -EPERM.
 */
_must_check_ int hold_listen(struct hold *h, const char *path, struct err *err);

/** hold_leave_socket() - a process that was forked serves it from here on: its file stays */
void hold_leave_socket(struct hold *h);

/** hold_count() - devices that are held */
unsigned int hold_count(const struct hold *h);

/**
 * hold_device() - number @i of the devices that are open
 *
 * One that is being closed is none of them, though it counts as held until that has ended.
 *
 * Return: NULL past the last.
 */
struct device *hold_device(const struct hold *h, unsigned int i);

/** hold_has() - a device of that name is held */
bool hold_has(const struct hold *h, const char *name);

/** hold_fill() - what to poll() for. Return: how many of @p, at most HOLD_POLL_MAX. */
unsigned int hold_fill(struct hold *h, struct pollfd p[HOLD_POLL_MAX]);

/* Outcome of hold_ready(); not an error. */
#define HOLD_LOST_ALL 1 /* the last device is gone: there is nothing to hold any more */

/**
 * hold_ready() - deal with what poll() has found
 * @p: as hold_fill() has filled it, all @n of it
 *
 * Return: 0; HOLD_LOST_ALL.
 */
int hold_ready(struct hold *h, const struct pollfd *p, unsigned int n);

#define HOLD_DESCRIPTION_MAX 512

/**
 * hold_describe() - device number @i in words: where it is and who has it
 *
 * Return: @buf; NULL past the last.
 */
char *hold_describe(struct hold *h, unsigned int i, char buf[HOLD_DESCRIPTION_MAX]);
