/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Sizes, durations, error numbers and arcs as options write them
 *
 * With N@ in front, a value is that of device number N alone.
 */

#include <stdint.h>

#include "base/err.h"
#include "uapi/vfio.h"

#define EMU_EVERY_DEVICE UINT32_MAX

/**
 * emu_parse_device() - the N@ in front of @text
 * @ret_own: what follows it, or all of @text without one
 *
 * Return: 0 with a number or EMU_EVERY_DEVICE in @ret, or -EINVAL.
 */
_must_check_ int emu_parse_device(const char *text, uint32_t *ret, const char **ret_own,
				  struct err *err);

/** emu_check_device() - Return: 0, or -EINVAL for one that is not among @n_devices. */
_must_check_ int emu_check_device(uint32_t device, uint32_t n_devices, struct err *err);

/** emu_parse_size() - as parse_bytes(), with the words for a failure. */
_must_check_ int emu_parse_size(const char *text, uint64_t max, uint64_t *ret, struct err *err);

/** emu_parse_duration() - as parse_duration(), up to a day, with the words for a failure. */
_must_check_ int emu_parse_duration(const char *text, uint64_t *ret_ns, struct err *err);

/** emu_parse_errno() - "EIO". Return: 0 with a negative errno in @ret, or -EINVAL. */
_must_check_ int emu_parse_errno(const char *text, int *ret, struct err *err);

/** emu_parse_arc() - "running:stop". Return: 0, or -EINVAL. */
_must_check_ int emu_parse_arc(const char *text, enum mig_state *from, enum mig_state *to,
			       struct err *err);

/** emu_parse_caps() - "p2p,pre-copy"; stop-copy is always among them. Return: 0, or -EINVAL. */
_must_check_ int emu_parse_caps(const char *text, unsigned int *ret, struct err *err);

/**
 * emu_last_arc() - the arc that a pair of states stands for
 *
 * Itself where it is one; else the last one on the way: with P2P, running:stop is
 * running-p2p:stop.
 *
 * Return: 0, or -EINVAL where there is no way.
 */
_must_check_ int emu_last_arc(enum mig_state *from, enum mig_state to, unsigned int caps,
			      struct err *err);
