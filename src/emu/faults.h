/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Misbehaviour on purpose
 *
 * What --fault says, parsed; and which fault is due. What it then does is the device's business.
 *
 *	[N@]KIND[=WHERE][*TIMES]
 *
 *	fail=FROM:TO:ERRNO	the arc fails, the device stays in FROM
 *	fail=BYTES:ERRNO	reading or writing fails when it gets there
 *	error=FROM:TO		the arc fails, the device is in ERROR
 *	error=STATE		the arc to it succeeds, and then the device is in ERROR
 *	error=BYTES		reading or writing fails when it gets there, the device is in ERROR
 *	stall=FROM:TO		the arc is never answered, the device stays in FROM
 *	stall=BYTES		reading or writing is never answered when it gets there
 *	drain=FROM:TO:DURATION	the arc fails with EBUSY until so long after the first attempt
 *	short-read		reads give less than was asked for
 *	truncate=BYTES		the stream ends there
 *	corrupt=BYTES		this byte of the stream is wrong
 *	die-at=BYTES		the process is gone when reading or writing gets there
 *	refuse-reset=ERRNO	resets fail
 *	garbage[=BYTES]		once so much was read or written, replies are noise
 *
 * BYTES count from the beginning of a session. Without *TIMES a fault never ends; with N@ only the
 * device of that number has it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "emu/quantity.h"
#include "uapi/vfio.h"

#define EMU_FAULTS_MAX 32
#define EMU_FOREVER UINT32_MAX

enum emu_fault_kind {
	FAULT_FAIL_ARC,
	FAULT_FAIL_AT,
	FAULT_ERROR,
	FAULT_ERROR_IN,
	FAULT_ERROR_AT,
	FAULT_STALL_ARC,
	FAULT_STALL_AT,
	FAULT_DRAIN,
	FAULT_SHORT_READ,
	FAULT_TRUNCATE,
	FAULT_CORRUPT,
	FAULT_DIE,
	FAULT_REFUSE_RESET,
	FAULT_GARBAGE,
};

/**
 * struct emu_fault - one --fault, and what is left of it
 * @to: also the state of FAULT_ERROR_IN
 * @code: negative errno
 * @since_ns: of the first attempt at a drain, or 0
 */
struct emu_fault {
	enum emu_fault_kind kind;
	uint32_t device;
	enum mig_state from, to;
	uint64_t at, ns;
	int code;
	uint32_t times;
	uint64_t since_ns;
};

struct emu_faults {
	struct emu_fault list[EMU_FAULTS_MAX];
	size_t n;
};

/** emu_faults_parse() - add what one --fault says. Return: 0, -EINVAL, -ENOSPC. */
_must_check_ int emu_faults_parse(struct emu_faults *f, const char *text, struct err *err);

/** emu_faults_check() - Return: 0, or -EINVAL for an N@ that is none of @n_devices. */
_must_check_ int emu_faults_check(const struct emu_faults *f, uint32_t n_devices, struct err *err);

/**
 * emu_faults_resolve() - give every pair of states its arc
 *
 * Return: 0, or -EINVAL for a way or a state that a device with @caps does not have.
 */
_must_check_ int emu_faults_resolve(struct emu_faults *f, unsigned int caps, struct err *err);

/** emu_faults_of() - those that device number @device has */
void emu_faults_of(const struct emu_faults *all, uint32_t device, struct emu_faults *ret);

/** emu_faults_arc() - the fault of @kind at an arc that is due, or NULL */
struct emu_fault *emu_faults_arc(struct emu_faults *f, enum emu_fault_kind kind,
				 enum mig_state from, enum mig_state to);

/** emu_faults_in() - the fault of @kind in a state that is due, or NULL */
struct emu_fault *emu_faults_in(struct emu_faults *f, enum emu_fault_kind kind,
				enum mig_state state);

/** emu_faults_at() - a fault of @kind at bytes @begin to @end - 1 of the stream, or NULL */
struct emu_fault *emu_faults_at(struct emu_faults *f, enum emu_fault_kind kind, uint64_t begin,
				uint64_t end);

/** emu_faults_any() - a fault of a @kind that is due at all times, or NULL */
struct emu_fault *emu_faults_any(struct emu_faults *f, enum emu_fault_kind kind);

/** emu_fault_used() - one time less. */
void emu_fault_used(struct emu_fault *fault);
