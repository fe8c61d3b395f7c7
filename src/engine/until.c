// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "engine/until.h"

const char *presence_name(enum presence presence)
{
	static const char *const names[] = {
		[PRESENCE_GONE] = "gone",
		[PRESENCE_FREE] = "free",
		[PRESENCE_DRIVER] = "driver",
		[PRESENCE_VFIO] = "vfio",
	};

	return names[presence];
}

bool until_parse(const char *text, struct until *ret)
{
	const char *space = strchr(text, ' ');
	size_t n = space ? (size_t)(space - text) : 0;

	*ret = (struct until){ .kind = UNTIL_STATE };
	if (strcmp(text, "bound") == 0)
		ret->kind = UNTIL_BOUND;
	if (strcmp(text, "gone") == 0)
		ret->kind = UNTIL_GONE;
	if (ret->kind != UNTIL_STATE)
		return true;
	if (!n || n >= sizeof(ret->device) || !fsm_parse(space + 1, &ret->state))
		return false;
	memcpy(ret->device, text, n);
	return true;
}

static bool until_is_met_by(const struct until *until, const struct until_fact *fact)
{
	switch (until->kind) {
	case UNTIL_BOUND:
		return fact->presence == PRESENCE_VFIO;
	case UNTIL_GONE:
		return fact->presence == PRESENCE_GONE;
	case UNTIL_STATE:
		return fact->state_known && fact->state == until->state;
	case UNTIL_NONE:
		break;
	}
	return false;
}

bool until_met(const struct until *until, const struct until_fact *facts, size_t n, size_t which)
{
	if (until->kind == UNTIL_STATE)
		return which < n && until_is_met_by(until, &facts[which]);
	for (size_t i = 0; i < n; i++)
		if (!until_is_met_by(until, &facts[i]))
			return false;
	return n > 0;
}
