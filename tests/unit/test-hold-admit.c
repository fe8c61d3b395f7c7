// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/hold-admit.h"

#define N 64u
#define NONE N

/* So many clients, one place after the other. */
struct group {
	unsigned int n;
	uid_t uid;
	bool leases;
	unsigned int silent_s;
};

static struct admit_client client(const struct group *g)
{
	return (struct admit_client){
		.used = true,
		.ours = !g->uid,
		.leases = g->leases,
		.uid = g->uid,
		.silent_ns = g->silent_s * UINT64_C(1000000000),
	};
}

static void root_gets_in_and_no_user_takes_all(void **state)
{
	static const struct {
		const char *what;
		struct group groups[5];
		uid_t one;
		enum admit_verdict verdict;
		unsigned int place;
	} rows[] = {
		/* clang-format off */
		{ "no client is there", { { 0 } }, 1, ADMIT_HERE, 0 },
		{ "the first free place", { { 3, 1, false, 99 } }, 1, ADMIT_HERE, 3 },
		{ "a user's last place", { { 15, 1, false, 0 } }, 1, ADMIT_HERE, 15 },
		{ "one too many of a user", { { 16, 1, false, 29 } }, 1, ADMIT_USER_FULL, NONE },
		{ "another user", { { 16, 1, false, 0 } }, 2, ADMIT_HERE, 16 },
		{ "a silent one of the same user goes",
		  { { 9, 1, false, 3 }, { 1, 1, false, 30 }, { 6, 1, false, 3 } },
		  1, ADMIT_HERE, 9 },
		{ "the one that was silent for longest",
		  { { 7, 1, false, 40 }, { 1, 1, false, 41 }, { 8, 1, false, 40 } },
		  1, ADMIT_HERE, 7 },
		{ "one with a device stays", { { 16, 1, true, 99 } }, 1, ADMIT_USER_FULL, NONE },
		{ "another user's silent one stays while there is room",
		  { { 16, 1, false, 0 }, { 1, 2, false, 99 } }, 1, ADMIT_USER_FULL, NONE },
		{ "all users together leave some for root",
		  { { 16, 1, false, 0 }, { 16, 2, false, 0 }, { 16, 3, false, 0 } }, 4, ADMIT_FULL,
		  NONE },
		{ "these are for root",
		  { { 16, 1, false, 0 }, { 16, 2, false, 0 }, { 16, 3, false, 0 } },
		  0, ADMIT_HERE, 48 },
		{ "or a silent one of another user goes",
		  { { 16, 1, false, 0 }, { 16, 2, true, 99 }, { 16, 3, false, 31 } }, 4, ADMIT_HERE,
		  32 },
		{ "root is not counted", { { 63, 0, false, 0 } }, 0, ADMIT_HERE, 63 },
		{ "root's silent ones do not go for a user's, as those may not have their places",
		  { { 16, 0, false, 99 }, { 48, 1, false, 0 } }, 2, ADMIT_FULL, NONE },
		{ "all are busy", { { 64, 0, false, 0 } }, 0, ADMIT_FULL, NONE },
		{ "all have a device", { { 64, 0, true, 99 } }, 0, ADMIT_FULL, NONE },
		{ "root's silent one goes for root", { { 63, 0, true, 99 }, { 1, 0, false, 30 } },
		  0,
		  ADMIT_HERE, 63 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct group one_of = { 1, rows[i].one, false, 0 };
		const struct admit_client one = client(&one_of);
		struct admit_client places[N] = { 0 };
		unsigned int n = 0, place;
		enum admit_verdict verdict;

		for (size_t g = 0; g < ARRAY_SIZE(rows[i].groups); g++)
			for (unsigned int c = 0; c < rows[i].groups[g].n; c++)
				places[n++] = client(&rows[i].groups[g]);
		verdict = admit(places, N, &one, &place);
		if (verdict != rows[i].verdict || place != rows[i].place)
			fail_msg("%s: %d at %u", rows[i].what, (int)verdict, place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_gets_in_and_no_user_takes_all),
	};

	return cmocka_run_group_tests_name("hold-admit", tests, NULL, NULL);
}
