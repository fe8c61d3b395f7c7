/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Both ends agree on what has arrived
 *
 * The receiver's last word is a receipt (image/receipt.h); a sender has succeeded only with one for
 * what it has sent. What is lost on the way leaves the sender in doubt: engine/handover.h.
 */

#include "image/receipt.h"
#include "transport/input.h"
#include "transport/output.h"

/** enum ack_answer - what the receiver has said */
enum ack_answer {
	ACK_ACCEPTED,
	ACK_REFUSED, /* with the reason in the caller's error (ERR_ABORTED) */
};

/**
 * ack_await() - the sender's: wait for the answer
 * @want: what accepts the image that was sent
 *
 * Return: enum ack_answer; a receiver that does not let this end in has refused, too. -EPROTO
 * (ERR_PEER) for no receipt or one for something else; or as output_answer().
 */
_must_check_ int ack_await(struct output *out, const struct image_receipt *want, struct err *err);

/**
 * ack_explain() - the sender's: output_write() has failed; has the receiver said why?
 * @code: what it returned
 *
 * A receiver that refuses closes the connection; what it said before is still there to be read.
 *
 * Return: ACK_REFUSED with the receiver's story in @err; -EPROTO when it speaks something else; or
 * @code, negative, with its own.
 */
int ack_explain(struct output *out, int code, struct err *err);

/** ack_accept() - the receiver's: tell the sender so. On failure it may have heard it, or not. */
_must_check_ int ack_accept(struct input *in, const struct image_receipt *receipt, struct err *err);

/** ack_refuse() - the receiver's: what an answer says that refuses because of @why. */
void ack_refuse(const struct err *why, uint8_t ret[IMAGE_RECEIPT_SIZE]);
