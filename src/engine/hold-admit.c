// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/hold-admit.h"

/* What the places come to for the client that comes. */
struct hold_admit_sums {
	unsigned int free, others, of_user;
};

/* Which places the client may take: one that it must not add to is taken from its like. */
enum hold_admit_from {
	FROM_ANY,
	FROM_OTHERS, /* of those that are not ours */
	FROM_USER, /* its own user's */
};

static struct hold_admit_sums hold_admit_sum(const struct admit_client *places, unsigned int n,
					     uid_t uid)
{
	struct hold_admit_sums s = { 0 };

	for (unsigned int i = 0; i < n; i++) {
		s.free += !places[i].used;
		s.others += places[i].used && !places[i].ours;
		s.of_user += places[i].used && !places[i].ours && places[i].uid == uid;
	}
	return s;
}

static bool hold_admit_may_go(const struct admit_client *c, enum hold_admit_from from, uid_t uid)
{
	if (!c->used || c->leases || c->silent_ns < ADMIT_SILENT_NS)
		return false;
	return from == FROM_ANY || (!c->ours && (from == FROM_OTHERS || c->uid == uid));
}

/* Return: the place of the client that has been silent for longest; @n for none. */
static unsigned int hold_admit_silent(const struct admit_client *places, unsigned int n,
				      enum hold_admit_from from, uid_t uid)
{
	unsigned int found = n;

	for (unsigned int i = 0; i < n; i++)
		if (hold_admit_may_go(&places[i], from, uid) &&
		    (found == n || places[i].silent_ns > places[found].silent_ns))
			found = i;
	return found;
}

static unsigned int hold_admit_free(const struct admit_client *places, unsigned int n)
{
	unsigned int i = 0;

	while (i < n && places[i].used)
		i++;
	return i;
}

enum admit_verdict admit(const struct admit_client *places, unsigned int n,
			 const struct admit_client *one, unsigned int *ret)
{
	const struct hold_admit_sums s = hold_admit_sum(places, n, one->uid);
	enum hold_admit_from from = FROM_ANY;

	if (!one->ours && s.of_user >= ADMIT_USER_MAX)
		from = FROM_USER;
	else if (!one->ours && s.others + ADMIT_KEPT >= n)
		from = FROM_OTHERS;
	*ret = s.free && from == FROM_ANY ? hold_admit_free(places, n)
					  : hold_admit_silent(places, n, from, one->uid);
	if (*ret < n)
		return ADMIT_HERE;
	return from == FROM_USER ? ADMIT_USER_FULL : ADMIT_FULL;
}
