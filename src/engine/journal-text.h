/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The text of the journal's files
 *
 *	vfiomigctl journal 1
 *	{ JSON, on any number of lines }
 *	checksum 0123456789abcdef
 *
 * The number in the first line is the version; a reader refuses others. The checksum is XXH3-64,
 * seed 0, over all that is before its line: a file that was cut, damaged or edited is not believed.
 * Keys that are not known are ignored. Strings keep their bytes, printable or not.
 *
 * Pure: bytes in, bytes out.
 */

#include "engine/journal.h"

/* The largest file; checked before anything is read or allocated. */
#define JOURNAL_TEXT_MAX (4u << 20)

/* Of one string, without the NUL. */
#define JOURNAL_STRING_MAX 4096u

/**
 * journal_text_encode() - a record
 * @ret: NUL-terminated behind its @ret_len bytes; the caller's
 *
 * Return: 0, -E2BIG for a record that no reader would accept, -ENOMEM.
 */
_must_check_ int journal_text_encode(const struct journal_record *r, char **ret, size_t *ret_len,
				     struct err *err);

/**
 * journal_text_decode() - from untrusted text
 * @ret: for journal_record_done(); untouched on failure
 *
 * Return: 0, -EBADMSG (ERR_IMAGE), -ENOMEM.
 */
_must_check_ int journal_text_decode(const char *text, size_t len, struct journal_record *ret,
				     struct err *err);

/** journal_text_encode_id() - the folder's own id */
_must_check_ int journal_text_encode_id(const uint8_t id[WIRE_ID_SIZE], char **ret, size_t *ret_len,
					struct err *err);
_must_check_ int journal_text_decode_id(const char *text, size_t len, uint8_t ret[WIRE_ID_SIZE],
					struct err *err);

/** journal_text_encode_number() - the last generation that was given */
_must_check_ int journal_text_encode_number(uint64_t n, char **ret, size_t *ret_len,
					    struct err *err);
_must_check_ int journal_text_decode_number(const char *text, size_t len, uint64_t *ret,
					    struct err *err);

/** journal_role_name() - "source", "destination" */
const char *journal_role_name(enum wire_role role);
