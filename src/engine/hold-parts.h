/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a holder is made of, for hold.c and hold-*.c
 *
 * hold-serve.c speaks with clients, hold-place.c with devices, hold-adopt.c takes what a client
 * gives. Whatever a driver may not come back from is an errand (struct hold_errand) in a call.
 */

#include "base/closer.h"
#include "device/device-irq.h"
#include "engine/hold.h"
#include "engine/hold-call.h"
#include "engine/hold-lease.h"
#include "engine/hold-recover.h"

/* What hold_fill() has asked for, by its place. */
enum hold_poll_kind {
	HOLD_POLL_LISTENER,
	HOLD_POLL_CLIENT,
	HOLD_POLL_WATCH,
	HOLD_POLL_IRQ,
	HOLD_POLL_CALLED,
	HOLD_POLL_LATE,
	HOLD_POLL_ADOPTED,
	HOLD_POLL_ADOPTS_LATE
};

struct hold_poll {
	enum hold_poll_kind kind;
	unsigned int i, irq;
};

enum hold_place_state {
	HOLD_PLACE_FREE,
	HOLD_PLACE_HELD,
	HOLD_PLACE_REFUSED, /* held; the host has asked for it and was refused */
	HOLD_PLACE_OWED, /* held; the host gets it once its call has ended */
	HOLD_PLACE_CLOSING, /* for the host */
	HOLD_PLACE_FORSAKEN, /* at the end: its driver does not come back, and has it for good */
};

/* How the device's watch fd is listened to. */
enum hold_watch {
	HOLD_WATCH_ALL,
	HOLD_WATCH_END, /* nothing that comes can be understood any more */
	HOLD_WATCH_NONE
};

#define HOLD_LOST_MAX (HOLD_BY_MAX + 80)
#define HOLD_OVER_MAX 240

/* What is done with a device in a call. */
enum hold_errand_kind {
	HOLD_ERRAND_ASK, /* for its state */
	HOLD_ERRAND_JUDGE, /* the same, of a device that was given back: is a session open? */
	HOLD_ERRAND_ARM, /* its interrupts */
	HOLD_ERRAND_RECOVER, /* it: its client was lost */
	HOLD_ERRAND_CLOSE
};

/**
 * struct hold_errand - the thread's until its call has ended
 * @fds, @armed: of HOLD_ERRAND_ARM: the eventfds, -1 for none, and which of them are set
 * @known: of HOLD_ERRAND_ASK and _JUDGE: the device has said where it is
 * @recover: of HOLD_ERRAND_RECOVER
 */
struct hold_errand {
	enum hold_errand_kind kind;
	struct device *dev;
	int fds[DEVICE_NR_IRQS];
	bool armed[DEVICE_NR_IRQS];
	bool known;
	struct hold_recover recover;
};

/* Where a device is. */
enum hold_asked {
	HOLD_ASKED_NOT_YET, /* a call is under way, or there was none */
	HOLD_ASKED_KNOWN, /* the backend has it by now */
	HOLD_ASKED_IN_VAIN, /* its driver does not say, or is not to be asked now */
};

/**
 * struct hold_place - a device
 * @owned: the holder's to free
 * @if_lost, @found: of the changing client: what it asked for, and where it found the device
 * @note, @restored: what the last one left behind, and whether it was made up for
 * @call, @errand: the device is theirs, until that has ended; NULL for none
 * @heard: what a call has found out that the loop did not wait for: for those who do
 * @lost: of a recovery: the client that it makes up for, and how that has ended
 * @over: of one that is closed: what is told of that
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
	struct hold_call *call;
	struct hold_errand *errand;
	enum hold_asked heard;
	char lost[HOLD_LOST_MAX];
	char over[HOLD_OVER_MAX];
	int irqs[DEVICE_NR_IRQS];
	bool alone;
	enum hold_watch watch;
};

struct hold_adoption;

/**
 * struct hold_client - @fd is -1 where there is none
 * @heard_ns: when it has connected, or said something
 * @deaf: it has lost an answer, since it does not read, or is gone
 * @waits_for: what it has asked for, by @asked, and gets once its call has ended; or NULL
 * @adoption: of what it gives; it is not heard until that has ended
 */
struct hold_client {
	int fd;
	pid_t pid;
	uid_t uid;
	uint64_t heard_ns;
	bool deaf;
	const struct hold_place *waits_for;
	struct hold_request asked;
	struct hold_adoption *adoption;
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
	struct hold_adoption *adoptions[LEASE_CLIENTS_MAX]; /* NULL for none */
	struct hold_poll polled[HOLD_POLL_MAX];
};

/** hold_tell() - the listener of news */
void hold_tell(const struct hold *h, enum hold_news_kind kind, const struct hold_place *p,
	       const char *fmt, ...) _printf_(4, 5);

/** hold_name_client() - "vfiomigctl save (pid 12)". Return: @buf. */
char *hold_name_client(const struct hold_client *c, char buf[HOLD_BY_MAX + 24]);

/** hold_find_device() - Return: its place; NULL where it is not held. */
struct hold_place *hold_find_device(struct hold *h, const struct device *dev);

/** hold_keep_spare() - Return: whether there is a descriptor left for the next client. */
bool hold_keep_spare(struct hold *h);

/** hold_accept() - all that wait at the listener */
void hold_accept(struct hold *h);

/** hold_serve_waiting() - answer the clients that wait for the device */
void hold_serve_waiting(struct hold *h, const struct hold_place *p);

/** hold_serve() - one message of a client, or its end */
void hold_serve(struct hold *h, unsigned int client);

/** hold_serve_adopted() - what a client has given is here, or (@p is NULL) was not taken by @why */
void hold_serve_adopted(struct hold *h, unsigned int client, struct hold_place *p,
			const struct err *why);

/** hold_serve_deaf() - end the connection of a client that has lost an answer */
void hold_serve_deaf(struct hold *h, unsigned int client);

/** hold_drop() - end a client's connection, and what it has */
void hold_drop(struct hold *h, unsigned int client);

/** hold_broadcast() - an event to all clients that have the device; @answer may be NULL */
void hold_broadcast(struct hold *h, const struct hold_place *p, const char *event,
		    const char *answer);

/*
 * A device, by hold-place.c. Where there is a call under way nothing is begun.
 */

/** hold_place_arm() - have its interrupts come here, where it is this process's alone */
void hold_place_arm(struct hold_place *p);

/** hold_place_ask() - where is it? */
enum hold_asked hold_place_ask(struct hold_place *p);

/** hold_place_state() - the same as a word; NULL for what is not known */
const char *hold_place_state(struct hold_place *p);

/** hold_place_lost() - bring it back; @p->lost says whose end that is for */
void hold_place_lost(struct hold *h, struct hold_place *p);

/** hold_place_given_back() - the same, if it was left in the middle of a session */
void hold_place_given_back(struct hold *h, struct hold_place *p);

/** hold_place_give_up() - close it for the host, at once or when its call has ended */
void hold_place_give_up(struct hold *h, struct hold_place *p);

/** hold_place_ended() - its call has */
void hold_place_ended(struct hold *h, struct hold_place *p);

/** hold_place_late() - its call takes so long that its driver may hang */
void hold_place_late(struct hold *h, struct hold_place *p);

/** hold_place_hangs() - Return: "asking for its state, for 3 s" of a call that is late, or NULL. */
const char *hold_place_hangs(struct hold_place *p, char *buf, size_t size);

/**
 * hold_place_settle() - at the end: wait for its call, without which the device is forsaken
 *
 * Return: 0; -EBUSY (ERR_DEVICE).
 */
_must_check_ int hold_place_settle(struct hold_place *p, struct err *err);

/** hold_place_close() - at the end: begin to close it */
void hold_place_close(struct hold_place *p);

/** hold_place_leave() - its descriptors, and the device where that is the holder's */
void hold_place_leave(struct hold_place *p);

/*
 * What is given, by hold-adopt.c
 */

/**
 * hold_adopt() - take a device
 * @acq: consumed
 *
 * Return: 0, and hold_serve_adopted() is told, now or later; -EBUSY when too many are under way.
 */
_must_check_ int hold_adopt(struct hold *h, unsigned int client, const struct hold_request *req,
			    struct acquired *acq, struct err *err);

/** hold_adopt_ready(), hold_adopt_late() - number @i, if there is one, has ended, or takes long */
void hold_adopt_ready(struct hold *h, unsigned int i);
void hold_adopt_late(struct hold *h, unsigned int i);

/** hold_adopt_orphan() - the client that gives is gone: what it gave is taken still */
void hold_adopt_orphan(struct hold_client *c);

/** hold_adopt_call() - for poll(). Return: NULL where there is none. */
struct hold_call *hold_adopt_call(const struct hold *h, unsigned int i);

/** hold_adopt_done() - at the end: what is not taken by now is not taken any more */
void hold_adopt_done(struct hold *h);
