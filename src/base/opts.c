// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/opts.h"
#include "base/printed.h"
#include "base/units.h"

/* What argp calls an option that has no letter: its place in the flat table. */
#define KEY_BASE 0x100
#define OPTS_MAX 64
#define MESSAGE_MAX 256

/* Options of every command line. Shells take -?, argp's own letter for help, for a pattern. */
enum {
	KEY_USAGE = KEY_BASE + OPTS_MAX
};
static const struct argp_option opts_standard[] = {
	{ "help", 'h', NULL, 0, "give this help list", -1 },
	{ NULL, '?', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, -1 },
	{ "usage", KEY_USAGE, NULL, 0, "give a short usage message", -1 },
	{ "version", 'V', NULL, 0, "print program version", -1 },
};

/* A command line being read. */
struct opts_parser {
	const struct opt_line *line;
	const struct opt *opts[OPTS_MAX];
	size_t n;
	const struct opt_arg *next_arg;
	enum opts_outcome outcome;
	int next;
	struct err *err;
};

char *opts_join(char *buf, size_t size, const char *const *words, size_t n, const char *last)
{
	const char *previous = NULL;
	size_t len = 0;

	*buf = '\0';
	for (size_t i = 0; i < n && len < size; i++) {
		if (!words[i])
			continue;
		if (previous)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? ", " : "",
						previous);
		previous = words[i];
	}
	if (previous && len < size)
		snprintf(buf + len, size - len, len ? " %s %s" : "%.0s%s", last, previous);
	return buf;
}

static int opts_store_choice(const struct opt *o, const char *arg, struct err *err)
{
	char words[MESSAGE_MAX];

	for (size_t i = 0; i < o->n_words; i++)
		if (o->words[i] && !strcasecmp(o->words[i], arg)) {
			*o->choice = (unsigned int)i;
			return 0;
		}
	return err_fail(err, ERR_USAGE, -EINVAL, "--%s is %s, not '%s'", o->name,
			opts_join(words, sizeof(words), o->words, o->n_words, "or"), arg);
}

static int opts_store_number(const struct opt *o, const char *arg, struct err *err)
{
	uint64_t n;

	if (parse_uint(arg, 10, o->max, &n) < 0 || n < o->min)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"--%s is %" PRIu64 " to %" PRIu64 ", not '%s'", o->name, o->min,
				o->max, arg);
	*o->number = n;
	return 0;
}

static int opts_store_bytes(const struct opt *o, const char *arg, struct err *err)
{
	char min[UNITS_MAX], max[UNITS_MAX];
	uint64_t n;
	int r;

	r = parse_bytes(arg, o->max, &n);
	if (r == -EINVAL)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"--%s: '%s' is not a size such as 4096, 64K, 10MB or 1GiB", o->name,
				arg);
	if (r < 0 || n < o->min)
		return err_fail(err, ERR_USAGE, -EINVAL, "--%s is %s to %s, not '%s'", o->name,
				format_bytes(min, o->min), format_bytes(max, o->max), arg);
	*o->bytes = n;
	return 0;
}

static int opts_store_duration(const struct opt *o, const char *arg, struct err *err)
{
	char min[UNITS_MAX], max[UNITS_MAX];
	uint64_t ns;
	int r;

	r = parse_duration(arg, o->max, &ns);
	if (r == -EINVAL)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"--%s: '%s' is not a duration such as 0.5, 10s, 500ms or 2m",
				o->name, arg);
	if (r < 0 || ns < o->min)
		return err_fail(err, ERR_USAGE, -EINVAL, "--%s is %s to %s, not '%s'", o->name,
				format_duration(min, o->min), format_duration(max, o->max), arg);
	*o->duration_ns = ns;
	return 0;
}

static int opts_store_text(const char *name, const char **text, struct opt_list *list,
			   const char *arg, struct err *err)
{
	if (text) {
		*text = arg;
		return 0;
	}
	assert(list);
	if (list->n == OPT_LIST_MAX)
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: more than %d", name, OPT_LIST_MAX);
	list->v[list->n++] = arg;
	return 0;
}

/* @arg is NULL for an option that takes no value, or was given none. */
static int opts_store(const struct opt *o, const char *arg, struct err *err)
{
	if (o->given)
		*o->given = true;
	if (o->flag)
		*o->flag = true;
	if (o->louder)
		*o->louder = *o->louder < 0 ? 1 : *o->louder + 1;
	if (o->silent)
		*o->silent = -1;
	if (!arg)
		return 0;
	if (o->choice)
		return opts_store_choice(o, arg, err);
	if (o->number)
		return opts_store_number(o, arg, err);
	if (o->bytes)
		return opts_store_bytes(o, arg, err);
	if (o->duration_ns)
		return opts_store_duration(o, arg, err);
	return opts_store_text(o->name, o->text, o->list, arg, err);
}

static int opts_take_arg(struct opts_parser *p, const char *arg)
{
	const struct opt_arg *a = p->next_arg;

	if (!a || !a->name)
		return err_fail(p->err, ERR_USAGE, -EINVAL, "one argument too many: '%s'", arg);
	if (!a->list)
		p->next_arg++;
	return opts_store_text(a->name, a->text, a->list, arg, p->err);
}

static const struct opt *opts_find(const struct opts_parser *p, int key)
{
	for (size_t i = 0; i < p->n; i++)
		if (key == (p->opts[i]->letter ? p->opts[i]->letter : KEY_BASE + (int)i))
			return p->opts[i];
	return NULL;
}

/* Asked for help, argp is to read no further: what follows may be what help is needed for. */
static error_t opts_stop(struct opts_parser *p, enum opts_outcome outcome)
{
	p->outcome = outcome;
	return ECANCELED;
}

static error_t opts_on_key(int key, char *arg, struct argp_state *state)
{
	struct opts_parser *p = state->input;
	const struct opt *o;

	switch (key) {
	case 'h':
	case '?':
		return opts_stop(p, OPTS_HELP);
	case KEY_USAGE:
		return opts_stop(p, OPTS_USAGE);
	case 'V':
		return opts_stop(p, OPTS_VERSION);
	case ARGP_KEY_ARG:
		if (opts_take_arg(p, arg) < 0)
			return EINVAL;
		p->next = state->next;
		if (p->line->first_only)
			state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!p->next_arg || !p->next_arg->name || p->next_arg->optional ||
		    (p->next_arg->list && p->next_arg->list->n))
			return 0;
		err_fail(p->err, ERR_USAGE, -EINVAL, "no %s", p->next_arg->name);
		return EINVAL;
	}
	o = opts_find(p, key);
	if (!o)
		return ARGP_ERR_UNKNOWN;
	return opts_store(o, arg, p->err) < 0 ? EINVAL : 0;
}

static struct argp_option opts_describe(const struct opt *o, size_t index, int group)
{
	return (struct argp_option){
		.name = o->name,
		.key = o->letter ? o->letter : KEY_BASE + (int)index,
		.arg = o->value,
		.flags = o->value_optional ? OPTION_ARG_OPTIONAL : 0,
		.doc = o->doc,
		.group = group,
	};
}

/* Fills @table, which has room for OPTS_MAX options, a title for each and the standard ones. */
static void opts_flatten(struct opts_parser *p, struct argp_option *table)
{
	int group = 0;

	for (const struct opt_group *g = p->line->groups; g->opts; g++) {
		group++;
		if (g->title && g->opts->name)
			*table++ = (struct argp_option){ .doc = g->title, .group = group };
		for (const struct opt *o = g->opts; o->name && p->n < OPTS_MAX; o++) {
			*table++ = opts_describe(o, p->n, group);
			p->opts[p->n++] = o;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(opts_standard); i++)
		*table++ = opts_standard[i];
}

/*
 * getopt and argp print what they do not understand, in several lines. The GNU C library lets a
 * program set stderr: what is printed is kept, and its first line, without the program's name, is
 * the message.
 */
static int opts_run_argp(struct opts_parser *p, const struct argp *argp, int argc, char **argv)
{
	_cleanup_free_ char *printed = NULL;
	FILE *real = stderr;
	size_t size, skip, len;
	int r;

	stderr = open_memstream(&printed, &size);
	if (!stderr) {
		stderr = real;
		return err_set(p->err, -ENOMEM, "command line");
	}
	argv[0] = (char *)p->line->program;
	r = argp_parse(argp, argc, argv,
		       ARGP_NO_EXIT | ARGP_NO_HELP | (p->line->first_only ? ARGP_IN_ORDER : 0),
		       NULL, p);
	fclose(stderr);
	stderr = real;
	if (p->outcome != OPTS_READ || r == 0)
		return (int)p->outcome;
	if (*p->err->text)
		return -EINVAL;
	skip = strlen(p->line->program) + strlen(": ");
	len = strcspn(printed, "\n");
	if (len <= skip)
		return err_set(p->err, -r, "command line");
	return err_fail(p->err, ERR_USAGE, -EINVAL, "%.*s", (int)(len - skip), printed + skip);
}

static int opts_read(struct opts_parser *p, int argc, char **argv)
{
	struct argp_option table[(size_t)2 * OPTS_MAX + ARRAY_SIZE(opts_standard) + 1] = { 0 };
	const struct argp argp = {
		.options = table,
		.parser = opts_on_key,
		.args_doc = p->line->args_doc,
		.doc = p->line->doc,
	};
	int r;

	opts_flatten(p, table);
	r = opts_run_argp(p, &argp, argc, argv);
	if (r == OPTS_HELP)
		argp_help(&argp, stdout, ARGP_HELP_STD_HELP, (char *)p->line->program);
	if (r == OPTS_USAGE)
		argp_help(&argp, stdout, ARGP_HELP_USAGE, (char *)p->line->program);
	if (r == OPTS_VERSION)
		puts(p->line->version);
	return r;
}

int opts_try(const struct opt_line *line, int argc, char **argv, int *ret_next, struct err *err)
{
	struct opts_parser p = { .line = line, .next_arg = line->args, .next = argc, .err = err };
	int r;

	r = opts_read(&p, argc, argv);
	*ret_next = p.next;
	return r;
}

int opts_parse(const struct opt_line *line, int argc, char **argv)
{
	struct err err = { 0 };
	int r, next;

	r = opts_try(line, argc, argv, &next, &err);
	if (r < 0)
		opts_misuse(line->program, "%s", err.text);
	if (r == OPTS_READ)
		return next;
	printed_exit();
}

void opts_misuse(const char *program, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see %s --help)\n", program);
	exit(ERR_USAGE);
}
