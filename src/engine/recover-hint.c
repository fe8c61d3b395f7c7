// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "engine/recover-hint.h"

bool recover_hint_asks(enum wire_role role, enum wire_phase phase, const char *peer)
{
	static const bool waits[][WIRE_NR_PHASES] = {
		[WIRE_SOURCE] = { [WIRE_PHASE_COMMITTED] = true },
		[WIRE_DESTINATION] = { [WIRE_PHASE_PREPARED] = true, [WIRE_PHASE_BUSY] = true },
	};

	return !peer && waits[role][phase];
}

/* "vfiomigctl recover", with the folder where that has to be named. */
static int recover_hint_begin(char buf[RECOVER_HINT_MAX], const struct journal *j)
{
	const char *dir = j ? journal_named_dir(j) : NULL;

	return snprintf(buf, RECOVER_HINT_MAX, "vfiomigctl recover%s%s", dir ? " --state-dir=" : "",
			dir ? dir : "");
}

char *recover_hint_command(char buf[RECOVER_HINT_MAX], const struct journal *j, bool asks,
			   const char *txid)
{
	const int n = recover_hint_begin(buf, j);

	snprintf(buf + n, RECOVER_HINT_MAX - (size_t)n, "%s %s", asks ? " --peer=URI" : "", txid);
	return buf;
}

char *recover_hint_serve(char buf[RECOVER_HINT_MAX], const struct journal *j)
{
	const int n = recover_hint_begin(buf, j);

	snprintf(buf + n, RECOVER_HINT_MAX - (size_t)n, " --serve=URI");
	return buf;
}
