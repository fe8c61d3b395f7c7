/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a holder is made of, for hold.c and hold-serve.c
 */

#include "base/closer.h"
#include "device/device-irq.h"
#include "engine/hold.h"
#include "engine/hold-lease.h"
#include "engine/hold-recover.h"

/* What hold_fill() has asked for, by its place. */
enum hold_poll_kind {
	HOLD_POLL_LISTENER,
	HOLD_POLL_CLIENT,
	HOLD_POLL_WATCH,
	HOLD_POLL_IRQ,
	HOLD_POLL_RECOVERED,
	HOLD_POLL_LATE
};

struct hold_poll {
	enum hold_poll_kind kind;
	unsigned int i, irq;
};

enum hold_place_state {
	HOLD_PLACE_FREE,
	HOLD_PLACE_HELD,
	HOLD_PLACE_REFUSED, /* held; the host has asked for it and was refused */
	HOLD_PLACE_OWED, /* held; the host gets it once it has been brought back */
	HOLD_PLACE_FORSAKEN, /* at the end: its driver does not come back, and has it for good */
};

/* How the device's watch fd is listened to. */
enum hold_watch {
	HOLD_WATCH_ALL,
	HOLD_WATCH_END, /* nothing that comes can be understood any more */
	HOLD_WATCH_NONE
};

#define HOLD_LOST_MAX (HOLD_BY_MAX + 80)

/**
 * struct hold_place - a device
 * @owned: the holder's to free
 * @if_lost, @found: of the changing client: what it asked for, and where it found the device
 * @note, @restored: what the last one left behind, and whether it was made up for
 * @recover: the device is its, until that has ended; NULL for none
 * @lost: of a recovery: the client that it makes up for, and how that has ended
 * @irqs: eventfds; -1 for none
 * @alone: what had it beside this process is gone: the interrupts are this one's
 */
struct hold_place {
	enum hold_place_state state;
	struct device *dev;
	bool owned;
	char name[HOLD_NAME_MAX];
	struct lease lease;
	enum hold_if_lost if_lost;
	enum mig_state found;
	char note[HOLD_TEXT_MAX];
	enum hold_restored restored;
	struct hold_recover *recover;
	char lost[HOLD_LOST_MAX];
	int irqs[DEVICE_NR_IRQS];
	bool alone;
	enum hold_watch watch;
};

/**
 * struct hold_client - @fd is -1 where there is none
 * @heard_ns: when it has connected, or said something
 * @deaf: it has lost an answer, since it does not read, or is gone
 * @waits_for: what it has asked for, by @asked, and gets once that has been brought back; or NULL
 */
struct hold_client {
	int fd;
	pid_t pid;
	uid_t uid;
	uint64_t heard_ns;
	bool deaf;
	const struct hold_place *waits_for;
	struct hold_request asked;
	char by[HOLD_BY_MAX];
};

struct hold {
	struct hold_options opts;
	struct hold_place places[HOLD_DEVICES_MAX];
	struct hold_client clients[LEASE_CLIENTS_MAX];
	int listener;
	int spare; /* a descriptor to be had for turning a client away when there is none left */
	struct closer closer; /* of what comes from clients; there is one while it listens */
	char *path;
	dev_t path_dev;
	ino_t path_ino;
	struct hold_poll polled[HOLD_POLL_MAX];
};

/** hold_tell() - the listener of news */
void hold_tell(const struct hold *h, enum hold_news_kind kind, const struct hold_place *p,
	       const char *fmt, ...) _printf_(4, 5);

/** hold_arm() - have the device's interrupts come here, where it is this process's alone */
void hold_arm(struct hold_place *p);

/** hold_state_of() - where the device is; NULL where it is not known, or not to be asked now */
const char *hold_state_of(const struct hold_place *p);

/** hold_name_client() - "vfiomigctl save (pid 12)". Return: @buf. */
char *hold_name_client(const struct hold_client *c, char buf[HOLD_BY_MAX + 24]);

/** hold_keep_spare() - Return: whether there is a descriptor left for the next client. */
bool hold_keep_spare(struct hold *h);

/** hold_accept() - all that wait at the listener */
void hold_accept(struct hold *h);

/** hold_give_up() - close a device for the host, once it is the loop's */
void hold_give_up(struct hold *h, struct hold_place *p);

/** hold_serve_waiting() - answer the clients that wait for the device */
void hold_serve_waiting(struct hold *h, const struct hold_place *p);

/** hold_serve_recovered() - a recovery has ended */
void hold_serve_recovered(struct hold *h, struct hold_place *p);

/** hold_serve_late() - a recovery takes so long that its driver may hang */
void hold_serve_late(struct hold *h, struct hold_place *p);

/** hold_serve() - one message of a client, or its end */
void hold_serve(struct hold *h, unsigned int client);

/** hold_drop() - end a client's connection, and what it has */
void hold_drop(struct hold *h, unsigned int client);

/** hold_broadcast() - an event to all clients that have the device; @answer may be NULL */
void hold_broadcast(struct hold *h, const struct hold_place *p, const char *event,
		    const char *answer);
