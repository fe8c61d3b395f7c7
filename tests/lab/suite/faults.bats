#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every call to the kernel fails once at every point where the kernel can fail in it (see
# ../tools/fail-nth.c). Whatever it was: the state that is reported is the device's; a source runs,
# and has no file unless the save was complete; a target is reset and stopped unless the resume was.
#
# Each test asserts how many faults there must have been, so that none passes for want of them.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

setup()
{
	lab_setup
	[[ -e /proc/thread-self/fail-nth ]]
	reference 9
	reference 1 own
	fill "$A" 9
	fill "$B" 1
	kept_image 9
	hits=0
	stride=1
	nth=1
	error=''
	piped=''
}

# faulty CALLS INDEX ARG...: the tool, whose INDEXth of the CALLS fails at $nth, or with $error
# instead of being made; the image comes by a pipe if $piped. $hit is what became of that call, or
# nothing if there was none.
faulty()
{
	local calls=$1 index=$2 input=/dev/null
	shift 2

	if [[ -n $piped ]]; then
		exec 7< <(cat "$image")
		input=/dev/fd/7
	fi
	: >hit
	status=0
	# Sanitizers want to be loaded first, and do not have to be.
	FAIL_CALL=$calls FAIL_INDEX=$index FAIL_NTH=$nth FAIL_ERRNO=$error FAIL_REPORT=hit \
		ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0 LD_PRELOAD=$tools/fail-nth.so \
		"$VFIOMIGCTL" --json "$@" <"$input" >out 2>err || status=$?
	read_file output out
	read_file stderr err
	read_file hit hit
}

# sweep CALLS SCENE ARG...: each of the CALLS at each point, prepare_SCENE before and judge_SCENE
# after every run. $hits counts the faults. After "stride N" only each Nth of the calls, for what
# takes the same way as another test does in full.
sweep()
{
	local calls=$1 scene=$2 index
	shift 2

	for ((index = 1; ; index += stride)); do
		for ((nth = 1; ; nth++)); do
			"prepare_$scene"
			faulty "$calls" "$index" "$@"
			"judge_$scene" || {
				echo "$calls $index, point $nth: exit status $status, device in $real"
				printf '%s\n' "$hit" "$output" "$stderr"
				return 1
			}
			[[ -n $hit ]] || return 0 # there is no such call
			[[ $hit == yes* ]] || break # there is no such point
			((++hits))
		done
	done
}

# The report says what is so, and it has what a report must have. (65: RESUMING to STOP is the
# driver's judgement of an image, whatever it says.)
truthful()
{
	real_state "$1"
	field status
	((value == status)) || return
	field state
	[[ $value == "$real" || (-z $value && $real == running) ]] || return
	field outcome
	case $status in
	0) [[ $value == completed ]] ;;
	65 | 71 | 74 | 75) [[ $value == aborted && $stderr == *'vfiomigctl: '*': '*' (E'*')'* ]] ;;
	81) [[ $value == device-error && $stderr == *'vfiomigctl: '*': '*' (E'*')'* ]] ;;
	*) return 1 ;;
	esac
}

# stride N: unless all is wanted (scripts/sweep).
stride()
{
	[[ -n ${LAB_SWEEP-} ]] || stride=$1
}

# enough N [M]: there were as many faults, or M of them with a stride, and $A is none the worse for
# them.
enough()
{
	echo "$hits faults"
	((hits >= (stride > 1 ? ${2:-$1 / stride} : $1)))
	is_in "$A" running || "$VFIOMIGCTL" -q state "$A" running
	expect_contents "$A"
}

#
# The source
#

prepare_source()
{
	[[ ! -e file ]] || rm file
	is_in "$A" running || "$VFIOMIGCTL" -q state "$A" running
}

judge_source()
{
	truthful "$A" && [[ $real == running ]] || return
	if ((status == 0)); then
		"$VFIOMIGCTL" -q verify file
	else
		[[ ! -e file ]]
	fi
}

prepare_raw()
{
	prepare_source
}

judge_raw()
{
	truthful "$A" && [[ $real == running ]] || return
	if ((status == 0)); then
		[[ $(stat -c %s file) == 96 ]]
	else
		[[ ! -e file ]]
	fi
}

prepare_stopped()
{
	prepare_source
}

judge_stopped()
{
	truthful "$A" || return
	if ((status == 0)); then
		[[ $real == stop ]] && "$VFIOMIGCTL" -q verify file
	else
		[[ $real == running && ! -e file ]]
	fi
}

# Six arcs. Each has two copies from the user and one to it; the one that makes the stream has
# three allocations, too.
@test "save: every SET at every point" {
	sweep set source save "$A" file
	enough 21
}

@test "save: every SET at every point, with pre-copy" {
	stride 2
	sweep set source save --pre-copy "$A" file
	enough 21
}

@test "save: every SET at every point, raw and by group" {
	stride 3
	sweep set raw save --raw --via group "$A" file
	enough 21 6
}

@test "save: every SET at every point, to be left stopped" {
	stride 3
	sweep set stopped save --leave=stop "$A" file
	enough 15
}

@test "save: every read of the stream at every point" {
	sweep read source save "$A" file
	sweep read source save --pre-copy "$A" file
	enough 3
}

@test "save: every question about pre-copy at every point" {
	sweep precopy-info source save --pre-copy "$A" file
	enough 2
}

@test "save: every GET of the state at every point" {
	sweep get source save "$A" file
	enough 3
}

@test "save: every BIND and every other question at every point" {
	sweep bind source save "$A" file
	enough 3
	fill "$A" 9
	sweep info,feature source save "$A" file
	enough 10
}

@test "save: every call for group and container at every point" {
	sweep group source save --via group "$A" file
	enough 5
}

@test "save: one SET and every one after it: the device keeps its state, and is not reset" {
	local index states=(running running-p2p stop stop-copy stop running-p2p)

	for index in {1..6}; do
		prepare_source
		faulty set "$index+" save "$A" file
		truthful "$A"
		expect_state "$A" "${states[index - 1]}"
		if ((index == 1)); then
			((status == 75))
			expect_message 'running to running-p2p failed, the device is in running'
		else
			((status == 81))
			expect_message "it has its state, and is left in ${states[index - 1]}" \
				"vfiomigctl state $A running"
			expect_json '.recovery.reset == false' '.recovery.ok == false' '.owner == "source"'
		fi
		# Of a whole stream the file may be the only copy left.
		if ((index > 3)); then
			"$VFIOMIGCTL" -q verify file
		else
			[[ ! -e file ]]
		fi
	done
	faulty set 7+ save --force "$A" file
	((status == 0))
	[[ -z $hit ]]
}

@test "save: neither SET nor reset works: that, and where the device is, is said" {
	local index states=(running running-p2p stop stop-copy stop running-p2p)

	error=EIO
	for index in {1..6}; do
		prepare_source
		faulty set,reset "$index+" save "$A" file
		expect_state "$A" "${states[index - 1]}"
		truthful "$A"
		((index == 1)) || {
			((status == 81))
			expect_message "it has its state, and is left in ${states[index - 1]}"
			expect_json '.recovery.ok == false' '.owner == "source"'
		}
	done
}

# Not the kernel's own faults: what other drivers say, and mtty never does.
@test "save: errors of a stream that mtty cannot make" {
	local index

	for error in EIO ENODEV EINTR ENOMSG; do
		for index in 1 2; do
			prepare_source
			faulty read $index save "$A" file
			[[ $hit == yes* ]]
			judge_source
			((status == 74))
			expect_message "$A: " stream "($error)"
			expect_json '.state == "running"' '.recovery.ok' '.recovery.reset == false'
		done
	done
	# There is nothing more for now, in PRE_COPY, in these words.
	error=ENOMSG
	faulty read 2 save --pre-copy "$A" file
	((status == 0))
	expect_json '.bytes == 96'
	nth=1 error=''
	expect_contents "$A"
}

@test "save: a device that does not say where it is" {
	error=EIO
	faulty get 1+ save "$A" file
	((status == 74))
	expect_message "$A: cannot ask for the state: " '(EIO)'
	[[ ! -e file ]]
	# From the second on: the first failure is then a SET's, of which nobody knows where it led.
	prepare_source
	faulty set,get 2+ save "$A" file
	((status == 81))
	expect_message 'failed and the state is unknown'
	expect_json '.state == null' '.owner == "unknown"' '.outcome == "device-error"'
	[[ ! -e file ]]
	expect_state "$A" running
	expect_contents "$A"
}

#
# The target
#

prepare_target()
{
	is_in "$B" running || "$VFIOMIGCTL" -q reset "$B"
	fill "$B" 1
}

# As it was, or reset and stopped; running with the new state only if that is what is reported.
judge_target()
{
	truthful "$B" || return
	field reset
	if ((status == 0)); then
		[[ $real == running ]] && holds "$expected"
	elif [[ $real == running ]]; then
		[[ $value != true ]] && holds "$own"
	elif [[ $status == 81 && $output == *'"accepted": true'* ]]; then
		# It does not start.
		[[ $real == stop && $value == false ]] && holds "$expected"
	else
		[[ $real == stop && $value == true ]]
	fi
}

holds()
{
	[[ $("$tools/uart" "$B" show) == "$1" ]]
}

prepare_to_stop()
{
	prepare_target
}

judge_to_stop()
{
	if ((status == 0)); then
		truthful "$B" && [[ $real == stop ]] && holds "$expected"
	else
		judge_target
	fi
}

@test "resume: every SET at every point" {
	sweep set target resume --no-hold "$B" "$image"
	enough 21
}

@test "resume: every SET at every point, by group, to be left stopped" {
	stride 3
	sweep set to_stop resume --no-hold --stop --via group "$B" "$image"
	enough 15
}

@test "resume: every SET at every point, raw" {
	stride 3
	"$VFIOMIGCTL" -q extract "$image" raw
	sweep set target resume --no-hold --raw "$B" raw
	enough 21 6
}

@test "resume: every SET and every write of the stream at every point, from a pipe" {
	stride 3
	piped=yes
	sweep set,write target resume --no-hold --clone "$B" -
	enough 22
}

@test "resume: every write of the stream at every point" {
	sweep write target resume --no-hold "$B" "$image"
	enough 1
}

@test "resume: every GET of the state at every point" {
	sweep get target resume --no-hold "$B" "$image"
	enough 3
}

@test "resume: every BIND and every other question at every point" {
	stride 3
	sweep bind target resume --no-hold "$B" "$image"
	enough 3
	fill "$A" 9
	sweep info,feature target resume --no-hold "$B" "$image"
	enough 10
}

@test "resume: one SET and every one after it: it never runs what it was given" {
	local index

	for index in {1..6}; do
		prepare_target
		faulty set "$index+" resume --no-hold "$B" "$image"
		real_state "$B"
		field state
		[[ $value == "$real" ]]
		((status == (index == 1 ? 75 : 81)))
		case $index in
		1) [[ $real == running ]] && holds "$own" ;;
		2) [[ $real == running-p2p ]] && expect_message 'left in running-p2p with its own state' ;;
		3) [[ $real == stop ]] && expect_message 'left in stop with its own state' ;;
		# Without a SET a reset ends in RUNNING; but then it is blank.
		4) expect_message 'it could not be brought to stop' && expect_json '.recovery.reset' ;;
		5) [[ $real == stop ]] && holds "$expected" ;;
		6) [[ $real == running-p2p ]] && expect_message 'left in running-p2p with the state' ;;
		esac
		((index < 5)) || expect_json '.recovery.reset == false' '.owner == "destination"'
	done
}

@test "resume: errors of a stream that mtty cannot make: reset and stopped" {
	for error in EIO ENODEV EINTR ENOSPC EOPNOTSUPP; do
		prepare_target
		faulty write 1 resume --no-hold "$B" "$image"
		[[ $hit == yes* ]]
		judge_target
		((status == 74))
		expect_message "$B: the driver refused the stream's data" "($error)"
		expect_json '.state == "stop"' '.recovery.reset' '.accepted == false'
		expect_state "$B" stop
	done
}

#
# Commands that do one thing
#

prepare_state()
{
	is_in "$A" running || "$VFIOMIGCTL" -q reset "$A"
}

# Where it got to is what is reported, or nothing is.
judge_state()
{
	real_state "$A"
	field state
	[[ -z $value || $value == null || $value == "$real" ]] || return
	if ((status == 0)); then
		[[ $real == stop ]]
	else
		[[ $stderr == *' (E'*')'* ]]
	fi
}

prepare_reset()
{
	prepare_state
}

judge_reset()
{
	real_state "$A"
	[[ $real == running ]] || return
	((status == 0)) || [[ $stderr == *' (E'*')'* ]]
}

@test "state, reset: every SET and GET at every point" {
	sweep set,get state state "$A" stop
	sweep get reset reset "$A"
	enough 9
}

@test "reset: a device that is busy is tried again, for two seconds" {
	error=EAGAIN
	faulty reset 1 reset "$A"
	((status == 0))
	[[ $hit == 'yes -1 EAGAIN'* ]]
	expect_json '.state == "running"'
	faulty reset 1+ reset "$A"
	((status == 81))
	expect_message 'VFIO_DEVICE_RESET: Resource temporarily unavailable (EAGAIN)'
	[[ $(wc -l <hit) == 20 ]]
	expect_state "$A" running
}
