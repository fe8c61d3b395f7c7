// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/ack.h"

static int ack_refused(const struct output *out, const struct image_receipt *got, struct err *err)
{
	err_fail(err, ERR_ABORTED, -EREMOTEIO, "%s: refused by the receiver: %s", output_name(out),
		 *got->reason ? got->reason : "no reason given");
	return ACK_REFUSED;
}

static int ack_read(struct output *out, struct image_receipt *ret, struct err *err)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE];
	int r;

	r = output_answer(out, wire, sizeof(wire), err);
	if (r < 0)
		return r;
	r = image_receipt_decode(wire, ret, err);
	return r < 0 ? err_prefix(err, r, "%s", output_name(out)) : 0;
}

int ack_await(struct output *out, const struct image_receipt *want, struct err *err)
{
	struct image_receipt got;
	int r;

	r = ack_read(out, &got, err);
	if (r < 0)
		return output_denies(out) ? ACK_REFUSED : r;
	if (!got.accepted)
		return ack_refused(out, &got, err);
	if (!image_receipt_fits(&got, want))
		return err_fail(err, ERR_PEER, -EPROTO, "%s: the receipt is for another image",
				output_name(out));
	return ACK_ACCEPTED;
}

int ack_explain(struct output *out, int code, struct err *err)
{
	struct image_receipt got;
	struct err why = { 0 };
	int r;

	if (output_denies(out))
		return ACK_REFUSED;
	if (!output_answers(out) || (code != -EPIPE && code != -ECONNRESET))
		return code;
	r = ack_read(out, &got, &why);
	if (r == -EPROTO && err)
		*err = why;
	if (output_denies(out))
		return ACK_REFUSED;
	if (r < 0 || got.accepted)
		return r == -EPROTO ? r : code;
	return ack_refused(out, &got, err);
}

int ack_accept(struct input *in, const struct image_receipt *receipt, struct err *err)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE];

	image_receipt_encode(receipt, wire);
	return input_answer(in, wire, sizeof(wire), err);
}

void ack_refuse(const struct err *why, uint8_t ret[IMAGE_RECEIPT_SIZE])
{
	struct image_receipt receipt = { 0 };
	char reason[ERR_REASON_MAX], text[sizeof(why->text) + sizeof(reason)];

	snprintf(text, sizeof(text), "%s%s", why->text, err_reason(why, reason));
	memcpy(receipt.reason, text, strnlen(text, sizeof(receipt.reason) - 1));
	image_receipt_encode(&receipt, ret);
}
