// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/pci_regs.h>

#include "base/macros.h"
#include "engine/config-restore.h"
#include "host/pci-config.h"

/* As far as the standard header goes. */
#define HEADER_SIZE 64

int config_restore_take(const struct image_device *saved, struct config_restore *ret,
			struct err *err)
{
	if (saved->config_size < HEADER_SIZE)
		return err_fail(err, ERR_IMAGE, -ENODATA,
				"%s: the image has no configuration space to restore",
				saved->address);
	*ret = (struct config_restore){
		.has = true,
		.command =
			(uint16_t)pci_config_get(saved->config, saved->config_size, PCI_COMMAND, 2),
		.line = saved->config[PCI_INTERRUPT_LINE],
	};
	return 0;
}

static int config_restore_read_back(struct mig_dev *dev, uint16_t at, uint16_t size, uint32_t *ret,
				    struct err *err)
{
	uint8_t header[HEADER_SIZE];
	ssize_t n;

	n = dev_config_read(dev, header, sizeof(header), err);
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(header))
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: has no PCI configuration space", dev->name);
	*ret = pci_config_get(header, sizeof(header), at, size);
	return 0;
}

/* Of the register only the bits in @mask are the user's. */
static int config_restore_register(struct config_restore *e, struct mig_dev *dev, const char *name,
				   uint16_t at, uint16_t size, uint32_t mask, uint32_t value,
				   struct err *err)
{
	uint32_t before, after;
	uint8_t bytes[4];
	int r;

	r = config_restore_read_back(dev, at, size, &before, err);
	if (r < 0)
		return r;
	value = (before & ~mask) | (value & mask);
	if (value == before)
		return 0;
	for (uint16_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	r = dev_config_write(dev, at, bytes, size, err);
	if (r < 0)
		return err_prefix(err, r, "restoring %s", name);
	r = config_restore_read_back(dev, at, size, &after, err);
	if (r < 0)
		return err_prefix(err, r, "restoring %s", name);
	if ((after ^ value) & mask)
		return err_fail(err, ERR_UNSUPPORTED, -EIO,
				"%s: %s was set to 0x%0*x and reads 0x%0*x", dev->name, name,
				2 * size, value, 2 * size, after);
	e->changes[e->n++] = (struct config_change){ name, before, after };
	return 0;
}

int config_restore_apply(struct config_restore *e, struct mig_dev *dev, struct err *err)
{
	int r;

	if (!e->has)
		return 0;
	e->n = 0;
	r = config_restore_register(e, dev, "interrupt line", PCI_INTERRUPT_LINE, 1, UINT8_MAX,
				    e->line, err);
	if (r < 0)
		return r;
	/* Last: it is what lets the device reach memory. */
	return config_restore_register(e, dev, "command", PCI_COMMAND, 2, PCI_COMMAND_OF_USER,
				       e->command, err);
}
