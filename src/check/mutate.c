// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "check/mutate.h"
#include "check/subject.h"

/* Where the first record of a stream has its fields. */
#define MUTATE_HEAD 128u

/* splitmix64: any seed will do, 0 as well. */
static uint64_t mutate_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Below @n; @n is not 0. */
static size_t mutate_below(uint64_t *seed, size_t n)
{
	return (size_t)(mutate_random(seed) % n);
}

static uint64_t mutate_field(const struct subject_state *s, size_t at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len && at + i < s->len; i++)
		value |= (uint64_t)s->data[at + i] << (8 * i);
	return value;
}

/* What a length, a count or an offset is checked against too late, or overflows with. */
static uint64_t mutate_field_value(uint64_t *seed, uint64_t now, size_t len, size_t stream)
{
	uint64_t all = len == 8 ? UINT64_MAX : (1ull << (8 * len)) - 1;
	const uint64_t values[] = { 0,	     1,	       now + 1, now - 1,  now * 2,     now + stream,
				    stream,  all,      all - 1, all / 2,  all / 2 + 1, ~now,
				    now ^ 1, now << 8, 4096,	all - now };

	return values[mutate_below(seed, ARRAY_SIZE(values))] & all;
}

static void mutate_make_edit(const struct subject_state *good, uint64_t *seed,
			     struct mutate_edit *e)
{
	size_t place = mutate_below(seed, 2) ? MIN(good->len, (size_t)MUTATE_HEAD) : good->len;

	*e = (struct mutate_edit){
		.kind = (enum mutate_kind)mutate_below(seed, MUTATE_NR_KINDS),
		.at = mutate_below(seed, place),
	};
	switch (e->kind) {
	case MUTATE_BIT:
		e->value = mutate_below(seed, 8);
		return;
	case MUTATE_BYTE:
	case MUTATE_CUT:
		e->value = mutate_random(seed) & 0xff;
		return;
	case MUTATE_FIELD:
		e->len = (size_t)2 << mutate_below(seed, 3);
		e->at -= e->at % e->len;
		e->value = mutate_field_value(seed, mutate_field(good, e->at, e->len), e->len,
					      good->len);
		return;
	default:
		e->len = 1 + mutate_below(seed, mutate_below(seed, 4) ? 64 : MUTATE_GROWTH_MAX);
		e->value = mutate_random(seed) & 0xff;
	}
}

unsigned int mutate_make(const struct subject_state *good, uint64_t seed, unsigned int number,
			 struct mutate_edit edits[MUTATE_EDITS_MAX])
{
	uint64_t state = seed ^ ((uint64_t)number << 32 | number);
	unsigned int n;

	/* Most have one: the later edits of a mutant hide behind the first that is noticed. */
	n = mutate_below(&state, 2) ? 1 : 1 + (unsigned int)mutate_below(&state, MUTATE_EDITS_MAX);
	for (unsigned int i = 0; i < n; i++)
		mutate_make_edit(good, &state, &edits[i]);
	return n;
}

/* Room for @len bytes at @at; what follows moves up. */
static void mutate_open_gap(struct subject_state *s, size_t at, size_t len)
{
	memmove(s->data + at + len, s->data + at, s->len - at);
	s->len += len;
}

static void mutate_edit_apply(struct subject_state *s, const struct mutate_edit *e)
{
	size_t at = s->len ? MIN(e->at, s->len - 1) : 0, len = MIN(e->len, s->len - at);

	if (!s->len && e->kind != MUTATE_INSERT)
		return;
	switch (e->kind) {
	case MUTATE_BIT:
		s->data[at] ^= (uint8_t)(1u << e->value);
		return;
	case MUTATE_BYTE:
		s->data[at] = (uint8_t)e->value;
		return;
	case MUTATE_FIELD:
		for (size_t i = 0; i < len; i++)
			s->data[at + i] = (uint8_t)(e->value >> (8 * i));
		return;
	case MUTATE_ZERO:
		memset(s->data + at, 0, len);
		return;
	case MUTATE_CUT:
		s->len = at;
		return;
	case MUTATE_DROP:
		memmove(s->data + at, s->data + at + len, s->len - at - len);
		s->len -= len;
		return;
	case MUTATE_DOUBLE:
		mutate_open_gap(s, at, len);
		memcpy(s->data + at, s->data + at + len, len);
		return;
	case MUTATE_INSERT:
		mutate_open_gap(s, at, e->len);
		memset(s->data + at, (int)e->value, e->len);
		return;
	default:
		return;
	}
}

int mutate_apply(const struct subject_state *good, const struct mutate_edit *edits, unsigned int n,
		 struct subject_state *ret)
{
	uint8_t *data = malloc(good->len + (size_t)MUTATE_EDITS_MAX * MUTATE_GROWTH_MAX);

	if (!data)
		return -ENOMEM;
	memcpy(data, good->data, good->len);
	*ret = (struct subject_state){ .data = data, .len = good->len };
	for (unsigned int i = 0; i < n && i < MUTATE_EDITS_MAX; i++)
		mutate_edit_apply(ret, &edits[i]);
	return 0;
}

char *mutate_text(const struct mutate_edit *e, char buf[MUTATE_TEXT_MAX])
{
	static const char *const verbs[] = {
		[MUTATE_ZERO] = "become 0",
		[MUTATE_DROP] = "are missing",
		[MUTATE_DOUBLE] = "come twice",
		[MUTATE_INSERT] = "are put in",
	};

	switch (e->kind) {
	case MUTATE_BIT:
		snprintf(buf, MUTATE_TEXT_MAX, "bit %" PRIu64 " of byte %zu is flipped", e->value,
			 e->at);
		break;
	case MUTATE_BYTE:
		snprintf(buf, MUTATE_TEXT_MAX, "byte %zu becomes %#" PRIx64, e->at, e->value);
		break;
	case MUTATE_FIELD:
		snprintf(buf, MUTATE_TEXT_MAX, "the field of %zu bytes at %zu becomes %#" PRIx64,
			 e->len, e->at, e->value);
		break;
	case MUTATE_CUT:
		snprintf(buf, MUTATE_TEXT_MAX, "it ends at byte %zu", e->at);
		break;
	default:
		snprintf(buf, MUTATE_TEXT_MAX, "%zu bytes at %zu %s", e->len, e->at,
			 verbs[e->kind]);
		break;
	}
	return buf;
}
