// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "device/acquirer.h"

static const struct acquirer *const acquirers[] = {
	/* clang-format off */
	&acquirer_fd,
	&acquirer_hold,
	&acquirer_pid,
	&acquirer_unix,
	&acquirer_user,
	&acquirer_node, /* last: it takes what is left */
	/* clang-format on */
};

const struct acquirer *acquirer_of(const char *spec, const char **ret_rest)
{
	size_t i = 0;

	while (acquirers[i]->prefix &&
	       strncmp(spec, acquirers[i]->prefix, strlen(acquirers[i]->prefix)) != 0)
		i++;
	*ret_rest = spec + (acquirers[i]->prefix ? strlen(acquirers[i]->prefix) : 0);
	return acquirers[i];
}
