#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check finds each of the rules that migsim can break (`deviation`), and names no other. Beside the
# emulator's table, tests/cli/check-deviations.bats, this has what only a driver can get wrong: data
# fds, ioctls on them, and a reset.

# shellcheck disable=SC2034,SC2094,SC2154 # variables are lab.bash's and check-deviations.bash's
load migsim.bash
load ../../check-deviations

table=$BATS_TEST_DIRNAME/check-deviations.table

# What checks ask on purpose is misuse.
setup()
{
	migsim_setup migsim-v2
	misuse_allowed=yes
	sim "$A" size 256
	sim "$A" initial_bytes 64
	sim "$A" poll 1
	sim "$A" reset_on_open 1
}

# shaped UUID ATTRIBUTE VALUE...: as setup() has them, but for these.
shaped()
{
	local uuid=$1 i attributes=(profile none size 256 initial_bytes 64 poll 1 reset_on_open 1 "${@:2}")

	for ((i = 0; i < ${#attributes[@]}; i += 2)); do
		sim "$uuid" "${attributes[i]}" "${attributes[i + 1]}"
	done
}

# check_all [OPTION...]: of $A, with the counter watched, into report.json.
check_all()
{
	status=0
	"$VFIOMIGCTL" --json check --destructive --watch 0:8:8 "${@:---skip=dma,together}" "$A" \
		>report.json 2>report.err || status=$?
}

@test "check: a driver as it should be is told of by no rule" {
	check_all
	[[ $status == 0 ]]
	[[ -z $(deviation_told report.json) ]]
}

# CHECK_RUNS of them, from CHECK_SEED on (scripts/sweep check).
@test "check: a driver as it should be is told of by no rule, whatever the seed" {
	local n own shape shapes=('caps 7' 'caps 1' 'caps 3' 'caps 5' 'size 70001 initial_bytes 5000'
		'check stop' 'dma_logging 1' 'read_max 100 write_max 100')

	for ((n = 0; n < ${CHECK_RUNS:-1}; n++)); do
		own=$((${CHECK_SEED:-1} + n))
		read -r -a shape <<<"${shapes[n % ${#shapes[@]}]}"
		shaped "$A" "${shape[@]}"
		shaped "$B" "${shape[@]}"
		check_all --hostile --pair "$B" --seed "$own" || status=$?
		[[ $status == 0 && -z $(deviation_told report.json) ]] || {
			echo "seed $own, ${shape[*]}: status $status, told of: $(deviation_told report.json | tr "\n" " ")"
			return 1
		}
	done
	echo "# $n checks" >&3
}

@test "check: each deviation of a driver is found by the rules that it breaks, and by no other" {
	local name options bad=0

	while read -r name _; do
		[[ $name && $name != '#' ]] || continue
		echo "$name"
		sim "$A" deviation none
		"$VFIOMIGCTL" -q reset "$A"
		sim "$A" deviation "$name"
		deviation_options "$table" "$name"
		# A reset that does not leave RESUMING ends the run: no way leads home.
		[[ $name != reset-stays ]] || options=(--rules session.reset-ends-stop-copy)
		check_all "${options[@]}"
		deviation_judge "$table" "$name" report.json || bad=1
	done <"$table"
	((!bad))
}

@test "check: each deviation that migsim has is in the table" {
	local name

	while read -r name; do
		deviation_row "$table" "$name"
	done < <(sed -n 's/.*\[MIGSIM_DEVIATE_.*= "\(.*\)",$/\1/p' "$top_srcdir/tests/lab/migsim/deviation.c")
}
