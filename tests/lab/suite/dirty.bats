#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dirty: DMA logging by a real kernel. migsim says which pages it has written to (dma_pattern: of
# each logged range every Nth, once), so that what is missed and what is too many can be counted.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are migsim.bash's and run's, or theirs
load migsim.bash
load consumer.bash

setup()
{
	migsim_setup migsim-v2
	sim "$A" dma_logging 1
	sim "$A" dma_pattern 5
	consumers=()
}

# hold_start DEV...: a holder at ./h that has shown its report; its pid in $holder.
hold_start()
{
	start holder "$VFIOMIGCTL" hold --json --socket h "$@"
	eventually is_whole holder.out
}

# is_whole FILE: all of a JSON document is in it.
is_whole()
{
	[[ $(<"$1") == *$'\n}' ]]
}

# bits FILE: places of the bits that are set in it.
bits()
{
	python3 -IS -c '
import sys
for at, byte in enumerate(open(sys.argv[1], "rb").read()):
    for bit in range(8):
        if byte >> bit & 1:
            print(at * 8 + bit)' "$1"
}

@test "dirty: of what the device says that it wrote to, none is missed and none is too many" {
	hold_start "$A"
	migctl 0 dirty start --range 0x100000+1M --range 0x40000000+260K hold:h
	migctl 0 --json dirty report --bitmap map --range 0x100000+1M --range 0x40000000+260K hold:h
	[[ $stderr == *': its user may be logging, too: a device has one log' ]]
	# 256 pages are 4 words, 65 are 2.
	diff <(bits map) <(seq 0 5 255; seq 256 5 320)
	(($(stat -c %s map) == 48))
	expect_json '.dirty_pages == 65' '.dirty[0] == {"iova": "0x100000", "bytes": 4096}' \
		'.dirty[1].iova == "0x105000"' '.dirty[52].iova == "0x40000000"' '.dirty_left_out == 0'
	# It was told once.
	migctl 0 --json dirty report --range 0x100000+1M hold:h
	told dirty_pages 0
	migctl 71 dirty start hold:h
	expect_message 'VFIO_DEVICE_FEATURE_DMA_LOGGING_START: Invalid argument (EINVAL)' \
		"a log that is on, a VMM's maybe, keeps others out"
	migctl 0 dirty stop hold:h
	migctl 71 dirty report --range 0x100000+1M hold:h
	migctl 0 dirty start hold:h
	kill -TERM "$holder"
	wait "$holder"
	# That was the last close.
	hold_start "$A"
	migctl 71 dirty stop hold:h
	kill -TERM "$holder"
	wait "$holder"
}

@test "dirty: large ranges, in pieces, to the end of what there is" {
	sim "$A" dma_pattern 1000
	# 1 Mi pages, 128 KiB of bitmap, two calls; and one page.
	migctl 0 --json --trace=trace.json dirty watch --interval 1ms --rounds 2 --range 0x100000000+4G \
		--range 0x7fff0000+4K "$A"
	# Of each range, the pages 0, 1000, 2000 and so on; the second round has none.
	told dirty_pages $((1049 + 1))
	told rounds 2
	(($(grep -c '"feature":"DMA_LOGGING_REPORT"' trace.json) == 6))
	[[ $(tail -n 1 trace.json) != *DMA_LOGGING_REPORT* ]]
	grep -q '"op":"SET","feature":"DMA_LOGGING_STOP"' trace.json
}

@test "dirty: probe finds the page sizes and limits that migsim has" {
	migctl 0 --json dirty probe "$A"
	expect_json '[.page_sizes[].bytes] == [range(10) | 4096 * pow(2; .)]' '.ranges_max == 256' \
		'.range_bytes_max == 4398046511104 and .range_bytes_max_is_a_limit'
	migctl 0 dirty watch --interval 1ms --rounds 1 --page-size 2M "$A"
	migctl 71 dirty watch --interval 1ms --rounds 1 --page-size 4M "$A"
	expect_message 'vfiomigctl dirty probe says what it takes'
	sim "$A" dma_logging 0
	migctl 69 dirty probe "$A"
	migctl 69 dirty watch "$A"
	expect_message 'has no log of its DMA'
}

@test "dirty: what no process keeps open has no log that lasts, and is not opened for it" {
	local action

	for action in start report stop; do
		strace -f -e trace=open,openat -o trace "$VFIOMIGCTL" dirty $action "$A" 2>err && false
		[[ $(<err) == "vfiomigctl: $A: its log ends when it is closed, and no other process is to keep it open; vfiomigctl dirty watch $A logs "* ]]
		lacks '"/dev/(vfio|iommu)' trace
	done
}

@test "dirty: nothing is taken from the log of a process that uses the device" {
	sim "$A" dma_pattern 1
	consume owner "$A"
	migctl 0 dirty start --range 0+64K "pid:$owner"
	[[ $stderr == *": its owner (consumer, pid $owner) may want to log, too: a device has one log" ]]
	migctl 71 dirty report --range 0+64K "pid:$owner"
	expect_message "its owner (consumer, pid $owner) may be logging, too, and would miss what is taken" \
		'--force where the log is yours'
	migctl 71 dirty stop "pid:$owner"
	migctl 0 --json dirty report --force --range 0+64K "pid:$owner"
	told dirty_pages 16
	expect_json '.dirty == [{"iova": "0x0", "bytes": 65536}]'
	migctl 0 dirty stop --force "pid:$owner"
	dismiss owner
}

@test "dirty: a signal ends a watch, and its log with it" {
	hold_start "$A"
	start watcher "$VFIOMIGCTL" dirty watch --interval 1ms --range 0+1M hold:h
	eventually grep -q '|' watcher.out
	kill -INT "$watcher"
	wait "$watcher"
	migctl 71 dirty report --range 0+1M hold:h
	kill -TERM "$holder"
	wait "$holder"
}
