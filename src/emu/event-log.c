// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "emu/event-log.h"

/* A path, and words. */
#define LINE_MAX_SIZE (PATH_MAX + 128)

int emu_event_log_open(const char *path, int *ret_fd, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);

	if (fd < 0)
		return err_set(err, -errno, "%s", path);
	*ret_fd = fd;
	return 0;
}

/* Return: the length of the event's words in @buf. */
static int emu_event_log_words(const struct emu_event *e, char *buf, size_t size)
{
	switch (e->kind) {
	case EMU_EVENT_BEGIN:
		return snprintf(buf, size, "begin %s %s", fsm_name(e->from), fsm_name(e->to));
	case EMU_EVENT_END:
		return snprintf(buf, size, "end %s %s", fsm_name(e->from), fsm_name(e->to));
	case EMU_EVENT_FAILED:
		return snprintf(buf, size, "failed %s %s %s", fsm_name(e->from), fsm_name(e->to),
				err_name(e->code));
	case EMU_EVENT_ERROR:
		return snprintf(buf, size, "error");
	case EMU_EVENT_RESET:
		return snprintf(buf, size, "reset");
	}
	return 0;
}

/* The time is that of the writing: it never goes back from line to line. */
static void emu_event_log_line(const struct emu_event_log *log, const struct emu_event *e)
{
	char line[LINE_MAX_SIZE], words[96];
	int n;

	emu_event_log_words(e, words, sizeof(words));
	n = snprintf(line, sizeof(line), "%" PRIu64 " %s %s\n", clock_ns(), log->device, words);
	if (write(log->fd, line, (size_t)n) != n)
		log_warn("%s: a line is missing in the event log", log->device);
}

void emu_event_log_write(const struct emu_event_log *log, struct emu_events *events,
			 uint64_t now_ns)
{
	struct emu_event e;

	while (emu_events_take(events, now_ns, &e))
		if (log->fd >= 0)
			emu_event_log_line(log, &e);
}
