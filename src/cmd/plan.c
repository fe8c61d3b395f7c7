// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "device/acquire-why.h"
#include "engine/adopt.h"
#include "host/freezer.h"
#include "host/holder.h"
#include "cmd/plan.h"

int cmd_plan_check(const struct device *dev, const struct device_options *opts, struct err *err)
{
	struct holders holders = { 0 };
	bool held;
	int r;

	r = device_check(dev, opts, err);
	if (r < 0 || device_opening(dev) != OPENING_MAY_RESET || !dev->node)
		return r;
	held = holders_find(dev->host, dev->node, &holders, NULL) >= 0 && holders.n;
	holders_done(&holders);
	return held ? acquire_busy(dev->host, dev->node, err) : 0;
}

int cmd_plan_adopt(struct device *dev, const struct device_options *opts,
		   enum adopt_purpose purpose, struct err *err)
{
	int r;

	if (device_opening(dev) != OPENING_FREE)
		return 0;
	r = device_open(dev, opts, err);
	if (r < 0)
		return r;
	r = mig_query(dev->mig, err);
	return r < 0 ? r : adopt_check(dev, purpose, opts->owner_frozen, err);
}

/* Two devices may have one owner. */
static bool cmd_plan_is_listed(struct device *const *devs, unsigned int i)
{
	for (unsigned int k = 0; k < i; k++)
		if (device_owner_pid(devs[k]) == device_owner_pid(devs[i]))
			return true;
	return false;
}

static int cmd_plan_freeze(struct json_object *list, const struct device *dev, struct err *err)
{
	const struct device_owner *owner = device_owner(dev);
	struct freezer freezer = FREEZER_NONE;
	struct json_object *item;
	int r;

	r = freezer_open(&freezer, &host_live, owner->pid, device_owner_pidfd(dev), err);
	if (r < 0) {
		freezer_close(&freezer);
		return err_prefix(err, r, "%s: --freeze-owner", device_name(dev));
	}
	item = report_append(list);
	report_int(item, "pid", owner->pid);
	report_string(item, "comm", owner->comm);
	if (!freezer_runs(&freezer))
		report_string(item, "by", "none");
	else
		report_string(item, "by", freezer.cgroup >= 0 ? "cgroup" : "signal");
	freezer_close(&freezer);
	return 0;
}

int cmd_plan_actions(struct json_object *report, const struct actions_options *o,
		     struct device *const *devs, unsigned int n, struct err *err)
{
	struct json_object *list;
	int r;

	r = actions_check(o, devs, n, err);
	if (r < 0)
		return r;
	if (o->script)
		report_name(report, "action_script", o->script);
	if (!o->freeze_owner)
		return 0;
	list = report_array(report, "freezes");
	for (unsigned int i = 0; i < n; i++) {
		if (!device_owner(devs[i]) || cmd_plan_is_listed(devs, i))
			continue;
		r = cmd_plan_freeze(list, devs[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

void cmd_plan_view(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "comm", "WOULD FREEZE", REPORT_TEXT },
		{ "pid", "PID", REPORT_TEXT },
		{ "by", "BY", REPORT_TEXT },
	};
	struct json_object *list;

	if (json_object_object_get_ex(report, "freezes", &list))
		report_table(f, list, columns, ARRAY_SIZE(columns));
}
