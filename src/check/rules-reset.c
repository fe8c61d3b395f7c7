// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ways out that a driver does not choose: a reset, and the last close
 *
 * A reset is asked for in each state. A vfio-user server may refuse it while its device is stopped
 * (libvfio-user does); what it may not do is to say that it worked and leave the device elsewhere.
 */

#include <errno.h>

#include "check/compare.h"
#include "check/drain.h"

#define SOURCE_RESET \
	"uapi: VFIO_DEVICE_RESET, and enum vfio_device_mig_state: the device is RUNNING"
#define SOURCE_OPEN "uapi: enum vfio_device_mig_state, VFIO_DEVICE_STATE_RUNNING: the default state"

/* Return: whether it was reset; else a verdict was told. */
static bool rules_reset_now(struct check *c)
{
	int r = subject_reset(c->device);

	if (r == -EINVAL && c->device->protocol == SUBJECT_VFU) {
		check_skip(c, "the server refuses a reset in this state");
		return false;
	}
	return check_worked(c, "reset", r);
}

static void rules_reset_in(struct check *c, enum mig_state state)
{
	_cleanup_session_ struct subject_session *x = NULL;

	if (subject_go(c->device, state, &x) < 0 || !rules_reset_now(c))
		return;
	check_stays(c, MIG_RUNNING);
}

static void rules_reset_running(struct check *c)
{
	rules_reset_in(c, MIG_RUNNING);
}

static void rules_reset_running_p2p(struct check *c)
{
	rules_reset_in(c, MIG_RUNNING_P2P);
}

static void rules_reset_stop(struct check *c)
{
	rules_reset_in(c, MIG_STOP);
}

static void rules_reset_stop_copy(struct check *c)
{
	rules_reset_in(c, MIG_STOP_COPY);
}

static void rules_reset_resuming(struct check *c)
{
	rules_reset_in(c, MIG_RESUMING);
}

static void rules_reset_pre_copy(struct check *c)
{
	rules_reset_in(c, MIG_PRE_COPY);
}

static void rules_reset_pre_copy_p2p(struct check *c)
{
	rules_reset_in(c, MIG_PRE_COPY_P2P);
}

/* What was loaded in part is gone: the whole way can be gone again. */
static void rules_reset_then_saves(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };

	if (subject_go(c->device, MIG_RESUMING, NULL) < 0 || !rules_reset_now(c))
		return;
	if (subject_save(c->device, DRAIN_BLOCK, &state) == 0)
		check_note(c, "it was saved: %zu bytes", state.len);
}

/* Two resets leave the same device: what it was before is in neither stream. */
static void rules_reset_is_a_reset(struct check *c)
{
	_cleanup_state_ struct subject_state before = { 0 }, after = { 0 };
	char text[COMPARE_TEXT_MAX];

	if (subject_save(c->device, DRAIN_BLOCK, &before) < 0)
		return;
	if (subject_go(c->device, MIG_RUNNING, NULL) < 0 || !rules_reset_now(c) ||
	    subject_save(c->device, DRAIN_BLOCK, &after) < 0)
		return;
	check_tell(c, "streams before and after a reset: %s", compare_text(&before, &after, text));
}

static void rules_reset_close_in(struct check *c, enum mig_state state)
{
	struct err why = { 0 };

	if (subject_go(c->device, state, NULL) < 0)
		return;
	if (subject_reopen(c->device, &why) < 0) {
		check_violated(c, "it cannot be opened again: %s", why.text);
		return;
	}
	check_stays(c, MIG_RUNNING);
}

static void rules_reset_close_stop(struct check *c)
{
	rules_reset_close_in(c, MIG_STOP);
}

static void rules_reset_close_stop_copy(struct check *c)
{
	rules_reset_close_in(c, MIG_STOP_COPY);
}

static void rules_reset_close_resuming(struct check *c)
{
	rules_reset_close_in(c, MIG_RESUMING);
}

static void rules_reset_close_running_p2p(struct check *c)
{
	rules_reset_close_in(c, MIG_RUNNING_P2P);
}

static void rules_reset_close_pre_copy(struct check *c)
{
	rules_reset_close_in(c, MIG_PRE_COPY);
}

static void rules_reset_close_pre_copy_p2p(struct check *c)
{
	rules_reset_close_in(c, MIG_PRE_COPY_P2P);
}

#define CLOSE_NEEDS (CHECK_NEEDS_KERNEL | CHECK_NEEDS_REOPEN)

static const struct check_rule rules_reset[] = {
	{ "reset.in-running", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "a reset in RUNNING leaves the device in RUNNING", SOURCE_RESET, rules_reset_running },
	{ "reset.in-running-p2p", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_RESET | CHECK_NEEDS_P2P,
	  "a reset in RUNNING_P2P leaves the device in RUNNING", SOURCE_RESET,
	  rules_reset_running_p2p },
	{ "reset.in-stop", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "a reset in STOP leaves the device in RUNNING", SOURCE_RESET, rules_reset_stop },
	{ "reset.in-stop-copy", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "a reset in STOP_COPY leaves the device in RUNNING", SOURCE_RESET,
	  rules_reset_stop_copy },
	{ "reset.in-resuming", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "a reset in RESUMING leaves the device in RUNNING", SOURCE_RESET, rules_reset_resuming },
	{ "reset.in-pre-copy", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_RESET | CHECK_NEEDS_PRE_COPY,
	  "a reset in PRE_COPY leaves the device in RUNNING", SOURCE_RESET, rules_reset_pre_copy },
	{ "reset.in-pre-copy-p2p", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_RESET | CHECK_NEEDS_PRE_COPY | CHECK_NEEDS_P2P,
	  "a reset in PRE_COPY_P2P leaves the device in RUNNING", SOURCE_RESET,
	  rules_reset_pre_copy_p2p },
	{ "reset.then-saves", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "after a reset that ended a load the device can be saved", SOURCE_RESET,
	  rules_reset_then_saves },
	{ "reset.and-state", CHECK_TELLS, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "how the streams before and after a reset differ", SOURCE_RESET, rules_reset_is_a_reset },
	{ "close.in-stop", CHECK_MUST, CHECK_DESTRUCTIVE, CLOSE_NEEDS,
	  "a device that was closed in STOP is opened in RUNNING", SOURCE_OPEN,
	  rules_reset_close_stop },
	{ "close.in-stop-copy", CHECK_MUST, CHECK_DESTRUCTIVE, CLOSE_NEEDS,
	  "a device that was closed in STOP_COPY is opened in RUNNING", SOURCE_OPEN,
	  rules_reset_close_stop_copy },
	{ "close.in-resuming", CHECK_MUST, CHECK_DESTRUCTIVE, CLOSE_NEEDS | CHECK_NEEDS_RESET,
	  "a device that was closed in RESUMING is opened in RUNNING", SOURCE_OPEN,
	  rules_reset_close_resuming },
	{ "close.in-running-p2p", CHECK_MUST, CHECK_DESTRUCTIVE, CLOSE_NEEDS | CHECK_NEEDS_P2P,
	  "a device that was closed in RUNNING_P2P is opened in RUNNING", SOURCE_OPEN,
	  rules_reset_close_running_p2p },
	{ "close.in-pre-copy", CHECK_MUST, CHECK_DESTRUCTIVE, CLOSE_NEEDS | CHECK_NEEDS_PRE_COPY,
	  "a device that was closed in PRE_COPY is opened in RUNNING", SOURCE_OPEN,
	  rules_reset_close_pre_copy },
	{ "close.in-pre-copy-p2p", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CLOSE_NEEDS | CHECK_NEEDS_PRE_COPY | CHECK_NEEDS_P2P,
	  "a device that was closed in PRE_COPY_P2P is opened in RUNNING", SOURCE_OPEN,
	  rules_reset_close_pre_copy_p2p },
};

const struct check_group check_reset_rules = CHECK_GROUP(rules_reset);
