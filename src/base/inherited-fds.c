// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/inherited-fds.h"
#include "base/units.h"

static struct {
	int *v;
	unsigned int n;
} inherited;

static void inherited_fds_add(int fd)
{
	int *more = realloc(inherited.v, (inherited.n + 1) * sizeof(*more));

	if (!more)
		return;
	inherited.v = more;
	inherited.v[inherited.n++] = fd;
}

void inherited_fds_note(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	uint64_t fd;

	while (dir && (e = readdir(dir)))
		if (parse_uint(e->d_name, 10, INT_MAX, &fd) >= 0 && fd > STDERR_FILENO &&
		    (int)fd != dirfd(dir))
			inherited_fds_add((int)fd);
	if (dir)
		closedir(dir);
}

void inherited_fds_close(void)
{
	for (unsigned int i = 0; i < inherited.n; i++) {
		int flags = fcntl(inherited.v[i], F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			close(inherited.v[i]);
	}
	free(inherited.v);
	inherited.v = NULL;
	inherited.n = 0;
}
