// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"
#include "cmd/watch.h"

static void cmd_watch_listen(struct cmd_watch *w)
{
	events_init(&w->events);
	events_listen_figures(&w->events, transfer_on_event, &w->transfer);
	if (w->log)
		events_listen(&w->events, event_log_on_event, w->log);
}

static int cmd_watch_open(struct cmd_watch *w, const struct cmd_devices *d, const char *report,
			  struct err *err)
{
	int r;

	r = transfer_init(&w->transfer, d->n, err);
	if (r < 0)
		return r;
	if (report) {
		r = event_log_open(report, w->inv->command->name, d->names, d->n, &w->log, err);
		if (r < 0)
			return r;
	}
	return cancel_init(&w->cancel, err);
}

static void cmd_watch_close(struct cmd_watch *w)
{
	w->log = event_log_free(w->log);
	transfer_done(&w->transfer);
}

int cmd_watch_begin(struct invocation *inv, struct cmd_watch *w, const struct cmd_devices *d,
		    struct device_options *options, const char *report, struct err *err)
{
	int r;

	*w = (struct cmd_watch){ .inv = inv };
	r = cmd_watch_open(w, d, report, err);
	if (r < 0) {
		cmd_watch_close(w);
		return r;
	}
	w->cancel.call_timeout_ms = cmd_devices_call_timeout(d, options);
	options->cancel = &w->cancel;
	cmd_watch_listen(w);
	w->progress = cmd_progress(inv, &w->transfer, cmd_devices_title(d));
	w->progress.names = d->names;
	if (cmd_devices_any_served(d))
		w->progress.timeout_ms = options->acquire.timeout_ms;
	return 0;
}

static int cmd_watch_write(struct cmd_watch *w, int r, struct err *err)
{
	char reason[ERR_REASON_MAX];
	struct err why = { 0 };
	int written;

	w->inv->add_result(w->inv, r, err);
	written = event_log_finish(w->log, w->inv->report, &why);
	if (written >= 0)
		return r;
	if (r < 0) {
		log_warn("%s%s", why.text, err_reason(&why, reason));
		return r;
	}
	*err = why;
	return written;
}

int cmd_watch_end(struct cmd_watch *w, struct device_options *options, int r, struct err *err)
{
	options->cancel = NULL;
	events_done(&w->events);
	cancel_done(&w->cancel);
	if (w->log)
		r = cmd_watch_write(w, r, err);
	cmd_watch_close(w);
	return r;
}
