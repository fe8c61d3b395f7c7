#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As move-kill.bats, of moves whose other end is a command: both ends, killed at their system calls.
# A sample by chance, from a seed that is always the same here; `scripts/sweep move-exec` tries all.

# shellcheck disable=SC2034 # variables are move.bash's
load ../move-command

: "${MOVE_SEED:=14}" "${MOVE_CALLS:=9}" "${MOVE_PAIRS:=6}"

setup()
{
	emu_setup
	RANDOM=$MOVE_SEED
}

teardown()
{
	command_teardown
}

@test "move, exec: the source is killed at any of its system calls" {
	move_setup
	killed_at_calls source
}

@test "move, exec: the destination is killed at any of its system calls" {
	move_setup
	killed_at_calls destination
}

@test "move, exec: both ends are killed, anywhere" {
	move_setup
	killed_in_pairs
}
