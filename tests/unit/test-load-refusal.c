// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/load-refusal.h"

static void what_a_driver_means_goes_by_errno_and_driver(void **state)
{
	static const struct {
		const char *driver;
		int code;
		enum err_kind kind;
	} rows[] = {
		/* the uAPI: a failure of this arc is a verdict on the state */
		{ NULL, -EINVAL, ERR_IMAGE },
		{ "mtty", -EINVAL, ERR_IMAGE },
		{ "hisi_acc_vfio_pci", -EFAULT, ERR_IMAGE },
		{ "qat_vfio_pci", -EOVERFLOW, ERR_IMAGE },
		/* too long for these, out of memory for the others */
		{ "mtty", -ENOMEM, ERR_IMAGE },
		{ "qat_vfio_pci", -ENOMEM, ERR_IMAGE },
		{ "mlx5_vfio_pci", -ENOMEM, ERR_SYSTEM },
		{ NULL, -ENOMEM, ERR_SYSTEM },
		/* no verdict: the same image may be taken another time */
		{ "mlx5_vfio_pci", -EBUSY, ERR_ABORTED },
		{ "mlx5_vfio_pci", -EAGAIN, ERR_ABORTED },
		{ "mlx5_vfio_pci", -ENOTCONN, ERR_ABORTED },
		{ NULL, -ENODEV, ERR_ABORTED },
		/* firmware */
		{ "pds_vfio_pci", -EIO, ERR_IO },
		{ "mlx5_vfio_pci", -EIO, ERR_IO },
		{ NULL, -ETIMEDOUT, ERR_IO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (load_refusal_kind(rows[i].driver, rows[i].code) != rows[i].kind)
			fail_msg("row %zu: %d", i,
				 (int)load_refusal_kind(rows[i].driver, rows[i].code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_driver_means_goes_by_errno_and_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
