// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * stream DEV save|load COMMAND...
 *
 * Brings a device to STOP_COPY or RESUMING by v2 and runs COMMAND with the session's data fd as its
 * standard input or output: transfers the stream by the system's own programs alone. A load is
 * ended by RESUMING -> STOP; exit status: COMMAND's, or 1.
 */

#include <linux/vfio.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uapi/vfio.h"
#include "tool.h"

static int set_state(int fd, enum mig_state state)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.mig),
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
		.mig = { .state = state, .data_fd = -1 },
	};

	if (ioctl(fd, UAPI_DEVICE_FEATURE, &f) < 0)
		die_errno("VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE");
	return f.mig.data_fd;
}

int main(int argc, char **argv)
{
	struct acquired acq;
	int data, status;
	bool load;
	pid_t pid;

	if (argc < 4 || (strcmp(argv[2], "save") != 0 && strcmp(argv[2], "load") != 0)) {
		fprintf(stderr, "usage: stream DEV save|load COMMAND [ARG...]\n");
		return USAGE_STATUS;
	}
	load = !strcmp(argv[2], "load");
	open_device(argv[1], ACQUIRE_AUTO, &acq);
	set_state(acq.fd, MIG_STOP);
	data = set_state(acq.fd, load ? MIG_RESUMING : MIG_STOP_COPY);
	pid = fork();
	if (pid < 0)
		die_errno("fork");
	if (!pid) {
		dup2(data, load ? STDOUT_FILENO : STDIN_FILENO);
		execvp(argv[3], argv + 3);
		die_errno(argv[3]);
	}
	if (waitpid(pid, &status, 0) != pid)
		die_errno("waitpid");
	close(data);
	set_state(acq.fd, MIG_STOP);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
