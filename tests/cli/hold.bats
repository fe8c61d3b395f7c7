#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A holder and its socket, without a device: what is held is in ../lab/suite/hold.bats.

# shellcheck disable=SC2154,SC2030,SC2031 # variables are helpers.bash's and run's, or theirs

setup()
{
	load ../helpers
	client=$(cd "${top_srcdir:-$BATS_TEST_DIRNAME/../..}/tests" && pwd -P)/hold-client.py
	page=$(cd "${top_srcdir:-$BATS_TEST_DIRNAME/../..}/man" && pwd -P)/vfiomigctl-hold.8.scd
	cd "$BATS_TEST_TMPDIR" || return
	holders=()
}

teardown()
{
	local pid

	for pid in "${holders[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
}

# hold_start NAME ARG...: a holder that has shown its report in NAME.out; its pid in $NAME.
hold_start()
{
	local name=$1

	shift
	: >"$name.out"
	"$VFIOMIGCTL" hold --json "$@" >"$name.out" 2>"$name.err" 3>&- &
	holders+=($!)
	printf -v "$name" %s "$!"
	eventually is_whole "$name.out"
}

is_whole()
{
	[[ $(<"$1") == *$'\n}' ]]
}

says()
{
	[[ $(<"$1") == *"$2"* ]]
}

# ask PATH WORD...: what a client gets; $output, $lines
ask()
{
	run "$client" "$@"
	echo "$output"
}

expect_message()
{
	local text

	for text; do
		[[ $stderr == *"$text"* ]] || {
			echo "not said: $text"
			return 1
		}
	done
}

list='{"schema": 1, "request": "list"}'

@test "hold: misuse is one line" {
	migctl 64 hold
	expect_message 'no DEV, and no --socket to be given one by'
	migctl 64 hold --allow-uid=0 fd:0
	expect_message '--allow-uid is for --socket'
	migctl 64 hold --socket=h --allow-uid=root
	expect_message "--allow-uid: 'root' is not a user's number"
	migctl 64 hold --socket=h --allow-uid=4294967295
	migctl 64 hold --socket=h --on-request=maybe
	migctl 64 hold --socket=hold:h
	expect_message '--socket takes a path alone: --socket h, or ./hold:h'
	migctl 64 hold --socket=h --pid-file=p
	expect_message '--pid-file is for --background'
	migctl 73 hold --background --pid-file=none/p --socket=h
	expect_message '--pid-file: none/p: No such file or directory (ENOENT)'
	[[ ! -e h ]]
	migctl 66 hold --socket=h fd:77
	expect_message 'fd:77: not open here'
	migctl 69 hold --socket=h vfio-user:nowhere
	expect_message 'vfio-user:nowhere: its server or holder keeps it' 'connect to that one instead'
	[[ ! -e h ]]
	migctl 66 hold --socket=h ffff:ff:1f.7
	[[ ! -e h ]]
}

@test "hold: the socket is its owner's, and is gone at the end" {
	umask 077
	hold_start one --socket=h
	[[ $(stat -c %F:%a h) == socket:600 ]]
	hold_start two --socket=o --allow-uid=65534
	[[ $(stat -c %F:%a o) == socket:666 ]]
	kill -INT "$one"
	kill -HUP "$two"
	wait "$one"
	wait "$two"
	[[ ! -e h && ! -e o ]]
	[[ $(<one.err) == 'held open until SIGINT, SIGTERM or SIGHUP' ]]
}

@test "hold: one that is served is refused, one that is dead is replaced" {
	hold_start one --socket=h
	migctl 71 hold --socket=h
	expect_message 'h: Address already in use (EADDRINUSE)' 'another holder serves it'
	ask h "$list"
	[[ $output == *'"devices": []'* ]]
	kill -KILL "$one"
	wait "$one" || true
	[[ -S h ]]
	migctl 66 info hold:h
	expect_message 'Connection refused (ECONNREFUSED)' 'is its holder running? vfiomigctl hold DEV --socket=PATH'
	hold_start two --socket=h
	ask h "$list"
	[[ $output == *'"devices": []'* ]]
	# What took its place meanwhile is not removed.
	rm h
	hold_start three --socket=h
	kill "$two"
	wait "$two"
	[[ -S h ]]
	kill "$three"
	wait "$three"
	[[ ! -e h ]]
}

@test "hold: what is no socket is left alone, links above all" {
	local what

	echo precious >file
	ln -s file link
	ln -s nowhere dangling
	ln -s "$PWD" folder
	mkfifo fifo
	mkdir dir
	for what in file link dangling fifo dir; do
		migctl 73 hold --socket="$what"
		expect_message "--socket: $what: not a socket"
	done
	migctl 66 info hold:file
	expect_message 'hold:file: not a socket; is its holder running?'
	migctl 66 info unix:file
	expect_message 'unix:file: not a socket'
	[[ $(<file) == precious && -L link && -L dangling && ! -e nowhere && -p fifo ]]
	migctl 73 hold --socket=none/h
	expect_message '--socket: none/h: No such file or directory (ENOENT)'
	migctl 64 hold --socket="$(printf 'x%.0s' {1..108})"
	expect_message "too long for a socket's path"
	# A stream's socket that is served is no holder's, and no less alive.
	python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("stream"); s.listen(); print(flush=True); time.sleep(300)' \
		>stream.out 3>&- &
	holders+=($!)
	eventually test -s stream.out
	migctl 71 hold --socket=stream
	expect_message EADDRINUSE
	migctl 76 info hold:stream
	expect_message EPROTOTYPE 'passes a device is unix:PATH'
	hold_start one --socket=h
	migctl 76 info unix:h
	expect_message 'unix:h: connecting: ' EPROTOTYPE 'a holder of vfiomigctl is hold:PATH'
}

@test "hold: of many that replace a dead one's socket, one serves" {
	local i served=0

	hold_start one --socket=h
	kill -KILL "$one"
	wait "$one" || true
	for i in {1..8}; do
		: >"$i.out"
		"$VFIOMIGCTL" hold --json --socket=h >"$i.out" 2>"$i.err" 3>&- &
		holders+=($!)
	done
	for i in {1..8}; do
		eventually is_whole "$i.out"
		! says "$i.out" '"status": 0' || ((++served))
	done
	((served == 1))
	ask h "$list"
	[[ $output == *'"devices": []'* ]]
}

@test "hold: a lock on the folder, which any user may have, keeps no holder waiting" {
	exec {folder}<.
	flock -x "$folder"
	hold_start one --socket=h
	ask h "$list"
	[[ $output == *'"devices": []'* ]]
	exec {folder}<&-
	run ls -A
	[[ $output != *.lock* ]]
}

@test "hold: what is asked of an empty holder is refused by name" {
	hold_start one --socket=h
	migctl 66 info hold:h
	expect_message 'no device is held here: No such file or directory (ENOENT)'
	migctl 66 state hold:h/vfio0 stop
	expect_message 'hold:h/vfio0: vfio0: no device is held here'
	migctl 66 state hold:h/vfio0
	expect_message 'hold:h/vfio0: vfio0: no device is held here'
	migctl 66 state hold:nowhere
	expect_message 'hold:nowhere: No such file or directory (ENOENT); is its holder running?'
	migctl 66 state hold:nowhere/vfio0
	expect_message 'hold:nowhere/vfio0: No such file or directory (ENOENT); is its holder running?'
	migctl 64 state hold:h/
	expect_message "hold:h/: no device's name behind the socket"
	ask h '{"schema": 1, "request": "release", "name": "x"}' give:x:0 \
		'{"schema": 1, "request": "give", "name": "x"}'
	[[ ${lines[0]} == *'"errno": "ENOENT"'* ]]
	[[ ${lines[1]} == *'"errno": "ENOTTY", "message": "x: not a VFIO device"'* ]]
	[[ ${lines[2]} == *'"errno": "EINVAL"'* ]]
}

# It closes what its clients have closed when it comes to that.
has_few_open()
{
	local open=(/proc/"$1"/fd/*)

	((${#open[@]} < 40))
}

@test "hold: junk, and more than there may be, ends the client that sent it and no other" {
	hold_start one --socket=h
	cat >junk.py <<-'END'
		import array, json, socket, sys

		def connect():
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.connect("h")
		    s.settimeout(60)
		    return s

		def ended(s):
		    try:
		        return s.recv(1) == b""
		    except ConnectionResetError:
		        return True

		other = connect()
		for data, fds, errno in [
		    (b"junk", [], "EBADMSG"), (b"\0" * 100, [], "EBADMSG"), (b"[" * 1000, [], "EBADMSG"),
		    (b" " * 65537, [], "EMSGSIZE"), (b"{}", [0] * 5, "EBADMSG"),
		    (b"{}", [0] * 100, "EBADMSG"), (b'{"schema":2,"request":"list"}', [], "EBADMSG"),
		]:
		    s = connect()
		    socket.send_fds(s, [data], fds)
		    assert json.loads(s.recv(65536))["errno"] == errno, (data, errno)
		    assert ended(s)
		# One that never reads is not waited for, and loses its connection with an answer.
		deaf = connect()
		try:
		    while True:
		        deaf.send(b'{"schema":1,"request":"list"}')
		except (BrokenPipeError, ConnectionResetError):
		    pass
		# As many as there may be, and one more.
		flood = [connect() for _ in range(63)]
		for s in flood:
		    s.send(b'{"schema":1,"request":"list"}')
		    assert json.loads(s.recv(65536))["devices"] == []
		late = connect()
		assert json.loads(late.recv(65536))["errno"] == "EUSERS"
		assert ended(late)
		other.send(b'{"schema":1,"request":"list"}')
		assert json.loads(other.recv(65536))["devices"] == []
		for s in flood:
		    s.close()
		print("done")
	END
	run python3 junk.py
	echo "$output"
	((status == 0))
	[[ $output == "done" ]]
	eventually has_few_open "$one"
	ask h "$list"
	[[ $output == *'"devices": []'* ]]
}

@test "hold: a descriptor whose close takes for ever holds nothing up" {
	hold_start one --socket=h --allow-uid=1
	cat >linger.py <<-'END'
		import json, os, signal, socket, struct, sys

		holder = int(sys.argv[1])
		kept = []

		def lingering():
		    listener = socket.create_server(("127.0.0.1", 0))
		    s = socket.create_connection(listener.getsockname())
		    kept.append(listener.accept()[0])
		    s.setblocking(False)
		    try:
		        while True:
		            s.send(b"x" * 65536)
		    except BlockingIOError:
		        pass
		    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
		    return s

		def connect():
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.settimeout(100)
		    s.connect("h")
		    return s

		# Of an end that has closed, and has not read all, that is told first.
		def answer(s):
		    try:
		        return s.recv(65536)
		    except ConnectionResetError:
		        return s.recv(65536)

		# What has come before the holder looks, and so before it has refused anything.
		def send(text, uid=None, stays=True, fds=1):
		    os.kill(holder, signal.SIGSTOP)
		    if uid:
		        os.seteuid(uid)
		    s = connect()
		    os.seteuid(os.getuid())
		    last = lingering()
		    socket.send_fds(s, [text.encode()], [0] * (fds - 1) + [last.fileno()])
		    last.close()
		    if not stays:
		        s.close()
		    os.kill(holder, signal.SIGCONT)
		    if stays:
		        print(uid, fds, text, answer(s), flush=True)
		    other = connect()
		    other.send(b'{"schema":1,"request":"list"}')
		    assert json.loads(other.recv(65536))["devices"] == []

		listing = '{"schema":1,"request":"list","fds":["%s"]}'
		send(listing % "device")
		send(listing % "device", stays=False)
		send(listing % "window")
		send("junk")
		send("junk", fds=253)
		send('{"schema":1,"request":"give","name":"x","fds":["device"]}')
		send('{"schema":1,"request":"give","name":"x","fds":["group","device"]}', fds=2)
		send('{"schema":1,"request":"give","name":"x","fds":["device","iommufd"]}', fds=2)
		if os.getuid() == 0:
		    send(listing % "device", uid=2)
		    send(listing % "device", uid=2, stays=False)
		    send("junk", uid=1)
		os.kill(holder, signal.SIGTERM)
		print("done")
	END
	run python3 linger.py "$one"
	echo "$output"
	((status == 0))
	[[ ${lines[-1]} == "done" ]]
	wait "$one"
	[[ ! -e h ]]
}

@test "hold: an allowed user cannot keep others out" {
	require root
	hold_start one --socket=h --allow-uid=1 --allow-uid=2 --allow-uid=3 --allow-uid=4
	cat >crowd.py <<-'END'
		import json, os, socket

		def connect(uid):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.settimeout(100)
		    os.seteuid(uid)
		    s.connect("h")
		    os.seteuid(0)
		    return s

		def served(s):
		    s.send(b'{"schema":1,"request":"list"}')
		    return json.loads(s.recv(65536)).get("devices") == []

		def refused(uid):
		    answer = json.loads(connect(uid).recv(65536))
		    assert answer["errno"] == "EUSERS", answer
		    return answer["message"]

		crowd = []
		for uid in (1, 2, 3):
		    for _ in range(16):
		        crowd.append(connect(uid))
		        assert served(crowd[-1])
		    assert "16 clients of user %d" % uid in refused(uid)
		refused(4)
		ours = [connect(0) for _ in range(16)]
		assert all(served(s) for s in ours)
		refused(0)
		crowd.pop().close()
		assert served(ours[0])
		assert served(connect(3))
		print("done")
	END
	run python3 crowd.py
	echo "$output"
	((status == 0))
	[[ $output == "done" ]]
}

@test "hold: without a descriptor left, a client is turned away" {
	: >one.out
	(
		ulimit -n 24
		exec "$VFIOMIGCTL" hold --json --socket=h >one.out 2>one.err 3>&-
	) &
	one=$!
	holders+=("$one")
	eventually is_whole one.out
	cat >many.py <<-'END'
		import json, socket

		def connect():
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.settimeout(100)
		    s.connect("h")
		    s.send(b'{"schema":1,"request":"list"}')
		    return s

		served = []
		while True:
		    s = connect()
		    answer = json.loads(s.recv(65536))
		    if answer["reply"] == "error":
		        break
		    served.append(s)
		assert answer["errno"] == "EMFILE", answer
		assert "can take no more clients" in answer["message"]
		try:
		    assert s.recv(1) == b""
		except ConnectionResetError:
		    pass
		served[0].send(b'{"schema":1,"request":"list"}')
		assert json.loads(served[0].recv(65536))["devices"] == []
		served.pop().close()
		served[0].send(b'{"schema":1,"request":"list"}')
		assert json.loads(served[0].recv(65536))["devices"] == []
		assert json.loads(connect().recv(65536))["devices"] == []
		print("done")
	END
	run python3 many.py
	echo "$output"
	((status == 0))
	[[ $output == "done" ]]
	kill "$one"
	wait "$one"
}

@test "hold: a holder that says anything but the answer is not waited for longer" {
	cat >chatter.py <<-'END'
		import socket

		listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		listener.bind("h")
		listener.listen()
		print("ready", flush=True)
		client = listener.accept()[0]
		try:
		    while True:
		        client.send(b'{"schema":1,"event":"bus-error","name":"x"}')
		except (BrokenPipeError, ConnectionResetError):
		    pass
	END
	python3 chatter.py >chatter.out 3>&- &
	holders+=($!)
	eventually test -s chatter.out
	migctl 76 state --timeout 200ms hold:h
	expect_message 'hold:h: the holder does not answer'
}

@test "hold: the manual page's own client works" {
	sed -n '/^import json/,/^```/p' "$page" | sed '$d' >example.py
	[[ -s example.py ]]
	hold_start one --socket=h
	run python3 example.py h
	echo "$output"
	((status == 1))
	[[ $output == 'no device is held here' ]]
}

@test "hold: SIGUSR1 says what is held, and ends nothing" {
	hold_start one --socket=h
	kill -USR1 "$one"
	eventually says one.err 'no device is held'
	ask h "$list"
	[[ $output == *'"devices": []'* ]]
}

# gone FILE...
gone()
{
	local file

	for file; do
		[[ ! -e $file ]] || return 1
	done
}

@test "hold --background: the devices are held and lent when it has ended, until a signal" {
	local pid

	mkdir sub
	migctl 0 --json hold --background --pid-file=sub/pid --socket=sub/h
	read -r pid <sub/pid
	holders+=("$pid")
	expect_json ".successor.pid == $pid" '.socket == "sub/h"' '.status == 0'
	ask sub/h "$list"
	[[ $output == *'"devices": []'* ]]
	[[ $(readlink /proc/"$pid"/fd/{0,1,2}) == $'/dev/null\n/dev/null\n/dev/null' ]]
	migctl 71 hold --background --socket=sub/h
	expect_message '--socket: sub/h: Address already in use (EADDRINUSE)'
	ask sub/h "$list"
	[[ $output == *'"devices": []'* ]]
	kill -TERM "$pid"
	eventually gone sub/h sub/pid
}

@test "hold --background: nothing that the caller had open is kept open" {
	local pid

	exec 9>lock
	flock -n 9
	mkfifo log
	cat log >all 3>&- 9>&- &
	holders+=($!)
	exec 8>log
	migctl 0 -q --status-fd=8 hold --background --pid-file=it.pid --socket=h
	read -r pid <it.pid
	holders+=("$pid")
	exec 9>&- 8>&-
	# The lock and the pipe are given up by the last process that has them open.
	eventually flock -n lock true
	wait "${holders[0]}"
	says all '"result"'
	ask h "$list"
	[[ $output == *'"devices": []'* ]]
	kill -TERM "$pid"
	eventually gone h it.pid
}
