#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Functions of a machine without an IOMMU, in no-IOMMU groups.

# shellcheck disable=SC2016,SC2034,SC2154,SC2030,SC2031 # scripts of owners; variables of pci.bash
load pci.bash

setup_file()
{
	[[ -z ${LAB-} ]] || echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
}

@test "a no-IOMMU group: taken by itself; cdev says what is missing and what to do" {
	[[ -c /dev/vfio/noiommu-0 ]]
	migctl 0 --json info "$A"
	expect_json '.device.via == "group"' '.state == "running"' '.device.cdev == null'
	migctl 69 info --via cdev "$A"
	expect_message "$A: has no VFIO character device, as it has no IOMMU" '--via group'
	migctl 0 --json list
	expect_json ".devices[] | select(.address == \"$A\") | .migratable and .cdev == null"
}

@test "a no-IOMMU group: registers move from one function to another" {
	own "$A" 'write_words 1 2 3; "$ctl" -q save --leave stop fd:9 state.img'
	((status == 0))
	own "$B" '"$ctl" -q resume --no-hold fd:9 state.img; expect_words "$B" 0x1 0x2 0x3'
	((status == 0))
	expect_words "$B" 0x0 0x0 0x0
}

@test "a no-IOMMU group without CAP_SYS_RAWIO: permission denied, by name" {
	record setpriv --bounding-set=-sys_rawio --inh-caps=-all "$VFIOMIGCTL" info "$A"
	echo "$output$stderr"
	((status == 77))
	expect_message '/dev/vfio/noiommu-0: Operation not permitted (EPERM)'
}
