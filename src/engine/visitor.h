/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One of the guests, in a thread of its own
 *
 * From its connection to where it is to be received, or has what it came for. What it may cost,
 * and who has to go, engine/guests.c says; this says what is heard and answered, and tells one that
 * has to go why. All functions but visitor_start() may be called while its thread is at work.
 */

#include <pthread.h>
#include <stdint.h>

#include "engine/guests.h"

/* Where a visitor is. Changed under the lock. */
enum visitor_state {
	VISITOR_NONE, /* the place is free */
	VISITOR_COMES, /* its thread is at work; it has not said HELLO */
	VISITOR_SPEAKS, /* its thread is at work; it has */
	VISITOR_ASKS, /* its thread is at work; it was answered, or its decision is judged */
	VISITOR_JUDGED, /* its thread is at work, and asks the owner whether it is to be received */
	VISITOR_GONE, /* its thread ends, and is to be joined */
	VISITOR_ARRIVED, /* likewise; it is to be received */
	VISITOR_WAITS, /* to be received */
	VISITOR_RECEIVED,
};

/* Why a visitor has to go while its thread waits for it. */
enum visitor_farewell {
	VISITOR_MAY_STAY,
	VISITOR_IS_SILENT, /* its time is over, without a HELLO */
	VISITOR_IS_IDLE, /* likewise, with nothing behind it */
	VISITOR_GIVES_WAY, /* another one needs its place */
	VISITOR_IS_CLOSED_ON, /* none is listened to any more */
};

/**
 * struct visitor
 * @thread: of VISITOR_COMES to VISITOR_ARRIVED; the door joins it
 * @since_ns: when it came to its state
 * @farewell: why its cancel was requested, if that was for this visitor alone
 * @told: its cancel was requested for the work's sake
 * @forced: what FORCED has said of the TELL that is to follow, or empty
 * @cancel: its own; requested when it has to go, when the work ends, and when its link is lost
 */
struct visitor {
	struct visitor_house *house;
	enum visitor_state state;
	uint64_t since_ns;
	enum visitor_farewell farewell;
	bool told;
	pthread_t thread;
	struct cancel cancel;
	struct peer *peer;
	struct link *link;
	struct wire_message said;
	struct wire_forced forced;
	char *offer;
	size_t offer_len;
};

/**
 * struct visitor_house - what the visitors share; their owner's
 * @lock: of the visitors' states
 * @changed: one of these
 * @wake_fd: signalled when a visitor's thread has ended, or its place is free
 */
struct visitor_house {
	const struct guests_options *options;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int wake_fd;
};

/** visitor_start() - VISITOR_COMES: its thread is at work; @visitor has a peer and a cancel */
_must_check_ int visitor_start(struct visitor *visitor, struct err *err);

void visitor_enter(struct visitor *visitor, enum visitor_state state);

/** visitor_is() - its state */
enum visitor_state visitor_is(struct visitor *visitor);

/** visitor_patience_ns() - how long it may be in its state; UINT64_MAX for as long as it likes */
uint64_t visitor_patience_ns(const struct visitor *visitor);

/** visitor_is_late() - under the lock. Return: VISITOR_MAY_STAY while its time is not over. */
enum visitor_farewell visitor_is_late(const struct visitor *visitor);

/** visitor_dismiss() - under the lock: it has to go; what it is told is the first reason */
void visitor_dismiss(struct visitor *visitor, enum visitor_farewell why);

/** visitor_turn_away() - tell the user, and the visitor, which may have gone */
void visitor_turn_away(struct visitor *visitor, const char *name, const struct err *why);

/** visitor_done() - its thread has ended, or there was none: all that it has is freed */
void visitor_done(struct visitor *visitor);

/** visitor_signal() - an eventfd becomes readable */
void visitor_signal(int fd);
