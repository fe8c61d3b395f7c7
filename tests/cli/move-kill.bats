#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both ends of a move, killed. Which of their system calls is chosen by chance, from a seed that is
# always the same here; `scripts/sweep move` and `move-pairs` try all, and others.

# shellcheck disable=SC2034,SC2154 # variables are move.bash's
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

# sample N FILE: $lines are so many of its calls, by chance; 0: all of them.
sample()
{
	local n

	mapfile -t lines <"$2"
	(($1)) || return 0
	lines=()
	for ((n = 0; n < $1; n++)); do
		call_by_chance "$2"
		lines+=("${call[*]}")
	done
}

# killed_at_calls END: at so many of its system calls; every third time `recover` is killed as well.
killed_at_calls()
{
	local name nth point

	move_calls
	if ((MOVE_CALLS)); then sample "$MOVE_CALLS" "$1.live"; else sample 0 "$1.calls"; fi
	for point in "${lines[@]}"; do
		read -r name nth <<<"$point"
		again=''
		((trials % 3 < 2)) || again=yes
		killed_at "$1" "$name" "$nth"
	done
	summary
	((findings == 0))
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
	local again

	move_setup
	move_calls
	for ((; trials < MOVE_PAIRS; )); do
		again=''
		((trials % 3 < 2)) || again=yes
		killed_pair
	done
	summary
	((findings == 0))
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
