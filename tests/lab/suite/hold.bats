#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Devices that are held and lent, by a real kernel: migsim resets at the last close, as a PCI
# function does, so that a state that outlives its user has been held.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are migsim.bash's and run's, or theirs
load migsim.bash

client=$(cd "${top_srcdir:?}/tests" && pwd -P)/hold-client.py
page=$(cd "${top_srcdir:?}/man" && pwd -P)/vfiomigctl-hold.8.scd
manager_py=${client%/*}/service-manager.py

setup()
{
	migsim_setup migsim-v2
	sim "$A" reset_on_open 1
	sim "$A" req_irq 1
}

# hold_start ARG...: a holder at ./h that has shown its report; its pid in $holder.
hold_start()
{
	start holder "$VFIOMIGCTL" hold --json --socket h "$@"
	eventually is_whole holder.out
}

# is_whole FILE: all of a JSON document is in it.
is_whole()
{
	[[ $(<"$1") == *$'\n}' ]]
}

hold_end()
{
	kill -TERM "$holder"
	wait "$holder"
	[[ ! -e h ]]
}

# finish NAME STATUS TEXT...: what start began ends so, and says each TEXT.
finish()
{
	local status=0

	wait "${!1}" || status=$?
	stderr=$(<"$1.err")
	echo "$stderr"
	((status == $2)) || {
		echo "exit status $status, not $2"
		return 1
	}
	expect_message "${@:3}"
}

# stalled UUID: it is in the call that a fault stalls: one that is still to come would stall another.
stalled()
{
	shown "$1" hits
	((shown > 0))
}

says()
{
	[[ $(<"$1") == *"$2"* ]]
}

# lend USE IF_LOST: a request for the only device
lend()
{
	echo "{\"schema\": 1, \"request\": \"get\", \"use\": \"$1\", \"if_lost\": \"$2\"}"
}

@test "hold: a state lives while it is held, and is lost without" {
	sim "$A" seed 7
	migctl 0 state "$A" stop
	expect_shown "$A" seed 0
	hold_start "$A"
	[[ $(<holder.out) == *"\"address\": \"$A\""*'"state": "running"'*'"socket": "h"'* ]]
	sim "$A" seed 7
	migctl 0 state hold:h stop
	migctl 0 --json state "hold:h/$A"
	expect_json '.state == "stop"'
	expect_shown "$A" seed 7
	migctl 0 --json info hold:h
	expect_json ".device.address == \"$A\"" '.state == "stop"'
	hold_end
	says holder.err "$A: not held any longer: "
	expect_shown "$A" seed 0
}

@test "hold: a device is saved and loaded through its holder" {
	local digest

	sim "$B" reset_on_open 1
	hold_start "$A" "$B"
	sim "$A" seed 7
	migctl 0 save "hold:h/$A" running.img
	expect_shown "$A" state running
	migctl 0 state "hold:h/$A" stop
	shown "$A" digest
	digest=$shown
	migctl 0 save "hold:h/$A" a.img
	expect_shown "$A" state stop
	migctl 0 --json resume --stop "hold:h/$B" a.img
	expect_json '.device.via == "hold"'
	expect_shown "$B" digest "$digest"
	expect_shown "$B" state stop
	migctl 64 state hold:h
	expect_message 'several devices are held here, name one: ' "$A" "$B"
	migctl 66 state hold:h/vfio77
	expect_message 'vfio77: not held here'
	migctl 0 --json list "hold:h/$A"
	expect_json '.devices[0].state == "stop"'
	hold_end
}

@test "hold: its devices are had of it alone, and list hold:PATH shows all" {
	local command line

	hold_start "$A" "$B"
	for command in state info; do
		migctl 71 "$command" "pid:$holder/$A"
		expect_message "pid:$holder/$A: lent at hold:$PWD/h/$A by vfiomigctl (pid $holder)"
	done
	migctl 71 save "pid:$holder" state.img
	expect_message "pid:$holder: lent at hold:$PWD/h by"
	migctl 71 state "pid:$holder/$A" stop
	expect_shown "$A" state running
	migctl 71 state "$A" stop
	expect_message "$A: held by another process: vfiomigctl (pid $holder" \
		"it is lent: name it hold:$PWD/h/$A"
	migctl 0 state "hold:$PWD/h/$A" stop
	migctl 0 --json list hold:h
	expect_json "[.devices[].address] == [\"$A\", \"$B\"]" \
		'[.devices[].state] == ["stop", "running"]' \
		"all(.devices[]; .holders[0].pid == $holder)" \
		"all(.devices[]; .holders[0].socket == \"$PWD/h\" and .holder == \"hold:$PWD/h\")" \
		'all(.devices[]; .lease == {"use": "idle", "by": null, "pid": null})' \
		'[.devices[].name] | unique == ["a device that migrates by the v2 protocol"]'
	start client "$client" h "{\"schema\": 1, \"request\": \"get\", \"name\": \"$A\", \
		\"use\": \"change\", \"by\": \"my vmm\"}" wait
	eventually says client.out waiting
	migctl 0 --json list hold:h
	expect_json "[.devices[].client] == [\"my vmm[$client]\", \"idle\"]" \
		".devices[0].lease == {\"use\": \"change\", \"by\": \"my vmm\", \"pid\": $client}"
	migctl 0 list hold:h
	[[ ${lines[0]} == 'DEVICE '*'HELD BY '*'CLIENT'* ]]
	[[ ${lines[1]} == "${A:0:30}"*"$client]"* && ${lines[2]} == *" idle"* ]]
	for line in "${lines[@]}"; do
		((${#line} <= 100))
	done
	migctl 0 list
	[[ ${lines[0]} != *CLIENT* && $output == *"hold:"*/h* ]]
	kill -TERM "$client"
	wait "$client" || true
	eventually says holder.err 'ended in the middle of changing it'
	hold_end
	migctl 66 list hold:h
	expect_message 'hold:h'
}

@test "hold: two devices of a set are saved and loaded together, by cdev and by group" {
	local via

	sim "$B" reset_on_open 1
	for via in cdev group; do
		hold_start --via "$via" "$A" "$B"
		sim "$A" seed 7
		sim "$B" seed 8
		migctl 0 save "hold:h/$A" "hold:h/$B" set.img --force
		sim "$A" seed 0
		sim "$B" seed 0
		migctl 0 resume "hold:h/$A" "hold:h/$B" set.img
		expect_shown "$A" seed 7
		expect_shown "$B" seed 8
		hold_end
	done
}

@test "hold: a client after the manual page alone gets what it asks for" {
	hold_start "$A"
	record "$client" h '{"schema": 1, "request": "list"}' "$(lend change stay)" info state:1 \
		'{"schema": 1, "request": "release"}' '{"schema": 1, "request": "list"}'
	echo "$output"
	((status == 0))
	((${#lines[@]} == 6))
	[[ ${lines[0]} == *"\"name\": \"$A\""*'"state": "running", "use": "idle"'* ]]
	[[ ${lines[1]} == *'"reply": "get"'*'"use": "change"'*'"fds": ["device", "iommufd"]'* ]]
	[[ ${lines[2]} == 'flags 0x3' ]]
	[[ ${lines[3]} == 'state 1, data_fd no' ]]
	[[ ${lines[4]} == *'"reply": "release"'*'"state": "stop", "use": "idle"'* ]]
	[[ ${lines[5]} == *'"note": null'* ]]
	expect_shown "$A" state stop
	hold_end
	hold_start --via group "$A"
	record "$client" h "$(lend read stay)" info
	[[ ${lines[0]} == *'"fds": ["device", "group", "container"]'* ]]
	[[ ${lines[1]} == 'flags 0x3' ]]
	migctl 0 --json info hold:h
	expect_json '.device.via == "hold"'
	sed -n '/^import json/,/^```/p' "$page" | sed '$d' >example.py
	record -0 python3 example.py h
	[[ ${lines[0]} == "$A running" && ${lines[1]} == 'device '* && ${lines[-1]} == running ]]
	hold_end
}

@test "hold: one client at a time may change a device, others may ask" {
	hold_start "$A"
	start client "$client" h "$(lend change stay)" wait
	eventually says client.out waiting
	migctl 71 state hold:h stop
	expect_message "$A: a client (pid $client) has it, and may change its state" EBUSY \
		'wait for that one to end'
	migctl 71 save hold:h file
	migctl 71 save --dry-run hold:h file
	expect_message "hold:h: $A: a client (pid $client) has it, and may change its state"
	expect_files client.err client.out h holder.err holder.out
	migctl 0 info hold:h
	migctl 0 state hold:h
	kill -USR1 "$holder"
	eventually says holder.err "$A: held; changed by a client (pid $client)"
	kill -TERM "$client"
	wait "$client" || true
	eventually says holder.err 'ended in the middle of changing it; it is in running'
	migctl 0 state hold:h stop
	expect_message "the last client, a client (pid $client), ended in the middle"
	migctl 0 state hold:h running
	[[ $stderr != *'last client'* ]]
	kill -USR1 "$holder"
	eventually says holder.err "$A: held, in running; no client has it"
	hold_end
}

@test "hold: a save that is killed leaves its device where it was" {
	hold_start "$A"
	sim "$A" seed 7
	sim "$A" fault 'stall-read 4096'
	start save "$VFIOMIGCTL" save hold:h file
	eventually stalled "$A"
	expect_state "$A" stop-copy
	kill -KILL "$save"
	wait "$save" || true
	eventually is_in "$A" running
	expect_shown "$A" seed 7
	eventually says holder.err "$A: the last client, vfiomigctl save (pid $save), ended in the \
middle of changing it; found in stop-copy, brought to running"
	migctl 0 --json info hold:h
	expect_message 'found in stop-copy, brought to running'
	migctl 0 save hold:h file
	expect_message 'found in stop-copy, brought to running'
	migctl 0 verify file
	hold_end
}

# hang UUID ARG...: a save of it through ./h was killed, and the holder cannot bring it back.
hang()
{
	local uuid=$1

	sim "$uuid" fault 'stall-read 4096'
	sim "$uuid" fault 'stall-arc stop-copy stop'
	start save "$VFIOMIGCTL" save "hold:h/$uuid" file
	eventually stalled "$uuid"
	kill -KILL "$save"
	wait "$save" || true
	eventually says holder.err "$uuid: the last client, vfiomigctl save (pid $save), ended in the \
middle of changing it; its driver has not come back from stop-copy -> stop"
}

@test "hold: a driver that hangs holds up neither other devices nor other clients" {
	hold_start "$A" "$B"
	hang "$A"
	migctl 71 state "hold:h/$A" stop
	expect_message "$A: being brought back since a client was lost; its driver is in stop-copy -> \
stop, for " EBUSY "its driver may hang: see the kernel's log"
	migctl 71 info "hold:h/$A"
	migctl 71 save --dry-run "hold:h/$A" file
	expect_message "$A: its holder brings it back since a client was lost; try again"
	migctl 0 state "hold:h/$B" stop
	record "$client" h '{"schema": 1, "request": "list"}'
	[[ $output == *"\"name\": \"$A\""*'"state": null, "use": "recover", "by": null'* ]]
	kill -USR1 "$holder"
	eventually says holder.err "$A: held; being brought back, its driver is in stop-copy -> stop"
	sim "$A" release 1
	eventually says holder.err 'middle of changing it; found in stop-copy, brought to running'
	migctl 0 state "hold:h/$A" stop
	hold_end
}

@test "hold: a driver that hangs does not keep the holder from its end" {
	hold_start "$A" "$B"
	hang "$A"
	kill -TERM "$holder"
	finish holder 81 "vfiomigctl: $A: its driver has not come back from stop-copy -> stop" \
		"see the kernel's log"
	says holder.err "$B: not held any longer: "
	[[ ! -e h ]]
}

# lists UUID TEXT: what the holder tells of a device has TEXT in it.
lists()
{
	record "$client" h '{"schema": 1, "request": "list"}'
	[[ $output == *"\"name\": \"$1\""*"$2"* ]]
}

@test "hold: a driver that does not say where its device is holds up no other" {
	hold_start "$A" "$B"
	sim "$A" fault stall-get
	lists "$A" '"state": null, "use": "idle"'
	stalled "$A"
	migctl 0 state "hold:h/$B" stop
	migctl 71 state "hold:h/$A" stop
	expect_message "$A: its driver has not come back from asking for its state, for " EBUSY \
		"its driver may hang: see the kernel's log"
	lists "$A" '"note": "its driver has not come back from asking for its state, for '
	kill -USR1 "$holder"
	eventually says holder.err \
		"$A: held; its driver has not come back from asking for its state, for "
	says holder.err "$A: its driver has not come back from asking for its state, for "
	sim "$A" release 1
	eventually lists "$A" '"state": "running"'
	migctl 0 state "hold:h/$A" stop
	hold_end
}

@test "hold: what a client asks for while a driver is asked it gets afterwards" {
	hold_start -v "$A"
	sim "$A" fault stall-get
	start change "$VFIOMIGCTL" state hold:h stop
	eventually stalled "$A"
	eventually says holder.err ') waits until it is free'
	sim "$A" release 1
	finish change 0
	expect_state "$A" stop
	hold_end
}

@test "hold: a session that is left by a release is ended when its driver says where it is" {
	hold_start "$A"
	cat >leave.py <<-'END'
		import fcntl, socket, struct, sys

		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect("h")
		s.send(b'{"schema":1,"request":"get","use":"change","if_lost":"return"}')
		_, fds, _, _ = socket.recv_fds(s, 65536, 4)
		# SET of STOP_COPY (3) by VFIO_DEVICE_FEATURE; feature 2
		fcntl.ioctl(fds[0], 0x3B75, bytearray(struct.pack("IIIi", 16, 1 << 17 | 2, 3, -1)))
		with open(sys.argv[1], "w") as fault:
		    fault.write("stall-get")
		s.send(b'{"schema":1,"request":"release"}')
		print(s.recv(65536).decode())
	END
	record -0 python3 leave.py "$sysfs/$A/migsim/fault"
	[[ $output == *'"reply":"release"'* ]]
	sim "$A" release 1
	eventually says holder.err 'left it in the middle of a session; found in stop-copy'
	lists "$A" '"state": "stop"'
	hold_end
}

@test "hold: a driver that hangs in SET_IRQS holds up no other" {
	sim "$A" fault stall-irqs
	hold_start "$A" "$B"
	stalled "$A"
	migctl 0 state "hold:h/$B" stop
	migctl 71 state "hold:h/$A" stop
	expect_message "$A: its driver has not come back from setting its interrupts, for "
	sim "$A" release 1
	eventually migctl 0 state "hold:h/$A" stop
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	# The client before may not be gone yet: then it is not said where the device was.
	eventually says holder.err "$A: closed, so that the host can have it"
	hold_end
}

@test "hold --background: interrupts that a driver takes long to set are heard" {
	local pid

	sim "$A" fault stall-irqs
	migctl 0 hold --background --pid-file=it.pid --socket=h "$A"
	read -r pid <it.pid
	eventually stalled "$A"
	sim "$A" release 1
	eventually lists "$A" '"state": "running"'
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	eventually has_ended "$pid"
	[[ ! -e h && ! -e it.pid ]]
}

@test "hold: a driver that hangs when it is closed holds up no other" {
	hold_start "$A" "$B"
	sim "$A" fault stall-close
	start removal bash -c "echo 1 >/sys/bus/mdev/devices/$A/remove"
	eventually says holder.err "$A: its driver has not come back from closing it, for "
	migctl 0 state "hold:h/$B" stop
	migctl 71 state "hold:h/$A" stop
	expect_message "$A: its driver has not come back from closing it, for "
	[[ $(<holder.err) != *"$A: closed"* ]]
	echo 1 >/sys/module/migsim/parameters/release_closes
	eventually says holder.err "$A: closed, so that the host can have it (it was in running)"
	finish removal 0
	devices=("$B")
	hold_end
}

@test "hold: a device whose driver hangs at its close keeps no other from that" {
	sim "$B" reset_on_open 1
	hold_start "$A" "$B"
	sim "$A" fault stall-close
	sim "$B" seed 7
	kill -TERM "$holder"
	finish holder 81 "vfiomigctl: $A: its driver has not come back from closing it, for " \
		"see the kernel's log"
	expect_shown "$B" seed 0
	[[ ! -e h ]]
}

being_brought_back()
{
	record "$client" h '{"schema": 1, "request": "list"}'
	[[ $output == *'"use": "recover"'* ]]
}

@test "hold: what the host asks for while it is brought back it gets afterwards" {
	sim "$A" delay 'stop-copy stop 4000'
	hold_start "$A"
	sim "$A" fault 'stall-read 4096'
	start save "$VFIOMIGCTL" save hold:h file
	eventually stalled "$A"
	kill -KILL "$save"
	wait "$save" || true
	eventually being_brought_back
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	finish holder 81 'found in stop-copy, brought to running' "$A: the host asks for it" \
		"$A: closed, so that the host can have it (it was in running)"
}

@test "hold: a client that asks while a device is brought back waits for that" {
	sim "$A" delay 'stop-copy stop 300'
	hold_start -v "$A"
	sim "$A" fault 'stall-read 4096'
	start save "$VFIOMIGCTL" save hold:h file
	eventually stalled "$A"
	kill -STOP "$holder"
	kill -KILL "$save"
	wait "$save" || true
	start change "$VFIOMIGCTL" state hold:h stop
	start reader "$VFIOMIGCTL" info hold:h
	kill -CONT "$holder"
	finish change 0 'found in stop-copy, brought to running'
	finish reader 0
	says holder.err ') waits until it is brought back'
	expect_state "$A" stop
	hold_end
}

# What a client is told to wait for is over when it has its answer.
held_as_before()
{
	record -0 "$VFIOMIGCTL" -q state hold:h stop
	record -0 "$VFIOMIGCTL" -q state hold:h running
	[[ ! -e file ]] || "$VFIOMIGCTL" -q verify file
	rm -f file
}

returned()
{
	eventually is_in "$A" running
	held_as_before
	expect_shown "$A" seed 7
}

@test "hold: a client is killed at each of its system calls" {
	hold_start "$A"
	migctl 0 save hold:h other
	sim "$A" seed 7
	kill_at_calls returned "$VFIOMIGCTL" -q save hold:h file
	kill_at_calls held_as_before "$VFIOMIGCTL" -q resume --no-hold hold:h other
	hold_end
}

@test "hold: a script is told whether the device of a killed save is back" {
	local word target action restored

	hold_start "$A"
	while read -r action target word restored; do
		printf '#!/bin/bash\n[[ $1 != %s ]] || kill -KILL $PPID\n%s\n' "$action" \
			'[[ $1 != abort ]] || echo "$VFIOMIG_RECOVERED" >said' >hook
		chmod +x hook
		rm -f said
		record -137 "$VFIOMIGCTL" save --force --action-script ./hook hold:h "$target"
		eventually test -s said
		echo "$action, $target: $(<said)"
		[[ $(<said) == "$word" ]]
		record "$client" h '{"schema": 1, "request": "list"}'
		[[ $output == *'"restored": '"$restored"* ]]
		eventually guardian_is_gone
		migctl 0 state hold:h running
	done <<-'END'
		pre-stop file yes true
		post-stop file yes true
		post-stop exec:cat>file no false
	END
	record "$client" h '{"schema": 1, "request": "list"}'
	[[ $output == *'"restored": null'* ]]
	hold_end
}

@test "hold: a device whose state may have gone to another host is not started" {
	hold_start "$A"
	sim "$A" seed 7
	sim "$A" fault 'stall-read 4096'
	start save "$VFIOMIGCTL" save hold:h 'exec:cat >file'
	eventually stalled "$A"
	expect_state "$A" stop-copy
	kill -KILL "$save"
	wait "$save" || true
	eventually is_in "$A" stop
	expect_shown "$A" seed 7
	migctl 0 state hold:h running
	expect_message 'found in stop-copy, brought to stop'
	hold_end
}

@test "hold: a load that is killed is dropped, and the next client is told" {
	hold_start "$A"
	migctl 0 save hold:h file
	sim "$A" fault 'stall-write 4096'
	start resume "$VFIOMIGCTL" resume --no-hold hold:h file
	eventually stalled "$A"
	expect_state "$A" resuming
	kill -KILL "$resume"
	wait "$resume" || true
	eventually is_in "$A" stop
	expect_shown "$A" resets 1
	migctl 0 resume hold:h file
	expect_message 'found in resuming, brought to stop by a reset: what it held is lost'
	hold_end
}

@test "hold: a client that has not waited for its answer has never had the device" {
	hold_start -v "$A"
	kill -STOP "$holder"
	migctl 76 save --timeout=50ms hold:h file
	expect_message 'hold:h: the holder does not answer' 'it is stopped, or busy'
	kill -CONT "$holder"
	migctl 0 state hold:h
	[[ -z $stderr ]]
	says holder.err 'vfiomigctl save (pid '
	says holder.err 'it does not get its answer: EPIPE'
	[[ $(<holder.err) != *"the last client"* ]]
	migctl 0 save hold:h file
	eventually says holder.err ') has it, to change its state'
	eventually says holder.err ') has given it back'
	hold_end
}

@test "hold: other users are turned away, unless they are allowed" {
	local as=(setpriv --reuid 65534 --regid 65534 --clear-groups)

	public_tool
	cd "${tool%/*}"
	hold_start "$A"
	record "${as[@]}" "$tool" state "hold:$PWD/h"
	((status == 77))
	expect_message 'Permission denied (EACCES)'
	chmod 666 h
	record "${as[@]}" "$tool" state "hold:$PWD/h"
	((status == 77))
	expect_message 'user 65534 may not use this holder' EPERM
	hold_end
	hold_start --allow-uid 65534 "$A"
	record "${as[@]}" "$tool" state "hold:$PWD/h" stop
	echo "$stderr"
	((status == 0))
	expect_shown "$A" state stop
	hold_end
}

@test "hold: the host gets a device back that it asks for, and the holder says so" {
	hold_start "$A" "$B"
	start client "$client" h "{\"schema\": 1, \"request\": \"get\", \"name\": \"$A\"}" events
	eventually says client.out '"reply": "get"'
	start remove bash -c "echo 1 >/sys/bus/mdev/devices/$A/remove"
	eventually says holder.err "$A: closed, so that the host can have it (it was in running); \
the state that it held is lost; a client has it open still, and the host waits for that one"
	says holder.err "$A: the host asks for it (an unbind or an unplug)"
	eventually says client.out "\"event\": \"request\", \"name\": \"$A\", \"answer\": \"release\""
	kill -TERM "$client"
	wait "$client" || true
	finish remove 0
	devices=("$B")
	migctl 66 state "hold:h/$A"
	migctl 0 state "hold:h/$B" stop
	hold_end
}

@test "hold: a holder whose last device is asked for ends, and says what is lost" {
	hold_start "$A"
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	finish holder 81 "vfiomigctl: $A: closed, so that the host can have it (it was in running)" \
		'the state that it held is lost'
	[[ ! -e h ]]
}

@test "hold: a request may be refused; then the host waits until the holder ends" {
	hold_start --on-request=refuse "$A"
	sim "$A" seed 7
	start remove bash -c "echo 1 >/sys/bus/mdev/devices/$A/remove"
	eventually says holder.err 'refused; that waits until this holder ends'
	migctl 0 --json info hold:h
	expect_json '.state == "running"'
	kill -0 "$remove"
	hold_end
	finish remove 0
	devices=("$B")
}

@test "hold: a client that took the interrupt for itself does not keep the holder from hearing" {
	hold_start "$A"
	record "$client" h "$(lend read stay)" irq
	[[ ${lines[1]} == irq ]]
	migctl 0 state hold:h
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	finish holder 81 'closed, so that the host can have it'
}

@test "hold: an error of the bus is told" {
	hold_start "$A"
	start client "$client" h "$(lend read stay)" events
	eventually says client.out '"reply": "get"'
	sim "$A" bus_error 1
	eventually says holder.err "$A: an error on its bus: what it holds is not to be trusted"
	eventually says client.out '"event": "bus-error"'
	hold_end
	wait "$client"
}

@test "resume: holds on, and gives up what the host asks for" {
	sim "$A" seed 7
	hold_start "$A"
	migctl 0 save hold:h file
	hold_end
	start resume "$VFIOMIGCTL" --json resume "$A" file
	eventually is_whole resume.out
	kill -USR1 "$resume"
	eventually says resume.err "$A: held, in running; no client has it"
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	finish resume 81 "$A: the host asks for it" "$A: closed, so that the host can have it"
}

@test "resume: a driver that hangs in SET_IRQS does not keep it from its end" {
	hold_start "$A" "$B"
	migctl 0 save "hold:h/$A" file
	hold_end
	sim "$A" fault stall-irqs
	start resume "$VFIOMIGCTL" --json resume "$A" file
	eventually stalled "$A"
	kill -TERM "$resume"
	finish resume 81 \
		"vfiomigctl: $A: its driver has not come back from setting its interrupts, for " \
		"see the kernel's log"
}

@test "hold: a device that is handed over lives on with the holder" {
	hold_start
	[[ $(<holder.out) != *'"device"'* ]]
	record "$tools/with-fd" "$A" 7 bash -c \
		"echo 7 >/sys/bus/mdev/devices/$A/migsim/seed; '$client' h give:$A:7"
	echo "$output$stderr"
	[[ $output == *'"reply": "give", "device": {"name": "'"$A"* ]]
	expect_shown "$A" seed 7
	migctl 0 save hold:h file
	expect_shown "$A" seed 7
	says holder.err "$A: given by a client (pid "
	record "$client" h "give:$A:0" give:x:1
	[[ ${lines[0]} == *'"errno": "ENOTTY"'* ]]
	record "$tools/with-fd" "$B" 7 "$client" h "give:$A:7"
	[[ $output == *'"reply": "give", "device": {"name": "'"$B"* ]]
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	eventually says holder.err "$A: closed, so that the host can have it"
	devices=("$B")
	hold_end
}

@test "hold: an owner's device that is handed over leaves the owner its interrupts" {
	start owner "$VFIOMIGCTL" hold --json "$A"
	eventually is_whole owner.out
	sim "$B" reset_on_open 0
	migctl 0 save --leave=stop "$B" file
	hold_start
	migctl 0 state "pid:$owner" stop
	migctl 0 resume --handover h "pid:$owner" file
	eventually says holder.err "$A: given by a client"
	start removal bash -c "echo 1 >/sys/bus/mdev/devices/$A/remove"
	eventually says owner.err "$A: closed, so that the host can have it"
	hold_end
	wait "$removal"
	devices=("$B")
}

@test "hold: a device of another group is not taken for the one that it is said to be" {
	start owner "$VFIOMIGCTL" hold --json --via group --socket o "$B"
	eventually is_whole owner.out
	hold_start
	cat >pass.py <<-'END'
		import json, socket, sys

		def connect(path):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.connect(path)
		    return s

		ours = connect("o")
		ours.send(b'{"schema":1,"request":"get"}')
		data, fds, _, _ = socket.recv_fds(ours, 65536, 4)
		give = {"schema": 1, "request": "give", "name": sys.argv[1],
		        "fds": json.loads(data)["fds"]}
		theirs = connect("h")
		socket.send_fds(theirs, [json.dumps(give).encode()], fds)
		print(give["fds"], theirs.recv(65536).decode())
	END
	record python3 pass.py "$A"
	echo "$output$stderr"
	[[ $output == *"'group', 'container'"* ]]
	# From Linux 6.18 on a descriptor says whose it is, and is taken for that.
	[[ $output == *"$A: came with another device's group"* ||
		$output == *'"reply":"give","device":{"name":"'"$B"* ]]
	record python3 pass.py "$B"
	echo "$output$stderr"
	[[ $output == *'"name":"'"$B"* || $output == *"$B: held already"* ]]
	kill "$owner"
	wait "$owner"
	cat holder.err
	hold_end
}

@test "hold: a dead holder's socket is replaced, and its device is as good as new" {
	hold_start "$A"
	migctl 0 save hold:h file
	sim "$A" seed 7
	kill -KILL "$holder"
	wait "$holder" || true
	[[ -S h ]]
	# The holder is asked, whatever debugfs and sysfs know of the device.
	cat >dead <<-END
		state hold:h
		state hold:h/$A
		state --dry-run hold:h/$A stop
		save --dry-run hold:h/$A other
		resume --dry-run hold:h/$A file
		info hold:h/$A
	END
	while read -r -a words; do
		migctl 66 "${words[@]}"
		expect_message 'connecting: Connection refused (ECONNREFUSED); is its holder running?'
	done <dead
	hold_start "$A"
	expect_shown "$A" seed 0
	hold_end
}

# manager_start ARG...: a holder below a service manager, in $manager; $holder is the holder.
manager_start()
{
	start manager "$manager_py" "$VFIOMIGCTL" hold --socket h "$@"
	eventually says manager.out 'READY=1'
	find_holder
}

find_holder()
{
	holder=$(sed -n 's/^started //p' manager.out | tail -n 1)
}

# starts N: the manager has begun its Nth holder, which is ready.
starts()
{
	(($(grep -c READY=1 manager.out) == $1))
}

@test "hold: a state survives a restart of the holder's service" {
	local via

	sim "$B" reset_on_open 1
	for via in cdev group; do
		manager_start --via "$via" "$A" "$B"
		says manager.out 'READY=1 STATUS=devices held: 2'
		sim "$A" seed 7
		sim "$B" seed 8
		kill -KILL "$holder"
		eventually starts 2
		expect_shown "$A" seed 7
		expect_shown "$B" seed 8
		record "$client" h '{"schema": 1, "request": "list"}' \
			"{\"schema\": 1, \"request\": \"get\", \"name\": \"$B\"}" info
		echo "$output"
		[[ ${lines[0]} == *"$A"* && ${lines[0]} == *"$B"* ]]
		if [[ $via == cdev ]]; then
			[[ ${lines[1]} == *'"fds": ["device", "iommufd"]'* ]]
		fi
		[[ ${lines[2]} == 'flags 0x3' ]]
		migctl 0 save "hold:h/$A" "hold:h/$B" set.img --force
		find_holder
		kill -TERM "$holder"
		wait "$manager"
		rm notify
	done
}

@test "hold: what the host asks for leaves the service manager's store" {
	manager_start "$A" "$B"
	kill -KILL "$holder"
	eventually starts 2
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	eventually says manager.out "removed device.$A"
	eventually says manager.out 'STATUS=devices held: 1'
	find_holder
	kill -KILL "$holder"
	eventually starts 3
	says manager.err "$A: no such mdev; holding the others"
	record "$client" h '{"schema": 1, "request": "get"}'
	[[ $output == *"$B"*'"fds": ["device", "iommufd"]'* ]]
	find_holder
	kill -TERM "$holder"
	wait "$manager"
}

@test "hold: an owner's device that is left alone is given up when the host asks for it" {
	start owner "$VFIOMIGCTL" hold --json "$A"
	eventually is_whole owner.out
	hold_start "pid:$owner"
	kill -KILL "$owner"
	wait "$owner" || true
	eventually says holder.err "$A: the process that had it, too, is gone"
	echo 1 >"/sys/bus/mdev/devices/$A/remove"
	devices=("$B")
	finish holder 81 "$A: closed, so that the host can have it"
}

@test "hold: an owner keeps its interrupts when the holder's service is restarted" {
	start owner "$VFIOMIGCTL" hold --json "$A"
	eventually is_whole owner.out
	manager_start "pid:$owner" "$B"
	says manager.out "stored shared-device.$A"
	says manager.out "stored device.$B"
	kill -KILL "$holder"
	eventually starts 2
	find_holder
	record "$client" h '{"schema": 1, "request": "list"}'
	[[ $output == *"$A"*"$B"* || $output == *"$B"*"$A"* ]]
	start removal bash -c "echo 1 >/sys/bus/mdev/devices/$A/remove"
	eventually says owner.err "$A: the host asks for it"
	kill -TERM "$holder"
	wait "$manager"
	finish removal 0
	wait "$owner" || true
	devices=("$B")
}

@test "hold: a state is refused when the holder that was to keep it is gone" {
	local B

	make_device B migsim-v2
	sim "$B" reset_on_open 0
	sim "$B" seed 9
	hold_start "$A"
	printf '#!/bin/bash\n[[ $1 != post-stop ]] || kill -KILL %d\n' "$holder" >hook
	chmod +x hook
	start resume "$VFIOMIGCTL" resume --listen --no-hold --action-script ./hook hold:h unix:it
	eventually grep -q ': listening on ' resume.err
	migctl 75 save --leave=stop "$B" unix:it
	expect_message 'refused by the receiver' "$A: its holder has ended meanwhile"
	finish resume 75
	wait "$holder" || (($? == 137))
	expect_state "$B" running
	expect_shown "$B" seed 9
}
