/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What clang's analyzer cannot see
 *
 * It looks at one file at a time, and there err_set() and its like could return anything. Tell it
 * that a function which ends in one of them has failed: else it warns of every result that is used
 * after `if (r < 0) return r;` and was not set. tests/lint/check-tidy includes this first.
 */

#include <errno.h>

#include "base/err.h"

static inline int tidy_failed(int code)
{
	return code < 0 ? code : -EIO;
}

#define err_set(...) tidy_failed(err_set(__VA_ARGS__))
#define err_fail(...) tidy_failed(err_fail(__VA_ARGS__))
#define err_hint(e, code, ...) (err_hint(e, code, __VA_ARGS__), code)
#define err_prefix(e, code, ...) (err_prefix(e, code, __VA_ARGS__), code)
#define err_classify(e, kind, code) (err_classify(e, kind, code), code)
#define err_note(e, code, ...) (err_note(e, code, __VA_ARGS__), code)
