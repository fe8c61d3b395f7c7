#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Functions behind an IOMMU that does not remap interrupts: they are given away only if their host
# says so.

# shellcheck disable=SC2034,SC2154 # variables of pci.bash
load pci.bash

@test "no interrupt remapping: refused, with the module whose parameter allows it" {
	local module way

	for way in cdev:iommufd group:vfio_iommu_type1; do
		module=${way#*:}
		migctl 77 info --via "${way%:*}" "$A"
		expect_message "$A:" 'Operation not permitted (EPERM)' \
			"no interrupt remapping? see allow_unsafe_interrupts of the module $module"
		migctl 77 save --via "${way%:*}" "$A" new
		[[ ! -e new ]]
		echo 1 >"/sys/module/$module/parameters/allow_unsafe_interrupts"
		migctl 0 --json info --via "${way%:*}" "$A"
		expect_json ".device.via == \"${way%:*}\"" '.state == "running"'
	done
}
