// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/macros.h"
#include "fsm/fsm.h"
#include "engine/compat.h"
#include "host/pci-config.h"

/* The one field that is a plural. */
#define CAPS_FIELD "migration flags"

static char *compat_copy(const char *text, bool *failed)
{
	char *p = text ? strdup(text) : NULL;

	*failed |= text && !p;
	return p;
}

static bool compat_describe(const struct device *dev, struct image_device *ret)
{
	const struct device_owner *owner = device_owner(dev);
	const struct vfio_node *node = dev->node;
	bool failed = false;

	*ret = (struct image_device){
		.address = compat_copy(device_name(dev), &failed),
		.bus = compat_copy(node ? node->bus : NULL, &failed),
		.driver = compat_copy(device_driver(dev), &failed),
		.driver_version = compat_copy(node ? node->driver_version : NULL, &failed),
		.via = compat_copy(acquire_via_name(dev->via), &failed),
		.owner = compat_copy(owner ? owner->comm : NULL, &failed),
		.owner_pid = owner ? (uint32_t)owner->pid : 0,
		.has_ids = dev->has_ids,
		.vendor = dev->ids.vendor,
		.device = dev->ids.device,
		.subsystem_vendor = dev->ids.subsystem_vendor,
		.subsystem_device = dev->ids.subsystem_device,
		.class_code = dev->ids.class_code,
		.revision = dev->ids.revision,
		.caps = dev->mig->caps,
		.protocol = compat_copy(dev->mig->ops->name, &failed),
		.interrupts = pci_config_interrupts(dev->config, dev->config_size),
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

int compat_manifest(struct device *const *devs, unsigned int n, struct image_manifest *ret,
		    struct err *err)
{
	struct image_manifest m = { 0 };
	bool failed = false;
	struct utsname uts;

	uname(&uts);
	m.kernel = compat_copy(uts.release, &failed);
	m.tool = compat_copy(PACKAGE_STRING, &failed);
	m.devices = calloc(n, sizeof(*m.devices));
	m.n_devices = m.devices ? n : 0;
	for (unsigned int i = 0; i < m.n_devices; i++)
		failed |= !compat_describe(devs[i], &m.devices[i]);
	if (failed || !m.devices) {
		image_manifest_done(&m);
		return err_set(err, -ENOMEM, "manifest");
	}
	*ret = m;
	return 0;
}

/* Where to tell differences, and whether those that follow are vital. */
struct comparison {
	compat_differ_fn *fn;
	void *ctx;
	bool vital;
};

static void compat_compare_text(const struct comparison *c, const char *field, const char *saved,
				const char *here)
{
	if (saved && here && strcmp(saved, here) != 0)
		c->fn(c->ctx, field, saved, here, c->vital);
}

static void compat_compare_number(const struct comparison *c, const char *field, int digits,
				  uint64_t saved, uint64_t here)
{
	char a[32], b[32];

	if (saved == here)
		return;
	snprintf(a, sizeof(a), "0x%0*llx", digits, (unsigned long long)saved);
	snprintf(b, sizeof(b), "0x%0*llx", digits, (unsigned long long)here);
	c->fn(c->ctx, field, a, b, c->vital);
}

/* "stop-copy p2p", and in hexadecimal what has no name. */
static void compat_caps_text(char *buf, size_t size, uint64_t caps)
{
	size_t at = 0;

	snprintf(buf, size, "%s", caps ? "" : "none");
	for (unsigned int i = 0; fsm_cap_name(i) && at < size; i++) {
		if (caps & UINT64_C(1) << i)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? " " : "",
					       fsm_cap_name(i));
		caps &= ~(UINT64_C(1) << i);
	}
	if (caps && at < size)
		snprintf(buf + at, size - at, "%s0x%llx", at ? " " : "", (unsigned long long)caps);
}

static void compat_compare_caps(const struct comparison *c, uint64_t saved, uint64_t here)
{
	char a[64], b[64];

	if (saved == here)
		return;
	compat_caps_text(a, sizeof(a), saved);
	compat_caps_text(b, sizeof(b), here);
	c->fn(c->ctx, CAPS_FIELD, a, b, c->vital);
}

static void compat_compare_ids(const struct comparison *c, const struct image_device *saved,
			       const struct pci_ids *ids)
{
	compat_compare_number(c, "vendor", 4, saved->vendor, ids->vendor);
	compat_compare_number(c, "device", 4, saved->device, ids->device);
	compat_compare_number(c, "subsystem vendor", 4, saved->subsystem_vendor,
			      ids->subsystem_vendor);
	compat_compare_number(c, "subsystem device", 4, saved->subsystem_device,
			      ids->subsystem_device);
	compat_compare_number(c, "class", 6, saved->class_code, ids->class_code);
}

void compat_compare(const struct image_device *saved, const struct device *dev,
		    compat_differ_fn *fn, void *ctx)
{
	struct comparison c = { .fn = fn, .ctx = ctx, .vital = true };
	bool ids = saved->has_ids && dev->has_ids;

	compat_compare_text(&c, "protocol", saved->protocol, dev->mig ? dev->mig->ops->name : NULL);
	compat_compare_text(&c, "driver", saved->driver, device_driver(dev));
	if (ids)
		compat_compare_ids(&c, saved, &dev->ids);
	c.vital = false;
	if (ids)
		compat_compare_number(&c, "revision", 2, saved->revision, dev->ids.revision);
	if (dev->node)
		compat_compare_text(&c, "driver version", saved->driver_version,
				    dev->node->driver_version);
	if (dev->mig)
		compat_compare_caps(&c, saved->caps, dev->mig->caps);
}

/* Differences as one clause each: "driver is mtty in the image, mdpy here". */
struct clauses {
	char text[320];
	size_t at;
};

static void compat_add_clause(struct clauses *c, const char *field, const char *saved,
			      const char *here)
{
	int n;

	if (c->at >= sizeof(c->text))
		return;
	n = snprintf(c->text + c->at, sizeof(c->text) - c->at, "%s%s %s %s in the image, %s here",
		     c->at ? "; " : "", field, strcmp(field, CAPS_FIELD) != 0 ? "is" : "are", saved,
		     here);
	c->at += n > 0 ? (size_t)n : 0;
}

struct compat_verdict {
	struct clauses vital, rest;
};

static void compat_judge(void *ctx, const char *field, const char *saved, const char *here,
			 bool vital)
{
	struct compat_verdict *v = ctx;

	compat_add_clause(vital ? &v->vital : &v->rest, field, saved, here);
}

int compat_check(const struct image_device *saved, const struct device *dev, bool force,
		 struct err *err)
{
	struct compat_verdict v = { 0 };

	compat_compare(saved, dev, compat_judge, &v);
	if (v.vital.at && !force) {
		err_fail(err, ERR_IMAGE, -EXDEV, "%s: the image is of another device: %s",
			 device_name(dev), v.vital.text);
		return err_hint(err, -EXDEV, "--force-mismatch tries all the same");
	}
	/* Said once, when all is known. */
	if (v.vital.at && dev->mig)
		log_warn("%s: %s", device_name(dev), v.vital.text);
	if (v.rest.at && dev->mig)
		log_warn("%s: %s", device_name(dev), v.rest.text);
	return 0;
}

static void compat_note_vital(void *ctx, const char *field, const char *saved, const char *here,
			      bool vital)
{
	bool *differs = ctx;

	(void)field;
	(void)saved;
	(void)here;
	*differs |= vital;
}

enum compat_fit compat_fit(const struct image_device *saved, const struct device *dev)
{
	bool known = dev->mig || (saved->driver && device_driver(dev)) ||
		     (saved->has_ids && dev->has_ids);
	bool differs = false;

	if (!known)
		return COMPAT_UNKNOWN;
	compat_compare(saved, dev, compat_note_vital, &differs);
	if (differs || (dev->mig && !(dev->mig->caps & MIG_CAP_STOP_COPY)))
		return COMPAT_NO;
	return COMPAT_YES;
}
