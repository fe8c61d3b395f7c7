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
