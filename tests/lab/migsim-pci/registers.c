// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim-pci: the registers that are the state of a function.
 *
 * A stopped device does no DMA: its queues are disabled then, and their control registers are kept
 * aside. An emulated function keeps its registers over a reset, which a real one does not: they are
 * cleared by hand.
 */

#include <linux/io.h>
#include <linux/unaligned.h>

#include "igbvf.h"

/* What is saved beside the control registers of the queues, in this order. */
static const struct {
	u16 at, count;
} places[] = {
	{ IGBVF_MAILBOX, IGBVF_MAILBOX_SIZE / 4 },
	{ IGBVF_VECTORS, 1 },
	{ IGBVF_VECTORS_OTHER, 1 },
	/* Bases, length and form; head; tail, by which nothing starts while they are disabled. */
	{ IGBVF_RECEIVE(0), 5 },
	{ IGBVF_RECEIVE(0) + IGBVF_TAIL, 1 },
	{ IGBVF_RECEIVE(1), 5 },
	{ IGBVF_RECEIVE(1) + IGBVF_TAIL, 1 },
	{ IGBVF_TRANSMIT(0), 3 },
	{ IGBVF_TRANSMIT(0) + IGBVF_HEAD, 1 },
	{ IGBVF_TRANSMIT(0) + IGBVF_TAIL, 1 },
	{ IGBVF_TRANSMIT(0) + IGBVF_HEAD_BACK_LOW, 2 },
	{ IGBVF_TRANSMIT(1), 3 },
	{ IGBVF_TRANSMIT(1) + IGBVF_HEAD, 1 },
	{ IGBVF_TRANSMIT(1) + IGBVF_TAIL, 1 },
	{ IGBVF_TRANSMIT(1) + IGBVF_HEAD_BACK_LOW, 2 },
};

static_assert(ARRAY_SIZE(((struct migsim *)NULL)->controls) == 2 * IGBVF_QUEUES);

static void disable_queues(struct migsim *m)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(m->controls); i++)
		iowrite32(m->controls[i] & ~IGBVF_CONTROL_ENABLE, m->bar0 + igbvf_control(i));
}

void igbvf_stop(struct migsim *m)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(m->controls); i++)
		m->controls[i] = ioread32(m->bar0 + igbvf_control(i));
	disable_queues(m);
}

void igbvf_go(struct migsim *m)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(m->controls); i++)
		iowrite32(m->controls[i], m->bar0 + igbvf_control(i));
}

void igbvf_clear(struct migsim *m)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(m->controls); i++) {
		m->controls[i] = 0;
		iowrite32(0, m->bar0 + igbvf_control(i));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		for (unsigned int n = 0; n < places[i].count; n++)
			iowrite32(0, m->bar0 + places[i].at + 4 * n);
}

size_t migsim_registers_save(struct migsim *m, u8 *buf)
{
	u8 *at = buf;

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		for (unsigned int n = 0; n < places[i].count; n++, at += 4)
			put_unaligned_le32(ioread32(m->bar0 + places[i].at + 4 * n), at);
	for (unsigned int i = 0; i < ARRAY_SIZE(m->controls); i++, at += 4)
		put_unaligned_le32(m->controls[i], at);
	return at - buf;
}

void migsim_registers_load(struct migsim *m, const u8 *buf)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		for (unsigned int n = 0; n < places[i].count; n++, buf += 4)
			iowrite32(get_unaligned_le32(buf), m->bar0 + places[i].at + 4 * n);
	for (unsigned int i = 0; i < ARRAY_SIZE(m->controls); i++, buf += 4)
		m->controls[i] = get_unaligned_le32(buf);
	disable_queues(m);
}
