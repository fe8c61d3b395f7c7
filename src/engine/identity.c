// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/identity.h"

static char *copy(const char *text, bool *failed)
{
	char *p = text ? strdup(text) : NULL;

	*failed |= text && !p;
	return p;
}

static bool describe(const struct device *dev, struct image_device *ret)
{
	const struct vfio_node *node = dev->node;
	bool failed = false;

	*ret = (struct image_device){
		.address = copy(device_name(dev), &failed),
		.bus = copy(node ? node->bus : NULL, &failed),
		.driver = copy(device_driver(dev), &failed),
		.driver_version = copy(node ? node->driver_version : NULL, &failed),
		.has_ids = dev->has_ids,
		.vendor = dev->ids.vendor,
		.device = dev->ids.device,
		.subsystem_vendor = dev->ids.subsystem_vendor,
		.subsystem_device = dev->ids.subsystem_device,
		.class_code = dev->ids.class_code,
		.revision = dev->ids.revision,
		.caps = dev->mig->caps,
		.protocol = copy(dev->mig->ops->name, &failed),
	};
	if (dev->config_size) {
		ret->config = malloc(dev->config_size);
		if (!ret->config)
			return false;
		memcpy(ret->config, dev->config, dev->config_size);
		ret->config_size = dev->config_size;
	}
	return !failed;
}

int identity_manifest(const struct device *dev, struct image_manifest *ret, struct err *err)
{
	struct image_manifest m = { 0 };
	bool failed = false;
	struct utsname uts;

	uname(&uts);
	m.kernel = copy(uts.release, &failed);
	m.tool = copy(PACKAGE_STRING, &failed);
	m.devices = calloc(1, sizeof(*m.devices));
	m.n_devices = m.devices ? 1 : 0;
	if (failed || !m.devices || !describe(dev, m.devices)) {
		image_manifest_done(&m);
		return err_set(err, -ENOMEM, "%s", dev->spec);
	}
	*ret = m;
	return 0;
}

/* Differences as one clause each: "driver is mtty in the image and mdpy here". */
struct diff {
	char text[320];
	size_t at;
};

static void differ(struct diff *d, const char *field, const char *saved, const char *here)
{
	int n;

	if (d->at >= sizeof(d->text))
		return;
	n = snprintf(d->text + d->at, sizeof(d->text) - d->at, "%s%s is %s in the image, %s here",
		     d->at ? "; " : "", field, saved, here);
	d->at += n > 0 ? (size_t)n : 0;
}

static void compare_text(struct diff *d, const char *field, const char *saved, const char *here)
{
	if (saved && here && strcmp(saved, here) != 0)
		differ(d, field, saved, here);
}

static void compare_number(struct diff *d, const char *field, int digits, uint64_t saved,
			   uint64_t here)
{
	char a[32], b[32];

	if (saved == here)
		return;
	snprintf(a, sizeof(a), "0x%0*llx", digits, (unsigned long long)saved);
	snprintf(b, sizeof(b), "0x%0*llx", digits, (unsigned long long)here);
	differ(d, field, a, b);
}

static void compare_vital(struct diff *d, const struct image_device *saved, const struct device *dev)
{
	const struct pci_ids *ids = &dev->ids;

	compare_text(d, "protocol", saved->protocol, dev->mig ? dev->mig->ops->name : NULL);
	compare_text(d, "driver", saved->driver, device_driver(dev));
	if (!saved->has_ids || !dev->has_ids)
		return;
	compare_number(d, "vendor", 4, saved->vendor, ids->vendor);
	compare_number(d, "device", 4, saved->device, ids->device);
	compare_number(d, "subsystem vendor", 4, saved->subsystem_vendor, ids->subsystem_vendor);
	compare_number(d, "subsystem device", 4, saved->subsystem_device, ids->subsystem_device);
	compare_number(d, "class", 6, saved->class_code, ids->class_code);
}

static void warn_of_the_rest(const struct image_device *saved, const struct device *dev)
{
	struct diff d = { .at = 0 };

	if (saved->has_ids && dev->has_ids)
		compare_number(&d, "revision", 2, saved->revision, dev->ids.revision);
	if (dev->node)
		compare_text(&d, "driver version", saved->driver_version, dev->node->driver_version);
	compare_number(&d, "migration flags", 1, saved->caps, dev->mig->caps);
	if (d.at)
		log_warn("%s: %s", device_name(dev), d.text);
}

int identity_check(const struct image_device *saved, const struct device *dev, bool force,
		   struct err *err)
{
	struct diff d = { .at = 0 };

	compare_vital(&d, saved, dev);
	if (d.at && !force) {
		err_fail(err, ERR_IMAGE, -EXDEV, "%s: the image is of another device: %s",
			 device_name(dev), d.text);
		return err_hint(err, -EXDEV, "--force-mismatch tries all the same");
	}
	if (d.at && dev->mig)
		log_warn("%s: %s", device_name(dev), d.text);
	if (dev->mig)
		warn_of_the_rest(saved, dev);
	return 0;
}
