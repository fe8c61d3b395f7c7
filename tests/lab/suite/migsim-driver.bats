#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The driver that other suites have their devices from, without the tool that they test. What is
# tested is in ../migsim/selftest, under the name after "driver: "; `selftest --list` says more.

load ../../helpers.bash

setup()
{
	# Else bats traces each command of each function.
	set +T
	require lab root python3
}

# selftest ARG...: with the system's python, if there is one: that of a version manager is found
# by a script that takes longer than the tests.
selftest()
{
	local python=/usr/bin/python3

	[[ -x $python ]] || python=python3
	run "$python" "$BATS_TEST_DIRNAME/../migsim/selftest" "$@"
	echo "$output"
}

# The one that this test is named after. It counts the driver's complaints by itself.
by_name()
{
	selftest "${BATS_TEST_DESCRIPTION#driver: }"
	((status != 77)) || skip "$output"
	((status == 0))
}

@test "every test of the driver is here, and no other" {
	selftest --list
	((status == 0 && ${#lines[@]} > 0))
	diff <(cut -f 1 <<<"$output") <(sed -n 's/^@test "driver: \(.*\)" { by_name; }$/\1/p' \
		"$BATS_TEST_FILENAME")
}

@test "driver: profiles-round-trip" { by_name; }
@test "driver: odd-pieces" { by_name; }
@test "driver: wrong-bytes" { by_name; }
@test "driver: short-and-long-streams" { by_name; }
@test "driver: limits-of-calls" { by_name; }
@test "driver: data-fd-calls" { by_name; }
@test "driver: misuse-of-v2" { by_name; }
@test "driver: data-sizes" { by_name; }
@test "driver: precopy-dirty-by-query" { by_name; }
@test "driver: precopy-dirty-by-read" { by_name; }
@test "driver: precopy-reinit" { by_name; }
@test "driver: sessions-end-at-close" { by_name; }
@test "driver: prepared-contents" { by_name; }
@test "driver: polling" { by_name; }
@test "driver: every-arc" { by_name; }
@test "driver: capabilities" { by_name; }
@test "driver: resets" { by_name; }
@test "driver: reset-on-open" { by_name; }
@test "driver: the-counter" { by_name; }
@test "driver: delays-and-page-requests" { by_name; }
@test "driver: attributes-refuse-nonsense" { by_name; }
@test "driver: fault-lines" { by_name; }
@test "driver: faults-of-arcs" { by_name; }
@test "driver: faults-of-reads" { by_name; }
@test "driver: faults-of-writes" { by_name; }
@test "driver: faults-of-calls" { by_name; }
@test "driver: stalls-of-arcs" { by_name; }
@test "driver: stalls-of-data" { by_name; }
@test "driver: stalls-are-killed" { by_name; }
@test "driver: big-reads-are-killed" { by_name; }
@test "driver: failing-allocations" { by_name; }
@test "driver: failing-copies" { by_name; }
@test "driver: data-fd-outlives-the-device" { by_name; }
@test "driver: removal-waits-for-the-user" { by_name; }
@test "driver: group-path" { by_name; }
@test "driver: stress-of-v2" { by_name; }
@test "driver: device-info" { by_name; }
@test "driver: config-space" { by_name; }
@test "driver: config-accesses" { by_name; }
@test "driver: bar0-registers" { by_name; }
@test "driver: interrupts-intx" { by_name; }
@test "driver: interrupts-msi" { by_name; }
@test "driver: interrupts-msix-vectors" { by_name; }
@test "driver: dma-log-control" { by_name; }
@test "driver: dma-log-report" { by_name; }
@test "driver: v1-region" { by_name; }
@test "driver: v1-accesses" { by_name; }
@test "driver: v1-transitions" { by_name; }
@test "driver: v1-error-state" { by_name; }
@test "driver: v1-trapped" { by_name; }
@test "driver: v1-mapped" { by_name; }
@test "driver: v1-borders" { by_name; }
@test "driver: v1-aborted" { by_name; }
@test "driver: v1-bad-streams" { by_name; }
@test "driver: v1-misuse" { by_name; }
@test "driver: v1-faults-of-saving" { by_name; }
@test "driver: v1-faults-of-loading" { by_name; }
@test "driver: v1-faults-of-arcs" { by_name; }
@test "driver: v1-stalls" { by_name; }
@test "driver: v1-reopened" { by_name; }
@test "driver: v1-failing-allocations" { by_name; }
@test "driver: v1-stress" { by_name; }
