/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which clients a holder has room for
 *
 * Its own user and the superuser must get in whatever the users do that are allowed beside them:
 * each of those has some places, all of them together leave some free, and a client that has no
 * device and asks for nothing loses its place to one that comes.
 *
 * Pure: the caller knows the clients and the time.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Places of one user who is allowed in, and those that are kept from all of these. */
#define ADMIT_USER_MAX 16u
#define ADMIT_KEPT 16u

/* How long a client may say nothing before its place counts as free. */
#define ADMIT_SILENT_NS (30 * UINT64_C(1000000000))

/**
 * struct admit_client - a place
 * @ours: the client is the superuser's or the holder's own user's
 * @leases: it has a device
 * @silent_ns: since its last message, or since it has connected
 */
struct admit_client {
	bool used, ours, leases;
	uid_t uid;
	uint64_t silent_ns;
};

/* Outcomes of admit(); not errors. */
enum admit_verdict {
	ADMIT_HERE,
	ADMIT_USER_FULL, /* its user has as many connections as a user may have */
	ADMIT_FULL,
};

/**
 * admit() - a place for one more
 * @one: the client that comes
 * @ret: for ADMIT_HERE, its place; where that is used, the client there is to be dropped first
 */
enum admit_verdict admit(const struct admit_client *places, unsigned int n,
			 const struct admit_client *one, unsigned int *ret);
