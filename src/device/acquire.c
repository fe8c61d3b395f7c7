// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/kcmp.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/trace.h"
#include "device/acquire.h"
#include "device/call.h"

const char *acquire_via_name(enum acquire_via via)
{
	static const char *const names[] = {
		[ACQUIRE_AUTO] = "auto",   [ACQUIRE_CDEV] = "cdev",
		[ACQUIRE_GROUP] = "group", [ACQUIRE_FD] = "fd",
		[ACQUIRE_HOLD] = "hold",   [ACQUIRE_PID] = "pid",
		[ACQUIRE_UNIX] = "unix",   [ACQUIRE_VFIO_USER] = "vfio-user",
	};

	return names[via];
}

int acquire_check_fd(int fd, const char *name, struct err *err)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int r;

	if (call_ioctl(fd, VFIO_DEVICE_GET_INFO, &info) == 0)
		return 0;
	r = -errno;
	if (r != -EINVAL)
		return err_fail(err, ERR_MISSING, r, "%s: not a VFIO device", name);
	err_fail(err, ERR_MISSING, r, "%s: a VFIO device that is not bound yet", name);
	return err_hint(err, r,
			"the process that hands it over must VFIO_DEVICE_BIND_IOMMUFD first");
}

bool acquire_same_file(int a, int b)
{
	pid_t self = getpid();

	return a == b || syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

struct vfio_node *acquire_named_node(const struct host *host, const char *name)
{
	struct vfio_node *node;

	if (strchr(name, '/') || vfio_node_resolve(host, name, &node, NULL) < 0)
		return NULL;
	return node;
}

void acquired_done(struct acquired *acq)
{
	/* The device first: the kernel detaches it from what it was attached to. */
	if (acq->fd >= 0) {
		trace_name(acq->fd, NULL);
		close(acq->fd);
	}
	for (int i = 0; i < 2; i++)
		if (acq->keep[i] >= 0)
			close(acq->keep[i]);
	*acq = ACQUIRED_NONE;
}
