// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/backend.h"
#include "fsm/fsm.h"

/* vfio_pci tries for a lock and says EAGAIN while another thread has it: for 2 s in all. */
#define RESET_TRIES 20
#define RESET_PAUSE_NS (100 * NSEC_PER_MSEC)

/* How often to ask before a session whose stream is gone counts as still there. */
#define SESSION_TRIES 2

/* Asking is harmless, and not to know is the worst that can happen. */
#define STATE_TRIES 3

static void backend_drop_stream(struct mig_dev *dev)
{
	if (dev->stream)
		dev->stream->ops->close(dev->stream);
	dev->stream = NULL;
}

static bool backend_in_session(enum mig_state state)
{
	return fsm_saving(state) || state == MIG_RESUMING;
}

bool mig_opens_session(enum mig_state from, enum mig_state to)
{
	return backend_in_session(to) && !(fsm_saving(from) && fsm_saving(to));
}

/* @to is where the device is now; a stream outlives an arc only inside its own session. */
static void backend_enter(struct mig_dev *dev, enum mig_state to)
{
	bool same = fsm_saving(dev->state) == fsm_saving(to) && backend_in_session(to);

	if (!same)
		backend_drop_stream(dev);
	dev->state = to;
	dev->state_known = true;
}

int mig_query(struct mig_dev *dev, struct err *err)
{
	int r;

	r = dev->ops->query(dev, err);
	if (r < 0)
		return r;
	if (!(dev->caps & MIG_CAP_STOP_COPY))
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: the driver's migration has no STOP_COPY", dev->name);
	dev->state_known = dev->moved = false;
	return mig_refresh(dev, err);
}

int mig_refresh(struct mig_dev *dev, struct err *err)
{
	enum mig_state state = MIG_ERROR;
	int r = 0;

	for (int i = 0; i < STATE_TRIES; i++) {
		r = dev->ops->get_state(dev, &state, err);
		if (r >= 0)
			break;
	}
	if (r < 0) {
		dev->state_known = false;
		return err_prefix(err, r, "%s: cannot ask for the state", dev->name);
	}
	if ((unsigned int)state >= MIG_NR_STATES) {
		dev->state_known = false;
		return err_fail(err, ERR_DEVICE, -EPROTO, "%s: reports state %u, which is none",
				dev->name, (unsigned int)state);
	}
	if (dev->shared && dev->state_known && state != dev->state)
		dev->moved = state != MIG_ERROR;
	backend_enter(dev, state);
	return 0;
}

const char *mig_moved_text(enum mig_state now, char buf[64])
{
	snprintf(buf, 64, "brought it to %s%s", fsm_name(now),
		 now == MIG_RUNNING ? ", or reset it" : "");
	return buf;
}

bool mig_was_moved(struct mig_dev *dev)
{
	if (!dev->shared)
		return false;
	if (mig_refresh(dev, NULL) < 0)
		log_debug("%s: does not say where it is", dev->name);
	return dev->moved;
}

static void backend_tell_step(const struct mig_dev *dev, enum mig_state from, enum mig_state to)
{
	if (dev->on_step)
		dev->on_step(dev->on_step_ctx, from, to);
}

/* After a failed SET only the device knows; its answer must not cover the first failure. */
static int backend_failed_arc(struct mig_dev *dev, enum mig_state next, int r, struct err *err)
{
	enum mig_state from = dev->state;

	dev->state_known = false; /* where it is now is our doing */
	if (mig_refresh(dev, NULL) < 0)
		return err_prefix(err, r, "%s: %s to %s failed and the state is unknown", dev->name,
				  fsm_name(from), fsm_name(next));
	backend_tell_step(dev, dev->state, dev->state);
	/* The kernel may have opened a session and failed to hand over its fd. */
	return err_prefix(err, r, "%s: %s to %s failed, the device is in %s", dev->name,
			  fsm_name(from), fsm_name(next), fsm_name(dev->state));
}

static int backend_take_arc(struct mig_dev *dev, enum mig_state next, struct err *err)
{
	struct mig_arc arc = { .from = dev->state, .to = next, .start_ns = clock_ns() };
	struct mig_stream *stream = NULL;
	bool opens = mig_opens_session(dev->state, next);

	backend_tell_step(dev, arc.from, arc.to);
	cancel_call_begin(dev->cancel, "%s -> %s", fsm_name(arc.from), fsm_name(arc.to));
	arc.result = dev->ops->set_state(dev, next, &stream, err);
	cancel_call_end(dev->cancel);
	arc.ns = clock_ns() - arc.start_ns;
	log_debug("%s: %s -> %s: %s", dev->name, fsm_name(arc.from), fsm_name(arc.to),
		  arc.result < 0 ? err_name(arc.result) : "done");
	if (dev->on_arc)
		dev->on_arc(dev->on_arc_ctx, &arc);
	if (arc.result < 0)
		return backend_failed_arc(dev, next, arc.result, err);

	backend_enter(dev, next);
	backend_tell_step(dev, next, next);
	if (stream) {
		backend_drop_stream(dev);
		dev->stream = stream;
	}
	if (opens && !stream)
		return err_fail(err, ERR_DEVICE, -EBADF,
				"%s: entered %s, and the driver gave no data fd", dev->name,
				fsm_name(next));
	return 0;
}

int mig_goto(struct mig_dev *dev, enum mig_state to, struct err *err)
{
	if (!dev->state_known) {
		int r = mig_refresh(dev, err);

		if (r < 0)
			return r;
	}
	/* A driver that moves by itself (pds) must not keep us walking for ever. */
	for (int arcs = 0; dev->state != to; arcs++) {
		enum mig_state next = dev->ops->next(dev->state, to, dev->caps);
		int r;

		if (dev->state == MIG_ERROR) {
			err_fail(err, ERR_DEVICE, -EIO, "%s: in error, which only a reset ends",
				 dev->name);
			err_note(err, -EIO, "its state is lost");
			return err_hint(err, -EIO, "vfiomigctl reset %s", dev->name);
		}
		if (dev->state == MIG_RESUMING && !dev->stream) {
			err_fail(err, ERR_DEVICE, -EBUSY,
				 "%s: in resuming, with a load that another process left",
				 dev->name);
			return err_hint(err, -EBUSY, "vfiomigctl reset %s", dev->name);
		}
		if (next == MIG_ERROR || arcs == FSM_ARCS_MAX)
			return err_fail(err, ERR_UNSUPPORTED, -EINVAL, "%s: no way from %s to %s",
					dev->name, fsm_name(dev->state), fsm_name(to));
		r = backend_take_arc(dev, next, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int mig_reset(struct mig_dev *dev, struct err *err)
{
	const struct timespec pause = { .tv_nsec = RESET_PAUSE_NS };
	int r;

	/* Tried even where GET_INFO does not offer it: mtty can be reset and does not say so. */
	if (!dev->ops->reset)
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: cannot be reset",
				dev->name);
	backend_tell_step(dev, dev->state, MIG_RUNNING);
	for (int i = 0;; i++) {
		cancel_call_begin(dev->cancel, "reset");
		r = dev->ops->reset(dev, err);
		cancel_call_end(dev->cancel);
		if (r != -EAGAIN || i == RESET_TRIES - 1)
			break;
		log_debug("%s: reset is busy, trying again", dev->name);
		nanosleep(&pause, NULL);
	}
	if (r == -ENOTTY || (r == -EINVAL && !dev->can_reset))
		return err_fail(err, ERR_UNSUPPORTED, r, "%s: cannot be reset", dev->name);
	if (r < 0)
		return err_prefix(err, r, "%s", dev->name);
	log_debug("%s: reset", dev->name);
	backend_drop_stream(dev);
	if (!dev->caps)
		return 0;
	dev->state_known = dev->moved = false;
	r = mig_refresh(dev, err);
	if (r < 0 || dev->state != MIG_RESUMING || !dev->ops->open_load)
		return r;
	return dev->ops->open_load(dev, &dev->stream, err);
}

int mig_reset_check(const struct mig_dev *dev, struct err *err)
{
	if (!dev->caps || dev->state == MIG_RUNNING)
		return 0;
	err_fail(err, ERR_DEVICE, -EPROTO, "%s: was reset, and is in %s instead of running",
		 dev->name, fsm_name(dev->state));
	if (dev->state == MIG_RESUMING && dev->stream)
		return err_hint(
			err, -EPROTO,
			"a load may begin anew: vfiomigctl resume %s FILE; else restart its "
			"server",
			dev->name);
	if (dev->state == MIG_RESUMING || dev->state == MIG_ERROR)
		return err_hint(err, -EPROTO, "only its driver or server can help: restart that");
	return err_hint(err, -EPROTO, "vfiomigctl state %s running", dev->name);
}

int mig_data_size(struct mig_dev *dev, uint64_t *ret, struct err *err)
{
	if (!dev->ops->data_size)
		return err_set(err, -EOPNOTSUPP, "%s: the protocol has no size estimate",
			       dev->name);
	return dev->ops->data_size(dev, ret, err);
}

void mig_opt_in_precopy(struct mig_dev *dev)
{
	if ((dev->caps & MIG_CAP_PRE_COPY) && dev->ops->opt_in_precopy && !dev->precopy_v2)
		dev->precopy_v2 = dev->ops->opt_in_precopy(dev);
}

bool mig_probe(struct mig_dev *dev, unsigned int feature)
{
	return dev->ops->probe && dev->ops->probe(dev, feature);
}

int mig_watch_fd(const struct mig_dev *dev)
{
	return dev->ops->watch_fd ? dev->ops->watch_fd(dev) : -1;
}

int mig_attend(struct mig_dev *dev, struct err *err)
{
	return dev->ops->attend ? dev->ops->attend(dev, err) : 0;
}

/* The session can end under us: a reset from elsewhere, a driver that gave up. */
static int backend_no_stream(struct mig_dev *dev, struct err *err)
{
	return err_fail(err, ERR_BUG, -EBADF, "%s: no stream is open in %s", dev->name,
			fsm_name(dev->state));
}

/*
 * A stream ends with ENODEV once its session is over, and no SET of ours ended it. A driver that
 * applies a reset late may answer with the old state once. The state is not stored: recovery
 * compares it with the one that was left.
 */
static bool backend_session_ended(struct mig_dev *dev, enum mig_state *ret)
{
	for (int i = 0; i < SESSION_TRIES; i++) {
		if (dev->ops->get_state(dev, ret, NULL) < 0)
			return false;
		if (*ret != dev->state)
			return (unsigned int)*ret < MIG_NR_STATES;
	}
	return false;
}

/* Only a reset leads to RUNNING without a SET; a process that shares the device may SET, too. */
static int backend_tell_ended(const struct mig_dev *dev, int code, const char *doing,
			      enum mig_state now, struct err *err)
{
	char moved[64];

	if (dev->shared && now != MIG_ERROR)
		return err_fail(err, ERR_IO, code, "%s: %s: another process has %s", dev->name,
				doing, mig_moved_text(now, moved));
	if (now == MIG_RUNNING)
		return err_fail(err, ERR_IO, code,
				"%s: %s: another process has reset the device: it is in running",
				dev->name, doing);
	return err_fail(err, ERR_IO, code, "%s: %s: the device has gone to %s by itself", dev->name,
			doing, fsm_name(now));
}

/*
 * A stream that has a story of its own tells it; one over an fd has only the errno. @doing is what
 * was under way; @verdict is what it means if the driver says so, and no connection was lost.
 */
static int backend_stream_failed(struct mig_dev *dev, int code, const char *doing,
				 const char *verdict, struct err *err)
{
	const struct err *why = dev->stream->ops->why ? dev->stream->ops->why(dev->stream) : NULL;
	enum mig_state now;

	/* A driver, too, may answer ECANCELED: that is a failure like any other. */
	int r = code == -ECANCELED && dev->cancel ? cancel_check(dev->cancel, err) : 0;

	if (r < 0)
		return r == -ETIMEDOUT ? err_prefix(err, r, "%s: %s", dev->name, doing) : r;
	if (!why && code == -ENODEV && backend_session_ended(dev, &now))
		return backend_tell_ended(dev, code, doing, now, err);
	if (!why || why->code != code)
		return err_fail(err, ERR_IO, code, "%s: %s", dev->name, verdict);
	err_fail(err, why->kind ? why->kind : ERR_IO, code, "%s: %s: %s", dev->name,
		 why->kind == ERR_PEER ? doing : verdict, why->text);
	return code;
}

/* An EINTR is our own kick, as every other signal is blocked. */
static ssize_t backend_uncovered(struct mig_dev *dev, ssize_t n)
{
	cancel_interruptible_end(dev->cancel);
	return n == -EINTR && cancel_check(dev->cancel, NULL) < 0 ? -ECANCELED : n;
}

static ssize_t backend_stream_read(struct mig_dev *dev, void *buf, size_t len)
{
	if (!dev->cancel)
		return dev->stream->ops->read(dev->stream, buf, len);
	cancel_interruptible_begin(dev->cancel, "reading its stream");
	return backend_uncovered(dev, dev->stream->ops->read(dev->stream, buf, len));
}

static ssize_t backend_stream_write(struct mig_dev *dev, const void *buf, size_t len)
{
	if (!dev->cancel)
		return dev->stream->ops->write(dev->stream, buf, len);
	cancel_interruptible_begin(dev->cancel, "writing its stream");
	return backend_uncovered(dev, dev->stream->ops->write(dev->stream, buf, len));
}

int mig_check_session(struct mig_dev *dev, const char *doing, struct err *err)
{
	enum mig_state now;

	if (!backend_session_ended(dev, &now))
		return 0;
	return backend_tell_ended(dev, -ENODEV, doing, now, err);
}

ssize_t mig_read(struct mig_dev *dev, void *buf, size_t len, struct err *err)
{
	char what[96];
	ssize_t n;

	if (!dev->stream)
		return backend_no_stream(dev, err);
	n = backend_stream_read(dev, buf, len);
	if (n == -ENOMSG && dev->state != MIG_STOP_COPY)
		return MIG_READ_NOTHING;
	if (n < 0) {
		snprintf(what, sizeof(what), "reading the device's stream in %s%s",
			 fsm_name(dev->state),
			 n == -ENOMSG ? " (a driver must not say so there)" : "");
		return backend_stream_failed(dev, (int)n, what, what, err);
	}
	return n;
}

int mig_write(struct mig_dev *dev, const void *buf, size_t len, struct err *err)
{
	size_t done = 0;

	if (!dev->stream)
		return backend_no_stream(dev, err);
	while (done < len) {
		ssize_t n;

		n = backend_stream_write(dev, (const char *)buf + done, len - done);
		if (n == 0)
			n = -EIO; /* a driver that takes nothing would keep us here */
		if (n < 0)
			return backend_stream_failed(dev, (int)n, "writing the device's stream",
						     "the driver refused the stream's data", err);
		done += (size_t)n;
	}
	return 0;
}

bool mig_mid_chunk(const struct mig_dev *dev)
{
	const struct mig_stream *s = dev->stream;

	return s && s->ops->mid_chunk && s->ops->mid_chunk(s);
}

int mig_precopy(struct mig_dev *dev, struct mig_precopy_info *ret, struct err *err)
{
	int r;

	if (!dev->stream)
		return backend_no_stream(dev, err);
	if (!dev->stream->ops->precopy_info)
		return err_set(err, -EOPNOTSUPP, "%s: no pre-copy information", dev->name);
	r = dev->stream->ops->precopy_info(dev->stream, ret);
	if (r < 0)
		return err_set(err, r, "%s: VFIO_MIG_GET_PRECOPY_INFO", dev->name);
	if (!dev->precopy_v2)
		ret->reinit = false; /* before the opt-in flags mean nothing */
	return 0;
}

int dev_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	return dev->dev_ops->info(dev, ret, err);
}

int dev_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret, struct err *err)
{
	return dev->dev_ops->region(dev, index, ret, err);
}

int dev_irq(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err)
{
	return dev->dev_ops->irq(dev, index, ret, err);
}

/* Return: 1; 0 for a device that has none. */
static int backend_config_region(struct mig_dev *dev, struct dev_region *ret, struct err *err)
{
	struct dev_info info;
	int r;

	r = dev_info(dev, &info, err);
	if (r < 0)
		return r;
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.n_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		return 0;
	r = dev_region(dev, VFIO_PCI_CONFIG_REGION_INDEX, ret, err);
	return r < 0 ? r : 1;
}

ssize_t dev_config_read(struct mig_dev *dev, void *buf, size_t len, struct err *err)
{
	struct dev_region region;
	int r;

	r = backend_config_region(dev, &region, err);
	if (r <= 0 || !(region.flags & VFIO_REGION_INFO_FLAG_READ))
		return MIN(r, 0);
	return dev->dev_ops->read(dev, &region, 0, buf, MIN(len, region.size), err);
}

int dev_config_write(struct mig_dev *dev, uint64_t at, const void *buf, size_t len, struct err *err)
{
	struct dev_region region;
	int r;

	r = backend_config_region(dev, &region, err);
	if (r < 0)
		return r;
	if (!r || !(region.flags & VFIO_REGION_INFO_FLAG_WRITE) || at > region.size ||
	    len > region.size - at)
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: has no PCI configuration space to write to", dev->name);
	return dev->dev_ops->write(dev, &region, at, buf, len, err);
}

struct mig_dev *mig_close(struct mig_dev *dev)
{
	if (dev) {
		_cleanup_free_ char *name = dev->name;

		backend_drop_stream(dev);
		dev->ops->close(dev);
	}
	return NULL;
}
