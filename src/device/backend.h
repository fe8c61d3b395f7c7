/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Migration backends
 *
 * A device speaks the protocol over v2 feature ioctls, the v1 region or vfio-user messages;
 * above this header no caller can tell. How its fd was obtained is device/acquire.h's business and
 * never a backend's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "device/stream.h"
#include "uapi/vfio.h"

struct mig_dev;
struct dma_log_ops;

/**
 * struct mig_ops - one way of speaking the migration protocol
 *
 * Called only through the mig_*() wrappers, which keep @mig_dev.state and the stream; an op does
 * its exchange and nothing else. All are required unless marked optional. Backends embed struct
 * mig_dev and find themselves by container_of().
 */
struct mig_ops {
	const char *name; /* the protocol's: "v2" */

	/** @next: Of the protocol's state machine, as fsm_next(). */
	enum mig_state (*next)(enum mig_state from, enum mig_state to, unsigned int caps);

	/** @query: Fill @dev->caps and @dev->can_reset. Called once, before any other op. */
	int (*query)(struct mig_dev *dev, struct err *err);

	/** @get_state: Ask the device. */
	int (*get_state)(struct mig_dev *dev, enum mig_state *ret, struct err *err);

	/**
	 * @set_state: Take one arc.
	 *
	 * On success the device is in @to; @ret_stream is set if the arc opened a session, and is
	 * the caller's. On failure the device may be anywhere: ask.
	 */
	int (*set_state)(struct mig_dev *dev, enum mig_state to, struct mig_stream **ret_stream,
			 struct err *err);

	/** @data_size: Optional. The driver's estimate of what STOP_COPY will yield. */
	int (*data_size)(struct mig_dev *dev, uint64_t *ret, struct err *err);

	/**
	 * @opt_in_precopy: Optional. Ask for the flags of PRECOPY_INFOv2.
	 *
	 * Lasts until the device is closed by every process that has it open. Return: accepted.
	 */
	bool (*opt_in_precopy)(struct mig_dev *dev);

	/** @reset: Optional. Back to RUNNING from anything, losing the device's state. */
	int (*reset)(struct mig_dev *dev, struct err *err);

	/**
	 * @open_load: Optional. A stream for a device that a reset has left in RESUMING.
	 *
	 * For protocols in which a reset can drop what was loaded and leave the state as it is, and
	 * in which a stream needs no arc that opens it.
	 */
	int (*open_load)(struct mig_dev *dev, struct mig_stream **ret, struct err *err);

	/** @probe: Optional. Whether the kernel knows enum uapi_feature @feature. */
	bool (*probe)(struct mig_dev *dev, unsigned int feature);

	/** @watch_fd: Optional. What hangs up when the device is gone. */
	int (*watch_fd)(const struct mig_dev *dev);

	/** @attend: Optional. Read and decline what the device's server asks of us; never waits. */
	int (*attend)(struct mig_dev *dev, struct err *err);

	/** @close: Release everything, @dev too, but @dev->name. Cannot fail. */
	void (*close)(struct mig_dev *dev);
};

/* A device's regions and interrupts as VFIO_DEVICE_GET_INFO and its sisters tell. */
struct dev_info {
	uint32_t flags; /* VFIO_DEVICE_FLAGS_* */
	uint32_t n_regions, n_irqs;
};

struct dev_region {
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_* */
	uint64_t size, offset;
	uint32_t index;
};

struct dev_irq {
	uint32_t flags; /* VFIO_IRQ_INFO_* */
	uint32_t count;
};

/** struct dev_ops - the device beside its migration; @info to @irq work before mig_query(). */
struct dev_ops {
	int (*info)(struct mig_dev *dev, struct dev_info *ret, struct err *err);
	int (*region)(struct mig_dev *dev, uint32_t index, struct dev_region *ret, struct err *err);
	int (*irq)(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err);
	/** @read: Return: bytes read, maybe fewer than @len. */
	ssize_t (*read)(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			void *buf, size_t len, struct err *err);
	/** @write: All of @len bytes, as one access. */
	int (*write)(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
		     const void *buf, size_t len, struct err *err);
};

/**
 * struct mig_arc - one arc as it was taken
 * @result: 0 or negative errno
 */
struct mig_arc {
	enum mig_state from, to;
	uint64_t start_ns, ns;
	int result;
};

/**
 * struct mig_dev - a device that can be migrated
 * @ops: backend, constant for the device's life
 * @log_ops: of its DMA log (dma-log.h); NULL where the protocol has none
 * @name: what the user called it; in every message about it
 * @caps: MIG_CAP_*, valid after mig_query()
 * @can_reset: the device says that it can be reset; some that can do not say so
 * @precopy_v2: the PRECOPY_INFOv2 opt-in was accepted
 * @state: last state that the device confirmed
 * @state_known: false after a failure that could not be followed by a question
 * @shared: another process has the device open, and may change its state: not while it is stopped
 * @moved: such a change was seen: by mig_refresh(), after no SET or reset of ours. Not one to ERROR
 * @stream: of the session that is open, or NULL; the device's
 * @cancel: ends a read or write of the stream that waits for its driver or peer, if set
 * @on_arc: told of every arc tried, if set
 * @on_step: told of every arc and reset before it is tried, and of where it has led: @from and @to
 *           are then the same. Not told where that is not known. May be NULL
 */
struct mig_dev {
	const struct mig_ops *ops;
	const struct dev_ops *dev_ops;
	const struct dma_log_ops *log_ops;
	char *name;
	unsigned int caps;
	bool can_reset;
	bool precopy_v2;
	enum mig_state state;
	bool state_known;
	bool shared, moved;
	struct mig_stream *stream;
	struct cancel *cancel;
	void (*on_arc)(void *ctx, const struct mig_arc *arc);
	void *on_arc_ctx;
	void (*on_step)(void *ctx, enum mig_state from, enum mig_state to);
	void *on_step_ctx;
};

/**
 * mig_query() - learn what the device can do and where it is
 *
 * Return: 0; -ENOTTY, -EOPNOTSUPP (ERR_UNSUPPORTED) when it cannot migrate.
 */
_must_check_ int mig_query(struct mig_dev *dev, struct err *err);

/** mig_refresh() - ask for the state; drops the stream when its session has ended. */
_must_check_ int mig_refresh(struct mig_dev *dev, struct err *err);

/**
 * mig_moved_text() - what another process has done that left a shared device where it is
 *
 * Return: "brought it to stop". A reset looks like a SET to RUNNING: then it is one of both.
 */
const char *mig_moved_text(enum mig_state now, char buf[64]);

/** mig_was_moved() - ask whether another process has moved a device that is shared: @dev->moved */
bool mig_was_moved(struct mig_dev *dev);

/**
 * mig_goto() - bring a device to a state, arc by arc
 *
 * Never sets a state while the device is in ERROR: the kernel has no arc out of it and answers
 * with a WARN; only a reset helps. Nor while it is in RESUMING without a stream of ours: the load
 * is another process's and cut off, a driver might take it for complete, and mtty of Linux 6.12
 * follows a NULL pointer.
 *
 * Return: 0, or negative errno, with @dev->state telling how far it got as the device itself
 * says. Never assumes: a failed SET may leave the device anywhere on the path.
 */
_must_check_ int mig_goto(struct mig_dev *dev, enum mig_state to, struct err *err);

/**
 * mig_reset() - reset the device, trying again for a while when it is busy (EAGAIN)
 *
 * The device's state is lost; a running session's stream with it. Afterwards the device is where
 * it says that it is, RUNNING by the uAPI; one that cannot migrate is not asked. Some vfio-user
 * servers stay in RESUMING: what was loaded is gone then, and a new load may begin, for which
 * there is a stream.
 */
_must_check_ int mig_reset(struct mig_dev *dev, struct err *err);

/**
 * mig_reset_check() - whether a reset that went well has left the device where it must
 *
 * Return: 0 in RUNNING; else ERR_DEVICE, with a hint that names the way on.
 */
_must_check_ int mig_reset_check(const struct mig_dev *dev, struct err *err);

/** mig_watch_fd() - a descriptor that hangs up (POLLRDHUP) when the device is gone; -1 for none */
int mig_watch_fd(const struct mig_dev *dev);

/**
 * mig_attend() - answer what the device's server says by itself, when mig_watch_fd() is readable
 *
 * For a device that is only held: afterwards it can only be closed. Never waits.
 *
 * Return: 0; -ECONNRESET when the server is gone; other negative errno (ERR_PEER) when it is mad,
 * and only its end is still worth waiting for.
 */
_must_check_ int mig_attend(struct mig_dev *dev, struct err *err);

/** mig_opens_session() - the arc begins a data transfer session: a stream comes with it. */
bool mig_opens_session(enum mig_state from, enum mig_state to);

/**
 * mig_data_size() - what the driver expects STOP_COPY to yield
 *
 * An estimate: pds and qat report their maximum, a vGPU may not know at all. Nothing may be
 * allocated or ended by it. Return: 0, or -EOPNOTSUPP and the like.
 */
_must_check_ int mig_data_size(struct mig_dev *dev, uint64_t *ret, struct err *err);

bool mig_probe(struct mig_dev *dev, unsigned int feature);

/**
 * mig_opt_in_precopy() - have pre-copy information tell when it became stale (PRECOPY_INFOv2)
 *
 * Changes what the kernel answers to every process that has the device open: only for a caller that
 * is about to start pre-copy. Whether the device offers it, mig_probe() tells. Fills
 * @dev->precopy_v2.
 */
void mig_opt_in_precopy(struct mig_dev *dev);

/* Outcome of mig_read(); not an error. */
#define MIG_READ_NOTHING 0 /* the end in STOP_COPY; nothing for now before it */

/**
 * mig_read() - the next bytes of the stream
 *
 * Return: bytes, MIG_READ_NOTHING, or negative errno. An EINTR is passed on: a retry could hide
 * a loss.
 */
_must_check_ ssize_t mig_read(struct mig_dev *dev, void *buf, size_t len, struct err *err);

/** mig_write() - all of @len bytes into the stream, however the driver takes them. */
_must_check_ int mig_write(struct mig_dev *dev, const void *buf, size_t len, struct err *err);

/**
 * mig_check_session() - make sure that the session is still the one that was opened
 * @doing: what is about to be done, for the message
 *
 * Another process that holds the device can reset it at any time. A SET that then leaves RUNNING
 * for STOP succeeds, and must not be taken for the end of a load.
 *
 * Return: 0, also when the device does not answer: the SET that follows will tell; -ENODEV
 * (ERR_IO).
 */
_must_check_ int mig_check_session(struct mig_dev *dev, const char *doing, struct err *err);

/**
 * mig_mid_chunk() - the session must not change its state now
 *
 * v1 hands out its stream in chunks, and one that was begun has to be read to its end.
 */
bool mig_mid_chunk(const struct mig_dev *dev);

/** mig_precopy() - Return: 0, -EOPNOTSUPP where the protocol has no such question, or worse. */
_must_check_ int mig_precopy(struct mig_dev *dev, struct mig_precopy_info *ret, struct err *err);

_must_check_ int dev_info(struct mig_dev *dev, struct dev_info *ret, struct err *err);
_must_check_ int dev_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret,
			    struct err *err);
_must_check_ int dev_irq(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err);

/**
 * dev_config_read() - the PCI configuration space
 *
 * Return: bytes read, at most @len; 0 for a device that has none; negative errno.
 */
_must_check_ ssize_t dev_config_read(struct mig_dev *dev, void *buf, size_t len, struct err *err);

/** dev_config_write() - one register of it: 1, 2 or 4 bytes at their natural place. */
_must_check_ int dev_config_write(struct mig_dev *dev, uint64_t at, const void *buf, size_t len,
				  struct err *err);

struct mig_dev *mig_close(struct mig_dev *dev);
DEFINE_CLEANUP(struct mig_dev *, mig_close)
