// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "device/owner.h"
#include "engine/adopt.h"
#include "fsm/fsm.h"

static int adopt_refuse(const struct device *dev, enum adopt_verdict verdict, struct err *err)
{
	const struct device_owner *owner = device_owner(dev);
	enum err_kind kind = verdict == ADOPT_BROKEN ? ERR_DEVICE : ERR_SYSTEM;
	const char *hint, *reason = adopt_reason(verdict, &hint);

	err_fail(err, kind, -EBUSY, "%s: is in %s: %s (%s, pid %d)", dev->mig->name,
		 fsm_name(dev->mig->state), reason, owner->comm, (int)owner->pid);
	return err_hint(err, -EBUSY, "%s", hint);
}

int adopt_check(const struct device *dev, enum adopt_purpose purpose, bool frozen, struct err *err)
{
	struct adopt_facts facts = {
		.purpose = purpose,
		.state = dev->mig->state,
		.frozen = frozen,
	};
	struct owner_streams streams;
	enum adopt_verdict verdict;

	if (!device_owner(dev))
		return 0;
	owner_streams_now(dev, &streams);
	facts.saving = streams.saving >= 0;
	facts.loading = streams.loading >= 0;
	verdict = adopt_judge(&facts);
	return verdict == ADOPT_TAKE ? 0 : adopt_refuse(dev, verdict, err);
}
