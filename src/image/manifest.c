// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/macros.h"
#include "image/format.h"
#include "image/manifest-fields.h"

const struct manifest_text_field manifest_text_fields[MANIFEST_TEXT_FIELDS] = {
	/* clang-format off */
	{ "address",        offsetof(struct image_device, address),        true },
	{ "bus",            offsetof(struct image_device, bus),            false },
	{ "driver",         offsetof(struct image_device, driver),         false },
	{ "driver_version", offsetof(struct image_device, driver_version), false },
	{ "protocol",       offsetof(struct image_device, protocol),       true },
	{ "via",            offsetof(struct image_device, via),            false },
	{ "owner",          offsetof(struct image_device, owner),          false },
	/* clang-format on */
};

const struct manifest_id_field manifest_id_fields[MANIFEST_ID_FIELDS] = {
#define ID(key, member, digits)                                            \
	{                                                                  \
		key, offsetof(struct image_device, member),                \
			sizeof(((struct image_device *)0)->member), digits \
	}
	/* clang-format off */
	ID("vendor",           vendor,           4),
	ID("device",           device,           4),
	ID("subsystem_vendor", subsystem_vendor, 4),
	ID("subsystem_device", subsystem_device, 4),
	ID("class",            class_code,       6),
	ID("revision",         revision,         2),
/* clang-format on */
#undef ID
};

const char *manifest_digest_name(unsigned int bit)
{
	return UINT64_C(1) << bit == IMAGE_HAS_SHA256 ? "sha256" : NULL;
}

/* By enum image_source; NULL is left out. */
static const char *const source_words[IMAGE_NR_SOURCES] = {
	[IMAGE_SOURCE_STOPS] = "stops",
	[IMAGE_SOURCE_RUNS_ON] = "runs-on",
};

const char *image_source_name(enum image_source source)
{
	return source_words[source];
}

char **manifest_text_of(struct image_device *dev, const struct manifest_text_field *f)
{
	return (char **)((char *)dev + f->at);
}

uint32_t manifest_id_get(const struct image_device *dev, const struct manifest_id_field *f)
{
	const char *member = (const char *)dev + f->at;

	switch (f->size) {
	case sizeof(uint8_t):
		return *(const uint8_t *)member;
	case sizeof(uint16_t):
		return *(const uint16_t *)member;
	default:
		return *(const uint32_t *)member;
	}
}

void manifest_id_put(struct image_device *dev, const struct manifest_id_field *f, uint32_t value)
{
	char *member = (char *)dev + f->at;

	switch (f->size) {
	case sizeof(uint8_t):
		*(uint8_t *)member = (uint8_t)value;
		break;
	case sizeof(uint16_t):
		*(uint16_t *)member = (uint16_t)value;
		break;
	default:
		*(uint32_t *)member = value;
	}
}

void image_manifest_done(struct image_manifest *m)
{
	for (uint32_t i = 0; m->devices && i < m->n_devices; i++) {
		for (size_t f = 0; f < MANIFEST_TEXT_FIELDS; f++)
			free(*manifest_text_of(&m->devices[i], &manifest_text_fields[f]));
		free(m->devices[i].config);
	}
	free(m->devices);
	free(m->kernel);
	free(m->tool);
	image_labels_done(&m->labels);
	*m = (struct image_manifest){ 0 };
}
