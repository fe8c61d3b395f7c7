/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vfio-user messages
 *
 * Numbers and layouts of the protocol, and the checks that every message passes before a byte of
 * it is believed. Both sides use them: client and emulated device. Pure: no socket, no clock.
 *
 * A message is a header of 16 bytes and a payload. All numbers are in the host's byte order: the
 * two ends of a UNIX socket share it. Payload structs are copied in and out, never cast to.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define VFU_HEADER_SIZE 16u

/* What one message may transfer: the protocol's default, and never more here. */
#define VFU_XFER_MAX (1u << 20)
/* Room for the struct in front of the data, and for what has no data: JSON, DMA ranges. */
#define VFU_SLACK 8192u
#define VFU_PAYLOAD_MAX (VFU_XFER_MAX + VFU_SLACK)
#define VFU_MESSAGE_MAX (VFU_HEADER_SIZE + VFU_PAYLOAD_MAX)

#define VFU_ERRNO_MAX 4095

enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_GET_INFO = 4,
	VFU_GET_REGION_INFO = 5,
	VFU_GET_REGION_IO_FDS = 6,
	VFU_GET_IRQ_INFO = 7,
	VFU_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DMA_READ = 11, /* server to client, as the next */
	VFU_DMA_WRITE = 12,
	VFU_RESET = 13,
	VFU_REGION_WRITE_MULTI = 15,
	VFU_FEATURE = 16,
	VFU_MIG_DATA_READ = 17,
	VFU_MIG_DATA_WRITE = 18,
};

/* vfu_header.flags */
#define VFU_TYPE_MASK 0xfu
#define VFU_TYPE_COMMAND 0u
#define VFU_TYPE_REPLY 1u
#define VFU_NO_REPLY (1u << 4)
#define VFU_ERROR (1u << 5)

/**
 * struct vfu_header - in front of every message, on the wire as it is here
 * @id: the sender's; a reply has its command's
 * @size: of the whole message, header included
 * @error: errno of a reply with VFU_ERROR; may be 0 even then
 */
struct vfu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};
_Static_assert(sizeof(struct vfu_header) == VFU_HEADER_SIZE, "on the wire");

/*
 * Payloads
 */

struct vfu_version_head { /* then JSON and a NUL, or nothing */
	uint16_t major, minor;
};
_Static_assert(sizeof(struct vfu_version_head) == 4, "on the wire");

struct vfu_dma_map {
	uint32_t argsz, flags;
	uint64_t offset, address, size;
};
_Static_assert(sizeof(struct vfu_dma_map) == 32, "on the wire");

struct vfu_dma_unmap {
	uint32_t argsz, flags;
	uint64_t address, size;
};
_Static_assert(sizeof(struct vfu_dma_unmap) == 24, "on the wire");

struct vfu_device_info {
	uint32_t argsz, flags, n_regions, n_irqs;
};
_Static_assert(sizeof(struct vfu_device_info) == 16, "on the wire");

struct vfu_region_info {
	uint32_t argsz, flags, index, cap_offset;
	uint64_t size, offset;
};
_Static_assert(sizeof(struct vfu_region_info) == 32, "on the wire");

struct vfu_irq_info {
	uint32_t argsz, flags, index, count;
};
_Static_assert(sizeof(struct vfu_irq_info) == 16, "on the wire");

struct vfu_irq_set { /* then booleans, or nothing */
	uint32_t argsz, flags, index, start, count;
};
_Static_assert(sizeof(struct vfu_irq_set) == 20, "on the wire");

struct vfu_region_access { /* then data, in READ's reply and WRITE's command */
	uint64_t offset;
	uint32_t region, count;
};
_Static_assert(sizeof(struct vfu_region_access) == 16, "on the wire");

/* @flags: index and UAPI_FEATURE_GET, _SET, _PROBE, as the kernel's struct vfio_device_feature */
struct vfu_feature {
	uint32_t argsz, flags;
};
_Static_assert(sizeof(struct vfu_feature) == 8, "on the wire");

#define VFU_FEATURE_INDEX_MASK 0xffffu

struct vfu_migration { /* UAPI_FEATURE_MIGRATION */
	uint64_t flags;
};
_Static_assert(sizeof(struct vfu_migration) == 8, "on the wire");

struct vfu_mig_state { /* UAPI_FEATURE_MIG_DEVICE_STATE; @data_fd is unused: send -1 */
	uint32_t state;
	int32_t data_fd;
};
_Static_assert(sizeof(struct vfu_mig_state) == 8, "on the wire");

/* @size: of READ, wanted or given; of WRITE, that follow. A reply to READ may be padded. */
struct vfu_mig_data {
	uint32_t argsz, size;
};
_Static_assert(sizeof(struct vfu_mig_data) == 8, "on the wire");

struct vfu_log_start { /* UAPI_FEATURE_DMA_LOGGING_START; then the ranges */
	uint64_t page_size;
	uint32_t n_ranges, reserved;
};
_Static_assert(sizeof(struct vfu_log_start) == 16, "on the wire");

struct vfu_log_range {
	uint64_t iova, length;
};
_Static_assert(sizeof(struct vfu_log_range) == 16, "on the wire");

struct vfu_log_report { /* UAPI_FEATURE_DMA_LOGGING_REPORT; the reply adds a bitmap of u64 */
	uint64_t iova, length, page_size;
};
_Static_assert(sizeof(struct vfu_log_report) == 24, "on the wire");

/*
 * Headers
 */

void vfu_header_encode(const struct vfu_header *h, uint8_t wire[VFU_HEADER_SIZE]);

/**
 * vfu_header_decode() - believe a header, or not
 *
 * After it @ret->size is VFU_HEADER_SIZE to VFU_MESSAGE_MAX, the type is one of the two, and no
 * flag is set that means nothing here.
 *
 * Return: 0, or -EPROTO.
 */
_must_check_ int vfu_header_decode(const uint8_t wire[VFU_HEADER_SIZE], struct vfu_header *ret,
				   struct err *err);

/** vfu_payload_size() - bytes that follow a header that was decoded. */
static inline size_t vfu_payload_size(const struct vfu_header *h)
{
	return h->size - VFU_HEADER_SIZE;
}

static inline bool vfu_is_reply(const struct vfu_header *h)
{
	return (h->flags & VFU_TYPE_MASK) == VFU_TYPE_REPLY;
}

/** vfu_command_header() - of a command; vfu_send() fills in the size. */
struct vfu_header vfu_command_header(uint16_t id, enum vfu_command command);

/** vfu_reply_header() - of the reply to @h. @code: 0, or the negative errno to answer with */
struct vfu_header vfu_reply_header(const struct vfu_header *h, int code);

/**
 * vfu_reply_code() - what a reply says
 *
 * Return: 0, or a negative errno: -EIO for an error without a number, or with one that is none.
 */
int vfu_reply_code(const struct vfu_header *h);

/* What a PROBE of a feature comes to. */
enum vfu_answer {
	VFU_YES,
	VFU_NO, /* the server does not know it */
	VFU_FAILED, /* the question failed: vfu_reply_code() */
};

/**
 * vfu_probe_answer() - what the reply to a PROBE of a feature says
 *
 * Servers without a feature, or without any, refuse it by various errnos, or by none at all.
 */
enum vfu_answer vfu_probe_answer(const struct vfu_header *h);

/** vfu_command_name() - "MIG_DATA_READ"; "unknown" for others; never NULL. */
const char *vfu_command_name(unsigned int command);

/*
 * Payloads, with bounds
 */

/**
 * vfu_copy_in() - the fixed part of a payload
 * @to: filled with the first @size of the @len bytes at @payload
 *
 * Return: 0, or -EPROTO when there are fewer.
 */
_must_check_ int vfu_copy_in(void *to, size_t size, const void *payload, size_t len,
			     struct err *err);

/**
 * vfu_mig_data_check() - whether data follows as a struct vfu_mig_data promises
 * @d: a reply to READ, or a WRITE
 * @len: size of the payload that @d begins
 * @max: what was asked for, or agreed on
 *
 * Return: 0, or -EPROTO.
 */
_must_check_ int vfu_mig_data_check(const struct vfu_mig_data *d, size_t len, uint32_t max,
				    struct err *err);

/**
 * vfu_region_check() - whether a reply fits the access that was asked for
 * @asked: as it was sent
 * @a: the fixed part of the reply
 * @len: size of the payload that @a begins
 * @data: a READ, so that data must follow
 *
 * Return: 0, or -EPROTO. Fewer bytes than were asked for are no reply to be believed.
 */
_must_check_ int vfu_region_check(const struct vfu_region_access *asked,
				  const struct vfu_region_access *a, size_t len, bool data,
				  struct err *err);

/**
 * vfu_feature_data() - the data of a feature that was asked for
 * @flags: as they were sent
 * @to: filled with exactly @size bytes
 *
 * Return: 0, or -EPROTO for another feature's reply, or one that is too short.
 */
_must_check_ int vfu_feature_data(const void *payload, size_t len, uint32_t flags, void *to,
				  size_t size, struct err *err);
