// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * STOP means frozen, PRE_COPY does not: what --watch names stands still, or moves
 *
 * The bytes of a counter or of a ring are looked at for a while. That they stand still proves
 * nothing, so the rule passes then; that they moved proves that the device was not stopped.
 */

#include <poll.h>
#include <string.h>

#include "base/macros.h"
#include "check/drain.h"

#define SOURCE_STOP "uapi: enum vfio_device_mig_state, STOP does not change internal state"
#define SOURCE_PRE_COPY "uapi: enum vfio_device_mig_state, PRE_COPY is running as normal"
#define SOURCE_COPY "uapi: enum vfio_device_mig_state, STOP_COPY behaves as STOP"

#define LOOKS 20u
#define LOOK_MS 2
#define WATCH_MAX 4096u

struct rules_stop_look {
	uint8_t bytes[WATCH_MAX];
	size_t len;
};

static bool rules_stop_take(struct check *c, struct rules_stop_look *look)
{
	ssize_t n = subject_watch_read(c->device, look->bytes, sizeof(look->bytes));

	if (n <= 0) {
		check_broken(c, "what --watch names cannot be read: %s",
			     n ? err_name((int)n) : "0 bytes");
		return false;
	}
	look->len = (size_t)n;
	return true;
}

/* Return: whether it was the same as @first; else a verdict was told. */
static bool rules_stop_stands(struct check *c, const struct rules_stop_look *first,
			      const char *when)
{
	struct rules_stop_look now = { 0 };
	size_t at = 0;

	if (!rules_stop_take(c, &now))
		return false;
	if (now.len == first->len && !memcmp(now.bytes, first->bytes, now.len))
		return true;
	while (at < now.len && at < first->len && now.bytes[at] == first->bytes[at])
		at++;
	check_violated(c, "%s: byte %zu of what is watched was %02x and is %02x", when, at,
		       first->bytes[at], now.bytes[at]);
	return false;
}

static void rules_stop_in(struct check *c, enum mig_state state)
{
	_cleanup_session_ struct subject_session *x = NULL;
	struct rules_stop_look first = { 0 };

	if (subject_go(c->device, state, &x) < 0 || !rules_stop_take(c, &first))
		return;
	for (unsigned int i = 0; i < LOOKS && !check_stopped(c); i++) {
		poll(NULL, 0, LOOK_MS);
		if (!rules_stop_stands(c, &first, subject_state_name(state)))
			return;
	}
}

static void rules_stop_frozen(struct check *c)
{
	rules_stop_in(c, MIG_STOP);
}

static void rules_stop_copy_frozen(struct check *c)
{
	rules_stop_in(c, MIG_STOP_COPY);
}

static void rules_stop_session_frozen(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };
	struct rules_stop_look first = { 0 };

	if (subject_go(c->device, MIG_STOP, NULL) < 0 || !rules_stop_take(c, &first) ||
	    !drain_session(c, c->device, &drain_by_block, &state))
		return;
	rules_stop_stands(c, &first, "before and after a session");
}

/* Whether what is watched moves. */
enum rules_stop_motion {
	STOP_STANDS,
	STOP_MOVES,
	STOP_UNSEEN, /* it cannot be read: a verdict was told */
};

static enum rules_stop_motion rules_stop_look_on(struct check *c)
{
	struct rules_stop_look first = { 0 }, now = { 0 };

	if (!rules_stop_take(c, &first))
		return STOP_UNSEEN;
	for (unsigned int i = 0; i < LOOKS && !check_stopped(c); i++) {
		poll(NULL, 0, LOOK_MS);
		if (!rules_stop_take(c, &now))
			return STOP_UNSEEN;
		if (memcmp(now.bytes, first.bytes, MIN(now.len, first.len)) != 0)
			return STOP_MOVES;
	}
	return STOP_STANDS;
}

static void rules_stop_pre_copy_runs(struct check *c)
{
	enum rules_stop_motion motion = rules_stop_look_on(c);

	if (motion == STOP_STANDS)
		check_skip(c, "what --watch names does not move in RUNNING either");
	if (motion != STOP_MOVES || subject_go(c->device, MIG_PRE_COPY, NULL) < 0)
		return;
	if (rules_stop_look_on(c) == STOP_STANDS)
		check_violated(c, "what is watched moved in RUNNING and stands still in PRE_COPY");
}

static const struct check_rule rules_stop[] = {
	{ "stop.is-frozen", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_WATCH,
	  "in STOP the device does not change its internal state", SOURCE_STOP, rules_stop_frozen },
	{ "stop.stop-copy-is-frozen", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_WATCH,
	  "in STOP_COPY the device does not change its internal state", SOURCE_COPY,
	  rules_stop_copy_frozen },
	{ "stop.pre-copy-runs-on", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_WATCH | CHECK_NEEDS_PRE_COPY, "in PRE_COPY the device goes on as in RUNNING",
	  SOURCE_PRE_COPY, rules_stop_pre_copy_runs },
	{ "stop.session-changes-nothing", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_WATCH,
	  "a session from STOP to STOP leaves the internal state as it was", SOURCE_COPY,
	  rules_stop_session_frozen },
};

const struct check_group check_stop_rules = CHECK_GROUP(rules_stop);
