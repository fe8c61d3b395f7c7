// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "emu/profile.h"

#define SC MIG_CAP_STOP_COPY
#define P2P MIG_CAP_P2P
#define PRE MIG_CAP_PRE_COPY

#define MIB(n) ((uint64_t)(n) << 20)

static const struct emu_profile profiles[] = {
	/* clang-format off */
	{ "mlx5", "mlx5_vfio_pci", SC | P2P | PRE, MIB(256), MIB(256),
	  { 0x15b3, 0x101e, 0x020000, 0x00 },
	  "all of it can be read in PRE_COPY, and again" },
	{ "hisi", "hisi_acc_vfio_pci", SC | PRE, 176, 40,
	  { 0x19e5, 0xa251, 0x120000, 0x30 },
	  "no P2P; a header of 40 bytes in PRE_COPY" },
	{ "pds", "pds_vfio_pci", SC | P2P, 65536, 0,
	  { 0x1dd8, 0x1003, 0x020000, 0x00 },
	  "no PRE_COPY" },
	{ "qat", "qat_vfio_pci", SC | P2P | PRE, 4096, 192,
	  { 0x8086, 0x4941, 0x0b4000, 0x00 },
	  "a header in PRE_COPY; what it reports is its maximum" },
	{ "virtio", "virtio_vfio_pci", SC | P2P | PRE, 8192, 8192,
	  { 0x1af4, 0x1041, 0x020000, 0x01 },
	  "device parts of some KiB, all of them in PRE_COPY" },
	{ "xe", "xe_vfio_pci", SC | P2P, MIB(1024), 0,
	  { 0x8086, 0xe20b, 0x030000, 0x00 },
	  "no PRE_COPY; video memory is part of the state" },
	{ "mtty", "mtty", SC | P2P | PRE, 60, 24,
	  { 0x4348, 0x3253, 0x070002, 0x10 },
	  "the kernel's sample, one port" },
	/* clang-format on */
};

const struct emu_profile *emu_profile_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++)
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}

void emu_profile_list(FILE *f)
{
	char size[UNITS_MAX], initial[UNITS_MAX], caps[32];

	fprintf(f, "%-8s %-18s %-23s %-9s %-9s %-9s  %s\n", "PROFILE", "DRIVER", "CAPABILITIES",
		"STATE", "INITIAL", "PCI ID", "NOTE");
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const struct emu_profile *p = &profiles[i];

		snprintf(caps, sizeof(caps), "stop-copy%s%s", p->caps & P2P ? ",p2p" : "",
			 p->caps & PRE ? ",pre-copy" : "");
		fprintf(f, "%-8s %-18s %-23s %-9s %-9s %04x:%04x  %s\n", p->name, p->driver, caps,
			format_bytes(size, p->state_size), format_bytes(initial, p->initial_bytes),
			p->ids.vendor, p->ids.device, p->note);
	}
}
