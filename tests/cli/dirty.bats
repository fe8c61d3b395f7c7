#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dirty: the log of the emulated device, which says by its pattern what it has written to; and a
# server that was written from the protocol's specification alone.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# pages: of the report in $output, the addresses of all dirty pages, one a line.
pages()
{
	jq -r '.dirty[] | "\(.iova) \(.bytes)"' <<<"$output" |
		while read -r iova bytes; do
			for ((at = iova; at < iova + bytes; at += 4096)); do
				echo "$at"
			done
		done
}

# eighth ROUND IOVA PAGES: what the emulated device has written to by then: see emu/dma-log.h.
eighth()
{
	local page

	for ((page = $2 / 4096; page < $2 / 4096 + $3; page++)); do
		((page % 8 != $1 % 8)) || echo "$((page * 4096))"
	done
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

@test "dirty: none is missed, and none too many" {
	local round

	emu_start
	migctl 0 dirty start --range 0x100000+1M "$A"
	for round in 0 1 2; do
		migctl 0 --json dirty report --range 0x100000+1M --bitmap=map.$round "$A"
		diff <(pages) <(eighth $round 0x100000 256)
		diff <(bits map.$round) <(eighth $round 0 256 | awk '{ print $1 / 4096 }')
		expect_json '.dirty_pages == 32 and .dirty_bytes == 131072' '.dirty_left_out == 0' \
			'.logged_bytes == 1048576 and .page_bytes == 4096' \
			".bitmap == \"map.$round\"" '.ranges == [{"iova": "0x100000", "bytes": 1048576}]'
	done
	migctl 0 dirty stop "$A"
	migctl 71 dirty report --range 0x100000+1M "$A"
	expect_message 'no report of its DMA: DEVICE_FEATURE: Invalid argument (EINVAL)' \
		'nothing may be logged: vfiomigctl dirty watch'
}

@test "dirty: ranges are sorted, and only they are logged" {
	emu_start
	migctl 0 dirty start --range 0x200000+64K --range 0+64K "$A"
	migctl 0 --json dirty report --bitmap=map --range 0x200000+64K --range 0+64K "$A"
	expect_json '[.ranges[].iova] == ["0x0", "0x200000"]'
	# A report a range, each of which is a round to the device. A word each.
	diff <(pages) <(eighth 0 0 16; eighth 1 0x200000 16)
	(($(stat -c %s map) == 16))
	diff <(bits map) <(printf '%s\n' 0 8 65 73)
	migctl 71 dirty start "$A"
	expect_message 'cannot log its DMA: DEVICE_FEATURE: File exists (EEXIST)' 'a log that is on'
}

@test "dirty: watch starts and stops it, and a signal is its end" {
	emu_start
	migctl 0 --json dirty watch --interval 1ms --rounds 3 --range 0+1M --status-fd 5 "$A" 5>rounds
	expect_json '.rounds == 3 and .dirty_pages == 96' '.dirty_bytes_per_second > 0'
	jq -es 'map(select(.event == "round")) | map([.round, .dirty_pages]) == [[1, 32], [2, 32], [3, 32]]' rounds
	validate_reports rounds
	migctl 71 dirty report --range 0+1M "$A"

	start watcher dirty watch --interval 1ms --range 0+1M "$A"
	eventually grep -q ' |' watcher.out
	kill -INT "$watcher"
	finish watcher 0
	[[ $output == *' TIME '* && $output == *'rounds  '* ]]
	grep -qE '^ +[0-9.]+ m?s +128 KiB +[0-9.]+ .iB/s +\|.{48}\|$' <<<"$output"
	# Each line is one line of a terminal.
	[[ -z $(grep -E '^.{80}' <<<"$output") ]]
	migctl 71 dirty report --range 0+1M "$A"
	migctl 0 -q dirty watch --interval 1ms --rounds 1 "$A"
	[[ -z $output && -z $stderr ]]
}

@test "dirty: probe says what it takes, and leaves no log" {
	emu_start
	migctl 0 --json dirty probe "$A"
	expect_json '.page_sizes | length == 19 and all(.bytes == .logged_by_bytes) and .[0].bytes == 4096' \
		'.ranges_max == 256 and (.ranges_max_is_a_limit | not)' '.range_bytes_max == 4611686018427387904'
	migctl 0 dirty start "$A"
	migctl 71 dirty probe "$A"
	expect_message 'cannot log its DMA'
}

@test "dirty: what is no range, or another action's option, is told in one line" {
	migctl 64 dirty look "$A"
	[[ $stderr == "vfiomigctl dirty: ACTION is start, report, stop, watch or probe, not 'look' (see"* ]]
	migctl 66 dirty start 0000:ff:1f.7
	migctl 64 dirty stop
	migctl 64 dirty stop --range 0+4K "$A"
	migctl 64 dirty start --bitmap x "$A"
	migctl 64 dirty report --rounds 1 "$A"
	migctl 64 dirty start --range 4K "$A"
	expect_message "--range: '4K' is not IOVA+LEN"
	migctl 64 dirty start --range 0+4K --range 0+8K "$A"
	expect_message '0x0+4096: overlaps the range at 0x0' || expect_message '0x0+8192: overlaps'
	migctl 64 dirty start --range 0xfffffffffffff000+8K "$A"
	expect_message 'ends past the last address'
	migctl 64 dirty start --range 0+17T "$A"
	expect_message 'more than 4294967296 pages of 4096 bytes'
	migctl 64 dirty start --page-size 12K "$A"
	expect_message 'pages of 12288 bytes: not a power of two'
}

@test "dirty: a bitmap that cannot be written takes nothing from the log" {
	emu_start
	migctl 0 dirty start --range 0+1M "$A"
	touch there
	migctl 73 dirty report --range 0+1M --bitmap there "$A"
	migctl 0 --json dirty report --range 0+1M --bitmap there --force "$A"
	diff <(pages) <(eighth 0 0 256)
	(($(stat -c %s there) == 32))
}

# A server that logs: what it has written to is every Nth page, N from the command line. Of each
# report it answers as the specification has it, or as it is told: short, another range's.
spec_server()
{
	require python3
	cat >server.py <<-'END'
		import socket, struct, sys

		every, how = int(sys.argv[1]), sys.argv[2]
		s = socket.socket(socket.AF_UNIX)
		s.bind("spec")
		s.listen()
		print("ready", flush=True)
		log = []
		while True:
		    c, _ = s.accept()
		    while head := c.recv(16, socket.MSG_WAITALL):
		        msg, command, size, flags, _ = struct.unpack("<HHIII", head)
		        body = c.recv(size - 16, socket.MSG_WAITALL)
		        reply, error = body, 0
		        if command == 1:  # VERSION: little is transferred at once
		            reply = struct.pack("<HH", 0, 1) + b'{"capabilities":{"max_data_xfer_size":4096}}\0'
		        elif command == 4:
		            reply = struct.pack("<IIII", 16, 1, 0, 0)
		        elif command == 16:
		            want = struct.unpack_from("<II", body)[1]
		            index = want & 0xFFFF
		            if want & (1 << 18):
		                error = 0 if index in (6, 7, 8) else 22
		            elif index == 6:
		                page, count, _ = struct.unpack_from("<QII", body, 8)
		                log = [struct.unpack_from("<QQ", body, 24 + 16 * i) for i in range(count)]
		                error = 0 if len(body) == 24 + 16 * count else 22
		            elif index == 7:
		                error = 0 if log else 22
		                log = []
		            elif index == 8:
		                iova, length, page = struct.unpack_from("<QQQ", body, 8)
		                inside = any(a <= iova and iova + length <= a + n for a, n in log)
		                error = 0 if inside else 22
		                bitmap = bytearray(-(-length // page // 64) * 8)
		                for n in range(iova // page, (iova + length) // page):
		                    if n % every == 0:
		                        bit = n - iova // page
		                        bitmap[bit // 8] |= 1 << bit % 8
		                bitmap = {"short": bitmap[:-8]}.get(how, bitmap)
		                iova += page if how == "other" else 0
		                reply = struct.pack("<IIQQQ", 32 + len(bitmap), want, iova, length, page) + bitmap
		        if error:
		            reply = b""
		        c.sendall(struct.pack("<HHIII", msg, command, 16 + len(reply),
		                              33 if error else 1, error) + reply)
	END
	rm -f spec ready
	python3 server.py "$@" >ready 2>server.err 3>&- &
	started+=("$!")
	eventually grep -qs ready ready
}

@test "dirty: a server written from the specification alone, asked in pieces" {
	spec_server 1000 well
	migctl 0 dirty start --range 0x40000000+2G vfio-user:spec
	migctl 0 --json dirty report --range 0x40000000+2G --bitmap map vfio-user:spec
	# By more than one message: 64 KiB of bitmap in pieces of 4.
	diff <(bits map) <(python3 -IS -c '
for page in range(0x40000, 0xC0000):
    if page % 1000 == 0: print(page - 0x40000)')
	expect_json '.dirty_pages == 524' '.dirty | length == 524'
	migctl 0 dirty stop vfio-user:spec
	migctl 71 dirty stop vfio-user:spec
	expect_message 'cannot end the log of its DMA' 'there may be none'
}

@test "dirty: a report that does not fit what was asked for is not believed" {
	spec_server 8 short
	migctl 0 dirty start --range 0+1M vfio-user:spec
	migctl 76 dirty report --range 0+1M vfio-user:spec
	expect_message 'a report of 56 bytes where 64 are due'
}

@test "dirty: a report of another range is not believed" {
	spec_server 8 other
	migctl 76 dirty watch --range 0+1M --interval 1ms vfio-user:spec
	[[ $stderr == *'a report of another range'* ]]
}
