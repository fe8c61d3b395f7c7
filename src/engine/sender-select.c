// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/ack.h"
#include "engine/sender-select.h"
#include "transport/speech.h"

#define GUESTS_MAX 8u

/* Of one device HEADER and MANIFEST take a tenth of it. */
#define INTRODUCTION_MAX ((size_t)256 << 10)

/* The listener is behind the guests, and what is watched behind that. */
#define WAITS_MAX (GUESTS_MAX + 2)

_Static_assert(WAITS_MAX <= CANCEL_WAIT_MAX, "all at once");

/**
 * struct guest - a connection that may be the sender's
 * @peer: NULL in a free place
 * @said: all of it so far, @len bytes
 * @parser: has all of @said; a bare stream has none
 * @known: it is the sender
 */
struct guest {
	const struct sender_select *select;
	struct peer *peer;
	uint8_t *said;
	size_t len;
	struct image_parser *parser;
	bool known;
	uint64_t deadline_ns, heard_ns;
};

static void sender_select_guest_done(struct guest *g)
{
	/* In any state: its welcome may have failed, or the input has taken most of it. */
	peer_free(g->peer);
	free(g->said);
	image_parser_free(g->parser);
	*g = (struct guest){ 0 };
}

/* For the user as much as for the guest, which may have gone. */
static void sender_select_turn_away(struct guest *g, const struct err *why)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE];
	char reason[ERR_REASON_MAX];
	const char *name = peer_name(g->peer);

	log_warn("%s: turned away: %s%s", name, peer_nameless(why->text, name),
		 err_reason(why, reason));
	ack_refuse(why, wire);
	if (g->select->judge && peer_write_now(g->peer, wire, sizeof(wire), NULL) < 0)
		log_debug("%s: does not hear it", peer_name(g->peer));
	sender_select_guest_done(g);
}

static int sender_select_on_begin(void *ctx, const struct image_info *info,
				  const struct image_manifest *m, struct err *err)
{
	struct guest *g = ctx;
	int r = g->select->judge(g->select->ctx, info, m, err);

	g->known = r >= 0;
	return r;
}

static const struct image_sink introduction = { .begin = sender_select_on_begin };

static int sender_select_welcome(const struct sender_select *r, struct peer *peer, struct guest *g,
				 struct err *err)
{
	*g = (struct guest){
		.select = r,
		.peer = peer,
		.heard_ns = clock_ns(),
	};
	g->deadline_ns = g->heard_ns + (uint64_t)r->timeout_ms * NSEC_PER_MSEC;
	log_info("%s: has connected", peer_name(peer));
	return r->judge ? image_parser_new(&introduction, g, &g->parser, err) : 0;
}

/* A place that is free, or that of the guest that has been silent the longest. */
static struct guest *sender_select_make_room(struct guest *guests)
{
	struct err why = { 0 };
	struct guest *g = guests;

	for (size_t i = 0; i < GUESTS_MAX; i++) {
		if (!guests[i].peer)
			return &guests[i];
		if (guests[i].heard_ns < g->heard_ns)
			g = &guests[i];
	}
	err_set(&why, -EBUSY, "silent while others waited");
	sender_select_turn_away(g, &why);
	return g;
}

static int sender_select_open_door(const struct sender_select *r, struct guest *guests,
				   struct err *err)
{
	struct guest stranger = { .select = r };
	struct err why = { 0 };
	struct peer *peer;
	int result;

	result = listener_accept(r->listener, r->cancel, &peer, err);
	if (result == -EAGAIN)
		return 0;
	if (result < 0)
		return result;
	if (listener_check_peer(r->listener, peer, &why) >= 0)
		return sender_select_welcome(r, peer, sender_select_make_room(guests), err);
	stranger.peer = peer;
	sender_select_turn_away(&stranger, &why);
	return 0;
}

/*
 * Give the parser what was said last. What it finds behind the MANIFEST, in the same bytes, is not
 * looked at here: the load sees all of the image from the start.
 */
static int sender_select_understand(struct guest *g, const uint8_t *buf, size_t len,
				    struct err *err)
{
	size_t room, n;
	void *to;
	int r;

	for (; len && !g->known; buf += n, len -= n) {
		r = image_parser_buffer(g->parser, &to, &room, err);
		if (r < 0)
			return r;
		n = MIN(len, room);
		memcpy(to, buf, n);
		r = image_parser_filled(g->parser, n, err);
		if (r < 0 && !g->known)
			return r;
	}
	return 0;
}

/* Return: 0, or why it cannot be the sender. */
static int sender_select_hear(struct guest *g, struct err *err)
{
	ssize_t n;

	if (!g->said && !(g->said = malloc(INTRODUCTION_MAX)))
		return err_set(err, -ENOMEM, "no memory to listen");
	n = peer_read_now(g->peer, g->said + g->len, INTRODUCTION_MAX - g->len, err);
	if (n == -EAGAIN)
		return 0;
	if (n < 0 && err->kind != ERR_ABORTED)
		return (int)n;
	if (n <= 0)
		return n ? err_set(err, (int)n, "gone after %zu bytes", g->len)
			 : err_set(err, -ECONNRESET, "gone after %zu bytes", g->len);
	g->heard_ns = clock_ns();
	g->len += (size_t)n;
	if (!g->parser)
		g->known = true;
	else if (sender_select_understand(g, g->said + g->len - (size_t)n, (size_t)n, err) < 0)
		return speech_check(IMAGE_MAGIC, g->said, g->len, err) < 0 ? -EPROTO : err->code;
	if (!g->known && g->len == INTRODUCTION_MAX)
		return err_set(err, -EMSGSIZE, "its MANIFEST is too large for one device");
	return 0;
}

static int sender_select_attend(struct guest *g, short events, struct err *err)
{
	if (events)
		return sender_select_hear(g, err);
	if (clock_ns() < g->deadline_ns)
		return 0;
	return err_set(err, -ETIMEDOUT, "did not say in %g s what it brings",
		       g->select->timeout_ms / 1e3);
}

/* Return: the sender, or NULL while there is none. */
static struct guest *sender_select_attend_all(struct guest *guests, const struct pollfd *p)
{
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct guest *g = &guests[i];
		struct err why = { 0 };

		if (!g->peer)
			continue;
		if (sender_select_attend(g, p[i].revents, &why) < 0)
			sender_select_turn_away(g, &why);
		else if (g->known)
			return g;
	}
	return NULL;
}

static int sender_select_wait(const struct sender_select *r, const struct guest *guests,
			      struct pollfd *p, struct err *err)
{
	uint64_t deadline = UINT64_MAX;
	size_t i;

	for (i = 0; i < GUESTS_MAX; i++) {
		p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		if (!guests[i].peer)
			continue;
		p[i].fd = peer_fd(guests[i].peer);
		p[i].events = peer_events(guests[i].peer);
		deadline = MIN(deadline, guests[i].deadline_ns);
	}
	p[i] = (struct pollfd){ .fd = listener_fd(r->listener), .events = POLLIN };
	p[++i] = (struct pollfd){ .fd = r->watch, .events = POLLIN };
	return cancel_wait(r->cancel, p, WAITS_MAX,
			   deadline == UINT64_MAX ? -1 : clock_ms_until(deadline), err);
}

static int sender_select_loop(const struct sender_select *r, struct guest *guests,
			      struct guest **ret, struct err *err)
{
	struct pollfd p[WAITS_MAX];
	int result;

	for (*ret = NULL; !*ret; *ret = sender_select_attend_all(guests, p)) {
		result = sender_select_wait(r, guests, p, err);
		if (result < 0)
			return result;
		result = p[GUESTS_MAX + 1].revents ? r->watched(r->watched_ctx, err) : 0;
		if (result < 0)
			return result;
		if (!p[GUESTS_MAX].revents)
			continue;
		result = sender_select_open_door(r, guests, err);
		if (result < 0)
			return result;
	}
	return 0;
}

static int sender_select_admit(struct guest *g, struct input **ret, struct err *err)
{
	int r;

	log_info("%s: is the sender", peer_name(g->peer));
	r = input_from_peer(TAKE_PTR(g->peer), TAKE_PTR(g->said), g->len, ret, err);
	sender_select_guest_done(g);
	return r;
}

int sender_select_run(const struct sender_select *r, struct input **ret, struct err *err)
{
	struct guest guests[GUESTS_MAX] = { 0 }, *sender;
	struct err why = { 0 };
	int result;

	result = sender_select_loop(r, guests, &sender, err);
	result = result < 0 ? result : sender_select_admit(sender, ret, err);
	if (result < 0)
		err_set(&why, result, "not received");
	else
		err_set(&why, -EBUSY, "another sender was first");
	for (size_t i = 0; i < GUESTS_MAX; i++)
		if (guests[i].peer)
			sender_select_turn_away(&guests[i], &why);
	return result;
}
