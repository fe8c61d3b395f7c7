// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <string.h>

#include "base/macros.h"
#include "emu/command.h"
#include "emu/feature.h"
#include "emu/regs.h"
#include "fsm/fsm.h"

#define PCI_REGIONS 9u
#define PCI_IRQS 5u

/* What libvfio-user announces too. */
static const struct vfu_version our_version = {
	.major = VFU_MAJOR,
	.minor = VFU_MINOR,
	.max_msg_fds = 8,
	.max_data_xfer_size = VFU_XFER_MAX,
	.pgsize = 4096,
};

/* What a payload begins with; one that is too short is the client's mistake, and EINVAL. */
static int emu_command_copy_in(void *to, size_t size, const struct emu_command *c, struct err *err)
{
	if (vfu_copy_in(to, size, c->payload, c->len, err) < 0)
		return err_set(err, -EINVAL, "%zu bytes of payload, not %zu", c->len, size);
	return 0;
}

static int emu_command_check_argsz(uint32_t argsz, size_t size, struct err *err)
{
	if (argsz < size)
		return err_set(err, -EINVAL, "argsz of %" PRIu32 ", less than %zu", argsz, size);
	return 0;
}

static int emu_command_answer_version(const struct emu_deviations *off, struct emu_session *s,
				      const struct emu_command *c, struct emu_reply *reply,
				      struct err *err)
{
	struct vfu_version proposed, agreed;
	int r;

	if (s->negotiated && !emu_deviates(off, DEVIATE_SECOND_VERSION))
		return err_set(err, -EINVAL, "a second version");
	reply->close = true;
	r = vfu_version_decode(c->payload, c->len, &proposed, err);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	if (emu_deviates(off, DEVIATE_ANY_MAJOR))
		proposed.major = VFU_MAJOR;
	r = vfu_version_accept(&our_version, &proposed, &agreed, err);
	if (r < 0)
		return -EINVAL;
	if (emu_deviates(off, DEVIATE_MINOR_RAISED))
		agreed.minor = VFU_MINOR;
	reply->close = false;
	s->negotiated = true;
	s->xfer_max = MIN(proposed.max_data_xfer_size, our_version.max_data_xfer_size);
	reply->len = vfu_version_encode(&agreed, reply->payload);
	return 0;
}

/* What begins with argsz, the size that the client took it for. */
static int emu_command_copy_in_sized(void *to, size_t size, const struct emu_command *c,
				     struct err *err)
{
	uint32_t argsz;
	int r;

	r = emu_command_copy_in(to, size, c, err);
	if (r < 0)
		return r;
	memcpy(&argsz, to, sizeof(argsz));
	return emu_command_check_argsz(argsz, size, err);
}

/* The device does no DMA: what the client says about its memory is checked and forgotten. */
static int emu_command_answer_dma_map(const struct emu_command *c, struct err *err)
{
	struct vfu_dma_map map;

	return emu_command_copy_in(&map, sizeof(map), c, err);
}

static int emu_command_answer_dma_unmap(const struct emu_command *c, struct emu_reply *reply,
					struct err *err)
{
	struct vfu_dma_unmap unmap;
	int r;

	r = emu_command_copy_in(&unmap, sizeof(unmap), c, err);
	if (!r)
		emu_reply_add(reply, &unmap, sizeof(unmap));
	return r;
}

static int emu_command_answer_info(const struct emu_command *c, struct emu_reply *reply,
				   struct err *err)
{
	struct vfu_device_info info;
	int r;

	r = emu_command_copy_in_sized(&info, sizeof(info), c, err);
	if (r < 0)
		return r;
	info = (struct vfu_device_info){
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		.n_regions = PCI_REGIONS,
		.n_irqs = PCI_IRQS,
	};
	emu_reply_add(reply, &info, sizeof(info));
	return 0;
}

static uint64_t emu_command_region_size(uint32_t index)
{
	if (index == VFIO_PCI_BAR0_REGION_INDEX)
		return EMU_BAR_SIZE;
	return index == VFIO_PCI_CONFIG_REGION_INDEX ? EMU_CONFIG_SIZE : 0;
}

static int emu_command_answer_region_info(const struct emu_command *c, struct emu_reply *reply,
					  struct err *err)
{
	struct vfu_region_info info;
	int r;

	r = emu_command_copy_in_sized(&info, sizeof(info), c, err);
	if (r < 0)
		return r;
	if (info.index >= PCI_REGIONS)
		return err_set(err, -EINVAL, "no region %" PRIu32, info.index);
	info = (struct vfu_region_info){
		.argsz = sizeof(info),
		.index = info.index,
		.size = emu_command_region_size(info.index),
	};
	if (info.size)
		info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	emu_reply_add(reply, &info, sizeof(info));
	return 0;
}

static int emu_command_answer_irq_info(const struct emu_command *c, struct emu_reply *reply,
				       struct err *err)
{
	struct vfu_irq_info info;
	int r;

	r = emu_command_copy_in_sized(&info, sizeof(info), c, err);
	if (r < 0)
		return r;
	if (info.index >= PCI_IRQS)
		return err_set(err, -EINVAL, "no interrupt %" PRIu32, info.index);
	info = (struct vfu_irq_info){ .argsz = sizeof(info), .index = info.index };
	if (info.index == VFIO_PCI_INTX_IRQ_INDEX) {
		info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
			     VFIO_IRQ_INFO_AUTOMASKED;
		info.count = 1;
	}
	emu_reply_add(reply, &info, sizeof(info));
	return 0;
}

/* Accepted: the device raises none. */
static int emu_command_answer_set_irqs(const struct emu_command *c, struct err *err)
{
	struct vfu_irq_set set;
	int r;

	r = emu_command_copy_in_sized(&set, sizeof(set), c, err);
	if (r < 0)
		return r;
	if (set.index >= PCI_IRQS)
		return err_set(err, -EINVAL, "no interrupt %" PRIu32, set.index);
	return 0;
}

static int emu_command_region_access(const struct emu_session *s, const struct emu_command *c,
				     struct vfu_region_access *a, struct err *err)
{
	uint64_t size;
	int r;

	r = emu_command_copy_in(a, sizeof(*a), c, err);
	if (r < 0)
		return r;
	size = a->region < PCI_REGIONS ? emu_command_region_size(a->region) : 0;
	if (!a->count || a->count > s->xfer_max || a->offset > size || a->count > size - a->offset)
		return err_set(err, -EINVAL,
			       "%" PRIu32 " bytes at 0x%" PRIx64 " of region %" PRIu32, a->count,
			       a->offset, a->region);
	return 0;
}

static int emu_command_answer_region_read(struct emu_device *d, const struct emu_session *s,
					  const struct emu_command *c, struct emu_reply *reply,
					  struct err *err)
{
	struct vfu_region_access a;
	int r;

	r = emu_command_region_access(s, c, &a, err);
	if (r < 0)
		return r;
	emu_reply_add(reply, &a, sizeof(a));
	if (a.region == VFIO_PCI_CONFIG_REGION_INDEX)
		memcpy(reply->payload + reply->len, d->pci + a.offset, a.count);
	else
		emu_regs_read(d, (size_t)a.offset, reply->payload + reply->len, a.count);
	reply->len += a.count;
	return 0;
}

static int emu_command_answer_region_write(struct emu_device *d, const struct emu_session *s,
					   const struct emu_command *c, struct emu_reply *reply,
					   struct err *err)
{
	const uint8_t *data = c->payload + sizeof(struct vfu_region_access);
	struct vfu_region_access a;
	int r;

	r = emu_command_region_access(s, c, &a, err);
	if (r < 0)
		return r;
	if (c->len - sizeof(a) != a.count)
		return err_set(err, -EINVAL, "%zu bytes to write, not %" PRIu32, c->len - sizeof(a),
			       a.count);
	if (a.region == VFIO_PCI_CONFIG_REGION_INDEX)
		emu_config_write(d, (size_t)a.offset, data, a.count);
	else
		emu_regs_write(d, (size_t)a.offset, data, a.count);
	emu_reply_add(reply, &a, sizeof(a));
	return 0;
}

static int emu_command_mig_data(const struct emu_device *d, const struct emu_session *s,
				const struct emu_command *c, struct vfu_mig_data *data,
				struct err *err)
{
	int r;

	r = emu_command_copy_in(data, sizeof(*data), c, err);
	if (r < 0)
		return r;
	if (data->size > s->xfer_max &&
	    !(data->size <= VFU_XFER_MAX &&
	      emu_deviates(&d->config->deviations, DEVIATE_TRANSFER_IGNORED)))
		return err_set(err, -EINVAL, "%" PRIu32 " bytes of data, more than %" PRIu32,
			       data->size, s->xfer_max);
	return 0;
}

static int emu_command_answer_data_read(struct emu_device *d, const struct emu_session *s,
					const struct emu_command *c, struct emu_reply *reply,
					struct err *err)
{
	struct vfu_mig_data data;
	int r;

	r = emu_command_mig_data(d, s, c, &data, err);
	if (r < 0)
		return r;
	r = emu_command_check_argsz(data.argsz, sizeof(data) + data.size, err);
	if (r < 0)
		return r;
	r = emu_device_read(d, reply->payload + sizeof(data), &data.size, &reply->delay_ns, err);
	if (r != EMU_DONE)
		return r;
	data.argsz = (uint32_t)sizeof(data) + data.size;
	reply->len = sizeof(data) + data.size;
	if (data.size && emu_deviates(&d->config->deviations, DEVIATE_SIZE_LIES))
		data.size++;
	memcpy(reply->payload, &data, sizeof(data));
	return 0;
}

static int emu_command_answer_data_write(struct emu_device *d, const struct emu_session *s,
					 const struct emu_command *c, struct emu_reply *reply,
					 struct err *err)
{
	struct vfu_mig_data data;
	int r;

	r = emu_command_mig_data(d, s, c, &data, err);
	if (r < 0)
		return r;
	if (c->len - sizeof(data) != data.size)
		return err_set(err, -EINVAL, "%zu bytes to write, not %" PRIu32,
			       c->len - sizeof(data), data.size);
	return emu_device_write(d, c->payload + sizeof(data), data.size, &reply->delay_ns, err);
}

/* What libvfio-user takes from a client while its device is stopped. */
static bool emu_command_allowed_while_stopped(uint16_t command)
{
	return command == VFU_REGION_READ || command == VFU_REGION_WRITE ||
	       command == VFU_FEATURE || command == VFU_MIG_DATA_READ;
}

static int emu_command_dispatch(struct emu_device *d, const struct emu_session *s,
				const struct emu_command *c, struct emu_reply *reply,
				struct err *err)
{
	switch (c->h.command) {
	case VFU_DMA_MAP:
		return emu_command_answer_dma_map(c, err);
	case VFU_DMA_UNMAP:
		return emu_command_answer_dma_unmap(c, reply, err);
	case VFU_GET_INFO:
		return emu_command_answer_info(c, reply, err);
	case VFU_GET_REGION_INFO:
		return emu_command_answer_region_info(c, reply, err);
	case VFU_GET_IRQ_INFO:
		return emu_command_answer_irq_info(c, reply, err);
	case VFU_SET_IRQS:
		return emu_command_answer_set_irqs(c, err);
	case VFU_REGION_READ:
		return emu_command_answer_region_read(d, s, c, reply, err);
	case VFU_REGION_WRITE:
		return emu_command_answer_region_write(d, s, c, reply, err);
	case VFU_RESET:
		return emu_device_reset(d, err);
	case VFU_FEATURE:
		return emu_feature(d, c, reply, err);
	case VFU_MIG_DATA_READ:
		return emu_command_answer_data_read(d, s, c, reply, err);
	case VFU_MIG_DATA_WRITE:
		return emu_command_answer_data_write(d, s, c, reply, err);
	default:
		if (emu_deviates(&d->config->deviations, DEVIATE_UNKNOWN_COMMAND))
			return 0;
		return err_set(err, -EINVAL, "command %u is not served", c->h.command);
	}
}

int emu_answer(struct emu_device *d, struct emu_session *s, const struct emu_command *c,
	       struct emu_reply *ret, struct err *err)
{
	int r;

	ret->len = 0;
	ret->code = 0;
	ret->delay_ns = 0;
	ret->close = false;
	if (c->h.command == VFU_VERSION)
		r = emu_command_answer_version(&d->config->deviations, s, c, ret, err);
	else if (!s->negotiated)
		return err_set(err, -EPROTO, "%s before a version was agreed on",
			       vfu_command_name(c->h.command));
	else if (d->config->strict && (d->state == MIG_STOP || d->state == MIG_STOP_COPY) &&
		 !emu_command_allowed_while_stopped(c->h.command))
		r = err_set(err, -EINVAL, "%s in %s", vfu_command_name(c->h.command),
			    fsm_name(d->state));
	else
		r = emu_command_dispatch(d, s, c, ret, err);
	if (r > 0)
		return r;
	if (r < 0) {
		ret->code = r;
		ret->len = 0;
	}
	return EMU_DONE;
}
