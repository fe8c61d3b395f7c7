#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The rules of the vfio-user protocol: each deviation of the emulated device is found by the rule that it
# breaks, and no other; and the habits of a server that was written from the specification alone.

# shellcheck disable=SC2034,SC2154 # variables are emu.bash's and run's, or theirs
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	[[ -z ${server-} ]] || kill "$server" 2>/dev/null || true
	emu_teardown
}

# broken DEVICE [STATUS]: the rules that do not hold of it, in their order
broken()
{
	migctl "${2-1}" --json check "$1" --rules vfu --destructive
	rules=$(jq -r '[.results[] | select(.verdict == "fail" or .verdict == "warn" or .verdict == "broken") | .id] |
		join(" ")' <<<"$output")
}

@test "check: all rules of the protocol hold of the emulated device" {
	emu_start
	broken "$A" 0
	[[ -z $rules ]]
	expect_json '[.results[] | select(.verdict == "pass")] | length == 26'
}

@test "check: each deviation from the protocol is found by its rule, and no other" {
	local deviation want found=0

	while read -r deviation want; do
		emu_start --deviate "$deviation"
		broken "$A"
		[[ $rules == "$want" ]] || {
			echo "$deviation breaks '$rules', not '$want'"
			return 1
		}
		emu_stop
		found=$((found + 1))
	done <<-END
		wrong-id vfu.reply-id
		wrong-command vfu.reply-command
		reply-as-command vfu.reply-type
		error-without-errno vfu.error-number
		no-reply-answered vfu.no-reply vfu.no-reply-to-unknown
		unknown-command vfu.unknown-command
		second-version vfu.version-once
		any-major vfu.version-major
		minor-raised vfu.version-minor
		transfer-ignored vfu.transfer-limit vfu.transfer-limit-write
	END
	((found == 10))
}

@test "check: a server that takes all versions, answers all, and dies of a short message" {
	require python3
	python3 "$BATS_TEST_DIRNAME/misfit-server.py" it >said 2>&1 3>&- &
	server=$!
	eventually grep -q ready said
	migctl 81 --json check vfio-user:it --rules vfu
	expect_json '[.results[] | select(.verdict == "fail") | .id] == ["vfu.version-minor", "vfu.version-major",
		"vfu.version-first", "vfu.version-once", "vfu.version-no-json", "vfu.no-reply",
		"vfu.size-below-header"]' \
		'.results[] | select(.id == "vfu.size-below-header") | .reason | test("gone by it|no agreement on a version")'
	wait "$server" || true
	server=''
}
