#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# From one device into another through whatever can carry an image.

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

# receive PLACE ARG...: the second device is loaded by the first good sender that connects to PLACE.
# $at is where that is. TCP needs --insecure, which is given.
receive()
{
	local place=$1

	shift
	[[ $place != tcp:* ]] || set -- --insecure "$@"
	: >resume.err # not to be taken for what the last one said
	start resume resume --listen --no-hold --stop "$@" "$B" "$place"
	eventually said 'listening on ' resume.err
	at=$(sed -n 's/.*: listening on //p' resume.err)
}

# received STATUS: resume ends so.
received()
{
	finish resume "$1"
}

# end KIND [ARG]: the other end of a connection, as no program of ours would be. Ended with the test.
#	receivers, at the socket "it":
#	deaf		reads nothing
#	mute		reads everything into the file "received", says nothing
#	rude		closes when it has some of the image
#	answer TEXT	reads everything, then says it; "\xNN" are bytes
#	squatter	is another user, and says nothing
#	senders, to the socket "it" or TCP port ARG of this machine:
#	silent, junk, close, header, greedy, slow
#	image		sends the file "image" and shows the verdict of the answer
#	start		sends the start of the file "image", makes the file "started", and waits for "go"
#	stranger	is another user, and sends the file "image"
end()
{
	write_end
	python3 end.py "$@" 3>&-
}

write_end()
{
	require python3
	cat >end.py <<-'END'
		import os, socket, struct, sys, time

		kind, arg = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""

		# The user who calls listen() is the one that SO_PEERCRED tells.
		def accept():
		    s = socket.socket(socket.AF_UNIX)
		    s.bind("it")
		    if kind == "squatter":
		        os.setuid(65534)
		    s.listen()
		    print("ready", flush=True)
		    return s.accept()[0]

		def connect():
		    if arg:
		        return socket.create_connection(("127.0.0.1", int(arg)))
		    s = socket.socket(socket.AF_UNIX)
		    s.connect("it")
		    return s

		def read_all(s):
		    s.settimeout(1)
		    try:
		        with open("received", "wb") as f:
		            while data := s.recv(1 << 20):
		                f.write(data)
		    except TimeoutError:
		        pass
		    s.settimeout(None)

		def wait():
		    print("waits", flush=True)
		    time.sleep(1000)

		def verdict(s):
		    answer = b""
		    while len(answer) < 512:
		        more = s.recv(512 - len(answer))
		        if not more:
		            break
		        answer += more
		    print("no answer" if len(answer) < 512 else
		          ["accepted", "refused"][answer[12]] + " " + answer[48:504].rstrip(b"\0").decode(),
		          flush=True)

		# Who refuses does not wait for the end.
		def send(s, data):
		    try:
		        s.sendall(data)
		    except OSError:
		        pass

		def image():
		    with open("image", "rb") as f:
		        return f.read()

		if kind in ("deaf", "mute", "rude", "answer", "squatter"):
		    s = accept()
		    if kind == "rude":
		        s.recv(100000)
		        sys.exit()
		    if kind not in ("deaf", "squatter"):
		        read_all(s)
		    if kind == "answer":
		        s.sendall(arg.encode("latin1").decode("unicode_escape").encode("latin1"))
		    wait()
		if kind == "stranger":
		    data = image()
		    os.setuid(65534)
		s = connect()
		if kind == "stranger":
		    send(s, data)
		    verdict(s)
		elif kind == "junk":
		    s.sendall(b"GET / HTTP/1.0\r\n\r\n" * 100)
		    verdict(s)
		elif kind == "silent":
		    wait()
		elif kind == "header":
		    s.sendall(image()[:4096])
		    wait()
		elif kind == "greedy":
		    # A MANIFEST of 4 MiB, as far as they let it be one.
		    send(s, image()[:4096] + struct.pack("<IIII48x", 1, 1, 4 << 20, 0xffffffff) + bytes(4 << 20))
		    verdict(s)
		elif kind == "slow":
		    print("waits", flush=True)
		    try:
		        for byte in image():
		            s.sendall(bytes([byte]))
		            time.sleep(0.1)
		    except OSError:
		        verdict(s)
		elif kind == "image":
		    send(s, image())
		    verdict(s)
		elif kind == "start":
		    s.sendall(image()[:100000])
		    open("started", "w").close()
		    while not os.path.exists("go"):
		        time.sleep(0.01)
		    send(s, image()[100000:])
		    verdict(s)
	END
}

# far NAME KIND [ARG]: such an end in the background, what it says in NAME.out.
far()
{
	local name=$1

	shift
	write_end
	python3 end.py "$@" >"$name.out" 2>&1 3>&- &
	started+=("$!")
	printf -v "$name" %s "$!"
}

# receiver KIND [ARG]: one that "it" leads to.
receiver()
{
	: >other.out
	far other "$@"
	eventually said ready other.out
}

#
# exec:
#

@test "exec: an image goes through commands, both ways" {
	emu_start --state-size 3M
	reference "$A"
	migctl 0 --json save "$A" 'exec:gzip >image.gz'
	expect_json '.outcome == "completed"' '.file == "exec:gzip >image.gz"' '.file_bytes > 3000000'
	migctl 0 verify 'exec:zcat image.gz'
	migctl 0 --json inspect 'exec:zcat image.gz'
	expect_json '.complete'
	migctl 0 extract 'exec:zcat image.gz' 'exec:cat >raw; echo told'
	[[ $stderr == told ]]
	cmp raw reference
	migctl 0 --json resume --no-hold --stop "$B" 'exec:zcat image.gz'
	expect_json '.accepted' ".bytes == $((3 << 20))"
	holds "$B"
}

@test "exec: the bare stream, both ways" {
	emu_start
	reference "$A"
	migctl 0 save --raw "$A" 'exec:cat >raw'
	cmp raw reference
	migctl 0 resume --raw --no-hold --stop "$B" 'exec:cat raw'
	holds "$B"
}

@test "exec: what a command prints does not get into a report" {
	emu_start
	migctl 0 --json save "$A" 'exec:cat >image; echo hello'
	expect_json '.status == 0'
	[[ $stderr == hello ]]
}

@test "exec: save fails with its command, and the device runs again" {
	emu_start --state-size 3M
	migctl 74 --json save "$A" 'exec:cat >/dev/null; exit 3'
	expect_json '.outcome == "aborted" and .owner == "source"' '.file_bytes == 0' \
		'.state == "running"'
	expect_message 'exec:cat >/dev/null; exit 3: ended with status 3'
	expect_state "$A" running
	migctl 74 save "$A" 'exec:cat >/dev/null; kill -KILL $$'
	expect_message 'ended by signal 9 (Killed)'
	expect_state "$A" running
	migctl 74 save "$A" 'exec:head -c 100 >/dev/null'
	expect_message 'ended before it had read all' 'the device is in running again'
	expect_state "$A" running
	migctl 74 save "$A" 'exec:./nosuch'
	[[ $stderr == *'nosuch: not found'*'ended with status 127'* ]]
	expect_state "$A" running
}

@test "exec: resume fails with its command, and no part of a state runs" {
	emu_start --state-size 3M
	migctl 0 save "$A" image
	# All of the image, and yet no success: what else went wrong is not ours to know.
	migctl 74 --json resume --no-hold "$B" 'exec:cat image; exit 3'
	expect_json '.outcome == "aborted" and .owner == "source"' '.recovery.reset' '.accepted == false'
	expect_message 'exec:cat image; exit 3: ended with status 3'
	expect_state "$B" stop
	migctl 74 resume --no-hold "$B" 'exec:head -c 2000000 image; exit 5'
	expect_message 'ended with status 5'
	migctl 65 resume --no-hold "$B" 'exec:head -c 2000000 image'
	expect_message 'image is truncated'
	migctl 65 resume --no-hold "$B" 'exec:cat image; echo more'
	expect_message 'bytes after the end of the image'
	expect_state "$B" stop
}

@test "exec: a command that hangs can be interrupted, and is ended" {
	emu_start
	start save save "$A" 'exec:echo $$ >pid; cat >/dev/null; exec sleep 1000'
	eventually test -s pid
	kill -INT "$save"
	finish save 75
	[[ $stderr == *interrupted* ]]
	eventually has_ended "$(<pid)"
	expect_state "$A" running

	start resume resume "$B" 'exec:echo $$ >other; exec sleep 1000'
	eventually test -s other
	kill -TERM "$resume"
	finish resume 75
	eventually has_ended "$(<other)"
	expect_state "$B" running
}

# process NAME COMMAND: for sh, a process that says that it is there by the file NAME, which has its
# pid, and goes on as COMMAND.
process()
{
	echo "sh -c 'echo \$\$ >$1.new; mv $1.new $1; $2'"
}

@test "exec: who is ended takes along all that it has started" {
	local name who pipeline

	emu_start
	pipeline="$(process one 'exec sleep 1000') | $(process two 'exec cat') | $(process three \
		'sleep 1000; :')"
	for who in save resume; do
		rm -f one two three
		if [[ $who == save ]]; then
			start tool_ save "$A" "exec:cat >/dev/null; $pipeline; exit 3"
		else
			start tool_ resume "$B" "exec:$pipeline"
		fi
		for name in one two three; do
			eventually test -s $name
		done
		kill -TERM "$tool_"
		finish tool_ 75
		for name in one two three; do
			has_ended "$(<$name)"
		done
	done
	expect_state "$A" running
	expect_state "$B" running
}

@test "exec: who is ended may clean up, and is killed if it does not want to end" {
	emu_start
	start save save "$A" "exec:trap 'sleep 0.1 && touch cleaned; exit 1' TERM; cat >/dev/null; $(process one \
		'exec sleep 1000'); :"
	eventually test -s one
	kill -TERM "$save"
	finish save 75
	has_ended "$(<one)"
	[[ -e cleaned ]]

	start save save "$A" "exec:cat >/dev/null; $(process two 'trap "" TERM; sleep 1000; sleep 1000'); :"
	eventually test -s two
	kill -TERM "$save"
	finish save 75
	has_ended "$(<two)"
}

@test "exec: no part of an image passes for all of it, however many commands it goes through" {
	emu_start --state-size 1G --data-rate 20M
	for _ in {1..10}; do
		start save save --raw "$A" "exec:cat | cat | sh -c 'cat >part; : >whole' | cat"
		eventually test -s part
		kill -INT "$save"
		finish save 75
		[[ ! -e whole ]]
		rm part
	done
}

@test "exec: what a command left in the background is left alone" {
	emu_start
	migctl 0 save "$A" "exec:cat >/dev/null; $(process left 'exec sleep 1000') >/dev/null 2>&1 &
		until test -s left; do sleep 0.01; done"
	started+=("$(<left)")
	run ! has_ended "$(<left)"
	# Of one that is ended, too, what had no parent any more.
	rm left
	start save save "$A" "exec:cat >/dev/null; ($(process left 'exec sleep 1000') >/dev/null 2>&1 &)
		until test -s left; do sleep 0.01; done; $(process one 'exec sleep 1000')"
	eventually test -s one
	started+=("$(<left)")
	kill -TERM "$save"
	finish save 75
	has_ended "$(<one)"
	run ! has_ended "$(<left)"
}

@test "exec: the command gets no device" {
	emu_start
	exec 7<>/dev/null
	migctl 0 save "$A" 'exec:ls -l /proc/self/fd >fds; cat >/dev/null'
	cat fds
	run ! grep -E 'socket:|anon_inode|/dev/null' fds
	exec 7>&-
}

#
# Standard output
#

@test "output: by whatever name data goes to standard output, the report does not" {
	local place

	emu_start
	reference "$A"
	migctl 0 save "$A" image
	for place in - fd:1 fd:3 /dev/stdout /proc/self/fd/3; do
		echo "$place"
		bounded save --raw "$A" "$place" 3>&1 2>err | cat >out
		cmp out reference
		said 'state now' err
		bounded extract image "$place" 3>&1 2>err | cat >out
		cmp out reference
		said 'written to' err
		[[ $place == *3 ]] || migctl 64 --json save "$A" "$place"
		[[ $place == *3 ]] || migctl 64 --json extract image "$place"
	done
	bounded save --raw "$A" fd:1 >out 2>err
	cmp out reference
	said 'state now' err
	# What is beside it is somewhere else.
	: >other
	bounded save --raw "$A" fd:4 4>other >out
	cmp other reference
	said 'state now' out
	bounded --json save "$A" /dev/null >/dev/null
}

@test "output: --status-fd is not where the data goes" {
	emu_start
	migctl 64 --status-fd=1 save "$A" -
	expect_message '--status-fd: 1 is where the data goes'
	migctl 64 --status-fd=4 save "$A" fd:5 4>out 5>&4
	migctl 64 --status-fd=4 save "$A" /dev/fd/4 4>out
	migctl 0 save "$A" image
	migctl 64 --status-fd=4 extract image fd:4 4>out
	[[ ! -s out ]]
	migctl 0 --status-fd=4 save "$A" /dev/null 4>/dev/null
}

#
# Descriptors that are not open
#

# bare ARG...: the tool with nothing open but the first three, and these as they are here.
bare()
{
	# shellcheck disable=SC1083,SC2093 # numbers of descriptors; in a shell of its own
	(
		for fd in {3..40}; do
			eval "exec $fd>&-"
		done
		exec "$tool" "$@"
	)
}

@test "descriptors: one that is not open is not one of the tool's own" {
	local fd

	emu_start
	migctl 0 save "$A" image
	VFIOMIGCTL=bare
	for fd in {3..10}; do
		migctl 73 save "$A" "fd:$fd"
		expect_message "fd:$fd: not open here: Bad file descriptor"
		migctl 73 extract image "fd:$fd"
		expect_message "fd:$fd: not open here"
		migctl 66 --json verify "fd:$fd"
		expect_json ".file == \"fd:$fd\" and .good == null"
		expect_message "fd:$fd: not open here"
		migctl 66 resume --no-hold "$B" "fd:$fd"
		expect_message "fd:$fd: not open here"
		migctl 66 resume --listen "$B" "fd:$fd"
		expect_message "fd:$fd: not open here"
		migctl 64 "--status-fd=$fd" list
	done
	expect_state "$A" running
	expect_state "$B" running
}

# ends STATUS ARG...: the tool does, without any pipe of bats'; what it says is in the file "err".
ends()
{
	local want=$1 ended=0

	shift
	bounded "$@" 2>err || ended=$?
	((ended == want)) || {
		echo "$* ended with $ended: $(<err)" >&2
		return 1
	}
}

@test "descriptors: nothing of the tool's becomes standard input, output or error" {
	local to ended

	emu_start
	migctl 0 save "$A" image
	ends 66 verify - <&-
	said 'standard input: not open for reading' err
	ends 66 inspect fd:0 <&-
	said 'fd:0: not open for reading' err
	ends 66 resume --no-hold --stop "$B" - <&-
	said 'standard input: not open for reading' err
	for to in - fd:1; do
		ends 73 save "$A" "$to" >&-
		said 'not open for writing' err
		ends 73 extract image "$to" <&- >&-
		said 'not open for writing' err
	done
	ends 64 --status-fd=1 list >&-
	said "--status-fd: 1 is not open for writing" err
	ends 74 --json list >&-
	said 'standard output: the report is lost: Bad file descriptor' err
	# Without any of them an error cannot be told, but the work be done.
	ended=0
	bounded save "$A" fd:2 <&- >&- 2>&- || ended=$?
	((ended == 73))
	bounded -q save "$A" other <&- >&- 2>&-
	bounded -q verify other
	expect_state "$B" running
}

@test "descriptors: nor of the emulator's" {
	"$VFIOMIG_EMU" --socket it <&- >&- 2>&- 3>&- &
	started+=("$!")
	eventually test -S it
	[[ $(readlink "/proc/$!/fd/0" "/proc/$!/fd/1" "/proc/$!/fd/2") == \
		$'/dev/null\n/dev/null\n/dev/null' ]]
}

#
# Pipes
#

@test "pipes: of what follows an image nothing is read" {
	local how

	emu_start --state-size 3M
	migctl 0 save "$A" one
	migctl 0 save --compress=zstd --sha256 "$B" two
	# Whatever a read returns: all that a pipe holds, or a little at a time.
	for how in cat 'dd bs=100 status=none'; do
		run bash -c 'cat one two | $2 |
			("$1" -q verify - && "$1" -q verify - && wc -c)' - "$tool" "$how"
		((status == 0))
		[[ $output == 0 ]]
	done
	run bash -c '(cat one; head -c 100000 two) | ("$1" -q verify - && "$1" -q verify -)' - "$tool"
	((status == 1))
	[[ $output == *'at byte 100000: image is truncated'* ]]
	cat one two >both
	migctl 1 verify both
	expect_message 'both: at byte' 'bytes after the end of the image'
	migctl 1 verify 'exec:cat both'
}

@test "pipes: two devices go through one" {
	emu_start --state-size 3M --devices 4
	reference "$A"
	stream "$B" other
	(
		"$tool" -q save "$A" - && "$tool" -q save --raw "$B" -
	) 3>&- | (
		"$tool" -q resume --no-hold --stop vfio-user:emu.2 - &&
			"$tool" -q resume --raw --no-hold --stop vfio-user:emu.3 -
	) 3>&-
	holds vfio-user:emu.2
	stream vfio-user:emu.3 found
	cmp other found
}

#
# Sockets
#

@test "sockets: a state goes from device to device, and both say so" {
	local digest place

	require python3
	for place in unix:it tcp:127.0.0.1:0 tcp:localhost:0; do
		emu_start --state-size 3M
		register emu digest
		digest=$register
		receive "$place"
		migctl 0 --json save --insecure "$A" "$at"
		expect_json '.outcome == "completed" and .owner == "source"' ".file == \"$at\"" \
			'.file_bytes > 3145728' '.state_found == "running" and .state == "running"'
		[[ -z $stderr ]]
		received 0
		[[ $output == *'state now    stop'* ]]
		register emu.1 digest
		[[ $register == "$digest" ]]
		[[ ! -e it ]]
		reference "$A"
		set_state "$B" stop
		emu_stop
	done
}

@test "sockets: --leave=stop, and what arrives is the same to the last bit" {
	emu_start --state-size 2500K
	receive unix:it --json
	migctl 0 save --leave=stop --compress=zstd "$A" unix:it
	received 0
	expect_json '.accepted' ".bytes == $((2500 << 10))" '.owner == "destination"' \
		'.file == "unix:it" and .state == "stop"'
	reference "$A"
	holds "$B"
}

@test "sockets: --pre-copy" {
	emu_start --state-size 4M --dirty-rate 200M
	receive unix:it
	migctl 0 save --pre-copy --max-time=1 --leave=stop "$A" unix:it
	received 0
	reference "$A"
	holds "$B"
}

@test "sockets: the bare stream" {
	local place

	for place in unix:it tcp:127.0.0.1:0; do
		emu_start --state-size 3M
		receive "$place" --raw
		migctl 0 save --insecure --raw --leave=stop "$A" "$at"
		received 0
		reference "$A"
		holds "$B"
		emu_stop
	done
}

@test "sockets: the port is among the JSON lines" {
	emu_start
	"$tool" -q --status-fd=5 resume --listen --insecure --no-hold "$B" tcp:127.0.0.1:0 \
		5>status 3>&- &
	started+=("$!")
	eventually said '"event":"listening"' status
	at=$(jq -r 'select(.event == "listening") | .address' status)
	[[ $at =~ ^tcp:127\.0\.0\.1:[1-9][0-9]*$ ]]
	migctl 0 save --insecure "$A" "$at"
	wait "${started[-1]}"
	jq -se '.[-1].event == "result" and .[-1].accepted' status
}

@test "sockets: * is every address of this machine" {
	emu_start
	receive 'tcp:*:0'
	migctl 0 save --insecure "$A" "tcp:127.0.0.1:${at##*:}"
	received 0
	[[ -e /proc/net/if_inet6 ]] || return 0
	receive 'tcp:*:0'
	migctl 0 save --insecure "$A" "tcp:[::1]:${at##*:}"
	received 0
}

@test "sockets: one that was left open, as systemd does" {
	require python3
	emu_start
	cat >listen.py <<-'END'
		import os, socket, sys

		s = socket.socket()
		s.bind(("127.0.0.1", 0))
		s.listen()
		os.dup2(s.fileno(), 3)
		os.set_inheritable(3, True)
		os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="image")
		os.execv(sys.argv[1], sys.argv[1:])
	END
	run --separate-stderr python3 listen.py "$tool" resume --listen --no-hold "$B" fd:3
	((status == 78))
	expect_message 'fd:3: tcp:127.0.0.1:' 'any user of this machine' '--insecure'
	python3 listen.py "$tool" resume --listen --insecure --stop "$B" fd:3 \
		>resume.out 2>resume.err 3>&- &
	resume=$!
	started+=("$resume")
	eventually said 'listening on ' resume.err
	at=$(sed -n 's/.*: listening on //p' resume.err)
	migctl 0 save --insecure --leave=stop "$A" "$at"
	eventually said 'held open until' resume.err
	# While the device is held, a sender that comes too late finds no listener.
	migctl 73 save --insecure "$A" "$at"
	expect_message 'Connection refused'
	kill -TERM "$resume"
	received 0
	reference "$A"
	holds "$B"
}

@test "sockets: what cannot be is refused before a device is touched" {
	local socket

	emu_start
	migctl 73 save "$A" unix:it
	expect_message 'unix:it: cannot connect: No such file or directory' 'start the receiver there first'
	migctl 73 save --insecure "$A" tcp:127.0.0.1:1
	expect_message 'cannot connect: Connection refused' 'start the receiver there first'
	migctl 64 save "$A" tcp:127.0.0.1:0
	migctl 64 save "$A" tcp:127.0.0.1
	migctl 64 save "$A" tls:127.0.0.1:1
	expect_message 'no such kind of FILE' 'unix:PATH, tcp:HOST:PORT or vsock:CID:PORT'
	for socket in tcp:127.0.0.1:1 'tcp:[::1]:1' tcp:192.0.2.1:1 'tcp:[2001:db8::1]:1' vsock:3:1; do
		migctl 78 save "$A" "$socket"
		expect_message "vfiomigctl: $socket: " unix:PATH '--insecure'
		migctl 78 save --dry-run "$A" "$socket"
		migctl 0 save --dry-run --insecure "$A" "$socket"
	done
	for socket in tcp:127.0.0.1:0 tcp:localhost:0 tcp:0.0.0.0:0 'tcp:*:0' vsock:3:0 'vsock:*:0'; do
		migctl 78 resume --listen "$B" "$socket"
		expect_message "vfiomigctl: $socket: " unix:PATH '--insecure'
	done
	migctl 64 save --insecure "$A" 'vsock:*:1'
	expect_message 'port 0 and * are for listening only'
	migctl 64 resume --listen "$B" image
	expect_message 'not possible here' 'fd:N, unix:PATH, tcp:HOST:PORT or vsock:CID:PORT'
	migctl 64 resume "$B" unix:it
	expect_message 'not possible here' 'to wait for a sender there: --listen' 'is file:unix:it'
	migctl 64 save "$A" tcp:::1:1
	expect_message 'tcp:::1:1: an IPv6 address stands in brackets'
	migctl 64 resume --listen --dry-run "$B" unix:it
	migctl 64 resume --listen "$B" fd:2
	migctl 71 resume --listen "$B" unix:emu
	expect_message 'unix:emu: cannot listen: Address already in use'
	: >file
	migctl 71 resume --listen "$B" unix:file
	expect_message 'unix:file: not a socket'
	migctl 66 resume --listen "$B" unix:nosuch/it
	migctl 64 verify unix:it
	migctl 64 extract file unix:it
	expect_state "$A" running
	expect_state "$B" running
}

@test "sockets: a UNIX socket is for its owner only, and what a crash left is replaced" {
	emu_start
	umask 0
	receive unix:it
	[[ $(stat -c %a it) == 600 ]]
	kill -KILL "$resume"
	finish resume 137
	[[ -S it ]]
	receive unix:it
	migctl 0 save "$A" unix:it
	received 0
	[[ ! -e it ]]
}

@test "sockets: a UNIX socket of another user is refused, at both ends" {
	require root python3
	emu_start
	migctl 0 save "$A" image
	receiver squatter
	migctl 78 --json save "$A" unix:it
	expect_json '.outcome == "aborted" and .owner == "source"'
	expect_message 'unix:it: user 65534 is at the other end, neither root nor user 0' '--insecure'
	kill -KILL "$other"
	rm it
	receiver squatter
	migctl 75 save --insecure --timeout=1 "$A" unix:it
	kill -KILL "$other"
	rm it
	receive unix:it
	chmod 777 . "$BATS_TEST_TMPDIR" it
	run end stranger
	[[ $output == 'refused '*'user 65534 is at the other end'* ]]
	said 'turned away: user 65534 is at the other end' resume.err
	migctl 0 save --leave=stop "$A" unix:it
	received 0
}

@test "sockets: resume can be interrupted while nobody has come, and cleans up" {
	emu_start
	receive unix:it
	kill -TERM "$resume"
	received 75
	[[ $stderr == *interrupted* && ! -e it ]]
	expect_state "$B" running
}

#
# Who says no
#

@test "sockets: an image of another kind of device is refused, and the sender told" {
	emu_start --profile qat
	emu_start --socket other --profile virtio
	receive unix:it
	migctl 75 --json save vfio-user:other unix:it
	expect_json '.outcome == "aborted" and .owner == "source"' '.file_bytes == 0' \
		'.state == "running"'
	expect_message 'unix:it: refused by the receiver: ' 'vendor is 0x1af4 in the image' class
	expect_state vfio-user:other running
	# Nobody who brings something else ends it.
	migctl 0 save "$A" unix:it
	received 0
	[[ $stderr == *': turned away: '*'vendor is 0x1af4 in the image'* ]]
}

@test "sockets: a device that cannot be loaded is found out before anybody comes" {
	migctl 66 resume --listen vfio-user:nosuch unix:it
	expect_message 'vfio-user:nosuch: No such file or directory (ENOENT)'
	migctl 66 resume --listen fd:250 unix:it
	expect_message 'fd:250: not open here'
	[[ ! -e it ]]
}

@test "sockets: who refuses while the sender's device is on its way back is heard" {
	emu_start --state-size 3M --fault 1@fail=1K:ENOMEM --delay stop-copy:stop=2s
	receive unix:it
	migctl 75 --json save "$A" unix:it
	expect_message 'unix:it: refused by the receiver: ' '(ENOMEM)'
	expect_json '.outcome == "aborted" and .owner == "source"'
	expect_state "$A" running
	received 74
}

@test "sockets: what was accepted and does not start is kept" {
	emu_start --fault 1@fail=running-p2p:running:EIO
	start resume resume --listen --no-hold "$B" unix:it
	eventually said 'listening on ' resume.err
	migctl 0 --json save --leave=stop "$A" unix:it
	received 81
	[[ $stderr == *'running-p2p to running failed'*'(EIO); the device has the state, and is stopped' ]]
	expect_state "$B" stop
	expect_state "$A" stop
	register emu digest
	digest=$register
	register emu.1 digest
	[[ $register == "$digest" ]]

	# One that would be lost is held.
	set_state "$B" running || true
	: >resume.err
	start resume --json resume --listen "$B" unix:it
	eventually said 'listening on ' resume.err
	migctl 0 save --leave=found "$A" unix:it
	eventually said 'held open until' resume.err
	kill -TERM "$resume"
	finish resume 81
	expect_json '.status == 81 and .owner == "destination" and .state == "stop" and .accepted'
}

@test "sockets: what was accepted and is in ERROR for good is lost" {
	emu_start --fault 1@error=stop:running-p2p --fault 1@refuse-reset=EIO
	start resume --json resume --listen "$B" unix:it
	eventually said 'listening on ' resume.err
	migctl 0 save --leave=stop "$A" unix:it
	finish resume 81
	expect_json '.outcome == "device-error" and .owner == "none" and .accepted'
	[[ $stderr == *'the state is lost: the device is in error'* ]]
}

@test "sockets: a state that the driver refuses is the sender's to know" {
	local fault

	for fault in fail=resuming:stop:EINVAL fail=1000000:EIO; do
		emu_start --state-size 3M --devices 1
		emu_start --state-size 3M --socket other --devices 1 --fault "$fault"
		B=vfio-user:other
		receive unix:it
		migctl 75 save --leave=stop "$A" unix:it
		expect_message 'unix:it: refused by the receiver: ' "$B" 'the device is in running again'
		expect_state "$A" running
		run ! received 0
		[[ $stderr == *"$B"* ]]
		expect_state "$B" stop
		emu_stop "$emu"
		emu_teardown
	done
}

@test "sockets: who is interrupted lets the other end know" {
	emu_start --state-size 1G --data-rate 20M
	receive unix:it --progress=json
	start save save --leave=stop "$A" unix:it
	eventually is_loading
	kill -INT "$resume"
	received 75
	finish save 75
	[[ $stderr == *'refused by the receiver: '*interrupted* ]]
	expect_state "$A" running
	expect_state "$B" stop
}

# As resume's progress shows it: its listener goes away earlier, before the device is opened.
is_loading()
{
	said '"state":"resuming"' resume.err
}

@test "sockets: a sender that dies leaves nothing that runs" {
	emu_start --state-size 1G --data-rate 20M
	receive unix:it --progress=json
	start save save "$A" unix:it
	eventually is_loading
	kill -KILL "$save"
	finish save 137
	received 75
	[[ $stderr == *'unix:it '*': gone before the end of the image'* ]]
	expect_state "$B" stop
}

#
# Receivers that are none
#

@test "receiver: one that takes nothing in is given up" {
	emu_start --state-size 64M
	receiver deaf
	migctl 75 save --timeout=1 --leave=stop "$A" unix:it
	expect_message 'unix:it: silent for 1 s' 'the device is in running again'
	expect_state "$A" running
}

@test "receiver: without an answer nothing was saved" {
	emu_start
	receiver mute
	migctl 75 --json save --timeout=1 "$A" unix:it
	expect_json '.outcome == "aborted" and .owner == "source"' '.file_bytes == 0'
	expect_message 'unix:it: silent for 1 s'
	expect_state "$A" running
}

@test "receiver: without an answer nobody knows who has the state, and the source does not run" {
	emu_start
	receiver mute
	migctl 80 --json save --timeout=1 --leave=stop "$A" unix:it
	expect_json '.outcome == "in-doubt" and .owner == "unknown"' '.state == "stop"'
	expect_message 'unix:it: silent for 1 s' "$A stays stopped, since the other end may run its state"
	expect_state "$A" stop
}

@test "sockets: a sender that gave up waiting and its receiver never both run" {
	emu_start --delay=resuming:stop=3s
	receive unix:it
	migctl 80 save --timeout=1 --leave=stop "$A" unix:it
	received 80
	[[ $stderr == *'did not wait for an answer'*"$B has the state and stays stopped"* ]]
	expect_state "$A" stop
	expect_state "$B" stop
}

@test "sockets: once all is sent, a signal no longer takes it back" {
	emu_start --delay=resuming:stop=2s
	receive unix:it
	start save -v save --leave=stop "$A" unix:it
	eventually said 'all is sent' save.err
	kill -INT "$save"
	finish save 0
	received 0
	expect_state "$A" stop
	expect_state "$B" stop
}

@test "exec: its failure is told, whatever the device was doing then" {
	emu_start --fault drain=pre-copy:pre-copy-p2p:3s
	migctl 74 save --pre-copy --drain-timeout=60 "$A" 'exec:head -c 100000 >/dev/null; sleep 1; exit 3'
	expect_message 'ended with status 3' 'the device is in running again'
	expect_state "$A" running
}

@test "resume: --dry-run verifies what comes from a pipe, too" {
	emu_start
	migctl 0 save "$A" image
	run bash -c 'cat image | "$1" resume --dry-run "$2" -' - "$tool" "$B"
	((status == 0))
	run bash -c 'head -c 50000 image | "$1" resume --dry-run "$2" -' - "$tool" "$B"
	echo "$output"
	((status == 65))
	migctl 65 resume --dry-run "$B" 'exec:head -c 100000 /dev/urandom'
}

@test "receiver: one that goes away is said to be gone" {
	emu_start --state-size 64M
	receiver rude
	migctl 75 save --leave=stop "$A" unix:it
	expect_message 'unix:it: sending: ' 'the device is in running again'
	expect_state "$A" running
}

@test "receiver: an answer that is none, or for something else, is no answer" {
	emu_start
	receiver answer "$(printf 'x%.0s' {1..512})"
	migctl 76 save "$A" unix:it
	expect_message 'unix:it: not a receipt'
	expect_state "$A" running
	rm it
	receiver answer short
	start save save --timeout=2 "$A" unix:it
	finish save 75
	expect_state "$A" running
}

#
# Senders that are none
#

@test "sender: an image can come from anywhere, and is answered" {
	require python3
	emu_start
	migctl 0 save --leave=stop "$A" image
	receive unix:it
	run end image
	[[ $output == 'accepted ' ]]
	received 0
	reference "$A"
	holds "$B"
}

@test "sender: nobody keeps the good one out" {
	local kind places=() peak

	emu_start
	migctl 0 save "$A" image
	receive tcp:127.0.0.1:0 --timeout=30
	for kind in silent header slow; do
		far "$kind" "$kind" "${at##*:}"
		eventually said waits "$kind.out"
	done
	for kind in junk greedy junk greedy; do
		run end "$kind" "${at##*:}"
		[[ $output == 'refused '* || $output == 'no answer' ]]
	done
	: | cat >"/dev/tcp/127.0.0.1/${at##*:}"
	eventually said 'gone after 0 bytes' resume.err
	# More at once than there is room for.
	for kind in {1..20}; do
		far "more$kind" silent "${at##*:}"
		eventually said waits "more$kind.out"
	done
	peak=$(sed -n 's/^VmHWM:[ \t]*\([0-9]*\) kB/\1/p' "/proc/$resume/status")
	migctl 0 save --insecure --leave=stop "$A" "$at"
	received 0
	reference "$A"
	holds "$B"
	echo "$peak kB"
	((peak < 65536))
	grep -q 'turned away: speaks something else: HTTP' resume.err
	grep -q 'turned away: .*too large' resume.err
	grep -q 'turned away: silent while others waited' resume.err
	grep -q 'turned away: another sender was first' resume.err
	# A line each, and no more: 3 at first, 5 that end by themselves, 20 that wait.
	[[ $(grep -c 'turned away' resume.err) == 28 ]]
}

@test "sender: who does not say what it brings has to go" {
	emu_start
	migctl 0 save "$A" image
	receive unix:it --timeout=1
	far slow slow
	eventually said 'did not say in 1 s what it brings' resume.err
	eventually said refused slow.out
	migctl 0 save "$A" unix:it
	received 0
}

@test "sender: one that falls silent is given up, and no part of a state runs" {
	emu_start --state-size 3M
	migctl 0 save "$A" image
	receive unix:it --timeout=1
	far one start
	eventually test -e started
	received 75
	[[ $stderr == *'silent for 1 s'* ]]
	expect_state "$B" stop
	: >go
	eventually said refused one.out
}

@test "sender: one that is busy with its device says that it is still there" {
	emu_start --delay=stop:stop-copy=6s
	receive unix:it --timeout=4
	migctl 0 save "$A" unix:it
	received 0
	emu_stop
	emu_start --delay=stop:stop-copy=2s
	receiver mute
	migctl 75 save --timeout=3 "$A" unix:it
	migctl 0 --json inspect --sections received
	expect_json '[.sections[] | select(.type == "keepalive")] | length > 0' '.complete'
	migctl 0 save "$A" image
	migctl 0 --json inspect --sections image
	expect_json '[.sections[] | select(.type == "keepalive")] == []'
}

@test "sender: a second one finds nobody listening" {
	emu_start --state-size 3M
	migctl 0 save --leave=stop "$A" image
	receive unix:it
	far one start
	eventually test -e started
	eventually test ! -e it
	migctl 73 save "$A" unix:it
	expect_message 'unix:it: cannot connect'
	: >go
	received 0
	eventually said accepted one.out
	reference "$A"
	holds "$B"
}

@test "sender: an image that is damaged on the way is refused" {
	require python3
	emu_start --state-size 3M
	migctl 0 save "$A" image
	dd if=/dev/zero of=image bs=1 count=16 seek=2000000 conv=notrunc status=none
	receive unix:it
	run end image
	[[ $output == 'refused '*checksum* ]]
	received 65
	expect_state "$B" stop
}
