// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "device/recover.h"
#include "engine/hold-recover.h"
#include "fsm/fsm.h"

static void hold_recover_bring_back(struct hold_recover *r, const struct lease_recovery *todo)
{
	struct arc_retry retry = { .budget_ns = r->drain_ns };
	enum mig_state left = r->mig->state;
	struct mig_recovery done;
	struct err err = { 0 };
	char reason[ERR_REASON_MAX];

	r->restored = mig_recover(r->mig, todo->want, todo->holds, &retry, &done, &err) &&
		      !done.reset && done.end == r->found;
	if (!err.code)
		snprintf(r->text, sizeof(r->text), "found in %s, brought to %s%s", fsm_name(left),
			 fsm_name(done.end), done.reset ? " by a reset: what it held is lost" : "");
	else
		snprintf(r->text, sizeof(r->text),
			 "found in %s, and could not be brought to %s: %.120s%s", fsm_name(left),
			 fsm_name(todo->want), err.text, err_reason(&err, reason));
}

static void hold_recover_work(struct hold_recover *r, struct cancel *cancel)
{
	struct mig_dev *mig = r->mig;
	struct lease_recovery todo;
	int known;

	snprintf(r->text, sizeof(r->text), "where it is is not known");
	if (!mig->caps)
		return;
	cancel_call_begin(cancel, "asking for its state");
	known = mig_refresh(mig, NULL);
	cancel_call_end(cancel);
	if (known < 0)
		return;
	snprintf(r->text, sizeof(r->text), "it is in %s", fsm_name(mig->state));
	todo = lease_recovery(r->end, r->if_lost, r->found, mig->state);
	r->restored = mig->state == r->found && mig->state != MIG_ERROR;
	if (todo.needed)
		hold_recover_bring_back(r, &todo);
}

void hold_recover(struct hold_recover *r, struct cancel *cancel)
{
	struct cancel *before = r->mig->cancel;

	r->mig->cancel = cancel;
	hold_recover_work(r, cancel);
	r->mig->cancel = before;
}
