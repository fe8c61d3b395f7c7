#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --trace of the v1 protocol, whose calls are reads and writes of a region: against what strace sees.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are migsim.bash's and run's, or theirs
load migsim.bash

setup()
{
	require strace
	migsim_setup migsim-v1
	sim "$A" size 300001
}

@test "trace: has each access of the region, registers by name, data by size" {
	strace -f -X raw -e trace=pread64,pwrite64 -o strace "$VFIOMIGCTL" --trace=trace.json \
		save --leave=stop "$A" image >out
	# One thread accesses the region. What it is asked for, its place, and what came of it.
	sed -nE 's/^[0-9]+ +(pread|pwrite)64\([0-9]+, .*, ([0-9]+), ([0-9]+)\) += ([0-9]+)$/\1 \2 \3 \4/p' strace >all
	jq -r 'select(.call == "pread" or .call == "pwrite") | "\(.call) \(.in.bytes) \(.in.offset) \(.result)"' \
		trace.json >hex
	while read -r call bytes offset result; do
		echo "$call $bytes $((offset)) $result"
	done <hex >got
	# Others read files at a place, too: of what strace saw, these are all of the device's.
	grep -Fx -f got all >want
	diff want got
	jq -es '[.[] | select(.name == "device_state" and .call == "pwrite").in.value] |
		index("0x2") != null and .[-1] == "0x0"' trace.json
	jq -es '[.[] | select(.name == "pending_bytes")] | length > 1 and .[-1].out.value == "0x0"' trace.json
	# What the driver told of its chunks, in hexadecimal, is what was read, beside 256 bytes of
	# configuration space.
	jq -r 'select(.name == "data_size").out.value' trace.json >told
	read_file sizes told
	total=0
	for size in $sizes; do
		((total += size))
	done
	((total > 300001))
	jq -es "[.[] | select(.call == \"load\" or (.call == \"pread\" and .name == null)).in.bytes] |
		add == $((total + 256))" trace.json
}
