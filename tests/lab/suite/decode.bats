#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the kernel's own driver, mtty, writes is what the decoder of its streams expects: nothing of
# it is odd, and what it holds is what is in the device.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

setup()
{
	lab_setup
	reference 20
	fill "$A" 20
}

@test "inspect --decode: mtty's stream" {
	migctl 0 save "$A" state.img
	migctl 0 --json inspect --decode state.img
	expect_json '.devices[0].decoded | .layout == "mtty" and .by == "driver" and .complete' \
		'.devices[0].decoded | .bytes == 96 and has("odd") == false' \
		'.devices[0].decoded.members | map(.name) == ["header", "port", "port"]' \
		'.devices[0].decoded.members[0].members | map({(.name): .value}) | add |
			.magic == "0x7e9d09898c3e2c4e" and .major_ver == 1 and .nr_ports == 2' \
		'.devices[0].decoded.members[1].members[] | select(.name == "count") | .value > 0'
	migctl 0 inspect --decode state.img
	[[ $output == *'STREAM OF mtty'* && $output == *'nr_ports            2'* ]]
	[[ $output != *odd* ]]
}

@test "info --decode: mtty runs on, and tells its header" {
	migctl 0 --json info --decode "$A"
	expect_json '.decoded | .layout == "mtty" and .by == "driver" and .bytes == 24' \
		'.decoded | .complete == false and has("odd") == false' '.state == "running"'
	expect_state "$A" running
	expect_contents "$A"
	migctl 0 info --decode "$A"
	[[ $output == *'        24  this is its beginning only'* ]]
}

@test "info --decode: a device that is stopped tells all, and stays stopped" {
	migctl 0 state "$A" stop
	migctl 0 --json info --decode "$A"
	expect_json '.decoded | .bytes == 96 and .complete and has("odd") == false'
	expect_state "$A" stop
	migctl 0 state "$A" running
	expect_contents "$A"
}

@test "info --diff: what mtty will object to, where its own values are asked for" {
	make_device small mtty-1
	migctl 0 save "$A" state.img
	migctl 0 --json info --diff state.img "$small"
	expect_json '[.objections[].verdict] | unique == ["unknown"]' \
		'.objections | map(.field) == ["version", "minor version", "ports"]'
	migctl 0 --json info --decode --diff state.img "$small"
	expect_json '.objections[] | select(.field == "ports") |
		.saved == 2 and .here == 1 and .verdict == "refused" and .errno == "ENOMEM"' \
		'[.objections[] | select(.field != "ports") | .verdict] | unique == ["taken"]'
	# And so it is.
	migctl 0 save --raw "$A" raw
	migctl 74 resume --raw --no-hold "$small" raw
	[[ $stderr == *'(ENOMEM)'* ]]
	migctl 0 reset "$small"
	migctl 0 save "$small" small.img
	migctl 0 --json info --decode --diff small.img "$B"
	expect_json '.objections[] | select(.field == "ports") |
		.saved == 1 and .here == 2 and .verdict == "refused" and .errno == "EFAULT"'
	migctl 0 save --raw --force "$small" raw
	migctl 74 resume --raw --no-hold "$B" raw
	[[ $stderr == *'(EFAULT)'* ]]
	migctl 0 reset "$B"
	migctl 0 --json info --decode --diff state.img "$B"
	expect_json '[.objections[].verdict] | unique == ["taken"]'
	migctl 0 info --decode --diff state.img "$B"
	[[ $output == *'ITS DRIVER COMPARES'* ]]
}
