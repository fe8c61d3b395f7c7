/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kinds of channel are to channel.c: each embeds struct channel and fills a table
 *
 * All but @free are as the functions of transport/channel.h that have their names.
 */

#include "transport/channel.h"

struct channel_ops {
	ssize_t (*read)(struct channel *c, void *buf, size_t len, struct err *err);
	ssize_t (*read_now)(struct channel *c, void *buf, size_t len, struct err *err);
	int (*write)(struct channel *c, const void *buf, size_t len, struct err *err);
	int (*write_now)(struct channel *c, const void *buf, size_t len, struct err *err);
	int (*finish)(struct channel *c, struct err *err);
	bool (*has_more)(const struct channel *c);
	bool (*is_gone)(const struct channel *c);
	int (*fd)(const struct channel *c);

	/** @free: Release all but @c->name. Cannot fail. */
	void (*free)(struct channel *c);
};

struct channel {
	const struct channel_ops *ops;
	char *name;
};

/** channel_name_it() - what messages call it: a copy of @name */
_must_check_ int channel_name_it(struct channel *c, const char *name, struct err *err);

/* The kinds with pipes: standard input and output, which are taken, and a command. */
_must_check_ int channel_stdio_open(const struct peer_options *opts, struct cancel *cancel,
				    struct channel **ret, struct err *err);
_must_check_ int channel_command_open(const struct uri *uri, const struct peer_options *opts,
				      struct cancel *cancel, struct channel **ret, struct err *err);
