// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>

#include "base/console.h"
#include "base/log.h"
#include "base/sd-notify.h"
#include "ui/session.h"
#include "cmd/holding.h"
#include "cmd/stored.h"

_Static_assert(HOLD_POLL_MAX <= SESSION_POLL_MAX, "all that a holder waits for");

static void cmd_holding_flush(struct cmd_holding *c)
{
	if (c->pending)
		log_warn("%s", c->over);
	c->pending = false;
}

static void cmd_holding_tell_manager(const struct cmd_holding *c)
{
	char status[64];

	snprintf(status, sizeof(status), "devices held: %u", hold_count(c->hold));
	if (c->stores && sd_notify_status(status, NULL) < 0)
		log_debug("the service manager does not hear what is held");
}

/*
 * The host waits for all who have the device open, the service manager too. What several devices
 * were opened through is stored by the name of one, and leaves with that one.
 */
static void cmd_holding_unstore(const struct cmd_holding *c, const char *gone)
{
	const struct device *dev;

	cmd_stored_drop(gone);
	for (unsigned int i = 0; c->stores && (dev = hold_device(c->hold, i)); i++)
		cmd_stored_put(dev);
}

void cmd_holding_told(void *ctx, const struct hold_news *news)
{
	struct cmd_holding *c = ctx;
	const struct progress progress = cmd_progress(c->inv, NULL, news->name);

	progress_event(&progress, hold_news_name(news->kind), "message", news->text);
	switch (news->kind) {
	case HOLD_NEWS_TAKEN:
		cmd_stored_put(news->dev);
		cmd_holding_tell_manager(c);
		if (c->inv->verbosity >= 0)
			console_print("%s: %s", news->name, news->text);
		break;
	case HOLD_NEWS_ALONE:
		log_warn("%s: %s", news->name, news->text);
		if (!c->stores)
			break;
		/* It is kept as this process's own from here on. */
		cmd_stored_drop(news->name);
		cmd_stored_put(news->dev);
		break;
	case HOLD_NEWS_GONE:
	case HOLD_NEWS_GIVEN_UP:
		cmd_holding_unstore(c, news->name);
		cmd_holding_tell_manager(c);
		/* The last one is told as the reason why this ends. */
		cmd_holding_flush(c);
		snprintf(c->over, sizeof(c->over), "%s: %s", news->name, news->text);
		c->pending = true;
		c->ended |= news->kind == HOLD_NEWS_GONE;
		break;
	default:
		log_warn("%s: %s", news->name, news->text);
	}
}

static unsigned int cmd_holding_fill(void *ctx, struct pollfd *p)
{
	struct cmd_holding *c = ctx;

	return hold_fill(c->hold, p);
}

static int cmd_holding_ready(void *ctx, const struct pollfd *p, unsigned int n, struct err *err)
{
	struct cmd_holding *c = ctx;
	int r = hold_ready(c->hold, p, n);

	/* A server's connection ends with an errno; what is given up for the host has none. */
	if (c->ended) {
		r = -ECONNRESET;
		return err_fail(err, ERR_DEVICE, r, "%s", c->over);
	}
	if (r == HOLD_LOST_ALL)
		return err_fail(err, ERR_DEVICE, -ECONNRESET, "%s", c->over);
	cmd_holding_flush(c);
	return 0;
}

static void cmd_holding_say(void *ctx)
{
	const struct cmd_holding *c = ctx;
	char text[HOLD_DESCRIPTION_MAX];

	if (!hold_count(c->hold))
		console_print("no device is held");
	for (unsigned int i = 0; hold_describe(c->hold, i, text); i++)
		console_print("%s", text);
}

int cmd_holding_run(struct cmd_holding *c, struct err *err)
{
	const struct session_loop loop = {
		.fill = cmd_holding_fill,
		.ready = cmd_holding_ready,
		.say = cmd_holding_say,
		.ctx = c,
	};

	return session_hold(&loop, cmd_status(c->inv), err);
}
