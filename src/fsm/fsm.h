/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Migration state machine
 *
 * The arcs between migration states as data, and the path from one to another, as the uAPI text
 * of VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE defines them; and the arcs of the older protocol, v1, in
 * terms of the same states. Pure: no device, no fd, no clock.
 *
 * The kernel can walk a path by itself (a "combination transition"). The tool walks arc by arc
 * instead, so that each arc can be timed and a failure can name the arc that failed.
 */

#include <stdbool.h>

#include "uapi/vfio.h"

/* The longest path has this many arcs: PRE_COPY, RUNNING, RUNNING_P2P, STOP, RESUMING. */
#define FSM_ARCS_MAX 5

/**
 * fsm_next() - first arc on the way from one state to another
 * @from: state the device is in; any number, since a peer may have sent it
 * @caps: MIG_CAP_* that the device reported
 *
 * Return: the next state, @to itself once there, MIG_ERROR where there is no way.
 */
enum mig_state fsm_next(enum mig_state from, enum mig_state to, unsigned int caps);

/**
 * fsm_v1_next() - the same for a device that speaks v1
 *
 * The transitions that the uAPI text draws up to Linux 5.17. RUNNING -> STOP_COPY is one arc there.
 * A load ends in STOP, not in RUNNING, so that the user can restore config space and interrupts
 * while the device is stopped.
 */
enum mig_state fsm_v1_next(enum mig_state from, enum mig_state to, unsigned int caps);

/** fsm_v1_bits() - UAPI_V1_* of a state; for MIG_ERROR, the bits that a device shows in it. */
unsigned int fsm_v1_bits(enum mig_state state);

/** fsm_v1_state() - the state that UAPI_V1_* bits stand for. Return: false if there is none. */
bool fsm_v1_state(unsigned int bits, enum mig_state *ret);

/** fsm_supported() - a device with @caps can be in @state. MIG_ERROR always can. */
bool fsm_supported(enum mig_state state, unsigned int caps);

/** fsm_saving() - @state belongs to the saving group, whose states share one stream. */
bool fsm_saving(enum mig_state state);

/** fsm_runs() - a device in @state may do DMA and raise interrupts on its own. */
bool fsm_runs(enum mig_state state);

/** fsm_name() - "pre-copy-p2p"; "unknown" for what is no state. */
const char *fsm_name(enum mig_state state);

/** fsm_cap_name() - "pre-copy" for 2; NULL for a bit of MIG_CAP_* that has no name. */
const char *fsm_cap_name(unsigned int bit);

/**
 * fsm_parse() - a state's name
 *
 * Any case; '-' and '_' mean the same, so that debugfs' words ("STOP_COPY") fit too.
 *
 * Return: false for what is no state; @ret is then untouched.
 */
bool fsm_parse(const char *name, enum mig_state *ret);
