#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who owns a state that is handed over, and that never two devices run it. Between the two ends is a
# relay, as ssh -L is one: it knows nothing of what it carries, and may die at any byte.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# relay HOW: carries a connection to the socket "near" to the socket "far". HOW is
#	whole		both ways, to the end
#	no-answer	dies as soon as the first byte of an answer is there
#	cut N		dies with N bytes of the image still to come; "size" has how many there are
relay()
{
	require python3
	cat >relay.py <<-'END'
		import os, select, socket, sys

		how, left = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
		limit = int(open("size").read()) - left if how == "cut" else None
		listener = socket.socket(socket.AF_UNIX)
		listener.bind("near")
		listener.listen()
		print("ready", flush=True)
		near = listener.accept()[0]
		far = socket.socket(socket.AF_UNIX)
		far.connect("far")
		moved = 0
		while True:
		    for s in select.select([near, far], [], [])[0]:
		        if s is far and how == "no-answer":
		            os._exit(1)
		        data = s.recv(65536)
		        if s is near and limit is not None and moved + len(data) >= limit:
		            far.sendall(data[:limit - moved])
		            os._exit(1)
		        if s is near:
		            moved += len(data)
		        if not data:
		            sys.exit()
		        (far if s is near else near).sendall(data)
	END
	rm -f near
	: >relay.out
	python3 relay.py "$@" >relay.out 2>&1 3>&- &
	started+=("$!")
	eventually said ready relay.out
}

# receive ARG...: the second device is loaded by what comes to "far".
receive()
{
	: >resume.err
	start resume --json resume --listen --no-hold "$@" "$B" unix:far
	eventually said 'listening on ' resume.err
}

# mute: a receiver at the socket "near" that reads all and says nothing.
mute()
{
	require python3
	python3 - >mute.out 2>&1 3>&- <<-'END' &
		import socket

		s = socket.socket(socket.AF_UNIX)
		s.bind("near")
		s.listen()
		print("ready", flush=True)
		c = s.accept()[0]
		while c.recv(1 << 20):
		    pass
	END
	started+=("$!")
	eventually said ready mute.out
}

# both A-STATE B-STATE
both()
{
	expect_state "$A" "$1"
	expect_state "$B" "$2"
}

# owned STATUS OUTCOME OWNER: what the report in $output says.
owned()
{
	expect_json ".status == $1" ".outcome == \"$2\"" ".owner == \"$3\""
}

#
# Moves
#

@test "move: both ends report that the destination has it" {
	emu_start --state-size 3M
	receive
	relay whole
	migctl 0 --json save --leave=stop "$A" unix:near
	owned 0 completed destination
	finish resume 0
	owned 0 completed destination
	expect_json '.copy == false' '.state == "running"'
	both stop running
}

@test "move: a relay that dies with the answer leaves the sender in doubt and stopped" {
	emu_start --state-size 3M
	receive
	relay no-answer
	migctl 80 --json save --leave=stop "$A" unix:near
	owned 80 in-doubt unknown
	expect_json '.state == "stop"' '.error.hint == "if it does not: vfiomigctl state vfio-user:emu running"'
	finish resume 0
	owned 0 completed destination
	both stop running
}

# The END is a page: a byte before it has left it is no image, a byte of it may be all that was seen.
@test "move: at whatever byte near its end the connection is lost, at most one runs" {
	local left sent

	emu_start --state-size 64K
	migctl 0 save --leave=stop "$A" image
	stat -c %s image >size
	for left in 1 512 4095 4096; do
		set_state "$A" running
		receive
		relay cut "$left"
		run --separate-stderr "$VFIOMIGCTL" --json save --leave=stop "$A" unix:near
		sent=$status
		finish resume 75
		owned 75 aborted source
		state_of "$A"
		echo "$left: exit status $sent, the source is in $real"
		case $sent in
		80) [[ $real == stop ]] ;;
		75) [[ $real == running ]] ;;
		*) false ;;
		esac
		expect_state "$B" stop
		rm -f far
	done
}

@test "move: a connection that is lost before the end gives the device back" {
	# More than the buffers in between hold: the sender is not through yet.
	emu_start --state-size 64M
	migctl 0 save "$A" image
	stat -c %s image >size
	receive
	relay cut 60000000
	migctl 75 --json save --leave=stop "$A" unix:near
	owned 75 aborted source
	finish resume 75
	owned 75 aborted source
	both running stop
}

@test "move: a receiver that refuses after the end gives the device back" {
	emu_start --state-size 3M --fault 1@fail=resuming:stop:EINVAL
	receive
	relay whole
	migctl 75 --json save --leave=stop "$A" unix:near
	owned 75 aborted source
	expect_message 'refused by the receiver: '
	finish resume 65
	owned 65 aborted source
	both running stop
}

@test "move: silence towards a device that was found stopped is doubt, too" {
	emu_start
	set_state "$A" stop
	mute
	migctl 80 --json save --timeout=1 "$A" unix:near
	owned 80 in-doubt unknown
	expect_state "$A" stop
}

@test "move: a command that took all and then fails is doubt" {
	local how

	emu_start --state-size 3M
	for how in 'exit 255' 'kill -KILL $$'; do
		set_state "$A" running
		set_state "$B" running
		migctl 80 --json save --leave=stop "$A" "exec:'$tool' resume --no-hold $B - >/dev/null; $how"
		[[ $output == *'"outcome": "in-doubt"'* && $output == *'"owner": "unknown"'* ]]
		both stop running
	done
}

@test "move: a command that succeeds cannot say who has it" {
	emu_start --state-size 3M
	migctl 0 --json save --leave=stop "$A" "exec:'$tool' resume --no-hold $B - >/dev/null"
	owned 0 completed unknown
	both stop running
}

@test "move: a command that fails before the end gives the device back" {
	emu_start --state-size 3M
	migctl 74 --json save --leave=stop "$A" 'exec:head -c 100000 >/dev/null; exit 3'
	owned 74 aborted source
	expect_state "$A" running
}

@test "move: through a pipe the reader runs it" {
	emu_start --state-size 3M
	"$VFIOMIGCTL" -q save --leave=stop "$A" - | "$VFIOMIGCTL" -q resume --no-hold "$B" -
	both stop running
}

@test "move: a device that cannot be brought back and a silent receiver are one status" {
	emu_start --fault error=stop-copy:stop --fault refuse-reset=EIO
	mute
	migctl 81 --json save --timeout=1 --leave=stop "$A" unix:near
	owned 81 device-error unknown
	expect_message 'unix:near may have the state: unix:near: silent for 1 s'
	[[ $stderr != *'no image'* ]]
}

@test "move: a receiver that cannot tell its sender keeps the state, stopped" {
	emu_start --delay=resuming:stop=3s
	receive
	migctl 80 --json save --timeout=1 --leave=stop "$A" unix:far
	owned 80 in-doubt unknown
	finish resume 80
	owned 80 in-doubt unknown
	expect_json '.accepted' '.state == "stop"' '.recovery.reset == false'
	both stop stop
}

#
# Copies
#

@test "copy: it is loaded and stays stopped, and the sender runs on" {
	emu_start --state-size 3M
	receive
	migctl 0 --json save "$A" unix:far
	owned 0 completed source
	finish resume 0
	owned 0 completed source
	expect_json '.copy' '.accepted' '.state == "stop"'
	[[ $stderr == *"$B: stopped, as this is a copy: the sender's device runs on, or may (--clone starts"* ]]
	both running stop
}

@test "copy: held, it says why it does not run" {
	emu_start
	: >resume.err
	start resume resume --listen "$B" unix:far
	eventually said 'listening on ' resume.err
	migctl 0 save "$A" unix:far
	eventually said 'held open until' resume.err
	grep "stopped, as this is a copy: the sender's device runs on, or may (--clone starts" resume.err
	kill -TERM "$resume"
	finish resume 0
}

@test "copy: --clone starts it" {
	emu_start --state-size 3M
	receive --clone
	migctl 0 --json save "$A" unix:far
	owned 0 completed source
	finish resume 0
	owned 0 completed destination
	expect_json '.copy == false' '.state == "running"'
	both running running
}

@test "copy: nor does it start out of a pipe or a command" {
	emu_start --state-size 3M
	"$VFIOMIGCTL" -q save "$A" - | "$VFIOMIGCTL" -q resume --no-hold "$B" -
	both running stop
	migctl 0 save "$A" image
	migctl 0 --json resume --no-hold "$B" 'exec:cat image'
	owned 0 completed source
	both running stop
	migctl 0 --json resume --no-hold --clone "$B" 'exec:cat image'
	owned 0 completed destination
	both running running
}

@test "copy: of a bare stream nothing is known" {
	emu_start
	"$VFIOMIGCTL" -q save --raw "$A" - | "$VFIOMIGCTL" -q resume --raw --no-hold "$B" -
	both running stop
	migctl 0 save --raw "$A" raw
	migctl 0 --json resume --raw --no-hold "$B" 'exec:cat raw'
	owned 0 completed unknown
	migctl 0 --json resume --raw --clone --no-hold "$B" 'exec:cat raw'
	owned 0 completed destination
	both running running
}

@test "copy: what lies in a file is started" {
	emu_start
	migctl 0 save "$A" image
	migctl 0 --json resume --no-hold "$B" image
	owned 0 completed destination
	expect_json '.copy == false'
	expect_state "$B" running
}

@test "copy: without an answer the device runs on, and owns its state" {
	emu_start
	mute
	migctl 75 --json save --timeout=1 "$A" unix:near
	owned 75 aborted source
	expect_state "$A" running
}

# The manifest of the image FILE, by the drawing in vfiomig-image(5).
manifest()
{
	python3 - "$1" <<-'END'
		import struct, sys

		image = open(sys.argv[1], "rb").read(1 << 20)
		size = struct.unpack_from("<I", image, 4096 + 8)[0]
		print(image[4096 + 64:4096 + 64 + size].decode())
	END
}

@test "copy: the image says at its beginning what it is" {
	require python3
	emu_start
	migctl 0 save "$A" copy
	migctl 0 save --leave=stop "$A" move
	migctl 0 save "$A" stopped
	[[ $(manifest copy | jq -r .source) == runs-on ]]
	[[ $(manifest move | jq -r .source) == stops ]]
	[[ $(manifest stopped | jq -r .source) == stops ]]
}

#
# The device's own state
#

@test "device: a way back that is refused for now is tried again" {
	emu_start --fault drain=stop:running-p2p:500ms
	migctl 0 --json save "$A" image
	owned 0 completed source
	expect_json '.drain_retries > 0'
	expect_state "$A" running
	register emu resets
	((register == 0))
}

@test "device: one that refuses to come back keeps its state" {
	emu_start --fault fail=stop:running-p2p:EBUSY
	migctl 81 --json save --drain-timeout=0 "$A" image
	owned 81 device-error source
	expect_json '.state == "stop"' '.recovery.reset == false' '.file_bytes > 0' \
		'.error.hint == "vfiomigctl state vfio-user:emu running"'
	migctl 0 verify image
	expect_state "$A" stop
	register emu resets
	((register == 0))
}

@test "device: an aborted move comes back the same way" {
	emu_start --fault drain=stop:running-p2p:500ms --fault fail=1000:EIO
	migctl 74 --json save --leave=stop "$A" image
	owned 74 aborted source
	expect_state "$A" running
	register emu resets
	((register == 0))
}

@test "device: in ERROR for good, nothing has its state" {
	emu_start --fault error=stop-copy:stop --fault refuse-reset=EIO
	migctl 81 --json save "$A" image
	owned 81 device-error none
	migctl 81 --json save "$A" other
	owned 81 device-error none
	expect_message 'there is no state to save'
}

@test "device: the way to RESUMING is tried again, and costs nothing if it stays refused" {
	emu_start --fault 1@drain=stop:resuming:500ms
	migctl 0 save "$A" image
	migctl 0 resume --no-hold "$B" image
	emu_stop
	emu_start --fault 1@fail=stop:resuming:EBUSY
	register emu.1 digest
	before=$register
	migctl 75 --json resume --drain-timeout=0 --no-hold "$B" image
	owned 75 aborted none
	expect_message 'the device is in running again'
	expect_state "$B" running
	register emu.1 resets
	((register == 0))
	register emu.1 digest
	[[ $register == "$before" ]]
}

@test "device: an accepted state that is in ERROR is lost, and not reset" {
	emu_start --fault 1@error=stop:running-p2p
	receive
	migctl 0 save --leave=stop "$A" unix:far
	finish resume 81
	owned 81 device-error none
	expect_json '.accepted' '.recovery.reset == false'
	register emu.1 resets
	((register == 0))
}

#
# What a signal, or a driver that falls silent, must not lose
#

@test "hold: a signal that comes too late to abort does not drop the only copy" {
	emu_start --reset-on-disconnect --delay running-p2p:running=3s
	: >resume.err
	start resume --json resume -v --listen "$B" unix:far
	eventually said 'listening on ' resume.err
	migctl 0 --json save --leave=stop "$A" unix:far
	owned 0 completed destination
	kill -INT "$resume"
	eventually said 'ending this may lose it' resume.err
	eventually said 'held open until' resume.err
	kill -TERM "$resume"
	finish resume 0
	owned 0 completed destination
}

# whole FILE: all of the stream is there.
whole()
{
	[[ -e $1 && $(stat -c %s "$1") == 3145728 ]]
}

@test "raw: once all of it has left, a cancel is doubt" {
	emu_start --state-size 3M --delay stop-copy:stop=3s
	: >save.err
	start save --json save --raw --leave=stop "$A" 'exec:cat >raw'
	eventually whole raw
	kill -INT "$save"
	finish save 80
	owned 80 in-doubt unknown
	expect_state "$A" stop
}

@test "move: a receiver's refusal gives back a device that had not reached STOP" {
	emu_start --fault '0@fail=stop-copy:stop:EBUSY*3' --fault 1@fail=resuming:stop:EINVAL
	receive
	migctl 75 --json save --drain-timeout=0 --leave=stop "$A" unix:far
	owned 75 aborted source
	finish resume 65
	expect_state "$A" running
	register emu resets
	((register == 0))
}

@test "move: an answer that dribbles is waited for no longer than --timeout" {
	require python3
	emu_start
	python3 - >dribble.out 2>&1 3>&- <<-'END' &
		import socket, time

		s = socket.socket(socket.AF_UNIX)
		s.bind("near")
		s.listen()
		print("ready", flush=True)
		c = s.accept()[0]
		c.settimeout(1)
		try:
		    while c.recv(1 << 20):
		        pass
		except TimeoutError:
		    pass
		try:
		    for i in range(500):
		        c.sendall(b"x")
		        time.sleep(0.2)
		except OSError:
		    pass
	END
	started+=("$!")
	eventually said ready dribble.out
	migctl 80 --json save --timeout=2 --leave=stop "$A" unix:near
	owned 80 in-doubt unknown
	expect_message 'has not answered in full in time'
}
