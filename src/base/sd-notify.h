/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Words to the service manager that runs this process: sd_notify(3)
 *
 * A datagram to the socket that NOTIFY_SOCKET names, a path or an abstract one ("@..."). Without
 * that variable there is no manager, and every function does nothing and returns 0. A manager that
 * does not read is waited for, SD_NOTIFY_WAIT_MS at most. What goes wrong is returned and harms
 * nothing: a caller may log it and go on.
 *
 * What is stored (FDSTORE=1) the manager keeps open when this process ends, and passes it to the
 * next one of the service (base/listen-fds.h). It keeps at most FileDescriptorStoreMax= of them,
 * drops a second one of the same open file, and tells neither; nor does it keep their order.
 */

#include <stdbool.h>

#include "base/err.h"

#define SD_NOTIFY_WAIT_MS 5000

/* As many as one message may carry: the kernel's SCM_MAX_FD. */
#define SD_NOTIFY_FDS_MAX 253u

/** sd_notify_wanted() - there is a manager that wants to hear */
bool sd_notify_wanted(void);

/** sd_notify_ready() - the service has started. @status: as of sd_notify_status(); may be NULL */
int sd_notify_ready(const char *status, struct err *err);

/** sd_notify_status() - what it does, one line for people; a newline in it becomes a space */
int sd_notify_status(const char *status, struct err *err);

/** sd_notify_stopping() - it is about to end */
int sd_notify_stopping(struct err *err);

/**
 * sd_notify_store() - have descriptors kept
 * @name: what they are all called, by fd_name_valid()
 * @fds: @n of them; they stay the caller's
 *
 * The manager does not look whether they have hung up (FDPOLL=0).
 *
 * Return: 0; -EINVAL for a name that is none, for none or too many; what sendmsg() said.
 */
int sd_notify_store(const char *name, const int *fds, unsigned int n, struct err *err);

/** sd_notify_unstore() - have all descriptors of @name closed. */
int sd_notify_unstore(const char *name, struct err *err);

/**
 * sd_notify_send() - any message, lines "KEY=VALUE" with a newline between them
 * @address: of the socket, as in NOTIFY_SOCKET
 * @fds: @n of them to go along; may be NULL
 *
 * Return: 0; -EAFNOSUPPORT for an address of another kind; -ENAMETOOLONG; -ETIMEDOUT; what socket()
 * or sendmsg() said.
 */
int sd_notify_send(const char *address, const char *text, const int *fds, unsigned int n,
		   struct err *err);
