// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is read from a session in STOP_COPY
 *
 * Rules about sizes of reads compare a session with one that was read by the mebibyte. Devices
 * whose sessions differ by themselves, although nothing changes in STOP, are found out by a third
 * session, and only lengths are compared then.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/macros.h"
#include "check/compare.h"
#include "check/drain.h"

#define SOURCE_END "uapi: VFIO_MIG_GET_PRECOPY_INFO, the permanent end of stream"
#define SOURCE_STREAM "uapi: struct vfio_device_feature_mig_state, the stream is opaque and ordered"
#define SOURCE_FROZEN "uapi: enum vfio_device_mig_state, STOP does not change internal state"
#define SOURCE_VFU_READ "vfio-user: VFIO_USER_MIG_DATA_READ, size"
#define SOURCE_SIZE "uapi: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE"

/* How often the end is asked for again. */
#define STICKY_READS 8u

/* In which a device that is not frozen gives itself away. */
#define STANDSTILL_MS 20

/* Return: whether the device is in STOP_COPY and @ret is its session. */
static bool rules_stream_begin(struct check *c, struct subject_session **ret)
{
	if (subject_go(c->device, MIG_STOP_COPY, ret) < 0)
		return false;
	if (!*ret)
		check_broken(c, "no data fd in stop-copy");
	return *ret;
}

/* Return: whether the stream came to its end, where the rule begins; else a verdict was told. */
static bool rules_stream_to_end(struct check *c, struct subject_session *x)
{
	_cleanup_state_ struct subject_state state = { 0 };
	int r = drain_read(c, x, &drain_by_block, SUBJECT_STATE_MAX, &state);

	if (r == DRAIN_ENOUGH)
		check_skip(c, "the state is larger than %zu bytes", state.len);
	else if (r != DRAIN_END)
		check_broken(c, "read in stop-copy at byte %zu: %s", state.len,
			     r < 0 ? err_name(r) : "no end");
	return r == DRAIN_END;
}

static void rules_stream_ends(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };
	_cleanup_session_ struct subject_session *x = NULL;
	int r;

	if (!rules_stream_begin(c, &x))
		return;
	r = drain_read(c, x, &drain_by_block, SUBJECT_STATE_MAX, &state);
	if (r == DRAIN_NOTHING_NOW)
		check_violated(c, "read in stop-copy at byte %zu: ENOMSG", state.len);
	else if (r < 0)
		check_violated(c, "read in stop-copy at byte %zu: %s", state.len, err_name(r));
	else if (r == DRAIN_ENOUGH)
		check_skip(c, "the state is larger than %zu bytes", state.len);
}

static void rules_stream_sticky(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	char buf[4096];

	if (!rules_stream_begin(c, &x) || !rules_stream_to_end(c, x))
		return;
	for (unsigned int i = 0; i < STICKY_READS && !check_stopped(c); i++) {
		size_t len = i % 2 ? sizeof(buf) : 512;
		ssize_t n = subject_read(x, buf, len);

		if (n) {
			check_violated(c, "read %u after the end, of %zu bytes: %s", i + 1, len,
				       n < 0 ? err_name((int)n) : "a byte or more");
			return;
		}
	}
}

static void rules_stream_end_polls(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct pollfd p = { .events = POLLIN };
	int r;

	if (!rules_stream_begin(c, &x) || !rules_stream_to_end(c, x))
		return;
	p.fd = subject_session_fd(x);
	r = poll(&p, 1, 0);
	check_note(c, "poll at the end: %d, revents %#x", r, (unsigned int)p.revents);
	if (r != 1 || !(p.revents & POLLIN))
		check_violated(c, "poll at the end does not say readable");
}

/* Of a vfio-user server: a client may take such a read for the last one. */
static void rules_stream_short_read(struct check *c)
{
	const size_t len = MIN((size_t)DRAIN_BLOCK, subject_block_max(c->device));
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_free_ uint8_t *buf = malloc(len);
	size_t at = 0, before = len;

	if (!buf) {
		check_broken(c, "no memory for %zu bytes", len);
		return;
	}
	if (!rules_stream_begin(c, &x))
		return;
	while (at <= SUBJECT_STATE_MAX && !check_stopped(c)) {
		ssize_t n = subject_read(x, buf, len);

		if (n < 0)
			check_broken(c, "read in stop-copy at byte %zu: %s", at, err_name((int)n));
		else if (n && before < len)
			check_violated(c, "%zd bytes at byte %zu, after a read gave %zu of %zu", n,
				       at, before, len);
		if (n <= 0 || before < len)
			return;
		before = (size_t)n;
		at += before;
	}
}

/* By itself, a device's sessions differ: lengths are all that can be compared. */
static void rules_stream_judge_lengths(struct check *c, const struct subject_state *whole,
				       const struct subject_state *again,
				       const struct subject_state *cut)
{
	char text[COMPARE_TEXT_MAX];

	check_note(c, "two sessions read alike: %s", compare_text(whole, again, text));
	if (whole->len == again->len && cut->len != whole->len)
		check_violated(c, "%zu bytes, %zu when read by blocks", cut->len, whole->len);
	else
		check_skip(c, "the sessions of this device differ by themselves");
}

/* A session in other pieces. A read that fails is the rule's; the whole one came to its end. */
static bool rules_stream_read_so(struct check *c, const struct drain_pieces *pieces,
				 struct subject_state *ret)
{
	_cleanup_session_ struct subject_session *x = NULL;
	int r;

	if (!rules_stream_begin(c, &x))
		return false;
	r = drain_read(c, x, pieces, SUBJECT_STATE_MAX, ret);
	if (r < 0 || r == DRAIN_NOTHING_NOW)
		check_violated(c, "read so, at byte %zu: %s", ret->len,
			       r < 0 ? err_name(r) : "ENOMSG");
	return r == DRAIN_END && subject_go(c->device, MIG_STOP, NULL) == 0;
}

static void rules_stream_cut(struct check *c, const struct drain_pieces *pieces)
{
	_cleanup_state_ struct subject_state whole = { 0 }, cut = { 0 }, again = { 0 };
	char text[COMPARE_TEXT_MAX];

	if (!drain_session(c, c->device, &drain_by_block, &whole) ||
	    !rules_stream_read_so(c, pieces, &cut))
		return;
	check_note(c, "read by blocks, and so: %s", compare_text(&whole, &cut, text));
	if (compare_at(&whole, &cut) == COMPARE_SAME ||
	    !drain_session(c, c->device, &drain_by_block, &again))
		return;
	if (compare_at(&whole, &again) != COMPARE_SAME)
		rules_stream_judge_lengths(c, &whole, &again, &cut);
	else
		check_violated(c, "read by blocks, and so: %s", compare_text(&whole, &cut, text));
}

static void rules_stream_by_byte(struct check *c)
{
	rules_stream_cut(c, &drain_by_byte);
}

static void rules_stream_by_odd_sizes(struct check *c)
{
	rules_stream_cut(c, &drain_by_odd_sizes);
}

static void rules_stream_by_large_block(struct check *c)
{
	rules_stream_cut(c, &drain_by_large_block);
}

/* As long as it should be, and with other bytes: those of the device, or of the reads? */
static void rules_stream_judge_bytes(struct check *c, const struct subject_state *whole,
				     const struct subject_state *cut)
{
	_cleanup_state_ struct subject_state again = { 0 };
	char text[COMPARE_TEXT_MAX];

	if (subject_go(c->device, MIG_STOP, NULL) < 0 ||
	    !drain_session(c, c->device, &drain_by_block, &again))
		return;
	if (compare_at(whole, &again) == COMPARE_SAME)
		check_violated(c, "without and with such reads: %s",
			       compare_text(whole, cut, text));
	else
		check_skip(c, "the sessions of this device differ by themselves");
}

/* Reads into memory that is not there, at the beginning and at some places of the stream. */
static int rules_stream_read_faulting(struct check *c, struct subject_session *x, void *nowhere,
				      struct subject_state *to)
{
	static const size_t stops[] = { 0, 24, 61, 4096, SUBJECT_STATE_MAX };
	int r = DRAIN_ENOUGH;
	ssize_t n;

	for (size_t i = 0; r == DRAIN_ENOUGH && i < sizeof(stops) / sizeof(stops[0]); i++) {
		r = drain_read(c, x, &drain_by_block, stops[i], to);
		if (r != DRAIN_ENOUGH || stops[i] == SUBJECT_STATE_MAX)
			break;
		n = subject_read(x, nowhere, 4096);
		if (n > 0) {
			check_violated(c, "read of 4096 bytes into no memory, at byte %zu: %zd",
				       to->len, n);
			return DRAIN_STOPPED;
		}
		if (n && n != -EFAULT)
			check_warn(c, "read into no memory, at byte %zu: %s, not EFAULT", to->len,
				   err_name((int)n));
	}
	return r;
}

static void rules_stream_fault(struct check *c)
{
	_cleanup_state_ struct subject_state whole = { 0 }, cut = { 0 };
	_cleanup_session_ struct subject_session *x = NULL;
	char text[COMPARE_TEXT_MAX];
	void *nowhere;
	int r;

	nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (nowhere == MAP_FAILED) {
		check_broken(c, "mmap: %s", err_name(-errno));
		return;
	}
	if (drain_session(c, c->device, &drain_by_block, &whole) && rules_stream_begin(c, &x)) {
		r = rules_stream_read_faulting(c, x, nowhere, &cut);
		if (r < 0 || r == DRAIN_NOTHING_NOW)
			check_violated(c, "read at byte %zu, after one into no memory: %s", cut.len,
				       r < 0 ? err_name(r) : "ENOMSG");
		else if (r == DRAIN_END && cut.len != whole.len)
			check_violated(c, "without and with such reads: %s",
				       compare_text(&whole, &cut, text));
		else if (r == DRAIN_END && compare_at(&whole, &cut) != COMPARE_SAME)
			rules_stream_judge_bytes(c, &whole, &cut);
	}
	munmap(nowhere, 4096);
}

/* Two sessions without a moment of running between them. Return: whether both are whole. */
static bool rules_stream_two(struct check *c, struct subject_state *first,
			     struct subject_state *second)
{
	char text[COMPARE_TEXT_MAX];

	if (!drain_session(c, c->device, &drain_by_block, first))
		return false;
	poll(NULL, 0, STANDSTILL_MS);
	if (!drain_session(c, c->device, &drain_by_block, second))
		return false;
	check_note(c, "two sessions, in STOP between them: %s", compare_text(first, second, text));
	return true;
}

static void rules_stream_same_length(struct check *c)
{
	_cleanup_state_ struct subject_state first = { 0 }, second = { 0 };

	if (rules_stream_two(c, &first, &second) && first.len != second.len)
		check_violated(c, "%zu bytes, then %zu", first.len, second.len);
}

static void rules_stream_same_bytes(struct check *c)
{
	_cleanup_state_ struct subject_state first = { 0 }, second = { 0 };
	char text[COMPARE_TEXT_MAX];

	if (rules_stream_two(c, &first, &second) && first.len == second.len &&
	    compare_at(&first, &second) != COMPARE_SAME)
		check_violated(c, "two sessions, in STOP between them: %s",
			       compare_text(&first, &second, text));
}

static void rules_stream_size(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };
	_cleanup_session_ struct subject_session *x = NULL;
	uint64_t said = 0;
	int r;

	if (!rules_stream_begin(c, &x) ||
	    !check_worked(c, "GET MIG_DATA_SIZE in stop-copy", subject_data_size(c->device, &said)))
		return;
	r = drain_read(c, x, &drain_by_block, SUBJECT_STATE_MAX, &state);
	if (r == DRAIN_ENOUGH)
		check_skip(c, "the state is larger than %zu bytes", state.len);
	else if (r != DRAIN_END)
		check_broken(c, "the stream did not come to its end, at byte %zu", state.len);
	else if (said < state.len)
		check_violated(c, "MIG_DATA_SIZE said %llu bytes, and %zu came",
			       (unsigned long long)said, state.len);
	else if (said > state.len)
		check_note(c, "MIG_DATA_SIZE said %llu bytes, and %zu came",
			   (unsigned long long)said, state.len);
}

static void rules_stream_size_anywhere(struct check *c)
{
	static const enum mig_state states[] = { MIG_RUNNING, MIG_PRE_COPY, MIG_RUNNING_P2P,
						 MIG_STOP, MIG_STOP_COPY };
	_cleanup_session_ struct subject_session *x = NULL;
	uint64_t said;
	char what[64];

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		bool pre_copy = states[i] == MIG_PRE_COPY, p2p = states[i] == MIG_RUNNING_P2P;

		if ((pre_copy && !(c->device->caps & MIG_CAP_PRE_COPY)) ||
		    (p2p && !(c->device->caps & MIG_CAP_P2P)))
			continue;
		x = subject_session_close(x);
		if (subject_go(c->device, states[i], &x) < 0)
			return;
		snprintf(what, sizeof(what), "GET MIG_DATA_SIZE in %s",
			 subject_state_name(states[i]));
		check_worked(c, what, subject_data_size(c->device, &said));
	}
}

static const struct check_rule rules_stream[] = {
	{ "stream.ends", CHECK_MUST, CHECK_HARMLESS, 0,
	  "in STOP_COPY reads go on to an end of stream, without ENOMSG", SOURCE_END,
	  rules_stream_ends },
	{ "stream.end-is-sticky", CHECK_MUST, CHECK_HARMLESS, 0,
	  "after the end of stream every read says 0", SOURCE_END, rules_stream_sticky },
	{ "stream.short-read-ends", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a read that gives less than was asked for is the last one with data", SOURCE_VFU_READ,
	  rules_stream_short_read },
	{ "stream.end-polls-readable", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "at the end of stream poll() says readable", SOURCE_END, rules_stream_end_polls },
	{ "stream.by-byte", CHECK_MUST, CHECK_HARMLESS, 0,
	  "the stream is the same when its beginning is read by single bytes", SOURCE_STREAM,
	  rules_stream_by_byte },
	{ "stream.by-odd-sizes", CHECK_MUST, CHECK_HARMLESS, 0,
	  "the stream is the same when it is read in odd sizes", SOURCE_STREAM,
	  rules_stream_by_odd_sizes },
	{ "stream.by-4-mib", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "the stream is the same when it is read by 4 MiB", SOURCE_STREAM,
	  rules_stream_by_large_block },
	{ "stream.fault-loses-nothing", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "a read into memory that is not there fails with EFAULT and takes no byte",
	  "posix: read(), and the stream's order", rules_stream_fault },
	{ "stream.repeats-its-length", CHECK_SHOULD, CHECK_HARMLESS, 0,
	  "two sessions without running between them have the same length", SOURCE_FROZEN,
	  rules_stream_same_length },
	{ "stream.repeats-its-bytes", CHECK_SHOULD, CHECK_HARMLESS, 0,
	  "two sessions without running between them have the same bytes", SOURCE_FROZEN,
	  rules_stream_same_bytes },
	{ "stream.size-is-enough", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_DATA_SIZE,
	  "MIG_DATA_SIZE is no less than what STOP_COPY gives", SOURCE_SIZE, rules_stream_size },
	{ "stream.size-in-each-state", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_DATA_SIZE,
	  "MIG_DATA_SIZE can be asked for in each state", SOURCE_SIZE, rules_stream_size_anywhere },
};

const struct check_group check_stream_rules = CHECK_GROUP(rules_stream);
