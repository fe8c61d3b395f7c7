// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/printable.h"
#include "check/kernel-trouble.h"

/* A record is at most this long. */
#define KMSG_RECORD_MAX 8192

/* Records that are looked at in one go: another CPU may write faster than they are read. */
#define KMSG_RECORDS_MAX 65536u

bool kernel_trouble_in(const char *text)
{
	static const char *const starts[] = {
		"BUG: ",
		"WARNING: ",
		"Oops",
		"Internal error: ",
		"Kernel panic",
		"general protection fault",
		"Unable to handle kernel",
		"kernel BUG at ",
		"UBSAN: ",
		"KASAN: ",
		"KCSAN: ",
		"watchdog: BUG: ",
		"rcu: INFO: ",
		"INFO: task ",
		"INFO: rcu",
		"possible circular locking",
		"unregister_netdevice: waiting",
		"refcount_t: ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (!strncmp(text, starts[i], strlen(starts[i])))
			return strncmp(text, "INFO: task ", 11) != 0 || strstr(text, "blocked");
	return false;
}

int kernel_trouble_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

bool kernel_trouble_next(int fd, char ret[KERNEL_TROUBLE_MAX])
{
	char record[KMSG_RECORD_MAX];

	for (unsigned int i = 0; i < KMSG_RECORDS_MAX; i++) {
		ssize_t n = read(fd, record, sizeof(record) - 1);
		char *text, *end;

		/* Records that were overwritten before they were read. */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return false;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text++)
			continue;
		end = strchrnul(text, '\n');
		*end = '\0';
		if (!kernel_trouble_in(text))
			continue;
		snprintf(ret, KERNEL_TROUBLE_MAX, "%.*s", KERNEL_TROUBLE_MAX - 1, text);
		make_printable(ret);
		return true;
	}
	return false;
}
