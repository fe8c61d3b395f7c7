// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "transport/channel-ops.h"

int channel_name_it(struct channel *c, const char *name, struct err *err)
{
	c->name = strdup(name);
	return c->name ? 0 : err_set(err, -ENOMEM, "%s", name);
}

/*
 * A connection
 */

struct channel_peer {
	struct channel channel;
	struct peer *peer;
};

static struct peer *channel_peer_of(const struct channel *c)
{
	return container_of(c, const struct channel_peer, channel)->peer;
}

static ssize_t channel_peer_read(struct channel *c, void *buf, size_t len, struct err *err)
{
	return peer_read(channel_peer_of(c), buf, len, err);
}

static ssize_t channel_peer_read_now(struct channel *c, void *buf, size_t len, struct err *err)
{
	return peer_read_now(channel_peer_of(c), buf, len, err);
}

static int channel_peer_write(struct channel *c, const void *buf, size_t len, struct err *err)
{
	return peer_write(channel_peer_of(c), buf, len, err);
}

static int channel_peer_write_now(struct channel *c, const void *buf, size_t len, struct err *err)
{
	return peer_write_now(channel_peer_of(c), buf, len, err);
}

static int channel_peer_finish(struct channel *c, struct err *err)
{
	return peer_finish(channel_peer_of(c), err);
}

static bool channel_peer_has_more(const struct channel *c)
{
	return peer_has_more(channel_peer_of(c));
}

static bool channel_peer_is_gone(const struct channel *c)
{
	return peer_is_gone(channel_peer_of(c));
}

static int channel_peer_fd(const struct channel *c)
{
	return peer_fd(channel_peer_of(c));
}

static void channel_peer_free(struct channel *c)
{
	peer_free(channel_peer_of(c));
	free(container_of(c, struct channel_peer, channel));
}

static const struct channel_ops channel_peer_ops = {
	.read = channel_peer_read,
	.read_now = channel_peer_read_now,
	.write = channel_peer_write,
	.write_now = channel_peer_write_now,
	.finish = channel_peer_finish,
	.has_more = channel_peer_has_more,
	.is_gone = channel_peer_is_gone,
	.fd = channel_peer_fd,
	.free = channel_peer_free,
};

int channel_from_peer(struct peer *peer, struct channel **ret, struct err *err)
{
	_cleanup_(channel_freep) struct channel *c = NULL;
	struct channel_peer *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		r = err_set(err, -ENOMEM, "%s", peer_name(peer));
		peer_free(peer);
		return r;
	}
	c = &p->channel;
	c->ops = &channel_peer_ops;
	p->peer = peer;
	r = channel_name_it(c, peer_name(peer), err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

static int channel_peer_open(const struct uri *uri, const struct peer_options *opts,
			     struct cancel *cancel, struct channel **ret, struct err *err)
{
	struct peer *peer = NULL;
	int r;

	if (uri->kind == URI_FD)
		r = peer_inherit(uri, opts, cancel, &peer, err);
	else
		r = peer_connect(uri, opts, cancel, &peer, err);
	return r < 0 ? r : channel_from_peer(peer, ret, err);
}

/*
 * Any kind
 */

int channel_open(const struct uri *uri, const struct peer_options *opts, struct cancel *cancel,
		 struct channel **ret, struct err *err)
{
	if (opts->tls && !(uri->kind & (URI_SOCKET | URI_FD)))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: TLS is for sockets", uri->text);
	switch (uri->kind) {
	case URI_EXEC:
		return channel_command_open(uri, opts, cancel, ret, err);
	case URI_STDIO:
		return channel_stdio_open(opts, cancel, ret, err);
	default:
		return channel_peer_open(uri, opts, cancel, ret, err);
	}
}

ssize_t channel_read(struct channel *c, void *buf, size_t len, struct err *err)
{
	return c->ops->read(c, buf, len, err);
}

ssize_t channel_read_now(struct channel *c, void *buf, size_t len, struct err *err)
{
	return c->ops->read_now(c, buf, len, err);
}

int channel_write(struct channel *c, const void *buf, size_t len, struct err *err)
{
	return c->ops->write(c, buf, len, err);
}

int channel_write_now(struct channel *c, const void *buf, size_t len, struct err *err)
{
	return c->ops->write_now(c, buf, len, err);
}

int channel_finish(struct channel *c, struct err *err)
{
	return c->ops->finish(c, err);
}

bool channel_has_more(const struct channel *c)
{
	return c->ops->has_more(c);
}

bool channel_is_gone(const struct channel *c)
{
	return c->ops->is_gone(c);
}

int channel_fd(const struct channel *c)
{
	return c->ops->fd(c);
}

const char *channel_name(const struct channel *c)
{
	return c->name;
}

struct channel *channel_free(struct channel *c)
{
	if (c) {
		char *name = c->name;

		c->ops->free(c);
		free(name);
	}
	return NULL;
}
