// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "device/hold-client.h"
#include "engine/give.h"

/* A refusal is an answer that says so. One that makes no sense is none. */
static enum successor_event give_event(int r, bool answered, const struct err *err)
{
	if (r >= 0)
		return SUCCESSOR_ON_TAKE;
	return answered && err->kind != ERR_PEER ? SUCCESSOR_ON_REFUSE : SUCCESSOR_ON_FAILURE;
}

static int give_one(const char *path, const struct device *dev, const struct hold_wait *wait,
		    enum successor_stage *stage, struct err *err)
{
	const struct hold_fds fds = hold_fds_of(device_fds(dev));
	struct hold_request req = {
		.verb = HOLD_GIVE,
		.shared = device_ownership(dev) == DEVICE_SHARED,
	};
	_cleanup_(hold_packet_done) struct hold_packet answer = HOLD_PACKET_NONE;
	_cleanup_fd_ int sock = -1;
	int r;

	snprintf(req.name, sizeof(req.name), "%s", device_name(dev));
	snprintf(req.driver, sizeof(req.driver), "%s",
		 device_driver(dev) ? device_driver(dev) : "");
	r = hold_connect(path, path, wait, &sock, err);
	if (r < 0) {
		*stage = successor_next(*stage, SUCCESSOR_ON_FAILURE);
		return r;
	}
	*stage = successor_next(*stage, SUCCESSOR_ON_OFFER);
	r = hold_ask(sock, &req, &fds, wait, &answer, err);
	*stage = successor_next(*stage, give_event(r, answer.o, err));
	return r < 0 ? err_prefix(err, r, "%s", path) : 0;
}

int give_devices(const char *path, struct device *const *devs, unsigned int n,
		 struct cancel *cancel, int timeout_ms, enum successor_stage *ret, struct err *err)
{
	const struct hold_wait wait = { .cancel = cancel, .timeout_ms = timeout_ms };
	_cleanup_free_ enum successor_stage *stages = calloc(n, sizeof(*stages));
	int r = 0;

	*ret = SUCCESSOR_FAILED;
	if (!stages)
		return err_set(err, -ENOMEM, "%s", path);
	for (unsigned int i = 0; i < n && r >= 0; i++) {
		stages[i] = SUCCESSOR_HERE;
		/* The other one locks it. */
		device_unlock(devs[i]);
		r = give_one(path, devs[i], &wait, &stages[i], err);
	}
	*ret = successor_worst(stages, n);
	return r;
}
