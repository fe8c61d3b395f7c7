/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Text that may be shown on a terminal
 *
 * An image, a file's name or a process's may come from anywhere, and ends up on the screen of
 * somebody with privileges or in JSON: no escape sequences, no line breaks, UTF-8 or nothing.
 */

#include <stdbool.h>
#include <stddef.h>

/** is_printable() - valid UTF-8 without C0, DEL and C1 control characters, NUL included */
bool is_printable(const char *text, size_t len);

/** make_printable() - what is not becomes '?'; without valid UTF-8, all that is not ASCII */
void make_printable(char *text);
