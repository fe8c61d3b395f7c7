/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Processes that lend their devices
 *
 * Another vfiomigctl that holds devices behind a socket sees to it that one client at a time
 * changes them: that socket is the way to them. Such a process is known by its name, and by a
 * socket among its files that listens for packets, which a vfiomigctl has for no other purpose.
 */

#include <sys/types.h>

#include "host/host.h"

/**
 * lender_socket() - where a process lends its devices
 *
 * A path that was relative is completed by the folder that the process is in.
 *
 * Return: the caller's; NULL for one that lends nothing, and where its files cannot be seen.
 */
char *lender_socket(const struct host *host, pid_t pid);

/**
 * lender_parse() - the path of a line of /proc/net/unix
 * @ret_inode: of the socket, as in "socket:[7]"
 *
 * Pure. Return: the path, in @line; NULL for a socket without one, or one that is not of packets
 * or does not listen.
 */
const char *lender_parse(const char *line, unsigned long *ret_inode);
