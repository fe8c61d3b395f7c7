/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Generic netlink by libnl, with what libnl leaves out
 *
 * The errno and the words of a failure are the kernel's own (extack.h); a dump that changed while
 * it was read is read again, and one that failed half-way is a failure, which libnl takes for its
 * end. What another process sends is not heard: any user may send. A connection is for requests or,
 * after netlink_join(), for notifications.
 */

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct netlink;

/**
 * netlink_fn - one message
 * @attrs: its attributes, for nla_parse()
 *
 * Return: 0, or negative errno: no other message is shown then.
 */
typedef int netlink_fn(void *ctx, uint8_t cmd, struct nlattr *attrs, int len);

/**
 * netlink_open() - connect, and find out how the kernel numbers @family
 *
 * Return: 0; -ENOENT (ERR_UNSUPPORTED) when it has no such family; what socket() said.
 */
_must_check_ int netlink_open(const char *family, uint8_t version, struct netlink **ret,
			      struct err *err);

/**
 * netlink_wrap() - over a socket that there is already
 * @sk: the new connection's in any case
 * @family: its number
 */
struct netlink *netlink_wrap(struct nl_sock *sk, const char *name, int family, uint8_t version);

struct netlink *netlink_close(struct netlink *nl);
DEFINE_CLEANUP(struct netlink *, netlink_close)

/** netlink_request() - an empty request, the caller's to fill. Return: NULL when out of memory. */
struct nl_msg *netlink_request(struct netlink *nl, uint8_t cmd);

/**
 * netlink_ask() - send @msg, and wait for what the kernel says to it
 * @msg: freed in any case; NULL is -ENOMEM
 * @fn: gets the reply, if one comes before the acknowledgement; may be NULL
 *
 * Return: 0; the kernel's errno, with its words if it has any; what @fn returned.
 */
_must_check_ int netlink_ask(struct netlink *nl, struct nl_msg *msg, netlink_fn *fn, void *ctx,
			     struct err *err);

/**
 * netlink_dump() - the same for all that there is
 * @begin: called before the first message; once more where the kernel says that what it had shown
 *         was no longer so: what @fn has gathered is void then
 *
 * Return: as netlink_ask(); -EAGAIN when it changes all the time.
 */
_must_check_ int netlink_dump(struct netlink *nl, struct nl_msg *msg, void (*begin)(void *ctx),
			      netlink_fn *fn, void *ctx, struct err *err);

/** netlink_join() - from here on only for netlink_read(). Return: -ENOENT for no such group. */
_must_check_ int netlink_join(struct netlink *nl, const char *group, struct err *err);

/** netlink_fd() - readable when there is something for netlink_read() */
int netlink_fd(const struct netlink *nl);

/* Outcomes of netlink_read(); not errors. */
enum netlink_heard {
	NETLINK_HEARD = 0, /* a message was taken, whether or not it was of use */
	NETLINK_NOTHING, /* nothing there now */
	NETLINK_OVERRUN, /* notifications were lost: look at everything again */
};

/** netlink_read() - one message's notifications, without waiting. */
_must_check_ int netlink_read(struct netlink *nl, netlink_fn *fn, void *ctx, struct err *err);
