/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Ways to come by a device
 *
 * A row of a table for each form of a device's name. Only the acquirers themselves, and device.c,
 * which calls them, know which way a device came: callers ask what follows from it (device.h).
 *
 * An acquirer finds and opens; it speaks no migration protocol. The one whose fd is no VFIO device
 * but a connection (vfio-user) comes with its own protocol instead.
 */

#include <sys/types.h>

#include "device/device.h"

/**
 * struct acquirer - one way
 *
 * The ops get a struct device and keep what they need of their own in @device.origin. All are
 * required unless marked optional.
 */
struct acquirer {
	/** @prefix: Of the names that it takes: "fd:"; NULL takes what no other one does. */
	const char *prefix;

	enum device_ownership ownership;
	enum device_opening opening;

	/**
	 * @find: Take @rest, the name without its prefix.
	 *
	 * Opens no device, connects to nothing. Sets @dev->node where the device is known already.
	 */
	int (*find)(struct device *dev, const char *rest, struct err *err);

	/** @check: What opening it is going to refuse, as far as can be told before. */
	int (*check)(const struct device *dev, const struct device_options *opts, struct err *err);

	/**
	 * @acquire: Bring about an open device fd, in @ret->fd; @ret->via says how.
	 *
	 * May set @dev->node, if it was not known before. On failure it leaves @ret as it was.
	 * Either this op or @connect is there.
	 */
	int (*acquire)(struct device *dev, const struct device_options *opts, struct acquired *ret,
		       struct err *err);

	/** @connect: Bring about a device that has a protocol of its own. Sets @dev->via. */
	int (*connect)(struct device *dev, const struct device_options *opts, struct mig_dev **ret,
		       struct err *err);

	/** @same: Optional. Two devices that came this way are one, whatever their nodes say. */
	bool (*same)(const struct device *a, const struct device *b);

	/** @socket: Optional. The path of the socket that leads to it; @dev's. */
	const char *(*socket)(const struct device *dev);

	/** @owner: Optional. The process that uses the device, or NULL where there is none. */
	const struct device_owner *(*owner)(const struct device *dev);

	/** @owner_pidfd: Beside @owner. @dev's, as long as that is there. */
	int (*owner_pidfd)(const struct device *dev);

	/** @keeper: Optional. Whether the owner, or the lender of an open device, has it still. */
	enum device_keeper (*keeper)(const struct device *dev);

	/**
	 * @watch_fd: Optional. What hangs up (POLLRDHUP, POLLIN) when the lender or the owner is
	 * gone; -1 for none. Asked after the protocol's own.
	 */
	int (*watch_fd)(const struct device *dev);

	/**
	 * @attend: Optional. Read what comes at @watch_fd, without waiting.
	 *
	 * Return: 0; -ECONNRESET when the lender is gone.
	 */
	int (*attend)(struct device *dev, struct err *err);

	/** @lease: Optional. What @check was told of who has it; @dev's, or NULL. */
	const struct device_lease *(*lease)(const struct device *dev);

	/**
	 * @returned: Optional, of a lender that brings a device back by itself. Whether it has
	 * brought it to @home, with its own state, once this process's lease has ended by its end
	 * alone. Waits for that, at most @timeout_ms; false where that is not known.
	 */
	bool (*returned)(const struct device *dev, enum mig_state home, int timeout_ms);

	/** @close: Optional. Give up what @acquire has kept beside @ret. The device is closed. */
	void (*close)(struct device *dev);

	/**
	 * @lent: Optional. The names of the devices that @dev, which names none, may be.
	 *
	 * Asks their holder. @ret is an array of strings that ends with NULL, the caller's.
	 */
	int (*lent)(const struct device *dev, const struct device_options *opts, char ***ret,
		    struct err *err);

	/** @done: Optional. Release @dev->origin, which is NULL where @find has failed. */
	void (*done)(struct device *dev);
};

extern const struct acquirer acquirer_node, acquirer_fd, acquirer_hold, acquirer_pid, acquirer_user,
	acquirer_unix;

/**
 * acquirer_of() - the one that takes @spec
 * @ret_rest: @spec without the prefix; points into it
 *
 * Return: never NULL; what has no prefix is for acquirer_node.
 */
const struct acquirer *acquirer_of(const char *spec, const char **ret_rest);
