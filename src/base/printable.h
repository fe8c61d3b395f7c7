/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Text that may be shown on a terminal
 *
 * The text of an image, and the names of files and processes, are untrusted input that ends up on
 * a privileged user's terminal or in JSON: escape sequences, line breaks and invalid UTF-8 must not
 * get through.
 */

#include <stdbool.h>
#include <stddef.h>

/** is_printable() - valid UTF-8 without C0, DEL and C1 control characters, NUL included */
bool is_printable(const char *text, size_t len);

/** make_printable() - turn control characters into '?'; in invalid UTF-8, all of non-ASCII */
void make_printable(char *text);
