#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A move over a command, as by ssh: what is between the ends is a process as well, of the terminal's
# group at this end, and can be killed, lose its host, or write what is none of the protocol's.

# shellcheck disable=SC2034,SC2154 # variables are move.bash's
load ../move.bash

setup()
{
	emu_setup
	require python3
	# The third device is that of a second `receive`, while the first one still has its own.
	emu_start --devices 3 --state-size 96K --event-log events
	bounded -q save --raw --leave=stop "$A" reference
	findings=0 trials=0 move_note=''
	next=vfio-user:emu.2 destination=''
	ssh=$BATS_TEST_DIRNAME/ssh-stand-in.py
}

teardown()
{
	local peers=() peer

	[[ ! -e relay.log ]] || mapfile -t peers < <(sed -n 's/^relay .* peer //p' relay.log)
	for peer in "${peers[@]}"; do
		has_ended "$peer" || kill -KILL "$peer"
	done
	emu_teardown
}

# far OPTION...: the command of the other host: a `receive` by $B, and those after it by $next.
far()
{
	cat >far.sh <<-END
		dev=$B
		[ ! -e again ] || dev=$next
		: >again
		exec $tool receive --no-hold --timeout 30s --state-dir there \$dev -
	END
	command="exec:exec $python $ssh --once held $* relay.log 'exec sh far.sh'"
}

# begin OPTION...: as move_anew, with nothing left of a command either.
begin()
{
	rm -rf here there again held relay.log
	bounded -q reset "$A"
	bounded -q reset "$B"
	: >events
	: >relay.log
	started=()
	far "$@"
}

# migrate_starts OPTION...: in a process group of its own, which is what a terminal signals.
migrate_starts()
{
	setsid "$tool" migrate --state-dir here --timeout 30s "$@" "$A" "$command" \
		>migrate.out 2>migrate.err 3>&- &
	migrate=$!
	started+=("$migrate")
}

# passed LINE: the relay has told so
passed()
{
	grep -qx "$1" relay.log
}

# first_command: $relay is its process, $peer that of the other host.
first_command()
{
	[[ $(<relay.log) =~ relay\ ([0-9]+)\ peer\ ([0-9]+) ]]
	relay=${BASH_REMATCH[1]} peer=${BASH_REMATCH[2]}
}

# breaks WHAT: at the message where it is held
breaks()
{
	case $1 in
	relay) kill -KILL "$relay" ;;
	host) kill -USR1 "$relay" ;;
	peer) kill -KILL "$peer" ;;
	ctrl-c) kill -INT -- "-$migrate" ;;
	esac
}

# source_gives_up: it has told its decision to another process, in vain, and gets two signals.
source_gives_up()
{
	eventually passed 'peer ended 75'
	kill -TERM "$migrate"
	eventually said 'too late to stop' migrate.err
	kill -TERM "$migrate"
}

# peer_rests: it has ended, or waits for the source's word.
peer_rests()
{
	has_ended "$peer" && return
	record_of destination
	[[ $phase == prepared && -S there/$txid.sock ]]
}

# broken AT WHAT STATUS RAN RECORDS SAID: a move that is held at the message AT, where WHAT breaks,
# ends with STATUS; the source has SAID this, RECORDS are left (source/destination), and RAN runs.
# Then `recover` at both ends comes to what these mean.
broken()
{
	local at=$1 what=$2 want=$3 runs=$4 records=$5 says=$6 here

	shift 6
	[[ $what != peer ]] || set -- --hears-end
	move_note="$at $what"
	echo "# $move_note"
	begin --hold "$at" "$@"
	migrate_starts
	eventually passed held
	first_command
	breaks "$what"
	((want != 80)) || source_gives_up
	finish migrate "$want"
	[[ $stderr == *"$says"* ]] || finding "said: $stderr"
	eventually peer_rests
	record_of source
	here=$phase
	record_of destination
	[[ $here/$phase == "$records" ]] || finding "records: $here/$phase"
	judge
	[[ $ran == "$runs" ]] || finding "$ran runs it"
	# It does not listen: recover is to ask it by a command of its own.
	destination=$migrate
	# By turns each end is the first one that is asked.
	if ((++trials % 2)); then recover_both source; else recover_both destination; fi
	eventually has_ended "$peer" || finding "the other end does not end"
	settled
}


@test "move, exec: whatever breaks before the decision, the source runs on" {
	broken source:HELLO relay 75 source none/none 'ended by signal 9'
	broken source:OFFER relay 75 source none/none 'ended by signal 9'
	broken source:OFFER host 75 source none/none 'ended with status 255'
	broken source:OFFER peer 75 source none/none 'ended with status 255'
	broken source:OFFER ctrl-c 75 source none/none Interrupt
	broken source:FRAMES relay 75 source aborted/none 'ended by signal 9'
	broken source:FRAMES host 75 source aborted/none 'ended with status 255'
	broken source:FRAMES peer 75 source aborted/none 'ended with status 255'
	broken source:FRAMES ctrl-c 75 source aborted/none Interrupt
	((findings == 0))
}

@test "move, exec: what breaks when all was sent, too, and the other end asks what became of it" {
	broken source:END relay 75 source aborted/aborted 'ended by signal 9'
	broken source:END host 75 source aborted/aborted 'ended with status 255'
	broken source:END peer 75 source aborted/begun 'ended with status 255'
	broken source:END ctrl-c 75 source aborted/aborted Interrupt
	broken destination:READY relay 75 source aborted/prepared 'ended by signal 9'
	broken destination:READY host 75 source aborted/prepared 'ended with status 255'
	broken destination:READY peer 75 source aborted/prepared 'ended with status 255'
	broken destination:READY ctrl-c 75 source aborted/prepared Interrupt
	((findings == 0))
}

@test "move, exec: what breaks behind the decision is told by the next command" {
	broken source:COMMIT relay 0 destination 'done/done' ''
	broken source:COMMIT host 0 destination 'done/done' ''
	broken source:COMMIT peer 80 none committed/prepared 'stays stopped, since the other end may run'
	broken source:COMMIT ctrl-c 0 destination 'done/done' ''
	broken destination:DONE relay 0 destination 'done/done' ''
	broken destination:DONE host 0 destination 'done/done' ''
	broken destination:DONE ctrl-c 0 destination 'done/done' ''
	((findings == 0))
}

@test "migrate --retries, exec: the command is started again" {
	local at

	next=$B
	for at in source:FRAMES source:END; do
		echo "# $at"
		begin --hold "$at"
		migrate_starts --retries=5
		eventually passed held
		first_command
		breaks relay
		finish migrate 0
		eventually has_ended "$peer"
		settled
	done
	((findings == 0))
}

@test "move, exec: what a login says on standard output is quoted, on standard error shown" {
	begin --banner 'Welcome\ to\ far'
	migrate_starts
	finish migrate 76
	[[ $stderr == *'speaks something else: "Welcome to far"; a login script or a banner may'* ]]
	untouched
	begin
	sed -i '1i echo "Welcome to far" >&2' far.sh
	migrate_starts
	finish migrate 0
	[[ $stderr == *'Welcome to far'* ]]
	settled
	((findings == 0))
}

@test "move, exec: how the command ended is told" {
	begin
	echo 'exit 127' >far.sh
	migrate_starts
	finish migrate 75
	[[ $stderr == *'ended with status 127'* ]]
	begin
	sed -i 's/--state-dir there/--state-dir far.sh/' far.sh
	migrate_starts
	finish migrate 75
	[[ $stderr == *'far.sh: '*'ended with status 78'* ]]
	untouched
}

# at_terminal WORD: a migrate with a terminal, at which WORD is typed when a password is asked for.
at_terminal()
{
	"$python" - "$1" "$tool" migrate --state-dir here "$A" "$command" <<-'END'
		import os, pty, sys

		pid, fd = pty.fork()
		if not pid:
		    os.execv(sys.argv[2], ["vfiomigctl", *sys.argv[3:]])
		said = b""
		try:
		    while part := os.read(fd, 4096):
		        if b"password: " not in said and b"password: " in said + part:
		            os.write(fd, sys.argv[1].encode().decode("unicode_escape").encode())
		        said += part
		except OSError:
		    pass
		print(said.decode())
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
}

@test "move, exec: the command may ask the terminal for a password, and Ctrl-C there ends both" {
	begin --password
	record -0 at_terminal 'secret\n'
	settled
	begin --password
	record -75 at_terminal 'wrong\n'
	[[ $output == *'permission denied'*'ended with status 1'* ]]
	untouched
	record -75 at_terminal '\x03'
	[[ $output == *'interrupted'* ]]
	untouched
	((findings == 0))
}

@test "recover --peer, exec: at either end, by what tells it as ssh does" {
	local other

	begin --hold destination:READY
	migrate_starts
	eventually passed held
	first_command
	kill -KILL "$migrate" "$relay"
	eventually peer_rests
	record_of source
	[[ $phase == begun ]]
	other="exec:exec $python $ssh relay.log 'exec $tool recover --state-dir here --serve -'"
	migctl 80 recover --state-dir there --peer "${other/.py/.py --banner Welcome}" "$txid"
	[[ $stderr == *'speaks something else: "Welcome"'* ]]
	migctl 80 recover --state-dir there --peer "$other" "$txid"
	migctl 0 recover --state-dir here --peer "${other/ here/ there}" "$txid"
	migctl 0 recover --state-dir there --peer "$other" "$txid"
	eventually has_ended "$peer"
	settled
	((findings == 0))
}
