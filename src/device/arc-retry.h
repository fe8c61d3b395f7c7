/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Arcs that a device refuses for now
 *
 * A device with page requests under way (PRI) may have to refuse RUNNING -> STOP with EBUSY until
 * they are answered; firmware that is short of a resource says EAGAIN (mlx5). Such an arc is tried
 * again, on the way down, on the way to RESUMING and on the way back alike: what gives up too early
 * on the way back leaves a live device stopped.
 */

#include "base/cancel.h"
#include "device/backend.h"

/**
 * struct arc_retry - how long to try
 * @budget_ns: of one call; 0 tries once
 * @retries: arcs tried again, all calls together
 */
struct arc_retry {
	uint64_t budget_ns;
	unsigned int retries;
};

/**
 * mig_goto_retrying() - mig_goto(), again while the device says EBUSY or EAGAIN
 * @cancel: ends the wait; NULL for a device on its way back, which only a second request keeps from
 *          it (@dev->cancel)
 *
 * Return: as mig_goto(), so -EBUSY or -EAGAIN when the time is up; -ECANCELED.
 */
_must_check_ int mig_goto_retrying(struct arc_retry *retry, struct mig_dev *dev, enum mig_state to,
				   struct cancel *cancel, struct err *err);
