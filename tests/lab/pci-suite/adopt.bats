#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pid:PID and list, of functions that a process has open. Their driver cannot migrate: who has
# which is all that is asked here.

# shellcheck disable=SC2154 # record sets output, stderr and lines
load ../suite/lab.bash

setup()
{
	set +T
	require lab root
	cd "$BATS_TEST_TMPDIR" || return
	pci=$top_srcdir/tests/lab/pci
	tools=$top_builddir/tests/lab/tools
	record -0 "$pci/vfs" create 2
	read -r one _ one_group _ <<<"${lines[0]}"
	read -r two _ _ _ <<<"${lines[1]}"
	holders=()
}

teardown()
{
	local holder

	for holder in "${holders[@]}"; do
		kill -KILL "${!holder}" 2>/dev/null || true
	done
	"$pci/vfs" remove
}

# hold NAME OPTION... FUNCTION: a process that has it open.
hold()
{
	start "$1" "$tools/with-fd" "${@:2:$#-2}" "${!#}" 9 tail -f /dev/null
	holders+=("$1")
	eventually holds "${!1}"
}

holds()
{
	[[ $(<"/proc/$1/comm") == tail ]]
}

release()
{
	kill "${!1}"
	finish "$1" 143
}

@test "pid: a function is named by its node, by its group where that is kept, else by its descriptor" {
	hold by_cdev --via cdev "$one"
	migctl 0 --json info "pid:$by_cdev"
	expect_json ".device.address == \"$one\"" '.device.via == "pid"' \
		".device.owner.pid == $by_cdev"
	hold by_group --keep --via group "$two"
	migctl 0 --json info "pid:$by_group"
	expect_json ".device.address == \"$two\""
	release by_group
	hold alone --via group "$two"
	# Two functions alike, but one of them is another process's, by a node that is known.
	migctl 0 --json info "pid:$alone/fd9"
	expect_json '.device.ids.device == "0x10ca"'
	migctl 69 save "pid:$by_cdev" image
	expect_message 'the driver offers no migration'
}

@test "list: functions that are unplugged, and who keeps them from that" {
	hold by_cdev --via cdev "$one"
	hold by_group --keep --via group "$two"
	start removal "$pci/vfs" remove
	eventually leaves "$one_group" "$one"
	record -0 "$VFIOMIGCTL" --json list
	expect_json ".devices | any(.leaving and .holder == \"tail[$by_cdev]\")"
	expect_message "which waits until tail (pid $by_cdev, fd 9) closes it"
	release by_cdev
	eventually listed "any(.devices[]; .leaving and .address == \"$two\" and
		.holder == \"tail[$by_group]\" and .holders[0].how == \"group\")"
	release by_group
	finish removal 0
	migctl 0 --json list
	expect_json '.devices == []'
}

# leaves GROUP FUNCTION: VFIO has given it up.
leaves()
{
	[[ ! -e /sys/bus/pci/devices/$2/vfio-dev ]]
}

listed()
{
	"$VFIOMIGCTL" -q --json list | jq -e "$1" >/dev/null
}
