#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A move whose journals and spool are on ext4, on a disk that logs what it is sure to have at each
# flush (dm-log-writes). The power is cut behind each of them: what the records of both ends then
# say has to fit together, and once the source has decided, the destination's disk alone has to be
# enough. journal.bats has what is cut in one record.

# shellcheck disable=SC2034,SC2154 # variables are lab.bash's and run's, or theirs
load migsim.bash

replay=$(cd "${top_srcdir:?}/tests/lab" && pwd -P)/replay-writes.py

setup()
{
	migsim_setup migsim-v2
	type mkfs.ext4 dmsetup >/dev/null || skip "no mkfs.ext4 or dmsetup"
	truncate -s 16M disk
	truncate -s 64M log
	mkfs.ext4 -q disk
	cp disk cut
	mkdir live
	disk=$(losetup -f --show disk)
	log=$(losetup -f --show log)
	# Who makes the node in /dev.
	export DM_DISABLE_UDEV=1
	dmsetup create logged --table "0 32768 log-writes $disk $log"
	mount -o commit=3600 /dev/mapper/logged live
}

teardown()
{
	local status=0

	umount live 2>/dev/null || true
	closed || status=1
	lab_teardown || status=1
	expect_no_misuse || status=1
	return "$status"
}

# closed: the disk is gone, and its log is complete.
closed()
{
	[[ -n ${disk-} ]] || return 0
	umount live 2>/dev/null || true
	dmsetup remove logged
	losetup -d "$disk" "$log"
	disk=''
}

# moves: the state of $A to $B, by --spool; the transaction's number is in $txid.
moves()
{
	start receiving "$tools/with-fd" "$B" 7 "$VFIOMIGCTL" receive --no-hold --run \
		--state-dir=live/far --spool=live/far/spool fd:7 unix:link
	eventually wrote receiving.err ': listening on '
	migctl 0 migrate -q --state-dir=live/near "$A" unix:link
	finish receiving 0
	txid=$(echo live/near/*.source)
	txid=${txid##*/}
	txid=${txid%.source}
}

# next_cut: the power is cut behind the next flush; the disk is mounted at "live" as it is then, its
# file system's own log replayed. Fails behind the last.
next_cut()
{
	umount live 2>/dev/null || true
	from=$(python3 -IS "$replay" log cut "${from-0}") || return
	cp cut after
	mount -o loop after live
}

# phase END: $phase of its record after the cut, by the tool's own reader.
phase()
{
	phase=none
	[[ -d live/$1 ]] || return 0
	record -0 "$VFIOMIGCTL" recover --json --state-dir "live/$1"
	[[ ! $output =~ \"phase\":\ \"([a-z]+)\" ]] || phase=${BASH_REMATCH[1]}
	[[ $output != *damaged* ]]
}

# the_disk_is_enough: the destination's device is blank, and runs the state once the source's record
# is asked.
the_disk_is_enough()
{
	migctl 0 -q reset "$B"
	run ! expect_shown "$B" seed 4711
	start recovering "$VFIOMIGCTL" recover --state-dir live/far \
		--peer="exec:$VFIOMIGCTL -q recover --state-dir live/near --serve -" "$txid"
	eventually wrote recovering.err 'held open until'
	expect_shown "$B" seed 4711
	counts "$B"
	kill -TERM "$recovering"
	finish recovering 0
}

@test "power cut: behind each flush of a move the records of both ends fit together" {
	local -A seen=()
	local cuts=0 pair

	sim "$A" size 20000
	sim "$B" size 20000
	sim "$A" seed 4711
	moves
	closed
	while next_cut; do
		((++cuts))
		phase near
		pair=$phase
		phase far
		pair+=/$phase
		case $pair in
		none/none | begun/none | begun/begun | begun/prepared) ;;
		committed/prepared | committed/committed)
			migctl 0 -q verify "live/far/spool/$txid.image"
			[[ -n ${seen[$pair]-} ]] || the_disk_is_enough
			;;
		committed/done | done/done) ;;
		*)
			echo "after cut $cuts: $pair"
			return 1
			;;
		esac
		seen[$pair]=1
	done
	echo "# $cuts cuts: ${!seen[*]}"
	for pair in begun/begun begun/prepared committed/prepared committed/committed committed/done; do
		[[ -n ${seen[$pair]-} ]]
	done
}
