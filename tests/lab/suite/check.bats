#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check on real drivers: mtty of the kernel, which has the deviations that are known and no others;
# migsim with the habits of each driver, which fails nothing, and is warned of as those drivers are.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash
sysfs=/sys/bus/mdev/devices driver_module=migsim
load driver.bash

# Each test makes the devices that it needs; what rules do on purpose is no misuse.
setup()
{
	devices=()
}

# came_to VERDICT: the rules that did, sorted, in a line.
came_to()
{
	jq -r "[.results[] | select(.verdict == \"$1\") | .id] | sort | join(\" \")" <<<"$output"
}

# expect_came_to VERDICT RULE...
expect_came_to()
{
	local verdict=$1

	shift
	[[ $(came_to "$verdict") == "$*" ]] || {
		echo "$verdict: $(came_to "$verdict")"
		echo "not: $*"
		return 1
	}
}

# check_all STATUS ARG...: with all that is no danger for the kernel.
check_all()
{
	migctl "$1" --json check --destructive --pair "$B" "$A" "${@:2}"
}

@test "check: mtty has the deviations that are known, and no others" {
	local known=(close.in-{pre-copy,pre-copy-p2p,resuming,running-p2p,stop,stop-copy}
		dma.{odd-page-size-refused,report-without-start,second-start-refused}
		load.flipped-stream load.refused-write-fails-stop precopy.poll-waits-at-the-end
		precopy.temporary-end-is-enomsg)

	lab_setup mtty-2
	check_all 0
	expect_came_to known "${known[@]}"
	expect_came_to fail
	expect_came_to broken
	expect_came_to warn
	expect_json '(.results | length) == .summary.selected' '.summary.pass > 100'
	expect_state "$A" running
	# The same, where that is no excuse.
	migctl 1 check --strict --destructive --rules load.refused-write-fails-stop "$A"
	[[ $output == 'fail '* ]]
}

# profile NAME WARNING...: of migsim, it fails nothing and is warned of that.
profile()
{
	echo "- profile $1"
	sim "$A" profile "$1"
	sim "$B" profile "$1"
	shift
	check_all 0
	expect_came_to fail
	expect_came_to broken
	expect_came_to warn "$@"
}

@test "check: migsim fails nothing with any driver's habits, and is warned of as that is" {
	local poll=precopy.poll-waits-at-the-end

	lab_setup migsim-v2
	profile none precopy.initial-not-zero $poll
	profile hisi_acc $poll precopy.temporary-end-is-enomsg
	profile pds
	profile qat $poll precopy.temporary-end-is-enomsg
	profile virtio load.empty-stream load.short-stream $poll
	if [[ -n ${LAB_ALL-} ]]; then
		profile mlx5 load.empty-stream load.short-stream
		profile xe
	fi
}

@test "check: the opt-in to PRECOPY_INFOv2 that a rule makes is no other rule's" {
	[[ $LAB != 6.* ]] || skip "Linux 7 has it"
	lab_setup migsim-v2
	sim "$A" reinit_after 2
	migctl 0 --json check --rules feature.precopy-info-v2,precopy "$A"
	expect_came_to fail
	expect_json '[.results[] | select(.id == "feature.precopy-info-v2" or .id == "precopy.reinit-needs-opt-in")
		| .verdict] == ["pass", "pass"]'
	expect_state "$A" running
}
