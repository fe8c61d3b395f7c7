/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A device as a command names it: found first, opened later
 *
 * Finding is apart from opening, which can reset the device: what can be known without that is
 * known first.
 */

#include "device/acquire.h"
#include "device/backend.h"
#include "host/pci-ids.h"
#include "host/vfio-node.h"

#define DEVICE_CONFIG_MAX 4096

/* The protocol for a device that the kernel has. */
enum device_protocol {
	PROTOCOL_AUTO, /* v2 where the driver has it, else v1 where it has that */
	PROTOCOL_V1,
	PROTOCOL_V2
};

/**
 * struct device_options - how to open one, and how to speak to it
 * @call_timeout_ms: how long one read or write of a kernel device's stream may take; 0 for ever,
 *               since that is for its driver to say. A vfio-user server has @acquire.timeout_ms
 * @cancel: ends what is asked of a vfio-user server before the device is touched, if set
 * @only_asks: nothing is going to be done to the device: @cancel ends whatever it is asked
 */
struct device_options {
	struct acquire_options acquire;
	int call_timeout_ms;
	enum device_protocol protocol;
	struct cancel *cancel;
	bool only_asks;
};

/**
 * struct device - one device
 * @spec: what the user called it
 * @node: its place in sysfs; NULL for an inherited fd whose device cannot be told
 * @inherited: the fd of "fd:N", else -1
 * @socket: the path of "vfio-user:PATH", else NULL; points into @spec
 * @mig: the open device, NULL until device_open()
 * @via: how it was opened
 * @resets: a PCI function that VFIO can reset: as sysfs suggests before, as the device says after
 *          opening
 * @has_ids, @ids: PCI numbers, from sysfs before and from the configuration space after opening
 * @config, @config_size: the configuration space as found when it was opened
 */
struct device {
	const struct host *host;
	char *spec;
	struct vfio_node *node;
	int inherited;
	const char *socket;
	struct mig_dev *mig;
	enum acquire_via via;
	bool resets;
	bool has_ids;
	struct pci_ids ids;
	uint8_t config[DEVICE_CONFIG_MAX];
	size_t config_size;
};

/**
 * device_check() - what device_open() is going to refuse, as far as that can be told without it
 *
 * Nothing is opened, connected to or reset.
 */
_must_check_ int device_check(const struct device *dev, const struct device_options *opts,
			      struct err *err);

/** device_close() - what was learnt of it stays known */
void device_close(struct device *dev);

/** device_call_timeout() - @opts->call_timeout_ms where it applies to @dev */
static inline int device_call_timeout(const struct device *dev, const struct device_options *opts)
{
	return dev->socket ? 0 : opts->call_timeout_ms;
}

/**
 * device_find() - resolve what the user called a device; opens nothing
 * @spec: as vfio_node_resolve() takes it, or "fd:N", or "vfio-user:PATH"
 */
_must_check_ int device_find(const struct host *host, const char *spec, struct device **ret,
			     struct err *err);

/** device_open() - acquire it and read its configuration space; asks nothing of migration. */
_must_check_ int device_open(struct device *dev, const struct device_options *opts,
			     struct err *err);

/**
 * device_opened_here() - a PCI function that this process itself opens
 *
 * No DMA is mapped for it: what it holds must not run by default.
 */
bool device_opened_here(const struct device *dev);

/**
 * device_reset_by_open() - opening it resets it
 *
 * Before device_open() that is what sysfs suggests; afterwards what the device says of itself.
 */
bool device_reset_by_open(const struct device *dev);

/* What closing a device does to the state that it holds. */
enum close_effect {
	CLOSE_KEEPS, /* nothing: another process holds it, too, or its driver leaves it alone */
	CLOSE_MAY_LOSE, /* what its driver does is not known */
	CLOSE_MAY_RESET_BUS, /* VFIO resets its bus once no function of the bus is open */
	CLOSE_RESETS,
};

/**
 * struct close_facts - what the effect follows from
 * @borrowed: an inherited fd, or a server's device
 * @driver_keeps: of the driver it is known (quirks.h)
 * @pci: a PCI function
 * @resets: VFIO can reset this function alone
 * @root_bus: no bridge is above it
 */
struct close_facts {
	bool borrowed, driver_keeps, pci, resets, root_bus;
};

/** device_judge_close() - pure. */
enum close_effect device_judge_close(const struct close_facts *facts);

/** device_close_effect() - what happens to @dev when this process closes it */
enum close_effect device_close_effect(const struct device *dev);

/** device_close_text() - "closing it resets it" */
const char *device_close_text(enum close_effect effect);

/** device_name() - the kernel's name where it is known, else what the user said. */
const char *device_name(const struct device *dev);

/** device_driver() - or NULL. */
const char *device_driver(const struct device *dev);

struct device *device_free(struct device *dev);
DEFINE_CLEANUP(struct device *, device_free)
