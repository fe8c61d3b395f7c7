#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real PCI functions: their registers move, and what a reset under way does. Configuration space.

# shellcheck disable=SC2016,SC2034,SC2154,SC2030,SC2031 # scripts of owners; variables of pci.bash
load pci.bash

@test "what a live function holds arrives in another, and runs on" {
	own "$A" '
		write_words 0xcafe0001 0xcafe0002 0xcafe0003
		"$tools/region" fd:9 0 w4@0x2800=0x1000 w4@0x2808=4096 w4@0x2818=7 w4@0x2828=0x2000004
		"$ctl" -q save --leave stop fd:9 state.img
		expect_words "$A" 0xcafe0001 0xcafe0002 0xcafe0003
		# Stopped: the queue is disabled, and its thresholds are there.
		bar "$A" 0x2828; [[ $values == 0x4 ]]'
	((status == 0))
	expect_words "$A" 0x0 0x0 0x0
	own "$B" '
		"$ctl" -q resume --no-hold --stop fd:9 state.img
		expect_words "$B" 0xcafe0001 0xcafe0002 0xcafe0003
		bar "$B" 0x2800 0x2808 0x2818 0x2828; [[ $values == "0x1000 0x1000 0x7 0x4" ]]
		"$ctl" -q state fd:9 running
		bar "$B" 0x2828; [[ $values == 0x2000004 ]]'
	((status == 0))
	expect_words "$B" 0x0 0x0 0x0
}

@test "registers and a payload, by pre-copy, and as drivers of other habits move them" {
	for profile in igbvf mlx5 pds; do
		sim "$A" profile $profile
		sim "$B" profile $profile
		sim "$A" size 300000
		sim "$A" dirty_rate 0
		own "$A" '
			sim "$A" seed 77
			write_words 0x1 0x2 '${#profile}'
			pre=--pre-copy
			[[ '$profile' != pds ]] || pre=
			"$ctl" -q save $pre --leave stop fd:9 state.img
			shown "$A" digest; echo "$shown"'
		((status == 0))
		digest=$output
		own "$B" '"$ctl" -q resume --no-hold --stop fd:9 state.img
			expect_words "$B" 0x1 0x2 0x'${#profile}'
			shown "$B" digest; echo "$shown"'
		((status == 0))
		[[ $output == "$digest" ]]
		rm state.img
	done
}

@test "a function level reset in mid-save: no image; the function is blank, runs, and it is said" {
	sim "$A" size 300000
	arm "$A" 'stall-read 100000'
	start mover "$tools/with-fd" "$A" 9 "$VFIOMIGCTL" --json save fd:9 state.img
	struck "$A"
	expect_shown "$A" state stop-copy
	echo 1 >"$sysfs/$A/reset"
	sim "$A" release 1
	finish mover 81
	expect_message 'another process has reset the device: it is in running' 'its state is lost'
	expect_json '.outcome == "device-error"' '.owner == "none"' '.state == "running"' \
		'.recovery.reset'
	expect_files mover.err mover.out
	# And it is of use.
	migctl 0 -q save "$A" state.img
}

@test "a function level reset in mid-load: no part of the state runs, and it is said" {
	sim "$A" size 300000
	own "$A" 'write_words 1 2 3; "$ctl" -q save fd:9 state.img'
	((status == 0))
	arm "$B" 'stall-write 100000'
	start mover "$tools/with-fd" "$B" 9 "$VFIOMIGCTL" --json resume --no-hold fd:9 state.img
	struck "$B"
	expect_shown "$B" state resuming
	echo 1 >"$sysfs/$B/reset"
	sim "$B" release 1
	finish mover 74
	expect_message 'another process has reset the device: it is in running' \
		'the device was reset and is in stop'
	expect_json '.outcome == "aborted"' '.accepted == false' '.state == "stop"' '.recovery.ok'
	expect_words "$B" 0x0 0x0 0x0
	own "$B" '"$ctl" -q resume --no-hold fd:9 state.img; expect_words "$B" 0x1 0x2 0x3'
	((status == 0))
}

@test "VFIO_DEVICE_RESET, and a reset from outside between two commands: the state is what it is" {
	own "$A" '
		write_words 1 2 3
		"$ctl" -q state fd:9 stop
		echo 1 >"$sysfs/$A/reset"
		shown "$A" state; [[ $shown == running ]]
		expect_words "$A" 0x0 0x0 0x0
		write_words 1 2 3
		"$ctl" -q state fd:9 stop
		"$ctl" -q reset fd:9
		expect_words "$A" 0x0 0x0 0x0
		"$ctl" --json state fd:9'
	((status == 0))
	expect_json '.state == "running"'
}

@test "a reset that is refused: for now, it is tried again; for good, it is said and nothing is lost" {
	arm "$A" 'reset EAGAIN' 'reset EIO'
	own "$A" 'write_words 1 2 3
		"$ctl" -q reset fd:9 || echo "status $?"
		expect_words "$A" 0x1 0x2 0x3
		"$ctl" -q reset fd:9
		expect_words "$A" 0x0 0x0 0x0'
	((status == 0))
	[[ $output == 'status 81' ]]
	expect_message 'VFIO_DEVICE_RESET: Input/output error (EIO)'
	expect_shown "$A" hits $((hits_before + 2))
}

# Bit 15 of its flags: MSI-X is enabled.
msix_flags=0x72

@test "configuration space: command and MSI-X are in the image; --restore-config restores what it may" {
	own "$A" '
		"$tools/region" fd:9 7 w2@4=0x406 >/dev/null
		"$tools/region" fd:9 0 i2+3
		"$tools/region" fd:9 7 r2@'$msix_flags'
		"$ctl" -q save --leave stop fd:9 state.img'
	((status == 0))
	[[ $output == *"i2+3 0x0"*"r2@$msix_flags 0x8002" ]]
	migctl 0 --json inspect state.img
	expect_json '.devices[0].interrupts == ["msix"]' '.devices[0].config_bytes == 4096'
	own "$B" '
		"$ctl" -q resume --no-hold --stop fd:9 state.img
		"$tools/region" fd:9 7 r2@4
		"$ctl" resume --no-hold --stop --restore-config fd:9 state.img
		"$tools/region" fd:9 7 r2@4 r2@'$msix_flags
	((status == 0))
	# Not before it is asked for; and never what needs eventfds of whatever drives the function.
	[[ ${lines[0]} == 'r2@4 0x2' && ${lines[-2]} == 'r2@4 0x406' ]]
	[[ ${lines[-1]} == "r2@$msix_flags 0x2" ]]
	[[ $output == *'RESTORED  WAS   IS'*'command   0x02  0x406'* ]]
}

@test "two functions as a set: all stop, both arrive, each with its own" {
	# The outer one has the first as 8, the inner one the second as 9.
	record "$tools/with-fd" "$A" 8 "$tools/with-fd" "$B" 9 "$BASH" -ec '
		"$0/region" fd:8 0 w4@0x804=0xaaaa
		"$0/region" fd:9 0 w4@0x804=0xbbbb
		"$1" --json save --leave stop fd:8 fd:9 set.img' "$tools" "$VFIOMIGCTL"
	echo "$output$stderr"
	((status == 0))
	migctl 0 --json inspect set.img
	expect_json "[.devices[].address] == [\"$A\", \"$B\"]"
	record "$tools/with-fd" "$B" 8 "$tools/with-fd" "$C" 9 "$BASH" -ec '
		"$1" --json resume --no-hold fd:8 fd:9 set.img >report
		"$0/region" fd:8 0 r4@0x804
		"$0/region" fd:9 0 r4@0x804' "$tools" "$VFIOMIGCTL"
	echo "$output$stderr"
	((status == 0))
	[[ ${lines[*]} == 'r4@0x804 0xaaaa r4@0x804 0xbbbb' ]]
	read_file output report
	expect_json '[.devices[].state] == ["running", "running"]' '.outcome == "completed"'
}

@test "a set of which one function is reset in mid-save: no image, and the other one runs on with its own" {
	sim "$B" size 300000
	arm "$B" 'stall-read 100000'
	start mover "$tools/with-fd" "$A" 8 "$tools/with-fd" "$B" 9 "$BASH" -c '
		"$0/region" fd:8 0 w4@0x804=0xaaaa
		"$1" --json save fd:8 fd:9 set.img >report
		echo "status $?"
		"$0/region" fd:8 0 r4@0x804' "$tools" "$VFIOMIGCTL"
	struck "$B"
	echo 1 >"$sysfs/$B/reset"
	sim "$B" release 1
	finish mover 0
	[[ $output == *'status 81'*'r4@0x804 0xaaaa' ]]
	expect_message "$B: reading the device's stream in stop-copy: another process has reset the device"
	read_file output report
	expect_json '[.devices[].state] == ["running", "running"]' '.owner == "none"'
	expect_files mover.err mover.out report
}

@test "the driver's log of DMA: what a queue was told to write, until it is no longer" {
	require python3
	record "$lab/pci-suite/dma-log" "$A"
	echo "$output$stderr"
	((status == 0))
}

@test "dirty tells what a queue was told to write, until it is no longer" {
	require python3
	record "$lab/pci-suite/dma-log" "$A" "$VFIOMIGCTL"
	echo "$output$stderr"
	((status == 0))
}

@test "the driver tells of registers that are written while the function is stopped" {
	allow_misuse
	own "$A" '"$ctl" -q state fd:9 running-p2p; write_words 1 2 3'
	((status == 0))
	misuse
	[[ -z $misuse ]]
	own "$A" '"$ctl" -q state fd:9 stop; write_words 1 2 3; write_words 4 5 6'
	((status == 0))
	misuse
	[[ $misuse == *"migsim $A: misuse: BAR 0 written in stop" ]]
	(($(wc -l <<<"$misuse") == 1))
}
