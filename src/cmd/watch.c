// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/watch.h"

int cmd_watch_begin(struct invocation *inv, struct cmd_watch *w, const struct cmd_devices *d,
		    struct device_options *options, struct err *err)
{
	int r;

	r = transfer_init(&w->transfer, d->n, err);
	if (r < 0)
		return r;
	r = cancel_init(&w->cancel, err);
	if (r < 0) {
		transfer_done(&w->transfer);
		return r;
	}
	w->cancel.call_timeout_ms = cmd_devices_call_timeout(d, options);
	options->cancel = &w->cancel;
	events_init(&w->events);
	events_listen(&w->events, transfer_on_event, &w->transfer);
	w->progress = cmd_progress(inv, &w->transfer, cmd_devices_title(d));
	w->progress.names = d->names;
	if (cmd_devices_any_socket(d))
		w->progress.timeout_ms = options->acquire.timeout_ms;
	return 0;
}

void cmd_watch_end(struct cmd_watch *w, struct device_options *options)
{
	options->cancel = NULL;
	events_done(&w->events);
	cancel_done(&w->cancel);
	transfer_done(&w->transfer);
}
