// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/replace-file.h"
#include "host/pci-ids.h"
#include "host/sysfs.h"
#include "host/udev-rule.h"

/*
 * Before 80-drivers.rules, which asks for the host's module, so that the function is spoken for by
 * then.
 */
#define UDEV_RULE_PREFIX "70-vfiomigctl-"

/* What tells a file of ours. */
#define UDEV_RULE_MARK "# Written by vfiomigctl bind --persist; vfiomigctl unbind removes it.\n"

char *udev_rule_path(const char *dir, const struct vfio_node *node)
{
	return path_fmt("%s/" UDEV_RULE_PREFIX "%s.rules", dir, node->name);
}

/* As it is looked at by udev: neither quotes nor what it substitutes. */
static bool udev_rule_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-.";

	return *name && name[strspn(name, plain)] == '\0';
}

/*
 * A driver that the kernel has chosen before the rule sets driver_override may still be on its way
 * when the rule looks for it. So the rule looks once more when one has bound the function: what is
 * not named by driver_override then has come in that way. What a user binds has an override of its
 * own, or none.
 */
int udev_rule_text(const struct host *host, const struct vfio_node *node,
		   const struct udev_rule *rule, char **ret, struct err *err)
{
	const bool load = *rule->module;
	_cleanup_free_ char *bound = NULL;
	struct pci_ids ids;
	char *text;
	int r;

	if (!udev_rule_plain(rule->driver) || (load && !udev_rule_plain(rule->module)))
		return err_fail(err, ERR_UNSUPPORTED, -EINVAL,
				"%s: a rule of udev cannot name the driver '%s'", node->name,
				rule->driver);
	r = pci_ids_from_sysfs(host, node, &ids);
	if (r < 0)
		return err_set(err, r, "%s: its IDs", node->name);
	bound = path_fmt("/sys/bus/pci/drivers/%s/%s", rule->driver, node->name);
	if (!bound)
		return err_set(err, -ENOMEM, "%s", node->name);
	text = path_fmt(UDEV_RULE_MARK
			"# driver %s\n"
			"# module %s\n"
			"# found %s\n"
			"ACTION!=\"add|bind\", GOTO=\"vfiomigctl_end\"\n"
			"SUBSYSTEM!=\"pci\", GOTO=\"vfiomigctl_end\"\n"
			"KERNEL!=\"%s\", GOTO=\"vfiomigctl_end\"\n"
			"ATTR{vendor}!=\"0x%04x\", GOTO=\"vfiomigctl_end\"\n"
			"ATTR{device}!=\"0x%04x\", GOTO=\"vfiomigctl_end\"\n"
			"TEST==\"%s\", GOTO=\"vfiomigctl_end\"\n"
			"ACTION==\"bind\", ATTR{driver_override}!=\"%s\", GOTO=\"vfiomigctl_end\"\n"
			"ATTR{driver_override}=\"%s\"%s%s%s\n"
			"TEST!=\"%s\", TEST==\"driver/unbind\", ATTR{driver/unbind}=\"%s\"\n"
			"TEST!=\"%s\", ATTR{subsystem/drivers_probe}=\"%s\"\n"
			"LABEL=\"vfiomigctl_end\"\n",
			rule->driver, rule->module, rule->found, node->name, ids.vendor, ids.device,
			bound, rule->driver, rule->driver,
			load ? ", RUN{builtin}+=\"kmod load " : "", rule->module, load ? "\"" : "",
			bound, node->name, bound, node->name);
	if (!text)
		return err_set(err, -ENOMEM, "%s", node->name);
	*ret = text;
	return 0;
}

/* "# KEY VALUE" on a line of its own; a value may be empty. */
static bool udev_rule_get(const char **text, const char *key, char ret[UDEV_RULE_TEXT])
{
	const size_t key_len = strlen(key);
	size_t len;

	if (strncmp(*text, key, key_len) != 0)
		return false;
	*text += key_len;
	len = strcspn(*text, "\n");
	if (len >= UDEV_RULE_TEXT || (*text)[len] != '\n' || memchr(*text, '/', len))
		return false;
	memcpy(ret, *text, len);
	ret[len] = '\0';
	*text += len + 1;
	return true;
}

static bool udev_rule_parse(const char *text, struct udev_rule *ret)
{
	if (strncmp(text, UDEV_RULE_MARK, strlen(UDEV_RULE_MARK)) != 0)
		return false;
	text += strlen(UDEV_RULE_MARK);
	return udev_rule_get(&text, "# driver ", ret->driver) && *ret->driver &&
	       udev_rule_get(&text, "# module ", ret->module) &&
	       udev_rule_get(&text, "# found ", ret->found);
}

int udev_rule_read(const char *dir, const struct vfio_node *node, struct udev_rule *ret,
		   char **ret_text, struct err *err)
{
	_cleanup_free_ char *path = udev_rule_path(dir, node);
	_cleanup_free_ char *text = NULL;
	struct udev_rule rule;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = read_text(AT_FDCWD, path, &text);
	if (r == -ENOENT)
		return UDEV_RULE_NONE;
	if (r < 0)
		return err_set(err, r, "%s", path);
	if (!udev_rule_parse(text, &rule)) {
		err_fail(err, ERR_CONFIG, -EBADMSG, "%s: not written by bind --persist", path);
		return err_hint(err, -EBADMSG, "move it elsewhere");
	}
	*ret = rule;
	*ret_text = TAKE_PTR(text);
	return UDEV_RULE_FOUND;
}

static int udev_rule_open_dir(const char *dir, int *ret, struct err *err)
{
	int fd;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
		int r = -errno;

		err_fail(err, err_denied(r, ERR_OUTPUT), r, "%s", dir);
		return r == -ENOENT ? err_hint(err, r, "without udev nothing reads a rule") : r;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_fail(err, err_denied(-errno, ERR_OUTPUT), -errno, "%s", dir);
	*ret = fd;
	return 0;
}

int udev_rule_write(const char *dir, const struct vfio_node *node, const char *text, bool replace,
		    struct err *err)
{
	_cleanup_free_ char *path = udev_rule_path(dir, node);
	_cleanup_fd_ int fd = -1;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = udev_rule_open_dir(dir, &fd, err);
	if (r < 0)
		return r;
	r = replace_file(fd, path_base(path), text, replace ? REPLACE_OWN : REPLACE_NOTHING);
	return r < 0 ? err_fail(err, err_denied(r, ERR_OUTPUT), r, "%s", path) : 0;
}

int udev_rule_remove(const char *dir, const struct vfio_node *node, struct err *err)
{
	_cleanup_free_ char *path = udev_rule_path(dir, node);
	_cleanup_fd_ int fd = -1;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s", path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? err_set(err, -errno, "%s", dir) : 0;
}
