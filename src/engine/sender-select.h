/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which of those who connect is the sender
 *
 * The first that brings a HEADER and a MANIFEST that fit; of a bare stream, the first that sends
 * anything. Several guests are listened to at once, so that a slow or silent one keeps no sender
 * out, and nothing that they do costs more than a place: what a guest may send before it is known
 * is bounded, and so is its time; when all places are taken, the guest that has been silent the
 * longest has to go.
 */

#include "image/parser.h"
#include "transport/input.h"
#include "transport/listener.h"

/**
 * struct sender_select
 * @judge: does what the image says of itself fit? As image_sink.begin; NULL for a bare stream
 * @watch: what ends the wait once it is readable, for @watched to say why; -1 for nothing
 * @ctx, @watched_ctx: of these two
 * @timeout_ms: for a guest to say who it is
 */
struct sender_select {
	struct listener *listener;
	int (*judge)(void *ctx, const struct image_info *info, const struct image_manifest *m,
		     struct err *err);
	int watch;
	int (*watched)(void *ctx, struct err *err);
	void *ctx, *watched_ctx;
	int timeout_ms;
	struct cancel *cancel;
};

/**
 * sender_select_run() - wait for the sender, however long
 * @ret: it, and all that it has said
 *
 * Every other guest is told why not, and so is the user.
 *
 * Return: 0; -ECANCELED; what listener_accept() said, or what watches.
 */
_must_check_ int sender_select_run(const struct sender_select *r, struct input **ret,
				   struct err *err);
