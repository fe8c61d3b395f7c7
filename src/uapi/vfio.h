/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * VFIO migration uAPI
 *
 * Values and layouts of linux/vfio.h under our own names, so that the tool builds against
 * headers older than the feature it drives: Debian 12's (6.1) know nothing of character
 * devices, PRE_COPY or MIG_DATA_SIZE. Enumerators cannot be tested with #ifdef and must not be
 * defined twice, hence names of our own; src/uapi/vfio-check.c compares them with the system's
 * wherever the system has them.
 */

#include <linux/types.h>
#include <sys/ioctl.h>

/* enum vfio_device_mig_state; "state" alone means one of these. */
enum mig_state {
	MIG_ERROR = 0,
	MIG_STOP = 1,
	MIG_RUNNING = 2,
	MIG_STOP_COPY = 3,
	MIG_RESUMING = 4,
	MIG_RUNNING_P2P = 5,
	MIG_PRE_COPY = 6,
	MIG_PRE_COPY_P2P = 7,
	MIG_NR_STATES,
};

/* VFIO_DEVICE_FEATURE_MIGRATION's flags */
enum mig_caps {
	MIG_CAP_STOP_COPY = 1 << 0,
	MIG_CAP_P2P = 1 << 1,
	MIG_CAP_PRE_COPY = 1 << 2,
};

enum uapi_feature {
	UAPI_FEATURE_MIGRATION = 1,
	UAPI_FEATURE_MIG_DEVICE_STATE = 2,
	UAPI_FEATURE_DMA_LOGGING_START = 6,
	UAPI_FEATURE_DMA_LOGGING_STOP = 7,
	UAPI_FEATURE_DMA_LOGGING_REPORT = 8,
	UAPI_FEATURE_MIG_DATA_SIZE = 9,
	UAPI_FEATURE_MIG_PRECOPY_INFO_V2 = 12, /* Linux 7.x */
};

#define UAPI_FEATURE_GET (1u << 16)
#define UAPI_FEATURE_SET (1u << 17)
#define UAPI_FEATURE_PROBE (1u << 18)

#define UAPI_DEVICE_RESET _IO(';', 111)
#define UAPI_DEVICE_FEATURE _IO(';', 117)
#define UAPI_DEVICE_BIND_IOMMUFD _IO(';', 118)
#define UAPI_MIG_GET_PRECOPY_INFO _IO(';', 121) /* on the data fd */

/* struct vfio_device_feature with room for the largest payload used here */
struct uapi_device_feature {
	__u32 argsz;
	__u32 flags;
	union {
		__u64 migration_flags;
		struct {
			__u32 state;
			__s32 data_fd;
		} mig;
		__u64 stop_copy_length;
	};
};

/* The data of the DMA_LOGGING features; ranges and bitmap are pointers. */
struct uapi_log_range {
	__u64 iova;
	__u64 length;
};

struct uapi_log_control {
	__u64 page_size; /* in and out */
	__u32 num_ranges;
	__u32 reserved;
	__u64 ranges;
};

struct uapi_log_report {
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 bitmap;
};

/* The header alone: for PROBE, and for features without data. */
#define UAPI_FEATURE_HEADER 8u

struct uapi_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
	__u64 token_uuid_ptr; /* Linux 6.18: 16 bytes, with UAPI_BIND_TOKEN */
};

#define UAPI_BIND_TOKEN (1u << 0)
/* Before tokens the structure ended here, and a larger argsz was accepted. */
#define UAPI_BIND_MINSZ 16u

struct uapi_precopy_info {
	__u32 argsz;
	__u32 flags;
	__u64 initial_bytes;
	__u64 dirty_bytes;
};

/* Output; means something only after SET of MIG_PRECOPY_INFO_V2: older drivers echo input. */
#define UAPI_PRECOPY_INFO_REINIT (1u << 0)

/*
 * The older protocol, v1: a region that begins with registers. Its structure left linux/vfio.h with
 * Linux 5.18; out-of-tree drivers and older SPDK targets still have it.
 */

#define UAPI_REGION_TYPE_MIGRATION 3u
#define UAPI_REGION_SUBTYPE_MIGRATION 1u

enum uapi_v1_bits {
	UAPI_V1_RUNNING = 1 << 0,
	UAPI_V1_SAVING = 1 << 1,
	UAPI_V1_RESUMING = 1 << 2,
	UAPI_V1_MASK = 7, /* other bits are to be written back as they were read */
};

/* struct vfio_device_migration_info: places in the region */
struct uapi_v1_registers {
	__u32 device_state;
	__u32 reserved;
	__u64 pending_bytes;
	__u64 data_offset;
	__u64 data_size;
};
