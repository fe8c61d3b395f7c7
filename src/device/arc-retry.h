/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Stopping a device that is not ready to be stopped
 *
 * A device with page requests under way (PRI) may have to refuse RUNNING -> STOP with EBUSY until
 * they are answered, and be asked again.
 */

#include "base/cancel.h"
#include "device/backend.h"

/**
 * struct arc_retry - how long to ask
 * @budget_ns: 0 asks once
 * @retries: times that it was asked again, all calls together
 */
struct arc_retry {
	uint64_t budget_ns;
	unsigned int retries;
};

/**
 * mig_goto_retrying() - mig_goto(), again while the device runs and says EBUSY
 *
 * Return: as mig_goto(), so -EBUSY when the time is up; -ECANCELED.
 */
_must_check_ int mig_goto_retrying(struct arc_retry *d, struct mig_dev *dev, enum mig_state to,
				   struct cancel *cancel, struct err *err);
