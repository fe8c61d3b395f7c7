// SPDX-License-Identifier: GPL-2.0-or-later
#include <pci/pci.h>
#include <setjmp.h>
#include <stdio.h>

#include "host/pci-ids.h"

/*
 * libpci ends the process when it is not happy, with its database for instance, and its error
 * handler must not return. A device must not be lost for want of its name: the handler jumps.
 * What libpci had allocated by then is not freed, and it is not asked again.
 */
static jmp_buf unhappy;

static __attribute__((noreturn)) void pci_names_libpci_on_error(char *msg, ...)
{
	(void)msg;
	longjmp(unhappy, 1);
}

static void pci_names_libpci_on_remark(char *msg, ...)
{
	(void)msg;
}

void pci_ids_name(const struct pci_ids *ids, char *buf, size_t size)
{
	static struct pci_access *database; /* read once, for all devices of a list */
	static bool broken;
	char *name;

	if (!size)
		return;
	buf[0] = '\0';
	if (broken)
		return;
	if (setjmp(unhappy)) {
		broken = true;
		buf[0] = '\0';
		return;
	}
	if (!database) {
		database = pci_alloc();
		database->error = pci_names_libpci_on_error;
		/* pci_init() would set these, and scan the bus; without, they are NULL. */
		database->warning = pci_names_libpci_on_remark;
		database->debug = pci_names_libpci_on_remark;
	}
	name = pci_lookup_name(database, buf, (int)size,
			       PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS |
				       PCI_LOOKUP_NO_HWDB, /* adds nothing, and leaks */
			       ids->vendor, ids->device);
	/* It answers with a text of its own where @buf is too small. */
	if (name != buf)
		buf[0] = '\0';
}
