/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The manifest: what the devices of an image are
 *
 * JSON, so that people and scripts can read it and later versions can add to it: what this
 * version does not know is ignored on reading. The keys are in vfiomig-image(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "image/labels.h"

/* Of one string, without the NUL; and of a configuration space (PCI Express has 4096 bytes). */
#define IMAGE_TEXT_MAX 4096u
#define IMAGE_CONFIG_MAX 4096u

/* Of a device's stream, beside the image's own checksums. */
enum image_digests {
	IMAGE_HAS_SHA256 = 1u << 0,
};

/**
 * struct image_device - one device as it was when it was saved
 * @address: PCI address or mdev UUID, or what the user called it; never NULL
 * @bus: "pci", "mdev"; NULL when unknown
 * @driver: kernel driver, or NULL when unknown (an inherited fd)
 * @driver_version: of an out-of-tree module, say; NULL when it has none
 * @has_ids: the PCI numbers are known
 * @via: how the writer came by it ("cdev", "group", "fd", "pid"), or NULL
 * @owner, @owner_pid: the process whose device it was: what it called itself, NULL and 0 for none
 * @caps: migration flags as the kernel reported them (MIG_CAP_*)
 * @protocol: "v2", "v1" or "vfio-user"; never NULL
 * @interrupts: which were enabled (enum pci_interrupts)
 * @digests: that the image has of its stream (enum image_digests)
 * @config: PCI configuration space as found, NULL when there is none
 */
struct image_device {
	char *address;
	char *bus;
	char *driver;
	char *driver_version;
	bool has_ids;
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem_device;
	uint32_t class_code;
	uint8_t revision;
	char *via;
	char *owner;
	uint32_t owner_pid;
	uint64_t caps;
	char *protocol;
	unsigned int interrupts;
	unsigned int digests;
	uint8_t *config;
	size_t config_size;
};

/** enum image_source - what becomes of the devices once their state is in the image */
enum image_source {
	IMAGE_SOURCE_NOT_SAID, /* another writer, or a word that this version does not know */
	IMAGE_SOURCE_STOPS, /* they stay stopped: the state moves */
	IMAGE_SOURCE_RUNS_ON, /* they run on: this is a copy */
	IMAGE_NR_SOURCES
};

/** image_source_name() - as in the manifest; NULL for IMAGE_SOURCE_NOT_SAID */
const char *image_source_name(enum image_source source);

/**
 * struct image_manifest
 * @kernel, @tool: of the writer: release and version, or NULL
 * @labels: by which its user knows the image
 * @source: for receivers: who reads the image while it is written must not start a copy
 * @expected: of an offer: bytes that the drivers expect their streams to come to, an estimate, for
 *	receivers that keep a copy; 0: not said
 */
struct image_manifest {
	char *kernel;
	char *tool;
	enum image_source source;
	uint64_t expected;
	struct image_labels labels;
	struct image_device *devices;
	uint32_t n_devices;
};

/**
 * image_manifest_encode() - as JSON text
 * @ret: NUL-terminated; the caller frees it
 *
 * Writes '?' for bytes of a string that cannot be printed, so that an odd name does not prevent a
 * save.
 *
 * Return: 0, -EINVAL for a manifest that no reader would accept, -ENOMEM.
 */
_must_check_ int image_manifest_encode(const struct image_manifest *m, char **ret, size_t *ret_len,
				       struct err *err);

/**
 * image_manifest_decode() - from untrusted JSON text
 * @ret: for image_manifest_done(); untouched on failure
 *
 * Checks depth, counts, lengths and ranges; the error names a field of the wrong type. All strings
 * of @ret can be printed as they are.
 *
 * Return: 0, -EBADMSG (ERR_IMAGE), -ENOMEM.
 */
_must_check_ int image_manifest_decode(const char *text, size_t len, struct image_manifest *ret,
				       struct err *err);
void image_manifest_done(struct image_manifest *m);
