#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Four devices, as one set, back and forth between two receivers that go on and on. Their states arrive
# each time, their counters go on, and of the receivers nothing grows: descriptors, threads, memory,
# files. SOAK_ROUNDS there and back, or for SOAK_MINUTES (`scripts/sweep soak`).

# shellcheck disable=SC2034,SC2154 # variables are emu.bash's
load ../emu

: "${SOAK_ROUNDS:=3}"

setup()
{
	emu_setup
	set +T
}

teardown()
{
	emu_teardown
}

# receiver NAME DEV...: listens at "NAME.link", with the journal NAME.
receiver()
{
	local name=$1

	shift
	start "$name" receive --keep --no-hold --run --state-dir="$name" --timeout=30s "$@" \
		"unix:$name.link"
	eventually said 'listening on' "$name.err"
}

# moves FROM TO: the devices of one to those of the other.
moves()
{
	local -n from=$1_devices to=$2_devices

	bounded -q migrate --state-dir="$1" --timeout=30s "${from[@]}" "unix:$2.link"
	members=("${from[@]}")
	expect_states stop
	members=("${to[@]}")
	expect_states running
	((++moves))
}

# counter FILE: $counter is the running time in the last record of a stream, see src/emu/frame.h.
counter()
{
	counter=$(tail -c 24 "$1" | od -An -tu8 -N8 | tr -d ' ')
}

# streams SUFFIX DEV...: what each holds, in files; they run on.
streams()
{
	local suffix=$1 n=0 dev

	shift
	for dev; do
		bounded -q save --raw --force "$dev" "stream.$((n++)).$suffix"
	done
}

# measure: $fds, $threads, $files and $memory (KiB) of both receivers.
measure()
{
	local pid status=''

	fds='' threads='' memory=0
	for pid in "$x" "$y"; do
		fds+="$(find "/proc/$pid/fd" -type l | wc -l) "
		threads+="$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l) "
		read_file status "/proc/$pid/status"
		[[ $status =~ VmRSS:[[:space:]]*([0-9]+) ]]
		((memory += BASH_REMATCH[1]))
	done
	files=$(find x y -type f | wc -l)
}

# quiet: no thread of a transaction is left.
quiet()
{
	measure
	[[ $threads == "$1" ]]
}

over()
{
	if [[ -n ${SOAK_MINUTES-} ]]; then
		((SECONDS - began >= SOAK_MINUTES * 60))
	else
		((rounds >= SOAK_ROUNDS))
	fi
}

@test "soak: four devices back and forth between two receivers, and nothing grows" {
	local moves=0 rounds=0 began=$SECONDS size n first counter counted

	emu_start --devices 8 --state-size 96K
	members 4
	x_devices=("${members[@]}")
	members 4 4
	y_devices=("${members[@]}")
	streams before "${x_devices[@]}"
	for n in "${y_devices[@]}"; do
		set_state "$n" stop
	done
	receiver x "${x_devices[@]}"
	receiver y "${y_devices[@]}"
	# What is made once is there after the first round.
	moves x y
	moves y x
	measure
	first=("$fds" "$threads" "$files" "$memory")
	until ((++rounds)) && over; do
		moves x y
		moves y x
	done
	eventually quiet "${first[1]}"
	echo "# $moves moves, fds $fds, threads $threads, $files files, $memory KiB; at first ${first[*]}"
	[[ $fds == "${first[0]}" ]]
	((memory < first[3] * 5 / 4))
	# Two records, each with its lock; of those that are over the last 64 are kept.
	((files <= first[2] + 4 * moves && files <= 4 * 70))
	streams after "${x_devices[@]}"
	for n in 0 1 2 3; do
		size=$(stat -c %s "stream.$n.before")
		cmp -n $((size - 32)) "stream.$n.before" "stream.$n.after"
		counter "stream.$n.before"
		counted=$counter
		counter "stream.$n.after"
		((counter > counted))
	done
	for n in x y; do
		kill -TERM "${!n}"
		finish "$n" 0
	done
}
