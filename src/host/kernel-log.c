// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "base/units.h"
#include "host/kernel-log.h"
#include "host/sysfs.h"

/* The kernel cuts a record to 8 KiB for its readers (PRINTK_MESSAGE_MAX is 2 KiB). */
#define KERNEL_LOG_RECORD 8192

/* More than the largest buffer of a kernel has: so that one that logs all the time has an end. */
#define KERNEL_LOG_RECORDS 1000000u

/* The low three bits of a priority are its level, the rest its facility. */
#define KERNEL_LOG_LEVEL 7u

/* "PRIORITY,SEQUENCE,TIME,...;TEXT", of which the time is in microseconds. */
static bool kernel_log_head(const char *line, uint64_t *ret_priority, uint64_t *ret_us)
{
	uint64_t sequence;

	line = scan_uint(line, 10, UINT_MAX, ret_priority);
	if (!line || *line != ',')
		return false;
	line = scan_uint(line + 1, 10, UINT64_MAX, &sequence);
	return line && *line == ',' && scan_uint(line + 1, 10, UINT64_MAX, ret_us);
}

static void kernel_log_take(const char *line, const char *name, uint64_t since_us,
			    struct kernel_log *ret)
{
	const char *text = strchr(line, ';');
	uint64_t priority, us;

	if (!text || !strstr(text, name) || !kernel_log_head(line, &priority, &us) || us < since_us)
		return;
	ret->lines++;
	if ((priority & KERNEL_LOG_LEVEL) <= KERNEL_LOG_WARNING)
		ret->warnings++;
	else if (ret->warnings)
		return;
	snprintf(ret->last, sizeof(ret->last), "%s", text + 1);
	make_printable(ret->last);
}

/* A record's further lines begin with a space: KEY=VALUE, which repeat the device's name. */
static void kernel_log_take_record(char *record, const char *name, uint64_t since_us,
				   struct kernel_log *ret)
{
	char *line;

	while ((line = strsep(&record, "\n")))
		if (*line != ' ')
			kernel_log_take(line, name, since_us, ret);
}

int kernel_log_find(const struct host *host, const char *name, uint64_t since_us,
		    struct kernel_log *ret)
{
	_cleanup_free_ char *path = path_fmt("%s/kmsg", host->dev);
	_cleanup_fd_ int fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	char record[KERNEL_LOG_RECORD + 1];

	*ret = (struct kernel_log){ 0 };
	if (!path)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	for (unsigned int i = 0; i < KERNEL_LOG_RECORDS; i++) {
		ssize_t n = read(fd, record, KERNEL_LOG_RECORD);

		/* EPIPE: what was to be read next has been overwritten; the next read goes on. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			return 0;
		record[n] = '\0';
		kernel_log_take_record(record, name, since_us, ret);
	}
	return 0;
}
