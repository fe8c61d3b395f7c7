// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>

#include "host/pci-ids.h"

void pci_ids_name(const struct pci_ids *ids, char *buf, size_t size)
{
	(void)ids;
	if (size)
		buf[0] = '\0';
}
