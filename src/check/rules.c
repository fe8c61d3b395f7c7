// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "check/rules.h"

#define RULES_WORD_MAX 128

static const struct check_group *const rules_groups[] = {
	&check_feature_rules, &check_fsm_rules,	     &check_session_rules, &check_stream_rules,
	&check_precopy_rules, &check_stop_rules,     &check_load_rules,	   &check_reset_rules,
	&check_dma_rules,     &check_together_rules, &check_vfu_rules,	   &check_hostile_rules,
};

size_t check_groups(const struct check_group *const **ret)
{
	*ret = rules_groups;
	return ARRAY_SIZE(rules_groups);
}

const struct check_rule *check_rule_at(size_t i)
{
	for (size_t g = 0; g < ARRAY_SIZE(rules_groups); g++) {
		if (i < rules_groups[g]->n)
			return &rules_groups[g]->rules[i];
		i -= rules_groups[g]->n;
	}
	return NULL;
}

/* An id, a group, or a pattern of ids. */
static bool rules_word_matches(const char *word, const char *id)
{
	size_t len = strlen(word);

	if (!strncmp(word, id, len) && id[len] == '.' && !strchr(word, '.'))
		return true;
	return fnmatch(word, id, 0) == 0;
}

/* The next word of a list. Return: what follows it; NULL after the last. */
static const char *rules_next_word(const char *list, char word[RULES_WORD_MAX])
{
	size_t len = strcspn(list, ",");

	snprintf(word, RULES_WORD_MAX, "%.*s", (int)MIN(len, (size_t)RULES_WORD_MAX), list);
	return list[len] ? list + len + 1 : NULL;
}

static bool rules_listed(const char *list, const char *id)
{
	char word[RULES_WORD_MAX];

	while (list) {
		list = rules_next_word(list, word);
		if (rules_word_matches(word, id))
			return true;
	}
	return false;
}

bool check_selected(const struct check_selection *s, const char *id)
{
	return (!s->rules || rules_listed(s->rules, id)) && !(s->skip && rules_listed(s->skip, id));
}

static bool rules_word_means_one(const char *word)
{
	const struct check_rule *rule;

	for (size_t i = 0; (rule = check_rule_at(i)); i++)
		if (rules_word_matches(word, rule->id))
			return true;
	return false;
}

static int rules_check_list(const char *option, const char *list, struct err *err)
{
	char word[RULES_WORD_MAX];

	while (list) {
		list = rules_next_word(list, word);
		if (rules_word_means_one(word))
			continue;
		err_fail(err, ERR_USAGE, -EINVAL, "%s: '%s' is no rule, group or pattern of rules",
			 option, word);
		return err_hint(err, -EINVAL, "vfiomigctl check --list prints all rules");
	}
	return 0;
}

int check_selection_check(const struct check_selection *s, struct err *err)
{
	const struct check_rule *rule;
	int r;

	r = rules_check_list("--rules", s->rules, err);
	if (r < 0)
		return r;
	r = rules_check_list("--skip", s->skip, err);
	if (r < 0)
		return r;
	for (size_t i = 0; (rule = check_rule_at(i)); i++)
		if (check_selected(s, rule->id))
			return 0;
	return err_fail(err, ERR_USAGE, -EINVAL, "--skip leaves none of the rules");
}
