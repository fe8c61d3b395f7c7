#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Devices with the habits of each driver, and with each habit by itself: whatever they are, what one
# holds arrives in another. The driver itself looks at every byte of it; the digest of both devices
# is the same only if all of it arrived.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

setup()
{
	begin migsim-v2
}

# begin TYPE: as migsim_setup.
begin()
{
	migsim_setup "$1"
	type=$1
}

# be PROFILE: both devices are such, and keep what they hold when they are closed.
be()
{
	local uuid

	echo "- profile $1"
	for uuid in "$A" "$B"; do
		sim "$uuid" profile "$1"
		plain "$uuid"
	done
}

# habit UUID NAME=VALUE...
habit()
{
	local uuid=$1 it

	shift
	echo "- $*"
	for it; do
		sim "$uuid" "${it%%=*}" "${it#*=}"
	done
}

# may_precopy: whether $A says so. With v1 all do.
may_precopy()
{
	[[ $type != migsim-v1 ]] || return 0
	shown "$A" caps
	((shown & 4))
}

# Whether it is opened by cdev or by group, as a test goes through them; $options are those of save.
via=cdev
options=()
seed=0

# handed_over: $B is given what $A holds. Both are stopped then, and hold the same.
handed_over()
{
	local path

	sim "$A" seed $((++seed))
	sim "$B" seed 0xdead
	is_in "$A" running || "$VFIOMIGCTL" -q state "$A" running
	is_in "$B" running || "$VFIOMIGCTL" -q state "$B" running
	migctl 0 --json save --force --leave=stop --via "$via" "${options[@]}" "$A" state.img
	path
	expect_json '.outcome == "completed"' '.state_found == "running" and .state == "stop"' \
		".device.via == \"$via\"" '.down' "[.arcs[].to] == [$path]"
	expect_state "$A" stop
	expect_shown "$A" seed "$seed"
	expect_frozen "$A"
	held --stop
	expect_state "$B" stop
	expect_frozen "$B"
	same_state "$A" "$B"
	let_go
	expect_json '.outcome == "completed"' '.state_found == "running" and .state == "stop"' \
		'.accepted' ".device.via == \"$via\"" '.owner == "destination"'
	expect_state "$B" stop
	same_state "$A" "$B"
}

# held [--stop]: $B is loaded and held.
held()
{
	start resume "$VFIOMIGCTL" --json resume --via "$via" "$@" "$B" state.img
	eventually wrote resume.err 'held open'
}

let_go()
{
	kill -TERM "$resume"
	finish resume 0
}

# moved OPTION...: the quick way, for tables of habits: $A runs on, and $B, which somebody holds, is
# given what $A holds. $output is the report of the save.
moved()
{
	local report

	sim "$A" seed $((++seed))
	sim "$B" seed 0xdead
	migctl 0 --json save --force "$@" "$A" state.img
	report=$output
	expect_state "$A" running
	expect_shown "$A" seed "$seed"
	counts "$A"
	record -0 "$tools/with-fd" "$B" 9 "$VFIOMIGCTL" --json resume --no-hold --stop \
		fd:9 state.img
	echo "$stderr"
	expect_state "$B" stop
	expect_shown "$B" seed "$seed"
	shown "$A" size
	expect_shown "$B" size "$shown"
	expect_frozen "$B"
	output=$report
}

# handed_over_running: as handed_over, and both run on.
handed_over_running()
{
	sim "$A" seed $((++seed))
	sim "$B" seed 0xbeef
	migctl 0 state --via "$via" "$A" running
	counts "$A"
	migctl 0 --json save --force --via "$via" "${options[@]}" "$A" state.img
	expect_json '.outcome == "completed"' '.state_found == "running" and .state == "running"' \
		'.down == false'
	expect_state "$A" running
	expect_shown "$A" seed "$seed"
	counts "$A"
	held
	expect_state "$B" running
	expect_shown "$B" seed "$seed"
	counts "$B"
	let_go
	expect_json '.state == "running"' '.accepted'
	expect_state "$B" running
	expect_shown "$B" seed "$seed"
	counts "$B"
}

# everywhere: by cdev and by group, with and without pre-copy.
everywhere()
{
	by cdev group
}

# by_cdev: the same, but by group only for scripts/sweep: how a device is opened does not depend on
# its habits.
by_cdev()
{
	local rows

	table cdev + group
	by "${rows[@]}"
}

# by VIA...
by()
{
	for via; do
		options=()
		handed_over
		if may_precopy; then
			options=(--pre-copy --max-time=60)
			handed_over
		fi
		handed_over_running
	done
}

# $path is what its capabilities allow.
path()
{
	local precopy=${options:+yes}

	path='"stop-copy", "stop"'
	if [[ $type == migsim-v1 ]]; then
		path=${precopy:+'"pre-copy", '}$path
	else
		shown "$A" caps
		case $((shown)):$precopy in
		1:* | 5:) path='"stop", '$path ;;
		5:yes) path='"pre-copy", '$path ;;
		3:* | 7:) path='"running-p2p", "stop", '$path ;;
		7:yes) path='"pre-copy", "pre-copy-p2p", '$path ;;
		esac
	fi
}

@test "v2: none" {
	be none
	everywhere
}

@test "v2: mlx5" {
	be mlx5
	by_cdev
}

@test "v2: hisi_acc" {
	be hisi_acc
	by_cdev
}

@test "v2: pds" {
	be pds
	by_cdev
}

@test "v2: qat" {
	be qat
	by_cdev
}

@test "v2: virtio" {
	be virtio
	by_cdev
}

@test "v2: xe" {
	be xe
	by_cdev
}

@test "v2: mtty" {
	be mtty
	by_cdev
}

# begin_v1: other devices.
begin_v1()
{
	lab_teardown
	rm -r "$BATS_TEST_TMPDIR/work"
	begin migsim-v1
}

@test "v1: none" {
	begin_v1
	everywhere
}

@test "v1: mlx5" {
	begin_v1
	be mlx5
	by_cdev
}

@test "v1: qat" {
	begin_v1
	be qat
	by_cdev
}

#
# Habits
#

@test "an image of another profile is refused before the device is opened" {
	sim "$B" profile qat
	plain "$B"
	migctl 0 save "$A" state.img
	migctl 65 --json resume "$B" state.img
	expect_message "$B: the image is of another device: vendor is 0x1b36 in the image," \
		'0x8086 here' '--force-mismatch'
	expect_json '.state == "running"' '.accepted == false' '.outcome == "aborted"'
	expect_state "$B" running
	expect_shown "$B" seed 0
	expect_shown "$B" resets 0
}

@test "a device that is reset by each opening: what an address gets is blank, and is lost again" {
	# Who opens it saves a blank one.
	sim "$A" reset_on_open 1
	sim "$A" seed 5
	migctl 0 save --leave=stop "$A" state.img
	expect_shown "$A" seed 0
	expect_state "$A" running
	held --stop
	expect_state "$B" stop
	expect_shown "$B" seed 0
	let_go

	# What it was given lasts as long as somebody holds it.
	plain "$A"
	sim "$A" seed 5
	migctl 0 save --force --leave=stop "$A" state.img
	"$VFIOMIGCTL" -q state "$B" running
	sim "$B" reset_on_open 1
	held --stop
	expect_state "$B" stop
	same_state "$A" "$B"
	let_go
	expect_state "$B" running
	expect_shown "$B" seed 0
	migctl 69 resume --no-hold "$B" state.img
	expect_message "$B: --no-hold: closing it may reset it, and the state is lost then"
	expect_state "$B" running
	expect_shown "$B" seed 0
}

# What somebody does who holds both: descriptors 10 and 11.
holder()
{
	cat >holder <<-'END'
		d=/sys/bus/mdev/devices
		show() { printf '%s %s %s\n' "$1" "$(<$d/$2/migsim/state)" "$(<$d/$2/migsim/digest)"; }

		tool=$1 a=$2 b=$3
		echo 77 >$d/$a/migsim/seed
		"$tool" -q save --force --leave=stop fd:10 held.img || exit
		show A $a
		"$tool" -q resume --no-hold --stop fd:11 held.img || exit
		show B $b
		"$tool" -q state fd:10 running || exit
		"$tool" -q state fd:11 running || exit
		echo "$(<$d/$a/migsim/seed) $(<$d/$b/migsim/seed)"
		echo "$(<$d/$a/migsim/state) $(<$d/$b/migsim/state)"
	END
	record -0 "$tools/with-fd" --via "$1" "$A" 10 "$tools/with-fd" --via "$1" "$B" 11 \
		bash holder "$VFIOMIGCTL" "$A" "$B"
	echo "$output"
	mapfile -t lines <<<"$output"
	[[ ${lines[0]} =~ ^'A stop '[0-9a-f]{16}$ ]]
	[[ ${lines[1]} == "${lines[0]/A/B}" ]]
	[[ ${lines[2]} == '77 77' && ${lines[3]} == 'running running' && ${#lines[@]} == 4 ]]
}

@test "list, state: of a device that no process holds, debugfs has only an old state" {
	local entry=".devices[] | select(.address == \"$A\")"

	"$VFIOMIGCTL" -q state "$A" stop
	[[ $(</sys/kernel/debug/vfio/"$A"/migration/state) == STOP ]]
	migctl 0 --json list
	expect_json "[$entry] == [$entry | select(.migratable and .state == null)]"
	migctl 0 list "$A"
	[[ ${lines[1]} =~ ^$A\ +migsim\ .*\ yes\ +-\ +-\  ]]
	migctl 0 --json state --dry-run "$A"
	expect_json '.state == null'
	migctl 0 --json state "$A"
	expect_json '.state == "stop"' '.source == "device"'
	run -0 "$tools/with-fd" "$A" 10 bash -c '"$0" --json state "$1" && "$0" list "$1" && :' \
		"$VFIOMIGCTL" "$A"
	echo "$output"
	[[ $output == *'"source": "debugfs"'*'yes         stop '*' bash['* ]]
}

@test "PRECOPY_INFOv2: asking a device that another process holds does not opt in, pre-copy does" {
	local offered=0

	((${LAB%%.*} < 7)) || offered=1
	# shellcheck disable=SC2016 # for that shell
	run -0 "$tools/with-fd" "$A" 10 bash -c '
		seen=/sys/bus/mdev/devices/$1/migsim/precopy_v2
		"$0" --json info fd:10 | jq .precopy_info_v2
		"$0" -q state fd:10 && "$0" -q list fd:10 && "$0" -q save fd:10 - >whole || exit
		cat "$seen"
		"$0" -q save --pre-copy fd:10 - >whole || exit
		cat "$seen"' "$VFIOMIGCTL" "$A"
	echo "$output"
	[[ ${lines[0]} == "$( ((offered)) && echo true || echo false)" ]]
	[[ ${lines[1]} == 0 && ${lines[2]} == "$offered" && ${#lines[@]} == 3 ]]
	# The opt-in ended with the last close.
	migctl 0 info "$A"
	expect_shown "$A" precopy_v2 0
}

@test "a device that is reset by each opening, held by somebody else: nothing is lost" {
	local row profile via uuid rows

	table 'none cdev' 'mlx5 group' + 'none group' 'mlx5 cdev' {hisi_acc,pds,qat,virtio}\ {cdev,group}
	for row in "${rows[@]}"; do
		read -r profile via <<<"$row"
		for uuid in "$A" "$B"; do
			sim "$uuid" profile "$profile"
			expect_shown "$uuid" reset_on_open 1
		done
		holder "$via"
		# Until it is let go.
		for uuid in "$A" "$B"; do
			expect_state "$uuid" running
			expect_shown "$uuid" seed 0
		done
	done
	begin_v1
	sim "$A" reset_on_open 1
	sim "$B" reset_on_open 1
	holder cdev
	expect_shown "$A" seed 0
	expect_shown "$B" seed 0
}

@test "pre-copy: what is read early and what is dirtied comes on top" {
	local end row initial dirty early size=200000 rows

	# All that is told is read, since no downtime fits.
	local all=(--pre-copy --downtime-limit=0 --max-rounds=3)

	sim "$A" size $size
	table 'enomsg 0 0 0' 'zero 0 1 65' 'enomsg 64 1 193' 'zero 200000 200000 400128' + \
		enomsg\ {'0 1 65','0 70000 70064','1 0 65','200000 200000 400128'} \
		zero\ {'0 0 0','0 70000 70064','1 0 65','64 1 193'}
	for row in "${rows[@]}"; do
		read -r end initial dirty early <<<"$row"
		habit "$A" "precopy_end=$end" "initial_bytes=$initial" "dirty_bytes=$dirty"
		moved "${all[@]}"
		told bytes $((early + 64 + size))
		told verdict limit
	done
}

@test "pre-copy: of a device that makes dirty contents readable only for who asks" {
	# As mlx5; but nothing new comes with time.
	habit "$A" size=1000000 initial_bytes=100000 dirty_bytes=500000 dirty_by=query
	moved --pre-copy --downtime-limit=0 --max-rounds=3
	expect_json ".bytes == $((100064 + 500064 + 1000064))"
	# So little that it is left for the end.
	moved --pre-copy
	expect_json ".bytes == $((100064 + 1000064))" '.precopy.verdict == "converged"' \
		'.precopy.dirty_bytes == 500064'
	# As virtio: for who asks again at once there is nothing.
	habit "$A" query_interval=60000
	moved --pre-copy
	expect_json ".bytes >= $((100064 + 1000064))" '[.arcs[].to] | contains(["pre-copy-p2p"])'
	habit "$A" query_interval=100 poll=1 nonblock=1
	moved --pre-copy
	expect_json ".bytes >= $((100064 + 1000064))"
}

@test "pre-copy: a device that makes more than can be read is stopped all the same" {
	local by

	for by in read query; do
		habit "$A" size=8000000 initial_bytes=1000 dirty_rate=100000000000 dirty_by=$by
		migctl 0 --json save --raw --pre-copy --max-time=1 "$A" /dev/null
		expect_json '.bytes > 8000000' '.arcs[0].to == "pre-copy"' '.outcome == "completed"' \
			'.state == "running"'
		expect_state "$A" running
		counts "$A"
	done
}

@test "pre-copy: a device that is configured anew starts over, where the kernel can say so" {
	local again=100064 bytes=$((100064 + 64 + 500000)) path='"pre-copy", "pre-copy-p2p"' rest

	rest='"stop-copy", "stop", "running-p2p", "running"'
	[[ $LAB != 6.* ]] || again=0
	habit "$A" size=500000 initial_bytes=100000 reinit_after=1
	moved --pre-copy
	expect_json ".bytes == $((bytes + again))" "[.arcs[].to] == [$path, $rest]"
	# Between the last look and its quiescence.
	habit "$A" reinit_after=2
	moved --pre-copy
	((again == 0)) || path+=", $path"
	expect_json ".bytes == $((bytes + again))" "[.arcs[].to] == [$path, $rest]"
	# Without P2P nobody asks then.
	habit "$A" caps=5
	habit "$B" caps=5
	moved --pre-copy
	expect_json ".bytes == $bytes" \
		'[.arcs[].to] == ["pre-copy", "stop-copy", "stop", "running"]'
}

@test "a driver that takes and gives little at a time" {
	local row max size rows

	table '1 300' '63 5000' + '4096 5000'
	for row in "${rows[@]}"; do
		read -r max size <<<"$row"
		habit "$A" "read_max=$max" "size=$size" initial_bytes=100
		habit "$B" "write_max=$max"
		moved
		told bytes $((64 + size))
		moved --pre-copy
		told bytes $((164 + 64 + size))
	done
	habit "$A" size=3000000 read_max=4097
	habit "$B" write_max=65537
	moved --pre-copy
	told bytes 3000228
}

@test "the size that the driver says is an estimate, or it says none" {
	local row says size rows

	table 'exact 0' 'over 300000' 'none 300000' + 'exact 300000' 'over 0' 'none 0'
	for row in "${rows[@]}"; do
		read -r says size <<<"$row"
		habit "$A" "data_size=$says" "size=$size"
		moved
		told bytes $((64 + size))
	done
}

@test "a driver that has poll(), that lets wait, that takes O_NONBLOCK" {
	local row poll nonblock option rows

	# With pre-copy it is read in both states.
	table '0 0 --pre-copy' '0 1 --pre-copy' '1 0 --pre-copy' '1 1 --pre-copy' '1 1' + '0 0' '0 1' '1 0'
	for row in "${rows[@]}"; do
		read -r poll nonblock option <<<"$row"
		habit "$A" "poll=$poll" "nonblock=$nonblock" prepare=50 initial_bytes=1000
		# shellcheck disable=SC2086 # or none
		moved $option
	done
}

@test "states of any size: none, a byte, a frame of the image and a byte more or less" {
	local frame=$(((1 << 20) - 64)) size rows

	table 0 1 $((frame - 64)) $((frame - 63)) + 64 $((frame - 65)) $((frame - 1)) $frame \
		$((frame + 1)) $((2 * frame - 64))
	for size in "${rows[@]}"; do
		habit "$A" size="$size"
		moved
		told bytes $((64 + size))
	done
	table 0 $((frame - 64)) + 1 $((frame - 63))
	for size in "${rows[@]}"; do
		habit "$A" size="$size" initial_bytes="$size"
		moved --pre-copy
		told bytes $(((size ? 64 + size : 0) + 64 + size))
	done
}

@test "a stream that was cut off, and a driver that takes it: the image tells" {
	local at opens

	sim "$A" seed 5
	sim "$B" detect_short 0
	"$VFIOMIGCTL" -q save "$A" state.img
	# Where the load begins from a pipe is behind header and manifest.
	table 4096 8192 1060000 + 500000
	for at in "${rows[@]}"; do
		echo "- cut off at $at"
		head -c $at state.img >short.img
		# A file is looked at before the device is.
		is_in "$B" running || "$VFIOMIGCTL" -q state "$B" running
		sim "$B" seed 7
		shown "$B" opens
		opens=$shown
		migctl 65 --json resume "$B" short.img
		expect_message 'short.img: at byte ' 'image is truncated'
		expect_json '.outcome == "aborted"' '.owner == "none"' '.accepted != true'
		expect_shown "$B" opens "$opens"
		expect_state "$B" running
		expect_shown "$B" seed 7
		# A pipe cannot be; but what was loaded from it never runs.
		mkfifo fifo
		cat short.img >fifo &
		migctl 65 --json resume --run "$B" fifo
		wait
		rm fifo
		expect_message 'fifo: at byte ' 'image is truncated'
		expect_json '.outcome == "aborted"' '.owner | IN("source", "unknown")' '.accepted != true'
		if ((at < 8192)); then
			expect_shown "$B" opens "$opens"
			expect_state "$B" running
			expect_shown "$B" seed 7
		else
			expect_message 'the device was reset and is in stop'
			expect_state "$B" stop
			expect_shown "$B" seed 0
		fi
	done
}

@test "a bare stream that was cut off: only the driver can tell" {
	sim "$A" seed 5
	"$VFIOMIGCTL" -q save --raw --leave=stop "$A" state.raw
	head -c 1000000 state.raw >short.raw
	migctl 65 --json resume --raw "$B" short.raw
	expect_message 'the driver did not accept the state' '(EINVAL)' 'reset and is in stop'
	expect_json '.accepted == false' '.state == "stop"' '.recovery.reset'
	expect_state "$B" stop
	expect_shown "$B" seed 0
	sim "$B" detect_short 0
	start resume "$VFIOMIGCTL" --json resume --raw --stop "$B" short.raw
	eventually grep -q 'held open.*, because closing it may reset it' resume.err
	let_go
	expect_json '.accepted' '.bytes == 1000000'
	expect_state "$B" stop
	run ! same_state "$A" "$B"
}

@test "contents that are bad: noticed at a write or at the end, in whatever words" {
	local errno

	sim "$A" seed 5
	"$VFIOMIGCTL" -q save --raw "$A" state.raw
	printf X | dd of=state.raw bs=1 seek=600000 conv=notrunc status=none
	table EINVAL EIO + EFAULT ENOTTY
	for errno in "${rows[@]}"; do
		habit "$B" check=write bad_errno=$errno
		migctl 74 --json resume --raw "$B" state.raw
		expect_message "$B: the driver refused the stream's data" "($errno)" 'reset and is in stop'
		expect_json '.accepted == false' '.state == "stop"' '.recovery.reset'
		expect_state "$B" stop
		expect_shown "$B" seed 0
		habit "$B" check=stop
		# EIO may be the firmware's, and no word about the state.
		migctl "$([[ $errno == EIO ]] && echo 74 || echo 65)" --json resume --raw "$B" state.raw
		expect_message 'the driver did not accept the state' "($errno)" 'reset and is in stop'
		expect_json '.accepted == false' '.state == "stop"' '.recovery.reset'
		expect_state "$B" stop
		expect_shown "$B" seed 0
	done
}

@test "a device in doubt that closing may reset is held" {
	start save "$VFIOMIGCTL" --json save --leave=stop "$A" 'exec:cat >/dev/null; exit 255'
	eventually grep -q 'held open until' save.err
	grep "$A: stopped, in doubt; held open until .*, because closing it may reset it" save.err
	expect_state "$A" stop
	kill -TERM "$save"
	finish save 80
	expect_json '.outcome == "in-doubt" and .owner == "unknown"' '.state == "stop"'
}

@test "a device that must be asked again before it can be stopped" {
	habit "$A" page_requests=3
	moved
	expect_json '.drain_retries == 3'
	habit "$A" caps=1 page_requests=2
	habit "$B" caps=1
	moved
	expect_json '.drain_retries == 2'
	# One that is never ready is given up, and runs on.
	habit "$A" page_requests=-1
	migctl 75 --json save --drain-timeout=0 "$A" file
	expect_message "$A: running to stop failed, the device is in running" '(EBUSY)' \
		'the device is in running again'
	expect_json '.state == "running"' '.drain_retries == 0' '.owner == "source"'
	expect_state "$A" running
	migctl 75 --json save --drain-timeout=1 "$A" file
	expect_message 'still refused after 1' '(EBUSY)' 'the device is in running again'
	expect_json '.state == "running"' '.drain_retries > 0' '.owner == "source"'
	expect_state "$A" running
	expect_shown "$A" seed "$seed"
	counts "$A"
	[[ ! -e file ]]
}

@test "v1: windows of any size, trapped or mapped, chunks with and without borders" {
	local row window from to borders size early

	begin_v1
	table '1 0 0 0' '333 0 0 1' '4096 0 1 1' '4096 1 0 0' '65536 1 1 0' + '333 0 0 0' '4096 0 0 0' \
		'4096 1 1 1' '65536 0 0 1'
	for row in "${rows[@]}"; do
		read -r window from to borders <<<"$row"
		# In pre-copy less than 64 KiB are not worth a round.
		size=100000 early=70000
		((window > 1)) || size=200 early=0
		habit "$A" size=$size initial_bytes=$early "v1_window=$window" "v1_mmap=$from" \
			"v1_borders=$borders"
		habit "$B" "v1_window=$window" "v1_mmap=$to" "v1_borders=$borders"
		[[ -z ${LAB_SWEEP-} && $window != 4096 ]] || moved
		moved --pre-copy
		expect_json '.arcs[0].to == "pre-copy"' ".bytes > $((64 + size + early))"
	done
}

@test "v1: chunks that are larger than the window of who is to take them are refused" {
	begin_v1
	sim "$B" v1_window 4096
	sim "$B" seed 7
	migctl 0 save "$A" state.img
	migctl 69 --json resume "$B" state.img
	expect_message "$B: the driver refused the stream's data: a chunk of 65536 bytes, and the" \
		'data section takes 4096' 'the device was reset and is in stop'
	expect_json '.accepted == false' '.state == "stop"' '.recovery.reset'
	expect_state "$B" stop
	expect_shown "$B" seed 0
}

@test "v1: states of any size" {
	local size

	begin_v1
	# A window is full with 65472.
	table 0 65473 + 1 65471 65472 1048576
	for size in "${rows[@]}"; do
		habit "$A" size="$size" initial_bytes="$size"
		moved --pre-copy
		expect_json ".bytes >= $((64 + size))"
	done
	habit "$A" initial_bytes=0
	table 0 65472 65473 + 1 1048576
	for size in "${rows[@]}"; do
		habit "$A" size="$size"
		moved
		# Of each chunk 8 bytes for its length.
		told bytes $((64 + size + 8 * ((64 + size + 65535) / 65536)))
	done
}

@test "an image of v1 is not for v2, and the other way round" {
	local C D

	make_device C migsim-v1
	plain "$C"
	migctl 0 save "$C" v1.img
	migctl 0 save "$A" v2.img
	migctl 65 --json resume "$B" v1.img
	expect_message "$B: the image is of another device: protocol is v1 in the image, v2 here"
	expect_json '.outcome == "aborted"' '.accepted != true'
	expect_state "$B" running
	migctl 65 --json resume "$C" v2.img
	expect_message "$C: the image is of another device: protocol is v2 in the image, v1 here"
	expect_json '.outcome == "aborted"' '.accepted != true'
	expect_state "$C" running
}
