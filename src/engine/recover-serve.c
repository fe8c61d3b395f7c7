// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/guests.h"
#include "engine/recover-ask.h"
#include "engine/recover-serve.h"

/**
 * struct recover_serve
 * @journal_lock: one thread at a time uses the journal
 * @gone_fd: counts the ends that were answered and have gone
 */
struct recover_serve {
	const struct recover_serve_options *options;
	struct guests *guests;
	pthread_mutex_t journal_lock;
	int gone_fd;
};

/* No device is here that could take a state, and nothing that could be decided. */
static int recover_serve_admit(void *ctx, const struct wire_hello *hello,
			       const struct wire_message *first, struct err *why)
{
	(void)ctx;
	(void)hello;
	return err_fail(why, ERR_ABORTED, -EPROTO,
			"%s is for `vfiomigctl receive`: this is recover", wire_name(first->type));
}

static int recover_serve_answer(void *ctx, const struct guests_question *q, struct wire_state *ret,
				struct err *why)
{
	struct recover_serve *s = ctx;
	int r;

	pthread_mutex_lock(&s->journal_lock);
	if (!*q->forced)
		recover_ask_note(s->options->journal, q->said);
	r = recover_ask_journal(s->options->journal, q->said, ret, why);
	pthread_mutex_unlock(&s->journal_lock);
	if (r >= 0)
		recover_ask_busy(s->options->journal, q->said, s->options->timeout_ms, q->cancel,
				 ret);
	return r;
}

static void recover_serve_answered(void *ctx)
{
	const uint64_t one = 1;
	struct recover_serve *s = ctx;

	if (write(s->gone_fd, &one, sizeof(one)) < 0)
		log_warn("eventfd: %s", err_name(-errno));
}

static int recover_serve_wait(struct recover_serve *s, struct cancel *cancel, uint64_t *served,
			      struct err *err)
{
	while (s->options->keep || !*served) {
		uint64_t n;
		int r = cancel_poll(cancel, s->gone_fd, POLLIN, err);

		if (r < 0)
			return r;
		if (read(s->gone_fd, &n, sizeof(n)) >= 0)
			*served += n;
	}
	return 0;
}

static int recover_serve_open(struct recover_serve *s, struct listener *l, struct cancel *cancel,
			      struct err *err)
{
	static const struct guests_ops ops = {
		.admit = recover_serve_admit,
		.answer = recover_serve_answer,
		.answered = recover_serve_answered,
	};
	const struct guests_options guests = {
		.ops = &ops,
		.ctx = s,
		.hello = recover_ask_hello(s->options->journal, s->options->timeout_ms),
		.cancel = cancel,
		.timeout_ms = s->options->timeout_ms,
	};
	int r;

	s->gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->gone_fd < 0 ? err_set(err, -errno, "eventfd") : guests_new(&guests, &s->guests, err);
	if (r < 0) {
		listener_free(l);
		return r;
	}
	return guests_listen(s->guests, l, err);
}

static int recover_serve_all(struct recover_serve *s, struct listener *l, struct cancel *cancel,
			     uint64_t *served, struct err *err)
{
	int r = recover_serve_open(s, l, cancel, err);

	if (r < 0)
		return r;
	return recover_serve_wait(s, cancel, served, err);
}

int recover_serve(const struct recover_serve_options *options, struct listener *l,
		  struct cancel *cancel, uint64_t *ret, struct err *err)
{
	struct recover_serve s = { .options = options, .gone_fd = -1 };
	int r;

	*ret = 0;
	pthread_mutex_init(&s.journal_lock, NULL);
	r = recover_serve_all(&s, l, cancel, ret, err);
	guests_free(s.guests);
	if (s.gone_fd >= 0)
		close(s.gone_fd);
	pthread_mutex_destroy(&s.journal_lock);
	return r == -ECANCELED && options->keep ? 0 : r;
}
