/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kinds of input are to input.c: each embeds struct input and fills a table
 */

#include "transport/input.h"

struct input_ops {
	/** @read: As input_read(). */
	ssize_t (*read)(struct input *in, void *buf, size_t len, struct err *err);

	/** @seek, @read_at: As input_seek(), input_read_at(); of an input that is rewindable. */
	int (*seek)(struct input *in, uint64_t at, struct err *err);
	ssize_t (*read_at)(struct input *in, void *buf, size_t len, uint64_t at, struct err *err);

	/** @answer: As input_answer(). Optional: without, no sender is told. */
	int (*answer)(struct input *in, const void *buf, size_t len, struct err *err);

	/** @free: Release all but @in->name. Cannot fail. */
	void (*free)(struct input *in);
};

/**
 * struct input
 * @rewindable: it can be read twice
 * @ends: it has an end of its own, see input_ends()
 * @carried: see input_is_carried()
 */
struct input {
	const struct input_ops *ops;
	char *name;
	bool rewindable, ends, carried;
};

/** input_name_it() - what messages call it: a copy of @name */
_must_check_ int input_name_it(struct input *in, const char *name, struct err *err);

/* The kinds, one file each. */
_must_check_ int input_command_open(const struct uri *uri, struct cancel *cancel,
				    struct input **ret, struct err *err);
_must_check_ int input_fd_open(const struct uri *uri, struct cancel *cancel, struct input **ret,
			       struct err *err);
