// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "engine/objections.h"

enum relation {
	EQUAL,
	AT_MOST, /* the saved one may be older */
	WITHIN, /* each of its bits is one of the target's */
};

/*
 * Read from the drivers: of hisi_acc, what is matched before the state; of qat, the preamble's
 * checker and the setup's; of mtty, what is looked at when the header is whole; of xe, the packets'
 * version and the descriptor. mlx5, virtio and pds leave all of it to their firmware. The rate
 * limits of qat are in its state, and are not compared here.
 *
 * @code: a write of the stream fails with it; @more: where the saved value is the larger one. mtty
 * that has no room for a write refuses it before it looks at the header.
 */
/* clang-format off */
static const struct rule {
	const char *layout;
	enum decode_fact fact;
	enum relation relation;
	int code, more;
} rules[] = {
	{ "hisi_acc", DECODE_VERSION,      EQUAL,   EFAULT, EFAULT },
	{ "hisi_acc", DECODE_DEVICE_ID,    EQUAL,   EFAULT, EFAULT },
	{ "hisi_acc", DECODE_QUEUES,       EQUAL,   EFAULT, EFAULT },
	{ "hisi_acc", DECODE_ISOLATION,    EQUAL,   EFAULT, EFAULT },
	{ "qat",      DECODE_VERSION,      AT_MOST, EINVAL, EINVAL },
	{ "qat",      DECODE_CAPABILITIES, WITHIN,  EINVAL, EINVAL },
	{ "qat",      DECODE_SERVICES,     EQUAL,   EINVAL, EINVAL },
	{ "qat",      DECODE_EXTENDED,     WITHIN,  EINVAL, EINVAL },
	{ "mtty",     DECODE_VERSION,      EQUAL,   EFAULT, EFAULT },
	{ "mtty",     DECODE_MINOR,        EQUAL,   EFAULT, EFAULT },
	{ "mtty",     DECODE_PORTS,        EQUAL,   EFAULT, ENOMEM },
	{ "xe",       DECODE_VERSION,      EQUAL,   EINVAL, EINVAL },
	{ "xe",       DECODE_DEVICE_ID,    EQUAL,   ENODEV, ENODEV },
	{ "xe",       DECODE_REVISION,     EQUAL,   ENODEV, ENODEV },
};
/* clang-format on */

static bool objections_agree(enum relation relation, uint64_t saved, uint64_t here)
{
	switch (relation) {
	case AT_MOST:
		return saved <= here;
	case WITHIN:
		return !(saved & ~here);
	case EQUAL:
		break;
	}
	return saved == here;
}

static bool objections_has(const struct decode_result *stream, const struct rule *rule)
{
	return stream && stream->layout && strcmp(stream->layout, rule->layout) == 0 &&
	       stream->has[rule->fact];
}

/*
 * The target's own stream knows best. Else hisi_acc compares the id of the function itself; that of
 * xe is its PF's, which need not be the function's.
 */
static bool objections_here(const struct rule *rule, const struct objection_target *t,
			    uint64_t *ret)
{
	if (objections_has(t->stream, rule)) {
		*ret = t->stream->facts[rule->fact];
		return true;
	}
	if (rule->fact == DECODE_DEVICE_ID && strcmp(rule->layout, "hisi_acc") == 0 &&
	    t->has_device_id) {
		*ret = t->device_id;
		return true;
	}
	return false;
}

unsigned int objections_find(const struct decode_result *saved,
			     const struct objection_target *target, objection_fn *fn, void *ctx)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct objection o = { .fact = rules[i].fact,
				       .verdict = OBJECTION_CANNOT_TELL,
				       .code = rules[i].code };

		if (!objections_has(saved, &rules[i]))
			continue;
		o.saved = saved->facts[o.fact];
		o.here_known = objections_here(&rules[i], target, &o.here);
		if (o.here_known && o.saved > o.here)
			o.code = rules[i].more;
		if (o.here_known)
			o.verdict = objections_agree(rules[i].relation, o.saved, o.here)
					    ? OBJECTION_NONE
					    : OBJECTION_REFUSED;
		fn(ctx, &o);
		n++;
	}
	return n;
}
