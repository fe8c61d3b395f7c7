/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who owns the state
 *
 * A state is handed over by an image or a bare stream, to a file, to a reader that cannot answer,
 * or to a receiver that can. Both ends go through the machine below, each for itself, and take from
 * it alone what to do with the device, and which status, outcome and owner to report.
 *
 * What it keeps: of a state that moves, at most one end ever runs it. The sender stays stopped from
 * the moment on in which the end of the image may have left, until the receiver explicitly refuses;
 * an end of file, a reset, a timeout or a command's failure leave it in doubt. The receiver starts
 * only after the end of the image, and where it can answer only after its answer has left; it gives
 * nothing back once that may have been heard. A state whose sender runs on is a copy, and no
 * receiver starts a copy unless its user asks for a clone.
 *
 * Pure: no clock, no thread, no descriptor.
 */

#include <stdbool.h>

#include "device/recovery-policy.h"

/* What a command reports of a state, for runbooks to branch on. */
enum outcome {
	OUTCOME_COMPLETED,
	OUTCOME_ABORTED,
	OUTCOME_IN_DOUBT,
	OUTCOME_DEVICE_ERROR
};
enum owner {
	OWNER_SOURCE,
	OWNER_DESTINATION,
	OWNER_NONE,
	OWNER_UNKNOWN
};

/** enum handover_link - what is between the ends */
enum handover_link {
	HANDOVER_STORED, /* a file: nothing acts on it before it is complete */
	HANDOVER_ONE_WAY, /* a pipe, a command, a bare stream: its reader acts, and cannot answer */
	HANDOVER_ANSWERED, /* a socket, whose receiver has the last word */
	HANDOVER_NR_LINKS
};

/** enum handover_status - the exit status, where @HANDOVER_AS_FAILED is the failure's own */
enum handover_status {
	HANDOVER_DONE,
	HANDOVER_AS_FAILED,
	HANDOVER_IN_DOUBT,
	HANDOVER_DEVICE,
};

struct handover_verdict {
	enum handover_status status;
	enum outcome outcome;
	enum owner owner;
};

/*
 * The sender
 */

/** enum handover_sent - how far the state has gone */
enum handover_sent {
	HANDOVER_SENDING, /* the end has not left: what has is no state yet */
	HANDOVER_ENDING, /* the end may have left */
	HANDOVER_FAILED, /* it never will */
	HANDOVER_REFUSED, /* the receiver says that it has not taken it */
	HANDOVER_DOUBT, /* it may have been taken */
	HANDOVER_TAKEN, /* all of it is in the file, or with a reader that cannot answer */
	HANDOVER_ACCEPTED, /* the receiver says that it has taken it */
	HANDOVER_NR_SENT
};

/** enum handover_event - what happens to the sender */
enum handover_event {
	HANDOVER_ON_END, /* about to send the end of the image; or of a bare stream to close it */
	HANDOVER_ON_TAKEN, /* the file is published; the reader has all and did not fail */
	HANDOVER_ON_ACCEPT,
	HANDOVER_ON_REFUSE,
	HANDOVER_ON_FAILURE, /* anything else: an error, an end of file, a timeout, a cancel */
	HANDOVER_NR_EVENTS
};

enum handover_sent handover_sent_next(enum handover_link link, enum handover_sent sent,
				      enum handover_event event);

/** handover_gives_back() - the device goes back to where it was found */
bool handover_gives_back(enum handover_sent sent);

/**
 * handover_sender_verdict() - what to report in the end
 * @sent: one of the last five
 * @copy: the device runs on; the receiver was told so
 * @fate: of the device, after it went back or was left stopped
 */
struct handover_verdict handover_sender_verdict(enum handover_link link, enum handover_sent sent,
						bool copy, enum mig_fate fate);

/*
 * The receiver
 */

/** enum handover_received - how far the state has come */
enum handover_received {
	HANDOVER_IDLE, /* the device is as it was */
	HANDOVER_TOUCHED, /* the device is on its way to RESUMING, and still has its own state */
	HANDOVER_LOADING, /* RESUMING, or the STOP after it: its own state is gone */
	HANDOVER_ANSWERING, /* "accepted" may have been heard */
	HANDOVER_OWNED, /* the sender has given it up, or was never there */
	HANDOVER_NR_RECEIVED
};

/** enum handover_give_up - what to do with the device after a failure */
enum handover_give_up {
	HANDOVER_NOTHING_TO_DO,
	HANDOVER_RETURN, /* to where it was found, with its own state */
	HANDOVER_DISCARD, /* reset it, and leave it stopped and blank */
	HANDOVER_KEEP, /* leave it stopped with the state, and hold it: maybe the only copy */
};

enum handover_give_up handover_gives_up(enum handover_received received);

/** enum handover_origin - what becomes of the sender's device */
enum handover_origin {
	HANDOVER_STOPS, /* the image says that it stays stopped: the state moves */
	HANDOVER_RUNS_ON, /* the image says that it runs on: this is a copy */
	HANDOVER_NOT_SAID, /* a bare stream, or an image of another writer */
	HANDOVER_NR_ORIGINS
};

/**
 * handover_may_start() - the receiver may run what it has loaded
 * @clone: its user asks for it, whether the sender runs on or not
 *
 * A state that lies in a file has no owner until it is resumed: to start it is what `resume` asks
 * for.
 */
bool handover_may_start(enum handover_link link, enum handover_origin origin, bool clone);

/** handover_completed() - the state is loaded; @started or left stopped. */
struct handover_verdict handover_completed(enum handover_link link, enum handover_origin origin,
					   bool started);

/**
 * handover_gave_up() - the load failed
 * @fate: of what @received says that it held; MIG_FATE_BACK where nothing was to be done
 */
struct handover_verdict handover_gave_up(enum handover_link link, enum handover_origin origin,
					 enum handover_received received, enum mig_fate fate);
