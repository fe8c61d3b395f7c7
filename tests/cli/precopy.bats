#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Pre-copy: rounds of reading while the devices run, until to stop them is expected to take no
# longer than is wished, or waiting longer would not help. A vfio-user device tells nothing of what it has
# left: what counts is what its rounds bring. With devices that tell: tests/lab/suite/sets.bats.

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

# pre_copy STATUS ARG...: a save of $members.
pre_copy()
{
	local want=$1

	shift
	migctl "$want" --json save --pre-copy "$@" "${members[@]}" image
}

# rounds: $rounds is how many there were, $verdict what became of the last, by the report.
rounds()
{
	read -r rounds verdict < <(jq -r '"\(.precopy.rounds) \(.precopy.verdict)"' <<<"$output")
	echo "$rounds rounds, $verdict"
}

# came_to VERDICT
came_to()
{
	rounds
	[[ $verdict == "$1" ]]
}

#
# Convergence
#

@test "pre-copy: a device that does not change converges, and is stopped for the rest alone" {
	emu_start --devices 1 --state-size 4M --event-log events
	members 1
	pre_copy 0
	came_to converged
	expect_json '.state == "running"' '.downtime_ns > 0' '.bytes >= 4194304'
	expect_barrier 'end running pre-copy' 'begin pre-copy pre-copy-p2p'
	run ! happened 'begin running running-p2p'
	bounded -q verify image
}

@test "pre-copy: what it brings, and what changes meanwhile, arrives" {
	local n

	emu_start --devices 6 --state-size 4M --dirty-rate 1M --state-size 1@100K --dirty-rate 2@0
	members 3
	pre_copy 0 --leave=stop
	came_to converged
	for n in 0 1 2; do
		stream "${members[n]}" "source.$n"
	done
	emu_stop
	emu_start --devices 3 --state-size 4M --state-size 1@100K
	migctl 0 resume --no-hold --stop "${members[@]}" image
	for n in 0 1 2; do
		stream "${members[n]}" "target.$n"
		cmp "source.$n" "target.$n"
	done
}

@test "pre-copy: of a set: all take part in all rounds, and the estimate is told" {
	emu_start --devices 3 --state-size 2M --dirty-rate 100K --state-size 1@8M
	members 3
	pre_copy 0 --report r.json
	came_to converged
	jq -e '[.events[] | select(.event == "round")] | [.[].device] | unique == [0, 1, 2]' r.json
	# What is left for STOP_COPY is little.
	jq -e '[.events[] | select(.event == "round") | .bytes] | add > 12000000' r.json
	jq -e '[.events[] | select(.event == "decision")][-1] | .downtime_estimate_ns >= 0' r.json
	expect_json '.downtime_estimate_ns >= 0' '.devices | all(.downtime_ns > 0)'
}

@test "pre-copy: a device that cannot is saved with those that can" {
	emu_start --devices 3 --state-size 2M --caps 1@p2p --event-log events
	members 3
	pre_copy 0
	came_to converged
	run ! happened '.* pre-copy' "${members[1]}"
	happened 'end running pre-copy' "${members[2]}"
	bounded -q verify image
	emu_stop
	emu_start --devices 1 --caps p2p
	members 1
	migctl 0 save --pre-copy "$A" other
}

@test "pre-copy: a stopped device is saved as it is" {
	emu_start --devices 1 --event-log events
	set_state "$A" stop
	: >events
	migctl 0 --json save --pre-copy "$A" image
	expect_json '.state == "stop"'
	run ! happened 'begin .* pre-copy'
}

# New figures come once a second: a round without any, before, says nothing.
@test "pre-copy: a device that has new data once in a while is waited for" {
	emu_start --devices 1 --state-size 4M --dirty-rate 16M --dirty-interval 1s
	members 1
	pre_copy 0 --downtime-limit=10s
	rounds
	((rounds >= 2))
	bounded -q verify image
}

#
# Divergence, and limits
#

# diverging COUNT ARG...: devices that change faster than they are read.
diverging()
{
	local n=$1

	shift
	emu_start --devices "$n" --state-size 1M --dirty-rate 64M --data-rate 4M --event-log events "$@"
	members "$n"
}

@test "pre-copy: one that does not converge is stopped all the same" {
	diverging 1
	pre_copy 0 --downtime-limit=1ms --max-time=2
	rounds
	[[ $verdict == diverges || $verdict == limit ]]
	expect_json '.state == "running"'
	bounded -q verify image
}

@test "pre-copy: one that does not converge runs on, if that is wished" {
	diverging 1
	pre_copy 75 --downtime-limit=1ms --max-time=2 --on-divergence=abort
	rounds
	[[ $verdict == diverges || $verdict == limit ]]
	expect_json '.outcome == "aborted" and .owner == "source"' '.state == "running"'
	[[ $stderr == *converge* && ! -e image ]]
	# It was never stopped.
	run ! happened 'begin .* stop(-copy)?'
	expect_states running
}

@test "pre-copy: one of a set that does not converge: all run on, or all are stopped" {
	emu_start --devices 3 --state-size 1M --dirty-rate 1@64M --data-rate 1@4M --event-log events
	members 3
	pre_copy 75 --downtime-limit=1ms --max-time=2 --on-divergence=abort
	expect_json '.outcome == "aborted" and .owner == "source"'
	run ! happened 'begin .* stop(-copy)?'
	expect_states running
	pre_copy 0 --downtime-limit=1ms --max-time=2 --on-divergence=stop
	expect_barrier 'end pre-copy pre-copy-p2p' 'begin pre-copy-p2p stop-copy'
	expect_states running
	bounded -q verify image
}

@test "pre-copy: rounds and time are limited" {
	diverging 1
	pre_copy 0 --downtime-limit=1ms --max-rounds=2
	rounds
	((rounds == 2))
	[[ $verdict == limit ]]
	rm image
	pre_copy 75 --downtime-limit=1ms --max-rounds=1 --on-divergence=abort
	rounds
	((rounds == 1))
	expect_states running
	pre_copy 0 --downtime-limit=1ms --max-time=1ms
	came_to limit
	rm image
	migctl 64 save --pre-copy --max-rounds=0 "$A" image
	migctl 64 save --pre-copy --on-divergence=wait "$A" image
	[[ $stderr == *"--on-divergence is stop or abort, not 'wait'"* ]]
}

@test "pre-copy: the more downtime is allowed, the sooner it is over" {
	emu_start --devices 1 --state-size 1M --dirty-rate 1M --data-rate 4M
	members 1
	pre_copy 0 --downtime-limit=1000s
	came_to converged
	((rounds == 2))
	rm image
	pre_copy 0 --downtime-limit=0 --max-rounds=5
	came_to limit
	((rounds == 5))
}

# How much there still is cannot be known, so no wish is large enough for it.
@test "pre-copy: one that changes as fast as it is read is no estimate" {
	diverging 1
	pre_copy 0 --downtime-limit=1000s --max-rounds=2
	came_to limit
	((rounds == 2))
	expect_json 'has("downtime_estimate_ns") | not'
}

@test "save: a downtime that was too long undoes the save, whatever the estimate had said" {
	local option

	for option in --pre-copy ''; do
		emu_start --devices 3 --state-size 1M --delay 1@stop:stop-copy=300ms \
			--delay 1@pre-copy-p2p:stop-copy=300ms
		members 3
		# shellcheck disable=SC2086
		migctl 75 --json save $option --downtime-max=50ms "${members[@]}" image
		expect_json '.outcome == "aborted" and .owner == "source"' \
			'.devices | all(.state == "running")'
		expect_states running
		[[ ! -e image ]]
		# shellcheck disable=SC2086
		migctl 0 --json save $option --downtime-max=1000s "${members[@]}" image
		rm image
		emu_stop
	done
}

#
# Bandwidth. Never sooner is what can be tested; how much later does not matter.
#

@test "pre-copy: --bandwidth is for what is read while the devices run" {
	emu_start --devices 1 --state-size 16M --initial-bytes 0
	members 1
	# At this rate the rest would take a quarter of an hour, and be ended before.
	pre_copy 0 --bandwidth=16K --max-rounds=1
	expect_json '.bytes >= 16777216' '.state == "running"'
	rm image
	emu_stop
	emu_start --devices 1 --state-size 300K
	rm -f r.json
	pre_copy 0 --report r.json --bandwidth=300K
	jq -e '[.events[] | select(.event == "round") | .round_ns] | add > 500000000' r.json
}

@test "pre-copy: --bandwidth-stop-copy is for the rest" {
	emu_start --devices 1 --state-size 300K --initial-bytes 0
	members 1
	pre_copy 0 --bandwidth-stop-copy=300K
	expect_json '.downtime_ns > 500000000'
}

@test "save: without pre-copy --bandwidth is for all" {
	emu_start --devices 2 --state-size 300K
	members 2
	migctl 0 --json save --bandwidth=600K "${members[@]}" image
	expect_json '.devices | all(.downtime_ns > 500000000)'
}

#
# Interrupted
#

@test "pre-copy: a signal ends the waiting for a device that does not converge" {
	diverging 2 --state-size 8M --data-rate 1M
	start save --json save --pre-copy --downtime-limit=1ms --max-time=1000s --max-rounds=1000000 \
		"${members[@]}" image
	eventually happened 'end running pre-copy' "${members[1]}"
	kill -INT "$save"
	finish save 75
	expect_json '.outcome == "aborted" and .owner == "source"'
	expect_states running
	run ! happened 'begin .* stop(-copy)?'
	[[ ! -e image ]]
}
