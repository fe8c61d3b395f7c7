#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What scripts/demo --move shows is what happens: a move between two network namespaces by TLS, and one
# whose source is killed when only it knows that it has decided.

# shellcheck disable=SC2154 # run sets them
load ../helpers

# Those of this test: by the process that has made them.
spaces()
{
	ip netns list | grep -c "^vfiomig-.*-$1\b" || true
}

@test "demo: a device moves to another host, then one whose source dies once it has decided" {
	local script bin=$BATS_TEST_TMPDIR/bin

	require root openssl
	unshare --net true 2>/dev/null || skip "needs network namespaces"
	script=$(readlink -f "${top_srcdir:?}/scripts/demo-move")
	mkdir "$bin" "$BATS_TEST_TMPDIR/tmp"
	cd "$BATS_TEST_TMPDIR"
	ln -s "$VFIOMIGCTL" "$bin/vfiomigctl"
	ln -s "${VFIOMIG_EMU:-vfiomig-emu}" "$bin/vfiomig-emu"
	TMPDIR=$BATS_TEST_TMPDIR/tmp PATH=$bin:$PATH \
		"$script" >demo.out 2>&1 3>&- &
	demo=$!
	wait "$demo" || {
		cat demo.out
		return 1
	}
	cat demo.out
	[[ $(<demo.out) != *'exit status'* ]]
	[[ $(grep -A2 '^device' demo.out | grep '^state ' | tr -s ' ' | paste -sd,) == \
		'state stop,state running,state stop,state running' ]]
	grep -q 'transaction [0-9a-f]* is in doubt' demo.out
	[[ $(grep -E '^(was|is|owner) ' demo.out | tr -s ' ' | paste -sd,) == \
		'was committed,is done,owner destination,was done,is done,owner destination' ]]
	[[ $(spaces "$demo") == 0 ]]
	[[ -z $(ls "$BATS_TEST_TMPDIR/tmp") ]]
}
