/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What rules of vfio-user say on a connection of their own, and what they make of answers
 */

#include "check/check.h"
#include "check/subject-raw.h"
#include "vfu/version.h"

/* Bytes of data in a message that are agreed on. */
#define TRANSFER_SMALL 4096u

/* What a rule says on the wire; @size 0: as long as it is. */
struct saying {
	uint16_t id, command;
	uint32_t flags, size;
	const void *payload;
	size_t len;
};

/** rules_vfu_say() - one message */
void rules_vfu_say(struct subject_raw *x, const struct saying *s);

/** rules_vfu_ask() - one message, and the next one that comes back */
void rules_vfu_ask(struct subject_raw *x, const struct saying *s, struct subject_message *m);

/** rules_vfu_is_error() - it came, and says that the command has failed */
bool rules_vfu_is_error(const struct subject_message *m);

/**
 * rules_vfu_refused() - by a reply, or by the end of the connection
 * @what: was asked, for the evidence
 *
 * Return: whether it was; else it is a violation, said.
 */
bool rules_vfu_refused(struct check *c, const char *what, const struct subject_message *m);

/** rules_vfu_worked() - the opposite. Return: as rules_vfu_refused(). */
bool rules_vfu_worked(struct check *c, const char *what, const struct subject_message *m);

/** rules_vfu_connect() - and say nothing. Return: false where that was told as broken. */
bool rules_vfu_connect(struct check *c, struct subject_raw **ret);

/** rules_vfu_version() - what is proposed, with this minor version */
struct vfu_version rules_vfu_version(uint16_t minor);

/** rules_vfu_propose() - VERSION, and the answer */
void rules_vfu_propose(struct subject_raw *x, const struct vfu_version *v,
		       struct subject_message *m);

/** rules_vfu_begin() - connect and agree, where most rules begin. As rules_vfu_connect(). */
bool rules_vfu_begin(struct check *c, struct subject_raw **ret);

/** rules_vfu_question() - for the state, which a server answers whatever that is */
struct saying rules_vfu_question(uint16_t id, uint8_t payload[sizeof(struct vfu_feature)]);

/** rules_vfu_get_state() - that question, and the next message that comes back */
void rules_vfu_get_state(struct subject_raw *x, uint16_t id, struct subject_message *m);

/**
 * rules_vfu_serves_on() - after what the server did not like: the next client is served
 * @x: closed, and opened again
 */
void rules_vfu_serves_on(struct check *c, struct subject_raw **x);
