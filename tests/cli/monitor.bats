#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# monitor without a device: what it refuses, and that it ends. What it hears is tested in the lab.

# shellcheck disable=SC2154 # migctl sets output and stderr
setup()
{
	load ../helpers
}

@test "monitor: misuse is told in one line" {
	migctl 64 monitor --until=tomorrow 0000:ff:1f.7
	[[ $stderr == "vfiomigctl monitor: --until is bound, gone, or 'DEV STATE', not 'tomorrow' (see "* ]]
	migctl 64 monitor --until='vfio0 nosuch'
	migctl 64 monitor --until=bound
	[[ $stderr == "vfiomigctl monitor: --until=bound: of which DEV? (see "* ]]
	migctl 64 monitor --states=0
	[[ $stderr == *'--states is 1.00 ms to '*", not '0'"* ]]
	migctl 64 monitor --timeout=soon
	[[ $stderr == *"--timeout: 'soon' is not a duration"* ]]
	migctl 64 monitor no-device
	[[ $stderr == *'no-device: not a device name; '* ]]
}

@test "monitor: --until is met, or the time is over" {
	migctl 0 monitor --until=gone 0000:ff:1f.7 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
	[[ $output == *'0000:ff:1f.7  is not there'* ]]
	[[ $output == *'83b8f4f2-509f-382f-3c1e-e6bfe0fa1001  is not there' ]]
	migctl 75 monitor -q --until=bound --timeout=1ms 0000:ff:1f.7
	[[ -z $output && $stderr == 'vfiomigctl: --until=bound: not so when the time was over' ]]
	migctl 0 monitor --timeout=1ms 0000:ff:1f.7
	migctl 75 monitor --until='0000:ff:1f.7 stop' --timeout=1ms
}

@test "monitor: lines of JSON, and the result is the last one" {
	local file=$BATS_TEST_TMPDIR/lines

	migctl 75 --json monitor --until=bound --timeout=1ms 0000:ff:1f.7
	printf '%s\n' "$output" >"$file"
	[[ ${#lines[@]} == 2 && ${lines[0]} == '{"schema":1,"command":"monitor","event":"device",'* ]]
	[[ ${lines[1]} == *'"status":75,'*'"event":"result"}' ]]
	validate_reports "$file" || (($? == 77))
}

# inject CALL ERRNO ARG...: monitor, with the first such call of its worker failing.
inject()
{
	local call=$1 error=$2

	shift 2
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 record strace -f -o /dev/null \
		-e "inject=$call:error=$error:when=1" "$VFIOMIGCTL" monitor "$@"
	printf '%s\n' "$status" "$output" "$stderr"
}

@test "monitor: a kernel that will not say is told by name" {
	require strace
	inject socket EAFNOSUPPORT --timeout=1ms 0000:ff:1f.7
	[[ $status == 71 && $stderr == 'vfiomigctl: uevents: socket: '*' (EAFNOSUPPORT)' ]]
	inject bind EPERM --timeout=1ms 0000:ff:1f.7
	[[ $status == 77 && $stderr == 'vfiomigctl: uevents: socket: '*' (EPERM)' ]]
	inject recvmsg ENOBUFS --timeout=1ms 0000:ff:1f.7
	[[ $status == 0 ]]
}
