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
