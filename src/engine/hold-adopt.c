// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/hold-parts.h"

/**
 * struct hold_adoption - a device that a client gives
 * @req: as it is given; the thread's, with what follows, until the call has ended
 * @host, @opts: the holder's, which may end before the thread does
 * @dev: what was made of @acq; NULL while it is not known to be a device
 * @result, @err: of that
 * @client: that is to be answered, or -1
 */
struct hold_adoption {
	struct hold_request req;
	const struct host *host;
	struct device_options opts;
	struct acquired acq;
	struct device *dev;
	int result;
	struct err err;
	struct hold_call *call;
	int client;
};

static void hold_adopt_run(void *ctx, struct cancel *cancel)
{
	struct hold_adoption *a = ctx;

	cancel_call_begin(cancel, "being asked what it is");
	a->result = device_adopt(a->host, a->req.name, &a->acq,
				 a->req.shared ? DEVICE_SHARED : DEVICE_SOLE, &a->opts, &a->dev,
				 &a->err);
	if (a->result >= 0 && !a->dev->mig->caps && mig_query(a->dev->mig, NULL) < 0)
		log_debug("%s: cannot migrate", a->req.name);
	cancel_call_end(cancel);
}

/* It comes too late: its client was told so, or there is no holder any more. */
static void hold_adopt_drop(void *ctx)
{
	struct hold_adoption *a = ctx;

	if (a->result >= 0)
		device_free(a->dev);
	free(a);
}

struct hold_call *hold_adopt_call(const struct hold *h, unsigned int i)
{
	return h->adoptions[i] ? h->adoptions[i]->call : NULL;
}

/* Return: its place; NULL where it is not to be had, for the reason in @a->err. */
static struct hold_place *hold_adopt_take(struct hold *h, struct hold_adoption *a)
{
	char who[HOLD_BY_MAX + 24];
	struct hold_place *p;

	if (a->result < 0 || hold_take(h, a->dev, &a->err) < 0)
		return NULL;
	p = hold_find_device(h, a->dev);
	hold_place_arm(p);
	if (a->client < 0)
		hold_tell(h, HOLD_NEWS_TAKEN, p, "given by a client that is gone");
	else
		hold_tell(h, HOLD_NEWS_TAKEN, p, "given by %s",
			  hold_name_client(&h->clients[a->client], who));
	return p;
}

/* Return: the client that has its answer, -1 for none. */
static int hold_adopt_ended(struct hold *h, unsigned int i)
{
	_cleanup_free_ struct hold_adoption *a = TAKE_PTR(h->adoptions[i]);
	struct hold_place *p;

	hold_call_end(a->call);
	p = hold_adopt_take(h, a);
	if (a->client < 0)
		return -1;
	h->clients[a->client].adoption = NULL;
	hold_serve_adopted(h, (unsigned int)a->client, p, &a->err);
	return a->client;
}

void hold_adopt_ready(struct hold *h, unsigned int i)
{
	int client = h->adoptions[i] ? hold_adopt_ended(h, i) : -1;

	if (client >= 0)
		hold_serve_deaf(h, (unsigned int)client);
}

void hold_adopt_late(struct hold *h, unsigned int i)
{
	struct hold_adoption *a = h->adoptions[i];
	char what[CANCEL_TEXT_MAX + 32];
	struct err err = { 0 };
	unsigned int client;

	if (!a || !hold_call_note_late(a->call) || a->client < 0)
		return;
	client = (unsigned int)a->client;
	err_set(&err, -EBUSY, "%s: not taken: its driver has not come back from %s", a->req.name,
		hold_call_waits_for(a->call, what, sizeof(what)));
	err_hint(&err, -EBUSY, "its driver may hang: see the kernel's log");
	h->clients[client].adoption = NULL;
	h->adoptions[i] = NULL;
	hold_call_forsake(a->call);
	hold_serve_adopted(h, client, NULL, &err);
	hold_serve_deaf(h, client);
}

void hold_adopt_orphan(struct hold_client *c)
{
	if (c->adoption)
		c->adoption->client = -1;
	c->adoption = NULL;
}

static int hold_adopt_find_room(const struct hold *h, unsigned int *ret, struct err *err)
{
	for (unsigned int i = 0; i < LEASE_CLIENTS_MAX; i++)
		if (!h->adoptions[i]) {
			*ret = i;
			return 0;
		}
	err_set(err, -EBUSY, "too many devices are being taken whose drivers do not come back");
	return err_hint(err, -EBUSY, "see the kernel's log");
}

static int hold_adopt_start(struct hold_adoption *a, struct err *err)
{
	const struct hold_call_work work = {
		.run = hold_adopt_run,
		.drop = hold_adopt_drop,
		.ctx = a,
	};

	return hold_call_start(&work, &a->call, err);
}

int hold_adopt(struct hold *h, unsigned int client, const struct hold_request *req,
	       struct acquired *acq, struct err *err)
{
	struct hold_adoption *a = calloc(1, sizeof(*a));
	unsigned int i = 0;
	int r;

	r = a ? hold_adopt_find_room(h, &i, err) : err_set(err, -ENOMEM, "%s", req->name);
	if (r >= 0) {
		*a = (struct hold_adoption){
			.req = *req,
			.host = h->opts.host,
			.opts = h->opts.device,
			.acq = *acq,
			.client = (int)client,
		};
		r = hold_adopt_start(a, err);
	}
	if (r < 0) {
		acquired_done(acq);
		free(a);
		return r;
	}
	h->adoptions[i] = a;
	h->clients[client].adoption = a;
	if (hold_call_wait(a->call))
		(void)hold_adopt_ended(h, i);
	return 0;
}

void hold_adopt_done(struct hold *h)
{
	for (unsigned int i = 0; i < LEASE_CLIENTS_MAX; i++)
		if (h->adoptions[i])
			hold_call_forsake(TAKE_PTR(h->adoptions[i])->call);
}
