// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/link.h"
#include "transport/speech.h"

/* Heartbeats a timeout of the other end: some may be late. */
#define LINK_BEATS 4
#define LINK_BEAT_MIN_MS 10

/**
 * struct link
 * @in, @in_got: the message that is being read, header and fixed payload
 * @head, @left: the message that was heard last, and how much of its own payload was not read
 * @in_sequence: of the next message to be heard
 * @heard_ns: when the other end was heard last
 * @out_lock: of writing; of what follows
 * @out_cut: a message was written in part: nothing can follow it
 * @sent_ns: when something was written last
 * @state_lock: of @failed: what the link has failed with
 * @ends: the thread is to end, by its next beat at the latest
 * @end_fd: readable then, for it to end at once
 */
struct link {
	struct channel *channel;
	struct link_options options;
	struct wire_hello peer;

	uint8_t in[WIRE_HEADER_SIZE + WIRE_FIXED_MAX];
	size_t in_got;
	struct wire_header head;
	uint8_t head_raw[WIRE_HEADER_SIZE];
	uint64_t left;
	uint64_t in_sequence;
	_Atomic uint64_t heard_ns;

	pthread_mutex_t out_lock;
	uint64_t out_sequence;
	bool out_cut;
	_Atomic uint64_t sent_ns;

	pthread_mutex_t state_lock;
	struct err failed;

	_Atomic bool ends;
	int end_fd;
	bool beating;
	pthread_t beat;
};

const struct wire_hello *link_peer(const struct link *l)
{
	return &l->peer;
}

const char *link_name(const struct link *l)
{
	return channel_name(l->channel);
}

/*
 * Failures
 */

/* The first one is the link's. A wish to stop is none. */
static int link_fail(struct link *l, int r, struct err *err)
{
	pthread_mutex_lock(&l->state_lock);
	if (l->failed.code)
		*err = l->failed;
	else if (r != -ECANCELED)
		l->failed = *err;
	r = l->failed.code ? l->failed.code : r;
	pthread_mutex_unlock(&l->state_lock);
	return r;
}

int link_fd(const struct link *l)
{
	return channel_fd(l->channel);
}

int link_check(struct link *l, struct err *err)
{
	int r;

	pthread_mutex_lock(&l->state_lock);
	r = l->failed.code;
	if (r < 0 && err)
		*err = l->failed;
	pthread_mutex_unlock(&l->state_lock);
	return r;
}

/*
 * Out
 */

static int link_write(struct link *l, const void *buf, size_t len, struct err *err)
{
	int r;

	if (!len)
		return 0;
	r = channel_write(l->channel, buf, len, err);
	if (r >= 0)
		l->sent_ns = clock_ns();
	return r;
}

/* Both parts, or the link is of no use any more: a wish to stop may cut a message in two. */
static int link_write_message(struct link *l, const void *head, size_t head_len,
			      const void *payload, size_t len, struct err *err)
{
	int r;

	if (l->out_cut)
		return err_fail(err, ERR_ABORTED, -EPIPE, "%s: a message before was cut off",
				link_name(l));
	r = link_write(l, head, head_len, err);
	r = r < 0 ? r : link_write(l, payload, len, err);
	l->out_cut = r < 0;
	l->out_sequence++;
	return r;
}

int link_send(struct link *l, const struct wire_message *m, struct err *err)
{
	struct err own = { 0 };
	uint8_t buf[WIRE_HEADER_SIZE + WIRE_FIXED_MAX];
	size_t len;
	int r;

	err = err ? err : &own; /* the story is kept in any case */
	r = link_check(l, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&l->out_lock);
	len = wire_encode(m, l->out_sequence, buf);
	r = link_write_message(l, buf, len, NULL, 0, err);
	pthread_mutex_unlock(&l->out_lock);
	log_debug("%s: %s sent", link_name(l), wire_name(m->type));
	return r < 0 ? link_fail(l, r, err) : 0;
}

int link_send_payload(struct link *l, enum wire_type type, const void *payload, size_t len,
		      struct err *err)
{
	struct err own = { 0 };
	uint8_t head[WIRE_HEADER_SIZE];
	int r;

	err = err ? err : &own; /* the story is kept in any case */
	r = link_check(l, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&l->out_lock);
	wire_encode_header(type, payload, (uint32_t)len, l->out_sequence, head);
	r = link_write_message(l, head, sizeof(head), payload, len, err);
	pthread_mutex_unlock(&l->out_lock);
	return r < 0 ? link_fail(l, r, err) : 0;
}

/* A record that has room at once, or is not said at all. */
static int link_say_now(struct link *l, const struct wire_message *m, struct err *err)
{
	uint8_t buf[WIRE_HEADER_SIZE + WIRE_FIXED_MAX];
	size_t len;
	int r = -EAGAIN;

	if (pthread_mutex_trylock(&l->out_lock) != 0)
		return -EAGAIN;
	if (!l->out_cut) {
		len = wire_encode(m, l->out_sequence, buf);
		r = channel_write_now(l->channel, buf, len, err);
		if (r >= 0) {
			l->out_sequence++;
			l->sent_ns = clock_ns();
		}
	}
	pthread_mutex_unlock(&l->out_lock);
	return r;
}

void link_abort(struct link *l, const struct err *why)
{
	struct wire_message m = { .type = WIRE_ABORT };
	char story[ERR_STORY_MAX];
	struct err err = { 0 };

	m.abort.kind = (uint32_t)err_status(why);
	err_story(why, story);
	memcpy(m.abort.reason, story, MIN(strlen(story), sizeof(m.abort.reason) - 1));
	if (link_say_now(l, &m, &err) < 0)
		log_info("%s: could not be told why", link_name(l));
}

/*
 * The heartbeat
 */

static bool link_is_silent(const struct link *l)
{
	uint64_t timeout_ns = l->options.hello.timeout_ms * NSEC_PER_MSEC;

	/* It may be heard meanwhile. */
	if (!timeout_ns || clock_ns() < l->heard_ns + timeout_ns)
		return false;
	/* What waits to be read was said. */
	return !channel_has_more(l->channel);
}

/* The work hears of it by its cancel: it may be in a driver, and not look at the link for long. */
static void link_lost(struct link *l, struct err *why)
{
	link_fail(l, why->code, why);
	if (l->options.cancel)
		cancel_stop(l->options.cancel);
}

static void link_beat_once(struct link *l, uint64_t every_ns)
{
	static const struct wire_message beat = { .type = WIRE_HEARTBEAT };
	struct err err = { 0 };
	uint64_t now = clock_ns();
	int r;

	if (link_check(l, NULL) < 0)
		return;
	if (link_is_silent(l)) {
		err_fail(&err, ERR_ABORTED, -ETIMEDOUT, "%s: was not heard for %" PRIu32 " ms",
			 link_name(l), l->options.hello.timeout_ms);
		link_lost(l, &err);
		return;
	}
	if (now - l->sent_ns < every_ns)
		return;
	r = link_say_now(l, &beat, &err);
	if (r < 0 && r != -EAGAIN)
		link_lost(l, &err);
}

/* As often as the other end's patience asks for, and often enough to notice that it is silent. */
static uint64_t link_beat_ns(const struct link *l)
{
	uint64_t theirs = l->peer.timeout_ms ? l->peer.timeout_ms : UINT32_MAX;
	uint64_t ours = l->options.hello.timeout_ms ? l->options.hello.timeout_ms : UINT32_MAX;

	return MAX(MIN(theirs, ours) / LINK_BEATS, (uint64_t)LINK_BEAT_MIN_MS) * NSEC_PER_MSEC;
}

static void *link_beat_thread(void *arg)
{
	struct link *l = arg;
	uint64_t every_ns = link_beat_ns(l);
	struct pollfd end = { .fd = l->end_fd, .events = POLLIN };

	for (;;) {
		int n = poll(&end, 1, (int)(every_ns / NSEC_PER_MSEC / 2));

		if (n > 0 || (n < 0 && errno != EINTR) || l->ends)
			return NULL;
		link_beat_once(l, every_ns);
	}
}

static int link_start_beat(struct link *l, struct err *err)
{
	int r;

	l->end_fd = eventfd(0, EFD_CLOEXEC);
	if (l->end_fd < 0)
		return err_set(err, -errno, "eventfd");
	r = pthread_create(&l->beat, NULL, link_beat_thread, l);
	if (r)
		return err_set(err, -r, "pthread_create");
	l->beating = true;
	return 0;
}

/*
 * In
 */

/* The first bytes of all show what the other end is instead. Return: 0; -EPROTO. */
static int link_check_speech(const struct link *l, struct err *err)
{
	int r;

	if (l->in_sequence)
		return 0;
	r = speech_check(WIRE_MAGIC, l->in, l->in_got, err);
	return r < 0 ? r : speech_check_text(l->in, l->in_got, err);
}

static int link_ended(const struct link *l, struct err *err)
{
	int r = link_check_speech(l, err);

	if (r < 0)
		return err_prefix(err, r, "%s", link_name(l));
	return err_fail(err, ERR_ABORTED, -ECONNRESET,
			"%s: the other end has closed the connection", link_name(l));
}

/* More of what is being read: up to @want bytes of the message, header included. */
static int link_fill(struct link *l, size_t want, bool wait, struct err *err)
{
	while (l->in_got < want) {
		ssize_t n =
			wait ? channel_read(l->channel, l->in + l->in_got, want - l->in_got, err)
			     : channel_read_now(l->channel, l->in + l->in_got, want - l->in_got,
						err);

		if (n == 0)
			return link_ended(l, err);
		if (n < 0)
			return (int)n;
		l->in_got += (size_t)n;
		l->heard_ns = clock_ns();
	}
	return 0;
}

static bool link_has_own_payload(uint16_t type)
{
	return type == WIRE_OFFER || type == WIRE_VERDICT || type == WIRE_FRAMES;
}

/* Of an unknown type, which nothing depends on. */
static int link_skip(struct link *l, uint64_t size, struct err *err)
{
	uint8_t buf[4096];

	while (size) {
		ssize_t n = channel_read(l->channel, buf, MIN(size, sizeof(buf)), err);

		if (n == 0)
			return link_ended(l, err);
		if (n < 0)
			return (int)n;
		size -= (uint64_t)n;
		l->heard_ns = clock_ns();
	}
	return 0;
}

static int link_decode_header(struct link *l, struct wire_header *ret, struct err *err)
{
	int r = wire_decode_header(l->in, l->in_sequence, ret, err);

	return r < 0 && link_check_speech(l, err) < 0 ? -EPROTO : r;
}

/* One message. Return: 0; 1 for one that is skipped; as link_hear_now(). */
static int link_hear_one(struct link *l, bool wait, struct wire_message *ret, struct err *err)
{
	const uint8_t *payload = l->in + WIRE_HEADER_SIZE;
	struct wire_header h;
	int r;

	r = link_fill(l, WIRE_HEADER_SIZE, wait || l->in_got, err);
	if (r < 0)
		return r;
	r = link_decode_header(l, &h, err);
	if (r < 0)
		return err_prefix(err, r, "%s", link_name(l));
	if (!wire_known(h.type)) {
		r = link_skip(l, h.size, err);
	} else if (!link_has_own_payload(h.type)) {
		r = link_fill(l, WIRE_HEADER_SIZE + h.size, true, err);
		r = r < 0 ? r : wire_check(l->in, &h, payload, err);
		r = r < 0 ? r : wire_decode(&h, payload, ret, err);
	} else {
		/* Of the others the payload is summed as well, once it is there. */
		r = h.type == WIRE_FRAMES ? wire_check(l->in, &h, NULL, err) : 0;
		r = r < 0 ? r : wire_decode(&h, NULL, ret, err);
		l->left = h.size;
	}
	if (r < 0)
		return r == -EPROTO ? err_prefix(err, r, "%s", link_name(l)) : r;
	l->head = h;
	memcpy(l->head_raw, l->in, sizeof(l->head_raw));
	l->in_got = 0;
	l->in_sequence++;
	return !wire_known(h.type) || h.type == WIRE_HEARTBEAT;
}

static int link_hear_next(struct link *l, bool wait, struct wire_message *ret, struct err *err)
{
	struct err own = { 0 };
	int r;

	err = err ? err : &own; /* the story is kept in any case */
	do {
		r = link_check(l, err);
		r = r < 0 ? r : link_hear_one(l, wait, ret, err);
	} while (r > 0);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return link_fail(l, r, err);
	if (ret->type != WIRE_FRAMES)
		log_debug("%s: %s heard", link_name(l), wire_name(ret->type));
	return 0;
}

int link_hear(struct link *l, struct wire_message *ret, struct err *err)
{
	return link_hear_next(l, true, ret, err);
}

int link_hear_now(struct link *l, struct wire_message *ret, struct err *err)
{
	return link_hear_next(l, false, ret, err);
}

int link_last_words(struct link *l, struct wire_message *ret)
{
	struct err none = { 0 };
	int r;

	do
		r = link_hear_one(l, false, ret, &none);
	while (r > 0);
	return r;
}

ssize_t link_read_payload(struct link *l, void *buf, size_t len, struct err *err)
{
	struct err own = { 0 };
	ssize_t n;

	err = err ? err : &own; /* the story is kept in any case */
	if (!l->left)
		return 0;
	n = channel_read(l->channel, buf, MIN(len, l->left), err);
	if (n == 0)
		return link_fail(l, link_ended(l, err), err);
	if (n < 0)
		return link_fail(l, (int)n, err);
	l->heard_ns = clock_ns();
	l->left -= (uint64_t)n;
	return n;
}

int link_take_payload(struct link *l, char **ret, size_t *ret_len, struct err *err)
{
	struct err own = { 0 };
	_cleanup_free_ char *payload = NULL;
	size_t len = (size_t)l->left, got = 0;
	int r;

	err = err ? err : &own; /* the story is kept in any case */
	payload = malloc(len + 1);
	if (!payload)
		return err_set(err, -ENOMEM, "malloc");
	while (got < len) {
		ssize_t n = link_read_payload(l, payload + got, len - got, err);

		if (n < 0)
			return (int)n;
		got += (size_t)n;
	}
	r = wire_check(l->head_raw, &l->head, payload, err);
	if (r < 0)
		return link_fail(l, err_prefix(err, r, "%s", link_name(l)), err);
	payload[len] = '\0';
	*ret_len = len;
	*ret = TAKE_PTR(payload);
	return 0;
}

/*
 * The beginning and the end
 */

static int link_say_hello(struct link *l, struct err *err)
{
	const struct wire_message m = { .type = WIRE_HELLO, .hello = l->options.hello };

	return link_send(l, &m, err);
}

static int link_hear_hello(struct link *l, struct err *err)
{
	struct wire_message m = { 0 };
	int r = link_hear(l, &m, err);

	if (r < 0)
		return r;
	if (m.type != WIRE_HELLO) {
		err_fail(err, ERR_PEER, -EPROTO, "%s: %s instead of HELLO", link_name(l),
			 wire_name(m.type));
		return link_fail(l, -EPROTO, err);
	}
	l->peer = m.hello;
	r = wire_agree(&l->options.hello, &l->peer, err);
	return r < 0 ? link_fail(l, err_prefix(err, r, "%s", link_name(l)), err) : 0;
}

int link_begin(struct channel *channel, const struct link_options *opts, struct link **ret,
	       struct err *err)
{
	struct err own = { 0 };
	struct link *l = calloc(1, sizeof(*l));
	int r;

	err = err ? err : &own; /* the story is kept in any case */
	if (!l) {
		channel_free(channel);
		return err_set(err, -ENOMEM, "calloc");
	}
	l->channel = channel;
	l->options = *opts;
	l->end_fd = -1;
	l->heard_ns = l->sent_ns = clock_ns();
	pthread_mutex_init(&l->out_lock, NULL);
	pthread_mutex_init(&l->state_lock, NULL);
	r = link_say_hello(l, err);
	if (r < 0) {
		link_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

int link_meet(struct link *l, struct err *err)
{
	struct err own = { 0 };
	int r;

	err = err ? err : &own; /* the story is kept in any case */
	r = link_hear_hello(l, err);
	return r < 0 ? r : link_start_beat(l, err);
}

int link_new(struct channel *channel, const struct link_options *opts, struct link **ret,
	     struct err *err)
{
	_cleanup_(link_freep) struct link *l = NULL;
	int r;

	r = link_begin(channel, opts, &l, err);
	r = r < 0 ? r : link_meet(l, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

int link_finish(struct link *l, struct err *err)
{
	struct err own = { 0 };
	int r;

	err = err ? err : &own; /* the story is kept in any case */
	r = link_check(l, err);
	if (r < 0)
		return r;
	/* What is behind a half that is closed is no message. */
	pthread_mutex_lock(&l->out_lock);
	l->out_cut = true;
	pthread_mutex_unlock(&l->out_lock);
	r = channel_finish(l->channel, err);
	return r < 0 ? link_fail(l, r, err) : 0;
}

int link_say_done(struct link *l, const struct wire_decision *decision, struct err *err)
{
	const struct wire_message done = { .type = WIRE_DONE, .decision = *decision };
	int r = link_send(l, &done, err);

	return r < 0 ? r : link_finish(l, err);
}

struct link *link_free(struct link *l)
{
	if (!l)
		return NULL;
	if (l->beating) {
		l->ends = true;
		if (eventfd_write(l->end_fd, 1) < 0)
			log_debug("eventfd: %s", err_name(-errno));
		pthread_join(l->beat, NULL);
	}
	if (l->end_fd >= 0)
		close(l->end_fd);
	channel_free(l->channel);
	pthread_mutex_destroy(&l->out_lock);
	pthread_mutex_destroy(&l->state_lock);
	free(l);
	return NULL;
}
