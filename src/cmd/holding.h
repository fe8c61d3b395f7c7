/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Holding devices until a signal ends it, as its user sees it
 */

#include "engine/hold.h"
#include "cmd/cmd.h"

/**
 * struct cmd_holding
 * @inv, @hold: the caller's
 * @over: what the last device that is gone was lost by
 * @pending: nothing has been said about that yet
 * @stores: what it holds is kept by the service manager, too, which is told how much that is
 * @ended: it was a server's, which ends the holding of all
 */
struct cmd_holding {
	struct invocation *inv;
	struct hold *hold;
	char over[HOLD_NAME_MAX + HOLD_TEXT_MAX];
	bool pending, stores, ended;
};

/** cmd_holding_told() - for hold_options.told; @ctx is a struct cmd_holding */
void cmd_holding_told(void *ctx, const struct hold_news *news);

/**
 * cmd_holding_run() - hold until SIGINT, SIGTERM or SIGHUP; SIGUSR1 says what is held
 *
 * Return: 0; -ECONNRESET (ERR_DEVICE) when the last device, or one of a server, is gone.
 */
_must_check_ int cmd_holding_run(struct cmd_holding *c, struct err *err);
