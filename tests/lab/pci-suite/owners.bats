#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real PCI functions that a program drives, or a holder keeps: taken part in, never opened anew, so
# that nothing resets them.

# shellcheck disable=SC2016,SC2034,SC2154,SC2030,SC2031 # scripts of owners; variables of pci.bash
load pci.bash
load ../suite/consumer.bash

# The consumer's counter is the second of $words.
expect_count()
{
	bar "$1" "${words[1]}"
	((values == $2)) || {
		echo "the counter is $values, not $2"
		return 1
	}
}

# counts ADDRESS: on and on.
counts()
{
	bar "$1" "${words[1]}"
	local was=$values

	bar "$1" "${words[1]}"
	((values != was))
}

@test "pid: the function of a running program is saved as it is, and resumed in another's" {
	consumers=()
	consume owner "$A"
	expect_answer owner step 1
	expect_answer owner step 2
	shown "$A" resets
	local resets=$shown

	migctl 0 --json save "pid:$owner/$A" state.img
	expect_json '.outcome == "completed"' '.device.via == "pid"' \
		".device.owner == {\"pid\": $owner, \"comm\": \"consumer\"}"
	[[ $stderr != *'has reset'* ]]
	expect_answer owner step 3
	expect_shown "$A" resets "$resets"

	consume other "$B"
	expect_answer other show 0
	migctl 71 resume "pid:$other" state.img
	expect_message "$B: is in running: its owner uses it" '--freeze-owner'
	expect_answer other 'set 1' set
	migctl 0 --json resume "pid:$other" state.img
	expect_json '.outcome == "completed"' '.device.via == "pid"' '.accepted' '.state == "stop"'
	expect_answer other show 2
	expect_answer other 'set 2' set
	expect_answer other step 3
	expect_count "$B" 3
	dismiss owner
	dismiss other
	expect_count "$B" 0
}

@test "pid: the program stands still exactly while its function is stopped" {
	local stopped

	consumers=()
	consume owner "$A"
	expect_answer owner spin spinning
	eventually counts "$A"
	sim "$A" size 300000
	arm "$A" 'stall-read 100000'
	start mover "$VFIOMIGCTL" --json save --freeze-owner "pid:$owner" state.img
	struck "$A"
	bar "$A" "${words[1]}"
	stopped=$values
	/bin/true
	expect_count "$A" "$stopped"
	sim "$A" release 1
	finish mover 0
	expect_json '.outcome == "completed"' '.state == "running"'
	eventually counts "$A"
	# The driver has seen no register written meanwhile (see teardown): what the image has is
	# what was there.
	own "$B" '"$ctl" -q resume --no-hold fd:9 state.img; bar "$B" "${words[1]}"; echo "$values"'
	((status == 0))
	[[ $output == "$stopped" ]]
	dismiss owner
}

@test "hold: a state outlives the program, and the holder gives a function up that is unbound" {
	own "$A" 'write_words 1 2 3; "$ctl" -q save --leave stop fd:9 state.img'
	((status == 0))
	start holder "$VFIOMIGCTL" hold --socket h "$B"
	eventually test -S h
	migctl 0 -q resume --stop --no-hold hold:h state.img
	expect_words "$B" 0x1 0x2 0x3
	migctl 0 --json save --leave stop hold:h again.img
	expect_json ".device.address == \"$B\"" '.state == "stop"'
	expect_words "$B" 0x1 0x2 0x3
	sim "$B" bus_error 1
	eventually grep -q "$B: an error on its bus" holder.err
	expect_words "$B" 0x1 0x2 0x3
	echo "$B" >"$sysfs/$B/driver/unbind"
	# Its state is lost, and that is said.
	finish holder 81
	expect_message "$B: the host asks for it" "$B: closed, so that the host can have it"
	[[ ! -e h ]]
}
