// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "engine/kept.h"

int kept_watch(struct device *const *devs, unsigned int n, int *ret, struct err *err)
{
	_cleanup_fd_ int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll < 0)
		return err_set(err, -errno, "epoll");
	for (unsigned int i = 0; i < n; i++) {
		int fd = device_owner_pidfd(devs[i]);

		if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST)
			return err_set(err, -errno, "epoll");
	}
	*ret = TAKE_FD(epoll);
	return 0;
}

int kept_check(struct device *const *devs, unsigned int n, struct err *err)
{
	for (unsigned int i = 0; i < n; i++) {
		int r = device_check_kept(devs[i], err);

		if (r >= 0)
			continue;
		err_classify(err, ERR_ABORTED, r);
		return r;
	}
	return 0;
}
