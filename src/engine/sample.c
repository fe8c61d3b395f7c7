// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "device/recover.h"
#include "engine/sample.h"

#define SAMPLE_BUFFER (256u << 10)

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

static int sample_read(struct sample *s, struct err *err)
{
	_cleanup_free_ uint8_t *buf = malloc(SAMPLE_BUFFER);
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
		if (n == MIG_READ_NOTHING)
			return 0;
		s->on_data(s->ctx, buf, (size_t)n);
		total += (uint64_t)n;
		if (s->way == SAMPLE_PRE_COPY && total >= SAMPLE_PRE_COPY_MAX &&
		    !mig_mid_chunk(s->dev->mig))
			return 0;
	}
}

/* Bring it back whatever has happened; that it is not there is worse than what had. */
static int sample_return(struct sample *s, enum mig_state found, int r, struct err *err)
{
	struct mig_recovery recovery;
	struct err why = { 0 };

	if (mig_recover(s->dev->mig, found, MIG_HOLDS_OWN, s->retry, &recovery, &why))
		return r;
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
