#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The source of a move between hosts. The other end is move-receiver.py, written from the protocol's
# description alone, which keeps to it or breaks it at each of its points. After each: what the
# device says itself, the exit status, who owns the state, and what the record says.

# shellcheck disable=SC2034,SC2154 # variables are emu.bash's and run's
load ../emu
load ../recover

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# receiver CONDUCT...: listens at unix:s; what it hears and says is in receiver.out.
receiver()
{
	require python3
	rm -f s
	: >receiver.out
	[[ -e receiver.in ]] || : >receiver.in
	"$python" "$BATS_TEST_DIRNAME/move-receiver.py" unix:s "$@" >receiver.out 2>&1 \
		<receiver.in 3>&- &
	receiver=$!
	started+=("$receiver")
	eventually said ready receiver.out
}

# connected_times N: to the receiver, at least.
connected_times()
{
	(($(grep -c connected: receiver.out) >= $1))
}

never_said()
{
	! said "$1" "$2"
}

# phase_is PHASE: of the only record; "none": there is none.
phase_is()
{
	local files=(state/*.source) text=

	if [[ ! -e ${files[0]} ]]; then
		[[ $1 == none ]]
		return
	fi
	((${#files[@]} == 1))
	text=$(<"${files[0]}")
	[[ $text == *'"phase":"'"$1"'"'* ]] || {
		printf '%s\n' "not $1:" "$text"
		return 1
	}
}

# The other end may be slow: only where it is to be silent, silence is judged early.
migrate()
{
	migctl "$1" migrate --json --state-dir=state --timeout="${timeout-300s}" "${@:2}"
}

# ends STATUS OUTCOME OWNER STATE PHASE [OPTION...]: so a move of the first device does.
ends()
{
	rm -rf state
	migrate "$1" "${@:6}" "$A" unix:s
	told outcome "$2"
	told owner "$3"
	expect_state "$A" "$4"
	phase_is "$5"
}

# table ROW...: "CONDUCT[,CONDUCT] STATUS OUTCOME OWNER STATE PHASE TEXT", each on a device that
# runs. TEXT is in the message.
table()
{
	local row conduct status outcome owner state phase text timeout

	emu_start --state-size 300K
	for row; do
		read -r conduct status outcome owner state phase text <<<"$row"
		echo "# $row"
			# shellcheck disable=SC2086 # words
		receiver ${conduct//,/ }
		timeout=300s
		[[ $conduct != mute* ]] || timeout=2s
		ends "$status" "$outcome" "$owner" "$state" "$phase"
		[[ -z $text || $stderr == *"$text"* ]] || {
			echo "does not say: $text"
			return 1
		}
		[[ $state == running ]] || set_state "$A" running
		end_started receiver
		never_said Traceback receiver.out
	done
}

@test "migrate: the state arrives whole, and the device here stays stopped" {
	emu_start --state-size 3M --seed 5
	receiver accept
	ends 0 completed destination stop 'done' --sha256 --label=ticket=7
	expect_json '.peer == "unix:s"' '.move_state == "done"' '.reconnects == 0' \
		'.answer.accepted' '.downtime_ns > 0' '.state_found == "running"' '.down' \
		'(.txid | length) == 32' '.sent_bytes > 3000000'
	# The record can be read from anywhere.
	said '"device":"vfio-user:/' state/*.source
	said '"peer":"unix:/' state/*.source
	said 'source stops' receiver.out
	said committed receiver.out
	# What has arrived is an image as any other, and of this state.
	"$tool" -q extract received.img raw
	[[ $(sha256sum <raw) == "$(jq -r .sha256 <<<"$output")  -" ]]
	"$tool" --json inspect received.img >inspected
	[[ $(jq -r .image.labels.ticket inspected) == 7 ]]
}

@test "migrate: several devices are one transaction" {
	emu_start --state-size 300K
	receiver accept
	migrate 0 "$A" "$B" unix:s
	expect_state "$A" stop
	expect_state "$B" stop
	said 'offered 2 devices' receiver.out
	expect_json '.devices | length == 2' '.skew_ns >= 0' '.downtime_ns > 0'
	[[ $(grep -o '"found":' state/*.source | wc -l) == 2 ]]
}

@test "migrate: before the decision, whatever the other end does, the device runs on" {
	table 'refuse 75 aborted source running none cannot take it: driver: emu, here mtty' \
		'abort-at-offer 75 aborted source running none gives up: it is busy' \
		'abort-in-stream 75 aborted source running aborted gives up: no room for it' \
		'abort-late 75 aborted source running aborted gives up: the driver refuses it' \
		'close-at-hello 75 aborted source running none' \
		'close-at-offer 75 aborted source running none has closed the connection' \
		'close-in-stream 75 aborted source running aborted' \
		'close-before-ready 75 aborted source running aborted has closed the connection' \
		'mute 75 aborted source running none silent for 2 s' \
		'mute-at-offer 75 aborted source running none' \
		'mute-at-end 75 aborted source running aborted'
}

@test "migrate: an end that breaks the protocol is told by name, and the device runs on" {
	table 'other-digest 76 aborted source running aborted READY is for another image' \
		'early-ready 76 aborted source running aborted READY is not due now' \
		'commit 76 aborted source running aborted COMMIT is not due now' \
		'junk 76 aborted source running none speaks something else: "junkjunk' \
		'junk-later 76 aborted source running none not a message' \
		'image 76 aborted source running none an image (save writes one' \
		'oversize 76 aborted source running none VERDICT of 4294967295 bytes' \
		'bad-sum 76 aborted source running none its checksum is wrong' \
		'replay 76 aborted source running none VERDICT is message 0' \
		'unknown 76 aborted source running none a message of type 4242' \
		'newer 76 aborted source running none versions 9 to 9' \
		'older 76 aborted source running none versions 0 to 0' \
		'recovery 76 aborted source running none the other end is no '
}

@test "migrate: an end that breaks the protocol before the decision hears why" {
	local conduct

	emu_start --state-size 300K
	# The first one has said READY, and waits for what is decided.
	for conduct in other-digest early-ready commit bad-sum; do
		echo "# $conduct"
		receiver "$conduct"
		rm -rf state
		migrate 76 --retries=3 "$A" unix:s
		expect_state "$A" running
		eventually said 'aborted 76: unix:s' receiver.out
		expect_json '.reconnects == 0'
		end_started receiver
	done
}

@test "migrate: what a later version may add is no obstacle" {
	table 'optional 0 completed destination stop done' \
		'newest 0 completed destination stop done'
}

@test "migrate: once it is decided, a lost end is told again, and nothing runs here" {
	table 'close-after-ready,accept 0 completed destination stop done' \
		'close-after-commit,accept 0 completed destination stop done' \
		'mute-at-commit,accept 0 completed destination stop done' \
		'abort-after-ready,accept 0 completed destination stop done'
}

@test "migrate: an end that never confirms leaves the move in doubt, with the id to ask by" {
	local conduct txid

	emu_start --state-size 300K
	for conduct in close-after-commit other-done; do
		receiver "$conduct"
		rm -rf state
		start moving migrate --json --state-dir=state "$A" unix:s
		# It has been told twice, and tells again; the second signal ends that.
		eventually connected_times 3
		kill -INT "$moving"
		kill -TERM "$moving"
		finish moving 80
		told outcome in-doubt
		told owner unknown
		expect_state "$A" stop
		phase_is committed
		txid=$(jq -r .txid <<<"$output")
		[[ $stderr == *"vfiomigctl recover --state-dir=$PWD/state $txid" ]]
		[[ $stderr == *'stays stopped, since the other end may run its state'* ]]
		expect_json '.move_state == "committed"' '.txid == (.error.hint | split(" ") | last)'
		end_started receiver
		set_state "$A" running
	done
}

# To open the device takes as long as another process has it.
@test "migrate: what another process has left until the device was open is not moved again" {
	local record role phase status

	emu_start --state-size 300K
	journal there
	for record in 'source committed 80' 'destination prepared 80' 'source done 64'; do
		read -r role phase status <<<"$record"
		rm -rf state
		journal state
		set_state "$A" stop
		receiver accept
		mute 1 emu
		start moving migrate --json --state-dir=state "$A" unix:s
		eventually connected_times 1
		forge state "$role" "$phase" there "$A"
		end_started mute
		finish moving "$status"
		[[ $stderr == *"$A: transaction $TXID "* ]]
		expect_state "$A" stop
		never_said OFFER receiver.out
		end_started receiver
	done
}

@test "migrate --retries: a channel that breaks before READY is dialled again, the device stopped" {
	local conducts timeout

	emu_start --state-size 300K
	for conducts in 'close-in-stream accept' 'close-before-ready close-in-stream accept' \
		'mute-at-end accept'; do
		# shellcheck disable=SC2086 # two or three words
		receiver $conducts
		rm -f report.json
		timeout=300s
		[[ $conducts != mute* ]] || timeout=2s
		ends 0 completed destination stop 'done' --retries=3 --report=report.json
		# The times of READY, COMMIT and DONE are in the report.
		"$tool" --json report report.json >summary
		[[ $(jq -r '[.moves[-3:][].state] | join(" ")' summary) == "deciding committed done" ]]
		validate_reports summary || (($? == 77))
		# RUNNING is left once, and nothing runs before the other end does.
		[[ $(jq -r '[.events[] | select(.event == "arc" and .from == "running")] | length' \
			report.json) == 1 ]]
		[[ $(jq -r '[.events[] | select(.event == "arc" and .to == "running")] | length' \
			report.json) == 0 ]]
		expect_json ".reconnects == $(wc -w <<<"$conducts") - 1"
		"$tool" --json verify received.img >/dev/null
		end_started receiver
		set_state "$A" running
	done
}

@test "migrate: the state goes to no other receiver than the one it was offered to" {
	local timeout=2s

	emu_start --state-size 300K
	# The first one may be PREPARED: it would be told of a decision that another one was made with.
	receiver close-before-ready other-journal
	ends 75 aborted source running aborted --retries=1
	[[ $stderr == *'another receiver answers now'* ]]
	[[ $(grep -c 'hears OFFER' receiver.out) == 1 ]]
	end_started receiver
	receiver close-after-commit other-journal
	ends 80 in-doubt unknown stop committed
	connected_times 2
	[[ $(grep -c 'hears COMMIT' receiver.out) == 1 ]]
}

@test "migrate --retries: they end, and are not for an end that refuses or breaks the protocol" {
	emu_start --state-size 300K
	receiver close-in-stream
	ends 75 aborted source running aborted --retries=2
	expect_json '.reconnects == 2'
	[[ $(grep -c connected: receiver.out) == 3 ]]
	end_started receiver
	receiver close-in-stream refuse
	ends 75 aborted source running aborted --retries=2
	expect_json '.reconnects == 1'
	end_started receiver
	receiver early-ready accept
	ends 76 aborted source running aborted --retries=2
	expect_json '.reconnects == 0'
	end_started receiver
	receiver close-before-ready accept
	ends 75 aborted source running aborted --retries=2 --pre-copy \
		--max-time=0 --downtime-limit=0
	expect_json '.reconnects == 0'
}

@test "migrate --check-only: asks, and touches nothing" {
	emu_start --state-size 300K --event-log events
	receiver accept refuse
	migrate 0 --check-only "$A" unix:s
	expect_json '.check_only' '.answer.accepted' '.outcome == "completed"' '.owner == "source"' \
		'has("arcs") | not'
	eventually said 'aborted 75: it was asked only' receiver.out
	migrate 69 --check-only "$A" unix:s
	expect_json '.answer.reason == "driver: emu, here mtty"' '.owner == "source"'
	never_said ' -> ' events
	phase_is none
}

@test "migrate --dry-run: connects to nothing" {
	emu_start --state-size 300K --event-log events
	migrate 0 --dry-run "$A" unix:nowhere
	expect_json '.dry_run' '.peer == "unix:nowhere"' '.owner == "source"'
	migrate 78 --dry-run "$A" tcp:192.0.2.1:7
	[[ ! -s events && ! -e state ]]
}

@test "migrate: what cannot begin touches nothing" {
	emu_start --state-size 300K --event-log events
	migrate 73 "$A" unix:nowhere
	told owner source
	migrate 64 "$A" file:x
	migrate 64 --raw "$A" unix:s
	receiver accept
	: >plain
	migctl 78 migrate --json --state-dir=plain/state "$A" unix:s
	[[ ! -s events ]]
}

@test "migrate: over exec: and standard input and output, both ways" {
	emu_start --state-size 300K
	require python3
	migrate 0 "$A" "exec:$python $BATS_TEST_DIRNAME/move-receiver.py - accept 2>receiver.out"
	expect_state "$A" stop
	said runs receiver.out
	set_state "$A" running
	migrate 75 "$A" "exec:exit 3"
	expect_state "$A" running
	# A socket that is passed on cannot be connected again.
	rm -rf state
	receiver close-after-commit
	"$python" - "$tool" "$A" >out 2>err <<-'END' || status=$?
		import os, socket, sys

		s = socket.socket(socket.AF_UNIX)
		s.connect("s")
		os.dup2(s.fileno(), 7)
		os.execv(sys.argv[1], ["vfiomigctl", "migrate", "--json", "--state-dir=state",
		                       "--retries=3", sys.argv[2], "fd:7"])
	END
	expect_status 80
	[[ $(grep -c connected: receiver.out) == 1 ]]
	phase_is committed
}

@test "migrate --pre-copy: most goes while the device runs, and a break in it begins anew" {
	emu_start --state-size 3M --event-log events
	receiver close-in-stream accept
	rm -rf state
	migrate 0 --pre-copy --retries=1 --downtime-limit=1h "$A" unix:s
	expect_json '.precopy.verdict == "converged"' '.reconnects == 1'
	expect_state "$A" stop
	"$tool" -q verify received.img
}

# One system call of the journal's fails each time: the device runs on, or the move is done, or it is
# in doubt and nothing runs. Never does it run with a record that says COMMITTED.
@test "migrate: a record that cannot be written aborts, and one that may be there leaves doubt" {
	local call error n results=

	require strace
	emu_start --state-size 300K
	for call in fsync:EIO renameat2:ENOSPC renameat:ENOSPC rename:ENOSPC; do
		error=${call#*:}
		for ((n = 1; n <= 12; n++)); do
			receiver accept
			rm -rf state
			status=0
			strace -f -qq -o trace -e "inject=${call%:*}:error=$error:when=$n" \
				"$tool" --json migrate --state-dir=state "$A" unix:s \
				>out 2>err || status=$?
			end_started receiver
			state_of "$A"
			echo "$call $n: $status $real $(grep -ho '"phase":"[a-z]*"' state/*.source)"
			results+=" $status:$real"
			case $status:$real in
			0:stop) said runs receiver.out ;;
			80:stop) never_said '"phase":"aborted"' state/*.source ;;
			7[0-9]:running)
				never_said committed receiver.out
				never_said '"phase":"committed"' state/*.source
				;;
			*) return 1 ;;
			esac
			grep -q INJECTED trace || break
			[[ $real == running ]] || set_state "$A" running
		done
		[[ $real == running ]] || set_state "$A" running
	done
	echo "$results"
	[[ $results == *7?:running* && $results == *80:stop* && $results == *0:stop* ]]
}

# Killed at each of its writes, syncs and closes, wherever they are: it never leaves a device that
# runs beside an end that was told to run it, nor a record of a decision that was not made.
@test "migrate: killed anywhere, no device runs that the other end may run, too" {
	local call n results=

	require strace
	emu_start --state-size 300K
	for call in fsync rename,renameat,renameat2 sendmsg,sendto,write,writev; do
		for ((n = 1; n <= 60; n++)); do
			receiver accept
			rm -rf state
			status=0
			strace -f -qq -o trace -e "inject=$call:signal=KILL:when=$n" \
				"$tool" --json migrate --state-dir=state "$A" unix:s \
				>out 2>err || status=$?
			state_of "$A"
			if ((status == 137)); then
				# What it leaves is for `recover`; the receiver has heard what it has heard.
				if said connected: receiver.out; then
					eventually said closed receiver.out
				fi
				if said 'hears COMMIT' receiver.out; then
					[[ $real != running ]]
					phase_is committed || phase_is 'done'
				fi
				results+=" $real"
			fi
			echo "$call $n: $status $real"
			never_said Traceback receiver.out || {
				cat receiver.out
				return 1
			}
			end_started receiver
			[[ $real == running ]] || set_state "$A" running
			((status == 137)) || break
		done
		((n <= 60 && n > 1))
		((status == 0))
	done
	[[ $results == *' stop'* && $results == *' running'* ]]
}

@test "migrate: the device runs until the other end's is ready to take its state, if that says so" {
	emu_start --state-size 300K --event-log events
	mkfifo receiver.in
	exec {answer}<>receiver.in
	receiver taking
	start moving migrate --json --state-dir=state "$A" unix:s
	eventually said 'could take it' receiver.out
	# What the source has yet to hear it cannot have acted on.
	[[ ! -s events ]]
	echo >&"$answer"
	finish moving 0
	said ' begin running running-p2p' events
	told outcome completed
	exec {answer}>&-
}

@test "migrate: a signal while the other end gets ready ends it" {
	emu_start --state-size 300K --event-log events
	mkfifo receiver.in
	exec {answer}<>receiver.in
	receiver taking
	start moving migrate --json --state-dir=state "$A" unix:s
	eventually said 'could take it' receiver.out
	kill -INT "$moving"
	finish moving 75
	told owner source
	expect_state "$A" running
	phase_is aborted
	# It never was stopped.
	never_said 'running-p2p stop' events
	exec {answer}>&-
}

@test "migrate: a signal before the decision ends it, and the device runs on" {
	emu_start --state-size 300K
	mkfifo receiver.in
	exec {answer}<>receiver.in
	receiver slow
	start moving migrate --json --state-dir=state "$A" unix:s
	eventually said 'hears END' receiver.out
	kill -INT "$moving"
	finish moving 75
	told owner source
	expect_state "$A" running
	phase_is aborted
	eventually said 'aborted 75: interrupted' receiver.out
	exec {answer}>&-
}
