#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# monitor: what a real kernel tells of devices, what it cannot tell any more, and what others tell in
# its name.

# shellcheck disable=SC2154 # lab.bash sets A and B, start and record the rest
load lab.bash

teardown()
{
	[[ -z ${M-} ]] || kill -KILL "$M" 2>/dev/null || true
	lab_teardown
}

# listen ARG...: a monitor in the background that is listening once it has shown $A: $M, M.out.
listen()
{
	start M "$VFIOMIGCTL" monitor "$@"
	eventually grep -q "$A" M.out
}

# stop_listening: by a signal, which is no failure.
stop_listening()
{
	kill -INT "$M"
	finish M 0
}

# shows FILTER: one of its lines is so.
shows()
{
	jq -e -s "any(.[]; $1)" M.out >/dev/null
}

expect_shown()
{
	local filter

	for filter; do
		eventually shows "$filter" || {
			cat M.out
			echo "not shown: $filter"
			return 1
		}
	done
}

@test "monitor: devices that come and go, as text and as lines of JSON" {
	listen --json
	make_device C
	expect_shown ".event == \"uevent\" and .device == \"$C\" and .action == \"add\" and
		.subsystem == \"vfio-dev\" and .synthetic == false" \
		".event == \"device\" and .device == \"$C\" and .presence == \"vfio\" and .driver == \"mtty\" and
		(.cdev | startswith(\"vfio\"))"
	echo 1 >"/sys/bus/mdev/devices/$C/remove"
	unset 'devices[-1]'
	expect_shown ".event == \"device\" and .device == \"$C\" and .presence == \"gone\""
	stop_listening
	[[ ${output##*$'\n'} == *'"event":"result"'* ]]
	validate_reports M.out || (($? == 77))
	listen
	grep -qE "^[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}  $A  has mtty, of VFIO: vfio[0-9]+$" M.out
	make_device D
	eventually grep -q "  $D  add (vfio-dev) vfio/devices/vfio" M.out
	stop_listening
}

@test "monitor: only the devices that are named" {
	listen --json "$A"
	echo change >"/sys/bus/mdev/devices/$B/uevent"
	echo change >"/sys/bus/mdev/devices/$A/uevent"
	expect_shown ".device == \"$A\" and .action == \"change\" and .synthetic"
	stop_listening
	[[ $output != *"$B"* ]]
}

@test "monitor: --until ends it when something is so, at once if it is" {
	local uuid

	migctl 0 monitor --until=bound "$A" "$B"
	read -r uuid </proc/sys/kernel/random/uuid
	start M "$VFIOMIGCTL" monitor --until=bound "$A" "$uuid"
	eventually grep -q "$uuid  is not there" M.out
	echo "$uuid" >/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-2/create
	finish M 0
	[[ $output == *"$uuid  has mtty, of VFIO"* ]]
	start M "$VFIOMIGCTL" monitor -q --until=gone "$uuid"
	echo 1 >"/sys/bus/mdev/devices/$uuid/remove"
	finish M 0
	[[ -z $output && -z $stderr ]]
	migctl 75 monitor --until=gone --timeout=1ms "$A"
	[[ $stderr == 'vfiomigctl: --until=gone: not so when the time was over' ]]
	migctl 0 monitor --timeout=1ms "$A"
	start M "$VFIOMIGCTL" monitor --until=gone "$A"
	eventually grep -q "$A" M.out
	kill -INT "$M"
	finish M 75
}

@test "monitor: the states that another process takes a device through, and its downtime" {
	listen --json --states=1ms "$A"
	expect_shown '.event == "state" and .state == "running"'
	migctl 0 state "$A" stop
	expect_shown '.event == "state" and .state == "stop" and (.from | startswith("running")) and .dwell_ns > 0'
	migctl 0 state "$A" running
	expect_shown '.event == "state" and .state == "running" and .downtime_ns > 0'
	stop_listening
	jq -e -s '.[-1] | .interval_ns == 1000000 and .longest_gap_ns > 0 and
		(.dwell | map(select(.state == "stop")) | .[0].times == 1) and
		(.dwell | map(.downtime_ns // 0) | add) > 0' M.out >/dev/null
	validate_reports M.out || (($? == 77))
	start M "$VFIOMIGCTL" monitor --until="$A stop"
	eventually grep -q 'state running' M.out
	migctl 0 state "$A" stop
	finish M 0
	[[ $output == *'state stop, after '*' in running'* && $output == *'TIMES'* ]]
}

# drawn CLASS: $count boxes of that class.
drawn()
{
	count=$(grep -c "class=\"$1\"" run.svg) || true
}

@test "monitor: --svg draws what was seen, when a signal ends it" {
	start M "$VFIOMIGCTL" monitor --states=1ms --svg=run.svg "$A" "$B"
	eventually grep -q "$B .*state running" M.out
	for state in stop running stop running; do
		migctl 0 state "$A" "$state"
		eventually grep -q "$A .*state $state" M.out
	done
	[[ ! -e run.svg ]]
	kill -INT "$M"
	finish M 0
	python3 -c 'import sys, xml.dom.minidom as m; m.parse("run.svg")'
	grep -q '>states of 2 devices, ' run.svg
	grep -q '>downtime ' run.svg
	grep -qF "${A: -19}<" run.svg
	drawn s-stop
	((count >= 2))
	drawn s-running
	((count >= 4))
	# One that is there stays, before anything is watched; and a failure is drawn, too.
	cp run.svg before.svg
	migctl 73 monitor --svg=run.svg --timeout=1ms "$A"
	cmp run.svg before.svg
	migctl 75 --json monitor --svg=run.svg --force --timeout=50ms --until="$A stop"
	[[ $output == *'"svg":"run.svg"'* || $output == *'"svg": "run.svg"'* ]]
	grep -q ">states of 2 devices, " run.svg
	migctl 73 monitor --svg=no-such/run.svg --timeout=1ms
}

@test "monitor: the state of a device is known while a process has it open" {
	mkfifo go
	make_device C migsim-v2
	listen --json --states=10ms "$A" "$C"
	start holder "$tools/with-fd" "$C" 9 bash -c "
		'$VFIOMIGCTL' state fd:9 stop && read -r _ <go &&
		'$VFIOMIGCTL' state fd:9 running && read -r _ <go"
	expect_shown ".event == \"state\" and .device == \"$C\" and .state == \"stop\""
	echo >go
	expect_shown ".event == \"state\" and .device == \"$C\" and (.from == \"stop\" or .from == \"running-p2p\") and .state == \"running\""
	echo >go
	finish holder 0
	expect_shown ".event == \"state\" and .device == \"$C\" and .from == \"running\" and .state == null"
	stop_listening
	validate_reports M.out || (($? == 77))
}

@test "monitor: what is lost in a storm is said, and found by another look" {
	local i

	listen --json
	kill -STOP "$M"
	for ((i = 0; i < 8000; i++)); do
		echo change >"/sys/bus/mdev/devices/$A/uevent"
	done
	echo 1 >"/sys/bus/mdev/devices/$B/remove"
	unset 'devices[1]'
	make_device C
	kill -CONT "$M"
	expect_shown '.event == "overrun" and .source == "uevents"' \
		".event == \"device\" and .device == \"$B\" and .presence == \"gone\"" \
		".event == \"device\" and .device == \"$C\" and .presence == \"vfio\""
	stop_listening
	jq -e -s '.[-1].overruns >= 1' M.out >/dev/null
}

@test "monitor: what is not the kernel's is not believed" {
	listen --json -vv
	python3 - <<-END
		import socket
		message = b"remove@/devices/virtual/mtty/mtty/$A\0SUBSYSTEM=mdev\0SEQNUM=1\0"
		sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
		sock.bind((0, 0))
		sock.sendto(message, (0, 1))
		with open("/proc/net/netlink") as f:
		    rows = [line.split() for line in f][1:]
		ports = [int(row[2]) for row in rows if row[1] == "15" and int(row[3], 16) == 1]
		assert ports
		for port in ports:
		    sock.sendto(message, (port, 0))
		    sock.sendto(b"libudev\0", (port, 0))
	END
	eventually grep -q "is not the kernel's" M.err
	echo change >"/sys/bus/mdev/devices/$B/uevent"
	expect_shown ".device == \"$B\" and .action == \"change\""
	stop_listening
	[[ $output != *'"action":"remove"'* ]]
}

@test "monitor: a reader that goes ends it" {
	local row options want line

	# For people it has seen enough; a program, or who waits, is told that it has missed something.
	for row in ' 0' '--json 74' "--until=gone $A 74"; do
		options=${row% *} want=${row##* }
		start M bash -c "'$VFIOMIGCTL' monitor $options 2>err | head -n 1; echo \${PIPESTATUS[0]}"
		eventually grep -q . M.out
		until has_ended "$M"; do
			echo change >"/sys/bus/mdev/devices/$A/uevent"
		done
		finish M 0
		[[ ${output##*$'\n'} == "$want" ]]
		read_file line err
		[[ $want/$line == 0/ || $line == *'standard output: the report is lost: Broken pipe (EPIPE)' ]]
	done
}
