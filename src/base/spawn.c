// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>

#include "base/spawn.h"

int spawn_undo_signals(posix_spawnattr_t *attr, int flags)
{
	sigset_t none, ignored;
	int r;

	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r)
		return r;
	r = posix_spawnattr_setsigdefault(attr, &ignored);
	if (r)
		return r;
	flags |= POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	return posix_spawnattr_setflags(attr, (short)flags);
}
