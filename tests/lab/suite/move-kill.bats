#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both ends of a move with a driver's devices, killed where one of their system calls begins or
# ends; then `recover` at both. The destination's device keeps its state when it is closed, or is
# reset by that and by being opened, and has it in the spool alone.
#
# Which calls is chosen by chance, from MOVE_SEED; LAB_CALLS of each kind, 0 for all there are
# (`scripts/sweep move-lab`).

# shellcheck disable=SC2034,SC2154 # variables are migsim.bash's and run's, or theirs
load migsim.bash

setup()
{
	migsim_setup migsim-v2
	RANDOM=${MOVE_SEED:-14}
	killed=0 trials=0 state_seed=100
	held=()
}

# anew: $A runs a state that no other device has, and nothing is recorded.
anew()
{
	end_held
	rm -rf near far link
	((++state_seed))
	# A process that was killed may have them open for a moment.
	is_in "$A" running || eventually quietly "$VFIOMIGCTL" -q state "$A" running ||
		wrong "the source's device is not let go"
	is_in "$B" running || is_in "$B" stop || eventually "$VFIOMIGCTL" -q reset "$B"
	sim "$A" seed "$state_seed"
	both_ran=''
}

quietly()
{
	"$@" 2>/dev/null
}

# runs DEVICE: the state that moves.
runs()
{
	expect_shown "$1" seed "$state_seed" >/dev/null || return
	shown "$1" state
	[[ $shown == running* || $shown == pre-copy* ]]
}

# look: $B first: once it runs, $A never does again.
look()
{
	! { runs "$B" && runs "$A"; } || both_ran=yes
}

# destination [WRAPPER...]
destination()
{
	start receiving "$@" "$VFIOMIGCTL" receive --run --timeout=2s --state-dir=far "$B" unix:link
	eventually destination_listens
}

destination_listens()
{
	wrote receiving.err ': listening on ' || has_ended "$receiving"
}

# source [WRAPPER...]
source_starts()
{
	start moving "$@" "$VFIOMIGCTL" migrate --timeout=2s --state-dir=near "$A" unix:link
}

# tool_of PROCESS: $tool_pid is the tool, which kill-nth may run; empty if that has ended. This
# kernel does not list children.
tool_of()
{
	local stat line fields

	tool_pid=$1
	is_program "$1" kill-nth || return 0
	tool_pid=''
	for stat in /proc/[0-9]*/stat; do
		read -r line <"$stat" || continue
		read -r -a fields <<<"${line##*) }"
		[[ ${fields[1]} != "$1" ]] || tool_pid=${line%% *}
	done
}

# is_over NAME: it has ended, or does nothing more by itself.
is_over()
{
	has_ended "${!1}" || wrote "$1.err" 'held open until'
}

ask_to_end()
{
	tool_of "${!1}" 2>/dev/null
	[[ -z $tool_pid ]] || kill -TERM "$tool_pid" 2>/dev/null || true
}

# What has decided tells the other end for as long as it is not told to stop by a second signal.
source_is_over()
{
	look
	is_over moving && return
	! has_ended "$receiving" || ask_to_end moving
	return 1
}

# What has heard of no transaction waits for the first one.
destination_is_over()
{
	look
	is_over receiving || wrote receiving.err 'is in doubt' && return
	phase_of far/*.destination
	[[ $phase != none ]] || ask_to_end receiving
	return 1
}

# phase_of FILE: $phase of the record, none without it; and $txid.
phase_of()
{
	local text=''

	phase=none
	[[ -e $1 ]] || return 0
	txid=${1##*/}
	txid=${txid%.*}
	read_file text "$1"
	[[ ! $text =~ \"phase\":\ *\"([a-z]+)\" ]] || phase=${BASH_REMATCH[1]}
}

# recover_at DIR OTHER: $recovered is its status, 0 also if it holds the device it has started.
recover_at()
{
	local dir=$1 other=$2 peer

	recovered=0
	if [[ $dir == near ]]; then phase_of near/*.source; else phase_of far/*.destination; fi
	[[ $phase != none ]] || return 0
	peer="exec:$VFIOMIGCTL -q recover --timeout 5s --state-dir $other --serve -"
	# A receiver that holds what it has been given listens no more.
	[[ $dir != near || ! -S link ]] || has_ended "$receiving" || peer=unix:link
	start recovering "$VFIOMIGCTL" recover --state-dir "$dir" --timeout 5s --peer "$peer" "$txid"
	eventually recovering_is_over
	if has_ended "$recovering"; then
		wait "$recovering" || recovered=$?
	else
		held+=("$recovering")
	fi
	cat recovering.err
}

recovering_is_over()
{
	look
	is_over recovering
}

end_held()
{
	local pid

	for pid in "${held[@]}"; do
		ask_to_end pid
		eventually has_ended "$pid" || wrong "$pid does not end"
		wait "$pid" || true
	done
	held=()
}

# recover_both FIRST SECOND: by turns, until both are over.
recover_both()
{
	local n over dir

	for ((n = 0; n < 4; n++)); do
		over=0
		for dir in "$1" "$2"; do
			if [[ $dir == near ]]; then recover_at near far; else recover_at far near; fi
			case $recovered in
			0) over=$((over + 1)) ;;
			71 | 80) ;;
			*) wrong "recover at the $dir end: status $recovered" ;;
			esac
		done
		((over < 2)) || return 0
	done
	wrong "not over after $n rounds of recover"
}

wrong()
{
	echo "$place_is: $*" "$A: $(cat "$sysfs/$A/migsim/state")" "$B: $(cat "$sysfs/$B/migsim/state")"
	tail -n +1 moving.err receiving.err recovering.err near/*.source far/*.destination
	return 1
}

# settled: exactly one end runs the state, and what it has counted by then with it.
settled()
{
	local counted

	[[ -z $both_ran ]] || wrong "both ran"
	if runs "$A"; then
		! runs "$B" || wrong "both run"
		return 0
	fi
	if ! runs "$B"; then
		# Done, it was an open device whose holder was killed, as any.
		[[ $kind/$was == resets/done ]] || wrong "neither runs"
		return 0
	fi
	shown "$A" counter
	counted=$shown
	shown "$B" counter
	((shown >= counted)) || wrong "$B has counted to $shown only, not to $counted"
	eventually counts "$B"
}

# collect NAME: its status counts as a kill; what holds a device goes on.
collect()
{
	local ended=0

	if ! has_ended "${!1}"; then
		held+=("${!1}")
		return 0
	fi
	wait "${!1}" || ended=$?
	((ended != 137)) || killed=$((killed + 1))
}

# killed_at END PLACE: and what has to hold then.
killed_at()
{
	place_is="$kind, $1 killed at $2"
	anew
	if [[ $1 == destination ]]; then
		destination "$tools/kill-nth" "$2" count
		source_starts
	else
		destination
		source_starts "$tools/kill-nth" "$2" count
	fi
	eventually source_is_over
	eventually destination_is_over
	collect moving
	collect receiving
	phase_of far/*.destination
	was=$phase
	if ((trials++ % 2)); then recover_both near far; else recover_both far near; fi
	settled
}

# places END: $places there are, of a move in which nobody is killed.
places()
{
	killed_at "$1" 0
	runs "$B" || wrong "not moved"
	end_held
	eventually has_ended "$receiving"
	read -r places <count
	((places > 100))
}

# killed_at_calls END KIND
killed_at_calls()
{
	local n calls=${LAB_CALLS:-6} places kind=$2 step

	sim "$B" reset_on_open "$([[ $kind == keeps ]] && echo 0 || echo 1)"
	places "$1"
	((calls && calls < places)) || calls=$places
	step=$((places / calls))
	for ((n = 1 + RANDOM % step; n <= places; n += step)); do
		killed_at "$1" "$n"
		((trials % 25)) || echo "# $trials of $calls" >&3
	done
	end_held
	echo "# $trials moves, in $killed of them an end was killed (MOVE_SEED=${MOVE_SEED:-14})"
	((killed > calls / 2))
}

@test "move: the source is killed, both devices keep their state" {
	killed_at_calls source keeps
}

@test "move: the destination is killed, both devices keep their state" {
	killed_at_calls destination keeps
}

@test "move: the source is killed, the destination's device is reset when it is closed" {
	killed_at_calls source resets
}

@test "move: the destination is killed, its device is reset when it is closed" {
	killed_at_calls destination resets
}
