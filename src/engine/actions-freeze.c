// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/actions-actor.h"

static bool actions_freeze_has(const struct actions_freeze *f, pid_t pid)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->freezers[i].pid == pid)
			return true;
	return false;
}

/* A process that does not run changes no state: what leaves a session then was reset. */
static void actions_freeze_share(const struct actions_freeze *f, size_t i, bool shared)
{
	for (unsigned int m = 0; m < f->n_members; m++) {
		const struct device *dev = f->members[m].dev;

		if (dev->mig && f->options->owner(dev) == f->freezers[i].pid)
			dev->mig->shared = shared;
	}
}

static void actions_freeze_one(struct actions_freeze *f, size_t i)
{
	actions_freeze_share(f, i, true);
	freezer_thaw(&f->freezers[i]);
	f->stopped[i] = false;
	guardian_thawed(f->guardian, i);
	log_info("process %d goes on", (int)f->freezers[i].pid);
}

static void actions_freeze_thaw(struct actions_freeze *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->stopped[i])
			actions_freeze_one(f, i);
}

/* A process that is found stopped is left to what stopped it. */
static int actions_freeze_stop(struct actions_freeze *f, size_t i, struct cancel *cancel,
			       struct err *err)
{
	const struct freezer *freezer = &f->freezers[i];
	int r;

	if (!freezer_runs(freezer)) {
		log_info("process %d is stopped already", (int)freezer->pid);
		return 0;
	}
	r = guardian_freezing(f->guardian, i, err);
	if (r < 0)
		return r;
	r = freezer_freeze(freezer, cancel, err);
	if (r < 0) {
		guardian_thawed(f->guardian, i);
		return r;
	}
	f->stopped[i] = true;
	actions_freeze_share(f, i, false);
	log_info("process %d is stopped by %s", (int)freezer->pid,
		 freezer->cgroup >= 0 ? "the freezer of its cgroup" : "SIGSTOP");
	return 0;
}

static int actions_freeze_stop_all(struct actions_freeze *f, struct cancel *cancel, struct err *err)
{
	for (size_t i = 0; i < f->n; i++) {
		int r = actions_freeze_stop(f, i, cancel, err);

		if (r < 0) {
			actions_freeze_thaw(f);
			return r;
		}
	}
	return 0;
}

static int actions_freeze_act(void *ctx, enum action action, const struct action_facts *facts,
			      struct err *err)
{
	struct actions_freeze *f = ctx;

	if (action == ACTION_PRE_STOP)
		return actions_freeze_stop_all(f, facts->cancel, err);
	if (action == ACTION_POST_START || action == ACTION_ABORT)
		actions_freeze_thaw(f);
	return 0;
}

static void actions_freeze_free(void *ctx)
{
	struct actions_freeze *f = ctx;

	actions_freeze_thaw(f);
	for (size_t i = 0; i < f->n; i++)
		freezer_close(&f->freezers[i]);
	free(f->freezers);
	free(f->stopped);
	free(f);
}

static int actions_freeze_open(struct actions_freeze *f, const struct actions_options *o,
			       const struct member *members, unsigned int n, struct err *err)
{
	for (unsigned int i = 0; i < n; i++) {
		pid_t pid = o->owner(members[i].dev);
		int r;

		if (!pid || actions_freeze_has(f, pid))
			continue;
		r = freezer_open(&f->freezers[f->n], &host_live, pid,
				 device_owner_pidfd(members[i].dev), err);
		if (r < 0) {
			freezer_close(&f->freezers[f->n]);
			return err_prefix(err, r, "%s: --freeze-owner",
					  device_name(members[i].dev));
		}
		f->n++;
	}
	return 0;
}

int actions_freeze_new(const struct actions_options *o, const struct member *members,
		       unsigned int n, struct actions_freeze **ret, struct err *err)
{
	struct actions_freeze *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(err, -ENOMEM, "calloc");
	f->options = o;
	f->members = members;
	f->n_members = n;
	f->freezers = calloc(n, sizeof(*f->freezers));
	f->stopped = calloc(n, sizeof(*f->stopped));
	if (!f->freezers || !f->stopped)
		r = err_set(err, -ENOMEM, "calloc");
	else
		r = actions_freeze_open(f, o, members, n, err);
	if (r < 0) {
		actions_freeze_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

const struct actor_ops actions_freeze_ops = {
	.actor = ACTION_BY_FREEZER,
	.act = actions_freeze_act,
	.free = actions_freeze_free,
};
