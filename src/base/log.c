// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "base/console.h"
#include "base/log.h"
#include "base/printable.h"

static int log_level = LOG_LEVEL_WARN;
static const char *log_prefix = "vfiomigctl";

void log_setup(int level, const char *prefix)
{
	log_level = level;
	log_prefix = prefix;
}

static void log_emit(const char *word, const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	make_printable(text);
	console_print("%s: %s%s", log_prefix, word, text);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	if (log_level < LOG_LEVEL_WARN)
		return;
	va_start(ap, fmt);
	log_emit("warning: ", fmt, ap);
	va_end(ap);
}

void log_note(const char *fmt, ...)
{
	va_list ap;

	if (log_level < LOG_LEVEL_WARN)
		return;
	va_start(ap, fmt);
	log_emit("", fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	if (log_level < LOG_LEVEL_INFO)
		return;
	va_start(ap, fmt);
	log_emit("", fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (log_level < LOG_LEVEL_DEBUG)
		return;
	va_start(ap, fmt);
	log_emit("debug: ", fmt, ap);
	va_end(ap);
}
