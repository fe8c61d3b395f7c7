/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What was printed to standard output: whether it has arrived
 *
 * A person's reader, a pager or head(1), goes when it has seen enough: nothing is lost to it. A
 * program's has to get all of its document, or must know that it has not. A full disk, a closed
 * descriptor, an I/O error are losses to both.
 */

#include "base/err.h"

enum printed_reader {
	PRINTED_FOR_PEOPLE,
	PRINTED_FOR_PROGRAM
};

/** printed_flush() - write what stdio has of standard output by now; of one thread, as all here */
void printed_flush(void);

/**
 * printed_finish() - the same, and did all arrive that was ever printed?
 *
 * Return: 0; -EPIPE (ERR_IO) for a program's reader that has gone; what write() said (ERR_IO);
 * -EIO where stdio has not kept that. What was lost stays lost: a second call says so, too.
 */
_must_check_ int printed_finish(enum printed_reader reader, struct err *err);

/** printed_exit() - the end of a program that has printed text for people, and done nothing else */
_Noreturn void printed_exit(void);
