// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/units.h"
#include "engine/receive-parts.h"

/*
 * Room for the spool
 *
 * A source whose drivers tell how much is to come is refused up front where that has no room. Of
 * another one the spool grows until it is full: that undoes the move before READY, and what there
 * was room for tells a user how much more it takes.
 */

void receive_room_look(struct receive *r)
{
	struct statvfs st;

	r->room = 0;
	/* A file system of no size has no limit of its own. */
	if (statvfs(r->options->spool, &st) < 0 || !st.f_blocks)
		return;
	if (__builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize, &r->room))
		r->room = 0;
}

void receive_room_say(const struct receive *r)
{
	char room[UNITS_MAX];

	if (r->room)
		log_info("spool folder %s: %s free; the source does not say how much it sends",
			 r->options->spool, format_bytes(room, r->room));
}

int receive_room_judge(const struct receive *r, int code, struct err *err)
{
	char room[UNITS_MAX];

	if (code != -ENOSPC || !r->room)
		return code;
	return err_prefix(err, code, "%s were free at first", format_bytes(room, r->room));
}
