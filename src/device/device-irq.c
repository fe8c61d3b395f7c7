// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#include "device/call.h"
#include "device/device-irq.h"

static const struct {
	const char *name;
	uint32_t index;
} device_irqs[DEVICE_NR_IRQS] = {
	[DEVICE_IRQ_ERR] = { "ERR", VFIO_PCI_ERR_IRQ_INDEX },
	[DEVICE_IRQ_REQ] = { "REQ", VFIO_PCI_REQ_IRQ_INDEX },
};

/* Of other buses than PCI the same numbers mean other interrupts. */
static int device_irq_find(const struct device *dev, enum device_irq irq, struct err *err)
{
	struct dev_info info;
	struct dev_irq found;
	int r;

	r = dev_info(dev->mig, &info, err);
	if (r < 0)
		return r;
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || device_irqs[irq].index >= info.n_irqs)
		return err_fail(err, ERR_UNSUPPORTED, -ENOTTY, "%s: has no %s interrupt",
				device_name(dev), device_irqs[irq].name);
	r = dev_irq(dev->mig, device_irqs[irq].index, &found, err);
	if (r < 0)
		return r;
	if (!found.count || !(found.flags & VFIO_IRQ_INFO_EVENTFD))
		return err_fail(err, ERR_UNSUPPORTED, -ENOTTY, "%s: has no %s interrupt",
				device_name(dev), device_irqs[irq].name);
	return 0;
}

int device_irq_arm(const struct device *dev, enum device_irq irq, int fd, struct err *err)
{
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
	} arg = {
		.set = {
			.argsz = sizeof(arg),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = device_irqs[irq].index,
			.count = 1,
		},
	};
	const int32_t trigger = fd;
	int r;

	if (!device_fds(dev))
		return err_fail(err, ERR_UNSUPPORTED, -ENOTTY, "%s: has no %s interrupt",
				device_name(dev), device_irqs[irq].name);
	r = device_irq_find(dev, irq, err);
	if (r < 0)
		return r;
	memcpy(arg.set.data, &trigger, sizeof(trigger));
	if (call_ioctl(device_fds(dev)->fd, VFIO_DEVICE_SET_IRQS, &arg.set) < 0)
		return err_set(err, -errno, "%s: VFIO_DEVICE_SET_IRQS of %s", device_name(dev),
			       device_irqs[irq].name);
	return 0;
}
