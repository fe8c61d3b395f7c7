/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the files of a subject share; for subject*.c only
 */

#include <sys/queue.h>

#include "check/subject.h"
#include "device/device.h"

/* An arc or a reset that is busy (EBUSY, EAGAIN) is tried so often, with so long between. */
#define SUBJECT_RETRIES 40u
#define SUBJECT_RETRY_MS 25

struct subject_conn;
struct subject_dev;

struct subject_session {
	struct subject_dev *d;
	int fd; /* -1 for a vfio-user device */
	bool own; /* @fd is this session's to close: no other thing of ours has the same number */
	LIST_ENTRY(subject_session) next;
};

/**
 * struct subject_ops - one protocol; each is one question, its answer unchanged
 */
struct subject_ops {
	/** @open: Connect or open; fill in fd, caps and needs of the subject. */
	int (*open)(struct subject_dev *d, struct err *err);
	void (*close)(struct subject_dev *d);
	int (*feature)(struct subject_dev *d, uint32_t flags, uint32_t argsz, void *data,
		       size_t len);
	int (*reset)(struct subject_dev *d);
	ssize_t (*read)(struct subject_session *x, void *buf, size_t len);
	ssize_t (*write)(struct subject_session *x, const void *buf, size_t len);
	int (*precopy_info)(struct subject_session *x, struct mig_precopy_info *ret);
	ssize_t (*watch)(struct subject_dev *d, void *buf, size_t len);
	/** @revive: Optional. After a conversation that broke down: begin another. */
	int (*revive)(struct subject_dev *d, struct err *err);
};

extern const struct subject_ops subject_v2_ops, subject_vfu_ops;

#define SUBJECT_LOST_MAX 256

/**
 * struct subject_dev
 * @dev: the caller's
 * @cancel: ends the calls of the present rule; may be NULL
 * @forked: shares fd and connection with another one, which closes them
 * @loaded: it has been in RESUMING since it was opened or reset: what it holds may be anything
 * @opted_in: to PRECOPY_INFOv2
 * @lost: what subject_lost() was last told, "" for nothing
 * @sessions: that are open
 */
struct subject_dev {
	struct subject s;
	const struct subject_ops *ops;
	struct device *dev;
	struct device_options opts;
	struct cancel *cancel;
	struct subject_watch watch;
	struct subject_conn *conn;
	bool forked, loaded, opted_in;
	char lost[SUBJECT_LOST_MAX];
	LIST_HEAD(, subject_session) sessions;
};

/** subject_dev() - behind what rules see */
struct subject_dev *subject_dev(const struct subject *s);

/** subject_log() - a line of evidence, where there is a rule */
void subject_log(const struct subject_dev *d, const char *fmt, ...) _printf_(2, 3);

/**
 * subject_lost() - the question was not asked, or its answer is none
 * @what: it was, where @why does not say so; or NULL
 *
 * The reason is told by check_broken(), or where no rule is being tried by what fails of this.
 *
 * Return: -EREMOTEIO.
 */
int subject_lost(struct subject_dev *d, const char *what, const struct err *why);

/** subject_learn() - @d->s.needs from @d->s.caps, and what the device answers to PROBE */
void subject_learn(struct subject_dev *d, bool can_reset);

/** subject_result_text() - "0", "176", "EINVAL". Return: @buf. */
#define SUBJECT_RESULT_MAX 24
char *subject_result_text(ssize_t result, char buf[SUBJECT_RESULT_MAX]);

/** subject_vfu_release() - close the connection; subject_home() opens it again */
void subject_vfu_release(struct subject_dev *d);
