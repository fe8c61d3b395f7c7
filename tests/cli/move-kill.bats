#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both ends of a move, killed. Which of their system calls is chosen by chance, from a seed that is
# always the same here; `scripts/sweep move` and `move-pairs` try all, and others.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are move.bash's
load ../move

: "${MOVE_SEED:=14}" "${MOVE_CALLS:=12}" "${MOVE_PAIRS:=6}" "${MOVE_STOPS:=4}" "${MOVE_ERRORS:=6}"

setup()
{
	emu_setup
	RANDOM=$MOVE_SEED
}

teardown()
{
	emu_teardown
}

@test "move: what judges the others sees two that run, one, and none" {
	A=vfio-user:a B=vfio-user:b
	judged()
	{
		printf '1 %s\n' "${@:2}" >events
		judge
		[[ $ran == "$1" ]] || {
			echo "$ran, not $1"
			return 1
		}
	}
	judged source 'b begin stop running-p2p'
	judged 'both, at line 3' 'b begin stop resuming' 'b end resuming stop' \
		'b begin stop running-p2p' 'b failed stop running-p2p EIO'
	judged 'both, at line 2' 'b end resuming stop' 'b begin stop running-p2p' 'b reset'
	judged none 'a end running-p2p stop' 'b end resuming stop'
	judged lost 'a end running-p2p stop' 'b end resuming stop' 'b reset' 'a reset'
	judged destination 'a end running-p2p stop' 'b end resuming stop' 'b end stop running-p2p'
	judged source 'a end running-p2p stop' 'b end resuming stop' 'b reset' \
		'a begin stop running-p2p'
	judged 'both, at line 4' 'a end running-p2p stop' 'b end resuming stop' \
		'b end stop running-p2p' 'a begin stop running-p2p'
}

@test "move: the source is killed at any of its system calls" {
	move_setup
	killed_at_calls source
}

@test "move: the destination is killed at any of its system calls" {
	move_setup
	killed_at_calls destination
}

@test "move: both ends are killed, anywhere" {
	move_setup
	killed_in_pairs
}

# done_call: $point is the call, its name and which of that name in its thread, by which the
# destination says DONE.
done_call()
{
	local traced_by=(strace -f -qq -xx -s 8 -o trace.destination)

	move_anew
	"${traced_by[@]}" "$tool" receive "${receive_options[@]}" --state-dir there --timeout 30s \
		"$B" "$move_link" >destination.out 2>destination.err 3>&- &
	destination=$!
	started+=("$destination")
	eventually destination_listens
	bounded -q migrate --state-dir here --timeout 30s "$A" "$move_link"
	eventually has_ended "$destination"
	read -r -a point < <(awk '
		$2 ~ /^[a-z_0-9]+\(/ { sub(/\(.*/, "", $2); n[$1, $2]++ }
		index($0, "\\x89\\x56\\x4d\\x50\\x08\\x00") { print $2, n[$1, $2]; exit }' trace.destination)
	[[ ${#point[@]} == 2 ]]
}

# killed_before_done: it has started the state and recorded that, and dies with DONE unsaid.
killed_before_done()
{
	move_anew
	destination_starts "${point[@]}" error=EPIPE:signal=KILL
	source_starts
	eventually has_ended "$destination"
	collect destination
	[[ $status_destination == 137 ]]
	record_of destination
	[[ $phase == 'done' ]]
	record_of source
	[[ $phase == committed ]]
}

# destination_starts_again: what listens now is another process.
destination_starts_again()
{
	: >destination.err
	destination_starts
}

# both_done: the state runs at the destination, and both records say so.
both_done()
{
	settled
	((findings == 0))
	[[ $phase == 'done' && $ran == destination ]]
}

@test "move: a destination that is killed before it says DONE, and started again, says it" {
	move_setup
	done_call
	killed_before_done
	destination_starts_again
	finish source 0
	both_done
	end_started destination
}

@test "recover: a source that gave up asking hears DONE from a destination that was started again" {
	move_setup
	done_call
	killed_before_done
	kill -TERM "$source"
	eventually said 'too late to stop' source.err
	kill -TERM "$source"
	finish source 80
	destination_starts_again
	bounded -q recover --state-dir here --timeout 5s "$txid"
	both_done
	end_started destination
}

@test "move: a source that is stopped anywhere, and then killed, or goes on" {
	move_setup
	move_calls
	for ((; trials < MOVE_STOPS; )); do
		stopped_then KILL
		stopped_then CONT
	done
	summary
	((findings == 0))
}

@test "move: a call that the journal is written by fails at either end" {
	local end lines line name nth errno

	move_setup
	move_calls
	for end in source destination; do
		sample "$MOVE_ERRORS" "$end.journal"
		for line in "${lines[@]}"; do
			read -r name nth <<<"$line"
			errno=EIO
			((trials % 2)) || errno=ENOSPC
			failed_at "$end" "$name" "$nth" "error=$errno"
		done
	done
	summary
	((findings == 0))
}
