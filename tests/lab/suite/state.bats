#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The state machine as the kernel has it, and the commands that show and move it.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

states=(stop running stop-copy resuming running-p2p pre-copy pre-copy-p2p)

# no_open: what strace wrote to ./trace has no VFIO node in it.
no_open()
{
	[[ -s trace ]]
	lacks '"/dev/(vfio|iommu)' trace
}

traced()
{
	strace -f -e trace=open,openat,openat2,creat -o trace "$VFIOMIGCTL" "$@" >out 2>err
}

@test "every state to every other, and to what is none, is as fsm_next() says" {
	local n

	record "$tools/walk-pairs" "$A"
	echo "$output"
	((status == 0))
	[[ $output != *"not ok"* ]]
	# From seven states, from RESUMING loaded or not; to eight and five that are none.
	n=$(grep -c '^ok' <<<"$output")
	((n == 8 * (8 * 3 + 5 * 2)))
	[[ ${lines[-1]} == "1..$n" ]]
	expect_state "$A" running
}

@test "state: reads by debugfs, and opens nothing for it" {
	local state

	for state in "${states[@]}"; do
		is_in "$A" running || "$VFIOMIGCTL" -q reset "$A"
		migctl 0 state "$A" "$state"
		expect_state "$A" "$state"
		migctl 0 --json state "$A"
		told state "$state"
	done
	expect_json '.source == "debugfs"' '.status == 0' ".device.address == \"$A\""
	traced state "$A"
	no_open
	grep -q '/sys/kernel/debug/vfio/.*/migration/state' trace
	[[ $(<out) == *'read by  debugfs'* ]]
}

@test "state: asks the device where there is no debugfs" {
	mount -t tmpfs none /sys/kernel/debug
	migctl 0 --json state "$A"
	umount /sys/kernel/debug
	expect_json '.state == "running"' '.source == "device"'
}

@test "state: walks arc by arc and lists each" {
	migctl 0 --json state "$A" stop-copy
	expect_json '.state_found == "running"' '.state == "stop-copy"' '.down' \
		'[.arcs[] | [.from, .to]] == [["running", "running-p2p"], ["running-p2p", "stop"],
		["stop", "stop-copy"]]' '.arcs | all(.ns > 0)'
	expect_state "$A" stop-copy
	migctl 0 --json state "$A" running
	expect_json '[.arcs[].to] == ["stop", "running-p2p", "running"]' '.down == false'
	migctl 0 state "$A" pre-copy-p2p
	[[ $output == *'pre-copy  pre-copy-p2p  '* || $output == *'running-p2p  pre-copy-p2p  '* ]]
	[[ $output == *'state    pre-copy-p2p'* ]]
	migctl 0 --json state "$A" resuming
	expect_json '.arcs[-1].to == "resuming"'
	expect_state "$A" resuming
}

@test "state: to where the device is already is nothing" {
	migctl 0 --json state "$A" running
	expect_json '.arcs == []' '.state_found == "running"' '.state == "running"'
	expect_state "$A" running
}

@test "state: names in any case, with - or _" {
	migctl 0 state "$A" RUNNING_P2P
	expect_state "$A" running-p2p
	migctl 0 state "$A" Stop
	expect_state "$A" stop
}

@test "state: what is no state, and ERROR, is refused before anything is opened" {
	local word

	for word in error ERROR none 2 '' stopcopy; do
		migctl 64 state "$A" "$word"
		expect_message "STATE is " "not '$word'"
	done
	expect_state "$A" running
}

@test "state: where there is no way the device stays where it is" {
	local to

	migctl 0 state "$A" stop-copy
	for to in pre-copy pre-copy-p2p; do
		migctl 69 --json state "$A" $to
		expect_message "$A: no way from stop-copy to $to"
		expect_json '.status == 69' '.state == "stop-copy"' '.error.errno == null'
		expect_state "$A" stop-copy
	done
	# A load that was not finished is not to be ended by a SET.
	migctl 0 state "$A" running
	migctl 0 state "$A" resuming
	migctl 81 --json state "$A" running
	expect_message "$A: in resuming, with a load that another process left" "vfiomigctl reset $A"
	expect_json '.status == 81' '.state == "resuming"' '.arcs == []'
	expect_state "$A" resuming
}

@test "reset: from every state to RUNNING" {
	local state

	for state in "${states[@]}"; do
		migctl 0 state "$A" "$state"
		expect_state "$A" "$state"
		migctl 0 --json reset "$A"
		told state_found "$state"
		told state running
		expect_state "$A" running
	done
	expect_json '.reset_ns > 0' '.status == 0'
	migctl 0 reset "$A"
	[[ $output == *'state now     running'* ]]
}

@test "a device that is reset by somebody else while it is saved: where it is then is told" {
	migctl 0 save --raw "$A" before
	clog fifo 0
	# All of the stream has been read, none of it could be written yet.
	# shellcheck disable=SC2016 # for that shell
	record "$tools/with-fd" "$A" 9 bash -c '
		"$0" --json save --raw fd:9 fifo 2>/dev/null 3>&- &
		until [[ $(<"/sys/kernel/debug/vfio/$1/migration/state") == STOP_COPY ]]; do :; done
		"$0" -q reset fd:9
		head -c 1048576 <&8 >/dev/null
		head -c 96 <&8 >after
		wait $!' "$VFIOMIGCTL" "$A"
	echo "$output"
	((status == 0))
	cmp before after
	expect_json '.state_found == "running" and .state == "running"' '.outcome == "completed"'
	expect_state "$A" running
}

@test "state, reset: --dry-run opens nothing and says what it would do" {
	traced --json state --dry-run "$A" stop-copy
	no_open
	jq -e '.dry_run and .want == "stop-copy" and .state == "running" and
		.opening_resets == false' out
	traced --json reset --dry-run "$A"
	no_open
	jq -e '.dry_run and .opening_resets == false' out
	expect_state "$A" running
}

@test "info: what the device can do" {
	nodes "$A"
	migctl 0 --json info "$A"
	expect_json '.schema == 1' '.command == "info"' '.migratable' '.protocol == "v2"' \
		'.state == "running"' '.migration_flags == ["stop-copy", "p2p", "pre-copy"]' \
		'.stop_copy_bytes == 96' '.dma_logging' '.device.driver == "mtty"' \
		".device.cdev == \"${cdev##*/}\"" ".device.iommu_group == ${group##*/}" \
		'.device.ids.vendor == "0x4348"' '.regions | length >= 3' \
		'.irqs | length >= 1' '.quirks | length > 0'
	migctl 0 info --via group "$A"
	[[ $output == *'opened by'*group* ]]
	make_device ONE mtty-1
	migctl 0 --json info "$ONE"
	expect_json '.stop_copy_bytes == 60'
	expect_state "$A" running
}

@test "info: PRECOPY_INFOv2 is known from Linux 7 on" {
	local want=false

	((${LAB%%.*} < 7)) || want=true
	migctl 0 --json info "$A"
	expect_json ".precopy_info_v2 == $want"
}
