// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim-pci: a variant driver on vfio-pci's core for the virtual functions of an 82576 NIC.
 *
 * Opening, closing, resets, configuration space and interrupts are vfio-pci's own. The driver adds
 * what migrates: the states, of which it shares the code with migsim, and the registers.
 */

#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "igbvf.h"

const bool migsim_made_up;

/* --- what the rest asks for -------------------------------------------------------------- */

void migsim_set(struct migsim *m, enum vfio_device_mig_state state)
{
	bool ran = migsim_runs(m->mig_state), runs = migsim_runs(state);

	m->mig_state = state;
	if (ran && !runs)
		igbvf_stop(m);
	if (runs && !ran)
		igbvf_go(m);
	m->told_stopped = false;
	migsim_count(m);
}

void migsim_error(struct migsim *m)
{
	migsim_set(m, VFIO_DEVICE_STATE_ERROR);
	migsim_v2_end(m, false);
}

void migsim_reset(struct migsim *m)
{
	migsim_v2_end(m, m->user_resets);
	migsim_log_end(m);
	m->running_since = 0;
	m->state = (struct migsim_state) { .size = m->habits.size };
	m->dirtied = 0;
	m->resets++;
	igbvf_clear(m);
	migsim_set(m, VFIO_DEVICE_STATE_RUNNING);
}

void migsim_shape(struct migsim *m)
{
	m->vdev.migration_flags = m->habits.caps;
	m->vdev.log_ops = m->habits.dma_logging ? &migsim_log_ops : NULL;
}

/* The only one that is asked for is that of bus errors: there are none to be had from this NIC. */
bool migsim_notice(struct migsim *m, unsigned int index)
{
	if (!rcu_access_pointer(m->core.err_trigger))
		return false;
	vfio_pci_core_aer_err_detected(m->core.pdev, pci_channel_io_normal);
	return true;
}

/* --- life -------------------------------------------------------------------------------- */

static int init(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);
	struct pci_dev *pdev = to_pci_dev(vdev->dev);
	int ret;

	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		return ret;
	if (pci_resource_len(pdev, 0) < IGBVF_BAR0_SIZE)
		return -ENODEV;
	/* A mapping of its own, since vfio-pci has one only while the device is open. */
	m->bar0 = ioremap(pci_resource_start(pdev, 0), IGBVF_BAR0_SIZE);
	if (!m->bar0)
		return -ENOMEM;
	strscpy(m->name, dev_name(vdev->dev), sizeof(m->name));
	migsim_lock_init(m);
	INIT_LIST_HEAD(&m->faults);
	init_waitqueue_head(&m->released);
	init_waitqueue_head(&m->readable);
	m->profile = "igbvf";
	m->habits = *migsim_profile(m->profile);
	m->state.size = m->habits.size;
	m->mig_state = VFIO_DEVICE_STATE_RUNNING;
	migsim_count(m);
	vdev->mig_ops = &migsim_mig_ops;
	migsim_shape(m);
	return 0;
}

static void release(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);

	migsim_fault_clear(m);
	iounmap(m->bar0);
	mutex_destroy(&m->lock);
	mutex_destroy(&m->transition);
	vfio_pci_core_release_dev(vdev);
}

static int open_device(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);
	int ret;

	ret = vfio_pci_core_enable(&m->core);
	if (ret)
		return ret;
	vfio_pci_core_finish_enable(&m->core);
	/* Of registers that the user maps, the driver would not see what the device is told. */
	m->core.bar_mmap_supported[0] = false;
	migsim_lock(m);
	m->opened = true;
	m->opens++;
	migsim_unlock(m);
	return 0;
}

static void close_device(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);

	migsim_lock(m);
	m->opened = false;
	migsim_v2_end(m, true);
	migsim_log_end(m);
	migsim_unlock(m);
	vfio_pci_core_close_device(vdev);
	/* Of the reset in there the PCI core tells nothing (see reset_done). */
	migsim_lock(m);
	m->user_resets = true;
	migsim_reset(m);
	m->user_resets = false;
	migsim_unlock(m);
}

/* In P2P states, too, a device answers to accesses, of other devices. */
static bool answers(enum vfio_device_mig_state state)
{
	return migsim_runs(state) || state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

/* --- calls ------------------------------------------------------------------------------- */

static ssize_t write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *pos)
{
	struct migsim *m = vdev_to_migsim(vdev);
	/* From where rings begin, if a log begins meanwhile. */
	struct igbvf_span spans[2 * IGBVF_QUEUES] = {};
	ssize_t ret;

	if (VFIO_PCI_OFFSET_TO_INDEX(*pos) != VFIO_PCI_BAR0_REGION_INDEX)
		return vfio_pci_core_write(vdev, buf, count, pos);
	migsim_lock(m);
	if (!answers(m->mig_state) && !m->told_stopped) {
		m->told_stopped = true;
		migsim_misuse(m, "BAR 0 written in %s", migsim_state_name(m->mig_state));
	}
	igbvf_log_before(m, spans);
	migsim_unlock(m);
	/* Not with @lock held: it waits for a reset to end, which comes back by reset_done. */
	ret = vfio_pci_core_write(vdev, buf, count, pos);
	migsim_lock(m);
	igbvf_log_after(m, spans);
	migsim_unlock(m);
	return ret;
}

static long reset(struct migsim *m, unsigned long arg)
{
	struct migsim_fault fault;
	bool fails;
	long ret;

	migsim_lock(m);
	fails = migsim_fault_take(m, MIGSIM_FAULT_RESET, 0, &fault);
	m->user_resets = !fails;
	migsim_unlock(m);
	if (fails)
		return -fault.code;
	ret = vfio_pci_core_ioctl(&m->vdev, VFIO_DEVICE_RESET, arg);
	migsim_lock(m);
	m->user_resets = false;
	migsim_unlock(m);
	return ret;
}

static long ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	if (cmd == VFIO_DEVICE_RESET)
		return reset(vdev_to_migsim(vdev), arg);
	return vfio_pci_core_ioctl(vdev, cmd, arg);
}

static const struct vfio_device_ops ops = {
	.name = "migsim-pci",
	.init = init,
	.release = release,
	.open_device = open_device,
	.close_device = close_device,
	.ioctl = ioctl,
#ifdef MIGSIM_CORE_REGION_INFO
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#endif
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = vfio_pci_core_read,
	.write = write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
};

/* --- PCI --------------------------------------------------------------------------------- */

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct migsim *m;
	int ret;

	if (!pdev->is_virtfn)
		return -ENODEV;
	m = vfio_alloc_device(migsim, vdev, &pdev->dev, &ops);
	if (IS_ERR(m))
		return PTR_ERR(m);
	dev_set_drvdata(&pdev->dev, &m->core);
	ret = vfio_pci_core_register_device(&m->core);
	if (ret)
		vfio_put_device(&m->vdev);
	return ret;
}

static void remove(struct pci_dev *pdev)
{
	struct migsim *m = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(&m->core);
	vfio_put_device(&m->vdev);
}

static void reset_done(struct pci_dev *pdev)
{
	migsim_reset_due(dev_get_drvdata(&pdev->dev));
}

static const struct pci_error_handlers error_handlers = {
	.reset_done = reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};

static const struct pci_device_id ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_INTEL, IGBVF_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver migsim_pci_driver = {
	.name = "migsim-pci",
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.err_handler = &error_handlers,
	.dev_groups = migsim_dev_groups,
	.driver_managed_dma = true,
};
module_pci_driver(migsim_pci_driver);

/* Read-only: reading it is how a test asks whether there is a line to look for in the log. */
atomic_t migsim_misuses = ATOMIC_INIT(0);

static int migsim_get_misuses(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(param->arg));
}

static const struct kernel_param_ops migsim_misuses_ops = { .get = migsim_get_misuses };
module_param_cb(misuses, &migsim_misuses_ops, &migsim_misuses, 0444);
MODULE_PARM_DESC(misuses, "how often a user of a device broke a rule");

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO: virtual functions that migrate, for tests");
