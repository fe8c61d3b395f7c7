/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What is said to drivers and servers, call by call
 *
 * The calls are made by threads whose device may be stopped, so that nothing here may hold them up.
 * A record has a fixed size and goes into a ring; one thread, which does nothing else, makes lines
 * of them and writes them. Where the ring is full, since the reader or the disk is too slow,
 * records are dropped, and a line in their place says how many. A failed write ends the trace with
 * a warning, and nothing else.
 *
 * Records hold numbers and words of the protocol. What a device's stream or memory holds never gets
 * into one: there is no field that could carry it.
 *
 * A child of fork() is not traced. Where one is to be, trace_finish() ends the writer before, and
 * trace_go_on() is for both processes.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum trace_format {
	TRACE_AUTO, /* JSON for a FILE whose name ends in .json, else text */
	TRACE_TEXT,
	TRACE_JSON,
};

enum trace_how {
	TRACE_NUMBER,
	TRACE_SIGNED, /* a descriptor, which may be -1 */
	TRACE_HEX, /* flags, addresses */
	TRACE_WORD,
};

/**
 * struct trace_field - an argument, or a part of one
 * @name, @word: never freed
 * @out: it was the answer
 */
struct trace_field {
	const char *name;
	enum trace_how how;
	bool out;
	uint64_t n;
	const char *word;
};

#define TRACE_FIELDS_MAX 10
#define TRACE_DEVICE_MAX 64

/**
 * struct trace_record - one call, or one message
 * @call: "ioctl", "read", "command", "reply"
 * @what: the ioctl's or command's name, or NULL; never freed
 * @code: of an ioctl, whatever its name; 0 for none
 * @fd, @device: by which it went, and of what that is; "" where it has no name
 * @wall_ns, @at_ns, @ns: when it began, by the wall's clock and the monotonic one; how long it took
 * @result, @error: what came back; a positive errno, or 0
 * @dropped: so many records before this one found no room
 */
struct trace_record {
	const char *call, *what;
	unsigned long code;
	int fd;
	pid_t thread;
	char device[TRACE_DEVICE_MAX];
	uint64_t wall_ns, at_ns, ns;
	int64_t result;
	int error;
	uint64_t dropped;
	size_t n;
	struct trace_field fields[TRACE_FIELDS_MAX];
};

/* Of trace.c alone; here so that a trace that is off costs one load and one branch. */
extern atomic_bool trace_is_on;

/** trace_wanted() - whether records go anywhere; may become false at any time */
static inline bool trace_wanted(void)
{
	return atomic_load_explicit(&trace_is_on, memory_order_relaxed);
}

/** trace_begin() - a call is about to be made; for a caller that trace_wanted(). */
void trace_begin(struct trace_record *r, const char *call, const char *what, int fd);

/** trace_add() - one more field; those that have no room are left out. */
void trace_add(struct trace_record *r, const struct trace_field *field);

/** trace_end() - the call has ended. Never waits. Leaves errno alone. */
void trace_end(struct trace_record *r, int64_t result, int error);

/** trace_name() - what records of @fd are to call its device; NULL once @fd is closed. */
void trace_name(int fd, const char *device);

/**
 * trace_open() - begin to trace, once in a process
 * @to: a path, "-" for standard error, or "fd:N"; never freed
 * @command: what the first line says is traced; never freed
 *
 * A file that is neither empty nor a trace is not overwritten, and no device is opened.
 *
 * Return: 0; negative errno (ERR_OUTPUT, ERR_USAGE).
 */
_must_check_ int trace_open(const char *to, enum trace_format format, const char *command,
			    struct err *err);

/**
 * trace_go_on() - trace again after trace_finish(), in this process or in a child of fork()
 *
 * Nothing where nothing was traced, where the trace has failed, or where its reader has stopped.
 */
void trace_go_on(void);

/**
 * trace_finish() - write what is left, waiting @timeout_ms at most
 *
 * What did not get out by then is lost, which a warning says. Nothing is traced afterwards, and
 * there is no writer any more, unless it still waits for its reader.
 */
void trace_finish(int timeout_ms);
