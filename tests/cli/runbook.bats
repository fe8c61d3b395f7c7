#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The commands of vfiomigctl-runbook(7), run as they stand there, each chapter after what it is for has
# really happened.

load ../emu

page=${top_srcdir:?}/man/vfiomigctl-runbook.7.scd

setup()
{
	emu_setup
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s "$tool" "$BATS_TEST_TMPDIR/bin/vfiomigctl"
}

teardown()
{
	emu_teardown
}

# blocks TITLE [N...]: the commands of a chapter: all blocks, or these, the first one being 1.
blocks()
{
	awk -v title="# $1" -v wanted=" ${*:2} " '
		/^# / { here = $0 == title }
		!here { next }
		/^```/ { code = !code; n += code; next }
		code && (wanted == "  " || index(wanted, " " n " "))
	' "$page" | sed 's/\\\\/\\/g'
}

# chapter TITLE [N...]: a user types them.
chapter()
{
	local script

	script=$(blocks "$@")
	[[ -n $script ]]
	printf '%s\n' "$script"
	DEV=$A SPARE=$B PATH=$BATS_TEST_TMPDIR/bin:$PATH \
		sh -eux -c "$script" 3>&-
}

# became STATUS OUTCOME OWNER ARG...: what has happened, as the table in vfiomigctl(8) knows it.
became()
{
	local status=$1 outcome=$2 owner=$3

	shift 3
	migctl "$status" --json "$@"
	expect_json ".outcome == \"$outcome\"" ".owner == \"$owner\""
	grep -A 2 -E "^\|  \*($status\*|64\* to \*78\*)" "$top_srcdir/man/vfiomigctl.8.scd" | paste -sd ' ' |
		grep -qF ":  $outcome :  $owner"
}

@test "runbook: every chapter is run by one of these tests" {
	local title

	while read -r title; do
		[[ -z $(blocks "$title") ]] || grep -qF "chapter '$title'" "$BATS_TEST_FILENAME" || {
			echo "$title is not"
			return 1
		}
	done < <(sed -n 's/^# //p' "$page")
}

@test "runbook: a state over a firmware update" {
	emu_start
	reference "$A"
	chapter 'BEFORE A FIRMWARE UPDATE' 1 2 3
	bounded -q reset "$A"
	chapter 'AFTER THE UPDATE'
	has_run "$A"
	migctl 0 --json inspect nic.img
	expect_json '.image.labels == {"reason": "firmware"}'
}

@test "runbook: a move as one transaction" {
	emu_start
	reference "$A"
	chapter 'MOVE AS ONE TRANSACTION'
	has_run "$B"
	expect_state "$A" stop
}

@test "runbook: certificates that the two ends of a move take" {
	require openssl
	emu_start
	chapter 'CERTIFICATES FOR A MOVE'
	migctl 73 migrate --state-dir=here --tls-creds=tls --tls-hostname=new.example "$A" unix:nowhere
}

@test "runbook: an update that is called off" {
	emu_start
	reference "$A"
	chapter 'BEFORE A FIRMWARE UPDATE'
	expect_state "$A" running
	has_run "$A"
}

@test "runbook: a move to another host" {
	emu_start
	reference "$A"
	set_state "$A" running
	chapter 'MOVE TO ANOTHER HOST'
	expect_state "$B" running
	expect_state "$A" running
	register emu resets
	((register == 1))
	has_run "$B"
}

@test "runbook: a save or a resume that was aborted" {
	emu_start --fault '0@fail=stop:stop-copy:EIO*1' --fault '1@fail=stop:resuming:EIO*1'
	became 75 aborted source save --leave=stop "$A" nic.img
	chapter 'IT WAS ABORTED' 1
	became 75 aborted none resume --no-hold "$B" nic.img
	chapter 'IT WAS ABORTED' 2
	expect_state "$B" running
}

@test "runbook: in doubt, and the other end has the state" {
	emu_start
	reference "$A"
	became 80 in-doubt unknown save --leave=stop "$A" 'exec:cat >image; exit 255'
	bounded -q resume --no-hold --stop "$B" image
	chapter 'IN DOUBT' 1 2
	expect_state "$B" running
	has_run "$B"
	register emu resets
	((register == 1))
}

@test "runbook: in doubt, and the other end has nothing" {
	emu_start
	reference "$A"
	became 80 in-doubt unknown save --leave=stop "$A" 'exec:cat >image; exit 255'
	expect_state "$A" stop
	chapter 'IN DOUBT' 1 3
	expect_state "$A" running
	has_run "$A"
}

@test "runbook: a device that has its state, and is not where it was" {
	emu_start --fault '0@fail=stop:running-p2p:EIO*3'
	became 81 device-error source save "$A" nic.img
	expect_json '.state == "stop"'
	chapter 'THE DEVICE IS NOT WHERE IT SHOULD BE'
	expect_state "$A" running
}

@test "runbook: a device that has lost its state once the image was complete" {
	emu_start --fault '0@error=stop-copy:stop*1'
	reference "$B"
	migctl 81 --json save "$A" nic.img
	printf '%s\n' "$output" >save.json
	expect_json '.outcome == "device-error"' '.owner == "none"' '.file_bytes > 0'
	chapter 'THE STATE OF THE DEVICE IS LOST'
	expect_state "$A" running
}

@test "runbook: a receiver that did not start" {
	emu_start --fault '1@fail=running-p2p:running:EIO*1'
	reference "$A"
	start receiver --json resume --listen --no-hold "$B" unix:it
	eventually said 'listening on' receiver.err
	migctl 0 --json save --leave=stop "$A" unix:it
	finish receiver 81
	expect_json '.outcome == "device-error"' '.owner == "destination"'
	chapter 'THE DEVICE AT THE RECEIVER DID NOT START'
	expect_state "$B" running
	has_run "$B"
}

@test "runbook: a device that does not answer" {
	emu_start
	emu_stop
	run chapter 'NOTHING IS KNOWN'
	((status == 0))
	[[ $output == *null*$'\n'*'vfio-user:emu'* ]]
}
