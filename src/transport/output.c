// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "transport/output.h"

/* An image holds what a guest's device held: nobody else may read it. */
#define IMAGE_MODE 0600

#define FIFO_PAUSE_MS 50

/*
 * How to write without being stuck behind a slow reader: a cancelled save has a stopped device
 * to bring back.
 */
enum output_style {
	OUTPUT_PLAIN, /* regular files, devices: writes end by themselves */
	OUTPUT_NONBLOCK, /* our own description of a pipe, O_NONBLOCK */
	OUTPUT_SOCKET, /* MSG_DONTWAIT */
	OUTPUT_PIECEMEAL, /* somebody else's pipe: PIPE_BUF bytes never block once ready */
};

struct output {
	char *name;
	int fd;
	enum output_style style;
	bool regular; /* worth an fsync() */
	struct cancel *cancel;
	bool force;
	char *path; /* final name, NULL for a descriptor */
	char *temporary; /* name until then, NULL with O_TMPFILE */
	int folder; /* of @path */
};

static int create_error(struct err *err, int code, const char *path)
{
	return err_fail(err, ERR_OUTPUT, code, "%s: cannot create", path);
}

static int open_folder(const char *path, int *ret, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return err_set(err, -ENOMEM, "%s", path);
	*ret = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? create_error(err, -errno, path) : 0;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A name that cannot be there yet; hidden, and telling whose leftover it is after a crash. */
static int temporary_name(struct output *out, struct err *err)
{
	uint64_t salt;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return err_set(err, -errno, "getrandom");
	if (asprintf(&out->temporary, ".%.200s.%016llx.part", last_part(out->path),
		     (unsigned long long)salt) < 0) {
		out->temporary = NULL;
		return err_set(err, -ENOMEM, "%s", out->path);
	}
	return 0;
}

static int open_nameless(struct output *out, struct err *err)
{
	int r;

	out->fd = openat(out->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, IMAGE_MODE);
	if (out->fd >= 0)
		return 0;
	/* File systems without O_TMPFILE: EOPNOTSUPP; kernels without it: EISDIR. */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return create_error(err, -errno, out->path);
	r = temporary_name(out, err);
	if (r < 0)
		return r;
	out->fd = openat(out->folder, out->temporary,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, IMAGE_MODE);
	if (out->fd < 0) {
		r = create_error(err, -errno, out->path);
		out->temporary = mfree(out->temporary);
		return r;
	}
	return 0;
}

int output_check(const struct uri *uri, bool force, struct err *err)
{
	struct stat st;
	int r;

	if (uri->kind != URI_FILE)
		return 0;
	if (stat(uri->path, &st) < 0) {
		if (lstat(uri->path, &st) == 0)
			return create_error(err, -ELOOP, uri->path); /* a link to nowhere */
		return *last_part(uri->path) ? 0 : create_error(err, -EISDIR, uri->path);
	}
	if (S_ISDIR(st.st_mode))
		return create_error(err, -EISDIR, uri->path);
	if (!S_ISREG(st.st_mode) || force)
		return 0;
	r = create_error(err, -EEXIST, uri->path);
	return err_hint(err, r, "--force replaces it");
}

/* A FIFO is opened once somebody reads it; until then a signal must still be heard. */
static int open_special(struct output *out, const char *path, struct err *err)
{
	for (;;) {
		out->fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (out->fd >= 0)
			return 0;
		if (errno != ENXIO)
			return create_error(err, -errno, path);
		int r = cancel_pause(out->cancel, FIFO_PAUSE_MS, err);

		if (r < 0)
			return r;
	}
}

/*
 * Only a missing or a regular file is ours to make or replace; a FIFO or a device node that is
 * there already is written to as it is.
 */
static int open_path(struct output *out, const struct uri *uri, struct err *err)
{
	struct stat st;
	bool exists = stat(out->path, &st) == 0;
	int r;

	r = output_check(uri, out->force, err);
	if (r < 0)
		return r;
	if (exists && !S_ISREG(st.st_mode)) {
		out->path = mfree(out->path);
		return open_special(out, uri->path, err);
	}
	/* What a link points to is replaced, not the link. */
	if (exists) {
		free(out->path);
		out->path = realpath(uri->path, NULL);
		if (!out->path)
			return create_error(err, -errno, uri->path);
	}
	r = open_folder(out->path, &out->folder, err);
	return r < 0 ? r : open_nameless(out, err);
}

/* Through /proc, so that O_NONBLOCK is ours alone and not on whoever shares the pipe with us. */
static int reopen_pipe(int *fd)
{
	char path[64];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (own < 0)
		return -errno;
	close(*fd);
	*fd = own;
	return 0;
}

static int settle_style(struct output *out, struct err *err)
{
	struct stat st;

	if (fstat(out->fd, &st) < 0)
		return err_set(err, -errno, "%s", out->name);
	if (isatty(out->fd)) {
		err_fail(err, ERR_USAGE, -EINVAL, "%s: is a terminal", out->name);
		return err_hint(err, -EINVAL, "an image is binary: redirect it");
	}
	out->regular = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
	if (S_ISCHR(st.st_mode) && (fcntl(out->fd, F_GETFL) & O_NONBLOCK))
		out->style = OUTPUT_NONBLOCK;
	if (S_ISFIFO(st.st_mode))
		out->style = reopen_pipe(&out->fd) < 0 ? OUTPUT_PIECEMEAL : OUTPUT_NONBLOCK;
	else if (S_ISSOCK(st.st_mode))
		out->style = OUTPUT_SOCKET;
	return 0;
}

static int open_descriptor(struct output *out, int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
		return err_fail(err, ERR_OUTPUT, -EBADF, "%s: not open for writing", out->name);
	out->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (out->fd < 0)
		return err_fail(err, ERR_OUTPUT, -errno, "%s", out->name);
	return 0;
}

int output_open(const struct uri *uri, bool force, struct cancel *cancel, struct output **ret,
		struct err *err)
{
	_cleanup_(output_freep) struct output *out = NULL;
	int r;

	out = calloc(1, sizeof(*out));
	if (!out)
		return err_set(err, -ENOMEM, "%s", uri->text);
	out->fd = -1;
	out->folder = -1;
	out->force = force;
	out->cancel = cancel;
	out->name = strdup(uri->kind == URI_STDIO ? "standard output" : uri->text);
	if (uri->kind == URI_FILE)
		out->path = strdup(uri->path);
	if (!out->name || (uri->kind == URI_FILE && !out->path))
		return err_set(err, -ENOMEM, "%s", uri->text);

	if (uri->kind == URI_FILE)
		r = open_path(out, uri, err);
	else
		r = open_descriptor(out, uri->kind == URI_FD ? uri->fd : STDOUT_FILENO, err);
	if (r >= 0)
		r = settle_style(out, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out);
	return 0;
}

static ssize_t write_some(struct output *out, const void *buf, size_t len)
{
	switch (out->style) {
	case OUTPUT_SOCKET:
		return send(out->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTPUT_PIECEMEAL:
		return write(out->fd, buf, MIN(len, PIPE_BUF));
	default:
		return write(out->fd, buf, len);
	}
}

int output_write(void *output, const void *buf, size_t len, struct err *err)
{
	struct output *out = output;
	size_t done = 0;

	while (done < len) {
		ssize_t n;

		if (out->style != OUTPUT_PLAIN) {
			int r = cancel_poll(out->cancel, out->fd, POLLOUT, err);

			if (r < 0)
				return r;
		}
		n = write_some(out, (const char *)buf + done, len - done);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_fail(err, ERR_IO, -errno, "%s: writing", out->name);
		done += (size_t)n;
	}
	return 0;
}

/* The temporary name becomes @name, which must not be there; FAT has no links to do it by. */
static int name_new(struct output *out, const char *name)
{
	if (linkat(out->folder, out->temporary, out->folder, name, 0) == 0)
		unlinkat(out->folder, out->temporary, 0);
	else if (errno != EPERM && errno != EOPNOTSUPP)
		return -errno;
	else if (renameat2(out->folder, out->temporary, out->folder, name, RENAME_NOREPLACE) < 0)
		return -errno;
	out->temporary = mfree(out->temporary);
	return 0;
}

/* Gives the file its name. linkat() never replaces, so --force goes by a name beside it. */
static int link_in_place(struct output *out, struct err *err)
{
	const char *name = last_part(out->path);
	char self[64];
	int r;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", out->fd);
	if (!out->temporary) {
		if (linkat(AT_FDCWD, self, out->folder, name, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		if (errno != EEXIST || !out->force)
			return create_error(err, -errno, out->path);
		r = temporary_name(out, err);
		if (r < 0)
			return r;
		if (linkat(AT_FDCWD, self, out->folder, out->temporary, AT_SYMLINK_FOLLOW) < 0)
			return create_error(err, -errno, out->path);
	} else if (!out->force) {
		r = name_new(out, name);
		return r < 0 ? create_error(err, r, out->path) : 0;
	}
	if (renameat(out->folder, out->temporary, out->folder, name) < 0)
		return create_error(err, -errno, out->path);
	out->temporary = mfree(out->temporary);
	return 0;
}

int output_publish(struct output *out, struct err *err)
{
	int r;

	/* A failed fsync() has dropped the pages: it can only be believed, not tried again. */
	if (out->regular && fsync(out->fd) < 0)
		return err_fail(err, ERR_IO, -errno, "%s: syncing", out->name);
	if (!out->path) {
		if (close(TAKE_FD(out->fd)) < 0)
			return err_fail(err, ERR_IO, -errno, "%s: closing", out->name);
		return 0;
	}
	r = link_in_place(out, err);
	if (r < 0)
		return r;
	if (fsync(out->folder) < 0 && errno != EINVAL) {
		r = err_fail(err, ERR_IO, -errno, "%s: syncing its folder", out->path);
		/* What is not sure to be there must not be; what it replaced cannot come back. */
		if (!out->force)
			unlinkat(out->folder, last_part(out->path), 0);
		return r;
	}
	return 0;
}

const char *output_name(const struct output *out)
{
	return out->name;
}

struct output *output_free(struct output *out)
{
	if (out) {
		if (out->temporary)
			unlinkat(out->folder, out->temporary, 0);
		if (out->fd >= 0)
			close(out->fd);
		if (out->folder >= 0)
			close(out->folder);
		free(out->temporary);
		free(out->path);
		free(out->name);
		free(out);
	}
	return NULL;
}
