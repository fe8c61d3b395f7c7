// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/journal-file.h"
#include "engine/journal-folder.h"
#include "engine/journal-text.h"

/*
 * Two kinds of locks, of open file descriptions, which the kernel drops when their processes end.
 * That of the folder ("lock") is held for a look or a write, and waited for. That of a record
 * ("TXID.ROLE.lock": a file of its own, since a rename replaces the record) is held as long as a
 * process works on the transaction; it is taken, probed and removed with the folder's lock alone,
 * so that a probe never is in a worker's way.
 */

#define JOURNAL_ID_FILE "id"
#define JOURNAL_GENERATION_FILE "generation"
#define JOURNAL_LOCK_FILE "lock"
#define JOURNAL_LOCK_SUFFIX ".lock"

#define JOURNAL_NAME_MAX 64u

/* Twice the time in which a link that says nothing is lost: a record's date is not older. */
#define JOURNAL_ASIDE_NS (60 * NSEC_PER_SEC)

struct journal {
	char *dir;
	int fd;
	uint8_t id[WIRE_ID_SIZE];
	const struct journal_ops *ops;
};

/**
 * struct journal_entry
 * @aside: the text that lies aside, durable, for the next write; NULL for none
 * @aside_ns: its changed_ns
 */
struct journal_entry {
	struct journal *journal;
	struct journal_record record;
	char name[JOURNAL_NAME_MAX];
	int lock;
	char *aside;
	size_t aside_len;
	uint64_t aside_ns;
};

/* The folder */

int journal_default_dir(char **ret, struct err *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (geteuid() == 0)
		n = asprintf(ret, "/var/lib/vfiomigctl");
	else if (state && *state == '/')
		n = asprintf(ret, "%s/vfiomigctl", state);
	else if (home && *home == '/')
		n = asprintf(ret, "%s/.local/state/vfiomigctl", home);
	else {
		err_fail(err, ERR_CONFIG, -ENOENT, "no folder for the journal: HOME is not set");
		return err_hint(err, -ENOENT, "name one with --state-dir");
	}
	return n < 0 ? err_set(err, -ENOMEM, "journal") : 0;
}

static int journal_lock_dir(struct journal *j, struct err *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_fd_ int fd = -1;
	int r;

	fd = openat(j->fd, JOURNAL_LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_fail(err, ERR_CONFIG, -errno, "%s/%s", j->dir, JOURNAL_LOCK_FILE);
	do
		r = fcntl(fd, F_OFD_SETLKW, &whole);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_fail(err, ERR_CONFIG, -errno, "%s/%s", j->dir, JOURNAL_LOCK_FILE);
	return TAKE_FD(fd);
}

static int journal_read(struct journal *j, const char *name, char **ret, size_t *ret_len,
			struct err *err)
{
	return journal_file_read(j->fd, j->dir, name, ret, ret_len, err);
}

/* JOURNAL_UNSURE is a failure here: what was written is not used. */
static int journal_replace_sure(struct journal *j, const char *name, const char *text, size_t len,
				struct err *err)
{
	int r = journal_file_replace(j->ops, j->fd, j->dir, name, text, len, err);

	return r == JOURNAL_UNSURE ? -EIO : r;
}

static int journal_make_id(struct journal *j, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (getrandom(j->id, sizeof(j->id), 0) != sizeof(j->id))
		return err_fail(err, ERR_SYSTEM, -errno, "random numbers");
	r = journal_text_encode_id(j->id, &text, &len, err);
	if (r < 0)
		return r;
	return journal_replace_sure(j, JOURNAL_ID_FILE, text, len, err);
}

static int journal_find_id(struct journal *j, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int lock = -1;
	size_t len;
	int r;

	lock = journal_lock_dir(j, err);
	if (lock < 0)
		return lock;
	r = journal_read(j, JOURNAL_ID_FILE, &text, &len, err);
	if (r == -ENOENT)
		return journal_make_id(j, err);
	if (r < 0)
		return r;
	r = journal_text_decode_id(text, len, j->id, err);
	if (r < 0)
		return err_prefix(err, r, "%s/%s", j->dir, JOURNAL_ID_FILE);
	return 0;
}

/* @dir is there, or the failure says that it is not. */
static int journal_enter(const char *dir, const struct journal_ops *ops, struct journal **ret,
			 struct err *err)
{
	_cleanup_(journal_freep) struct journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return err_set(err, -ENOMEM, "journal");
	j->fd = -1;
	j->ops = ops;
	r = journal_folder_open(dir, &j->dir, &j->fd, err);
	if (r < 0)
		return r;
	r = journal_find_id(j, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(j);
	return 0;
}

int journal_open_by(const char *dir, const struct journal_ops *ops, struct journal **ret,
		    struct err *err)
{
	int r = journal_folder_make(dir, err);

	return r < 0 ? r : journal_enter(dir, ops, ret, err);
}

int journal_open(const char *dir, struct journal **ret, struct err *err)
{
	return journal_open_by(dir, &journal_system_ops, ret, err);
}

int journal_find(const char *dir, struct journal **ret, struct err *err)
{
	int r = journal_enter(dir, &journal_system_ops, ret, err);

	if (r != -ENOENT && r != -ENOTDIR)
		return r;
	err_fail(err, ERR_MISSING, r, "journal's folder %s", dir);
	return err_hint(err, r, "name the folder that migrate or receive was given");
}

struct journal *journal_free(struct journal *j)
{
	if (!j)
		return NULL;
	fd_closep(&j->fd);
	free(j->dir);
	return mfree(j);
}

const uint8_t *journal_id(const struct journal *j)
{
	return j->id;
}

const char *journal_dir(const struct journal *j)
{
	return j->dir;
}

const char *journal_named_dir(const struct journal *j)
{
	_cleanup_free_ char *dir = NULL, *real = NULL;

	if (journal_default_dir(&dir, NULL) >= 0)
		real = realpath(dir, NULL);
	return real && strcmp(real, j->dir) == 0 ? NULL : j->dir;
}

/* A damaged one is not begun anew: old COMMITs would be heeded again. */
static int journal_last_generation(struct journal *j, uint64_t *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	*ret = 0;
	r = journal_read(j, JOURNAL_GENERATION_FILE, &text, &len, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = journal_text_decode_number(text, len, ret, err);
	if (r < 0)
		return err_prefix(err, r, "%s/%s", j->dir, JOURNAL_GENERATION_FILE);
	return 0;
}

int journal_generation(struct journal *j, uint64_t seen, uint64_t *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int lock = -1;
	uint64_t last;
	size_t len;
	int r;

	lock = journal_lock_dir(j, err);
	if (lock < 0)
		return lock;
	r = journal_last_generation(j, &last, err);
	if (r < 0)
		return r;
	last = MAX(last, seen);
	/* json-c keeps larger ones, other readers of JSON may not. */
	if (last >= INT64_MAX)
		return err_fail(err, ERR_PEER, -ERANGE, "generation %" PRIu64 ": none can follow",
				last);
	r = journal_text_encode_number(last + 1, &text, &len, err);
	if (r < 0)
		return r;
	r = journal_replace_sure(j, JOURNAL_GENERATION_FILE, text, len, err);
	if (r < 0)
		return r;
	*ret = last + 1;
	return 0;
}

/* Records and their locks; all with the folder's lock */

static void journal_name(const uint8_t txid[WIRE_ID_SIZE], enum wire_role role,
			 char ret[JOURNAL_NAME_MAX])
{
	char hex[2 * WIRE_ID_SIZE + 1];

	snprintf(ret, JOURNAL_NAME_MAX, "%s.%s", hex_encode(txid, WIRE_ID_SIZE, hex),
		 journal_role_name(role));
}

/* @name is that of a record, or of a file beside one: @suffix follows. */
static bool journal_is_name(const char *name, const char *suffix)
{
	const size_t digits = 2 * (size_t)WIRE_ID_SIZE;
	char want[JOURNAL_NAME_MAX];

	if (strspn(name, "0123456789abcdef") != digits)
		return false;
	for (enum wire_role role = WIRE_SOURCE; role <= WIRE_DESTINATION; role++) {
		snprintf(want, sizeof(want), ".%s%s", journal_role_name(role), suffix);
		if (strcmp(name + digits, want) == 0)
			return true;
	}
	return false;
}

static bool journal_exists(struct journal *j, const char *name)
{
	return faccessat(j->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void journal_lock_name(const char *name, char ret[JOURNAL_NAME_MAX + 8])
{
	snprintf(ret, JOURNAL_NAME_MAX + 8, "%s" JOURNAL_LOCK_SUFFIX, name);
}

static bool journal_is_busy(struct journal *j, const char *name)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char lock_name[JOURNAL_NAME_MAX + 8];
	_cleanup_fd_ int fd = -1;

	journal_lock_name(name, lock_name);
	fd = openat(j->fd, lock_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

static int journal_say_busy(struct journal *j, const char *lock_name, struct err *err)
{
	_cleanup_free_ char *pid = NULL;
	uint64_t number;

	if (read_text(j->fd, lock_name, &pid) < 0 || parse_uint(pid, 10, INT_MAX, &number) < 0)
		number = 0;
	err_fail(err, ERR_SYSTEM, -EBUSY, "transaction %.32s: another process works on it",
		 lock_name);
	if (number)
		err_fail(err, ERR_SYSTEM, -EBUSY,
			 "transaction %.32s: process %" PRIu64 " works on it", lock_name, number);
	return -EBUSY;
}

/* The lock's file has the pid, for messages alone. */
static int journal_take_lock(struct journal *j, const char *name, struct err *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char lock_name[JOURNAL_NAME_MAX + 8];
	_cleanup_fd_ int fd = -1;

	journal_lock_name(name, lock_name);
	fd = openat(j->fd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_fail(err, ERR_SYSTEM, -errno, "%s/%s", j->dir, lock_name);
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return journal_say_busy(j, lock_name, err);
		return err_fail(err, ERR_SYSTEM, -errno, "%s/%s", j->dir, lock_name);
	}
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", getpid());
	return TAKE_FD(fd);
}

static int journal_read_record(struct journal *j, const char *name, struct journal_record *ret,
			       struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = journal_read(j, name, &text, &len, err);
	if (r < 0)
		return r;
	r = journal_text_decode(text, len, ret, err);
	if (r < 0)
		return err_prefix(err, r, "%s/%s", j->dir, name);
	return 0;
}

static int journal_put(struct journal *j, const char *name, const struct journal_record *record,
		       struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = journal_text_encode(record, &text, &len, err);
	if (r < 0)
		return r;
	return journal_file_replace(j->ops, j->fd, j->dir, name, text, len, err);
}

/*
 * A record as a later reader will find it, whatever breaks: what is read may be in memory alone,
 * when its writer was left unsure.
 */
static int journal_read_durably(struct journal *j, const char *name, struct journal_record *ret,
				struct err *err)
{
	_cleanup_(journal_record_done) struct journal_record record = { 0 };
	int r;

	r = journal_read_record(j, name, &record, err);
	if (r < 0)
		return r;
	r = journal_put(j, name, &record, err);
	if (r == JOURNAL_UNSURE)
		r = -EIO;
	if (r < 0)
		return r;
	*ret = record;
	record = (struct journal_record){ 0 };
	return 0;
}

struct journal_entry *journal_entry_free(struct journal_entry *e)
{
	struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (!e)
		return NULL;
	if (e->aside)
		journal_file_drop(e->journal->ops, e->journal->fd, e->name);
	free(e->aside);
	if (e->lock >= 0)
		fcntl(e->lock, F_OFD_SETLK, &whole);
	fd_closep(&e->lock);
	journal_record_done(&e->record);
	return mfree(e);
}

static int journal_entry_new(struct journal *j, const char *name, struct journal_entry **ret,
			     struct err *err)
{
	_cleanup_(journal_entry_freep) struct journal_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return err_set(err, -ENOMEM, "journal");
	e->journal = j;
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->lock = journal_take_lock(j, name, err);
	if (e->lock < 0)
		return e->lock;
	*ret = TAKE_PTR(e);
	return 0;
}

/* Apart from the journal's own descriptor, which has one position. */
static DIR *journal_opendir(struct journal *j)
{
	int fd = openat(j->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* Old ones */

/* What a crash left of a record that never was, or of a lock. */
static void journal_prune_orphan(struct journal *j, const char *lock_name)
{
	char name[JOURNAL_NAME_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(lock_name) - strlen(JOURNAL_LOCK_SUFFIX)),
		 lock_name);
	if (journal_exists(j, name) || journal_is_busy(j, name))
		return;
	journal_file_drop(j->ops, j->fd, name);
	j->ops->unlinkat(j->fd, lock_name, 0);
}

static void journal_prune_orphans(struct journal *j)
{
	DIR *dir = journal_opendir(j);

	if (!dir)
		return;
	for (const struct dirent *d = readdir(dir); d; d = readdir(dir))
		if (journal_is_name(d->d_name, JOURNAL_LOCK_SUFFIX))
			journal_prune_orphan(j, d->d_name);
	closedir(dir);
}

static bool journal_is_finished(const struct journal_item *item)
{
	return !item->damaged && !item->busy && !item->record.forced &&
	       (item->record.phase == WIRE_PHASE_DONE || item->record.phase == WIRE_PHASE_ABORTED);
}

static int journal_by_change(const void *a, const void *b)
{
	const struct journal_item *x = a, *y = b;

	return (x->record.changed_ns > y->record.changed_ns) -
	       (x->record.changed_ns < y->record.changed_ns);
}

/* Best effort: one that stays is in no way. Room is left for the one that is to come. */
static void journal_prune(struct journal *j)
{
	struct journal_item *v;
	char lock_name[JOURNAL_NAME_MAX + 8];
	size_t n, finished = 0;

	journal_prune_orphans(j);
	if (journal_list(j, &v, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		finished += journal_is_finished(&v[i]);
	if (n)
		qsort(v, n, sizeof(*v), journal_by_change);
	for (size_t i = 0; i < n && finished > JOURNAL_KEPT; i++) {
		if (!journal_is_finished(&v[i]))
			continue;
		journal_lock_name(v[i].file, lock_name);
		j->ops->unlinkat(j->fd, v[i].file, 0);
		j->ops->unlinkat(j->fd, lock_name, 0);
		finished--;
	}
	journal_list_done(v, n);
}

/* Transactions */

/* Later than all that are there, also by a clock that was set back: their order decides. */
static uint64_t journal_begin_ns(struct journal *j, uint64_t now)
{
	struct journal_item *v;
	size_t n;

	if (journal_list(j, &v, &n, NULL) < 0)
		return now;
	for (size_t i = 0; i < n; i++)
		if (!v[i].damaged && v[i].record.begun_ns < INT64_MAX)
			now = MAX(now, v[i].record.begun_ns + 1);
	journal_list_done(v, n);
	return now;
}

static int journal_add_locked(struct journal_entry *e, const struct journal_record *record,
			      struct err *err)
{
	struct journal_record now = *record;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	now.changed_ns = e->journal->ops->now_ns();
	if (!now.begun_ns)
		now.begun_ns = journal_begin_ns(e->journal, now.changed_ns);
	r = journal_text_encode(&now, &text, &len, err);
	if (r < 0)
		return r;
	/* The entry's own copy, and proof that it can be read. */
	r = journal_text_decode(text, len, &e->record, err);
	if (r < 0)
		return r;
	return journal_file_replace(e->journal->ops, e->journal->fd, e->journal->dir, e->name, text,
				    len, err);
}

int journal_add(struct journal *j, const struct journal_record *record, struct journal_entry **ret,
		struct err *err)
{
	_cleanup_(journal_entry_freep) struct journal_entry *e = NULL;
	_cleanup_fd_ int lock = -1;
	char name[JOURNAL_NAME_MAX];
	int r;

	journal_name(record->txid, record->role, name);
	lock = journal_lock_dir(j, err);
	if (lock < 0)
		return lock;
	if (journal_exists(j, name))
		return err_fail(err, ERR_SYSTEM, -EEXIST, "%s/%s: there is such a transaction",
				j->dir, name);
	journal_prune(j);
	r = journal_entry_new(j, name, &e, err);
	if (r < 0)
		return r;
	r = journal_add_locked(e, record, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(e);
	return r;
}

int journal_lock(struct journal *j, const uint8_t txid[WIRE_ID_SIZE], enum wire_role role,
		 struct journal_entry **ret, struct err *err)
{
	_cleanup_(journal_entry_freep) struct journal_entry *e = NULL;
	_cleanup_fd_ int lock = -1;
	char name[JOURNAL_NAME_MAX];
	int r;

	journal_name(txid, role, name);
	lock = journal_lock_dir(j, err);
	if (lock < 0)
		return lock;
	if (!journal_exists(j, name))
		return err_fail(err, ERR_MISSING, -ENOENT, "%s/%s: no such transaction", j->dir,
				name);
	r = journal_entry_new(j, name, &e, err);
	if (r < 0)
		return r;
	r = journal_read_durably(j, name, &e->record, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

struct journal_record *journal_record(struct journal_entry *e)
{
	return &e->record;
}

void journal_prepare(struct journal_entry *e, enum wire_phase next)
{
	struct journal *j = e->journal;
	struct journal_record record = e->record;
	struct err why = { 0 };
	int r;

	e->aside = mfree(e->aside);
	record.phase = next;
	record.changed_ns = e->aside_ns = j->ops->now_ns();
	r = journal_text_encode(&record, &e->aside, &e->aside_len, &why);
	if (r < 0)
		return;
	r = journal_file_prepare(j->ops, j->fd, j->dir, e->name, e->aside, e->aside_len, &why);
	if (r >= 0)
		return;
	log_debug("%s, ahead of time: %s", why.text, err_name(r));
	e->aside = mfree(e->aside);
}

/* Its date is not that of what is to be written now; also by a clock that was set back. */
static bool journal_aside_is_old(const struct journal_entry *e)
{
	const uint64_t now = e->journal->ops->now_ns();

	return now < e->aside_ns || now - e->aside_ns > JOURNAL_ASIDE_NS;
}

/* Return: 1: what lies aside is what is to be written; 0; -ENOMEM and the like. */
static int journal_is_aside(struct journal_entry *e, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (!e->aside || journal_aside_is_old(e))
		return 0;
	e->record.changed_ns = e->aside_ns;
	r = journal_text_encode(&e->record, &text, &len, err);
	if (r < 0)
		return r;
	return len == e->aside_len && memcmp(text, e->aside, len) == 0;
}

int journal_write(struct journal_entry *e, struct err *err)
{
	struct journal *j = e->journal;
	int r = journal_is_aside(e, err);

	if (r < 0)
		return r;
	/* Whatever comes of it, nothing is aside afterwards. */
	e->aside = mfree(e->aside);
	if (r > 0)
		return journal_file_commit(j->ops, j->fd, j->dir, e->name, err);
	e->record.changed_ns = j->ops->now_ns();
	return journal_put(j, e->name, &e->record, err);
}

/*
 * What is over can be told of a record that is still locked, by a receiver that holds its devices
 * say: should a crash undo that last write, whose sync may be under way, what was there before has
 * the same end. What a user has forced has another one; but a destination's DONE, which follows its
 * COMMITTED, that was durable.
 */
static bool journal_tells_busy(const struct journal_record *record)
{
	switch (record->phase) {
	case WIRE_PHASE_DONE:
		return !record->forced || record->role == WIRE_DESTINATION;
	case WIRE_PHASE_ABORTED:
		return !record->forced;
	default:
		return false;
	}
}

static void journal_busy_phase(struct journal *j, const char *name, struct wire_state *ret)
{
	_cleanup_(journal_record_done) struct journal_record record = { 0 };

	ret->phase = WIRE_PHASE_BUSY;
	if (journal_read_record(j, name, &record, NULL) < 0 || !journal_tells_busy(&record))
		return;
	ret->phase = record.phase;
	ret->generation = record.generation;
}

int journal_phase(struct journal *j, const uint8_t txid[WIRE_ID_SIZE], enum wire_role role,
		  struct wire_state *ret, struct err *err)
{
	_cleanup_(journal_record_done) struct journal_record record = { 0 };
	_cleanup_fd_ int lock = -1;
	char name[JOURNAL_NAME_MAX];
	int r;

	journal_name(txid, role, name);
	lock = journal_lock_dir(j, err);
	if (lock < 0)
		return lock;
	*ret = (struct wire_state){ .role = role, .phase = WIRE_PHASE_NONE };
	memcpy(ret->txid, txid, WIRE_ID_SIZE);
	memcpy(ret->journal, j->id, WIRE_ID_SIZE);
	if (journal_is_busy(j, name)) {
		journal_busy_phase(j, name, ret);
		return 0;
	}
	if (!journal_exists(j, name))
		return 0;
	r = journal_read_durably(j, name, &record, err);
	if (r < 0)
		return r;
	ret->phase = record.phase;
	ret->generation = record.generation;
	return 0;
}

int journal_change(struct journal *j, const uint8_t txid[WIRE_ID_SIZE], enum wire_role role,
		   journal_change_fn *fn, const void *ctx, struct err *err)
{
	_cleanup_(journal_record_done) struct journal_record record = { 0 };
	_cleanup_fd_ int lock = -1;
	char name[JOURNAL_NAME_MAX];
	int r;

	journal_name(txid, role, name);
	lock = journal_lock_dir(j, err);
	if (lock < 0)
		return lock;
	if (!journal_exists(j, name) || journal_is_busy(j, name))
		return 0;
	r = journal_read_record(j, name, &record, err);
	if (r < 0)
		return r;
	if (!fn(&record, ctx))
		return 0;
	record.changed_ns = j->ops->now_ns();
	r = journal_put(j, name, &record, err);
	return r == JOURNAL_UNSURE ? -EIO : r;
}

/* The list */

void journal_list_done(struct journal_item *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		journal_record_done(&v[i].record);
		free(v[i].file);
		free(v[i].damaged);
	}
	free(v);
}

/* Return: 1, or 0 where the file has gone meanwhile. */
static int journal_list_one(struct journal *j, const char *name, struct journal_item *ret,
			    struct err *err)
{
	/* Before it is read: what a process has ended meanwhile is read as it was left. */
	struct journal_item item = { .busy = journal_is_busy(j, name) };
	struct err why = { 0 };
	int r;

	r = journal_read_record(j, name, &item.record, &why);
	if (r == -ENOENT)
		return 0;
	item.file = strdup(name);
	if (r < 0)
		item.damaged = strdup(why.text);
	if (!item.file || (r < 0 && !item.damaged)) {
		free(item.file);
		journal_record_done(&item.record);
		return err_set(err, -ENOMEM, "journal");
	}
	*ret = item;
	return 1;
}

/* @room is for so many, of which @n are there. */
struct journal_items {
	struct journal_item *v;
	size_t n, room;
};

/* Where the next one goes. Return: NULL when out of memory. */
static struct journal_item *journal_list_slot(struct journal_items *items)
{
	const size_t room = items->room ? 2 * items->room : 16;
	struct journal_item *more;

	if (items->n < items->room)
		return &items->v[items->n];
	more = reallocarray(items->v, room, sizeof(*more));
	if (!more)
		return NULL;
	items->v = more;
	items->room = room;
	return &more[items->n];
}

static int journal_list_dir(struct journal *j, DIR *dir, struct journal_items *items,
			    struct err *err)
{
	for (const struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		struct journal_item *slot;
		int r;

		if (!journal_is_name(d->d_name, ""))
			continue;
		slot = journal_list_slot(items);
		if (!slot)
			return err_set(err, -ENOMEM, "journal");
		r = journal_list_one(j, d->d_name, slot, err);
		if (r < 0)
			return r;
		items->n += (size_t)r;
	}
	return 0;
}

static int journal_by_age(const void *a, const void *b)
{
	const struct journal_item *x = a, *y = b;

	if (!x->damaged != !y->damaged)
		return x->damaged ? 1 : -1;
	if (x->record.begun_ns != y->record.begun_ns)
		return x->record.begun_ns < y->record.begun_ns ? -1 : 1;
	return strcmp(x->file, y->file);
}

int journal_list(struct journal *j, struct journal_item **ret, size_t *ret_n, struct err *err)
{
	struct journal_items items = { 0 };
	DIR *dir = journal_opendir(j);
	int r;

	if (!dir)
		return err_fail(err, ERR_CONFIG, -errno, "%s", j->dir);
	r = journal_list_dir(j, dir, &items, err);
	closedir(dir);
	if (r < 0) {
		journal_list_done(items.v, items.n);
		return r;
	}
	if (items.n)
		qsort(items.v, items.n, sizeof(*items.v), journal_by_age);
	*ret = items.v;
	*ret_n = items.n;
	return 0;
}
