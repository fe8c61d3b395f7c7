/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The journal: what an end of a move knows of it after a crash
 *
 * A file a transaction in a folder, "TXID.source" or "TXID.destination", JSON that people can read
 * with a checksum in its last line. A new content is written aside, synced, renamed, and the folder
 * is synced: after a power cut the file has its old content or the new one, all of it.
 *
 * A record is locked by the process that works on its transaction. Finished ones are kept, for
 * questions that come late: the newest JOURNAL_KEPT.
 *
 * Presumed abort (see engine/move.h): the other end of a transaction that has no record here, in
 * the journal that it has named, is told so, and takes it for an abort; so a source that has begun
 * and not decided needs its record only to bring its own devices back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "uapi/vfio.h"
#include "wire/message.h"

struct journal_ops;

#define JOURNAL_KEPT 64u
#define JOURNAL_DEVICES_MAX 256u

/**
 * struct journal_device - one of a transaction, at this end
 * @spec: how the user named it, as it means the same from another folder and process
 * @name: its address
 * @driver: or NULL
 * @found: the state that it was found in
 */
struct journal_device {
	char *spec;
	char *name;
	char *driver;
	enum mig_state found;
};

/**
 * struct journal_record - all strings the record's own; NULL where there is none
 * @role: WIRE_SOURCE or WIRE_DESTINATION
 * @phase: WIRE_PHASE_BEGUN to WIRE_PHASE_ABORTED
 * @peer: URI of the other end, if it can be connected to
 * @peer_journal: the id of the other end's, from its HELLO
 * @end: the image, once END was sent or heard
 * @spool: path of the image, the destination's
 * @run: the destination starts its devices once it is committed
 * @told: how it is over at the other end, by that one's word to what answers for this end:
 *	WIRE_PHASE_DONE, WIRE_PHASE_ABORTED; WIRE_PHASE_NONE where it has not said so
 * @forced: who has decided without the other end, and when: "run by root at 2026-..."
 * @begun_ns, @changed_ns: since 1970; @begun_ns in the order in which they were added
 */
struct journal_record {
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
	enum wire_role role;
	enum wire_phase phase;
	char *peer;
	uint8_t peer_journal[WIRE_ID_SIZE];
	struct wire_end end;
	char *spool;
	bool run;
	enum wire_phase told;
	char *forced;
	uint64_t begun_ns, changed_ns;
	struct journal_device *devices;
	unsigned int n_devices;
};

void journal_record_done(struct journal_record *r);

struct journal;

/**
 * journal_default_dir() - /var/lib/vfiomigctl for root, else $XDG_STATE_HOME/vfiomigctl or
 * ~/.local/state/vfiomigctl. @ret: the caller's.
 */
_must_check_ int journal_default_dir(char **ret, struct err *err);

/**
 * journal_open() - the folder, which is made (0700) if it is not there, with its id
 *
 * Return: 0; -EACCES and the like (ERR_CONFIG), also for one that others may write to; -EBADMSG for
 * an id that is damaged.
 */
_must_check_ int journal_open(const char *dir, struct journal **ret, struct err *err);

/**
 * journal_find() - the same, but of a folder that is there already: none is made
 *
 * Return: as journal_open(); -ENOENT, -ENOTDIR (ERR_MISSING).
 */
_must_check_ int journal_find(const char *dir, struct journal **ret, struct err *err);

/** journal_open_by() - journal_open() with other system calls, for tests; @ops outlive it */
_must_check_ int journal_open_by(const char *dir, const struct journal_ops *ops,
				 struct journal **ret, struct err *err);

/** journal_id() - random, since the folder was made: by it each end knows the other's journal. */
const uint8_t *journal_id(const struct journal *j);

/** journal_dir() - its path, from the root */
const char *journal_dir(const struct journal *j);

/** journal_named_dir() - journal_dir(); NULL for the default one, which need not be named */
const char *journal_named_dir(const struct journal *j);

/**
 * journal_generation() - a number larger than any that this journal has given or seen
 * @seen: one of the other end's
 *
 * Durable before it is returned. Return: 0; -ERANGE (ERR_PEER) for a @seen that none can follow.
 */
_must_check_ int journal_generation(struct journal *j, uint64_t seen, uint64_t *ret,
				    struct err *err);

/** struct journal_entry - a record that this process has locked; the journal outlives it */
struct journal_entry;

/** enum journal_write - what became of a write */
enum journal_write {
	JOURNAL_WRITTEN, /* the new content is there, durably */
	JOURNAL_UNSURE, /* after a crash it may be there, or the old one */
};

/**
 * journal_add() - a new record, locked
 * @r: copied; it has changed now, and begun, if its begun_ns is 0
 * @ret: set unless a negative errno is returned
 *
 * Finished records that are not to be kept go, the oldest first; none that was forced does.
 *
 * Return: as journal_write(); -EEXIST.
 */
_must_check_ int journal_add(struct journal *j, const struct journal_record *r,
			     struct journal_entry **ret, struct err *err);

/**
 * journal_lock() - an existing record
 *
 * What it says is written again before it is believed: the process that wrote it may have died
 * unsure of it.
 *
 * Return: 0; -ENOENT (ERR_MISSING); -EBUSY, with the pid in the story, while another process works
 * on it; -EBADMSG (ERR_IMAGE) for one that is damaged.
 */
_must_check_ int journal_lock(struct journal *j, const uint8_t txid[WIRE_ID_SIZE],
			      enum wire_role role, struct journal_entry **ret, struct err *err);

/**
 * journal_record() - of a locked entry, for the caller to change before journal_write()
 *
 * What journal_write() has not written stays changed here.
 */
struct journal_record *journal_record(struct journal_entry *e);

/**
 * journal_write() - make journal_record()'s content durable
 *
 * Return: enum journal_write, JOURNAL_UNSURE with a story in @err; negative errno (ERR_SYSTEM) when
 * the old content is there for sure. A failed sync is never repeated and believed.
 */
_must_check_ int journal_write(struct journal_entry *e, struct err *err);

/**
 * journal_prepare() - have journal_record()'s content, with @next as its phase, ready to be written
 *
 * For a moment at which nothing else is to be done: it goes aside, durably, where no reader takes
 * it for the record. A journal_write() of just that content has only to give it its name. One of
 * any other content, journal_lock() and journal_entry_free() do away with it.
 *
 * The time at which the record has changed is that of this call: a journal_write() that comes more
 * than a minute later writes all anew, as one does that is left with what has failed here.
 */
void journal_prepare(struct journal_entry *e, enum wire_phase next);

/** journal_entry_free() - unlock it, for processes that were forked meanwhile as well */
struct journal_entry *journal_entry_free(struct journal_entry *e);
DEFINE_CLEANUP(struct journal_entry *, journal_entry_free)

/**
 * journal_change_fn - look at a record, which may be in memory alone, and change it or not
 *
 * Return: whether it is to be written.
 */
typedef bool journal_change_fn(struct journal_record *record, const void *ctx);

/**
 * journal_change() - a record that no process works on, where @fn has something to change
 *
 * With the folder's lock alone: no reader takes it for one that is worked on, and of one that is,
 * @fn is not asked. What changes nothing writes nothing.
 *
 * Return: 0; -EBADMSG (ERR_IMAGE) for a record that is damaged; negative errno where it may not
 * be durable.
 */
_must_check_ int journal_change(struct journal *j, const uint8_t txid[WIRE_ID_SIZE],
				enum wire_role role, journal_change_fn *fn, const void *ctx,
				struct err *err);

/**
 * struct journal_item - of a list
 * @file: its name in the folder
 * @busy: a process works on it
 * @damaged: why there is no @record, or NULL
 */
struct journal_item {
	struct journal_record record;
	char *file;
	bool busy;
	char *damaged;
};

/** journal_list() - oldest first, damaged ones at the end; journal_list_done() frees it */
_must_check_ int journal_list(struct journal *j, struct journal_item **ret, size_t *ret_n,
			      struct err *err);
void journal_list_done(struct journal_item *v, size_t n);

/**
 * journal_phase() - what ASK is answered: of one that is locked WIRE_PHASE_BUSY, unless it is over
 *
 * Of one that is locked, and was forced, WIRE_PHASE_BUSY, too, but for a destination's DONE. What
 * is returned is durable, or has the same end as what was before.
 *
 * Return: 0; -EBADMSG (ERR_IMAGE) for a record that is damaged.
 */
_must_check_ int journal_phase(struct journal *j, const uint8_t txid[WIRE_ID_SIZE],
			       enum wire_role role, struct wire_state *ret, struct err *err);

struct journal *journal_free(struct journal *j);
DEFINE_CLEANUP(struct journal *, journal_free)
