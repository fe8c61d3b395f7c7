// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "engine/migratable.h"

/*
 * By the sources of Linux 6.12: mlx5 alone has the devlink operation port_fn_migratable_set
 * (drivers/net/ethernet/mellanox/mlx5/core/esw/devlink_port.c), and its VFIO driver offers
 * migration only to functions that were switched (mlx5vf_cmd_set_migratable()). The other variant
 * drivers below drivers/vfio/pci/, and xe's, ask no switch.
 */
static const struct {
	const char *driver, *pf_driver; /* of the device; of its PF, which has it when it is free */
	enum migratable_need need;
} migratable_drivers[] = {
	/* clang-format off */
	{ "mlx5_vfio_pci",     "mlx5_core",  NEED_SWITCH },
	{ "hisi_acc_vfio_pci", "hisi_sec2",  NEED_NOTHING },
	{ "hisi_acc_vfio_pci", "hisi_hpre",  NEED_NOTHING },
	{ "hisi_acc_vfio_pci", "hisi_zip",   NEED_NOTHING },
	{ "qat_vfio_pci",      "4xxx",       NEED_NOTHING },
	{ "qat_vfio_pci",      "420xx",      NEED_NOTHING },
	{ "pds_vfio_pci",      "pds_core",   NEED_NOTHING },
	{ "virtio_vfio_pci",   "virtio-pci", NEED_NOTHING },
	{ "xe_vfio_pci",       "xe",         NEED_NOTHING },
	{ "mtty",              NULL,         NEED_NOTHING },
	/* clang-format on */
};

static bool migratable_same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

enum migratable_need migratable_need(const char *driver, const char *pf_driver,
				     const char **ret_driver)
{
	for (size_t i = 0; i < ARRAY_SIZE(migratable_drivers); i++) {
		if (migratable_same(driver, migratable_drivers[i].driver))
			*ret_driver = driver;
		else if (migratable_same(pf_driver, migratable_drivers[i].pf_driver))
			*ret_driver = pf_driver;
		else
			continue;
		return migratable_drivers[i].need;
	}
	*ret_driver = NULL;
	return NEED_UNKNOWN;
}

#define NEED(need) (1u << NEED_##need)
#define MODE(mode) (1u << DEVLINK_MODE_##mode)
#define NOW(value) (1u << DEVLINK_##value)
#define ANY (~0u)
#define THERE PORT_THERE

/* The first that fits: each fact is among those of the row, and all of @may is allowed. */
static const struct migratable_row {
	enum migratable_plan plan;
	unsigned int need, port, mode, now, use, want, may;
} migratable_rows[] = {
	/* clang-format off */
	{ PLAN_CANNOT_OFF, NEED(NOTHING), ANY, ANY, ANY, ANY, WANT_OFF, 0 },
	{ PLAN_NOT_NEEDED, NEED(NOTHING), ANY, ANY, ANY, ANY, ANY, 0 },
	{ PLAN_SHOW, ANY, THERE, ANY, ANY, ANY, WANT_SHOW, 0 },
	{ PLAN_NO_VF, ANY, PORT_NO_VF, ANY, ANY, ANY, ANY, 0 },
	{ PLAN_NO_DEVLINK, ANY, PORT_NO_DEVLINK, ANY, ANY, ANY, ANY, 0 },
	{ PLAN_SWITCHDEV, ANY, PORT_NONE, MODE(LEGACY), ANY, ANY, WANT_ON, MAY_SWITCHDEV },
	{ PLAN_HIDDEN, ANY, PORT_NONE, MODE(LEGACY), ANY, ANY, ANY, 0 },
	{ PLAN_NO_PORT, ANY, PORT_NONE, ANY, ANY, ANY, ANY, 0 },
	{ PLAN_NO_ATTRIBUTE, ANY, THERE, ANY, NOW(ABSENT), ANY, ANY, 0 },
	{ PLAN_DONE, ANY, THERE, ANY, NOW(ON), ANY, WANT_ON, 0 },
	{ PLAN_DONE, ANY, THERE, ANY, NOW(OFF), ANY, WANT_OFF, 0 },
	{ PLAN_HELD, ANY, THERE, ANY, ANY, USE_HELD, ANY, 0 },
	{ PLAN_SET, ANY, THERE, ANY, ANY, USE_FREE, ANY, 0 },
	{ PLAN_REBIND, ANY, THERE, ANY, ANY, ANY, ANY, MAY_REBIND },
	{ PLAN_BOUND, ANY, THERE, ANY, ANY, ANY, ANY, 0 },
	/* clang-format on */
};

static bool migratable_fits(const struct migratable_row *row, const struct migratable_facts *f)
{
	return row->need & 1u << f->need && row->port & f->port && row->mode & 1u << f->mode &&
	       row->now & 1u << f->now && row->use & f->use && row->want & f->want &&
	       (row->may & f->may) == row->may;
}

enum migratable_plan migratable_plan(const struct migratable_facts *facts)
{
	for (size_t i = 0; i < ARRAY_SIZE(migratable_rows); i++)
		if (migratable_fits(&migratable_rows[i], facts))
			return migratable_rows[i].plan;
	return PLAN_NO_PORT;
}

bool migratable_plan_changes(enum migratable_plan plan)
{
	return plan == PLAN_SWITCHDEV || plan == PLAN_SET || plan == PLAN_REBIND;
}
