// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "check/record.h"

/* The first half of the lines stays; the second half is written in turns. */
#define RECORD_FIRST (CHECK_EVIDENCE_MAX / 2)
#define RECORD_LAST (CHECK_EVIDENCE_MAX - RECORD_FIRST)

void check_record_init(struct check_record *r, struct cancel *cancel, uint64_t random)
{
	*r = (struct check_record){ .cancel = cancel, .random = random };
	pthread_mutex_init(&r->lock, NULL);
}

void check_record_done(struct check_record *r)
{
	pthread_mutex_destroy(&r->lock);
}

/* FNV-1a of the id, so that rules that are added change no other's numbers. */
uint64_t check_record_seed(uint64_t seed, const char *id)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (; *id; id++)
		hash = (hash ^ (uint8_t)*id) * UINT64_C(0x100000001b3);
	return hash;
}

/* The place of line @i of all that were written. */
static size_t record_place(size_t i)
{
	return i < RECORD_FIRST ? i : RECORD_FIRST + (i - RECORD_FIRST) % RECORD_LAST;
}

/* The caller holds the lock. */
static void record_put(struct check_record *r, const char *line)
{
	size_t last = r->n_lines ? record_place(r->n_lines - 1) : 0;

	atomic_fetch_add(&r->said, 1);
	if (r->n_lines && !strcmp(r->lines[last], line)) {
		r->times[last]++;
		return;
	}
	last = record_place(r->n_lines++);
	snprintf(r->lines[last], CHECK_LINE_MAX, "%s", line);
	r->times[last] = 1;
}

void check_record_add(struct check_record *r, const char *fmt, ...)
{
	char line[CHECK_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	make_printable(line);
	pthread_mutex_lock(&r->lock);
	record_put(r, line);
	pthread_mutex_unlock(&r->lock);
}

void check_record_say(struct check_record *r, enum check_verdict verdict, const char *fmt,
		      va_list ap)
{
	char line[CHECK_LINE_MAX];

	vsnprintf(line, sizeof(line), fmt, ap);
	make_printable(line);
	pthread_mutex_lock(&r->lock);
	record_put(r, line);
	if (verdict > r->verdict) {
		r->verdict = verdict;
		memcpy(r->reason, line, CHECK_LINE_MAX);
	}
	pthread_mutex_unlock(&r->lock);
}

static void record_print_line(FILE *f, const struct check_record *r, size_t i)
{
	size_t place = record_place(i);

	fputs(r->lines[place], f);
	if (r->times[place] > 1)
		fprintf(f, " (%u times)", r->times[place]);
	fputc('\n', f);
}

static void record_print(FILE *f, const struct check_record *r)
{
	size_t n = r->n_lines, left_out = n > CHECK_EVIDENCE_MAX ? n - CHECK_EVIDENCE_MAX : 0;

	for (size_t i = 0; i < MIN(n, (size_t)RECORD_FIRST); i++)
		record_print_line(f, r, i);
	if (left_out)
		fprintf(f, "(%zu lines are left out)\n", left_out);
	for (size_t i = RECORD_FIRST + left_out; i < n; i++)
		record_print_line(f, r, i);
}

char *check_record_evidence(struct check_record *r)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	pthread_mutex_lock(&r->lock);
	record_print(f, r);
	pthread_mutex_unlock(&r->lock);
	return fclose(f) == 0 ? text : NULL;
}

enum check_verdict check_record_verdict(struct check_record *r, char reason[CHECK_LINE_MAX])
{
	enum check_verdict verdict;

	pthread_mutex_lock(&r->lock);
	verdict = r->verdict;
	memcpy(reason, r->reason, CHECK_LINE_MAX);
	pthread_mutex_unlock(&r->lock);
	return verdict;
}
