/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who may do what with a device that is held for several
 *
 * Any number of clients may read; beside them one at a time may change the device's state. A
 * changing client whose connection ends without a release is lost in the middle of something, and
 * the device is brought back as after a failed SET: its session is ended, and what it holds is
 * kept. How far back is the client's to say beforehand, since only it knows whether the state may
 * have gone to another host: a device that may run there must not run here (enum hold_if_lost).
 *
 * Pure: clients are numbers here; engine/hold.h asks the device and carries out what this says.
 */

#include <stdbool.h>
#include <stdint.h>

#include "device/hold-message.h"
#include "device/recovery-policy.h"
#include "fsm/fsm.h"

#define LEASE_CLIENTS_MAX 64
#define LEASE_NONE (-1)
#define LEASE_RECOVERS (-2)

/**
 * struct lease - of one device
 * @readers: a bit for each client, the changing one not among them
 * @changer: the client that may change it, LEASE_NONE, or LEASE_RECOVERS: the holder itself, which
 *           brings it back, and lends it to no other client meanwhile
 */
struct lease {
	uint64_t readers;
	int changer;
};

#define LEASE_INIT ((struct lease){ .changer = LEASE_NONE })

enum lease_event {
	LEASE_ASKS_READ,
	LEASE_ASKS_CHANGE,
	LEASE_RELEASES,
	LEASE_GOES, /* its connection ends */
	LEASE_NR_EVENTS
};

/* Outcomes of lease_step(); not errors. */
enum lease_verdict {
	LEASE_GRANTED,
	LEASE_BUSY, /* another client has it for changing */
	LEASE_NOT_YET, /* the holder brings it back */
	LEASE_NOT_HIS, /* the client has no lease to release, or to lose */
	LEASE_READ_ENDED,
	LEASE_CHANGE_ENDED, /* in order */
	LEASE_LOST, /* the changing client is gone in the middle */
};

/** lease_step() - what an event of client number @client comes to; @l is where it is then */
enum lease_verdict lease_step(struct lease *l, int client, enum lease_event event);

/** lease_recover() - the holder begins to bring it back; no client may be changing it */
void lease_recover(struct lease *l);

/** lease_recovered() - it is through with that */
void lease_recovered(struct lease *l);

/** lease_idle() - no client has it, and the holder does not bring it back */
bool lease_idle(const struct lease *l);

/**
 * struct lease_recovery - what has to be done with a device that a changing client has left
 * @needed: false where it is left as it is
 * @want, @holds: as of mig_recover()
 */
struct lease_recovery {
	bool needed;
	enum mig_state want;
	enum mig_holds holds;
};

/**
 * lease_recovery() - after LEASE_LOST and LEASE_CHANGE_ENDED
 * @if_lost: what the client has asked for
 * @found: where the client found the device, by mig_settled()
 * @now: where it has left it
 *
 * What a client releases in order is where the client wants it; only a session that is open, whose
 * stream the client alone has had, is ended. RESUMING is a load that was cut off: it is dropped,
 * with what was in the device before, and the device is left in STOP, wherever it was found.
 */
struct lease_recovery lease_recovery(enum lease_verdict end, enum hold_if_lost if_lost,
				     enum mig_state found, enum mig_state now);
