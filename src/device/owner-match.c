// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/owner-match.h"

static bool owner_match_ids(const struct pci_ids *a, const struct pci_ids *b)
{
	return a->vendor == b->vendor && a->device == b->device &&
	       a->subsystem_vendor == b->subsystem_vendor &&
	       a->subsystem_device == b->subsystem_device && a->class_code == b->class_code &&
	       a->revision == b->revision;
}

bool owner_may_be(const struct owner_looks *fd, const struct owner_looks *device)
{
	if (device->pci && !fd->has_ids)
		return false;
	if (fd->has_ids && device->has_ids && !owner_match_ids(&fd->ids, &device->ids))
		return false;
	for (int i = 0; i < OWNER_BARS; i++)
		if (fd->bars[i] && device->bars[i] && fd->bars[i] != device->bars[i])
			return false;
	return true;
}

int owner_only(const struct owner_looks *fd, const struct owner_looks *devices, size_t n)
{
	int found = -1;

	for (size_t i = 0; i < n; i++) {
		if (!owner_may_be(fd, &devices[i]))
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}
