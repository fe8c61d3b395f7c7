// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The data fd and its life
 *
 * A session begins with the arc that returns an fd and ends with the arc that the uAPI text names,
 * or with a reset; where it leads is seen by the calls that work on it. What an fd of an ended
 * session answers is not in the text: data is a violation, ENODEV what every driver in the tree
 * says, and another errno worth a warning.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "check/drain.h"

#define SOURCE_SESSION "uapi: struct vfio_device_feature_mig_state, data_fd"
#define SOURCE_ARCS "uapi: enum vfio_device_mig_state, the arcs that terminate a session"
#define SOURCE_GROUP "uapi: enum vfio_device_mig_state, the saving group"
#define SOURCE_RESET "uapi: VFIO_DEVICE_RESET, the device is in RUNNING"
#define SOURCE_VFU_DATA "vfio-user: VFIO_USER_MIG_DATA_READ, VFIO_USER_MIG_DATA_WRITE"
#define SOURCE_COMMON "kernel: vfio_ioctl_mig_return_fd(), and every driver's data fd"

/* Return: whether the device is in @state with a session of its own; else a verdict was told. */
static bool rules_session_begin(struct check *c, enum mig_state state, struct subject_session **ret)
{
	if (subject_go(c->device, state, ret) < 0)
		return false;
	if (!*ret)
		check_broken(c, "no data fd in %s", subject_state_name(state));
	return *ret;
}

static bool rules_session_begin_fd(struct check *c, enum mig_state state,
				   struct subject_session **ret, int *ret_fd)
{
	if (!rules_session_begin(c, state, ret))
		return false;
	*ret_fd = subject_session_fd(*ret);
	if (*ret_fd < 0)
		check_broken(c, "no data fd in %s", subject_state_name(state));
	return *ret_fd >= 0;
}

static void rules_session_direction(struct check *c, enum mig_state state, int mode)
{
	_cleanup_session_ struct subject_session *x = NULL;
	char byte = 0;
	ssize_t n;
	int fd, flags;

	if (!rules_session_begin_fd(c, state, &x, &fd))
		return;
	flags = fcntl(fd, F_GETFL);
	check_note(c, "F_GETFL of the data fd in %s: %#x", subject_state_name(state), flags);
	if (flags < 0 || (flags & O_ACCMODE) != mode)
		check_violated(c, "the access mode of the data fd in %s is %#x, not %s",
			       subject_state_name(state), flags & O_ACCMODE,
			       mode == O_RDONLY ? "O_RDONLY" : "O_WRONLY");
	n = mode == O_RDONLY ? subject_write(x, &byte, 1) : subject_read(x, &byte, 1);
	if (n >= 0)
		check_violated(c, "%s of it: %zd", mode == O_RDONLY ? "write" : "read", n);
}

static void rules_session_reads_only(struct check *c)
{
	rules_session_direction(c, MIG_STOP_COPY, O_RDONLY);
}

static void rules_session_pre_copy_reads_only(struct check *c)
{
	rules_session_direction(c, MIG_PRE_COPY, O_RDONLY);
}

static void rules_session_writes_only(struct check *c)
{
	rules_session_direction(c, MIG_RESUMING, O_WRONLY);
}

static void rules_session_cloexec(struct check *c, enum mig_state state)
{
	_cleanup_session_ struct subject_session *x = NULL;
	int fd, flags;

	if (!rules_session_begin_fd(c, state, &x, &fd))
		return;
	flags = fcntl(fd, F_GETFD);
	if (flags < 0 || !(flags & FD_CLOEXEC))
		check_violated(c, "F_GETFD of the data fd in %s: %#x", subject_state_name(state),
			       flags);
}

static void rules_session_saving_cloexec(struct check *c)
{
	rules_session_cloexec(c, MIG_STOP_COPY);
}

static void rules_session_resuming_cloexec(struct check *c)
{
	rules_session_cloexec(c, MIG_RESUMING);
}

static void rules_session_pread(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	char byte;
	ssize_t n;
	int fd;

	if (!rules_session_begin_fd(c, MIG_STOP_COPY, &x, &fd))
		return;
	n = pread(fd, &byte, 1, 0);
	check_refused(c, "pread of 1 byte at 0", n < 0 ? -errno : (int)n, CHECK_ERRNOS(ESPIPE));
}

static void rules_session_pwrite(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	char byte = 0;
	ssize_t n;
	int fd;

	if (!rules_session_begin_fd(c, MIG_RESUMING, &x, &fd))
		return;
	n = pwrite(fd, &byte, 1, 0);
	check_refused(c, "pwrite of 1 byte at 0", n < 0 ? -errno : (int)n, CHECK_ERRNOS(ESPIPE));
}

/* What a call on a session says that has ended. */
static void rules_session_must_be_dead(struct check *c, struct subject_session *x, bool saving)
{
	char byte = 0;
	ssize_t n = saving ? subject_read(x, &byte, 1) : subject_write(x, &byte, 1);

	if (n > 0)
		check_violated(c, "%s of 1 byte after the session: %zd", saving ? "read" : "write",
			       n);
	else if (c->device->protocol == SUBJECT_V2 && n != -ENODEV)
		check_warn(c, "%s of 1 byte after the session: %s, where other drivers say ENODEV",
			   saving ? "read" : "write", n ? err_name((int)n) : "0");
}

static void rules_session_ends(struct check *c, enum mig_state state, enum mig_state to)
{
	_cleanup_session_ struct subject_session *x = NULL;

	if (!rules_session_begin(c, state, &x))
		return;
	if (subject_go(c->device, to, NULL) < 0)
		return;
	rules_session_must_be_dead(c, x, true);
}

static void rules_session_ends_in_stop(struct check *c)
{
	rules_session_ends(c, MIG_STOP_COPY, MIG_STOP);
}

static void rules_session_ends_in_running(struct check *c)
{
	rules_session_ends(c, MIG_PRE_COPY, MIG_RUNNING);
}

static void rules_session_ends_in_running_p2p(struct check *c)
{
	rules_session_ends(c, MIG_PRE_COPY_P2P, MIG_RUNNING_P2P);
}

/* A load whose state is the device's own, so that the arc out of RESUMING can be taken. */
static void rules_session_resuming_ends(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state own = { 0 };
	int r;

	if (subject_save(c->device, DRAIN_BLOCK, &own) < 0 ||
	    !rules_session_begin(c, MIG_RESUMING, &x))
		return;
	r = drain_write(c, x, &drain_by_block, &own);
	if (r < 0) {
		check_broken(c, "its own state was refused: %s", err_name(r));
		return;
	}
	if (subject_go(c->device, MIG_STOP, NULL) < 0)
		return;
	rules_session_must_be_dead(c, x, false);
}

static void rules_session_reset_ends(struct check *c, enum mig_state state)
{
	_cleanup_session_ struct subject_session *x = NULL;

	if (!rules_session_begin(c, state, &x) ||
	    !check_worked(c, "reset", subject_reset(c->device)))
		return;
	rules_session_must_be_dead(c, x, state != MIG_RESUMING);
	check_stays(c, MIG_RUNNING);
}

static void rules_session_reset_ends_saving(struct check *c)
{
	rules_session_reset_ends(c, MIG_STOP_COPY);
}

static void rules_session_reset_ends_pre_copy(struct check *c)
{
	rules_session_reset_ends(c, MIG_PRE_COPY);
}

static void rules_session_reset_ends_resuming(struct check *c)
{
	rules_session_reset_ends(c, MIG_RESUMING);
}

/* An arc inside the saving group. Return: whether it worked and gave no fd. */
static bool rules_session_keep(struct check *c, enum mig_state from, enum mig_state to)
{
	_cleanup_session_ struct subject_session *other = NULL;
	char what[64];

	snprintf(what, sizeof(what), "SET %s", subject_state_name(to));
	if (!check_worked(c, what, subject_take(c->device, from, to, &other)))
		return false;
	if (other)
		check_violated(c, "%s returned another data fd", what);
	return !other;
}

static void rules_session_one_fd(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };
	enum mig_state at = MIG_PRE_COPY;
	int r;

	if (!rules_session_begin(c, MIG_PRE_COPY, &x))
		return;
	if ((c->device->caps & MIG_CAP_P2P) &&
	    (!rules_session_keep(c, at, MIG_PRE_COPY_P2P) ||
	     !rules_session_keep(c, MIG_PRE_COPY_P2P, MIG_PRE_COPY) ||
	     !rules_session_keep(c, at, MIG_PRE_COPY_P2P)))
		return;
	if (c->device->caps & MIG_CAP_P2P)
		at = MIG_PRE_COPY_P2P;
	if (!rules_session_keep(c, at, MIG_STOP_COPY))
		return;
	r = drain_read(c, x, &drain_by_block, SUBJECT_STATE_MAX, &state);
	if (r < 0)
		check_violated(c, "the session's fd in stop-copy: %s at byte %zu", err_name(r),
			       state.len);
	else if (r == DRAIN_END && !state.len)
		check_violated(c, "the session's fd in stop-copy: not a byte");
}

static void rules_session_stays_ended(struct check *c)
{
	_cleanup_session_ struct subject_session *old = NULL, *x = NULL;

	if (!rules_session_begin(c, MIG_STOP_COPY, &old) ||
	    subject_go(c->device, MIG_STOP, NULL) < 0 || !rules_session_begin(c, MIG_STOP_COPY, &x))
		return;
	rules_session_must_be_dead(c, old, true);
}

static void rules_session_close_early(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };
	struct subject_session *x = NULL;
	char buf[16];
	ssize_t n;

	if (!rules_session_begin(c, MIG_STOP_COPY, &x))
		return;
	n = subject_read(x, buf, sizeof(buf));
	subject_session_close(x);
	if (n < 0) {
		check_broken(c, "read of %zu bytes: %s", sizeof(buf), err_name((int)n));
		return;
	}
	if (!check_stays(c, MIG_STOP_COPY) ||
	    !check_worked(c, "SET stop", subject_set(c->device, MIG_STOP, NULL)))
		return;
	if (drain_session(c, c->device, &drain_by_block, &state) && !state.len)
		check_violated(c, "the next session: not a byte");
}

static void rules_session_none_in_running(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	char byte = 0;
	int r = subject_session_of(c->device, &x);

	if (r < 0) {
		check_broken(c, "a session in RUNNING: %s", err_name(r));
		return;
	}
	check_refused(c, "a read of data in RUNNING", (int)subject_read(x, &byte, 1),
		      CHECK_ERRNOS());
	check_refused(c, "a write of data in RUNNING", (int)subject_write(x, &byte, 1),
		      CHECK_ERRNOS());
}

static const struct check_rule rules_session[] = {
	{ "session.saving-reads-only", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "the data fd of STOP_COPY is O_RDONLY and refuses write()", SOURCE_COMMON,
	  rules_session_reads_only },
	{ "session.pre-copy-reads-only", CHECK_SHOULD, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "the data fd of PRE_COPY is O_RDONLY and refuses write()", SOURCE_COMMON,
	  rules_session_pre_copy_reads_only },
	{ "session.resuming-writes-only", CHECK_SHOULD, CHECK_DESTRUCTIVE, CHECK_NEEDS_KERNEL,
	  "the data fd of RESUMING is O_WRONLY and refuses read()", SOURCE_COMMON,
	  rules_session_writes_only },
	{ "session.saving-closes-on-exec", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "the data fd of STOP_COPY is O_CLOEXEC", SOURCE_COMMON, rules_session_saving_cloexec },
	{ "session.resuming-closes-on-exec", CHECK_SHOULD, CHECK_DESTRUCTIVE, CHECK_NEEDS_KERNEL,
	  "the data fd of RESUMING is O_CLOEXEC", SOURCE_COMMON, rules_session_resuming_cloexec },
	{ "session.no-pread", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "a data fd is a stream: pread() fails with ESPIPE", SOURCE_COMMON, rules_session_pread },
	{ "session.no-pwrite", CHECK_SHOULD, CHECK_DESTRUCTIVE, CHECK_NEEDS_KERNEL,
	  "a data fd is a stream: pwrite() fails with ESPIPE", SOURCE_COMMON,
	  rules_session_pwrite },
	{ "session.none-in-running", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "in RUNNING there is no session: data is neither given nor taken", SOURCE_VFU_DATA,
	  rules_session_none_in_running },
	{ "session.stop-ends-it", CHECK_MUST, CHECK_HARMLESS, 0,
	  "STOP_COPY -> STOP ends the session: nothing can be read from it any more", SOURCE_ARCS,
	  rules_session_ends_in_stop },
	{ "session.running-ends-it", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_PRE_COPY,
	  "PRE_COPY -> RUNNING ends the session: nothing can be read from it any more", SOURCE_ARCS,
	  rules_session_ends_in_running },
	{ "session.running-p2p-ends-it", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_PRE_COPY | CHECK_NEEDS_P2P,
	  "PRE_COPY_P2P -> RUNNING_P2P ends the session: nothing can be read from it any more",
	  SOURCE_ARCS, rules_session_ends_in_running_p2p },
	{ "session.leaving-resuming-ends-it", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "RESUMING -> STOP ends the session: nothing can be written to it any more", SOURCE_ARCS,
	  rules_session_resuming_ends },
	{ "session.reset-ends-stop-copy", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_RESET,
	  "a reset in STOP_COPY ends the session and leads to RUNNING", SOURCE_RESET,
	  rules_session_reset_ends_saving },
	{ "session.reset-ends-pre-copy", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_RESET | CHECK_NEEDS_PRE_COPY,
	  "a reset in PRE_COPY ends the session and leads to RUNNING", SOURCE_RESET,
	  rules_session_reset_ends_pre_copy },
	{ "session.reset-ends-resuming", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_RESET,
	  "a reset in RESUMING ends the session and leads to RUNNING", SOURCE_RESET,
	  rules_session_reset_ends_resuming },
	{ "session.saving-group-shares-it", CHECK_MUST, CHECK_HARMLESS,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_PRE_COPY,
	  "arcs inside of the saving group return no data fd, and the one that is open goes on",
	  SOURCE_GROUP, rules_session_one_fd },
	{ "session.stays-ended", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "the data fd of an ended session is not that of the next one", SOURCE_ARCS,
	  rules_session_stays_ended },
	{ "session.may-be-closed", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_KERNEL,
	  "closing a data fd before its end changes no state, and the next session is whole",
	  SOURCE_SESSION, rules_session_close_early },
};

const struct check_group check_session_rules = CHECK_GROUP(rules_session);
