// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <unistd.h>

#include "device/acquire-shared.h"

static void acquire_shared_copy(const int from[2], int to[2])
{
	for (int i = 0; i < 2; i++)
		to[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, 3);
}

static void acquire_shared_close(int keep[2])
{
	for (int i = 0; i < 2; i++) {
		if (keep[i] >= 0)
			close(keep[i]);
		keep[i] = -1;
	}
}

void acquire_shared_find(const struct acquire_shared *s, enum acquire_via via, int group,
			 int keep[2])
{
	for (unsigned int i = 0; s && i < s->n; i++) {
		if (s->v[i].via != via || (via == ACQUIRE_GROUP && s->v[i].group != group))
			continue;
		acquire_shared_copy(s->v[i].keep, keep);
		/* Half a way is none: then the device is opened on its own, and says why not. */
		if (keep[0] < 0 || (s->v[i].keep[1] >= 0 && keep[1] < 0))
			acquire_shared_close(keep);
		return;
	}
}

void acquire_shared_add(struct acquire_shared *s, int group, const struct acquired *acq)
{
	if (!s || s->n == ACQUIRE_SHARED_MAX || acq->keep[0] < 0)
		return;
	s->v[s->n].via = acq->via;
	s->v[s->n].group = group;
	acquire_shared_copy(acq->keep, s->v[s->n].keep);
	s->n++;
}

void acquire_shared_done(struct acquire_shared *s)
{
	while (s->n)
		acquire_shared_close(s->v[--s->n].keep);
}
