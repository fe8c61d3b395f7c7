#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# States from nothing to 100 GiB, and many devices at a time.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# memory_of PID: the most that it ever had, in KiB.
memory_of()
{
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$1/status"
}

# bytes_told FILE: of the last line of progress that is whole.
bytes_told()
{
	local lines=''

	lines=$(sed -n 's/.*"bytes": *\([0-9]*\).*/\1/p' "$1")
	told=${lines##*$'\n'}
	((${told:-0} >= $2))
}

@test "sizes: of no, one, few and odd bytes" {
	local size

	for size in 0 1 2 127 128 4096 1048575 1048576 1048577 2097089; do
		emu_start --state-size $size
		reference "$A"
		[[ $(stat -c %s reference) == "$size" ]]
		migctl 0 --json save "$A" image.$size
		expect_json ".bytes == $size" '.outcome == "completed"'
		migctl 0 --json verify image.$size
		expect_json '.good' ".bytes == $size"
		((size < 2)) || run ! holds "$B"
		migctl 0 --json resume --no-hold --stop "$B" image.$size
		expect_json '.accepted' ".bytes == $size"
		holds "$B"
		rm image.$size
		emu_stop
	done
}

@test "sizes: with pre-copy, of no, one, few and odd bytes" {
	local size

	for size in 0 1 127 128 1048575; do
		emu_start --state-size $size
		migctl 0 --json save --pre-copy --leave=stop "$A" image.$size
		reference "$A"
		migctl 0 --json resume --no-hold --stop "$B" image.$size
		holds "$B"
		emu_stop
	done
}

@test "sizes: an odd size from a server that gives less than it is asked for" {
	emu_start --state-size 1048575 --fault short-read
	reference "$A"
	[[ $(stat -c %s reference) == 1048575 ]]
	migctl 0 save "$A" image
	migctl 0 resume --no-hold --stop "$B" image
	holds "$B"
}

@test "sizes: 1 GiB, from one device into another" {
	emu_start --state-size 1G
	set_state "$A" stop
	record -0 bounded --json resume --no-hold --stop "$B" - \
		< <(bounded -q save "$A" -)
	expect_json '.accepted' ".bytes == $((1 << 30))"
	expect_state "$B" stop
	# Its digest is what the device has accepted it by.
	require python3
	register emu digest
	digest=$register
	register emu.1 digest
	[[ $register == "$digest" ]]
}

@test "sizes: 100 GiB are streamed in constant memory until a signal ends it" {
	local most

	emu_start --state-size 100G
	start save --json --progress=json save "$A" /dev/null
	eventually bytes_told save.err $((512 << 20))
	most=$(memory_of "$save")
	echo "$told bytes, $most KiB"
	((most > 0))
	kill -INT "$save"
	finish save 75
	expect_json '.status == 75' '.outcome == "aborted"' '.owner == "source"' \
		'.state_found == "running" and .state == "running"' ".bytes >= $((512 << 20))"
	[[ $stderr == *'interrupted'*'the device is in running again' ]]
	expect_state "$A" running
	if grep -qaF __asan_init "$tool"; then
		skip "memory of a sanitized program says nothing"
	fi
	((most <= 32 << 10))
	most=$(memory_of "$emu")
	echo "vfiomig-emu: $most KiB"
	((most <= 32 << 10))
}

@test "sizes: 100 GiB with pre-copy, compressed: constant memory, too" {
	local most

	emu_start --state-size 100G --dirty-rate 1G
	start save --json --progress=json save --pre-copy --compress=zstd:1 "$A" /dev/null
	eventually bytes_told save.err $((64 << 20))
	most=$(memory_of "$save")
	echo "$told bytes, $most KiB"
	kill -TERM "$save"
	finish save 75
	expect_arcs running:pre-copy pre-copy:running
	expect_json '.downtime_ns == 0' '.state == "running"'
	expect_state "$A" running
	if grep -qaF __asan_init "$tool"; then
		skip "memory of a sanitized program says nothing"
	fi
	((most <= 32 << 10))
}

@test "sizes: a load of 100 GiB that is interrupted: reset and stopped" {
	emu_start --state-size 100G
	mkfifo fifo
	start resume --json --progress=json resume --no-hold "$B" fifo
	start save -q save "$A" fifo
	eventually bytes_told resume.err $((64 << 20))
	if ! grep -qaF __asan_init "$tool"; then
		(($(memory_of "$resume") <= 32 << 10))
	fi
	kill -INT "$resume"
	finish resume 75
	expect_json '.recovery.reset' '.state == "stop"' '.accepted == false'
	expect_state "$B" stop
	# Its reader has gone.
	finish save 74
	expect_message '(EPIPE)' 'the device is in running again'
	expect_state "$A" running
}

@test "devices: 64 of one process, one after another" {
	local k digests

	emu_start --devices 64 --state-size 16K
	for k in {0..63}; do
		migctl 0 save "$(device "$k")" "image.$k"
	done
	digests=$(for k in {0..63}; do
		bounded --json inspect "image.$k" | jq -r '.devices[0].digest'
	done)
	[[ $(sort -u <<<"$digests" | grep -c .) == 64 ]]
	for k in 0 1 31 63; do
		migctl 0 resume --no-hold "$(device $((63 - k)))" "image.$k"
	done
	kill -0 "$emu"
}

# device N: of an emulator that has many.
device()
{
	if (($1 == 0)); then echo "$A"; else echo "vfio-user:emu.$1"; fi
}

@test "devices: 16 of one process at the same time, saved and resumed" {
	local k

	emu_start --devices 32 --state-size 4M
	for k in {0..15}; do
		start "save_$k" -q save "$(device "$k")" "image.$k"
	done
	for k in {0..15}; do
		finish "save_$k" 0
	done
	for k in {0..15}; do
		start "resume_$k" -q resume --no-hold "$(device $((16 + k)))" "image.$k"
	done
	for k in {0..15}; do
		finish "resume_$k" 0
	done
	stream "$(device 3)" reference
	has_run "$(device 19)"
	kill -0 "$emu"
}

@test "devices: one fails, one is silent, the others are none the worse" {
	local k

	emu_start --devices 8 --fault 2@fail=stop:stop-copy:EIO --fault 5@stall=1000
	for k in {0..7}; do
		start "save_$k" -q save --timeout 1 "$(device "$k")" "image.$k"
	done
	for k in 0 1 3 4 6 7; do
		finish "save_$k" 0
	done
	finish save_2 75
	finish save_5 76
	for k in {0..7}; do
		expect_state "$(device "$k")" running
	done
	[[ ! -e image.2 && ! -e image.5 ]]
}
