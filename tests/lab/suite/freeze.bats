#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The process that owns a device does not meet it stopped, and is never left stopped: not by what
# fails, and not by SIGKILL. The owners are processes that hold devices which count by themselves.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

setup()
{
	migsim_setup migsim-v2
	owners=()
}

teardown()
{
	local status=0

	((${#owners[@]} == 0)) || kill -KILL "${owners[@]}" 2>/dev/null || true
	wait
	eventually guardian_is_gone || status=1
	lab_teardown || status=1
	expect_no_misuse || status=1
	return "$status"
}

# own NAME UUID...: a process that holds devices, running; its pid in $NAME.
own()
{
	local name=$1 uuid command=(sleep inf) fd=20
	shift

	for uuid; do
		command=("$tools/with-fd" --keep "$uuid" $((fd++)) "${command[@]}")
	done
	"${command[@]}" &
	printf -v "$name" %d $!
	owners+=("${!name}")
	for uuid; do
		eventually is_in "$uuid" running
	done
	eventually is_called "${!name}" sleep
}

is_called()
{
	local comm

	read -r comm <"/proc/$1/comm"
	[[ $comm == "$2" ]]
}

# $owner_state: T is stopped.
look_at_owner()
{
	local stat

	read -r stat <"/proc/$1/stat"
	stat=${stat##*) }
	owner_state=${stat%% *}
}

goes_on()
{
	look_at_owner "$1"
	[[ $owner_state != T ]]
}

# all_well PID UUID...: the owner runs, and so do its devices.
all_well()
{
	local owner=$1 uuid
	shift

	eventually goes_on "$owner"
	for uuid; do
		eventually is_in "$uuid" running
	done
	expect_frozen_not "$@"
}

expect_frozen_not()
{
	local uuid

	for uuid; do
		eventually counts "$uuid"
	done
}

# hook [ACTION COMMAND]...: a script for --action-script that notes what it sees of $A and its owner,
# and does COMMAND at an ACTION.
hook()
{
	{
		echo '#!/bin/bash'
		echo 'read -r stat </proc/${VFIOMIG_OWNER_PID%%[!0-9]*}/stat'
		echo 'stat=${stat##*) }'
		echo "read -r state </sys/bus/mdev/devices/$A/migsim/state"
		echo 'echo "$1 ${stat%% *} $state" >>seen'
		while (($#)); do
			echo "[[ \$1 != $1 ]] || $2"
			shift 2
		done
	} >hook
	chmod +x hook
	: >seen
}

expect_seen()
{
	local seen

	read_file seen seen
	[[ $seen == "$1" ]] || {
		echo "seen: $seen"
		return 1
	}
}

@test "freeze: the owner is stopped exactly while its device is, and goes on" {
	own owner "$A"
	hook
	migctl 0 -v save --freeze-owner --action-script ./hook "pid:$owner" image
	[[ $stderr == *"process $owner is stopped by "* && $stderr == *"process $owner goes on"* ]]
	expect_seen $'pre-stop S running\npost-stop T stop\npre-start T stop-copy\npost-start S running'
	all_well "$owner" "$A"
	migctl 0 verify image
}

@test "freeze: pre-copy leaves it running until the switchover" {
	own owner "$A"
	hook
	migctl 0 save --pre-copy --freeze-owner --action-script ./hook "pid:$owner" image
	expect_seen $'pre-stop S pre-copy\npost-stop T stop-copy\npre-start T stop-copy\npost-start S running'
	all_well "$owner" "$A"
}

@test "freeze: one that is stopped already stays so" {
	own owner "$A"
	kill -STOP "$owner"
	hook
	migctl 0 save --freeze-owner "pid:$owner" image
	look_at_owner "$owner"
	[[ $owner_state == T ]]
	is_in "$A" running
	kill -CONT "$owner"
}

@test "freeze: an owner of two devices is stopped once, and both are brought back" {
	own owner "$A" "$B"
	hook
	migctl 0 -v save --freeze-owner --action-script ./hook "pid:$owner/$A" "pid:$owner/$B" image
	[[ $stderr == *"process $owner goes on"* ]]
	[[ ${stderr#*"process $owner is stopped"} != *"process $owner is stopped"* ]]
	all_well "$owner" "$A" "$B"
}

@test "freeze: what fails lets it go on" {
	own owner "$A"
	sim "$A" fault 'read EIO 4096'
	migctl 74 save --freeze-owner "pid:$owner" image
	all_well "$owner" "$A"
	[[ ! -e image ]]
}

@test "freeze: what is nobody's cannot be frozen, and what stays stopped must not" {
	migctl 64 save --freeze-owner "$A" image
	[[ $stderr == *'--freeze-owner: no process is known that owns '* ]]
	own owner "$A"
	migctl 64 save --freeze-owner --leave=stop "pid:$owner" image
	[[ $stderr == *'exclude each other'* ]]
	look_at_owner "$owner"
	[[ $owner_state != T ]]
}

@test "freeze: an owner that would go on with its device stopped is refused before it stops" {
	own owner "$A"
	migctl 0 save "$B" image
	migctl 69 resume --freeze-owner "pid:$owner" 'exec:cat image'
	[[ $stderr == *'--freeze-owner: this is a copy'*'--clone'* ]]
	all_well "$owner" "$A"
	migctl 64 resume --freeze-owner "pid:$owner" image -- true
	[[ $stderr == *'--freeze-owner and -- COMMAND exclude each other without --run'* ]]
	migctl 64 resume --freeze-owner --handover socket "pid:$owner" image
	all_well "$owner" "$A"
	migctl 0 resume --freeze-owner --clone "pid:$owner" 'exec:cat image'
	all_well "$owner" "$A"
}

@test "freeze: the tool is killed while the owner is stopped" {
	local action

	own owner "$A"
	for action in pre-stop post-stop pre-start post-start; do
		hook "$action" 'kill -KILL $PPID'
		record -137 "$VFIOMIGCTL" save --freeze-owner --action-script ./hook "pid:$owner" image
		eventually grep -q '^abort' seen
		all_well "$owner" "$A"
		[[ ! -e image ]]
	done
}

# Only a process that runs could have set the state that a reset leads to.
@test "freeze: a reset in mid-save is told from what the owner does" {
	local row status

	# A data fd whose session another process ended is used once more.
	allow_misuse
	"$tools/with-fd" --keep "$A" 20 bash -c '
		(echo $BASHPID >resetter
		until [[ -e over ]]; do
			[[ ! -e reset ]] || { rm reset; "$0" -q reset fd:20; touch was-reset; }
			sleep 0.05
		done) &
		exec sleep inf' "$VFIOMIGCTL" &
	owner=$!
	owners+=("$owner")
	eventually is_called "$owner" sleep
	for row in '81 --freeze-owner' '74 -v'; do
		rm -f go was-reset
		"$VFIOMIGCTL" save "${row#* }" "pid:$owner" \
			'exec:until [ -e go ]; do sleep 0.05; done; cat >image' 2>err &
		owners+=("$!")
		eventually is_in "$A" stop-copy
		touch reset
		eventually test -e was-reset
		touch go
		status=0
		wait "${owners[-1]}" || status=$?
		stderr=$(<err)
		echo "$stderr"
		((status == ${row% *}))
		if ((status == 81)); then
			expect_message 'another process has reset the device: it is in running' \
				'it was reset by another process: it is in running, its state is lost'
		else
			expect_message 'another process has brought it to running, or reset it' \
				'running again; if that was a reset, its state is lost'
		fi
		eventually goes_on "$owner"
		expect_state "$A" running
	done
	touch over
	eventually has_ended "$(<resetter)"
}

@test "freeze: without its guardian the tool goes no further, and the owner goes on" {
	# It is gone when the signal has been taken, which on a busy machine is later.
	local kill='for p in /proc/[0-9]*; do read -r c <$p/comm; [[ $c != vfiomig-guard ]] || { kill -KILL ${p#/proc/}
		until [[ ! -e $p/stat || $(<$p/stat) == *") Z "* ]]; do sleep 0.01; done; }; done'

	own owner "$A"
	hook post-stop "{ $kill; }"
	migctl 75 save --freeze-owner --action-script ./hook "pid:$owner" image
	[[ $stderr == *'which was to bring things back if this one is killed, is gone'* ]]
	[[ ! -e image ]]
	all_well "$owner" "$A"
	migctl 0 save "$B" image
	hook post-stop "{ $kill; }"
	migctl 75 resume --freeze-owner --action-script ./hook "pid:$owner" image
	all_well "$owner" "$A"
}

# stall FAULT ARG...: the tool, killed when it waits for the driver there; its owner is stopped then.
stall()
{
	local fault=$1 hits tool
	shift

	shown "$A" hits
	hits=$shown
	sim "$A" fault "$fault"
	"$VFIOMIGCTL" "$@" 2>err &
	tool=$!
	owners+=("$tool")
	eventually has_struck "$hits"
	look_at_owner "$owner"
	[[ $owner_state == T ]] || {
		echo "$fault: the owner is $owner_state"
		return 1
	}
	kill -KILL "$tool"
	wait "$tool" || true
	eventually goes_on "$owner"
	sim "$A" fault clear
}

has_struck()
{
	shown "$A" hits
	[[ $shown != "$1" ]]
}

@test "freeze: a save is killed in each arc, and in its stream" {
	local fault

	own owner "$A"
	for fault in 'stall-arc running running-p2p' 'stall-arc running-p2p stop' \
		'stall-arc stop stop-copy' 'stall-read 4096' 'stall-arc stop-copy stop' \
		'stall-arc stop running-p2p' 'stall-arc running-p2p running'; do
		stall "$fault" save --freeze-owner "pid:$owner" image
		all_well "$owner" "$A"
		[[ ! -e image ]]
	done
	for fault in 'stall-arc pre-copy pre-copy-p2p' 'stall-arc pre-copy-p2p stop-copy'; do
		stall "$fault" save --pre-copy --freeze-owner "pid:$owner" image
		all_well "$owner" "$A"
	done
}

@test "freeze: a driver that hangs costs the other devices of a killed save nothing" {
	local tool

	own owner "$A" "$B"
	"$VFIOMIGCTL" save --freeze-owner "pid:$owner/$A" "pid:$owner/$B" 'exec:echo $$ >pid; exec sleep inf' 2>err &
	tool=$!
	eventually test -s pid
	owners+=("$tool" "$(<pid)")
	eventually is_in "$A" stop-copy
	eventually is_in "$B" stop-copy
	# On its way to the barrier, and on its way back.
	sim "$A" fault 'stall-arc stop-copy stop'
	sim "$A" fault 'stall-arc stop-copy stop'
	kill -KILL "$tool"
	wait "$tool" || true
	eventually is_in "$B" running
	is_in "$A" stop-copy
	sim "$A" fault clear
	sim "$A" release 1
	all_well "$owner" "$A" "$B"
}

@test "freeze: a load is killed in each arc, and in its stream" {
	local fault left

	own owner "$A"
	migctl 0 save "$B" image
	while read -r left fault; do
		stall "$fault" resume --freeze-owner "pid:$owner" image
		eventually is_in "$A" "$left" || {
			echo "$fault: in $real, not in $left"
			return 1
		}
		migctl 0 state --force "pid:$owner" running
	done <<-'END'
		running stall-arc running running-p2p
		running stall-arc running-p2p stop
		running stall-arc stop resuming
		stop stall-write 4096
		stop stall-arc resuming stop
		stop stall-arc stop running-p2p
		running-p2p stall-arc running-p2p running
	END
}

# guarded PID: the tool has its guardian by now, or has ended. Before that nothing is stopped; and a
# user-mode kernel of 6.12 panics now and then when a process is killed in fork().
guarded()
{
	local stat line

	for stat in /proc/[0-9]*/stat; do
		read -r line <"$stat" || continue
		[[ $line != *"(vfiomig-guard) "?" $1 "* ]] || return 0
	done 2>/dev/null
	! kill -0 "$1" 2>/dev/null
}

# begin_save: $tool, at work.
begin_save()
{
	"$VFIOMIGCTL" save --force --freeze-owner "pid:$owner" image &
	tool=$!
	until guarded "$tool"; do :; done
}

@test "freeze: the tool is killed at any moment" {
	local kills=${LAB_KILLS:-20} i n tool spins

	own owner "$A"
	# How far this shell counts while the rest of a save lasts.
	begin_save
	for ((spins = 0; ; spins++)); do
		kill -0 "$tool" 2>/dev/null || break
	done
	wait "$tool"
	for ((i = 0; i < kills; i++)); do
		begin_save
		for ((n = RANDOM * spins / 32768; n > 0; n--)); do
			kill -0 "$tool" 2>/dev/null || break
		done
		kill -KILL "$tool" 2>/dev/null || true
		wait "$tool" || true
		all_well "$owner" "$A" || {
			echo "kill $i of $kills"
			return 1
		}
	done
}

owner_is_well()
{
	eventually guardian_is_gone
	all_well "$owner" "$A"
	[[ ! -e image ]] || "$VFIOMIGCTL" -q verify image
	rm -f image
}

# In the middle of a load its own state is lost: then it is left stopped.
owner_goes_on()
{
	eventually guardian_is_gone
	eventually goes_on "$owner"
	[[ $(<"/sys/bus/mdev/devices/$A/migsim/state") == @(running|stop|running-p2p) ]]
	record "$VFIOMIGCTL" -q state "pid:$owner" running
	((status == 0)) || record -0 "$VFIOMIGCTL" -q state --force "pid:$owner" running
}

@test "freeze: the tool is killed at each of its system calls" {
	own owner "$A"
	migctl 0 save "$B" other
	kill_at_calls owner_is_well "$VFIOMIGCTL" -q save --freeze-owner "pid:$owner" image
	kill_at_calls owner_goes_on "$VFIOMIGCTL" -q resume --freeze-owner "pid:$owner" other
}

@test "freeze: an owner that is killed meanwhile does not hold up the save" {
	own owner "$A"
	hook post-stop "kill -KILL $owner"
	migctl 0 save --freeze-owner --action-script ./hook "pid:$owner" image
	migctl 0 verify image
}

@test "freeze: a running owner's device is loaded while it is stopped" {
	local digest

	own owner "$A"
	migctl 0 save "$B" image
	hook
	migctl 0 resume --freeze-owner --action-script ./hook "pid:$owner" image
	expect_seen $'pre-stop S running\npost-stop T stop\npre-start T stop\npost-start S running'
	all_well "$owner" "$A"
}

@test "freeze: a load is killed at its actions" {
	own owner "$A"
	migctl 0 save "$B" image
	hook post-stop 'kill -KILL $PPID'
	record -137 "$VFIOMIGCTL" resume --freeze-owner --action-script ./hook "pid:$owner" image
	all_well "$owner" "$A"
	hook pre-start 'kill -KILL $PPID'
	record -137 "$VFIOMIGCTL" resume --freeze-owner --action-script ./hook "pid:$owner" image
	eventually grep -q '^abort' seen
	eventually goes_on "$owner"
	is_in "$A" stop
}
