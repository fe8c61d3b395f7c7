// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "host/pci-config.h"

_Static_assert(PCI_COMMAND_OF_USER ==
		       (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE),
	       "as its comment says");

#define CAPS_START 0x40
#define CONVENTIONAL 256

/* A register at a place that is fixed: of the header, or in a capability from its start. */
struct known {
	uint16_t at, size;
	enum pci_owner owner;
	const char *name;
};

static const struct known header[] = {
	{ 0x00, 2, PCI_IDENTITY, "vendor" },
	{ 0x02, 2, PCI_IDENTITY, "device" },
	{ 0x04, 2, PCI_USER, "command" },
	{ 0x06, 2, PCI_DEVICE, "status" },
	{ 0x08, 1, PCI_IDENTITY, "revision" },
	{ 0x09, 1, PCI_IDENTITY, "programming interface" },
	{ 0x0a, 2, PCI_IDENTITY, "class" },
	{ 0x0c, 1, PCI_HOST, "cache line size" },
	{ 0x0d, 1, PCI_HOST, "latency timer" },
	{ 0x0e, 1, PCI_DEVICE, "header type" },
	{ 0x0f, 1, PCI_DEVICE, "bist" },
	{ 0x10, 4, PCI_HOST, "bar0" },
	{ 0x14, 4, PCI_HOST, "bar1" },
	{ 0x18, 4, PCI_HOST, "bar2" },
	{ 0x1c, 4, PCI_HOST, "bar3" },
	{ 0x20, 4, PCI_HOST, "bar4" },
	{ 0x24, 4, PCI_HOST, "bar5" },
	{ 0x28, 4, PCI_DEVICE, "cardbus cis" },
	{ 0x2c, 2, PCI_IDENTITY, "subsystem vendor" },
	{ 0x2e, 2, PCI_IDENTITY, "subsystem device" },
	{ 0x30, 4, PCI_HOST, "expansion rom" },
	{ 0x34, 1, PCI_DEVICE, "capabilities" },
	{ 0x3c, 1, PCI_USER, "interrupt line" },
	{ 0x3d, 1, PCI_DEVICE, "interrupt pin" },
	{ 0x3e, 1, PCI_DEVICE, "minimum grant" },
	{ 0x3f, 1, PCI_DEVICE, "maximum latency" },
	{ 0 },
};

static const struct known pm[] = {
	{ 2, 2, PCI_DEVICE, "pm capabilities" },
	{ 4, 2, PCI_HOST, "pm control" },
	{ 0 },
};

/* Past the address its layout depends on the control word: those registers go by offset. */
static const struct known msi[] = {
	{ 2, 2, PCI_HOST, "msi control" },
	{ 4, 4, PCI_HOST, "msi address" },
	{ 0 },
};

static const struct known msix[] = {
	{ 2, 2, PCI_HOST, "msix control" },
	{ 4, 4, PCI_DEVICE, "msix table" },
	{ 8, 4, PCI_DEVICE, "msix pba" },
	{ 0 },
};

static const struct known express[] = {
	{ 2, 2, PCI_DEVICE, "express flags" },
	{ 4, 4, PCI_DEVICE, "express device capabilities" },
	{ 8, 2, PCI_HOST, "express device control" },
	{ 10, 2, PCI_DEVICE, "express device status" },
	{ 12, 4, PCI_DEVICE, "express link capabilities" },
	{ 16, 2, PCI_HOST, "express link control" },
	{ 18, 2, PCI_DEVICE, "express link status" },
	{ 0 },
};

static const struct {
	uint8_t id;
	const char *name;
	const struct known *registers;
	enum pci_owner rest; /* of what is not in @registers */
} kinds[] = {
	{ PCI_CAP_ID_PM, "pm", pm, PCI_DEVICE },
	{ PCI_CAP_ID_VPD, "vpd", NULL, PCI_DEVICE },
	{ PCI_CAP_ID_MSI, "msi", msi, PCI_HOST },
	{ PCI_CAP_ID_VNDR, "vendor-specific", NULL, PCI_DEVICE },
	{ PCI_CAP_ID_EXP, "express", express, PCI_DEVICE },
	{ PCI_CAP_ID_MSIX, "msix", msix, PCI_DEVICE },
	{ PCI_CAP_ID_AF, "af", NULL, PCI_DEVICE },
};

uint32_t pci_config_get(const uint8_t *config, size_t config_size, uint16_t at, uint16_t size)
{
	uint32_t value = 0;

	for (uint16_t i = 0; i < size; i++)
		if ((size_t)at + i < config_size)
			value |= (uint32_t)config[at + i] << (8 * i);
	return value;
}

/*
 * The capability after the one at @at, 0 for the first. A list may lead anywhere, in circles too:
 * @left bounds it.
 */
static uint16_t pci_config_next_cap(const uint8_t *config, size_t size, uint16_t at, int *left)
{
	uint16_t next;

	if (!(pci_config_get(config, size, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST) || !(*left)--)
		return 0;
	next = pci_config_get(config, size, at ? at + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST, 1) &
	       ~3u;
	return next >= CAPS_START && next < CONVENTIONAL && next < size ? next : 0;
}

#define CAPS_LEFT ((CONVENTIONAL - CAPS_START) / 4)

static uint16_t pci_config_find_cap(const uint8_t *config, size_t size, uint8_t id)
{
	int left = CAPS_LEFT;

	for (uint16_t at = pci_config_next_cap(config, size, 0, &left); at;
	     at = pci_config_next_cap(config, size, at, &left))
		if (pci_config_get(config, size, at, 1) == id)
			return at;
	return 0;
}

const char *pci_interrupt_name(unsigned int bit)
{
	static const char *const names[] = { "msi", "msix" };

	return bit < ARRAY_SIZE(names) ? names[bit] : NULL;
}

unsigned int pci_config_interrupts(const uint8_t *config, size_t size)
{
	uint16_t at;

	at = pci_config_find_cap(config, size, PCI_CAP_ID_MSIX);
	if (at && pci_config_get(config, size, at + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE)
		return PCI_MSIX;
	at = pci_config_find_cap(config, size, PCI_CAP_ID_MSI);
	if (at && pci_config_get(config, size, at + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE)
		return PCI_MSI;
	return 0;
}

enum pci_intx pci_config_intx(const uint8_t *config, size_t size)
{
	if (!pci_config_get(config, size, PCI_INTERRUPT_PIN, 1))
		return PCI_INTX_NONE;
	if (pci_config_get(config, size, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE ||
	    pci_config_interrupts(config, size))
		return PCI_INTX_DISABLED;
	return PCI_INTX_POSSIBLE;
}

/*
 * Naming. A map says which capability each byte belongs to: a capability reaches to the next one,
 * since most do not tell how long they are.
 */

struct map {
	uint8_t start[CONVENTIONAL]; /* of the capability; 0: none */
};

static void pci_config_map_caps(const uint8_t *config, size_t size, struct map *map)
{
	bool starts[CONVENTIONAL] = { false };
	int left = CAPS_LEFT;
	uint8_t current = 0;

	for (uint16_t at = pci_config_next_cap(config, size, 0, &left); at;
	     at = pci_config_next_cap(config, size, at, &left))
		starts[at] = true;
	for (unsigned int i = 0; i < CONVENTIONAL; i++) {
		if (starts[i])
			current = (uint8_t)i;
		map->start[i] = current;
	}
}

static const struct known *pci_config_find_known(const struct known *list, uint16_t at)
{
	for (; list && list->size; list++)
		if (list->at == at)
			return list;
	return NULL;
}

static void pci_config_take(struct pci_register *reg, const struct known *k)
{
	snprintf(reg->name, sizeof(reg->name), "%s", k->name);
	reg->size = k->size;
	reg->owner = k->owner;
}

static void pci_config_name_in_cap(const uint8_t *config, size_t size, uint16_t start,
				   struct pci_register *reg)
{
	uint8_t id = (uint8_t)pci_config_get(config, size, start, 1);
	uint16_t offset = reg->at - start;
	const struct known *k = NULL;
	char kind[16];

	snprintf(kind, sizeof(kind), "capability 0x%02x", id);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].id == id) {
			k = pci_config_find_known(kinds[i].registers, offset);
			snprintf(kind, sizeof(kind), "%s", kinds[i].name);
			reg->owner = offset < 2 ? PCI_DEVICE : kinds[i].rest;
		}
	if (k)
		pci_config_take(reg, k);
	else if (offset == 0)
		snprintf(reg->name, sizeof(reg->name), "%s id", kind);
	else if (offset == 1)
		snprintf(reg->name, sizeof(reg->name), "%s next", kind);
	else
		snprintf(reg->name, sizeof(reg->name), "%s+0x%02x", kind, offset);
}

/* The register that begins at @reg->at; a byte where nothing is known of it. */
static void pci_config_name(const uint8_t *config, size_t size, const struct map *map,
			    struct pci_register *reg)
{
	const struct known *k = pci_config_find_known(header, reg->at);

	snprintf(reg->name, sizeof(reg->name), "0x%03x", reg->at);
	reg->size = reg->at >= CONVENTIONAL && reg->at % 4 == 0 ? 4 : 1;
	reg->owner = PCI_DEVICE;
	if (reg->at < CAPS_START && k)
		pci_config_take(reg, k);
	else if (reg->at < CONVENTIONAL && map->start[reg->at])
		pci_config_name_in_cap(config, size, map->start[reg->at], reg);
	if (reg->size > size - reg->at)
		reg->size = 1;
}

void pci_config_registers(const uint8_t *config, size_t size, pci_register_fn *fn, void *ctx)
{
	struct map map;

	size = MIN(size, (size_t)PCI_CONFIG_MAX);
	pci_config_map_caps(config, size, &map);
	for (size_t at = 0; at < size;) {
		struct pci_register reg = { .at = (uint16_t)at };

		pci_config_name(config, size, &map, &reg);
		fn(ctx, &reg);
		at += reg.size;
	}
}
