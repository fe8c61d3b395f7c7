// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "check/drain.h"

static const size_t by_byte[] = { 1, 0 };
static const size_t by_odd_sizes[] = { 1, 3, 7, 61, 509, 4093, 5, 2, 1021, 4099, 0 };
static const size_t by_block[] = { DRAIN_BLOCK, 0 };
static const size_t by_large_block[] = { DRAIN_BLOCK_MAX, 0 };

const struct drain_pieces drain_by_byte = { by_byte, 4096 };
const struct drain_pieces drain_by_odd_sizes = { by_odd_sizes, 1u << 20 };
const struct drain_pieces drain_by_block = { by_block, SIZE_MAX };
const struct drain_pieces drain_by_large_block = { by_large_block, SIZE_MAX };

/* The size of the next call, after @done of @all bytes; @at is its place in the list of sizes. */
static size_t drain_piece(const struct drain_pieces *pieces, size_t done, size_t all, size_t *at)
{
	size_t size = DRAIN_BLOCK;

	if (done < pieces->fine) {
		size = pieces->sizes[(*at)++];
		if (!pieces->sizes[*at])
			*at = 0;
	}
	return MIN(size, all - done);
}

static int drain_reserve(struct subject_state *to, size_t *room, size_t len)
{
	size_t wanted = to->len + len;
	uint8_t *data;

	if (wanted <= *room)
		return 0;
	wanted = MAX(wanted, *room * 2);
	data = realloc(to->data, wanted);
	if (!data)
		return -ENOMEM;
	to->data = data;
	*room = wanted;
	return 0;
}

int drain_read(struct check *c, struct subject_session *x, const struct drain_pieces *pieces,
	       size_t max, struct subject_state *to)
{
	size_t room = to->len, at = 0;
	ssize_t n;
	int r;

	while (to->len < max) {
		size_t len = drain_piece(pieces, to->len, max, &at);

		if (check_stopped(c))
			return DRAIN_STOPPED;
		r = drain_reserve(to, &room, len);
		if (r < 0)
			return r;
		n = subject_read(x, to->data + to->len, len);
		if (n == -ENOMSG)
			return DRAIN_NOTHING_NOW;
		if (n < 0)
			return (int)n;
		if (!n)
			return DRAIN_END;
		if ((size_t)n > len)
			return -EOVERFLOW;
		to->len += (size_t)n;
	}
	return DRAIN_ENOUGH;
}

int drain_write(struct check *c, struct subject_session *x, const struct drain_pieces *pieces,
		const struct subject_state *from)
{
	size_t done = 0, at = 0;
	ssize_t n;

	while (done < from->len) {
		size_t len = drain_piece(pieces, done, from->len, &at);

		if (check_stopped(c))
			return -ECANCELED;
		n = subject_write(x, from->data + done, len);
		if (n < 0)
			return (int)n;
		if (!n || (size_t)n > len) {
			check_violated(c, "write of %zu bytes at %zu: %zd", len, done, n);
			return -EIO;
		}
		done += (size_t)n;
	}
	return 0;
}

/* The stream's end in STOP_COPY. Return: whether it came. */
static bool drain_ended(struct check *c, int r, const struct subject_state *state)
{
	switch (r) {
	case DRAIN_END:
		return true;
	case DRAIN_ENOUGH:
		check_skip(c, "the state is larger than %zu bytes", state->len);
		return false;
	case DRAIN_STOPPED:
		return false;
	case DRAIN_NOTHING_NOW:
		check_broken(c, "read in stop-copy at byte %zu: ENOMSG", state->len);
		return false;
	default:
		check_broken(c, "read in stop-copy at byte %zu: %s", state->len, err_name(r));
		return false;
	}
}

bool drain_begin(struct check *c, struct subject *s, enum mig_state state,
		 struct subject_session **ret)
{
	if (subject_go(s, state, ret) < 0)
		return false;
	if (!*ret)
		check_broken(c, "no data fd in %s", subject_state_name(state));
	return *ret;
}

bool drain_session(struct check *c, struct subject *s, const struct drain_pieces *pieces,
		   struct subject_state *ret)
{
	_cleanup_session_ struct subject_session *x = NULL;
	int r;

	if (!drain_begin(c, s, MIG_STOP_COPY, &x))
		return false;
	r = drain_read(c, x, pieces, SUBJECT_STATE_MAX, ret);
	if (!drain_ended(c, r, ret))
		return false;
	return subject_go(s, MIG_STOP, NULL) == 0;
}
