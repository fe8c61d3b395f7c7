/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * getaddrinfo() that can be cancelled
 *
 * A name server that does not answer is asked again and again, for half a minute and more. The
 * question is put by a thread of its own, which is left behind when the answer is no longer wanted.
 */

#include <netdb.h>

#include "base/cancel.h"

/**
 * lookup_run() - as getaddrinfo(), for a stream socket and a numeric @port
 * @cancel: NULL where a signal ends the process anyway
 * @ret: for freeaddrinfo()
 * @ret_eai: EAI_* on failure, with errno for EAI_SYSTEM; else 0
 *
 * Return: 0, also when the lookup has failed; -ECANCELED; -EAGAIN, -ENOMEM for no thread.
 */
_must_check_ int lookup_run(const char *host, const char *port, struct cancel *cancel,
			    struct addrinfo **ret, int *ret_eai, struct err *err);
