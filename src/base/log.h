/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Logging
 *
 * What the tool does (info, debug) and what the user should know (warnings), to stderr. Errors
 * are not logged: they travel up in struct err and main() prints them once. Safe from threads.
 */

#include "base/err.h"

enum log_level {
	LOG_LEVEL_QUIET = -1, /* -q: nothing, not even warnings */
	LOG_LEVEL_WARN = 0,
	LOG_LEVEL_INFO = 1, /* -v */
	LOG_LEVEL_DEBUG = 2, /* -vv: every call to the kernel */
};

/**
 * log_setup() - choose what is logged; once, before any thread starts
 * @level: enum log_level, or more for LOG_LEVEL_DEBUG
 * @prefix: begins each line; static, or never freed
 */
void log_setup(int level, const char *prefix);

void log_warn(const char *fmt, ...) _printf_(1, 2);

/** log_note() - shown where warnings are, without the word: it may be good news */
void log_note(const char *fmt, ...) _printf_(1, 2);
void log_info(const char *fmt, ...) _printf_(1, 2);
void log_debug(const char *fmt, ...) _printf_(1, 2);
