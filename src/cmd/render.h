/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Parts of reports that several commands share
 */

#include "device/device.h"
#include "device/recover.h"
#include "engine/compat.h"
#include "engine/switchover.h"
#include "engine/timeline.h"
#include "image/format.h"
#include "image/manifest.h"
#include "image/receipt.h"
#include "ui/report.h"

/** render_node_facts() - into @o itself: address, driver, group, PCI numbers, ... */
void render_node_facts(struct json_object *o, const struct device *dev);

/** render_device() - the same as "device". */
void render_device(struct json_object *report, const struct device *dev);

/**
 * render_devices() - render_device() of the only one; of several, one in each object of "devices"
 *
 * What is told of a device stands at the top of the report when there is one, and in its object
 * otherwise: render_object().
 */
void render_devices(struct json_object *report, struct device *const *devs, unsigned int n);

/** render_object() - where the facts of device @i of @n go; after render_devices() */
struct json_object *render_object(struct json_object *report, unsigned int n, unsigned int i);

/** render_decision() - "precopy": why the devices were stopped when they were */
void render_decision(struct json_object *report, const struct switchover_decision *d);

/** render_ids() - "vendor", "device", ..., "name" of the PCI ID database. */
void render_ids(struct json_object *o, const struct pci_ids *ids);

/** render_words() - @key: a list with the word of each bit of @bits that is set, from bit 0 on. */
void render_words(struct json_object *o, const char *key, const char *const *words, size_t n,
		  uint64_t bits);

/** render_caps() - "migration_flags": ["stop-copy", ...]. */
void render_caps(struct json_object *o, uint64_t caps);

/** render_state() - @key: the state's name, or null. */
void render_state(struct json_object *o, const char *key, enum mig_state state, bool known);

/*
 * The same two keys in every report: "state_found" is the device state before the command did
 * anything, "state" the one that the device is in now.
 */

/** render_state_found() - "state_found". */
void render_state_found(struct json_object *report, enum mig_state state, bool known);

/** render_state_now() - "state". */
void render_state_now(struct json_object *o, enum mig_state state, bool known);

/**
 * render_device_state() - "state", as last confirmed; for a device that speaks v1 "v1_bits", too
 */
void render_device_state(struct json_object *o, const struct mig_dev *mig);

/** render_interrupts() - "interrupts": the kinds in @bits (enum pci_interrupts). */
void render_interrupts(struct json_object *o, unsigned int bits);

/** render_intx() - "intx": "none", "disabled" or "possible". */
void render_intx(struct json_object *o, const uint8_t *config, size_t size);

/**
 * render_image_info() - "image": what identifies it
 * @receipt: with the digest of all of it, or NULL as long as its end was not seen
 *
 * Return: the object, to add to.
 */
struct json_object *render_image_info(struct json_object *report, const struct image_info *info,
				      const struct image_receipt *receipt);

/** render_fit() - "fits": "yes", "no" or "unknown". */
void render_fit(struct json_object *report, enum compat_fit fit);

/** render_labels() - "labels" into "image" (@image), if there are any. */
void render_labels(struct json_object *image, const struct image_labels *labels);

/** view_labels() - the image's labels as a table, if it has any. */
void view_labels(FILE *f, struct json_object *report);

/** render_arcs() - "arcs", "downtime_ns", "down": it does not run now, in @left. */
void render_arcs(struct json_object *report, const struct timeline *t, enum mig_state left);

/** render_rate() - "bytes_per_second", if any time has passed. */
void render_rate(struct json_object *o, uint64_t bytes, uint64_t ns);

/** render_reason() - "reason": a failure about @dev, without its name; "hint", if it has one. */
void render_reason(struct json_object *o, const struct device *dev, const struct err *why);

/** render_recovery() - "recovery". */
void render_recovery(struct json_object *report, const struct mig_recovery *r);

/** view_devices() - those of a set as a table. */
void view_devices(FILE *f, struct json_object *report);

/** view_arcs() - the arcs as a table. */
void view_arcs(FILE *f, struct json_object *report);
