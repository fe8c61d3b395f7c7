#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# From one device into another through whatever can carry an image.

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

#
# exec:
#

@test "exec: an image goes through commands, both ways" {
	emu_start --state-size 3M
	reference "$A"
	migctl 0 --json save "$A" 'exec:gzip >image.gz'
	expect_json '.outcome == "completed"' '.file == "exec:gzip >image.gz"' '.file_bytes > 3000000'
	migctl 0 verify 'exec:zcat image.gz'
	migctl 0 --json inspect 'exec:zcat image.gz'
	expect_json '.complete'
	migctl 0 extract 'exec:zcat image.gz' 'exec:cat >raw; echo told'
	[[ $stderr == told ]]
	cmp raw reference
	migctl 0 --json resume --no-hold --stop "$B" 'exec:zcat image.gz'
	expect_json '.accepted' ".bytes == $((3 << 20))"
	holds "$B"
}

@test "exec: the bare stream, both ways" {
	emu_start
	reference "$A"
	migctl 0 save --raw "$A" 'exec:cat >raw'
	cmp raw reference
	migctl 0 resume --raw --no-hold --stop "$B" 'exec:cat raw'
	holds "$B"
}

@test "exec: what a command prints does not get into a report" {
	emu_start
	migctl 0 --json save "$A" 'exec:cat >image; echo hello'
	expect_json '.status == 0'
	[[ $stderr == hello ]]
}

@test "exec: save fails with its command, and the device runs again" {
	emu_start --state-size 3M
	migctl 74 --json save "$A" 'exec:cat >/dev/null; exit 3'
	expect_json '.outcome == "aborted" and .owner == "source"' '.file_bytes == 0' \
		'.state.left == "running"'
	expect_message 'exec:cat >/dev/null; exit 3: ended with status 3'
	expect_state "$A" running
	migctl 74 save --leave=stop "$A" 'exec:cat >/dev/null; kill -KILL $$'
	expect_message 'ended by signal 9 (Killed)' 'the device is in running again'
	expect_state "$A" running
	migctl 74 save "$A" 'exec:head -c 100 >/dev/null'
	expect_message 'ended before it had read all' 'the device is in running again'
	expect_state "$A" running
	migctl 74 save "$A" 'exec:./nosuch'
	[[ $stderr == *'nosuch: not found'*'ended with status 127'* ]]
	expect_state "$A" running
}

@test "exec: resume fails with its command, and no part of a state runs" {
	emu_start --state-size 3M
	migctl 0 save "$A" image
	# All of the image, and yet no success: what else went wrong is not ours to know.
	migctl 74 --json resume --no-hold "$B" 'exec:cat image; exit 3'
	expect_json '.outcome == "aborted" and .owner == "none"' '.recovery.reset' '.accepted == false'
	expect_message 'exec:cat image; exit 3: ended with status 3'
	expect_state "$B" stop
	migctl 74 resume --no-hold "$B" 'exec:head -c 2000000 image; exit 5'
	expect_message 'ended with status 5'
	migctl 65 resume --no-hold "$B" 'exec:head -c 2000000 image'
	expect_message 'image is truncated'
	migctl 65 resume --no-hold "$B" 'exec:cat image; echo more'
	expect_message 'bytes after the end of the image'
	expect_state "$B" stop
}

@test "exec: a command that hangs can be interrupted, and is ended" {
	emu_start
	start save save "$A" 'exec:echo $$ >pid; cat >/dev/null; exec sleep 1000'
	eventually test -s pid
	kill -INT "$save"
	finish save 75
	[[ $stderr == *interrupted* ]]
	eventually has_ended "$(<pid)"
	expect_state "$A" running

	start resume resume "$B" 'exec:echo $$ >other; exec sleep 1000'
	eventually test -s other
	kill -TERM "$resume"
	finish resume 75
	eventually has_ended "$(<other)"
	expect_state "$B" running
}

@test "exec: the command gets no device" {
	emu_start
	exec 7<>/dev/null
	migctl 0 save "$A" 'exec:ls -l /proc/self/fd >fds; cat >/dev/null'
	cat fds
	run ! grep -E 'socket:|anon_inode|/dev/null' fds
	exec 7>&-
}
