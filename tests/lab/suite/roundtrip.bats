#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a device holds arrives in another, byte for byte, whichever way it goes.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

setup()
{
	lab_setup
	reference 20
	fill "$A" 20
}

# $B runs with what $A held, and $A as if nothing had been.
expect_copied()
{
	expect_state "$A" running
	expect_state "$B" running
	expect_contents "$B"
	expect_contents "$A"
}

# The same of $A alone.
expect_undisturbed()
{
	expect_state "$A" running
	expect_contents "$A"
}

@test "save, resume: through a file" {
	migctl 0 save "$A" state.img
	[[ $output == *'state now    running'* ]]
	expect_files state.img
	migctl 0 resume --no-hold "$B" state.img
	[[ $output == *'state now    running'* ]]
	expect_copied
}

@test "save, resume: through a pipe" {
	"$VFIOMIGCTL" save "$A" - 2>save.err | "$VFIOMIGCTL" resume --clone --no-hold "$B" - >resume.out
	[[ ${PIPESTATUS[*]} == '0 0' ]]
	[[ $(<save.err) == *'state now    running'* ]]
	[[ $(<resume.out) == *'state now    running'* ]]
	expect_copied
}

@test "save, resume: through a FIFO" {
	mkfifo fifo
	start resume "$VFIOMIGCTL" resume --clone --no-hold "$B" fifo
	migctl 0 save "$A" fifo
	finish resume 0
	[[ -p fifo ]]
	expect_copied
}

@test "save, resume: --raw through a file" {
	migctl 0 save --raw "$A" state.raw
	[[ $(stat -c %s state.raw) == 96 ]]
	migctl 0 resume --raw --no-hold "$B" state.raw
	expect_copied
}

@test "save, resume: --raw through a pipe" {
	"$VFIOMIGCTL" -q save --raw "$A" - | "$VFIOMIGCTL" -q resume --raw --clone --no-hold "$B" -
	[[ ${PIPESTATUS[*]} == '0 0' ]]
	expect_copied
}

@test "save, resume: --compress, through a file and a pipe" {
	local how

	for how in none zstd zstd:1 zstd:19; do
		migctl 0 save --force --compress=$how "$A" state.img
		migctl 0 resume --no-hold "$B" state.img
		expect_state "$B" running
		expect_contents "$B"
	done
	# What would take a page either way is stored as it is.
	migctl 0 --json inspect --sections state.img
	expect_json '.sections[] | select(.type == "data") | .size == 96 and .raw_size == 96'
	"$VFIOMIGCTL" -q save --compress=zstd "$A" - | "$VFIOMIGCTL" -q resume --clone --no-hold "$B" -
	[[ ${PIPESTATUS[*]} == '0 0' ]]
	expect_copied
}


@test "save, resume: opened by cdev and by group, in every pairing" {
	local from to

	for from in cdev group; do
		for to in cdev group; do
				migctl 0 --json save --force --via $from "$A" state.img
			expect_json ".device.via == \"$from\""
			migctl 0 --json resume --no-hold --via $to "$B" state.img
			expect_json ".device.via == \"$to\"" '.state == "running"'
			expect_contents "$B"
		done
	done
	expect_undisturbed
}

@test "save, resume: with pre-copy" {
	migctl 0 --json save --pre-copy "$A" state.img
	expect_json '[.arcs[].to] == ["pre-copy", "pre-copy-p2p", "stop-copy", "stop",
		"running-p2p", "running"]' '.bytes == 96'
	migctl 0 resume --no-hold "$B" state.img
	expect_copied
}

@test "save, resume: with pre-copy it is the same stream as without" {
	migctl 0 save --raw "$A" plain
	migctl 0 save --raw --pre-copy --max-time=5 "$A" precopied
	cmp plain precopied
	expect_state "$A" running
}

@test "save, resume: devices that somebody else opened, by cdev and by group" {
	local via

	for via in cdev group; do
		record -0 "$tools/with-fd" --via $via "$A" 9 "$VFIOMIGCTL" save --force fd:9 state.img
		record -0 "$tools/with-fd" --via $via "$B" 17 "$VFIOMIGCTL" resume --no-hold fd:17 \
			state.img
		expect_contents "$B"
	done
	expect_undisturbed
}

@test "save, resume: FILE as file:PATH and as a descriptor" {
	migctl 0 save "$A" file:with:colon
	migctl 0 save "$A" fd:7 7>by-fd
	run -1 cmp -s with:colon by-fd # each image has an id of its own
	migctl 0 resume --no-hold "$B" fd:5 5<by-fd
	expect_contents "$B"
	migctl 0 resume --no-hold "$B" file:with:colon
	expect_copied
}

@test "save, resume: three times there and back, and nothing stays open in who holds both" {
	cat >thrice <<-'END'
		fds() { ls "/proc/$$/fd"; }

		before=$(fds)
		for i in {1..3}; do
			"$1" -q save --force fd:10 state.img || exit
			"$1" -q resume --no-hold fd:11 state.img || exit
			"$1" -q save fd:11 - | "$1" -q resume --clone --no-hold fd:10 - || exit
		done
		[[ $(fds) == "$before" ]] || exit 99
	END
	record -0 "$tools/with-fd" "$A" 10 "$tools/with-fd" "$B" 11 bash thrice "$VFIOMIGCTL"
	expect_copied
}

@test "save: only what is needed is open while it goes on" {
	clog fifo 0
	start save "$VFIOMIGCTL" save --raw "$A" fifo
	eventually is_in "$A" stop-copy
	open_files "$save"
	nodes "$A"
	# The device, what it is bound to, its stream, the output, and how to end, and sooner.
	[[ $files == "$(printf '%s\n' "$cdev" /dev/iommu "$PWD/fifo" 'anon_inode:[eventfd]' \
		'anon_inode:[eventfd]' 'anon_inode:[eventfd]' 'anon_inode:[signalfd]' 'anon_inode:mtty_mig' | sort)" ]]
	kill -INT "$save"
	finish save 75
	expect_state "$A" running
}

@test "resume: only the device stays open while it is held" {
	migctl 0 save "$A" state.img
	start resume "$VFIOMIGCTL" resume "$B" state.img
	eventually wrote resume.err 'held open'
	open_files "$resume"
	nodes "$B"
	[[ $files == "$(printf '%s\n' "$cdev" /dev/iommu 'anon_inode:[signalfd]' | sort)" ]]
	kill -TERM "$resume"
	finish resume 0
	expect_copied
}

# open_files PID: $files is what it has open beyond what it was started with.
open_files()
{
	local fd link

	files=$(
		for fd in "/proc/$1/fd"/*; do
			link=$(readlink "$fd")
			((${fd##*/} < 3)) || [[ $(readlink "/proc/self/fd/${fd##*/}") == "$link" ]] ||
				echo "$link"
		done | sort
	)
	echo "open: $files"
}

@test "extract: the stream of an image is what --raw writes" {
	migctl 0 save --raw "$A" state.raw
	migctl 0 save "$A" state.img
	migctl 0 save --compress=zstd "$A" small.img
	migctl 0 extract state.img extracted
	cmp state.raw extracted
	"$VFIOMIGCTL" -q extract small.img | cmp state.raw -
	[[ ${PIPESTATUS[*]} == '0 0' ]]
	migctl 0 resume --raw --no-hold "$B" extracted
	expect_copied
}

@test "save: a stopped device is saved and left stopped" {
	migctl 0 state "$A" stop
	migctl 0 --json save "$A" state.img
	expect_json '.state_found == "stop"' '.state == "stop"' '.down == false' \
		'[.arcs[].to] == ["stop-copy", "stop"]' '.outcome == "completed"'
	expect_state "$A" stop
	migctl 0 resume --no-hold "$B" state.img
	expect_contents "$B"
	expect_contents "$A"
}

@test "save: a quiescent device is saved and left quiescent" {
	migctl 0 state "$A" running-p2p
	migctl 0 --json save "$A" state.img
	expect_json '.state_found == "running-p2p"' '.state == "running-p2p"'
	expect_state "$A" running-p2p
	migctl 0 resume --no-hold "$B" state.img
	expect_contents "$B"
}

@test "save: --leave=stop leaves it stopped" {
	migctl 0 --json save --leave=stop "$A" state.img
	expect_json '.state_found == "running"' '.state == "stop"' '.down == true' \
		'.outcome == "completed"' '.owner == "source"'
	expect_state "$A" stop
	migctl 0 resume --no-hold "$B" state.img
	expect_contents "$B"
	migctl 0 state "$A" running
	expect_undisturbed
}

@test "resume: --stop leaves it stopped, with the state in it" {
	migctl 0 save "$A" state.img
	migctl 0 --json resume --no-hold --stop "$B" state.img
	expect_json '.state == "stop"' '.accepted' '[.arcs[].to] == ["running-p2p", "stop",
		"resuming", "stop"]'
	expect_state "$B" stop
	migctl 0 state "$B" running
	expect_copied
}

@test "resume: into a device that was stopped, and one that was left in STOP_COPY" {
	local state

	migctl 0 save "$A" state.img
	for state in stop stop-copy running-p2p; do
		migctl 0 state "$B" $state
		migctl 0 resume --no-hold "$B" state.img
		expect_state "$B" running
		expect_contents "$B"
	done
	expect_undisturbed
}

@test "save: the device goes on with what it held" {
	migctl 0 save "$A" state.img
	expect_state "$A" running
	expect_contents "$A"
}

@test "save: one of many saves is like the other" {
	migctl 0 save --raw "$A" 1
	migctl 0 save --raw --via group "$A" 2
	migctl 0 save --raw --pre-copy "$A" 3
	cmp 1 2
	cmp 1 3
}

@test "save: --force replaces a file, whole" {
	head -c 100000 /dev/urandom >state.img
	migctl 0 save --force "$A" state.img
	[[ $output == *'file size    20.0 KiB (20480 bytes)'* ]]
	[[ $(stat -c %s state.img) == 20480 ]]
	expect_files state.img
	migctl 0 verify state.img
}

@test "save: nobody else may read the image, whatever the umask" {
	umask 0
	migctl 0 save "$A" state.img
	migctl 0 save --force "$B" state.img
	[[ $(stat -c %a state.img) == 600 ]]
}

@test "save: onto a file system without nameless files, and nothing is left beside it" {
	local name

	mkdir hostfs
	mount -t hostfs -o "$(hostfs_folder)" none hostfs
	name=$(mktemp -u state.XXXXXXXX)
	(
		cd hostfs || exit
		migctl 0 save "$A" "$name"
		migctl 0 verify "$name"
		migctl 73 save "$A" "$name"
		migctl 0 save --force "$A" "$name"
		shopt -s dotglob nullglob
		files=(*"$name"*)
		[[ ${files[*]} == "$name" ]] || exit
		migctl 0 resume --no-hold "$B" "$name"
		rm "$name"
	)
	umount hostfs
	expect_copied
}

# One that goes away with the machine: what it shares with who booted it.
hostfs_folder()
{
	findmnt -n -o FSROOT -M /run/lab
}

@test "save: a device node is written to as it is" {
	migctl 0 save "$A" /dev/null
	[[ -c /dev/null ]]
	expect_state "$A" running
}

@test "save, resume: their reports say what was done" {
	migctl 0 --json save "$A" state.img
	expect_json '.schema == 1' '.command == "save"' ".device.address == \"$A\"" \
		'.device.driver == "mtty"' '.file == "state.img"' '.format == "image"' \
		'.bytes == 96' '.file_bytes == 20480' '.status == 0' '.outcome == "completed"' \
		'.owner == "source"' '.downtime_ns >= ([.arcs[].ns] | add)' '.down == false' \
		'[.arcs[].to] == ["running-p2p", "stop", "stop-copy", "stop", "running-p2p", "running"]'
	migctl 0 --json resume --no-hold "$B" state.img
	expect_json '.schema == 1' '.command == "resume"' ".device.address == \"$B\"" \
		'.bytes == 96' '.accepted' '.state_found == "running" and .state == "running"' \
		'.status == 0' '.outcome == "completed"' '.owner == "destination"' \
		'[.arcs[].to] == ["running-p2p", "stop", "resuming", "stop", "running-p2p", "running"]'
	migctl 0 --json inspect state.img
	expect_json '.complete' '.devices | length == 1' ".devices[0].address == \"$A\"" \
		'.devices[0].driver == "mtty"' '.devices[0].bytes == 96' '.devices[0].frames == 1' \
		'.devices[0].migration_flags == ["stop-copy", "p2p", "pre-copy"]' \
		".image.kernel == \"$(uname -r)\"" '.image.version == "1.0"'
	migctl 0 --json verify state.img
	expect_json '.good' '.bytes == 96' '.status == 0'
}

@test "save, resume: quiet means quiet" {
	migctl 0 -q save "$A" state.img
	[[ -z $output$stderr ]]
	migctl 0 -q resume --no-hold "$B" state.img
	[[ -z $output$stderr ]]
	expect_copied
}

@test "save, resume: --dry-run opens nothing, writes nothing and says so" {
	migctl 0 save "$A" state.img
	strace -f -e trace=open,openat,creat -o trace "$VFIOMIGCTL" --json save --dry-run "$A" new >out
	[[ $(jq .dry_run out) == true && ! -e new ]]
	lacks '/dev/(vfio|iommu)' trace
	strace -f -e trace=open,openat -o trace "$VFIOMIGCTL" --json resume --dry-run "$B" state.img >out
	[[ $(jq '.dry_run and .verified and .fits == "yes"' out) == true ]]
	lacks '/dev/(vfio|iommu)' trace
	expect_state "$A" running
	expect_state "$B" running
	blank "$A"
	blank "$B"
	expected=$("$tools/uart" "$A" show)
	expect_contents "$B"
}
