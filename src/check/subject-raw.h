/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A connection to a vfio-user server on which anything may be said
 *
 * For the rules of the protocol itself: bytes go out as they are, and a header comes back before
 * it is believed. The subject's own connection is closed for it, since many servers have one client
 * at a time, and is opened again on the way home: until then the subject is not to be used.
 */

#include "base/cleanup.h"
#include "check/subject.h"
#include "vfu/message.h"

struct subject_raw;

/**
 * subject_raw_open() - connect, and say nothing
 *
 * Return: 0; as unix_connect(): the server is gone, or takes no further client.
 */
_must_check_ int subject_raw_open(struct subject *s, struct subject_raw **ret, struct err *err);
struct subject_raw *subject_raw_close(struct subject_raw *x);
DEFINE_CLEANUP(struct subject_raw *, subject_raw_close)

#define _cleanup_raw_ _cleanup_(subject_raw_closep)

/** subject_raw_say() - @len bytes. Those that a closed connection does not take are no error. */
void subject_raw_say(struct subject_raw *x, const void *bytes, size_t len);

/* What came back. */
enum subject_heard {
	SUBJECT_HEARD_MESSAGE,
	SUBJECT_HEARD_CLOSED, /* the server has closed the connection */
	SUBJECT_HEARD_NOTHING, /* in the time of a reply, or of the rule */
	SUBJECT_HEARD_NONSENSE, /* a message of less than a header, or of more than there can be */
};

/* A message as it came; of its payload, as much as there is room for. */
struct subject_message {
	enum subject_heard heard;
	struct vfu_header h;
	uint8_t payload[4608];
	size_t len;
};

/** subject_raw_hear() - the next message, whatever its id, type and flags are */
void subject_raw_hear(struct subject_raw *x, struct subject_message *ret);
