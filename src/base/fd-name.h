/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Names of descriptors, as FDNAME= of sd_notify(3) and LISTEN_FDNAMES have them
 *
 * Printable ASCII without ':', which a PCI address is full of: it is escaped.
 */

#include <stdbool.h>

#define FD_NAME_MAX 255u

/** fd_name_valid() - something that FDNAME= and LISTEN_FDNAMES can hold */
bool fd_name_valid(const char *name);

#define FD_NAME_BUF (FD_NAME_MAX + 1)

/**
 * fd_name_escape() - make a valid name of any text
 *
 * '%', ':' and what is not printable ASCII become '%' and two hexadecimal digits. What is too long
 * is cut off.
 *
 * Return: @buf.
 */
char *fd_name_escape(const char *text, char buf[FD_NAME_BUF]);

/** fd_name_unescape() - the text again; '%' without two digits stays as it is. Return: @buf. */
char *fd_name_unescape(const char *name, char buf[FD_NAME_BUF]);
