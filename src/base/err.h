/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Errors
 *
 * A function that can fail returns 0 or a negative errno. The errno is what the system said;
 * struct err, always the last parameter, has the context: what was being done, and to what.
 * Positive returns are not errors but outcomes that the direct caller must handle (end of
 * stream, nothing pending); each is named beside its function.
 *
 * Below src/cmd/ nothing prints and nothing exits.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>

#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _must_check_ __attribute__((warn_unused_result))

/*
 * Kinds of failure. The values are the exit statuses of vfiomigctl(8), a promise to scripts:
 * the worse, the larger, so that fan-out tools that keep the largest keep the worst.
 */
enum err_kind {
	ERR_UNSPEC = 0, /* not classified: err_status() goes by the errno */
	ERR_NONCONFORMING = 1, /* `verify` or `doctor` says no */
	ERR_USAGE = 64,
	ERR_IMAGE = 65, /* not an image, damaged, or of another device */
	ERR_MISSING = 66, /* no such device or input file */
	ERR_UNSUPPORTED = 69, /* the device or its driver cannot do it */
	ERR_BUG = 70,
	ERR_SYSTEM = 71,
	ERR_OUTPUT = 73, /* the output cannot be created */
	ERR_IO = 74, /* reading or writing failed half-way */
	ERR_ABORTED = 75, /* stopped half-way; the source runs, trying again is safe */
	ERR_PEER = 76, /* the peer broke the protocol; a vfio-user server fell silent */
	ERR_PERMISSION = 77,
	ERR_CONFIG = 78, /* the configuration forbids it: TCP without protection, credentials */
	ERR_IN_DOUBT = 80, /* whether this end or the peer owns the state is unknown */
	ERR_DEVICE = 81, /* the device is in ERROR or not where it should be */
};

/**
 * struct err - why a call failed
 * @code: negative errno, 0 while nothing failed
 * @system: @code is what a system call said
 * @kind: what it means for the caller of the program: its exit status
 * @text: "outer: inner", without strerror and without newline
 * @note: what became of the thing that it happened to ("the device is in running again"), or empty
 * @hint: what to do about it, an instruction, or empty
 *
 * Fixed size: recording a failure cannot fail. Never shared between threads.
 */
struct err {
	int code;
	enum err_kind kind;
	bool system;
	char text[512];
	char note[512];
	char hint[512];
};

/** err_record() - record a new failure, the way err_set() and err_fail() do. Return: @code. */
int err_record(struct err *e, enum err_kind kind, int code, bool system, const char *fmt, ...)
	_printf_(5, 6);

/* A constant was chosen by us; but malloc() says no more than NULL. */
#define ERR_SYSTEM_SAID(code) \
	__builtin_choose_expr(__builtin_constant_p(code), (code) == -ENOMEM, true)

/**
 * err_set() - record a new failure, its kind left to the errno
 * @e: where to, may be NULL
 * @code: negative errno: -errno or a variable if a system call said so, else a constant
 *
 * Return: @code, so that a failing function ends in one line.
 */
#define err_set(e, code, ...) err_fail(e, ERR_UNSPEC, code, __VA_ARGS__)

/** err_fail() - record a new failure of a kind. Return: @code. */
#define err_fail(e, kind, code, ...) err_record(e, kind, code, ERR_SYSTEM_SAID(code), __VA_ARGS__)

/** err_prefix() - say what the caller was doing when @code came up. Return: @code. */
int err_prefix(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);

/** err_classify() - set the kind of a failure that has none yet. Return: @code. */
int err_classify(struct err *e, enum err_kind kind, int code);

/** err_note() - say what became of the thing that it happened to. Return: @code. */
int err_note(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);

/** err_hint() - say what to do about the failure. Return: @code. */
int err_hint(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);

/** err_status() - the exit status for a failure: its kind, or what its errno suggests. */
int err_status(const struct err *e);

/** err_denied() - ERR_PERMISSION if @code says that the caller may not, else @kind. */
enum err_kind err_denied(int code, enum err_kind kind);

/* Large enough for err_reason(). */
#define ERR_REASON_MAX 96

/** err_reason() - ": No space left on device (ENOSPC)"; "" where no call failed. Return: @buf. */
char *err_reason(const struct err *e, char buf[ERR_REASON_MAX]);

/* Large enough for err_story(). */
#define ERR_STORY_MAX (sizeof(struct err) + ERR_REASON_MAX)

/** err_story() - all there is to say: "text: reason (ERRNO); note; hint". Return: @buf. */
char *err_story(const struct err *e, char buf[ERR_STORY_MAX]);

/** err_name() - "EINVAL" for -EINVAL; never NULL. */
const char *err_name(int code);
