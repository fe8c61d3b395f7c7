#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever a command waits for, it hears signals, and says what it waits for. Nothing that it writes to
# can hold it up. With a kernel's devices: tests/lab/suite/signals.bats.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

setup()
{
	emu_setup
	require python3
}

teardown()
{
	emu_teardown
}

# start_clogged FD NAME ARG...: as start, with descriptor FD a pipe that is full and that no process
# reads until the file "goon" is there: then all that it brings goes to the file "late".
start_clogged()
{
	local fd=$1 name=$2

	shift 2
	cat >clog.py <<-'END'
		import fcntl, os, sys, time

		fd, r_w = int(sys.argv[1]), os.pipe()
		flags = fcntl.fcntl(r_w[1], fcntl.F_GETFL)
		fcntl.fcntl(r_w[1], fcntl.F_SETFL, flags | os.O_NONBLOCK)
		for size in (4096, 1):
		    try:
		        while True:
		            os.write(r_w[1], b"x" * size)
		    except BlockingIOError:
		        pass
		fcntl.fcntl(r_w[1], fcntl.F_SETFL, flags)
		if os.fork() == 0:
		    # Orphaned: it ends with the test's folder or with the last writer.
		    os.close(r_w[1])
		    while not os.path.exists("goon"):
		        time.sleep(0.01)
		        if not os.path.exists("clog.py"):
		            os._exit(0)
		    with open("late", "wb") as f:
		        while data := os.read(r_w[0], 65536):
		            f.write(data)
		    open("all", "w").close()
		    os._exit(0)
		os.close(r_w[0])
		os.dup2(r_w[1], fd)
		os.close(r_w[1])
		os.execv(sys.argv[2], sys.argv[2:])
	END
	python3 clog.py "$fd" "$tool" "$@" >"$name.out" 2>"$name.err" 3>&- 9>&- &
	started+=("$!")
	printf -v "$name" %s "$!"
}

# late_result: all of what came late; $output is the result in it.
late_result()
{
	: >goon
	eventually test -e all
	output=$(tail -c +65537 late | jq -c 'select(.event == "result")')
	[[ $output ]]
}

#
# Readers that have stopped reading
#

@test "readers: --status-fd that is not read holds up neither a signal nor the device's way back" {
	emu_start --state-size 1G --data-rate 20M
	start_clogged 7 save --status-fd=7 --progress=always save --raw "$A" 'exec:cat >part'
	# The text of a second comes after its JSON, which nothing takes.
	eventually said stop-copy save.err
	kill -TERM "$save"
	finish save 75
	[[ $stderr == *'interrupted; the device is in running again' ]]
	expect_state "$A" running
	late_result || true # it may have been given up by now
}

@test "readers: standard error that is not read does not, either" {
	emu_start --state-size 1G --data-rate 20M
	: >status
	start_clogged 2 save --json --progress=always --status-fd=8 save --raw "$A" 'exec:cat >part' \
		8>status
	# The JSON of the next second comes after the text of the last, which nothing takes.
	eventually ticked 2
	kill -TERM "$save"
	finish save 75
	expect_json '.outcome == "aborted" and .owner == "source" and .state == "running"'
	expect_state "$A" running
	rm part
	start_clogged 2 save -vv --json save --raw "$A" 'exec:cat >part'
	eventually test -s part
	kill -TERM "$save"
	finish save 75
	expect_state "$A" running
}

# ticked COUNT: so many events of progress are in the file "status".
ticked()
{
	(($(grep -c '"event":"progress"' status) >= $1))
}

@test "readers: one that is slow gets the result" {
	emu_start
	start_clogged 7 save --status-fd=7 save "$A" image
	eventually said 'state now' save.out
	late_result
	finish save 0
	jq -e '.status == 0 and .state == "running"' <<<"$(tail -c +65537 late | tail -n 1)"
}

@test "readers: standard output that is not read is waited for until a signal, which changes no status" {
	emu_start
	migctl 0 save "$A" image
	start_clogged 1 verify --json --status-fd=8 verify image 8>status
	eventually said '"event":"result"' status
	run ! has_ended "$verify"
	kill -TERM "$verify"
	finish verify 0
	start_clogged 1 resume --json --status-fd=8 resume "$B" image 8>status
	eventually said '"event":"result"' status
	kill -INT "$resume"
	finish resume 0
	head -c 100 image >short
	start_clogged 1 verify --json --status-fd=8 verify short 8>status
	eventually said '"event":"result"' status
	kill -HUP "$verify"
	finish verify 1
}

#
# Commands that wait
#

@test "extract: a command that does not end, or does not read, can be interrupted" {
	local command

	emu_start --state-size 3M
	migctl 0 save "$A" image
	for command in 'cat >/dev/null; echo $$ >pid; exec sleep 1000' 'echo $$ >pid; exec sleep 1000'; do
		rm -f pid
		start extract extract image "exec:$command"
		eventually test -s pid
		kill -INT "$extract"
		finish extract 75
		[[ $stderr == *'Interrupt: unwinding'*'interrupted' ]]
		eventually has_ended "$(<pid)"
	done
}

@test "extract, inspect, verify, info --diff: a FIFO without a writer or a reader can be interrupted" {
	local command

	emu_start
	migctl 0 save "$A" image
	mkfifo fifo
	for command in 'extract image fifo' 'extract fifo out' 'inspect fifo' 'verify fifo' \
		"info --diff fifo $A" "resume --dry-run $B fifo"; do
		echo "$command"
		# shellcheck disable=SC2086 # words
		start some $command
		eventually blocks_signals "$some"
		kill -TERM "$some"
		finish some 75
		[[ $stderr == *'interrupted' ]]
	done
	expect_files clog.py fifo image some.err some.out || expect_files fifo image some.err some.out
}

@test "every command: a vfio-user server that says nothing can be interrupted" {
	local command

	emu_start
	migctl 0 save "$A" image
	cat >silent.py <<-'END'
		import socket, time

		s = socket.socket(socket.AF_UNIX)
		s.bind("silent")
		s.listen()
		print("ready", flush=True)
		connections = []
		while True:
		    connections.append(s.accept()[0])
		    connections[-1].recv(1)
		    print("asked", flush=True)
	END
	for command in 'list D' 'info D' 'state D' 'state D stop' 'reset D' 'save D out' 'resume D image' \
		'inspect --diff D image'; do
		echo "$command"
		rm -f silent silent.out
		python3 silent.py >silent.out 3>&- &
		started+=("$!")
		eventually said ready silent.out
		# shellcheck disable=SC2086 # words
		start some ${command/D/vfio-user:silent} --timeout=1000
		eventually said asked silent.out
		kill -TERM "$some"
		finish some 75
		[[ $stderr == *'Terminated: unwinding'*interrupted* ]]
	done
}

@test "a command that waits for others to come ends, and speaks of nothing to unwind" {
	local command

	emu_start
	for command in 'receive --keep --state-dir=state D unix:at' 'receive --state-dir=state D unix:at' \
		'resume --listen D unix:at' 'recover --serve=unix:at --state-dir=state'; do
		echo "$command"
		rm -f some.err at
		# shellcheck disable=SC2086 # words
		start some ${command/D/"$A"}
		eventually test -S at
		eventually blocks_signals "$some"
		kill -TERM "$some"
		eventually has_ended "$some"
		wait "$some" || true
		cat some.err
		said 'Terminated: ending, nothing is under way' some.err
		[[ $(<some.err) != *unwinding* && $(<some.err) != *silent* ]]
	done
}

# blocks_signals PID: its session has begun, as SIGWINCH tells: a shell blocks others for a moment.
blocks_signals()
{
	local mask

	mask=$(sed -n 's/^SigBlk:[ \t]*//p' "/proc/$1/status" 2>/dev/null)
	[[ $mask ]] && ((0x$mask & 0x8000000))
}

@test "state: the wait for a busy device can be interrupted, and the device runs on" {
	emu_start --fault drain=running:running-p2p:1000s
	start state -vv --json state --drain-timeout=1000 "$A" stop
	eventually said 'refused for now' state.err
	kill -TERM "$state"
	finish state 75
	[[ $stderr == *'Terminated: unwinding'*'interrupted'* ]]
	expect_json '.status == 75' '.state == "running"'
	expect_state "$A" running
	emu_stop
	rm state.err
	# From where it had come on its way, it goes back.
	emu_start --fault drain=running-p2p:stop:1000s
	start state -vv --json state --drain-timeout=1000 "$A" stop
	eventually said 'refused for now' state.err
	kill -TERM "$state"
	finish state 75
	expect_json '.status == 75' '.state == "running"'
	expect_state "$A" running
}

#
# What is said
#

@test "signals: the first is answered at once, with what is under way" {
	local quiet

	emu_start --delay=stop:stop-copy=4s
	for quiet in '' -q; do
		: >status
		start save $quiet --status-fd=8 save --force "$A" image 8>status
		eventually said '"waiting_for":"stop -> stop-copy"' status
		kill -INT "$save"
		eventually said '"event":"interrupted"' status
		jq -se 'any(.[]; .message // "" | test("Interrupt: unwinding; under way: stop -> stop-copy, "))' \
			status
		finish save 75
		if [[ $quiet ]]; then
			expect_message 'interrupted'
		else
			[[ $stderr == *"$A: Interrupt: unwinding; under way: stop -> stop-copy, for "* ]]
		fi
	done
}

@test "signals: a second one waits for no answer of a receiver, which leaves it in doubt" {
	emu_start
	cat >mute.py <<-'END'
		import socket, time

		s = socket.socket(socket.AF_UNIX)
		s.bind("it")
		s.listen()
		print("ready", flush=True)
		c = s.accept()[0]
		while c.recv(1 << 20)[-8:] != b"":
		    open("received", "a").close()
		time.sleep(1000)
	END
	python3 mute.py >mute.out 3>&- &
	started+=("$!")
	eventually said ready mute.out
	start save -v save --leave=stop --timeout=1000 "$A" unix:it
	eventually said 'all is sent' save.err
	kill -INT "$save"
	eventually said 'too late to stop, finishing' save.err
	said 'a silent peer is waited for 1000 s at most' save.err
	kill -INT "$save"
	finish save 80
	[[ $stderr == *'waiting for nothing that can be left out'*'interrupted twice'* ]]
	expect_state "$A" stop
}

@test "signals: a second one gives up a device that refuses its way back" {
	emu_start --fault drain=stop:running-p2p:1000s
	start save -vv --json save --drain-timeout=1000 "$A" image
	eventually said 'refused for now' save.err
	kill -INT "$save"
	eventually said Interrupt: save.err
	run ! has_ended "$save"
	kill -INT "$save"
	finish save 81
	expect_json '.owner == "source"' '.state == "stop"'
	[[ $stderr == *'waiting for nothing that can be left out'* ]]
	expect_state "$A" stop
}

@test "waits: a call that the driver does not come back from is named" {
	local quiet

	emu_start --delay=stop:stop-copy=3s
	migctl 0 --status-fd=8 save "$A" image 8>status
	named
	jq -se 'any(.event == "waiting" and .waiting_for == "stop -> stop-copy" and .waiting_ns >= 2000000000)' \
		status
	jq -se '[.[] | select(.event == "progress" and .waiting_for)] |
		length > 0 and all(has("bytes_per_second") | not)' status
	validate_reports status
	migctl 0 state "$A" stop-copy
	named
	migctl 0 state "$A" running
	for quiet in --progress=never -q; do
		migctl 0 $quiet save --force "$A" image
		run ! named
	done
}

# named: the last command said that it waited.
named()
{
	grep -q ": still waiting for the driver: stop -> stop-copy, 2.* s$" "$BATS_TEST_TMPDIR/record.err"
}

@test "waits: of a set each device whose driver does not come back is named" {
	local dev

	emu_start --devices=4 --delay=stop:stop-copy=3s
	migctl 0 --status-fd=8 save "$A" "$A.2" "$A.3" image 8>status
	for dev in "$A" "$A.2" "$A.3"; do
		grep -q ": still waiting for the driver: $dev: stop -> stop-copy, 2.* s$" \
			"$BATS_TEST_TMPDIR/record.err"
		jq -se --arg dev "$dev" 'any(.event == "waiting" and .waiting_device == $dev and
			.waiting_for == "stop -> stop-copy" and .waiting_ns >= 2000000000)' status
	done
	validate_reports status
}

@test "progress: of an image that was verified the size is exact" {
	emu_start --state-size 8M --data-rate 5M
	migctl 0 --status-fd=8 --progress=always save "$A" image 8>status
	jq -se 'any(.event == "progress" and .state == "stop-copy" and .bytes_per_second > 0 and
		(has("expected_bytes") | not))' status
	migctl 0 --status-fd=8 --progress=always resume --no-hold "$B" image 8>status
	jq -se 'any(.event == "progress" and .state == "resuming" and .total_exact and
		.expected_bytes == 8388608 and .percent > 0)' status
	[[ $stderr =~ 'resuming  '[0-9]+'%  '[0-9.]+' MiB of 8.00 MiB  ' ]]
}
