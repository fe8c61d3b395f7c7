/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Several devices of nothing, what they are told in one order, and the rule for that
 *
 * By the uAPI text of VFIO_MIGRATION_P2P no device may stop while another one still starts DMA, nor
 * run in full while another one cannot answer.
 */

#include "device/device.h"
#include "engine/event.h"
#include "fake-dev.h"

#define FAKE_SET_MOST 4u
#define FAKE_SET_NONE UINT32_MAX

/* The stream of the i-th device is fake_byte() from i times this. */
#define FAKE_SET_SALT 977u

/**
 * struct fake_set - devices that all can do the same, RUNNING
 * @devs, @specs: for the options of a save or a load
 * @events: that a save or a load tells
 * @gate: a pipe for what is to hang, see fake_set_hang()
 * @opens_after: the gate opens after so many recoveries, or once @opens_on has arrived
 * @recoveries, @arrived: events
 * @misled: a barrier was told before all had arrived, or a phase was not as it was announced
 * @phase: as announced last
 */
struct fake_set {
	unsigned int n;
	struct fake *fakes[FAKE_SET_MOST];
	struct device devices[FAKE_SET_MOST];
	struct device *devs[FAKE_SET_MOST];
	const char *specs[FAKE_SET_MOST];
	struct fake_journal journal;
	struct cancel cancel;
	struct events events;
	int gate[2];
	unsigned int opens_after;
	int opens_on;
	enum phase opens_in;
	unsigned int recoveries, arrived;
	bool misled;
	enum phase phase;
};

/** fake_set_new() - @n devices with @caps; the stream of the i-th has 1000 * i + 70001 bytes. */
struct fake_set *fake_set_new(unsigned int n, unsigned int caps);

/** fake_set_free() - with the checks of fake_free() */
void fake_set_free(struct fake_set *s);

/**
 * fake_set_hang() - the @nth call of a kind does not end before others were recovered
 * @others: so many
 */
void fake_set_hang(struct fake_set *s, unsigned int device, enum fake_call call, unsigned int nth,
		   unsigned int others);

/** fake_set_await() - @device's @nth call of a kind ends after @other has arrived in @phase. */
void fake_set_await(struct fake_set *s, unsigned int device, enum fake_call call, unsigned int nth,
		    int other, enum phase phase);

/**
 * fake_set_check() - that none broke the rule, and all events came in their order
 * @excused: a device that failed on the way to where it runs, or hung, for which none can wait
 */
void fake_set_check(const struct fake_set *s, uint32_t excused);

/** fake_set_story() - the journal, for a message. Return: a text that lasts until the next call. */
const char *fake_set_story(const struct fake_set *s);
