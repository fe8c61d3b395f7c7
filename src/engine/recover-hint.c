// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "engine/recover-hint.h"

bool recover_hint_asks(enum wire_role role, enum wire_phase phase, const char *peer)
{
	static const bool waits[][WIRE_NR_PHASES] = {
		[WIRE_SOURCE] = { [WIRE_PHASE_COMMITTED] = true },
		[WIRE_DESTINATION] = { [WIRE_PHASE_PREPARED] = true, [WIRE_PHASE_BUSY] = true },
	};

	return !peer && waits[role][phase];
}

static bool recover_hint_is_plain(const char *text)
{
	const size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%");

	return n && !text[n];
}

/* It ends what is quoted, comes by itself, and begins it again. */
#define RECOVER_HINT_QUOTE "'\\''"

char *recover_hint_word(char buf[RECOVER_HINT_WORD_MAX], const char *text, const char *else_word)
{
	const char *const mark = recover_hint_is_plain(text) ? "" : "'";
	size_t n = (size_t)snprintf(buf, RECOVER_HINT_WORD_MAX, "%s", mark);

	for (const char *c = text; *c; c++) {
		const bool shown = (unsigned char)*c >= ' ' && *c != '\x7f';

		if (!shown || n + sizeof(RECOVER_HINT_QUOTE "'") > RECOVER_HINT_WORD_MAX) {
			snprintf(buf, RECOVER_HINT_WORD_MAX, "%s", else_word);
			return buf;
		}
		n += (size_t)snprintf(buf + n, RECOVER_HINT_WORD_MAX - n,
				      *c == '\'' ? RECOVER_HINT_QUOTE : "%c", *c);
	}
	snprintf(buf + n, RECOVER_HINT_WORD_MAX - n, "%s", mark);
	return buf;
}

/* "vfiomigctl recover", with the folder where that has to be named. */
static int recover_hint_begin(char buf[RECOVER_HINT_MAX], const struct journal *j)
{
	const char *dir = j ? journal_named_dir(j) : NULL;
	char word[RECOVER_HINT_WORD_MAX];

	return snprintf(buf, RECOVER_HINT_MAX, "vfiomigctl recover%s%s", dir ? " --state-dir=" : "",
			dir ? recover_hint_word(word, dir, "DIR") : "");
}

char *recover_hint_command(char buf[RECOVER_HINT_MAX], const struct journal *j, bool asks,
			   const char *txid)
{
	const int n = recover_hint_begin(buf, j);

	snprintf(buf + n, RECOVER_HINT_MAX - (size_t)n, "%s %s", asks ? " --peer=URI" : "", txid);
	return buf;
}

char *recover_hint_serve(char buf[RECOVER_HINT_MAX], const struct journal *j)
{
	const int n = recover_hint_begin(buf, j);

	snprintf(buf + n, RECOVER_HINT_MAX - (size_t)n, " --serve=URI");
	return buf;
}
