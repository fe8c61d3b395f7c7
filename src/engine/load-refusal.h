/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a driver means that refuses RESUMING -> STOP
 *
 * By the uAPI this arc is the final check of the state, and its failure a verdict on the image. But
 * drivers fail there for other reasons, too: a resource, a lost parent function, firmware. The same
 * image may then do another time. Pure.
 */

#include "base/err.h"

/** load_refusal_kind() - @driver may be NULL; @code is the arc's negative errno */
enum err_kind load_refusal_kind(const char *driver, int code);
