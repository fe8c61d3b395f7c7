// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "fake-switchover.h"

struct fake_policy fake_policy;

void switchover_start(struct switchover *p, const struct switchover_options *options,
		      uint64_t now_ns)
{
	*p = (struct switchover){ .options = *options, .start_ns = now_ns };
}

void switchover_step(struct switchover *p, const struct switchover_round *round,
		     struct switchover_decision *ret)
{
	struct fake_policy *f = &fake_policy;

	if (f->asked == FAKE_POLICY_ROUNDS)
		abort();
	if (f->on_step)
		f->on_step(f->ctx);
	p->rounds++;
	*ret = (struct switchover_decision){
		.verdict = f->asked < f->n ? f->verdicts[f->asked] : SWITCHOVER_CONVERGED,
		.number = p->rounds,
		.round = *round,
		.pause_ns = f->pause_ns,
	};
	f->rounds[f->asked++] = *round;
}

const char *switchover_verdict_name(enum switchover_verdict verdict)
{
	(void)verdict;
	return "judged";
}
