#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --trace: what is said to a vfio-user server, message by message; and what becomes of a trace that
# cannot be written.

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

# lines_of FILE REGEX: how many there are.
lines_of()
{
	grep -cE "$2" "$1" || true
}

@test "trace: has what the server heard, in the same order" {
	emu_start --verbose --verbose
	migctl 0 --trace=t.json save "$A" image
	emu_stop
	sed -nE 's/^vfiomig-emu: debug: [^ ]*: ([A-Z_]+)$/\1/p' "$BATS_TEST_TMPDIR/emu.err" >heard
	[[ -s heard ]]
	jq -r 'select(.call == "send").name' t.json >sent
	diff heard sent
	# Each has its reply, and the state that was asked for.
	jq -es '[.[] | select(.call == "send") | .in.id] == [.[] | select(.call == "receive") | .in.id]' t.json
	jq -es '[.[] | select(.in.op == "SET") | .in.state] ==
		["pre-copy", "pre-copy-p2p", "stop-copy", "stop", "running-p2p", "running"] or
		[.[] | select(.in.op == "SET") | .in.state] ==
		["running-p2p", "stop", "stop-copy", "stop", "running-p2p", "running"]' t.json
	validate_reports t.json
}

@test "trace: a server written from the specification alone, and what it refuses" {
	require python3
	cat >server.py <<-'END'
		import json, socket, struct

		s = socket.socket(socket.AF_UNIX)
		s.bind("spec")
		s.listen()
		print("ready", flush=True)
		c, _ = s.accept()
		while head := c.recv(16, socket.MSG_WAITALL):
		    msg, command, size, flags, _ = struct.unpack("<HHIII", head)
		    body = c.recv(size - 16, socket.MSG_WAITALL)
		    reply, error = body, 0
		    if command == 4:  # DEVICE_GET_INFO: resettable, no regions, no interrupts
		        reply = struct.pack("<IIII", 16, 1, 0, 0)
		    elif command == 16:  # DEVICE_FEATURE
		        want = struct.unpack_from("<II", body)[1]
		        index = want & 0xFFFF
		        if want & (1 << 18):
		            pass
		        elif want & (1 << 16) and index == 1:
		            reply = struct.pack("<IIQ", 16, want, 1)
		        elif want & (1 << 16) and index == 2:
		            reply = struct.pack("<IIIi", 16, want, 2, -1)
		        else:
		            error = 16  # EBUSY
		    if error:
		        reply = b""
		    c.sendall(struct.pack("<HHIII", msg, command, 16 + len(reply),
		                          33 if error else 1, error) + reply)
	END
	python3 server.py >ready 2>server.err 3>&- &
	started+=("$!")
	eventually grep -qs ready ready
	migctl 81 --trace=t --trace-format=json state --drain-timeout=0 vfio-user:spec stop
	jq -es '[.[] | select(.call == "receive" and .name == "DEVICE_GET_INFO")][0].out ==
		{"flags": "0x1", "num_regions": 0, "num_irqs": 0}' t
	jq -es '[.[] | select(.in.op == "SET")] | length == 1 and .[0].in.feature == "MIG_DEVICE_STATE" and
		.[0].in.state == "stop"' t
	jq -es '[.[] | select(.errno)] | length == 1 and .[0].errno == "EBUSY" and .[0].result == -1 and
		.[0].call == "receive" and .[0].name == "DEVICE_FEATURE"' t
	jq -es '[.[] | select(.out.state)][0].out.state == "running"' t
}

@test "trace: text has a line a call, and no content" {
	emu_start --state-size 64K
	migctl 0 save --trace trace "$A" image
	[[ $(head -n 1 trace) =~ ^'# vfiomigctl trace 1: save, pid '[0-9]+', '[0-9TZ:.-]+$ ]]
	[[ $(lines_of trace '^[0-9:.]{15} [0-9]+ vfio-user:emu fd [0-9]+ (send|receive) [A-Z_]+ type=.* = (0|-1 E[A-Z]+) <[0-9]+\.[0-9]{6}>$') == $(($(wc -l <trace) - 1)) ]]
	grep -q ' send DEVICE_FEATURE .* op=SET feature=MIG_DEVICE_STATE state=stop-copy = 0 <' trace
	grep -qE ' receive MIG_DATA_READ type=reply id=[0-9]+ size=[0-9]+ -> bytes=65536 = 0 <' trace
	# 64 KiB of state went by.
	(($(stat -c %s trace) < 16384))
}

@test "trace: both places on the command line, a descriptor, standard error" {
	emu_start
	migctl 0 --trace one state "$A"
	migctl 0 state "$A" --trace two
	diff <(sed -E 's/.* (send|receive)/\1/; s/ = .*//; 1d' one) \
		<(sed -E 's/.* (send|receive)/\1/; s/ = .*//; 1d' two)
	exec {fd}>three
	migctl 0 state "$A" --trace "fd:$fd"
	exec {fd}>&-
	(($(wc -l <three) == $(wc -l <one)))
	migctl 0 --json --trace=- state "$A"
	[[ $stderr == '# vfiomigctl trace '* && $stderr == *' receive '* && $output == '{'* ]]
}

@test "trace: an old one is replaced, nothing else is" {
	emu_start
	migctl 0 save "$A" image
	cp image before
	migctl 73 --trace=image state "$A" stop
	expect_message '--trace: image: is there, and is no trace; name another file'
	migctl 73 resume --trace=image --no-hold "$A" image
	cmp image before
	for _ in 1 2; do
		migctl 0 --trace=t.json state "$A"
		(($(lines_of t.json '"event":"trace"') == 1))
	done
	migctl 73 --trace=/nosuch/t list
	expect_message '--trace: /nosuch/t: No such file or directory (ENOENT)'
	migctl 73 --trace=. list
	expect_message '--trace: .: no regular file, FIFO, terminal or socket'
	migctl 73 --trace=emu state "$A"
	migctl 64 --trace=fd:77 list
	expect_message '--trace: fd:77: not open for writing'
	migctl 64 --trace=fd:x list
	expect_message "--trace: 'fd:x' is not fd:N"
	expect_state "$A" running
}

@test "trace: a full disk ends the trace, and not the save" {
	emu_start
	# The shell's limit is a file's size: EFBIG, as SIGXFSZ is ignored.
	# shellcheck disable=SC2016 # the other shell's
	run -0 --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 4
		exec "$0" --trace=t.json --json state "$1" stop' "$tool" "$A"
	[[ $stderr == 'vfiomigctl: warning: --trace: t.json: EFBIG: the trace ends here' ]]
	[[ $output == *'"status": 0'* ]]
	# Only whole lines are left.
	jq -es 'length > 4 and .[0].event == "trace"' t.json
	(($(stat -c %s t.json) <= 4096))
	expect_state "$A" stop
}

@test "trace: a reader that has gone or stopped holds nothing up" {
	local state

	emu_start --state-size 64M
	mkfifo pipe
	exec {hold}<>pipe
	# It reads nothing: the pipe has room for some hundred lines.
	migctl 0 --trace=pipe --json save "$A" image
	expect_json '.status == 0' '.bytes == 67108864'
	[[ $stderr == *'--trace: pipe: its reader has stopped: the end is lost' ]]
	exec {hold}>&-
	migctl 73 --trace=pipe state "$A"
	expect_message '--trace: pipe: No such device or address (ENXIO)'
	expect_state "$A" running
}

@test "trace: of a process that goes on in the background, lines are whole" {
	emu_start
	migctl 0 save --leave=stop "$A" image
	migctl 0 resume --trace=t.json --background --pid-file pid --force "$A" image
	read_file pid pid
	started+=("$pid")
	kill -TERM "$pid"
	eventually has_ended "$pid"
	validate_reports t.json
}
