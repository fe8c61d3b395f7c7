#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real PCI functions: the ways to open them, and what opening and closing does to them.

# shellcheck disable=SC2016,SC2034,SC2154,SC2030,SC2031 # scripts of owners; variables of pci.bash
load pci.bash

# A UUID of our own.
token=2e5a3b1c-0d4f-4b6a-9c7e-112233445566

# opened_by WAY SPEC [OPTION...]
opened_by()
{
	local way=$1 spec=$2
	shift 2

	migctl 0 --json info "$@" "$spec"
	expect_json ".device.via == \"$way\"" ".device.address == \"$A\"" '.state == "running"' \
		'.device.driver == "migsim-pci"' '.migratable'
}

@test "a function: by cdev and iommufd, by group and type1, by its nodes" {
	opened_by cdev "$A"
	opened_by cdev "$A" --via cdev
	opened_by group "$A" --via group
	opened_by cdev "${A#0000:}"
	opened_by cdev "$sysfs/$A"
	opened_by cdev "/dev/vfio/devices/$(ls "$sysfs/$A/vfio-dev")"
	expect_shown "$A" opens 6
}

@test "a function: by a descriptor that another process opened, either way" {
	for way in cdev group; do
		own "$A" '"$ctl" --json info fd:9' --via $way
		((status == 0))
		expect_json '.device.via == "fd"' '.migratable' '.state == "running"' \
			'.device.ids.device == "0x10ca"'
	done
}

@test "list shows functions, and opens none" {
	migctl 0 --json list
	expect_json "[.devices[] | select(.address == \"$A\") | .driver, .migratable] ==
		[\"migsim-pci\", true]"
	shown "$A" opens
	local opens=$shown

	migctl 0 list
	expect_shown "$A" opens "$opens"
}

@test "a function on plain vfio-pci: no migration, said by name" {
	bind "$C" vfio-pci
	migctl 0 --json info "$C"
	expect_json '.migratable == false' '.device.driver == "vfio-pci"' \
		'.reason | contains("the driver offers no migration")'
	migctl 0 --json list
	expect_json ".devices[] | select(.address == \"$C\") | .migratable == false"
	for way in cdev group; do
		migctl 69 save --via $way "$C" new
		expect_message "$C: the driver offers no migration" 'ENOTTY'
		[[ ! -e new ]]
	done
	migctl 69 state "$C"
	migctl 69 state "$C" stop
}

@test "a function without a VFIO driver is told apart from one that is not there" {
	echo "$C" >"$sysfs/$C/driver/unbind"
	migctl 69 info "$C"
	expect_message "$C: not bound to a VFIO driver" "vfiomigctl bind $C "
	migctl 66 info 0000:01:1f.7
	expect_message '0000:01:1f.7: no such PCI device'
}

@test "opening resets a function, and so does closing: seen in its registers" {
	shown "$A" resets
	local resets=$shown

	own "$A" 'write_words 0x11 0x2233 0x445566; expect_words "$A" 0x11 0x2233 0x445566'
	((status == 0))
	# The last close.
	expect_words "$A" 0x0 0x0 0x0
	expect_shown "$A" resets $((resets + 2))
	# What is there before an open is gone after it.
	bar "$A" "${words[0]}=0x77"
	expect_words "$A" 0x77 0x0 0x0
	own "$A" 'expect_words "$A" 0x0 0x0 0x0'
	((status == 0))
}

@test "save says that opening has reset the function; by a live descriptor it has not" {
	migctl 0 --json save "$A" blank.img
	expect_message "$A: opening it has reset it: this saves a blank device"
	migctl 0 -q save "$A" quiet.img
	[ -z "$stderr" ]
	own "$A" 'write_words 1 2 3; "$ctl" --json save fd:9 live.img; expect_words "$A" 0x1 0x2 0x3'
	((status == 0))
	[[ $stderr != *'has reset'* ]]
	expect_json '.state == "running"'
}

@test "a function that another process holds: by name, with what to do" {
	start holder "$tools/with-fd" "$A" 9 tail -f /dev/null
	eventually eval '[[ $(<"/proc/$holder/comm") == tail ]]'
	migctl 71 --json save "$A" new
	expect_message "$A: held by another process:" 'EBUSY' 'have it hand over its device fd'
	[[ ! -e new ]]
	migctl 71 reset "$A"
	migctl 71 info --via group "$A"
	kill "$holder"
	finish holder 143
	migctl 0 info "$A"
}

@test "a function whose PF is on vfio-pci: the right VF token, a wrong one, none" {
	echo 0 >"$sysfs/$PF/sriov_numvfs"
	echo 1 >/sys/module/vfio_pci/parameters/enable_sriov
	bind "$PF" vfio-pci
	# Opening the PF with a token sets it.
	migctl 0 --json info --via group --vf-token $token "$PF"
	expect_json '.device.driver == "vfio-pci"' '.migratable == false'
	echo 1 >"$sysfs/$PF/sriov_numvfs"
	bind "$A" migsim-pci
	opened_by group "$A" --via group --vf-token $token
	opened_by group "$A" --vf-token $token
	migctl 77 --json info --via group --vf-token ${token%6}7 "$A"
	expect_message "$A:" "EACCES" "the VF token is not the PF's"
	expect_json '.error.errno == "EACCES"'
	migctl 77 info --via group "$A"
	expect_message "$A:" 'EACCES' '--vf-token'
	migctl 77 save --via group "$A" new
	[[ ! -e new ]]
	migctl 0 --json save --vf-token $token "$A" state.img
	migctl 0 verify state.img
	echo 0 >"$sysfs/$PF/sriov_numvfs"
	bind "$PF" igb
}

@test "a function that a holder lends is left stopped, as no DMA is known to be mapped" {
	local dev

	start holder "$VFIOMIGCTL" hold --json --socket h "$A"
	eventually grep -q '"status": 0' holder.out
	migctl 0 save "hold:h/$A" state.img
	# By its name, and as the only one, of which the name is not known beforehand.
	for dev in "hold:h/$A" hold:h; do
		migctl 0 --json resume "$dev" state.img
		expect_json '.state == "stop"'
		expect_message "stopped, as no DMA is known to be mapped (--run starts it"
		migctl 0 --json resume --run "$dev" state.img
		expect_json '.state == "running"'
	done
	kill "$holder"
	finish holder 0
}
