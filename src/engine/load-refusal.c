// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "engine/load-refusal.h"

enum err_kind load_refusal_kind(const char *driver, int code)
{
	/* The first row that fits; no driver is any. What is not named here is the image. */
	static const struct {
		const char *driver;
		int code;
		enum err_kind kind;
	} rows[] = {
		/* clang-format off */
		/* a stream longer than these take */
		{ "mtty",         -ENOMEM,    ERR_IMAGE },
		{ "qat_vfio_pci", -ENOMEM,    ERR_IMAGE },
		/* it may pass: page requests, a resource that is short (mlx5) */
		{ NULL,           -EBUSY,     ERR_ABORTED },
		{ NULL,           -EAGAIN,    ERR_ABORTED },
		{ NULL,           -EINTR,     ERR_ABORTED },
		/* a reset by another process; a PF driver that was detached (mlx5) */
		{ NULL,           -ENODEV,    ERR_ABORTED },
		{ NULL,           -ENOTCONN,  ERR_ABORTED },
		{ NULL,           -ENXIO,     ERR_ABORTED },
		/* the system */
		{ NULL,           -ENOMEM,    ERR_SYSTEM },
		{ NULL,           -ENOSPC,    ERR_SYSTEM },
		/* firmware: mlx5 for an internal error, pds for a command that failed */
		{ NULL,           -EIO,       ERR_IO },
		{ NULL,           -ETIMEDOUT, ERR_IO },
		/* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].code == code &&
		    (!rows[i].driver || (driver && !strcmp(driver, rows[i].driver))))
			return rows[i].kind;
	return ERR_IMAGE;
}
