// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "host/pci-driver.h"
#include "host/sysfs.h"

/* An attribute wants all of it in one write(). */
static int pci_driver_write(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int pci_driver_unbind(const struct host *host, const struct vfio_node *node, struct err *err)
{
	_cleanup_free_ char *driver = NULL, *path = NULL;
	int r;

	r = sysfs_link_name(node->sysfs, "driver", &driver);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(err, r, "%s: driver", node->name);
	path = path_fmt("%s/bus/pci/drivers/%s/unbind", host->sys, driver);
	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = pci_driver_write(path, node->name);
	return r < 0 ? err_set(err, r, "%s: unbind it from %s", node->name, driver) : 0;
}

int pci_driver_get_override(const struct vfio_node *node, char **ret, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/driver_override", node->sysfs), *text = NULL;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = read_text(AT_FDCWD, path, &text);
	if (r < 0)
		return err_set(err, r, "%s: driver_override", node->name);
	if (strcmp(text, "(null)") == 0)
		*text = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

int pci_driver_set_override(const struct vfio_node *node, const char *driver, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/driver_override", node->sysfs);
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	/* A newline clears it: nothing at all would not be written. */
	r = pci_driver_write(path, *driver ? driver : "\n");
	return r < 0 ? err_set(err, r, "%s: driver_override", node->name) : 0;
}

static int pci_driver_probe(const struct host *host, const struct vfio_node *node,
			    const char *driver, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/bus/pci/drivers_probe", host->sys);
	_cleanup_free_ char *found = NULL;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "%s", node->name);
	r = pci_driver_write(path, node->name);
	if (r < 0)
		return err_set(err, r, "%s: bind it to %s", node->name, driver);
	/* The write succeeds whether or not a driver has taken it. */
	r = sysfs_link_name(node->sysfs, "driver", &found);
	if (r == 0 && strcmp(found, driver) == 0)
		return 0;
	err_fail(err, ERR_DEVICE, -ENODEV, "%s: %s does not take it", node->name, driver);
	return err_hint(err, -ENODEV, "see the kernel's log");
}

int pci_driver_bind(const struct host *host, const struct vfio_node *node, const char *driver,
		    struct err *err)
{
	_cleanup_free_ char *before = NULL;
	struct err why = { 0 };
	int r, back;

	r = pci_driver_get_override(node, &before, err);
	if (r < 0)
		return r;
	r = pci_driver_set_override(node, driver, err);
	if (r < 0)
		return r;
	r = pci_driver_probe(host, node, driver, err);
	back = pci_driver_set_override(node, before, &why);
	if (r >= 0 && back < 0)
		return err_set(err, back, "%s", why.text);
	if (back < 0)
		err_note(err, back, "its driver_override is left at %s", driver);
	return r;
}
