// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "device/acquirer.h"
#include "device/same.h"

bool device_same(const struct device *a, const struct device *b)
{
	if (a->how == b->how && a->how->same && a->how->same(a, b))
		return true;
	return a->node && b->node && !strcmp(a->node->sysfs, b->node->sysfs);
}
