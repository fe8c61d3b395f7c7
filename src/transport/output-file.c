// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/output-ops.h"

/* An image holds what a guest's device held: no other user may read it. */
#define IMAGE_MODE 0600

/* A file that has no name yet, or one of its own beside the final one. */
struct output_file {
	struct output out;
	int fd;
	bool force;
	char *path; /* final name */
	char *temporary; /* name until then, NULL with O_TMPFILE */
	int folder; /* of @path */
	uint64_t written;
	uint64_t allocated; /* room that was asked for; UINT64_MAX once it was not to be had */
	uint64_t sent; /* on its way to the disk */
};

static struct output_file *output_file_of(struct output *out)
{
	return container_of(out, struct output_file, out);
}

static int output_file_create_error(struct err *err, int code, const char *path)
{
	return err_fail(err, err_denied(code, ERR_OUTPUT), code, "%s: cannot create", path);
}

static int output_file_open_folder(const char *path, int *ret, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return err_set(err, -ENOMEM, "%s", path);
	*ret = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? output_file_create_error(err, -errno, path) : 0;
}

static const char *output_file_last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A name that cannot be there yet; hidden, and telling whose leftover it is after a crash. */
static int output_file_temporary_name(struct output_file *f, struct err *err)
{
	uint64_t salt;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return err_set(err, -errno, "getrandom");
	if (asprintf(&f->temporary, ".%.200s.%016llx.part", output_file_last_part(f->path),
		     (unsigned long long)salt) < 0) {
		f->temporary = NULL;
		return err_set(err, -ENOMEM, "%s", f->path);
	}
	return 0;
}

static int output_file_open_nameless(struct output_file *f, struct err *err)
{
	int r;

	f->fd = openat(f->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, IMAGE_MODE);
	if (f->fd >= 0)
		return 0;
	/* File systems without O_TMPFILE: EOPNOTSUPP; kernels without it: EISDIR. */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return output_file_create_error(err, -errno, f->path);
	r = output_file_temporary_name(f, err);
	if (r < 0)
		return r;
	f->fd = openat(f->folder, f->temporary,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, IMAGE_MODE);
	if (f->fd < 0) {
		r = output_file_create_error(err, -errno, f->path);
		f->temporary = mfree(f->temporary);
		return r;
	}
	return 0;
}

static int output_file_check_folder(const char *path, struct err *err)
{
	_cleanup_fd_ int folder = -1;
	int r;

	r = output_file_open_folder(path, &folder, err);
	if (r < 0)
		return r;
	if (faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return output_file_create_error(err, -errno, path);
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
			return output_file_create_error(err, -ELOOP,
							uri->path); /* a link to nowhere */
		return *output_file_last_part(uri->path)
			       ? output_file_check_folder(uri->path, err)
			       : output_file_create_error(err, -EISDIR, uri->path);
	}
	if (S_ISDIR(st.st_mode))
		return output_file_create_error(err, -EISDIR, uri->path);
	/*
	 * open() fails with ENXIO here, and with a FIFO that has no reader yet, which is waited
	 * for.
	 */
	if (S_ISSOCK(st.st_mode)) {
		output_file_create_error(err, -ENXIO, uri->path);
		return err_hint(err, -ENXIO, "to connect to this socket: unix:%s", uri->path);
	}
	if (!S_ISREG(st.st_mode) || force)
		return 0;
	r = output_file_create_error(err, -EEXIST, uri->path);
	return err_hint(err, r, "--force replaces it");
}

/*
 * Room is asked for so far ahead, and what was written is sent to the disk so often. Both only save
 * time, and either may not be had: file systems find better places for what they know is to come,
 * and the fsync() at the end has little left to wait for.
 */
#define AHEAD ((uint64_t)64 << 20)
#define BEHIND ((uint64_t)8 << 20)

static void output_file_help_along(struct output_file *f, size_t len)
{
	/* A small file is better off without. */
	if (f->written >= BEHIND && f->written + len > f->allocated) {
		f->allocated = f->written + AHEAD;
		if (fallocate(f->fd, FALLOC_FL_KEEP_SIZE, (off_t)f->written, (off_t)AHEAD) < 0)
			f->allocated = UINT64_MAX;
	}
	if (f->written - f->sent >= BEHIND) {
		sync_file_range(f->fd, (off_t)f->sent, (off_t)(f->written - f->sent),
				SYNC_FILE_RANGE_WRITE);
		f->sent = f->written;
	}
}

static int output_file_write(struct output *out, const void *buf, size_t len, struct err *err)
{
	struct output_file *f = output_file_of(out);
	int r;

	output_file_help_along(f, len);
	r = write_full(f->fd, buf, len);
	if (r < 0)
		return err_fail(err, ERR_IO, r, "%s: writing", out->name);
	f->written += len;
	return 0;
}

/* The temporary name becomes @name, which must not be there; FAT has no links to do it by. */
static int output_file_name_new(struct output_file *f, const char *name)
{
	if (linkat(f->folder, f->temporary, f->folder, name, 0) == 0) {
		unlinkat(f->folder, f->temporary, 0);
	} else {
		if (errno != EPERM && errno != EOPNOTSUPP)
			return -errno;
		if (renameat2(f->folder, f->temporary, f->folder, name, RENAME_NOREPLACE) < 0)
			return -errno;
	}
	f->temporary = mfree(f->temporary);
	return 0;
}

/* Gives the file its name. linkat() never replaces, so --force goes by a name beside it. */
static int output_file_link_in_place(struct output_file *f, struct err *err)
{
	const char *name = output_file_last_part(f->path);
	char self[64];
	int r;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	if (!f->temporary) {
		if (linkat(AT_FDCWD, self, f->folder, name, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		if (errno != EEXIST || !f->force)
			return output_file_create_error(err, -errno, f->path);
		r = output_file_temporary_name(f, err);
		if (r < 0)
			return r;
		if (linkat(AT_FDCWD, self, f->folder, f->temporary, AT_SYMLINK_FOLLOW) < 0)
			return output_file_create_error(err, -errno, f->path);
	} else if (!f->force) {
		r = output_file_name_new(f, name);
		return r < 0 ? output_file_create_error(err, r, f->path) : 0;
	}
	if (renameat(f->folder, f->temporary, f->folder, name) < 0)
		return output_file_create_error(err, -errno, f->path);
	f->temporary = mfree(f->temporary);
	return 0;
}

static int output_file_publish(struct output *out, struct err *err)
{
	struct output_file *f = output_file_of(out);
	int r;

	/* To the size that it has: what was allocated behind that goes. */
	if (f->allocated && ftruncate(f->fd, (off_t)f->written) < 0)
		return err_fail(err, ERR_IO, -errno, "%s: truncating", out->name);
	r = output_sync(f->fd, out->name, err);
	if (r < 0)
		return r;
	r = output_file_link_in_place(f, err);
	if (r < 0)
		return r;
	if (fsync(f->folder) < 0 && errno != EINVAL) {
		r = err_fail(err, ERR_IO, -errno, "%s: syncing its folder", f->path);
		/* What is not sure to be there must not be; what it replaced cannot come back. */
		if (!f->force)
			unlinkat(f->folder, output_file_last_part(f->path), 0);
		return r;
	}
	return 0;
}

static void output_file_free(struct output *out)
{
	struct output_file *f = output_file_of(out);

	if (f->temporary)
		unlinkat(f->folder, f->temporary, 0);
	if (f->fd >= 0)
		close(f->fd);
	if (f->folder >= 0)
		close(f->folder);
	free(f->temporary);
	free(f->path);
	free(f);
}

static const struct output_ops file_ops = {
	.write = output_file_write,
	.publish = output_file_publish,
	.free = output_file_free,
};

/* What a link points to is replaced, not the link. */
static char *output_file_final_path(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? realpath(path, NULL) : strdup(path);
}

/* What --force replaces is freed only once the new file has its name. */
bool output_file_room(const char *path, uint64_t *ret)
{
	_cleanup_free_ char *final = output_file_final_path(path);
	_cleanup_fd_ int folder = -1;
	struct statvfs fs;

	if (!final || output_file_open_folder(final, &folder, NULL) < 0 ||
	    fstatvfs(folder, &fs) < 0)
		return false;
	*ret = (uint64_t)fs.f_frsize * (geteuid() == 0 ? fs.f_bfree : fs.f_bavail);
	return true;
}

int output_file_open(const struct uri *uri, bool force, struct output **ret, struct err *err)
{
	_cleanup_(output_freep) struct output *out = NULL;
	struct output_file *f;
	int r;

	f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(err, -ENOMEM, "%s", uri->text);
	out = &f->out;
	out->ops = &file_ops;
	f->fd = f->folder = -1;
	f->force = force;
	f->path = output_file_final_path(uri->path);
	if (!f->path)
		return output_file_create_error(err, -errno, uri->path);
	r = output_name_it(out, uri->text, err);
	if (r < 0)
		return r;
	r = output_file_open_folder(f->path, &f->folder, err);
	if (r < 0)
		return r;
	r = output_file_open_nameless(f, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out);
	return 0;
}
