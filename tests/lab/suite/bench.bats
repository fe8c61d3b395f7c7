#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `bench` on real drivers: mtty, and migsim, which complains about what its user does wrong.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are migsim.bash's and run's, or theirs
load migsim.bash

# arcs_of KIND: those of the report, first to last, in $arcs.
arcs_of()
{
	arcs=$(jq -r --arg of "$1" '[.arcs[] | select(.of == $of) | "\(.from)>\(.to)"] | join(" ")' \
		<<<"$output")
}

@test "migsim: saves, moves, and what is left behind" {
	migctl 0 state "$A" stop
	shown "$A" digest
	digest=$shown
	migctl 0 --json bench --rounds 2 "$A"
	arcs_of save
	[[ $arcs == 'stop>stop-copy stop-copy>stop' ]]
	expect_shown "$A" digest "$digest"
	migctl 0 --json bench --rounds 2 --destructive "$A"
	arcs_of load
	[[ $arcs == 'stop>resuming resuming>stop' ]]
	expect_shown "$A" digest "$digest"
	migctl 0 state "$A" running
	migctl 0 --json bench --rounds 2 --destructive --pair "$B" "$A"
	expect_json 'all(.arcs[]; .n == 2)' 'any(.times[]; .name == "move_downtime" and .n == 2)' \
		'any(.times[]; .name == "precopy_downtime")'
	expect_state "$A" running
	expect_state "$B" running
	counts "$A"
}

@test "mtty: saves with and without pre-copy, and loads" {
	make_device M mtty-2
	make_device N mtty-2
	migctl 0 --json bench --rounds 2 --destructive "$M"
	arcs_of save
	[[ $arcs == 'running>running-p2p running-p2p>stop stop>stop-copy stop-copy>stop stop>running-p2p running-p2p>running' ]]
	arcs_of pre-copy
	[[ $arcs == running\>pre-copy\ * ]]
	arcs_of load
	[[ $arcs == *' stop>resuming resuming>stop '* ]]
	migctl 0 --json bench --rounds 2 --destructive --pair "$N" "$M"
	expect_json '[.sizes[] | select(.name == "stream") | .min_bytes, .max_bytes] == [96, 96]'
}

@test "migsim: an arc that fails in a round leaves the device where it was found" {
	sim "$A" fault 'arc stop stop-copy EIO stay'
	migctl 75 --json bench --rounds 2 "$A"
	expect_json '.outcome == "aborted" and .state == "running"'
	expect_state "$A" running
}
