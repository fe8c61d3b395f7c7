/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Calls to a device's driver
 *
 * Each is the system call of its name, made once, errno and all. They go through here, and nowhere
 * else, so that a trace (base/trace.h) has every one of them.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** call_ioctl() - @arg: of the request's type; or a number, of those that take one */
int call_ioctl(int fd, unsigned long request, void *arg);

/** call_read(), call_write() - of a data fd */
ssize_t call_read(int fd, void *buf, size_t len);
ssize_t call_write(int fd, const void *buf, size_t len);

/**
 * call_pread(), call_pwrite() - of a region
 * @reg: what the protocol calls the register, whose value a trace then shows; NULL for all else
 */
ssize_t call_pread(int fd, const char *reg, void *buf, size_t len, uint64_t at);
ssize_t call_pwrite(int fd, const char *reg, const void *buf, size_t len, uint64_t at);

/** call_load(), call_store() - memcpy() from or to a region that is mapped, at @at in it */
void call_load(int fd, void *to, const void *from, size_t len, uint64_t at);
void call_store(int fd, void *to, const void *from, size_t len, uint64_t at);
