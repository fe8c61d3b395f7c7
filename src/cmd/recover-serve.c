// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/console.h"
#include "base/log.h"
#include "transport/listener.h"
#include "ui/session.h"
#include "cmd/recover-parts.h"

/* Whether it is to be answered at all is said to it, too, in the words of the protocol. */
static int cmd_recover_serve_peer(struct cmd_recover_serve *s, struct listener *l,
				  struct peer *peer, struct err *err)
{
	struct channel *channel;
	int r;

	r = listener_check_peer(l, peer, err);
	if (r < 0) {
		peer_free(peer);
		return r;
	}
	r = channel_from_peer(peer, &channel, err);
	if (r < 0)
		return r;
	r = recover_answer(s->journal, channel, s->peer.timeout_ms, &s->cancel, err);
	s->served += r >= 0;
	return r;
}

/* What connects and asks nothing does not end it. */
static int cmd_recover_serve_listen(struct cmd_recover_serve *s, struct listener *l,
				    struct err *err)
{
	while (s->keep || !s->served) {
		struct err why = { 0 };
		struct peer *peer;
		int r;

		r = listener_accept(l, &s->cancel, &peer, err);
		if (r == -EAGAIN) {
			r = cancel_poll(&s->cancel, listener_fd(l), POLLIN, err);
			if (r == -ECANCELED && s->keep)
				return 0;
			if (r < 0)
				return r;
			continue;
		}
		if (r < 0)
			return r;
		if (cmd_recover_serve_peer(s, l, peer, &why) < 0) {
			char reason[ERR_REASON_MAX];

			log_warn("%s%s", why.text, err_reason(&why, reason));
		}
	}
	return 0;
}

static int cmd_recover_serve_work(void *ctx, struct err *err)
{
	struct cmd_recover_serve *s = ctx;
	_cleanup_(listener_freep) struct listener *l = NULL;
	struct channel *channel;
	int r;

	if (s->uri.kind == URI_STDIO) {
		r = channel_open(&s->uri, &s->peer, &s->cancel, &channel, err);
		if (r < 0)
			return r;
		r = recover_answer(s->journal, channel, s->peer.timeout_ms, &s->cancel, err);
		s->served += r >= 0;
		return r;
	}
	r = listener_open(&s->uri, &s->peer, &l, err);
	if (r < 0)
		return r;
	if (s->inv->verbosity >= 0)
		console_print("answering at %s for the journal %s", listener_name(l),
			      journal_dir(s->journal));
	return cmd_recover_serve_listen(s, l, err);
}

int cmd_recover_serve_run(struct cmd_recover_serve *s, struct err *err)
{
	struct progress progress = cmd_progress(s->inv, NULL, "recover");
	int r;

	r = cancel_init(&s->cancel, err);
	if (r < 0)
		return r;
	r = session_run(cmd_recover_serve_work, s, &s->cancel, &progress, err);
	cancel_done(&s->cancel);
	report_uint(s->inv->report, "served", s->served);
	return r;
}
