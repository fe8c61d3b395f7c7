#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --trace against what strace sees: the same ioctls, and no others, in the same order.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

# both ARG...: the tool, under strace, which writes to ./strace, with a trace in ./trace.json.
both()
{
	require strace
	strace -f -X raw -e trace=ioctl,read,write,pread64 -o strace "$VFIOMIGCTL" --trace=trace.json \
		"$@" >out 2>err || {
		cat err
		return 1
	}
}

# requests: of VFIO's ioctls (type ';', 0x3b), their numbers and results, in ./want and ./got. strace
# cuts in two what another thread's call came between.
requests()
{
	awk '{ result = $0; sub(/.*\) += /, "", result); sub(/ .*/, "", result) }
		match($0, /ioctl\([0-9]+, 0x3b[0-9a-f]+/) {
			split(substr($0, RSTART, RLENGTH), word, " ")
			if (/<unfinished/) begun[$1] = word[2]; else print word[2], result
			next
		}
		/<\.\.\. ioctl resumed>/ && $1 in begun { print begun[$1], result; delete begun[$1] }' \
		strace >want
	jq -r 'select(.call == "ioctl") | "\(.request) \(.result)"' trace.json >got
	[[ -s want ]]
	diff want got
}

@test "trace: has the ioctls that strace has, in the same order" {
	both save --leave=found "$A" image
	requests
	jq -es '[.[] | select(.in.op == "SET" and .in.feature == "MIG_DEVICE_STATE").in.state][0:3] ==
		["running-p2p", "stop", "stop-copy"]' trace.json
	both info "$A"
	requests
	both reset "$A"
	requests
	grep -q VFIO_DEVICE_RESET trace.json
	both info --via=group "$A"
	requests
	jq -es '[.[] | select(.name == "VFIO_GROUP_GET_DEVICE_FD")] | length == 1 and .[0].in == null' trace.json
}

@test "trace: has each read of the stream, its size and not its bytes" {
	local fd bytes

	both save "$A" image
	fd=$(jq -r 'select(.in.state == "stop-copy").out.data_fd' trace.json)
	[[ $fd =~ ^[0-9]+$ ]]
	bytes=$(jq -s "[.[] | select(.call == \"read\" and .fd == $fd).result] | add" trace.json)
	((bytes > 0))
	# The same reads, and the same results.
	diff <(sed -nE "s/^[0-9]+ +read\($fd, .*, ([0-9]+)\) += ([0-9]+).*/\1 \2/p" strace | tail -n 3) \
		<(jq -r "select(.call == \"read\" and .fd == $fd) | \"\(.in.bytes) \(.result)\"" trace.json |
			tail -n 3)
	jq -es "[.[] | select(.call == \"read\").device] | unique == [\"$A\"]" trace.json
}

@test "trace: tells what was refused, and by which errno" {
	migctl 0 --trace=trace.json info "$A"
	jq -es '[.[] | select(.errno)] | length > 0 and all(.result == -1 and .out == null)' trace.json
	jq -es '[.[] | select(.in.op == "PROBE" and .errno).errno] | index("ENOTTY") != null' trace.json
}
