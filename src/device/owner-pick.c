// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "device/owner-pick.h"
#include "host/dev-name.h"

static bool owner_pick_is(const struct owner_name *device, const char *want)
{
	struct dev_name name;
	uint64_t fd;

	if (!strncmp(want, "fd", 2) && parse_uint(want + 2, 10, INT_MAX, &fd) >= 0)
		return device->fd == (int)fd;
	switch (dev_name_parse(want, &name)) {
	case DEV_FORM_PCI:
	case DEV_FORM_MDEV:
		return device->name && !strcmp(device->name, name.kernel);
	case DEV_FORM_VFIO:
		return device->cdev && !strcmp(device->cdev, name.kernel);
	default:
		return device->name && !strcmp(device->name, want);
	}
}

int owner_pick(const struct owner_name *v, size_t n, const char *want)
{
	int found = OWNER_PICK_NONE;

	for (size_t i = 0; i < n; i++) {
		if (want && !owner_pick_is(&v[i], want))
			continue;
		if (found != OWNER_PICK_NONE)
			return OWNER_PICK_SEVERAL;
		found = (int)i;
	}
	return found;
}

void owner_pick_list(const struct owner_name *v, size_t n, const char *prefix, char *buf,
		     size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		bool named = v[i].name && owner_pick(v, n, v[i].name) >= 0;
		char one[PATH_MAX], more[32];
		size_t room;

		if (named)
			snprintf(one, sizeof(one), "%s%s%s", i ? ", " : "", prefix, v[i].name);
		else
			snprintf(one, sizeof(one), "%s%sfd%d", i ? ", " : "", prefix, v[i].fd);
		snprintf(more, sizeof(more), " and %zu more", n - i);
		room = i + 1 == n ? 1 : sizeof(more);
		if (used + strlen(one) + room > size) {
			snprintf(buf + used, size - used, "%s", more);
			return;
		}
		used += (size_t)snprintf(buf + used, size - used, "%s", one);
	}
}
