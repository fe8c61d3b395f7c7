// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "fsm/fsm.h"

#define BASE MIG_CAP_STOP_COPY
#define P2P MIG_CAP_P2P
#define PRE MIG_CAP_PRE_COPY

static const unsigned int all_caps[] = { BASE, BASE | P2P, BASE | PRE, BASE | P2P | PRE };

/*
 * What Linux publishes (vfio_mig_get_next_state()) for a device that can do everything: the first
 * hop on the way from the row's state to the column's. One letter a state, in the order of their
 * numbers; lower case is the P2P twin of the upper one.
 *
 *	E error     S stop         R running   C stop-copy
 *	L resuming  r running-p2p  P pre-copy  p pre-copy-p2p
 */
static const char letters[] = "ESRCLrPp";

static const char *const published[MIG_NR_STATES] = {
	/* clang-format off */
	/*             to ESRCLrPp */
	[MIG_ERROR]        = "EEEEEEEE",
	[MIG_STOP]         = "ESrCLrrr",
	[MIG_RUNNING]      = "ErRrrrPr",
	[MIG_STOP_COPY]    = "ESSCSSEE",
	[MIG_RESUMING]     = "ESSSLSSS",
	[MIG_RUNNING_P2P]  = "ESRSSrRp",
	[MIG_PRE_COPY]     = "ERRpRRPp",
	[MIG_PRE_COPY_P2P] = "ErrCrrPp",
	/* clang-format on */
};

static enum mig_state lettered(char c)
{
	return (enum mig_state)(strchr(letters, c) - letters);
}

/* The capabilities without which a device does not have a state. */
static unsigned int needs(unsigned int state)
{
	char c = letters[state];

	return (c == 'r' || c == 'p' ? P2P : 0u) | (c == 'P' || c == 'p' ? PRE : 0u);
}

static bool has(unsigned int state, unsigned int caps)
{
	return (caps & needs(state)) == needs(state);
}

/* A hop onto a state that the device lacks is passed over: the hop from there counts instead. */
static enum mig_state kernel_next(unsigned int from, unsigned int to, unsigned int caps)
{
	enum mig_state next;

	if (!has(from, caps) || !has(to, caps))
		return MIG_ERROR;
	next = lettered(published[from][to]);
	while (!has(next, caps))
		next = lettered(published[next][to]);
	return next;
}

static void every_hop_is_the_one_that_linux_takes(void **state)
{
	unsigned int pairs = 0, trivial = 0, blocked = 0, legal = 0;

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(all_caps); c++)
		for (unsigned int from = 0; from < MIG_NR_STATES; from++)
			for (unsigned int to = 0; to < MIG_NR_STATES; to++) {
				enum mig_state want = kernel_next(from, to, all_caps[c]);
				enum mig_state got = fsm_next((enum mig_state)from,
							      (enum mig_state)to, all_caps[c]);

				if (got != want)
					fail_msg("%s to %s with capabilities %u: %s, not %s",
						 fsm_name((enum mig_state)from),
						 fsm_name((enum mig_state)to), all_caps[c],
						 fsm_name(got), fsm_name(want));
				if (from == MIG_ERROR || to == MIG_ERROR ||
				    !has(from, all_caps[c]) || !has(to, all_caps[c])) {
					assert_int_equal(want, MIG_ERROR);
					continue;
				}
				pairs++;
				trivial += from == to;
				blocked += want == MIG_ERROR;
				legal += from != to && want != MIG_ERROR;
			}
	/* Devices have 4, 5, 5 and 7 states beside ERROR; STOP_COPY to PRE_COPY is blocked. */
	assert_int_equal(pairs, 4 * 4 + 5 * 5 + 5 * 5 + 7 * 7);
	assert_int_equal(pairs, 115);
	assert_int_equal(trivial, 21);
	assert_int_equal(blocked, 3);
	assert_int_equal(legal, 91);
}

/* All hops from @from to @to. Return: how many; more than FSM_ARCS_MAX when it never ends. */
static unsigned int walk(enum mig_state from, enum mig_state to, unsigned int caps,
			 enum mig_state hops[FSM_ARCS_MAX + 1])
{
	unsigned int n = 0;

	while (from != to && n <= FSM_ARCS_MAX) {
		from = fsm_next(from, to, caps);
		if (from == MIG_ERROR)
			break;
		hops[n++] = from;
	}
	return n;
}

static void every_path_arrives_and_none_is_longer_than_said(void **state)
{
	enum mig_state hops[FSM_ARCS_MAX + 1];
	unsigned int longest = 0;

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(all_caps); c++)
		for (unsigned int from = 0; from < MIG_NR_STATES; from++)
			for (unsigned int to = 0; to < MIG_NR_STATES; to++) {
				unsigned int n;

				if (from == to || kernel_next(from, to, all_caps[c]) == MIG_ERROR)
					continue;
				n = walk((enum mig_state)from, (enum mig_state)to, all_caps[c],
					 hops);
				assert_in_range(n, 1, FSM_ARCS_MAX);
				assert_int_equal(hops[n - 1], to);
				longest = MAX(longest, n);
			}
	assert_int_equal(longest, 4);
}

/* The stream of a session entered on the way would be lost: Linux never goes that way either. */
static void no_path_passes_through_a_session(void **state)
{
	enum mig_state hops[FSM_ARCS_MAX + 1];

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(all_caps); c++)
		for (unsigned int from = 1; from < MIG_NR_STATES; from++)
			for (unsigned int to = 1; to < MIG_NR_STATES; to++) {
				unsigned int n = walk((enum mig_state)from, (enum mig_state)to,
						      all_caps[c], hops);

				for (unsigned int i = 0; i + 1 < n; i++) {
					assert_int_not_equal(hops[i], MIG_RESUMING);
					assert_true(!fsm_saving(hops[i]) ||
						    (fsm_saving((enum mig_state)from) &&
						     fsm_saving((enum mig_state)to)));
				}
			}
}

static void paths_are_the_ones_that_the_uapi_names(void **state)
{
	static const struct {
		unsigned int caps;
		const char *path;
	} rows[] = {
		/* clang-format off */
		{ BASE,             "RS" },
		{ BASE,             "RSC" },
		{ BASE,             "RSL" },
		{ BASE,             "CSR" },
		{ BASE,             "LSR" },
		{ BASE,             "CSL" },
		{ BASE,             "LSC" },
		{ BASE | P2P,       "RrS" },
		{ BASE | P2P,       "RrSC" },
		{ BASE | P2P,       "RrSL" },
		{ BASE | P2P,       "SrR" },
		{ BASE | P2P,       "CSrR" },
		{ BASE | P2P,       "LSrR" },
		{ BASE | PRE,       "RP" },
		{ BASE | PRE,       "PC" },
		{ BASE | PRE,       "PRS" },
		{ BASE | PRE,       "PRSL" },
		{ BASE | PRE,       "LSRP" },
		{ BASE | P2P | PRE, "PpC" },
		{ BASE | P2P | PRE, "PRr" },
		{ BASE | P2P | PRE, "PRrS" },
		{ BASE | P2P | PRE, "PRrSL" },
		{ BASE | P2P | PRE, "prR" },
		{ BASE | P2P | PRE, "prS" },
		{ BASE | P2P | PRE, "prSL" },
		{ BASE | P2P | PRE, "LSr" },
		{ BASE | P2P | PRE, "LSrp" },
		{ BASE | P2P | PRE, "LSrR" },
		{ BASE | P2P | PRE, "LSrRP" },
		{ BASE | P2P | PRE, "LSC" },
		{ BASE | P2P | PRE, "Rrp" },
		{ BASE | P2P | PRE, "RrS" },
		{ BASE | P2P | PRE, "RrSL" },
		{ BASE | P2P | PRE, "RrSC" },
		{ BASE | P2P | PRE, "rRP" },
		{ BASE | P2P | PRE, "rSL" },
		{ BASE | P2P | PRE, "rSC" },
		{ BASE | P2P | PRE, "Srp" },
		{ BASE | P2P | PRE, "SrR" },
		{ BASE | P2P | PRE, "SrRP" },
		{ BASE | P2P | PRE, "CSL" },
		{ BASE | P2P | PRE, "CSr" },
		{ BASE | P2P | PRE, "CSrR" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum mig_state hops[FSM_ARCS_MAX + 1];
		const char *path = rows[i].path;
		char got[FSM_ARCS_MAX + 3] = { path[0] };
		unsigned int n;

		n = walk(lettered(path[0]), lettered(path[strlen(path) - 1]), rows[i].caps, hops);
		for (unsigned int j = 0; j < n; j++)
			got[j + 1] = letters[hops[j]];
		assert_string_equal(got, path);
	}
}

static void a_finished_stream_is_not_reopened(void **state)
{
	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(all_caps); c++) {
		assert_int_equal(fsm_next(MIG_STOP_COPY, MIG_PRE_COPY, all_caps[c]), MIG_ERROR);
		assert_int_equal(fsm_next(MIG_STOP_COPY, MIG_PRE_COPY_P2P, all_caps[c]), MIG_ERROR);
	}
}

static void capabilities_of_later_kernels_change_nothing(void **state)
{
	const unsigned int later = ~(unsigned int)(BASE | P2P | PRE);

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(all_caps); c++)
		for (unsigned int from = 0; from < MIG_NR_STATES; from++)
			for (unsigned int to = 0; to < MIG_NR_STATES; to++)
				assert_int_equal(fsm_next((enum mig_state)from, (enum mig_state)to,
							  all_caps[c] | later),
						 fsm_next((enum mig_state)from, (enum mig_state)to,
							  all_caps[c]));
}

static void what_is_no_state_leads_nowhere(void **state)
{
	static const int none[] = {
		-1, MIG_NR_STATES, 9, 255, 256 + MIG_STOP, INT32_MAX, INT32_MIN
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		enum mig_state bad = (enum mig_state)none[i];

		for (size_t c = 0; c < ARRAY_SIZE(all_caps); c++) {
			for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
				assert_int_equal(fsm_next(bad, (enum mig_state)s, all_caps[c]),
						 MIG_ERROR);
				assert_int_equal(fsm_next((enum mig_state)s, bad, all_caps[c]),
						 MIG_ERROR);
			}
			assert_int_equal(fsm_next(bad, bad, all_caps[c]), MIG_ERROR);
			assert_false(fsm_supported(bad, all_caps[c]));
		}
		assert_false(fsm_saving(bad));
		assert_false(fsm_runs(bad));
		assert_string_equal(fsm_name(bad), "unknown");
	}
}

static void states_are_grouped_as_the_uapi_groups_them(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
		assert_int_equal(fsm_saving((enum mig_state)s), !!strchr("CPp", letters[s]));
		assert_int_equal(fsm_runs((enum mig_state)s), !!strchr("RrPp", letters[s]));
		for (size_t c = 0; c < ARRAY_SIZE(all_caps); c++)
			assert_int_equal(fsm_supported((enum mig_state)s, all_caps[c]),
					 has(s, all_caps[c]));
	}
}

static void names_parse_back_in_any_spelling(void **state)
{
	static const struct {
		const char *text;
		enum mig_state is;
	} rows[] = {
		/* clang-format off */
		{ "error",        MIG_ERROR },
		{ "stop",         MIG_STOP },
		{ "running",      MIG_RUNNING },
		{ "stop-copy",    MIG_STOP_COPY },
		{ "resuming",     MIG_RESUMING },
		{ "running-p2p",  MIG_RUNNING_P2P },
		{ "pre-copy",     MIG_PRE_COPY },
		{ "pre-copy-p2p", MIG_PRE_COPY_P2P },
		/* debugfs' words */
		{ "ERROR",        MIG_ERROR },
		{ "STOP",         MIG_STOP },
		{ "RUNNING",      MIG_RUNNING },
		{ "STOP_COPY",    MIG_STOP_COPY },
		{ "RESUMING",     MIG_RESUMING },
		{ "RUNNING_P2P",  MIG_RUNNING_P2P },
		{ "PRE_COPY",     MIG_PRE_COPY },
		{ "PRE_COPY_P2P", MIG_PRE_COPY_P2P },
		{ "Pre-Copy_p2P", MIG_PRE_COPY_P2P },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum mig_state got = MIG_NR_STATES;

		assert_true(fsm_parse(rows[i].text, &got));
		assert_int_equal(got, rows[i].is);
	}
	for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
		enum mig_state got = MIG_NR_STATES;

		assert_true(fsm_parse(fsm_name((enum mig_state)s), &got));
		assert_int_equal(got, s);
	}
}

static void what_is_no_name_is_refused_and_sets_nothing(void **state)
{
	static const char *const rows[] = {
		"",
		"stopp",
		"sto",
		"stop ",
		" stop",
		"stop-",
		"-stop",
		"unknown",
		"stopcopy",
		"stop copy",
		"stop--copy",
		"pre-copy-",
		"pre_copy_p2",
		"1",
		"INVALID",
		"st\xc3\xb6p",
	};
	enum mig_state got = MIG_NR_STATES;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (fsm_parse(rows[i], &got) || got != MIG_NR_STATES)
			fail_msg("\"%s\" was taken for %s", rows[i], fsm_name(got));
}

/* The transitions that the uAPI text of v1 draws, and the shortest ways that they make. */
static void v1_walks_what_its_text_draws(void **state)
{
	static const char *const rows[] = { "RP",  "RC",  "PC",	 "CS",	"SR",  "RL",
					    "SL",  "LS",  "RS",	 "SC",	"PR",  "LSR",
					    "CSR", "CSL", "PRS", "PRL", "LSC", "SRP" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = rows[i];
		enum mig_state to = lettered(path[strlen(path) - 1]);

		for (; path[1]; path++)
			assert_int_equal(fsm_v1_next(lettered(path[0]), to, BASE | PRE),
					 lettered(path[1]));
	}
}

static void v1_has_no_way_where_v2_has_none(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
		enum mig_state at = (enum mig_state)s;

		assert_int_equal(fsm_v1_next(MIG_ERROR, at, BASE | PRE), MIG_ERROR);
		assert_int_equal(fsm_v1_next(at, MIG_ERROR, BASE | PRE), MIG_ERROR);
		assert_int_equal(fsm_v1_next(at, MIG_RUNNING_P2P, BASE | PRE | P2P), MIG_ERROR);
		assert_int_equal(fsm_v1_next(at, MIG_PRE_COPY_P2P, BASE | PRE | P2P), MIG_ERROR);
	}
	assert_int_equal(fsm_v1_next(MIG_STOP_COPY, MIG_PRE_COPY, BASE | PRE), MIG_ERROR);
	assert_int_equal(fsm_v1_next(MIG_RUNNING, MIG_PRE_COPY, BASE), MIG_ERROR);
}

/* _RESUMING _SAVING _RUNNING */
static void v1_bits_are_those_of_its_table(void **state)
{
	static const int table[UAPI_V1_MASK + 1] = {
		MIG_STOP, MIG_RUNNING, MIG_STOP_COPY, MIG_PRE_COPY, MIG_RESUMING, -1, MIG_ERROR, -1
	};

	(void)state;
	for (unsigned int bits = 0; bits <= UAPI_V1_MASK; bits++) {
		enum mig_state got = MIG_NR_STATES;

		assert_int_equal(fsm_v1_state(bits, &got), table[bits] >= 0);
		if (table[bits] >= 0) {
			assert_int_equal(got, table[bits]);
			assert_int_equal(fsm_v1_bits(got), bits);
		} else {
			assert_int_equal(got, MIG_NR_STATES);
		}
	}
	assert_int_equal(fsm_v1_bits((enum mig_state)99), UAPI_V1_SAVING | UAPI_V1_RESUMING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hop_is_the_one_that_linux_takes),
		cmocka_unit_test(every_path_arrives_and_none_is_longer_than_said),
		cmocka_unit_test(no_path_passes_through_a_session),
		cmocka_unit_test(paths_are_the_ones_that_the_uapi_names),
		cmocka_unit_test(a_finished_stream_is_not_reopened),
		cmocka_unit_test(capabilities_of_later_kernels_change_nothing),
		cmocka_unit_test(what_is_no_state_leads_nowhere),
		cmocka_unit_test(states_are_grouped_as_the_uapi_groups_them),
		cmocka_unit_test(v1_walks_what_its_text_draws),
		cmocka_unit_test(v1_has_no_way_where_v2_has_none),
		cmocka_unit_test(v1_bits_are_those_of_its_table),
		cmocka_unit_test(names_parse_back_in_any_spelling),
		cmocka_unit_test(what_is_no_name_is_refused_and_sets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
