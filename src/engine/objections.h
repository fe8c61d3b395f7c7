/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a target of a driver will object to in a stream
 *
 * A driver that refuses a state says EFAULT or EINVAL, and the reason at most to the kernel's log.
 * Here is what each one compares, read from its source, asked of what two streams say, or of a
 * stream and what is known of the target otherwise. For information alone: the target judges.
 *
 * Pure.
 */

#include "decode/decode.h"

enum objection_verdict {
	OBJECTION_NONE, /* the target takes this value */
	OBJECTION_REFUSED,
	OBJECTION_CANNOT_TELL, /* the target's own value is not known */
	OBJECTION_NR_VERDICTS
};

/**
 * struct objection - one thing that a target compares
 * @saved, @here: the values; @here where @here_known
 * @code: the positive errno with which writing the stream fails then
 */
struct objection {
	enum decode_fact fact;
	enum objection_verdict verdict;
	uint64_t saved, here;
	bool here_known;
	int code;
};

/**
 * struct objection_target - what is known of it
 * @stream: the result of its own stream, or of the beginning of that; NULL for none
 * @has_device_id, @device_id: of its PCI function
 */
struct objection_target {
	const struct decode_result *stream;
	bool has_device_id;
	uint16_t device_id;
};

typedef void objection_fn(void *ctx, const struct objection *o);

/**
 * objections_find() - call @fn for each value that targets of the driver compare, in order
 * @saved: of the stream that is to be loaded
 *
 * Return: how many; 0 where a target compares nothing of the stream, or nothing that it has.
 */
unsigned int objections_find(const struct decode_result *saved,
			     const struct objection_target *target, objection_fn *fn, void *ctx);
