// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdio.h>

#include "base/macros.h"
#include "check/op-model.h"
#include "fsm/fsm.h"

/* splitmix64 */
static uint64_t op_model_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Eight of nine are states, ERROR among them. */
static uint32_t op_model_target(uint64_t *seed)
{
	static const uint32_t others[] = { 8, 9, 0x80000000, UINT32_MAX };
	uint64_t r = op_model_random(seed);

	if (r % 9 < MIG_NR_STATES)
		return (uint32_t)(r % 9);
	return others[(r >> 32) % ARRAY_SIZE(others)];
}

void op_make(uint64_t seed, struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t r = op_model_random(&seed);

		ops[i].kind = r % 3 ? OP_SET : (enum op_kind)((r >> 32) % OP_NR_KINDS);
		ops[i].value = ops[i].kind == OP_SET
				       ? op_model_target(&seed)
				       : (uint32_t)(op_model_random(&seed) % OP_BYTES_MAX);
	}
}

char *op_text(const struct op *op, char buf[OP_TEXT_MAX])
{
	static const char *const names[] = {
		[OP_READ] = "read of",
		[OP_WRITE] = "write of",
		[OP_CLOSE] = "close",
		[OP_PRECOPY_INFO] = "PRECOPY_INFO",
		[OP_DATA_SIZE] = "GET MIG_DATA_SIZE",
		[OP_RESET] = "reset",
	};

	if (op->kind == OP_SET && op->value < MIG_NR_STATES)
		snprintf(buf, OP_TEXT_MAX, "SET %s", fsm_name((enum mig_state)op->value));
	else if (op->kind == OP_SET)
		snprintf(buf, OP_TEXT_MAX, "SET %u", op->value);
	else if (op->kind == OP_READ || op->kind == OP_WRITE)
		snprintf(buf, OP_TEXT_MAX, "%s %u bytes", names[op->kind], op->value);
	else
		snprintf(buf, OP_TEXT_MAX, "%s", names[op->kind]);
	return buf;
}

static bool op_model_legal(uint32_t from, uint32_t to, unsigned int caps)
{
	return to != MIG_ERROR && to < MIG_NR_STATES && from < MIG_NR_STATES &&
	       fsm_next((enum mig_state)from, (enum mig_state)to, caps) != MIG_ERROR;
}

/* Whether the way from @from to @to, which there is, has @state. */
static bool op_model_on_path(uint32_t from, uint32_t to, unsigned int caps, uint32_t state)
{
	enum mig_state at = (enum mig_state)from;

	for (unsigned int i = 0; i <= FSM_ARCS_MAX; i++) {
		if (at == state)
			return true;
		if (at == to || at == MIG_ERROR)
			return false;
		at = fsm_next(at, (enum mig_state)to, caps);
	}
	return false;
}

enum op_verdict op_judge_set(uint32_t from, uint32_t to, unsigned int caps, int result,
			     uint32_t after)
{
	/* The text does not say what a SET of the present state is. */
	if (from == to)
		return after == from ? OP_FINE : OP_NOT_THERE;
	if (!op_model_legal(from, to, caps)) {
		if (result >= 0)
			return OP_TOOK_ILLEGAL;
		return after == from || after == MIG_ERROR ? OP_FINE : OP_MOVED_BY_ILLEGAL;
	}
	if (result >= 0)
		return after == to ? OP_FINE : OP_NOT_THERE;
	return after == MIG_ERROR || op_model_on_path(from, to, caps, after) ? OP_FINE
									     : OP_OFF_PATH;
}

bool op_may_be_busy(uint32_t from, uint32_t to, unsigned int caps)
{
	enum mig_state at = (enum mig_state)from;

	for (unsigned int i = 0; op_model_legal(at, to, caps) && at != to && i < FSM_ARCS_MAX;
	     i++) {
		enum mig_state next = fsm_next(at, (enum mig_state)to, caps);

		if (fsm_runs(at) && !fsm_runs(next))
			return true;
		at = next;
	}
	return false;
}

const char *op_verdict_text(enum op_verdict verdict)
{
	switch (verdict) {
	case OP_FINE:
		return "as it should be";
	case OP_TOOK_ILLEGAL:
		return "was taken, although there is no such way";
	case OP_MOVED_BY_ILLEGAL:
		return "was refused, and changed the state";
	case OP_NOT_THERE:
		return "worked, and the device is in another state";
	case OP_OFF_PATH:
		return "failed, and left the device off the path";
	}
	return "is of no kind";
}
