#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The journal of a move and a power cut: ext4, whose disk is looked at as it is at that moment. What
# the kernel has not been told to sync stays in memory, for an hour here, and is lost.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash
load ../../recover.bash

setup()
{
	lab_setup
	type mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
	truncate -s 16M disk
	mkfs.ext4 -q disk
	mkdir live after
	mount -o loop,commit=3600 disk live
	journal live/here
	journal live/there
}

teardown()
{
	umount after live 2>/dev/null || true
	lab_teardown
}

# forged: the record of a destination that has begun; its device is gone, so that nothing is done
# to one, and the record is aborted. On the disk.
forged()
{
	forge live/here destination begun live/there nowhere
	sync -f live/here
}

# power_cut: the disk as it is now, mounted at "after"; the kernel replays ext4's own log.
power_cut()
{
	umount after 2>/dev/null || true
	cp disk cut
	mount -o loop cut after
}

# phase_is WANT...: $phase of the record after the cut, by the tool's own reader, is one of these.
phase_is()
{
	record -0 "$VFIOMIGCTL" recover --json --state-dir after/here
	phase=$(jq -r '.transactions[] | .phase // "damaged"' <<<"$output")
	[[ " $* " == *" $phase "* ]] || {
		echo "after the cut: '$phase'" "$output"
		return 1
	}
}

@test "journal: a cut is one: what is not synced is lost" {
	forged
	echo lost >live/here/lost
	power_cut
	phase_is begun
	[[ ! -s after/here/lost ]]
	# As if a record were written without: the test can fail.
	record -0 strace -f -qq -o trace -e inject=fsync:retval=0 \
		"$VFIOMIGCTL" recover --state-dir live/here "$TXID"
	grep -q INJECTED trace
	power_cut
	phase_is begun
}

@test "journal: a record that was written outlives a power cut" {
	forged
	migctl 0 recover --state-dir live/here "$TXID"
	power_cut
	phase_is aborted
}

@test "journal: a journal that was just made outlives a power cut, with its id" {
	"$VFIOMIG_EMU" --socket "$PWD/emu" >emu.out 2>&1 3>&- &
	emulator=$!
	eventually grep -q ready emu.out
	start receiving "$VFIOMIGCTL" receive --state-dir live/new/one --no-spool vfio-user:emu unix:link
	eventually test -S link
	power_cut
	kill "$receiving" "$emulator"
	wait "$receiving" "$emulator" || true
	record -0 cmp live/new/one/id after/new/one/id
}

# old_or_new: what a killed process has left on the disk; and a new record for the next one.
old_or_new()
{
	power_cut
	phase_is begun aborted || return
	seen[$phase]=1
	rm -f live/here/.*.new live/here/*.lock
	forged
}

@test "journal: killed at any system call, and the power cut: the old record or the new one" {
	local -A seen=()
	local phase

	forged
	LAB_CALLS=${LAB_CALLS:-20} kill_at_calls old_or_new \
		"$VFIOMIGCTL" recover --state-dir live/here "$TXID"
	# Through to its end is one of the calls.
	[[ ${seen[aborted]} && ${seen[begun]} ]]
}
