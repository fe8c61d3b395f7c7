/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices over a socket to another process, which holds them from then on
 *
 * The protocol is that of device/hold-message.h, its request "give". What this process may do
 * afterwards, engine/successor.h decides.
 */

#include "base/cancel.h"
#include "device/device.h"
#include "engine/successor.h"

/**
 * give_devices() - one after the other, up to the first that is not taken
 * @devs: @n open devices of the kernel; they stay open, whatever comes of it
 * @timeout_ms: how long the receiver may be silent
 * @ret: how far they have come together
 *
 * Return: 0, with SUCCESSOR_TOOK; what failed. @ret is set in any case.
 */
_must_check_ int give_devices(const char *path, struct device *const *devs, unsigned int n,
			      struct cancel *cancel, int timeout_ms, enum successor_stage *ret,
			      struct err *err);
