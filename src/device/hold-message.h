/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a holder of devices and its clients say to each other
 *
 * A UNIX socket of type SOCK_SEQPACKET; each packet is one JSON object of at most HOLD_MESSAGE_MAX
 * bytes, with the descriptors that it names, in order, as SCM_RIGHTS. Every object has "schema".
 * A request has "request" and is answered by exactly one object with "reply", the same word or
 * "error"; an object with "event" may come at any time between them. Members that are not known
 * are to be ignored. Drawn in vfiomigctl-hold(8), which is a promise.
 *
 *   {"schema":1,"request":"list"}
 *   {"schema":1,"reply":"list","devices":[DEVICE...]}
 *
 *   {"schema":1,"request":"get","name":"0000:3b:00.1","use":"change","if_lost":"return",
 *    "by":"vfiomigctl save"}
 *   {"schema":1,"reply":"get","device":DEVICE,"fds":["device","iommufd"],"note":null}
 *
 *   {"schema":1,"request":"release","name":"0000:3b:00.1"}
 *   {"schema":1,"reply":"release","device":DEVICE}
 *
 *   {"schema":1,"request":"give","name":"0000:3b:00.1","fds":["device","iommufd"]}
 *   {"schema":1,"reply":"give","device":DEVICE}
 *
 *   {"schema":1,"reply":"error","errno":"EBUSY","message":"..."}
 *   {"schema":1,"event":"request","name":"0000:3b:00.1","answer":"release"}
 *
 * DEVICE is {"name","driver","state","use","by","pid","note","restored"}. Both ends are written
 * with the functions below; what the other end says is checked and capped here.
 */

#include <json-c/json.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"

#define HOLD_SCHEMA 1

/* Caps on what the other end may send; sizes of text with its NUL. */
#define HOLD_MESSAGE_MAX 65536u
#define HOLD_NAME_MAX 256u
#define HOLD_BY_MAX 64u
#define HOLD_TEXT_MAX 512u

/* What a descriptor is, by the word in "fds". */
enum hold_fd {
	HOLD_FD_DEVICE,
	HOLD_FD_IOMMUFD,
	HOLD_FD_GROUP,
	HOLD_FD_CONTAINER,
	HOLD_NR_FDS
};

/** struct hold_fds - a descriptor of each kind; -1 for none */
struct hold_fds {
	int v[HOLD_NR_FDS];
};

#define HOLD_FDS_NONE ((struct hold_fds){ .v = { -1, -1, -1, -1 } })

void hold_fds_done(struct hold_fds *fds);

/** hold_fd_name() - "device", "iommufd", "group", "container" */
const char *hold_fd_name(enum hold_fd kind);

/* As many as the kernel takes with one message. */
#define HOLD_SURPLUS_MAX 253u

/**
 * struct hold_packet - one message: all of it is its receiver's; hold_packet_done()
 * @surplus: @n_surplus descriptors that came with a message that was refused
 *
 * Closing a descriptor may take as long as its sender likes (base/closer.h).
 */
struct hold_packet {
	struct json_object *o;
	struct hold_fds fds;
	unsigned int n_surplus;
	int surplus[HOLD_SURPLUS_MAX];
};

#define HOLD_PACKET_NONE ((struct hold_packet){ .fds = HOLD_FDS_NONE })

void hold_packet_done(struct hold_packet *p);

/**
 * hold_send() - one message; never waits
 * @o: gets "fds", where there are any; consumed
 * @fds: stay the caller's; NULL for none
 *
 * Return: 0; -EAGAIN when the other end does not read; -EMSGSIZE; -EPIPE when it is gone.
 */
_must_check_ int hold_send(int sock, struct json_object *o, const struct hold_fds *fds);

/**
 * hold_receive() - one message; never waits
 *
 * Descriptors that its "fds" does not name, or names wrongly, fail it. None is closed here: all are
 * in @ret, for hold_packet_done() in any case.
 *
 * Return: 0; -EAGAIN; -ECONNRESET at the end; -EMSGSIZE; -EBADMSG with what is wrong.
 */
_must_check_ int hold_receive(int sock, struct hold_packet *ret, struct err *err);

enum hold_verb {
	HOLD_LIST,
	HOLD_GET,
	HOLD_RELEASE,
	HOLD_GIVE,
	HOLD_NR_VERBS
};

const char *hold_verb_name(enum hold_verb verb);

/* What a client is going to do with a device. */
enum hold_use {
	HOLD_USE_READ, /* ask, or use it: its migration state stays as it is */
	HOLD_USE_CHANGE, /* set its migration state: one client at a time */
};

/* What becomes of a device whose changing client ends without a release. */
enum hold_if_lost {
	HOLD_IF_LOST_STAY, /* its session is ended: the client may have handed its state on */
	HOLD_IF_LOST_RETURN, /* it goes back to the state that the client found it in */
};

/**
 * struct hold_request - a request as it was read, or is to be written
 * @name: of the device, empty for the only one
 * @use, @if_lost, @by: of HOLD_GET; @by is what the client calls itself
 * @driver: of HOLD_GIVE; may be empty
 * @shared: of HOLD_GIVE: another process than the giver has it open, and keeps it
 */
struct hold_request {
	enum hold_verb verb;
	char name[HOLD_NAME_MAX];
	enum hold_use use;
	enum hold_if_lost if_lost;
	char by[HOLD_BY_MAX];
	char driver[HOLD_NAME_MAX];
	bool shared;
};

/** hold_request_write() - Return: a new object, for hold_send(). Aborts when memory is out. */
struct json_object *hold_request_write(const struct hold_request *req);

/** hold_request_read() - Return: 0; -EBADMSG (ERR_PEER) with the member that is wrong. */
_must_check_ int hold_request_read(struct json_object *o, struct hold_request *ret,
				   struct err *err);

/* What became of a device whose changing client was lost. */
enum hold_restored {
	HOLD_RESTORED_NOT_KNOWN, /* none was lost since the last one got it */
	HOLD_RESTORED_YES, /* it is where that one has found it, with its own state */
	HOLD_RESTORED_NO
};

/**
 * struct hold_state - a device as a holder tells of it
 * @driver, @state: NULL where it is not known
 * @use: "idle", "read", "change" or "recover"
 * @by, @pid: the client that may change it; NULL and 0 for none
 * @note: what the last client left behind; NULL for nothing
 */
struct hold_state {
	const char *name, *driver, *state, *use, *by;
	int pid;
	const char *note;
	enum hold_restored restored;
};

/** hold_state_write() - Return: a new object. */
struct json_object *hold_state_write(const struct hold_state *s);

/** hold_reply_new() - {"schema":1,"reply":@word} */
struct json_object *hold_reply_new(const char *word);

/** hold_reply_error() - @err as a reply */
struct json_object *hold_reply_error(const struct err *err);

/** hold_event_new() - {"schema":1,"event":@event,"name":@name} */
struct json_object *hold_event_new(const char *event, const char *name);

/** hold_is_event() - no reply: what the holder says by itself */
bool hold_is_event(struct json_object *o);

/**
 * hold_reply_read() - the answer to @verb
 * @o: stays the caller's
 *
 * Return: 0; what the holder refused with, its words in @err; -EBADMSG (ERR_PEER) for no answer
 * to @verb.
 */
_must_check_ int hold_reply_read(struct json_object *o, enum hold_verb verb, struct err *err);

/** hold_text() - a string member of @o, or of a member object; NULL where it is none or null */
const char *hold_text(struct json_object *o, const char *key);
