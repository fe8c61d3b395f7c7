// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: the lock of a device's state, and resets that come while it is held.
 */

#include "migsim.h"

void migsim_lock_init(struct migsim *m)
{
	mutex_init(&m->transition);
	mutex_init(&m->lock);
	spin_lock_init(&m->reset_lock);
}

void migsim_lock(struct migsim *m)
{
	mutex_lock(&m->lock);
}

void migsim_unlock(struct migsim *m)
{
	spin_lock(&m->reset_lock);
	while (m->reset_due) {
		m->reset_due = false;
		spin_unlock(&m->reset_lock);
		migsim_reset(m);
		spin_lock(&m->reset_lock);
	}
	/* Under the spinlock: else a reset could come that neither of both sees to. */
	mutex_unlock(&m->lock);
	spin_unlock(&m->reset_lock);
}

void migsim_reset_due(struct migsim *m)
{
	bool mine;

	spin_lock(&m->reset_lock);
	m->reset_due = true;
	mine = mutex_trylock(&m->lock);
	spin_unlock(&m->reset_lock);
	if (mine)
		migsim_unlock(m);
}
