/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The commands by which a user brings a transaction to its end, as they can be run
 *
 * A source's record has the address of its destination, if that has one. A destination's has none:
 * what has to hear the source's word is told where, and something answers there. URI stays for the
 * user to fill in, since none but the user knows a way between both ends.
 */

#include <stdbool.h>

#include "engine/journal.h"

/* Two commands, one of them with a folder, fit into a hint. */
#define RECOVER_HINT_WORD_MAX 256u
#define RECOVER_HINT_MAX (RECOVER_HINT_WORD_MAX + 128u)

/**
 * recover_hint_word() - @text as one word of a shell, in quotes where it needs them
 * @else_word: for one that is too long, or has what does not survive being shown
 *
 * Return: @buf
 */
char *recover_hint_word(char buf[RECOVER_HINT_WORD_MAX], const char *text, const char *else_word);

/**
 * recover_hint_asks() - the record of that end does not say where the other one is asked
 * @peer: the record's; NULL for none
 *
 * Return: whether its recover has to ask, and has to be told where.
 */
bool recover_hint_asks(enum wire_role role, enum wire_phase phase, const char *peer);

/**
 * recover_hint_command() - "vfiomigctl recover --state-dir=/var/x --peer=URI 3f2a..."
 * @j: of this end, of which a folder that is not the user's default one is named; NULL for the
 *	other end's, which is not known here. "DIR" is one that recover_hint_word() cannot say
 * @asks: it has to be told where the other end answers
 *
 * Return: @buf.
 */
char *recover_hint_command(char buf[RECOVER_HINT_MAX], const struct journal *j, bool asks,
			   const char *txid);

/** recover_hint_serve() - "vfiomigctl recover --serve=URI", likewise. Return: @buf. */
char *recover_hint_serve(char buf[RECOVER_HINT_MAX], const struct journal *j);
