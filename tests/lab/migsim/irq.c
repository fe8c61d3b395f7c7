// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts by VFIO_DEVICE_SET_IRQS, answered as vfio-pci does. The device has nothing to
 * interrupt for: only the user triggers, to see whether an eventfd arrives where it should. REQ and
 * ERR are VFIO's own: it asks for the device back, and tells of an error of the bus.
 */

#include <linux/eventfd.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "migsim.h"

static unsigned int irq_vectors_of(const struct migsim *m, u32 index)
{
	switch (index) {
	case VFIO_PCI_ERR_IRQ_INDEX:
	case VFIO_PCI_REQ_IRQ_INDEX:
		return m->habits.req_irq;
	case VFIO_PCI_INTX_IRQ_INDEX:
	case VFIO_PCI_MSI_IRQ_INDEX:
		return 1;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return MIGSIM_MSIX_VECTORS;
	default:
		return 0;
	}
}

int migsim_irq_info(struct migsim *m, struct vfio_irq_info *info)
{
	info->count = irq_vectors_of(m, info->index);
	if (!info->count)
		return -EINVAL;
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	if (info->index == VFIO_PCI_INTX_IRQ_INDEX)
		info->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	else
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	return 0;
}

static bool irq_is_notice(u32 index)
{
	return index == VFIO_PCI_ERR_IRQ_INDEX || index == VFIO_PCI_REQ_IRQ_INDEX;
}

static struct eventfd_ctx **irq_notice(struct migsim *m, u32 index)
{
	return &m->notices[index == VFIO_PCI_REQ_IRQ_INDEX];
}

static void irq_set_notice(struct migsim *m, u32 index, struct eventfd_ctx *trigger)
{
	struct eventfd_ctx **notice = irq_notice(m, index);

	if (*notice)
		eventfd_ctx_put(*notice);
	*notice = trigger;
}

void migsim_notices_off(struct migsim *m)
{
	irq_set_notice(m, VFIO_PCI_ERR_IRQ_INDEX, NULL);
	irq_set_notice(m, VFIO_PCI_REQ_IRQ_INDEX, NULL);
}

bool migsim_notice(struct migsim *m, u32 index)
{
	struct eventfd_ctx *notice = *irq_notice(m, index);

	if (notice)
		eventfd_signal(notice);
	return notice;
}

static void irq_set_trigger(struct migsim *m, unsigned int vector, struct eventfd_ctx *trigger)
{
	if (m->triggers[vector])
		eventfd_ctx_put(m->triggers[vector]);
	m->triggers[vector] = trigger;
}

void migsim_irqs_off(struct migsim *m)
{
	for (unsigned int i = 0; i < MIGSIM_MSIX_VECTORS; i++)
		irq_set_trigger(m, i, NULL);
	m->irq_vectors = 0;
	migsim_pci_show_irqs(m);
}

static bool irq_is_on(const struct migsim *m, u32 index)
{
	return m->irq_vectors && m->irq_index == index;
}

/* A descriptor of -1 takes the vector's trigger away; a bad one also that of all before it. */
static int irq_set_fds(struct migsim *m, u32 start, u32 count, const s32 *fds)
{
	for (u32 i = 0; i < count; i++) {
		struct eventfd_ctx *trigger = NULL;

		if (fds[i] >= 0)
			trigger = eventfd_ctx_fdget(fds[i]);
		if (IS_ERR(trigger)) {
			for (u32 j = 0; j <= i; j++)
				irq_set_trigger(m, start + j, NULL);
			return PTR_ERR(trigger);
		}
		irq_set_trigger(m, start + i, trigger);
	}
	return 0;
}

static int irq_set_eventfds(struct migsim *m, const struct vfio_irq_set *set, const s32 *fds)
{
	bool enabling = !m->irq_vectors;
	int err;

	if (enabling) {
		m->irq_index = set->index;
		m->irq_vectors = set->start + set->count;
	} else if (set->start + set->count > m->irq_vectors) {
		/* NORESIZE: off and on again is the way. */
		return -EINVAL;
	}
	err = irq_set_fds(m, set->start, set->count, fds);
	if (err && enabling)
		migsim_irqs_off(m);
	migsim_pci_show_irqs(m);
	return err;
}

static void irq_signal(struct migsim *m, const struct vfio_irq_set *set, const u8 *wanted)
{
	for (u32 i = 0; i < set->count; i++) {
		struct eventfd_ctx *trigger = m->triggers[set->start + i];

		if (trigger && (!wanted || wanted[i]))
			eventfd_signal(trigger);
	}
}

static int irq_trigger(struct migsim *m, const struct vfio_irq_set *set, const void *data)
{
	bool on = irq_is_on(m, set->index);
	u32 type = set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;

	if (on && !set->count && type == VFIO_IRQ_SET_DATA_NONE) {
		migsim_irqs_off(m);
		return 0;
	}
	if (!set->count || (m->irq_vectors && !on))
		return -EINVAL;
	if (type == VFIO_IRQ_SET_DATA_EVENTFD)
		return irq_set_eventfds(m, set, data);
	if (!on)
		return -EINVAL;
	irq_signal(m, set, data);
	return 0;
}

/* One vector: an eventfd, -1 for none, or nothing at all to have it signalled. */
static int irq_trigger_notice(struct migsim *m, const struct vfio_irq_set *set, const s32 *fds)
{
	struct eventfd_ctx *trigger = NULL;

	switch (set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (!*irq_notice(m, set->index))
			return -EINVAL;
		if (set->count)
			migsim_notice(m, set->index);
		else
			irq_set_notice(m, set->index, NULL);
		return 0;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		if (!set->count)
			return -EINVAL;
		if (*fds >= 0)
			trigger = eventfd_ctx_fdget(*fds);
		if (IS_ERR(trigger))
			return PTR_ERR(trigger);
		irq_set_notice(m, set->index, trigger);
		return 0;
	default:
		return -EINVAL;
	}
}

/* Masked or not makes no difference without a cause to interrupt; eventfds for it are KVM's. */
static int irq_mask(struct migsim *m, const struct vfio_irq_set *set)
{
	if (set->index != VFIO_PCI_INTX_IRQ_INDEX)
		return -ENOTTY;
	if (!irq_is_on(m, set->index) || !set->count)
		return -EINVAL;
	return set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? -ENOTTY : 0;
}

static int irq_set(struct migsim *m, const struct vfio_irq_set *set, const void *data)
{
	switch (set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		return irq_is_notice(set->index) ? irq_trigger_notice(m, set, data) :
						   irq_trigger(m, set, data);
	case VFIO_IRQ_SET_ACTION_MASK:
	case VFIO_IRQ_SET_ACTION_UNMASK:
		return irq_mask(m, set);
	default:
		return -ENOTTY;
	}
}

int migsim_set_irqs(struct migsim *m, unsigned long arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_set set;
	void *data = NULL;
	size_t size = 0;
	int err;

	if (copy_from_user(&set, (void __user *)arg, minsz))
		return -EFAULT;
	err = vfio_set_irqs_validate_and_prepare(&set, irq_vectors_of(m, set.index), VFIO_PCI_NUM_IRQS,
						 &size);
	if (err)
		return err;
	if (size) {
		data = memdup_user((void __user *)(arg + minsz), size);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}
	migsim_lock(m);
	err = migsim_stall_call(m, MIGSIM_FAULT_STALL_IRQS);
	if (!err)
		err = irq_set(m, &set, data);
	migsim_unlock(m);
	kfree(data);
	return err;
}
