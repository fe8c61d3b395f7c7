/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * VERDICT: what a destination says of the devices that it is offered
 *
 * JSON, so that people and scripts can read it and later versions can add to it: what this version
 * does not know is ignored on reading. Untrusted, as all that the other end says.
 *
 *	{ "schema": 1, "accepted": false, "reason": "...",
 *	  "devices": [ { "saved": "0000:3b:00.1", "here": "vfio1",
 *	                 "differences": [ { "field": "driver", "saved": "mlx5_vfio_pci",
 *	                                    "here": "mtty", "vital": true } ] } ] }
 *
 * "devices" has those that are taken, in the order of the MANIFEST.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Checked before anything is parsed. */
#define VERDICT_TEXT_MAX (1u << 20)
#define VERDICT_DEVICES_MAX 256u
#define VERDICT_DIFFERENCES_MAX 16u
#define VERDICT_STRING_MAX 1024u

/** struct verdict_difference - one field; @vital: a state saved there is not to be loaded here */
struct verdict_difference {
	char *field, *saved, *here;
	bool vital;
};

/** struct verdict_device - @saved: its address in the offer; @here: what would take it */
struct verdict_device {
	char *saved, *here;
	struct verdict_difference differences[VERDICT_DIFFERENCES_MAX];
	size_t n_differences;
};

/** struct verdict - all zero for none; strings its own, printable; @reason NULL when accepted */
struct verdict {
	bool accepted;
	char *reason;
	struct verdict_device *devices;
	size_t n_devices;
};

/** verdict_refuse() - not accepted, for @reason; the first one counts. Return: 0, -ENOMEM. */
_must_check_ int verdict_refuse(struct verdict *v, const char *reason, struct err *err);

/** verdict_add_device() - one more. Return: its index; -E2BIG, -ENOMEM. */
_must_check_ int verdict_add_device(struct verdict *v, const char *saved, const char *here,
				    struct err *err);

/** verdict_add_difference() - of the device added last; those beyond the cap are left out */
_must_check_ int verdict_add_difference(struct verdict *v, const char *field, const char *saved,
					const char *here, bool vital, struct err *err);

/** verdict_encode() - @ret: NUL-terminated, at most VERDICT_TEXT_MAX; the caller's */
_must_check_ int verdict_encode(const struct verdict *v, char **ret, size_t *ret_len,
				struct err *err);

/**
 * verdict_decode() - from untrusted text
 * @ret: for verdict_done(); untouched on failure
 *
 * Return: 0; -EPROTO (ERR_PEER), naming the field; -ENOMEM.
 */
_must_check_ int verdict_decode(const char *text, size_t len, struct verdict *ret, struct err *err);

void verdict_done(struct verdict *v);
