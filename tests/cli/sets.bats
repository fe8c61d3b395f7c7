#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several devices as one set: stopped together, saved together, and after whatever goes wrong with
# one of them back together. What the devices went through is told by the devices (--event-log).

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

# Of a stream; more than a read takes.
size=300000

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# emulate COUNT ARG...: so many devices, and their event log.
emulate()
{
	local n=$1

	shift
	: >events
	emu_start --devices "$n" --state-size $size --event-log events "$@"
}

# image COUNT [ARG...]: the file "image", of a set of so many devices. Their emulator has ended then.
image()
{
	local n count=$1 devs=(vfio-user:source)

	shift
	for ((n = 1; n < count; n++)); do
		devs+=("vfio-user:source.$n")
	done
	emu_start --socket source --devices "$count" --state-size $size --seed 99 "$@"
	bounded -q save --force "${devs[@]}" image
	emu_stop
}

# contents NAME: the files NAME.0, NAME.1 and so on are what $members hold; they are left stopped.
contents()
{
	local n

	for n in "${!members[@]}"; do
		stream "${members[n]}" "$1.$n"
	done
}

# same NAME OTHER: so are the files of both.
same()
{
	local n

	for n in "${!members[@]}"; do
		cmp "$1.$n" "$2.$n"
	done
}

# judge_set STATUS OUTCOME/OWNER STATE...: the report says so, and so are $members, see
# expect_states; a STATE "alike" is any that all are in.
judge_set()
{
	local status=$1 verdict=$2

	shift 2
	expect_json ".status == $status" "\"\(.outcome)/\(.owner)\" == \"$verdict\"" \
		".devices | length == ${#members[@]}"
	((status == 0)) || expect_json '.error.message != ""'
	if [[ $1 == alike ]]; then expect_alike; else expect_states "$@"; fi
	expect_reported_states
}

# The report has the devices in the order given, each where it is.
expect_reported_states()
{
	local n said

	for n in "${!members[@]}"; do
		said=$(jq -r ".devices[$n] | \"\(.device.address) \(.state)\"" <<<"$output")
		state_of "${members[n]}"
		[[ $said == "${members[n]} $real" || $said == "${members[n]} null" ]] || {
			echo "${members[n]} is in $real, said is: $said"
			return 1
		}
	done
}

#
# All is well
#

# As many sources and targets, by whatever way ($1): what the targets hold is what the sources held.
round_trip()
{
	local way=$1 n=$2 sources targets

	emulate $((2 * n))
	members "$n" "$n"
	targets=("${members[@]}")
	members "$n"
	sources=("${members[@]}")
	case $way in
	file)
		migctl 0 --json save --leave=stop "${sources[@]}" image
		judge_set 0 completed/source stop
		expect_json '.devices | all(.bytes > 0 and .down)'
		migctl 0 verify image
		members "$n" "$n"
		migctl 0 --json resume --no-hold --stop "${targets[@]}" image
		judge_set 0 completed/destination stop
		rm image
		;;
	pipe)
		"$VFIOMIGCTL" -q save --leave=stop "${sources[@]}" - |
			"$VFIOMIGCTL" -q resume --no-hold --stop "${targets[@]}" -
		;;
	socket)
		: >resume.err
		start resume --json resume --listen --no-hold --stop "${targets[@]}" unix:here
		eventually said 'listening on ' resume.err
		migctl 0 --json save --leave=stop "${sources[@]}" unix:here
		judge_set 0 completed/destination stop
		finish resume 0
		members "$n" "$n"
		judge_set 0 completed/destination stop
		;;
	esac
	members "$n"
	contents source
	members "$n" "$n"
	contents target
	same source target
	emu_stop
}

@test "a set of two, three, eight devices arrives, through a file" {
	round_trip file 2
	round_trip file 3
	round_trip file 8
}

@test "a set of two, three, eight devices arrives, through a pipe" {
	round_trip pipe 2
	round_trip pipe 3
	round_trip pipe 8
}

@test "a set of two, three, eight devices arrives, through a socket" {
	round_trip socket 2
	round_trip socket 3
	round_trip socket 8
}

@test "devices of different sizes, kinds and speeds make a set, compressed or not" {
	local options

	for options in --compress=none --compress=zstd --sha256 --pre-copy; do
		emulate 8 --state-size 0@0 --state-size 1@60 --state-size 2@5M --state-size 4@0 \
			--state-size 5@60 --state-size 6@5M --caps 3@p2p --caps 7@p2p --data-rate 3@1M \
			--fault 2@short-read
		members 4
		migctl 0 --json save --leave=stop $options "${members[@]}" image
		expect_json '[.devices[].bytes][0:2] == [0, 60]' '.devices[2].bytes >= 5242880'
		contents source
		members 4 4
		migctl 0 --json resume --no-hold --stop "${members[@]}" image
		contents target
		same source target
		rm image
		emu_stop
	done
}

@test "save: devices go back to where each was found" {
	emulate 4
	members 4
	set_state "${members[1]}" stop
	set_state "${members[2]}" running-p2p
	set_state "${members[3]}" stop-copy
	migctl 0 --json save "${members[@]}" image
	judge_set 0 completed/source running stop running-p2p stop
	expect_json '[.devices[].state_found] == ["running", "stop", "running-p2p", "stop"]'
	bounded -q verify image
}

@test "a set of one is a device like any other" {
	emulate 1
	migctl 0 --json save "$A" image
	expect_json '.device.address == "vfio-user:emu"' '.state == "running"' 'has("devices") | not'
	migctl 0 --json resume --no-hold "$A" image
	expect_json '.device.address == "vfio-user:emu"' '.state == "running"' 'has("devices") | not'
}

@test "inspect, verify, extract: each device of a set" {
	local n

	emulate 3
	members 3
	migctl 0 save --leave=stop "${members[@]}" image
	contents source
	migctl 0 --json inspect image
	expect_json '[.devices[].address] == ["vfio-user:emu", "vfio-user:emu.1", "vfio-user:emu.2"]'
	migctl 0 --json verify image
	expect_json '.good'
	for n in 0 1 2; do
		migctl 0 extract --device "$n" image "raw.$n"
	done
	same source raw
}

#
# Barriers
#

arcs=(running:running-p2p running-p2p:stop stop:stop-copy stop-copy:stop stop:running-p2p
	running-p2p:running stop:resuming resuming:stop)
pre_copy_arcs=(running:pre-copy pre-copy:pre-copy-p2p pre-copy-p2p:stop-copy)

# slow N ARC...: delays that make device N the last one everywhere.
slow()
{
	local arc n=$1

	shift
	delays=()
	for arc; do
		delays+=(--delay "$n@$arc=60ms")
	done
}

save_barriers()
{
	expect_barrier 'end running running-p2p' 'begin running-p2p stop'
	expect_barrier 'end running-p2p stop' 'begin stop stop-copy'
	expect_barrier 'end stop-copy stop' 'begin running-p2p running'
	expect_barrier 'end stop running-p2p' 'begin running-p2p running'
}

pre_copy_barriers()
{
	expect_barrier 'end running pre-copy' 'begin pre-copy-p2p stop-copy'
	expect_barrier 'end pre-copy pre-copy-p2p' 'begin pre-copy-p2p stop-copy'
	expect_barrier 'end stop running-p2p' 'begin running-p2p running'
}

resume_barriers()
{
	expect_barrier 'end resuming stop' 'begin stop running-p2p'
	expect_barrier 'end stop running-p2p' 'begin running-p2p running'
}

@test "barriers: no device is stopped before all are quiescent, none runs before all can answer" {
	local n

	for n in 0 2; do
		slow "$n" "${arcs[@]}" "${pre_copy_arcs[@]}"
		emulate 6 "${delays[@]}"
		members 3
		migctl 0 save "${members[@]}" image
		save_barriers
		: >events
		migctl 0 save --pre-copy "${members[@]}" other
		pre_copy_barriers
		rm image other
		emu_stop
	done
}

@test "barriers: a device without pre-copy is quiescent when the others are" {
	slow 1 "${arcs[@]}"
	emulate 3 --caps 1@p2p "${delays[@]}"
	members 3
	migctl 0 save --pre-copy "${members[@]}" image
	expect_barrier 'end (pre-copy pre-copy-p2p|running running-p2p)' \
		'begin (pre-copy-p2p stop-copy|running-p2p stop)'
	expect_barrier 'end stop running-p2p' 'begin running-p2p running'
}

@test "barriers: of a resume: none starts before all drivers have accepted" {
	local n

	image 3
	for n in 0 2; do
		slow "$n" "${arcs[@]}"
		emulate 3 "${delays[@]}"
		members 3
		migctl 0 resume --no-hold "${members[@]}" image
		expect_states running
		resume_barriers
		emu_stop
	done
}

@test "barriers: devices of several emulators" {
	: >events
	emu_start --event-log events --state-size $size --delay running:running-p2p=60ms
	emu_start --socket two --devices 1 --event-log events --state-size $size
	members=("$A" "$B" vfio-user:two)
	migctl 0 save "${members[@]}" image
	save_barriers
}

@test "the log of events would show a device that is stopped too early" {
	printf '%s\n' '1 emu begin running running-p2p' '2 emu end running running-p2p' \
		'3 emu begin running-p2p stop' '4 emu.1 end running running-p2p' >events
	members 2
	run ! expect_barrier 'end running running-p2p' 'begin running-p2p stop'
	run ! expect_barrier 'end running running-p2p' 'begin stop stop-copy'
	members 1
	expect_barrier 'end running running-p2p' 'begin running-p2p stop'
}

#
# A save, and a device that fails
#
# A table: FAULT of the second of three devices, FILE (none or whole), exit STATUS, OUTCOME/OWNER,
# the STATEs of all afterwards, and OPTIONS of the save.
#

# try_save FAULT FILE STATUS OUTCOME/OWNER STATES [OPTION...]
try_save()
{
	local fault=$1 file=$2 want=$3 verdict=$4 states=$5

	shift 5
	echo "--- $fault $*"
	emulate 3 --fault "1@$fault"
	members 3
	migctl "$want" --json save "$@" "${members[@]}" file
	# Of the three states, or of all.
	# shellcheck disable=SC2086
	judge_set "$want" "$verdict" ${states//,/ }
	((want == 0)) || [[ $stderr == *"${members[1]}: "* ]]
	if [[ $file == whole ]]; then
		bounded -q verify file
		rm file
	fi
	[[ ! -e file ]]
	if ((want == 0)); then
		bounded -q save "${members[@]}" file && rm file
	fi
	emu_stop
}

# table COMMAND: for each line of standard input that is not empty
table()
{
	local rows row

	mapfile -t rows
	for row in "${rows[@]}"; do
		[[ $row ]] || continue
		# A row is words.
		# shellcheck disable=SC2086
		"$1" $row
	done
}

@test "save: an arc of one device fails: all run on" {
	table try_save <<-'END'
		fail=running:running-p2p:EIO        none  75  aborted/source  running
		fail=running-p2p:stop:EACCES        none  75  aborted/source  running
		fail=stop:stop-copy:ENOMEM          none  75  aborted/source  running

		fail=running:pre-copy:EIO           none  75  aborted/source  running  --pre-copy
		fail=pre-copy:pre-copy-p2p:EIO      none  75  aborted/source  running  --pre-copy
		fail=pre-copy-p2p:stop-copy:EIO     none  75  aborted/source  running  --pre-copy
	END
}

@test "save: one device refuses to be stopped for now: all wait; for good: all run on" {
	table try_save <<-'END'
		fail=running-p2p:stop:EBUSY         none  75  aborted/source  running  --drain-timeout=0
		fail=running-p2p:stop:EBUSY         none  75  aborted/source  running  --drain-timeout=0.2
		fail=running-p2p:stop:EBUSY*3       whole 0   completed/source running --drain-timeout=60
		fail=pre-copy-p2p:stop-copy:EBUSY   none  75  aborted/source  running  --drain-timeout=0.2 --pre-copy
		fail=running:running-p2p:EAGAIN*2   whole 0   completed/source running --drain-timeout=60
		drain=running:stop:100ms            whole 0   completed/source running --drain-timeout=60
	END
}

@test "save: one device refuses to be stopped: no other is drained, and all run on" {
	emulate 3 --fault 1@fail=running-p2p:stop:EBUSY
	members 3
	migctl 75 --json save --drain-timeout=0.3 "${members[@]}" file
	judge_set 75 aborted/source running
	run ! happened 'begin stop stop-copy'
	happened 'failed running-p2p stop EBUSY' "${members[1]}"
	expect_barrier '(end|begin) running running-p2p' 'begin running-p2p running'
	expect_files events
}

@test "save: one device goes to ERROR: its state is lost, the others run on" {
	table try_save <<-'END'
		error=running:running-p2p           none  81  device-error/none  running
		error=running-p2p:stop              none  81  device-error/none  running
		error=stop:stop-copy                none  81  device-error/none  running
		error=running:pre-copy              none  81  device-error/none  running  --pre-copy
		error=pre-copy-p2p:stop-copy        none  81  device-error/none  running  --pre-copy

		error=running-p2p                   none  81  device-error/none  running
		error=stop                          none  81  device-error/none  running
		error=stop-copy                     none  81  device-error/none  running
		error=pre-copy                      none  81  device-error/none  running  --pre-copy
		error=pre-copy-p2p                  none  81  device-error/none  running  --pre-copy

		error=0                             none  81  device-error/none  running
		error=200000                        none  81  device-error/none  running
		error=200000                        none  81  device-error/none  running  --pre-copy
	END
}

@test "save: the stream of one device fails: all run on" {
	table try_save <<-'END'
		fail=0:EIO                          none  74  aborted/source  running
		fail=200000:EIO                     none  74  aborted/source  running
		fail=200000:EIO                     none  74  aborted/source  running  --pre-copy
		fail=299999:ENOMEM                  none  74  aborted/source  running
		garbage=200000*1                    none  76  aborted/source  running  --timeout=1
	END
}

@test "save: one device does not answer: all run on" {
	table try_save <<-'END'
		stall=running:running-p2p*1         none  76  aborted/source  running  --timeout=1
		stall=running-p2p:stop*1            none  76  aborted/source  running  --timeout=1
		stall=stop:stop-copy*1              none  76  aborted/source  running  --timeout=1
		stall=pre-copy-p2p:stop-copy*1      none  76  aborted/source  running  --timeout=1 --pre-copy
		stall=200000*1                      none  76  aborted/source  running  --timeout=1
		stall=200000*1                      none  76  aborted/source  running  --timeout=1 --pre-copy
	END
}

@test "save: the way back of one device fails once: it is tried again, and nothing is wrong" {
	table try_save <<-'END'
		fail=stop-copy:stop:EIO*1           whole 0   completed/source  running
		fail=stop:running-p2p:EIO*1         whole 0   completed/source  running
		fail=running-p2p:running:EIO*1      whole 0   completed/source  running
		stall=stop:running-p2p*1            whole 0   completed/source  running  --timeout=1
	END
}

@test "save: one device does not come back: the others do, and the file is there" {
	table try_save <<-'END'
		fail=stop-copy:stop:EIO             whole 81  device-error/source  running,stop-copy,running
		fail=stop:running-p2p:EIO           whole 81  device-error/source  running,stop,running
		fail=running-p2p:running:EIO        whole 81  device-error/source  running,running-p2p,running
		error=stop-copy:stop                whole 81  device-error/none    running
		error=stop:running-p2p              whole 81  device-error/none    running
		error=running-p2p:running           whole 81  device-error/none    running
	END
}

@test "save: one device does not come back: a reader has all of the set's state" {
	local fault

	for fault in error=stop-copy:stop error=stop:running-p2p; do
		emulate 3 --fault "1@$fault"
		members 3
		migctl 81 --json save "${members[@]}" 'exec:cat >out'
		judge_set 81 device-error/unknown running
		[[ $stderr == *'exec:cat >out is complete and has the state'* ]]
		bounded -q verify out
		emu_stop
	done
}

@test "save: --downtime-max counts while devices become quiescent, and ends where a reader may act" {
	emulate 3 --fault 1@drain=pre-copy:pre-copy-p2p:3s
	members 3
	migctl 75 --json save --pre-copy --downtime-max=500ms --drain-timeout=60 "${members[@]}" file
	judge_set 75 aborted/source running
	[[ $stderr == *'--downtime-max=500 ms'* && ! -e file ]]
	emu_stop
	emulate 2
	members 2
	migctl 0 --json save --downtime-max=2s --leave=stop "${members[@]}" 'exec:cat >out; sleep 3'
	judge_set 0 completed/unknown stop
}

@test "save: the reader of a set does not take it: all run on" {
	emulate 3
	members 3
	migctl 74 --json save "${members[@]}" 'exec:head -c 100000 >/dev/null; exit 3'
	judge_set 74 aborted/source running
	migctl 74 --json save --pre-copy "${members[@]}" 'exec:head -c 100000 >/dev/null; exit 3'
	judge_set 74 aborted/source running
	migctl 73 save "${members[@]}" nowhere/file
	expect_states running
}

@test "save: the server of one device dies: the others run on" {
	emulate 2
	emu_start --socket two --devices 1 --state-size $size --fault die-at=200000
	members=("$A" "$B" vfio-user:two)
	migctl 81 --json save "${members[@]}" file
	emu_died
	judge_set 81 device-error/unknown running running gone
	[[ ! -e file ]]
}

@test "save: one stalled device among four keeps no other from running on, and is named" {
	emulate 4 --fault 2@stall=200000
	members 4
	start save --json save --timeout=1 "${members[@]}" file
	finish save 76
	judge_set 76 aborted/source running
	[[ $stderr == *"${members[2]}: "*'silent for 1 s'* && $stderr != *"${members[1]}: reading"* ]]
	[[ ! -e file ]]
}

#
# Signals
#

# interrupt AT STATUS OUTCOME/OWNER STATES [OPTION...]: SIGINT when the second of three devices has
# had the event AT, its blanks dots. The arcs of that device take a while, and its stream longer
# than any test: the save is never over before it hears the signal.
interrupt()
{
	local at=${1//./ } want=$2 verdict=$3 states=$4

	shift 4
	echo "--- SIGINT at $at $*"
	slow 1 "${arcs[@]}" "${pre_copy_arcs[@]}"
	emulate 3 --data-rate 1@1K "${delays[@]}"
	members 3
	start save --json save "$@" "${members[@]}" file
	eventually happened "$at" "${members[1]}"
	kill -INT "$save"
	finish save "$want"
	# shellcheck disable=SC2086
	judge_set "$want" "$verdict" ${states//,/ }
	[[ $stderr == *interrupted* && ! -e file ]]
	emu_stop
}

@test "save: interrupted in any phase before the end: all run on" {
	table interrupt <<-'END'
		begin.running.running-p2p      75  aborted/source  running
		begin.running-p2p.stop         75  aborted/source  running
		begin.stop.stop-copy           75  aborted/source  running
		end.stop.stop-copy             75  aborted/source  running
		begin.running.pre-copy         75  aborted/source  running  --pre-copy
		end.running.pre-copy           75  aborted/source  running  --pre-copy
	END
}

@test "save: interrupted on the way back: all run, and there is no file" {
	emulate 3 --delay 1@stop:running-p2p=500ms
	members 3
	start save --json save "${members[@]}" file
	eventually happened 'begin stop running-p2p' "${members[1]}"
	kill -INT "$save"
	finish save 75
	judge_set 75 aborted/source running
	[[ ! -e file ]]
}

@test "resume: interrupted while devices load: all are reset and stopped" {
	image 3
	emulate 3 --data-rate 1@1K
	members 3
	start resume --json resume --no-hold "${members[@]}" image
	eventually happened 'end stop resuming' "${members[1]}"
	kill -INT "$resume"
	finish resume 75
	judge_set 75 aborted/none stop
	happened reset "${members[0]}"
	happened reset "${members[1]}"
}

#
# Killed
#

# without_delays COMMAND...: meanwhile none of the emulator's lasts.
without_delays()
{
	local hurry

	while kill -USR1 "$emu" 2>/dev/null; do
		sleep 0.02
	done 3>&- &
	hurry=$!
	"$@"
	kill "$hurry"
	wait "$hurry" || true
}

usable_after_kill()
{
	local n said numbers=([1]=stop [2]=running [3]=stop-copy [4]=resuming [5]=running-p2p
		[6]=pre-copy [7]=pre-copy-p2p)

	for n in 0 1 2; do
		migctl 0 --json state "${members[n]}"
		said=$(jq -r .state <<<"$output")
		register "${members[n]#vfio-user:}" state
		[[ ${numbers[register]} == "$said" ]]
		set_state "${members[n]}" running
	done
	migctl 0 --json save --force "${members[@]}" file
	judge_set 0 completed/source running
}

# kill_at AT WHAT [OPTION...]: SIGKILL there, as interrupt, while WHAT takes an hour; then state
# tells of each device where it is, and the next save of the set is as good as any.
kill_at()
{
	local at=${1//./ } what=$2

	shift 2
	echo "--- SIGKILL at $at, in $what $*"
	emulate 3 "$what"
	members 3
	start save save "$@" "${members[@]}" file
	eventually happened "$at" "${members[1]}"
	kill -KILL "$save"
	finish save 137
	without_delays usable_after_kill
	bounded -q verify file
	rm file
	emu_stop
}

@test "save: killed in any phase: the next command says where each device is" {
	require python3
	table kill_at <<-'END'
		begin.running.running-p2p      --delay=1@running:running-p2p=1h
		end.running.running-p2p        --delay=1@running-p2p:stop=1h
		begin.running-p2p.stop         --delay=1@running-p2p:stop=1h
		end.running-p2p.stop           --delay=1@stop:stop-copy=1h
		begin.stop.stop-copy           --delay=1@stop:stop-copy=1h
		end.stop.stop-copy             --data-rate=1@1K
		begin.stop.running-p2p         --delay=1@stop:running-p2p=1h
		begin.running.pre-copy         --delay=1@running:pre-copy=1h            --pre-copy
		end.pre-copy.pre-copy-p2p      --delay=1@pre-copy-p2p:stop-copy=1h      --pre-copy
	END
}

@test "save: killed where it left sessions behind: the next save ends them" {
	emulate 3 --data-rate 1@1K
	members 3
	start save save "${members[@]}" file
	eventually happened 'end stop stop-copy' "${members[1]}"
	kill -KILL "$save"
	finish save 137
	emu_stop
	emulate 3
	set_state "${members[1]}" stop-copy
	set_state "${members[2]}" pre-copy
	migctl 0 --json save "${members[@]}" file
	judge_set 0 completed/source running stop running
}

@test "resume: killed while devices load: the next resume takes them" {
	image 3
	emulate 3 --data-rate 1@100K
	members 3
	start resume resume --no-hold "${members[@]}" image
	eventually happened 'end stop resuming' "${members[1]}"
	kill -KILL "$resume"
	finish resume 137
	migctl 0 --json resume --no-hold "${members[@]}" image
	judge_set 0 completed/destination running
}

#
# A resume, and a device that fails
#

# try_resume FAULT STATUS OUTCOME/OWNER STATES [OPTION...]: of a set of three, as try_save.
try_resume()
{
	local fault=$1 want=$2 verdict=$3 states=$4

	shift 4
	echo "--- $fault $*"
	emulate 3 --fault "1@$fault"
	members 3
	migctl "$want" --json resume --no-hold "$@" "${members[@]}" image
	# shellcheck disable=SC2086
	judge_set "$want" "$verdict" ${states//,/ }
	((want == 0)) || [[ $stderr == *"${members[1]}: "* ]]
	emu_stop
}

@test "resume: one device does not come to RESUMING: never some of each" {
	image 3
	table try_resume <<-'END'
		fail=running:running-p2p:EIO        75  aborted/none       alike
		fail=running-p2p:stop:EIO           75  aborted/none       alike
		fail=stop:resuming:EIO              75  aborted/none       alike
		fail=stop:resuming:EBUSY*2          0   completed/destination  running
		stall=stop:resuming*1               76  aborted/none       alike  --timeout=1
	END
}

@test "resume: SIGINT while devices become quiescent: none has lost its own state" {
	image 2
	emulate 2 --delay running:running-p2p=1s
	members 2
	start resume --json resume --no-hold "${members[@]}" image
	eventually happened 'begin running running-p2p'
	kill -INT "$resume"
	finish resume 75
	judge_set 75 aborted/none running
	run ! happened '(begin stop resuming|reset)'
}

@test "resume: one hangs on its way to RESUMING: the others stay stopped with their own states" {
	image 2
	emulate 2 --fault 0@fail=stop:resuming:EIO --delay 1@stop:resuming=4s
	members 2
	migctl 75 --json resume --no-hold "${members[@]}" image
	judge_set 75 aborted/none stop
}

@test "resume: the load of one device fails: all are reset and stopped" {
	image 3
	table try_resume <<-'END'
		fail=0:ENOSPC                       74  aborted/none  stop
		fail=200000:ENOSPC                  74  aborted/none  stop
		fail=299999:EIO                     74  aborted/none  stop
		error=200000                        74  aborted/none  stop
		stall=200000                        76  aborted/none  stop  --timeout=1
		garbage=200000*1                    76  aborted/none  stop  --timeout=1
	END
}

@test "resume: one driver does not accept its state: all are reset and stopped" {
	image 3
	table try_resume <<-'END'
		fail=resuming:stop:EINVAL           65  aborted/none  stop
		error=resuming:stop                 74  aborted/none  stop
		stall=resuming:stop*1               76  aborted/none  stop  --timeout=1
		fail=resuming:stop:EBUSY            75  aborted/none  stop  --drain-timeout=0
		fail=resuming:stop:EBUSY*2          0   completed/destination  running
	END
}

@test "resume: a device that was accepted does not start: all keep their states, stopped" {
	image 3
	table try_resume <<-'END'
		fail=stop:running-p2p:EIO           81  device-error/destination  stop
		fail=running-p2p:running:EIO        81  device-error/destination  stop
		stall=stop:running-p2p              81  device-error/destination  stop  --timeout=1
		error=stop:running-p2p              81  device-error/none  stop,error,stop
		error=running-p2p:running           81  device-error/none  stop,error,stop
	END
}

@test "resume: a device that was accepted and does not start has its state, as have the others" {
	local n

	image 3
	emulate 3 --fault 1@fail=running-p2p:running:EIO
	members 3
	migctl 0 --json resume --no-hold --stop "${members[@]}" image
	contents loaded
	migctl 81 --json resume --no-hold "${members[@]}" image
	expect_states stop
	for n in 0 1 2; do
		stream "${members[n]}" "kept.$n"
		cmp -n $((size - 32)) "loaded.$n" "kept.$n"
	done
}

#
# Moves
#

# move SENDER RECEIVER [EMU-ARG...]: exit statuses of a move of three devices to three others.
move()
{
	local sender=$1 receiver=$2

	shift 2
	emulate 6 "$@"
	members 3 3
	: >resume.err
	start resume --json resume --listen --no-hold --timeout=2 "${members[@]}" unix:here
	eventually said 'listening on ' resume.err
	members 3
	migctl "$sender" --json save --leave=stop --timeout=2 "${members[@]}" unix:here
	report=$output
	finish resume "$receiver"
}

@test "move: a set that all drivers accept runs at the destination alone" {
	move 0 0
	expect_states stop
	jq -e '.outcome == "completed" and .owner == "destination"' <<<"$report"
	expect_barrier 'end running-p2p stop' 'begin stop stop-copy'
	members 3 3
	judge_set 0 completed/destination running
	resume_barriers
}

@test "move: one driver at the destination refuses: all of the source run on, no target runs" {
	move 75 65 --fault 4@fail=resuming:stop:EINVAL
	expect_states running
	jq -e '.outcome == "aborted" and .owner == "source"' <<<"$report"
	members 3 3
	judge_set 65 aborted/source stop
}

@test "move: one load at the destination fails: all of the source run on" {
	move 75 74 --fault 4@fail=200000:ENOSPC
	expect_states running
	members 3 3
	judge_set 74 aborted/source stop
}

@test "move: a source fails: no target runs" {
	move 74 75 --fault 1@fail=200000:EIO
	expect_states running
	members 3 3
	judge_set 75 aborted/source stop
}

#
# What is no set
#

@test "a device without P2P is no member, unless the user says that it may be" {
	emulate 3 --caps 1@stop-copy
	members 3
	migctl 69 save "${members[@]}" file
	expect_message "${members[1]}: " P2P -- --no-p2p
	[[ ! -s events && ! -e file ]]
	migctl 0 save --no-p2p "${members[@]}" file
	expect_states running
	migctl 69 resume --no-hold "${members[@]}" file
	expect_message "${members[1]}: " P2P -- --no-p2p
	expect_states running
	migctl 0 resume --no-hold --no-p2p "${members[@]}" file
	expect_states running
	# Alone it needs none.
	migctl 0 save "${members[1]}" other
}

@test "the same device twice is found out, whatever its names" {
	local twice

	emulate 2
	ln -s emu link
	for twice in "$A" vfio-user:./emu "vfio-user:$PWD/emu" vfio-user:link; do
		migctl 64 save "$A" "$B" "$twice" file
		expect_message "$A" "$twice" same
		migctl 64 resume --no-hold "$twice" "$A" file
		expect_message "$A" "$twice" same
		migctl 64 --json resume --no-hold "$twice" "$A" file
		expect_json '.outcome == "aborted" and .owner == "none"'
		[[ ! -s events && ! -e file ]]
	done
	expect_state "$A" running
}

@test "a bare stream is of one device" {
	emulate 2
	migctl 64 save --raw "$A" "$B" file
	[[ $stderr == *--raw* && ! -e file ]]
	migctl 0 save --raw "$A" file
	migctl 64 resume --raw --no-hold "$A" "$B" file
	[[ $stderr == *--raw* ]]
	[[ ! -s events ]] || expect_state "$A" running
}

@test "a device that cannot be opened: no other is touched" {
	emulate 2
	migctl 66 save "$A" vfio-user:nowhere "$B" file
	expect_message vfio-user:nowhere
	[[ ! -s events && ! -e file ]]
	image 3
	migctl 66 resume --no-hold "$A" vfio-user:nowhere "$B" image
	[[ ! -s events ]]
}

#
# Which state goes where
#

# holds_of N DEV: DEV is left stopped, and has what device N of the image holds.
holds_of()
{
	migctl 0 extract --force --device "$1" image "saved.$1"
	stream "$2" "found.$1"
	cmp "saved.$1" "found.$1"
}

@test "resume: a set fits into as many devices as it has" {
	image 3
	emulate 4
	members 2
	migctl 65 resume --no-hold "${members[@]}" image
	expect_message vfio-user:source vfio-user:source.1 vfio-user:source.2
	members 4
	migctl 65 resume --no-hold "${members[@]}" image
	expect_message vfio-user:source vfio-user:source.1 vfio-user:source.2
	migctl 65 resume --no-hold "$A" image
	[[ ! -s events ]]
	members 3
	migctl 0 resume --no-hold --stop "${members[@]}" image
	holds_of 0 "${members[0]}"
	holds_of 1 "${members[1]}"
	holds_of 2 "${members[2]}"
}

@test "resume: --map says which goes where, by index or by address" {
	image 3
	emulate 3
	members 3
	migctl 0 --json resume --no-hold --stop --map "0=${members[2]}" \
		--map "vfio-user:source.2=${members[0]}" "${members[@]}" image
	holds_of 0 "${members[2]}"
	holds_of 1 "${members[1]}"
	holds_of 2 "${members[0]}"
}

@test "resume: --map and --only that make no sense are refused, with what is there" {
	local option

	image 3
	emulate 3
	members 3
	for option in "--map=3=$A" "--map=vfio-user:nothing=$A" "--map=0=vfio-user:other" --map=0 --map= \
		"--map=0=$A --map=0=$B" "--map=0=$A --map=1=$A" --only=3 --only=nothing --only=; do
		echo "--- $option"
		# shellcheck disable=SC2086
		run --separate-stderr "$VFIOMIGCTL" resume --no-hold $option "${members[@]}" image
		[[ $status -eq 64 || $status -eq 65 ]]
		[[ $stderr == 'vfiomigctl: '* || $stderr == 'vfiomigctl resume: '* ]]
		[[ ! -s events ]]
	done
}

@test "resume: --only takes some of a set" {
	image 3
	emulate 3
	members 2
	migctl 0 --json resume --no-hold --stop --only 2 "$A" image
	holds_of 2 "$A"
	migctl 0 --json resume --no-hold --stop --only vfio-user:source.1 --only 0 "${members[@]}" image
	holds_of 0 "${members[0]}"
	holds_of 1 "${members[1]}"
	migctl 65 resume --no-hold --only 0 "${members[@]}" image
	[[ $stderr == *vfio-user:source* ]]
}

@test "resume: a set that was damaged is refused before any device is touched" {
	image 3
	emulate 3
	members 3
	printf x | dd of=image bs=1 seek=400000 conv=notrunc status=none
	migctl 65 resume --no-hold "${members[@]}" image
	[[ ! -s events ]]
	record -65 bounded --json resume --no-hold "${members[@]}" - < <(cat image)
	judge_set 65 aborted/source stop
}

#
# Skew
#

@test "save: --max-skew undoes a save whose devices did not stop together" {
	emulate 3 --delay 1@running-p2p:stop=300ms
	members 3
	migctl 0 --json save "${members[@]}" file
	expect_json '.skew_ns >= 250000000'
	migctl 75 --json save --max-skew=50ms --drain-timeout=0 "${members[@]}" other
	judge_set 75 aborted/source running
	[[ $stderr == *skew* && ! -e other ]]
	migctl 0 --json save --max-skew=100s "${members[@]}" other
	judge_set 0 completed/source running
}

#
# Chance
#

# pick WORD...: $picked is one of them.
pick()
{
	shift $((RANDOM % $#))
	picked=$1
}

# A set of some size, with delays and one fault or none: $members, their $sizes, and $faulty.
chance()
{
	local n args=() i

	sizes=()

	n=$((2 + RANDOM % 4))
	for ((i = RANDOM % 8; i > 0; i--)); do
		pick "${arcs[@]}" "${pre_copy_arcs[@]}"
		args+=(--delay "$((RANDOM % n))@$picked=$((RANDOM % 20))ms")
	done
	for ((i = RANDOM % 3; i > 0; i--)); do
		sizes+=(--state-size "$((RANDOM % n))@$((RANDOM * 16))")
	done
	faulty=''
	if ((RANDOM % 3)); then
		pick "${arcs[@]}" "${pre_copy_arcs[@]}" $((RANDOM * 4))
		faulty=$picked
		pick fail error stall
		case $picked in
		fail) faulty=fail=$faulty:EIO ;;
		*) faulty=$picked=$faulty ;;
		esac
		pick '' '*1' '*2'
		faulty=$((RANDOM % n))@$faulty$picked
		args+=(--fault "$faulty")
	fi
	emulate "$n" "${sizes[@]}" "${args[@]}"
	members "$n"
	echo "--- $n devices ${sizes[*]} ${args[*]}"
}

# What became of a save: see the head of this file.
check_save()
{
	keeps_barrier 'end (running running-p2p|pre-copy pre-copy-p2p)' \
		'begin (running-p2p stop|pre-copy-p2p stop-copy)'
	case $status in
	0)
		expect_states running
		bounded -q verify file
		# One that refuses its way back twice is not waited for: the others run.
		[[ $faulty == *:*:*'*2' ]] ||
			keeps_barrier 'end stop running-p2p' 'begin running-p2p running'
		;;
	74 | 75 | 76)
		[[ $faulty || $interrupted ]]
		expect_states running
		[[ ! -e file ]]
		;;
	81)
		# Where only it cannot come back the others have.
		[[ $faulty ]]
		[[ ! -e file ]] || bounded -q verify file
		unset "members[${faulty%@*}]"
		expect_states running
		;;
	*) false ;;
	esac
}

check_resume()
{
	case $status in
	0)
		expect_states running
		resume_barriers
		;;
	65 | 74 | 75 | 76)
		[[ $faulty ]]
		expect_alike
		;;
	81)
		[[ $faulty ]]
		unset "members[${faulty%@*}]"
		expect_alike
		;;
	*) false ;;
	esac
}

# chance_save [OPTION...]: in some runs it is interrupted.
chance_save()
{
	local lines

	interrupted=''
	status=0
	if ((RANDOM % 4)); then
		record bounded --json save --timeout=1 "$@" "${members[@]}" file
	else
		interrupted=yes
		lines=$((RANDOM % 12))
		start save --json save --timeout=1 "$@" "${members[@]}" file
		until (($(wc -l <events) >= lines)) || has_ended "$save"; do
			nap 1
		done
		kill -INT "$save" 2>/dev/null || true
		wait "$save" || status=$?
		read_file output save.out
		read_file stderr save.err
	fi
	echo "status $status, interrupted: ${interrupted:-no}"
	echo "$stderr"
	check_save
}

# scripts/sweep runs a thousand of these. SETS_SEED is the first seed, a seed each run.
@test "whatever happens to a set: barriers are kept, and never some of each are left" {
	local run seed=${SETS_SEED:-1} interrupted faulty sizes targets

	for ((run = 0; run < ${SETS_RUNS:-8}; run++)); do
		echo "=== SETS_SEED=$((seed + run)) SETS_RUNS=1"
		RANDOM=$((seed + run))
		chance
		rm -f file
		pick '' --pre-copy
		# shellcheck disable=SC2086
		chance_save $picked
		emu_stop
		chance
		targets=$emu
		image "${#members[@]}" "${sizes[@]}"
		emu=$targets
		record bounded --json resume --no-hold --timeout=1 "${members[@]}" image
		echo "status $status"
		echo "$stderr"
		check_resume
		emu_stop
	done
}
