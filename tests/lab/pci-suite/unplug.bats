#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real PCI functions that go away under the tool: unbound, by sriov_numvfs, with their PF, by the slot.
# The kernel waits for what holds them, and only then are they gone.

# shellcheck disable=SC2016,SC2034,SC2154,SC2030,SC2031 # scripts of owners; variables of pci.bash
load pci.bash

# saving NAME ADDRESS: NAME is a save of the function that has stopped it and does not get on: what it
# writes to, nothing reads until saved is called. (A fault of the driver would not do: its attributes
# are gone as soon as an unbind begins.)
saving()
{
	sim "$2" size 4000000
	mkfifo "$1.fifo"
	exec 9<>"$1.fifo"
	# shellcheck disable=SC2016 # for that shell
	start "$1" sh -c 'exec "$0" save "$1" - >"$2"' "$VFIOMIGCTL" "$2" "$1.fifo"
	eventually is_in "$2" stop-copy
}

is_in()
{
	shown "$1" state
	[[ $shown == "$2" ]]
}

# writes VALUE FILE: into sysfs, by a process of its own: the kernel makes it wait.
writes()
{
	start writer sh -c 'echo "$1" >"$2"' sh "$@"
}

# waits_for ADDRESS: writer is in the kernel, which waits for what holds the function.
waits_for()
{
	eventually has_said "$1: No device request channel registered, blocked until released by user"
	[[ -d /proc/$writer ]]
}

# has_said TEXT: the kernel, since this test began.
has_said()
{
	[[ $(kernel_log) == *"$1"* ]]
}

is_gone()
{
	[[ ! -e $sysfs/$1 ]]
}

# saved NAME: it ends well, with a whole image.
saved()
{
	start reader sh -c 'exec cat <"$0" >"$1"' "$1.fifo" "$1.img"
	finish "$1" 0
	exec 9>&-
	finish reader 0
	migctl 0 -q verify "$1.img"
}

@test "unbound in mid-save: the save ends as it would have, then the driver is gone" {
	saving save "$A"
	writes "$A" "$sysfs/$A/driver/unbind"
	waits_for "$A"
	saved save
	finish writer 0
	driver_of "$A"
	[[ -z $driver ]]
	migctl 69 info "$A"
}

@test "sriov_numvfs = 0 in mid-save: the save ends as it would have, then all functions are gone" {
	saving save "$A"
	writes 0 "$sysfs/$PF/sriov_numvfs"
	waits_for "$A"
	saved save
	finish writer 0
	is_gone "$A"
	is_gone "$C"
	migctl 66 info "$A"
	expect_message "$A: no such PCI device"
	migctl 66 save "$A" new
	expect_message "$A: no such PCI device"
}

@test "sriov_numvfs = 0 under a resumed function: resume gives it up, and says that its state is lost" {
	migctl 0 -q save "$A" state.img
	start held "$VFIOMIGCTL" --json resume "$B" state.img
	eventually grep -q '"status": 0' held.out
	expect_shown "$B" state stop
	echo 0 >"$sysfs/$PF/sriov_numvfs"
	finish held 81
	expect_message "$B: the host asks for it" "$B: closed, so that the host can have it"
	is_gone "$B"
}

@test "the PF loses its driver in mid-save: the same" {
	saving save "$A"
	writes "$PF" "$sysfs/$PF/driver/unbind"
	waits_for "$A"
	saved save
	finish writer 0
	is_gone "$A"
}

@test "the NIC is unplugged in mid-save: the save ends, and the slot is empty; another is plugged in" {
	saving save "$A"
	"$lab/pci/monitor" device_del id=nic0
	waits_for "$A"
	saved save
	eventually is_gone "$PF"
	is_gone "$A"
	migctl 66 info "$A"
	migctl 0 --json list
	expect_json '.devices == []'
	"$lab/pci/monitor" device_add driver=igb id=nic0 bus=slot1
	eventually "$lab/pci/vfs" pf
}
