#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of a device after a resume: it lives as long as a process has it open, and which
# process that is, is the question here. $B is reset by its first open and its last close, as a PCI
# function is.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash
load ../../recover.bash

setup()
{
	migsim_setup migsim-v2
	sim "$B" reset_on_open 1
	sim "$A" seed 7
	migctl 0 save --leave=stop "$A" state.img
}

runs()
{
	[[ $(<"/proc/$1/comm") == "$2" ]]
}

said()
{
	[[ $(<"$2") == *"$1"* ]]
}

# Nothing has $B open any more: it was reset.
lost()
{
	expect_shown "$B" seed 0
}

# A program that says what it was given, and then holds it for as long as it lives.
consumer()
{
	cat >consumer <<-'END_OF_IT'
		#!/bin/bash
		echo "for me: $((LISTEN_PID == $$)), $LISTEN_FDS: $LISTEN_FDNAMES"
		for ((fd = 3; fd < 3 + LISTEN_FDS; fd++)); do
			echo "$fd is $(readlink "/proc/$$/fd/$fd")"
		done
		printf '%s\n' "${!VFIOMIG_@}" | while read -r name; do
			echo "$name=${!name}"
		done
		echo all said
		exec tail -f /dev/null
	END_OF_IT
	chmod +x consumer
}

@test "-- COMMAND: has the device, is told so, and nothing of the tool is left" {
	consumer
	nodes "$B"
	start next "$VFIOMIGCTL" -q resume "$B" state.img -- ./consumer a b
	eventually said "all said" next.out
	expect_state "$B" stop
	same_state "$A" "$B"
	eventually runs "$next" tail
	cat next.out
	said 'for me: 1, 2: device:iommufd' next.out
	said "3 is $cdev" next.out
	said '4 is /dev/iommu' next.out
	said "VFIOMIG_DEVICE_0=$B"$'\n' next.out
	said 'VFIOMIG_DEVICE_COUNT=1' next.out
	said "VFIOMIG_DEVICES=$B"$'\n' next.out
	said 'VFIOMIG_FD_0=3' next.out
	said 'VFIOMIG_IOMMUFD_0=4' next.out
	said 'VFIOMIG_STATE_0=stop' next.out
	[[ ! -s next.err ]]
	migctl 0 inspect --json state.img
	said "VFIOMIG_IMAGE_ID=$(jq -r .image.id <<<"$output")" next.out
	kill "$next"
	finish next 143
	lost
}

@test "-- COMMAND: by group and container; --run starts the device" {
	consumer
	nodes "$B"
	start next "$VFIOMIGCTL" -q resume --run --via group "$B" state.img -- "$PWD/consumer"
	eventually said "all said" next.out
	cat next.out
	said '3: device:group:container' next.out
	said "4 is $group" next.out
	said '5 is /dev/vfio/vfio' next.out
	said 'VFIOMIG_GROUP_FD_0=4' next.out
	said 'VFIOMIG_CONTAINER_FD_0=5' next.out
	said 'VFIOMIG_STATE_0=running' next.out
	expect_state "$B" running
	eventually counts "$B"
	kill "$next"
	finish next 143
	lost
}

@test "-- COMMAND: signals are as a shell leaves them" {
	local field

	migctl 0 -q resume "$B" state.img -- cat /proc/self/status
	for field in SigBlk SigIgn SigCgt; do
		[[ $output == *"$field:"$'\t'0000000000000000* ]]
	done
}

@test "-- COMMAND: the device is under no number that was not announced" {
	consumer
	record "$tools/with-fd" "$B" 7 bash -c 'exec "$@" 8<state.img' - "$VFIOMIGCTL" -q resume fd:7 \
		state.img -- bash -c "readlink /proc/\$\$/fd/3 /proc/\$\$/fd/7; readlink /proc/\$\$/fd/8"
	((status == 0))
	nodes "$B"
	[[ ${lines[0]} == "$cdev" && ${lines[1]} == "$PWD/state.img" ]]
	((${#lines[@]} == 2))
}

@test "-- COMMAND: fd:NAME is the device, and it holds what was loaded" {
	migctl 0 extract state.img reference
	migctl 0 resume "$B" state.img -- "$VFIOMIGCTL" -q save --raw --leave=stop fd:device again
	cmp reference again
	lost
	# Without a successor it is lost, which was said before.
	start next "$VFIOMIGCTL" resume --stop "$B" state.img
	eventually said 'because closing it may reset it' next.err
	same_state "$A" "$B"
	kill "$next"
	finish next 0
	lost
}

@test "-- COMMAND: what is bound to its iommufd cannot be bound again" {
	require python3
	cat >bind.py <<-'END_OF_IT'
		import errno, fcntl, struct

		try:
		    # VFIO_DEVICE_BIND_IOMMUFD: argsz, flags, iommufd, out_devid
		    fcntl.ioctl(3, 0x3b76, struct.pack("IIiI", 16, 0, 4, 0))
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END_OF_IT
	migctl 0 -q resume "$B" state.img -- python3 bind.py
	[[ $output == EINVAL ]]
}

@test "-- COMMAND: an mtty's contents, of two devices at once" {
	local M N

	make_device M mtty-2
	make_device N mtty-2
	fill "$M" 3
	migctl 0 save --leave=stop "$M" "$N" set.img
	migctl 0 extract --device 0 set.img reference
	blank "$M"
	migctl 0 resume "$M" "$N" set.img -- bash -c \
		'echo "$LISTEN_FDS $LISTEN_FDNAMES $VFIOMIG_DEVICE_COUNT $VFIOMIG_FD_1 $VFIOMIG_DEVICE_1" >&2
		 exec "$0" -q save --raw --leave=stop "fd:$VFIOMIG_FD_0" again' "$VFIOMIGCTL"
	expect_message "4 device:iommufd:device:iommufd 2 5 $N"
	cmp reference again
	migctl 66 resume "$M" "$N" set.img -- "$VFIOMIGCTL" info fd:nosuch
	expect_message 'fd:nosuch: no descriptor has this name; there are: device, iommufd, device, iommufd'
	migctl 64 resume "$M" "$N" set.img -- "$VFIOMIGCTL" info fd:device
	expect_message 'fd:device: several have this name: fd:3, fd:5'
}

@test "-- COMMAND: one that cannot be executed after all loses nothing" {
	echo '#!/no/such/interpreter' >bad
	chmod +x bad
	start next "$VFIOMIGCTL" --json resume "$B" state.img -- ./bad
	eventually said 'held open until' next.err
	same_state "$A" "$B"
	kill -INT "$next"
	finish next 81
	expect_message './bad: cannot be executed: No such file or directory (ENOENT)' \
		"$B: loaded, and open here; another process can take it over: vfiomigctl hold pid:$next"
	lost
}

#
# --handover: the other end is written from vfiomigctl-hold(8) alone
#

# receiver HOW: takes a device at the socket "far".
receiver()
{
	require python3
	cat >receiver.py <<-'END_OF_IT'
		import array, json, os, signal, socket, sys

		how = sys.argv[1]
		far = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		far.bind("far")
		far.listen()
		print("listening", flush=True)
		s = far.accept()[0]
		data, control, flags, _ = s.recvmsg(65536, socket.CMSG_SPACE(16))
		fds = array.array("i")
		for level, kind, part in control:
		    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
		    fds.frombytes(part)
		asked = json.loads(data)
		assert asked["schema"] == 1 and asked["request"] == "give", asked
		assert len(asked["fds"]) == len(fds), asked
		print(asked["name"], *(f"{name}={os.readlink(f'/proc/self/fd/{fd}')}"
		                       for name, fd in zip(asked["fds"], fds)), flush=True)
		answers = {
		    "take": {"schema": 1, "reply": "give"},
		    "refuse": {"schema": 1, "reply": "error", "errno": "EBUSY", "message": "not now"},
		    "rave": {"schema": 1, "reply": "list", "devices": []},
		}
		if how in answers:
		    s.send(json.dumps(answers[how]).encode())
		if how == "close":
		    for fd in fds:
		        os.close(fd)
		    s.close()
		print("all said", flush=True)
		signal.pause()
	END_OF_IT
	rm -f far
	start receiver python3 receiver.py "$@"
	eventually said listening receiver.out
}

@test "--handover: the receiver has the device, and the tool is gone" {
	nodes "$B"
	receiver take
	migctl 0 --json resume --handover far "$B" state.img
	expect_json '.state == "stop"' '.successor.socket == "far"' '.outcome == "completed"' \
		'.owner == "destination"'
	expect_message "$B: stopped; to start it: vfiomigctl state hold:far/$B running"
	cat receiver.out
	said "$B device=$cdev iommufd=/dev/iommu" receiver.out
	expect_state "$B" stop
	same_state "$A" "$B"
	kill "$receiver"
	finish receiver 143
	lost
}

@test "--handover: --run, by group, in words" {
	nodes "$B"
	receiver take
	migctl 0 resume --run --via group --handover "$PWD/far" "$B" state.img
	[[ $output == *"handed over to  $PWD/far"* ]]
	said "device=anon_inode:[vfio-device] group=$group container=/dev/vfio/vfio" receiver.out
	expect_state "$B" running
	kill "$receiver"
	finish receiver 143
	lost
}

# not_taken STATUS OUTCOME MESSAGE...: the tool keeps the device, and says so; $B is as loaded.
not_taken()
{
	local want=$1 outcome=$2

	shift 2
	start next "$VFIOMIGCTL" --json resume --timeout=100ms --handover far "$B" state.img
	eventually said 'held open until' next.err
	expect_state "$B" stop
	same_state "$A" "$B"
	# A receiver that goes now takes nothing with it.
	kill "$receiver"
	finish receiver 143
	same_state "$A" "$B"
	kill "$next"
	finish next "$want"
	expect_message "$@"
	[[ $(grep -c ': open here\|and open here' next.err) == 1 && $stderr != *--no-hold* ]]
	expect_json ".status == $want" ".outcome == \"$outcome\"" '.owner == "destination"' \
		'.accepted' '.successor.socket == "far"'
	lost
}

@test "--handover: refused, the device is held" {
	receiver refuse
	not_taken 81 device-error '--handover: far: not now' "$B: loaded, and open here"
}

@test "--handover: no answer, or none that makes sense, is doubt, and the device is held" {
	receiver silent
	not_taken 80 in-doubt 'does not answer' "$B: open here, and maybe there, too" \
		'end the receiver or this process, and not both'
	receiver close
	not_taken 80 in-doubt "$B: open here, and maybe there, too"
	receiver rave
	not_taken 80 in-doubt "no answer to 'give'" "$B: open here, and maybe there, too"
}

@test "--handover: a receiver that has gone by then is said, and the device is held" {
	receiver take
	kill "$receiver"
	finish receiver 143
	start receiver tail -f /dev/null
	not_taken 81 device-error 'far' 'ECONNREFUSED' "$B: loaded, and open here"
}

@test "--handover: a signal ends the wait for an answer, and not the holding" {
	receiver silent
	start next "$VFIOMIGCTL" --json resume --handover far "$B" state.img
	eventually said "all said" receiver.out
	kill -INT "$next"
	eventually said 'held open until' next.err
	same_state "$A" "$B"
	kill -INT "$next"
	finish next 80
	kill "$receiver"
	finish receiver 143
}

@test "--handover: what is no receiver is refused before the device is opened" {
	shown "$B" opens
	opens=$shown
	migctl 66 --json resume --handover nosuch "$B" state.img
	expect_json '.outcome == "aborted"' '.owner == "none"'
	migctl 66 resume --handover nosuch "$B" state.img
	expect_message '--handover: nosuch: No such file or directory (ENOENT); is its holder running?'
	migctl 66 resume --handover state.img "$B" state.img
	expect_message '--handover: state.img: not a socket; is its holder running?'
	migctl 66 resume "$B" state.img -- nosuch
	expect_message 'nosuch: cannot be executed: No such file or directory (ENOENT)'
	migctl 77 resume "$B" state.img -- ./state.img
	expect_message './state.img: cannot be executed: Permission denied (EACCES)'
	touch used.pid
	echo precious >used.pid
	migctl 73 resume --background --pid-file used.pid "$B" state.img
	expect_message 'used.pid: is there, and no pid file'
	expect_shown "$B" opens "$opens"
}

#
# --background
#

@test "--background: ends when the device is loaded and held, by another process" {
	migctl 0 --json resume --run --background --pid-file it.pid "$B" state.img
	expect_json '.state == "running"' '.outcome == "completed"' '.owner == "destination"'
	read -r pid <it.pid
	[[ $(jq .successor.pid <<<"$output") == "$pid" ]]
	expect_state "$B" running
	eventually counts "$B"
	[[ $(readlink /proc/"$pid"/fd/{0,1,2}) == $'/dev/null\n/dev/null\n/dev/null' ]]
	[[ $(readlink "/proc/$pid/cwd") == / ]]
	# Only one has the file; a status goes to who waits for it.
	migctl 73 resume --background --pid-file it.pid "$B" state.img
	expect_message "it.pid: is of process $pid, which lives"
	kill "$pid"
	eventually gone it.pid
	eventually has_ended "$pid"
	lost
}

gone()
{
	[[ ! -e $1 ]]
}

@test "--background: a file that kill -9 left over is replaced" {
	local pid

	migctl 0 resume --background --pid-file it.pid "$B" state.img
	read -r pid <it.pid
	kill -KILL "$pid"
	eventually has_ended "$pid"
	lost
	[[ -e it.pid ]]
	migctl 0 resume --stop --background --pid-file it.pid "$B" state.img
	[[ $(<it.pid) != "$pid" ]]
	same_state "$A" "$B"
	read -r pid <it.pid
	kill "$pid"
	eventually gone it.pid
	eventually has_ended "$pid"
}

@test "--background: what fails is said by who was called, and what was loaded is not lost" {
	migctl 66 resume --background --pid-file it.pid "$B" nosuch.img
	expect_message 'nosuch.img'
	expect_files state.img
	# The pid file's folder goes while the device is loaded.
	mkdir folder
	mkfifo pipe
	start next "$VFIOMIGCTL" resume --stop --background --pid-file folder/it.pid "$B" pipe
	exec 9>pipe
	rmdir folder
	cat state.img >&9
	exec 9>&-
	eventually said 'held open until' next.err
	same_state "$A" "$B"
	kill "$next"
	finish next 81
	expect_message 'folder/it.pid: No such file or directory (ENOENT)' "$B: loaded, and open here"
	lost
}

@test "--background: no thread but one is there when it forks" {
	require strace
	start tracer strace -f -qq -e trace=clone,clone3,fork,exit -e signal=none -o trace \
		"$VFIOMIGCTL" -q resume --background --pid-file it.pid "$B" state.img
	eventually there it.pid
	kill "$(<it.pid)"
	finish tracer 0
	cat trace
	awk '/CLONE_THREAD/ && !/unfinished/ || /clone3? resumed/ && !/SIGCHLD/ { threads++ }
	     / exit\(0\)/ { threads-- }
	     /SIGCHLD/ { forks++; left = threads }
	     / exit\(0\)/ || /CLONE_THREAD/ { seen++ }
	     END { exit !(forks == 1 && left == 0 && seen >= 2) }' trace
}

there()
{
	[[ -e $1 ]]
}

#
# A holder, and its service manager: a stand-in of what systemd does, from sd_notify(3) and
# sd_listen_fds(3) alone. It keeps what it is given, one of those that are the same open file, in an
# order of its own, and starts the service again for each line of standard input.
#

manager()
{
	require python3
	cat >manager.py <<-'END_OF_IT'
		import os, socket, sys, threading

		notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		notify.bind("notify")
		store = []  # newest first
		told = open("told", "a")

		# As systemd where the kernel has no kcmp(2): what has the same inode counts as the same.
		def same(a, b):
		    return os.path.sameopenfile(a, b)

		def hear():
		    while True:
		        text, fds, _, _ = socket.recv_fds(notify, 4096, 253)
		        fields = dict(line.split("=", 1) for line in text.decode().split("\n") if line)
		        name = fields.get("FDNAME", "stored")
		        if "FDSTOREREMOVE" in fields:
		            for entry in [e for e in store if e[0] == name]:
		                os.close(entry[1])
		                store.remove(entry)
		        for fd in fds:
		            os.set_inheritable(fd, False)
		            if fields.get("FDSTORE") != "1" or any(same(fd, e[1]) for e in store):
		                os.close(fd)
		            else:
		                store.insert(0, (name, fd))
		        if "READY" in fields or "FDSTOREREMOVE" in fields:
		            print("ready" if "READY" in fields else "removed",
		                  *sorted(e[0] for e in store), file=told, flush=True)

		threading.Thread(target=hear, daemon=True).start()
		while True:
		    names = [e[0] for e in store]
		    pid = os.fork()
		    if pid == 0:
		        high = [os.dup2(e[1], 100 + i) for i, e in enumerate(store)]
		        for i, fd in enumerate(high):
		            os.dup2(fd, 3 + i)
		            os.close(fd)
		        os.environ.update(NOTIFY_SOCKET=os.path.abspath("notify"),
		                          LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(store)),
		                          LISTEN_FDNAMES=":".join(names))
		        os.execvp(sys.argv[1], sys.argv[1:])
		    open("pid", "w").write(str(pid))
		    print("started", file=told, flush=True)
		    os.waitpid(pid, 0)
		    print("ended", file=told, flush=True)
		    if not sys.stdin.readline():
		        break
	END_OF_IT
	mkfifo again
	exec 9<>again
	: >told
	python3 manager.py "$@" <again >manager.out 2>manager.err 3>&- 9>&- &
	manager=$!
}

told()
{
	[[ $(tail -n 1 told) == "$1" ]]
}

@test "hold: a device outlives its holder, killed or restarted, with a service manager" {
	local kept="device.$B iommufd.$B"

	manager "$VFIOMIGCTL" hold --socket sock "$B"
	eventually told "ready $kept"
	migctl 0 resume --no-hold --stop hold:sock state.img
	same_state "$A" "$B"
	shown "$B" opens
	opens=$shown
	# It is the holder's: for another process to have it for good it is asked itself.
	migctl 69 resume hold:sock state.img -- true
	expect_message '-- COMMAND: the device is lent, and stays its holder'
	migctl 69 resume --background hold:sock state.img
	same_state "$A" "$B"

	kill -KILL "$(<pid)"
	eventually told ended
	same_state "$A" "$B"
	echo >&9
	eventually told "ready $kept"
	migctl 0 --json state hold:sock
	expect_json '.state == "stop"' ".device.address == \"$B\""
	same_state "$A" "$B"

	kill -TERM "$(<pid)"
	eventually told ended
	echo >&9
	eventually told "ready $kept"
	migctl 0 state hold:sock running
	eventually counts "$B"
	expect_shown "$B" opens "$opens"
	kill -TERM "$(<pid)"
	eventually told ended
	kill "$manager"
	finish manager 143
	lost
}

@test "hold: two devices of one iommufd, and one that was handed over, come back" {
	sim "$A" reset_on_open 0
	manager "$VFIOMIGCTL" hold --socket sock
	eventually told ready
	migctl 0 resume --handover sock "$B" state.img
	start second "$VFIOMIGCTL" resume --stop --handover sock "$A" state.img
	finish second 0
	same_state "$A" "$B"
	kill -KILL "$(<pid)"
	eventually told ended
	same_state "$A" "$B"
	echo >&9
	eventually ready_again
	migctl 0 --json state "hold:sock/$B"
	expect_json '.state == "stop"'
	migctl 0 --json save "hold:sock/$B" back.img
	expect_json '.outcome == "completed"'
	kill -TERM "$(<pid)"
	eventually told ended
	kill "$manager"
	finish manager 143
	lost
}

ready_again()
{
	[[ $(tail -n 1 told) == "ready device."*" device."*" iommufd."* ]]
}

#
# recover: what receive has lost is loaded again, and has a new holder
#

# recovered ARG...: a destination that has decided loads $B from its spool, and passes it on by ARG...
recovered()
{
	journal here
	journal there
	forge here destination committed there "$B" "spool=\"$PWD/state.img\""
	migctl 0 --json recover --state-dir here "$TXID" "$@"
	expect_json '.phase == "done"' '.actions | index("load")' '.owner == "destination"'
	phase here destination 'done'
}

@test "recover --handover: the receiver has what was loaded again, stopped" {
	receiver take
	recovered --handover far
	expect_json '.successor.socket == "far"' '.devices[0].state == "stop"'
	expect_message "$B: stopped; to start it: vfiomigctl state hold:far/$B running"
	same_state "$A" "$B"
	expect_frozen "$B"
	kill "$receiver"
	finish receiver 143
	lost
}

@test "recover --background: what was loaded again runs, and is held until a signal" {
	local pid

	recovered --background --pid-file it.pid
	read -r pid <it.pid
	expect_json ".successor.pid == $pid" '.devices[0].state == "running"'
	eventually counts "$B"
	kill -TERM "$pid"
	eventually test ! -e it.pid
	eventually lost
}

@test "recover --no-hold: a device that loses its state by that is refused, and not touched" {
	journal here
	journal there
	forge here destination committed there "$B" "spool=\"$PWD/state.img\""
	migctl 69 --json recover --state-dir here --no-hold "$TXID"
	expect_message "$B: --no-hold: closing it" 'the state is lost then' '--handover=PATH'
	phase here destination committed
	[[ -e state.img ]]
}

@test "recover: a receiver that refuses what was loaded again leaves it held here, stopped" {
	receiver refuse
	journal here
	journal there
	forge here destination committed there "$B" "spool=\"$PWD/state.img\""
	start next "$VFIOMIGCTL" --json recover --state-dir here "$TXID" --handover far
	eventually said 'held open until' next.err
	same_state "$A" "$B"
	phase here destination 'done'
	kill -TERM "$next"
	finish next 81
	kill "$receiver"
	finish receiver 143
	lost
}
