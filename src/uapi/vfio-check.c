// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * uapi/vfio.h against the system's linux/vfio.h, as far as that goes. Where a value is an
 * enumerator, a macro that came with the same kernel release tells whether it is there.
 */

#include <stddef.h>
#include <linux/vfio.h>

#include "uapi/vfio.h"

#define SAME(ours, theirs) _Static_assert((long long)(ours) == (long long)(theirs), #ours)
#define SAME_SIZE(ours, theirs) _Static_assert(sizeof(ours) == sizeof(theirs), #ours)
#define SAME_PLACE(ours, a, theirs, b) \
	_Static_assert(offsetof(ours, a) == offsetof(theirs, b), #ours " " #a)

SAME(UAPI_DEVICE_RESET, VFIO_DEVICE_RESET);
SAME(UAPI_DEVICE_FEATURE, VFIO_DEVICE_FEATURE);
SAME(UAPI_FEATURE_GET, VFIO_DEVICE_FEATURE_GET);
SAME(UAPI_FEATURE_SET, VFIO_DEVICE_FEATURE_SET);
SAME(UAPI_FEATURE_PROBE, VFIO_DEVICE_FEATURE_PROBE);
SAME(UAPI_FEATURE_HEADER, sizeof(struct vfio_device_feature));
SAME_PLACE(struct uapi_device_feature, migration_flags, struct vfio_device_feature, data);

#ifdef VFIO_DEVICE_FEATURE_MIGRATION /* 5.18 */
SAME(UAPI_FEATURE_MIGRATION, VFIO_DEVICE_FEATURE_MIGRATION);
SAME(UAPI_FEATURE_MIG_DEVICE_STATE, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE);
SAME(MIG_CAP_STOP_COPY, VFIO_MIGRATION_STOP_COPY);
SAME(MIG_CAP_P2P, VFIO_MIGRATION_P2P);
SAME(MIG_ERROR, VFIO_DEVICE_STATE_ERROR);
SAME(MIG_STOP, VFIO_DEVICE_STATE_STOP);
SAME(MIG_RUNNING, VFIO_DEVICE_STATE_RUNNING);
SAME(MIG_STOP_COPY, VFIO_DEVICE_STATE_STOP_COPY);
SAME(MIG_RESUMING, VFIO_DEVICE_STATE_RESUMING);
SAME(MIG_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING_P2P);
#endif

#ifdef VFIO_DEVICE_FEATURE_DMA_LOGGING_START /* 6.1 */
SAME(UAPI_FEATURE_DMA_LOGGING_START, VFIO_DEVICE_FEATURE_DMA_LOGGING_START);
SAME(UAPI_FEATURE_DMA_LOGGING_STOP, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP);
SAME(UAPI_FEATURE_DMA_LOGGING_REPORT, VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT);
SAME_SIZE(struct uapi_log_range, struct vfio_device_feature_dma_logging_range);
SAME_SIZE(struct uapi_log_control, struct vfio_device_feature_dma_logging_control);
SAME_PLACE(struct uapi_log_control, ranges, struct vfio_device_feature_dma_logging_control, ranges);
SAME_SIZE(struct uapi_log_report, struct vfio_device_feature_dma_logging_report);
SAME_PLACE(struct uapi_log_report, bitmap, struct vfio_device_feature_dma_logging_report, bitmap);
#endif

#ifdef VFIO_MIG_GET_PRECOPY_INFO /* 6.2 */
SAME(UAPI_MIG_GET_PRECOPY_INFO, VFIO_MIG_GET_PRECOPY_INFO);
SAME(MIG_CAP_PRE_COPY, VFIO_MIGRATION_PRE_COPY);
SAME(MIG_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY);
SAME(MIG_PRE_COPY_P2P, VFIO_DEVICE_STATE_PRE_COPY_P2P);
SAME_SIZE(struct uapi_precopy_info, struct vfio_precopy_info);
SAME_PLACE(struct uapi_precopy_info, dirty_bytes, struct vfio_precopy_info, dirty_bytes);
#endif

#ifdef VFIO_DEVICE_FEATURE_MIG_DATA_SIZE /* 6.2 */
SAME(UAPI_FEATURE_MIG_DATA_SIZE, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE);
#endif

#ifdef VFIO_DEVICE_BIND_IOMMUFD /* 6.6 */
SAME(UAPI_DEVICE_BIND_IOMMUFD, VFIO_DEVICE_BIND_IOMMUFD);
SAME_PLACE(struct uapi_bind_iommufd, out_devid, struct vfio_device_bind_iommufd, out_devid);
#endif

#ifdef VFIO_DEVICE_BIND_FLAG_TOKEN /* 6.18 */
SAME(UAPI_BIND_TOKEN, VFIO_DEVICE_BIND_FLAG_TOKEN);
SAME_SIZE(struct uapi_bind_iommufd, struct vfio_device_bind_iommufd);
#endif

#ifdef VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 /* 7.x */
SAME(UAPI_FEATURE_MIG_PRECOPY_INFO_V2, VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2);
SAME(UAPI_PRECOPY_INFO_REINIT, VFIO_PRECOPY_INFO_REINIT);
#endif

#ifdef VFIO_REGION_TYPE_MIGRATION_DEPRECATED /* 6.2 */
SAME(UAPI_REGION_TYPE_MIGRATION, VFIO_REGION_TYPE_MIGRATION_DEPRECATED);
SAME(UAPI_REGION_SUBTYPE_MIGRATION, VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED);
#endif
_Static_assert(sizeof(struct uapi_v1_registers) == 32, "as it was in linux/vfio.h");
