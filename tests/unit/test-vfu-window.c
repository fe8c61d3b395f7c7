// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "device/vfu-window.h"

#define FULL 100u

/*
 * Replies as words, in the order of the requests:
 *
 *	full, short, empty	a read or write that was served
 *	-	not answered yet
 *	an errno's name
 *
 * A word with a dot in front was asked for alone, one with a p in PRE_COPY.
 */
static const struct {
	const char *name;
	int code;
} errnos[] = {
	{ "EBUSY", -EBUSY },   { "EAGAIN", -EAGAIN }, { "EINVAL", -EINVAL },
	{ "ENOMEM", -ENOMEM }, { "EIO", -EIO },	      { "ENOMSG", -ENOMSG },
};

static int code_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++)
		if (!strcmp(word, errnos[i].name))
			return errnos[i].code;
	fail_msg("no errno: %s", word);
	return 0;
}

static void answer(struct vfu_window *w, struct vfu_request *q, const char *word)
{
	if (!strcmp(word, "full"))
		vfu_window_answer(w, q, 0, FULL, true);
	else if (!strcmp(word, "short"))
		vfu_window_answer(w, q, 0, FULL / 2, false);
	else if (!strcmp(word, "empty"))
		vfu_window_answer(w, q, 0, 0, false);
	else if (strcmp(word, "-") != 0)
		vfu_window_answer(w, q, code_of(word), 0, false);
}

static void window_of(struct vfu_window *w, const char *replies)
{
	char text[128], *rest = text, *word;

	vfu_window_init(w, VFU_WINDOW_MAX);
	snprintf(text, sizeof(text), "%s", replies);
	while ((word = strsep(&rest, " "))) {
		bool alone = *word == '.', early;
		struct vfu_request *q;

		word += alone;
		early = *word == 'p';
		word += early;
		w->width = alone ? 1 : VFU_WINDOW_MAX;
		q = vfu_window_push(w, !early);
		answer(w, q, word);
	}
}

static const struct row {
	const char *replies;
	enum vfu_verdict verdict;
} reads[] = {
	/* clang-format off */
	{ "-",                            VFU_WAIT },
	{ "- full",                       VFU_WAIT },
	{ "full",                         VFU_TAKE },
	{ "short",                        VFU_TAKE },
	{ "pfull",                        VFU_TAKE },
	{ "full EIO",                     VFU_TAKE }, /* what is behind has its turn later */
	{ "short empty EIO",              VFU_TAKE },

	/* The end, and what is behind it does not count. */
	{ "empty",                        VFU_END },
	{ "empty -",                      VFU_END },
	{ "empty EIO EIO EIO",            VFU_END },
	{ "empty full full",              VFU_END },
	{ ".empty",                       VFU_END },

	/* No end in PRE_COPY, wherever the device is by now. */
	{ "pempty",                       VFU_PASS },
	{ "pempty full",                  VFU_PASS },
	{ "pENOMSG",                      VFU_PASS },
	{ ".pENOMSG",                     VFU_PASS },
	{ "ENOMSG",                       VFU_FAIL },
	{ ".ENOMSG",                      VFU_FAIL },

	/* Not for being one of several. */
	{ "EIO",                          VFU_FAIL },
	{ "EIO full",                     VFU_FAIL },
	{ "pEIO",                         VFU_FAIL },
	{ ".EBUSY",                       VFU_FAIL },
	{ ".EAGAIN",                      VFU_FAIL },
	{ ".EINVAL",                      VFU_FAIL },
	{ ".ENOMEM",                      VFU_FAIL },

	/* EBUSY takes nothing: what is behind it follows. */
	{ "EBUSY",                        VFU_SINGLY },
	{ "EBUSY -",                      VFU_SINGLY },
	{ "EBUSY EBUSY EBUSY",            VFU_SINGLY },
	{ "EBUSY full",                   VFU_SINGLY },
	{ "EBUSY empty",                  VFU_SINGLY },

	/* The others only if all behind were refused as well. */
	{ "EINVAL",                       VFU_SINGLY },
	{ "EAGAIN",                       VFU_SINGLY },
	{ "ENOMEM",                       VFU_SINGLY },
	{ "EINVAL -",                     VFU_WAIT },
	{ "EINVAL EINVAL -",              VFU_WAIT },
	{ "EINVAL EINVAL EINVAL",         VFU_SINGLY },
	{ "ENOMEM EBUSY EAGAIN",          VFU_SINGLY },
	{ "EINVAL full",                  VFU_HOLE },
	{ "EAGAIN full",                  VFU_HOLE },
	{ "ENOMEM full",                  VFU_HOLE },
	{ "EINVAL EINVAL short",          VFU_HOLE },
	{ "EINVAL empty",                 VFU_HOLE },
	{ "pEINVAL pempty",               VFU_HOLE },
	{ "EINVAL EIO",                   VFU_FAIL },
	/* clang-format on */
}, writes[] = {
	/* clang-format off */
	{ "-",                            VFU_WAIT },
	{ "- full",                       VFU_WAIT },
	{ "full",                         VFU_TAKE },
	{ "full EIO",                     VFU_TAKE },
	{ "EIO",                          VFU_FAIL },
	{ "EIO full",                     VFU_FAIL },
	{ ".EBUSY",                       VFU_FAIL },
	{ ".EINVAL",                      VFU_FAIL },
	{ "ENOMSG",                       VFU_FAIL },
	{ "EBUSY",                        VFU_SINGLY },
	{ "EBUSY -",                      VFU_WAIT },
	{ "EBUSY EBUSY EBUSY",            VFU_SINGLY },
	{ "EINVAL EINVAL",                VFU_SINGLY },
	/* In the wrong place, whatever the errno. */
	{ "EBUSY full",                   VFU_HOLE },
	{ "EBUSY EBUSY full",             VFU_HOLE },
	{ "EINVAL full",                  VFU_HOLE },
	{ "EBUSY EIO",                    VFU_FAIL },
	/* clang-format on */
};

static void judge(const struct row *rows, size_t n,
		  enum vfu_verdict (*verdict)(const struct vfu_window *w))
{
	for (size_t i = 0; i < n; i++) {
		struct vfu_window w;

		window_of(&w, rows[i].replies);
		if (verdict(&w) != rows[i].verdict)
			fail_msg("%s: %d, not %d", rows[i].replies, verdict(&w), rows[i].verdict);
	}
}

static void a_read_is_judged_with_what_is_behind_it(void **state)
{
	(void)state;
	judge(reads, ARRAY_SIZE(reads), vfu_window_read_verdict);
}

static void a_write_is_judged_with_what_is_behind_it(void **state)
{
	(void)state;
	judge(writes, ARRAY_SIZE(writes), vfu_window_write_verdict);
}

static void an_empty_window_waits(void **state)
{
	struct vfu_window w;

	(void)state;
	vfu_window_init(&w, 4);
	assert_int_equal(vfu_window_read_verdict(&w), VFU_WAIT);
	assert_int_equal(vfu_window_write_verdict(&w), VFU_WAIT);
}

static unsigned int send_all(struct vfu_window *w)
{
	unsigned int n = 0;

	for (; vfu_window_may_send(w); n++) {
		struct vfu_request *q = vfu_window_push(w, true);

		q->id = (uint16_t)(100 + w->n);
	}
	return n;
}

static void after_a_short_reply_one_at_a_time_until_a_full_one(void **state)
{
	struct vfu_window w;

	(void)state;
	vfu_window_init(&w, 4);
	assert_int_equal(send_all(&w), 4);
	answer(&w, &w.q[0], "full");
	vfu_window_pop(&w);
	assert_int_equal(send_all(&w), 1);
	answer(&w, &w.q[1], "short"); /* not even the first one */
	assert_int_equal(send_all(&w), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(send_all(&w), 0);
		if (!w.q[0].answered)
			answer(&w, &w.q[0], "full");
		vfu_window_pop(&w);
	}
	assert_int_equal(send_all(&w), 1);
	assert_true(w.q[0].alone);
	answer(&w, &w.q[0], "short");
	vfu_window_pop(&w);
	assert_int_equal(send_all(&w), 1);
	answer(&w, &w.q[0], "full");
	assert_int_equal(send_all(&w), 3);
	assert_false(w.q[3].alone);
}

static void one_that_refuses_several_gets_one_for_good(void **state)
{
	struct vfu_window w;

	(void)state;
	vfu_window_init(&w, 4);
	send_all(&w);
	for (int i = 0; i < 4; i++)
		answer(&w, &w.q[i], "EBUSY");
	vfu_window_go_singly(&w);
	while (w.n)
		vfu_window_pop(&w);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(send_all(&w), 1);
		answer(&w, &w.q[0], "full");
		vfu_window_pop(&w);
	}
}

static void a_reply_finds_its_request_once(void **state)
{
	struct vfu_window w;

	(void)state;
	vfu_window_init(&w, 4);
	send_all(&w);
	assert_ptr_equal(vfu_window_find(&w, 103), &w.q[2]);
	answer(&w, &w.q[2], "full");
	assert_null(vfu_window_find(&w, 103));
	assert_null(vfu_window_find(&w, 99));
	vfu_window_pop(&w);
	assert_null(vfu_window_find(&w, 101));
	assert_ptr_equal(vfu_window_find(&w, 102), &w.q[0]);
}

static void no_buffer_is_lost(void **state)
{
	struct vfu_window w;
	uint8_t bufs[VFU_WINDOW_MAX];
	unsigned int seen = 0;

	(void)state;
	vfu_window_init(&w, 3);
	for (unsigned int i = 0; i < VFU_WINDOW_MAX; i++)
		w.q[i].buf = &bufs[i];
	for (int i = 0; i < 100; i++) {
		send_all(&w);
		answer(&w, &w.q[0], i % 7 ? "full" : "short");
		vfu_window_pop(&w);
	}
	for (unsigned int i = 0; i < VFU_WINDOW_MAX; i++)
		seen |= 1u << (w.q[i].buf - bufs);
	assert_int_equal(seen, (1u << VFU_WINDOW_MAX) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_is_judged_with_what_is_behind_it),
		cmocka_unit_test(a_write_is_judged_with_what_is_behind_it),
		cmocka_unit_test(an_empty_window_waits),
		cmocka_unit_test(after_a_short_reply_one_at_a_time_until_a_full_one),
		cmocka_unit_test(one_that_refuses_several_gets_one_for_good),
		cmocka_unit_test(a_reply_finds_its_request_once),
		cmocka_unit_test(no_buffer_is_lost),
	};

	return cmocka_run_group_tests_name("vfu-window", tests, NULL, NULL);
}
