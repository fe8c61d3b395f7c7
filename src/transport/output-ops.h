/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kinds of output are to output.c: each embeds struct output and fills a table
 */

#include "transport/output.h"

struct output_ops {
	/** @write: All of @len bytes, or a failure. */
	int (*write)(struct output *out, const void *buf, size_t len, struct err *err);

	/** @finish: As output_finish(). Optional. */
	int (*finish)(struct output *out, struct err *err);

	/** @answer: As output_answer(). Optional: without, no receiver answers. */
	int (*answer)(struct output *out, void *buf, size_t len, struct err *err);

	/** @denies: As output_denies(). Optional. */
	bool (*denies)(const struct output *out);

	/** @publish: As output_publish(). Optional. */
	int (*publish)(struct output *out, struct err *err);

	/**
	 * @free: Release all but @out->name. What was not published leaves nothing behind. Cannot
	 * fail.
	 */
	void (*free)(struct output *out);
};

/** struct output - @has_reader: see output_has_reader() */
struct output {
	const struct output_ops *ops;
	char *name;
	bool has_reader;
};

/** output_name_it() - what messages call it: a copy of @name */
_must_check_ int output_name_it(struct output *out, const char *name, struct err *err);

/**
 * output_sync() - a failed fsync() has dropped the pages: it can only be believed, not repeated.
 */
_must_check_ int output_sync(int fd, const char *name, struct err *err);

/* The kinds, one file each. Until they return 0 nothing is there that output_free() would miss. */
_must_check_ int output_file_open(const struct uri *uri, bool force, struct output **ret,
				  struct err *err);
bool output_file_room(const char *path, uint64_t *ret);
_must_check_ int output_command_open(const struct uri *uri, struct cancel *cancel,
				     struct output **ret, struct err *err);
_must_check_ int output_fd_open(const struct uri *uri, struct cancel *cancel, struct output **ret,
				struct err *err);
