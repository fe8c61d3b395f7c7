/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A file, a pipe, or the first good sender that connects, as a carrier of a load
 */

#include "base/cancel.h"
#include "engine/load-carrier.h"
#include "engine/load.h"

/** struct load_input - @options: uri or listener, raw and device; the load's */
struct load_input {
	struct load_carrier carrier;
	const struct load_options *options;
	struct listener *listener;
	struct cancel *cancel;
};

/** load_input_init() - takes @options->listener */
void load_input_init(struct load_input *i, const struct load_options *options,
		     struct cancel *cancel);
