// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/macros.h"
#include "engine/journal-file.h"
#include "engine/journal-text.h"
#include "effort.h"
#include "folder.h"

static char folder[32];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/journal-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	folder_empty(folder);
	return rmdir(folder);
}

static char address[] = "0000:3b:00.1", driver[] = "mlx5_vfio_pci", emulated[] = "emu";
static char odd[] = "vfio-user:/tmp/\xff \"\n\x1b[2J", peer[] = "tcp:[::1]:4444";
static char spool[] = "/var/lib/spool/a", forced_by[] = "run by root at 2026-11-30";

/* Something in every member. */
static struct journal_device devices[2] = {
	{ .spec = address, .name = address, .driver = driver, .found = MIG_RUNNING },
	{ .spec = odd, .name = emulated, .found = MIG_STOP },
};

/* @n tells it from others. */
static struct journal_record a_record(uint8_t n, enum wire_phase phase)
{
	struct journal_record r = {
		.generation = UINT64_C(1) << 40 | n,
		.role = WIRE_DESTINATION,
		.phase = phase,
		.peer = peer,
		.end.bytes = UINT64_MAX,
		.spool = spool,
		.run = true,
		.begun_ns = 1000u + n,
		.devices = devices,
		.n_devices = ARRAY_SIZE(devices),
	};

	memset(r.txid, n, sizeof(r.txid));
	memset(r.peer_journal, 0xa5, sizeof(r.peer_journal));
	memset(r.end.digest, 0x5a, sizeof(r.end.digest));
	return r;
}

static void assert_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

static void assert_same(const struct journal_record *a, const struct journal_record *b)
{
	assert_memory_equal(a->txid, b->txid, sizeof(a->txid));
	assert_memory_equal(a->peer_journal, b->peer_journal, sizeof(a->peer_journal));
	assert_memory_equal(&a->end, &b->end, sizeof(a->end));
	assert_true(a->generation == b->generation && a->begun_ns == b->begun_ns);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->phase, b->phase);
	assert_int_equal(a->run, b->run);
	assert_int_equal(a->told, b->told);
	assert_text(a->peer, b->peer);
	assert_text(a->spool, b->spool);
	assert_text(a->forced, b->forced);
	assert_int_equal(a->n_devices, b->n_devices);
	for (unsigned int i = 0; i < a->n_devices; i++) {
		assert_text(a->devices[i].spec, b->devices[i].spec);
		assert_text(a->devices[i].name, b->devices[i].name);
		assert_text(a->devices[i].driver, b->devices[i].driver);
		assert_int_equal(a->devices[i].found, b->devices[i].found);
	}
}

static struct journal *opened(void)
{
	struct err err = { 0 };
	struct journal *j;

	if (journal_open(folder, &j, &err) < 0)
		fail_msg("%s", err.text);
	return j;
}

static struct journal_entry *added(struct journal *j, uint8_t n, enum wire_phase phase)
{
	struct journal_record r = a_record(n, phase);
	struct journal_entry *e;

	assert_int_equal(journal_add(j, &r, &e, NULL), JOURNAL_WRITTEN);
	return e;
}

/* The text */

static void a_record_is_read_as_it_was_written(void **state)
{
	static const enum wire_phase told[] = { WIRE_PHASE_NONE, WIRE_PHASE_DONE,
						WIRE_PHASE_ABORTED };
	struct journal_record r = a_record(7, WIRE_PHASE_PREPARED), back;
	size_t len;
	char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		const bool forced = i > 0;

		r.told = told[i];
		r.forced = forced ? forced_by : NULL;
		r.role = forced ? WIRE_SOURCE : WIRE_DESTINATION;
		assert_int_equal(journal_text_encode(&r, &text, &len, NULL), 0);
		assert_int_equal(strlen(text), len);
		assert_int_equal(strncmp(text, "vfiomigctl journal 1\n{\n", 23), 0);
		assert_non_null(strstr(text, "\"phase\":\"prepared\""));
		assert_int_equal(journal_text_decode(text, len, &back, NULL), 0);
		assert_same(&r, &back);
		journal_record_done(&back);
		free(text);
	}
}

static void a_byte_that_is_lost_or_changed_is_noticed(void **state)
{
	struct journal_record r = a_record(7, WIRE_PHASE_COMMITTED), back;
	size_t len;
	char *text;

	(void)state;
	assert_int_equal(journal_text_encode(&r, &text, &len, NULL), 0);
	for (size_t i = 0; i < len; i++) {
		struct err err = { 0 };

		assert_int_equal(journal_text_decode(text, i, &back, &err), -EBADMSG);
		assert_int_equal(err_status(&err), ERR_IMAGE);
		for (unsigned int bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ (1 << bit));
			assert_int_equal(journal_text_decode(text, len, &back, &err), -EBADMSG);
			text[i] = (char)(text[i] ^ (1 << bit));
		}
	}
	free(text);
}

/* @json with a first and a last line that are right. */
static int decode_json(const char *json, struct journal_record *ret, struct err *err)
{
	char text[8192];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "vfiomigctl journal 1\n%s\n", json);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "checksum %016" PRIx64 "\n",
			      (uint64_t)XXH3_64bits(text, n));
	return journal_text_decode(text, n, ret, err);
}

#define ID "00112233445566778899aabbccddeeff"
#define REST(role, phase, generation, devices)                                          \
	"{\"role\":" role ",\"phase\":" phase ",\"run\":true,\"txid\":\"" ID            \
	"\",\"peer_journal\":\"" ID "\",\"image\":\"" ID "\",\"digest\":\"" ID          \
	"\",\"generation\":" generation ",\"bytes\":1,\"begun_ns\":2,\"changed_ns\":3," \
	"\"devices\":" devices ",\"later\":{}}"
#define DEVICE "{\"device\":\"a\",\"address\":\"b\",\"found\":\"running\"}"

static void what_cannot_be_is_refused_by_name(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{ "[]", "no object of JSON" },
		{ "{", "no object of JSON" },
		{ "{}{}", "no object of JSON" },
		{ "[[[[[[[[[[]]]]]]]]]]", "no object of JSON" },
		{ "{}", "\"role\" is neither end" },
		{ REST("3", "\"begun\"", "1", "[" DEVICE "]"), "\"role\" is no string" },
		{ REST("\"both\"", "\"begun\"", "1", "[" DEVICE "]"), "\"role\" is neither end" },
		{ REST("\"source\"", "\"none\"", "1", "[" DEVICE "]"), "\"phase\" is none" },
		{ REST("\"source\"", "\"busy\"", "1", "[" DEVICE "]"), "\"phase\" is none" },
		{ REST("\"source\"", "\"done\\u0000\"", "1", "[]"), "\"phase\" is no string" },
		{ REST("\"source\"", "\"begun\",\"told\":\"begun\"", "1", "[]"),
		  "\"told\" is neither done nor aborted" },
		{ REST("\"source\"", "\"begun\",\"told\":5", "1", "[]"), "\"told\" is no string" },
		{ REST("\"source\"", "\"done\"", "-1", "[" DEVICE "]"), "\"generation\"" },
		{ REST("\"source\"", "\"done\"", "1.5", "[" DEVICE "]"), "\"generation\"" },
		{ REST("\"source\"", "\"done\"", "1", "{}"), "without \"devices\"" },
		{ REST("\"source\"", "\"done\"", "1", "[null]"), "a device that is no object" },
		{ REST("\"source\"", "\"done\"", "1", "[{}]"), "without \"device\"" },
		{ REST("\"source\"", "\"done\"", "1",
		       "[{\"device\":\"a\",\"address\":\"b\",\"found\":\"asleep\"}]"),
		  "\"found\" is no state" },
	};
	struct journal_record back;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(decode_json(rows[i].json, &back, &err), -EBADMSG);
		if (!strstr(err.text, rows[i].text))
			fail_msg("row %zu: %s", i, err.text);
	}
	assert_int_equal(
		decode_json(REST("\"source\"", "\"done\"", "1", "[" DEVICE "]"), &back, NULL), 0);
	assert_int_equal(back.phase, WIRE_PHASE_DONE);
	journal_record_done(&back);
}

static void another_version_is_named(void **state)
{
	static const char text[] = "vfiomigctl journal 2\nchecksum 0123456789abcdef\n";
	struct journal_record back;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(journal_text_decode(text, sizeof(text) - 1, &back, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "of version 2"));
}

static void a_record_that_none_would_read_is_not_written(void **state)
{
	struct journal_record r = a_record(1, WIRE_PHASE_BEGUN);
	struct journal *j = opened();
	struct journal_entry *e;
	char *path = calloc(1, JOURNAL_STRING_MAX + 2);

	(void)state;
	memset(path, 'x', JOURNAL_STRING_MAX + 1);
	r.spool = path;
	assert_int_equal(journal_add(j, &r, &e, NULL), -E2BIG);
	r.spool = NULL;
	r.n_devices = JOURNAL_DEVICES_MAX + 1;
	r.devices = calloc(r.n_devices, sizeof(*r.devices));
	for (unsigned int i = 0; i < r.n_devices; i++)
		r.devices[i] = devices[0];
	assert_int_equal(journal_add(j, &r, &e, NULL), -E2BIG);
	free(r.devices);
	free(path);
	journal_free(j);
}

/* The folder */

static void the_folder_is_made_and_keeps_its_id(void **state)
{
	static const char *const names[] = { "a/b/id", "a/b/lock", "a/b", "a" };
	char path[64];
	struct journal *j;
	struct stat st;
	uint8_t id[WIRE_ID_SIZE];

	(void)state;
	snprintf(path, sizeof(path), "%s/a//b/", folder);
	assert_int_equal(journal_open(path, &j, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	memcpy(id, journal_id(j), sizeof(id));
	assert_int_equal(*journal_dir(j), '/');
	journal_free(j);
	assert_int_equal(journal_open(path, &j, NULL), 0);
	assert_memory_equal(id, journal_id(j), sizeof(id));
	journal_free(j);

	snprintf(path, sizeof(path), "%s/a/b/id", folder);
	assert_int_equal(truncate(path, 30), 0);
	snprintf(path, sizeof(path), "%s/a/b", folder);
	assert_int_equal(journal_open(path, &j, NULL), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		assert_int_equal(remove(path), 0);
	}
}

static void a_folder_that_is_named_is_there_or_missing(void **state)
{
	static const struct {
		const char *path;
		int code;
	} rows[] = { { "gone", -ENOENT }, { "gone/too", -ENOENT }, { "file/in", -ENOTDIR } };
	char path[64], id[WIRE_ID_SIZE];
	struct journal *j = opened();
	struct stat st;

	(void)state;
	memcpy(id, journal_id(j), sizeof(id));
	journal_free(j);
	assert_int_equal(journal_find(folder, &j, NULL), 0);
	assert_memory_equal(id, journal_id(j), sizeof(id));
	journal_free(j);
	snprintf(path, sizeof(path), "%s/file", folder);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		snprintf(path, sizeof(path), "%s/%s", folder, rows[i].path);
		assert_int_equal(journal_find(path, &j, &err), rows[i].code);
		assert_int_equal(err_status(&err), ERR_MISSING);
		assert_true(err.system);
		assert_non_null(strstr(err.text, path));
		assert_true(stat(path, &st) < 0);
	}
	snprintf(path, sizeof(path), "%s/file", folder);
	assert_int_equal(unlink(path), 0);
}

static void a_folder_that_others_may_write_is_refused(void **state)
{
	static const mode_t modes[] = { 0720, 0702, 0777, 01777 };
	struct journal *j;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct err err = { 0 };

		assert_int_equal(chmod(folder, modes[i]), 0);
		assert_int_equal(journal_open(folder, &j, &err), -EACCES);
		assert_int_equal(err_status(&err), ERR_CONFIG);
		assert_non_null(strstr(err.hint, "chmod 0700"));
	}
	assert_int_equal(chmod(folder, 0755), 0);
	journal_free(opened());
}

static void the_default_folder_is_the_users_own(void **state)
{
	struct err err = { 0 };
	char *dir = NULL;

	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(journal_default_dir(&dir, NULL), 0);
		assert_string_equal(dir, "/var/lib/vfiomigctl");
		free(dir);
		return;
	}
	setenv("XDG_STATE_HOME", "/s", 1);
	assert_int_equal(journal_default_dir(&dir, NULL), 0);
	assert_string_equal(dir, "/s/vfiomigctl");
	free(dir);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/h", 1);
	assert_int_equal(journal_default_dir(&dir, NULL), 0);
	assert_string_equal(dir, "/h/.local/state/vfiomigctl");
	free(dir);
	unsetenv("HOME");
	assert_int_equal(journal_default_dir(&dir, &err), -ENOENT);
	assert_int_equal(err_status(&err), ERR_CONFIG);
}

static void what_is_added_later_began_later_by_any_clock(void **state)
{
	struct journal *j = opened();
	struct journal_record old = a_record(1, WIRE_PHASE_DONE),
			      new = a_record(2, WIRE_PHASE_BEGUN);
	const uint64_t future = UINT64_C(4102444800) * NSEC_PER_SEC;
	struct journal_entry *e;

	(void)state;
	old.begun_ns = future;
	new.begun_ns = 0;
	assert_int_equal(journal_add(j, &old, &e, NULL), JOURNAL_WRITTEN);
	journal_entry_free(e);
	assert_int_equal(journal_add(j, &new, &e, NULL), JOURNAL_WRITTEN);
	assert_true(journal_record(e)->begun_ns > future);
	journal_entry_free(e);
	journal_free(j);
}

static void generations_grow_whatever_was_seen(void **state)
{
	struct journal *j = opened(), *other;
	struct err err = { 0 };
	uint64_t a, b;
	char path[64];

	(void)state;
	assert_int_equal(journal_generation(j, 0, &a, NULL), 0);
	assert_true(a > 0);
	assert_int_equal(journal_generation(j, 0, &b, NULL), 0);
	assert_true(b > a);
	assert_int_equal(journal_generation(j, 1000, &a, NULL), 0);
	assert_true(a > 1000);
	assert_int_equal(journal_generation(j, UINT64_MAX, &b, &err), -ERANGE);
	assert_int_equal(err_status(&err), ERR_PEER);
	other = opened();
	assert_int_equal(journal_generation(other, 5, &b, NULL), 0);
	assert_true(b > a);
	journal_free(other);

	snprintf(path, sizeof(path), "%s/generation", folder);
	assert_int_equal(truncate(path, 25), 0);
	assert_int_equal(journal_generation(j, 5, &b, &err), -EBADMSG);
	journal_free(j);
}

/* Locks */

static void a_record_is_locked_by_one(void **state)
{
	struct journal *j = opened(), *other = opened();
	struct journal_record r = a_record(1, WIRE_PHASE_BEGUN);
	struct journal_entry *e = added(j, 1, WIRE_PHASE_BEGUN), *second;
	struct wire_state s;
	struct err err = { 0 };
	char pid[32];

	(void)state;
	snprintf(pid, sizeof(pid), "process %d works", getpid());
	assert_int_equal(journal_lock(other, r.txid, r.role, &second, &err), -EBUSY);
	assert_non_null(strstr(err.text, pid));
	assert_int_equal(journal_phase(other, r.txid, r.role, &s, NULL), 0);
	assert_int_equal(s.phase, WIRE_PHASE_BUSY);
	assert_int_equal(journal_add(other, &r, &second, NULL), -EEXIST);
	journal_record(e)->phase = WIRE_PHASE_PREPARED;
	assert_int_equal(journal_write(e, NULL), JOURNAL_WRITTEN);
	/* The record is another file now: the lock still holds. */
	assert_int_equal(journal_lock(other, r.txid, r.role, &second, NULL), -EBUSY);
	assert_int_equal(journal_phase(other, r.txid, r.role, &s, NULL), 0);
	assert_int_equal(s.phase, WIRE_PHASE_BUSY);
	/* What is over is told, and still locked. */
	journal_record(e)->phase = WIRE_PHASE_DONE;
	assert_int_equal(journal_write(e, NULL), JOURNAL_WRITTEN);
	assert_int_equal(journal_phase(other, r.txid, r.role, &s, NULL), 0);
	assert_int_equal(s.phase, WIRE_PHASE_DONE);
	assert_true(s.generation == r.generation);
	assert_int_equal(journal_lock(other, r.txid, r.role, &second, NULL), -EBUSY);
	journal_record(e)->phase = WIRE_PHASE_PREPARED;
	assert_int_equal(journal_write(e, NULL), JOURNAL_WRITTEN);
	journal_entry_free(e);

	assert_int_equal(journal_phase(other, r.txid, r.role, &s, NULL), 0);
	assert_int_equal(s.phase, WIRE_PHASE_PREPARED);
	assert_true(s.generation == r.generation);
	assert_int_equal(s.role, r.role);
	assert_memory_equal(s.journal, journal_id(j), WIRE_ID_SIZE);
	assert_int_equal(journal_lock(other, r.txid, r.role, &second, NULL), 0);
	r.phase = WIRE_PHASE_PREPARED;
	assert_same(&r, journal_record(second));
	journal_entry_free(second);

	assert_int_equal(journal_phase(j, r.txid, WIRE_SOURCE, &s, NULL), 0);
	assert_int_equal(s.phase, WIRE_PHASE_NONE);
	assert_int_equal(journal_lock(j, r.txid, WIRE_SOURCE, &second, &err), -ENOENT);
	assert_int_equal(err_status(&err), ERR_MISSING);
	journal_free(other);
	journal_free(j);
}

/* What a crash may undo yet is told only where that has the same end. */
static void of_what_is_locked_is_told_what_no_crash_undoes(void **state)
{
	static const struct {
		enum wire_role role;
		enum wire_phase phase;
		enum wire_phase told[2]; /* decided by the other end's word, or forced */
	} rows[] = {
#define BUSY WIRE_PHASE_BUSY
		{ WIRE_SOURCE, WIRE_PHASE_BEGUN, { BUSY, BUSY } },
		{ WIRE_SOURCE, WIRE_PHASE_COMMITTED, { BUSY, BUSY } },
		{ WIRE_SOURCE, WIRE_PHASE_DONE, { WIRE_PHASE_DONE, BUSY } },
		{ WIRE_SOURCE, WIRE_PHASE_ABORTED, { WIRE_PHASE_ABORTED, BUSY } },
		{ WIRE_DESTINATION, WIRE_PHASE_PREPARED, { BUSY, BUSY } },
		{ WIRE_DESTINATION, WIRE_PHASE_COMMITTED, { BUSY, BUSY } },
		{ WIRE_DESTINATION, WIRE_PHASE_DONE, { WIRE_PHASE_DONE, WIRE_PHASE_DONE } },
		{ WIRE_DESTINATION, WIRE_PHASE_ABORTED, { WIRE_PHASE_ABORTED, BUSY } },
#undef BUSY
	};
	struct journal *j = opened();

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct journal_record r = a_record((uint8_t)(i + 1), rows[i / 2].phase);
		struct journal_entry *e;
		struct wire_state s;

		r.role = rows[i / 2].role;
		r.forced = i % 2 ? forced_by : NULL;
		assert_int_equal(journal_add(j, &r, &e, NULL), JOURNAL_WRITTEN);
		assert_int_equal(journal_phase(j, r.txid, r.role, &s, NULL), 0);
		assert_int_equal(s.phase, rows[i / 2].told[i % 2]);
		journal_entry_free(e);
		assert_int_equal(journal_phase(j, r.txid, r.role, &s, NULL), 0);
		assert_int_equal(s.phase, r.phase);
	}
	journal_free(j);
}

static struct journal *witness;
static unsigned int change_asked, change_writes;

static void assert_not_busy(void)
{
	struct journal_item *v;
	size_t n;

	assert_int_equal(journal_list(witness, &v, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_false(v[0].busy);
	journal_list_done(v, n);
}

static bool change_told(struct journal_record *record, const void *ctx)
{
	const bool *changes = ctx;

	change_asked++;
	assert_not_busy();
	record->told = WIRE_PHASE_DONE;
	return *changes;
}

static int change_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
	change_writes++;
	assert_not_busy();
	return renameat(old_dir, old_name, new_dir, new_name);
}

static void a_record_is_changed_without_its_lock(void **state)
{
	struct journal_ops ops = journal_system_ops;
	struct journal_record r = a_record(1, WIRE_PHASE_PREPARED);
	struct journal_entry *e;
	bool changes = false;
	struct journal *j;

	(void)state;
	ops.renameat = change_renameat;
	witness = opened();
	assert_int_equal(journal_open_by(folder, &ops, &j, NULL), 0);
	assert_int_equal(journal_change(j, r.txid, r.role, change_told, &changes, NULL), 0);
	assert_int_equal(change_asked, 0);
	/* A process works on it. */
	e = added(witness, 1, WIRE_PHASE_PREPARED);
	assert_int_equal(journal_change(j, r.txid, r.role, change_told, &changes, NULL), 0);
	assert_int_equal(change_asked, 0);
	journal_entry_free(e);

	assert_int_equal(journal_change(j, r.txid, r.role, change_told, &changes, NULL), 0);
	assert_int_equal(change_asked, 1);
	assert_int_equal(change_writes, 0);
	changes = true;
	assert_int_equal(journal_change(j, r.txid, r.role, change_told, &changes, NULL), 0);
	assert_int_equal(change_writes, 1);
	assert_int_equal(journal_lock(witness, r.txid, r.role, &e, NULL), 0);
	r.told = WIRE_PHASE_DONE;
	assert_same(&r, journal_record(e));
	journal_entry_free(e);
	journal_free(j);
	journal_free(witness);
}

static void a_lock_goes_with_its_process_and_not_with_its_children(void **state)
{
	struct journal_record r = a_record(1, WIRE_PHASE_BEGUN);
	struct journal_entry *e;
	struct journal *j = opened();
	int ready[2], hold[2], status;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		struct journal *mine = opened();

		added(mine, 1, WIRE_PHASE_BEGUN);
		_exit(write(ready[1], "", 1) == 1 ? pause() : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(journal_lock(j, r.txid, r.role, &e, NULL), -EBUSY);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(journal_lock(j, r.txid, r.role, &e, NULL), 0);

	/* A child that has the descriptor does not keep what its parent has unlocked. */
	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (!pid) {
		close(hold[1]);
		_exit((int)read(hold[0], &c, 1));
	}
	close(hold[0]);
	journal_entry_free(e);
	assert_int_equal(journal_lock(j, r.txid, r.role, &e, NULL), 0);
	journal_entry_free(e);
	close(hold[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	close(ready[1]);
	journal_free(j);
}

/* The list */

static void a_list_is_by_age_and_names_what_is_damaged(void **state)
{
	struct journal *j = opened();
	struct journal_entry *busy, *none;
	struct journal_item *v;
	struct journal_record r = a_record(9, 0);
	struct wire_state s;
	char path[128], hex[2 * WIRE_ID_SIZE + 1];
	struct err err = { 0 };
	size_t n;

	(void)state;
	journal_entry_free(added(j, 3, WIRE_PHASE_DONE));
	journal_entry_free(added(j, 1, WIRE_PHASE_BEGUN));
	busy = added(j, 2, WIRE_PHASE_PREPARED);
	snprintf(path, sizeof(path), "%s/%s.destination", folder,
		 hex_encode(r.txid, WIRE_ID_SIZE, hex));
	assert_int_equal(close(creat(path, 0600)), 0);
	assert_int_equal(journal_list(j, &v, &n, NULL), 0);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < 3; i++) {
		assert_null(v[i].damaged);
		assert_int_equal(v[i].record.txid[0], i + 1);
		assert_int_equal(v[i].busy, i == 1);
	}
	assert_non_null(v[3].damaged);
	assert_non_null(strstr(path, v[3].file));
	journal_list_done(v, n);
	assert_int_equal(journal_lock(j, r.txid, r.role, &none, &err), -EBADMSG);
	assert_int_equal(journal_phase(j, r.txid, r.role, &s, &err), -EBADMSG);
	assert_non_null(strstr(err.text, hex));
	journal_entry_free(busy);
	journal_free(j);
}

static size_t count_phase(struct journal *j, enum wire_phase phase, uint8_t *ret_first)
{
	struct journal_item *v;
	size_t n, found = 0;

	assert_int_equal(journal_list(j, &v, &n, NULL), 0);
	for (size_t i = n; i > 0; i--)
		if (v[i - 1].record.phase == phase) {
			found++;
			*ret_first = v[i - 1].record.txid[0];
		}
	journal_list_done(v, n);
	return found;
}

static void finished_records_go_when_there_are_many(void **state)
{
	struct journal *j = opened();
	struct journal_record r = a_record(200, WIRE_PHASE_DONE);
	struct journal_entry *e;
	uint8_t first;
	char path[128];

	(void)state;
	r.forced = forced_by;
	assert_int_equal(journal_add(j, &r, &e, NULL), JOURNAL_WRITTEN);
	journal_entry_free(e);
	for (uint8_t n = 1; n <= 10; n++)
		journal_entry_free(added(j, n, WIRE_PHASE_COMMITTED));
	for (unsigned int n = 11; n <= 11 + JOURNAL_KEPT + 5; n++)
		journal_entry_free(added(j, (uint8_t)n, WIRE_PHASE_ABORTED));
	/* A lock whose record was never written. */
	memset(r.txid, 0xee, sizeof(r.txid));
	snprintf(path, sizeof(path), "%s/%s.source.lock", folder,
		 "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
	assert_int_equal(close(creat(path, 0600)), 0);
	journal_entry_free(added(j, 201, WIRE_PHASE_BEGUN));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(count_phase(j, WIRE_PHASE_ABORTED, &first), JOURNAL_KEPT);
	assert_int_equal(first, 11 + 6);
	assert_int_equal(count_phase(j, WIRE_PHASE_COMMITTED, &first), 10);
	assert_int_equal(count_phase(j, WIRE_PHASE_DONE, &first), 1);
	journal_free(j);
}

/* System calls that fail, or are the last ones of their process */

enum call {
	CALL_OPENAT,
	CALL_WRITE,
	CALL_FSYNC,
	CALL_RENAMEAT,
	CALL_UNLINKAT,
};

static struct {
	int at; /* the call that it happens to; -1 for none */
	int error; /* its errno; 0: the process is killed */
	bool after; /* the call is made first */
	int calls;
	enum call was;
	int syncs; /* before it, and itself */
	bool ahead; /* the file aside was synced before */
} fault;

/* Return: the call is not to be made, or its result is not to be told. */
static bool fault_hits(enum call call)
{
	fault.syncs += call == CALL_FSYNC && fault.calls <= fault.at;
	if (fault.calls++ != fault.at)
		return false;
	fault.was = call;
	if (!fault.error && !fault.after)
		kill(getpid(), SIGKILL);
	return true;
}

static int fault_result(bool hit, int r)
{
	if (!hit)
		return r;
	if (!fault.error)
		kill(getpid(), SIGKILL);
	errno = fault.error;
	return -1;
}

static int fault_openat(int dir, const char *name, int flags, mode_t mode)
{
	bool hit = fault_hits(CALL_OPENAT);

	return hit && fault.error ? fault_result(hit, 0)
				  : fault_result(hit, openat(dir, name, flags, mode));
}

/* One byte, then the rest: a file is never whole after one call. */
static ssize_t fault_write(int fd, const void *buf, size_t len)
{
	bool hit = fault_hits(CALL_WRITE);

	return fault_result(hit,
			    hit && fault.error ? 0 : (int)write(fd, buf, len > 1 ? len / 2 : len));
}

static int fault_fsync(int fd)
{
	return fault_result(fault_hits(CALL_FSYNC), fsync(fd));
}

static int fault_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
	bool hit = fault_hits(CALL_RENAMEAT);

	if (hit && !fault.after)
		return fault_result(hit, 0);
	return fault_result(hit, renameat(old_dir, old_name, new_dir, new_name));
}

static int fault_unlinkat(int dir, const char *name, int flags)
{
	return fault_result(fault_hits(CALL_UNLINKAT), unlinkat(dir, name, flags));
}

/* What the day's clock says; a test sets it. */
static uint64_t today_ns = UINT64_C(1700000000) * NSEC_PER_SEC;

static uint64_t fault_now_ns(void)
{
	return today_ns;
}

static const struct journal_ops fault_ops = {
	.openat = fault_openat,
	.write = fault_write,
	.fsync = fault_fsync,
	.renameat = fault_renameat,
	.unlinkat = fault_unlinkat,
	.now_ns = fault_now_ns,
};

static void fault_set(int at, int error, bool after)
{
	memset(&fault, 0, sizeof(fault));
	fault.at = at;
	fault.error = error;
	fault.after = after;
}

static struct journal *opened_faulty(void)
{
	struct journal *j;

	fault_set(-1, 0, false);
	assert_int_equal(journal_open_by(folder, &fault_ops, &j, NULL), 0);
	return j;
}

/* What a write must say when that call has failed. */
static int expected(void)
{
	switch (fault.was) {
	case CALL_RENAMEAT:
		return fault.error == ENOSPC ? -ENOSPC : JOURNAL_UNSURE;
	case CALL_FSYNC:
		return fault.syncs == 1 && !fault.ahead ? -fault.error : JOURNAL_UNSURE;
	case CALL_WRITE:
		return fault.error == EINTR ? JOURNAL_WRITTEN : -fault.error;
	case CALL_UNLINKAT:
		return JOURNAL_WRITTEN;
	default:
		return -fault.error;
	}
}

static enum wire_phase phase_now(uint8_t n)
{
	struct journal_record r = a_record(n, 0);
	struct journal *j = opened();
	struct wire_state s;

	assert_int_equal(journal_phase(j, r.txid, r.role, &s, NULL), 0);
	journal_free(j);
	return s.phase;
}

static void assert_outcome(int r, enum wire_phase was, enum wire_phase now, bool renamed)
{
	assert_int_equal(r, expected());
	if (r < 0)
		assert_int_equal(now, was);
	else if (r == JOURNAL_WRITTEN || renamed)
		assert_int_equal(now, WIRE_PHASE_COMMITTED);
	else
		assert_int_equal(now, was);
}

/* Whether a call of a write that failed had changed the record's name before. */
static bool had_renamed(void)
{
	return fault.was == CALL_FSYNC || (fault.was == CALL_RENAMEAT && fault.after);
}

static bool is_aside(uint8_t n)
{
	struct journal_record r = a_record(n, 0);
	char path[128], hex[2 * WIRE_ID_SIZE + 1];

	snprintf(path, sizeof(path), "%s/.%s.destination.new", folder,
		 hex_encode(r.txid, WIRE_ID_SIZE, hex));
	return access(path, F_OK) == 0;
}

/* One row: the call @at of a write fails, of which the first half was done before or not. */
static int write_with_fault(int at, int error, bool after, bool ahead)
{
	struct journal *j = opened_faulty();
	struct journal_entry *e = added(j, 1, WIRE_PHASE_PREPARED);
	struct err err = { 0 };
	bool hit;
	int r;

	if (ahead)
		journal_prepare(e, WIRE_PHASE_COMMITTED);
	assert_int_equal(is_aside(1), ahead);
	fault_set(at, error, after);
	fault.ahead = ahead;
	journal_record(e)->phase = WIRE_PHASE_COMMITTED;
	r = journal_write(e, &err);
	hit = fault.calls > at;
	journal_entry_free(e);
	journal_free(j);
	if (hit && !(fault.was == CALL_RENAMEAT && fault.after && r < 0))
		assert_outcome(r, WIRE_PHASE_PREPARED, phase_now(1), had_renamed());
	assert_int_equal(hit && r != JOURNAL_WRITTEN, err.text[0] != '\0');
	assert_false(is_aside(1));
	folder_empty(folder);
	return hit ? r : JOURNAL_WRITTEN;
}

static void a_write_tells_what_is_there_when_any_call_fails(void **state)
{
	static const int errors[] = { EIO, ENOSPC, EINTR };

	(void)state;
	for (int ahead = 0; ahead < 2; ahead++) {
		unsigned int unsure = 0, refused = 0;

		for (int at = 0, hit = 1; hit; at++) {
			for (size_t k = 0; k < 2 * ARRAY_SIZE(errors); k++) {
				int r = write_with_fault(at, errors[k / 2], k % 2, ahead);

				hit = fault.calls > at;
				unsure += r == JOURNAL_UNSURE;
				refused += r < 0;
			}
		}
		assert_true(unsure > 5 && refused > (ahead ? 0 : 5));
		/* Of a write that was prepared, only its second half is left to be done. */
		if (ahead)
			assert_int_equal(fault.calls, 2);
	}
}

static void what_cannot_be_prepared_is_written_in_its_time(void **state)
{
	unsigned int hits = 0;

	(void)state;
	for (int at = 0, hit = 1; hit; at++) {
		struct journal *j = opened_faulty();
		struct journal_entry *e = added(j, 1, WIRE_PHASE_PREPARED);

		fault_set(at, EIO, false);
		journal_prepare(e, WIRE_PHASE_COMMITTED);
		hit = fault.calls > at;
		hits += (unsigned int)hit;
		fault_set(-1, 0, false);
		journal_record(e)->phase = WIRE_PHASE_COMMITTED;
		assert_int_equal(journal_write(e, NULL), JOURNAL_WRITTEN);
		/* Anew, if it has failed: what a sync has lost once is not believed to be there. */
		assert_int_equal(fault.calls > 2, hit);
		journal_entry_free(e);
		journal_free(j);
		assert_int_equal(phase_now(1), WIRE_PHASE_COMMITTED);
		folder_empty(folder);
	}
	assert_true(hits >= 3);
}

static void what_is_prepared_is_no_record(void **state)
{
	struct journal *j = opened();
	struct journal_entry *e = added(j, 1, WIRE_PHASE_PREPARED);
	struct journal_item *v;
	size_t n;

	(void)state;
	journal_prepare(e, WIRE_PHASE_COMMITTED);
	assert_true(is_aside(1));
	assert_int_equal(journal_record(e)->phase, WIRE_PHASE_PREPARED);
	assert_int_equal(journal_list(j, &v, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(v[0].record.phase, WIRE_PHASE_PREPARED);
	journal_list_done(v, n);
	/* What never was of use goes with its lock. */
	journal_entry_free(e);
	assert_false(is_aside(1));
	assert_int_equal(phase_now(1), WIRE_PHASE_PREPARED);
	journal_free(j);
}

/* It is the content that counts, and not that something was prepared. */
static void another_content_than_was_prepared_is_written_whole(void **state)
{
	struct journal *j = opened();
	struct journal_record r = a_record(1, WIRE_PHASE_COMMITTED);
	struct journal_entry *e = added(j, 1, WIRE_PHASE_PREPARED);

	(void)state;
	journal_prepare(e, WIRE_PHASE_COMMITTED);
	journal_record(e)->phase = WIRE_PHASE_ABORTED;
	assert_int_equal(journal_write(e, NULL), JOURNAL_WRITTEN);
	assert_false(is_aside(1));
	journal_prepare(e, WIRE_PHASE_COMMITTED);
	journal_record(e)->phase = WIRE_PHASE_COMMITTED;
	journal_record(e)->end.bytes = 4711;
	assert_int_equal(journal_write(e, NULL), JOURNAL_WRITTEN);
	assert_false(is_aside(1));
	journal_entry_free(e);
	assert_int_equal(journal_lock(j, r.txid, r.role, &e, NULL), 0);
	assert_true(journal_record(e)->end.bytes == 4711);
	assert_int_equal(journal_record(e)->phase, WIRE_PHASE_COMMITTED);
	journal_entry_free(e);
	journal_free(j);
}

/* A destination may be in doubt for hours; and the clock may be set meanwhile. */
static void what_was_prepared_long_ago_is_written_with_its_own_date(void **state)
{
	static const struct {
		int64_t waited_s;
		bool ahead; /* what lies aside is good, with the date at which it was prepared */
	} rows[] = { { 0, true }, { 59, true }, { 61, false }, { 86400, false }, { -1, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct journal_record r = a_record(1, 0);
		struct journal *j = opened_faulty();
		struct journal_entry *e = added(j, 1, WIRE_PHASE_PREPARED);
		uint64_t prepared_ns = today_ns;

		journal_prepare(e, WIRE_PHASE_COMMITTED);
		today_ns += (uint64_t)(rows[i].waited_s * (int64_t)NSEC_PER_SEC);
		fault_set(-1, 0, false);
		journal_record(e)->phase = WIRE_PHASE_COMMITTED;
		assert_int_equal(journal_write(e, NULL), JOURNAL_WRITTEN);
		assert_int_equal(fault.calls == 2, rows[i].ahead);
		assert_false(is_aside(1));
		journal_entry_free(e);
		assert_int_equal(journal_lock(j, r.txid, r.role, &e, NULL), 0);
		assert_int_equal(journal_record(e)->phase, WIRE_PHASE_COMMITTED);
		assert_true(journal_record(e)->changed_ns ==
			    (rows[i].ahead ? prepared_ns : today_ns));
		journal_entry_free(e);
		journal_free(j);
		folder_empty(folder);
	}
}

static void a_record_that_is_not_added_is_not_there(void **state)
{
	(void)state;
	for (int at = 0, hit = 1; hit; at++) {
		struct journal *j = opened_faulty();
		struct journal_record record = a_record(1, WIRE_PHASE_COMMITTED);
		struct journal_entry *e = NULL;
		int r;

		fault_set(at, EIO, false);
		r = journal_add(j, &record, &e, NULL);
		hit = fault.calls > at;
		assert_int_equal(r < 0, !e);
		journal_entry_free(e);
		if (hit)
			assert_outcome(r, WIRE_PHASE_NONE, phase_now(1), had_renamed());
		/* What failed once does not stand in the way of the next one. */
		fault_set(-1, 0, false);
		if (phase_now(1) == WIRE_PHASE_NONE)
			journal_entry_free(added(j, 1, WIRE_PHASE_COMMITTED));
		journal_free(j);
		folder_empty(folder);
	}
}

/* A later reader must not believe what its writer was not sure of, before it is durable. */
static void a_record_is_told_only_when_it_is_durable(void **state)
{
	struct journal *j = opened_faulty();
	struct journal_record r = a_record(1, 0);
	struct journal_entry *e;
	struct wire_state s;
	unsigned int failed = 0;

	(void)state;
	journal_entry_free(added(j, 1, WIRE_PHASE_COMMITTED));
	for (int at = 0, hit = 1; hit; at++) {
		fault_set(at, EIO, false);
		hit = journal_phase(j, r.txid, r.role, &s, NULL) < 0;
		failed += (unsigned int)hit;
		fault_set(at, EIO, false);
		assert_int_equal(journal_lock(j, r.txid, r.role, &e, NULL), hit ? -EIO : 0);
		if (!hit)
			journal_entry_free(e);
	}
	assert_true(failed >= 5);
	journal_free(j);
}

static void a_generation_is_given_once(void **state)
{
	uint64_t last = 0, now = 0;
	struct journal *j = opened_faulty();

	(void)state;
	for (int at = 0, hit = 1; hit; at++) {
		fault_set(at, EIO, false);
		hit = journal_generation(j, 0, &now, NULL) < 0;
		fault_set(-1, 0, false);
		assert_int_equal(journal_generation(j, 0, &now, NULL), 0);
		assert_true(now > last);
		last = now;
	}
	journal_free(j);
}

static void a_folder_without_an_id_is_not_opened(void **state)
{
	struct journal *j;
	unsigned int failed = 0;

	(void)state;
	for (int at = 0, hit = 1; hit; at++) {
		fault_set(at, EIO, false);
		hit = journal_open_by(folder, &fault_ops, &j, NULL) < 0;
		failed += (unsigned int)hit;
		if (!hit)
			journal_free(j);
		journal_free(opened());
		folder_empty(folder);
	}
	assert_true(failed >= 5);
}

/* @op in a process that is killed at its call @at. Return: whether there was such a call. */
static bool killed(void (*op)(struct journal *j), int at, bool after)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct journal *j = opened_faulty();

		fault_set(at, 0, after);
		op(j);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
	return WIFSIGNALED(status);
}

static void op_write(struct journal *j)
{
	struct journal_record r = a_record(1, 0);
	struct journal_entry *e;

	/* What journal_lock() itself writes is the old content. */
	if (journal_lock(j, r.txid, r.role, &e, NULL) < 0)
		_exit(1);
	journal_record(e)->phase = WIRE_PHASE_COMMITTED;
	if (journal_write(e, NULL) != JOURNAL_WRITTEN)
		_exit(1);
}

static void op_prepare(struct journal *j)
{
	struct journal_record r = a_record(1, 0);
	struct journal_entry *e;

	if (journal_lock(j, r.txid, r.role, &e, NULL) < 0)
		_exit(1);
	journal_prepare(e, WIRE_PHASE_COMMITTED);
	journal_record(e)->phase = WIRE_PHASE_COMMITTED;
	if (journal_write(e, NULL) != JOURNAL_WRITTEN)
		_exit(1);
}

static void op_add(struct journal *j)
{
	struct journal_record r = a_record(1, WIRE_PHASE_COMMITTED);
	struct journal_entry *e;

	if (journal_add(j, &r, &e, NULL) != JOURNAL_WRITTEN)
		_exit(1);
}

static void a_process_that_is_killed_leaves_the_old_or_the_new(void **state)
{
	static const struct {
		void (*op)(struct journal *j);
		enum wire_phase was;
	} rows[] = {
		{ op_write, WIRE_PHASE_PREPARED },
		{ op_prepare, WIRE_PHASE_PREPARED },
		{ op_add, WIRE_PHASE_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int old = 0, new = 0;

		for (int at = 0, hit = 1; hit; at += (int)effort_share()) {
			for (int after = 0; after < 2; after++) {
				struct journal *j = opened();
				enum wire_phase now;

				if (rows[i].was != WIRE_PHASE_NONE)
					journal_entry_free(added(j, 1, rows[i].was));
				hit = killed(rows[i].op, at, after);
				/* Locks, the record and its name aside: nothing is in the way. */
				now = phase_now(1);
				assert_false(now != WIRE_PHASE_NONE && is_aside(1));
				assert_true(now == rows[i].was || now == WIRE_PHASE_COMMITTED);
				old += now == rows[i].was;
				new += now == WIRE_PHASE_COMMITTED &&hit;
				if (now == WIRE_PHASE_NONE)
					journal_entry_free(added(j, 1, WIRE_PHASE_BEGUN));
				journal_free(j);
				folder_empty(folder);
			}
		}
		assert_true(effort_share() > 1 || (old >= 5 && new >= 3));
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_read_as_it_was_written),
		TEST(a_byte_that_is_lost_or_changed_is_noticed),
		TEST(what_cannot_be_is_refused_by_name),
		TEST(another_version_is_named),
		TEST(a_record_that_none_would_read_is_not_written),
		TEST(the_folder_is_made_and_keeps_its_id),
		TEST(a_folder_that_is_named_is_there_or_missing),
		TEST(a_folder_that_others_may_write_is_refused),
		TEST(the_default_folder_is_the_users_own),
		TEST(what_is_added_later_began_later_by_any_clock),
		TEST(generations_grow_whatever_was_seen),
		TEST(a_record_is_locked_by_one),
		TEST(of_what_is_locked_is_told_what_no_crash_undoes),
		TEST(a_record_is_changed_without_its_lock),
		TEST(a_lock_goes_with_its_process_and_not_with_its_children),
		TEST(a_list_is_by_age_and_names_what_is_damaged),
		TEST(finished_records_go_when_there_are_many),
		TEST(a_write_tells_what_is_there_when_any_call_fails),
		TEST(what_cannot_be_prepared_is_written_in_its_time),
		TEST(what_is_prepared_is_no_record),
		TEST(another_content_than_was_prepared_is_written_whole),
		TEST(what_was_prepared_long_ago_is_written_with_its_own_date),
		TEST(a_record_that_is_not_added_is_not_there),
		TEST(a_record_is_told_only_when_it_is_durable),
		TEST(a_generation_is_given_once),
		TEST(a_folder_without_an_id_is_not_opened),
		TEST(a_process_that_is_killed_leaves_the_old_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
