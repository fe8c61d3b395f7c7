#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is done after a crash of either end of a move: records as the crash leaves them, devices where
# it leaves them, and another end that answers, or does not.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu
load ../recover

setup()
{
	emu_setup
	journal here
	journal there
}

teardown()
{
	emu_teardown
}

# recover STATUS ARG...: at this end, of $TXID.
recover()
{
	local want=$1

	shift
	migctl "$want" recover --json --state-dir here "$TXID" "$@"
}

# is DEV STATE, by the tool's own word; the emulator's events are what others see of it.
is()
{
	local state

	state=$("$tool" state --json "$1" | jq -r .state)
	[[ $state == "$2" ]] || {
		echo "$1 is in $state, not $2"
		return 1
	}
}

put()
{
	"$tool" state -q "$1" "$2"
}

@test "recover: the journal is listed, and what is left to do" {
	migctl 0 recover --state-dir here
	[[ $output == "no transactions in $PWD/here" ]]
	forge here source begun there "$A"
	forge here destination prepared there "$B" 'peer="tcp:[::1]:4444"' 'forced="run by root"'
	COLUMNS=200 migctl 0 recover --list --state-dir here
	[[ $output == *"$TXID"*source*begun*"$A"*"give the devices back"* ]]
	[[ $output == *"$TXID"*destination*prepared*"$B"*"tcp:[::1]:4444"*"ask the source"* ]]
	[[ $output == *"00112233: forced: run by root"* ]]
	# One bit of it.
	sed -i '2s/begun/cegun/' "here/$TXID.source"
	migctl 0 recover --json --state-dir here
	[[ $(jq -r '.transactions[1].damaged' <<<"$output") == *"$TXID.source: damaged: its checksum"* ]]
	[[ $(jq -r '.transactions[0].role' <<<"$output") == destination ]]
}

@test "recover: misuse, and transactions that cannot be found" {
	migctl 64 recover --force=run 0011
	[[ $stderr == *"--force wants all 32 digits"* ]]
	migctl 64 recover 001
	[[ $stderr == *"TXID is at least 4 of its 32 hexadecimal digits, not '001'"* ]]
	migctl 64 recover --serve - --peer unix:a
	migctl 64 recover --keep
	migctl 64 recover --force=run
	migctl 66 recover --state-dir here abcd
	[[ $stderr == *"no transaction 'abcd'"*"recover --list"* ]]
	forge here source begun there "$A"
	forge here destination begun there "$A"
	migctl 64 recover --state-dir here 0011
	[[ $stderr == *"begins more than one transaction"* ]]
	rm "here/$TXID.source"
	sed -i 's/prepared/done/; s/begun_ns/begin_ns/' "here/$TXID.destination"
	migctl 65 recover --state-dir here 0011
	[[ $stderr == *"$TXID.destination: damaged"* ]]
	chmod 770 here
	migctl 78 recover --state-dir here
	[[ $stderr == *"others may write to it"*"chmod 0700 $PWD/here"* ]]
}

@test "recover: a folder that is named is there, and the default one may come with the first move" {
	local row

	# None of these may be answered from a journal that was made just now.
	for row in --list 0011 --serve=-; do
		migctl 66 recover --state-dir nodir "$row"
		expect_message "journal's folder nodir: No such file or directory (ENOENT)" \
			'name the folder that migrate or receive was given'
	done
	: >file
	migctl 66 recover --state-dir file/dir
	expect_message "journal's folder file/dir: Not a directory (ENOTDIR)"
	[[ ! -e nodir ]]
	require root
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	# shellcheck disable=SC2016 # sh's
	record -0 unshare -m sh -c 'mount -t tmpfs none /var/lib && exec "$@"' sh "$tool" recover
	[[ $output == "no transactions in /var/lib/vfiomigctl" ]]
	# Nor need it be named in what is advised.
	forge here destination prepared there "$A"
	# shellcheck disable=SC2016
	record -80 unshare -m sh -c 'mount -t tmpfs none /var/lib && cp -a here /var/lib/vfiomigctl && exec "$@"' \
		sh "$tool" recover "$TXID"
	expect_message "and vfiomigctl recover --peer=URI $TXID here;"
}

@test "recover: a source that has not decided gives its devices back, also where none answers" {
	emu_start
	put "$A" stop
	forge here source begun there "$A" 'peer="unix:nowhere"'
	recover 0 --dry-run
	told phase begun
	is "$A" stop
	phase here source begun
	recover 0
	told phase aborted
	told outcome aborted
	told owner source
	told other_end unreachable
	[[ $(jq -r '.unheard' <<<"$output") == *nowhere* ]]
	is "$A" running
	phase here source aborted
	# It is over: the device is its user's again.
	put "$A" stop
	recover 0
	told phase aborted
	told outcome aborted
	is "$A" stop
	migctl 64 recover --state-dir here --force=run "$TXID"
	[[ $stderr == *"it is aborted: there is nothing to force"* ]]
}

@test "recover: a source that has decided never runs again, whatever the other end says" {
	local says

	emu_start
	put "$A" stop
	# none, begun, prepared, aborted, busy; and no answer at all
	for says in 0 1 2 5 6; do
		forge here source committed there "$A"
		rm -f ask
		other_end ask "$says" 2 "$(journal_id there)"
		migctl "$([[ $says == 5 ]] && echo 81 || echo 80)" recover --json --state-dir here \
			--peer unix:ask "$TXID"
		is "$A" stop
		phase here source committed
		wait "$other"
	done
	recover 80
	[[ $stderr == *"in doubt"*"--force=run"* ]]
	told owner unknown
	is "$A" stop
}

@test "recover: both ends after the decision, the source answering from its journal" {
	emu_start
	put "$A" stop
	put "$B" stop
	forge here destination prepared there "$B"
	forge there source committed here "$A"
	recover 80
	told outcome in-doubt
	is "$B" stop
	serve there ask
	recover 0 --peer unix:ask
	told outcome completed
	told owner destination
	told phase 'done'
	wait "$server"
	is "$B" running
	is "$A" stop

	serve here back
	migctl 0 recover --json --state-dir there --peer unix:back "$TXID"
	told phase 'done'
	told owner destination
	wait "$server"
	is "$A" stop
	is "$B" running
}

@test "recover: both ends before the decision" {
	emu_start
	put "$A" stop
	put "$B" stop
	forge here destination prepared there "$B"
	forge there source begun here "$A"
	serve there ask --keep
	# The source has not decided, nor given up.
	recover 80 --peer unix:ask
	[[ $stderr == *"run vfiomigctl recover $TXID at the source" ]]
	is "$B" stop
	migctl 0 recover --json --state-dir there "$TXID"
	told phase aborted
	is "$A" running
	recover 0 --peer unix:ask
	told phase aborted
	told owner source
	phase here destination aborted
	is "$B" stop
	kill "$server"
	wait "$server"
}

@test "recover: no record there is an abort, from the right journal alone" {
	emu_start
	put "$B" stop
	journal elsewhere
	forge here destination prepared there "$B"
	serve elsewhere ask
	recover 80 --peer unix:ask
	wait "$server"
	[[ $stderr == *"the journal there is $(journal_id elsewhere), and the other end's was $(journal_id there)"* ]]
	is "$B" stop
	phase here destination prepared
	rm -f ask
	serve there ask
	recover 0 --peer unix:ask
	told phase aborted
	told other_end none
	phase here destination aborted
	wait "$server"
}

@test "recover: an end by the specification alone, and ends that keep to nothing" {
	local what

	emu_start
	put "$B" stop
	for what in silent junk flip; do
		forge here destination prepared there "$B"
		rm -f ask
		other_end ask 3 1 "$(journal_id there)" "$what"
		migctl 80 recover --json --state-dir here --peer unix:ask --timeout 300ms "$TXID"
		is "$B" stop
		phase here destination prepared
		wait "$other" || true
	done
	rm -f ask
	# Of the other end's role in this transaction, not of this one's.
	other_end ask 3 2 "$(journal_id there)"
	recover 80 --peer unix:ask
	[[ $stderr == *"answers something else than was asked"* ]]
	rm -f ask
	wait "$other" || true
	GENERATION=6 other_end ask 3 1 "$(journal_id there)"
	recover 80 --peer unix:ask
	[[ $stderr == *"generation 6, this one of 7"* ]]
	wait "$other" || true
	rm -f ask
	other_end ask 3 1 "$(journal_id there)"
	recover 0 --peer unix:ask
	wait "$other" || true
	# First what this end is, then what it has come to.
	[[ $(<other.log) == $'ASK 2 2\nTELL 2 4' ]]
	is "$B" running
}

@test "recover: force, and who has used it" {
	emu_start
	put "$B" stop
	forge here destination prepared there "$B"
	recover 0 --force=run
	[[ $stderr == *"there are two of it from now on"* ]]
	told outcome completed
	phase here destination 'done'
	[[ $(jq -r .forced <<<"$output") == "run by $(id -un) at 20"* ]]
	is "$B" running

	put "$B" stop
	forge here destination prepared there "$B"
	recover 0 --force=drop
	told owner unknown
	told outcome aborted
	phase here destination aborted
	is "$B" stop

	put "$A" stop
	forge here source committed there "$A"
	migctl 64 recover --state-dir here --force=run "$TXID"
	rm "here/$TXID.destination"
	recover 0 --force=run
	told owner source
	told outcome aborted
	is "$A" running
	phase here source aborted
}

@test "recover: --force warns where something is done, and not where it is refused" {
	local row dir role phase dev force want says

	emu_start
	while read -r dir role phase dev force want says; do
		rm -f "$dir/$TXID".*
		[[ $phase == - ]] || forge "$dir" "$role" "$phase" there "$dev"
		put "$dev" stop
		# shellcheck disable=SC2086 # of two words
		migctl "$want" recover --state-dir "$dir" ${force//,/ } "$TXID"
		if [[ $says == - ]]; then
			[[ $stderr != *warning* ]]
		else
			[[ $(grep -c "warning: .*${says//,/ }" <<<"$stderr") == 1 ]]
		fi
	done <<-END
		here source aborted $A --force=run 64 -
		here source done $A --force=drop 64 -
		here destination done $B --force=drop 64 -
		here destination begun $B --force=run 81 -
		here destination prepared $B --force=run,--dry-run 0 -
		here source - $A --force=run 66 -
		here destination prepared $B --force=run,--bogus 64 -
		here source committed $A --force=run 0 two,of,it
		here source committed $A --force=drop 0 it,is,lost
		here destination prepared $B --force=run 0 two,of,it
		here destination begun $B --force=drop 0 it,is,lost
	END
}

@test "recover: what a destination's devices have lost is loaded from its spool" {
	emu_start --state-size 300K
	"$tool" save -q --leave=stop "$A" image
	forge here destination prepared there "$B" "spool=\"$PWD/image\""
	forge there source committed here "$A"
	# As a server that forgets what it was given: it runs, and has none of it.
	is "$B" running
	serve there ask
	recover 0 --peer unix:ask
	wait "$server"
	told outcome completed
	[[ $(jq -c .actions <<<"$output") == *'"load","start","finish","drop-spool"'* ]]
	is "$B" running
	phase here destination 'done'
	[[ ! -e image ]]
}

# lock RECORD: as a process that works on that transaction; $locker is it.
lock()
{
	# As fcntl(2) has it: F_OFD_SETLK, a write lock over all of the file.
	python3 -c 'import fcntl, signal, struct, sys
f = open(sys.argv[1] + ".lock", "w+")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
f.write("4711\n")
f.flush()
print("locked", flush=True)
signal.pause()' "$1" >locker.out 3>&- &
	locker=$!
	started+=("$locker")
	eventually grep -q locked locker.out
}

@test "recover: a process that works on a transaction is not disturbed" {
	require python3
	emu_start
	put "$A" stop
	forge here source begun there "$A"
	lock "here/$TXID.source"
	recover 71
	[[ $stderr == *"process 4711 works on it"* ]]
	migctl 0 recover --json --state-dir here
	[[ $(jq -c '.transactions[0] | [.busy, .next]' <<<"$output") == '[true,"a process works on it"]' ]]
	is "$A" stop
	# And the other end is told so.
	forge there destination prepared here "$B"
	serve here ask
	migctl 80 recover --json --state-dir there --peer unix:ask "$TXID"
	told other_end busy
	end_started locker
	wait "$server"
	recover 0
	is "$A" running
	# One that has decided is at its end when that process says so, and not before.
	put "$B" stop
	forge there destination committed here "$B"
	lock "there/$TXID.destination"
	for row in '' --dry-run; do
		# shellcheck disable=SC2086 # an option, or none
		migctl 71 recover --json --state-dir there $row "$TXID"
		[[ $stderr == *"process 4711 works on it"* ]]
		told phase committed
		told outcome in-doubt
	done
	is "$B" stop
	end_started locker
}

@test "recover: what connects to an answering end and asks nothing does not end it" {
	require python3
	emu_start
	forge there source 'done' here "$A"
	put "$B" stop
	forge here destination prepared there "$B"
	serve there ask
	# One names who has forced a word, and says none.
	"$BATS_TEST_DIRNAME/move-source.py" unix:ask /dev/null hello:role=3 hear:HELLO \
		'forced:run by ann' close
	eventually said 'turned away: ' serve.err
	python3 -c 'import socket
for i in range(20):
    s = socket.socket(socket.AF_UNIX)
    s.connect("ask")
    if i % 2:
        s.sendall(b"x" * 4096)
    s.close()'
	recover 0 --peer unix:ask
	told phase 'done'
	wait "$server"
}

@test "recover: callers of an answering end that say nothing keep no other one out" {
	local n

	require python3
	emu_start
	forge there source committed here "$A"
	serve there ask --keep
	# More than there are places for.
	for n in 1 12; do
		mute "$n" ask
		put "$B" stop
		forge here destination prepared there "$B"
		recover 0 --peer unix:ask
		told phase 'done'
		has_ended "$mute" && return 1
		end_started mute
	done
	kill -TERM "$server"
	wait "$server"
	# Without --keep it ends with the first that was answered: one that asked nothing was not.
	"$tool" recover --json --state-dir there --serve unix:ask --timeout 300ms >served.out \
		2>served.err 3>&- &
	server=$!
	started+=("$server")
	eventually test -S ask
	mute 1 ask
	eventually said 'turned away' served.err
	put "$B" stop
	forge here destination prepared there "$B"
	recover 0 --peer unix:ask
	wait "$server"
	[[ $(jq .served served.out) == 1 ]]
}

# told_why STORY URI STEP...: one that takes these steps and no other is told by ABORT.
told_why()
{
	local story=$1 uri=$2

	shift 2
	"$BATS_TEST_DIRNAME/move-source.py" "$uri" /dev/null "$@" hear:HELLO hear:ABORT gone >told.out \
		2>told.err || {
		cat told.err
		return 1
	}
	grep -qx "ABORT 75 .*$story" told.out || {
		cat told.out
		return 1
	}
}

@test "recover: a caller that is silent is told so when its time is over, and the log says who it was" {
	local steps story uri

	require python3
	emu_start
	serve there ask --keep --timeout 200ms
	start receive receive --keep --timeout 200ms --state-dir here "$B" unix:in
	eventually test -S in
	while IFS='|' read -r steps story; do
		for uri in unix:ask unix:in; do
			# Where the machine stands still for long, it may be another story.
			# shellcheck disable=SC2086 # none, one or two
			eventually told_why "$story" "$uri" $steps
		done
		grep -q "(process [0-9]* of user $(id -u)): turned away: $story" serve.err
		grep -q "turned away: $story" receive.err
	done <<-'END'
		|no HELLO within 0.2 s
		hello:role=3 beats|nothing behind its HELLO within 0.8 s
		hello:role=3|\(silent for 0.2 s\|was not heard for 200 ms\)
	END
	told_why 'no HELLO within 0.2 s' unix:ask slow:20
	# What ends, or makes room, is told as much.
	"$BATS_TEST_DIRNAME/move-source.py" unix:ask /dev/null hear:HELLO hear:ABORT >ended.out 3>&- &
	eventually said HELLO ended.out
	kill -TERM "$server"
	wait "$server"
	wait "$!" || true
	run ! grep -q interrupted serve.err receive.err ended.out
	kill -TERM "$receive"
	finish receive 0
	# Over two pipes, of which there is no name.
	told_why 'standard input and output: silent for 0.2 s' \
		"exec:$tool -q recover --state-dir there --timeout 200ms --serve -"
}

@test "recover: through a command, as by ssh" {
	emu_start
	put "$B" stop
	forge there source committed here "$A"
	forge here destination prepared there "$B"
	recover 0 --peer "exec:$tool recover --state-dir there --serve -"
	told phase 'done'
	is "$B" running
}

# advised PATTERN: $advice, the arguments of the command that was advised, URI filled in.
advised()
{
	advice=$(grep -o "vfiomigctl recover [^,;]*$1" <<<"$stderr") || {
		echo "not advised: $1" "$stderr"
		return 1
	}
	advice=${advice#vfiomigctl }
	advice=${advice//URI/unix:ask}
}

@test "recover: what is advised can be run as it is printed, at either end" {
	local advice side

	emu_start
	for side in source destination; do
		put "$A" stop
		put "$B" stop
		forge here source committed there "$A"
		forge there destination prepared here "$B"
		if [[ $side == source ]]; then
			# It is told where the destination answers, and can decide nothing there.
			migctl 80 recover --state-dir here --peer "exec:$tool -q recover --state-dir there --serve -" \
				"$TXID"
			[[ $stderr == *'; run '*' here, and '*' at the destination' ]]
			advised --serve=URI
			[[ $advice == *"--state-dir=$PWD/here "* ]]
		else
			migctl 80 recover --state-dir there "$TXID"
			[[ $stderr == *'; run '*' at the source, and '*' here; if it is gone for ever, --force='* ]]
			advised --serve=URI
			# Its own folder the other end knows best.
			[[ $advice != *--state-dir* ]]
			advice+=" --state-dir here"
		fi
		# shellcheck disable=SC2086 # words
		"$tool" $advice >serve.out 2>serve.err 3>&- &
		server=$!
		started+=("$server")
		eventually test -S ask
		advised "$TXID"
		[[ $side == source || $advice == *"--state-dir=$PWD/there "* ]]
		[[ $side == destination ]] || advice+=" --state-dir there"
		# shellcheck disable=SC2086
		migctl 0 $advice
		wait "$server"
		is "$B" running
		is "$A" stop
	done
}

@test "recover: a folder of any name is one word of what is advised" {
	local dir long words

	long=$(printf '%200s' '' | tr ' ' x)
	for dir in "it's \$here;" "$long/$long"; do
		mkdir -p "$(dirname "$dir")"
		journal "$dir"
		forge "$dir" destination prepared there "$B"
		migctl 80 recover --state-dir "$dir" "$TXID"
		# Neither is it cut.
		[[ $stderr == *" $TXID here; if it is gone for ever, --force=run or --force=drop"* ]]
		words=$(grep -o "vfiomigctl recover --state-dir=.* $TXID here" <<<"$stderr")
		eval "words=($words)"
		[[ ${words[*]:3} == "--peer=URI $TXID here" ]]
		[[ $dir == */* || ${words[2]} == "--state-dir=$PWD/$dir" ]]
		[[ $dir != */* || ${words[2]} == --state-dir=DIR ]]
	done
}

# noted DIR ROLE PHASE WANT: what the record says of this end, and of what the other one has said.
noted()
{
	phase "$1" "$2" "$3" || return
	grep -q "\"told\": *\"$4\"" "$1/$TXID.$2" || {
		cat "$1/$TXID.$2"
		return 1
	}
}

@test "recover: a source that was told DONE while it only answered ends by itself, and forces nothing" {
	emu_start
	put "$A" stop
	put "$B" stop
	forge here destination prepared there "$B"
	forge there source committed here "$A" 'peer="unix:nowhere"'
	# ASK prepared, TELL committed; the state starts here; TELL done, and the source only answers.
	recover 0 --peer "exec:$tool -q recover --state-dir there --serve -"
	told phase 'done'
	told other_end committed
	expect_message "$TXID: over here; at the source it is committed until vfiomigctl recover $TXID"
	is "$B" running
	is "$A" stop
	noted there source committed 'done'
	COLUMNS=200 migctl 0 recover --state-dir there
	[[ $output == *committed*"stop the devices: it has moved"* ]]
	# None can be asked from there, and none need be: else it were in doubt, and --force=run its way out.
	migctl 0 recover --json --state-dir there --dry-run "$TXID"
	told phase committed
	migctl 0 recover --json --state-dir there "$TXID"
	told phase 'done'
	told owner destination
	told other_end 'done'
	told told 'done'
	[[ $(jq -r .unheard <<<"$output") == *nowhere* ]]
	is "$A" stop
	is "$B" running
	migctl 64 recover --state-dir there --force=run "$TXID"
	is "$A" stop
}

@test "recover: a destination that was told that its source gave up discards by itself" {
	emu_start
	put "$A" stop
	put "$B" stop
	forge here source begun there "$A"
	forge there destination prepared here "$B"
	serve there ask
	recover 0 --peer unix:ask
	wait "$server"
	told phase aborted
	expect_message "over here; at the destination it is prepared until vfiomigctl recover $TXID is run there"
	is "$A" running
	noted there destination prepared aborted
	migctl 0 recover --json --state-dir there "$TXID"
	told phase aborted
	told owner source
	is "$B" stop
}

@test "recover: a source that was told that its destination was forced to run never runs it" {
	emu_start
	put "$A" stop
	put "$B" stop
	forge here destination prepared there "$B"
	forge there source begun here "$A"
	serve there ask
	recover 0 --peer unix:ask --force=run
	wait "$server"
	is "$B" running
	noted there source begun 'done'
	# What has not decided would take its devices back without being told.
	migctl 0 recover --json --state-dir there "$TXID"
	told phase 'done'
	told owner destination
	is "$A" stop
}

@test "recover: another end that takes back what it has said is not followed" {
	local dir role phase dev other says told as

	emu_start
	put "$A" stop
	put "$B" stop
	while read -r dir role phase dev other says told as; do
		rm -f {here,there}/"$TXID".*
		forge "$dir" "$role" "$phase" "$other" "$dev" "told=\"$told\""
		as=${role/source/x} as=${as/destination/source} as=${as/x/destination}
		forge "$other" "$as" "$says" "$dir" vfio-user:nowhere
		migctl 80 recover --json --state-dir "$dir" \
			--peer "exec:$tool -q recover --state-dir $other --serve -" "$TXID"
		expect_message "the other end says $says now, and has said $told"
		told phase "$phase"
		told owner unknown
		is "$dev" stop
	done <<-ROWS
		here destination prepared $B there committed aborted
		here destination committed $B there aborted done
		there source begun $A here begun done
		there source committed $A here done aborted
	ROWS
	migctl 0 recover --json --state-dir there --force=drop \
		--peer "exec:$tool -q recover --state-dir here --serve -" "$TXID"
	told owner destination
}

@test "recover: what was given up at its source before its destination was ready" {
	emu_start --state-size 300K
	"$tool" save -q --leave=stop "$A" image
	put "$B" stop
	forge there source begun here "$A"
	forge here destination begun there "$B" "spool=\"$PWD/image\""
	serve here ask
	migctl 0 recover --json --state-dir there --peer unix:ask --force=drop "$TXID"
	wait "$server"
	noted here destination begun 'done'
	COLUMNS=200 migctl 0 recover --state-dir here
	[[ $output == *begun*"look here: it was given up there"* ]]
	# The spool has the last copy.
	recover 80
	expect_message "begun here, done at the source"
	expect_message "its spool may have the last copy: --force=run loads and starts it, --force=drop"
	told owner none
	[[ -e image ]]
	recover 0 --force=run
	is "$B" running

	# What the device holds may be all of it.
	put "$B" stop
	forge here destination begun there "$B" 'told="done"'
	recover 80
	expect_message "the devices may hold the last copy"
	is "$B" stop
	# A part is none.
	put "$B" resuming
	forge here destination begun there "$B" 'told="done"'
	recover 81
	told phase aborted
	told owner none
	expect_message "the state runs nowhere"
	recover 0
}

@test "recover: what is noted of a word is the other end's own, by the specification alone" {
	local journal log row says uri

	require python3
	emu_start
	journal=$(journal_id there)
	serve here ask --keep
	start receive receive --keep --state-dir here "$A" unix:in
	eventually test -S in
	# Another journal's, another transaction's of the same id, one that a user has forced, and one that can be
	# taken back, by force.
	for row in "hello:role=3,journal=${journal//[0-9]/a} tell:done" \
		"hello:role=3,journal=$journal,generation=8 tell:done" \
		"hello:role=3,journal=$journal forced:run tell:done" \
		"hello:role=3,journal=$journal tell:committed"; do
		for uri in unix:ask unix:in; do
			forge here destination prepared there "$B"
			# shellcheck disable=SC2086 # steps
			"$BATS_TEST_DIRNAME/move-source.py" "$uri" /dev/null $row hear:HELLO hear:TELL close
			run ! noted here destination prepared 'done'
			run ! noted here destination prepared committed
		done
	done
	for uri in unix:ask unix:in; do
		for says in 'done' aborted; do
			forge here destination prepared there "$B"
			"$BATS_TEST_DIRNAME/move-source.py" "$uri" /dev/null "hello:role=3,journal=$journal" \
				"tell:$says" hear:HELLO hear:TELL close
			noted here destination prepared "$says"
			# It stays what it is, and is not written once more.
			"$BATS_TEST_DIRNAME/move-source.py" "$uri" /dev/null "hello:role=3,journal=$journal" \
				"ask:$says" hear:HELLO hear:TELL close
			noted here destination prepared "$says"
		done
	done
	# No end takes back what it has said.
	for uri in unix:ask unix:in; do
		forge here destination prepared there "$B" 'told="aborted"'
		"$BATS_TEST_DIRNAME/move-source.py" "$uri" /dev/null "hello:role=3,journal=$journal" tell:done \
			hear:HELLO hear:TELL close
		noted here destination prepared aborted
	done
	for log in serve.err receive.err; do
		grep "$TXID: the other end says done, and has said aborted before, which stays" "$log"
	done
	# What is over is not touched.
	forge here destination aborted there "$B"
	"$BATS_TEST_DIRNAME/move-source.py" unix:ask /dev/null "hello:role=3,journal=$journal" tell:done \
		hear:HELLO hear:TELL close
	run ! noted here destination aborted 'done'
	kill -TERM "$receive" "$server"
	finish receive 0
	wait "$server"
}

@test "recover: what a source has said of one try is not noted of the next one" {
	require python3
	emu_start
	"$tool" -q save --leave=stop "$A" image
	put "$B" stop
	forge here destination begun there "$B" 'told="aborted"'
	start receive receive --no-hold --state-dir here "$B" unix:in
	eventually test -S in
	"$BATS_TEST_DIRNAME/move-source.py" unix:in image "hello:journal=$(journal_id there)" hear:HELLO \
		offer hear:VERDICT-yes frames end hear:READY leave
	kill -KILL "$receive"
	finish receive 137
	phase here destination prepared
	run ! noted here destination prepared aborted
	recover 80
	told phase prepared
}

# killed_source CALL N: a move of $A to a receiver of $B that listens at "in", whose source is killed
# at its Nth such call, which is not made. At the 4th renameat READY was heard, and nothing decided; at
# the 9th fsync its decision is in its record, and was not said. The receiver is in doubt.
killed_source()
{
	"$tool" receive --state-dir here "$B" unix:in >receive.out 2>receive.err 3>&- &
	receiver=$!
	eventually test -S in
	strace -f -qq -o trace -e "trace=$1" -e "inject=$1:error=EIO:signal=KILL:when=$2" \
		"$tool" migrate --state-dir there/new "$A" unix:in >migrate.out 2>&1 3>&- || true
	eventually grep -q 'is in doubt' receive.err
	TXID=$(basename here/*.destination .destination)
}

@test "recover: a receiver that waits for the word of a source that was killed after its decision" {
	command -v strace >/dev/null || skip "no strace"
	emu_start
	killed_source fsync 9
	phase there/new source committed
	is "$A" stop
	serve there/new ask --keep
	recover 0 --peer unix:ask
	told relayed true
	told owner destination
	# It holds its device, so that this one cannot be asked by another process.
	eventually grep -q "$B: running; held open" receive.err
	kill "$server"
	wait "$server"
	# It has come to its end there, though its record is locked as long as the device is held.
	serve here back
	migctl 0 recover --json --state-dir there/new --peer unix:back "$TXID"
	wait "$server"
	told phase 'done'
	is "$A" stop
	kill "$receiver"
	wait "$receiver"
	is "$B" running
}

@test "recover: a receiver that waits for the word of a source that was killed before its decision" {
	command -v strace >/dev/null || skip "no strace"
	emu_start
	killed_source renameat 4
	phase there/new source begun
	is "$A" stop
	migctl 0 recover --json --state-dir there/new "$TXID"
	told phase aborted
	told owner source
	told other_end aborted
	is "$A" running
	status=0
	wait "$receiver" || status=$?
	[[ $status == 75 ]]
	is "$B" stop
	phase here destination aborted
}

@test "recover: what a receiver that waits is forced to is in its record" {
	require strace
	emu_start
	killed_source fsync 9
	recover 0 --force=run
	told relayed true
	[[ $stderr == *'there are two of it from now on'* ]]
	[[ $(jq -r .forced <<<"$output") == "run by $(id -un) at 20"* ]]
	eventually grep -q "$B: running; held open" receive.err
	grep -q 'warning: .*brings a word that was forced: run by' receive.err
	kill "$receiver"
	wait "$receiver"
	phase here destination 'done'
	grep -q "\"forced\": *\"run by $(id -un) at 20" "here/$TXID.destination"
	is "$B" running
}

@test "recover: a receiver of before FORCED takes the word all the same" {
	require python3
	emu_start
	forge here destination prepared there "$B"
	lock "here/$TXID.destination"
	# DONE, of a destination; by the specification alone, which says what is skipped.
	other_end "here/$TXID.sock" 4 2 "$(journal_id here)"
	recover 0 --force=run
	told relayed true
	[[ $(<other.log) == $'skipped 14\nTELL 1 3' ]]
	end_started locker
}

# lost: $B, which has lost what it was sent, and the image of it in the spool; the source has decided.
lost()
{
	emu_start
	reference "$A"
	migctl 0 save -q --leave=stop "$A" image
	put "$B" resuming
	forge here destination prepared there "$B" "spool=\"$PWD/image\""
	forge there source committed here "$A"
}

gone()
{
	[[ ! -e $1 ]]
}

@test "recover: --background, a process holds what was loaded again from the spool" {
	local pid

	lost
	recover 0 --peer "exec:$tool recover --state-dir there --serve -" --background --pid-file it.pid
	read -r pid <it.pid
	started+=("$pid")
	told phase 'done'
	expect_json ".successor.pid == $pid" '.actions | index("load")'
	[[ ! -e image ]]
	# The record is not that process's.
	migctl 0 recover --json --state-dir here
	expect_json 'all(.transactions[]; .busy == false)'
	kill -TERM "$pid"
	eventually gone it.pid
	is "$B" running
}

@test "recover: -- COMMAND has what was loaded again, stopped, and starts it itself" {
	lost
	# shellcheck disable=SC2016 # sh's
	"$tool" --json recover --state-dir here --peer "exec:$tool recover --state-dir there --serve -" \
		"$TXID" -- sh -c 'echo "$VFIOMIG_DEVICE_0 $VFIOMIG_STATE_0"' >out
	[[ $(tail -n 1 out) == "$B stop" ]]
	head -n -1 out | jq -e '.successor.command == "sh" and .phase == "done" and .owner == "destination"'
	head -n -1 out | validate_reports || (($? == 77))
	[[ ! -e image ]]
	holds "$B"
	# It is over: a second COMMAND would have nothing.
	migctl 0 recover --state-dir here "$TXID" -- touch executed
	expect_message "$TXID: nothing was brought back here: without -- COMMAND"
	[[ ! -e executed ]]
}

@test "recover: what cannot be passed on is known before a device is touched" {
	lost
	serve there ask
	recover 64 --peer unix:ask --background -- true
	recover 64 --background --dry-run
	recover 64 --background --force=drop
	migctl 64 recover --state-dir here --background
	[[ $stderr == *'are for a TXID that is brought to its end'* ]]
	recover 64 --pid-file x
	recover 69 --peer unix:ask --handover image
	[[ $output == *"--handover: a server's device has no descriptor to pass on"* ]]
	recover 73 --peer unix:ask --background --pid-file nosuch/pid
	recover 66 --peer unix:ask -- ./nosuch
	migctl 64 --json recover --state-dir there "$TXID" -- true
	[[ $output == *"-- COMMAND is for a transaction's destination, and this end is its source"* ]]
	phase here destination prepared
	is "$B" resuming
	[[ -e image ]]
	kill "$server"
	wait "$server" || true
}

@test "recover: --run and --stop say anew which devices start" {
	local row option received want steps

	emu_start
	serve there ask --keep
	forge there source committed here "$A"
	for row in '- true running' '- false stop' '--stop true stop' '--run false running' \
		'--no-hold true running'; do
		read -r option received want <<<"$row"
		[[ $option != - ]] || option=--timeout=30s
		put "$B" stop
		forge here destination prepared there "$B"
		sed -i "1d;\$d;s/\"run\": true/\"run\": $received/" "here/$TXID.destination"
		seal "here/$TXID.destination" "$(<"here/$TXID.destination")"
		recover 0 --peer unix:ask "$option"
		phase here destination 'done'
		is "$B" "$want"
		steps=$(jq -c '.actions | index("start") != null' <<<"$output")
		[[ $steps/$want == true/running || $steps/$want == false/stop ]]
	done
	# It is over, and there is nothing to start.
	migctl 0 recover --state-dir here --run "$TXID"
	expect_message "$TXID: nothing was brought back here: without --run"
	recover 64 --run --stop
	recover 64 --run --force=drop
	recover 64 --no-hold --background
	migctl 64 recover --state-dir here --stop
	migctl 64 --json recover --state-dir there "$TXID" --run
	[[ $output == *"--run is for a transaction's destination, and this end is its source"* ]]
	kill "$server"
	wait "$server"
}

@test "recover: a COMMAND that cannot be executed leaves what was loaded again held here" {
	local holder

	lost
	printf '#!/nosuch/shell\n' >bad
	chmod +x bad
	"$tool" recover --state-dir here --peer "exec:$tool recover --state-dir there --serve -" \
		"$TXID" -- ./bad >out 2>err 3>&- &
	holder=$!
	started+=("$holder")
	eventually grep -q 'held open until' err
	grep -q "bad: cannot be executed: .*; $B: loaded, and open here" err
	phase here destination 'done'
	kill -TERM "$holder"
	wait "$holder" || true
	holds "$B"
}

# logged ARG...: the tool, where $PWD/log is /dev/log; $logged is what that got.
logged()
{
	python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("log")
s.settimeout(None)
print(s.recv(4096).decode(), flush=True)' >log.out 3>&- &
	logger=$!
	eventually test -S log
	# shellcheck disable=SC2016 # sh's
	unshare -m sh -c 'mkdir -p dev && mount -t tmpfs none dev && touch dev/null dev/urandom &&
		mount --bind /dev/null dev/null && mount --bind /dev/urandom dev/urandom &&
		ln -s "$PWD/log" dev/log && mount --bind dev /dev && exec "$@"' sh "$tool" "$@" \
		>tool.out 2>tool.err || true
	# What it did not write, this one does: the logger ends.
	python3 -c 'import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"nothing", "log")' || true
	wait "$logger"
	logged=$(<log.out)
	rm log
}

@test "recover: what became of a state is in the system's log" {
	require root python3
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	unset INVOCATION_ID
	emu_start
	logged save -q "$A" image
	[[ $logged == nothing ]]
	logged save -q --syslog "$A" image2
	[[ $logged == '<29>'*'vfiomigctl['*']: save outcome=completed owner=source status=0 image='*' devices=vfio-user:emu' ]]
	INVOCATION_ID=1 logged save -q "$A" image3
	[[ $logged == *': save outcome=completed'* ]]
	INVOCATION_ID=1 logged save -q --syslog=no "$A" image4
	[[ $logged == nothing ]]
	forge here destination prepared there "$B"
	INVOCATION_ID=1 logged recover --state-dir here 0011
	[[ $logged == '<27>'*": recover outcome=in-doubt owner=unknown status=80 txid=$TXID phase=prepared "*"devices=vfio-user:emu.1" ]]
	INVOCATION_ID=1 logged recover --state-dir here
	[[ $logged == nothing ]]
}

#
# What has left must not leave once more
#

@test "migrate: a device whose state may have moved is not moved once more" {
	emu_start
	put "$A" stop
	forge here source committed there "$A"
	migctl 80 migrate --json --state-dir here "$A" unix:nobody
	told outcome in-doubt
	told owner unknown
	expect_message "$A: transaction $TXID has moved this device's state away, unconfirmed" \
		"vfiomigctl recover --state-dir=$PWD/here --peer=URI $TXID"
	is "$A" stop
	phase here source committed
}

@test "migrate: a state that has moved leaves once only, and the next one of its device does" {
	emu_start --devices 4
	start receive receive --no-hold --state-dir there "$B" unix:b
	eventually test -S b
	migctl 0 migrate --state-dir here "$A" unix:b
	wait "$receive"
	start receive receive --no-hold --keep --state-dir there vfio-user:emu.2 unix:c
	eventually test -S c
	migctl 64 migrate --json --state-dir here "$A" unix:c
	told outcome aborted
	told owner destination
	expect_message "has moved this device's state away" "reset this device"
	is "$A" stop
	is vfio-user:emu.2 running
	put "$A" running
	migctl 0 migrate --state-dir here "$A" unix:c
	is "$A" stop
	kill "$receive"
	wait "$receive"
}

@test "recover: what it works on does not leave meanwhile, and is told to be in work" {
	local record work

	emu_start
	# Of the source that has decided, and of a destination that waits for that.
	for record in "source committed $A" "destination prepared $B"; do
		read -ra work <<<"$record"
		rm -f here/"$TXID".* asked
		put "${work[2]}" stop
		forge here "${work[@]:0:2}" there "${work[2]}"
		start asking recover --state-dir here --peer 'exec:: >asked; exec cat >/dev/null' "$TXID"
		eventually test -e asked
		migctl 71 migrate --json --state-dir here "${work[2]}" unix:nowhere
		expect_json '.outcome == "aborted"' '.owner == "unknown"' '.txid == null'
		[[ $stderr == *"${work[2]}: transaction $TXID "*", and another process works on it; wait for it to end" ]]
		has_ended "$asking" && return 1
		end_started asking
		# It is over with that process, and in doubt still.
		migctl 80 migrate --json --state-dir here "${work[2]}" unix:nowhere
		is "${work[2]}" stop
	done
}

# forge_newer DIR ROLE PHASE OTHER DEV: one of transaction $NEWER, which began after that of $TXID.
NEWER=ffffffffffffffffffffffffffffffff
forge_newer()
{
	local text

	TXID=$NEWER forge "$@"
	text=$(sed '1d; $d; s/1700000000000000000/1700000000500000000/' "$1/$NEWER.$2")
	seal "$1/$NEWER.$2" "$text"
}

@test "recover: a device is the newer transaction's, unless it was refused it" {
	local phase

	emu_start
	for phase in aborted begun; do
		put "$B" stop
		forge here destination prepared there "$B"
		forge there source committed here "$A"
		forge_newer here destination "$phase" there "$B"
		serve there ask
		# It has touched nothing, and is to touch nothing.
		[[ $phase == aborted ]] || {
			migctl 0 recover --json --state-dir here --force=drop "$NEWER"
			expect_json ".devices[0].why == \"it is part of transaction $TXID, which is not over\""
			is "$B" stop
		}
		recover 0 --peer unix:ask
		told phase 'done'
		is "$B" running
		wait "$server"
	done
	put "$B" stop
	forge here destination prepared there "$B"
	forge_newer here destination 'done' there "$B"
	recover 81 --force=run
	[[ $output == *"it is part of transaction $NEWER, which is newer"* ]]
	is "$B" stop
}
