#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The v1 protocol, a migration region. The driver under it complains of every access that is out
# of order (see ../migsim/README.md), and migsim.bash fails the test that it complains of.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

setup()
{
	migsim_setup migsim-v1
	sim "$A" size 300001
	sim "$A" seed 7
}

# by_hand STEP...: registers of $A, not through the tool.
by_hand()
{
	record "$tools/region" "$A" 9 "$@"
	echo "$output"
	((status == 0))
}

# transfer ARG...: save $A, stopped, and load it into $B.
transfer()
{
	migctl 0 save --leave=stop --force "$@" "$A" state.img
	resume_fd 0 --stop state.img
	expect_copied
}

@test "v1: is spoken to a device that has nothing newer" {
	migctl 0 info --json "$A"
	expect_json '.migratable' '.protocol == "v1"' '.state == "running"' '.v1_bits == "001 _RUNNING"' \
		'.migration_flags == ["stop-copy", "pre-copy"]' '.stop_copy_bytes == null'
	migctl 0 info --protocol=v1 "$A"
	[[ $output == *'protocol            v1'* && $output == *'device_state        001 _RUNNING'* ]]
	migctl 0 info --json --protocol=v2 "$A"
	expect_json '.migratable == false' '.reason == "the driver offers no migration"'
	migctl 69 save --protocol=v2 "$A" state.img
	expect_message "$A: the driver offers no migration"
	migctl 64 info --protocol=v3 "$A"
	expect_message "--protocol is v1 or v2, not 'v3'"
	expect_files
	expect_state "$A" running
}

@test "v1: and not to one that speaks v2" {
	local C

	make_device C migsim-v2
	plain "$C"
	migctl 0 info --json "$C"
	expect_json '.protocol == "v2"' 'has("v1_bits") | not'
	migctl 69 save --protocol=v1 "$C" state.img
	expect_message "$C: the driver has no migration region"
	expect_files
	expect_state "$C" running
}

@test "v1: list knows only after opening" {
	migctl 0 list --json "$A"
	expect_json '.devices[0] | .migratable == false and (.reason | contains("--probe"))'
	migctl 0 list --json --probe "$A"
	expect_json '.devices[0] | .migratable and .protocol == "v1" and (has("reason") | not)'
	migctl 69 save --dry-run "$A" state.img
	expect_message "--protocol=v1"
	migctl 0 save --dry-run --protocol=v1 "$A" state.img
}

# The seven transitions: start saving, stop and copy, stop; abort saving; start resuming (a load of
# nothing is refused, so that resumed is in the round trips); resume from stopped.
@test "v1: the tool takes the transitions that its text draws" {
	local row from to arcs bits

	for row in \
		'running pre-copy  running:pre-copy 011' \
		'pre-copy running  pre-copy:running 001' \
		'running pre-copy  running:pre-copy 011' \
		'pre-copy stop-copy  pre-copy:stop-copy 010' \
		'stop-copy stop  stop-copy:stop 000' \
		'stop running  stop:running 001' \
		'running stop-copy  running:stop-copy 010' \
		'stop-copy running  stop-copy:stop,stop:running 001' \
		'running resuming  running:resuming 100'; do
		read -r from to arcs bits <<<"$row"
		expect_state "$A" "$from"
		migctl 0 state --json "$A" "$to"
		expect_json ".v1_bits | startswith(\"$bits\")" \
			"[.arcs[] | .from + \":\" + .to] | join(\",\") == \"$arcs\""
		expect_state "$A" "$to"
	done
	# Somebody else's load: only a reset ends that.
	migctl 81 state "$A" stop
	expect_message "$A: in resuming, with a load that another process left" "vfiomigctl reset $A"
	migctl 0 reset "$A"
	expect_state "$A" running
	migctl 69 state "$A" running-p2p
	expect_message "$A: no way from running to running-p2p"
}

@test "v1: the driver refuses states that are none, and stays" {
	by_hand w4@0=5 r4@0 w4@0=6 r4@0 w4@0=7 r4@0 w4@0=3 w4@0=5 r4@0
	[[ ${lines[*]} == 'w4@0=5 EINVAL r4@0 0x1 w4@0=6 EINVAL r4@0 0x1 w4@0=7 EINVAL r4@0 0x1 '* ]]
	[[ ${lines[*]} == *'w4@0=5 EINVAL r4@0 0x3' ]]
}

@test "v1: trapped and mapped, a window smaller than the state" {
	local row map window

	table '0 4096' '1 12288' '1 1048576' + '1 4096' '0 12288' '0 65536' '1 65536' '0 1048576'
	for row in "${rows[@]}"; do
		echo "mapped, window: $row"
		read -r map window <<<"$row"
		for device in "$A" "$B"; do
			"$VFIOMIGCTL" -q reset "$device"
			sim "$device" v1_mmap "$map"
			sim "$device" v1_window "$window"
		done
		sim "$A" seed 7
		transfer
	done
}

@test "v1: sizes around chunks and frames" {
	local size

	table 0 65472 65473 1048512 + 1 65471 1048511 1048513
	for size in "${rows[@]}"; do
		echo "size $size"
		"$VFIOMIGCTL" -q reset "$A"
		sim "$A" size "$size"
		sim "$A" seed 7
		transfer
	done
}

@test "v1: the driver gets its chunks back as it made them" {
	local how

	sim "$A" v1_borders 1
	sim "$B" v1_borders 1
	transfer
	"$VFIOMIGCTL" -q reset "$A"
	sim "$A" seed 8
	migctl 0 save --leave=stop --raw "$A" state.raw
	resume_fd 0 --stop --raw state.raw
	expect_copied
	"$VFIOMIGCTL" -q reset "$A"
	sim "$A" seed 9
	# From one to the other, in whatever pieces a pipe has.
	"$VFIOMIGCTL" save --leave=stop "$A" - 2>/dev/null | dd bs=777 status=none |
		"$tools/with-fd" "$B" 7 "$VFIOMIGCTL" resume --no-hold --stop fd:7 - >out
	expect_copied
	# And the test can fail: chunks that were made without borders are refused.
	migctl 0 reset "$B"
	sim "$B" v1_borders 0
	"$VFIOMIGCTL" -q reset "$A"
	sim "$A" v1_borders 0
	sim "$A" seed 9
	migctl 0 save --leave=stop --force "$A" state.img
	sim "$B" v1_borders 1
	resume_fd 74 --stop state.img
	expect_message "writing data_size" EINVAL
	expect_state "$B" stop
}

@test "v1: a reset by another process under way is no end of the stream" {
	# More than fits into the pool and the pipe: the rest is asked for after the reset.
	allow_misuse
	sim "$A" size 16777216
	clog fifo 0
	# shellcheck disable=SC2016 # for that shell
	run --separate-stderr "$tools/with-fd" "$A" 9 bash -c '
		"$0" save --raw fd:9 fifo 3>&- 8>&- &
		save=$!
		until [[ $(<"/sys/bus/mdev/devices/$1/migsim/state") == stop-copy ]]; do :; done
		"$0" -q reset fd:9
		cat <&8 >/dev/null 3>&- &
		status=0
		wait $save || status=$?
		kill $!
		exit $status' "$VFIOMIGCTL" "$A"
	echo "$status $stderr"
	((status == 81))
	expect_message "reading the device's stream in stop-copy: another process has reset the device" \
		'(ENODEV)'
	expect_state "$A" running
}

@test "v1: pre-copy" {
	sim "$A" initial_bytes 100000
	sim "$A" dirty_bytes 150000
	transfer --pre-copy --max-time=20 --json
	"$VFIOMIGCTL" -q reset "$A"
	sim "$A" seed 8
	sim "$A" dirty_rate 2000000
	migctl 0 save --leave=stop --force --pre-copy --max-time=1 --json "$A" state.img
	expect_json '.bytes > 400000' '.arcs[0].to == "pre-copy"' '.arcs[1].to == "stop-copy"'
	resume_fd 0 --stop state.img
	expect_copied
}

@test "v1: cdev and group" {
	local via

	for via in cdev group; do
		"$VFIOMIGCTL" -q reset "$A"
		sim "$A" seed 3
		migctl 0 save --leave=stop --force --via=$via "$A" state.img
		record "$tools/with-fd" --via $via "$B" 7 "$VFIOMIGCTL" resume --no-hold --stop fd:7 state.img
		echo "$output"
		((status == 0))
		expect_copied
	done
}

@test "v1: a data_size of 0 is not the end" {
	local at

	table 0 65536 + 1 200000
	for at in "${rows[@]}"; do
		"$VFIOMIGCTL" -q reset "$A"
		sim "$A" seed 5
		sim "$A" fault "empty $at 3"
		transfer
		sim "$A" fault clear
	done
	"$VFIOMIGCTL" -q reset "$A"
	sim "$A" seed 5
	sim "$A" initial_bytes 100000
	sim "$A" fault 'empty 1000 2'
	transfer --pre-copy --max-time=5
}

@test "v1: a data_size that stays 0 is an error, and the device runs on" {
	sim "$A" fault 'empty 65536 always'
	migctl 74 save --json "$A" state.img
	expect_message "bytes are pending, and data_size stays 0" "the device is in running again"
	expect_json '.outcome == "aborted"' '.owner == "source"' '.state == "running"'
	expect_files
	expect_state "$A" running
	expect_shown "$A" seed 7
}

@test "v1: a load that is not accepted leaves the device blank and stopped" {
	local check

	migctl 0 save --leave=stop --raw "$A" state.raw
	# One byte of the contents, behind the chunk's length and the record's header.
	printf 'X' | dd of=state.raw bs=1 seek=1000 conv=notrunc status=none
	for check in write stop; do
		migctl 0 reset "$B"
		sim "$B" seed 1
		sim "$B" check $check
		if [[ $check == stop ]]; then
			resume_fd 65 --json --raw --stop state.raw
			expect_message "the driver did not accept the state" "resuming to stop failed" \
				"the device is in error"
		else
			resume_fd 74 --json --raw --stop state.raw
			expect_message "the driver refused the stream's data: writing data_size"
		fi
		expect_json '.outcome == "aborted"' '.owner == "none"' '.recovery.reset' '.accepted == false'
		expect_state "$B" stop
		expect_shown "$B" seed 0
	done
}

@test "v1: a stream cut off in mid-chunk never ends a load" {
	local cut

	migctl 0 save --leave=stop --raw "$A" state.raw
	sim "$B" detect_short 0
	table 7 8 1000 + 1 9 65536
	for cut in "${rows[@]}"; do
		head -c $cut state.raw >cut.raw
		migctl 0 reset "$B"
		resume_fd 65 --raw --stop cut.raw
		expect_message "the stream ends in mid-chunk"
		expect_state "$B" stop
		expect_shown "$B" seed 0
	done
}

@test "v1: a chunk that the destination has no room for is refused" {
	migctl 0 save --leave=stop "$A" state.img
	sim "$B" v1_window 4096
	resume_fd 69 --stop state.img
	expect_message "a chunk of 65536 bytes, and the data section takes 4096" "the device was reset"
	expect_state "$B" stop
	expect_shown "$B" seed 0
}

@test "v1: chunks that lie are refused before they reach the device" {
	local length

	# 0; one more than there is; the largest numbers
	table '\0\0\0\0\0\0\0\0' '\1\0\1\0\0\0\0\0' '\377\377\377\377\377\377\377\377' + \
		'\377\377\377\377\377\377\377\177'
	for length in "${rows[@]}"; do
		{ printf "$length" && head -c 100000 /dev/zero; } >bad.raw
		record "$tools/with-fd" "$B" 7 "$VFIOMIGCTL" resume --no-hold fd:7 --raw bad.raw
		echo "$stderr"
		[[ $status == 65 || $status == 69 ]]
		[[ $stderr == *'a chunk of '* ]]
		expect_state "$B" stop
		migctl 0 reset "$B"
	done
}

@test "v1: an image of v1 is not for v2, nor the other way round" {
	local C

	make_device C migsim-v2
	plain "$C"
	migctl 0 save --leave=stop "$A" v1.img
	migctl 0 save --leave=stop "$C" v2.img
	migctl 0 inspect --json v1.img
	expect_json '.devices[0].protocol == "v1"'
	migctl 65 resume --stop "$C" v1.img
	expect_message "the image is of another device" "protocol is v1 in the image, v2 here"
	expect_state "$C" stop
	resume_fd 65 --stop v2.img
	expect_message "protocol is v2 in the image, v1 here"
	expect_state "$B" running
	expect_shown "$C" resets 0
}

@test "v1: saving is aborted in mid-iteration" {
	local mode

	for mode in '' --pre-copy; do
		sim "$A" fault clear
		sim "$A" initial_bytes 200000
		sim "$A" fault 'stall-read 66000'
		rm -f fifo
		start save "$VFIOMIGCTL" save $mode "$A" state.img
		eventually is_in "$A" "$([[ $mode ]] && echo pre-copy || echo stop-copy)"
		kill -INT "$save"
		finish save 75
		expect_message "the device is in running again"
		expect_files save.err save.out
		expect_state "$A" running
		expect_shown "$A" seed 7
		rm save.err save.out
	done
}

@test "v1: saving to a reader that goes away" {
	sim "$A" size 3000000
	sim "$A" seed 7
	run bash -c '"$1" save "$2" - 2>err | head -c 100000 >/dev/null; exit ${PIPESTATUS[0]}' - \
		"$VFIOMIGCTL" "$A"
	((status == 74 || status == 75))
	grep -q EPIPE err
	expect_state "$A" running
	expect_shown "$A" seed 7
}

@test "v1: every register that fails is named, and the device comes back" {
	local at

	table 0 100000 + 1
	for at in "${rows[@]}"; do
		sim "$A" fault "read EIO $at"
		migctl 74 save "$A" state.img
		expect_message "reading data_offset" EIO "the device is in running again"
		expect_files
		expect_state "$A" running
		expect_shown "$A" seed 7
		sim "$A" fault clear
	done
	sim "$A" fault 'get EIO always'
	migctl 74 info "$A"
	expect_message "reading device_state"
	sim "$A" fault clear
	for arc in 'running stop-copy' 'stop-copy stop' 'stop running'; do
		sim "$A" fault "arc $arc EIO stay"
		record "$VFIOMIGCTL" save --force "$A" state.img
		echo "$arc: status $status: $stderr"
		# The way back is tried twice; only the way there is not.
		[[ $status == 0 || ($status == 75 && $arc == 'running stop-copy') ]]
		expect_state "$A" running
		expect_shown "$A" seed 7
		rm -f state.img
	done
}

@test "v1: ERROR is shown as it is, and only a reset ends it" {
	sim "$A" fault error
	migctl 0 state --json "$A"
	expect_json '.state == "error"' '.v1_bits | startswith("110")'
	migctl 81 save "$A" state.img
	expect_message "$A: is in error: there is no state to save" "vfiomigctl reset $A"
	migctl 81 state "$A" running
	expect_message "in error, which only a reset ends"
	expect_files
	migctl 0 reset "$A"
	expect_state "$A" running
	expect_shown "$A" resets 1
}

@test "v1: a device busy with page requests" {
	sim "$A" page_requests 3
	migctl 0 save --json "$A" state.img
	expect_json '.drain_retries == 3'
	sim "$A" page_requests -1
	migctl 75 save --drain-timeout=0 --force "$A" state.img
	expect_message EBUSY "the device is in running again"
	expect_state "$A" running
}

@test "migsim: says when v1 registers are used out of order" {
	allow_misuse
	sim "$A" reset_on_open 1
	by_hand w4@0=2 r8@16
	misuse
	[[ $misuse == *data_offset* ]]
	by_hand w4@0=2 r8@8 r8@24
	misuse
	[[ $misuse == *data_size* ]]
	by_hand w4@0=2 r8@8 r8@16 r8@24 r8@8
	misuse
	[[ $misuse == *pending_bytes* ]]
	sim "$A" fault error
	sim "$A" reset_on_open 0
	sim "$A" fault error
	by_hand w4@0=1
	[[ $output == *EIO* ]]
	misuse
	[[ $misuse == *ERROR* ]]
}
