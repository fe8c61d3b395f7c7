// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/console.h"
#include "engine/recover-serve.h"
#include "transport/listener.h"
#include "ui/session.h"
#include "cmd/recover-parts.h"

static int cmd_recover_serve_work(void *ctx, struct err *err)
{
	struct cmd_recover_serve *s = ctx;
	const struct recover_serve_options options = {
		.journal = s->journal,
		.timeout_ms = s->peer.timeout_ms,
		.keep = s->keep,
	};
	struct channel *channel;
	struct listener *l;
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
	return recover_serve(&options, l, &s->cancel, &s->served, err);
}

int cmd_recover_serve_run(struct cmd_recover_serve *s, struct err *err)
{
	struct progress progress = cmd_progress(s->inv, NULL, "recover");
	int r;

	progress.idle = true;
	r = cancel_init(&s->cancel, err);
	if (r < 0)
		return r;
	r = session_run(cmd_recover_serve_work, s, &s->cancel, &progress, err);
	cancel_done(&s->cancel);
	report_uint(s->inv->report, "served", s->served);
	return r;
}
