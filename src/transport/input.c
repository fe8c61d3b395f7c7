// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/input.h"

struct input {
	char *name;
	int fd;
	bool rewindable; /* a regular file: the one kind that is sure to read the same */
	off_t start;
	struct cancel *cancel;
};

/* O_NONBLOCK: a FIFO without a writer yet is waited for in poll(), where signals are heard. */
static int open_source(struct input *in, const struct uri *uri, struct err *err)
{
	if (uri->kind == URI_FILE)
		in->fd = open(uri->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	else
		in->fd = fcntl(uri->kind == URI_FD ? uri->fd : STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (in->fd < 0)
		return err_fail(err,
				errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_MISSING,
				-errno, "%s: cannot open", in->name);
	return 0;
}

static int look_at(struct input *in, struct err *err)
{
	struct stat st;

	if (fstat(in->fd, &st) < 0)
		return err_set(err, -errno, "%s", in->name);
	if (S_ISDIR(st.st_mode))
		return err_fail(err, ERR_MISSING, -EISDIR, "%s", in->name);
	if ((fcntl(in->fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
		return err_fail(err, ERR_MISSING, -EBADF, "%s: not open for reading", in->name);
	if (isatty(in->fd))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: is a terminal, not an image",
				in->name);
	in->start = lseek(in->fd, 0, SEEK_CUR);
	in->rewindable = S_ISREG(st.st_mode) && in->start >= 0;
	return 0;
}

int input_open(const struct uri *uri, struct cancel *cancel, struct input **ret, struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	int r;

	in = calloc(1, sizeof(*in));
	if (!in)
		return err_set(err, -ENOMEM, "%s", uri->text);
	in->fd = -1;
	in->cancel = cancel;
	in->name = strdup(uri->kind == URI_STDIO ? "standard input" : uri->text);
	if (!in->name)
		return err_set(err, -ENOMEM, "%s", uri->text);
	r = open_source(in, uri, err);
	if (r >= 0)
		r = look_at(in, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(in);
	return 0;
}

ssize_t input_read(struct input *in, void *buf, size_t len, struct err *err)
{
	ssize_t n;

	do {
		if (!in->rewindable) {
			int r = cancel_poll(in->cancel, in->fd, POLLIN, err);

			if (r < 0)
				return r;
		}
		n = read(in->fd, buf, len);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return err_fail(err, ERR_IO, -errno, "%s: reading", in->name);
	return n;
}

bool input_rewindable(const struct input *in)
{
	return in->rewindable;
}

int input_rewind(struct input *in, struct err *err)
{
	if (lseek(in->fd, in->start, SEEK_SET) < 0)
		return err_fail(err, ERR_IO, -errno, "%s: going back to the start", in->name);
	return 0;
}

const char *input_name(const struct input *in)
{
	return in->name;
}

struct input *input_free(struct input *in)
{
	if (in) {
		if (in->fd >= 0)
			close(in->fd);
		free(in->name);
		free(in);
	}
	return NULL;
}
