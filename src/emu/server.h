/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The sockets of all devices, in one thread
 */

#include "emu/options.h"

/**
 * emu_serve() - until a signal says that it is enough
 *
 * That are SIGTERM, SIGINT and SIGHUP. SIGUSR1 has the next reply that is held back by a delay sent
 * at once: the devices' clock leaves the time out. All four must be blocked.
 *
 * Return: 0, or negative errno.
 */
_must_check_ int emu_serve(const struct emu_options *o, struct err *err);
