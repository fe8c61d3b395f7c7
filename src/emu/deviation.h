/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Rules of the protocol that a device breaks on purpose
 *
 * Each is one thing that a driver or a server can get wrong, for programs that are to find it
 * (vfiomigctl check). A fault (faults.h) happens once or at a place; a deviation is how the device
 * is. Pure.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* In the order of the table in deviation.c. */
enum emu_deviation {
	/* features */
	DEVIATE_FLAGS_GARBAGE,
	DEVIATE_NO_STOP_COPY,
	DEVIATE_P2P_UNANNOUNCED,
	DEVIATE_PRE_COPY_UNANNOUNCED,
	DEVIATE_ARGSZ_IGNORED,
	DEVIATE_GET_AND_SET,
	DEVIATE_UNKNOWN_FEATURE,
	/* states */
	DEVIATE_STALE_STATE,
	DEVIATE_INVALID_STATE,
	DEVIATE_ERROR_ACCEPTED,
	DEVIATE_REFUSAL_MOVES,
	DEVIATE_STOP_COPY_TO_PRE_COPY,
	DEVIATE_NO_COMBINATION,
	DEVIATE_SECOND_SAVE_REFUSED,
	DEVIATE_RUNS_IN_STOP,
	DEVIATE_STOPS_IN_PRE_COPY,
	DEVIATE_BUSY_TO_RUN,
	DEVIATE_AGAIN_STOPS,
	/* saving */
	DEVIATE_LOST_LAST_BYTE,
	DEVIATE_ENDS_TOO_EARLY,
	DEVIATE_END_NOT_STICKY,
	DEVIATE_ENOMSG_IN_STOP_COPY,
	DEVIATE_EIO_IN_PRE_COPY,
	DEVIATE_ODD_READS_LOSE,
	DEVIATE_BYTE_READ_REFUSED,
	DEVIATE_LENGTH_DIFFERS,
	DEVIATE_BYTES_DIFFER,
	DEVIATE_READ_OUTSIDE,
	/* loading */
	DEVIATE_WRITE_OUTSIDE,
	DEVIATE_ACCEPTS_EMPTY,
	DEVIATE_ACCEPTS_SHORT,
	DEVIATE_ACCEPTS_LONG,
	DEVIATE_ACCEPTS_DAMAGED,
	DEVIATE_ACCEPTS_FOREIGN,
	DEVIATE_LOAD_FORGOTTEN,
	DEVIATE_SECOND_LOAD_REFUSED,
	DEVIATE_EXTENT_RUNS,
	DEVIATE_EXTENT_KILLS,
	DEVIATE_EXTENT_HANGS,
	/* reset */
	DEVIATE_RESET_STOPS,
	DEVIATE_RESET_KEEPS_RESUMING,
	/* DMA logging */
	DEVIATE_LOG_RESTARTS,
	DEVIATE_LOG_OVERLAP,
	DEVIATE_LOG_ANY_PAGE,
	DEVIATE_LOG_REPEATS,
	/* messages */
	DEVIATE_WRONG_ID,
	DEVIATE_WRONG_COMMAND,
	DEVIATE_REPLY_AS_COMMAND,
	DEVIATE_ERROR_WITHOUT_ERRNO,
	DEVIATE_NO_REPLY_ANSWERED,
	DEVIATE_UNKNOWN_COMMAND,
	DEVIATE_SECOND_VERSION,
	DEVIATE_ANY_MAJOR,
	DEVIATE_MINOR_RAISED,
	DEVIATE_TRANSFER_IGNORED,
	DEVIATE_SIZE_LIES,
	EMU_NR_DEVIATIONS,
};
_Static_assert(EMU_NR_DEVIATIONS <= 64, "struct emu_deviations is one word");

struct emu_deviations {
	uint64_t set;
};

static inline bool emu_deviates(const struct emu_deviations *d, enum emu_deviation which)
{
	return d->set >> which & 1;
}

/** emu_deviation_add() - by its name. Return: 0, or -EINVAL. */
_must_check_ int emu_deviation_add(struct emu_deviations *d, const char *name, struct err *err);

/** emu_deviation_list() - the table, for people: a name and what is wrong, a line each */
void emu_deviation_list(FILE *f);
