/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Command lines as tables
 *
 * An entry points to the variable that its value goes to, and the type of that pointer decides what
 * the option takes, so that most options need no code of their own. GNU argp reads the line and
 * prints the help. A mistake is told in one line, in the same words everywhere.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"

#define OPT_LIST_MAX 257

/** struct opt_list - the values of an option or argument that may be given several times */
struct opt_list {
	const char *v[OPT_LIST_MAX];
	size_t n;
};

/**
 * struct opt - an option
 * @name: without the dashes
 * @letter: its short form, or 0
 * @value: what help calls its value; NULL if it takes none
 * @doc: its line in the help
 * @value_optional: the value may be left out; one that is given follows '='
 * @given: set to true when the option is seen; may be NULL
 *
 * One of these says where the value goes, and what it is:
 *
 * @flag: set to true
 * @louder: from silence to 1, else one more; @silent: set to -1
 * @text: any string, not copied
 * @list: any string, several times
 * @choice: the index of one of @words; NULL among them is none. OPT_WORDS() gives both
 * @number: @min to @max
 * @bytes: a size, by parse_bytes(), @min to @max
 * @duration_ns: by parse_duration(), @min to @max
 */
struct opt {
	const char *name;
	char letter;
	const char *value;
	const char *doc;
	bool value_optional;
	bool *given;

	bool *flag;
	int *louder, *silent;
	const char **text;
	struct opt_list *list;
	unsigned int *choice;
	const char *const *words;
	size_t n_words;
	uint64_t *number, *bytes, *duration_ns;
	uint64_t min, max;
};

#define OPT_WORDS(array) .words = (array), .n_words = ARRAY_SIZE(array)

/** struct opt_group - options that the help shows together, up to one without a name */
struct opt_group {
	const char *title; /* may be NULL */
	const struct opt *opts;
};

/**
 * struct opt_arg - a positional argument
 * @name: what messages call it
 * @text: where it goes
 * @list: takes all that are left, instead
 * @optional: may be missing
 */
struct opt_arg {
	const char *name;
	const char **text;
	struct opt_list *list;
	bool optional;
};

/**
 * struct opt_line - what a command line may be
 * @program: for messages and usage, as "vfiomigctl save"
 * @version: what --version prints
 * @args_doc: the arguments, for the usage line
 * @doc: for --help; what follows \v stands at its end
 * @groups: up to one without options
 * @args: up to one without a name; NULL for none
 * @first_only: stop at the first argument: what follows it is another command line
 */
struct opt_line {
	const char *program;
	const char *version;
	const char *args_doc;
	const char *doc;
	const struct opt_group *groups;
	const struct opt_arg *args;
	bool first_only;
};

/**
 * opts_try() - read a command line, without exiting
 * @argv: its first word is skipped
 * @ret_next: index of the first word that was not read
 *
 * Return: an outcome below; -EINVAL (ERR_USAGE); -ENOMEM.
 */
enum opts_outcome {
	OPTS_READ,
	OPTS_HELP,
	OPTS_USAGE,
	OPTS_VERSION
};
_must_check_ int opts_try(const struct opt_line *line, int argc, char **argv, int *ret_next,
			  struct err *err);

/**
 * opts_parse() - the same for a program
 *
 * Exits after --help and the like, and where opts_try() fails, by opts_misuse().
 *
 * Return: index of the first word that was not read.
 */
int opts_parse(const struct opt_line *line, int argc, char **argv);

/** opts_misuse() - say in one line what is wrong and where help is; exits with ERR_USAGE. */
_Noreturn void opts_misuse(const char *program, const char *fmt, ...) _printf_(2, 3);

/** opts_join() - "a, b or c" of the words that are not NULL. Return: @buf. */
char *opts_join(char *buf, size_t size, const char *const *words, size_t n, const char *last);
