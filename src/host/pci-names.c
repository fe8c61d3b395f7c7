// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "host/pci-ids.h"

/*
 * The database is text of more than a megabyte, sorted by vendor. libpci reads all of it into a
 * table before it can tell one name, which takes four times as long as everything else that a
 * command such as "state" does, and it ends the process when it cannot. Read line by line, up to
 * the one that is asked for, it takes a millisecond at most.
 *
 *	15b3  Mellanox Technologies
 *		101e  ConnectX Family mlx5Gen Virtual Function
 *			15b3 0001  a subsystem
 */

/* Read at a time: the library's own choice is what stat() says, which may be as little as 1 KiB. */
#define PCI_NAMES_READ ((size_t)64 << 10)

/* Where distributions have it. */
static const char *const databases[] = {
	"/usr/share/misc/pci.ids",
	"/usr/share/hwdata/pci.ids",
};

/* "15b3  Name\n": the name, its end cut off, if the line is that of @id. */
static const char *pci_names_match(char *line, uint16_t id)
{
	char digits[5];

	snprintf(digits, sizeof(digits), "%04x", id);
	if (strncmp(line, digits, 4) != 0 || !isblank((unsigned char)line[4]))
		return NULL;
	line[strcspn(line, "\r\n")] = '\0';
	return line + 4 + strspn(line + 4, " \t");
}

/* Reads up to the line of @id behind @indent tabs; NULL when there is none below this heading. */
static const char *pci_names_seek(FILE *database, char **line, size_t *room, size_t indent,
				  uint16_t id)
{
	while (getline(line, room, database) > 0) {
		size_t tabs = strspn(*line, "\t");
		const char *name;

		if (**line == '#' || **line == '\n' || tabs > indent)
			continue;
		if (tabs < indent)
			return NULL;
		name = pci_names_match(*line + tabs, id);
		if (name)
			return name;
	}
	return NULL;
}

void pci_ids_find(FILE *database, const struct pci_ids *ids, char *buf, size_t size)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	const char *name;
	int len;

	if (!size)
		return;
	buf[0] = '\0';
	name = pci_names_seek(database, &line, &room, 0, ids->vendor);
	if (!name)
		return;
	len = snprintf(buf, size, "%s ", name);
	if (len < 0 || (size_t)len >= size) {
		buf[0] = '\0';
		return;
	}
	name = pci_names_seek(database, &line, &room, 1, ids->device);
	if (!name || strlen(name) >= size - (size_t)len)
		buf[0] = '\0';
	else
		strcpy(buf + len, name);
}

void pci_ids_name(const struct pci_ids *ids, char *buf, size_t size)
{
	/* Used by @database until that is closed. */
	_cleanup_free_ char *window = malloc(PCI_NAMES_READ);
	_cleanup_file_ FILE *database = NULL;

	for (size_t i = 0; !database && i < ARRAY_SIZE(databases); i++)
		database = fopen(databases[i], "re");
	if (database && window)
		setvbuf(database, window, _IOFBF, PCI_NAMES_READ);
	if (database)
		pci_ids_find(database, ids, buf, size);
	else if (size)
		buf[0] = '\0';
}
