// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/input-ops.h"

/* A file, and whatever else can be opened by a path or was left open. */
struct input_fd {
	struct input in;
	int fd;
	off_t start;
	struct cancel *cancel;
};

static struct input_fd *input_fd_of(struct input *in)
{
	return container_of(in, struct input_fd, in);
}

/* O_NONBLOCK: a FIFO without a writer yet is waited for in poll(), where signals are heard. */
static int input_fd_open_source(struct input_fd *f, const struct uri *uri, struct err *err)
{
	if (uri->kind == URI_FILE)
		f->fd = open(uri->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	else
		f->fd = fcntl(uri->kind == URI_FD ? uri->fd : STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (f->fd < 0)
		return err_fail(err,
				errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_MISSING,
				-errno, "%s: cannot open", f->in.name);
	return 0;
}

/* Regular files are the one kind that is sure to read the same twice. */
static int input_fd_look_at(struct input_fd *f, struct err *err)
{
	const char *name = f->in.name;
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return err_set(err, -errno, "%s", name);
	if (S_ISDIR(st.st_mode))
		return err_fail(err, ERR_MISSING, -EISDIR, "%s: a folder", name);
	if ((fcntl(f->fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
		return err_fail(err, ERR_MISSING, -EBADF, "%s: not open for reading", name);
	if (isatty(f->fd))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: is a terminal, not an image", name);
	f->start = lseek(f->fd, 0, SEEK_CUR);
	f->in.rewindable = f->in.ends = S_ISREG(st.st_mode) && f->start >= 0;
	f->in.carried = socket_is_tcp(f->fd);
	pipe_widen(f->fd);
	return 0;
}

static ssize_t input_fd_read(struct input *in, void *buf, size_t len, struct err *err)
{
	struct input_fd *f = input_fd_of(in);
	ssize_t n;

	do {
		if (!in->rewindable) {
			int r = cancel_poll(f->cancel, f->fd, POLLIN, err);

			if (r < 0)
				return r;
		}
		n = read(f->fd, buf, len);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return err_fail(err, ERR_IO, -errno, "%s: reading", in->name);
	return n;
}

static int input_fd_seek(struct input *in, uint64_t at, struct err *err)
{
	struct input_fd *f = input_fd_of(in);

	if (lseek(f->fd, f->start + (off_t)at, SEEK_SET) < 0)
		return err_fail(err, ERR_IO, -errno, "%s: going back to %s", in->name,
				at ? "a place in it" : "the start");
	return 0;
}

static ssize_t input_fd_read_at(struct input *in, void *buf, size_t len, uint64_t at,
				struct err *err)
{
	struct input_fd *f = input_fd_of(in);
	size_t done = 0;

	while (done < len) {
		off_t place = f->start + (off_t)(at + done);
		ssize_t n = pread(f->fd, (char *)buf + done, len - done, place);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return err_fail(err, ERR_IO, -errno, "%s: reading", in->name);
		if (n == 0)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)done;
}

static void input_fd_free(struct input *in)
{
	struct input_fd *f = input_fd_of(in);

	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

static const struct input_ops input_fd_ops = {
	.read = input_fd_read,
	.seek = input_fd_seek,
	.read_at = input_fd_read_at,
	.free = input_fd_free,
};

int input_fd_open(const struct uri *uri, struct cancel *cancel, struct input **ret, struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	struct input_fd *f;
	int r;

	f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(err, -ENOMEM, "%s", uri->text);
	in = &f->in;
	in->ops = &input_fd_ops;
	f->fd = -1;
	f->cancel = cancel;
	r = input_name_it(in, uri->kind == URI_STDIO ? "standard input" : uri->text, err);
	if (r < 0)
		return r;
	r = input_fd_open_source(f, uri, err);
	if (r < 0)
		return r;
	r = input_fd_look_at(f, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(in);
	return 0;
}
