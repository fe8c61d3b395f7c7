/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The bytes of a PCI configuration space
 *
 * Names its registers and says whose they are. Pure: no device, no file; the bytes are untrusted.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of PCI Express; conventional PCI has 256 bytes. */
#define PCI_CONFIG_MAX 4096

/* Which side gives a register its value. */
enum pci_owner {
	PCI_IDENTITY, /* the device: its numbers, see pci-ids.h */
	PCI_DEVICE, /* the device: what it is, what it can */
	PCI_USER, /* its user: restored with a state */
	PCI_HOST, /* the host, or the user anew for each host: addresses, vectors */
};

/**
 * struct pci_register - one register, or a part of one
 * @name: "command", "bar0", "msix control"
 * @at, @size: in bytes; size 1, 2 or 4
 */
struct pci_register {
	char name[48];
	uint16_t at, size;
	enum pci_owner owner;
};

/**
 * pci_config_registers() - every byte of a configuration space, once, by register
 *
 * Known ones by name, in the order of their place; capabilities are found by the list that
 * @config itself has. What has no name is called by its capability and offset, or by its place.
 */
typedef void pci_register_fn(void *ctx, const struct pci_register *reg);
void pci_config_registers(const uint8_t *config, size_t size, pci_register_fn *fn, void *ctx);

/** pci_config_get() - @size bytes, little-endian; 0 for what is not there. */
uint32_t pci_config_get(const uint8_t *config, size_t config_size, uint16_t at, uint16_t size);

/* Interrupts that a configuration space shows as enabled: see pci_config_interrupts(). */
enum pci_interrupts {
	PCI_MSI = 1 << 0,
	PCI_MSIX = 1 << 1,
};

/** pci_interrupt_name() - "msi" for bit 0; NULL for a bit of enum pci_interrupts without name */
const char *pci_interrupt_name(unsigned int bit);

/**
 * pci_config_interrupts() - which kind of interrupts is enabled
 *
 * Never INTx: see pci_config_intx().
 */
unsigned int pci_config_interrupts(const uint8_t *config, size_t size);

/**
 * enum pci_intx - what the configuration space tells of INTx
 *
 * There is no bit that enables it. A function that has a pin and does not have it disabled may
 * raise it, which is how it comes out of a reset; only its user knows whether a handler is set up
 * (VFIO_DEVICE_SET_IRQS).
 */
enum pci_intx {
	PCI_INTX_NONE, /* no pin */
	PCI_INTX_DISABLED, /* by the command register, or since MSI or MSI-X is enabled */
	PCI_INTX_POSSIBLE,
};

enum pci_intx pci_config_intx(const uint8_t *config, size_t size);

/* PCI_COMMAND's bits that belong to the user; the rest is the device's or hard-wired. */
#define PCI_COMMAND_OF_USER 0x0547u /* I/O, memory, bus master, parity, SERR#, INTx disable */
