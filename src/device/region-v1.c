// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "device/kernel-dev.h"
#include "device/region-v1.h"
#include "device/v1-stream.h"
#include "device/v1-window.h"
#include "fsm/fsm.h"

#define DEVICE_STATE offsetof(struct uapi_v1_registers, device_state)

/** struct region_v1 - @window is open once the device was queried */
struct region_v1 {
	struct kernel_dev k;
	struct v1_window window;
};

static struct region_v1 *region_v1(struct mig_dev *dev)
{
	return container_of(kernel_dev(dev), struct region_v1, k);
}

bool region_v1_spoken(int fd)
{
	return v1_window_present(fd);
}

/* v1 has no flags: every device can stop and copy, and pre-copy is refused by those that cannot. */
static int region_v1_query(struct mig_dev *dev, struct err *err)
{
	struct region_v1 *v = region_v1(dev);
	int r;

	r = kernel_dev_query_reset(dev, err);
	if (r < 0)
		return r;
	r = v1_window_open(&v->window, v->k.acq.fd);
	if (r == V1_WINDOW_NONE)
		return err_fail(err, ERR_UNSUPPORTED, -ENOTTY,
				"%s: the driver has no migration region", dev->name);
	if (r < 0)
		return err_set(err, r, "%s: its migration region", dev->name);
	dev->caps = MIG_CAP_STOP_COPY | MIG_CAP_PRE_COPY;
	return 0;
}

static int region_v1_get_bits(struct region_v1 *v, uint32_t *ret, struct err *err)
{
	int r = v1_read(&v->window, DEVICE_STATE, ret, sizeof(*ret));

	return r < 0 ? err_set(err, r, "reading device_state") : 0;
}

static int region_v1_get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	uint32_t bits;
	int r;

	r = region_v1_get_bits(region_v1(dev), &bits, err);
	if (r < 0)
		return r;
	if (!fsm_v1_state(bits & UAPI_V1_MASK, ret))
		return err_fail(err, ERR_DEVICE, -EPROTO, "device_state is 0x%x, which is none",
				bits);
	return 0;
}

/*
 * The uAPI wants reserved bits preserved. A driver may not take a value: the register is read back.
 */
static int region_v1_set_bits(struct region_v1 *v, unsigned int bits, struct err *err)
{
	uint32_t old, new, now;
	int r;

	r = region_v1_get_bits(v, &old, err);
	if (r < 0)
		return r;
	/* A device may go to the error state by itself; no write leads out of it, only a reset. */
	if ((old & UAPI_V1_MASK) == fsm_v1_bits(MIG_ERROR))
		return err_fail(err, ERR_DEVICE, -EIO, "device_state is 0x%x: in error", old);
	new = (old & ~(uint32_t)UAPI_V1_MASK) | bits;
	r = v1_write(&v->window, DEVICE_STATE, &new, sizeof(new));
	if (r < 0)
		return err_set(err, r, "writing 0x%x to device_state", new);
	r = region_v1_get_bits(v, &now, err);
	if (r < 0)
		return r;
	if ((now & UAPI_V1_MASK) != bits)
		return err_fail(err, ERR_DEVICE, -EIO,
				"device_state was set to 0x%x and reads 0x%x", new, now);
	return 0;
}

static int region_v1_set_state(struct mig_dev *dev, enum mig_state to,
			       struct mig_stream **ret_stream, struct err *err)
{
	struct region_v1 *v = region_v1(dev);
	int r;

	if (dev->state == MIG_RESUMING && to == MIG_STOP && mig_mid_chunk(dev))
		return err_fail(err, ERR_IMAGE, -EBADMSG, "the stream ends in mid-chunk");
	if (dev->state == MIG_PRE_COPY && to == MIG_STOP_COPY && mig_mid_chunk(dev))
		return err_fail(err, ERR_BUG, -EBUSY, "a chunk was not read to its end");
	r = region_v1_set_bits(v, fsm_v1_bits(to), err);
	if (r < 0 || !mig_opens_session(dev->state, to))
		return r;
	return v1_stream_new(dev, &v->window, ret_stream, err);
}

static void region_v1_close(struct mig_dev *dev)
{
	struct region_v1 *v = region_v1(dev);

	v1_window_close(&v->window);
	kernel_dev_done(&v->k);
	free(v);
}

static const struct mig_ops region_v1_ops = {
	.name = "v1",
	.next = fsm_v1_next,
	.query = region_v1_query,
	.get_state = region_v1_get_state,
	.set_state = region_v1_set_state,
	.reset = kernel_dev_reset,
	.close = region_v1_close,
};

int region_v1_open(struct acquired *acq, const char *name, struct mig_dev **ret, struct err *err)
{
	struct region_v1 *v = calloc(1, sizeof(*v));
	int r;

	if (!v) {
		acquired_done(acq);
		return err_set(err, -ENOMEM, "%s", name);
	}
	r = kernel_dev_init(&v->k, &region_v1_ops, acq, name, err);
	if (r < 0)
		free(v);
	else
		*ret = &v->k.dev;
	return r;
}
