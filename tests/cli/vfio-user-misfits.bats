#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Devices with the habits of vfio-user servers in the field, and with their faults: misfit-server.py.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

D=vfio-user:it
SIZE=1000000

setup()
{
	require python3
	emu_setup
	misfit=$BATS_TEST_DIRNAME/misfit-server.py
	python3 -c 'import sys
c = bytes(i * 7 & 255 for i in range(251))
sys.stdout.buffer.write((c * 4000)[:int(sys.argv[1])])' $SIZE >content
}

teardown()
{
	unserve
	emu_teardown
}

# serve HABIT [ARG]: such a device at $D; what it says goes to the file "said".
serve()
{
	unserve
	rm -f said
	python3 "$misfit" it "$@" >said 3>&- &
	server=$!
	eventually grep -q ready said
}

unserve()
{
	[[ -n ${server-} ]] || return 0
	kill -TERM "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	server=''
}

server_said()
{
	grep -q "$1" said
}

# expect_saved FILE: it is an image of all of the content, and the server's device runs again.
expect_saved()
{
	migctl 0 verify "$1"
	migctl 0 extract --force "$1" raw
	cmp raw content
	expect_state "$D" running
}

@test "misfits: a server as the protocol has it: saved and loaded" {
	serve fair
	migctl 0 save "$D" image
	expect_saved image
	migctl 0 save --pre-copy "$D" precopy
	expect_saved precopy
	migctl 0 resume --no-hold "$D" image
	expect_state "$D" running
	server_said 'write'
}

@test "misfits: a reset that leaves the state: that is said, and a new load may begin" {
	serve fair
	migctl 0 save "$D" image
	serve keepstate
	head -c 500000 content >short
	migctl 81 --json resume --raw --no-hold "$D" short
	expect_json '.outcome == "device-error"' '.state == "resuming"'
	expect_message "it could not be brought to stop" \
		"a load may begin anew: vfiomigctl resume $D FILE; else restart its server"
	expect_state "$D" resuming
	migctl 81 state "$D" running
	expect_message "vfiomigctl reset $D"
	migctl 81 --json reset "$D"
	expect_message "$D: was reset, and is in resuming instead of running" \
		"a load may begin anew: vfiomigctl resume $D FILE; else restart its server"
	expect_json '.state_found == "resuming"' '.state == "resuming"' '.reset_ns > 0'
	migctl 81 save "$D" other
	expect_message "there is no state to save" "vfiomigctl reset $D"

	# Part of a state, and then a whole one: nothing of the first is in the second.
	migctl 81 resume --raw --no-hold "$D" short
	migctl 0 --json resume --no-hold "$D" image
	expect_message "warning: $D: was left in resuming by another process; its load was dropped"
	expect_json '.accepted' '.state_found == "resuming"' '.state == "running"'
	expect_state "$D" running
	migctl 0 save "$D" again
	expect_saved again
}

@test "misfits: a reset that leaves a device stopped: that is said" {
	serve keepstate
	set_state "$D" stop
	migctl 81 reset "$D"
	expect_message "$D: was reset, and is in stop instead of running" "vfiomigctl state $D running"
	migctl 0 state "$D" running
	migctl 0 reset "$D"
}

@test "misfits: a reset that did not drop the load: the device refuses the next one" {
	serve fair
	migctl 0 save "$D" image
	serve deaf-reset
	head -c 500000 content >short
	migctl 81 resume --raw --no-hold "$D" short
	migctl 81 --json resume --no-hold "$D" image
	expect_json '.accepted | not' '.outcome == "device-error"' '.state == "resuming"'
	server_said "refused $((SIZE + 500000))"
}

@test "misfits: a message's body taken by one recv(): a larger load works" {
	serve onerecv
	migctl 0 save "$D" image
	migctl 0 resume --no-hold "$D" image
	expect_state "$D" running
	run ! server_said cut
	migctl 0 save "$D" again
	expect_saved again
}

@test "misfits: the first read of size 0 is the end, whatever is said behind it" {
	local habit

	for habit in errend moreend; do
		serve $habit
		migctl 0 --json save "$D" $habit
		expect_json ".bytes == $SIZE"
		expect_saved $habit
	done
}

@test "misfits: reads that bring less than was asked for" {
	serve short
	migctl 0 save "$D" image
	expect_saved image
	migctl 0 save --pre-copy "$D" precopy
	expect_saved precopy
}

@test "misfits: one that refuses requests while one is under way gets one at a time" {
	local errno

	serve fair
	migctl 0 save "$D" image
	for errno in EBUSY EINVAL EAGAIN ENOMEM; do
		serve busy $errno
		migctl 0 save --force "$D" again
		server_said 'busy [1-9]'
		expect_saved again
		serve busy $errno
		migctl 0 resume --no-hold "$D" image
		server_said 'busy [1-9]'
		expect_state "$D" running
	done
}

@test "misfits: data that was lost with an error is not passed over" {
	local errno

	for errno in EINVAL EAGAIN ENOMEM; do
		serve hole $errno
		migctl 74 --json save "$D" image
		expect_message "MIG_DATA_READ, and what was asked after it was served" "($errno)" \
			"the device is in running again"
		expect_json '.outcome == "aborted"' '.owner == "source"'
		[[ ! -e image ]]
	done
	serve hole EIO
	migctl 74 save "$D" image
	[[ ! -e image ]]
}

@test "misfits: ENOMSG is for now in PRE_COPY, and a fault in STOP_COPY" {
	serve enomsg
	migctl 0 save --pre-copy "$D" image
	expect_saved image
	serve enomsg-stop-copy
	migctl 74 save "$D" other
	expect_message '(a driver must not say so there)' "the device is in running again"
	[[ ! -e other ]]
}

@test "misfits: a feature that is refused, in whatever way, is no migration" {
	local errno

	for errno in 0 ENOSYS EINVAL ENOTTY EOPNOTSUPP; do
		serve features $errno
		migctl 0 --json info "$D"
		expect_json '.migratable == false' '.reason == "the server offers no migration"'
		migctl 69 --json save "$D" image
		expect_message "$D: the server offers no migration"
		[[ $errno == 0 || $stderr == *"($errno)" ]]
		[[ $errno != 0 || $stderr == *migration ]]
		expect_json '.outcome == "aborted"' '.owner == "source"'
	done
	serve features EIO
	migctl 74 info "$D"
	expect_message "$D: DEVICE_FEATURE: Input/output error (EIO)"
	migctl 74 save "$D" image
}

@test "misfits: of an index that the server does not tell nothing is known, and no more" {
	serve lacks-region 8
	migctl 0 --json info "$D"
	expect_json '.migratable' '[.regions[].index] == [0, 1, 2, 3, 4, 5, 6, 7]' '(.irqs | length) == 5'
	migctl 0 save "$D" image
	expect_saved image
	migctl 0 -v info "$D"
	[[ $stderr == *"$D: tells nothing of region 8: EINVAL"* ]]

	serve lacks-irq 3
	migctl 0 --json info "$D"
	expect_json '.migratable' '[.irqs[].index] == [0, 1, 2, 4]' '(.regions | length) == 9'
	migctl 0 resume --no-hold "$D" image

	# Not even the configuration space.
	serve lacks-region 7
	migctl 0 --json info "$D"
	expect_json '.migratable' '[.regions[].index] == [0, 1, 2, 3, 4, 5, 6, 8]'
	migctl 0 --json save "$D" other
}

@test "misfits: a reply that dribbles ends at its time" {
	serve dribble 17
	# It sees only with its next byte, in a second, that it was left, and must be back in time.
	migctl 76 --json save --timeout 3 "$D" image
	expect_message "MIG_DATA_READ: no whole message within 3 s" "the device is in running again"
	expect_json '.outcome == "aborted"' '.owner == "source"'
	expect_state "$D" running
	serve dribble 4
	migctl 0 info "$D"
	migctl 76 info --timeout 1 "$D"
	expect_message "$D: DEVICE_GET_INFO: no whole message within 1 s"
}

# interrupted HABIT ARG STATUS COMMAND...: a signal while the server dribbles is heard at once.
interrupted()
{
	local status=$3

	serve "$1" "$2"
	start victim "${@:4}"
	eventually server_said dribbles
	kill -TERM "$victim"
	finish victim "$status"
	[[ $stderr == *'interrupted'* ]]
}

@test "misfits: a signal is heard within a reply that dribbles" {
	head -c 100000 content >part
	interrupted dribble 17 75 save "$D" image
	[[ $stderr == *'the device is in running again'* ]]
	expect_state "$D" running
	interrupted dribble 18 75 resume --raw --no-hold "$D" content
	[[ $stderr == *'the device was reset and is in stop'* ]]
	expect_state "$D" stop
	# Before anything is done to the device.
	interrupted dribble-all '' 75 save "$D" image
	run ! server_said state
	[[ ! -e image ]]
}

@test "misfits: what the server asks while its device is held is declined" {
	serve fair
	migctl 0 save "$D" image
	serve asks
	start resume resume "$D" image
	# EOPNOTSUPP, for each.
	eventually server_said 'answered 40003 11 95'
	server_said 'answered 40001 11 95'
	server_said 'answered 40002 11 95'
	kill -TERM "$resume"
	finish resume 0
	serve asks
	start resume resume "$D" image
	eventually server_said 'answered 40003'
	unserve
	finish resume 81
	[[ $stderr == *"$D: its server is gone, and the state with it"* ]]
}
