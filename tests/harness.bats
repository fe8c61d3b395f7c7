#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the other tests stand on: tests/watch and tests/lab/run.

# shellcheck disable=SC2154 # run and record set status, output and stderr

setup()
{
	set +T
	load helpers
	top=$(cd "${top_srcdir:-$BATS_TEST_DIRNAME/..}" && pwd -P)
	kernel=${LAB_KERNEL:-6.12}
	cd "$BATS_TEST_TMPDIR"
}

watch()
{
	record "$top/tests/watch" "$@"
	printf '%s\n%s\n' "$output" "$stderr"
}

lab()
{
	"$top/tests/lab/build-kernel" --cached "$kernel" >/dev/null || skip "no lab kernel"
	record "$@"
	printf '%s\n%s\n' "$output" "$stderr"
}

@test "watch: passes on output and status" {
	require python3
	watch sh -c 'printf "a\nb"; echo c >&2; exit 3'
	[[ $status -eq 3 && $output == $'a\nb' && $stderr == c ]]
	watch sh -c 'kill -KILL $$'
	((status == 137))
	watch -- ./nosuch
	[[ $status -eq 127 && $stderr == "watch: ./nosuch: No such file or directory" ]]
}

@test "watch: ends what waits for ever and what runs in circles, and all that they started" {
	require python3
	# In a session of its own, and without the pipe.
	watch --silent 1 bash -c 'setsid sleep 1000 >&- 2>&- & echo $! >pid; echo one; exec >&-; wait'
	[[ $status -eq 124 && $output == one$'\n'"Bail out! "*"was idle for"*"sleep 1000"* ]]
	run ! kill -0 "$(<pid)"
	watch --silent 1 bash -c 'while :; do :; done'
	[[ $status -eq 124 && $output == "Bail out! "*"s of CPU time"*"while :"* ]]
}

@test "watch: leaves alone what says something now and then" {
	require python3
	watch --silent 10 bash -c 'for n in {1..7}; do sleep 2; echo $n; done'
	[[ $status -eq 0 && $output == $'1\n2\n'*$'\n7' ]]
}

@test "watch: a test that has ended leaves nothing running" {
	require python3
	watch bash -c 'sleep 1000 & echo $! >pid'
	((status == 0))
	run ! kill -0 "$(<pid)"
}

@test "watch: puts down the CPU time, by test, also of what is no longer below the test" {
	local busy='for ((n = 0; n < 150000; n++)); do :; done'

	require python3
	watch --record cpu-times --each bash -c "echo 1..2; ($busy); echo 'ok 1 - busy one'
		echo 'not ok 2 idle'; (setsid bash -c '$busy'; touch done) & while [ ! -e done ]; do :; done"
	[[ $output == *'not ok 2 idle' ]]
	cat cpu-times
	mapfile -t lines <cpu-times
	[[ ${lines[0]} == 0.*$'\tbusy one' && ${lines[0]} != 0.0* ]]
	[[ ${lines[1]} == 0.*$'\tidle' && ${lines[2]} == *$'\ttotal' ]]
}

@test "lab: a command's output and status, byte for byte" {
	lab "$top/tests/lab/run" -- sh -c 'printf "a\nb"; echo c >&2; exit 3'
	[[ $status -eq 3 && $output == $'a\nb' && $stderr == c ]]
}

@test "lab: a machine that gets nowhere is taken off" {
	lab "$top/tests/lab/run" --silent 1 -- sleep 1000
	[[ $status -eq 124 && $stderr == "lab: wrote nothing and got nowhere"* ]]
}
