/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A rule of the protocol, as a row of a table
 *
 * One rule is one sentence of the uAPI text or of the vfio-user specification, and one function
 * that tries it on a device. Its id is stable: reports, --rules and known deviations name it.
 */

#include <stddef.h>

struct check;

/* How much the text asks for. */
enum check_level {
	CHECK_MUST, /* not so: fail */
	CHECK_SHOULD, /* not so: warn */
	CHECK_TELLS, /* nothing is asked for: a figure that an author wants to see */
};

enum check_verdict {
	CHECK_PASS,
	CHECK_INFO, /* of CHECK_TELLS: what was measured */
	CHECK_SKIP, /* not to be tried on this device: the reason is the evidence */
	CHECK_WARN,
	CHECK_KNOWN, /* a fail or a warning that this driver is known for (check/known.h) */
	CHECK_FAIL,
	CHECK_BROKEN, /* no verdict: the rule did not end in its time, or could not be begun */
};

/* What a rule may do to the device; each needs its option. */
enum check_harm {
	CHECK_HARMLESS, /* stops the device for moments; its state stays */
	CHECK_DESTRUCTIVE, /* loads or resets it: its state is lost */
	CHECK_PAIR, /* the same to a second device, into which the first one's state is loaded */
	CHECK_HOSTILE, /* may hang or crash a driver that is wrong */
};

/* What a device must have for the rule to mean anything; else it is skipped. */
enum check_needs {
	CHECK_NEEDS_KERNEL = 1 << 0, /* the v2 ioctls: a data fd, argsz */
	CHECK_NEEDS_VFU = 1 << 1, /* a vfio-user server */
	CHECK_NEEDS_P2P = 1 << 2,
	CHECK_NEEDS_PRE_COPY = 1 << 3,
	CHECK_NEEDS_NO_P2P = 1 << 4,
	CHECK_NEEDS_NO_PRE_COPY = 1 << 5,
	CHECK_NEEDS_DATA_SIZE = 1 << 6,
	CHECK_NEEDS_PRECOPY_V2 = 1 << 7, /* PRECOPY_INFOv2 is offered */
	CHECK_NEEDS_DMA_LOG = 1 << 8,
	CHECK_NEEDS_RESET = 1 << 9,
	CHECK_NEEDS_REOPEN = 1 << 10, /* the device may be closed and opened again */
	CHECK_NEEDS_WATCH = 1 << 11, /* --watch says what must stand still */
};

/**
 * struct check_rule - one rule
 * @id: "group.what-is-so": "fsm.stop-copy-to-pre-copy"
 * @text: the rule, one sentence without a full stop
 * @source: where that is said: "uapi: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", "vfio-user: ..."
 * @needs: enum check_needs
 * @run: tries it. Finds the device in RUNNING and may leave it anywhere: the runner brings it back.
 *       Says its verdict by check.h; has passed when it said none
 */
struct check_rule {
	const char *id;
	enum check_level level;
	enum check_harm harm;
	unsigned int needs;
	const char *text, *source;
	void (*run)(struct check *c);
};

/* struct check_group - the rules of one file, in the order in which they are tried. */
struct check_group {
	const struct check_rule *rules;
	size_t n;
};

#define CHECK_GROUP(array)                                                \
	{                                                                 \
		.rules = (array), .n = sizeof(array) / sizeof((array)[0]) \
	}

extern const struct check_group check_feature_rules; /* features, flags, argsz, states at open */
extern const struct check_group check_fsm_rules; /* every pair of states, combination arcs */
extern const struct check_group check_session_rules; /* the data fd and its life */
extern const struct check_group check_stream_rules; /* reads, their ends, sizes, repeatability */
extern const struct check_group check_precopy_rules;
extern const struct check_group check_stop_rules; /* STOP means frozen */
extern const struct check_group check_load_rules; /* RESUMING, good and bad streams, pairs */
extern const struct check_group check_reset_rules; /* reset and close in every state */
extern const struct check_group check_dma_rules; /* device DMA logging */
extern const struct check_group check_together_rules; /* concurrency, leaks */
extern const struct check_group check_vfu_rules; /* the vfio-user protocol's own */
extern const struct check_group check_hostile_rules;
