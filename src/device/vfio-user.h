/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices that live in a process: vfio-user over a UNIX socket
 *
 * libvfio-user refuses much while a device is in STOP or STOP_COPY, so what can be known of a
 * device is asked when it is opened. A disconnect leaves the state as it is, and with servers of
 * 2026 and later so does a reset: whatever state is found must be lived with.
 */

#include "device/backend.h"

/** vfio_user_check() - what vfio_user_open() is going to refuse, without connecting */
_must_check_ int vfio_user_check(const char *path, const char *name, struct err *err);

/**
 * vfio_user_open() - connect to the server at @path
 * @timeout_ms: for each reply
 * @cancel: ends this, and mig_query() later, if set; not looked at after that, unless @only_asks
 * @only_asks: nothing is going to be done to the device
 */
_must_check_ int vfio_user_open(const char *path, const char *name, int timeout_ms,
				struct cancel *cancel, bool only_asks, struct mig_dev **ret,
				struct err *err);

struct vfu_client;

/** vfio_user_client() - of a device that vfio_user_open() has given; the device's */
struct vfu_client *vfio_user_client(struct mig_dev *dev);
