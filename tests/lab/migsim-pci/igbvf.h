/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGSIM_IGBVF_H
#define MIGSIM_IGBVF_H

/*
 * Virtual functions of Intel's 82576, as far as the driver knows them: BAR 0. From the data sheet
 * of the 82576, section 8.26 (registers of virtual functions).
 */

#include "migsim.h"

#define IGBVF_DEVICE		0x10ca

#define IGBVF_BAR0_SIZE		0x4000
#define IGBVF_QUEUES		2	/* each way */

#define IGBVF_MAILBOX		0x0800	/* memory that the function shares with the PF's driver */
#define IGBVF_MAILBOX_SIZE	64
#define IGBVF_VECTORS		0x1700	/* which interrupt for which queue */
#define IGBVF_VECTORS_OTHER	0x1740

/* Of a queue, from where it begins. */
#define IGBVF_RECEIVE(queue)	(0x2800 + 0x100 * (queue))
#define IGBVF_TRANSMIT(queue)	(0x3800 + 0x100 * (queue))
#define IGBVF_BASE_LOW		0x00
#define IGBVF_BASE_HIGH		0x04
#define IGBVF_LENGTH		0x08	/* of the ring, in bytes */
#define IGBVF_SPLIT		0x0c	/* receive: form and size of the buffers */
#define IGBVF_HEAD		0x10
#define IGBVF_TAIL		0x18
#define IGBVF_CONTROL		0x28
#define IGBVF_HEAD_BACK_LOW	0x38	/* transmit: where the head goes, if bit 0 is set */
#define IGBVF_HEAD_BACK_HIGH	0x3c

#define IGBVF_CONTROL_ENABLE	(1 << 25)
#define IGBVF_DESCRIPTOR	16

/* The control registers of all queues, receive first: an index into migsim.controls. */
static inline u32 igbvf_control(unsigned int n)
{
	return IGBVF_CONTROL + (n < IGBVF_QUEUES ? IGBVF_RECEIVE(n)
						 : IGBVF_TRANSMIT(n - IGBVF_QUEUES));
}

/* --- registers.c ------------------------------------------------------------------------- */

/* The queues stop, and go on as they were. @lock is held. */
void igbvf_stop(struct migsim *m);
void igbvf_go(struct migsim *m);
/* As after a reset: 0. @lock is held, or nothing else knows the device. */
void igbvf_clear(struct migsim *m);

/* --- dma-log.c --------------------------------------------------------------------------- */

/* Where a queue's descriptors begin and end that the device may be at work on. */
struct igbvf_span {
	u32 head, tail;
};

/*
 * Around each write to BAR 0: what the device is told to write by it is logged, from the head that
 * was before to the tail that is after. @lock is held.
 */
void igbvf_log_before(struct migsim *m, struct igbvf_span spans[2 * IGBVF_QUEUES]);
void igbvf_log_after(struct migsim *m, const struct igbvf_span spans[2 * IGBVF_QUEUES]);

#endif
