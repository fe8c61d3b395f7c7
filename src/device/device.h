/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A device as a command names it: found first, opened later
 *
 * Finding is apart from opening, which can reset the device: what can be known without that is
 * known first.
 */

#include <sys/types.h>

#include "device/acquire.h"
#include "device/backend.h"
#include "host/pci-ids.h"
#include "host/vfio-node.h"

#define DEVICE_CONFIG_MAX 4096

struct acquirer;

/* Who else has a device open. */
enum device_ownership {
	DEVICE_SOLE, /* none: this process opens it and closes it */
	DEVICE_SHARED, /* another process, which may use it meanwhile and keeps it afterwards */
	DEVICE_LENT, /* a server or holder, which gives it out and takes it back */
};

/* What opening a device does, beside giving it. */
enum device_opening {
	OPENING_FREE, /* nothing: it is open already */
	OPENING_CONNECTS, /* occupies its server, which may serve one client at a time */
	OPENING_MAY_RESET, /* it may be the device's first opening */
};

/* Whether the process that keeps a device, when this one has closed it, has it open now. */
enum device_keeper {
	KEEPER_NOT_KNOWN, /* there is none, or it cannot be asked */
	KEEPER_HOLDS,
	KEEPER_ENDED,
	KEEPER_CLOSED, /* it lives, and has given the device up */
	KEEPER_HIDDEN, /* it may no longer be looked into */
};

/**
 * struct device_owner - the process that uses a device which this one has taken part in
 * @comm: what it calls itself; what is not printable ASCII is replaced
 * @fd: its descriptor of the device
 */
struct device_owner {
	pid_t pid;
	int fd;
	char comm[16];
};

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
 * @owner_frozen: the process whose device it is (device_owner()) does not run while it is stopped
 * @returns: what is going to be done ends with the device where it was found, and its state is
 *           nowhere else until then: should this process be killed, a holder brings it back there
 * @program: what this process calls itself to a holder; may be NULL
 */
struct device_options {
	struct acquire_options acquire;
	int call_timeout_ms;
	enum device_protocol protocol;
	struct cancel *cancel;
	bool only_asks, owner_frozen, returns;
	const char *program;
};

/**
 * struct device - one device
 * @spec: what the user called it
 * @node: its place in sysfs; NULL for a server's device, and for an fd whose device cannot be told
 * @how: the way it is come by, a row of acquirer.h; only for device/
 * @origin: what that row keeps of its own
 * @mig: the open device, NULL until device_open()
 * @via: how it was opened
 * @lock: keeps other vfiomigctl off one that is shared (host/device-lock.h), -1 for none
 * @resets: a PCI function that VFIO can reset: as sysfs suggests before, as the device says after
 *          opening
 * @has_ids, @ids: PCI numbers, from sysfs before and from the configuration space after opening
 * @config, @config_size: the configuration space as found when it was opened
 */
struct device {
	const struct host *host;
	char *spec;
	struct vfio_node *node;
	const struct acquirer *how;
	void *origin;
	struct mig_dev *mig;
	enum acquire_via via;
	int lock;
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

/** device_unlock() - nothing is done to the open device any more, until another tool has */
void device_unlock(struct device *dev);

/** device_ownership() - who else has it open */
enum device_ownership device_ownership(const struct device *dev);

/** device_opening() - what device_open() does to it or to others */
enum device_opening device_opening(const struct device *dev);

/** device_is_served() - a server answers for it: a silent one may be waited for */
bool device_is_served(const struct device *dev);

/** device_is_kept() - its owner, or a holder, keeps it open when this process has closed it */
bool device_is_kept(const struct device *dev);

/** device_call_timeout() - @opts->call_timeout_ms where it applies to @dev */
int device_call_timeout(const struct device *dev, const struct device_options *opts);

/** device_socket() - the path of the socket that leads to it; @dev's; NULL for none */
const char *device_socket(const struct device *dev);

/**
 * device_lent() - the devices that a name may mean which is that of their holder alone
 * @ret: names as device_find() takes them, and NULL; device_lent_done()
 *
 * Return: 0, @ret NULL where @dev is one device; what connecting and asking failed with.
 */
_must_check_ int device_lent(const struct device *dev, const struct device_options *opts,
			     char ***ret, struct err *err);
void device_lent_done(char **names);

/** device_owner() - the process whose device it is; @dev's; NULL for none that is known */
const struct device_owner *device_owner(const struct device *dev);

/** device_owner_pid() - its pid, or 0 */
pid_t device_owner_pid(const struct device *dev);

/**
 * device_owner_pidfd() - that process, whatever has its number by now
 *
 * Return: @dev's; -1 for none.
 */
int device_owner_pidfd(const struct device *dev);

/** device_keeper() - the owner, or the lender of an open device, as it is now */
enum device_keeper device_keeper(const struct device *dev);

/**
 * device_check_kept() - its owner or lender has it open still
 *
 * Once that is no more, closing the device here is its last close. That can come true the moment
 * after it was asked.
 *
 * Return: 0, also where there is none that is known; -ESRCH: it has ended, or closed the device, or
 * cannot be looked into any more.
 */
_must_check_ int device_check_kept(const struct device *dev, struct err *err);

/**
 * struct device_lease - who has a device that its holder lends
 * @use: "idle", "read", "change" or "recover", in the holder's words
 * @by, @pid: the client that may change it: what that calls itself, "" and 0 for none
 */
struct device_lease {
	char use[16], by[64];
	pid_t pid;
};

/**
 * device_lease() - as its holder has told device_check(), which asks it; @dev's
 *
 * Return: NULL where there is no holder, or it was not asked.
 */
const struct device_lease *device_lease(const struct device *dev);

/**
 * device_returned() - its lender has brought it to @home, with its own state
 * @timeout_ms: how long that is waited for
 *
 * For a process that outlives the one whose device it was: the lease has ended with that. Return:
 * false also where there is no lender that does so, or none that says.
 */
bool device_returned(const struct device *dev, enum mig_state home, int timeout_ms);

/** device_watch_fd() - what hangs up (POLLRDHUP) when the device or its owner is gone; or -1 */
int device_watch_fd(const struct device *dev);

/**
 * device_attend() - deal with what comes at device_watch_fd(), of a device that is only held
 *
 * Never waits. Return: 0; -ECONNRESET at its end: a server's device is gone then, one of the
 * kernel's is here still; other negative errno (ERR_PEER) when only the end is worth waiting for.
 */
_must_check_ int device_attend(struct device *dev, struct err *err);

/**
 * device_find() - resolve what the user called a device; opens nothing
 * @spec: as vfio_node_resolve() takes it, or with the prefix of another row of acquirer.h
 */
_must_check_ int device_find(const struct host *host, const char *spec, struct device **ret,
			     struct err *err);

/** device_open() - acquire it and read its configuration space; asks nothing of migration. */
_must_check_ int device_open(struct device *dev, const struct device_options *opts,
			     struct err *err);

/**
 * device_adopt() - the device behind descriptors that another process has handed over for good
 * @name: what it is called where the kernel does not tell
 * @acq: consumed, on success or failure
 * @ownership: DEVICE_SOLE, or DEVICE_SHARED where a third process has it open, too
 * @ret: open
 *
 * Return: 0; -EINVAL (ERR_PEER) for a group that is not the device's; as acquire_check_fd() and
 * device_open().
 */
_must_check_ int device_adopt(const struct host *host, const char *name, struct acquired *acq,
			      enum device_ownership ownership, const struct device_options *opts,
			      struct device **ret, struct err *err);

/** device_fds() - what it is open by; @dev's. NULL for a server's device, which has no such fd */
const struct acquired *device_fds(const struct device *dev);

/** device_opened_here() - a PCI function that this process itself opens */
bool device_opened_here(const struct device *dev);

/**
 * device_lacks_dma() - a PCI function that no process is known to have mapped DMA for
 *
 * One that this process opens itself, or that a holder has lent: its user maps the memory later.
 * What it holds must not run by default. One of another process runs with what that has mapped.
 */
bool device_lacks_dma(const struct device *dev);

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
 * @ownership: other than DEVICE_SOLE, another process has it open, too
 * @left: that process has let it go since
 * @driver_keeps: of the driver it is known (quirks.h)
 * @pci: a PCI function
 * @resets: VFIO can reset this function alone
 * @root_bus: no bridge is above it
 */
struct close_facts {
	enum device_ownership ownership;
	bool driver_keeps, pci, resets, root_bus, left;
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
