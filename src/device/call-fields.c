// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/vfio.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "device/call-fields.h"
#include "fsm/fsm.h"
#include "uapi/vfio.h"

/**
 * struct call_fields_member - a member of a structure
 * @at, @size: where it stands; 2, 4 or 8 bytes
 * @state: an enum mig_state
 * @asked, @answered: it means something in the question, in the answer
 */
struct call_fields_member {
	const char *name;
	unsigned short at;
	unsigned char size;
	enum trace_how how;
	bool state, asked, answered;
};

#define MEMBERS_MAX 7

/* clang-format off */
#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)NULL)->member)
#define IN(name, type, member, how) { name, AT(type, member), how, false, true, false }
#define OUT(name, type, member, how) { name, AT(type, member), how, false, false, true }
#define STATE(type, member) { "state", AT(type, member), TRACE_WORD, true, true, true }
/* clang-format on */

static const struct call_fields_request_row {
	unsigned long request;
	const char *name;
	struct call_fields_member members[MEMBERS_MAX];
} call_fields_requests[] = {
	/* clang-format off */
	{ VFIO_GET_API_VERSION, "VFIO_GET_API_VERSION", { { 0 } } },
	{ VFIO_CHECK_EXTENSION, "VFIO_CHECK_EXTENSION", { { 0 } } },
	{ VFIO_SET_IOMMU, "VFIO_SET_IOMMU", { { 0 } } },
	{ VFIO_GROUP_GET_STATUS, "VFIO_GROUP_GET_STATUS", {
		OUT("flags", vfio_group_status, flags, TRACE_HEX) } },
	{ VFIO_GROUP_SET_CONTAINER, "VFIO_GROUP_SET_CONTAINER", {
		{ "container", 0, sizeof(int), TRACE_SIGNED, false, true, false } } },
	{ VFIO_GROUP_GET_DEVICE_FD, "VFIO_GROUP_GET_DEVICE_FD", { { 0 } } },
	{ VFIO_DEVICE_GET_INFO, "VFIO_DEVICE_GET_INFO", {
		IN("argsz", vfio_device_info, argsz, TRACE_NUMBER),
		OUT("flags", vfio_device_info, flags, TRACE_HEX),
		OUT("num_regions", vfio_device_info, num_regions, TRACE_NUMBER),
		OUT("num_irqs", vfio_device_info, num_irqs, TRACE_NUMBER) } },
	{ VFIO_DEVICE_GET_REGION_INFO, "VFIO_DEVICE_GET_REGION_INFO", {
		IN("argsz", vfio_region_info, argsz, TRACE_NUMBER),
		IN("index", vfio_region_info, index, TRACE_NUMBER),
		OUT("argsz", vfio_region_info, argsz, TRACE_NUMBER),
		OUT("flags", vfio_region_info, flags, TRACE_HEX),
		OUT("size", vfio_region_info, size, TRACE_NUMBER),
		OUT("offset", vfio_region_info, offset, TRACE_HEX) } },
	{ VFIO_DEVICE_GET_IRQ_INFO, "VFIO_DEVICE_GET_IRQ_INFO", {
		IN("index", vfio_irq_info, index, TRACE_NUMBER),
		OUT("flags", vfio_irq_info, flags, TRACE_HEX),
		OUT("count", vfio_irq_info, count, TRACE_NUMBER) } },
	{ VFIO_DEVICE_SET_IRQS, "VFIO_DEVICE_SET_IRQS", {
		IN("argsz", vfio_irq_set, argsz, TRACE_NUMBER),
		IN("flags", vfio_irq_set, flags, TRACE_HEX),
		IN("index", vfio_irq_set, index, TRACE_NUMBER),
		IN("start", vfio_irq_set, start, TRACE_NUMBER),
		IN("count", vfio_irq_set, count, TRACE_NUMBER) } },
	{ UAPI_DEVICE_RESET, "VFIO_DEVICE_RESET", { { 0 } } },
	{ UAPI_DEVICE_FEATURE, "VFIO_DEVICE_FEATURE", {
		IN("argsz", uapi_device_feature, argsz, TRACE_NUMBER) } },
	{ UAPI_DEVICE_BIND_IOMMUFD, "VFIO_DEVICE_BIND_IOMMUFD", {
		IN("argsz", uapi_bind_iommufd, argsz, TRACE_NUMBER),
		IN("flags", uapi_bind_iommufd, flags, TRACE_HEX),
		IN("iommufd", uapi_bind_iommufd, iommufd, TRACE_SIGNED),
		OUT("out_devid", uapi_bind_iommufd, out_devid, TRACE_NUMBER) } },
	{ UAPI_MIG_GET_PRECOPY_INFO, "VFIO_MIG_GET_PRECOPY_INFO", {
		IN("argsz", uapi_precopy_info, argsz, TRACE_NUMBER),
		OUT("flags", uapi_precopy_info, flags, TRACE_HEX),
		OUT("initial_bytes", uapi_precopy_info, initial_bytes, TRACE_NUMBER),
		OUT("dirty_bytes", uapi_precopy_info, dirty_bytes, TRACE_NUMBER) } },
	/* clang-format on */
};

/* The data of a feature. Kernel and vfio-user have the same in these places. */
static const struct call_fields_feature_row {
	unsigned int feature;
	const char *name;
	struct call_fields_member members[MEMBERS_MAX];
} call_fields_features[] = {
	/* clang-format off */
	{ UAPI_FEATURE_MIGRATION, "MIGRATION", {
		OUT("flags", vfu_migration, flags, TRACE_HEX) } },
	{ UAPI_FEATURE_MIG_DEVICE_STATE, "MIG_DEVICE_STATE", {
		STATE(vfu_mig_state, state),
		OUT("data_fd", vfu_mig_state, data_fd, TRACE_SIGNED) } },
	{ 3, "LOW_POWER_ENTRY", { { 0 } } },
	{ 4, "LOW_POWER_ENTRY_WITH_WAKEUP", { { 0 } } },
	{ 5, "LOW_POWER_EXIT", { { 0 } } },
	{ UAPI_FEATURE_DMA_LOGGING_START, "DMA_LOGGING_START", {
		IN("page_size", vfu_log_start, page_size, TRACE_NUMBER),
		IN("num_ranges", vfu_log_start, n_ranges, TRACE_NUMBER) } },
	{ UAPI_FEATURE_DMA_LOGGING_STOP, "DMA_LOGGING_STOP", { { 0 } } },
	{ UAPI_FEATURE_DMA_LOGGING_REPORT, "DMA_LOGGING_REPORT", {
		IN("iova", vfu_log_report, iova, TRACE_HEX),
		IN("length", vfu_log_report, length, TRACE_NUMBER),
		IN("page_size", vfu_log_report, page_size, TRACE_NUMBER) } },
	{ UAPI_FEATURE_MIG_DATA_SIZE, "MIG_DATA_SIZE", {
		{ "stop_copy_length", 0, 8, TRACE_NUMBER, false, false, true } } },
	{ UAPI_FEATURE_MIG_PRECOPY_INFO_V2, "MIG_PRECOPY_INFO_V2", { { 0 } } },
	/* clang-format on */
};

static const struct call_fields_message_row {
	enum vfu_command command;
	struct call_fields_member members[MEMBERS_MAX];
} call_fields_messages[] = {
	/* clang-format off */
	{ VFU_VERSION, {
		{ "major", 0, 2, TRACE_NUMBER, false, true, true },
		{ "minor", 2, 2, TRACE_NUMBER, false, true, true } } },
	{ VFU_DMA_MAP, {
		IN("address", vfu_dma_map, address, TRACE_HEX),
		IN("size", vfu_dma_map, size, TRACE_NUMBER) } },
	{ VFU_DMA_UNMAP, {
		IN("address", vfu_dma_unmap, address, TRACE_HEX),
		IN("size", vfu_dma_unmap, size, TRACE_NUMBER) } },
	{ VFU_GET_INFO, {
		OUT("flags", vfu_device_info, flags, TRACE_HEX),
		OUT("num_regions", vfu_device_info, n_regions, TRACE_NUMBER),
		OUT("num_irqs", vfu_device_info, n_irqs, TRACE_NUMBER) } },
	{ VFU_GET_REGION_INFO, {
		IN("index", vfu_region_info, index, TRACE_NUMBER),
		OUT("flags", vfu_region_info, flags, TRACE_HEX),
		OUT("size", vfu_region_info, size, TRACE_NUMBER),
		OUT("offset", vfu_region_info, offset, TRACE_HEX) } },
	{ VFU_GET_IRQ_INFO, {
		IN("index", vfu_irq_info, index, TRACE_NUMBER),
		OUT("flags", vfu_irq_info, flags, TRACE_HEX),
		OUT("count", vfu_irq_info, count, TRACE_NUMBER) } },
	{ VFU_REGION_READ, {
		IN("region", vfu_region_access, region, TRACE_NUMBER),
		IN("offset", vfu_region_access, offset, TRACE_HEX),
		IN("count", vfu_region_access, count, TRACE_NUMBER),
		OUT("count", vfu_region_access, count, TRACE_NUMBER) } },
	{ VFU_REGION_WRITE, {
		IN("region", vfu_region_access, region, TRACE_NUMBER),
		IN("offset", vfu_region_access, offset, TRACE_HEX),
		IN("count", vfu_region_access, count, TRACE_NUMBER),
		OUT("count", vfu_region_access, count, TRACE_NUMBER) } },
	{ VFU_MIG_DATA_READ, {
		{ "bytes", AT(vfu_mig_data, size), TRACE_NUMBER, false, true, true } } },
	{ VFU_MIG_DATA_WRITE, {
		IN("bytes", vfu_mig_data, size, TRACE_NUMBER) } },
	/* clang-format on */
};

static uint64_t call_fields_number(const uint8_t *at, unsigned int size, enum trace_how how)
{
	uint64_t n8;
	uint32_t n4;
	uint16_t n2;

	switch (size) {
	case sizeof(n8):
		memcpy(&n8, at, sizeof(n8));
		return n8;
	case sizeof(n4):
		memcpy(&n4, at, sizeof(n4));
		return how == TRACE_SIGNED ? (uint64_t)(int32_t)n4 : n4;
	default:
		memcpy(&n2, at, sizeof(n2));
		return n2;
	}
}

/* A state that is none is shown as the number that it is. */
static void call_fields_state(struct trace_field *f)
{
	if (f->n < MIG_NR_STATES)
		f->word = fsm_name((enum mig_state)f->n);
	else
		f->how = TRACE_NUMBER;
}

static void call_fields_members(struct trace_record *r, const struct call_fields_member *m,
				const void *data, size_t len, enum call_fields_when when)
{
	for (size_t i = 0; i < MEMBERS_MAX && m[i].name; i++) {
		struct trace_field f = {
			.name = m[i].name,
			.how = m[i].how,
			.out = when == CALL_ANSWERED,
		};

		if (!(f.out ? m[i].answered : m[i].asked) || (size_t)m[i].at + m[i].size > len)
			continue;
		f.n = call_fields_number((const uint8_t *)data + m[i].at, m[i].size, m[i].how);
		if (m[i].state)
			call_fields_state(&f);
		trace_add(r, &f);
	}
}

/*
 * Features
 */

static const struct call_fields_feature_row *call_fields_feature_row(unsigned int feature)
{
	for (size_t i = 0; i < ARRAY_SIZE(call_fields_features); i++)
		if (call_fields_features[i].feature == feature)
			return &call_fields_features[i];
	return NULL;
}

static const char *call_fields_feature_op(uint32_t flags)
{
	if (flags & UAPI_FEATURE_PROBE)
		return "PROBE";
	if ((flags & UAPI_FEATURE_GET) && (flags & UAPI_FEATURE_SET))
		return "GET|SET";
	return flags & UAPI_FEATURE_GET ? "GET" : flags & UAPI_FEATURE_SET ? "SET" : "none";
}

/* Data comes with the question of SET and REPORT, and with the answer of GET. */
static void call_fields_feature(struct trace_record *r, uint32_t flags, const void *data,
				size_t len, enum call_fields_when when)
{
	unsigned int feature = flags & VFU_FEATURE_INDEX_MASK;
	const struct call_fields_feature_row *row = call_fields_feature_row(feature);
	bool get = flags & UAPI_FEATURE_GET;
	struct trace_field op = {
		.name = "op",
		.how = TRACE_WORD,
		.word = call_fields_feature_op(flags),
	};
	struct trace_field name = {
		.name = "feature",
		.how = row ? TRACE_WORD : TRACE_NUMBER,
		.n = feature,
		.word = row ? row->name : NULL,
	};

	if (when == CALL_ASKED) {
		trace_add(r, &op);
		trace_add(r, &name);
	}
	if (!row || (flags & UAPI_FEATURE_PROBE))
		return;
	if (when == CALL_ASKED && get && feature != UAPI_FEATURE_DMA_LOGGING_REPORT)
		return;
	/* The state that was set is no answer; the descriptor that came with it is one. */
	if (when == CALL_ANSWERED && !get && feature == UAPI_FEATURE_MIG_DEVICE_STATE)
		call_fields_members(r, row->members + 1, data, len, when);
	else
		call_fields_members(r, row->members, data, len, when);
}

/*
 * ioctls
 */

static const struct call_fields_request_row *call_fields_request_row(unsigned long request)
{
	for (size_t i = 0; i < ARRAY_SIZE(call_fields_requests); i++)
		if (call_fields_requests[i].request == request)
			return &call_fields_requests[i];
	return NULL;
}

const char *call_fields_name(unsigned long request)
{
	const struct call_fields_request_row *row = call_fields_request_row(request);

	return row ? row->name : NULL;
}

/* Of a size that the members of its row do not pass. */
#define STRUCT_MAX 64u

void call_fields_request(struct trace_record *r, unsigned long request, const void *arg,
			 enum call_fields_when when)
{
	const struct call_fields_request_row *row = call_fields_request_row(request);
	struct trace_field number = {
		.name = "value",
		.n = (uintptr_t)arg,
	};
	uint32_t head[2];

	if (!row)
		return;
	if (request == VFIO_CHECK_EXTENSION || request == VFIO_SET_IOMMU) {
		if (when == CALL_ASKED)
			trace_add(r, &number);
		return;
	}
	if (row->members[0].name)
		call_fields_members(r, row->members, arg, STRUCT_MAX, when);
	if (request != UAPI_DEVICE_FEATURE)
		return;
	memcpy(head, arg, sizeof(head)); /* argsz, flags */
	if (head[0] >= sizeof(head))
		call_fields_feature(r, head[1], (const uint8_t *)arg + sizeof(head),
				    head[0] - sizeof(head), when);
}

/*
 * Messages
 */

static void call_fields_feature_message(struct trace_record *r, const void *payload, size_t len,
					enum call_fields_when when)
{
	struct vfu_feature head;

	if (len < sizeof(head))
		return;
	memcpy(&head, payload, sizeof(head));
	call_fields_feature(r, head.flags, (const uint8_t *)payload + sizeof(head),
			    len - sizeof(head), when);
}

void call_fields_message(struct trace_record *r, const struct vfu_header *h, const void *payload,
			 size_t len, enum call_fields_when when)
{
	if (h->command == VFU_FEATURE) {
		call_fields_feature_message(r, payload, len, when);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(call_fields_messages); i++)
		if (call_fields_messages[i].command == h->command)
			call_fields_members(r, call_fields_messages[i].members, payload, len, when);
}
