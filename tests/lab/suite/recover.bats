#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is done after a crash of a move with a driver's devices: in the states in which a process that
# was killed leaves them.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash
load ../../recover.bash

setup()
{
	lab_setup
	journal here
	journal there
}

# is DEV STATE: by debugfs or the driver.
is()
{
	record -0 "$VFIOMIGCTL" state "$1"
	[[ $output == *" $2"* ]] || {
		echo "$output"
		return 1
	}
}

recover()
{
	local want=$1

	shift
	migctl "$want" recover --json --state-dir here "$TXID" "$@"
}

@test "recover: a source that was killed in any state that it takes its devices to runs again" {
	local state

	for state in stop stop-copy running-p2p pre-copy pre-copy-p2p running; do
		migctl 0 state -q "$A" "$state"
		forge here source begun there "$A"
		recover 0
		told phase aborted
		told owner source
		is "$A" running
	done
}

@test "recover: a source that has decided stays stopped" {
	migctl 0 state -q "$A" stop-copy
	forge here source committed there "$A"
	recover 80
	is "$A" stop
	other_end ask 4 2 "$(journal_id there)"
	recover 0 --peer unix:ask
	told phase 'done'
	is "$A" stop
	wait "$other" || true
}

@test "recover: a load that was cut off is reset away, and never ended by stop" {
	migctl 0 state -q "$B" resuming
	forge here destination begun there "$B"
	recover 0
	told phase aborted
	[[ $output == *'"discard"'* ]]
	is "$B" stop
}

@test "recover: a destination in doubt stays stopped, and starts at the source's word" {
	migctl 0 state -q "$B" stop
	forge here destination prepared there "$B"
	recover 80
	is "$B" stop
	other_end ask 3 1 "$(journal_id there)"
	recover 0 --peer unix:ask
	told phase 'done'
	is "$B" running
	wait "$other" || true
}

@test "recover: a state that a destination has lost is loaded from its spool" {
	reference 7
	fill "$A" 7
	migctl 0 save -q --leave=stop "$A" image
	# It was given up in RESUMING: what was in it is gone.
	migctl 0 state -q "$B" resuming
	forge here destination prepared there "$B" "spool=\"$PWD/image\""
	other_end ask 3 1 "$(journal_id there)"
	recover 0 --peer unix:ask
	told phase 'done'
	[[ $output == *'"load"'*'"start"'* ]]
	is "$B" running
	is "$A" stop
	[[ ! -e image ]]
	wait "$other" || true
	expect_contents "$B"
}

@test "recover: a device that closing may reset is held, with the record unlocked" {
	make_device M migsim-v2
	migctl 0 state -q "$M" stop
	forge here destination committed there "$M"
	"$VFIOMIGCTL" recover --json --state-dir here "$TXID" >out 2>err 3>&- &
	holder=$!
	eventually grep -q '"status"' out
	read_file output out
	told phase 'done'
	grep -q "held open until" err
	migctl 0 recover --json --state-dir here
	[[ $output == *'"busy": false'* ]]
	kill "$holder"
	wait "$holder"
}
