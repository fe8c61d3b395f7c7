#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the PCI machine has, and what the tool says of functions there whose driver cannot migrate.

# shellcheck disable=SC2154 # record sets output, stderr and lines
load ../../helpers.bash

setup()
{
	set +T
	require lab root
	pci=$BATS_TEST_DIRNAME/../pci
	devices=/sys/bus/pci/devices
}

# device ADDRESS FILTER...: each is true of its entry in the list.
device()
{
	local address=$1 filter
	shift

	for filter; do
		expect_json "any(.devices[]; .address == \"$address\" and ($filter))"
	done
}

# make_vfs COUNT DRIVER: $vf, $group and $cdev of the first.
make_vfs()
{
	record -0 "$pci/vfs" create "$@"
	((${#lines[@]} == $1))
	read -r vf _ group cdev <<<"${lines[0]}"
}

@test "machine: a function with VFs, behind an IOMMU that remaps interrupts" {
	local pf

	[[ $LAB_MACHINE == pci ]]
	[[ -c /dev/iommu && -c /dev/vfio/vfio ]]
	record -0 "$pci/vfs" pf
	pf=$output
	# Its driver takes one from the eight.
	(($(<"$devices/$pf/sriov_totalvfs") >= 7))
	[[ -e $devices/$pf/iommu_group && -e $devices/$pf/reset ]]
	dmesg | grep -q 'Enabled IRQ remapping'
}

@test "machine: functions without a reset of their own: alone, and two in a group" {
	local edu path groups=()

	for path in "$devices"/*; do
		[[ $(<"$path/vendor"):$(<"$path/device") == 0x1234:0x11e8 ]] || continue
		edu=${path##*/}
		# The root complex's.
		if [[ $edu == 0000:00:* ]]; then
			[[ ! -e $path/reset ]]
		else
			groups+=("$(readlink "$path/iommu_group")")
		fi
	done
	[[ ${#groups[@]} -eq 2 && ${groups[0]} == "${groups[1]}" ]]
}

@test "vfs: each VF has a group and a node; bound, taken away, removed" {
	make_vfs 3 vfio-pci
	[[ ${lines[0]} =~ ^0000:01:10.0\ vfio-pci\ /dev/vfio/[0-9]+\ /dev/vfio/devices/vfio[0-9]+$ ]]
	[[ -c $group && -c $cdev ]]
	record -0 "$pci/vfs" unbind "$vf"
	record -0 "$pci/vfs" show
	[[ ${lines[0]} == "$vf - $group -" && ${lines[1]} == *' vfio-pci '* ]]
	record -1 "$pci/vfs" bind "$vf" nosuch
	[[ $stderr == *'vfs: nosuch: no such driver' ]]
	record -0 "$pci/vfs" remove
	record -0 "$pci/vfs" show
	[[ -z $output && ! -e $devices/$vf ]]
}

@test "list: VFs on vfio-pci, which cannot migrate" {
	make_vfs 2 vfio-pci
	migctl 0 --json list
	device "$vf" '.bus == "pci" and .driver == "vfio-pci"' \
		".cdev == \"${cdev##*/}\" and .iommu_group == ${group##*/}"
}

@test "info and save: a function whose driver cannot migrate, by cdev and by group" {
	local way

	make_vfs 1 vfio-pci
	for way in cdev group; do
		migctl 0 --json info --via "$way" "$vf"
		expect_json ".device.via == \"$way\"" '.device.driver == "vfio-pci"' '.migratable == false' \
			'.reason | contains("no migration")'
	done
	migctl 69 save "$vf" "$BATS_TEST_TMPDIR/image"
	[[ $stderr == *"$vf: the driver offers no migration: "*"(ENOTTY); vfiomigctl doctor $vf says why" && ! -e $BATS_TEST_TMPDIR/image ]]
	# Nothing holds it any longer.
	record -0 "$pci/vfs" unbind "$vf"
}

@test "monitor: a function is unplugged, and plugged in again" {
	local pf

	record -0 "$pci/vfs" pf
	pf=$output
	record -0 "$pci/monitor" plugged
	[[ $output == "nic0 $pf" ]]
	record -1 "$pci/monitor" device_del id=nosuch
	[[ $stderr == "monitor: Device 'nosuch' not found" ]]
	record -0 "$pci/monitor" device_del id=nic0
	while [[ -e $devices/$pf ]]; do
		sleep 0.1
	done
	record -0 "$pci/monitor" plugged
	[[ -z $output ]]
	record -0 "$pci/monitor" device_add driver=igb id=nic0 bus=slot1
	until [[ -e $devices/$pf ]]; do
		sleep 0.1
	done
	make_vfs 1 vfio-pci
}
