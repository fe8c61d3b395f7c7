#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Much state, and little memory to move it with.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

MiB=$((1 << 20))
GiB=$((1 << 30))

# The tool at most. A sanitizer that watches memory keeps freed blocks and shadows of all.
most=$((32 * MiB))

measured()
{
	require python3
	! grep -q __asan_init "$VFIOMIGCTL" || skip "memory is something else with ASan"
	cat >measure <<-'END'
		import resource, subprocess, sys

		# What it took as long as it was a copy of this here counts, too.
		status = subprocess.call(sys.argv[2:], close_fds=False)
		with open(sys.argv[1], "w") as f:
		    f.write("%d\n" % (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
		sys.exit(status)
	END
}

# expect_small NAME: the most memory that was resident at any time.
expect_small()
{
	local peak

	read -r peak <"$1"
	echo "$1: $peak bytes"
	# So much has any program.
	((peak > MiB / 2 && peak <= most))
}

# through_pipe OPTION...: $A is saved, to be left stopped, into a pipe, and $B loaded from it.
through_pipe()
{
	python3 measure save.peak "$VFIOMIGCTL" --status-fd=3 save --leave=stop "$@" "$A" - 3>save.json |
		"$tools/with-fd" "$B" 9 "$python" measure resume.peak "$VFIOMIGCTL" --json resume \
			--no-hold --stop fd:9 - >resume.json
	echo "${PIPESTATUS[*]}" >ended
	[[ $(<ended) == '0 0' ]]
	expect_small save.peak
	expect_small resume.peak
	output=$(tail -n 1 save.json)
	expect_json '.status == 0' '.outcome == "completed"' '.state == "stop"' "$said"
	output=$(<resume.json)
	expect_json '.status == 0' '.outcome == "completed"' '.state == "stop"' '.accepted' "$said"
	expect_state "$A" stop
	expect_state "$B" stop
	expect_shown "$A" seed 4711
	# That the driver has seen every byte of it.
	same_state "$A" "$B"
}

@test "256 MiB and 1 byte, and 4 GiB, through a pipe, in at most 32 MiB of memory" {
	local size rows

	measured
	table $((GiB / 4 + 1)) + $((4 * GiB + 1))
	for size in "${rows[@]}"; do
		sim "$A" size "$size"
		sim "$A" seed 4711
		said=".bytes == $((size + 64))"
		through_pipe
		"$VFIOMIGCTL" -q state "$A" running
		"$VFIOMIGCTL" -q state "$B" running
	done
}

@test "256 MiB after as much in pre-copy, compressed, in at most 32 MiB of memory" {
	measured
	sim "$A" size $((GiB / 4))
	sim "$A" initial_bytes $((GiB / 4))
	sim "$A" seed 4711
	said=".bytes == $((GiB / 2 + 128))"
	through_pipe --pre-copy --compress=zstd:1
}

@test "v1: 36 MiB through windows of 16 KiB, in at most 32 MiB of memory" {
	local mmap rows

	lab_teardown
	rm -r "$BATS_TEST_TMPDIR/work"
	migsim_setup migsim-v1
	measured
	sim "$A" v1_window 16384
	sim "$B" v1_window 16384
	sim "$A" size $((36 * MiB))
	# Of each chunk 8 bytes for its length; the header needs one more.
	said=".bytes == $((36 * MiB + 64 + 8 * (36 * MiB / 16384 + 1)))"
	table 1 + 0
	for mmap in "${rows[@]}"; do
		sim "$A" v1_mmap $mmap
		sim "$B" v1_mmap $mmap
		sim "$A" seed 4711
		through_pipe
	done
}
