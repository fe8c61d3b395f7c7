/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Standard error, which nothing waits for
 */

#include "base/lines.h"

/** console_print() - a line without its newline. Never waits. */
void console_print(const char *fmt, ...) _printf_(1, 2);

/** console_put() - text as it is, several lines maybe. Never waits. */
void console_put(const char *text);

/**
 * console_draw() - a line of a terminal, or several, that the next text of any kind replaces
 * @text: without the last newline; none of its lines may be wider than the terminal, nor are they
 *	more than its rows
 *
 * Never waits.
 */
void console_draw(const char *text);

/** console_end_line() - leave such lines where they are. */
void console_end_line(void);

/** console_lines() - what has no room yet, to be flushed by a thread that waits anyway */
struct lines *console_lines(void);
