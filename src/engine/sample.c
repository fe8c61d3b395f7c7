// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "device/recover.h"
#include "engine/sample.h"

#define SAMPLE_BUFFER (256u << 10)

/* How often, and how long, what pre-copy has announced is waited for. */
#define SAMPLE_TRIES 100u
#define SAMPLE_REST_MS 20

enum sample_way sample_way(enum mig_state found, unsigned int caps)
{
	switch (found) {
	case MIG_RUNNING:
		return caps & MIG_CAP_PRE_COPY ? SAMPLE_PRE_COPY : SAMPLE_STOPS;
	case MIG_RUNNING_P2P:
		return SAMPLE_STOPS;
	case MIG_STOP:
		return SAMPLE_STOPPED;
	case MIG_ERROR:
		return SAMPLE_ERROR;
	default:
		return SAMPLE_SESSION;
	}
}

static int sample_check(struct sample *s, struct err *err)
{
	const char *name = device_name(s->dev);
	enum mig_state found = s->dev->mig->state;

	s->way = sample_way(found, s->dev->mig->caps);
	if (s->way == SAMPLE_ERROR) {
		err_fail(err, ERR_DEVICE, -EIO, "%s: it is in error", name);
		return err_hint(err, err->code, "only a reset brings it back, without its state");
	}
	if (s->way == SAMPLE_SESSION) {
		err_fail(err, ERR_SYSTEM, -EBUSY, "%s: it is in %s: a session is under way, or was",
			 name, fsm_name(found));
		return err_hint(err, err->code, "vfiomigctl state brings it to running");
	}
	/* Were this process killed, nothing would bring the device back to its owner. */
	if (device_ownership(s->dev) == DEVICE_SHARED) {
		err_fail(err, ERR_SYSTEM, -EBUSY, "%s: it is another process's", name);
		return err_hint(err, err->code, "save it, and look into that: inspect --decode");
	}
	return 0;
}

/* A v1 chunk that was begun is read to its end before the state changes. */
static int sample_check_cancel(const struct sample *s, struct err *err)
{
	return mig_mid_chunk(s->dev->mig) ? 0 : cancel_check(s->cancel, err);
}

/*
 * Whether there is something to come in PRE_COPY, where nothing came yet. Some drivers make it only
 * when they are asked, and may take a moment.
 */
static bool sample_waits(struct sample *s, unsigned int *tries)
{
	struct mig_precopy_info info;

	if (s->way != SAMPLE_PRE_COPY || (*tries)++ == SAMPLE_TRIES ||
	    mig_precopy(s->dev->mig, &info, NULL) < 0 || !(info.initial_bytes | info.dirty_bytes))
		return false;
	/* What ends the rest ends the work, too: the next look at the cancel sees it. */
	if (cancel_pause(s->cancel, SAMPLE_REST_MS, NULL) < 0)
		log_debug("%s: the wait for pre-copy data ends", device_name(s->dev));
	return true;
}

static int sample_read(struct sample *s, struct err *err)
{
	_cleanup_free_ uint8_t *buf = malloc(SAMPLE_BUFFER);
	unsigned int tries = 0;
	uint64_t total = 0;
	ssize_t n;
	int r;

	if (!buf)
		return err_set(err, -ENOMEM, "buffer");
	for (;;) {
		r = sample_check_cancel(s, err);
		if (r < 0)
			return r;
		n = mig_read(s->dev->mig, buf, SAMPLE_BUFFER, err);
		if (n < 0)
			return (int)n;
		if (n == MIG_READ_NOTHING && !total && sample_waits(s, &tries))
			continue;
		if (n == MIG_READ_NOTHING)
			return 0;
		s->on_data(s->ctx, buf, (size_t)n);
		total += (uint64_t)n;
		if (s->way == SAMPLE_PRE_COPY && total >= SAMPLE_PRE_COPY_MAX &&
		    !mig_mid_chunk(s->dev->mig))
			return 0;
	}
}

/* It is back; but what it held may be gone. */
static int sample_returned(const struct mig_recovery *recovery, enum mig_state found, int r,
			   struct err *err)
{
	if (r >= 0)
		return r;
	if (recovery->fate != MIG_FATE_BLANK)
		return err_note(err, r, "it is in %s again", fsm_name(found));
	err->kind = ERR_DEVICE;
	return err_note(err, r, "it was reset, and is in %s without what it held", fsm_name(found));
}

/* Bring it back whatever has happened; that it is not there is worse than what had. */
static int sample_return(struct sample *s, enum mig_state found, int r, struct err *err)
{
	struct mig_recovery recovery;
	struct err why = { 0 };

	if (mig_recover(s->dev->mig, found, MIG_HOLDS_OWN, s->retry, &recovery, &why))
		return sample_returned(&recovery, found, r, err);
	if (r >= 0)
		*err = why;
	err_classify(err, ERR_DEVICE, err->code);
	err->kind = ERR_DEVICE;
	return err_note(err, err->code, "%s was not brought back to %s, and is in %s",
			device_name(s->dev), fsm_name(found),
			recovery.end_known ? fsm_name(recovery.end) : "a state that is not known");
}

static int sample_take(struct sample *s, struct err *err)
{
	enum mig_state to = s->way == SAMPLE_PRE_COPY ? MIG_PRE_COPY : MIG_STOP_COPY;
	int r = mig_goto_retrying(s->retry, s->dev->mig, to, s->cancel, err);

	return r < 0 ? r : sample_read(s, err);
}

int sample_run(struct sample *s, struct err *err)
{
	struct mig_dev *mig = s->dev->mig;
	enum mig_state found = mig->state;
	int r;

	r = sample_check(s, err);
	if (r < 0)
		return r;
	r = cancel_check(s->cancel, err);
	if (r < 0)
		return r;
	mig->cancel = s->cancel;
	r = sample_take(s, err);
	r = sample_return(s, found, r, err);
	mig->cancel = NULL;
	return r;
}
