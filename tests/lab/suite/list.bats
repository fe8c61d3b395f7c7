#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is there, without touching it.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

# device UUID FILTER...: each is true of its entry in the list.
device()
{
	local uuid=$1 filter
	shift

	for filter; do
		expect_json "any(.devices[]; .address == \"$uuid\" and ($filter))"
	done
}

@test "list: opens nothing" {
	strace -f -e trace=open,openat,openat2,creat -o trace "$VFIOMIGCTL" list >out
	grep -q "^$A" out
	grep -q "^$B" out
	lacks '"/dev/(vfio|iommu)' trace
}

@test "list: address, driver, group, cdev, migratable, state" {
	local n

	make_device M mdpy-vga
	migctl 0 state "$B" stop
	migctl 0 list
	[[ ${lines[0]} == 'DEVICE '*' DRIVER '*' GROUP '*' CDEV '*' MIGRATABLE '*' STATE '*' HELD BY'* ]]
	nodes "$A"
	[[ $output =~ $A\ +mtty\ +${group##*/}\ +${cdev##*/}\ +yes\ +running\ +- ]]
	nodes "$B"
	[[ $output =~ $B\ +mtty\ +${group##*/}\ +${cdev##*/}\ +yes\ +stop\ +- ]]
	nodes "$M"
	[[ $output =~ $M\ +mdpy\ +${group##*/}\ +${cdev##*/}\ +no\ +-\ +- ]]
	((${#lines[@]} == 4))

	migctl 0 --json list
	expect_json '.schema == 1' '.command == "list"' '.status == 0' '.devices | length == 3' \
		'[.devices[].address] | . == sort'
	nodes "$A"
	device "$A" '.bus == "mdev" and .driver == "mtty" and .migratable and .state == "running"' \
		'.name == "Dual port serial"' \
		".cdev == \"${cdev##*/}\" and .iommu_group == ${group##*/}" \
		'.holder == null and .holders == [] and .holders_partial == false'
	device "$B" '.migratable and .state == "stop"'
	device "$M" '.migratable == false and .state == null' '.reason | contains("no migration")'
}

@test "list: without debugfs it is not known, and not guessed" {
	mount -t tmpfs none /sys/kernel/debug
	migctl 0 --json list
	umount /sys/kernel/debug
	device "$A" '.migratable == null and .state == null'
}

@test "list: without /sys nothing is known, and that is an error" {
	mount -t tmpfs none /sys
	run --separate-stderr "$VFIOMIGCTL" list
	umount /sys
	echo "$output$stderr"
	((status == 71))
	[[ -z $output ]]
	expect_message '/sys: no sysfs is mounted here' 'mount -t sysfs sysfs /sys'
}

@test "list: a machine without VFIO devices" {
	local uuid

	for uuid in "${devices[@]}"; do
		echo 1 >"/sys/bus/mdev/devices/$uuid/remove"
	done
	devices=()
	migctl 0 list
	[[ $output == 'no device is bound to VFIO' ]]
	migctl 0 --json list
	expect_json '.devices == []'
}

@test "list: --probe asks each device that no process holds" {
	make_device M mdpy-vga
	migctl 0 state "$B" stop
	migctl 0 --json list --probe
	device "$A" '.migratable and .state == "running"' \
		'.migration_flags == ["stop-copy", "p2p", "pre-copy"]' '.ids.vendor == "0x4348"' \
		'.via == null'
	device "$B" '.migratable and .state == "stop"'
	device "$M" '.migratable == false' '.reason | contains("the driver offers no migration")'
	# It was only asked.
	expect_state "$A" running
	expect_state "$B" stop
	migctl 0 list --probe --via group
	[[ $output == *"$A"*yes*running* ]]
}

# hold NAME [OPTION...] UUID: a process that has it open, until it is killed.
hold()
{
	local name=$1
	shift

	start "$name" "$tools/with-fd" "${@:1:$#-1}" "${!#}" 9 tail -f /dev/null
	eventually runs "${!name}" tail
}

runs()
{
	[[ $(<"/proc/$1/comm") == "$2" ]]
}

release()
{
	kill "${!1}"
	finish "$1" 143
}

@test "list: says who holds a device, by its cdev and by its group" {
	hold one "$A"
	hold two --keep --via group "$B"
	migctl 0 --json list
	device "$A" ".holder == \"tail[$one]\"" \
		".holders == [{\"pid\": $one, \"comm\": \"tail\", \"fd\": 9, \"how\": \"cdev\"}]"
	device "$B" ".holder == \"tail[$two]\"" '.holders | length == 1 and .[0].how != "cdev"'
	migctl 0 list
	[[ $output == *"$A"*"tail[$one]"* && $output == *"$B"*"tail[$two]"* ]]
	release one
	release two
	migctl 0 --json list
	device "$A" '.holder == null'
	device "$B" '.holder == null'
}

@test "list: a device that several hold" {
	start one "$tools/with-fd" "$A" 9 bash -c 'tail -f /dev/null & tail -f /dev/null; :'
	eventually two_tails
	migctl 0 --json list
	device "$A" '.holders | length == 3' '.holder | endswith(", ...")'
	pkill -P "$one"
	finish one 0
}

two_tails()
{
	(($(pgrep -c -P "$one" -x tail) == 2))
}

@test "list: --probe leaves alone what another process holds" {
	hold one "$A"
	strace -f -e trace=open,openat -o trace "$VFIOMIGCTL" --json list --probe >out
	output=$(<out)
	nodes "$A"
	lacks "\"$cdev\"" trace
	nodes "$B"
	grep -q "\"$cdev\"" trace
	device "$A" '.holders | length == 1' '.migratable and .state == "running"' \
		'has("migration_flags") | not'
	device "$B" '.migration_flags | length == 3'
	release one
}

@test "list: a fd that was only handed over is known from Linux 6.18 on" {
	hold one --via group "$A"
	migctl 0 --json list
	if [[ $(printf '%s\n' 6.18 "$LAB" | sort -V | head -n 1) == 6.18 ]]; then
		device "$A" ".holder == \"tail[$one]\"" '.holders[0].how == "device fd"'
	else
		device "$A" '.holder == null'
	fi
	release one
}

@test "list: an unprivileged user sees what is his to see, and that it is not all" {
	public_tool
	hold one "$A"
	record setpriv --reuid 65534 --regid 65534 --clear-groups "$tool" --json list
	echo "$output$stderr"
	((status == 0))
	device "$A" '.driver == "mtty"' '.holders == [] and .holders_partial' '.migratable == null' \
		'.holder == "?"'
	release one
}

@test "list: a device that is being removed, and who keeps it from that" {
	local number

	nodes "$A"
	number=${cdev##*/}
	hold one "$A"
	# Waits until the last descriptor is closed.
	# shellcheck disable=SC2016 # for the inner shell
	start removal bash -c 'echo 1 >"/sys/bus/mdev/devices/$0/remove"' "$A"
	eventually absent "$cdev"
	run --separate-stderr -0 "$VFIOMIGCTL" --json list
	expect_json '.devices | length == 2' \
		".devices | any(.leaving == true and .cdev == \"$number\" and
			.holder == \"tail[$one]\" and .holders[0].pid == $one)"
	expect_message "is being unbound or removed, which waits until tail (pid $one, fd 9) closes it"
	migctl 0 list
	[[ $output == *"$number"*"tail[$one]"* ]]
	release one
	finish removal 0
	devices=("$B")
	migctl 0 --json list
	expect_json '.devices | length == 1' '.unnamed_holders == []'
}

absent()
{
	[[ ! -e $1 ]]
}

@test "list: a holder of a device that the kernel does not name" {
	hold one --via group "$A"
	grep -q vfio-device-syspath "/proc/$one/fdinfo/9" && {
		migctl 0 --json list
		device "$A" ".holders[0] == {\"pid\": $one, \"comm\": \"tail\", \"fd\": 9,
			\"how\": \"device fd\"}"
		release one
		return
	}
	migctl 0 --json list
	expect_json ".unnamed_holders == [{\"pid\": $one, \"comm\": \"tail\", \"fd\": 9}]"
	expect_message "tail (pid $one, fd 9) holds a device that the kernel does not name"
	migctl 0 info "pid:$one/fd9"
	release one
}
