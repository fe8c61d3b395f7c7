// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PRE_COPY: what a running device gives of its state, and what it says about that
 *
 * Drivers have, as the text says, a lot of flexibility here. Four of those in the tree answer the
 * temporary end of stream with 0, and most have no poll(): both are advice in the text, and so are
 * most rules here. The ioctl is done on the data fd, since argsz and flags are what is tried.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/macros.h"
#include "check/drain.h"
#include "device/call.h"

#define SOURCE_INFO "uapi: VFIO_MIG_GET_PRECOPY_INFO"
#define SOURCE_END "uapi: VFIO_MIG_GET_PRECOPY_INFO, the temporary end of stream"
#define SOURCE_GROUP "uapi: enum vfio_device_mig_state, the saving group"
#define SOURCE_V2 "uapi: VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2"

/* Questions in a row in which a device would show that it reports what it must not. */
#define INFO_QUESTIONS 32u

/* Looks at the temporary end, of which one alone may fall together with new data. */
#define END_LOOKS 8u

/* Return: whether the device is in @state, a PRE_COPY one, and @ret is its session. */
static bool rules_precopy_begin(struct check *c, enum mig_state state, struct subject_session **ret)
{
	if (subject_go(c->device, state, ret) < 0)
		return false;
	if (!*ret)
		check_broken(c, "no data fd in %s", subject_state_name(state));
	return *ret;
}

/* One ioctl as @info has it. Return: 0, or the negative errno; the evidence has it. */
static int rules_precopy_ask(struct check *c, struct subject_session *x,
			     struct uapi_precopy_info *info)
{
	struct uapi_precopy_info in = *info;
	int fd = subject_session_fd(x);
	int r = call_ioctl(fd, UAPI_MIG_GET_PRECOPY_INFO, info) < 0 ? -errno : 0;

	check_note(c, "PRECOPY_INFO argsz %u flags %#x: %s, initial %llu, dirty %llu, flags %#x",
		   in.argsz, in.flags, r < 0 ? err_name(r) : "0",
		   (unsigned long long)info->initial_bytes, (unsigned long long)info->dirty_bytes,
		   info->flags);
	return r;
}

/* The question that precopy.info-works is about, where another rule begins. */
static bool rules_precopy_told(struct check *c, int r)
{
	if (r < 0)
		check_broken(c, "PRECOPY_INFO: %s", err_name(r));
	return r >= 0;
}

static int rules_precopy_ask_plainly(struct check *c, struct subject_session *x,
				     struct uapi_precopy_info *info)
{
	*info = (struct uapi_precopy_info){ .argsz = sizeof(*info) };
	return rules_precopy_ask(c, x, info);
}

/* Reads to the temporary end. Return: enum drain_end; else a verdict was told. */
static int rules_precopy_drain(struct check *c, struct subject_session *x, struct subject_state *to)
{
	int r = drain_read(c, x, &drain_by_block, DRAIN_PRECOPY_MAX, to);

	if (r < 0)
		check_violated(c, "read in PRE_COPY at byte %zu: %s", to->len, err_name(r));
	else if (r == DRAIN_ENOUGH)
		check_skip(c, "%zu bytes of PRE_COPY, and no temporary end", to->len);
	return r;
}

static void rules_precopy_enomsg(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };

	if (rules_precopy_begin(c, MIG_PRE_COPY, &x) &&
	    rules_precopy_drain(c, x, &state) == DRAIN_END)
		check_violated(c, "read at the temporary end, after %zu bytes: 0, not ENOMSG",
			       state.len);
}

static void rules_precopy_goes_on(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };
	size_t early;
	int r;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x) || rules_precopy_drain(c, x, &state) < 0)
		return;
	early = state.len;
	if (!check_worked(c, "SET stop-copy",
			  subject_take(c->device, MIG_PRE_COPY, MIG_STOP_COPY, NULL)))
		return;
	r = drain_read(c, x, &drain_by_block, SUBJECT_STATE_MAX, &state);
	if (r == DRAIN_NOTHING_NOW || r < 0)
		check_violated(c, "read in stop-copy at byte %zu of the session: %s", state.len,
			       r < 0 ? err_name(r) : "ENOMSG");
	else if (r == DRAIN_END && !state.len)
		check_violated(c, "not a byte in PRE_COPY and STOP_COPY");
	else
		check_note(c, "%zu bytes in PRE_COPY, %zu in STOP_COPY", early, state.len - early);
}

static void rules_precopy_reads_in_p2p(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };

	if (rules_precopy_begin(c, MIG_PRE_COPY_P2P, &x))
		rules_precopy_drain(c, x, &state);
}

/* Return: 1 for readable, 0 for not, negative errno. */
static int rules_precopy_poll(struct subject_session *x, int timeout_ms)
{
	struct pollfd p = { .fd = subject_session_fd(x), .events = POLLIN };
	int r = poll(&p, 1, timeout_ms);

	return r < 0 ? -errno : r && (p.revents & POLLIN);
}

static void rules_precopy_poll_at_end(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };
	char buf[4096];
	ssize_t n;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x))
		return;
	for (unsigned int i = 0; i < END_LOOKS; i++) {
		int r = rules_precopy_drain(c, x, &state);

		if (r != DRAIN_END && r != DRAIN_NOTHING_NOW)
			return;
		if (rules_precopy_poll(x, 0) != 1)
			return;
		n = subject_read(x, buf, sizeof(buf));
		if (n > 0)
			continue;
		check_violated(c, "at the temporary end poll says readable, and read %s",
			       n ? err_name((int)n) : "0");
		return;
	}
}

/* What is said to be there can be waited for. The runner's time limit ends the wait. */
static void rules_precopy_poll_with_data(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct uapi_precopy_info info;
	int r;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x) ||
	    !rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &info)))
		return;
	if (!info.initial_bytes && !info.dirty_bytes) {
		check_skip(c, "PRECOPY_INFO says that there is nothing to read");
		return;
	}
	for (unsigned int i = 0; i < 40; i++) {
		r = rules_precopy_poll(x, 50);
		if (r == 1 || check_stopped(c))
			return;
	}
	check_violated(c, "%llu bytes are there, and poll does not say readable",
		       (unsigned long long)(info.initial_bytes + info.dirty_bytes));
}

static void rules_precopy_info_works(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct uapi_precopy_info info;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x))
		return;
	check_worked(c, "PRECOPY_INFO in pre-copy", rules_precopy_ask_plainly(c, x, &info));
	if (!(c->device->caps & MIG_CAP_P2P) ||
	    !check_worked(c, "SET pre-copy-p2p", subject_set(c->device, MIG_PRE_COPY_P2P, NULL)))
		return;
	check_worked(c, "PRECOPY_INFO in pre-copy-p2p", rules_precopy_ask_plainly(c, x, &info));
}

static void rules_precopy_info_only_there(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct uapi_precopy_info info;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x) ||
	    !rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &info)) ||
	    !check_worked(c, "SET stop-copy",
			  subject_take(c->device, MIG_PRE_COPY, MIG_STOP_COPY, NULL)))
		return;
	check_refused(c, "PRECOPY_INFO in stop-copy, after pre-copy",
		      rules_precopy_ask_plainly(c, x, &info), CHECK_ERRNOS(EINVAL));
	x = subject_session_close(x);
	if (subject_go(c->device, MIG_STOP, NULL) < 0 ||
	    !drain_begin(c, c->device, MIG_STOP_COPY, &x))
		return;
	check_refused(c, "PRECOPY_INFO in stop-copy", rules_precopy_ask_plainly(c, x, &info),
		      CHECK_ERRNOS(EINVAL));
}

static void rules_precopy_initial_not_zero(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct uapi_precopy_info info;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x) ||
	    !rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &info)))
		return;
	if (!info.initial_bytes)
		check_violated(c, "initial_bytes are 0 before anything was read");
}

static void rules_precopy_initial_falls(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };
	struct uapi_precopy_info info;
	uint64_t before = UINT64_MAX;
	int r = DRAIN_ENOUGH;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x))
		return;
	while (r == DRAIN_ENOUGH && state.len < DRAIN_PRECOPY_MAX) {
		/* A few bytes first, since a driver may have no more than a header. */
		size_t to = state.len < 64 ? state.len + 8 : state.len * 2;

		if (!rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &info)))
			return;
		if (info.initial_bytes > before)
			check_violated(c, "initial_bytes rose from %llu to %llu",
				       (unsigned long long)before,
				       (unsigned long long)info.initial_bytes);
		before = info.initial_bytes;
		if (!before)
			return;
		r = drain_read(c, x, &drain_by_block, MIN(to, DRAIN_PRECOPY_MAX), &state);
	}
	if (r == DRAIN_ENOUGH)
		check_skip(c, "%zu bytes of PRE_COPY, and no temporary end", state.len);
	if (r < 0)
		check_violated(c, "read in PRE_COPY at byte %zu: %s", state.len, err_name(r));
	if ((r != DRAIN_END && r != DRAIN_NOTHING_NOW) ||
	    !rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &info)))
		return;
	if (info.initial_bytes)
		check_violated(c, "initial_bytes are %llu at the temporary end",
			       (unsigned long long)info.initial_bytes);
}

static void rules_precopy_flags_zero(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct uapi_precopy_info info;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x))
		return;
	for (unsigned int i = 0; i < INFO_QUESTIONS && !check_stopped(c); i++) {
		if (!rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &info)))
			return;
		if (info.flags & ~UAPI_PRECOPY_INFO_REINIT) {
			check_violated(c, "flags that went in as 0 came back as %#x", info.flags);
			return;
		}
	}
}

static void rules_precopy_no_reinit(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct uapi_precopy_info info;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x))
		return;
	for (unsigned int i = 0; i < INFO_QUESTIONS && !check_stopped(c); i++) {
		if (!rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &info)))
			return;
		if (info.flags & UAPI_PRECOPY_INFO_REINIT) {
			check_violated(c, "REINIT in answer %u, without the opt-in", i + 1);
			return;
		}
	}
}

static void rules_precopy_argsz(struct check *c)
{
	static const unsigned int small[] = { 0, 8, sizeof(struct uapi_precopy_info) - 1 };
	_cleanup_session_ struct subject_session *x = NULL;
	struct {
		struct uapi_precopy_info info;
		uint64_t more;
	} large = { .info.argsz = sizeof(large), .more = 0x5a5a5a5a5a5a5a5a };
	struct uapi_precopy_info plain;
	char what[64];

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x) ||
	    !rules_precopy_told(c, rules_precopy_ask_plainly(c, x, &plain)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(small); i++) {
		struct uapi_precopy_info info = { .argsz = small[i] };

		snprintf(what, sizeof(what), "PRECOPY_INFO with argsz %u", small[i]);
		check_refused(c, what, rules_precopy_ask(c, x, &info), CHECK_ERRNOS(EINVAL));
	}
	check_worked(c, "PRECOPY_INFO with a larger argsz", rules_precopy_ask(c, x, &large.info));
	if (large.more != 0x5a5a5a5a5a5a5a5a)
		check_violated(c, "bytes after the structure were written");
}

/* The opt-in is of the open device: it is closed and opened before another rule comes. */
static void rules_precopy_v2(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct err err = { 0 };
	int r;

	r = subject_feature(c->device, UAPI_FEATURE_SET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2,
			    UAPI_FEATURE_HEADER, NULL, 0);
	if (check_worked(c, "SET PRECOPY_INFOv2", r) && rules_precopy_begin(c, MIG_PRE_COPY, &x)) {
		struct uapi_precopy_info info = { .argsz = sizeof(info), .flags = ~0u };

		if (rules_precopy_told(c, rules_precopy_ask(c, x, &info)) &&
		    (info.flags & ~UAPI_PRECOPY_INFO_REINIT))
			check_violated(c, "flags went in as ~0 and came back as %#x", info.flags);
	}
	x = subject_session_close(x);
	if (subject_reopen(c->device, &err) < 0)
		check_broken(c, "it cannot be opened again: %s", err.text);
}

static void rules_precopy_cancel(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL, *next = NULL;
	char buf[16];
	ssize_t n;

	if (!rules_precopy_begin(c, MIG_PRE_COPY, &x))
		return;
	n = subject_read(x, buf, sizeof(buf));
	if (n < 0 && n != -ENOMSG)
		check_violated(c, "read in PRE_COPY: %s", err_name((int)n));
	if (!check_worked(c, "SET running", subject_set(c->device, MIG_RUNNING, NULL)) ||
	    !check_stays(c, MIG_RUNNING))
		return;
	x = subject_session_close(x);
	if (!check_worked(c, "SET pre-copy again", subject_set(c->device, MIG_PRE_COPY, &next)))
		return;
	if (c->device->protocol == SUBJECT_V2 && !next)
		check_violated(c, "PRE_COPY again returned no data fd");
}

static const struct check_rule rules_precopy[] = {
	{ "precopy.temporary-end-is-enomsg", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "at the temporary end of stream read() fails with ENOMSG", SOURCE_END,
	  rules_precopy_enomsg },
	{ "precopy.goes-on-in-stop-copy", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_PRE_COPY,
	  "a session that was read in PRE_COPY is read on in STOP_COPY, to its end", SOURCE_GROUP,
	  rules_precopy_goes_on },
	{ "precopy.reads-in-p2p", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_PRE_COPY | CHECK_NEEDS_P2P,
	  "a session can be read in PRE_COPY_P2P as in PRE_COPY", SOURCE_GROUP,
	  rules_precopy_reads_in_p2p },
	{ "precopy.poll-waits-at-the-end", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "at the temporary end of stream poll() says readable only when there is more", SOURCE_END,
	  rules_precopy_poll_at_end },
	{ "precopy.poll-sees-data", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "poll() says readable when PRECOPY_INFO says that there are bytes", SOURCE_END,
	  rules_precopy_poll_with_data },
	{ "precopy.info-works", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "PRECOPY_INFO is answered in both PRE_COPY states", SOURCE_INFO,
	  rules_precopy_info_works },
	{ "precopy.info-only-there", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY, "PRECOPY_INFO fails with EINVAL in STOP_COPY",
	  SOURCE_INFO, rules_precopy_info_only_there },
	{ "precopy.initial-not-zero", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY, "initial_bytes are not 0 when PRE_COPY begins",
	  SOURCE_INFO, rules_precopy_initial_not_zero },
	{ "precopy.initial-falls-to-zero", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "initial_bytes never rise while they are read, and are 0 at the temporary end",
	  SOURCE_INFO, rules_precopy_initial_falls },
	{ "precopy.reserved-flags-zero", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "reserved flags that PRECOPY_INFO is given as 0 come back as 0", SOURCE_INFO,
	  rules_precopy_flags_zero },
	{ "precopy.reinit-needs-opt-in", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "REINIT is reported only after the opt-in to PRECOPY_INFOv2", SOURCE_V2,
	  rules_precopy_no_reinit },
	{ "precopy.argsz", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "PRECOPY_INFO refuses an argsz that is too small, and takes a larger one", SOURCE_INFO,
	  rules_precopy_argsz },
	{ "precopy.cancel-keeps-running", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_PRE_COPY,
	  "PRE_COPY -> RUNNING keeps the device running, and PRE_COPY can begin anew", SOURCE_GROUP,
	  rules_precopy_cancel },
	{ "precopy.v2-flags-are-output", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY | CHECK_NEEDS_PRECOPY_V2 | CHECK_NEEDS_REOPEN,
	  "after the opt-in to PRECOPY_INFOv2 the flags are output alone", SOURCE_V2,
	  rules_precopy_v2 },
};

const struct check_group check_precopy_rules = CHECK_GROUP(rules_precopy);
