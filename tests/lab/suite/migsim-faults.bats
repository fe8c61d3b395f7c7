#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A driver that fails: at every arc, in every way, and at places in the stream. Tables say what the
# tool must make of each: exit status, message, and where the device ends and with what in it. A
# line is printed for each row, so that the last one is the row that failed.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

setup()
{
	begin migsim-v2
}

# begin TYPE: $A holds 5, $B holds 7, both run.
begin()
{
	migsim_setup "$1"
	holds=(["$A"]=5 ["$B"]=7)
	sim "$A" seed 5
	sim "$B" seed 7
	resets=(["$A"]=0 ["$B"]=0)
	image=$BATS_TEST_TMPDIR/state.img
	doing=VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
	[[ $1 != migsim-v1 ]] || doing='to device_state'
}

# By UUID: what it holds unless it was reset, and how often it was, as far as a test knows.
declare -gA holds resets

# make_image: what $A holds, in $image.
make_image()
{
	"$VFIOMIGCTL" -q save --force "$A" "$image"
}

# One frame of an image holds so much of the stream; a record of the stream begins with a header.
frame=$(((1 << 20) - 64))
header=64

#
# One row: a fault, the tool, what it said, and what became of the device
#

# attempt ARG...: the tool, with a report of what it did.
attempt()
{
	status=0
	"$VFIOMIGCTL" --json "$@" >out 2>err || status=$?
	read_file output out
	read_file stderr err
}

# arm UUID FAULT...: says so, and arms them.
arm()
{
	local uuid=$1 fault

	shift
	printf -- '- %s\n' "$*"
	for fault; do
		sim "$uuid" fault "$fault"
	done
	shown "$uuid" hits
	hits=$shown
}

# ended STATUS TEXT...: so the tool did, its report agrees, and it said each of TEXT. A status of 0
# without TEXT: it said nothing.
ended()
{
	local want=$1 outcomes=([0]=completed [81]=device-error)

	shift
	printf '%s\n' "$stderr"
	((status == want)) || {
		printf '%s\nexit status %s, not %s\n' "$output" "$status" "$want"
		return 1
	}
	told status "$want"
	if ((want)) || [[ $output == *'"outcome"'* ]]; then
		told outcome "${outcomes[want]:-aborted}"
	fi
	(($# > 0)) || [[ -z $stderr ]] || {
		echo 'something was said'
		return 1
	}
	expect_message "$@"
}

# The fault did strike: a row for which it does not tests nothing. After struck, no fault is left.
struck()
{
	shown "$1" hits
	((shown > hits)) || {
		echo 'the fault did not strike'
		return 1
	}
	sim "$1" fault clear
}

# kept UUID STATE: it holds what it did, without a reset.
kept()
{
	expect_state "$1" "$2"
	expect_shown "$1" seed "${holds[$1]}"
	expect_shown "$1" resets "${resets[$1]}"
	[[ $2 != running ]] || counts "$1"
}

# blank UUID STATE: it was reset, once, and holds nothing any more. Afterwards it does again.
blank()
{
	expect_state "$1" "$2"
	expect_shown "$1" seed 0
	resets[$1]=$((${resets[$1]} + 1))
	expect_shown "$1" resets "${resets[$1]}"
	sim "$1" seed "${holds[$1]}"
}

# run_again UUID: whatever it was left in.
run_again()
{
	is_in "$1" running || {
		"$VFIOMIGCTL" -q reset "$1"
		shown "$1" resets
		resets[$1]=$shown
		sim "$1" seed "${holds[$1]}"
	}
}

# expect_file [none]: a whole image, or nothing.
expect_file()
{
	if [[ ${1-} == none ]]; then
		[[ ! -e file ]] || {
			echo 'there is a file'
			return 1
		}
	else
		"$VFIOMIGCTL" -q verify file
		rm file
	fi
}

# after END FROM TO: $place is where an arc that failed so leaves the device.
after()
{
	case $1 in
	stay) place=$2 ;;
	done) place=$3 ;;
	error) place=error ;;
	esac
}

#
# save: arcs
#

# due: an arc that fails with $errno and so leaves the device in $end is to be tried. With the first
# of $errnos it ends in each of $ends; of the others EBUSY alone does anything else, and that is to
# be tried again where it was. An arc to a +STATE ($step) is taken on the same way by another call.
# What is not due, scripts/sweep tries.
ends='stay done error'
due()
{
	[[ -z ${LAB_SWEEP-} ]] || return 0
	[[ $step != +* ]] || return
	if [[ $errno == "${errnos%% *}" ]]; then
		[[ " $ends " == *" $end "* ]]
	else
		[[ $errno-$end == EBUSY-stay ]]
	fi
}

# By when the arc fails, and how: the exit status; what becomes of the file; of the device; what is
# said beside which arc failed.
declare -gA save_table=(
	[before-stay]='75 none  kept  the device is in running again'
	[before-done]='75 none  kept  the device is in running again'
	[before-error]='81 none  blank it had to be reset: it is in running, its state is lost'
	[after-stay]='0  whole kept  , recovered'
	[after-done]='0  whole kept  , recovered'
	[after-error]='81 whole blank it had to be reset: it is in HOME, its state is lost'
)

# save_arcs CAPS ERRNOS OPTIONS STATE...: a save by way of these states; each arc fails, see due.
save_arcs()
{
	local caps=$1 errnos=$2 options=$3 from=$4 to errno end step when=before home=${!#}

	shift 4
	home=${home#+}
	[[ $doing == 'to device_state' ]] || sim "$A" caps "$caps"
	for step; do
		to=${step#+}
		for errno in $errnos; do
			for end in stay 'done' error; do
				due || continue
				run_again "$A"
				arm "$A" "arc $from $to $errno $end"
				# shellcheck disable=SC2086 # words
				attempt save $options "$A" file
				struck "$A"
				judge_save
			done
		done
		[[ $to != stop-copy ]] || when=after
		from=$to
	done
}

# The arc is refused for now, in a place where it can be tried again: not without the stream of the
# session, nor when it has led to the end of the walk.
passes()
{
	[[ $errno == EBUSY && $end != error ]] || return
	[[ $end == stay ]] || case $when-$from-$to in
	*-running-pre-copy | *-stop-copy | after-*-"$home") return 1 ;;
	esac
}

judge_save()
{
	local want file device text

	after "$end" "$from" "$to"
	if passes; then
		ended 0
		told drain_retries 1
		expect_file
		kept "$A" "$home"
		return
	fi
	read -r want file device text <<<"${save_table[$when-$end]}"
	ended "$want" "$A: $from to $to failed, the device is in $place: " "$doing" "($errno)" \
		"${text/HOME/$home}"
	# To look into one of each kind is enough.
	if [[ $file == none || $errno == EIO ]]; then
		expect_file "${file/whole/}"
	else
		[[ -s file ]]
		rm file
	fi
	case $when in
	before) told state running && "$device" "$A" running ;;
	after) told state "$home" && "$device" "$A" "$home" ;;
	esac
	case $want-$device in
	*-blank) told owner none && told reset true ;;
	75-*) told owner source && told reset false ;;
	esac
}

@test "save: an arc that fails, with all capabilities" {
	save_arcs 7 'EIO EBUSY ENOMEM EFAULT' '' \
		running running-p2p stop stop-copy stop running-p2p running
}

@test "save: an arc that fails, with all capabilities and pre-copy" {
	save_arcs 7 'EIO EBUSY' --pre-copy \
		running pre-copy pre-copy-p2p stop-copy +stop +running-p2p +running
}

@test "save: an arc that fails, with other capabilities" {
	save_arcs 1 'EIO EBUSY' '' running stop +stop-copy +stop running
	ends=stay
	save_arcs 3 ENOMEM --pre-copy running running-p2p +stop +stop-copy +stop +running-p2p +running
	save_arcs 5 EFAULT '' running stop +stop-copy +stop +running
	save_arcs 5 'EIO EBUSY' --pre-copy running pre-copy stop-copy +stop +running
}

@test "save: an arc that fails, to be left stopped" {
	save_arcs 7 EIO --leave=stop running running-p2p +stop +stop-copy stop
	run_again "$A"
	save_arcs 5 EIO '--leave=stop --pre-copy' running +pre-copy stop-copy +stop
}

@test "save: an arc that fails, by v1" {
	begin_v1
	save_arcs '' 'EIO EBUSY' '' running stop-copy stop running
	ends=stay
	save_arcs '' 'EBUSY EFAULT' --pre-copy running pre-copy stop-copy +stop +running
	save_arcs '' EIO --leave=stop running +stop-copy stop
}

# begin_v1: other devices, as begin makes them.
begin_v1()
{
	lab_teardown
	rm -r "$BATS_TEST_TMPDIR/work"
	begin migsim-v1
}

@test "save: arcs that fail for ever: the device is left where it has its state" {
	local from to

	# On the way there they leave the device where it was.
	for from in running running-p2p stop; do
		case $from in
		running) to=running-p2p ;;
		running-p2p) to=stop ;;
		stop) to=stop-copy ;;
		esac
		arm "$A" "arc $from $to EIO stay always"
		attempt save "$A" file
		struck "$A"
		ended 75 "$A: $from to $to failed, the device is in $from" '(EIO)' \
			'the device is in running again'
		expect_file none
		kept "$A" running
	done
	# On the way back, too.
	for from in stop-copy stop running-p2p; do
		case $from in
		stop-copy) to=stop ;;
		stop) to=running-p2p ;;
		running-p2p) to=running ;;
		esac
		arm "$A" "arc $from $to EIO stay always"
		attempt save "$A" file
		struck "$A"
		ended 81 "$A: $from to $to failed, the device is in $from" '(EIO)' \
			"it has its state, and is left in $from; " "; vfiomigctl state $A running"
		told owner source
		told reset false
		expect_file
		kept "$A" "$from"
		"$VFIOMIGCTL" -q state "$A" running
		kept "$A" running
		# Where the stream was not whole, there is no file either.
		arm "$A" "arc $from $to EIO stay always" 'read ENODEV 100'
		attempt save "$A" file
		struck "$A"
		ended 81 "$A: reading the device's stream in stop-copy" '(ENODEV)' \
			"it has its state, and is left in $from: $A: $from to $to failed"
		told owner source
		expect_file none
		kept "$A" "$from"
		"$VFIOMIGCTL" -q state "$A" running
	done
}

@test "save: neither the way back nor a reset works: that, and where the device is, is said" {
	local from to

	for from in stop-copy stop running-p2p; do
		case $from in
		stop-copy) to=stop ;;
		stop) to=running-p2p ;;
		running-p2p) to=running ;;
		esac
		arm "$A" 'read EIO 100' "arc $from $to EFAULT stay always" 'reset ENOMEM always'
		attempt save "$A" file
		struck "$A"
		ended 81 "$A: reading the device's stream in stop-copy" '(EIO)' \
			"it has its state, and is left in $from: $A: $from to $to failed"
		told state "$from"
		told owner source
		told ok false
		expect_file none
		kept "$A" "$from"
		run_again "$A"
	done
	# In ERROR it has no state any more that anybody could take.
	arm "$A" 'read-error 100' 'reset EIO always'
	attempt save "$A" file
	struck "$A"
	ended 81 "$A: reading the device's stream in stop-copy" '(EIO)' \
		"its state is lost: $A: VFIO_DEVICE_RESET" '(EIO)' "vfiomigctl reset $A"
	told state error
	told owner none
	expect_file none
	expect_state "$A" error
	expect_shown "$A" resets "${resets[$A]}"
}

@test "save: a reset that is busy is tried again, and is not for ever" {
	arm "$A" 'read-error 0' 'reset EAGAIN 3'
	attempt save "$A" file
	struck "$A"
	ended 81 "$A: reading the device's stream in stop-copy" \
		'it had to be reset: it is in running, its state is lost'
	expect_file none
	blank "$A" running
	arm "$A" 'read-error 0' 'reset EAGAIN always'
	attempt save "$A" file
	expect_shown "$A" hits $((hits + 21))
	sim "$A" fault clear
	ended 81 "its state is lost: $A: VFIO_DEVICE_RESET" '(EAGAIN)'
	told state error
	expect_file none
	expect_state "$A" error
	expect_shown "$A" resets "${resets[$A]}"
	run_again "$A"
	sim "$A" can_reset 0
	arm "$A" 'read-error 0'
	attempt save "$A" file
	struck "$A"
	ended 81 "its state is lost: $A: cannot be reset"
	told state error
	expect_file none
	expect_state "$A" error
}

@test "save: a device that is too busy to be stopped is asked again, for a while" {
	local arc

	for arc in 'running running-p2p' 'running-p2p stop'; do
		arm "$A" "arc $arc EBUSY stay 4"
		attempt save "$A" file
		struck "$A"
		ended 0
		told drain_retries 4
		expect_file
		kept "$A" running
		arm "$A" "arc $arc EBUSY stay always"
		attempt save --drain-timeout=0 "$A" file
		struck "$A"
		ended 75 "${arc/ / to } failed, the device is in ${arc% *}" '(EBUSY)' \
			'the device is in running again'
		told drain_retries 0
		expect_file none
		kept "$A" running
	done
}

#
# save: the stream
#

# offsets_of BYTES: $rows are where faults are due in a stream of so many: before its first byte, in
# its header, where a frame of the image ends, and at its last byte; and around these.
offsets_of()
{
	table 0 $((header - 1)) "$frame" "$1" + \
		1 "$header" $((frame - 1)) $((frame + 1)) $(($1 - 1))
}

# read_faults STATE OPTIONS [ERRNO]: a read fails at each of $rows, in that state.
read_faults()
{
	local state=$1 options=$2 offset errno=${3:-EIO}

	for offset in "${rows[@]}"; do
		arm "$A" "read $errno $offset"
		# shellcheck disable=SC2086 # words
		attempt save $options "$A" file
		struck "$A"
		ended 74 "$A: reading the device's stream in $state: " "($errno)" \
			'the device is in running again'
		told bytes "$offset"
		told state running
		told owner source
		told reset false
		expect_file none
		kept "$A" running
	done
}

# lost_faults STATE OPTIONS: there the device goes to ERROR by itself.
lost_faults()
{
	local state=$1 options=$2 offset

	for offset in "${rows[@]}"; do
		arm "$A" "read-error $offset"
		# shellcheck disable=SC2086 # words
		attempt save $options "$A" file
		struck "$A"
		ended 81 "$A: reading the device's stream in $state: " '(EIO)' \
			'it had to be reset: it is in running, its state is lost'
		told bytes "$offset"
		told state_found running
		told owner none
		expect_file none
		blank "$A" running
	done
}

@test "save: a read that fails, wherever it is, is no end: the device runs, no file" {
	sim "$A" size $((frame + 1000))
	offsets_of $((header + frame + 1000))
	read_faults stop-copy ''
	table "$frame" + "${rows[@]}"
	read_faults stop-copy '--raw --via group' EFAULT
	read_faults stop-copy '' ENOMEM
}

@test "save: a read that fails in PRE_COPY" {
	sim "$A" size $((frame + 1000))
	sim "$A" initial_bytes $((frame + 1000))
	# At the end, too, where there is nothing for now.
	offsets_of $((header + frame + 1000))
	read_faults pre-copy --pre-copy
	# And in what comes then.
	table $((header + frame + 1001)) + $((2 * (header + frame + 1000) - 1)) \
		$((2 * (header + frame + 1000)))
	read_faults stop-copy --pre-copy
}

@test "save: a device that goes to ERROR while it is read" {
	sim "$A" size $((frame + 1000))
	offsets_of $((header + frame + 1000))
	lost_faults stop-copy ''
	sim "$A" initial_bytes $((frame + 1000))
	table 0 "$frame" + "${rows[@]}"
	lost_faults pre-copy --pre-copy
}

@test "save: a read that fails, and a device that is lost, by v1" {
	begin_v1
	sim "$A" size 200000
	table 0 63 65536 + 1 64 65535 65537 200063
	read_faults_v1 stop-copy ''
	sim "$A" initial_bytes 100000
	table 65536 + 0 1 63 64 65535 65537 100063
	read_faults_v1 pre-copy --pre-copy
}

read_faults_v1()
{
	local state=$1 options=$2 offset errno offsets=("${rows[@]}")

	for offset in "${offsets[@]}"; do
		table EIO + ENOMEM
		for errno in "${rows[@]}"; do
			arm "$A" "read $errno $offset"
			# shellcheck disable=SC2086 # words
			attempt save $options "$A" file
			struck "$A"
			ended 74 "$A: reading the device's stream in $state: reading data_offset" \
				"($errno)" 'the device is in running again'
			told state running
			told owner source
			told reset false
			expect_file none
			kept "$A" running
		done
		arm "$A" "read-error $offset"
		# shellcheck disable=SC2086 # words
		attempt save $options "$A" file
		struck "$A"
		ended 81 "$A: reading the device's stream in $state: reading data_offset" '(EIO)' \
			'it had to be reset: it is in running, its state is lost'
		told owner none
		expect_file none
		blank "$A" running
	done
}

@test "save: ENOMSG is nothing for now in PRE_COPY, and a broken driver in STOP_COPY" {
	arm "$A" 'read ENOMSG 100'
	attempt save "$A" file
	struck "$A"
	ended 74 "$A: reading the device's stream in stop-copy (a driver must not say so there)" \
		'(ENOMSG)' 'the device is in running again'
	expect_file none
	kept "$A" running
	sim "$A" initial_bytes 1000
	arm "$A" 'read ENOMSG 100 2'
	attempt save --pre-copy "$A" file
	struck "$A"
	ended 0
	expect_file
	kept "$A" running
}

@test "save: a driver that loses data is not noticed by save, but when it is loaded" {
	local after size=$((frame + 1000)) whole=$((header + frame + 1000))

	sim "$A" size "$size"
	table 0 64 $((whole - 1)) + 1 63 "$frame"
	for after in "${rows[@]}"; do
		arm "$A" "end $after"
		attempt save --force "$A" "$image"
		struck "$A"
		ended 0
		told bytes "$after"
		kept "$A" running
		"$VFIOMIGCTL" -q verify "$image"
		attempt resume "$B" "$image"
		ended 65 "the driver did not accept the state: $B: resuming to stop failed" \
			'(EINVAL)' 'the device was reset and is in stop'
		told accepted false
		told owner none
		blank "$B" stop
		"$VFIOMIGCTL" -q state "$B" running
	done
	# While it still runs.
	sim "$A" initial_bytes 1000
	arm "$A" 'end 500'
	attempt save --pre-copy --force "$A" "$image"
	struck "$A"
	ended 0
	told bytes 500
	kept "$A" running
	attempt resume "$B" "$image"
	ended 65 "the driver did not accept the state: $B: resuming to stop failed" '(EINVAL)' \
		'the device was reset and is in stop'
	blank "$B" stop
}

@test "save: by v1, a driver that loses data, or that has some and hands out none" {
	begin_v1
	sim "$A" size 200000
	local after

	table 0 65536 + 1 64 200063
	for after in "${rows[@]}"; do
		arm "$A" "end $after"
		attempt save --force "$A" "$image"
		struck "$A"
		ended 0
		kept "$A" running
		"$VFIOMIGCTL" -q verify "$image"
		attempt resume "$B" "$image"
		ended 65 "the driver did not accept the state: $B: resuming to stop failed" \
			'(EINVAL)' 'the device was reset and is in stop'
		told accepted false
		blank "$B" stop
		"$VFIOMIGCTL" -q state "$B" running
	done
	arm "$A" 'empty 0 3' 'empty 65536 3'
	attempt save "$A" file
	struck "$A"
	ended 0
	expect_file
	kept "$A" running
	arm "$A" 'empty 65536 always'
	attempt save "$A" file
	expect_shown "$A" hits $((hits + 100))
	sim "$A" fault clear
	ended 74 "$A: reading the device's stream in stop-copy: 134528 bytes are pending, and" \
		'data_size stays 0'
	expect_file none
	kept "$A" running
}

#
# resume
#

# By where the arc is, and how it fails: the exit status, what becomes of the device and in which
# state, and what is said beside which arc failed.
declare -gA resume_table=(
	[before-stay]='75 kept  running'
	[before-done]='75 kept  running'
	[before-error]='81 blank running the device was reset and is in running'
	[enter-stay]='75 kept  running'
	[enter-done]='75 blank stop    the device was reset and is in stop'
	[enter-error]='81 blank running the device was reset and is in running'
	[judge-stay]='65 blank stop    the device was reset and is in stop'
	[judge-done]='65 blank stop    the device was reset and is in stop'
	[judge-error]='65 blank stop    the device was reset and is in stop'
	[start-stay]='81 loaded stop   the device has the state, and is stopped'
	[start-done]='81 loaded stop   the device has the state, and is stopped'
	[start-error]='81 lost error   the state is lost: the device is in error'
)

# resume_arcs CAPS ERRNOS OPTIONS STATE...
resume_arcs()
{
	local caps=$1 errnos=$2 options=$3 from=$4 to errno end step when

	shift 4
	if [[ $doing != 'to device_state' ]]; then
		sim "$A" caps "$caps"
		run_again "$B"
		sim "$B" caps "$caps"
	fi
	make_image
	when=before
	for step; do
		to=${step#+}
		case $from-$to in
		*-resuming) when=enter ;;
		resuming-*) when=judge ;;
		stop-*) [[ $when != judge ]] || when=start ;;
		esac
		for errno in $errnos; do
			for end in stay 'done' error; do
				due || continue
				if [[ $when != judge && $when != start ]] || is_in "$B" error; then
					run_again "$B"
				fi
				arm "$B" "arc $from $to $errno $end"
				# shellcheck disable=SC2086 # words
				attempt_by_fd $options fd:7 "$image"
				struck "$B"
				judge_resume
			done
		done
		from=$to
	done
}

# As passes: the walks of a load end in RESUMING, in STOP, where the driver judges, and in RUNNING.
resume_passes()
{
	[[ $errno == EBUSY && $end != error ]] || return
	[[ $end == stay ]] || case $when-$to in
	enter-resuming | judge-stop | start-running) return 1 ;;
	esac
}

# anew UUID: reset, running, with what it held at first.
anew()
{
	"$VFIOMIGCTL" -q reset "$1"
	shown "$1" resets
	resets[$1]=$shown
	sim "$1" seed "${holds[$1]}"
}

# attempt_by_fd ARG...: a load into $B, which another process holds.
attempt_by_fd()
{
	status=0
	"$tools/with-fd" "$B" 7 "$VFIOMIGCTL" --json resume --no-hold "$@" >out 2>err || status=$?
	read_file output out
	read_file stderr err
}

# loaded UUID STATE: it holds what was loaded, and was not reset.
loaded()
{
	expect_state "$1" "$2"
	expect_shown "$1" seed "${holds[$A]}"
	expect_shown "$1" resets "${resets[$1]}"
}

# lost UUID STATE: what was loaded is gone with no reset.
lost()
{
	expect_state "$1" "$2"
	expect_shown "$1" resets "${resets[$1]}"
}

judge_resume()
{
	local want device where text accepted=false owner=none

	after "$end" "$from" "$to"
	if resume_passes; then
		ended 0
		told drain_retries 1
		case $options in
		--run) loaded "$B" running ;;
		--stop) loaded "$B" stop ;;
		esac
		anew "$B"
		return
	fi
	read -r want device where text <<<"${resume_table[$when-$end]}"
	# Not every errno is about the state.
	case $when-$errno in
	judge-EBUSY) want=75 ;;
	judge-EIO) want=74 ;;
	judge-ENOMEM) want=71 ;;
	esac
	[[ $device != loaded ]] || owner=destination
	[[ $when != judge ]] || text+=': the driver did not accept the state: '
	ended "$want" ": $from to $to failed, the device is in $place: " "$doing" "($errno)" \
		"${text%: the driver*}" "${text#*: }"
	[[ $when != start ]] || accepted=true
	told accepted $accepted
	told state "$where"
	told owner $owner
	case $device in
	kept | loaded | lost) told reset false ;;
	blank) told reset true ;;
	esac
	"$device" "$B" "$where"
}

@test "resume: an arc that fails, with all capabilities" {
	resume_arcs 7 'EIO EBUSY EFAULT' --run \
		running running-p2p stop resuming stop running-p2p running
}

@test "resume: an arc that fails, to be left stopped" {
	resume_arcs 7 ENOMEM --stop running +running-p2p +stop resuming stop
}

@test "resume: an arc that fails, with other capabilities" {
	resume_arcs 1 'EIO EBUSY' --run running stop +resuming stop running
	ends=stay
	resume_arcs 3 EIO --run running running-p2p +stop +resuming +stop running-p2p +running
	resume_arcs 5 EIO --stop running stop +resuming +stop
}

@test "resume: an arc that fails, by v1" {
	begin_v1
	resume_arcs '' 'EIO EBUSY' --run running resuming stop running
	ends=stay
	resume_arcs '' EIO --stop running +resuming stop
}

# write_faults: a write fails at each of $rows, or the device goes to ERROR there by itself.
write_faults()
{
	local offset errno how offsets=("${rows[@]}")

	for offset in "${offsets[@]}"; do
		table EIO error + EINVAL
		for errno in "${rows[@]}"; do
			how="write $errno $offset"
			[[ $errno != error ]] || how="write-error $offset"
			arm "$B" "$how"
			attempt resume "$B" "$image"
			struck "$B"
			ended 74 "$B: the driver refused the stream's data" "(${errno/error/EIO})" \
				'the device was reset and is in stop'
			told accepted false
			told state stop
			told owner none
			told reset true
			blank "$B" stop
		done
	done
}

@test "resume: a write that fails, or a device that goes to ERROR, wherever it is" {
	sim "$A" size $((frame + 1000))
	make_image
	offsets_of $((header + frame + 999))
	write_faults
}

@test "resume: a write that fails, or a device that goes to ERROR, by v1" {
	begin_v1
	sim "$A" size 200000
	make_image
	table 0 65536 + 1 63 64 65535 65537 200063
	write_faults
}

@test "resume: a write that fails, from a pipe and raw" {
	local how

	for how in '' --raw; do
		# shellcheck disable=SC2086 # words
		"$VFIOMIGCTL" -q save --force $how "$A" "$image"
		run_again "$B"
		arm "$B" 'write EIO 100'
		mkfifo fifo
		cat "$image" >fifo &
		# shellcheck disable=SC2086 # words
		attempt resume $how "$B" fifo
		wait
		rm fifo
		struck "$B"
		ended 74 "$B: the driver refused the stream's data" '(EIO)' \
			'the device was reset and is in stop'
		told accepted false
		blank "$B" stop
	done
}

@test "resume: the load fails, and a reset is busy for a while: tried again" {
	make_image
	arm "$B" 'write EIO 100' 'reset EAGAIN 3'
	attempt resume "$B" "$image"
	expect_shown "$B" hits $((hits + 4))
	ended 74 "$B: the driver refused the stream's data" '(EIO)' \
		'the device was reset and is in stop'
	blank "$B" stop
}

@test "resume: the load fails, and the reset, too: it is left where it is, and that is said" {
	local row errno

	make_image
	for row in 'EIO write EIO 100' 'EINVAL write EIO 100' 'EIO arc resuming stop EIO stay' \
		'EAGAIN arc resuming stop EIO stay'; do
		errno=${row%% *}
		arm "$B" "${row#* }" "reset $errno always"
		attempt resume "$B" "$image"
		struck "$B"
		ended 81 '(EIO)' "it could not be brought to stop: $B: VFIO_DEVICE_RESET" "($errno)"
		told state resuming
		told accepted false
		told reset false
		told ok false
		expect_state "$B" resuming
		expect_shown "$B" resets "${resets[$B]}"
		expect_shown "$B" seed 7
		run_again "$B"
	done
	# One that has the state, but did not start, is not reset at all.
	arm "$B" 'arc stop running-p2p EIO stay' 'reset EIO always'
	attempt_by_fd fd:7 "$image"
	struck "$B"
	ended 81 ': stop to running-p2p failed, the device is in stop' '(EIO)' \
		'the device has the state, and is stopped'
	told state stop
	told accepted true
	told owner destination
	loaded "$B" stop
}

@test "resume: the load fails, and the device cannot be reset" {
	make_image
	sim "$B" can_reset 0
	arm "$B" 'write EIO 100'
	attempt resume "$B" "$image"
	struck "$B"
	ended 81 "$B: the driver refused the stream's data" '(EIO)' \
		"it could not be brought to stop: $B: cannot be reset"
	told state resuming
	told accepted false
	expect_state "$B" resuming
	expect_shown "$B" resets 0
}

@test "resume: the reset works, and the way to stop does not" {
	make_image
	arm "$B" 'write EIO 100' 'arc running running-p2p EIO stay always'
	# Found stopped, so that it gets as far.
	sim "$B" fault clear
	"$VFIOMIGCTL" -q state "$B" stop
	arm "$B" 'write EIO 100' 'arc running running-p2p ENOMEM stay always'
	attempt resume "$B" "$image"
	struck "$B"
	ended 81 "$B: the driver refused the stream's data" '(EIO)' \
		'it could not be brought to stop: ' 'running to running-p2p failed' '(ENOMEM)'
	told state running
	told reset true
	blank "$B" running
}

#
# state
#

# A device on a walk is left where the arc that failed left it; it is not walked back. Each arc ends
# in one of $ends, by turns, and scripts/sweep has them end in all.
state_arcs()
{
	local caps=$1 errnos=$2 from to errno end turn=0 way ways pair rows

	shift 2
	[[ $doing == 'to device_state' ]] || sim "$A" caps "$caps"
	table "$@"
	read -r -a ways <<<"$ends"
	for pair in "${rows[@]}"; do
		read -r from to <<<"$pair"
		for errno in $errnos; do
			way=${ways[turn++ % ${#ways[@]}]}
			for end in stay 'done' error; do
				[[ -n ${LAB_SWEEP-} || $end == "$way" ]] || continue
				bring "$A" "$from"
				arm "$A" "arc $from $to $errno $end"
				attempt state "$A" "$to"
				struck "$A"
				judge_state
			done
		done
	done
}

# bring UUID STATE: whatever it is in. What it held is lost.
bring()
{
	is_in "$1" "$2" || {
		run_again "$1"
		[[ $2 == running ]] || "$VFIOMIGCTL" -q state "$1" "$2"
		expect_state "$1" "$2"
	}
}

judge_state()
{
	after "$end" "$from" "$to"
	# Outside of a session, whose stream went with the process that began it.
	if [[ $errno-$end == EBUSY-stay && $from =~ ^(running|running-p2p|stop)$ ]]; then
		ended 0 "$A: closing it may reset it"
		place=$to
	else
		ended 81 "$A: $from to $to failed, the device is in $place: " "$doing" "($errno)"
	fi
	told state_found "$from"
	told state "$place"
	kept "$A" "$place"
}

@test "state: an arc that fails, with all capabilities" {
	state_arcs 7 EIO 'running running-p2p' 'running-p2p running' 'running-p2p stop' \
		'stop running-p2p' 'stop stop-copy' 'stop-copy stop' 'stop resuming' \
		'running pre-copy' 'pre-copy running' 'pre-copy pre-copy-p2p' \
		'pre-copy-p2p pre-copy' 'pre-copy-p2p running-p2p' 'running-p2p pre-copy-p2p' \
		'pre-copy-p2p stop-copy'
	# What runs is asked again, if that is all there is.
	ends=stay
	state_arcs 7 EBUSY 'running running-p2p' 'running-p2p stop' 'stop running-p2p'
	ends=error
	state_arcs 7 EBUSY 'running running-p2p' + 'running-p2p stop' 'stop running-p2p'
}

@test "state: an arc that fails, with other capabilities" {
	state_arcs 1 EIO 'running stop' 'stop running' + 'stop stop-copy' 'stop-copy stop' \
		'stop resuming'
	state_arcs 3 ENOMEM 'running running-p2p' + 'running-p2p stop' 'stop running-p2p'
	state_arcs 5 EFAULT 'running pre-copy' 'pre-copy running' 'pre-copy stop-copy' + \
		'running stop' 'stop running'
}

# Opening it is enough to make it run.
@test "state: an arc that fails, by v1" {
	begin_v1
	state_arcs '' EIO 'running stop' 'running stop-copy' 'running pre-copy' 'running resuming'
	ends=stay
	state_arcs '' EBUSY 'running stop' + 'running stop-copy' 'running pre-copy' 'running resuming'
}

@test "state: an arc in the middle of a walk, and one after another" {
	arm "$A" 'arc running-p2p stop EIO stay'
	attempt state "$A" stop-copy
	struck "$A"
	ended 81 "$A: running-p2p to stop failed, the device is in running-p2p: " '(EIO)'
	told state running-p2p
	kept "$A" running-p2p
	attempt state "$A" stop
	ended 0 'closing it may reset it'
	kept "$A" stop
	arm "$A" 'arc stop running-p2p ENOMEM done' 'arc running-p2p running EFAULT error'
	attempt state "$A" running
	ended 81 "$A: stop to running-p2p failed, the device is in running-p2p: " '(ENOMEM)'
	told state running-p2p
	kept "$A" running-p2p
	attempt state "$A" running
	struck "$A"
	ended 81 "$A: running-p2p to running failed, the device is in error: " '(EFAULT)'
	told state error
	kept "$A" error
}

@test "reset: one that is busy is tried again; one that fails; a device that cannot" {
	local errno

	arm "$A" 'reset EAGAIN 3'
	attempt reset "$A"
	expect_shown "$A" hits $((hits + 3))
	ended 0
	told state running
	blank "$A" running
	arm "$A" 'reset EAGAIN always'
	attempt reset "$A"
	expect_shown "$A" hits $((hits + 20))
	sim "$A" fault clear
	ended 81 "$A: VFIO_DEVICE_RESET" '(EAGAIN)'
	kept "$A" running
	table EIO + EINVAL ENOMEM
	for errno in "${rows[@]}"; do
		arm "$A" "reset $errno"
		attempt reset "$A"
		struck "$A"
		ended 81 "$A: VFIO_DEVICE_RESET" "($errno)"
		kept "$A" running
	done
	sim "$A" can_reset 0
	attempt reset "$A"
	ended 69 "$A: cannot be reset" '(EINVAL)'
	kept "$A" running
}

#
# ERROR, and no answer
#

@test "a device that is found in ERROR: only a reset helps, and that is said" {
	make_image
	arm "$A" error
	attempt save "$A" file
	ended 81 "$A: is in error: there is no state to save" "vfiomigctl reset $A"
	told state error
	expect_file none
	kept "$A" error
	attempt save --pre-copy "$A" file
	ended 81 "$A: is in error: there is no state to save"
	expect_file none
	kept "$A" error
	attempt state "$A" stop
	ended 81 "$A: in error, which only a reset ends" "its state is lost; vfiomigctl reset $A"
	told state error
	kept "$A" error
	attempt state "$A"
	ended 0
	told state error
	attempt resume "$A" "$image"
	ended 81 "$A: in error, which only a reset ends" "its state is lost; vfiomigctl reset $A"
	told state error
	told accepted false
	kept "$A" error
	attempt reset "$A"
	ended 0
	told state_found error
	told state running
	blank "$A" running
}

@test "a device that is found in ERROR, by v1" {
	local command

	begin_v1
	make_image
	# While it is held: opening it is enough to make it run.
	cat >held <<-'END'
		echo error >"/sys/bus/mdev/devices/$2/migsim/fault"
		exec "$1" --json "${@:3}"
	END
	for command in 'save fd:9 file' "resume fd:9 $image" 'state fd:9 stop'; do
		status=0
		# shellcheck disable=SC2086 # words
		"$tools/with-fd" "$A" 9 bash held "$VFIOMIGCTL" "$A" $command >out 2>err || status=$?
		read_file output out
		read_file stderr err
		ended 81 'in error' 'vfiomigctl reset '
		expect_file none
		expect_state "$A" error
		expect_shown "$A" resets "${resets[$A]}"
	done
}

@test "save: a device that goes to ERROR under way, while it is read" {
	local options state

	sim "$A" initial_bytes 1000
	for options in '' --pre-copy; do
		state=stop-copy
		[[ -z $options ]] || state=pre-copy
		arm "$A" 'stall-read 100'
		# shellcheck disable=SC2086 # words
		start save "$VFIOMIGCTL" --json save $options "$A" file
		eventually stalled "$A"
		expect_state "$A" $state
		sim "$A" fault error
		sim "$A" release 1
		finish_row save 81 "$A: reading the device's stream in $state: " '(ENODEV)' \
			'it had to be reset: it is in running, its state is lost'
		expect_file none
		blank "$A" running
	done
}

@test "save: a device that goes to ERROR under way, while an arc is taken" {
	local arc

	for arc in 'running running-p2p' 'stop stop-copy' 'stop running-p2p'; do
		arm "$A" "stall-arc $arc"
		start save "$VFIOMIGCTL" --json save "$A" file
		eventually stalled "$A"
		sim "$A" fault error
		sim "$A" release 1
		finish_row save 81 "$A: ${arc/ / to } failed, the device is in error: " '(ENODEV)' \
			'it had to be reset: it is in running, its state is lost'
		told owner none
		if [[ $arc == 'stop running-p2p' ]]; then
			expect_file
		else
			expect_file none
		fi
		blank "$A" running
	done
}

# reset_before_the_end: loads what $A holds into $B, which another process resets when all of the
# stream is in it and the last byte of the image has yet to come.
# shellcheck disable=SC2154 # tools is lab.bash's; run sets the others
reset_before_the_end()
{
	# The contents and their header fill one frame, which is written at once.
	sim "$A" size 1048448
	"$VFIOMIGCTL" -q save --force "$A" whole
	rm -f fifo
	mkfifo fifo
	# shellcheck disable=SC2016 # for that shell
	run --separate-stderr "$tools/with-fd" "$B" 9 bash -c '
		# Each thread of a process waits: what it was given, it has dealt with.
		waits() { local s; for s in /proc/"$1"/task/*/stat; do [[ $(<"$s") == *") S "* ]] || return; done; }

		"$0" resume --no-hold fd:9 fifo 3>&- &
		exec 7>fifo
		head -c -1 whole >&7
		until [[ $(<"/sys/bus/mdev/devices/$1/migsim/state") == resuming ]] && waits $!; do :; done
		"$0" -q reset fd:9
		tail -c 1 whole >&7
		exec 7>&-
		wait $!' "$VFIOMIGCTL" "$B"
	echo "$status $stderr"
}

@test "save, resume: a reset by another process under way is named" {
	# A data fd whose session another process ended is used once more.
	allow_misuse
	sim "$A" size 16777216
	migctl 0 save --raw "$A" raw
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
	expect_message "reading the device's stream in stop-copy: another process has reset the device" \
		'(ENODEV)' 'it was reset by another process: it is in running, its state is lost'
	expect_state "$A" running

	# The load's writer has more to send when the reset is done.
	rm fifo
	mkfifo fifo
	# shellcheck disable=SC2016 # for that shell
	run --separate-stderr "$tools/with-fd" "$B" 9 bash -c '
		"$0" resume --raw --no-hold fd:9 fifo 3>&- &
		resume=$!
		exec 7>fifo
		head -c 4194304 raw >&7
		until [[ $(<"/sys/bus/mdev/devices/$1/migsim/state") == resuming ]]; do :; done
		"$0" -q reset fd:9
		tail -c +4194305 raw >&7 || :
		exec 7>&-
		wait $resume' "$VFIOMIGCTL" "$B"
	echo "$status $stderr"
	((status == 74))
	expect_message "writing the device's stream: another process has reset the device" '(ENODEV)'

	# All of the stream is in the device, and the image's end is not there yet.
	reset_before_the_end
	((status == 74))
	expect_message 'the load is complete: another process has reset the device' '(ENODEV)'
}

@test "resume: a device that goes to ERROR under way" {
	make_image
	arm "$B" 'stall-write 100'
	start resume "$VFIOMIGCTL" --json resume "$B" "$image"
	eventually stalled "$B"
	sim "$B" fault error
	sim "$B" release 1
	finish_row resume 74 "$B: writing the device's stream: the device has gone to error by itself" \
		'(ENODEV)' 'the device was reset and is in stop'
	told accepted false
	blank "$B" stop
	run_again "$B"
	arm "$B" 'stall-arc resuming stop'
	start resume "$VFIOMIGCTL" --json resume "$B" "$image"
	eventually stalled "$B"
	sim "$B" fault error
	sim "$B" release 1
	finish_row resume 75 "the driver did not accept the state: $B: resuming to stop failed" \
		'the device is in error' '(ENODEV)' 'the device was reset and is in stop'
	told accepted false
	blank "$B" stop
}

# stalled UUID: a fault struck since arm.
stalled()
{
	shown "$1" hits
	((shown > hits))
}

# finish_row NAME STATUS TEXT...: as ended, of what was started.
finish_row()
{
	local name=$1

	shift
	finish "$name" "$1"
	status=$1
	ended "$@"
}

@test "a device that does not say where it is: asked again, and given up before it is touched" {
	local command

	make_image
	arm "$A" 'get EIO 2'
	attempt save "$A" file
	struck "$A"
	ended 0
	expect_file
	kept "$A" running
	for command in "save $A file" "resume $A $image" "state --via group $A stop" "reset $A"; do
		arm "$A" 'get ENOMEM always'
		# shellcheck disable=SC2086 # words
		attempt $command
		struck "$A"
		ended 71 "$A: cannot ask for the state: $doing" '(ENOMEM)'
		expect_file none
		kept "$A" running
	done
}

@test "save: after an arc that failed the device does not say where it is" {
	local arc left

	for arc in 'running running-p2p' 'running-p2p stop' 'stop stop-copy'; do
		arm "$A" "stall-arc $arc" "arc $arc EFAULT stay"
		start save "$VFIOMIGCTL" --json save "$A" file
		eventually stalled "$A"
		sim "$A" fault 'get EIO always'
		sim "$A" release 1
		finish_row save 81 "$A: ${arc/ / to } failed and the state is unknown" '(EFAULT)' \
			'it could not be brought back to running'
		told state null
		told owner unknown
		expect_file none
		sim "$A" fault clear
		is_in "$A" running || is_in "$A" "${arc% *}"
		run_again "$A"
	done
}

@test "save: an arc fails, and for a moment the device does not say where it is" {
	arm "$A" 'stall-arc stop stop-copy' 'arc stop stop-copy EFAULT stay'
	start save "$VFIOMIGCTL" --json save "$A" file
	eventually stalled "$A"
	sim "$A" fault 'get EIO 3'
	sim "$A" release 1
	finish_row save 75 "$A: stop to stop-copy failed and the state is unknown" '(EFAULT)' \
		'the device is in running again'
	told state running
	told owner source
	expect_file none
	kept "$A" running
}

#
# Stalls
#

# interrupt NAME UUID: it hears SIGINT, and says so, but the driver has it in a call.
interrupt()
{
	kill -INT "${!1}"
	eventually wrote "$1.err" 'Interrupt: '
	run ! has_ended "${!1}"
	sim "$2" release 1
}

# save_stuck OPTIONS STATE [+] STATE...: by way of these states; it is interrupted in each arc, but
# for those behind "+" (see table).
save_stuck()
{
	local options=$1 from=$2 to rows

	table "${@:3}"
	for to in "${rows[@]}"; do
		arm "$A" "stall-arc $from $to"
		# shellcheck disable=SC2086 # words
		start save "$VFIOMIGCTL" --json -v save $options "$A" file
		eventually stalled "$A"
		expect_state "$A" "$from"
		interrupt save "$A"
		finish_row save 75 'Interrupt: unwinding' 'interrupted'
		told state running
		told owner source
		expect_file none
		kept "$A" running
		from=$to
	done
}

@test "save: SIGINT while the driver is stuck in an arc: it ends when the driver has" {
	save_stuck '' running running-p2p stop stop-copy stop running-p2p running
	save_stuck --pre-copy running pre-copy pre-copy-p2p stop-copy + stop running-p2p running
}

@test "save: SIGINT ends a read that the driver is stuck in" {
	local row at options state

	sim "$A" initial_bytes 1000
	table '0' '64 --pre-copy' "$frame --pre-copy" + '64' "$frame" '0 --pre-copy'
	for row in "${rows[@]}"; do
		read -r at options <<<"$row"
		state=stop-copy
		[[ -z $options || $at == "$frame" ]] || state=pre-copy
		arm "$A" "stall-read $at"
		# shellcheck disable=SC2086 # words
		start save "$VFIOMIGCTL" --json -v save $options "$A" file
		eventually stalled "$A"
		expect_state "$A" $state
		kill -INT "$save"
		finish_row save 75 'Interrupt: unwinding' 'interrupted' \
			'the device is in running again'
		told state running
		told owner source
		expect_file none
		kept "$A" running
	done
}

@test "save: a driver that is stuck for a while, and goes on, does no harm" {
	arm "$A" 'stall-read 1000' 'stall-arc stop stop-copy'
	start save "$VFIOMIGCTL" --json save "$A" file
	eventually stalled "$A"
	expect_state "$A" stop
	((++hits))
	sim "$A" release 1
	eventually stalled "$A"
	expect_state "$A" stop-copy
	sim "$A" release 1
	finish_row save 0
	expect_file
	kept "$A" running
}

@test "save: killed while the driver is stuck: the next save ends the session" {
	arm "$A" 'stall-read 1000'
	start save "$VFIOMIGCTL" save "$A" file
	eventually stalled "$A"
	kill -KILL "$save"
	finish save 137
	expect_file none
	expect_state "$A" stop-copy
	attempt save "$A" file
	ended 0 "$A: was left in stop-copy by another process; now in stop"
	told state stop
	expect_file
	kept "$A" stop
}

@test "resume: SIGINT while the driver is stuck in an arc: it ends when the driver has" {
	local from=running to how=unwinding

	make_image
	# It still has its own state, and keeps it.
	for to in running-p2p stop; do
		arm "$B" "stall-arc $from $to"
		start resume "$VFIOMIGCTL" --json -v resume "$B" "$image"
		eventually stalled "$B"
		interrupt resume "$B"
		finish_row resume 75 'Interrupt: unwinding' 'interrupted' \
			'the device is in running again'
		told state running
		told owner none
		kept "$B" running
		from=$to
	done
	for to in resuming stop; do
		run_again "$B"
		arm "$B" "stall-arc $from $to"
		start resume "$VFIOMIGCTL" --json -v resume "$B" "$image"
		eventually stalled "$B"
		expect_state "$B" "$from"
		interrupt resume "$B"
		finish_row resume 75 'Interrupt: unwinding' 'interrupted' \
			'the device was reset and is in stop'
		told state stop
		told owner none
		blank "$B" stop
		from=$to
	done
	# From here on it is too late: it finishes, and does not stay.
	for to in running-p2p running; do
		run_again "$B"
		arm "$B" "stall-arc $from $to"
		start resume "$VFIOMIGCTL" --json -v resume "$B" "$image"
		eventually stalled "$B"
		interrupt resume "$B"
		finish_row resume 0 'Interrupt: too late to stop, finishing'
		told state running
		told owner destination
		expect_state "$B" running
		expect_shown "$B" seed 5
		from=$to
	done
}

@test "resume: SIGINT while the driver judges what is to be left stopped" {
	make_image
	arm "$B" 'stall-arc resuming stop'
	start resume "$VFIOMIGCTL" --json -v resume --stop "$B" "$image"
	eventually stalled "$B"
	interrupt resume "$B"
	finish_row resume 0 'Interrupt: '
	told state stop
	told accepted true
	expect_state "$B" stop
	expect_shown "$B" seed 5
}

@test "resume: SIGINT ends a write that the driver is stuck in" {
	local at

	make_image
	table 0 "$frame" + 64
	for at in "${rows[@]}"; do
		run_again "$B"
		arm "$B" "stall-write $at"
		start resume "$VFIOMIGCTL" --json -v resume "$B" "$image"
		eventually stalled "$B"
		expect_state "$B" resuming
		kill -INT "$resume"
		finish_row resume 75 'Interrupt: unwinding' 'interrupted' \
			'the device was reset and is in stop'
		told accepted false
		told state stop
		blank "$B" stop
	done
}

@test "resume: killed while the driver is stuck: the next resume resets it" {
	make_image
	arm "$B" 'stall-write 1000'
	start resume "$VFIOMIGCTL" resume "$B" "$image"
	eventually stalled "$B"
	kill -KILL "$resume"
	finish resume 137
	expect_state "$B" resuming
	start resume "$VFIOMIGCTL" --json resume --stop "$B" "$image"
	eventually wrote resume.err 'held open'
	kill -TERM "$resume"
	finish_row resume 0 "$B: was left in resuming by another process"
	expect_state "$B" stop
	expect_shown "$B" seed 5
	expect_shown "$B" resets 1
}

@test "state: SIGINT while the driver is stuck in an arc: the walk is finished" {
	arm "$A" 'stall-arc running-p2p stop'
	start state "$VFIOMIGCTL" --json -v state "$A" stop-copy
	eventually stalled "$A"
	interrupt state "$A"
	finish_row state 0 'Interrupt: unwinding' 'closing it may reset it'
	told state stop-copy
	kept "$A" stop-copy
}

@test "stalls, by v1: in an arc, while it is read, while it is written" {
	begin_v1
	make_image
	arm "$A" 'stall-arc running stop-copy'
	start save "$VFIOMIGCTL" --json -v save "$A" file
	eventually stalled "$A"
	interrupt save "$A"
	finish_row save 75 'Interrupt: unwinding' 'interrupted' 'the device is in running again'
	expect_file none
	kept "$A" running
	arm "$A" 'stall-read 65536'
	start save "$VFIOMIGCTL" --json -v save "$A" file
	eventually stalled "$A"
	expect_state "$A" stop-copy
	kill -INT "$save"
	finish_row save 75 'Interrupt: unwinding' 'interrupted' 'the device is in running again'
	expect_file none
	kept "$A" running
	arm "$B" 'stall-write 65536'
	start resume "$VFIOMIGCTL" --json -v resume "$B" "$image"
	eventually stalled "$B"
	expect_state "$B" resuming
	kill -INT "$resume"
	finish_row resume 75 'Interrupt: unwinding' 'interrupted' 'the device was reset and is in stop'
	blank "$B" stop
}

@test "save, resume: a driver that stalls is given up after --timeout" {
	local options

	sim "$A" initial_bytes 1000
	for options in '' --pre-copy; do
		arm "$A" 'stall-read 100'
		# shellcheck disable=SC2086 # words
		migctl 75 --json save --timeout=1 $options "$A" file
		expect_message "$A: reading the device's stream in " 'the driver has stalled for 1 s' \
			'the device is in running again'
		told outcome aborted
		expect_file none
		expect_state "$A" running
		run_again "$A"
	done
	make_image
	arm "$B" 'stall-write 100'
	migctl 75 --json resume --timeout=1 "$B" "$image"
	expect_message "$B: writing the device's stream: the driver has stalled for 1 s" 'the device was reset and is in stop'
	blank "$B" stop
}
