// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/log.h"
#include "device/device.h"
#include "engine/leftover.h"
#include "engine/recover-hint.h"
#include "cmd/receive-leftover.h"

/* It is over, so that `recover` has nothing to do: what is said is what became of the state. */
static void cmd_receive_leftover_held(const struct device *dev, const char *txid)
{
	if (device_close_effect(dev) == CLOSE_KEEPS)
		log_warn("%s: has the state of transaction %s, of an earlier start: the next move "
			 "here replaces it",
			 device_name(dev), txid);
	else
		log_warn("%s: the state of transaction %s, of an earlier start, is lost, unless "
			 "another process holds it",
			 device_name(dev), txid);
}

struct cmd_receive_leftover_walk {
	const struct cmd_receive_leftover *options;
	struct device *const *devs;
};

static int cmd_receive_leftover_device(void *ctx, unsigned int i, enum leftover left,
				       const struct journal_record *record, struct err *err)
{
	const struct cmd_receive_leftover_walk *w = ctx;
	const struct cmd_receive_leftover *l = w->options;
	char txid[2 * WIRE_ID_SIZE + 1], command[RECOVER_HINT_MAX];
	bool asks;

	(void)err;
	if (left == LEFTOVER_NONE || left == LEFTOVER_GONE || left == LEFTOVER_BUSY)
		return 0;
	hex_encode(record->txid, WIRE_ID_SIZE, txid);
	asks = recover_hint_asks(record->role, record->phase, record->peer);
	if (left != LEFTOVER_HELD)
		log_warn("%s: transaction %s, of an earlier start, %s: %s%s",
			 device_name(w->devs[i]), txid, leftover_story(record->role, record->phase),
			 recover_hint_command(command, l->journal, asks, txid),
			 asks ? ", with recover --serve=URI at the other end" : "");
	else if (l->keep)
		cmd_receive_leftover_held(w->devs[i], txid);
	return 0;
}

int cmd_receive_leftover_say(const struct cmd_receive_leftover *l, struct device *const *devs,
			     unsigned int n_devs, struct err *err)
{
	struct cmd_receive_leftover_walk w = { l, devs };

	return leftover_each(l->journal, NULL, devs, n_devs, cmd_receive_leftover_device, &w, err);
}
