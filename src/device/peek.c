// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/peek.h"
#include "device/quirks.h"
#include "host/debugfs.h"
#include "host/holder.h"

bool device_held(const struct device *dev)
{
	struct holders holders = { 0 };
	bool held;

	if (!dev->node || holders_find(dev->host, dev->node, &holders, NULL) < 0)
		return false;
	held = holders.n > 0;
	holders_done(&holders);
	return held;
}

enum peek device_peek(const struct device *dev, bool held, enum mig_state *ret)
{
	char word[32];
	int answer;

	if (!dev->node)
		return PEEK_UNKNOWN;
	answer = debugfs_migration_state(dev->host, dev->node, word, sizeof(word), NULL);
	if (answer == DEBUGFS_NO_V2)
		return PEEK_NO_V2;
	if (answer != DEBUGFS_STATE)
		return PEEK_UNKNOWN;
	/* A driver that keeps its state over a close has one at any time. */
	if (!held && !quirks_keeps_state(device_driver(dev)))
		return PEEK_MIGRATABLE;
	return fsm_parse(word, ret) ? PEEK_STATE : PEEK_MIGRATABLE;
}
