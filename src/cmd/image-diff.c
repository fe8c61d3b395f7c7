// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "engine/compat.h"
#include "host/pci-config.h"
#include "cmd/image-diff.h"
#include "cmd/render.h"

/* The two configuration spaces being compared, and the list that takes the differences. */
struct configs {
	struct json_object *list;
	const struct image_device *saved;
	const struct device *dev;
};

static void image_diff_add_identity(void *ctx, const char *field, const char *saved,
				    const char *here, bool vital)
{
	struct json_object *o = report_append(ctx);

	report_string(o, "field", field);
	report_string(o, "saved", saved);
	report_string(o, "here", here);
	report_string(o, "owner", vital ? "identity" : "device");
}

static void image_diff_add_register(void *ctx, const struct pci_register *reg)
{
	static const char *const owners[] = {
		[PCI_DEVICE] = "device",
		[PCI_USER] = "user",
		[PCI_HOST] = "host",
	};
	const struct configs *c = ctx;
	uint32_t saved, here;
	struct json_object *o;

	saved = pci_config_get(c->saved->config, c->saved->config_size, reg->at, reg->size);
	here = pci_config_get(c->dev->config, c->dev->config_size, reg->at, reg->size);
	if (saved == here || reg->owner == PCI_IDENTITY)
		return;
	o = report_append(c->list);
	report_string(o, "field", reg->name);
	report_hex(o, "at", 3, reg->at);
	report_hex(o, "saved", 2 * reg->size, saved);
	report_hex(o, "here", 2 * reg->size, here);
	report_string(o, "owner", owners[reg->owner]);
}

/* Compare as far as both spaces reach, by the capabilities that the image has. */
static void image_diff_compare_configs(struct json_object *list, const struct image_device *saved,
				       const struct device *dev)
{
	struct configs c = { .list = list, .saved = saved, .dev = dev };
	struct json_object *o;
	char text[32];

	if (saved->config_size && dev->config_size)
		pci_config_registers(saved->config, MIN(saved->config_size, dev->config_size),
				     image_diff_add_register, &c);
	if (saved->config_size == dev->config_size)
		return;
	o = report_append(list);
	report_string(o, "field", "configuration space, bytes");
	snprintf(text, sizeof(text), "%zu", saved->config_size);
	report_string(o, "saved", text);
	snprintf(text, sizeof(text), "%zu", dev->config_size);
	report_string(o, "here", text);
	report_string(o, "owner", "device");
}

const struct image_device *image_diff_find(const struct image_manifest *m, const struct device *dev)
{
	for (uint32_t i = 0; i < m->n_devices; i++)
		if (!strcmp(m->devices[i].address, device_name(dev)))
			return &m->devices[i];
	return m->n_devices == 1 ? &m->devices[0] : NULL;
}

int image_diff(struct json_object *report, const struct image_manifest *m, const struct device *dev,
	       struct err *err)
{
	const struct image_device *saved = image_diff_find(m, dev);
	struct json_object *list = report_array(report, "differences");

	if (!saved)
		return err_fail(err, ERR_IMAGE, -EINVAL, "holds %u devices, and none is called %s",
				m->n_devices, device_name(dev));
	compat_compare(saved, dev, image_diff_add_identity, list);
	image_diff_compare_configs(list, saved, dev);
	render_fit(report, compat_fit(saved, dev));
	return 0;
}

static void image_diff_view_fit(FILE *f, struct json_object *report)
{
	static const char *const verdicts[][2] = {
		{ "yes", "resume takes this image for this device" },
		{ "no", "resume refuses this image for this device" },
		{ "unknown", "whether this device takes the image cannot be told" },
	};
	struct json_object *fits;

	if (!json_object_object_get_ex(report, "fits", &fits))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (!strcmp(json_object_get_string(fits), verdicts[i][0]))
			fprintf(f, "%s\n", verdicts[i][1]);
}

void image_diff_view(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "field", "FIELD", REPORT_TEXT }, { "at", "AT", REPORT_TEXT },
		{ "saved", "IMAGE", REPORT_TEXT }, { "here", "DEVICE", REPORT_TEXT },
		{ "owner", "OWNER", REPORT_TEXT },
	};
	struct json_object *list;

	if (!json_object_object_get_ex(report, "differences", &list))
		return;
	fputc('\n', f);
	if (json_object_array_length(list))
		report_table(f, list, columns, ARRAY_SIZE(columns));
	else
		fputs("no difference\n", f);
	image_diff_view_fit(f, report);
}
