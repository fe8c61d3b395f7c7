// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/trace.h"
#include "device/call.h"
#include "device/call-fields.h"

static void call_add(struct trace_record *r, const char *name, enum trace_how how, bool out,
		     uint64_t n)
{
	const struct trace_field f = { .name = name, .how = how, .out = out, .n = n };

	trace_add(r, &f);
}

static void call_end(struct trace_record *r, int64_t result)
{
	trace_end(r, result, result < 0 ? errno : 0);
}

int call_ioctl(int fd, unsigned long request, void *arg)
{
	struct trace_record r;
	int result;

	if (!trace_wanted())
		return ioctl(fd, request, arg);
	trace_begin(&r, "ioctl", call_fields_name(request), fd);
	r.code = request;
	call_fields_request(&r, request, arg, CALL_ASKED);
	result = ioctl(fd, request, arg);
	if (result >= 0)
		call_fields_request(&r, request, arg, CALL_ANSWERED);
	call_end(&r, result);
	return result;
}

ssize_t call_read(int fd, void *buf, size_t len)
{
	struct trace_record r;
	ssize_t n;

	if (!trace_wanted())
		return read(fd, buf, len);
	trace_begin(&r, "read", NULL, fd);
	call_add(&r, "bytes", TRACE_NUMBER, false, len);
	n = read(fd, buf, len);
	call_end(&r, n);
	return n;
}

ssize_t call_write(int fd, const void *buf, size_t len)
{
	struct trace_record r;
	ssize_t n;

	if (!trace_wanted())
		return write(fd, buf, len);
	trace_begin(&r, "write", NULL, fd);
	call_add(&r, "bytes", TRACE_NUMBER, false, len);
	n = write(fd, buf, len);
	call_end(&r, n);
	return n;
}

static void call_begin_region(struct trace_record *r, const char *call, int fd, const char *reg,
			      size_t len, uint64_t at)
{
	trace_begin(r, call, reg, fd);
	call_add(r, "offset", TRACE_HEX, false, at);
	call_add(r, "bytes", TRACE_NUMBER, false, len);
}

static void call_add_value(struct trace_record *r, const char *reg, const void *buf, size_t len,
			   bool out)
{
	uint64_t value = 0;

	if (!reg || len > sizeof(value))
		return;
	memcpy(&value, buf, len); /* the host's byte order, which v1 has, too: low bytes first */
	call_add(r, "value", TRACE_HEX, out, value);
}

ssize_t call_pread(int fd, const char *reg, void *buf, size_t len, uint64_t at)
{
	struct trace_record r;
	ssize_t n;

	if (!trace_wanted())
		return pread(fd, buf, len, (off_t)at);
	call_begin_region(&r, "pread", fd, reg, len, at);
	n = pread(fd, buf, len, (off_t)at);
	if (n == (ssize_t)len)
		call_add_value(&r, reg, buf, len, true);
	call_end(&r, n);
	return n;
}

ssize_t call_pwrite(int fd, const char *reg, const void *buf, size_t len, uint64_t at)
{
	struct trace_record r;
	ssize_t n;

	if (!trace_wanted())
		return pwrite(fd, buf, len, (off_t)at);
	call_begin_region(&r, "pwrite", fd, reg, len, at);
	call_add_value(&r, reg, buf, len, false);
	n = pwrite(fd, buf, len, (off_t)at);
	call_end(&r, n);
	return n;
}

static void call_copy(const char *call, int fd, void *to, const void *from, size_t len, uint64_t at)
{
	struct trace_record r;

	if (!trace_wanted()) {
		memcpy(to, from, len);
		return;
	}
	call_begin_region(&r, call, fd, NULL, len, at);
	memcpy(to, from, len);
	trace_end(&r, (int64_t)len, 0);
}

void call_load(int fd, void *to, const void *from, size_t len, uint64_t at)
{
	call_copy("load", fd, to, from, len, at);
}

void call_store(int fd, void *to, const void *from, size_t len, uint64_t at)
{
	call_copy("store", fd, to, from, len, at);
}
