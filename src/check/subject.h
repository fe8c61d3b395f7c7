/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The device that is checked, spoken to in its own words
 *
 * device/backend.h keeps its callers from asking what a device must not be asked. A check does just
 * that: each function here is one ioctl, one system call on the data fd or one message, with what
 * came back unchanged. Each leaves a line in the evidence of the rule that is being tried.
 *
 * Results are 0 (or a count) or the negative errno that the kernel or the server gave. What keeps
 * the question from being asked at all (the server is gone, a reply that is none) is told by
 * check_broken(), and the result is then -EREMOTEIO.
 *
 * One thread at a time uses a subject, but for subject_fork() below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/err.h"
#include "device/stream.h"
#include "uapi/vfio.h"

struct check;
struct device;
struct device_options;
struct subject;

/* Whose words it speaks. */
enum subject_protocol {
	SUBJECT_V2,
	SUBJECT_VFU,
};

/**
 * struct subject - one device
 * @caps: MIG_CAP_* as it said when it was opened
 * @needs: of enum check_needs, what this device has
 * @fd: of a kernel device, else -1
 * @check: whose evidence is written, set by the runner for each rule
 */
struct subject {
	enum subject_protocol protocol;
	const char *name;
	unsigned int caps, needs;
	int fd;
	struct check *check;
};

/**
 * subject_open() - open a device that was found
 * @dev: the caller's; it must stay until subject_close()
 *
 * Return: 0; as device_open() and mig_query(); ERR_UNSUPPORTED for the older protocol, v1.
 */
_must_check_ int subject_open(struct device *dev, const struct device_options *opts,
			      struct subject **ret, struct err *err);
struct subject *subject_close(struct subject *s);

/**
 * struct subject_watch - what must stand still while it is stopped
 * @region, @offset, @len: bytes of a region; @len 0 for nothing
 */
struct subject_watch {
	uint32_t region;
	uint64_t offset, len;
};

/* Bytes that can be watched. */
#define SUBJECT_WATCH_MAX 4096u

/** subject_set_watch() - of what subject_watch_read() reads; adds CHECK_NEEDS_WATCH to its needs */
void subject_set_watch(struct subject *s, const struct subject_watch *watch);

/**
 * subject_begin() - whose evidence is written from here on, and what ends its calls
 * @check: may be NULL, as may @cancel
 */
void subject_begin(struct subject *s, struct check *check, struct cancel *cancel);

/** subject_reopen() - close it and open it again, as a rule may ask. Return: as subject_open(). */
_must_check_ int subject_reopen(struct subject *s, struct err *err);

/**
 * subject_home() - bring it to RUNNING: by arcs, else by a reset where @may_lose, else not
 *
 * A session that is open is closed first. Return: 0; -ENODEV and others when it is not there.
 */
_must_check_ int subject_home(struct subject *s, bool may_lose, struct err *err);

/*
 * Features and states
 */

/**
 * subject_feature() - VFIO_DEVICE_FEATURE, or the message
 * @flags: index and UAPI_FEATURE_GET, _SET, _PROBE, and what else is to be tried
 * @argsz: as it is to be said, which may be less or more than there is
 * @data: @len bytes in and out, after the header
 */
int subject_feature(struct subject *s, uint32_t flags, uint32_t argsz, void *data, size_t len);

/** subject_get() - the state that it says it is in; @ret is what came, in range or not */
int subject_get(struct subject *s, uint32_t *ret);

/** subject_is() - whether GET says @want; what it says instead is evidence */
bool subject_is(struct subject *s, enum mig_state want);

struct subject_session;

/**
 * subject_set() - one SET
 * @to: any number
 * @ret: the session whose fd came back, or NULL; the caller's, subject_session_close(). A vfio-user
 *       device gives none: subject_session_of() takes its place. May be NULL: what comes is closed
 */
int subject_set(struct subject *s, uint32_t to, struct subject_session **ret);

/**
 * subject_again() - wait, if a question with this result is to be asked again: EBUSY, EAGAIN
 * @tries: 0 before the first question; counts
 *
 * Return: false for another result, and when the time for that is up.
 */
bool subject_again(struct subject *s, int result, unsigned int *tries);

/**
 * subject_take() - one SET from @from; again for a while, where op_may_be_busy(), when it is busy
 *
 * A device that refuses for now breaks no rule, and stays on the path. As subject_set() else.
 */
int subject_take(struct subject *s, enum mig_state from, uint32_t to, struct subject_session **ret);

/**
 * subject_go() - arc by arc to a state, where a rule begins
 * @ret: the session that is open there, or NULL; may be NULL
 *
 * Return: 0; else check_broken() has been told, and the rule returns at once.
 */
_must_check_ int subject_go(struct subject *s, enum mig_state to, struct subject_session **ret);

/** subject_reset() - VFIO_DEVICE_RESET, again for a while when it is busy (EAGAIN) */
int subject_reset(struct subject *s);

/** subject_data_size() - MIG_DATA_SIZE */
int subject_data_size(struct subject *s, uint64_t *ret);

/*
 * A session
 */

/** subject_session_of() - the stream of a vfio-user device in its present state */
_must_check_ int subject_session_of(struct subject *s, struct subject_session **ret);

/** subject_session_fd() - the data fd; -1 for a vfio-user device */
int subject_session_fd(const struct subject_session *x);

/**
 * subject_read(), subject_write() - one call of @len bytes
 *
 * Of a vfio-user device one message, which holds subject_block_max() at most. Return: bytes,
 * negative errno.
 */
ssize_t subject_read(struct subject_session *x, void *buf, size_t len);
ssize_t subject_write(struct subject_session *x, const void *buf, size_t len);

/** subject_block_max() - the most that one subject_read() or subject_write() takes */
size_t subject_block_max(const struct subject *s);

/**
 * subject_precopy_info() - what VFIO_MIG_GET_PRECOPY_INFO says
 *
 * @ret->reinit is told only after the opt-in. Return: -EOPNOTSUPP of a vfio-user device, which has
 * no such message.
 */
int subject_precopy_info(struct subject_session *x, struct mig_precopy_info *ret);

struct subject_session *subject_session_close(struct subject_session *x);

/* A device's state in memory. Rules that keep two of them must bear SUBJECT_STATE_MAX each. */
struct subject_state {
	uint8_t *data;
	size_t len;
};

#define SUBJECT_STATE_MAX (256u << 20)

/**
 * subject_save() - from wherever it is to STOP_COPY, and all of its stream
 * @block: bytes a read
 * @ret: the caller frees @ret->data. The device is left in STOP_COPY, its stream at its end
 *
 * Return: 0; -EFBIG beyond SUBJECT_STATE_MAX, told as a skip; else told by check_broken().
 */
_must_check_ int subject_save(struct subject *s, size_t block, struct subject_state *ret);

/**
 * subject_load() - RESUMING, @state in writes of @block bytes, STOP
 *
 * Return: 0; the errno of the write or SET that was refused. The device is left where that was.
 */
int subject_load(struct subject *s, const struct subject_state *state, size_t block);

/*
 * What must stand still
 */

/** subject_watch_read() - the bytes that --watch names; -EINVAL where it names none */
ssize_t subject_watch_read(struct subject *s, void *buf, size_t len);

/*
 * A second thread
 */

/**
 * subject_fork() - the same open device for another thread, without its own evidence
 * @ret: shares the device fd (or, of a server, queues behind the same connection); close it first
 */
_must_check_ int subject_fork(struct subject *s, struct subject **ret);

/** subject_state_name() - "stop-copy", "state 9"; the last few of a thread stay valid */
const char *subject_state_name(uint32_t state);
