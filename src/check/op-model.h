/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Random operations on a device, and what its state machine must make of them
 *
 * Operations follow from a seed. Only SET is judged here: what reads, writes and the rest answer is
 * the driver's, and that they crash nothing is all that is asked. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum op_kind {
	OP_SET, /* the value is the state, mostly one that there is */
	OP_READ, /* so many bytes, from the session that is open */
	OP_WRITE, /* so many bytes of the device's own stream */
	OP_CLOSE, /* of the session's fd */
	OP_PRECOPY_INFO,
	OP_DATA_SIZE,
	OP_RESET,
	OP_NR_KINDS,
};

struct op {
	enum op_kind kind;
	uint32_t value;
};

#define OP_BYTES_MAX 8192u
#define OP_TEXT_MAX 48

/** op_make() - @n operations; two of three are SETs */
void op_make(uint64_t seed, struct op *ops, size_t n);

/** op_text() - "SET stop-copy". Return: @buf. */
char *op_text(const struct op *op, char buf[OP_TEXT_MAX]);

enum op_verdict {
	OP_FINE,
	OP_TOOK_ILLEGAL, /* there is no way, and it was taken */
	OP_MOVED_BY_ILLEGAL, /* refused, and the state is another one */
	OP_NOT_THERE, /* it worked, and GET says another state */
	OP_OFF_PATH, /* it failed, and GET says a state that the path does not have */
};

/**
 * op_judge_set() - one SET
 * @from: GET before it, not ERROR; @after: GET after it; both any number
 * @to: what was asked for
 * @caps: MIG_CAP_* of the device
 * @result: 0, or its errno
 */
enum op_verdict op_judge_set(uint32_t from, uint32_t to, unsigned int caps, int result,
			     uint32_t after);

/**
 * op_may_be_busy() - a SET may say EBUSY or EAGAIN for now, and is made again
 *
 * Where a device that runs is stopped on the way: it may have page requests to answer first. The
 * text names no errno for that; it lets a SET fail, which a device that could not refuse would have
 * to block instead.
 */
bool op_may_be_busy(uint32_t from, uint32_t to, unsigned int caps);

/** op_verdict_text() - "was taken, although there is no such arc" */
const char *op_verdict_text(enum op_verdict verdict);
