// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "vfu/message.h"

static const char *const command_names[] = {
	[VFU_VERSION] = "VERSION",
	[VFU_DMA_MAP] = "DMA_MAP",
	[VFU_DMA_UNMAP] = "DMA_UNMAP",
	[VFU_GET_INFO] = "DEVICE_GET_INFO",
	[VFU_GET_REGION_INFO] = "DEVICE_GET_REGION_INFO",
	[VFU_GET_REGION_IO_FDS] = "DEVICE_GET_REGION_IO_FDS",
	[VFU_GET_IRQ_INFO] = "DEVICE_GET_IRQ_INFO",
	[VFU_SET_IRQS] = "DEVICE_SET_IRQS",
	[VFU_REGION_READ] = "REGION_READ",
	[VFU_REGION_WRITE] = "REGION_WRITE",
	[VFU_DMA_READ] = "DMA_READ",
	[VFU_DMA_WRITE] = "DMA_WRITE",
	[VFU_RESET] = "DEVICE_RESET",
	[VFU_REGION_WRITE_MULTI] = "REGION_WRITE_MULTI",
	[VFU_FEATURE] = "DEVICE_FEATURE",
	[VFU_MIG_DATA_READ] = "MIG_DATA_READ",
	[VFU_MIG_DATA_WRITE] = "MIG_DATA_WRITE",
};

const char *vfu_command_name(unsigned int command)
{
	if (command >= ARRAY_SIZE(command_names) || !command_names[command])
		return "unknown";
	return command_names[command];
}

void vfu_header_encode(const struct vfu_header *h, uint8_t wire[VFU_HEADER_SIZE])
{
	memcpy(wire, h, VFU_HEADER_SIZE);
}

int vfu_header_decode(const uint8_t wire[VFU_HEADER_SIZE], struct vfu_header *ret, struct err *err)
{
	struct vfu_header h;
	uint32_t type;

	memcpy(&h, wire, sizeof(h));
	type = h.flags & VFU_TYPE_MASK;
	if (type != VFU_TYPE_COMMAND && type != VFU_TYPE_REPLY)
		return err_set(err, -EPROTO, "a message of type %" PRIu32, type);
	if (h.size < VFU_HEADER_SIZE || h.size > VFU_MESSAGE_MAX)
		return err_set(err, -EPROTO, "a message of %" PRIu32 " bytes, not %u to %u", h.size,
			       VFU_HEADER_SIZE, VFU_MESSAGE_MAX);
	if (type == VFU_TYPE_COMMAND && (h.flags & VFU_ERROR))
		return err_set(err, -EPROTO, "a command with the flag of a failed reply");
	h.flags &= VFU_TYPE_MASK | VFU_NO_REPLY | VFU_ERROR;
	*ret = h;
	return 0;
}

struct vfu_header vfu_command_header(uint16_t id, enum vfu_command command)
{
	return (struct vfu_header){
		.id = id,
		.command = (uint16_t)command,
		.size = VFU_HEADER_SIZE,
		.flags = VFU_TYPE_COMMAND,
	};
}

struct vfu_header vfu_reply_header(const struct vfu_header *h, int code)
{
	return (struct vfu_header){
		.id = h->id,
		.command = h->command,
		.size = VFU_HEADER_SIZE,
		.flags = VFU_TYPE_REPLY | (code < 0 ? VFU_ERROR : 0u),
		.error = code < 0 ? (uint32_t)-code : 0u,
	};
}

int vfu_reply_code(const struct vfu_header *h)
{
	if (!(h->flags & VFU_ERROR))
		return 0;
	return h->error && h->error <= VFU_ERRNO_MAX ? -(int)h->error : -EIO;
}

enum vfu_answer vfu_probe_answer(const struct vfu_header *h)
{
	if (!(h->flags & VFU_ERROR))
		return VFU_YES;
	switch (h->error) {
	case 0: /* rust-vmm: an error without a number */
	case ENOSYS:
	case EINVAL: /* libvfio-user */
	case ENOTTY: /* the kernel */
	case EOPNOTSUPP:
		return VFU_NO;
	default:
		return VFU_FAILED;
	}
}

int vfu_copy_in(void *to, size_t size, const void *payload, size_t len, struct err *err)
{
	if (len < size)
		return err_set(err, -EPROTO, "%zu bytes of payload, not %zu", len, size);
	memcpy(to, payload, size);
	return 0;
}

int vfu_mig_data_check(const struct vfu_mig_data *d, size_t len, uint32_t max, struct err *err)
{
	if (d->size > max)
		return err_set(err, -EPROTO, "%" PRIu32 " bytes of data, more than %" PRIu32,
			       d->size, max);
	if (len < sizeof(*d) || d->size > len - sizeof(*d))
		return err_set(err, -EPROTO, "%" PRIu32 " bytes of data in a payload of %zu",
			       d->size, len);
	return 0;
}

int vfu_region_check(const struct vfu_region_access *asked, const struct vfu_region_access *a,
		     size_t len, bool data, struct err *err)
{
	if (a->region != asked->region || a->offset != asked->offset)
		return err_set(err, -EPROTO,
			       "region %" PRIu32 " at %" PRIu64 ", not %" PRIu32 " at %" PRIu64,
			       a->region, a->offset, asked->region, asked->offset);
	if (a->count != asked->count)
		return err_set(err, -EPROTO,
			       "%" PRIu32 " bytes of region %" PRIu32 ", not %" PRIu32, a->count,
			       a->region, asked->count);
	if (len < sizeof(*a) || (data && a->count > len - sizeof(*a)))
		return err_set(err, -EPROTO,
			       "%" PRIu32 " bytes of region %" PRIu32 " in a payload of %zu",
			       a->count, a->region, len);
	return 0;
}

int vfu_feature_data(const void *payload, size_t len, uint32_t flags, void *to, size_t size,
		     struct err *err)
{
	struct vfu_feature f;
	int r;

	r = vfu_copy_in(&f, sizeof(f), payload, len, err);
	if (r < 0)
		return r;
	if ((f.flags & VFU_FEATURE_INDEX_MASK) != (flags & VFU_FEATURE_INDEX_MASK))
		return err_set(err, -EPROTO, "feature %u, not %u", f.flags & VFU_FEATURE_INDEX_MASK,
			       flags & VFU_FEATURE_INDEX_MASK);
	return vfu_copy_in(to, size, (const uint8_t *)payload + sizeof(f), len - sizeof(f), err);
}
