// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/units.h"
#include "host/sysfs.h"
#include "host/vf-name.h"

/* Where a PF's other names are, below /sys. */
static const char *const classes[] = { "class/net", "class/infiniband" };

static int vf_name_refuse(const char *spec, struct err *err, const char *fmt, ...) _printf_(3, 4);

static int vf_name_refuse(const char *spec, struct err *err, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_fail(err, ERR_MISSING, -ENODEV, "%s: %s", spec, why);
}

/*
 * From a PF to its VF
 */

/* Of an attribute that holds a number. Return: whether there is one. */
static bool vf_name_read(const char *folder, const char *attribute, uint64_t *ret)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", folder, attribute), *text = NULL;

	return path && read_text(AT_FDCWD, path, &text) >= 0 &&
	       parse_uint(text, 10, UINT16_MAX, ret) >= 0;
}

static int vf_name_refuse_number(const char *spec, const char *pf, uint64_t vfs, struct err *err)
{
	if (!vfs) {
		vf_name_refuse(spec, err, "%s has no VFs", pf);
		return err_hint(err, -ENODEV, "vfiomigctl vfs %s N makes them", pf);
	}
	if (vfs == 1)
		vf_name_refuse(spec, err, "%s has one VF, vf0", pf);
	else
		vf_name_refuse(spec, err, "%s has %u VFs, vf0 to vf%u", pf, (unsigned int)vfs,
			       (unsigned int)vfs - 1);
	return err_hint(err, -ENODEV, "vfiomigctl vfs %s shows them", pf);
}

/* @folder: the PF's own */
static int vf_name_of_pf(const struct host *host, const char *spec, const char *folder,
			 unsigned int number, char ret[PCI_ADDRESS_MAX], struct err *err)
{
	_cleanup_free_ char *physfn = NULL;
	const char *pf = path_base(folder);
	uint64_t total, now = 0;
	int r;

	if (sysfs_link_name(folder, "physfn", &physfn) == 0)
		return vf_name_refuse(spec, err, "%s is a VF itself, of %s", pf, physfn);
	if (!vf_name_read(folder, "sriov_totalvfs", &total))
		return vf_name_refuse(spec, err, "%s is no PF: it has no SR-IOV", pf);
	r = pci_vf_address(host, pf, number, ret);
	if (r >= 0)
		return 0;
	if (r != -ENOENT)
		return err_set(err, r, "%s: virtfn%u of %s", spec, number, pf);
	vf_name_read(folder, "sriov_numvfs", &now);
	return vf_name_refuse_number(spec, pf, now, err);
}

/* Goes up to the function that a class's device, which may have others in between, belongs to. */
static bool vf_name_climb(char *folder, const char *root)
{
	while (path_inside(folder, root)) {
		_cleanup_free_ char *bus = NULL;
		struct dev_name name;

		if (sysfs_link_name(folder, "subsystem", &bus) == 0 && strcmp(bus, "pci") == 0 &&
		    dev_name_parse(path_base(folder), &name) == DEV_FORM_PCI)
			return true;
		*strrchr(folder, '/') = '\0';
	}
	return false;
}

/* @ret: for the caller to free */
static int vf_name_function_of(const struct host *host, const char *spec, const char *folder,
			       char **ret, struct err *err)
{
	_cleanup_free_ char *root = NULL, *function = strdup(folder);
	int r = path_real(&root, "%s", host->sys);

	if (r < 0 || !function)
		return err_set(err, r < 0 ? r : -ENOMEM, "%s", spec);
	if (!vf_name_climb(function, root))
		return vf_name_refuse(spec, err, "there is no PCI function behind %s",
				      path_base(folder));
	*ret = TAKE_PTR(function);
	return 0;
}

int vf_name_in_folder(const struct host *host, const char *spec, const char *folder,
		      unsigned int number, char ret[PCI_ADDRESS_MAX], struct err *err)
{
	_cleanup_free_ char *pf = NULL;
	int r = vf_name_function_of(host, spec, folder, &pf, err);

	return r < 0 ? r : vf_name_of_pf(host, spec, pf, number, ret, err);
}

/*
 * From a name to the PF
 */

/* Return: 0 with a path for the caller to free; -ENOENT; another errno. */
static int vf_name_find_class(const struct host *host, const char *device, char **ret)
{
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(classes); i++)
		r = path_real(ret, "%s/%s/%s", host->sys, classes[i], device);
	return r;
}

int vf_name_find_function(const struct host *host, const char *spec, char ret[PCI_ADDRESS_MAX],
			  struct err *err)
{
	_cleanup_free_ char *folder = NULL, *function = NULL;
	int r;

	if (!*spec || strchr(spec, '/') || strcmp(spec, ".") == 0 || strcmp(spec, "..") == 0)
		return VF_NAME_NONE;
	r = vf_name_find_class(host, spec, &folder);
	if (r == -ENOENT || r == -ENAMETOOLONG)
		return VF_NAME_NONE;
	if (r < 0)
		return err_set(err, r, "%s", spec);
	r = vf_name_function_of(host, spec, folder, &function, err);
	if (r < 0)
		return r;
	snprintf(ret, PCI_ADDRESS_MAX, "%.19s", path_base(function));
	return VF_NAME_FUNCTION;
}

static int vf_name_find_by_pf(const struct host *host, const char *spec,
			      const struct dev_name *name, char ret[PCI_ADDRESS_MAX],
			      struct err *err)
{
	const bool address = strchr(name->kernel, ':');
	_cleanup_free_ char *folder = NULL;
	int r;

	if (address)
		r = path_real(&folder, "%s/bus/pci/devices/%s", host->sys, name->kernel);
	else
		r = vf_name_find_class(host, name->kernel, &folder);
	if (r == -ENOENT)
		return vf_name_refuse(spec, err, "there is no %s %s",
				      address ? "PCI device" : "network or InfiniBand device",
				      name->kernel);
	if (r < 0)
		return err_set(err, r, "%s", spec);
	return vf_name_in_folder(host, spec, folder, name->number, ret, err);
}

/* "0000:3b:00.1": 1 */
static bool vf_name_is_function(const char *address, uint16_t number)
{
	const char *dot = strrchr(address, '.');
	uint64_t function;

	return dot && parse_uint(dot + 1, 16, UINT16_MAX, &function) >= 0 && function == number;
}

int vf_name_of_port(const struct host *host, const char *spec, const struct devlink_port *port,
		    char ret[PCI_ADDRESS_MAX], struct err *err)
{
	_cleanup_free_ char *folder = NULL;
	int r;

	if (!port->is_vf)
		return vf_name_refuse(spec, err, "not the port of a VF, but of flavour %s",
				      devlink_flavour_name(port->flavour));
	if (port->external)
		return vf_name_refuse(spec, err, "the port of a VF of another host (controller %u)",
				      port->controller);
	if (!vf_name_is_function(port->dev, port->pf))
		return vf_name_refuse(spec, err, "the port of a VF of PF number %u, not of %s",
				      port->pf, port->dev);
	r = path_real(&folder, "%s/bus/pci/devices/%s", host->sys, port->dev);
	if (r == -ENOENT)
		return vf_name_refuse(spec, err, "there is no PCI device %s", port->dev);
	if (r < 0)
		return err_set(err, r, "%s", spec);
	return vf_name_of_pf(host, spec, folder, port->vf, ret, err);
}

static int vf_name_find_by_port(const struct host *host, const char *spec,
				const struct dev_name *name, char ret[PCI_ADDRESS_MAX],
				struct err *err)
{
	struct netlink *devlink = NULL;
	struct devlink_port port;
	int r;

	r = devlink_open(&devlink, err);
	if (r < 0)
		return err_prefix(err, r, "%s", spec);
	r = devlink_get_port(devlink, name->kernel, name->number, &port, err);
	netlink_close(devlink);
	if (r < 0)
		return err_prefix(err, r, "%s", spec);
	if (r == DEVLINK_NO_DEVICE)
		return vf_name_refuse(spec, err, "pci/%s is not in devlink", name->kernel);
	if (r == DEVLINK_NO_PORT) {
		vf_name_refuse(spec, err, "pci/%s has no such port", name->kernel);
		return err_hint(err, -ENODEV,
				"devlink port shows them, those of VFs in "
				"switchdev mode");
	}
	return vf_name_of_port(host, spec, &port, ret, err);
}

int vf_name_find(const struct host *host, const char *spec, const struct dev_name *name,
		 char ret[PCI_ADDRESS_MAX], struct err *err)
{
	int r;

	if (name->form == DEV_FORM_PORT)
		return vf_name_find_by_port(host, spec, name, ret, err);
	/* Where no sysfs is mounted, no PF is found, whatever there is. */
	r = sysfs_check(host, err);
	if (r < 0)
		return err_prefix(err, r, "%s", spec);
	return vf_name_find_by_pf(host, spec, name, ret, err);
}

/*
 * From a VF to its name
 */

/* "pf0vf3", "c1pf0": a port of the eswitch that leads to another function; "p0" is the uplink. */
static bool vf_name_is_representor(const char *folder, const char *netdev)
{
	_cleanup_free_ char *path = path_fmt("%s/%s/phys_port_name", folder, netdev);
	_cleanup_free_ char *text = NULL;
	const char *at;

	if (!path || read_text(AT_FDCWD, path, &text) < 0)
		return false;
	at = text;
	if (*at == 'c')
		for (at++; isdigit((unsigned char)*at);)
			at++;
	return strncmp(at, "pf", 2) == 0;
}

/* The first of those in @folder, by name. @best is "" where there is none yet. */
static void vf_name_pick(const char *folder, char best[DEV_NAME_SIZE])
{
	_cleanup_(closedirp) DIR *dir = opendir(folder);
	const char *name;

	while (dir && (name = dir_next(dir)))
		if (strlen(name) < DEV_NAME_SIZE && (!*best || strverscmp(name, best) < 0) &&
		    !vf_name_is_representor(folder, name))
			snprintf(best, DEV_NAME_SIZE, "%s", name);
}

/* virtio has a device of its own between the function and its network device. */
static void vf_name_pick_below(const char *pf, char best[DEV_NAME_SIZE])
{
	_cleanup_(closedirp) DIR *dir = opendir(pf);
	const char *name;

	while (dir && (name = dir_next(dir))) {
		_cleanup_free_ char *net = NULL;

		if (strncmp(name, "virtio", strlen("virtio")) == 0 &&
		    (net = path_fmt("%s/%s/net", pf, name)))
			vf_name_pick(net, best);
	}
}

char *vf_name_make(const struct host *host, const struct pci_vf *vf, char buf[VF_NAME_MAX])
{
	_cleanup_free_ char *pf = path_fmt("%s/bus/pci/devices/%s", host->sys, vf->pf);
	_cleanup_free_ char *net = path_fmt("%s/bus/pci/devices/%s/net", host->sys, vf->pf);
	char best[DEV_NAME_SIZE] = "";

	if (net)
		vf_name_pick(net, best);
	if (!*best && pf)
		vf_name_pick_below(pf, best);
	snprintf(buf, VF_NAME_MAX, "%.40s/vf%u", *best ? best : vf->pf, vf->number);
	return buf;
}
