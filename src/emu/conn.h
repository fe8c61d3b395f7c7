/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A client of a device
 *
 * One command at a time: the next is read when the reply to the last one is gone, so that a client
 * costs two buffers, however much it sends. Never waits: what cannot be done now is done when
 * poll() or the clock says so.
 */

#include "emu/command.h"
#include "emu/event-log.h"

/**
 * struct emu_conn - a connection
 * @in: the message that is being received, its header first
 * @out: the reply that is being sent, not before @due_ns
 * @stalled: there will be no reply
 * @close: to be dropped when the reply is gone
 */
struct emu_conn {
	int fd;
	struct emu_session session;
	struct vfu_header h;
	uint8_t *in, *out;
	size_t in_len, out_len, out_at;
	uint64_t due_ns;
	bool stalled, close;
};

/* Outcomes of emu_conn_run(); not errors. */
enum emu_conn_state {
	CONN_WAITS = 0, /* for what emu_conn_events() and emu_conn_waits_until() say */
	CONN_CLOSED = 1, /* by the client */
	CONN_DIED = 2, /* the device, by --fault */
};

/** emu_conn_new() - Return: NULL without memory. @fd becomes the connection's. */
struct emu_conn *emu_conn_new(int fd);
struct emu_conn *emu_conn_free(struct emu_conn *c);

/** emu_conn_events() - what to poll() for; 0 while only the clock, or nothing, can help */
short emu_conn_events(const struct emu_conn *c, uint64_t now_ns);

/** emu_conn_waits_until() - when a reply is due, or UINT64_MAX */
uint64_t emu_conn_waits_until(const struct emu_conn *c);

/**
 * emu_conn_run() - do what can be done now
 * @log: the device's, and its name
 *
 * Return: enum emu_conn_state; negative errno with a client to be dropped.
 */
_must_check_ int emu_conn_run(struct emu_conn *c, struct emu_device *d,
			      const struct emu_event_log *log, uint64_t now_ns, struct err *err);
