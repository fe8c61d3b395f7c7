// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/printable.h"
#include "device/acquirer.h"
#include "device/hold-client.h"
#include "fsm/fsm.h"
#include "host/vfio-fd.h"

/* Between two looks at a device that its holder brings back. */
#define ACQUIRE_HOLD_PAUSE_NS (20 * NSEC_PER_MSEC)

/*
 * A device that a holder lends. The connection to it is the lease: it stays open as long as the
 * device, and is released in order, since the holder takes its end alone for that of a client that
 * was killed in the middle.
 */

/**
 * struct acquire_hold - @lease is the connection, -1 for none; @name is empty for the only device
 * @warned: what the last client has left was said
 * @told: of who has it; its use is empty until then
 */
struct acquire_hold {
	char *path;
	char name[HOLD_NAME_MAX];
	int lease;
	bool warned;
	struct device_lease told;
};

static bool acquire_hold_is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A device's name is what follows a socket's path: "/run/h.sock/0000:3b:00.1". */
static int acquire_hold_split(struct acquire_hold *a, const struct device *dev, struct err *err)
{
	char *slash = strrchr(a->path, '/');

	if (acquire_hold_is_socket(a->path) || !slash)
		return 0;
	*slash = '\0';
	if (!acquire_hold_is_socket(a->path)) {
		*slash = '/';
		return 0;
	}
	if (!slash[1] || strlen(slash + 1) >= sizeof(a->name))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: no device's name behind the socket",
				dev->spec);
	strcpy(a->name, slash + 1);
	return 0;
}

static void acquire_hold_done(struct device *dev)
{
	struct acquire_hold *a = dev->origin;

	if (a)
		free(a->path);
	free(a);
}

static int acquire_hold_find(struct device *dev, const char *rest, struct err *err)
{
	struct acquire_hold *a = calloc(1, sizeof(*a));
	int r;

	dev->origin = a;
	if (!a)
		return err_set(err, -ENOMEM, "%s", dev->spec);
	a->lease = -1;
	a->path = strdup(rest);
	if (!a->path)
		return err_set(err, -ENOMEM, "%s", dev->spec);
	r = acquire_hold_split(a, dev, err);
	if (r < 0)
		return r;
	if (*a->name)
		dev->node = acquire_named_node(dev->host, a->name);
	return 0;
}

static struct hold_wait acquire_hold_wait(const struct device_options *opts)
{
	return (struct hold_wait){
		.cancel = opts->cancel,
		.timeout_ms = opts->acquire.timeout_ms,
	};
}

static void acquire_hold_warn(const struct device *dev, struct json_object *device)
{
	struct acquire_hold *a = dev->origin;
	const char *note = hold_text(device, "note");

	if (note && !a->warned)
		log_warn("%s: %s", dev->spec, note);
	a->warned |= note != NULL;
}

/* Its text goes to a terminal. */
static void acquire_hold_note_lease(struct acquire_hold *a, struct json_object *device)
{
	const char *use = hold_text(device, "use"), *by = hold_text(device, "by");
	struct json_object *pid = NULL;

	json_object_object_get_ex(device, "pid", &pid);
	snprintf(a->told.use, sizeof(a->told.use), "%s", use ? use : "");
	snprintf(a->told.by, sizeof(a->told.by), "%s", by ? by : "");
	a->told.pid = json_object_get_int(pid);
	make_printable(a->told.use);
	make_printable(a->told.by);
}

static int acquire_hold_ask_list(const struct device *dev, const struct device_options *opts,
				 struct hold_packet *ret, struct err *err)
{
	const struct hold_request req = { .verb = HOLD_LIST };
	const struct hold_wait wait = acquire_hold_wait(opts);
	const struct acquire_hold *a = dev->origin;
	_cleanup_fd_ int sock = -1;
	int r;

	r = hold_connect(a->path, dev->spec, &wait, &sock, err);
	if (r < 0)
		return r;
	r = hold_ask(sock, &req, NULL, &wait, ret, err);
	return r < 0 && r != -ECANCELED ? err_prefix(err, r, "%s", dev->spec) : r;
}

/* Return: the device that is meant; NULL where there is none, or it is not clear which. */
static struct json_object *acquire_hold_choose(const struct acquire_hold *a,
					       struct json_object *list, size_t n)
{
	if (!*a->name)
		return n == 1 ? json_object_array_get_idx(list, 0) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = hold_text(o, "name");

		if (name && !strcmp(name, a->name))
			return o;
	}
	return NULL;
}

/* As many of the names as there is room for. Return: @buf. */
static const char *acquire_hold_names(struct json_object *list, size_t n, char *buf, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at < size; i++) {
		const char *name = hold_text(json_object_array_get_idx(list, i), "name");

		at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? ", " : "",
				       name ? name : "?");
	}
	return buf;
}

/* In the words in which the holder is going to refuse it. */
static int acquire_hold_not_there(const struct device *dev, struct json_object *list, size_t n,
				  struct err *err)
{
	const struct acquire_hold *a = dev->origin;
	const char *name = a->name, *colon = *name ? ": " : "";
	char names[256];

	if (!n)
		return err_fail(err, ERR_MISSING, -ENOENT, "%s: %s%sno device is held here",
				dev->spec, name, colon);
	acquire_hold_names(list, n, names, sizeof(names));
	if (*name)
		return err_fail(err, ERR_MISSING, -ENOENT, "%s: %s: not held here; these are: %s",
				dev->spec, name, names);
	return err_fail(err, ERR_USAGE, -EINVAL, "%s: several devices are held here, name one: %s",
			dev->spec, names);
}

static int acquire_hold_is_free(const struct device *dev, struct json_object *device,
				struct err *err)
{
	const char *use = hold_text(device, "use"), *name = hold_text(device, "name"),
		   *by = hold_text(device, "by");
	struct json_object *pid = NULL;

	if (use && !strcmp(use, "recover")) {
		err_set(err, -EBUSY, "%s: %s: its holder brings it back since a client was lost",
			dev->spec, name ? name : "the device");
		return err_hint(err, -EBUSY, "try again; if that goes on, its driver hangs");
	}
	if (!use || strcmp(use, "change") != 0)
		return 0;
	json_object_object_get_ex(device, "pid", &pid);
	err_set(err, -EBUSY, "%s: %s: %s (pid %d) has it, and may change its state", dev->spec,
		name ? name : "the device", by ? by : "a client", json_object_get_int(pid));
	return err_hint(err, -EBUSY, "wait for that one to end");
}

static int acquire_hold_check(const struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	_cleanup_(hold_packet_done) struct hold_packet answer = HOLD_PACKET_NONE;
	struct json_object *list = NULL, *o;
	size_t n = 0;
	int r;

	r = acquire_hold_ask_list(dev, opts, &answer, err);
	if (r < 0)
		return r;
	if (json_object_object_get_ex(answer.o, "devices", &list) &&
	    json_object_is_type(list, json_type_array))
		n = json_object_array_length(list);
	o = acquire_hold_choose(dev->origin, list, n);
	if (!o)
		return acquire_hold_not_there(dev, list, n, err);
	acquire_hold_warn(dev, o);
	acquire_hold_note_lease(dev->origin, o);
	return opts->only_asks ? 0 : acquire_hold_is_free(dev, o, err);
}

static int acquire_hold_get(const struct acquire_hold *a, const struct device_options *opts,
			    int sock, struct hold_packet *ret, struct err *err)
{
	const struct hold_wait wait = acquire_hold_wait(opts);
	struct hold_request req = {
		.verb = HOLD_GET,
		.use = opts->only_asks ? HOLD_USE_READ : HOLD_USE_CHANGE,
		.if_lost = opts->returns ? HOLD_IF_LOST_RETURN : HOLD_IF_LOST_STAY,
	};

	strcpy(req.name, a->name);
	snprintf(req.by, sizeof(req.by), "%s", opts->program ? opts->program : "");
	return hold_ask(sock, &req, NULL, &wait, ret, err);
}

/* What the holder says of the device that it lends: its name, and what the last client left. */
static void acquire_hold_learn(struct device *dev, struct json_object *answer, int fd)
{
	struct json_object *o = NULL;
	const char *name;

	json_object_object_get_ex(answer, "device", &o);
	name = hold_text(o, "name");
	if (!dev->node)
		dev->node = vfio_fd_node(dev->host, 0, fd);
	if (!dev->node && name)
		dev->node = acquire_named_node(dev->host, name);
	acquire_hold_warn(dev, o);
}

static int acquire_hold_acquire(struct device *dev, const struct device_options *opts,
				struct acquired *ret, struct err *err)
{
	_cleanup_(hold_packet_done) struct hold_packet answer = HOLD_PACKET_NONE;
	const struct hold_wait wait = acquire_hold_wait(opts);
	struct acquire_hold *a = dev->origin;
	_cleanup_fd_ int sock = -1;
	int r;

	r = hold_connect(a->path, dev->spec, &wait, &sock, err);
	if (r < 0)
		return r;
	r = acquire_hold_get(a, opts, sock, &answer, err);
	if (r == -EINVAL && !*a->name)
		err_classify(err, ERR_USAGE, r);
	if (r < 0)
		return r == -ECANCELED ? r : err_prefix(err, r, "%s", dev->spec);
	if (answer.fds.v[HOLD_FD_DEVICE] < 0)
		return err_fail(err, ERR_PEER, -EBADMSG, "%s: the holder sent no device",
				dev->spec);
	r = acquire_check_fd(answer.fds.v[HOLD_FD_DEVICE], dev->spec, err);
	if (r < 0)
		return r;
	acquire_hold_learn(dev, answer.o, answer.fds.v[HOLD_FD_DEVICE]);
	*ret = hold_fds_take(&answer.fds);
	/* What the holder opened it by is its own: a lent device is never passed on. */
	ret->via = ACQUIRE_HOLD;
	a->lease = TAKE_FD(sock);
	return 0;
}

static int acquire_hold_list_names(const struct acquire_hold *a, struct json_object *list,
				   char ***ret)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	char **names = calloc(n + 1, sizeof(*names));
	size_t at = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *name = hold_text(json_object_array_get_idx(list, i), "name");

		/* What the holder says leads to no other socket. */
		if (!name || !*name || strchr(name, '/'))
			continue;
		if (asprintf(&names[at], "hold:%s/%s", a->path, name) < 0) {
			names[at] = NULL;
			device_lent_done(names);
			return -ENOMEM;
		}
		at++;
	}
	*ret = names;
	return 0;
}

static int acquire_hold_lent(const struct device *dev, const struct device_options *opts,
			     char ***ret, struct err *err)
{
	_cleanup_(hold_packet_done) struct hold_packet answer = HOLD_PACKET_NONE;
	const struct acquire_hold *a = dev->origin;
	struct json_object *list = NULL;
	int r;

	if (*a->name)
		return 0;
	r = acquire_hold_ask_list(dev, opts, &answer, err);
	if (r < 0)
		return r;
	json_object_object_get_ex(answer.o, "devices", &list);
	r = acquire_hold_list_names(a, list, ret);
	return r < 0 ? err_set(err, r, "%s", dev->spec) : 0;
}

static bool acquire_hold_same(const struct device *a, const struct device *b)
{
	const struct acquire_hold *x = a->origin, *y = b->origin;
	struct stat sx, sy;

	if (strcmp(x->name, y->name) != 0)
		return false;
	return !strcmp(x->path, y->path) || (stat(x->path, &sx) == 0 && stat(y->path, &sy) == 0 &&
					     sx.st_dev == sy.st_dev && sx.st_ino == sy.st_ino);
}

static const char *acquire_hold_socket(const struct device *dev)
{
	const struct acquire_hold *a = dev->origin;

	return a->path;
}

static const struct device_lease *acquire_hold_lease(const struct device *dev)
{
	const struct acquire_hold *a = dev->origin;

	return *a->told.use ? &a->told : NULL;
}

static int acquire_hold_watch_fd(const struct device *dev)
{
	const struct acquire_hold *a = dev->origin;

	return a->lease;
}

/* The holder keeps its end of the lease as long as it keeps the device for us. */
static enum device_keeper acquire_hold_keeper(const struct device *dev)
{
	const struct acquire_hold *a = dev->origin;
	struct pollfd p = { .fd = a->lease, .events = POLLRDHUP };

	if (a->lease < 0)
		return KEEPER_NOT_KNOWN;
	return poll(&p, 1, 0) > 0 ? KEEPER_ENDED : KEEPER_HOLDS;
}

/* Return: 1 or 0, as the holder says; -EAGAIN while it is at it, or has not heard of the end. */
static int acquire_hold_ask_returned(const struct device *dev, enum mig_state home, int timeout_ms)
{
	_cleanup_(hold_packet_done) struct hold_packet answer = HOLD_PACKET_NONE;
	const struct device_options opts = { .acquire = { .timeout_ms = timeout_ms } };
	struct json_object *list = NULL, *o, *restored = NULL;
	const char *use, *state;

	if (acquire_hold_ask_list(dev, &opts, &answer, NULL) < 0 ||
	    !json_object_object_get_ex(answer.o, "devices", &list) ||
	    !json_object_is_type(list, json_type_array))
		return 0;
	o = acquire_hold_choose(dev->origin, list, json_object_array_length(list));
	use = hold_text(o, "use");
	state = hold_text(o, "state");
	if (use && (!strcmp(use, "change") || !strcmp(use, "recover")))
		return -EAGAIN;
	if (o && json_object_object_get_ex(o, "restored", &restored) && restored)
		return json_object_get_boolean(restored);
	/* It was given back in order, or was never had. */
	return state && !strcmp(state, fsm_name(home));
}

static bool acquire_hold_returned(const struct device *dev, enum mig_state home, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = ACQUIRE_HOLD_PAUSE_NS };
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		int r = acquire_hold_ask_returned(dev, home, clock_ms_until(end));

		if (r != -EAGAIN || clock_ns() >= end)
			return r > 0;
		nanosleep(&pause, NULL);
	}
}

/* The holder says when the host asks for the device: it is for this process to let it go, too. */
static int acquire_hold_attend(struct device *dev, struct err *err)
{
	_cleanup_(hold_packet_done) struct hold_packet p = HOLD_PACKET_NONE;
	const struct acquire_hold *a = dev->origin;
	const char *event;
	int r = hold_receive(a->lease, &p, err);

	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		return r == -ECONNRESET ? r : err_prefix(err, r, "%s", dev->spec);
	event = hold_text(p.o, "event");
	if (event && !strcmp(event, "request"))
		log_warn("%s: the host asks for it, and waits until this is ended", dev->spec);
	else if (event && !strcmp(event, "bus-error"))
		log_warn("%s: an error on its bus: what it holds is not to be trusted", dev->spec);
	return 0;
}

/* Sent to a holder that is gone it is lost, and not missed. */
static void acquire_hold_close(struct device *dev)
{
	struct hold_request req = { .verb = HOLD_RELEASE };
	struct acquire_hold *a = dev->origin;
	int r;

	if (!a || a->lease < 0)
		return;
	strcpy(req.name, a->name);
	r = hold_send(a->lease, hold_request_write(&req), NULL);
	if (r < 0)
		log_info("%s: releasing it: %s", dev->spec, err_name(r));
	close(TAKE_FD(a->lease));
}

const struct acquirer acquirer_hold = {
	.prefix = "hold:",
	.ownership = DEVICE_LENT,
	.opening = OPENING_CONNECTS,
	.find = acquire_hold_find,
	.check = acquire_hold_check,
	.acquire = acquire_hold_acquire,
	.same = acquire_hold_same,
	.socket = acquire_hold_socket,
	.lent = acquire_hold_lent,
	.keeper = acquire_hold_keeper,
	.watch_fd = acquire_hold_watch_fd,
	.attend = acquire_hold_attend,
	.lease = acquire_hold_lease,
	.returned = acquire_hold_returned,
	.close = acquire_hold_close,
	.done = acquire_hold_done,
};
