// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/hold-client.h"
#include "device/recover.h"
#include "engine/hold-admit.h"
#include "engine/hold-parts.h"
#include "fsm/fsm.h"

/* Clients that are taken in at one turn. */
#define CLIENTS_A_TURN 16

char *hold_name_client(const struct hold_client *c, char buf[HOLD_BY_MAX + 24])
{
	snprintf(buf, HOLD_BY_MAX + 24, "%s (pid %d)", *c->by ? c->by : "a client", (int)c->pid);
	return buf;
}

/* What a holder does not get rid of is lost: it waits for no client. Return: as hold_send(). */
static int hold_serve_send(const struct hold_client *c, struct json_object *o,
			   const struct hold_fds *fds)
{
	char who[HOLD_BY_MAX + 24];
	int r = hold_send(c->fd, o, fds);

	if (r < 0)
		log_info("%s: it does not get its answer: %s", hold_name_client(c, who),
			 err_name(r));
	return r;
}

/* A client that waits for an answer which is lost would wait for ever: its connection ends. */
static void hold_serve_answer(struct hold_client *c, struct json_object *o,
			      const struct hold_fds *fds)
{
	if (hold_serve_send(c, o, fds) < 0)
		c->deaf = true;
}

static void hold_serve_refuse(struct hold_client *c, const struct err *err)
{
	hold_serve_answer(c, hold_reply_error(err), NULL);
}

void hold_broadcast(struct hold *h, const struct hold_place *p, const char *event,
		    const char *answer)
{
	for (int i = 0; i < LEASE_CLIENTS_MAX; i++) {
		struct json_object *o;

		if (p->lease.changer != i && !(p->lease.readers >> i & 1))
			continue;
		o = hold_event_new(event, p->name);
		if (answer)
			json_object_object_add(o, "answer", json_object_new_string(answer));
		hold_serve_send(&h->clients[i], o, NULL);
	}
}

static bool hold_serve_is_ours(uid_t uid)
{
	return !uid || uid == geteuid();
}

static bool hold_serve_allows(const struct hold *h, const struct ucred *peer)
{
	if (hold_serve_is_ours(peer->uid))
		return true;
	for (size_t i = 0; i < h->opts.n_uids; i++)
		if (h->opts.uids[i] == peer->uid)
			return true;
	return false;
}

static bool hold_serve_has_lease(const struct hold *h, int client)
{
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++) {
		const struct hold_place *p = &h->places[i];

		if (p->state != HOLD_PLACE_FREE &&
		    (p->lease.changer == client || p->lease.readers >> client & 1))
			return true;
	}
	return false;
}

static enum admit_verdict hold_serve_find_place(const struct hold *h, const struct ucred *peer,
						unsigned int *ret)
{
	struct admit_client places[LEASE_CLIENTS_MAX];
	const struct admit_client one = { .ours = hold_serve_is_ours(peer->uid), .uid = peer->uid };
	uint64_t now = clock_ns();

	for (int i = 0; i < LEASE_CLIENTS_MAX; i++) {
		const struct hold_client *c = &h->clients[i];

		places[i] = (struct admit_client){
			.used = c->fd >= 0,
			.ours = hold_serve_is_ours(c->uid),
			.leases = hold_serve_has_lease(h, i),
			.uid = c->uid,
			.silent_ns = now - c->heard_ns,
		};
	}
	return admit(places, LEASE_CLIENTS_MAX, &one, ret);
}

/* Return: 0, and the client is one; -EPERM, -EUSERS and the like for one that is turned away. */
static int hold_serve_admit(struct hold *h, const struct hold_client *c, struct err *err)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	unsigned int place = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_set(err, -errno, "SO_PEERCRED");
	if (!hold_serve_allows(h, &peer)) {
		err_set(err, -EPERM, "user %u may not use this holder", peer.uid);
		return err_hint(err, -EPERM, "its owner allows users by --allow-uid");
	}
	switch (hold_serve_find_place(h, &peer, &place)) {
	case ADMIT_USER_FULL:
		return err_set(err, -EUSERS, "%u clients of user %u are connected: no more",
			       ADMIT_USER_MAX, peer.uid);
	case ADMIT_FULL:
		return err_set(err, -EUSERS, "as many clients are connected as there may be");
	case ADMIT_HERE:
		break;
	}
	if (h->clients[place].fd >= 0) {
		log_info("client %d has no device and says nothing: another has its place",
			 (int)h->clients[place].pid);
		hold_drop(h, place);
	}
	h->clients[place] = (struct hold_client){
		.fd = c->fd,
		.pid = peer.pid,
		.uid = peer.uid,
		.heard_ns = clock_ns(),
	};
	return 0;
}

bool hold_keep_spare(struct hold *h)
{
	if (h->spare < 0)
		h->spare = open(_PATH_DEVNULL, O_RDONLY | O_CLOEXEC);
	return h->spare >= 0;
}

/* Return: whether there may be another one. */
static bool hold_serve_accept_one(struct hold *h)
{
	struct hold_client c = { 0 };
	struct err err = { 0 };
	int full = 0, r;

	c.fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c.fd < 0 && (errno == EMFILE || errno == ENFILE) && h->spare >= 0) {
		full = -errno;
		close(TAKE_FD(h->spare));
		c.fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	if (c.fd < 0)
		return false;
	r = full ? err_set(&err, full, "the holder can take no more clients")
		 : hold_serve_admit(h, &c, &err);
	if (r >= 0)
		return true;
	log_info("a client was turned away: %s", err.text);
	hold_serve_refuse(&c, &err);
	closer_put_socket(&h->closer, c.fd);
	return hold_keep_spare(h);
}

void hold_accept(struct hold *h)
{
	for (int i = 0; i < CLIENTS_A_TURN && hold_serve_accept_one(h); i++)
		continue;
}

/* As many of the names as there is room for. */
static void hold_serve_not_found(const struct hold *h, const char *name, struct err *err)
{
	char names[256] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < HOLD_DEVICES_MAX && at < sizeof(names); i++)
		if (h->places[i].state != HOLD_PLACE_FREE)
			at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s",
					       at ? ", " : "", h->places[i].name);
	if (!at)
		err_set(err, -ENOENT, "%s%sno device is held here", name, *name ? ": " : "");
	else if (*name)
		err_set(err, -ENOENT, "%s: not held here; these are: %s", name, names);
	else
		err_set(err, -EINVAL, "several devices are held here, name one: %s", names);
}

static struct hold_place *hold_serve_find(struct hold *h, const char *name, struct err *err)
{
	struct hold_place *only = NULL;
	unsigned int n = 0;

	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++) {
		struct hold_place *p = &h->places[i];

		if (p->state == HOLD_PLACE_FREE)
			continue;
		if (!strcmp(p->name, name))
			return p;
		only = p;
		n++;
	}
	if (!*name && n == 1)
		return only;
	hold_serve_not_found(h, name, err);
	return NULL;
}

static const char *hold_serve_use(const struct lease *l)
{
	if (l->changer == LEASE_RECOVERS)
		return "recover";
	if (l->changer != LEASE_NONE)
		return "change";
	return lease_idle(l) ? "idle" : "read";
}

static struct json_object *hold_serve_state(const struct hold *h, struct hold_place *p)
{
	char what[CANCEL_TEXT_MAX + 32], hangs[CANCEL_TEXT_MAX + 96] = "";
	const int changer = p->lease.changer;
	const struct hold_client *c = changer < 0 ? NULL : &h->clients[changer];
	struct hold_state s = {
		.name = p->name,
		.driver = device_driver(p->dev),
		.state = hold_place_state(p),
		.use = hold_serve_use(&p->lease),
		.by = c && *c->by ? c->by : NULL,
		.pid = c ? (int)c->pid : 0,
		.note = *p->note ? p->note : NULL,
		.restored = p->restored,
	};

	if (hold_place_hangs(p, what, sizeof(what))) {
		snprintf(hangs, sizeof(hangs), "its driver has not come back from %s", what);
		s.note = hangs;
	}
	return hold_state_write(&s);
}

static void hold_serve_list(struct hold *h, struct hold_client *c)
{
	struct json_object *o = hold_reply_new("list"), *list = json_object_new_array();

	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (h->places[i].state != HOLD_PLACE_FREE)
			json_object_array_add(list, hold_serve_state(h, &h->places[i]));
	json_object_object_add(o, "devices", list);
	hold_serve_answer(c, o, NULL);
}

static void hold_serve_reply_device(const struct hold *h, struct hold_client *c,
				    struct hold_place *p, const char *word,
				    const struct hold_fds *fds)
{
	struct json_object *o = hold_reply_new(word);

	json_object_object_add(o, "device", hold_serve_state(h, p));
	hold_serve_answer(c, o, fds);
}

/*
 * Where the client finds it, which is where it goes back to when the client is lost. Return: false
 * when that is not known yet.
 */
static bool hold_serve_note_found(struct hold_place *p, const struct hold_request *req)
{
	enum hold_asked asked = hold_place_ask(p);

	p->if_lost = req->if_lost;
	p->found = asked == HOLD_ASKED_KNOWN ? mig_settled(p->dev->mig->state) : MIG_ERROR;
	return asked != HOLD_ASKED_NOT_YET;
}

static int hold_serve_busy(const struct hold *h, const struct hold_place *p, struct err *err)
{
	char who[HOLD_BY_MAX + 24];

	err_set(err, -EBUSY, "%s: %s has it, and may change its state", p->name,
		hold_name_client(&h->clients[p->lease.changer], who));
	return err_hint(err, -EBUSY, "wait for that one to end");
}

/*
 * A call to a driver takes milliseconds: a client is not refused for that. One that hangs is none
 * of those.
 */
static int hold_serve_not_yet(struct hold_client *c, const struct hold_place *p,
			      const struct hold_request *req, struct err *err)
{
	char what[CANCEL_TEXT_MAX + 32], who[HOLD_BY_MAX + 24];

	if (!hold_call_is_late(p->call)) {
		c->waits_for = p;
		c->asked = *req;
		snprintf(c->by, sizeof(c->by), "%s", req->by);
		log_info("%s: %s waits until it is %s", p->name, hold_name_client(c, who),
			 p->lease.changer == LEASE_RECOVERS ? "brought back" : "free");
		return 0;
	}
	hold_call_waits_for(p->call, what, sizeof(what));
	if (p->lease.changer == LEASE_RECOVERS)
		err_set(err, -EBUSY,
			"%s: being brought back since a client was lost; its driver is in %s",
			p->name, what);
	else
		err_set(err, -EBUSY, "%s: its driver has not come back from %s", p->name, what);
	return err_hint(err, -EBUSY, "its driver may hang: see the kernel's log");
}

static int hold_serve_get(struct hold *h, unsigned int client, const struct hold_request *req,
			  struct err *err)
{
	bool change = req->use == HOLD_USE_CHANGE;
	struct hold_client *c = &h->clients[client];
	struct hold_place *p = hold_serve_find(h, req->name, err);
	enum lease_verdict verdict;
	char who[HOLD_BY_MAX + 24];
	struct hold_fds fds;
	bool had;

	if (!p)
		return err->code;
	had = p->lease.changer == (int)client;
	if (p->call)
		return hold_serve_not_yet(c, p, req, err);
	if (!device_fds(p->dev))
		return err_set(err, -EOPNOTSUPP, "%s: a server's device cannot be lent", p->name);
	if (change && p->lease.changer == LEASE_NONE && !hold_serve_note_found(p, req))
		return hold_serve_not_yet(c, p, req, err);
	verdict = lease_step(&p->lease, (int)client, change ? LEASE_ASKS_CHANGE : LEASE_ASKS_READ);
	if (verdict == LEASE_BUSY)
		return hold_serve_busy(h, p, err);
	snprintf(c->by, sizeof(c->by), "%s", req->by);
	fds = hold_fds_of(device_fds(p->dev));
	hold_serve_reply_device(h, c, p, "get", &fds);
	/* What it did not get it does not have, and what it did not read is for the next one. */
	if (c->deaf && !had)
		lease_step(&p->lease, (int)client, LEASE_RELEASES);
	if (c->deaf)
		return 0;
	log_info("%s: %s has it, to %s", p->name, hold_name_client(c, who),
		 change ? "change its state" : "use it as it is");
	if (!change)
		return 0;
	p->note[0] = '\0';
	p->restored = HOLD_RESTORED_NOT_KNOWN;
	return 0;
}

/* @verdict: LEASE_LOST, or LEASE_CHANGE_ENDED. */
static void hold_serve_change_over(struct hold *h, struct hold_place *p, enum lease_verdict verdict,
				   const struct hold_client *c)
{
	char who[HOLD_BY_MAX + 24];

	snprintf(p->lost, sizeof(p->lost), "%s, %s", hold_name_client(c, who),
		 verdict == LEASE_LOST ? "ended in the middle of changing it"
				       : "left it in the middle of a session");
	if (verdict == LEASE_LOST)
		hold_place_lost(h, p);
	else
		hold_place_given_back(h, p);
}

/* An eventfd of the client's may have taken the place of ours. */
static void hold_serve_lease_over(struct hold *h, struct hold_place *p, enum lease_verdict verdict,
				  const struct hold_client *c)
{
	char who[HOLD_BY_MAX + 24];

	if (verdict != LEASE_NOT_HIS)
		log_info("%s: %s has given it back%s", p->name, hold_name_client(c, who),
			 verdict == LEASE_LOST ? " by its end alone" : "");
	if (verdict == LEASE_LOST || verdict == LEASE_CHANGE_ENDED)
		hold_serve_change_over(h, p, verdict, c);
	if (verdict != LEASE_NOT_HIS && lease_idle(&p->lease))
		hold_place_arm(p);
}

static int hold_serve_release(struct hold *h, unsigned int client, const struct hold_request *req,
			      struct err *err)
{
	struct hold_client *c = &h->clients[client];
	struct hold_place *p = hold_serve_find(h, req->name, err);
	enum lease_verdict verdict;

	if (!p)
		return err->code;
	verdict = lease_step(&p->lease, (int)client, LEASE_RELEASES);
	if (verdict == LEASE_NOT_HIS)
		return err_set(err, -EINVAL, "%s: this client does not have it", p->name);
	hold_serve_lease_over(h, p, verdict, c);
	hold_serve_reply_device(h, c, p, "release", NULL);
	return 0;
}

static void hold_serve_close_fds(const struct hold *h, struct hold_fds *fds)
{
	for (unsigned int i = 0; i < HOLD_NR_FDS; i++)
		closer_put(&h->closer, TAKE_FD(fds->v[i]));
}

/* What came with a message and was not taken from it. */
static void hold_serve_close_packet(const struct hold *h, struct hold_packet *packet)
{
	hold_serve_close_fds(h, &packet->fds);
	while (packet->n_surplus)
		closer_put(&h->closer, packet->surplus[--packet->n_surplus]);
}

static int hold_serve_copy_fds(const struct hold_fds *fds, struct hold_fds *ret, struct err *err)
{
	for (unsigned int i = 0; i < HOLD_NR_FDS; i++) {
		if (fds->v[i] < 0)
			continue;
		ret->v[i] = fcntl(fds->v[i], F_DUPFD_CLOEXEC, 0);
		if (ret->v[i] < 0)
			return err_set(err, -errno, "%s", hold_fd_name((enum hold_fd)i));
	}
	return 0;
}

/* With copies, so that what is found out not to be a device's is not closed for good here. */
static int hold_serve_give(struct hold *h, unsigned int client, const struct hold_request *req,
			   struct hold_fds *fds, struct err *err)
{
	struct hold_fds copies = HOLD_FDS_NONE;
	struct acquired acq;
	int r;

	if (!*req->name || fds->v[HOLD_FD_DEVICE] < 0)
		return err_set(err, -EINVAL, "a device is given by its name and its descriptor");
	r = hold_serve_copy_fds(fds, &copies, err);
	if (r >= 0) {
		acq = hold_fds_take(fds);
		r = hold_adopt(h, client, req, &acq, err);
	}
	hold_serve_close_fds(h, &copies);
	return r;
}

static int hold_serve_request(struct hold *h, unsigned int client, struct hold_packet *packet,
			      struct err *err)
{
	struct hold_request req;
	int r = hold_request_read(packet->o, &req, err);

	if (r < 0)
		return r;
	switch (req.verb) {
	case HOLD_GET:
		return hold_serve_get(h, client, &req, err);
	case HOLD_RELEASE:
		return hold_serve_release(h, client, &req, err);
	case HOLD_GIVE:
		return hold_serve_give(h, client, &req, &packet->fds, err);
	default:
		hold_serve_list(h, &h->clients[client]);
		return 0;
	}
}

/* Return: false when the client is gone, or is no client. */
static bool hold_serve_one(struct hold *h, unsigned int client)
{
	_cleanup_(hold_packet_done) struct hold_packet packet = HOLD_PACKET_NONE;
	struct hold_client *c = &h->clients[client];
	struct err err = { 0 };
	int r = hold_receive(c->fd, &packet, &err);

	if (r == -EAGAIN || r == -ECONNRESET)
		return r == -EAGAIN;
	c->heard_ns = clock_ns();
	r = r < 0 ? r : hold_serve_request(h, client, &packet, &err);
	hold_serve_close_packet(h, &packet);
	if (r < 0)
		hold_serve_refuse(c, &err);
	/* What does not speak the protocol is not listened to any longer. */
	return !c->deaf && r != -EBADMSG && r != -EMSGSIZE;
}

void hold_drop(struct hold *h, unsigned int client)
{
	struct hold_client *c = &h->clients[client];

	closer_put_socket(&h->closer, TAKE_FD(c->fd));
	c->waits_for = NULL;
	hold_adopt_orphan(c);
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++) {
		struct hold_place *p = &h->places[i];

		if (p->state != HOLD_PLACE_FREE)
			hold_serve_lease_over(h, p, lease_step(&p->lease, (int)client, LEASE_GOES),
					      c);
	}
}

void hold_serve_waiting(struct hold *h, const struct hold_place *p)
{
	for (unsigned int i = 0; i < LEASE_CLIENTS_MAX; i++) {
		struct hold_client *c = &h->clients[i];
		struct err err = { 0 };

		if (c->fd < 0 || c->waits_for != p)
			continue;
		c->waits_for = NULL;
		if (hold_serve_get(h, i, &c->asked, &err) < 0)
			hold_serve_refuse(c, &err);
		hold_serve_deaf(h, i);
	}
}

void hold_serve_adopted(struct hold *h, unsigned int client, struct hold_place *p,
			const struct err *why)
{
	struct hold_client *c = &h->clients[client];

	if (p)
		hold_serve_reply_device(h, c, p, "give", NULL);
	else
		hold_serve_refuse(c, why);
}

void hold_serve_deaf(struct hold *h, unsigned int client)
{
	if (h->clients[client].deaf)
		hold_drop(h, client);
}

/* One message a turn: the others have theirs in between. */
void hold_serve(struct hold *h, unsigned int client)
{
	if (!hold_serve_one(h, client))
		hold_drop(h, client);
}
