// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "engine/hold-parts.h"
#include "fsm/fsm.h"

#define MODE_OWN 0600
#define MODE_OTHERS 0666

const char *hold_news_name(enum hold_news_kind kind)
{
	static const char *const names[HOLD_NR_NEWS] = {
		[HOLD_NEWS_TAKEN] = "taken",	     [HOLD_NEWS_CLIENT_LOST] = "client-lost",
		[HOLD_NEWS_REQUEST] = "request",     [HOLD_NEWS_GIVEN_UP] = "given-up",
		[HOLD_NEWS_BUS_ERROR] = "bus-error", [HOLD_NEWS_ALONE] = "alone",
		[HOLD_NEWS_GONE] = "gone",	     [HOLD_NEWS_HANGS] = "hangs",
	};

	return names[kind];
}

void hold_tell(const struct hold *h, enum hold_news_kind kind, const struct hold_place *p,
	       const char *fmt, ...)
{
	char text[HOLD_TEXT_MAX];
	struct hold_news news = { .kind = kind, .name = p->name, .dev = p->dev, .text = text };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (h->opts.told)
		h->opts.told(h->opts.ctx, &news);
}

int hold_new(const struct hold_options *opts, struct hold **ret, struct err *err)
{
	struct hold *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(err, -ENOMEM, "holding");
	h->opts = *opts;
	h->listener = h->spare = -1;
	h->closer = CLOSER_NONE;
	for (unsigned int i = 0; i < LEASE_CLIENTS_MAX; i++)
		h->clients[i].fd = -1;
	*ret = h;
	return 0;
}

static bool hold_is_held(const struct hold_place *p)
{
	return p->state != HOLD_PLACE_FREE;
}

static struct hold_place *hold_find_room(struct hold *h, const char *name, struct err *err)
{
	struct hold_place *room = NULL;

	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++) {
		struct hold_place *p = &h->places[i];

		if (hold_is_held(p) && !strcmp(p->name, name)) {
			err_set(err, -EEXIST, "%s: held already", name);
			return NULL;
		}
		if (!hold_is_held(p) && !room)
			room = p;
	}
	if (!room)
		err_set(err, -ENOSPC, "%s: more than %u devices", name, HOLD_DEVICES_MAX);
	return room;
}

int hold_add(struct hold *h, struct device *dev, struct err *err)
{
	const char *name = device_name(dev);
	struct hold_place *p;
	struct err why = { 0 };

	if (strlen(name) >= HOLD_NAME_MAX)
		return err_set(err, -ENAMETOOLONG, "%s", name);
	p = hold_find_room(h, name, err);
	if (!p)
		return err->code;
	/* It is only kept. */
	device_unlock(dev);
	if (!dev->mig->caps && mig_query(dev->mig, &why) < 0)
		log_info("%s", why.text);
	*p = (struct hold_place){
		.state = HOLD_PLACE_HELD,
		.dev = dev,
		.lease = LEASE_INIT,
		.irqs = { -1, -1 },
		.watch = device_watch_fd(dev) < 0 ? HOLD_WATCH_NONE : HOLD_WATCH_ALL,
	};
	strcpy(p->name, name);
	return 0;
}

int hold_take(struct hold *h, struct device *dev, struct err *err)
{
	int r = hold_add(h, dev, err);

	if (r < 0) {
		device_free(dev);
		return r;
	}
	hold_find_device(h, dev)->owned = true;
	return 0;
}

void hold_begin(struct hold *h)
{
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (hold_is_held(&h->places[i]))
			hold_place_arm(&h->places[i]);
}

/* The current directory may be another one by the time the file is removed. */
static char *hold_absolute(const char *path)
{
	_cleanup_free_ char *here = *path == '/' ? strdup("") : get_current_dir_name();
	char *whole = NULL;

	if (!here || asprintf(&whole, "%s%s%s", here, *here ? "/" : "", path) < 0)
		return NULL;
	return whole;
}

static int hold_refuse_path(int r, const char *path, struct err *err)
{
	switch (r) {
	case -EADDRINUSE:
		return err_hint(err, r, "another holder serves it: vfiomigctl list hold:%s", path);
	case -ENAMETOOLONG:
		return err_classify(err, ERR_USAGE, r);
	default:
		return err_classify(err, err_denied(r, ERR_OUTPUT), r);
	}
}

int hold_listen(struct hold *h, const char *path, struct err *err)
{
	struct stat st;
	mode_t mask;
	int r;

	h->path = hold_absolute(path);
	if (!h->path)
		return err_set(err, -ENOMEM, "%s", path);
	r = closer_open(&h->closer, err);
	if (r < 0)
		return r;
	/* Those that were allowed by name are not kept out by a umask that was not meant for it. */
	mask = umask(0);
	r = unix_listen_packets(path, h->opts.n_uids ? MODE_OTHERS : MODE_OWN, &h->listener, err);
	umask(mask);
	if (r < 0)
		return hold_refuse_path(r, path, err);
	if (lstat(path, &st) < 0)
		return err_set(err, -errno, "%s", path);
	h->path_dev = st.st_dev;
	h->path_ino = st.st_ino;
	return hold_keep_spare(h) ? 0 : err_set(err, -EMFILE, "%s", path);
}

/* Another holder may have put its own socket there after this one's file was removed. */
static void hold_remove_socket(const struct hold *h)
{
	struct stat st;

	if (h->listener >= 0 && h->path && lstat(h->path, &st) == 0 && st.st_dev == h->path_dev &&
	    st.st_ino == h->path_ino)
		unlink(h->path);
}

void hold_leave_socket(struct hold *h)
{
	free(h->path);
	h->path = NULL;
	closer_leave(&h->closer);
}

/* Return: the first failure, which is in @err. */
static int hold_settle(struct hold *h, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++) {
		struct err one = { 0 };

		if (!hold_is_held(&h->places[i]) || hold_place_settle(&h->places[i], &one) >= 0 ||
		    r < 0)
			continue;
		r = one.code;
		if (err)
			*err = one;
	}
	return r;
}

int hold_end(struct hold *h, struct err *err)
{
	hold_adopt_done(h);
	return hold_settle(h, err);
}

int hold_close(struct hold *h, struct err *err)
{
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (hold_is_held(&h->places[i]) && h->places[i].state != HOLD_PLACE_FORSAKEN)
			hold_place_close(&h->places[i]);
	return hold_settle(h, err);
}

bool hold_is_forsaken(const struct hold *h, const struct device *dev)
{
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (h->places[i].dev == dev && h->places[i].state == HOLD_PLACE_FORSAKEN)
			return true;
	return false;
}

struct hold *hold_free(struct hold *h)
{
	if (!h)
		return NULL;
	hold_remove_socket(h);
	if (h->listener >= 0)
		close(h->listener);
	if (h->spare >= 0)
		close(h->spare);
	for (unsigned int i = 0; i < LEASE_CLIENTS_MAX; i++)
		closer_put_socket(&h->closer, h->clients[i].fd);
	closer_done(&h->closer);
	hold_adopt_done(h);
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (hold_is_held(&h->places[i]) && h->places[i].state != HOLD_PLACE_FORSAKEN)
			hold_place_leave(&h->places[i]);
	free(h->path);
	free(h);
	return NULL;
}

unsigned int hold_count(const struct hold *h)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		n += hold_is_held(&h->places[i]);
	return n;
}

/* Return: the place of device number @i, HOLD_DEVICES_MAX past the last. */
static unsigned int hold_nth(const struct hold *h, unsigned int i)
{
	unsigned int at;

	for (at = 0; at < HOLD_DEVICES_MAX; at++)
		if (hold_is_held(&h->places[at]) && !i--)
			break;
	return at;
}

/* Else a thread closes it, or has it for good: its descriptors may be others' by now. */
static bool hold_is_open(const struct hold_place *p)
{
	return hold_is_held(p) && p->state != HOLD_PLACE_CLOSING && p->state != HOLD_PLACE_FORSAKEN;
}

struct device *hold_device(const struct hold *h, unsigned int i)
{
	for (unsigned int at = 0; at < HOLD_DEVICES_MAX; at++)
		if (hold_is_open(&h->places[at]) && !i--)
			return h->places[at].dev;
	return NULL;
}

struct hold_place *hold_find_device(struct hold *h, const struct device *dev)
{
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (hold_is_held(&h->places[i]) && h->places[i].dev == dev)
			return &h->places[i];
	return NULL;
}

bool hold_has(const struct hold *h, const char *name)
{
	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (hold_is_held(&h->places[i]) && !strcmp(h->places[i].name, name))
			return true;
	return false;
}

static void hold_fill_one(struct hold *h, struct pollfd *p, unsigned int *n, int fd, short events,
			  struct hold_poll what)
{
	if (fd < 0)
		return;
	p[*n] = (struct pollfd){ .fd = fd, .events = events };
	h->polled[(*n)++] = what;
}

static void hold_fill_call(struct hold *h, struct pollfd *p, unsigned int *n,
			   const struct hold_call *call, struct hold_poll done,
			   struct hold_poll late)
{
	if (!call)
		return;
	hold_fill_one(h, p, n, hold_call_done_fd(call), POLLIN, done);
	hold_fill_one(h, p, n, hold_call_late_fd(call), POLLIN, late);
}

static void hold_fill_place(struct hold *h, struct pollfd *p, unsigned int *n, unsigned int i)
{
	const struct hold_place *place = &h->places[i];

	if (place->watch != HOLD_WATCH_NONE && place->state != HOLD_PLACE_CLOSING)
		hold_fill_one(h, p, n, device_watch_fd(place->dev),
			      place->watch == HOLD_WATCH_ALL ? POLLIN | POLLRDHUP : POLLRDHUP,
			      (struct hold_poll){ HOLD_POLL_WATCH, i, 0 });
	for (unsigned int irq = 0; irq < DEVICE_NR_IRQS; irq++)
		hold_fill_one(h, p, n, place->irqs[irq], POLLIN,
			      (struct hold_poll){ HOLD_POLL_IRQ, i, irq });
	hold_fill_call(h, p, n, place->call, (struct hold_poll){ HOLD_POLL_CALLED, i, 0 },
		       (struct hold_poll){ HOLD_POLL_LATE, i, 0 });
}

/* One that waits for its answer is heard again once it has that, or when it ends. */
static bool hold_client_waits(const struct hold_client *c)
{
	return c->waits_for || c->adoption;
}

unsigned int hold_fill(struct hold *h, struct pollfd p[HOLD_POLL_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < HOLD_DEVICES_MAX; i++)
		if (hold_is_held(&h->places[i]))
			hold_fill_place(h, p, &n, i);
	for (unsigned int i = 0; i < LEASE_CLIENTS_MAX; i++) {
		hold_fill_call(h, p, &n, hold_adopt_call(h, i),
			       (struct hold_poll){ HOLD_POLL_ADOPTED, i, 0 },
			       (struct hold_poll){ HOLD_POLL_ADOPTS_LATE, i, 0 });
		hold_fill_one(h, p, &n, h->clients[i].fd,
			      hold_client_waits(&h->clients[i]) ? POLLRDHUP : POLLIN,
			      (struct hold_poll){ HOLD_POLL_CLIENT, i, 0 });
	}
	/* Without a descriptor for it a client that waits is only found again and again. */
	hold_fill_one(h, p, &n, h->listener >= 0 && hold_keep_spare(h) ? h->listener : -1, POLLIN,
		      (struct hold_poll){ HOLD_POLL_LISTENER, 0, 0 });
	return n;
}

/* What a server says is answered; at its end the device is gone, and one of the kernel's is not. */
static void hold_watch_ready(struct hold *h, struct hold_place *p, short revents)
{
	char reason[ERR_REASON_MAX];
	struct err err = { 0 };
	int r = -ECONNRESET;

	if (p->watch == HOLD_WATCH_ALL && revents & POLLIN)
		r = device_attend(p->dev, &err);
	if (r >= 0)
		return;
	if (r != -ECONNRESET) {
		log_warn("%s%s", err.text, err_reason(&err, reason));
		p->watch = HOLD_WATCH_END;
		return;
	}
	p->watch = HOLD_WATCH_NONE;
	if (!device_is_served(p->dev)) {
		hold_tell(h, HOLD_NEWS_ALONE, p,
			  "the process that had it, too, is gone: it is held here alone");
		p->alone = true;
		/* A client that has it may have taken them: then they come back with the lease. */
		if (lease_idle(&p->lease))
			hold_place_arm(p);
		return;
	}
	p->state = HOLD_PLACE_FREE;
	hold_tell(h, HOLD_NEWS_GONE, p, "its server is gone, and the state with it");
	hold_place_leave(p);
}

/* The kernel asks again every few seconds: once is enough to say. */
static void hold_requested(struct hold *h, struct hold_place *p)
{
	bool release = h->opts.on_request == ON_REQUEST_RELEASE;

	if (p->state != HOLD_PLACE_HELD)
		return;
	hold_tell(h, HOLD_NEWS_REQUEST, p, "the host asks for it (an unbind or an unplug)%s",
		  release ? "" : ": refused; that waits until this holder ends");
	hold_broadcast(h, p, "request", release ? "release" : "refuse");
	if (!release)
		p->state = HOLD_PLACE_REFUSED;
	else
		hold_place_give_up(h, p);
}

static void hold_interrupted(struct hold *h, struct hold_place *p, unsigned int irq)
{
	uint64_t count;

	if (read(p->irqs[irq], &count, sizeof(count)) != sizeof(count))
		return;
	if (irq == DEVICE_IRQ_REQ) {
		hold_requested(h, p);
		return;
	}
	hold_tell(h, HOLD_NEWS_BUS_ERROR, p,
		  "an error on its bus: what it holds is not to be trusted");
	hold_broadcast(h, p, "bus-error", NULL);
}

static void hold_client_ready(struct hold *h, unsigned int i, short revents)
{
	const struct hold_client *c = &h->clients[i];

	if (c->fd < 0)
		return;
	if (!hold_client_waits(c))
		hold_serve(h, i);
	else if (revents & (POLLRDHUP | POLLHUP | POLLERR))
		hold_drop(h, i);
}

/* Of a place: what came before it in this turn may have ended it. */
static void hold_place_ready(struct hold *h, const struct hold_poll *what, short revents)
{
	struct hold_place *p = &h->places[what->i];

	if (!hold_is_held(p))
		return;
	if (what->kind == HOLD_POLL_WATCH)
		hold_watch_ready(h, p, revents);
	else if (what->kind == HOLD_POLL_IRQ)
		hold_interrupted(h, p, what->irq);
	else if (p->call && what->kind == HOLD_POLL_CALLED)
		hold_place_ended(h, p);
	else if (p->call && what->kind == HOLD_POLL_LATE)
		hold_place_late(h, p);
}

static void hold_ready_one(struct hold *h, const struct hold_poll *what, short revents)
{
	switch (what->kind) {
	case HOLD_POLL_LISTENER:
		hold_accept(h);
		break;
	case HOLD_POLL_CLIENT:
		hold_client_ready(h, what->i, revents);
		break;
	case HOLD_POLL_ADOPTED:
		hold_adopt_ready(h, what->i);
		break;
	case HOLD_POLL_ADOPTS_LATE:
		hold_adopt_late(h, what->i);
		break;
	default:
		hold_place_ready(h, what, revents);
	}
}

int hold_ready(struct hold *h, const struct pollfd *p, unsigned int n)
{
	unsigned int before = hold_count(h);

	for (unsigned int i = 0; i < n; i++)
		if (p[i].revents)
			hold_ready_one(h, &h->polled[i], p[i].revents);
	return before && !hold_count(h) ? HOLD_LOST_ALL : 0;
}

/* Return: how much of @buf there is by now. */
static size_t hold_describe_user(const struct hold *h, struct hold_place *p, char *buf, size_t size)
{
	char who[HOLD_BY_MAX + 24], what[CANCEL_TEXT_MAX + 32];
	int n = 0;

	if (p->lease.changer == LEASE_RECOVERS)
		n = snprintf(buf, size, "; being brought back, its driver is in %s",
			     hold_call_waits_for(p->call, what, sizeof(what)));
	else if (p->lease.changer != LEASE_NONE)
		n = snprintf(buf, size, "; changed by %s",
			     hold_name_client(&h->clients[p->lease.changer], who));
	else if (hold_place_hangs(p, what, sizeof(what)))
		n = snprintf(buf, size, "; its driver has not come back from %s", what);
	return MIN((size_t)n, size);
}

char *hold_describe(struct hold *h, unsigned int i, char buf[HOLD_DESCRIPTION_MAX])
{
	unsigned int at = hold_nth(h, i);
	char who[HOLD_BY_MAX + 24];
	struct hold_place *p;
	const char *state;
	size_t n;

	if (at == HOLD_DEVICES_MAX)
		return NULL;
	p = &h->places[at];
	state = hold_place_state(p);
	n = (size_t)snprintf(buf, HOLD_DESCRIPTION_MAX, "%s: held%s%s", p->name,
			     state ? ", in " : "", state ? state : "");
	n += hold_describe_user(h, p, buf + n, HOLD_DESCRIPTION_MAX - n);
	for (int c = 0; c < LEASE_CLIENTS_MAX && n < HOLD_DESCRIPTION_MAX; c++)
		if (p->lease.readers >> c & 1)
			n += (size_t)snprintf(buf + n, HOLD_DESCRIPTION_MAX - n, "; read by %s",
					      hold_name_client(&h->clients[c], who));
	if (lease_idle(&p->lease))
		snprintf(buf + n, HOLD_DESCRIPTION_MAX - n, "; no client has it");
	return buf;
}
