// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: the module, its mdev types, opening and closing, and the way of VFIO's calls.
 */

#include <linux/device.h>
#include <linux/device/class.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "migsim.h"

static struct mdev_type type_v2 = {
	.sysfs_name = "v2",
	.pretty_name = "a device that migrates by the v2 protocol",
};

static struct mdev_type type_v1 = {
	.sysfs_name = "v1",
	.pretty_name = "a device that migrates by the v1 region",
};

static struct mdev_type *types[] = { &type_v2, &type_v1 };

/* --- what the rest asks for -------------------------------------------------------------- */

void migsim_set(struct migsim *m, enum vfio_device_mig_state state)
{
	m->mig_state = state;
	migsim_count(m);
}

void migsim_error(struct migsim *m)
{
	migsim_set(m, VFIO_DEVICE_STATE_ERROR);
	migsim_v2_end(m, false);
}

static void make_blank(struct migsim *m)
{
	m->running_since = 0;
	m->state = (struct migsim_state) { .size = m->habits.size };
	m->dirtied = 0;
	migsim_set(m, VFIO_DEVICE_STATE_RUNNING);
}

void migsim_reset(struct migsim *m)
{
	enum vfio_device_mig_state was = m->mig_state;

	migsim_v2_end(m, true);
	if (m->v1 && m->opened)
		migsim_v1_reset(m);
	migsim_log_end(m);
	migsim_irqs_off(m);
	migsim_pci_init(m);
	make_blank(m);
	if (migsim_deviates(m, MIGSIM_DEVIATE_RESET_STAYS))
		migsim_set(m, was);
	if (m->killed && migsim_deviates(m, MIGSIM_DEVIATE_LENGTH_KILLS))
		migsim_error(m);
}

/* VFIO's core warns about a driver that is in a state which its flags do not allow. */
static bool state_allowed(struct migsim *m)
{
	switch (m->mig_state) {
	case VFIO_DEVICE_STATE_RUNNING_P2P:
		return m->habits.caps & VFIO_MIGRATION_P2P;
	case VFIO_DEVICE_STATE_PRE_COPY:
		return m->habits.caps & VFIO_MIGRATION_PRE_COPY;
	case VFIO_DEVICE_STATE_PRE_COPY_P2P:
		return m->habits.caps & VFIO_MIGRATION_P2P &&
		       m->habits.caps & VFIO_MIGRATION_PRE_COPY;
	default:
		return true;
	}
}

/* All that these devices hold are contents and counter. */
size_t migsim_registers_save(struct migsim *m, u8 *buf)
{
	return 0;
}

void migsim_registers_load(struct migsim *m, const u8 *buf)
{
}

const bool migsim_made_up = true;

void migsim_shape(struct migsim *m)
{
	m->vdev.migration_flags = m->v1 ? 0 : m->habits.caps;
	m->vdev.log_ops = m->habits.dma_logging && !m->v1 ? &migsim_log_ops : NULL;
	if (!m->v1 && !state_allowed(m))
		migsim_set(m, VFIO_DEVICE_STATE_RUNNING);
	migsim_pci_identify(m);
}

/* --- life -------------------------------------------------------------------------------- */

static int init(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);

	strscpy(m->name, dev_name(vdev->dev), sizeof(m->name));
	m->v1 = to_mdev_device(vdev->dev)->type == &type_v1;
	migsim_lock_init(m);
	INIT_LIST_HEAD(&m->faults);
	init_waitqueue_head(&m->released);
	init_waitqueue_head(&m->readable);
	m->profile = "none";
	m->habits = *migsim_profile(m->profile);
	if (!m->v1)
		vdev->mig_ops = &migsim_mig_ops;
	migsim_lock(m);
	make_blank(m);
	migsim_pci_init(m);
	migsim_shape(m);
	migsim_unlock(m);
	return 0;
}

static void release(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);

	migsim_fault_clear(m);
	mutex_destroy(&m->lock);
	mutex_destroy(&m->transition);
}

static int open_device(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);
	int ret = 0;

	migsim_lock(m);
	if (m->habits.reset_on_open)
		migsim_reset(m);
	if (m->v1)
		ret = migsim_v1_open(m);
	if (!ret) {
		m->opened = true;
		m->opens++;
	}
	migsim_unlock(m);
	return ret;
}

/* A device that is being removed has no attributes any more: its close is released by a parameter. */
static unsigned int closes_released;
static DECLARE_WAIT_QUEUE_HEAD(close_released);

static int release_closes(const char *value, const struct kernel_param *param)
{
	WRITE_ONCE(closes_released, closes_released + 1);
	wake_up_all(&close_released);
	return 0;
}
module_param_call(release_closes, release_closes, NULL, NULL, 0200);

/* There is no way to fail; a process that is killed meanwhile has it closed. @lock is held. */
static void stall_close(struct migsim *m)
{
	unsigned int before = READ_ONCE(closes_released);
	struct migsim_fault fault;

	if (!migsim_fault_take(m, MIGSIM_FAULT_STALL_CLOSE, 0, &fault))
		return;
	migsim_unlock(m);
	if (wait_event_killable(close_released, READ_ONCE(closes_released) != before))
		pr_debug("%s: closed by a signal\n", m->name);
	migsim_lock(m);
}

static void close_device(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);

	migsim_lock(m);
	stall_close(m);
	m->opened = false;
	if (m->v1)
		migsim_v1_close(m);
	migsim_v2_end(m, true);
	migsim_log_end(m);
	migsim_irqs_off(m);
	migsim_notices_off(m);
	if (m->habits.reset_on_open)
		migsim_reset(m);
	migsim_unlock(m);
}

/* --- calls ------------------------------------------------------------------------------- */

static ssize_t read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *pos)
{
	struct migsim *m = vdev_to_migsim(vdev);
	unsigned int index = *pos >> MIGSIM_OFFSET_SHIFT;
	u64 at = *pos & GENMASK_ULL(MIGSIM_OFFSET_SHIFT - 1, 0);
	ssize_t ret;

	if (m->v1 && index == MIGSIM_V1_INDEX)
		ret = migsim_v1_read(m, buf, count, at);
	else
		ret = migsim_pci_read(m, index, buf, count, at);
	if (ret > 0)
		*pos += ret;
	return ret;
}

static ssize_t write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *pos)
{
	struct migsim *m = vdev_to_migsim(vdev);
	unsigned int index = *pos >> MIGSIM_OFFSET_SHIFT;
	u64 at = *pos & GENMASK_ULL(MIGSIM_OFFSET_SHIFT - 1, 0);
	ssize_t ret;

	if (m->v1 && index == MIGSIM_V1_INDEX)
		ret = migsim_v1_write(m, buf, count, at);
	else
		ret = migsim_pci_write(m, index, buf, count, at);
	if (ret > 0)
		*pos += ret;
	return ret;
}

/* Only the data section of the v1 region can be mapped. */
static int map(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct migsim *m = vdev_to_migsim(vdev);

	if (!m->v1 || vma->vm_pgoff >> (MIGSIM_OFFSET_SHIFT - PAGE_SHIFT) != MIGSIM_V1_INDEX)
		return -EINVAL;
	return migsim_v1_mmap(m, vma);
}

static int get_info(struct migsim *m, void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI;
	if (m->habits.can_reset)
		info.flags |= VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS + m->v1;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static int region_info(struct vfio_device *vdev, struct vfio_region_info *info,
		       struct vfio_info_cap *caps)
{
	struct migsim *m = vdev_to_migsim(vdev);

	if (m->v1 && info->index == MIGSIM_V1_INDEX)
		return migsim_v1_region_info(m, info, caps);
	return migsim_pci_region_info(m, info);
}

static int get_irq_info(struct migsim *m, void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	ret = migsim_irq_info(m, &info);
	if (ret)
		return ret;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static int reset(struct migsim *m)
{
	struct migsim_fault fault;
	int ret = 0;

	migsim_lock(m);
	if (!m->habits.can_reset) {
		ret = -EINVAL;
	} else if (migsim_fault_take(m, MIGSIM_FAULT_RESET, 0, &fault)) {
		ret = -fault.code;
	} else {
		migsim_reset(m);
		m->resets++;
	}
	migsim_unlock(m);
	return ret;
}

static long ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct migsim *m = vdev_to_migsim(vdev);
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(m, user);
#ifndef MIGSIM_CORE_REGION_INFO
	case VFIO_DEVICE_GET_REGION_INFO:
		return migsim_get_region_info(vdev, user, region_info);
#endif
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq_info(m, user);
	case VFIO_DEVICE_SET_IRQS:
		return migsim_set_irqs(m, arg);
	case VFIO_DEVICE_RESET:
		return reset(m);
	default:
		return -ENOTTY;
	}
}

/* VFIO's core asks again and again, as long as the device is open; @count is how often it has. */
static void request(struct vfio_device *vdev, unsigned int count)
{
	struct migsim *m = vdev_to_migsim(vdev);

	migsim_lock(m);
	if (!migsim_notice(m, VFIO_PCI_REQ_IRQ_INDEX) && !count)
		pr_notice("migsim %s: no device request channel registered\n", m->name);
	migsim_unlock(m);
}

static const struct vfio_device_ops ops = {
	.name = "migsim",
	.init = init,
	.release = release,
	.open_device = open_device,
	.close_device = close_device,
	.read = read,
	.write = write,
	.mmap = map,
	.ioctl = ioctl,
	.request = request,
#ifdef MIGSIM_CORE_REGION_INFO
	.get_region_info_caps = region_info,
#endif
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

/* --- mdev -------------------------------------------------------------------------------- */

static int probe(struct mdev_device *mdev)
{
	struct migsim *m = vfio_alloc_device(migsim, vdev, &mdev->dev, &ops);
	int ret;

	if (IS_ERR(m))
		return PTR_ERR(m);
	dev_set_drvdata(&mdev->dev, m);
	ret = vfio_register_emulated_iommu_dev(&m->vdev);
	if (ret)
		vfio_put_device(&m->vdev);
	return ret;
}

static void remove(struct mdev_device *mdev)
{
	struct migsim *m = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&m->vdev);
	vfio_put_device(&m->vdev);
}

/* Without this the core counts, and there would be a most. */
static unsigned int get_available(struct mdev_type *type)
{
	return INT_MAX;
}

static struct mdev_driver driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.driver = {
		.name = "migsim",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = migsim_dev_groups,
	},
	.probe = probe,
	.remove = remove,
	.get_available = get_available,
};

/* --- module ------------------------------------------------------------------------------ */

static const struct class migsim_class = { .name = "migsim" };
static struct device *parent_device;
static struct mdev_parent parent;

static int __init migsim_start(void)
{
	int ret = class_register(&migsim_class);

	if (ret)
		return ret;
	ret = mdev_register_driver(&driver);
	if (ret)
		goto no_driver;
	parent_device = device_create(&migsim_class, NULL, MKDEV(0, 0), NULL, "migsim");
	ret = PTR_ERR_OR_ZERO(parent_device);
	if (ret)
		goto no_device;
	ret = mdev_register_parent(&parent, parent_device, &driver, types, ARRAY_SIZE(types));
	if (ret)
		goto no_parent;
	return 0;

no_parent:
	device_unregister(parent_device);
no_device:
	mdev_unregister_driver(&driver);
no_driver:
	class_unregister(&migsim_class);
	return ret;
}

static void __exit migsim_end(void)
{
	mdev_unregister_parent(&parent);
	device_unregister(parent_device);
	mdev_unregister_driver(&driver);
	class_unregister(&migsim_class);
}

/* Read-only: reading it is how a test asks whether there is a line to look for in the log. */
atomic_t migsim_misuses = ATOMIC_INIT(0);

static int migsim_get_misuses(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(param->arg));
}

static const struct kernel_param_ops migsim_misuses_ops = { .get = migsim_get_misuses };
module_param_cb(misuses, &migsim_misuses_ops, &migsim_misuses, 0444);
MODULE_PARM_DESC(misuses, "how often a user of a device broke a rule");

module_init(migsim_start);
module_exit(migsim_end);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO devices that migrate, for tests");
