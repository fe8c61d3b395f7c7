/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a state comes to its devices by
 *
 * A load knows devices and images. Where the bytes come from, and how much a sender at their other
 * end has to say in it, is its carrier's: load-input.h has files, pipes and sockets, receive.c the
 * move between hosts.
 */

#include "engine/handover.h"
#include "image/parser.h"
#include "image/receipt.h"
#include "transport/input.h"

struct load_carrier;

/**
 * struct load_judge - whether what an image says of itself fits the devices
 * @begin: as image_sink.begin; opens nothing, and may be asked of many
 */
struct load_judge {
	int (*begin)(void *ctx, const struct image_info *info, const struct image_manifest *m,
		     struct err *err);
	void *ctx;
};

struct load_carrier_ops {
	/**
	 * @open: Set @c->in and @c->link. Waits for a sender, however long.
	 *
	 * Guarantees: no device was touched; with a failure @c->in is NULL.
	 */
	int (*open)(struct load_carrier *c, const struct load_judge *judge, struct err *err);

	/**
	 * @opened: All devices are open, by this process alone, and as they were: may their state
	 * be replaced? Optional. A failure leaves it to them.
	 */
	int (*opened)(struct load_carrier *c, struct err *err);

	/**
	 * @begun: All devices are in RESUMING, and have got nothing yet. Optional. A failure
	 * resets them.
	 */
	int (*begun)(struct load_carrier *c, struct err *err);

	/**
	 * @taken: All of the input is in the devices, and was verified; no driver has been asked
	 * yet. Can be cancelled. Optional. A failure discards what was loaded.
	 */
	int (*taken)(struct load_carrier *c, const struct image_receipt *receipt, struct err *err);

	/**
	 * @accept: All drivers have accepted the state; where @c->link is HANDOVER_ANSWERED, tell
	 * the sender, and be told if there is more to it than that. The cancel is closed.
	 * @received: HANDOVER_ANSWERING; on failure what is to become of the devices follows from
	 * it, and HANDOVER_LOADING says that the sender keeps the state.
	 *
	 * Return: 0: the state is this end's, which may start it.
	 */
	int (*accept)(struct load_carrier *c, const struct image_receipt *receipt,
		      enum handover_received *received, struct err *err);

	/**
	 * @refuse: The load has failed, and the sender is to know why. Called where @c->in was
	 * opened and nothing was accepted, before the devices are brought back. Cannot fail.
	 */
	void (*refuse)(struct load_carrier *c, const struct err *why);

	/** @close: Release @c->in and all else. In any state. Optional. */
	void (*close)(struct load_carrier *c);
};

/**
 * struct load_carrier
 * @link: as it is until there is an input, then as load_carrier_ops.open leaves it
 * @in: the input; NULL until it is opened
 * @doubt: what helps where it stays unknown who has the state; NULL for the usual
 */
struct load_carrier {
	const struct load_carrier_ops *ops;
	enum handover_link link;
	struct input *in;
	const char *doubt;
};
