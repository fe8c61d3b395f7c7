/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The emulated device
 *
 * A device that migrates as the uAPI says: its state, the arcs between them and what they do to
 * the data transfer session, what it does while it runs, and what --fault makes of all that. Pure:
 * no socket and no clock; the time is told, and a delay is asked for.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/content.h"
#include "emu/deviation.h"
#include "emu/dma-log.h"
#include "emu/events.h"
#include "emu/faults.h"
#include "emu/load.h"
#include "emu/save.h"
#include "uapi/vfio.h"

#define EMU_STATE_SIZE_MAX (UINT64_C(1) << 40)
#define EMU_CONFIG_SIZE 256u

struct emu_ids {
	uint16_t vendor, device;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
};

/**
 * struct emu_config - what a device is to be, as the options say
 * @initial_bytes: what can be read in PRE_COPY at first
 * @dirty_rate: bytes of state that change a second while it runs
 * @dirty_interval_ns: they change all at once, each time that so much has passed; 0 for at once
 * @data_rate: bytes of stream a second; 0 for as many as can be
 * @delay_ns: that an arc takes, by from and to
 * @strict: refuse while stopped what libvfio-user refuses
 */
struct emu_config {
	struct emu_ids ids;
	unsigned int caps;
	uint64_t state_size, initial_bytes, dirty_rate, data_rate, seed;
	uint64_t dirty_interval_ns;
	uint64_t delay_ns[MIG_NR_STATES][MIG_NR_STATES];
	struct emu_faults faults;
	struct emu_deviations deviations;
	bool strict, reset_on_disconnect;
};

/**
 * struct emu_device - one device
 * @state_before: the last SET
 * @n_saves, @n_loads: sessions since it was made
 * @busy: of DEVIATE_BUSY_TO_RUN: it has refused once
 * @killed: of DEVIATE_EXTENT_KILLS
 * @save_longer: this session's stream has had the byte of DEVIATE_LENGTH_DIFFERS
 * @running_ns: for how long it ran since its last reset, here and where its state came from
 * @credit: for dirtying: bytes times nanoseconds
 * @dirtied_ns: when that was last looked at
 * @moved: bytes of stream read or written in this session
 * @events: what has happened, or will until its reply is due; the owner takes them
 * @ready_ns: when the data that was moved has taken as long as --data-rate says
 */
struct emu_device {
	const struct emu_config *config;
	uint32_t number;
	enum mig_state state, state_before;
	struct emu_content content;
	struct emu_save save;
	struct emu_load load;
	struct emu_dma_log log;
	struct emu_faults faults;
	uint8_t pci[EMU_CONFIG_SIZE];
	uint64_t now_ns, running_ns, ready_ns, moved, n_resets, n_reads;
	uint64_t n_saves, n_loads;
	bool save_longer, busy, killed;
	uint64_t dirtied_ns;
	unsigned __int128 credit;
	struct emu_events events;
};

/* Outcomes of what a device is asked to do; not errors. */
enum emu_outcome {
	EMU_DONE = 0,
	EMU_STALLED = 1, /* there will be no answer */
	EMU_DIED = 2, /* nor a device */
};

_must_check_ int emu_device_init(struct emu_device *d, const struct emu_config *config,
				 uint32_t number, uint64_t now_ns, struct err *err);
void emu_device_done(struct emu_device *d);

/** emu_device_advance() - it is @now_ns: what it did since it was last looked at */
void emu_device_advance(struct emu_device *d, uint64_t now_ns);

/**
 * emu_device_set_state() - go to a state, by as many arcs as it takes
 * @ret_delay_ns: how long that takes
 *
 * Return: enum emu_outcome, or negative errno with the device wherever on the way it failed.
 */
_must_check_ int emu_device_set_state(struct emu_device *d, uint32_t to, uint64_t *ret_delay_ns,
				      struct err *err);

/** emu_device_reset() - to RUNNING, everything lost. Return: 0, or what --fault says. */
_must_check_ int emu_device_reset(struct emu_device *d, struct err *err);

/** emu_device_gone() - the client disconnected */
void emu_device_gone(struct emu_device *d);

/**
 * emu_device_read() - the next bytes of the state
 * @size: in: how many are wanted; out: how many there were, 0 for none now or no more
 *
 * Return: enum emu_outcome; -EINVAL outside of a saving session.
 */
_must_check_ int emu_device_read(struct emu_device *d, void *buf, uint32_t *size,
				 uint64_t *ret_delay_ns, struct err *err);

/** emu_device_write() - the next bytes of a state. Return: enum emu_outcome; -EINVAL. */
_must_check_ int emu_device_write(struct emu_device *d, const void *buf, uint32_t size,
				  uint64_t *ret_delay_ns, struct err *err);

/** emu_device_dirty() - change @n blocks, if it runs */
void emu_device_dirty(struct emu_device *d, uint32_t n);
