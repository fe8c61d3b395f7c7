// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "engine/load-start.h"

bool load_start_ready(const struct load_start_facts *facts)
{
	return !facts->lacks_dma && (!facts->owned || facts->frozen);
}

bool load_start_any(enum load_start start, struct device *const *devs, unsigned int n,
		    bool owner_frozen)
{
	for (unsigned int i = 0; start == LOAD_STARTS_READY && i < n; i++) {
		const struct load_start_facts facts = {
			.lacks_dma = device_lacks_dma(devs[i]),
			.owned = device_owner(devs[i]),
			.frozen = owner_frozen,
		};

		if (!load_start_ready(&facts))
			return false;
	}
	return start != LOAD_STARTS_NONE;
}

int load_start_refuse(struct err *err)
{
	err_fail(err, ERR_USAGE, -EINVAL,
		 "--freeze-owner: the owner would go on with its device stopped, as no DMA is "
		 "mapped for a device beside it");
	return err_hint(err, -EINVAL, "--run starts all");
}
