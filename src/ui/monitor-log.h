/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What `monitor` writes as it happens: a line of text or of JSON for each thing
 *
 * By base/lines.h: a reader that has stopped reading is told what it has missed, and holds up
 * nothing.
 */

#include "base/lines.h"
#include "engine/dwell.h"
#include "engine/until.h"
#include "host/devlink.h"
#include "host/uevent.h"

/**
 * struct monitor_log
 * @start_ns: on the monotonic clock
 */
struct monitor_log {
	struct lines out;
	bool json, quiet;
	uint64_t start_ns;
};

void monitor_log_init(struct monitor_log *log, bool json, bool quiet);
void monitor_log_done(struct monitor_log *log);

/** monitor_log_check() - Return: 0; -EPIPE and the like when the reader is gone. */
_must_check_ int monitor_log_check(struct monitor_log *log, struct err *err);

/** monitor_log_device() - where it is now; @driver and @cdev may be NULL */
void monitor_log_device(struct monitor_log *log, const char *device, enum presence presence,
			const char *driver, const char *cdev);
void monitor_log_uevent(struct monitor_log *log, const char *device, const struct uevent *event);

/** monitor_log_port() - a VF's port has changed, or @gone */
void monitor_log_port(struct monitor_log *log, const char *device, const struct devlink_port *port,
		      bool gone);

/** monitor_log_state() - the state of @d has changed; where it is not known any more, too */
void monitor_log_state(struct monitor_log *log, const char *device, const struct dwell *d,
		       const struct dwell_change *change);

/** monitor_log_overrun() - events of @source ("uevents", "devlink") were lost */
void monitor_log_overrun(struct monitor_log *log, const char *source);
