#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever is wrong with an image, a file or a device: the exit status, the message, and where the
# device is afterwards.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
# shellcheck disable=SC2016 # "$0" is for the shell that is run
load lab.bash

# state.img is a good image of $A. $B holds what reference said, which no failure may change.
setup()
{
	lab_setup
	reference 7
	fill "$A" 3
	fill "$B" 7
	kept_image 3
	cp "$image" state.img
	size=20480
}

# The device was never opened: it runs and holds what it did.
expect_untouched()
{
	expect_state "$1" running
	expect_contents "$1"
	fill "$1" 7
}

# judged STATUS STATE: the last command failed so, said why, and $B is there.
judged()
{
	if ((status != $1)) || [[ ! -s message ]] || ! is_in "$B" "$2"; then
		echo "exit status $status, device in $real"
		cat message
		return 1
	fi
}

# refused FILE: as damaged, by all that read images; a device is not even opened for it.
refused()
{
	status=0
	"$VFIOMIGCTL" -q verify "$1" 2>message || status=$?
	judged 1 running
	status=0
	"$VFIOMIGCTL" -q resume --no-hold "$B" "$1" 2>message || status=$?
	judged 65 running
}

# refused_on_the_way FILE LENGTH STATE: its first LENGTH bytes, by a pipe; the device ends in STATE.
refused_on_the_way()
{
	status=0
	head -c "$2" "$1" | "$VFIOMIGCTL" -q resume --no-hold "$B" - 2>message || status=$?
	judged 65 "$3"
}

# borders: $lengths are where sections end, a byte before that, and in their headers; for
# scripts/sweep the other places there that mean something, too.
borders()
{
	local at by rows

	lengths=()
	table -1 0 63 + 1 64 $((64 + 48)) $((64 + 96))
	for ((at = 0; at <= size; at += 4096)); do
		for by in "${rows[@]}"; do
			((at + by < 0 || at + by >= size)) || lengths+=("$((at + by))")
		done
	done
}

@test "an image cut off anywhere is refused before the device is opened" {
	local length

	borders
	for length in "${lengths[@]}"; do
		head -c "$length" state.img >short
		refused short
	done
	expect_untouched "$B"
}

@test "an image cut off anywhere in a pipe never runs: the device is reset and stopped" {
	local length state

	borders
	for length in "${lengths[@]}"; do
		# Up to the manifest's end nothing is known that would be worth opening a device for.
		state=stop
		((length >= 8192)) || state=running
		is_in "$B" running || "$VFIOMIGCTL" -q reset "$B"
		refused_on_the_way state.img "$length" "$state"
	done
}

@test "what follows an image is refused" {
	local more

	for more in 1 64 4096; do
		head -c $more /dev/zero | cat state.img - >long
		refused long
	done
	cat state.img state.img >twice
	refused twice
	expect_untouched "$B"
}

# flip AT...: state.img with a bit of that byte turned over, as ./flipped.AT; all in one process.
flip()
{
	python3 -IS - "$@" <<-'END'
		import sys

		whole = open("state.img", "rb").read()
		for n, at in enumerate(map(int, sys.argv[1:])):
		    flipped = bytearray(whole)
		    flipped[at] ^= 1 << n % 8
		    open(f"flipped.{at}", "wb").write(flipped)
	END
}

# The unit tests flip every bit of every byte; here it is the whole tool, and a device.
@test "a bit turned over anywhere is refused before the device is opened" {
	local at every=2577 places=()

	[[ -z ${LAB_SWEEP-} ]] || every=859
	for ((at = 0; at < size; at += every)); do
		places+=("$at")
	done
	flip "${places[@]}"
	for at in "${places[@]}"; do
		refused "flipped.$at"
	done
	expect_untouched "$B"
}

@test "a bit turned over anywhere in a pipe never runs" {
	local at state rows

	table 0 4200 8191 8192 8240 12287 12288 16460 20479 + 8 40 4096 {8208..8256..16} 8300 12360 16384
	flip "${rows[@]}"
	for at in "${rows[@]}"; do
		state=stop
		((at >= 8192)) || state=running
		is_in "$B" running || "$VFIOMIGCTL" -q reset "$B"
		refused_on_the_way "flipped.$at" "$size" $state
	done
}


@test "sections dropped, doubled, moved or of another image are refused" {
	local order rows

	# Each is a page.
	split -b 4096 -a 1 -d state.img s
	expect_files s0 s1 s2 s3 s4 state.img
	table '1 2 3 4' '0 1 3 4' '0 1 2 3' '0 1 2 2 3 4' '0 1 2 3 4 4' '0 1 3 2 4' + '0 2 3 4' '0 1 2 4' \
		'0 0 1 2 3 4' '0 1 1 2 3 4' '0 1 2 3 3 4' '0 2 1 3 4' '0 1 2 4 3'
	for order in "${rows[@]}"; do
		read -r -a pages <<<"$order"
		cat "${pages[@]/#/s}" >sections
		refused sections
	done
	"$VFIOMIGCTL" -q save "$A" other.img
	{
		head -c 8192 state.img
		tail -c +8193 other.img
	} >spliced
	refused spliced
	expect_untouched "$B"
}

@test "what is no image is refused as that" {
	head -c 50000 /dev/urandom >random
	head -c 50000 /dev/zero >zero
	: >empty
	echo 'hello' >text
	"$VFIOMIGCTL" -q save --raw "$A" raw
	for file in random zero text raw empty; do
		refused $file
	done
	table random empty + zero text raw
	for file in "${rows[@]}"; do
		migctl 65 --json resume --no-hold "$B" $file
		expect_json '.status == 65' '.outcome == "aborted"' '.owner == "none"' \
			".error.message | startswith(\"$file: \")" '.error.errno == null' \
			'has("state") | not'
		migctl 65 inspect $file
		migctl 65 extract $file out
		[[ ! -e out ]]
	done
	migctl 65 inspect random
	expect_message 'random: at byte 0: not an image'
	expect_untouched "$B"
}

@test "an image of a newer version is refused as that" {
	cp state.img newer.img
	printf '\2' | dd of=newer.img bs=1 seek=8 conv=notrunc status=none
	refused newer.img
	migctl 65 resume --no-hold "$B" newer.img
	expect_message 'newer.img' 'version 2'
	migctl 1 verify newer.img
	expect_message 'version 2'
	expect_untouched "$B"
}

@test "resume: an image of another driver is refused by name, before the device is opened" {
	make_device M mdpy-vga
	migctl 65 --json resume "$M" state.img
	expect_message "$M: the image is of another device: driver is mtty in the image, mdpy here" \
		'--force-mismatch'
	expect_json '.status == 65' '.outcome == "aborted"' '.owner == "none"' \
		'.error.errno == null' 'has("state") | not'
	strace -f -e trace=open,openat -o trace "$VFIOMIGCTL" -q resume "$M" state.img 2>&1 && return 1
	lacks '/dev/(vfio|iommu)' trace
	migctl 65 resume "$M" - <state.img
	# Even so it cannot.
	migctl 69 resume --force-mismatch "$M" state.img
	expect_message "$M: the driver offers no migration"
}

@test "resume: the driver's refusal of a state of another shape: reset and stopped" {
	local way

	make_device ONE mtty-1
	migctl 0 save "$ONE" one.img
	for way in one.img -; do
		"$VFIOMIGCTL" -q reset "$B"
		migctl 74 --json resume --no-hold "$B" $way <one.img
		expect_message "$B: the driver refused the stream's data: Bad address (EFAULT)"
		expect_json '.status == 74' '.outcome == "aborted"' '.owner == "none"' \
			'.accepted == false' '.state == "stop"' '.recovery.reset' '.recovery.ok' \
			'.recovery.found == "resuming"'
		expect_state "$B" stop
	done
	migctl 74 resume --no-hold "$ONE" state.img
	expect_message 'the driver refused'
	expect_state "$ONE" stop
	# It is none the worse for it.
	migctl 0 resume --no-hold "$B" state.img
	expect_state "$B" running
}

@test "resume: a raw stream that is too short, too long, damaged or empty: reset and stopped" {
	"$VFIOMIGCTL" -q save --raw "$A" raw
	head -c 95 raw >short
	head -c 24 raw >shorter
	: >empty
	for file in short shorter empty; do
		"$VFIOMIGCTL" -q reset "$B"
		migctl 65 --json resume --raw --no-hold "$B" $file
		expect_message 'the driver did not accept the state' 'resuming to stop failed' '(EINVAL)'
		expect_json '.status == 65' '.outcome == "aborted"' '.owner == "none"' \
			'.state == "stop"' '.recovery.reset'
		expect_state "$B" stop
	done
	"$VFIOMIGCTL" -q reset "$B"
	echo >>raw
	migctl 74 --json resume --raw --no-hold "$B" raw
	expect_message "the driver refused the stream's data" '(ENOMEM)'
	expect_json '.state == "stop"'
	expect_state "$B" stop
	"$VFIOMIGCTL" -q reset "$B"
	migctl 74 --json resume --raw --no-hold "$B" - < <(head -c 96 /dev/zero)
	expect_message "the driver refused the stream's data" '(EFAULT)'
	expect_json '.state == "stop"'
	expect_state "$B" stop
}

@test "resume, verify, inspect, extract: a file that is not there, a folder, one of others" {
	for command in "resume $B" verify inspect extract; do
		# shellcheck disable=SC2086 # words
		migctl 66 $command none.img
		expect_message 'none.img: cannot open: No such file or directory (ENOENT)'
		# shellcheck disable=SC2086 # words
		migctl 66 $command .
		expect_message '.: a folder'
		# shellcheck disable=SC2086 # words
		migctl 66 $command fd:77
		expect_message 'fd:77: not open here: Bad file descriptor (EBADF)'
		# shellcheck disable=SC2086 # words
		migctl 64 $command ftp:x
		expect_message 'ftp:x: no such kind of FILE'
	done
	expect_untouched "$B"
}

@test "save, resume: FILE that is a terminal is refused" {
	migctl 64 save "$A" fd:9 9<>/dev/ptmx
	expect_message 'fd:9: is a terminal' 'redirect it'
	record bash -c '"$0" save "$1" - <>/dev/ptmx >&0' "$VFIOMIGCTL" "$A"
	((status == 64))
	expect_message 'standard output: is a terminal'
	migctl 64 resume --no-hold "$B" - <>/dev/ptmx
	expect_message 'standard input: is a terminal, not an image'
	expect_state "$A" running
	expect_untouched "$B"
}

@test "save: a file that is there is not replaced" {
	echo precious >file
	migctl 73 --json save "$A" file
	expect_message 'file: cannot create: File exists (EEXIST)' '--force replaces it'
	expect_json '.status == 73' '.outcome == "aborted"' '.owner == "source"' \
		'.error.errno == "EEXIST"' '.error.hint == "--force replaces it"' 'has("state") | not'
	[[ $(<file) == precious ]]
	migctl 73 extract state.img file
	[[ $(<file) == precious ]]
	expect_state "$A" running
}

@test "save: where no file can be made" {
	ln -s nowhere dangling
	mkdir folder
	migctl 73 save "$A" missing/file
	expect_message 'missing/file: cannot create: No such file or directory (ENOENT)'
	migctl 73 save "$A" dangling
	expect_message 'dangling: cannot create: Too many levels of symbolic links (ELOOP)'
	migctl 73 save "$A" folder
	expect_message 'folder: cannot create: Is a directory (EISDIR)'
	migctl 73 save --force "$A" folder
	migctl 73 save "$A" new/
	migctl 73 save "$A" state.img/x
	expect_message '(ENOTDIR)'
	migctl 73 save "$A" fd:9 9<state.img
	expect_message 'fd:9: not open for writing'
	migctl 73 save "$A" fd:88
	migctl 64 save "$A" gopher:host:1
	expect_message 'gopher:host:1: no such kind of FILE'
	mkdir ro
	mount -t tmpfs -o ro none ro
	migctl 73 save "$A" ro/file
	expect_message 'ro/file: cannot create: Read-only file system (EROFS)'
	umount ro
	[[ ! -e nowhere && ! -e new ]]
	expect_state "$A" running
}

@test "save: a full disk: nothing is left, the device runs again" {
	local how

	mkdir small
	mount -t tmpfs -o size=16k none small
	for how in '' --pre-copy --compress=zstd; do
		# shellcheck disable=SC2086 # or nothing
		migctl 74 --json save $how "$A" small/file
		expect_message 'small/file: writing: No space left on device (ENOSPC)'
		expect_json '.status == 74' '.outcome == "aborted"' '.owner == "source"' \
			'.file_bytes == 0' '.state == "running"' '.down == false'
		expect_state "$A" running
		(cd small && expect_files)
	done
	# What was there before survives a failed replacement.
	echo precious >small/file
	migctl 74 save --force "$A" small/file
	[[ $(<small/file) == precious ]]
	(cd small && expect_files file)
	umount small
	migctl 74 save "$A" /dev/full
	expect_message '/dev/full: writing: No space left on device (ENOSPC)'
	expect_state "$A" running
	fill "$A" 7
	expect_contents "$A"
}

@test "save: no room for what the driver expects: the device is not stopped" {
	mkdir small
	mount -t tmpfs -o size=4k none small
	head -c 4096 /dev/zero >small/full
	migctl 73 --json save "$A" small/file
	expect_message 'small/file: 0 B free, and the driver of ' 'expects 96 B'
	expect_json '.outcome == "aborted"' '.owner == "source"' 'has("arcs") | not'
	umount small
	expect_state "$A" running
}

@test "save: a stopped device is stopped again after a failure" {
	migctl 0 state "$A" stop
	mkdir small
	mount -t tmpfs -o size=12k none small
	migctl 74 --json save "$A" small/file
	expect_json '.state_found == "stop" and .state == "stop"' '.owner == "source"'
	expect_state "$A" stop
	migctl 74 --json save --leave=stop "$B" small/file
	expect_json '.state_found == "running" and .state == "running"'
	umount small
	expect_untouched "$B"
}

@test "save: a reader that is gone" {
	exec 7> >(:)
	wait $! || true # it may have been waited for already
	migctl 74 --json save "$A" fd:7
	expect_message 'fd:7: writing: Broken pipe (EPIPE)'
	# The device has not even left its state for it.
	expect_json '.status == 74' '.outcome == "aborted"' '.owner == "source"' '.state == "running"' \
		'.arcs == []'
	migctl 74 --json save --raw "$A" fd:7
	exec 7>&-
	expect_json '.status == 74' '.outcome == "aborted"' '.owner == "source"' \
		'.state_found == "running" and .state == "running"'
	expect_state "$A" running
}

@test "save: data and JSON cannot share standard output" {
	migctl 64 --json save "$A" -
	[[ -z $output ]]
	expect_message '--json and the data both want standard output'
	expect_state "$A" running
}

@test "a device that is not there is named in the message" {
	local spec

	for spec in 12345678-1234-1234-1234-123456789abc:mdev 0000:ff:1f.7:'PCI device' \
		ff:1f.7:'PCI device' vfio777:'VFIO device' /dev/vfio/devices/vfio777:device \
		/sys/bus/mdev/devices/none:device; do
		migctl 66 --json save "${spec%:*}" new
		expect_message "no such ${spec##*:}"
	done
	expect_json '.status == 66' '.outcome == "aborted"' '.error.errno == null'
	table 12345678-1234-1234-1234-123456789abc + ff:1f.7 vfio777 /dev/vfio/devices/vfio777
	for spec in "${rows[@]}"; do
		migctl 66 resume "$spec" state.img
		expect_message 'no such '
		migctl 66 state "$spec"
		migctl 66 info "$spec"
		migctl 66 reset "$spec"
	done
	[[ ! -e new ]]
}

@test "what is no name of a device is refused as that" {
	local spec

	for spec in '' nonsense 0000:3b 12345678-1234 vfio vfio-1 /dev/null /etc /tmp/ \
		"$(printf 'x%.0s' {1..5000})"; do
		migctl 64 save "$spec" new
		expect_message 'a device is named by its PCI address'
	done
	migctl 64 save fd:x new
	expect_message "fd:x: not a file descriptor's number"
	migctl 64 save /dev/vfio/vfio new
	[[ ! -e new ]]
}

@test "save, resume, state: a device that cannot migrate; reset: can be all the same" {
	make_device M mdpy-vga
	migctl 69 --json save "$M" new
	expect_message "$M: the driver offers no migration: Inappropriate ioctl for device (ENOTTY)"
	expect_json '.status == 69' '.outcome == "aborted"' '.error.errno == "ENOTTY"'
	[[ ! -e new ]]
	"$VFIOMIGCTL" -q save --raw "$A" raw
	migctl 69 resume --raw "$M" raw
	expect_message "$M: the driver offers no migration"
	migctl 69 --json state "$M"
	expect_message "$M: the driver offers no migration"
	expect_json '.status == 69' '.state == null' '.state_found == null'
	migctl 69 state "$M" stop
	# That it can.
	migctl 0 --json reset "$M"
	expect_json '.status == 0' '.state_found == null' '.state == null' '.reset_ns > 0'
	migctl 0 --json info "$M"
	expect_json '.migratable == false' '.reason | endswith("the driver offers no migration")'
}

@test "resume: --no-hold is refused for a device that may lose its state" {
	make_device M mdpy-vga
	migctl 69 --json resume --no-hold "$M" state.img
	expect_message "$M: --no-hold: closing it may reset it, and the state is lost then" 'fd:N'
	expect_json '.status == 69' '.outcome == "aborted"' '.error.errno == null'
}

@test "save: a device in RESUMING has no state to save" {
	migctl 0 state "$A" resuming
	migctl 81 --json save "$A" new
	expect_message "$A: is in resuming: there is no state to save" "vfiomigctl reset $A"
	expect_json '.status == 81' '.outcome == "device-error"' \
		'.state_found == "resuming" and .state == "resuming"' '.owner == "none"'
	[[ ! -e new ]]
	expect_state "$A" resuming
	migctl 0 reset "$A"
	expect_state "$A" running
}

@test "extract: what cannot be extracted leaves no file" {
	head -c $((size - 1)) state.img >short
	migctl 65 extract short out
	[[ ! -e out ]]
	migctl 66 extract --device nobody state.img out
	expect_message "no device 'nobody' in the image"
	migctl 66 extract --device 1 state.img out
	[[ ! -e out ]]
	migctl 74 extract state.img /dev/full
	migctl 64 --json extract state.img
	"$VFIOMIGCTL" -q save --force "$A" state.img
	migctl 0 extract --device "$A" state.img out
	migctl 0 extract --device 0 --force state.img out
	[[ $(stat -c %s out) == 96 ]]
}

@test "a report that does not arrive is a failure" {
	record bash -c '"$0" inspect "$1" >/dev/full' "$VFIOMIGCTL" state.img
	((status == 74))
	expect_message 'standard output: the report is lost: No space left on device (ENOSPC)'
}
