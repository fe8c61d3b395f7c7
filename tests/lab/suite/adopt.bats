#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pid:PID, the devices of a process that goes on using them. tools/consumer is that process: a
# driver that counts in a register of its device, and says so when it is asked.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash
load consumer.bash

setup()
{
	lab_setup mtty-2
	watch_misuse
	consumers=()
}

# is_in UUID STATE: as debugfs has it; migsim.bash asks only devices of its own.
is_in()
{
	real_state "$1"
	[[ $real == "$2" ]]
}

# States by their numbers in the uAPI.
STOP=1 RUNNING=2 STOP_COPY=3 RESUMING=4 PRE_COPY=6

@test "pid: a device is saved while its owner uses it, and runs on" {
	consume owner "$A"
	expect_answer owner step 1
	expect_answer owner step 2
	migctl 0 --json save "pid:$owner" state.img
	expect_json '.outcome == "completed"' ".device.address == \"$A\"" '.device.via == "pid"' \
		".device.owner == {\"pid\": $owner, \"comm\": \"consumer\"}"
	expect_state "$A" running
	expect_answer owner show 2
	expect_answer owner step 3

	migctl 0 --json inspect state.img
	expect_json '.devices[0].via == "pid"' \
		".devices[0].owner == {\"pid\": $owner, \"comm\": \"consumer\"}"
	migctl 0 inspect state.img
	[[ $output == *'its owner '*consumer*"$owner"* ]]
	dismiss owner
}

@test "pid: by the device's name, vfioN, its descriptor, or nothing" {
	local name

	consume owner "$A"
	nodes "$A"
	ask owner dup
	for name in '' "/$A" "/${A^^}" "/${cdev##*/}" "/fd$(device_fd)"; do
		migctl 0 --json info "pid:$owner$name"
		expect_json ".device.address == \"$A\"" '.state == "running"'
	done
	# The copy is no device of its own.
	migctl 66 info "pid:$owner/fd50"
	expect_message "pid:$owner/fd50: consumer (pid $owner) has no device fd50" \
		"it has pid:$owner/$A"
	dismiss owner
}

# device_fd: the lowest descriptor of $owner that is a character device of VFIO.
device_fd()
{
	local fd

	for fd in $(printf '%s\n' /proc/"$owner"/fd/* | sed 's,.*/,,' | sort -n); do
		[[ $(readlink "/proc/$owner/fd/$fd") != /dev/vfio/devices/* ]] || {
			echo "$fd"
			return
		}
	done
}

@test "pid: two devices in one owner, apart and as a set" {
	consume owner "$A" "$B"
	ask owner step
	migctl 64 info "pid:$owner"
	expect_message "pid:$owner: consumer (pid $owner) has 2 VFIO devices open" \
		"pid:$owner/$A" "pid:$owner/$B"
	migctl 66 info "pid:$owner/0000:3b:00.1"
	expect_message 'has no device 0000:3b:00.1'
	migctl 0 --json save "pid:$owner/$A" "pid:$owner/$B" set.img
	expect_json "[.devices[].device.address] == [\"$A\", \"$B\"]" \
		"[.devices[].device.owner.pid] == [$owner, $owner]"
	expect_answer owner show '1 1'
	migctl 64 save "pid:$owner/$A" "pid:$owner/fd$(device_fd)" other.img
	expect_message 'are the same device'
	migctl 64 save "pid:$owner/$A" "$A" other.img
	expect_message 'are the same device'
	dismiss owner
}

@test "pid: devices that came from groups, whatever the kernel says of them" {
	local first second

	consume owner --via group "$A" "$B"
	if grep -q vfio-device-syspath /proc/"$owner"/fdinfo/*; then
		migctl 0 --json info "pid:$owner/$B"
		expect_json ".device.address == \"$B\""
	else
		migctl 64 info "pid:$owner"
		[[ $stderr =~ pid:$owner/fd([0-9]+),\ pid:$owner/fd([0-9]+) ]]
		first=${BASH_REMATCH[1]} second=${BASH_REMATCH[2]}
		migctl 0 --json info "pid:$owner/fd$second"
		expect_json ".device.address == \"pid:$owner/fd$second\"" '.device.driver == null'
		ask owner step
		migctl 0 save "pid:$owner/fd$first" "pid:$owner/fd$second" set.img
		expect_answer owner show '1 1'
	fi
	dismiss owner
	# Alone in the group that its owner holds.
	consume single --via group "$A"
	migctl 0 --json info "pid:$single"
	expect_json ".device.address == \"$A\"" '.device.via == "pid"'
	dismiss single
}

@test "pid: a device that was stopped is saved from there, loaded there, and stays there" {
	consume owner "$A"
	consume other "$B"
	ask owner step
	ask owner step
	expect_answer owner set $STOP set
	migctl 0 --json save "pid:$owner" state.img
	expect_json '.outcome == "completed"'
	expect_state "$A" stop

	# The other one uses its device: it is not changed under it.
	migctl 71 resume "pid:$other" state.img
	expect_message "$B: is in running: its owner uses it: it runs (consumer, pid $other)" \
		'pause the owner'
	expect_answer other show 0
	expect_answer other set $STOP set
	migctl 0 --json resume "pid:$other" state.img
	expect_json '.outcome == "completed"' '.state == "stop"'
	expect_state "$B" stop
	expect_answer other set $RUNNING set
	expect_answer other show 2

	expect_answer other set $STOP set
	migctl 0 --json resume --run "pid:$other" state.img
	expect_state "$B" running
	dismiss owner
	dismiss other
}

@test "pid: what its owner has begun is left alone" {
	local row state word reason

	migctl 0 save "$B" state.img
	consume owner "$A"
	for row in "$STOP_COPY stop-copy saves" "$PRE_COPY pre-copy saves" \
		"$RESUMING resuming loads"; do
		read -r state word reason <<<"$row"
		expect_answer owner set $STOP set
		[[ $word != pre-copy ]] || expect_answer owner set $RUNNING set
		expect_answer owner set "$state" set
		migctl 71 save "pid:$owner" other.img
		expect_message "$A: is in $word: its owner $reason it itself" "pid $owner)" 'try again'
		migctl 71 resume "pid:$owner" state.img
		expect_message "its owner $reason it itself"
		[[ ! -e other.img ]]
		expect_state "$A" "$word"
		[[ $word == resuming ]] || {
			ask owner read
			[[ $answer =~ ^[0-9]+$ ]]
		}
		expect_answer owner close closed
		[[ $word != resuming ]] || expect_answer owner reset reset
		expect_answer owner set $RUNNING set
	done
	# A stream that its session has outlived: the owner is not done yet.
	expect_answer owner set $STOP_COPY set
	expect_answer owner set $STOP set
	migctl 71 save "pid:$owner" other.img
	expect_message 'in stop: its owner has a driver'
	expect_answer owner close closed
	migctl 0 save "pid:$owner" other.img
	dismiss owner
}

@test "pid: what is no process with a device" {
	local thread

	migctl 66 info "pid:4194000"
	expect_message 'pid:4194000: there is no such process'
	migctl 66 info "pid:$$"
	expect_message "pid:$$: " "(pid $$) has no VFIO device open"
	for spec in pid: pid:0 pid:1x pid:-1 pid:99999999999 "pid:$$/" pid:/x; do
		migctl 64 info "$spec"
		expect_message "$spec: not a process and its device"
	done
	start threads python3 -c '
import threading
thread = threading.Thread(target=threading.Event().wait, daemon=True)
thread.start()
print(thread.native_id, flush=True)
thread.join()'
	eventually test -s threads.out
	thread=$(<threads.out)
	migctl 64 info "pid:$thread"
	expect_message "pid:$thread: a thread, not a process" "its process is pid:$threads"
	kill "$threads"
	finish threads 143
}

@test "pid: another user's process, and what is missing to take part in it" {
	consume owner "$A"
	chmod 755 "$BATS_TEST_TMPDIR" "$PWD"
	run -77 --separate-stderr setpriv --reuid 1000 --regid 1000 --clear-groups "$VFIOMIGCTL" \
		info "pid:$owner"
	expect_message "pid:$owner: looking into /proc/$owner/fd" EACCES \
		'a process of user 0' CAP_SYS_PTRACE
	run -77 --separate-stderr setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace \
		--reuid 1000 --regid 1000 --clear-groups "$VFIOMIGCTL" save "pid:$owner" state.img
	[[ ! -e state.img ]]
	expect_answer owner step 1
	dismiss owner
}

@test "pid: root without CAP_SYS_PTRACE is told so, and not that there is no device" {
	consume owner "$A"
	run -77 --separate-stderr setpriv --bounding-set -sys_ptrace --inh-caps=-sys_ptrace \
		"$VFIOMIGCTL" state "pid:$owner"
	expect_message "pid:$owner: looking into /proc/$owner/fd" EACCES 'CAP_SYS_PTRACE is missing'
	dismiss owner
}

@test "pid: state and reset run into no save of another vfiomigctl" {
	local C

	make_device C migsim-v2
	sim "$C" size 3000000
	consume owner "$C"
	stuck_save save "$owner" "$C"
	migctl 71 reset "pid:$owner"
	expect_message "another vfiomigctl (pid $save) is about to change it"
	migctl 71 reset --dry-run "pid:$owner"
	expect_message "another vfiomigctl (pid $save) is about to change it"
	migctl 71 state "pid:$owner" running
	expect_message "another vfiomigctl (pid $save) is about to change it"
	is_in "$C" stop-copy
	touch go
	finish save 0
	migctl 0 verify state.img
	ask owner step
	[[ $answer =~ ^[0-9]+$ ]]
	dismiss owner
}

@test "pid: state says that the owner does not know, reset needs --force" {
	consume owner "$A"
	ask owner step
	migctl 0 state "pid:$owner" stop
	expect_message "consumer (pid $owner) uses it, and does not learn that its state is set"
	migctl 71 reset "pid:$owner"
	expect_message 'is in stop: its owner uses it, and does not learn of a reset' \
		"(consumer, pid $owner)" --force
	migctl 0 state "pid:$owner" running
	[[ $stderr != *'does not learn'* ]]
	migctl 71 --json reset --dry-run "pid:$owner"
	expect_json ".device.owner.pid == $owner" '.state == "running"'
	migctl 71 reset "pid:$owner"
	expect_answer owner show 1
	migctl 0 --json reset --dry-run --force "pid:$owner"
	expect_json ".device.owner.pid == $owner" '.dry_run'
	expect_answer owner show 1
	migctl 0 --json reset --force "pid:$owner"
	expect_json '.state_found == "running"' '.state == "running"'
	# A session that its owner began, and has a stream of, is not to be forced.
	expect_answer owner set $STOP_COPY set
	migctl 71 reset --force "pid:$owner"
	expect_message "has a driver's stream open"
	migctl 71 state --force "pid:$owner" running
	is_in "$A" stop-copy
	dismiss owner
}

# stuck_save NAME OWNER DEVICE: a save of the owner's device in STOP_COPY, until the file "go" comes:
# what it writes to waits.
stuck_save()
{
	start "$1" "$VFIOMIGCTL" --json save "pid:$2" \
		'exec:until [ -e go ]; do sleep 0.05; done; cat >state.img'
	eventually is_in "$3" stop-copy
}

@test "pid: an owner that dies in mid-save" {
	local C

	make_device C migsim-v2
	sim "$C" size 8000000
	consume owner "$C"
	stuck_save save "$owner" "$C"
	dismiss owner
	is_in "$C" stop-copy
	touch go
	finish save 0
	expect_message "its owner (consumer, pid $owner) has ended meanwhile"
	migctl 0 verify state.img
	migctl 0 --json inspect state.img
	expect_json ".devices[0].owner.pid == $owner"
}

@test "pid: a second save does not disturb the first one, nor does its end by SIGKILL" {
	local C

	make_device C migsim-v2
	sim "$C" size 8000000
	consume owner "$C"
	stuck_save save "$owner" "$C"
	migctl 71 save "pid:$owner" other.img
	expect_message "$C: another vfiomigctl (pid $save) is about to change it"
	expect_state "$C" stop-copy
	kill -KILL "$save"
	touch go
	finish save 137
	eventually is_in "$C" running
	migctl 0 save "pid:$owner" other.img
	dismiss owner
}

@test "pid: a pause of the owner in mid-save is not undone when the tool is killed" {
	local C

	make_device C migsim-v2
	sim "$C" size 8000000
	consume owner "$C"
	# Its own doing is.
	stuck_save save "$owner" "$C"
	kill -KILL "$save"
	finish save 137
	eventually is_in "$C" running
	eventually guardian_is_gone
	stuck_save save "$owner" "$C"
	expect_answer owner set $STOP set
	kill -KILL "$save"
	finish save 137
	eventually guardian_is_gone
	expect_state "$C" stop
	touch go
	expect_answer owner set $RUNNING set
	dismiss owner
	eventually none_are_left
}

# mtty keeps its state when it is closed.
@test "a script is told whether the device that a killed save had alone is what it was" {
	local action word

	while read -r action word; do
		printf '#!/bin/bash\n[[ $1 != %s ]] || kill -KILL $PPID\n%s\n' "$action" \
			'[[ $1 != abort ]] || echo "$VFIOMIG_RECOVERED" >said' >hook
		chmod +x hook
		rm -f said
		record -137 "$VFIOMIGCTL" save --action-script ./hook "$A" state.img
		eventually test -s said
		[[ $(<said) == "$word" ]]
		eventually guardian_is_gone
		migctl 0 state "$A" running
	done <<-'END'
		pre-stop yes
		post-stop no
	END
}

none_are_left()
{
	leftovers
	((${#leftovers[@]} == 0))
}

# The process that has passed the descriptor keeps its own, and does not hear of the tool's end.
@test "fd: a device in mid-save is brought back when the tool is killed" {
	local C

	make_device C migsim-v2
	sim "$C" size 8000000
	start passer "$tools/with-fd" --keep "$C" 7 bash -c '
		echo 7 >"$2/seed"
		"$1" save fd:7 "exec:until [ -e go ]; do sleep 0.05; done; cat >state.img" &
		echo $! >pid
		wait
		until [[ -e end ]]; do sleep 0.05; done' - "$VFIOMIGCTL" "/sys/bus/mdev/devices/$C/migsim"
	eventually is_in "$C" stop-copy
	kill -KILL "$(<pid)"
	eventually is_in "$C" running
	eventually guardian_is_gone
	expect_state "$C" running
	expect_shown "$C" seed 7
	touch go end
	finish passer 0
	eventually none_are_left
}

# From the first ioctl that changes the state of the device on. The guardian is killed, too, at the
# same number of its own, of which it has fewer.
@test "pid: killed at any of its ioctls, the tool leaves the device to its owner" {
	local nth count=0

	require strace
	consume owner "$A"
	for ((nth = 9; ; nth++)); do
		rm -f state.img
		record strace -f -qq -o /dev/null -e "inject=ioctl:signal=KILL:when=$nth" \
			"$VFIOMIGCTL" save "pid:$owner" state.img
		((status != 0)) || break
		expect_status 137
		[[ ! -e state.img ]]
		eventually is_in "$A" running
		expect_answer owner step $((++count))
	done
	((count >= 6))
	dismiss owner
}

@test "pid: an owner's device that VFIO resets when it is closed is not" {
	local C

	make_device C migsim-v2
	consume owner "$C"
	sim "$C" seed 7
	migctl 0 --json save "pid:$owner" state.img
	expect_shown "$C" seed 7
	migctl 0 --json state "pid:$owner"
	expect_json '.state == "running"'
	ask owner show
	((answer > 0))
	dismiss owner
	expect_shown "$C" seed 0
}

holds_whole()
{
	[[ $(<holder.out) == *$'\n}' ]]
}

is_in_file()
{
	[[ $(<"$2") == *"$1"* ]]
}

@test "pid: who holds an owner's device hears at once that the owner has ended" {
	consume owner "$A"
	expect_answer owner step 1
	start holder bash -c 'exec 3>lines && exec "$@"' - "$VFIOMIGCTL" hold --json --socket h \
		--status-fd 3 "pid:$owner"
	eventually holds_whole
	run ! is_in_file alone lines
	kill -9 "$owner"
	wait "$owner" || true
	eventually is_in_file '"event":"alone"' lines
	eventually is_in_file "$A: the process that had it, too, is gone: it is held here alone" holder.err
	# Held on: nothing has reset it.
	migctl 0 --json state hold:h
	expect_json '.state == "running"'
	kill -TERM "$holder"
	finish holder 0
	[[ $(grep -c '"alone"' lines) == 1 ]]
}

@test "pid: devices of two owners, as one set" {
	consume one "$A"
	consume two "$B"
	ask one step
	migctl 0 --json save "pid:$one" "pid:$two" set.img
	expect_json "[.devices[].device.owner.pid] == [$one, $two]"
	expect_answer one show 1
	expect_answer two show 0
	migctl 64 save "pid:$one" "pid:$one/$A" other.img
	expect_message 'are the same device'
	dismiss one
	dismiss two
}

@test "pid: a dry run says what stands in the way" {
	consume owner "$A"
	migctl 0 --json save --dry-run "pid:$owner" state.img
	expect_json '.expected_bytes == 96'
	expect_answer owner set $STOP_COPY set
	migctl 71 save --dry-run "pid:$owner" state.img
	expect_message 'its owner saves it itself'
	ask owner read
	[[ $answer =~ ^[0-9]+$ ]]
	dismiss owner
}

@test "pid: a dry run of resume, what it would freeze and run, and a device that is held" {
	consume owner "$A"
	migctl 0 save "pid:$owner" state.img
	migctl 71 resume --dry-run "pid:$owner" state.img
	expect_message 'its owner uses it: it runs' --freeze-owner
	migctl 0 --json resume --dry-run --freeze-owner --action-script=/bin/true "pid:$owner" \
		state.img
	expect_json ".freezes | length == 1 and .[0].pid == $owner and .[0].comm == \"consumer\"
		and (.[0].by == \"signal\" or .[0].by == \"cgroup\")" \
		'.action_script == "/bin/true"' '.fits == "yes"'
	migctl 0 save --dry-run --freeze-owner "pid:$owner" other.img
	[[ $output == *'WOULD FREEZE'*consumer*"$owner"* ]]
	migctl 71 resume --dry-run "$A" state.img
	expect_message "$A: held by another process: consumer (pid $owner" "pid:$owner"
	migctl 71 save --dry-run "$A" other.img
	migctl 71 reset --dry-run "$A"
	migctl 71 state --dry-run "$A" stop
	expect_answer owner step 1
	dismiss owner
}

@test "pid: a v1 device" {
	local C

	make_device C migsim-v1
	sim "$C" seed 9
	consume owner "$C"
	sim "$C" seed 9
	migctl 0 --json save "pid:$owner" state.img
	expect_json '.outcome == "completed"' '.state == "running"'
	migctl 71 resume "pid:$owner" state.img
	expect_message 'its owner uses it: it runs'
	expect_shown "$C" seed 9
	migctl 0 --json state "pid:$owner" stop
	migctl 0 --json resume "pid:$owner" state.img
	expect_json '.state == "stop"'
	dismiss owner
}

@test "pid: pre-copy leaves alone what the owner is told about it" {
	local C

	make_device C migsim-v2
	sim "$C" size 3000000
	consume owner "$C"
	migctl 0 --json save --pre-copy "pid:$owner" state.img
	expect_json '.outcome == "completed"' '[.arcs[].to] | index("pre-copy")'
	expect_shown "$C" precopy_v2 0
	dismiss owner
}

@test "pid: a save that fails brings the device back to where its owner had it" {
	local C state

	make_device C migsim-v2
	sim "$C" size 3000000
	consume owner "$C"
	for state in running stop; do
		[[ $state == running ]] || expect_answer owner set $STOP set
		sim "$C" fault 'read EIO 1000000'
		migctl 74 --json save "pid:$owner" state.img
		expect_json '.owner == "source"'
		[[ ! -e state.img ]]
		expect_state "$C" "$state"
	done
	dismiss owner
}

# at ACTION COMMAND: ./hook, a script for --action-script that does COMMAND at ACTION.
at()
{
	printf '#!/bin/bash\n[[ $1 == %s ]] || exit 0\n%s\n' "$1" "$2" >hook
	chmod +x hook
}

# dies PID: the command that kills it, and waits until it is dead, if bats has seen that or not.
dies()
{
	printf 'kill -KILL %d; while grep -qs "^State:[[:space:]]*[^ZX]" /proc/%d/status; do :; done' \
		"$1" "$1"
}

# listens NAME: what start began takes senders.
listens()
{
	[[ $(<"$1.err") == *': listening on '* ]]
}

# receive_for NAME OWNER OPTION...: a receiver whose device is the owner's.
receive_for()
{
	start "$1" "$VFIOMIGCTL" resume --listen --action-script ./hook "${@:3}" "pid:$2" unix:it
	eventually listens "$1"
}

# make_pair: $C, and $D, whose state has seed 9.
make_pair()
{
	make_device C migsim-v2
	make_device D migsim-v2
	sim "$D" reset_on_open 0
	sim "$D" seed 9
}

@test "pid: a state is refused when the owner that was to keep it has ended" {
	local C D

	make_pair
	consume owner "$C"
	expect_answer owner set $STOP set
	at pre-start "$(dies "$owner")"
	receive_for resume "$owner" --run
	migctl 75 save --leave=stop "$D" unix:it
	expect_message 'refused by the receiver' \
		"$C: its owner (consumer, pid $owner) has ended meanwhile"
	finish resume 75
	expect_message "$C: its owner (consumer, pid $owner) has ended meanwhile"
	expect_state "$D" running
	expect_shown "$D" seed 9
	wait "$owner" || (($? == 137))
}

@test "pid: a state is refused when the owner has closed the device" {
	local C D

	make_pair
	consume owner "$C"
	expect_answer owner set $STOP set
	at pre-start "echo let-go >$PWD/owner.to
		while readlink /proc/$owner/fd/* | grep -q vfio/devices; do sleep 0.05; done"
	receive_for resume "$owner" --run
	migctl 75 save --leave=stop "$D" unix:it
	expect_message 'refused by the receiver' \
		"$C: its owner (consumer, pid $owner) has closed it meanwhile"
	finish resume 75
	expect_shown "$D" seed 9
	dismiss owner
}

@test "pid: the only copy is held when the owner ends after it was accepted" {
	local C D

	make_pair
	consume owner "$C"
	expect_answer owner set $STOP set
	at post-start "$(dies "$owner")"
	receive_for resume "$owner" --run
	migctl 0 save --leave=stop "$D" unix:it
	eventually grep -q 'held open until' resume.err
	is_in "$C" running
	expect_shown "$C" seed 9
	kill -TERM "$resume"
	finish resume 81
	expect_message "$C: its owner (consumer, pid $owner) has ended meanwhile" \
		'the state that was loaded is in this process alone'
	wait "$owner" || (($? == 137))
}

@test "pid: a copy from a file is not held, but not said to be there either" {
	local C D

	make_pair
	migctl 0 save "$D" state.img
	consume owner "$C"
	expect_answer owner set $STOP set
	at post-start "$(dies "$owner")"
	migctl 81 resume --run --action-script ./hook "pid:$owner" state.img
	expect_message "$C: its owner (consumer, pid $owner) has ended meanwhile" 'ends with it'
	wait "$owner" || (($? == 137))
}

# The first one has stopped the device, and its session has not begun: by the state it is nobody's.
@test "pid: two tools on one owner: the second one is refused, and leaves the first alone" {
	local C args

	make_device C migsim-v2
	consume owner "$C"
	sim "$C" seed 7
	migctl 0 save "pid:$owner" other.img
	at post-stop 'touch here; until [[ -e go ]]; do sleep 0.05; done'
	start save "$VFIOMIGCTL" save --action-script ./hook "pid:$owner" state.img
	eventually test -e here
	is_in "$C" stop
	for args in "save pid:$owner two.img" "resume pid:$owner other.img" \
		"state pid:$owner running" "reset pid:$owner"; do
		# shellcheck disable=SC2086 # several words
		migctl 71 $args
		expect_message "$C: another vfiomigctl (pid $save) is about to change it"
	done
	migctl 0 state "pid:$owner"
	is_in "$C" stop
	touch go
	finish save 0
	is_in "$C" running
	expect_shown "$C" seed 7
	dismiss owner
}

@test "pid: where its owner has put the device in mid-save, there it stays" {
	local C from to word

	# The owner ends the session under the tool's reads.
	allow_misuse
	make_device C migsim-v2
	sim "$C" size 8000000
	consume owner "$C"
	for word in "$STOP $RUNNING running" "$RUNNING $STOP stop"; do
		read -r from to word <<<"$word"
		expect_answer owner set "$from" set
		sim "$C" seed 7
		rm -f go
		stuck_save save "$owner" "$C"
		expect_answer owner set "$to" set
		touch go
		finish save 74
		expect_message "another process has brought it to $word" \
			"the device is left in $word"
		is_in "$C" "$word"
		expect_shown "$C" seed 7
	done
	dismiss owner
}

# The stream is complete by then: nothing fails.
@test "pid: where its owner has put the device by the end of a save, there it stays" {
	local C

	make_device C migsim-v2
	consume owner "$C"
	at pre-start "echo set $STOP >$PWD/owner.to
		until grep -qx stop /sys/bus/mdev/devices/$C/migsim/state; do :; done"
	migctl 0 save --action-script ./hook "pid:$owner" state.img
	expect_message "$C: another process has brought it to stop meanwhile, and it is left there"
	heard owner set
	is_in "$C" stop
	migctl 0 verify state.img
	dismiss owner
}

# has_children: its guardian, which gives itself that name, and the reader of the stream.
has_children()
{
	guardian=$(pgrep -P "$save" vfiomig-guard) && reader=$(pgrep -P "$save" -x sh)
}

@test "pid: a guardian does not stop a device that its owner has started" {
	local C guardian reader

	make_device C migsim-v2
	sim "$C" size 8000000
	consume owner "$C"
	expect_answer owner set $STOP set
	stuck_save save "$owner" "$C"
	eventually has_children
	expect_answer owner set $RUNNING set
	kill -KILL "$save"
	eventually has_ended "$guardian"
	is_in "$C" running
	touch go
	finish save 137
	eventually has_ended "$reader"
	dismiss owner
}

@test "pid: a receiver does not outlive the owner that its device is of" {
	local C

	make_device C migsim-v2
	consume owner "$C"
	expect_answer owner set $STOP set
	start resume "$VFIOMIGCTL" resume --listen "pid:$owner" unix:it
	eventually listens resume
	dismiss owner
	finish resume 75
	expect_message "$C: its owner (consumer, pid $owner) has ended meanwhile"
	[[ ! -e it ]]
}

@test "pid: nor does one that serves on, after a move that was given up" {
	local C source_py=$top_srcdir/tests/cli/move-source.py

	make_device C migsim-v2
	consume owner "$C"
	expect_answer owner set $STOP set
	migctl 0 -q save --leave=stop "pid:$owner" image
	start receive "$VFIOMIGCTL" receive --keep --state-dir=state "pid:$owner" unix:it
	eventually listens receive
	record -0 "$source_py" unix:it image hello hear:HELLO offer hear:VERDICT-yes frames abort gone
	eventually grep -q ' is aborted$' receive.err
	dismiss owner
	finish receive 75
	[[ $stderr == *"$C: its owner (consumer, pid $owner) has ended meanwhile"* && ! -e it ]]
}
