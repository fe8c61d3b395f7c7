#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What doctor says of real functions, by driver and holder, and that it opens none of them.

# shellcheck disable=SC2016,SC2034,SC2154 # scripts of owners; variables of pci.bash
load pci.bash

# finding RULE FILTER...: each is true of that rule's finding in $output.
finding()
{
	local rule=$1 filter

	shift
	for filter; do
		expect_json "any(.findings[]; .rule == \"$rule\" and ($filter))"
	done
}

@test "doctor: a VF whose driver migrates has no problem, and is not opened" {
	local opens resets

	shown "$A" opens
	opens=$shown
	shown "$A" resets
	resets=$shown
	migctl 0 --json doctor "$A"
	expect_json '.problems == 0' ".device.address == \"$A\""
	finding function '.verdict == "ok"' ".evidence == \"VF 0 of $PF (igb)\""
	finding driver '.verdict == "ok"' '.evidence == "migsim-pci"'
	finding group '.verdict == "ok"'
	finding access '.verdict == "ok"'
	finding reset '.verdict == "ok"'
	finding held '.evidence == "by no process"'
	expect_json 'all(.findings[]; .rule != "token" and .rule != "firmware")'
	migctl 0 doctor "$A"
	expect_shown "$A" opens "$opens"
	expect_shown "$A" resets "$resets"
}

@test "doctor: plain vfio-pci, the host's driver, none" {
	bind "$A" vfio-pci
	migctl 1 --json doctor "$A"
	finding driver '.verdict == "problem"' '.evidence == "vfio-pci"' \
		'.cause | startswith("vfio-pci takes any function and migrates none")'
	[[ $stderr == "vfiomigctl: $A: "*' problem'* ]]
	migctl 0 info "$A"
	[[ $output == *"vfiomigctl doctor $A says why"* ]]
	migctl 69 save "$A" image
	expect_message 'the driver offers no migration' "vfiomigctl doctor $A says why"
	migctl 0 list "$A"
	[[ $stderr == *'offers no migration'*'vfiomigctl doctor'* ]]

	[[ -e /sys/bus/pci/drivers/igbvf ]] || modprobe igbvf
	bind "$A" igbvf
	migctl 1 --json doctor "$A"
	finding driver '.verdict == "problem"' '.evidence == "igbvf"' \
		'.cause | startswith("VFIO does not have it")'
	expect_json 'all(.findings[]; .rule != "access" and .rule != "migration")'

	echo "$A" >"$sysfs/$A/driver/unbind"
	migctl 1 --json doctor "$A"
	finding driver '.verdict == "problem"' '.evidence == "no driver"'
}

@test "doctor: a PF is sent to its VFs, or told to make some" {
	migctl 1 --json doctor "$PF"
	finding function '.verdict == "problem"' '.evidence == "a PF, with 3 VFs"' \
		".command == \"vfiomigctl doctor $A\""
	echo 0 >"$sysfs/$PF/sriov_numvfs"
	migctl 1 --json doctor "$PF"
	finding function '.verdict == "problem"' \
		'.evidence | test("^a PF, and none of its [0-9]+ VFs is enabled$")' \
		".command == \"vfiomigctl vfs $PF 7\""
	# The command is one that works.
	PATH=${VFIOMIGCTL%/*}:$PATH \
		bash -c "$(jq -r '.findings[] | select(.rule == "function").command' <<<"$output")"
	[[ $(<"$sysfs/$PF/sriov_numvfs") == 7 ]]
}

@test "doctor: a process that holds it is named, with its command to take part" {
	own "$A" 'exec 8>&1; "$ctl" --json doctor "$A" >held || echo "status $?"; echo "pid $$"'
	[[ $output == *'status 1'* ]]
	local pid=${output##*pid }
	output=$(<held)
	finding held '.verdict == "problem"' ".evidence | contains(\"(pid $pid\")" \
		".command == \"vfiomigctl info pid:$pid/$A\""
	migctl 0 --json doctor "$A"
	finding held '.verdict == "ok"'
}

@test "doctor: a warning of the kernel about it is quoted, and one about another is not" {
	echo "<4>migsim-pci $A: refused by a test" >/dev/kmsg
	migctl 0 --json doctor "$A"
	finding log '.verdict == "unknown"' ".evidence == \"migsim-pci $A: refused by a test\"" \
		".command == \"dmesg | grep $A\""
	migctl 0 --json doctor "$B"
	expect_json 'all(.findings[]; .evidence | contains("refused by a test") | not)'
}

@test "doctor: the host, and a line for each device" {
	bind "$B" vfio-pci
	migctl 1 --json doctor
	finding iommu '.verdict == "ok"'
	finding nodes '.verdict == "ok"'
	finding vfio '.verdict == "ok"'
	expect_json '.devices | length == 3' \
		".devices[1] | .address == \"$B\" and .verdict == \"problem\" and .rule == \"driver\"" \
		".devices[0] | .address == \"$A\" and .verdict != \"problem\""
	migctl 1 doctor
	[[ $output == *"$B  vfio-pci    problem  driver  "* ]]
}
