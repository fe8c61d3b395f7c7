// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/channel-ops.h"
#include "transport/fd-writer.h"
#include "transport/subprocess.h"

/* How long a command that has closed a pipe has to tell why. */
#define LAST_WORDS_MS 1000

/*
 * Two pipes, to a command of ours or to what has started this process.
 *
 * The reading and the writing thread may both find that the command has ended: under @lock one of
 * them waits for it, and @end is the story for both.
 */
struct channel_pipes {
	struct channel channel;
	int in;
	struct fd_writer out;
	struct subprocess command;
	bool has_command; /* the pipes are its own to close */
	pthread_mutex_t lock;
	struct err end;
	struct cancel *cancel;
	int timeout_ms;
};

static struct channel_pipes *channel_pipes_of(const struct channel *c)
{
	return container_of(c, struct channel_pipes, channel);
}

/* Return: 0; -EIO that tells how it ended; -ETIMEDOUT while it has not; -ECANCELED. */
static int channel_pipes_hear_end(struct channel_pipes *p, int timeout_ms, struct err *err)
{
	struct err why = { 0 };
	int r = 0;

	pthread_mutex_lock(&p->lock);
	if (p->command.pid) {
		r = subprocess_wait(&p->command, p->cancel, timeout_ms, &why);
		why.kind = ERR_ABORTED;
		if (!p->command.pid)
			p->end = r < 0 ? why : (struct err){ 0 };
	} else {
		why = p->end;
		r = why.code;
	}
	pthread_mutex_unlock(&p->lock);
	if (r < 0 && err)
		*err = why;
	return r;
}

static int channel_pipes_wait(struct channel_pipes *p, int fd, short events, int timeout_ms,
			      struct err *err)
{
	struct pollfd poll = { .fd = fd, .events = events };
	int r = cancel_wait(p->cancel, &poll, 1, timeout_ms, err);

	if (r)
		return r;
	return err_fail(err, ERR_ABORTED, -ETIMEDOUT, "%s: silent for %g s", p->channel.name,
			timeout_ms / 1e3);
}

/* How the command ended says more than that there is nothing more to read. */
static ssize_t channel_pipes_at_end(struct channel_pipes *p, struct err *err)
{
	int r = p->has_command ? channel_pipes_hear_end(p, LAST_WORDS_MS, err) : 0;

	return r == -ETIMEDOUT ? 0 : r;
}

/* What poll() has announced. */
static ssize_t channel_pipes_read_ready(struct channel_pipes *p, void *buf, size_t len,
					struct err *err)
{
	ssize_t n = read(p->in, buf, len);

	if (n > 0)
		return n;
	if (!n)
		return channel_pipes_at_end(p, err);
	if (errno == EINTR || errno == EAGAIN)
		return -EAGAIN;
	return err_fail(err, ERR_ABORTED, -errno, "%s: reading", p->channel.name);
}

static ssize_t channel_pipes_read_now(struct channel *c, void *buf, size_t len, struct err *err)
{
	struct channel_pipes *p = channel_pipes_of(c);
	struct pollfd poll_in = { .fd = p->in, .events = POLLIN };

	return poll(&poll_in, 1, 0) > 0 ? channel_pipes_read_ready(p, buf, len, err) : -EAGAIN;
}

static ssize_t channel_pipes_read(struct channel *c, void *buf, size_t len, struct err *err)
{
	struct channel_pipes *p = channel_pipes_of(c);
	ssize_t n;
	int r;

	do {
		r = channel_pipes_wait(p, p->in, POLLIN, p->timeout_ms, err);
		if (r < 0)
			return r;
		n = channel_pipes_read_ready(p, buf, len, err);
	} while (n == -EAGAIN);
	return n;
}

static int channel_pipes_broken(struct channel_pipes *p, int code, struct err *err)
{
	int r;

	if (code == -EPIPE && p->has_command) {
		r = channel_pipes_hear_end(p, LAST_WORDS_MS, err);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
		return err_fail(err, ERR_ABORTED, -EPIPE, "%s: %s", p->channel.name,
				r < 0 ? "closed its input" : "ended");
	}
	return err_fail(err, ERR_ABORTED, code, "%s: writing", p->channel.name);
}

static ssize_t channel_pipes_write_ready(struct channel_pipes *p, const void *buf, size_t len,
					 struct err *err)
{
	ssize_t n = fd_writer_some(&p->out, buf, len);

	if (n == -EINTR)
		return -EAGAIN;
	return n < 0 && n != -EAGAIN ? channel_pipes_broken(p, (int)n, err) : n;
}

static int channel_pipes_write(struct channel *c, const void *buf, size_t len, struct err *err)
{
	struct channel_pipes *p = channel_pipes_of(c);
	size_t done = 0;

	while (done < len) {
		int r = channel_pipes_wait(p, p->out.fd, POLLOUT, p->timeout_ms, err);
		ssize_t n;

		if (r < 0)
			return r;
		n = channel_pipes_write_ready(p, (const char *)buf + done, len - done, err);
		if (n < 0 && n != -EAGAIN)
			return (int)n;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int channel_pipes_write_now(struct channel *c, const void *buf, size_t len, struct err *err)
{
	struct channel_pipes *p = channel_pipes_of(c);
	struct pollfd poll_out = { .fd = p->out.fd, .events = POLLOUT };
	ssize_t n = -EAGAIN;

	if (poll(&poll_out, 1, 0) > 0)
		n = channel_pipes_write_ready(p, buf, len, err);
	if (n < 0 && n != -EAGAIN)
		return (int)n;
	if (n != (ssize_t)len)
		return err_fail(err, ERR_ABORTED, -EAGAIN, "%s: has no room for an answer",
				c->name);
	return 0;
}

/* A pipe tells nothing of its reader: what it has taken is as much as can be known. */
static int channel_pipes_finish(struct channel *c, struct err *err)
{
	struct channel_pipes *p = channel_pipes_of(c);

	close(TAKE_FD(p->out.fd));
	p->command.in = -1;
	return p->has_command ? channel_pipes_hear_end(p, p->timeout_ms, err) : 0;
}

static bool channel_pipes_has_more(const struct channel *c)
{
	struct pollfd fd = { .fd = channel_pipes_of(c)->in, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* At its end a socket is readable, a pipe only hung up. */
static bool channel_pipes_is_gone(const struct channel *c)
{
	const struct channel_pipes *p = channel_pipes_of(c);
	struct pollfd fds[] = { { .fd = p->in, .events = POLLIN }, { .fd = p->out.fd } };
	char byte;

	if (poll(fds, ARRAY_SIZE(fds), 0) <= 0)
		return false;
	if (fds[1].revents || (fds[0].revents && !(fds[0].revents & POLLIN)))
		return true;
	return fds[0].revents && recv(p->in, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int channel_pipes_fd(const struct channel *c)
{
	return channel_pipes_of(c)->in;
}

static void channel_pipes_free(struct channel *c)
{
	struct channel_pipes *p = channel_pipes_of(c);

	subprocess_stop(&p->command, p->cancel);
	if (!p->has_command) {
		fd_closep(&p->in);
		fd_closep(&p->out.fd);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct channel_ops channel_pipes_ops = {
	.read = channel_pipes_read,
	.read_now = channel_pipes_read_now,
	.write = channel_pipes_write,
	.write_now = channel_pipes_write_now,
	.finish = channel_pipes_finish,
	.has_more = channel_pipes_has_more,
	.is_gone = channel_pipes_is_gone,
	.fd = channel_pipes_fd,
	.free = channel_pipes_free,
};

static int channel_pipes_new(const char *name, const struct peer_options *opts,
			     struct cancel *cancel, struct channel_pipes **ret, struct err *err)
{
	struct channel_pipes *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(err, -ENOMEM, "%s", name);
	p->channel.ops = &channel_pipes_ops;
	p->in = p->out.fd = -1;
	p->command = SUBPROCESS_NONE;
	p->cancel = cancel;
	p->timeout_ms = opts->timeout_ms;
	pthread_mutex_init(&p->lock, NULL);
	r = channel_name_it(&p->channel, name, err);
	if (r < 0)
		channel_free(&p->channel);
	else
		*ret = p;
	return r;
}

int channel_command_open(const struct uri *uri, const struct peer_options *opts,
			 struct cancel *cancel, struct channel **ret, struct err *err)
{
	_cleanup_(channel_freep) struct channel *c = NULL;
	struct channel_pipes *p = NULL;
	int r;

	r = channel_pipes_new(uri->text, opts, cancel, &p, err);
	if (r < 0)
		return r;
	c = &p->channel;
	p->has_command = true;
	r = subprocess_start(&p->command, uri, SUBPROCESS_TALKS, err);
	if (r < 0)
		return r;
	p->in = p->command.out;
	p->out = (struct fd_writer){ p->command.in, FD_WRITER_NONBLOCK };
	*ret = TAKE_PTR(c);
	return 0;
}

/*
 * Standard input and output
 */

static const char stdio_name[] = "standard input and output";

static int channel_pipes_look_at(int fd, struct stat *ret, struct err *err)
{
	const char *name = fd == STDIN_FILENO ? "standard input" : "standard output";

	if (fstat(fd, ret) < 0)
		return err_set(err, -errno, "%s", name);
	if (S_ISFIFO(ret->st_mode) || S_ISSOCK(ret->st_mode))
		return 0;
	err_fail(err, ERR_USAGE, -EINVAL, "%s: is neither a pipe nor a socket", name);
	return err_hint(err, -EINVAL, "- is for a command that the other end runs, as by exec:ssh");
}

/* One socket, as inetd(8) and sshd(8) give it. */
static int channel_pipes_open_socket(const struct peer_options *opts, struct cancel *cancel,
				     struct channel **ret, struct err *err)
{
	struct peer *peer = NULL;
	int in = -1, out = -1, r;

	r = fd_take(STDIN_FILENO, &in);
	if (r < 0)
		return err_set(err, r, "%s", stdio_name);
	r = fd_take(STDOUT_FILENO, &out);
	fd_closep(&out);
	if (r < 0) {
		close(in);
		return err_set(err, r, "%s", stdio_name);
	}
	r = peer_new(in, stdio_name, opts, cancel, &peer, err);
	return r < 0 ? r : channel_from_peer(peer, ret, err);
}

int channel_stdio_open(const struct peer_options *opts, struct cancel *cancel, struct channel **ret,
		       struct err *err)
{
	_cleanup_(channel_freep) struct channel *c = NULL;
	struct channel_pipes *p = NULL;
	struct stat in, out;
	int r;

	r = channel_pipes_look_at(STDIN_FILENO, &in, err);
	if (r < 0)
		return r;
	r = channel_pipes_look_at(STDOUT_FILENO, &out, err);
	if (r < 0)
		return r;
	if (S_ISSOCK(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
		return channel_pipes_open_socket(opts, cancel, ret, err);
	r = channel_pipes_new(stdio_name, opts, cancel, &p, err);
	if (r < 0)
		return r;
	c = &p->channel;
	r = fd_take(STDIN_FILENO, &p->in);
	r = r < 0 ? r : fd_take(STDOUT_FILENO, &p->out.fd);
	if (r < 0)
		return err_set(err, r, "%s", stdio_name);
	pipe_widen(p->in);
	pipe_widen(p->out.fd);
	fd_writer_init(&p->out, p->out.fd, &out);
	*ret = TAKE_PTR(c);
	return 0;
}
