// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * with-fd [--via cdev|group] [--keep] DEV N COMMAND...
 *
 * Opens a device the way a VMM would and runs COMMAND in its own place, with the device at
 * descriptor N: a process that was handed an open device (fd:N), and one that holds it. With
 * --keep what the device was opened by (iommufd, or group and container) stays open, too.
 */

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "tool.h"

struct options {
	enum acquire_via via;
	bool keep;
};

/* Return: index of the first argument that is no option, 0 for a mistake. */
static int parse(int argc, char **argv, struct options *ret)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--keep"))
			ret->keep = true;
		else if (!strcmp(argv[i], "--via") && ++i < argc && !strcmp(argv[i], "cdev"))
			ret->via = ACQUIRE_CDEV;
		else if (i < argc && !strcmp(argv[i], "group"))
			ret->via = ACQUIRE_GROUP;
		else
			return 0;
	}
	return argc - i >= 3 ? i : 0;
}

static void inherit(int fd)
{
	if (fd >= 0 && fcntl(fd, F_SETFD, 0) < 0)
		die_errno("F_SETFD");
}

int main(int argc, char **argv)
{
	struct options opts = { .via = ACQUIRE_AUTO };
	int first = parse(argc, argv, &opts);
	struct acquired acq;
	int at;

	if (!first) {
		fprintf(stderr,
			"usage: with-fd [--via cdev|group] [--keep] DEV N COMMAND [ARG...]\n");
		return USAGE_STATUS;
	}
	open_device(argv[first], opts.via, &acq);
	at = atoi(argv[first + 1]);
	/* N may be where one of the others is. */
	for (int i = 0; i < 2; i++)
		if (acq.keep[i] >= 0)
			acq.keep[i] = fcntl(acq.keep[i], F_DUPFD_CLOEXEC, at + 1);
	if (acq.fd == at)
		inherit(at);
	else if (dup3(acq.fd, at, 0) < 0)
		die_errno("the descriptor's number");
	for (int i = 0; opts.keep && i < 2; i++)
		inherit(acq.keep[i]);
	execvp(argv[first + 2], argv + first + 2);
	die_errno(argv[first + 2]);
}
