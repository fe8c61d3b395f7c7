// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/replace-file.h"
#include "host/run-record.h"
#include "host/sysfs.h"

static char *run_record_path(const char *dir, const char *kind, const struct vfio_node *node)
{
	return path_fmt("%s/%s.%s", dir, node->name, kind);
}

static int run_record_inode(const struct vfio_node *node, uint64_t *ret, struct err *err)
{
	struct stat st;

	if (stat(node->sysfs, &st) < 0)
		return err_set(err, -errno, "%s", node->sysfs);
	*ret = st.st_ino;
	return 0;
}

/* "KEY VALUE" on a line of its own; a value may be empty. */
static bool run_record_get(const char **text, const char *key, char ret[RUN_RECORD_TEXT])
{
	const size_t key_len = strlen(key);
	size_t len;

	if (strncmp(*text, key, key_len) != 0 || (*text)[key_len] != ' ')
		return false;
	*text += key_len + 1;
	len = strcspn(*text, "\n");
	if (len >= RUN_RECORD_TEXT || (*text)[len] != '\n' || memchr(*text, '/', len))
		return false;
	memcpy(ret, *text, len);
	ret[len] = '\0';
	*text += len + 1;
	return true;
}

static bool run_record_parse(const char *text, struct run_record *ret, uint64_t *ret_inode)
{
	char inode[RUN_RECORD_TEXT], moving[RUN_RECORD_TEXT];
	char *end;

	if (!run_record_get(&text, "inode", inode) || !run_record_get(&text, "found", ret->found) ||
	    !run_record_get(&text, "override", ret->override) ||
	    !run_record_get(&text, "moving", moving))
		return false;
	*ret_inode = strtoull(inode, &end, 10);
	ret->moving = strcmp(moving, "yes") == 0;
	/* read_text() takes the newline of the last line. */
	return *inode && !*end && strcmp(text, "end") == 0;
}

int run_record_read(const char *dir, const char *kind, const struct vfio_node *node,
		    struct run_record *ret, struct err *err)
{
	_cleanup_free_ char *path = run_record_path(dir, kind, node);
	_cleanup_free_ char *text = NULL;
	struct run_record record = { 0 };
	uint64_t then, now = 0;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = read_text(AT_FDCWD, path, &text);
	if (r == -ENOENT)
		return RUN_RECORD_NONE;
	if (r < 0)
		return err_set(err, r, "%s", path);
	if (!run_record_parse(text, &record, &then)) {
		err_fail(err, ERR_SYSTEM, -EBADMSG, "%s: not a record of what %s was", path,
			 node->name);
		return err_hint(err, -EBADMSG, "remove it if the driver is as it should be");
	}
	r = run_record_inode(node, &now, err);
	if (r < 0)
		return r;
	if (then != now)
		return RUN_RECORD_NONE;
	*ret = record;
	return RUN_RECORD_FOUND;
}

int run_record_write(const char *dir, const char *kind, const struct vfio_node *node,
		     const struct run_record *record, struct err *err)
{
	_cleanup_free_ char *path = run_record_path(dir, kind, node), *text = NULL;
	_cleanup_fd_ int fd = -1;
	uint64_t inode = 0;
	int r;

	r = run_record_inode(node, &inode, err);
	if (r < 0)
		return r;
	text = path_fmt("inode %" PRIu64 "\nfound %s\noverride %s\nmoving %s\nend\n", inode,
			record->found, record->override, record->moving ? "yes" : "no");
	if (!path || !text)
		return err_set(err, -ENOMEM, "%s", node->name);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "%s", dir);
	r = replace_file(fd, path_base(path), text, REPLACE_OWN);
	return r < 0 ? err_set(err, r, "%s", path) : 0;
}

int run_record_remove(const char *dir, const char *kind, const struct vfio_node *node,
		      struct err *err)
{
	_cleanup_free_ char *path = run_record_path(dir, kind, node);

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s", path);
	return 0;
}
