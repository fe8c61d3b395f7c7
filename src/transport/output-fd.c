// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/fd-writer.h"
#include "transport/output-ops.h"

#define FIFO_PAUSE_MS 50
#define MEM_MAJOR 1

/* What was there before us: a descriptor that was left open, a FIFO, a device node. */
struct output_fd {
	struct output out;
	struct fd_writer to;
	bool regular; /* worth an fsync() */
	struct cancel *cancel;
};

static struct output_fd *output_fd_of(struct output *out)
{
	return container_of(out, struct output_fd, out);
}

/* A FIFO is opened once it has a reader; until then a signal must still be heard. */
static int output_fd_open_special(struct output_fd *o, const char *path, struct err *err)
{
	for (;;) {
		o->to.fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (o->to.fd >= 0)
			return 0;
		if (errno != ENXIO)
			return err_fail(err, err_denied(-errno, ERR_OUTPUT), -errno,
					"%s: cannot open", path);
		int r = cancel_pause(o->cancel, FIFO_PAUSE_MS, err);

		if (r < 0)
			return r;
	}
}

static int output_fd_open_descriptor(struct output_fd *o, int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
		return err_fail(err, ERR_OUTPUT, -EBADF, "%s: not open for writing", o->out.name);
	o->to.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (o->to.fd < 0)
		return err_fail(err, ERR_OUTPUT, -errno, "%s", o->out.name);
	return 0;
}

static int output_fd_look_at(struct output_fd *o, struct err *err)
{
	struct stat st;

	if (fstat(o->to.fd, &st) < 0)
		return err_set(err, -errno, "%s", o->out.name);
	if (isatty(o->to.fd)) {
		err_fail(err, ERR_USAGE, -EINVAL, "%s: is a terminal", o->out.name);
		return err_hint(err, -EINVAL, "an image is binary: redirect it");
	}
	pipe_widen(o->to.fd);
	/*
	 * Of character devices only those of memory, /dev/null and its like, have none (major 1).
	 */
	o->out.has_reader = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
			    (S_ISCHR(st.st_mode) && major(st.st_rdev) != MEM_MAJOR);
	o->regular = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
	fd_writer_init(&o->to, o->to.fd, &st);
	return 0;
}

static int output_fd_write(struct output *out, const void *buf, size_t len, struct err *err)
{
	struct output_fd *o = output_fd_of(out);
	size_t done = 0;

	while (done < len) {
		ssize_t n;

		if (fd_writer_waits(&o->to)) {
			int r = cancel_poll(o->cancel, o->to.fd, POLLOUT, err);

			if (r < 0)
				return r;
		}
		n = fd_writer_some(&o->to, (const char *)buf + done, len - done);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n < 0)
			return err_fail(err, ERR_IO, (int)n, "%s: writing", out->name);
		done += (size_t)n;
	}
	return 0;
}

static int output_fd_publish(struct output *out, struct err *err)
{
	struct output_fd *o = output_fd_of(out);
	int r;

	r = o->regular ? output_sync(o->to.fd, out->name, err) : 0;
	if (r < 0)
		return r;
	if (close(TAKE_FD(o->to.fd)) < 0)
		return err_fail(err, ERR_IO, -errno, "%s: closing", out->name);
	return 0;
}

static void output_fd_free(struct output *out)
{
	struct output_fd *o = output_fd_of(out);

	if (o->to.fd >= 0)
		close(o->to.fd);
	free(o);
}

static const struct output_ops output_fd_ops = {
	.write = output_fd_write,
	.publish = output_fd_publish,
	.free = output_fd_free,
};

static int output_fd_open_it(struct output_fd *o, const struct uri *uri, struct err *err)
{
	switch (uri->kind) {
	case URI_FILE:
		return output_fd_open_special(o, uri->path, err);
	case URI_STDIO:
		return output_fd_open_descriptor(o, STDOUT_FILENO, err);
	default:
		return output_fd_open_descriptor(o, uri->fd, err);
	}
}

int output_fd_open(const struct uri *uri, struct cancel *cancel, struct output **ret,
		   struct err *err)
{
	_cleanup_(output_freep) struct output *out = NULL;
	struct output_fd *o;
	int r;

	o = calloc(1, sizeof(*o));
	if (!o)
		return err_set(err, -ENOMEM, "%s", uri->text);
	out = &o->out;
	out->ops = &output_fd_ops;
	o->to.fd = -1;
	o->cancel = cancel;
	r = output_name_it(out, uri->kind == URI_STDIO ? "standard output" : uri->text, err);
	if (r < 0)
		return r;
	r = output_fd_open_it(o, uri, err);
	if (r < 0)
		return r;
	r = output_fd_look_at(o, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out);
	return 0;
}
