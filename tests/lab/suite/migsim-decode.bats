#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# info --decode on devices of every habit: whatever their driver does, they are where they were found
# afterwards. The driver complains of what it must not be asked, which fails the test (migsim.bash).

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

setup()
{
	:
}

@test "info --decode: by the habits of each driver, running and stopped" {
	local profile complete

	migsim_setup migsim-v2
	while read -r profile complete; do
		echo "- profile $profile"
		sim "$A" profile "$profile"
		plain "$A"
		sim "$A" size 5000
		migctl 0 --json info --decode "$A"
		expect_json ".decoded | .layout == null and .bytes > 0 and .complete == $complete" \
			'.decoded.odd.why == "no decoder: neither the driver nor the first bytes are known"'
		expect_state "$A" running
		migctl 0 state "$A" stop
		migctl 0 --json info --decode "$A"
		expect_json '.decoded | .bytes >= 5000 and .complete'
		expect_state "$A" stop
		migctl 0 state "$A" running
	done <<-END
		mlx5 false
		hisi_acc false
		pds true
		qat false
		virtio false
		xe true
	END
}

@test "info --decode: a device that refuses to stop, or to be read, is brought back" {
	migsim_setup migsim-v2
	sim "$A" profile pds
	plain "$A"
	sim "$A" fault 'arc running-p2p stop EIO stay'
	migctl 74 --json info --decode "$A"
	expect_json 'has("decoded") == false'
	[[ $stderr == *'; it is in running again'* ]]
	expect_state "$A" running
	sim "$A" fault 'arc running-p2p stop EBUSY stay 2'
	migctl 0 --json info --decode "$A"
	expect_json '.decoded.complete'
	sim "$A" fault 'read EIO 1000'
	migctl 74 --json info --decode "$A"
	expect_state "$A" running
	sim "$A" fault 'arc stop stop-copy EIO error'
	migctl 81 --json info --decode "$A"
	[[ $stderr == *'; it was reset, and is in running without what it held'* ]]
	expect_state "$A" running
}

@test "info --decode: the older protocol" {
	migsim_setup migsim-v1
	sim "$A" size 300001
	sim "$A" initial_bytes 1000
	migctl 0 --json info --decode "$A"
	expect_json '.protocol == "v1"' '.decoded | .bytes > 0 and .complete == false'
	expect_state "$A" running
	migctl 0 state "$A" stop
	migctl 0 --json info --decode "$A"
	expect_json '.decoded | .bytes >= 300001 and .complete'
	expect_state "$A" stop
}
