#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check finds each of the rules that vfiomig-emu can break, and names no other.

# shellcheck disable=SC2154 # variables of emu.bash
load ../emu
load ../check-deviations

table=$BATS_TEST_DIRNAME/check-deviations.table

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# check_all SOCKET [OPTION...]: with all that is watched, into $1.json.
check_all()
{
	"$VFIOMIGCTL" --json check --destructive --rounds 1 --watch 0:8:8 "${@:2}" "vfio-user:$1" \
		>"$1.json" 2>"$1.err"
}

@test "check: each deviation is found by the rules that it breaks, and by no other" {
	local names name devices=() options i bad=0

	mapfile -t names < <("$VFIOMIG_EMU" --list-deviations | awk '{ print $1 }')
	((${#names[@]} > 40))
	for i in "${!names[@]}"; do
		devices+=(--deviate "$i@${names[i]}")
	done
	emu_start --devices "${#names[@]}" --state-size 4K --initial-bytes 2K -q "${devices[@]}"
	for i in "${!names[@]}"; do
		name=emu.$i
		((i)) || name=emu
		options=()
		[[ ${names[i]} == reset-keeps-resuming ]] || deviation_options "$table" "${names[i]}" ||
			bad=1
		check_all "$name" "${options[@]}" || true
		# After such a reset there is no way on: the run ends, and says after which rule.
		if [[ ${names[i]} == reset-keeps-resuming ]]; then
			jq -e '.status == 81' "$name.json" && grep 'in resuming after a reset' "$name.err" || bad=1
			continue
		fi
		deviation_judge "$table" "${names[i]}" "$name.json" || bad=1
	done
	((!bad))
}

@test "check: a device as it should be is told of by no rule, ten times" {
	local _

	emu_start --state-size 4K --initial-bytes 2K
	for _ in {1..10}; do
		check_all emu
		[[ -z $(deviation_told emu.json) ]]
	done
}

# As one with page requests under way does: each stop is refused once.
@test "check: a device that refuses to stop for now breaks no rule" {
	local arc faults=()

	for arc in running:stop running-p2p:stop pre-copy:stop-copy pre-copy-p2p:stop-copy; do
		faults+=(--fault "drain=$arc:1ms")
	done
	emu_start --state-size 4K --initial-bytes 2K "${faults[@]}"
	check_all emu
	[[ -z $(deviation_told emu.json) ]]
	jq -e '.results[] | select(.id == "fsm.running-to-stop")
		| .evidence | contains(["SET stop: EBUSY", "SET stop: 0"])' emu.json
}
