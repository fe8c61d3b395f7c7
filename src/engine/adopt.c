// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/log.h"
#include "device/owner.h"
#include "engine/adopt.h"
#include "fsm/fsm.h"

static int adopt_refuse(const struct device *dev, enum adopt_purpose purpose,
			enum adopt_verdict verdict, struct err *err)
{
	const struct device_owner *owner = device_owner(dev);
	enum err_kind kind = verdict == ADOPT_BROKEN ? ERR_DEVICE : ERR_SYSTEM;
	const char *hint, *reason = adopt_reason(purpose, verdict, &hint);

	err_fail(err, kind, -EBUSY, "%s: is in %s: %s (%s, pid %d)", dev->mig->name,
		 dev->mig->state_known ? fsm_name(dev->mig->state) : "an unknown state", reason,
		 owner->comm, (int)owner->pid);
	return err_hint(err, -EBUSY, "%s", hint);
}

static int adopt_judge_device(const struct device *dev, struct adopt_facts *facts, struct err *err)
{
	const struct device_owner *owner = device_owner(dev);
	struct owner_streams streams;
	enum adopt_verdict verdict;
	int r;

	if (!owner)
		return 0;
	r = owner_streams_now(dev, &streams, err);
	if (r < 0)
		return r;
	facts->state = dev->mig->state_known ? dev->mig->state : MIG_RUNNING;
	facts->saving = streams.saving >= 0;
	facts->loading = streams.loading >= 0;
	verdict = adopt_judge(facts);
	if (verdict == ADOPT_TELL)
		log_warn("%s: %s (pid %d) uses it, and does not learn that its state is set",
			 dev->mig->name, owner->comm, (int)owner->pid);
	if (verdict == ADOPT_TAKE || verdict == ADOPT_TELL)
		return 0;
	return adopt_refuse(dev, facts->purpose, verdict, err);
}

int adopt_check(const struct device *dev, enum adopt_purpose purpose, bool frozen, struct err *err)
{
	struct adopt_facts facts = { .purpose = purpose, .frozen = frozen };

	return adopt_judge_device(dev, &facts, err);
}

int adopt_check_explicit(const struct device *dev, enum adopt_purpose purpose, bool forced,
			 struct err *err)
{
	struct adopt_facts facts = { .purpose = purpose, .forced = forced };

	return adopt_judge_device(dev, &facts, err);
}
