#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sockets without a server, and servers that no device could be behind: one line, soon.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	[[ -z ${server-} ]] || kill -KILL "$server" 2>/dev/null || true
	emu_teardown
}

# serve KIND [TEXT]: a server at the socket "it" that does so to everybody.
#	close		hangs up at once
#	silent		never says anything
#	half		half of a header, and then nothing
#	header HEX	these bytes
#	version MINOR	that version
#	json TEXT	capabilities
#	late KIND	agrees on a version; then close, silent, or
#	late plain	is a device that cannot migrate
#	late stop	is one that says it is in state 8
#	late short	is a PCI function whose configuration space cannot be read, but for a byte
#	late chatty	sends commands of its own and replies to nobody before each reply
serve()
{
	require python3
	cat >server.py <<-'END'
		import socket, struct, sys

		kind, text = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
		listener = socket.socket(socket.AF_UNIX)
		listener.bind("it")
		listener.listen()
		print("ready", flush=True)

		def reply(s, head, payload, flags=1, errno=0):
		    s.sendall(head[:4] + struct.pack("<III", 16 + len(payload), flags, errno) + payload)

		def version(json=b'{"capabilities":{}}', minor=1):
		    return struct.pack("<HH", 0, minor) + json + b"\0"

		def receive(s):
		    head = s.recv(16, socket.MSG_WAITALL)
		    if len(head) < 16:
		        return head, b""
		    size = struct.unpack("<I", head[4:8])[0]
		    return head, s.recv(size - 16, socket.MSG_WAITALL) if size > 16 else b""

		def device(s):
		    while True:
		        head, payload = receive(s)
		        if len(head) < 16:
		            return
		        if head[8] & 15:
		            continue
		        command = struct.unpack("<H", head[2:4])[0]
		        if text == "chatty":
		            for n in range(20):
		                s.sendall(struct.pack("<HHIII", 900 + n, 11, 32, 0, 0) + bytes(16))
		                reply(s, struct.pack("<HH", 800 + n, command), b"noise")
		        if command == 4:
		            flags, regions = (3, 8) if text == "short" else (1, 0)
		            reply(s, head, struct.pack("<IIII", 16, flags, regions, 0))
		        elif command == 5:
		            index = struct.unpack("<I", payload[8:12])[0]
		            reply(s, head, struct.pack("<IIIIQQ", 32, 3, index, 0, 256, 0))
		        elif command == 9:
		            reply(s, head, payload[:12] + struct.pack("<I", 1) + b"x")
		        elif command == 16 and text == "stop":
		            flags = struct.unpack("<I", payload[4:8])[0]
		            value = struct.pack("<Q", 1) if flags & 0xffff == 1 else struct.pack("<Ii", 8, -1)
		            reply(s, head, struct.pack("<II", 16, flags) + value)
		        elif command == 13:
		            reply(s, head, b"")
		        else:
		            reply(s, head, b"", 0x21, 22)

		while True:
		    s, _ = listener.accept()
		    try:
		        if kind == "close":
		            s.close()
		            continue
		        head, payload = receive(s)
		        if kind == "half":
		            s.sendall(head[:8])
		        elif kind == "header":
		            s.sendall(head[:2] + bytes.fromhex(text))
		        elif kind == "version":
		            reply(s, head, version(minor=int(text)))
		        elif kind == "json":
		            reply(s, head, version(text.encode(errors="surrogateescape")))
		        elif kind == "error":
		            reply(s, head, b"", 0x21, 22)
		        elif kind == "late":
		            reply(s, head, version())
		            if text == "close":
		                s.close()
		                continue
		            if text != "silent":
		                device(s)
		        s.recv(1 << 20)
		        s.recv(1 << 20)
		    except OSError:
		        pass
	END
	rm -f it
	exec {ready}< <(exec python3 server.py "$@" 3>&-)
	server=$!
	IFS='' read -r -u "$ready"
	exec {ready}<&-
}

unserve()
{
	kill -KILL "$server"
	wait "$server" 2>/dev/null || true
	server=''
}

@test "servers: no socket, no server behind it, not a socket" {
	local command

	migctl 66 info vfio-user:nosuch
	expect_message 'vfio-user:nosuch: ' 'No such file or directory (ENOENT)'
	migctl 66 info vfio-user:
	expect_message 'vfio-user:: a socket without a path'
	touch plain
	mkdir folder
	migctl 66 info vfio-user:plain
	expect_message 'vfio-user:plain: not a socket'
	migctl 66 info vfio-user:folder
	expect_message 'vfio-user:folder: not a socket'

	emu_start
	kill -KILL "$emu"
	emu_died
	touch image
	for command in info state reset "save --json" "resume --no-hold --raw"; do
		# shellcheck disable=SC2086 # words
		case $command in
		save*) set -- $command "$A" file ;;
		resume*) set -- $command "$A" image ;;
		*) set -- "$command" "$A" ;;
		esac
		migctl 66 "$@"
		expect_message "$A: " 'Connection refused (ECONNREFUSED); its server is gone: start it'
	done
	expect_files folder image plain
	# What was left behind is no obstacle to the next one.
	emu_start
	expect_state "$A" running
}

@test "servers: a socket's name that is too long" {
	local long

	long=$(printf 'x%.0s' {1..200})
	migctl 64 info "vfio-user:$long"
	expect_message "$long: too long for a socket's path" '107 bytes'
}

@test "servers: a socket that is somebody else's alone" {
	require python3
	((EUID != 0)) || skip "root may connect to any"
	emu_start
	chmod 000 emu
	migctl 77 info "$A"
	expect_message "$A: " 'Permission denied (EACCES)'
}

@test "servers: one that hangs up at once" {
	serve close
	migctl 76 --json info vfio-user:it
	expect_message 'vfio-user:it: VERSION: '
	expect_json '.error.errno | . == "ECONNRESET" or . == "EPIPE"'
	migctl 76 --json save vfio-user:it file
	expect_json '.outcome == "aborted"' '.owner == "source"' 'has("state") | not'
	expect_files server.py
}

@test "servers: one that never says anything, or stops in the middle" {
	local kind

	for kind in silent half "late silent"; do
		# shellcheck disable=SC2086 # words
		serve $kind
		migctl 76 info --timeout 1 vfio-user:it
		case $kind in
		half) expect_message 'vfio-user:it: ' 'no whole message within 1 s' ;;
		*) expect_message 'vfio-user:it: ' 'silent for 1 s' ;;
		esac
		unserve
	done
}

@test "servers: one that is busy with somebody else" {
	emu_start
	bounded -q save "$B" image
	start resume -q resume "$A" image
	# It holds the connection from before it has the state.
	eventually holds_socket "$resume"
	migctl 76 state --timeout 1 "$A"
	expect_message "$A: VERSION: " 'silent for 1 s'
	kill -TERM "$resume"
	finish resume 0
	expect_state "$A" running
}

holds_socket()
{
	find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null | grep -q .
}

@test "servers: one that refuses, or wants another version" {
	serve error
	migctl 76 info vfio-user:it
	expect_message 'vfio-user:it: VERSION: Invalid argument (EINVAL)'
	unserve
	serve version 9
	migctl 76 info vfio-user:it
	expect_message 'version 0.9'
}

@test "servers: headers that are none" {
	local header

	# Of another command, no reply, too short, of 4 GiB, an error that is none.
	for header in 0200100000000100000000000000 0100100000000000000000000000 \
		01000f0000000100000000000000 0100ffffffff0100000000000000 \
		01001000000021000000ffffffff; do
		serve header $header
		migctl 76 info --timeout 1 vfio-user:it
		expect_message 'vfio-user:it: '
		unserve
	done
}

@test "servers: capabilities that are not JSON, or not what was asked for" {
	local json deep

	deep=$(printf '[%.0s' {1..1000})
	for json in '{' '[]' '7' 'null' '{"capabilities":7}' '{"capabilities":{"max_msg_fds":"x"}}' \
		'{"capabilities":{"max_msg_fds":-1}}' '{"capabilities":{"max_data_xfer_size":0}}' \
		'{"capabilities":{"max_data_xfer_size":-1}}' '{"capabilities":{"migration":[]}}' \
		'{"capabilities":{"migration":{"pgsize":3}}}' '{} {}' $'\001\377' "$deep"; do
		serve json "$json"
		migctl 76 info vfio-user:it
		expect_message 'vfio-user:it: '
		unserve
	done
}

@test "servers: one that goes away after it has said hello" {
	serve late close
	migctl 76 info vfio-user:it
	expect_message 'vfio-user:it: DEVICE_GET_INFO: '
	[[ $stderr != *'DEVICE_GET_INFO: DEVICE_GET_INFO'* ]]
}

@test "servers: a device that cannot migrate is an answer, and can be reset" {
	serve late plain
	migctl 0 --json info vfio-user:it
	[[ -z $stderr ]]
	expect_json '.migratable == false' '.reason == "the server offers no migration"' \
		'.resettable' '.dma_logging == false' '.regions == [] and .irqs == []'
	migctl 0 info vfio-user:it
	grep -qx 'migratable  *no' <<<"$output"
	grep -qx 'because  *the server offers no migration' <<<"$output"
	migctl 69 --json save vfio-user:it file
	expect_message 'vfio-user:it: the server offers no migration'
	expect_json '.outcome == "aborted"' '.owner == "source"'
	touch empty
	migctl 69 --json resume --raw --no-hold vfio-user:it empty
	expect_json '.outcome == "aborted"' '.owner == "none"'
	migctl 69 state vfio-user:it stop
	migctl 0 reset vfio-user:it
	expect_files empty server.py
}

@test "servers: a state that is none" {
	serve late stop
	migctl 81 state vfio-user:it
	expect_message 'vfio-user:it: reports state 8, which is none'
	migctl 81 save vfio-user:it file
	expect_files server.py
}

@test "servers: a configuration space that is not all there" {
	serve late short
	migctl 76 info vfio-user:it
	expect_message 'vfio-user:it: 1 bytes of region 7, not 256'
}

@test "servers: one that has much to say unasked is heard all the same" {
	serve late chatty
	migctl 0 --json info vfio-user:it
	expect_json '.migratable == false'
	migctl 0 reset vfio-user:it
}
