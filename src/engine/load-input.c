// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/cleanup.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/ack.h"
#include "engine/kept.h"
#include "engine/load-input.h"
#include "engine/sender-select.h"

static struct load_input *load_input_of(struct load_carrier *c)
{
	return container_of(c, struct load_input, carrier);
}

static int load_input_check_kept(void *ctx, struct err *err)
{
	const struct load_input *i = ctx;
	const struct load_options *o = i->options;

	return kept_check(o->devs, o->n, err);
}

/* From here on no other sender is listened to: a connection is refused. */
static int load_input_receive(struct load_input *i, const struct load_judge *judge, struct err *err)
{
	const struct load_options *o = i->options;
	_cleanup_fd_ int owners = -1;
	struct sender_select select = {
		.listener = i->listener,
		.judge = o->raw ? NULL : judge->begin,
		.ctx = judge->ctx,
		.watched = load_input_check_kept,
		.watched_ctx = i,
		.timeout_ms = o->device->acquire.timeout_ms,
		.cancel = i->cancel,
	};
	int r;

	r = kept_watch(o->devs, o->n, &owners, err);
	if (r < 0)
		return r;
	select.watch = owners;
	r = sender_select_run(&select, &i->carrier.in, err);
	i->listener = listener_free(i->listener);
	return r;
}

static int load_input_open(struct load_carrier *c, const struct load_judge *judge, struct err *err)
{
	struct load_input *i = load_input_of(c);
	int r;

	r = i->listener ? load_input_receive(i, judge, err)
			: input_open(&i->options->uri, i->cancel, &c->in, err);
	if (r < 0)
		return r;
	if (input_rewindable(c->in))
		c->link = HANDOVER_STORED;
	else if (!i->options->raw && input_answers(c->in))
		c->link = HANDOVER_ANSWERED;
	else
		c->link = HANDOVER_ONE_WAY;
	return 0;
}

static int load_input_accept(struct load_carrier *c, const struct image_receipt *receipt,
			     enum handover_received *received, struct err *err)
{
	(void)received; /* it may have heard the answer, whatever fails */
	return ack_accept(c->in, receipt, err);
}

static void load_input_refuse(struct load_carrier *c, const struct err *why)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE];

	if (c->link != HANDOVER_ANSWERED)
		return;
	ack_refuse(why, wire);
	if (input_answer(c->in, wire, sizeof(wire), NULL) < 0)
		log_info("%s: could not be told why", input_name(c->in));
}

static void load_input_close(struct load_carrier *c)
{
	struct load_input *i = load_input_of(c);

	c->in = input_free(c->in);
	i->listener = listener_free(i->listener);
}

static const struct load_carrier_ops load_input_ops = {
	.open = load_input_open,
	.accept = load_input_accept,
	.refuse = load_input_refuse,
	.close = load_input_close,
};

void load_input_init(struct load_input *i, const struct load_options *options,
		     struct cancel *cancel)
{
	*i = (struct load_input){
		.carrier = { .ops = &load_input_ops, .link = HANDOVER_STORED },
		.options = options,
		.listener = options->listener,
		.cancel = cancel,
	};
}
