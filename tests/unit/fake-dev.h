/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A device of nothing
 *
 * A backend behind struct mig_ops that walks the state machine, makes and takes a stream, and
 * fails on demand: the n-th call of a kind, with an errno, leaving the device where the test
 * says. It keeps a log of what it was asked, and counts calls that no caller may ever make.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "device/backend.h"

enum fake_call {
	FAKE_QUERY,
	FAKE_GET,
	FAKE_SET,
	FAKE_RESET,
	FAKE_READ,
	FAKE_WRITE,
	FAKE_INFO,
	FAKE_NR_CALLS,
};

/* Where a failure leaves the device: where it was. */
#define FAKE_STAYS MIG_NR_STATES

/**
 * struct fake_fault - calls that fail
 * @call: of this kind, from the @nth (1 is the first) on, @times of them
 * @error: negative errno; 0 for a SET that succeeds, whereupon the device wanders off to @lands
 * @lands: where the device then is, FAKE_STAYS or a state; entering a session so loses its fd
 */
struct fake_fault {
	enum fake_call call;
	unsigned int nth, times;
	int error;
	enum mig_state lands;
};

#define FAKE_FAULTS 8

/* One answer to VFIO_MIG_GET_PRECOPY_INFO: so much has become readable. */
struct fake_round {
	uint64_t initial, dirty;
	bool reinit;
};

#define FAKE_STEPS 512

/**
 * struct fake_step - a SET or a reset as it begins, and as it ends; or what a device does by itself
 * @device: fake.number
 * @reset: it is a reset
 * @end: it has ended, with the device in @to; else it begins, with the device in @from
 * @result: of one that has ended
 */
struct fake_step {
	unsigned int device;
	bool reset, end;
	enum mig_state from, to;
	int result;
};

/** struct fake_journal - what several devices were told, in one order */
struct fake_journal {
	pthread_mutex_t lock;
	unsigned int n;
	struct fake_step steps[FAKE_STEPS];
};

/**
 * struct fake - the device
 * @dev: what the code under test sees
 * @ops: its table, the test's to change before fake_query()
 * @state: where it really is
 * @faults: what goes wrong
 * @reports: GET says so instead of the truth, if @lies
 * @no_fd: the driver opens sessions without handing over a stream
 * @reset_to: where a reset leads; RUNNING from fake_new()
 * @cannot_reset: the kernel refuses to reset it
 *
 * Saving:
 * @size: bytes of the whole stream; what pre-copy did not bring comes in STOP_COPY
 * @rounds, @n_rounds: pre-copy; none: the protocol has no such question, and every
 *                     PRE_COPY session brings @unasked bytes
 * @offers_v2: PRECOPY_INFOv2 may be opted in to
 * @empty: what a read says when there is nothing for now: 0 or -ENOMSG
 *
 * Loading:
 * @loaded: bytes taken; @takes: at most so many at a time, 0 for all
 * @load_cut: the load is not complete: RESUMING -> STOP is then a sin
 *
 * @cancel_at, @cancel_n, @cancel: request @cancel at the @cancel_n-th call of a kind
 *
 * Beside others:
 * @number: which one it is
 * @salt: its stream is fake_byte() from there
 * @journal: of all, or NULL
 * @hang_at, @hang_n, @gate: the @hang_n-th call of a kind ends once @gate can be read
 * @yields: each SET lets other threads run up to so many times, as @seed says
 *
 * What came of it:
 * @calls: how often each was called
 * @opened, @closed: streams
 * @sins: SETs in ERROR or off the arcs, streams used after their session, and the like
 * @opt_ins: how often PRECOPY_INFOv2 was asked for
 * @log: "set:stop get reset! ..." - ! for a failure; reads and writes are not in it
 */
struct fake {
	struct mig_dev dev;
	struct mig_ops ops;
	enum mig_state state;
	struct fake_fault faults[FAKE_FAULTS];
	bool lies;
	enum mig_state reports;
	bool no_fd;
	enum mig_state reset_to;
	bool cannot_reset;

	uint64_t size;
	const struct fake_round *rounds;
	unsigned int n_rounds;
	uint64_t unasked;
	bool offers_v2;
	int empty;

	uint64_t loaded;
	size_t takes;
	bool load_cut;
	bool load_good; /* what was loaded is the stream of fake_byte() */

	enum fake_call cancel_at;
	unsigned int cancel_n;
	struct cancel *cancel;

	unsigned int number;
	uint64_t salt;
	struct fake_journal *journal;
	enum fake_call hang_at;
	unsigned int hang_n;
	int gate;
	unsigned int yields, seed;

	unsigned int calls[FAKE_NR_CALLS];
	unsigned int opened, closed;
	unsigned int opt_ins;
	unsigned int sins;
	bool dev_closed;
	char log[2048];

	unsigned int session;
	unsigned int round;
	uint64_t at, ready; /* of the stream: read so far, readable */
};

/** fake_new() - a device with @caps, RUNNING, that can be reset. Not yet queried. */
struct fake *fake_new(unsigned int caps);

/** fake_free() - Return: 0 when nothing was left open and no sin was done, else says what. */
int fake_free(struct fake *f);

/** fake_query() - mig_query(), which must succeed; forgets the calls and the log until then. */
void fake_query(struct fake *f);

/** fake_fail() - one more fault: the @nth call fails once. Return: it, to be changed. */
struct fake_fault *fake_fail(struct fake *f, enum fake_call call, unsigned int nth, int error,
			     enum mig_state lands);

/** fake_open_load() - an op: a reset that leaves RESUMING has dropped what was loaded. */
int fake_open_load(struct mig_dev *dev, struct mig_stream **ret, struct err *err);

/** fake_forget() - no more faults; an empty log, no calls yet. */
void fake_forget(struct fake *f);

/** fake_byte() - what stands at @at of the stream */
uint8_t fake_byte(uint64_t at);

/** fake_fill() - @len bytes of the stream from @at on */
void fake_fill(void *buf, uint64_t at, size_t len);

/** fake_matches() - whether @buf is what stands in the stream from @at on */
bool fake_matches(const void *buf, uint64_t at, size_t len);
