// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device/same.h"

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	if (!strcmp(a, b))
		return true;
	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static bool same_fd(int a, int b)
{
	pid_t self = getpid();

	return a == b || syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

bool device_same(const struct device *a, const struct device *b)
{
	if (a->socket && b->socket)
		return same_file(a->socket, b->socket);
	if (a->inherited >= 0 && b->inherited >= 0 && same_fd(a->inherited, b->inherited))
		return true;
	return a->node && b->node && !strcmp(a->node->sysfs, b->node->sysfs);
}
