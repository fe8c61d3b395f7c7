// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/opts.h"
#include "base/units.h"
#include "emu/content.h"
#include "emu/faults.h"
#include "emu/quantity.h"
#include "fsm/fsm.h"

/* What stands after the '='. */
enum operand {
	NOTHING,
	ARC,
	ARC_ERRNO,
	ARC_DURATION,
	STATE,
	BYTES,
	BYTES_OR_NOTHING,
	BYTES_ERRNO,
	ERRNO
};

/* How the operand of a kind looks, where its word is that of others, too. */
enum look {
	ANY,
	NUMBER, /* begins with a digit */
	WORD /* neither that, nor has it a colon */
};

/* Of those with a word in common, the one that takes what no other does is the last. */
static const struct kind {
	const char *word;
	enum emu_fault_kind kind;
	enum look look;
	enum operand operand;
	const char *form;
} kinds[] = {
	/* clang-format off */
	{ "fail",         FAULT_FAIL_AT,      NUMBER, BYTES_ERRNO,  "BYTES:ERRNO" },
	{ "fail",         FAULT_FAIL_ARC,     ANY,    ARC_ERRNO,  "FROM:TO:ERRNO or BYTES:ERRNO" },
	{ "error",        FAULT_ERROR_AT,     NUMBER, BYTES,        "BYTES" },
	{ "error",        FAULT_ERROR_IN,     WORD,   STATE,        "FROM:TO, STATE or BYTES" },
	{ "error",        FAULT_ERROR,        ANY,    ARC,          "FROM:TO, STATE or BYTES" },
	{ "stall",        FAULT_STALL_AT,     NUMBER, BYTES,        "BYTES" },
	{ "stall",        FAULT_STALL_ARC,    ANY,    ARC,          "FROM:TO or BYTES" },
	{ "drain",        FAULT_DRAIN,        ANY,    ARC_DURATION, "FROM:TO:DURATION" },
	{ "short-read",   FAULT_SHORT_READ,   ANY,    NOTHING,      "nothing" },
	{ "truncate",     FAULT_TRUNCATE,     ANY,    BYTES,        "BYTES" },
	{ "corrupt",      FAULT_CORRUPT,      ANY,    BYTES,        "BYTES" },
	{ "die-at",       FAULT_DIE,          ANY,    BYTES,        "BYTES" },
	{ "refuse-reset", FAULT_REFUSE_RESET, ANY,    ERRNO,        "ERRNO" },
	{ "garbage",      FAULT_GARBAGE,      ANY,    BYTES_OR_NOTHING, "BYTES or nothing" },
	/* clang-format on */
};

static bool emu_faults_looks(const char *operand, enum look look)
{
	bool number = operand && *operand >= '0' && *operand <= '9';

	if (look == ANY)
		return true;
	return look == NUMBER ? number : operand && !number && !strchr(operand, ':');
}

static const struct kind *emu_faults_find_kind(const char *word, const char *operand)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		if (!strcmp(k->word, word) && emu_faults_looks(operand, k->look))
			return k;
	}
	return NULL;
}

/* Each kind once: those that take one of several operands stand one behind the other. */
static char *emu_faults_words(char *buf, size_t size)
{
	const char *words[ARRAY_SIZE(kinds)];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		words[i] = i && !strcmp(kinds[i].word, kinds[i - 1].word) ? NULL : kinds[i].word;
	return opts_join(buf, size, words, ARRAY_SIZE(words), "or");
}

/* Cut @text at the last colon. Return: what was behind it. */
static int emu_faults_cut_last(char *text, char **ret, struct err *err)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return err_set(err, -EINVAL, "'%s' has no ':'", text);
	*colon = '\0';
	*ret = colon + 1;
	return 0;
}

static int emu_faults_parse_operand(struct emu_fault *f, enum operand operand, char *text,
				    struct err *err)
{
	char *last = NULL;
	int r;

	switch (operand) {
	case ARC:
		return emu_parse_arc(text, &f->from, &f->to, err);
	case ARC_ERRNO:
	case ARC_DURATION:
		r = emu_faults_cut_last(text, &last, err);
		if (r < 0)
			return r;
		r = emu_parse_arc(text, &f->from, &f->to, err);
		if (r < 0)
			return r;
		return operand == ARC_ERRNO ? emu_parse_errno(last, &f->code, err)
					    : emu_parse_duration(last, &f->ns, err);
	case STATE:
		if (fsm_parse(text, &f->to))
			return 0;
		return err_set(err, -EINVAL, "'%s' is not a state", text);
	case BYTES_ERRNO:
		r = emu_faults_cut_last(text, &last, err);
		if (r < 0)
			return r;
		r = emu_parse_errno(last, &f->code, err);
		if (r < 0)
			return r;
		return emu_parse_size(text, UINT64_MAX, &f->at, err);
	case BYTES:
	case BYTES_OR_NOTHING:
		return emu_parse_size(text, UINT64_MAX, &f->at, err);
	case ERRNO:
		return emu_parse_errno(text, &f->code, err);
	default:
		return err_set(err, -EINVAL, "'%s' where nothing belongs", text);
	}
}

static int emu_faults_parse_kind(struct emu_fault *f, char *text, struct err *err)
{
	char *operand = strchr(text, '='), words[128];
	const struct kind *k;
	int r;

	if (operand)
		*operand++ = '\0';
	k = emu_faults_find_kind(text, operand);
	if (!k)
		return err_set(err, -EINVAL, "'%s' is no kind of fault: %s", text,
			       emu_faults_words(words, sizeof(words)));
	f->kind = k->kind;
	if (!operand && k->operand != NOTHING && k->operand != BYTES_OR_NOTHING)
		return err_set(err, -EINVAL, "'%s' is missing what it wants: %s", k->word, k->form);
	r = operand ? emu_faults_parse_operand(f, k->operand, operand, err) : 0;
	if (r < 0)
		return err_prefix(err, r, "%s wants %s", k->word, k->form);
	return 0;
}

int emu_faults_parse(struct emu_faults *f, const char *text, struct err *err)
{
	struct emu_fault fault = { .times = EMU_FOREVER, .device = EMU_EVERY_DEVICE };
	const char *own = NULL;
	char copy[128], *star;
	uint64_t n;
	int r;

	if (f->n == EMU_FAULTS_MAX)
		return err_set(err, -ENOSPC, "more than %d faults", EMU_FAULTS_MAX);
	if (strlen(text) >= sizeof(copy))
		return err_set(err, -EINVAL, "'%.20s...' is too long", text);
	r = emu_parse_device(text, &fault.device, &own, err);
	if (r < 0)
		return r;
	strcpy(copy, own);
	star = strchr(copy, '*');
	if (star) {
		*star = '\0';
		if (parse_uint(star + 1, 10, EMU_FOREVER - 1, &n) < 0 || !n)
			return err_set(err, -EINVAL, "'*%s' is no number of times", star + 1);
		fault.times = (uint32_t)n;
	}
	r = emu_faults_parse_kind(&fault, copy, err);
	if (r < 0)
		return r;
	f->list[f->n++] = fault;
	return 0;
}

static bool emu_faults_has_arc(const struct emu_fault *f)
{
	return f->kind == FAULT_FAIL_ARC || f->kind == FAULT_ERROR || f->kind == FAULT_STALL_ARC ||
	       f->kind == FAULT_DRAIN;
}

int emu_faults_check(const struct emu_faults *f, uint32_t n_devices, struct err *err)
{
	int r;

	for (size_t i = 0; i < f->n; i++) {
		r = emu_check_device(f->list[i].device, n_devices, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int emu_faults_resolve(struct emu_faults *f, unsigned int caps, struct err *err)
{
	int r;

	for (size_t i = 0; i < f->n; i++) {
		struct emu_fault *fault = &f->list[i];

		if (fault->kind == FAULT_ERROR_IN && !fsm_supported(fault->to, caps))
			return err_set(err, -EINVAL,
				       "no device with these capabilities comes to %s",
				       fsm_name(fault->to));
		r = emu_faults_has_arc(fault) ? emu_last_arc(&fault->from, fault->to, caps, err)
					      : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

void emu_faults_of(const struct emu_faults *all, uint32_t device, struct emu_faults *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].device == EMU_EVERY_DEVICE || all->list[i].device == device)
			ret->list[ret->n++] = all->list[i];
}

struct emu_fault *emu_faults_arc(struct emu_faults *f, enum emu_fault_kind kind,
				 enum mig_state from, enum mig_state to)
{
	for (size_t i = 0; i < f->n; i++) {
		struct emu_fault *fault = &f->list[i];

		if (fault->kind == kind && fault->times && fault->from == from && fault->to == to)
			return fault;
	}
	return NULL;
}

struct emu_fault *emu_faults_in(struct emu_faults *f, enum emu_fault_kind kind,
				enum mig_state state)
{
	for (size_t i = 0; i < f->n; i++) {
		struct emu_fault *fault = &f->list[i];

		if (fault->kind == kind && fault->times && fault->to == state)
			return fault;
	}
	return NULL;
}

struct emu_fault *emu_faults_at(struct emu_faults *f, enum emu_fault_kind kind, uint64_t begin,
				uint64_t end)
{
	for (size_t i = 0; i < f->n; i++) {
		struct emu_fault *fault = &f->list[i];

		if (fault->kind == kind && fault->times && fault->at >= begin && fault->at < end)
			return fault;
	}
	return NULL;
}

struct emu_fault *emu_faults_any(struct emu_faults *f, enum emu_fault_kind kind)
{
	return emu_faults_at(f, kind, 0, UINT64_MAX);
}

void emu_fault_used(struct emu_fault *fault)
{
	if (fault->times != EMU_FOREVER)
		fault->times--;
}
