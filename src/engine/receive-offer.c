// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"
#include "engine/compat.h"
#include "engine/receive-parts.h"

struct receive_differences {
	struct verdict *verdict;
	struct err err;
};

static void receive_offer_differ(void *ctx, const char *field, const char *saved, const char *here,
				 bool vital)
{
	struct receive_differences *d = ctx;

	if (!d->err.code &&
	    verdict_add_difference(d->verdict, field, saved, here, vital, &d->err) < 0)
		return;
}

static int receive_offer_judge_device(struct receive *r, const struct image_device *saved,
				      const struct device *dev, struct verdict *v, struct err *why)
{
	struct receive_differences d = { .verdict = v };
	struct err err = { 0 };
	int e;

	e = verdict_add_device(v, saved->address, device_name(dev), why);
	if (e < 0)
		return e;
	compat_compare(saved, dev, receive_offer_differ, &d);
	if (d.err.code) {
		*why = d.err;
		return d.err.code;
	}
	/* All devices are compared: the verdict names what each differs in. */
	if (compat_check(saved, dev, r->options->load.force_mismatch, &err) < 0 && !why->code)
		*why = err;
	return 0;
}

static int receive_offer_judge_devices(struct receive *r, const struct image_manifest *m,
				       struct verdict *v, struct err *why)
{
	const struct load_options *o = &r->options->load;
	uint32_t map[IMAGE_DEVICES_MAX];
	int e;

	if (m->source != IMAGE_SOURCE_STOPS)
		return err_fail(why, ERR_IMAGE, -EINVAL,
				"the source's devices are to run on: that is a copy, and no move");
	e = load_map(&o->map, m, map, why);
	if (e < 0)
		return e;
	for (uint32_t i = 0; i < m->n_devices; i++) {
		if (map[i] == LOAD_MAP_NONE)
			continue;
		e = receive_offer_judge_device(r, &m->devices[i], o->devs[map[i]], v, why);
		if (e < 0)
			return e;
	}
	return why->code;
}

static int receive_offer_refuse_held(const char *name, const char *txid, struct err *why)
{
	return err_fail(why, ERR_ABORTED, -EBUSY,
			"%s: has the state of transaction %s, which has not been moved away since",
			name, txid);
}

/* Of a load that was cut off no state is left; what was to be moved away is the only one. */
static bool receive_offer_may_replace(enum leftover left, const struct journal_record *record)
{
	return left == LEFTOVER_NONE || left == LEFTOVER_GONE ||
	       (left == LEFTOVER_OPEN && record->role == WIRE_DESTINATION);
}

/*
 * A state that has come here, by this process or by another one, and has not left since, is not to
 * be lost by another one. One that was there at the start the user was told of.
 */
static int receive_offer_judge_device_left(void *ctx, unsigned int i, enum leftover left,
					   const struct journal_record *record, struct err *why)
{
	struct receive *r = ctx;
	const char *name = device_name(r->options->load.devs[i]);
	char txid[2 * WIRE_ID_SIZE + 1];

	if (left == LEFTOVER_GONE)
		r->held[0] = '\0';
	if (receive_offer_may_replace(left, record))
		return 0;
	hex_encode(record->txid, WIRE_ID_SIZE, txid);
	if (left != LEFTOVER_HELD)
		return err_fail(why, ERR_ABORTED, -EBUSY, "%s: transaction %s %s: %s", name, txid,
				leftover_story(record->role, record->phase),
				left == LEFTOVER_BUSY ? "another process works on it"
						      : "`recover` it first");
	if (!memcmp(record->txid, r->found[i], WIRE_ID_SIZE))
		return 0;
	return receive_offer_refuse_held(name, txid, why);
}

/* The journal forgets what is over once it has many later ones; this process does not. */
int receive_judge_left(struct receive *r, struct err *why)
{
	int e = receive_each_left(r, receive_offer_judge_device_left, why);

	if (e < 0 || !*r->held)
		return e;
	return receive_offer_refuse_held(device_name(r->options->load.devs[0]), r->held, why);
}

static int receive_offer_judge_manifest(struct receive *r, const struct image_manifest *m,
					struct verdict *v, struct err *why)
{
	int e = receive_offer_judge_devices(r, m, v, why);

	if (e < 0)
		return e;
	r->expected = m->expected;
	/*
	 * The source's devices run still, and a spool that runs full later stops them for nothing.
	 * That of an earlier try is there yet, and makes room for this one.
	 */
	return r->options->spool && !r->spool && m->expected
		       ? spool_check_room(r->options->spool, m->expected, why)
		       : 0;
}

/* Those of a process that listens were looked at before it did. */
static int receive_offer_judge_here(struct receive *r, struct err *why)
{
	const struct receive_options *o = r->options;

	return o->fit && !o->listener ? o->fit(o->ctx, why) : 0;
}

int receive_judge(struct receive *r, const char *offer, size_t len, struct verdict *v,
		  struct err *why)
{
	struct image_manifest m = { 0 };
	char story[ERR_STORY_MAX];
	int e;

	e = receive_judge_left(r, why);
	e = e < 0 ? e : receive_offer_judge_here(r, why);
	e = e < 0 ? e : image_manifest_decode(offer, len, &m, why);
	e = e < 0 ? e : receive_offer_judge_manifest(r, &m, v, why);
	image_manifest_done(&m);
	v->accepted = e >= 0;
	if (e >= 0)
		return 0;
	return verdict_refuse(v, err_story(why, story), why) < 0 ? why->code : e;
}
