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

#include "base/err.h"

/* As many bytes tell. */
#define SPEECH_MIN 4u

/** speech_name() - "TLS", "an image"; NULL for what is not known, or is too short */
const char *speech_name(const void *start, size_t len);

/**
 * speech_check() - what has come is not what was waited for: is it something that has a name?
 * @own: the SPEECH_MIN bytes that were waited for
 *
 * Return: 0 when it is not, or begins as @own; -EPROTO that says what it is: ERR_CONFIG for TLS,
 * which this end could speak, too, else ERR_PEER.
 */
int speech_check(const char *own, const void *start, size_t len, struct err *err);

/**
 * speech_check_text() - the same for a line of text, as a login script or a banner of ssh(1) writes
 *
 * Return: 0 when it is none; -EPROTO (ERR_PEER) that quotes it.
 */
int speech_check_text(const void *start, size_t len, struct err *err);

/** speech_is_tls() - or may be, as far as @len bytes tell */
bool speech_is_tls(const void *start, size_t len);
