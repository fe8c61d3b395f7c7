#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The destination of a move against a source that was written from the protocol alone
# (move-source.py), which keeps to it, breaks it, or dies anywhere in it.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu
load ../recover

SOURCE=$BATS_TEST_DIRNAME/move-source.py
RECORD=state/$TXID.destination
SPOOL=spool/$TXID.image

setup()
{
	require python3
	emu_setup
}

teardown()
{
	emu_teardown
}

# emulate [ARG...]: $A has given its state to the file image, and $B holds another one.
emulate()
{
	emu_start --state-size 300K "$@"
	migctl 0 -q save --leave=stop "$A" image
}

# receive [ARG...]: waits for a source; its device is let go in the end.
receive()
{
	start receive --json receive --state-dir=state --spool=spool --no-hold "$@" "$B" unix:r
	eventually said 'listening on' receive.err
}

# send STATUS STEP...: what it has heard is in $output.
send()
{
	local want=$1

	shift
	run --separate-stderr timeout 120 "$SOURCE" unix:r image "$@"
	printf '%s\n' "$output" "$stderr"
	((status == want))
}

# offered STEP...: a second source comes, with another transaction.
offered()
{
	send 0 hello:txid=ffffffffffffffffffffffffffffffff,generation=9 hear:HELLO offer "$@"
}

# What both say until the first of the state, and until READY.
BEGIN=(hello hear:HELLO offer hear:VERDICT-yes)
READY=("${BEGIN[@]}" frames end hear:READY)

# It has said something of a guest.
tells_warning()
{
	said 'warning: ' receive.err
}

# phase NAME: what the record says; "none" for no record.
phase()
{
	local found=none

	[[ ! -e $RECORD ]] || found=$(sed -n 's/^ *"phase": *"\(.*\)",$/\1/p' "$RECORD")
	[[ $found == "$1" ]] || {
		echo "the record says $found, not $1"
		return 1
	}
}

# over STATUS OUTCOME OWNER STATE PHASE [SPOOLED]: how the destination has ended.
over()
{
	finish receive "$1"
	told status "$1" && told outcome "$2" && told owner "$3"
	expect_state "$B" "$4"
	phase "$5"
	if [[ ${6-} ]]; then [[ -s $SPOOL ]]; else [[ ! -e $SPOOL ]]; fi
	[[ ! -e state/$TXID.sock ]]
}

@test "receive: a state is started on COMMIT, and not before" {
	emulate
	reference "$A"
	receive
	send 0 "${READY[@]}" file:decided commit hear:DONE gone &
	eventually test -e "$SPOOL"
	eventually phase prepared
	[[ $(stat -c %a "$RECORD" "$SPOOL" state spool) == $'600\n600\n700\n700' ]]
	: >decided
	wait $!
	over 0 completed destination running 'done'
	told txid "$TXID" && told phase 'done'
	has_run "$B"
}

@test "receive: the source's device runs until the ones here are in RESUMING" {
	local first

	emu_start --state-size 300K --event-log events
	"$tool" receive --no-hold --state-dir there "$B" unix:far >receive.out 2>receive.err 3>&- &
	receive=$!
	started+=("$receive")
	eventually said 'listening on ' receive.err
	migctl 0 migrate --state-dir here "$A" unix:far
	wait "$receive"
	# The log is of both devices, in the order in which things happened.
	first=$(grep -nE 'emu\.1 end stop resuming$|emu begin running ' events)
	[[ ${first%%$'\n'*} == *'end stop resuming' && $first == *'emu begin running '* ]]
}

@test "receive: a source that dies before READY leaves its own state alone, wherever that is" {
	local steps

	emulate
	for steps in 'hello' 'hello hear:HELLO' 'hello hear:HELLO offer' \
		'hello hear:HELLO offer hear:VERDICT-yes'; do
		receive
		# shellcheck disable=SC2086 # steps
		send 0 $steps close
		eventually tells_warning
		kill -TERM "$receive"
		over 75 aborted source running none
	done
	# HEADER and a part of the MANIFEST: no device has been opened.
	receive
	send 0 "${BEGIN[@]}" frames:0..5000 close
	over 75 aborted source running aborted
	for steps in frames:0..200000 frames; do
		set_state "$B" running
		receive
		send 0 "${BEGIN[@]}" "$steps" close
		over 75 aborted source stop aborted
		[[ $stderr == *'closed the connection; the device was reset and is in stop'* ]]
	done
}

@test "receive: after READY a source that dies leaves it in doubt, until it comes again" {
	emulate
	receive
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	[[ -S state/$TXID.sock && $(stat -c %a "state/$TXID.sock") == 600 ]]
	phase prepared
	send 0 hello hear:HELLO commit hear:DONE gone
	over 0 completed destination running 'done'
}

@test "receive: a signal ends doubt with 80: the device is stopped, record and spool are there" {
	emulate
	receive
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	kill -TERM "$receive"
	over 80 in-doubt unknown stop prepared spooled
	[[ $output == *"vfiomigctl recover --state-dir=$PWD/state --peer=URI $TXID, with "*" at the source"* ]]
}

@test "receive: recover brings the source's word by the socket in the journal's folder" {
	local word

	emulate
	for word in committed 'done' aborted none; do
		rm -rf state spool
		set_state "$B" running
		receive
		send 0 "${READY[@]}" close
		eventually test -S "state/$TXID.sock"
		run --separate-stderr "$SOURCE" "unix:state/$TXID.sock" image hello:role=3 \
			hear:HELLO ask:begun hear:TELL "tell:$word" hear:TELL
		echo "$word: $output"
		((status == 0))
		[[ $output == *'TELL prepared'* ]]
		case $word in
		committed | done)
			[[ $output == *$'\nTELL '@(committed|done) ]]
			over 0 completed destination running 'done'
			;;
		*)
			[[ $output == *$'\nTELL aborted' ]]
			over 75 aborted source stop aborted
			;;
		esac
	done
}

# forced_by TEXT: so the record says; empty: it was the source's own word.
forced_by()
{
	local found

	found=$(sed -n 's/^ *"forced": *"\(.*\)",$/\1/p' "$RECORD")
	[[ $found == "$1" ]] || {
		echo "forced: $found"
		return 1
	}
}

# in_doubt STEP...: at the socket for recover, of a receiver that waits for the source's word.
in_doubt()
{
	rm -rf state spool
	set_state "$B" running
	receive
	send 0 "${READY[@]}" close
	eventually test -S "state/$TXID.sock"
	run --separate-stderr "$SOURCE" "unix:state/$TXID.sock" image hello:role=3 hear:HELLO "$@"
	printf '%s\n' "$output"
	((status == 0))
}

@test "receive: a word that a user has forced is in the record, with who has" {
	emulate
	in_doubt "forced:run by ann" tell:committed hear:TELL
	over 0 completed destination running 'done'
	forced_by 'run by ann'
	[[ $stderr == *'brings a word that was forced: run by ann'* ]]
	in_doubt ask:begun hear:TELL "forced:drop by ann" tell:aborted hear:TELL
	over 75 aborted source stop aborted
	forced_by 'drop by ann'
	# One that decides nothing leaves nothing for the next word, which is the source's.
	in_doubt "forced:run by ann" tell:prepared hear:TELL tell:committed hear:TELL
	over 0 completed destination running 'done'
	forced_by ''
	# A peer of before that word, and one that says it of a question.
	in_doubt tell:committed hear:TELL
	over 0 completed destination running 'done'
	forced_by ''
	in_doubt "forced:run by ann" ask:committed hear:TELL
	finish receive 0
	forced_by ''
}

@test "receive: a word that decides nothing leaves no name to the decision that follows" {
	emulate
	receive
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	send 0 hello:role=3,journal=ffffffffffffffffffffffffffffffff hear:HELLO "forced:run by ann" \
		tell:committed hear:TELL
	[[ $output == *'TELL prepared' ]]
	send 0 hello hear:HELLO commit hear:DONE
	over 0 completed destination running 'done'
	forced_by ''
	[[ $stderr != *ann* ]]
}

@test "receive --keep: who has forced one move is not in the record of the next one" {
	emulate
	receive --keep
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	send 0 hello:role=3 hear:HELLO "forced:drop by ann" tell:aborted hear:TELL
	eventually said 'is aborted' receive.err
	forced_by 'drop by ann'
	TXID=ffffffffffffffffffffffffffffffff
	RECORD=state/$TXID.destination
	send 0 "hello:txid=$TXID,generation=8" "${READY[@]:1}" commit hear:DONE
	eventually said "$TXID is done" receive.err
	phase 'done'
	forced_by ''
	kill -TERM "$receive"
	finish receive 0
	expect_state "$B" running
}

@test "receive: words that decide nothing change nothing" {
	emulate
	receive
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	send 0 hello:role=3 hear:HELLO tell:begun hear:TELL tell:busy hear:TELL \
		tell:prepared hear:TELL
	# Of another transaction, or an older one of the same id.
	send 0 hello:role=3,txid=ffffffffffffffffffffffffffffffff hear:HELLO tell:committed hear:TELL
	[[ $output == *'TELL none' ]]
	send 0 hello:role=3,generation=6 hear:HELLO tell:committed hear:TELL
	send 0 hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO commit hear:ABORT
	send 0 hello:generation=6 hear:HELLO commit hear:ABORT
	send 0 hello hear:HELLO commit:other gone
	send 0 hello hear:HELLO commit:old gone
	for steps in committed 'done' aborted none; do
		send 0 hello:role=3,journal=ffffffffffffffffffffffffffffffff hear:HELLO "tell:$steps" \
			hear:TELL
		[[ $output == *'TELL prepared' ]]
	done
	phase prepared
	kill -TERM "$receive"
	over 80 in-doubt unknown stop prepared spooled
}

@test "receive: ABORT before READY and after it gives all up" {
	local steps

	emulate
	for steps in frames:0..100000 frames 'frames end hear:READY'; do
		set_state "$B" running
		receive
		# shellcheck disable=SC2086 # steps
		send 0 "${BEGIN[@]}" $steps abort gone
		over 75 aborted source stop aborted
		[[ $stderr == *': the test wants it;'* ]]
	done
}

@test "receive: what breaks the protocol is no decision, and hears why" {
	local steps output_of_source

	emulate
	for steps in commit 'frames commit' 'frames offer' 'frames hello' 'frames unknown:mandatory' \
		'frames bad-sum' 'frames junk:100' oversize 'frames end:wrong' \
		'frames end hear:READY frames' \
		'frames:0..100000 end'; do
		rm -rf state spool
		set_state "$B" running
		receive
		# shellcheck disable=SC2086 # steps
		send 0 "${BEGIN[@]}" $steps gone
		output_of_source=$output
		[[ $output != *READY* || $steps == *'READY frames' ]]
		case $steps in
		*'READY frames')
			eventually said 'is in doubt' receive.err
			kill -TERM "$receive"
			over 80 in-doubt unknown stop prepared spooled
			;;
		commit | oversize)
			eventually tells_warning
			kill -TERM "$receive"
			over 75 aborted source running none
			;;
		*'100000 end') over 65 aborted source stop aborted ;;
		*)
			over 76 aborted source stop aborted
			[[ $output_of_source == *'ABORT 76 '* ]]
			;;
		esac
	done
}

@test "receive: a flipped byte is found wherever it is, before the driver is asked" {
	local row at state

	emulate
	# The MANIFEST comes before a device is touched.
	for row in '5000 running' '100000 stop' '-30 stop'; do
		read -r at state <<<"$row"
		set_state "$B" running
		receive
		send 0 "${BEGIN[@]}" "flip:$at" frames end hear:ABORT gone
		over 65 aborted source "$state" aborted
	done
}

@test "receive: messages of later versions are skipped, or refused by name" {
	emulate
	receive
	send 0 hello:version=9,oldest=1 hear:HELLO unknown beat offer hear:VERDICT-yes unknown frames \
		beat end hear:READY unknown commit hear:DONE
	over 0 completed destination running 'done'
	receive
	send 0 hello:version=9,oldest=9 gone
	eventually said 'version' receive.err
	kill -TERM "$receive"
	finish receive 75
}

@test "receive: an offer that does not fit is refused with the reason, and others are heard" {
	emulate
	set_state "$A" running
	migctl 0 -q save "$A" copy
	set_state "$A" stop
	receive
	run --separate-stderr "$SOURCE" unix:r copy hello hear:HELLO offer hear:VERDICT-no
	((status == 0))
	[[ $output == *'a copy, and no move'* ]]
	send 0 "${READY[@]}" commit hear:DONE
	over 0 completed destination running 'done'
}

@test "receive: of two sources the second is refused, with the transaction's name" {
	emulate
	receive
	send 0 "${BEGIN[@]}" frames:0..50000 file:second frames:50000.. end hear:READY commit \
		hear:DONE &
	eventually phase begun
	send 0 hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer hear:ABORT
	[[ $output == *"75 transaction $TXID is under way here"* ]]
	: >second
	wait $!
	over 0 completed destination running 'done'
}

@test "receive: a source that lost its link before READY comes again" {
	emulate
	receive
	send 0 hello:retries=2 hear:HELLO offer hear:VERDICT-yes frames:0..100000 close
	eventually said 'may come again' receive.err
	send 0 hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer hear:ABORT
	# Once more, this time with the old link still there.
	send 0 hello:retries=1 hear:HELLO offer hear:VERDICT-yes frames:0..100000 file:again &
	eventually phase begun
	send 0 "${READY[@]}" commit hear:DONE
	: >again
	wait $!
	over 0 completed destination running 'done'
}

@test "receive: of two links of one source that come at once the newer one counts" {
	local steps

	emulate
	# Both are there when it looks, in whatever order its threads then hear them.
	for steps in 'offer leave connect hello:retries=1 offer hear:HELLO' \
		'leave connect hello:retries=1 offer hear:HELLO'; do
		set_state "$B" running
		rm -rf state
		: >receive.err
		receive -v
		kill -STOP "$receive"
		# shellcheck disable=SC2086 # steps
		timeout 120 "$SOURCE" unix:r image hello:retries=2 $steps hear:VERDICT-yes frames end \
			hear:READY commit hear:DONE >source.out 2>source.err 3>&- &
		eventually said '# hear:HELLO' source.err
		kill -CONT "$receive"
		wait $! || {
			cat source.out source.err receive.err
			return 1
		}
		over 0 completed destination running 'done'
	done
	# A third one, while the second is heard after READY: it is offered to that one anew.
	set_state "$B" running
	rm -rf state
	: >receive.err
	receive
	send 0 hello:retries=3 "${READY[@]:1}" leave connect hello:retries=2 hear:HELLO offer leave \
		connect hello:retries=1 hear:HELLO offer hear:VERDICT-yes frames end hear:READY commit \
		hear:DONE
	over 0 completed destination running 'done'
}

# receive_whose CALL WHEN: the receiver at "r", of which that call says that the address is in use.
receive_whose()
{
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qqq -o trace -e "trace=$1" \
		-e "inject=$1:error=EADDRINUSE:when=$2" \
		"$tool" receive --state-dir=state --no-hold "$B" unix:r >receive.out 2>receive.err 3>&- &
	receive=$!
	started+=("$!")
}

@test "receive: an address that is in use is tried again, for the one before may be about to end" {
	require strace
	emulate
	receive_whose bind 1..2
	eventually said 'listening on' receive.err
	[[ $(grep -c INJECTED trace) == 2 ]]
	migctl 0 -q migrate --state-dir=there "$A" unix:r
	wait "$receive"
	rm receive.err
	receive_whose bind 1+
	finish receive 71
	[[ $stderr == *'unix:r: cannot listen: Address already in use (EADDRINUSE)'* ]]
	expect_state "$B" running
}

@test "receive: READY that was not heard is forgotten when the state is offered again" {
	emulate
	receive
	send 0 hello:retries=1 "${BEGIN[@]:1}" frames end file:over &
	eventually phase prepared
	send 0 "${READY[@]}" commit hear:DONE
	: >over
	wait $!
	over 0 completed destination running 'done'
}

@test "receive: an offer that comes late, of a link that was left, undoes nothing" {
	local retries

	emulate
	for retries in 1 2; do
		set_state "$B" running
		rm -rf state spool over
		receive
		send 0 hello:retries=1 "${READY[@]:1}" file:over commit hear:DONE &
		eventually phase prepared
		send 0 hello:retries=$retries hear:HELLO offer hear:ABORT
		[[ $output == *'not offered by its newest link'* ]]
		phase prepared
		: >over
		wait $!
		over 0 completed destination running 'done'
	done
}

@test "receive: a thousand that speak junk keep no source out, and take no memory" {
	emulate
	receive --timeout=10
	cat >junk.py <<-'END'
		import os, socket
		kept = []
		for i in range(1000):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect("r")
		    try:
		        if i % 3:
		            s.sendall((os.urandom(200), b"\x89VMP\x01\x00\x01\x00" + bytes(20))[i % 2])
		    except OSError:
		        pass
		    kept = [s] + kept[:20]
	END
	timeout 100 python3 junk.py &
	wait $!
	send 0 "${BEGIN[@]}" frames file:measured end hear:READY commit hear:DONE &
	eventually phase begun
	(($(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$receive/status") <= 65536)) ||
		[[ $tool == *asan* ]]
	: >measured
	wait $!
	over 0 completed destination running 'done'
}

# cramped SIZE [OPTION...]: a receiver whose spool is on a file system of SIZE alone.
cramped()
{
	require root
	mkdir small
	cat >full <<-END
		#!/bin/bash
		mount -t tmpfs -o size=$1,mode=700 tmpfs small && exec "$tool" "\$@"
	END
	chmod +x full
	unshare -m true || skip "no mount namespaces"
	unshare -m ./full "${@:2}" --json receive --state-dir=state --spool=small --no-hold "$B" unix:r \
		>receive.out 2>receive.err 3>&- &
	receive=$!
	started+=("$!")
	eventually said 'listening on' receive.err
}

@test "receive: a spool without room for what is expected is refused before anything is touched" {
	emulate --state-size 3M
	cramped 1M
	send 0 hello hear:HELLO offer:3000000 hear:VERDICT-no
	[[ $output == *'spool folder small: 1.00 MiB free, and the source expects 2.86 MiB'* ]]
	# One that does not say is heard, and so is one that fits.
	send 0 hello:generation=8 hear:HELLO offer hear:VERDICT-yes abort gone
	send 0 hello:generation=9 hear:HELLO offer:1000 hear:VERDICT-yes abort gone
	phase none
}

@test "receive: a spool that runs full undoes the move, and the source's device runs again" {
	emulate --state-size 3M
	migctl 0 state -q "$A" running
	cramped 1M -v
	migctl 75 --json migrate --state-dir=there "$A" unix:r
	expect_json '.outcome == "aborted"' '.owner == "source"' \
		'.error.message | test("gives up: 1.00 MiB were free at first: spool .*: No space left on device")'
	expect_state "$A" running
	said 'spool folder small: 1.00 MiB free; the source does not say how much it sends' receive.err
	wait "$receive" || true
	expect_state "$B" stop
	[[ -z $(ls state/*.destination 2>/dev/null) ]] || grep -q '"phase": *"aborted"' state/*.destination
}

@test "receive: a disk that is full aborts it, and the source hears why" {
	emulate --state-size 3M
	cramped 1M
	send 0 "${BEGIN[@]}" frames gone
	[[ $output == *'ABORT '*'No space left'* ]]
	SPOOL=small/$TXID.image
	over 74 aborted source stop aborted
}

# Of every size, the piece that is written at a time included, and however it comes.
@test "receive: what is in the spool is what was sent" {
	local sizes=(300K 1M 2300K 9M) options=('' --compress=zstd) size option

	emu_start --state-size 300K
	for size in "${sizes[@]}"; do
		for option in "${options[@]}"; do
			emu_stop
			rm -rf image state spool decided
			emu_start --state-size "$size"
			# shellcheck disable=SC2086 # one option or none
			migctl 0 -q save $option --leave=stop "$A" image
			receive
			send 0 "${READY[@]}" file:decided commit hear:DONE gone &
			eventually phase prepared
			cmp image "$SPOOL"
			: >decided
			wait $!
			over 0 completed destination running 'done'
		done
	done
}

# It is written by a thread of its own, and synced while the driver judges: no READY before both.
@test "receive: a spool that cannot be written or synced is told before READY" {
	local call

	require strace
	emulate --state-size 3M
	for call in fsync pwrite64; do
		rm -rf state spool receive.err
		ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qqq -o trace \
			-P "$PWD/$SPOOL" -e "trace=$call" -e "inject=$call:error=EIO" \
			"$tool" --json receive --state-dir=state --spool=spool --no-hold "$B" unix:r \
			>receive.out 2>receive.err 3>&- &
		receive=$!
		started+=("$!")
		eventually said 'listening on' receive.err
		send 0 "${BEGIN[@]}" frames end gone
		[[ $output == *'ABORT '*"spool $PWD/$SPOOL: Input/output error"* ]]
		[[ $output != *READY* ]]
		said INJECTED trace
		over 74 aborted source stop aborted
	done
}

@test "receive: over standard input and output, as ssh starts it" {
	emulate
	run --separate-stderr timeout 100 "$SOURCE" \
		"exec:exec $tool receive --state-dir=state --no-hold $B -" image "${READY[@]}" commit hear:DONE gone
	echo "$output $stderr"
	((status == 0))
	expect_state "$B" running
	phase 'done'
	# A source that has not heard it starts the command again, and with it another process.
	run --separate-stderr timeout 100 "$SOURCE" \
		"exec:exec $tool receive --state-dir=state --no-hold $B -" image hello hear:HELLO commit \
		hear:DONE gone
	echo "$output $stderr"
	((status == 0))
	[[ $stderr == *'it has been here, and its source was told so'* ]]
	for steps in hello:generation=6 hello:txid=ffffffffffffffffffffffffffffffff; do
		run --separate-stderr timeout 100 "$SOURCE" \
			"exec:exec $tool receive --state-dir=state --no-hold $B -" image "$steps" \
			hear:HELLO commit gone
		echo "$output $stderr"
		((status == 0))
		[[ $stderr == *'COMMIT decides nothing here'* && $output != *DONE* ]]
	done
	expect_state "$B" running
}

# by_command STATUS DEV STEP...: a source that starts a receiver by a command; what that says is in the
# file command.err, its status in the file ended.
by_command()
{
	local want=$1 dev=$2

	shift 2
	rm -f ended
	run --separate-stderr timeout 120 "$SOURCE" "exec:$tool receive --state-dir=state --timeout 1s \
		$dev - 2>command.err; echo \$? >ended" image "$@"
	printf '%s\n' "$output" "$stderr"
	eventually test -s ended
	[[ $status == 0 && $(<ended) == "$want" ]]
}

@test "receive: by a second command, a device that the first one holds is named to the source" {
	emulate
	"$SOURCE" "exec:exec $tool receive --state-dir=state $B - 2>first.err" image "${READY[@]}" commit \
		hear:DONE file:over >first.out 2>&1 3>&- &
	first=$!
	eventually said 'held open' first.err
	by_command 76 "$B" hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer hear:VERDICT-no
	[[ $output == *"VERDICT-no $B: VERSION: the server was silent"*"it may be busy with another client"* ]]
	grep -q "^vfiomigctl: $B: .*it may be busy with another client.*; end that client first" command.err
	# So is one that listens, before it does.
	migctl 76 receive --state-dir=state --timeout=1s "$B" unix:r
	expect_message "$B: VERSION: the server was silent" 'it may be busy with another client' \
		'end that client first'
	# The tool's own source says so, too, and runs on.
	set_state "$A" running
	migctl 75 migrate --state-dir=there "$A" \
		"exec:exec $tool receive --state-dir=state --timeout 1s $B - 2>command.err"
	expect_message "the other end cannot take it: $B: VERSION: the server was silent" \
		'it may be busy with another client'
	expect_state "$A" running
	# A source that has not heard DONE gets it all the same.
	by_command 75 "$B" hello:txid=$TXID hear:HELLO commit hear:DONE gone
	# What else is wrong here it hears as well.
	ln -s nosuch/folder nowhere
	by_command 78 "$B --spool=nowhere" hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer \
		hear:VERDICT-no
	[[ $output == *'VERDICT-no spool folder nowhere'* ]]
	: >over
	wait "$first"
}

@test "receive --keep: one after another, and none over a state that has come" {
	emulate
	receive --keep
	send 0 "${BEGIN[@]}" abort gone
	send 0 "${BEGIN[@]}" frames:0..100000 close
	eventually said 'is aborted' receive.err
	send 0 "${READY[@]}" commit hear:DONE
	eventually said 'is done' receive.err
	# A source that has not heard DONE, and one that asks.
	send 0 hello hear:HELLO commit hear:DONE
	send 0 hello:role=3 hear:HELLO ask:committed hear:TELL
	[[ $output == *'TELL done' ]]
	offered hear:VERDICT-no
	[[ $output == *"$TXID, which has not been moved away"* ]]
	# Records of what is over go, when there are many later ones.
	rm "$RECORD"
	offered hear:VERDICT-no
	[[ $output == *"$TXID, which has not been moved away"* ]]
	# The report is of what was received, not of who was refused since.
	kill -TERM "$receive"
	over 0 completed destination running none
	told txid "$TXID" && told phase 'done' && told owner destination
	[[ $stderr == *"$B: Terminated: ending, nothing is under way"* ]]
}

# beside: another receiver for the same device, and the source that brings it a state.
beside()
{
	start beside receive --state-dir=state --no-hold "$B" unix:beside
	eventually said 'listening on' beside.err
	run --separate-stderr timeout 120 "$SOURCE" unix:beside image "${READY[@]}" commit hear:DONE
	printf '%s\n' "$output" "$stderr"
	((status == 0))
	finish beside 0
}

# A folder of records is of all receivers of a host: what another one has brought is as safe.
@test "receive: a state that another receive has brought since the start is not replaced either" {
	local options

	emulate
	for options in --keep ''; do
		rm -rf state spool
		set_state "$B" running
		# shellcheck disable=SC2086 # one option or none
		receive $options
		beside
		reference "$B"
		offered hear:VERDICT-no
		[[ $output == *"VERDICT-no $B: has the state of transaction $TXID, which has not been moved away"* ]]
		# A migrate that was given up has moved nothing away.
		migctl 75 migrate --state-dir=state "$B" \
			"exec:$python $BATS_TEST_DIRNAME/move-receiver.py - abort-late 2>receiver.out"
		grep -lq '"phase": *"aborted"' state/*.source
		offered hear:VERDICT-no
		[[ $output == *"$TXID, which has not been moved away"* ]]
		holds "$B"
		end_started receive
	done
	# One that was there at the start is replaced, as it says.
	receive --keep
	said "$TXID, of an earlier start: the next move here replaces it" receive.err
	send 0 hello:txid=ffffffffffffffffffffffffffffffff,generation=9 "${READY[@]:1}" commit hear:DONE
	eventually said 'is done' receive.err
	kill -TERM "$receive"
	finish receive 0
}

@test "receive: nor is one that another receive has brought since it was offered" {
	emulate
	receive
	"$SOURCE" unix:r image hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer hear:VERDICT-yes \
		file:brought frames gone >source.out 2>source.err 3>&- &
	source=$!
	started+=("$source")
	eventually said VERDICT-yes source.out
	beside
	reference "$B"
	: >brought
	finish source 0
	[[ $output == *"ABORT 75 $B: has the state of transaction $TXID"* ]]
	finish receive 75
	holds "$B"
}

# To open the device takes as long as another process has it.
@test "receive: nor is one that has come, or is in doubt, until the device was open" {
	local phase other=ffffffffffffffffffffffffffffffff

	emulate
	reference "$B"
	journal there
	for phase in 'done' prepared committed; do
		rm -rf state spool
		receive --keep
		mute 1 emu.1
		"$SOURCE" unix:r image hello:txid="$other" hear:HELLO offer hear:VERDICT-yes frames hear:ABORT \
			>source.out 2>source.err 3>&- &
		source=$!
		started+=("$source")
		eventually test -e "state/$other.destination"
		forge state destination "$phase" there "$B" "changed_ns=$(date +%s%N)"
		end_started mute
		finish source 0
		[[ $output == *"ABORT 75 $B: "*"transaction $TXID"* ]]
		grep -q '"phase": *"aborted"' "state/$other.destination"
		# What was given up has touched nothing, and hides nothing.
		offered hear:VERDICT-no
		[[ $output == *"transaction $TXID"* ]]
		holds "$B"
		end_started receive
	done
}

@test "receive: nor one that another receive waits with for its source's word" {
	emulate
	receive
	start beside receive --state-dir=state --no-hold "$B" unix:beside
	eventually said 'listening on' beside.err
	send 0 "${READY[@]}" file:decided commit hear:DONE gone &
	eventually test -e "$SPOOL"
	eventually phase prepared
	"$SOURCE" unix:beside image hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer \
		hear:VERDICT-no >source.out
	[[ $(<source.out) == *"transaction $TXID is in doubt, and its state is here: another process works"* ]]
	: >decided
	wait $!
	over 0 completed destination running 'done'
	end_started beside
}

@test "receive: what an earlier start has left is said, with the command that brings it back" {
	emulate
	receive --keep
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	kill -TERM "$receive"
	finish receive 80
	receive --keep
	said "warning: $B: transaction $TXID, of an earlier start, is in doubt, and its state is here: vfiomigctl \
recover --state-dir=$PWD/state --peer=URI $TXID, with recover --serve=URI at the other end" receive.err
	# No other state may take its place before that.
	send 0 hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer hear:VERDICT-no
	[[ $output == *"transaction $TXID is in doubt, and its state is here"* ]]
	expect_state "$B" stop
	kill -TERM "$receive"
	finish receive 0
	# That command does; what it brings back is told of by --keep alone.
	migctl 0 -q recover --state-dir=state --force=run "$TXID"
	phase 'done'
	receive --keep
	said "warning: $B: has the state of transaction $TXID, of an earlier start: the next move here \
replaces it" receive.err
	kill -TERM "$receive"
	finish receive 0
	receive
	[[ $(<receive.err) != *"$TXID"* ]]
	kill -TERM "$receive"
	finish receive 75
	expect_state "$B" running
}

@test "receive: the state of a migrate that was cut off is not replaced before recover has given it back" {
	emulate
	journal there
	receive --keep
	forge state source begun there "$B"
	set_state "$B" stop
	send 0 hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO offer hear:VERDICT-no
	[[ $output == *"transaction $TXID was cut off while this device's state was sent: \`recover\` it first"* ]]
	migctl 0 -q recover --state-dir=state "$TXID"
	expect_state "$B" running
	send 0 hello:txid=ffffffffffffffffffffffffffffffff offer hear:HELLO hear:VERDICT-yes frames end \
		hear:READY commit hear:DONE
	kill -TERM "$receive"
	finish receive 0
}

# crash: it is killed, and what listens at its address next is another process.
crash()
{
	kill -KILL "$receive"
	wait "$receive" 2>/dev/null || true
}

@test "receive: killed when it was done, and started again, it says DONE" {
	emulate
	receive --keep
	send 0 "${READY[@]}" commit hear:DONE
	crash
	receive
	send 0 hello hear:HELLO commit hear:DONE gone
	send 0 hello:role=3 hear:HELLO ask:committed hear:TELL
	[[ $output == *'TELL done' ]]
	# What the journal does not have, or of another generation.
	send 0 hello:txid=ffffffffffffffffffffffffffffffff hear:HELLO commit hear:ABORT gone
	[[ $output == *'ABORT 75 transaction ffff'*': COMMIT decides nothing here'* ]]
	send 0 hello:generation=6 hear:HELLO commit hear:ABORT gone
	[[ $output != *DONE* ]]
	expect_state "$B" running
	# And it still waits for a source of its own.
	send 0 hello:txid=ffffffffffffffffffffffffffffffff offer hear:HELLO hear:VERDICT-yes frames end \
		hear:READY commit hear:DONE
	finish receive 0
	told txid ffffffffffffffffffffffffffffffff
}

@test "receive: killed when it was prepared, and started again, it says what resolves it" {
	emulate
	receive
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	crash
	receive
	send 0 hello hear:HELLO commit hear:ABORT gone
	[[ $output == *"ABORT 80 transaction $TXID is not done here: its record says prepared"*"vfiomigctl recover --state-dir=$PWD/state --peer=URI $TXID at the destination"* ]]
	phase prepared
	expect_state "$B" stop
	migctl 0 -q recover --state-dir=state --force=run "$TXID"
	send 0 hello hear:HELLO commit hear:DONE gone
	expect_state "$B" running
	kill -TERM "$receive"
	finish receive 75
}

@test "receive: COMMIT for a process that waits beside it is passed on" {
	emulate
	receive
	send 0 "${READY[@]}" close
	eventually said 'is in doubt' receive.err
	start beside receive --state-dir=state --no-hold "$A" unix:beside
	eventually said 'listening on' beside.err
	run --separate-stderr timeout 120 "$SOURCE" unix:beside image hello hear:HELLO commit \
		hear:DONE gone
	printf '%s\n' "$output" "$stderr"
	((status == 0))
	over 0 completed destination running 'done'
	kill -TERM "$beside"
	finish beside 75
	expect_state "$A" stop
}

@test "receive --keep: what had left long ago is not what has come since" {
	local generation receiver

	emulate
	"$python" "$BATS_TEST_DIRNAME/move-receiver.py" unix:m accept >receiver.out 2>&1 3>&- &
	receiver=$!
	started+=("$receiver")
	eventually said ready receiver.out
	# Of a journal that has counted further than the source's.
	for generation in 1 2; do
		migctl 0 migrate --state-dir=state "$B" unix:m
		said "generation $generation" receiver.out
		set_state "$B" running
	done
	end_started receiver
	receive --keep
	send 0 hello:generation=1 "${READY[@]:1}" commit hear:DONE
	send 0 hello:txid=ffffffffffffffffffffffffffffffff,generation=9 hear:HELLO offer \
		hear:VERDICT-no
	[[ $output == *"$TXID, which has not been moved away"* ]]
	kill -TERM "$receive"
	finish receive 0
	expect_state "$B" running
}

@test "receive: a source that has counted far is in no other one's way" {
	emulate
	receive
	send 0 hello:generation=9223372036854775806 "${BEGIN[@]:1}" frames:0..100000 abort gone
	over 75 aborted source stop aborted
	receive
	send 0 hello:txid=ffffffffffffffffffffffffffffffff "${READY[@]:1}" commit hear:DONE
	finish receive 0
	expect_state "$B" running
}

@test "receive --dry-run: nothing is opened, listened to or written" {
	emulate
	migctl 0 --json receive --dry-run --state-dir=state "$B" unix:r
	told dry_run true
	[[ ! -e r ]]
	expect_state "$B" running
}

@test "receive: misuse is told in one line" {
	emulate
	migctl 64 receive "$B"
	migctl 64 receive --run --stop "$B" unix:r
	migctl 64 receive --spool=x --no-spool "$B" unix:r
	migctl 64 receive --keep "$B" -
	migctl 64 receive --keep --background "$B" unix:r
	migctl 64 receive "$B" some/path
	mkdir -m 777 open
	chmod 777 open
	migctl 78 receive --state-dir=open "$B" unix:r
	expect_message open
}

# refused STATUS TEXT ARG...: at once, in one line, before anything is listened at.
refused()
{
	migctl "$1" receive --no-hold "${@:3}" "$B" unix:r
	expect_message "$2" "name another"
	[[ $stderr != *$'\n'* ]]
	[[ ! -e r ]]
}

@test "receive: folders that cannot be are refused before anything is listened at" {
	emulate
	: >file
	refused 78 'spool folder file: Not a directory' --state-dir=state --spool=file
	refused 78 'spool folder no/such: No such file or directory' --state-dir=state --spool=no/such
	refused 78 "journal's folder file: Not a directory" --state-dir=file
	refused 78 "journal's folder /proc/x: No such file or directory" --state-dir=/proc/x
	mkdir -m 777 open
	chmod 777 open
	migctl 78 receive --state-dir=state --spool=open "$B" unix:r
	expect_message 'spool folder open: other users may write to it'
	expect_state "$B" running
}

@test "receive: a folder that a user may not write to is refused with 77" {
	require root
	emulate
	mkdir -m 700 state
	run --separate-stderr setpriv --reuid 65534 --clear-groups "$tool" receive \
		--state-dir=state/deeper "$B" unix:r
	printf '%s\n' "$stderr"
	((status == 77))
	[[ $stderr == *"journal's folder state"*': Permission denied'*'--state-dir' ]]
}
