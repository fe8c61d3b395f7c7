// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "host/pci-config.h"
#include "effort.h"

/* A function with PM, MSI, MSI-X, Express, something vendor-specific and something unheard of. */
static void make(uint8_t config[256])
{
	static const uint8_t caps[][3] = {
		/* place, id, next */
		{ 0x40, 0x01, 0x50 }, { 0x50, 0x05, 0x60 }, { 0x60, 0x11, 0x70 },
		{ 0x70, 0x10, 0xb0 }, { 0xb0, 0x09, 0xc0 }, { 0xc0, 0x77, 0x00 },
	};

	memset(config, 0, 256);
	config[0x06] = 0x10; /* has a list */
	config[0x34] = 0x40;
	config[0x3d] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		config[caps[i][0]] = caps[i][1];
		config[caps[i][0] + 1] = caps[i][2];
	}
}

struct coverage {
	uint8_t times[PCI_CONFIG_MAX];
	unsigned int next; /* place that the next register must have */
	struct pci_register found; /* the one at @want */
	uint16_t want;
};

static void cover(void *ctx, const struct pci_register *reg)
{
	struct coverage *c = ctx;

	assert_int_equal(reg->at, c->next);
	assert_true(reg->size == 1 || reg->size == 2 || reg->size == 4);
	assert_true(*reg->name);
	for (unsigned int i = 0; i < reg->size; i++)
		c->times[reg->at + i]++;
	c->next = reg->at + reg->size;
	if (reg->at == c->want)
		c->found = *reg;
}

static struct pci_register at(const uint8_t *config, size_t size, uint16_t place)
{
	struct coverage c = { .want = place };

	pci_config_registers(config, size, cover, &c);
	return c.found;
}

static void registers_go_by_their_names(void **state)
{
	static const struct {
		uint16_t at, size;
		enum pci_owner owner;
		const char *name;
	} rows[] = {
		{ 0x00, 2, PCI_IDENTITY, "vendor" },
		{ 0x04, 2, PCI_USER, "command" },
		{ 0x10, 4, PCI_HOST, "bar0" },
		{ 0x3c, 1, PCI_USER, "interrupt line" },
		{ 0x40, 1, PCI_DEVICE, "pm id" },
		{ 0x41, 1, PCI_DEVICE, "pm next" },
		{ 0x44, 2, PCI_HOST, "pm control" },
		{ 0x52, 2, PCI_HOST, "msi control" },
		{ 0x5a, 1, PCI_HOST, "msi+0x0a" },
		{ 0x62, 2, PCI_HOST, "msix control" },
		{ 0x64, 4, PCI_DEVICE, "msix table" },
		{ 0x78, 2, PCI_HOST, "express device control" },
		{ 0xb2, 1, PCI_DEVICE, "vendor-specific+0x02" },
		{ 0xc2, 1, PCI_DEVICE, "capability 0x77+0x02" },
	};
	uint8_t config[256];

	(void)state;
	make(config);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pci_register reg = at(config, sizeof(config), rows[i].at);

		assert_string_equal(reg.name, rows[i].name);
		assert_int_equal(reg.size, rows[i].size);
		assert_int_equal(reg.owner, rows[i].owner);
	}
}

static void extended_space_goes_by_its_place(void **state)
{
	uint8_t config[PCI_CONFIG_MAX] = { 0 };
	struct pci_register reg;

	(void)state;
	make(config);
	reg = at(config, sizeof(config), 0x148);
	assert_string_equal(reg.name, "0x148");
	assert_int_equal(reg.size, 4);
}

/* Whatever the bytes are: also lists that go in circles or lead outside, and odd sizes. */
static void every_byte_is_covered_once_whatever_the_bytes_say(void **state)
{
	static const size_t sizes[] = { 0, 1, 3, 63, 64, 65, 128, 255, 256, 257, 4095, 4096, 5000 };
	static uint8_t config[5000];

	(void)state;
	srandom(1);
	for (int round = 0; round < 2000; round += (int)effort_share()) {
		size_t size = sizes[(size_t)round % ARRAY_SIZE(sizes)];
		struct coverage c = { 0 };

		for (size_t i = 0; i < size; i++)
			config[i] = (uint8_t)random();
		if (size > 0x34) {
			config[0x06] |= 0x10;
			config[0x34] = (uint8_t)(0x40 + random() % 0xc0);
		}
		pci_config_registers(config, size, cover, &c);
		assert_int_equal(c.next, MIN(size, (size_t)PCI_CONFIG_MAX));
		for (size_t i = 0; i < c.next; i++)
			assert_int_equal(c.times[i], 1);
		pci_config_interrupts(config, size);
		pci_config_intx(config, size);
	}
}

static void interrupts_are_those_that_are_enabled(void **state)
{
	static const struct {
		struct {
			uint8_t at, value;
		} set[3];
		unsigned int enabled;
		enum pci_intx intx;
	} rows[] = {
		/* clang-format off */
		/* As a function comes out of a reset: it has a pin, and no user of it. */
		{ { { 0 } },                                  0,        PCI_INTX_POSSIBLE },
		{ { { 0x53, 0x01 } }, /* not the enable bit */ 0,       PCI_INTX_POSSIBLE },
		{ { { 0x52, 0x01 } },                         PCI_MSI,  PCI_INTX_DISABLED },
		{ { { 0x63, 0x80 } },                         PCI_MSIX, PCI_INTX_DISABLED },
		{ { { 0x52, 0x01 }, { 0x63, 0x80 } },         PCI_MSIX, PCI_INTX_DISABLED },
		{ { { 0x05, 0x04 } },                         0,        PCI_INTX_DISABLED },
		{ { { 0x3d, 0 } },                            0,        PCI_INTX_NONE },
		{ { { 0x3d, 0 }, { 0x52, 0x01 } },            PCI_MSI,  PCI_INTX_NONE },
		/* No list of capabilities: what lies there is none. */
		{ { { 0x63, 0x80 }, { 0x06, 0 } },            0,        PCI_INTX_POSSIBLE },
		/* clang-format on */
	};
	uint8_t config[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make(config);
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].set); j++)
			if (rows[i].set[j].at)
				config[rows[i].set[j].at] = rows[i].set[j].value;
		assert_int_equal(pci_config_interrupts(config, sizeof(config)), rows[i].enabled);
		assert_int_equal(pci_config_intx(config, sizeof(config)), rows[i].intx);
	}
	assert_int_equal(pci_config_intx(config, 0), PCI_INTX_NONE);
}

static void values_are_little_endian_and_zero_outside(void **state)
{
	static const uint8_t config[] = { 0x12, 0x34, 0x56, 0x78, 0x9a };

	(void)state;
	assert_int_equal(pci_config_get(config, sizeof(config), 0, 4), 0x78563412);
	assert_int_equal(pci_config_get(config, sizeof(config), 1, 2), 0x5634);
	assert_int_equal(pci_config_get(config, sizeof(config), 4, 4), 0x9a);
	assert_int_equal(pci_config_get(config, sizeof(config), 0xffff, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_go_by_their_names),
		cmocka_unit_test(extended_space_goes_by_its_place),
		cmocka_unit_test(every_byte_is_covered_once_whatever_the_bytes_say),
		cmocka_unit_test(interrupts_are_those_that_are_enabled),
		cmocka_unit_test(values_are_little_endian_and_zero_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
