// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: the stream of a session, made and checked. README.md has its format.
 *
 * Only the final record is of use to the loading side. The others are what a PRE_COPY costs: they
 * carry pieces of the contents, from where the last one ended.
 */

#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "migsim.h"

struct record {
	u8 magic[8];
	__le32 kind;
	__le32 reserved;
	__le64 seed;
	__le64 size;
	__le64 counter;
	__le64 offset;
	__le64 length;
	__le64 check;
};
static_assert(sizeof(struct record) == MIGSIM_RECORD);

static const u8 magic[8] = { 'm', 'i', 'g', 's', 'i', 'm', 0, 1 };

/* Whoever dirties at a rate does so by the page: else a fast reader would get headers only. */
#define DIRTY_UNIT	4096U

static u64 check_of(const struct record *r)
{
	return migsim_hash(r, offsetof(struct record, check));
}

/* --- saving ------------------------------------------------------------------------------ */

static void begin(struct migsim *m, struct migsim_saver *s, enum migsim_kind kind, u64 length)
{
	struct record r = {
		.kind = cpu_to_le32(kind),
		.seed = cpu_to_le64(m->state.seed),
		.size = cpu_to_le64(m->state.size),
		.length = cpu_to_le64(length),
	};

	s->kind = kind;
	s->seed = m->state.seed;
	s->offset = 0;
	if (kind == MIGSIM_REGISTERS) {
		r.seed = cpu_to_le64(migsim_hash(s->registers, length));
		r.size = r.length;
		s->registers_made = true;
	} else if (kind == MIGSIM_FINAL) {
		r.counter = cpu_to_le64(migsim_counter(m));
		s->final_made = true;
	} else {
		if (s->place <= m->state.size - length)
			s->offset = s->place;
		s->place = s->offset + length;
	}
	memcpy(r.magic, magic, sizeof(magic));
	r.offset = cpu_to_le64(s->offset);
	r.check = cpu_to_le64(check_of(&r));
	memcpy(s->header, &r, sizeof(r));
	s->header_done = 0;
	s->length = length;
	s->length_done = 0;
	s->in_record = true;
}

/* Adds what was dirtied since the last time to what is to be saved. */
static void account(struct migsim *m, struct migsim_saver *s)
{
	const struct migsim_habits *h = &m->habits;
	u64 *dirty = h->dirty_by_query ? &s->dirty_pending : &s->dirty_left;
	u64 now = migsim_counter(m), units, room;
	u64 unit = clamp_t(u64, m->state.size, 1, DIRTY_UNIT);

	room = m->state.size - min(m->state.size, s->dirty_left + s->dirty_pending);
	if (h->dirty_rate) {
		units = mul_u64_u64_div_u64(now - s->dirty_since, h->dirty_rate, USEC_PER_SEC);
		units = div64_u64(units, unit);
		*dirty += min(units * unit, room);
		s->dirty_since += mul_u64_u64_div_u64(units * unit, USEC_PER_SEC, h->dirty_rate);
		room -= min(units * unit, room);
	}
	*dirty += min(m->dirtied, room);
	m->dirtied = 0;
}

/* Stream bytes of @contents bytes that are not in a record yet. */
static u64 records(struct migsim *m, u64 contents)
{
	if (!contents || !m->state.size)
		return 0;
	return contents + MIGSIM_RECORD * (div64_u64(contents - 1, m->state.size) + 1);
}

/* What is left of the record under way. */
static u64 rest(struct migsim_saver *s)
{
	if (!s->in_record)
		return 0;
	return MIGSIM_RECORD - s->header_done + s->length - s->length_done;
}

static bool next_record(struct migsim *m, struct migsim_saver *s)
{
	u64 *left = &s->initial_left, length;

	if (s->stopped) {
		if (!s->registers_made) {
			begin(m, s, MIGSIM_REGISTERS, s->registers_len);
			return true;
		}
		if (s->final_made)
			return false;
		begin(m, s, MIGSIM_FINAL, m->state.size);
		return true;
	}
	account(m, s);
	if (!*left)
		left = &s->dirty_left;
	length = min(*left, m->state.size);
	if (!length)
		return false;
	begin(m, s, left == &s->initial_left ? MIGSIM_INITIAL : MIGSIM_DIRTY, length);
	*left -= length;
	return true;
}

void migsim_saver_start(struct migsim *m, struct migsim_saver *s)
{
	*s = (struct migsim_saver) {
		.initial_left = m->habits.initial_bytes,
		.dirty_since = migsim_counter(m),
	};
	*(m->habits.dirty_by_query ? &s->dirty_pending : &s->dirty_left) = m->habits.dirty_bytes;
	m->dirtied = 0;
}

void migsim_saver_final(struct migsim *m, struct migsim_saver *s)
{
	s->stopped = true;
	s->registers_len = migsim_registers_save(m, s->registers);
	s->registers_made = !s->registers_len;
	s->ready_at = ktime_get_ns() + (u64)m->habits.prepare * NSEC_PER_MSEC;
}

/* Stream bytes of the registers' record. */
static u64 registers_record(size_t len)
{
	return len ? MIGSIM_RECORD + len : 0;
}

u64 migsim_saver_size(struct migsim *m, struct migsim_saver *s)
{
	u64 final = MIGSIM_RECORD + m->state.size, size;
	u8 registers[MIGSIM_REGISTERS_MAX];

	if (!s)
		return registers_record(migsim_registers_save(m, registers)) + final;
	if (s->cut)
		return 0;
	size = rest(s) + (s->final_made ? 0 : final);
	if (!s->stopped)
		size += registers_record(migsim_registers_save(m, registers));
	else if (!s->registers_made)
		size += registers_record(s->registers_len);
	return size;
}

u64 migsim_saver_pending(struct migsim *m, struct migsim_saver *s)
{
	if (s->stopped || s->cut)
		return migsim_saver_size(m, s);
	account(m, s);
	return rest(s) + records(m, s->initial_left) + records(m, s->dirty_left);
}

u64 migsim_saver_wait(struct migsim *m, struct migsim_saver *s)
{
	u64 rate = m->habits.dirty_rate, now = ktime_get_ns();

	if (s->stopped)
		return migsim_saver_pending(m, s) && now < s->ready_at ? s->ready_at - now : 0;
	if (migsim_saver_pending(m, s))
		return 0;
	if (s->cut || !rate || m->habits.dirty_by_query || !m->running_since)
		return U64_MAX;
	return div64_u64((u64)DIRTY_UNIT * NSEC_PER_SEC, rate) + 1;
}

/* The device was set up anew: what was saved of it until now is worth nothing. */
static void reinit(struct migsim *m, struct migsim_saver *s)
{
	s->reinit_done = true;
	s->initial_left = m->habits.initial_bytes;
	s->dirty_left = 0;
	s->dirty_pending = 0;
}

/* @dirty: what the query found, whether or not it can be read yet. */
static void query_dirty(struct migsim *m, struct migsim_saver *s, u64 *dirty)
{
	u64 now = ktime_get_ns();

	/* A device that is stopped halfway cannot be asked. */
	if (!m->running_since || now < s->query_next)
		return;
	s->query_next = now + (u64)m->habits.query_interval * NSEC_PER_MSEC;
	if (!migsim_saver_pending(m, s)) {
		s->dirty_left = s->dirty_pending;
		s->dirty_pending = 0;
		wake_up_all(&m->readable);
	}
	*dirty = records(m, s->dirty_pending);
}

void migsim_saver_query(struct migsim *m, struct migsim_saver *s, u64 *initial, u64 *dirty,
			bool may_reinit, bool *reinited)
{
	u64 found = 0;

	*initial = *dirty = 0;
	*reinited = false;
	if (s->cut)
		return;
	account(m, s);
	s->queries++;
	if (may_reinit && !s->reinit_done && m->habits.reinit_after &&
	    s->queries > m->habits.reinit_after) {
		reinit(m, s);
		*reinited = true;
	}
	if (m->habits.dirty_by_query)
		query_dirty(m, s, &found);
	*initial = records(m, s->initial_left);
	*dirty = records(m, s->dirty_left) + found;
	*(s->kind == MIGSIM_INITIAL ? initial : dirty) += rest(s);
}

/* One stretch: of the header or of the contents. */
static size_t stretch(struct migsim_saver *s, void *buf, size_t len)
{
	size_t n;

	if (s->header_done < MIGSIM_RECORD) {
		n = min_t(size_t, len, MIGSIM_RECORD - s->header_done);
		memcpy(buf, s->header + s->header_done, n);
		s->header_done += n;
	} else {
		n = min_t(u64, len, s->length - s->length_done);
		if (s->kind == MIGSIM_REGISTERS)
			memcpy(buf, s->registers + s->length_done, n);
		else
			migsim_contents(s->seed, s->offset + s->length_done, buf, n);
		s->length_done += n;
	}
	s->in_record = rest(s) > 0;
	return n;
}

size_t migsim_saver_read(struct migsim *m, struct migsim_saver *s, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len && !s->cut && (s->in_record || next_record(m, s)))
		done += stretch(s, buf + done, len - done);
	s->done += done;
	return done;
}

/* --- loading ----------------------------------------------------------------------------- */

void migsim_loader_start(struct migsim *m, struct migsim_loader *l)
{
	memset(l, 0, sizeof(*l));
}

/* Lengths and places that a driver which trusts them goes astray with. */
static bool header_is_beyond(const struct record *r)
{
	u64 size = le64_to_cpu(r->size), length = le64_to_cpu(r->length);

	return !memcmp(r->magic, magic, sizeof(magic)) &&
	       (length > size || le64_to_cpu(r->offset) > size - length);
}

static bool header_ok(const struct record *r)
{
	u64 size = le64_to_cpu(r->size), offset = le64_to_cpu(r->offset);
	u64 length = le64_to_cpu(r->length);
	u32 kind = le32_to_cpu(r->kind);

	if (memcmp(r->magic, magic, sizeof(magic)) || le64_to_cpu(r->check) != check_of(r))
		return false;
	if (size > MIGSIM_SIZE_MAX || length > size || offset > size - length || r->reserved)
		return false;
	if (kind == MIGSIM_REGISTERS)
		return length == size && length && length <= MIGSIM_REGISTERS_MAX && !r->counter;
	if (kind == MIGSIM_FINAL)
		return length == size;
	return (kind == MIGSIM_INITIAL || kind == MIGSIM_DIRTY) && !r->counter;
}

static bool load_header(struct migsim_loader *l)
{
	struct record r;

	memcpy(&r, l->header, sizeof(r));
	l->beyond |= header_is_beyond(&r);
	if (!header_ok(&r))
		return false;
	l->kind = le32_to_cpu(r.kind);
	l->seed = le64_to_cpu(r.seed);
	l->offset = le64_to_cpu(r.offset);
	l->left = le64_to_cpu(r.length);
	if (l->kind == MIGSIM_REGISTERS)
		l->registers_len = l->left;
	if (l->kind == MIGSIM_FINAL) {
		l->final_begun = true;
		l->incoming.seed = l->seed;
		l->incoming.size = le64_to_cpu(r.size);
		l->incoming.counter = le64_to_cpu(r.counter);
	}
	return true;
}

/* Contents, of which the record's seed demands each byte; or registers, whose hash it is. */
static bool load_contents(struct migsim_loader *l, const void *buf, size_t len)
{
	if (l->kind != MIGSIM_REGISTERS)
		return migsim_contents_match(l->seed, l->offset, buf, len);
	memcpy(l->registers + l->offset, buf, len);
	return len < l->left || migsim_hash(l->registers, l->registers_len) == l->seed;
}

/* One stretch of header or contents. Returns its length, or 0 when it is wrong. */
static size_t load_stretch(struct migsim_loader *l, const void *buf, size_t len)
{
	if (l->complete)
		return 0;
	if (l->header_done < MIGSIM_RECORD) {
		len = min_t(size_t, len, MIGSIM_RECORD - l->header_done);
		memcpy(l->header + l->header_done, buf, len);
		l->header_done += len;
		if (l->header_done == MIGSIM_RECORD && !load_header(l))
			return 0;
	} else {
		len = min_t(u64, len, l->left);
		if (!load_contents(l, buf, len))
			return 0;
		l->offset += len;
		l->left -= len;
	}
	if (l->header_done == MIGSIM_RECORD && !l->left) {
		l->header_done = 0;
		l->complete = l->final_begun;
	}
	return len;
}

int migsim_loader_write(struct migsim *m, struct migsim_loader *l, const void *buf, size_t len)
{
	size_t at = 0, n;

	while (at < len && !l->bad) {
		n = load_stretch(l, buf + at, len - at);
		if (!n)
			l->bad = m->habits.bad_errno;
		at += n;
	}
	if (l->bad && !m->habits.check_at_stop)
		return -l->bad;
	l->done += len;
	return 0;
}

int migsim_loader_finish(struct migsim *m, struct migsim_loader *l)
{
	if (l->bad)
		return -l->bad;
	if (l->complete) {
		u8 registers[MIGSIM_REGISTERS_MAX];

		/* Those of a device of another kind. */
		if (l->registers_len != migsim_registers_save(m, registers))
			return -EINVAL;
		migsim_registers_load(m, l->registers);
		m->state = l->incoming;
		return 0;
	}
	if (m->habits.detect_short)
		return -EINVAL;
	/* The device took it as it was: it holds something that no seed was ever asked for. */
	m->state.seed ^= migsim_hash(&l->done, sizeof(l->done));
	return 0;
}
