/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bringing PCI functions to another driver, and back
 *
 * All or none: when one of several fails, those before it go back to the driver that they had. What
 * a function had before is in a record (host/run-record.h) before the first change, so that a later
 * call brings it back, also when this one is killed. What is to last for more than this boot is in
 * a rule for udev (host/udev-rule.h).
 */

#include "engine/bind-plan.h"
#include "host/modalias.h"
#include "host/pci-use.h"
#include "host/run-record.h"
#include "host/udev-rule.h"

/**
 * struct bind_options
 * @records: RUN_RECORD_DIR
 * @rules: UDEV_RULE_DIR
 * @driver: with BIND_WANT_DRIVER: a driver's or a module's name; NULL: the one that is for it
 */
struct bind_options {
	const struct host *host;
	const char *records, *rules;
	enum bind_want want;
	enum bind_term term;
	const char *driver;
	bool force;
};

/**
 * struct bind - one function, as it was found
 * @found: the driver that it had; "" for none
 * @target: the driver that it is to have, "" for none; a module's name as long as that is not there
 * @module: that has to be loaded; "" for none
 * @choice: where the driver is the one that is for it: by which alias
 * @group: the devices of its IOMMU group, itself among them
 * @rule, @rule_text: for every boot, as it was found; NULL for none
 * @steps, @taken: enum bind_step
 * @lock: on its folder in sysfs, as long as this is there
 */
struct bind {
	const struct bind_options *options;
	struct vfio_node *node;
	char found[RUN_RECORD_TEXT], target[RUN_RECORD_TEXT], module[RUN_RECORD_TEXT];
	struct modalias_choice choice;
	struct pci_uses uses;
	struct vfio_nodes group;
	struct run_record record;
	struct udev_rule rule;
	char *rule_text;
	struct bind_facts facts;
	unsigned int steps, taken;
	int lock;
};

/**
 * bind_look() - find out what is so, and what is to be done; changes nothing
 * @node: @ret's from here, in any case
 * @ret: to be released with bind_done(), in any case
 *
 * Return: 0; -EBUSY (ERR_UNSUPPORTED) for one that is used, by what, or that another process is
 * binding; -ENODEV (ERR_UNSUPPORTED) where no driver is for it; -ENOENT (ERR_MISSING) where there
 * is nothing to go back to; -EBADMSG (ERR_CONFIG) where a file of another origin has its rule's
 * name; what reading said.
 */
_must_check_ int bind_look(const struct bind_options *options, struct vfio_node *node,
			   struct bind *ret, struct err *err);
void bind_done(struct bind *b);

/**
 * bind_rule_text() - the rule that BIND_KEEP writes
 * @ret: the caller frees it; NULL as long as the driver's name is not known, its module not loaded
 */
_must_check_ int bind_rule_text(const struct bind *b, char **ret, struct err *err);

/** bind_run() - load modules, take all steps; go back where one fails, which a note then says. */
_must_check_ int bind_run(struct bind *b, size_t n, struct err *err);
