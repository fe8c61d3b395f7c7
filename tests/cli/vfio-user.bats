#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every command on a device that lives in another process, and whatever state it is found in.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

states=(stop running stop-copy resuming running-p2p pre-copy pre-copy-p2p)

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

#
# info, state, reset
#

@test "info: tells all that the server does" {
	emu_start
	migctl 0 info "$A"
	[[ -z $stderr ]]
	grep -qx "device  *$A" <<<"$output"
	grep -qx 'opened by  *vfio-user' <<<"$output"
	grep -qx 'vendor  *0x1234' <<<"$output"
	grep -qx 'can be reset  *yes' <<<"$output"
	grep -qx 'migratable  *yes' <<<"$output"
	grep -qx 'migration flags  *stop-copy p2p pre-copy' <<<"$output"
	grep -qx 'state  *running' <<<"$output"
	grep -qx '7  *256 B  *read write' <<<"$output"
	grep -qx '0  *1  *eventfd maskable automasked' <<<"$output"

	migctl 0 --json info "$A"
	expect_json '.schema == 1 and .command == "info" and .status == 0' \
		".device.address == \"$A\"" '.device.via == "vfio-user"' '.device.driver == null' \
		'.device.ids.vendor == "0x1234" and .device.ids.device == "0x5646"' \
		'.device.ids.class == "0xff0000" and .device.ids.revision == "0x01"' \
		'.resettable and .migratable' '.protocol == "vfio-user"' \
		'.migration_flags == ["stop-copy", "p2p", "pre-copy"]' '.state == "running"' \
		'.stop_copy_bytes == null' '.precopy_info_v2 == false' '.dma_logging' \
		'[.regions[] | [.index, .size]] == [[0, 4096], [7, 256]]' \
		'[.irqs[] | [.index, .count]] == [[0, 1]]'
	expect_state "$A" running
}

@test "info: has the capabilities that the device has" {
	local caps

	for caps in stop-copy stop-copy,p2p stop-copy,pre-copy stop-copy,p2p,pre-copy; do
		emu_start --caps "$caps"
		migctl 0 --json info "$A"
		expect_json ".migration_flags | join(\",\") == \"$caps\""
		emu_stop
	done
	emu_start --caps p2p
	migctl 0 --json info "$A"
	expect_json '.migration_flags == ["stop-copy", "p2p"]'
}

@test "info: how devices of the kernel are opened and spoken to is nothing to this one" {
	local token=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001

	emu_start
	migctl 0 --json info --via=group --vf-token=$token "$A"
	expect_json '.device.via == "vfio-user"'
	for protocol in v1 v2; do
		migctl 64 info --protocol=$protocol "$A"
		expect_message "$A: --protocol is for devices of the kernel"
	done
	for bad in '' nonsense ${token%1} ${token}1 "{$token}"; do
		migctl 64 info --vf-token="$bad" "$A"
		[[ $stderr == *"--vf-token: '$bad' is not a UUID"* ]]
	done
}

@test "state: says what the device's own register says" {
	local numbers=(1 2 3 4 5 6 7) state

	require python3
	emu_start
	for state in "${!states[@]}"; do
		[[ ${states[state]} != resuming ]] || set_state "$A" running
		migctl 0 state "$A" "${states[state]}"
		register emu state
		((register == numbers[state]))
		migctl 0 --json state "$A"
		expect_json ".state == \"${states[state]}\"" ".state_found == .state" '.source == "device"'
		[[ ${states[state]} != resuming ]] || migctl 0 reset "$A"
	done
}

# supported STATE CAPS
supported()
{
	case $1 in
	pre-copy) [[ $2 == *pre-copy* ]] ;;
	running-p2p) [[ $2 == *p2p* ]] ;;
	pre-copy-p2p) [[ $2 == *p2p*pre-copy* ]] ;;
	esac
}

# Somebody else's load can only be thrown away, and a finished stream not be reopened.
pair_status()
{
	local caps=$3

	if ! supported "$2" "$caps"; then
		if [[ $1 == resuming ]]; then echo 81; else echo 69; fi
	elif [[ $1 == "$2" ]]; then
		echo 0
	elif [[ $1 == resuming ]]; then
		echo 81
	elif [[ $1 == stop-copy && $2 == pre-copy* ]]; then
		echo 69
	else
		echo 0
	fi
}

# go STATE: from $real, by a way that is open.
go()
{
	[[ $real != "$1" ]] || return 0
	[[ $real != resuming ]] || bounded -q reset "$A"
	[[ $real:$1 != stop-copy:pre-copy* ]] || set_state "$A" running
	set_state "$A" "$1"
}

# pairs CAPS N: there are as many. VFIOMIG_PAIRS_SHARE=N: one in N of them is tried, which goes round
# all states, where a start of the tool is dear and the others say nothing new (ASan).
pairs()
{
	local from to want n=0

	emu_start --caps "$1"
	real=running
	for from in "${states[@]}"; do
		supported "$from" "$1" || continue
		for to in "${states[@]}"; do
			((n++ % ${VFIOMIG_PAIRS_SHARE:-1} == 0)) || continue
			go "$from"
			want=$(pair_status "$from" "$to" "$1")
			migctl "$want" --json state "$A" "$to"
			if ((want == 0)); then
				expect_state "$A" "$to"
			else
				expect_state "$A" "$from"
				[[ -n $stderr ]]
			fi
			[[ $output == *"\"state_found\": \"$from\""* && $output == *"\"state\": \"$real\""* ]]
		done
	done
	echo "$n pairs"
	((n == $2))
}

@test "state: every pair of states, with all capabilities" {
	pairs stop-copy,p2p,pre-copy 49
}

@test "state: every pair of states, without P2P" {
	pairs stop-copy,pre-copy 35
}

@test "state: every pair of states, without pre-copy" {
	pairs stop-copy,p2p 35
}

@test "state: every pair of states, with neither" {
	pairs stop-copy 28
}

@test "state: each arc is told, with its time" {
	emu_start
	migctl 0 --json state "$A" stop-copy
	expect_arcs running:running-p2p running-p2p:stop stop:stop-copy
	expect_json '.arcs | all(.ns > 0)' '.state_found == "running" and .state == "stop-copy"'
}

@test "state: a load that another process left is not made to run" {
	emu_start
	set_state "$A" resuming
	migctl 81 state "$A" running
	expect_message "$A: in resuming, with a load that another process left" "vfiomigctl reset $A"
	expect_state "$A" resuming
}

@test "reset: from every state to running, and blank" {
	local state

	emu_start
	reference "$B"
	bounded -q save "$B" image
	for state in "${states[@]}"; do
		bounded -q resume --no-hold --stop "$A" image
		set_state "$A" "$state"
		migctl 0 --json reset "$A"
		expect_json ".state_found == \"$state\"" '.state == "running"' '.reset_ns > 0'
		expect_state "$A" running
		run ! holds "$A"
	done
	expect_state "$B" stop
}

@test "reset: a device that is busy is tried again" {
	emu_start --fault 'refuse-reset=EAGAIN*3' --fault '1@refuse-reset=EIO'
	migctl 0 --json reset "$A"
	expect_json '.state == "running"'
	migctl 81 reset "$B"
	expect_message "$B: DEVICE_RESET" '(EIO)'
	expect_state "$B" running
}

@test "reset: a device in ERROR gets out of it" {
	emu_start --fault 'error=stop:stop-copy*1'
	migctl 81 --json state "$A" stop-copy
	expect_message "$A: stop to stop-copy failed, the device is in error: " '(EIO)'
	expect_json '.state == "error"'
	migctl 0 --json info "$A"
	expect_json '.state == "error"'
	migctl 81 state "$A" running
	expect_message "$A: in error, which only a reset ends" "its state is lost; vfiomigctl reset $A"
	expect_state "$A" error
	migctl 0 --json reset "$A"
	expect_json '.state_found == "error"' '.state == "running"'
	expect_state "$A" running
}

#
# save, and what can be made of a file
#

@test "save, inspect, verify, extract, resume: nothing is lost on the way" {
	local line

	emu_start --state-size 3M
	reference "$A"
	[[ $(stat -c %s reference) == $((3 << 20)) ]]
	migctl 0 --json save "$A" image
	expect_json '.outcome == "completed" and .owner == "source"' ".bytes == $((3 << 20))" \
		'.state_found == "stop" and .state == "stop"' \
		".file_bytes == $(stat -c %s image)" '.format == "image"'
	migctl 0 --json inspect image
	expect_json '.complete' '.devices | length == 1' \
		'.devices[0] | .address == "vfio-user:emu" and .protocol == "vfio-user"'
	migctl 0 inspect image
	# What resume and --diff compare, as info has it.
	for line in vendor 'device id' 'subsystem vendor' 'subsystem device' class revision; do
		line=$("$tool" info "$A" | sed -nE "s/^$line  +/$line /p")
		[[ -n $line ]]
		sed -E 's/  +/ /' <<<"$output" | grep -qxF "$line"
	done
	migctl 0 --json verify image
	expect_json '.good' ".bytes == $((3 << 20))"
	migctl 0 extract image raw
	cmp raw reference
	run ! holds "$B"
	set_state "$B" running
	migctl 0 --json resume --no-hold --stop "$B" image
	expect_json '.outcome == "completed" and .owner == "destination"' '.accepted' \
		".bytes == $((3 << 20))" '.state_found == "running" and .state == "stop"'
	expect_state "$B" stop
	holds "$B"
	holds "$A"
	expect_files found image raw reference
}

@test "save, resume: the digests in the devices' registers are equal" {
	local digest

	require python3
	emu_start --state-size 2M
	register emu digest
	digest=$register
	register emu.1 digest
	[[ $register != "$digest" ]]
	migctl 0 save "$A" image
	migctl 0 resume --no-hold "$B" image
	register emu.1 digest
	[[ $register == "$digest" ]]
	register emu digest
	[[ $register == "$digest" ]]
}

@test "save: a running device is stopped and runs again, and that is told" {
	emu_start
	migctl 0 --json save "$A" image
	expect_arcs running:running-p2p running-p2p:stop stop:stop-copy stop-copy:stop \
		stop:running-p2p running-p2p:running
	expect_json '.state_found == "running" and .state == "running"' '.down == false' \
		'.downtime_ns > 0' '.status == 0'
	expect_state "$A" running
	migctl 0 save "$A" other
	grep -qE '^stop  *stop-copy  *[0-9.]+ ' <<<"$output"
	grep -qx 'state now  *running' <<<"$output"
	grep -qx 'stream  *1.00 MiB (1048576 bytes)' <<<"$output"
	migctl 73 save "$A" other
	expect_message 'other'
	expect_state "$A" running
}

@test "save: with --leave=stop it stays stopped" {
	emu_start
	migctl 0 --json save --leave=stop "$A" image
	expect_json '.state_found == "running" and .state == "stop"' '.down'
	expect_state "$A" stop
	reference "$A"
	migctl 0 resume --no-hold --stop "$B" image
	holds "$B"
	set_state "$B" running
	migctl 0 --json save --leave=STOP "$B" other
	expect_json '.state_found == "running" and .state == "stop"'
	migctl 0 --json save --force --leave=Found "$B" other
	expect_json '.state_found == "stop" and .state == "stop"'
	migctl 64 save --leave=running "$B" other
	[[ $stderr == *"--leave is found or stop, not 'running'"* ]]
}

@test "save, resume: the bare stream, and a pipe, and compressed" {
	emu_start --state-size 2500K
	reference "$A"
	migctl 0 --json save --raw "$A" raw
	expect_json '.format == "raw"' ".file_bytes == $((2500 << 10))"
	cmp raw reference
	migctl 0 --json resume --raw --no-hold --stop "$B" raw
	expect_json '.accepted' ".bytes == $((2500 << 10))"
	holds "$B"

	bounded -q reset "$B" || set_state "$B" running
	bounded -q save "$A" - | bounded -q resume --no-hold --stop "$B" -
	holds "$B"

	set_state "$B" running
	bounded -q reset "$B"
	bounded -q save --raw "$A" - | bounded -q resume --raw --no-hold --stop "$B" -
	holds "$B"

	set_state "$B" running
	bounded -q reset "$B"
	migctl 0 save --compress=zstd "$A" packed
	# Its content is made to shrink, and not to vanish.
	(($(stat -c %s packed) < 1250 << 10 && $(stat -c %s packed) > 500 << 10))
	migctl 0 verify packed
	migctl 0 extract packed unpacked
	cmp unpacked reference
	migctl 0 resume --no-hold --stop "$B" packed
	holds "$B"
}

@test "save: with pre-copy it is stopped late, and nothing that changed is lost" {
	emu_start --state-size 4M --dirty-rate 200M
	migctl 0 --json save --pre-copy --max-time=1 --leave=stop "$A" image
	expect_arcs running:pre-copy pre-copy:pre-copy-p2p pre-copy-p2p:stop-copy stop-copy:stop
	expect_json ".bytes > $((4 << 20))"
	expect_state "$A" stop
	reference "$A"
	migctl 0 verify image
	migctl 0 resume --no-hold --stop "$B" image
	holds "$B"
}

@test "save: with pre-copy of a device that does not change" {
	local initial

	for initial in 0 100K 4M; do
		emu_start --state-size 4M --initial-bytes $initial
		migctl 0 --json save --pre-copy --leave=stop "$A" "image.$initial"
		expect_arcs running:pre-copy pre-copy:pre-copy-p2p pre-copy-p2p:stop-copy stop-copy:stop
		reference "$A"
		migctl 0 resume --no-hold --stop "$B" "image.$initial"
		holds "$B"
		emu_stop
	done
}

@test "save: --pre-copy without P2P, and of a device without pre-copy" {
	emu_start --caps stop-copy,pre-copy
	migctl 0 --json save --pre-copy "$A" one
	expect_arcs running:pre-copy pre-copy:stop-copy stop-copy:stop stop:running
	migctl 0 resume --no-hold "$B" one
	emu_stop
	emu_start --caps stop-copy,p2p
	migctl 0 --json save --pre-copy "$A" two
	expect_arcs running:running-p2p running-p2p:stop stop:stop-copy stop-copy:stop \
		stop:running-p2p running-p2p:running
	migctl 0 resume --no-hold "$B" two
	emu_stop
	emu_start --caps stop-copy
	migctl 0 --json save --pre-copy "$A" three
	expect_arcs running:stop stop:stop-copy stop-copy:stop stop:running
	migctl 0 --json resume --no-hold "$B" three
	expect_arcs running:stop stop:resuming resuming:stop stop:running
}

@test "save: a device that was stopped is not woken for pre-copy" {
	emu_start
	set_state "$A" stop
	migctl 0 --json save --pre-copy "$A" image
	expect_arcs stop:stop-copy stop-copy:stop
	expect_json '.downtime_ns == 0'
	expect_state "$A" stop
	# That it was not down any longer is not worth a line.
	migctl 0 save --force "$A" image
	[[ $output != *downtime* && $output == *'state now'* ]]
	set_state "$A" running
	migctl 0 save --force "$A" image
	grep -qE '^downtime +[1-9]' <<<"$output"
}

@test "save: every profile's device can be saved and resumed" {
	local profile

	for profile in hisi pds qat virtio mtty; do
		emu_start --profile $profile
		reference "$A"
		migctl 0 save --pre-copy "$A" $profile
		migctl 0 resume --no-hold --stop "$B" $profile
		holds "$B"
		emu_stop
	done
}

@test "save, resume, state, reset: --dry-run does not even connect" {
	local what

	emu_start
	reference "$A"
	migctl 0 save "$A" image
	migctl 0 --json save --dry-run "$B" other
	expect_json '.dry_run' '.opening_resets == false'
	migctl 0 --json resume --dry-run "$B" image
	# Nothing is known of a server that was not connected to.
	expect_json '.dry_run and .verified' '.opening_resets == false' '.fits == "unknown"'
	migctl 0 resume --dry-run "$B" image
	grep -qE '^fits the device +unknown$' <<<"$output"
	migctl 0 --json state --dry-run "$B" stop
	expect_json '.dry_run' '.want == "stop"'
	migctl 0 --json reset --dry-run "$B"
	expect_json '.dry_run'
	expect_state "$B" running
	expect_files image reference
	dd if=/dev/zero of=image bs=1 count=16 seek=600000 conv=notrunc status=none
	migctl 65 resume --dry-run "$A" image
	migctl 73 save --dry-run "$A" nosuch/other
	expect_message 'nosuch/other: cannot create: No such file or directory (ENOENT)'
	migctl 73 save --dry-run "$A" image

	# What the real run would find out without asking the device, this does too.
	emu_stop
	for what in "save $A other" "resume $A image" "state $A stop" "reset $A"; do
		# shellcheck disable=SC2086 # words
		migctl 66 $what --dry-run
		expect_message "$A: No such file or directory (ENOENT)"
	done
	: >file
	migctl 66 reset --dry-run vfio-user:file
	expect_message 'vfio-user:file: not a socket'
	migctl 66 reset --dry-run fd:250
	expect_message 'fd:250: not open here: Bad file descriptor (EBADF)'
	migctl 64 save --dry-run --protocol=v2 "$A" other
}

@test "resume: holds the device until it is told not to, and lets go of it" {
	local enders='SIGINT, SIGTERM or SIGHUP' hup=HUP

	# Under nohup(1) the tests are, too, and no shell hears again what it was told to ignore.
	if ((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status) & 1)); then
		enders='SIGINT or SIGTERM' hup=INT
	fi
	emu_start
	reference "$A"
	migctl 0 save "$A" image
	start resume resume "$B" image
	eventually said 'held open until' resume.err
	said "$B: running; held open until $enders. It keeps its state without that: --no-hold exits at once" \
		resume.err
	# Who needs the result has it by now; the other device is not affected.
	said 'state now' resume.out
	expect_state "$A" stop
	kill -TERM "$resume"
	finish resume 0
	expect_state "$B" running
	has_run "$B"
	: >resume.err # not to be taken for what the last one said
	start resume resume --stop "$B" image
	eventually said "$B: stopped; held open until $enders" resume.err
	kill -$hup "$resume"
	finish resume 0
	# As nohup(1) leaves it: then it is not heard, and not named.
	trap '' HUP
	: >resume.err
	start resume resume --stop "$B" image
	trap - HUP
	eventually said "$B: stopped; held open until SIGINT or SIGTERM. It keeps" resume.err
	kill -HUP "$resume"
	kill -INT "$resume"
	finish resume 0
}

@test "resume: a state of another kind of device is refused before anything is done" {
	emu_start --profile qat
	emu_start --socket other --profile virtio --state-size 4K --seed 9
	migctl 0 save "$A" image
	reference vfio-user:other
	set_state vfio-user:other running
	migctl 65 --json resume --no-hold vfio-user:other image
	expect_message 'vendor' '0x8086' '0x1af4'
	expect_json '.outcome == "aborted"' '.owner == "none"' '.arcs == []' '.state == "running"'
	expect_state vfio-user:other running
	has_run vfio-user:other
	# The emulated devices do not care for their numbers.
	migctl 0 resume --no-hold --force-mismatch vfio-user:other image
	run ! has_run vfio-user:other
}

@test "resume, inspect, info: migration flags that differ are told by name" {
	local words=('stop-copy p2p pre-copy' stop-copy)

	emu_start
	emu_start --socket other --caps stop-copy
	migctl 0 save "$A" image
	migctl 0 resume --no-hold vfio-user:other image
	expect_message "migration flags are ${words[0]} in the image, ${words[1]} here"
	migctl 0 --json inspect --diff=vfio-user:other image
	expect_json '.differences == [{"field": "migration flags", "saved": "'"${words[0]}"'",
		"here": "'"${words[1]}"'", "owner": "device"}]' '.fits == "yes"'
	migctl 0 info --diff=image vfio-user:other
	grep -qE "^migration flags  +-  +${words[0]}  +${words[1]}  +device\$" <<<"$output"
}

@test "resume: a damaged file is refused before the device is connected to" {
	emu_start
	reference "$B"
	migctl 0 save "$A" image
	cp image short
	truncate -s 500000 short
	dd if=/dev/zero of=image bs=1 count=16 seek=600000 conv=notrunc status=none
	migctl 65 --json resume --no-hold "$B" image
	expect_json 'has("arcs") | not' '.owner == "none"'
	migctl 65 resume --no-hold "$B" short
	holds "$B"
	# Of what comes in by a pipe that is found out late: it never runs.
	record -65 bounded --json resume --no-hold "$B" - < <(cat short)
	expect_message 'the device was reset and is in stop'
	expect_json '.accepted == false' '.state == "stop"' '.recovery.reset'
	expect_state "$B" stop
	run ! holds "$B"
}

@test "resume: the device's own check finds a raw stream that lost, moved or changed a byte" {
	local bad

	emu_start
	reference "$A"
	head -c 1000000 reference >short
	{ cat reference; echo; } >long
	{ head -c 500000 reference; tail -c +500002 reference; echo; } >moved
	cp reference changed
	printf x | dd of=changed bs=1 seek=700000 conv=notrunc status=none
	: >empty
	for bad in short long moved changed empty; do
		migctl 65 --json resume --raw --no-hold "$B" $bad
		expect_message 'the driver did not accept the state' '(EINVAL)' \
			'the device was reset and is in stop'
		expect_json '.status == 65' '.outcome == "aborted"' '.owner == "none"' \
			'.accepted == false' '.recovery == {"found": "resuming", "end": "stop",
				"reset": true, "ok": true}'
		expect_state "$B" stop
	done
	migctl 0 resume --raw --no-hold --stop "$B" reference
	holds "$B"
}

#
# Found states
#

# found STATE LEFT [NOTE]: a save of a device found in STATE leaves it in LEFT, and a resume works.
found()
{
	set_state "$A" running
	set_state "$A" "$1"
	migctl 0 --json save "$A" "image.$1"
	if [[ -n ${3-} ]]; then
		expect_message "warning: $A: was left in $1 by another process; now in $3"
	else
		[[ -z $stderr ]]
	fi
	expect_json ".state_found == \"$2\" and .state == \"$2\"" '.outcome == "completed"'
	expect_state "$A" "$2"
	bounded -q verify "image.$1"

	set_state "$A" running
	set_state "$A" "$1"
	migctl 0 --json resume --no-hold "$A" other
	if [[ -n ${3-} ]]; then
		expect_message "warning: $A: was left in $1 by another process; now in $3"
	else
		[[ -z $stderr ]]
	fi
	expect_json '.state == "running"' '.accepted'
	expect_state "$A" running
	has_run "$A"
	set_state "$A" running
	bounded -q reset "$A"
}

@test "save, resume: a device that is found elsewhere than in running" {
	emu_start
	reference "$B"
	bounded -q save "$B" other
	found running running
	found running-p2p running-p2p
	found stop stop
	found stop-copy stop stop
	found pre-copy running running
	found pre-copy-p2p running-p2p running-p2p
}

@test "save, resume: a load that another process left holds nothing, and can be replaced" {
	emu_start
	reference "$B"
	bounded -q save "$B" other
	set_state "$A" resuming
	migctl 81 --json save "$A" image
	expect_message "$A: is in resuming: there is no state to save" "vfiomigctl reset $A"
	expect_json '.outcome == "device-error"' '.state == "resuming"'
	expect_state "$A" resuming
	expect_files other reference
	migctl 0 --json resume --no-hold "$A" other
	expect_message "warning: $A: was left in resuming by another process; now in stop"
	expect_state "$A" running
	has_run "$A"
}

@test "save, resume: a device that is found in ERROR is left alone" {
	emu_start --fault '0@error=running:stop*1'
	bounded -q save "$B" other
	migctl 81 state "$A" stop
	migctl 81 --json save "$A" image
	expect_message "$A: is in error: there is no state to save" "vfiomigctl reset $A"
	migctl 81 --json resume --no-hold "$A" other
	expect_message "$A: in error, which only a reset ends"
	expect_json '.outcome == "device-error"' '.state == "error"'
	expect_state "$A" error
	expect_files other
}

@test "save, resume: after a client that was killed half-way" {
	emu_start --state-size 4M
	reference "$A"
	set_state "$A" running
	bounded -q save "$A" good
	mkfifo fifo
	exec 9<>fifo
	start save -q save --raw "$A" fifo
	eventually in_fifo
	kill -KILL "$save"
	finish save 137
	expect_state "$A" stop-copy
	migctl 0 save "$A" image
	expect_state "$A" stop
	exec 9>&-

	# What did not fit in the pipe has been read, and the first frame is in the device.
	exec 9<>fifo
	start resume -q resume --no-hold "$B" fifo
	head -c 2000000 good >&9
	kill -KILL "$resume"
	finish resume 137
	exec 9>&-
	expect_state "$B" resuming
	migctl 0 --json resume --no-hold "$B" good
	expect_message "warning: $B: was left in resuming by another process; now in stop"
	has_run "$B"
}

# Somebody has written into the FIFO.
in_fifo()
{
	IFS='' read -r -t 0 -u 9
}

#
# A server that does as libvfio-user: while the device is stopped it answers little
#

@test "strict: save and resume ask nothing that is refused" {
	emu_start --strict
	reference "$A"
	set_state "$A" running
	migctl 0 save "$A" image
	migctl 0 save --pre-copy "$A" pre-copy
	migctl 0 resume --no-hold "$B" image
	has_run "$B"
	expect_state "$B" stop
	migctl 0 --json resume --no-hold --stop "$B" pre-copy
	expect_state "$B" stop
	reference "$B"
	bounded -q save "$B" other
	found running running
	found running-p2p running-p2p
	found stop stop
	found stop-copy stop stop
	found pre-copy running running
}

@test "strict: info tells less of a stopped device, and does not fail" {
	local state

	emu_start --strict
	for state in stop stop-copy; do
		set_state "$A" running
		set_state "$A" $state
		migctl 0 --json info "$A"
		[[ -z $stderr ]]
		expect_json ".state == \"$state\"" '.migratable' '.device.ids.vendor == "0x1234"' \
			'.migration_flags == ["stop-copy", "p2p", "pre-copy"]' \
			'[.regions[].index] == [7]' '.irqs == []'
		expect_state "$A" $state
	done
}

@test "strict: a reset that is refused says what to do" {
	local state

	emu_start --strict
	for state in stop stop-copy; do
		set_state "$A" $state
		migctl 81 reset "$A"
		expect_message "$A: DEVICE_RESET: Invalid argument (EINVAL)" \
			"it may refuse that while stopped: vfiomigctl state $A running"
		expect_state "$A" $state
	done
	migctl 0 state "$A" running
	migctl 0 reset "$A"
	for state in running running-p2p pre-copy resuming; do
		set_state "$A" $state
		migctl 0 reset "$A"
		expect_state "$A" running
	done
}

@test "strict: a load that is refused is reset and stopped" {
	emu_start --strict
	reference "$A"
	head -c 500000 reference >short
	migctl 65 --json resume --raw --no-hold "$B" short
	expect_message 'the device was reset and is in stop'
	expect_state "$B" stop
	# Found stopped, too: the way to RESUMING is free.
	migctl 65 --json resume --raw --no-hold "$B" short
	expect_state "$B" stop
}

@test "strict: a device that accepted a load and does not start stays stopped" {
	emu_start --strict --fault '1@fail=stop:running-p2p:EIO'
	migctl 0 save "$A" image
	migctl 81 --json resume --no-hold "$B" image
	expect_message "$B: stop to running-p2p failed, the device is in stop" \
		'the device has the state, and is stopped'
	expect_json '.accepted' '.state == "stop"' '.outcome == "device-error"'
	expect_state "$B" stop
}

@test "save: pre-copy ends in time though the device makes data as fast as it is read" {
	emu_start --state-size 4M --dirty-rate 400M --data-rate 50M --caps stop-copy,pre-copy
	migctl 0 --json save --pre-copy --max-time=1 "$A" file
	expect_json '.outcome == "completed"' '.state == "running"' \
		'any(.arcs[]; .from == "pre-copy" and .to == "stop-copy")'
	migctl 0 verify file
}

@test "resume: a server that goes while its device is held is missed" {
	emu_start
	migctl 0 save "$A" image
	start resume resume "$B" image
	eventually said 'held open' resume.err
	emu_stop
	finish resume 81
	[[ $stderr == *"$B: its server is gone, and the state with it: Connection reset by peer (ECONNRESET)" ]]
}

@test "resume: who has the state is said, however early it fails" {
	emu_start
	migctl 0 save "$A" image
	migctl 66 --json resume vfio-user:nosuch image
	expect_json '.outcome == "aborted" and .owner == "none"' '.file == "image"' '.device.address == "vfio-user:nosuch"'
	migctl 66 --json resume --dry-run vfio-user:nosuch image
	expect_json '.dry_run and (.verified | not)'
}

@test "list: a device that cannot be asked has a reason" {
	emu_start
	migctl 0 --json list "$A" vfio-user:nosuch fd:250
	[[ $stderr == *'vfio-user:nosuch: No such file or directory'*'fd:250: not open here'* ]]
	expect_json '.devices[0].migratable and (.devices[0] | has("reason") | not)' \
		'.devices[1].reason == "No such file or directory"' '.devices[2].reason == "not open here"' \
		'.devices[1:][] | .migratable == null and .state == null and .holder == null'
}

@test "a server that is busy with another client: that is said" {
	emu_start
	migctl 0 save "$A" image
	start resume resume "$B" image
	eventually said 'held open' resume.err
	migctl 76 state --timeout=1 "$B"
	expect_message 'the server was silent for 1 s' 'it may be busy with another client'
	kill -TERM "$resume"
	finish resume 0
}

@test "resume: what nohup starts outlives the terminal" {
	emu_start --state-size 4M --devices 2
	migctl 0 save "$A" file
	trap '' HUP
	start resume resume "$B" file
	trap - HUP
	eventually said 'held open until' resume.err
	kill -HUP "$resume"
	kill -USR1 "$resume"
	run ! has_ended "$resume"
	kill -TERM "$resume"
	finish resume 0
}

@test "save: --threads, whatever their number, make the same image" {
	local n

	emu_start --state-size=9M
	for n in 1 2 7; do
		migctl 0 save --compress=zstd:1 --threads=$n --force "$A" image
		migctl 0 --json inspect image
		expect_json '.devices[0].bytes == 9437184' '.complete'
	done
	migctl 64 save --threads=0 "$A" image
	[[ $stderr == *"--threads is 1 to 64, not '0'"* ]]
}

@test "save: --bandwidth lets everything through, and can be interrupted" {
	emu_start --state-size=3M
	migctl 0 save --bandwidth=1G "$A" image
	migctl 0 verify image
	start save -vv save --force --bandwidth=1K "$A" image
	eventually said 'stop -> stop-copy: done' save.err
	kill -INT "$save"
	finish save 75
	[[ $stderr == *'interrupted; '*'the device is in running again'* ]]
	migctl 64 save --bandwidth=fast "$A" image
	[[ $stderr == *"--bandwidth: 'fast' is not a size"* ]]
}

#
# Progress
#

# on_terminal COLUMNS ARG...: the tool with a terminal of so many columns as its standard error, until
# it has said twice how far it is, and once more for SIGUSR1. A line is printed for each.
on_terminal()
{
	python3 - "$tool" "$@" <<-'END'
		import fcntl, os, pty, re, signal, struct, subprocess, sys, termios

		master, slave = pty.openpty()
		fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, int(sys.argv[2]), 0, 0))
		tool = subprocess.Popen([sys.argv[1], *sys.argv[3:]], stdout=subprocess.DEVNULL, stderr=slave)

		def read_until(pattern):
		    text = b""
		    while not re.search(pattern, text, re.S):
		        text += os.read(master, 4096)
		    return text.decode()

		if "--progress=json" in sys.argv:
		    text = read_until(rb"\n.*\n")
		else:
		    text = read_until(rb"\x1b\[K.+\x1b\[K.+")
		tool.send_signal(signal.SIGUSR1)
		text += read_until(rb"\n")
		tool.send_signal(signal.SIGINT)
		assert tool.wait() == 75
		print(re.sub(r"[\r\n]+", "\n", text.replace("\x1b[K", "")).strip())
	END
}

@test "progress: a line is as wide as the terminal, the one of SIGUSR1 and JSON as they are" {
	local columns n=0 pad name line whole
	# In its first second a slow device has given nothing.
	local shape='stop-copy  (0 B|[0-9.]+ .iB  [0-9.]+ [KM]?i?B/s  [0-9.]+ m?s)'

	require python3
	emu_start --socket gerät --devices 5 --state-size 64M --data-rate 4M
	# Of a size that is not known, 80 columns are taken for granted.
	pad=$(printf './%.0s' {1..20})
	for columns in 0 5 20 80; do
		name[n]=vfio-user:gerät.$n
		((n)) || name[n]=vfio-user:${pad}gerät
		on_terminal $columns save --raw "${name[n]}" /dev/null >"text.$columns" 3>&- &
		started+=("$!")
		n=$((n + 1))
	done
	on_terminal 20 --progress=json save --raw "vfio-user:gerät.$n" /dev/null >text.json 3>&- &
	started+=("$!")
	wait "${started[@]}"
	n=0
	for columns in 0 5 20 80; do
		cat "text.$columns"
		mapfile -t line <"text.$columns"
		whole="^${name[n]}: $shape\$"
		((${#line[@]} == 3))
		[[ ${line[2]} =~ $whole ]]
		case $columns in
		0) [[ ${line[0]} =~ ^$shape$ ]] ;;
		5) [[ ${line[0]} == stop ]] ;;
		20) [[ ${line[0]} == 'stop-copy  0 B' || ${line[0]} =~ ^'stop-copy  '[0-9.]+' ' &&
			${#line[0]} -eq 19 ]] ;;
		80) [[ ${line[0]} =~ $whole ]] ;;
		esac
		n=$((n + 1))
	done
	jq -se 'length >= 3 and all(.event == "progress" and .device.address == "vfio-user:gerät.4")' text.json
	# Nothing is cut that does not go to a terminal.
	start save --progress=always save --raw vfio-user:${pad}gerät /dev/null
	eventually said "vfio-user:${pad}gerät: stop-copy" save.err
	kill -INT "$save"
	finish save 75
}

@test "save: --sha256 is that of the stream, and verify checks it" {
	local sum how

	emu_start --state-size=3M
	for how in '' --compress=zstd '--pre-copy --threads=3'; do
		# shellcheck disable=SC2086
		migctl 0 --json save --sha256 --force $how "$A" image
		sum=$(jq -r .sha256 <<<"$output")
		migctl 0 verify image
		migctl 0 --json inspect --sections image
		expect_json '.devices[0].sha256 == "'"$sum"'"' '[.sections[] | select(.type == "sha-256")] | length == 1'
		migctl 0 extract --force image stream
		[[ $(sha256sum stream) == "$sum "* ]]
	done
	migctl 0 --json save --raw --sha256 --force "$A" raw
	expect_json '.sha256 == "'"$(sha256sum <raw | cut -d' ' -f1)"'"'
	migctl 0 resume --no-hold --stop "$B" image
	migctl 0 --json save --force "$A" image
	expect_json '.sha256 == null'
}

@test "save, resume, state, reset: a report that is lost is no failure; it is one of what only reports" {
	local line

	emu_start --state-size=3M
	for line in "save $A image" "resume --no-hold $B image" "state $A stop" "reset $A"; do
		# shellcheck disable=SC2086
		record bash -c '"$@" >/dev/full' - "$tool" $line
		((status == 0))
		expect_message 'standard output: the report is lost: No space left on device (ENOSPC)'
	done
	migctl 0 verify image
	for line in "inspect image" "info $A" "state $A"; do
		# shellcheck disable=SC2086
		record bash -c '"$@" >/dev/full' - "$tool" $line
		((status == 74))
	done
}

@test "save: the rate that is told is that of the flow" {
	emu_start --state-size=3M
	migctl 0 --json save --bandwidth=10M "$A" image
	expect_json '.bytes_per_second < 12 * 1048576'
}
