// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Words that `recover` brings to a destination that waits for one, from other threads than the one
 * that waits, whatever the order in which the two get to them.
 *
 * The eventfd blocks here, unlike that of a real destination: the one that waits sleeps in read()
 * until there is a word, at one known place, and never comes to look at a link or at guests, of
 * which there are none.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cancel.h"
#include "base/hex.h"
#include "base/macros.h"
#include "engine/journal-file.h"
#include "engine/receive-parts.h"
#include "folder.h"

#define PEER_JOURNAL 0xa5
#define OTHER_JOURNAL 0x5a

static char folder[32], forced_by[] = "run by ann";

static struct {
	struct journal_ops ops;
	struct receive_options options;
	struct receive_result result;
	struct cancel cancel;
	struct receive r;
} end;

/* One sync is lost: what was to be written is known not to be there. */
static atomic_bool loses;

static int losing_fsync(int fd)
{
	if (!atomic_exchange(&loses, false))
		return journal_system_ops.fsync(fd);
	errno = EIO;
	return -1;
}

/* Of a destination that has said READY, and whose link is lost. */
static void add_record(void)
{
	static char name[] = "emu";
	static struct journal_device device = { .spec = name, .name = name, .found = MIG_STOP };
	struct journal_record record = {
		.generation = 7,
		.role = WIRE_DESTINATION,
		.phase = WIRE_PHASE_PREPARED,
		.devices = &device,
		.n_devices = 1,
	};

	memset(record.txid, 1, sizeof(record.txid));
	memset(record.peer_journal, PEER_JOURNAL, sizeof(record.peer_journal));
	assert_int_equal(journal_add(end.options.journal, &record, &end.r.entry, NULL),
			 JOURNAL_WRITTEN);
}

static int setup(void **state)
{
	struct receive *r = &end.r;

	(void)state;
	memset(&end, 0, sizeof(end));
	strcpy(folder, "/tmp/receive-XXXXXX");
	assert_non_null(mkdtemp(folder));
	end.ops = journal_system_ops;
	end.ops.fsync = losing_fsync;
	assert_int_equal(journal_open_by(folder, &end.ops, &end.options.journal, NULL), 0);
	assert_int_equal(cancel_init(&end.cancel, NULL), 0);
	r->options = &end.options;
	r->result = &end.result;
	r->cancel = &end.cancel;
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->journal_lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->state = MOVE_D_PREPARED;
	r->known = true;
	r->generation = 7;
	memset(r->txid, 1, sizeof(r->txid));
	memset(r->peer_journal, PEER_JOURNAL, sizeof(r->peer_journal));
	hex_encode(r->txid, WIRE_ID_SIZE, r->name);
	r->word = MOVE_NR_EVENTS;
	r->word_fd = eventfd(0, EFD_CLOEXEC);
	add_record();
	return r->word_fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	journal_entry_free(end.r.entry);
	journal_free(end.options.journal);
	close(end.r.word_fd);
	cancel_done(&end.cancel);
	pthread_cond_destroy(&end.r.changed);
	pthread_mutex_destroy(&end.r.journal_lock);
	pthread_mutex_destroy(&end.r.lock);
	folder_empty(folder);
	return rmdir(folder);
}

/*
 * One says @phase of the journal @journal, with @forced before it, in any thread. Return: what it
 * is answered; BUSY for nothing, which is no answer while none but these tests is at work.
 */
static enum wire_phase say(enum wire_phase phase, uint8_t journal, const char *forced)
{
	struct wire_state said = { .generation = 7, .role = WIRE_SOURCE, .phase = phase }, told;
	const struct guests_question q = { .said = &said, .forced = forced };

	memset(said.txid, 1, sizeof(said.txid));
	memset(said.journal, journal, sizeof(said.journal));
	return receive_answer(&end.r, &q, &told, NULL) < 0 ? WIRE_PHASE_BUSY : told.phase;
}

static void *bring_forced(void *arg)
{
	(void)arg;
	say(WIRE_PHASE_COMMITTED, PEER_JOURNAL, forced_by);
	return NULL;
}

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* The first thread, which waits, sleeps. */
static bool waits(void)
{
	char text[256] = "";
	FILE *f = fopen("/proc/self/stat", "re");
	const char *state;

	assert_non_null(f);
	state = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	return state && strncmp(state, ") S", 3) == 0;
}

static void *bring_forced_when_it_waits(void *arg)
{
	while (!waits())
		pause_shortly();
	return bring_forced(arg);
}

/* Under the lock: the word that was forced could not be made durable, and is of no effect. */
static bool is_back(void)
{
	return !atomic_load(&loses) && end.r.state == MOVE_D_PREPARED &&
	       end.r.word == MOVE_NR_EVENTS;
}

static void *bring_own_when_it_is_back(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&end.r.lock);
	while (!is_back())
		pthread_cond_wait(&end.r.changed, &end.r.lock);
	pthread_mutex_unlock(&end.r.lock);
	say(WIRE_PHASE_COMMITTED, PEER_JOURNAL, "");
	return NULL;
}

/* The record is COMMITTED, and says that @forced has decided so; NULL: the source. */
static void assert_committed(const char *forced)
{
	const struct journal_record *record = journal_record(end.r.entry);
	struct journal_item *v;
	size_t n;

	assert_int_equal(end.r.state, MOVE_D_STARTING);
	assert_int_equal(record->phase, WIRE_PHASE_COMMITTED);
	assert_int_equal(journal_list(end.options.journal, &v, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(v[0].record.phase, WIRE_PHASE_COMMITTED);
	assert_int_equal(!v[0].record.forced, !forced);
	if (forced)
		assert_string_equal(v[0].record.forced, forced);
	journal_list_done(v, n);
}

static void await(void)
{
	struct err err = { 0 };

	if (receive_await(&end.r, &err) < 0)
		fail_msg("%s", err.text);
}

static bool is_brought(void)
{
	bool brought;

	pthread_mutex_lock(&end.r.lock);
	brought = end.r.word != MOVE_NR_EVENTS;
	pthread_mutex_unlock(&end.r.lock);
	return brought;
}

static void a_question_leaves_a_word_that_was_not_taken(void **state)
{
	pthread_t bearer;

	(void)state;
	assert_int_equal(pthread_create(&bearer, NULL, bring_forced, NULL), 0);
	while (!is_brought())
		pause_shortly();
	assert_int_equal(say(WIRE_PHASE_BEGUN, PEER_JOURNAL, ""), WIRE_PHASE_PREPARED);
	assert_int_equal(say(WIRE_PHASE_ABORTED, OTHER_JOURNAL, "drop by eve"),
			 WIRE_PHASE_PREPARED);
	assert_int_equal(end.r.word, MOVE_ON_COMMIT);
	assert_string_equal(end.r.word_by.by, forced_by);
	await();
	pthread_join(bearer, NULL);
	assert_committed(forced_by);
	assert_string_equal(end.r.word_by.by, "");
}

static void a_name_without_a_word_is_not_kept(void **state)
{
	(void)state;
	say(WIRE_PHASE_COMMITTED, OTHER_JOURNAL, forced_by);
	say(WIRE_PHASE_PREPARED, PEER_JOURNAL, forced_by);
	assert_int_equal(end.r.word, MOVE_NR_EVENTS);
	assert_string_equal(end.r.word_by.by, "");
}

/* Whatever was looked at before, a word that wakes the one that waits is found. */
static void a_word_that_comes_while_it_looks_is_not_lost(void **state)
{
	pthread_t bearer;

	(void)state;
	assert_int_equal(pthread_create(&bearer, NULL, bring_forced_when_it_waits, NULL), 0);
	await();
	pthread_join(bearer, NULL);
	assert_committed(forced_by);
}

static void a_forced_word_that_was_not_written_does_not_name_the_next_one(void **state)
{
	pthread_t forced, own;

	(void)state;
	atomic_store(&loses, true);
	assert_int_equal(pthread_create(&own, NULL, bring_own_when_it_is_back, NULL), 0);
	assert_int_equal(pthread_create(&forced, NULL, bring_forced, NULL), 0);
	await();
	pthread_join(forced, NULL);
	pthread_join(own, NULL);
	assert_committed(NULL);
}

static enum wire_phase answered;

static void *bring_drop(void *arg)
{
	(void)arg;
	answered = say(WIRE_PHASE_ABORTED, PEER_JOURNAL, "");
	return NULL;
}

/* As the worker does, which is at the next transaction before the bearer's thread wakes. */
static void the_bearer_hears_of_an_end_that_is_past(void **state)
{
	pthread_t bearer;

	(void)state;
	assert_int_equal(pthread_create(&bearer, NULL, bring_drop, NULL), 0);
	while (!is_brought())
		pause_shortly();
	journal_record(end.r.entry)->phase = WIRE_PHASE_ABORTED;
	assert_int_equal(journal_write(end.r.entry, NULL), JOURNAL_WRITTEN);
	end.r.entry = journal_entry_free(end.r.entry);
	pthread_mutex_lock(&end.r.lock);
	end.r.state = MOVE_D_AGREEING;
	pthread_cond_broadcast(&end.r.changed);
	pthread_mutex_unlock(&end.r.lock);
	pthread_join(bearer, NULL);
	assert_int_equal(answered, WIRE_PHASE_ABORTED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_question_leaves_a_word_that_was_not_taken),
		TEST(a_name_without_a_word_is_not_kept),
		TEST(a_word_that_comes_while_it_looks_is_not_lost),
		TEST(a_forced_word_that_was_not_written_does_not_name_the_next_one),
		TEST(the_bearer_hears_of_an_end_that_is_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
