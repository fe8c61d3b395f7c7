#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a resume does once a state is loaded, as far as a server's device shows it; and what it says
# to a service manager. With a kernel's devices: tests/lab/suite/after.bats.

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

# An image of $A, which stays as it was.
image()
{
	emu_start
	reference "$A"
	migctl 0 save "$A" image
}

# manager COMMAND...: runs it as a service manager does, with a socket for the messages of a service,
# which are written to "told", and a listening socket "in" called "image" at descriptor 4.
manager()
{
	require python3
	cat >manager.py <<-'END_OF_IT'
		import os, socket, sys, threading

		notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		notify.bind("notify")
		listener = socket.socket(socket.AF_UNIX)
		listener.bind("in")
		listener.listen()
		read, write = os.pipe()
		pid = os.fork()
		if pid == 0:
		    os.dup2(listener.fileno(), 64)
		    os.dup2(read, 3)
		    os.dup2(64, 4)
		    os.close(64)
		    os.environ.update(NOTIFY_SOCKET=os.path.abspath("notify"), LISTEN_PID=str(os.getpid()),
		                      LISTEN_FDS="2", LISTEN_FDNAMES="other:image")
		    os.execvp(sys.argv[1], sys.argv[1:])

		def hear():
		    while True:
		        with open("told", "a") as told:
		            print(notify.recv(4096).decode().replace("\n", "|"), file=told)

		open("pid", "w").write(str(pid))
		threading.Thread(target=hear, daemon=True).start()
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END_OF_IT
	rm -f notify in
	: >told
	python3 manager.py "$@"
}

has()
{
	[[ $(<"$2") == *"$1"* ]]
}

@test "after: options that exclude each other, and what is missing" {
	local options

	for options in '--no-hold --background' '--no-hold --handover x' '--handover x --background'; do
		# shellcheck disable=SC2086 # words
		migctl 64 resume $options "$B" image
		[[ $stderr == *' exclude each other'* ]]
	done
	migctl 64 resume --background "$B" image -- true
	[[ $stderr == *'--background and -- COMMAND exclude each other'* ]]
	migctl 64 resume "$B" image --
	[[ $stderr == *'no COMMAND behind --'* ]]
	migctl 64 resume "$B" -- true
	[[ $stderr == *'no FILE'* ]]
	migctl 64 resume -- true
	[[ $stderr == *'no DEV'* ]]
	migctl 64 resume --handover unix:x "$B" image
	[[ $stderr == *'--handover takes a path alone: --handover x, or ./unix:x'* ]]
	migctl 64 resume --pid-file x "$B" image
	[[ $stderr == *'--pid-file is for --background'* ]]
	migctl 64 resume --dry-run "$B" image -- true
	[[ $stderr == *'--dry-run loads nothing that another process could have'* ]]
}

@test "after: what cannot be done is said before the device is touched" {
	image
	migctl 0 --json state "$B"
	was=$output
	migctl 66 --json resume "$B" image -- ./nosuch
	expect_json '.outcome == "aborted"' '.owner == "none"' '.error.errno == "ENOENT"'
	expect_message './nosuch: cannot be executed'
	migctl 77 resume "$B" image -- ./image
	expect_message './image: cannot be executed: Permission denied (EACCES)'
	migctl 77 resume "$B" image -- .
	PATH=$PWD:$PATH migctl 77 resume "$B" image -- image
	PATH='' migctl 66 resume "$B" image -- sh
	migctl 69 resume --handover image "$B" image
	expect_message "$B: --handover: a server's device has no descriptor to pass on"
	migctl 73 --json resume --background --pid-file nosuch/pid "$B" image
	expect_json '.owner == "none"'
	migctl 66 --json resume "$B" fd:0 -- ./nosuch <image
	expect_json '.owner == "unknown"'
	migctl 73 resume --background --pid-file nosuch/pid "$B" image
	expect_message '--pid-file: nosuch/pid: No such file or directory (ENOENT)'
	migctl 73 resume --background --pid-file . "$B" image
	migctl 64 resume --background --pid-file nosuch/ "$B" image
	migctl 0 --json state "$B"
	[[ $output == "$was" ]]
}

@test "-- COMMAND: gets its arguments, and a server's device by name" {
	image
	migctl 0 -q resume "$B" image -- sh -c 'printf "<%s>" "$@" "$VFIOMIG_DEVICE_0" "$VFIOMIG_STATE_0" \
		"$VFIOMIG_DEVICE_COUNT $VFIOMIG_DEVICES" "${LISTEN_FDS-none}" "${VFIOMIG_FD_0-none}"' sh -- -x '' 'a b'
	[[ $output == "<--><-x><><a b><$B><stop><1 $B><none><none>" ]]
	holds "$B"
	migctl 5 -q resume "$B" image -- sh -c 'exit 5'
	migctl 0 -q resume --run "$B" image -- sh -c 'echo "$VFIOMIG_STATE_0"'
	[[ $output == running ]]
	expect_state "$B" running
}

@test "-- COMMAND: the report comes first" {
	image
	"$tool" --json --status-fd=5 resume "$B" image -- echo behind 5>status >out
	[[ $(tail -n 1 out) == behind ]]
	head -n -1 out | jq -e '.successor.command == "echo" and .status == 0 and .state == "stop"'
	jq -e 'select(.event == "result") | .successor.command == "echo"' status
	head -n -1 out | validate_reports || (($? == 77))
}

@test "-- COMMAND: what is passed to resume is not passed on" {
	image
	run --separate-stderr manager "$tool" -q resume "$B" image -- sh -c \
		'echo "${LISTEN_FDS-none} ${LISTEN_PID-none}"; test -e /proc/self/fd/4 || echo closed; echo "$NOTIFY_SOCKET"'
	[[ ${lines[0]} == 'none none' && ${lines[1]} == closed && ${lines[2]} == "$PWD/notify" ]]
	run --separate-stderr manager "$tool" -q save "$A" 'exec:cat >/dev/null; echo "${LISTEN_FDS-none}"'
	[[ $stderr == none ]]
}

@test "-- COMMAND: one that cannot be executed after all is said, and the device held" {
	image
	echo '#!/no/such/interpreter' >bad
	chmod +x bad
	: >next.err
	start next resume --status-fd=5 "$B" image -- ./bad 5>status
	eventually has 'held open until' next.err
	kill -INT "$next"
	finish next 81
	# Once, when it happens, and before what becomes of the device.
	[[ $stderr == *"./bad: cannot be executed: No such file or directory (ENOENT); $B: loaded, and open here"$'\n'"$B: stopped; held open until SIGINT, SIGTERM or SIGHUP" ]]
	[[ $(grep -c 'cannot be executed' <<<"$stderr") == 1 ]]
	[[ $(jq -r '.event' status | tail -n 2 | xargs) == 'result not-executed' ]]
	jq -e 'select(.event == "not-executed") | .device and .message == "./bad: cannot be executed"' status
	holds "$B"
}

@test "--background: is held when the caller has its result, and ends with a signal" {
	local pid

	image
	migctl 0 --json --status-fd=5 resume --stop --background --pid-file it.pid "$B" image 5>status
	read -r pid <it.pid
	started+=("$pid")
	expect_json ".successor.pid == $pid" '.status == 0' '.state == "stop"'
	jq -e 'select(.event == "result") | .successor.pid' status
	[[ $(readlink /proc/"$pid"/fd/* 2>/dev/null) != *"$PWD/status"* ]]
	# It has the device, and the lock.
	migctl 73 resume --background --pid-file it.pid "$A" image
	expect_message "it.pid: is of process $pid, which lives"
	kill -TERM "$pid"
	eventually gone it.pid
	holds "$B"
}

@test "--background: nothing that the caller had open is kept open" {
	image
	exec 9>lock
	flock -n 9
	migctl 0 -q resume --background --pid-file it.pid "$B" image
	started+=("$(<it.pid)")
	exec 9>&-
	flock -n lock true
	kill -TERM "$(<it.pid)"
	eventually gone it.pid
}

gone()
{
	[[ ! -e $1 ]]
}

@test "--background: a server that ends ends it, too" {
	image
	migctl 0 -q resume --background --pid-file it.pid "$B" image
	started+=("$(<it.pid)")
	emu_stop
	eventually gone it.pid
}

@test "service: READY=1 when the device is held; fd:NAME is the socket; nothing is passed on" {
	image
	: >told
	manager "$tool" resume --listen --stop "$B" fd:image >service.out 2>service.err 3>&- 9>&- &
	service=$!
	started+=("$service")
	eventually has 'STATUS=listening on fd:image' told
	started+=("$(<pid)")
	if has READY told; then false; fi
	migctl 0 save "$A" "unix:$PWD/in"
	eventually has "READY=1|STATUS=$B: stopped, held open" told
	kill -TERM "$(<pid)"
	finish service 0
	holds "$B"
}

@test "service: a name that is none lists what there is; numbers stay numbers" {
	image
	run --separate-stderr manager "$tool" info fd:nosuch
	((status == 66))
	expect_message 'fd:nosuch: no descriptor has this name; there are: other, image'
	run --separate-stderr manager "$tool" verify fd:nosuch
	((status == 64))
	expect_message 'fd:nosuch: no descriptor has this name (LISTEN_FDNAMES)'
	run --separate-stderr manager "$tool" info fd:3
	((status == 66))
	expect_message 'fd:3: not a VFIO device'
	run --separate-stderr manager "$tool" info fd:other
	((status == 66))
	expect_message 'fd:other: not a VFIO device'
	migctl 64 info fd:x
	expect_message "fd:x: not a file descriptor's number, and no name that was passed to this process"
	# A shell between is what they were passed to, unless it executes the tool.
	run --separate-stderr manager sh -c '"$0" info fd:other; exit $?' "$tool"
	((status == 64))
	expect_message 'fd:other: no name that was passed to this process: LISTEN_PID names another one'
	run --separate-stderr manager sh -c '"$0" verify fd:other; exit $?' "$tool"
	((status == 64))
	expect_message 'fd:other: no name that was passed to this process: LISTEN_PID names another one'
	run --separate-stderr manager sh -c 'exec "$0" info fd:other' "$tool"
	((status == 66))
	expect_message 'fd:other: not a VFIO device'
	run --separate-stderr sh -c 'LISTEN_PID=$$ LISTEN_FDS=x exec "$0" info fd:x' "$tool"
	((status == 78))
	expect_message 'fd:x: LISTEN_FDS=x: not a number up to 1024'
}

@test "service: a manager that does not hear is no failure" {
	image
	: >next.err
	NOTIFY_SOCKET=$PWD/nosuch start next resume "$B" image
	eventually has 'held open until' next.err
	kill -INT "$next"
	finish next 0
	[[ $stderr == *'warning: NOTIFY_SOCKET='* ]]
}
