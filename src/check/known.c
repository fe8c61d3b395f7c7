// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/units.h"
#include "check/known.h"

static const struct check_known known_table[] = {
	/* clang-format off */
	{ "mtty", "precopy.temporary-end-is-enomsg", NULL, NULL,
	  "read() says 0 at the temporary end of stream",
	  "samples/vfio-mdev/mtty.c, mtty_save_read()" },
	{ "mtty", "precopy.poll-waits-at-the-end", NULL, NULL,
	  "its data fd has no poll(), and is always ready",
	  "samples/vfio-mdev/mtty.c, mtty_save_fops" },
	{ "mtty", "load.flipped-stream", NULL, NULL,
	  "nothing but the header of a stream is checked",
	  "samples/vfio-mdev/mtty.c, mtty_load_state()" },
	{ "mtty", "load.refused-write-fails-stop", NULL, NULL,
	  "bytes of a refused write stay, and are loaded",
	  "samples/vfio-mdev/mtty.c, mtty_resume_write()" },
	{ "mtty", "close.in-stop", NULL, NULL,
	  "closing it leaves its state as it is",
	  "samples/vfio-mdev/mtty.c, mtty_dev_ops" },
	{ "mtty", "close.in-stop-copy", NULL, NULL,
	  "closing it leaves its state as it is",
	  "samples/vfio-mdev/mtty.c, mtty_dev_ops" },
	{ "mtty", "close.in-resuming", NULL, NULL,
	  "closing it leaves its state as it is",
	  "samples/vfio-mdev/mtty.c, mtty_dev_ops" },
	{ "mtty", "close.in-running-p2p", NULL, NULL,
	  "closing it leaves its state as it is",
	  "samples/vfio-mdev/mtty.c, mtty_dev_ops" },
	{ "mtty", "close.in-pre-copy", NULL, NULL,
	  "closing it leaves its state as it is",
	  "samples/vfio-mdev/mtty.c, mtty_dev_ops" },
	{ "mtty", "close.in-pre-copy-p2p", NULL, NULL,
	  "closing it leaves its state as it is",
	  "samples/vfio-mdev/mtty.c, mtty_dev_ops" },
	{ "mtty", "dma.second-start-refused", NULL, NULL,
	  "its DMA logging does nothing: a second start is not refused",
	  "samples/vfio-mdev/mtty.c, mtty_log_ops" },
	{ "mtty", "dma.report-without-start", NULL, NULL,
	  "its DMA logging does nothing: a report is given at any time",
	  "samples/vfio-mdev/mtty.c, mtty_log_ops" },
	{ "mtty", "dma.odd-page-size-refused", NULL, NULL,
	  "its DMA logging does nothing: any page size is accepted",
	  "samples/vfio-mdev/mtty.c, mtty_log_ops" },
	{ "hisi_acc_vfio_pci", "precopy.temporary-end-is-enomsg", NULL, NULL,
	  "read() says 0 at the temporary end of stream",
	  "drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c, hisi_acc_vf_save_read()" },
	{ "hisi_acc_vfio_pci", "precopy.poll-waits-at-the-end", NULL, NULL,
	  "its data fd has no poll(), and is always ready",
	  "drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c, hisi_acc_vf_save_fops" },
	{ "qat_vfio_pci", "precopy.temporary-end-is-enomsg", NULL, NULL,
	  "read() says 0 at the temporary end of stream",
	  "drivers/vfio/pci/qat/main.c, qat_vf_save_read()" },
	{ "qat_vfio_pci", "precopy.poll-waits-at-the-end", NULL, NULL,
	  "its data fd has no poll(), and is always ready",
	  "drivers/vfio/pci/qat/main.c, qat_vf_save_fops" },
	{ "virtio_vfio_pci", "precopy.poll-waits-at-the-end", NULL, NULL,
	  "its data fd has no poll(), and is always ready",
	  "drivers/vfio/pci/virtio/migrate.c, virtiovf_save_fops" },
	{ "mlx5_vfio_pci", "load.short-stream", NULL, NULL,
	  "RESUMING -> STOP checks nothing: what has come is what there is",
	  "drivers/vfio/pci/mlx5/main.c, mlx5vf_pci_step_device_state_locked()" },
	{ "mlx5_vfio_pci", "load.empty-stream", NULL, NULL,
	  "RESUMING -> STOP checks nothing: what has come is what there is",
	  "drivers/vfio/pci/mlx5/main.c, mlx5vf_pci_step_device_state_locked()" },
	{ "mlx5_vfio_pci", "load.refused-write-fails-stop", NULL, NULL,
	  "RESUMING -> STOP works after the firmware has refused a record",
	  "drivers/vfio/pci/mlx5/main.c, mlx5vf_pci_step_device_state_locked()" },
	{ 0 },
	/* clang-format on */
};

#define KNOWN_VERSION_MAX 0xffffu

/* "6.12.9" as a number that grows with the version; 0 for what is none. */
static uint64_t known_version(const char *text)
{
	uint64_t major, minor;
	const char *rest = scan_uint(text, 10, KNOWN_VERSION_MAX, &major);

	if (!rest || *rest != '.' || !scan_uint(rest + 1, 10, KNOWN_VERSION_MAX, &minor))
		return 0;
	return major << 16 | minor;
}

static bool known_in(const struct check_known *k, const char *release)
{
	uint64_t version = known_version(release);

	return (!k->since || version >= known_version(k->since)) &&
	       (!k->before || version < known_version(k->before));
}

const struct check_known *check_known_match(const struct check_known *table, size_t n,
					    const char *driver, const char *release,
					    const char *rule)
{
	for (size_t i = 0; driver && i < n; i++)
		if (!strcmp(table[i].driver, driver) && !strcmp(table[i].rule, rule) &&
		    known_in(&table[i], release))
			return &table[i];
	return NULL;
}

/* The last row has no driver. */
#define KNOWN_N (sizeof(known_table) / sizeof(known_table[0]) - 1)

const struct check_known *check_known_find(const char *driver, const char *release,
					   const char *rule)
{
	return check_known_match(known_table, KNOWN_N, driver, release, rule);
}

const struct check_known *check_known_at(size_t i)
{
	return known_table[i].driver ? &known_table[i] : NULL;
}
