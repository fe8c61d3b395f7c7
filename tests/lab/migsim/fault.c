// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: the list of armed faults, and the waits that belong to them.
 */

#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "migsim.h"

#define FAULTS_MAX	48	/* so many lines fit into a page */

/*
 * What follows the word, a letter each: a: FROM TO, e: ERRNO, n: how the arc ends, b: AFTER,
 * c: COUNT, which may be missing.
 */
static const struct {
	const char *word;
	const char *spec;
} kinds[] = {
	[MIGSIM_FAULT_ARC] = { "arc", "aenc" },
	[MIGSIM_FAULT_READ] = { "read", "ebc" },
	[MIGSIM_FAULT_WRITE] = { "write", "ebc" },
	[MIGSIM_FAULT_READ_ERROR] = { "read-error", "b" },
	[MIGSIM_FAULT_WRITE_ERROR] = { "write-error", "b" },
	[MIGSIM_FAULT_END] = { "end", "b" },
	[MIGSIM_FAULT_EMPTY] = { "empty", "bc" },
	[MIGSIM_FAULT_STALL_READ] = { "stall-read", "b" },
	[MIGSIM_FAULT_STALL_WRITE] = { "stall-write", "b" },
	[MIGSIM_FAULT_STALL_ARC] = { "stall-arc", "a" },
	[MIGSIM_FAULT_RESET] = { "reset", "ec" },
	[MIGSIM_FAULT_GET] = { "get", "ec" },
	[MIGSIM_FAULT_STALL_GET] = { "stall-get", "" },
	[MIGSIM_FAULT_STALL_IRQS] = { "stall-irqs", "" },
	[MIGSIM_FAULT_STALL_CLOSE] = { "stall-close", "" },
};

static const char *const ends[] = { "stay", "done", "error" };

/* --- parsing ----------------------------------------------------------------------------- */

static char *next_word(char **rest)
{
	char *word;

	do
		word = strsep(rest, " \t\n");
	while (word && !*word);
	return word;
}

static int parse_count(const char *word, s64 *ret)
{
	*ret = 1;
	if (!word)
		return 0;
	if (!strcmp(word, "always")) {
		*ret = -1;
		return 0;
	}
	if (kstrtos64(word, 0, ret) || *ret < 1)
		return -EINVAL;
	return 0;
}

static int parse_arc(char *word, char **rest, struct migsim_fault *f)
{
	char *to = next_word(rest);

	if (!to || migsim_state_parse(word, &f->from) || migsim_state_parse(to, &f->to))
		return -EINVAL;
	return 0;
}

static int parse_end(const char *word, struct migsim_fault *f)
{
	int end = match_string(ends, ARRAY_SIZE(ends), word);

	f->end = end;
	return end < 0 ? end : 0;
}

static int parse_part(char spec, char *word, char **rest, struct migsim_fault *f)
{
	if (spec == 'c')
		return parse_count(word, &f->left);
	if (!word)
		return -EINVAL;
	switch (spec) {
	case 'a':
		return parse_arc(word, rest, f);
	case 'b':
		return kstrtou64(word, 0, &f->after);
	case 'n':
		return parse_end(word, f);
	default:
		f->code = migsim_errno_parse(word);
		return f->code < 0 ? f->code : 0;
	}
}

static int parse(char *line, struct migsim_fault *f)
{
	const char *word = next_word(&line), *spec;
	unsigned int kind;
	int ret;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		if (word && !strcmp(word, kinds[kind].word))
			break;
	if (kind == ARRAY_SIZE(kinds))
		return -EINVAL;
	f->kind = kind;
	f->left = 1;
	for (spec = kinds[kind].spec; *spec; spec++) {
		ret = parse_part(*spec, next_word(&line), &line, f);
		if (ret)
			return ret;
	}
	return next_word(&line) ? -EINVAL : 0;
}

static int arm(struct migsim *m, const char *line)
{
	struct migsim_fault *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	char *copy = kstrdup(line, GFP_KERNEL_ACCOUNT);
	int ret = f && copy ? parse(copy, f) : -ENOMEM;

	kfree(copy);
	if (!ret) {
		migsim_lock(m);
		if (m->fault_count < FAULTS_MAX) {
			list_add_tail(&f->list, &m->faults);
			m->fault_count++;
			f = NULL;
		} else {
			ret = -ENOSPC;
		}
		migsim_unlock(m);
	}
	kfree(f);
	return ret;
}

int migsim_fault_arm(struct migsim *m, const char *line)
{
	if (sysfs_streq(line, "clear")) {
		migsim_fault_clear(m);
		return 0;
	}
	if (sysfs_streq(line, "error")) {
		migsim_lock(m);
		m->hits++;
		migsim_error(m);
		migsim_unlock(m);
		return 0;
	}
	return arm(m, line);
}

/* --- showing ----------------------------------------------------------------------------- */

static int show_part(char *buf, int at, char spec, const struct migsim_fault *f)
{
	switch (spec) {
	case 'a':
		return sysfs_emit_at(buf, at, " %s %s", migsim_state_name(f->from),
				     migsim_state_name(f->to));
	case 'b':
		return sysfs_emit_at(buf, at, " %llu", f->after);
	case 'n':
		return sysfs_emit_at(buf, at, " %s", ends[f->end]);
	case 'c':
		if (f->left < 0)
			return sysfs_emit_at(buf, at, " always");
		return sysfs_emit_at(buf, at, " %lld", f->left);
	default:
		at += sysfs_emit_at(buf, at, " ");
		return 1 + migsim_errno_emit(buf, at, f->code);
	}
}

ssize_t migsim_fault_show(struct migsim *m, char *buf)
{
	struct migsim_fault *f;
	const char *spec;
	int at = 0;

	migsim_lock(m);
	list_for_each_entry(f, &m->faults, list) {
		at += sysfs_emit_at(buf, at, "%s", kinds[f->kind].word);
		for (spec = kinds[f->kind].spec; *spec; spec++)
			at += show_part(buf, at, *spec, f);
		at += sysfs_emit_at(buf, at, "\n");
	}
	migsim_unlock(m);
	return at;
}

/* --- firing ------------------------------------------------------------------------------ */

static void disarm(struct migsim *m, struct migsim_fault *f)
{
	list_del(&f->list);
	m->fault_count--;
	kfree(f);
}

void migsim_fault_clear(struct migsim *m)
{
	struct migsim_fault *f, *next;

	migsim_lock(m);
	list_for_each_entry_safe(f, next, &m->faults, list)
		disarm(m, f);
	migsim_unlock(m);
}

static void fire(struct migsim *m, struct migsim_fault *f, struct migsim_fault *ret)
{
	*ret = *f;
	m->hits++;
	if (f->left > 0 && !--f->left)
		disarm(m, f);
}

bool migsim_fault_take(struct migsim *m, enum migsim_fault_kind kind, u64 done,
		       struct migsim_fault *ret)
{
	struct migsim_fault *f;

	list_for_each_entry(f, &m->faults, list) {
		if (f->kind == kind && f->after <= done) {
			fire(m, f, ret);
			return true;
		}
	}
	return false;
}

bool migsim_fault_arc(struct migsim *m, enum migsim_fault_kind kind,
		      enum vfio_device_mig_state from, enum vfio_device_mig_state to,
		      struct migsim_fault *ret)
{
	struct migsim_fault *f;

	list_for_each_entry(f, &m->faults, list) {
		if (f->kind == kind && f->from == from && f->to == to) {
			fire(m, f, ret);
			return true;
		}
	}
	return false;
}

u64 migsim_fault_next(struct migsim *m, enum migsim_fault_kind kind, u64 done)
{
	struct migsim_fault *f;
	u64 next = U64_MAX;

	list_for_each_entry(f, &m->faults, list)
		if (f->kind == kind && f->after > done)
			next = min(next, f->after);
	return next;
}

int migsim_stall(struct migsim *m)
{
	unsigned int before = m->releases;
	int ret;

	migsim_unlock(m);
	ret = wait_event_killable(m->released, READ_ONCE(m->releases) != before);
	migsim_lock(m);
	return ret;
}

int migsim_stall_call(struct migsim *m, enum migsim_fault_kind kind)
{
	struct migsim_fault fault;

	return migsim_fault_take(m, kind, 0, &fault) ? migsim_stall(m) : 0;
}

int migsim_stall_io(struct migsim *m)
{
	unsigned int before = m->releases;
	int ret;

	migsim_unlock(m);
	ret = wait_event_interruptible(m->released, READ_ONCE(m->releases) != before);
	migsim_lock(m);
	return ret;
}

void migsim_delay(struct migsim *m, enum vfio_device_mig_state from, enum vfio_device_mig_state to)
{
	unsigned int ms = m->habits.delay[from][to];

	if (!ms)
		return;
	migsim_unlock(m);
	schedule_timeout_killable(msecs_to_jiffies(ms));
	migsim_lock(m);
}
