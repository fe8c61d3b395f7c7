/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the other end of a connection speaks, by the first bytes that it says
 *
 * For messages: a peer that was given other options than this end says something, but not what was
 * waited for.
 */

#include <stdbool.h>
#include <stddef.h>

/* As many bytes tell. */
#define SPEECH_MIN 4u

/** speech_name() - "TLS", "an image"; NULL for what is not known, or is too short */
const char *speech_name(const void *start, size_t len);

/** speech_is_tls() - or may be, as far as @len bytes tell */
bool speech_is_tls(const void *start, size_t len);
