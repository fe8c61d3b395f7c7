/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whether devices run when their drivers have accepted the states
 *
 * The user of a function that is opened here, or lent, maps DMA for it later: what is loaded into
 * it must not run before. One that is loaded under its owner was found stopped, which is where that
 * believes it to be. Of a set, none runs without the others.
 */

#include <stdbool.h>

#include "device/device.h"

enum load_start {
	LOAD_STARTS_NONE,
	LOAD_STARTS_ALL,
	LOAD_STARTS_READY, /* all where each is ready to run, else none */
};

/**
 * struct load_start_facts - of a device
 * @lacks_dma: device_lacks_dma()
 * @owned: another process uses it
 * @frozen: that one does not run meanwhile
 */
struct load_start_facts {
	bool lacks_dma, owned, frozen;
};

/** load_start_ready() - pure: it may run as soon as it is loaded */
bool load_start_ready(const struct load_start_facts *facts);

/**
 * load_start_any() - whether the devices run
 * @owner_frozen: as of struct device_options
 *
 * By what is known of them: a device that is not open yet, of which only its holder is named, may
 * turn out to lack DMA.
 */
bool load_start_any(enum load_start start, struct device *const *devs, unsigned int n,
		    bool owner_frozen);

/** load_start_refuse() - a frozen owner would go on with its device stopped. Return: -EINVAL. */
int load_start_refuse(struct err *err);
