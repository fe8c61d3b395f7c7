#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What belongs to a device's user and is in no stream: the configuration space. And devices whose
# user's page requests keep them from being stopped.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

# config UUID STEP...: registers of the configuration space, by hand.
config()
{
	record "$tools/region" "$1" 7 "${@:2}"
	echo "$output"
	((status == 0))
}

# A user that has enabled memory and bus mastering, and chose an interrupt line.
use()
{
	config "$1" w2@4=0x0406 w1@0x3c=11 w4@0x10=0xfebf0000
}

@test "save: the image has the configuration space and the interrupts" {
	use "$A"
	migctl 0 save --leave=stop "$A" state.img
	migctl 0 inspect --json state.img
	expect_json '.devices[0] | .config_bytes == 256 and .interrupts == []'
	migctl 0 info --json "$A"
	expect_json '.interrupts == []' '.intx == "disabled"'
	# A pin that is not disabled says nothing of who uses it.
	config "$A" w2@4=0x0006
	migctl 0 info --json "$A"
	expect_json '.interrupts == []' '.intx == "possible"'
	migctl 0 save --leave=stop --force "$A" state.img
	migctl 0 inspect --json state.img
	expect_json '.devices[0].interrupts == []'
}

@test "resume: restores what is the user's, and nothing else" {
	use "$A"
	migctl 0 save --leave=stop "$A" state.img
	config "$B" r2@4 r1@0x3c r4@0x10
	was=$output
	resume_fd 0 --stop state.img
	config "$B" r2@4 r1@0x3c r4@0x10
	[[ $output == "$was" ]]
	resume_fd 0 --stop --json --restore-config state.img
	expect_json '[.restored[].register] == ["interrupt line", "command"]' \
		'.restored[1].after == "0x406"' '.accepted' '.state == "stop"'
	config "$B" r2@4 r1@0x3c r4@0x10
	[[ ${lines[*]} == 'r2@4 0x406 r1@0x3c 0xb r4@0x10 0x0' ]]
	same_state "$A" "$B"
	resume_fd 0 --stop --restore-config state.img
	[[ $output != *RESTORED* ]]
	migctl 0 reset "$B"
	resume_fd 0 --restore-config state.img
	[[ $output == *'interrupt line  '*'0x0b'* && $output == *'command '*'0x406'* ]]
	expect_state "$B" running
}

@test "resume: what was not accepted is not restored" {
	use "$A"
	migctl 0 save --leave=stop --raw "$A" state.raw
	migctl 0 save --leave=stop "$A" state.img
	sim "$B" fault 'arc resuming stop EINVAL stay'
	resume_fd 65 --stop --restore-config --json state.img
	expect_json '.restored == []'
	config "$B" r2@4 r1@0x3c
	[[ ${lines[*]} != *0x406* && ${lines[*]} != *0xb* ]]
	migctl 64 resume --raw --restore-config "$B" state.raw
	expect_message "--raw has nothing for --restore-config"
	# mtty has such a space, too: but its command register is its own.
	make_device M mtty-2
	migctl 0 save --leave=stop "$M" mtty.img
	migctl 65 resume --restore-config "$B" mtty.img
	expect_message "the image is of another device"
}

@test "inspect, info: no difference between a device and its image" {
	migctl 0 save --leave=stop "$A" state.img
	migctl 0 inspect --diff="$A" state.img
	[[ ${lines[-2]} == 'no difference' ]]
	[[ ${lines[-1]} == 'resume takes this image for this device' ]]
	migctl 0 info --diff=state.img "$B"
	[[ ${lines[-2]} == 'no difference' ]]
	[[ ${lines[-1]} == 'resume takes this image for this device' ]]
	migctl 0 inspect --json --diff="$B" state.img
	expect_json '.differences == []' '.fits == "yes"' '.complete'
}

@test "inspect, info: each difference by its name and owner" {
	sim "$A" pci_id '1b36:00ff 1b36:0002 ff0001 02'
	use "$A"
	migctl 0 save --leave=stop "$A" state.img
	sim "$B" caps 1
	for what in "inspect --diff=$B state.img" "info --diff=state.img $B"; do
		# shellcheck disable=SC2086 # words
		migctl 0 $what --json
		expect_json \
			'[.differences[] | .field + " " + .owner] | sort == ["bar0 host", "class identity",
				"command user", "interrupt line user", "migration flags device",
				"revision device", "subsystem device identity"]' \
			'.differences[] | select(.field == "command") | .at == "0x004" and .saved == "0x0406"' \
			'.fits == "no"'
		# shellcheck disable=SC2086
		migctl 0 $what
		[[ $output == *FIELD*AT*IMAGE*DEVICE*OWNER* && $output == *'subsystem device'*0x0002*0x0001* ]]
	done
	migctl 65 resume --stop "$B" state.img
	expect_message "class is 0xff0001 in the image, 0xff0000 here"
}

@test "inspect: --diff with a device of another kind, another protocol, or none" {
	local M C

	make_device M mdpy-vga
	make_device C migsim-v1
	plain "$C"
	migctl 0 save --leave=stop "$A" state.img
	migctl 0 inspect --json --diff="$M" state.img
	expect_json 'any(.differences[]; .field == "driver" and .here == "mdpy")' '.fits == "no"'
	migctl 0 inspect --json --diff="$C" state.img
	expect_json '.differences[0] == {"field": "protocol", "saved": "v2", "here": "v1", "owner": "identity"}'
	migctl 66 inspect --diff=0000:99:00.0 state.img
	head -c 5000 state.img >cut.img
	migctl 65 inspect --diff="$A" cut.img
	migctl 65 info --diff=cut.img "$A"
	migctl 66 info --diff=no.img "$A"
	expect_message "no.img"
}

@test "save: a device busy with page requests is asked again" {
	local pre

	for pre in '' '--pre-copy --max-time=1'; do
		sim "$A" page_requests 4
		# shellcheck disable=SC2086 # words
		migctl 0 save --json --force $pre "$A" state.img
		expect_json '.drain_retries == 4' '.state == "running"' \
			'[.arcs[] | select(.error == "EBUSY") | .tries] == [4]'
		expect_shown "$A" page_requests 0
	done
	sim "$A" page_requests 2
	migctl 0 state "$A" stop
	expect_state "$A" stop
}

@test "save: one that stays busy runs on" {
	local caps

	sim "$A" page_requests -1
	for caps in 1 3 5 7; do
		sim "$A" caps $caps
		migctl 75 save --json --drain-timeout=0 "$A" state.img
		expect_json '.outcome == "aborted"' '.owner == "source"' '.state == "running"' \
			'.drain_retries == 0'
		expect_message EBUSY "the device is in running again"
		expect_files
		expect_state "$A" running
	done
	migctl 75 save --drain-timeout=1 "$A" state.img
	expect_message "still refused after 1.00 s"
	expect_state "$A" running
	# state stops where it is, and says so: it was told to go there.
	migctl 81 state --drain-timeout=0 "$A" stop
	expect_message EBUSY "the device is in running-p2p"
	expect_state "$A" running-p2p
	migctl 64 save --drain-timeout=soon "$A" state.img
	expect_message "--drain-timeout: 'soon' is not a duration"
}

@test "save: to wait for a busy device can be interrupted" {
	sim "$A" page_requests -1
	start save "$VFIOMIGCTL" save --drain-timeout=3600 "$A" state.img
	eventually is_in "$A" running-p2p
	kill -INT "$save"
	finish save 75
	expect_message "the device is in running again"
	expect_state "$A" running
}
