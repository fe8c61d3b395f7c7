/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGSIM_COMPAT_H
#define MIGSIM_COMPAT_H

/* The one place that knows of kernel versions: 6.12 to 7.2. */

#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vfio.h>

/* VFIO's core has the GET_REGION_INFO ioctl, and asks the driver only for the contents. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define MIGSIM_CORE_REGION_INFO
#else

#include <linux/slab.h>

static inline int migsim_put_caps(struct vfio_region_info *info, struct vfio_info_cap *caps,
				  void __user *to)
{
	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	if (info->argsz < sizeof(*info) + caps->size) {
		info->argsz = sizeof(*info) + caps->size;
		info->cap_offset = 0;
		return 0;
	}
	vfio_info_cap_shift(caps, sizeof(*info));
	info->cap_offset = sizeof(*info);
	return copy_to_user(to + sizeof(*info), caps->buf, caps->size) ? -EFAULT : 0;
}

static inline int migsim_get_region_info(struct vfio_device *vdev, void __user *arg,
					 int (*get)(struct vfio_device *vdev,
						    struct vfio_region_info *info,
						    struct vfio_info_cap *caps))
{
	unsigned long minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info = {};
	struct vfio_info_cap caps = {};
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	ret = get(vdev, &info, &caps);
	if (!ret && caps.size)
		ret = migsim_put_caps(&info, &caps, arg);
	kfree(caps.buf);
	if (ret)
		return ret;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

#endif

#ifdef VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2

#define migsim_precopy_v2(vdev)		((vdev)->precopy_info_v2)
#define MIGSIM_PRECOPY_REINIT		VFIO_PRECOPY_INFO_REINIT
#define migsim_check_precopy		vfio_check_precopy_ioctl

#else

#define migsim_precopy_v2(vdev)		false
#define MIGSIM_PRECOPY_REINIT		0

static inline int migsim_check_precopy(struct vfio_device *vdev, unsigned int cmd,
				       unsigned long arg, struct vfio_precopy_info *info)
{
	unsigned long minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(info, (void __user *)arg, minsz))
		return -EFAULT;
	return info->argsz < minsz ? -EINVAL : 0;
}

#endif

/* A namespace's name became a string. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define MIGSIM_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#else
#define MIGSIM_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#endif

#endif
