// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * LD_PRELOAD=fail-nth.so: one call to VFIO fails
 *
 * By the kernel's own fault injection: right before the call /proc/thread-self/fail-nth is set, so
 * that the Nth allocation or user copy in it fails, and is cleared right after it. What the call
 * does is then what a kernel out of memory does. To reach every fault, count N = 1, 2, ... until
 * one is not hit any more, for K = 1, 2, ... until there is no Kth call.
 *
 *	FAIL_CALL	which calls count, a list with commas: set, get (the migration state),
 *			reset, bind, feature (any other), precopy-info, info (of device, region,
 *			IRQ), group (group and container), read, write (data fd)
 *	FAIL_INDEX	K: the Kth of them, from 1; K+: that and all after it
 *	FAIL_NTH	N
 *	FAIL_ERRNO	EIO or the like: the call is not made and fails with it: for what has no
 *			point where the kernel could fail
 *	FAIL_REPORT	a file: gets a line a call, "yes RESULT ERRNO" where a fault was hit, else
 *			"no RESULT ERRNO"; nothing if the call was never made
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uapi/vfio.h"

#define FDS_MAX 1024
#define ERRNO_MAX 4095

static atomic_uint calls;
static atomic_bool data_fds[FDS_MAX];

static bool is_data_fd(int fd)
{
	return fd >= 0 && fd < FDS_MAX && atomic_load(&data_fds[fd]);
}

static bool in_list(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (!strncmp(list, word, n) && (!list[n] || list[n] == ','))
			return true;
	}
	return false;
}

/* Return: this call is to fail. Counts it if it is of the kind. */
static bool chosen(const char *what)
{
	const char *list = getenv("FAIL_CALL"), *index = getenv("FAIL_INDEX");
	unsigned long wanted, at;
	char *end;

	if (!what || !list || !in_list(list, what))
		return false;
	wanted = strtoul(index ? index : "1", &end, 10);
	at = atomic_fetch_add(&calls, 1) + 1;
	return *end == '+' ? at >= wanted : at == wanted;
}

static int errno_of(const char *name)
{
	for (int i = 1; i < ERRNO_MAX; i++) {
		const char *known = strerrorname_np(i);

		if (known && !strcmp(known, name))
			return i;
	}
	abort();
}

static void report(bool hit, long result, int error)
{
	const char *path = getenv("FAIL_REPORT");
	char line[64];
	int fd, n;

	if (!path)
		return;
	n = snprintf(line, sizeof(line), "%s %ld %s\n", hit ? "yes" : "no", result,
		     result < 0 ? strerrorname_np(error) : "-");
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0 || syscall(SYS_write, fd, line, n) != n)
		abort(); /* a test that believes in a fault that was not made is worse */
	syscall(SYS_close, fd);
}

/* Return: of the file, which is the thread's own. */
static int arm(void)
{
	const char *nth = getenv("FAIL_NTH");
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	if (!nth)
		nth = "1";
	if (fd < 0 || syscall(SYS_write, fd, nth, strlen(nth)) < 0)
		abort();
	return fd;
}

/*
 * Reading the file copies to the user, too, and so may be what is hit: then it was not the call.
 * Return: the call was hit.
 */
static bool disarm(int fd)
{
	char left[16] = "";
	bool hit = syscall(SYS_pread64, fd, left, sizeof(left) - 1, 0L) > 0 && atoi(left) == 0;

	/* As may be clearing it; then it is clear by that. */
	if (syscall(SYS_pwrite64, fd, "0", 1, 0L) < 0)
		syscall(SYS_pwrite64, fd, "0", 1, 0L);
	syscall(SYS_close, fd);
	return hit;
}

static long call(const char *what, long number, int fd, long a, long b)
{
	const char *error = getenv("FAIL_ERRNO");
	int saved, nth;
	long r;

	if (!chosen(what))
		return syscall(number, fd, a, b);
	if (error && *error) {
		saved = errno_of(error);
		report(true, -1, saved);
		errno = saved;
		return -1;
	}
	nth = arm();
	r = syscall(number, fd, a, b);
	saved = errno;
	report(disarm(nth), r, saved);
	errno = saved;
	return r;
}

static const char *feature_call(const struct uapi_device_feature *f)
{
	if ((f->flags & 0xffff) != UAPI_FEATURE_MIG_DEVICE_STATE || (f->flags & UAPI_FEATURE_PROBE))
		return "feature";
	return f->flags & UAPI_FEATURE_SET ? "set" : "get";
}

static const char *ioctl_call(unsigned long request, const void *arg)
{
	switch (request) {
	case UAPI_DEVICE_FEATURE:
		return feature_call(arg);
	case UAPI_DEVICE_RESET:
		return "reset";
	case UAPI_DEVICE_BIND_IOMMUFD:
		return "bind";
	case UAPI_MIG_GET_PRECOPY_INFO:
		return "precopy-info";
	case VFIO_DEVICE_GET_INFO:
	case VFIO_DEVICE_GET_REGION_INFO:
	case VFIO_DEVICE_GET_IRQ_INFO:
		return "info";
	case VFIO_GROUP_GET_STATUS:
	case VFIO_GROUP_SET_CONTAINER:
	case VFIO_GROUP_GET_DEVICE_FD:
	case VFIO_GET_API_VERSION:
	case VFIO_CHECK_EXTENSION:
	case VFIO_SET_IOMMU:
		return "group";
	default:
		return NULL;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	const char *what;
	va_list ap;
	void *arg;
	long r;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	what = ioctl_call(request, arg);
	r = call(what, SYS_ioctl, fd, (long)request, (long)arg);
	if (r == 0 && what && !strcmp(what, "set")) {
		const struct uapi_device_feature *f = arg;

		if (f->mig.data_fd >= 0 && f->mig.data_fd < FDS_MAX)
			atomic_store(&data_fds[f->mig.data_fd], true);
	}
	return (int)r;
}

ssize_t read(int fd, void *buf, size_t len)
{
	return call(is_data_fd(fd) ? "read" : NULL, SYS_read, fd, (long)buf, (long)len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return call(is_data_fd(fd) ? "write" : NULL, SYS_write, fd, (long)buf, (long)len);
}

int close(int fd)
{
	if (is_data_fd(fd))
		atomic_store(&data_fds[fd], false);
	return (int)syscall(SYS_close, fd);
}
