/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the devices of one set are opened through together
 *
 * The kernel gives an IOMMU group to one owner: the second device of a group can only be had
 * through the iommufd, or the group and container, that the first one came through.
 */

#include "device/acquire.h"

#define ACQUIRE_SHARED_MAX 256u

/**
 * struct acquire_shared - the ways so far; all zeros for none
 * @group: of the device that was opened; @keep: copies of its struct acquired's
 */
struct acquire_shared {
	unsigned int n;
	struct {
		enum acquire_via via;
		int group;
		int keep[2];
	} v[ACQUIRE_SHARED_MAX];
};

/**
 * acquire_shared_find() - a way to a device of @group that is open already
 * @s: may be NULL
 * @keep: set to copies, the caller's, if there is one; else left at -1
 *
 * One iommufd serves devices of all groups, a container's group those of its own.
 */
void acquire_shared_find(const struct acquire_shared *s, enum acquire_via via, int group,
			 int keep[2]);

/** acquire_shared_add() - copies of what @acq came through, as far as there is room for them */
void acquire_shared_add(struct acquire_shared *s, int group, const struct acquired *acq);

void acquire_shared_done(struct acquire_shared *s);
