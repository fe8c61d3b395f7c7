// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "engine/journal-spec.h"

/* What a path follows in a DEV or URI. */
static char *journal_spec_absolute(const char *text)
{
	static const char *const prefixes[] = { "vfio-user:", "hold:", "unix:" };
	_cleanup_free_ char *cwd = NULL;
	char *absolute;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (strncmp(text, prefixes[i], len) != 0 || text[len] == '/')
			continue;
		cwd = getcwd(NULL, 0);
		if (!cwd || asprintf(&absolute, "%s%s/%s", prefixes[i], cwd, text + len) < 0)
			return NULL;
		return absolute;
	}
	return strdup(text);
}

/* A descriptor's number means nothing elsewhere, the device behind it does. */
int journal_spec_device(const struct device *dev, enum mig_state found, struct journal_device *ret)
{
	bool fd = !strncmp(dev->spec, "fd:", 3) && dev->node;
	const char *driver = device_driver(dev);

	*ret = (struct journal_device){
		.spec = journal_spec_absolute(fd ? device_name(dev) : dev->spec),
		.name = strdup(device_name(dev)),
		.driver = driver ? strdup(driver) : NULL,
		.found = found,
	};
	return ret->spec && ret->name && (!driver || ret->driver) ? 0 : -ENOMEM;
}

char *journal_spec_uri(const char *text)
{
	return journal_spec_absolute(text);
}
