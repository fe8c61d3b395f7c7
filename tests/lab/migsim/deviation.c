// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: rules of the protocol that a driver can break, one by one, for programs that are to find
 * it. A fault happens once or at a place; a deviation is how the driver is.
 */

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "migsim.h"

static const char *const names[] = {
	[MIGSIM_DEVIATE_SAVING_FD_WRITES] = "saving-fd-writes",
	[MIGSIM_DEVIATE_RESUMING_FD_READS] = "resuming-fd-reads",
	[MIGSIM_DEVIATE_PREAD] = "pread",
	[MIGSIM_DEVIATE_PWRITE] = "pwrite",
	[MIGSIM_DEVIATE_FD_SURVIVES] = "fd-survives",
	[MIGSIM_DEVIATE_DEAD_EIO] = "dead-eio",
	[MIGSIM_DEVIATE_SECOND_FD] = "second-fd",
	[MIGSIM_DEVIATE_CLOSE_STOPS] = "close-stops",
	[MIGSIM_DEVIATE_ENOMSG_AT_END] = "enomsg-at-end",
	[MIGSIM_DEVIATE_END_NOT_STICKY] = "end-not-sticky",
	[MIGSIM_DEVIATE_END_NOT_READABLE] = "end-not-readable",
	[MIGSIM_DEVIATE_NEVER_READABLE] = "never-readable",
	[MIGSIM_DEVIATE_FAULT_LOSES] = "fault-loses",
	[MIGSIM_DEVIATE_BYTE_REFUSED] = "byte-refused",
	[MIGSIM_DEVIATE_LARGE_REFUSED] = "large-refused",
	[MIGSIM_DEVIATE_RUNS_IN_STOP] = "runs-in-stop",
	[MIGSIM_DEVIATE_SIZE_UNDER] = "size-under",
	[MIGSIM_DEVIATE_NO_SIZE_IN_STOP] = "no-size-in-stop",
	[MIGSIM_DEVIATE_NO_SIZE_IN_RESUMING] = "no-size-in-resuming",
	[MIGSIM_DEVIATE_NO_INFO] = "no-info",
	[MIGSIM_DEVIATE_INFO_ANYWHERE] = "info-anywhere",
	[MIGSIM_DEVIATE_INFO_FLAGS] = "info-flags",
	[MIGSIM_DEVIATE_INFO_REINIT] = "info-reinit",
	[MIGSIM_DEVIATE_INFO_ARGSZ] = "info-argsz",
	[MIGSIM_DEVIATE_INITIAL_STAYS] = "initial-stays",
	[MIGSIM_DEVIATE_NO_READ_IN_P2P] = "no-read-in-p2p",
	[MIGSIM_DEVIATE_NO_READ_AFTER_PRECOPY] = "no-read-after-precopy",
	[MIGSIM_DEVIATE_CANCEL_STOPS] = "cancel-stops",
	[MIGSIM_DEVIATE_BAD_FORGOTTEN] = "bad-forgotten",
	[MIGSIM_DEVIATE_BAD_STICKS] = "bad-sticks",
	[MIGSIM_DEVIATE_BAD_RUNS] = "bad-runs",
	[MIGSIM_DEVIATE_RESET_STAYS] = "reset-stays",
	[MIGSIM_DEVIATE_LENGTH_RUNS] = "length-runs",
	[MIGSIM_DEVIATE_LENGTH_KILLS] = "length-kills",
	[MIGSIM_DEVIATE_LENGTH_STALLS] = "length-stalls",
	[MIGSIM_DEVIATE_LENGTH_LOGS] = "length-logs",
	[MIGSIM_DEVIATE_AGAIN_STOPS] = "again-stops",
};
static_assert(ARRAY_SIZE(names) == MIGSIM_DEVIATIONS && MIGSIM_DEVIATIONS <= 64);

bool migsim_deviates(const struct migsim *m, enum migsim_deviation which)
{
	return READ_ONCE(m->deviations) & BIT_ULL(which);
}

ssize_t migsim_deviation_show(const struct migsim *m, char *buf)
{
	u64 set = READ_ONCE(m->deviations);
	int i, at = 0;

	for (i = 0; i < MIGSIM_DEVIATIONS; i++)
		if (set & BIT_ULL(i))
			at += sysfs_emit_at(buf, at, "%s\n", names[i]);
	return at ?: sysfs_emit(buf, "none\n");
}

int migsim_deviation_store(struct migsim *m, const char *buf)
{
	int i;

	if (sysfs_streq(buf, "none")) {
		WRITE_ONCE(m->deviations, 0);
		WRITE_ONCE(m->killed, false);
		return 0;
	}
	i = __sysfs_match_string(names, ARRAY_SIZE(names), buf);
	if (i < 0)
		return i;
	WRITE_ONCE(m->deviations, m->deviations | BIT_ULL(i));
	return 0;
}
