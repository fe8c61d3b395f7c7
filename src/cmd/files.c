// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/sysfs.h"
#include "cmd/files.h"

/* Return: the descriptor that @uri names, @standard for "-", -1 where it names none. */
static int cmd_files_fd(const struct uri *uri, int standard)
{
	if (uri->kind == URI_STDIO)
		return standard;
	return uri->kind == URI_FD ? uri->fd : -1;
}

/* Return: whether @uri leads to something that is there already. */
static bool cmd_files_stat(const struct uri *uri, int standard, struct stat *ret)
{
	int fd = cmd_files_fd(uri, standard);

	if (fd >= 0)
		return fstat(fd, ret) == 0;
	return uri->path && stat(uri->path, ret) == 0;
}

/*
 * What is written to @b changes what is read from @a, or comes out of it. Not so of terminals and
 * /dev/null, nor of a socket, which has a direction for each. What has no type, an eventfd or a
 * VFIO data fd, shares its inode with others of its kind.
 */
static bool cmd_files_same(const struct stat *a, const struct stat *b)
{
	switch (a->st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
		return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
	case S_IFBLK:
		return S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
	default:
		return false;
	}
}

static bool cmd_files_same_fd(const struct stat *a, int fd)
{
	struct stat b;

	return fd >= 0 && fstat(fd, &b) == 0 && cmd_files_same(a, &b);
}

static int cmd_files_compare(const struct invocation *inv, const struct uri *uri, struct err *err)
{
	if (!inv->has_input || !inv->has_output || !cmd_files_same(&inv->input, &inv->output))
		return 0;
	return err_fail(err, ERR_USAGE, -EINVAL, "%s: is both what is read and what is written",
			uri->text);
}

int cmd_files_input(struct invocation *inv, const struct uri *uri, struct err *err)
{
	inv->has_input = cmd_files_stat(uri, STDIN_FILENO, &inv->input);
	if (!inv->has_input)
		return 0;
	if (inv->status_fd >= 0 && cmd_files_same_fd(&inv->input, inv->status_fd)) {
		err_fail(err, ERR_USAGE, -EINVAL, "--status-fd: %d is what is read",
			 inv->status_fd);
		inv->status_fd = -1; /* the result must not go there either */
		return -EINVAL;
	}
	if (!inv->stdout_taken && cmd_files_same_fd(&inv->input, STDOUT_FILENO)) {
		inv->stdout_taken = true; /* as above */
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: standard output is what is read",
				uri->text);
	}
	return cmd_files_compare(inv, uri, err);
}

int cmd_files_output(struct invocation *inv, const struct uri *uri, struct err *err)
{
	inv->has_output = cmd_files_stat(uri, STDOUT_FILENO, &inv->output);
	return cmd_files_compare(inv, uri, err);
}

/* A device fd that came from its group has no node. */
static bool cmd_files_is_group_fd(int fd)
{
	static const char device[] = "anon_inode:[vfio-device]";
	char path[64], link[sizeof(device)];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	return n == (ssize_t)strlen(device) && !memcmp(link, device, strlen(device));
}

/* By its number, not by where it is: a container's /dev has nodes of its own. */
static bool cmd_files_is_vfio_node(const struct host *host, const struct stat *st)
{
	_cleanup_free_ char *real = NULL, *class = NULL;

	if (!S_ISCHR(st->st_mode) || path_real(&real, "%s/dev/char/%u:%u", host->sys,
					       major(st->st_rdev), minor(st->st_rdev)) < 0)
		return false;
	return sysfs_link_name(real, "subsystem", &class) == 0 &&
	       (!strcmp(class, "vfio") || !strcmp(class, "vfio-dev"));
}

static bool cmd_files_is_socket_of(const struct device *dev, const struct stat *st)
{
	const char *path = device_socket(dev);
	struct stat socket;

	return path && S_ISSOCK(st->st_mode) && stat(path, &socket) == 0 &&
	       socket.st_dev == st->st_dev && socket.st_ino == st->st_ino;
}

int cmd_files_device(const struct device *dev, const struct uri *uri, struct err *err)
{
	int fd = cmd_files_fd(uri, -1);
	struct stat st;

	if (!cmd_files_stat(uri, -1, &st))
		return 0;
	if (!cmd_files_is_vfio_node(dev->host, &st) && !cmd_files_is_socket_of(dev, &st) &&
	    (fd < 0 || !cmd_files_is_group_fd(fd)))
		return 0;
	return err_fail(err, ERR_USAGE, -EINVAL, "%s: is a device, and no place for its state",
			uri->text);
}
