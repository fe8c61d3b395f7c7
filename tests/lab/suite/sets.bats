#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several devices of the kernel as one set. What the devices are in while another one is held in an
# arc is the driver's own word (migsim's "state"); what they hold is told by its digest.
#
# Each mdev has an IOMMU group of its own: devices that share one are for hardware.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load migsim.bash

# $A, $B and $C hold 5, 6 and 7, and run; $D, $E and $F hold nothing of that.
setup()
{
	local name seed=5

	migsim_setup migsim-v2
	for name in C D E F; do
		make_device "$name" migsim-v2
		plain "${!name}"
	done
	for name in A B C; do
		sim "${!name}" seed $((seed++))
		sim "${!name}" size 300000
	done
	for name in D E F; do
		sim "${!name}" seed 0xdead
		sim "${!name}" size 300000
	done
	sources=("$A" "$B" "$C")
	targets=("$D" "$E" "$F")
}

# all STATE UUID...: they are in it.
all()
{
	local state=$1 uuid

	shift
	for uuid; do
		is_in "$uuid" "$state" || {
			echo "$uuid is in $real, not in $state"
			return 1
		}
	done
}

# told STATUS OUTCOME/OWNER: what the report in $output says.
told()
{
	expect_json ".status == $1" "\"\(.outcome)/\(.owner)\" == \"$2\""
}

# arrived: each target holds what its source does; none runs.
arrived()
{
	local n

	for n in "${!sources[@]}"; do
		same_state "${sources[n]}" "${targets[n]}"
		expect_frozen "${targets[n]}"
	done
}

# hold_open ARG...: a resume of the targets, in the background, that has loaded them.
hold_open()
{
	start resume "$VFIOMIGCTL" --json resume "$@" "${targets[@]}" set.img
	eventually grep -q 'held open' resume.err
}

let_go()
{
	kill -TERM "$resume"
	finish resume 0
}

#
# All is well
#

@test "a set arrives, opened by cdev and iommufd, or by group and container" {
	local via

	for via in cdev group; do
		migctl 0 --json save --via $via --leave=stop --force "${sources[@]}" set.img
		told 0 completed/source
		expect_json ".devices | all(.device.via == \"$via\" and .state == \"stop\" and .bytes > 300000)"
		all stop "${sources[@]}"
		hold_open --via $via --stop
		all stop "${targets[@]}"
		arrived
		let_go
		told 0 completed/destination
		expect_json ".devices | length == 3 and all(.device.via == \"$via\" and .accepted)"
		"$VFIOMIGCTL" -q state "$A" running
		"$VFIOMIGCTL" -q state "$B" running
		"$VFIOMIGCTL" -q state "$C" running
	done
}

@test "a set runs on after a save, and runs after a resume" {
	migctl 0 --json save "${sources[@]}" set.img
	told 0 completed/source
	all running "${sources[@]}"
	counts "$A"
	counts "$C"
	hold_open
	all running "${targets[@]}"
	counts "$D"
	expect_shown "$D" seed 5
	expect_shown "$F" seed 7
	let_go
}

@test "a set through a pipe, and through a socket" {
	mkfifo pipe
	start resume "$VFIOMIGCTL" --json resume --stop "${targets[@]}" pipe
	migctl 0 save --leave=stop "${sources[@]}" pipe
	eventually grep -q 'held open' resume.err
	arrived
	let_go
	told 0 completed/destination
	for n in "${sources[@]}"; do
		"$VFIOMIGCTL" -q state "$n" running
	done
	start resume "$VFIOMIGCTL" --json resume --listen --stop "${targets[@]}" unix:here
	eventually grep -q 'listening on ' resume.err
	migctl 0 --json save --leave=stop "${sources[@]}" unix:here
	told 0 completed/destination
	eventually grep -q 'held open' resume.err
	arrived
	let_go
	told 0 completed/destination
}

@test "devices of the kernel and of a vfio-user server make a set" {
	local fd line

	exec {fd}< <(exec "${VFIOMIG_EMU:?}" --socket emu --devices 2 --exit-with-parent 3>&-)
	emu=$!
	IFS='' read -r -u "$fd" line
	migctl 0 --json save --leave=stop "$A" vfio-user:emu "$B" set.img
	told 0 completed/source
	all stop "$A" "$B"
	start resume "$VFIOMIGCTL" --json resume --stop "$D" vfio-user:emu.1 "$E" set.img
	eventually grep -q 'held open' resume.err
	sources=("$A" "$B")
	targets=("$D" "$E")
	arrived
	let_go
	kill -TERM "$emu"
	exec {fd}<&-
	eventually has_ended "$emu"
}

@test "mtty: two UARTs are a set" {
	local one two expected

	make_device one
	make_device two
	reference_of "$two" 20
	fill "$one" 20
	fill "$two" 21
	migctl 0 --json save "$one" "$two" set.img
	told 0 completed/source
	blank "$one"
	blank "$two"
	# Crosswise: the first one's contents are the second one's now.
	migctl 0 --json resume --no-hold --map "0=$two" --map "1=$one" "$one" "$two" set.img
	told 0 completed/destination
	expect_contents "$two"
}

# reference_of UUID SEED: see lab.bash's reference, whose device is no UART here.
reference_of()
{
	fill "$1" "$2"
	expected=$("$tools/uart" "$1" show)
	blank "$1"
}

#
# Barriers: one device is held in an arc, and the others wait for it
#

@test "save: while one is not quiescent none is stopped; while one is not stopped none is drained" {
	local from to others

	while read -r from to others; do
		echo "- $from to $to"
		sim "$B" fault "stall-arc $from $to"
		start save "$VFIOMIGCTL" --json save --force "${sources[@]}" set.img
		eventually all "$others" "$A" "$C"
		all "$from" "$B"
		# A look is a moment: several, with another program in between.
		/bin/true
		all "$others" "$A" "$C"
		sim "$B" release 1
		finish save 0
		told 0 completed/source
		all running "${sources[@]}"
	done <<-'END'
		running running-p2p running-p2p
		running-p2p stop stop
		stop stop-copy stop-copy
		stop running-p2p running-p2p
	END
}

# stalls STATE REST: E hangs on its way, and the others have come to REST. The fault has struck:
# all are in some of these states before as well, on their way to where E hangs.
stalls()
{
	shown "$E" hits
	((shown > hits)) && all "$1" "$E" && all "$2" "$D" "$F"
}

@test "resume: while one driver has not accepted none runs" {
	migctl 0 save "${sources[@]}" set.img
	shown "$E" hits
	hits=$shown
	sim "$E" fault 'stall-arc resuming stop'
	start resume "$VFIOMIGCTL" --json resume "${targets[@]}" set.img
	eventually stalls resuming stop
	/bin/true
	stalls resuming stop
	sim "$E" release 1
	eventually grep -q 'held open' resume.err
	all running "${targets[@]}"
	let_go
	shown "$E" hits
	hits=$shown
	sim "$E" fault 'stall-arc stop running-p2p'
	start resume "$VFIOMIGCTL" --json resume "${targets[@]}" set.img
	eventually stalls stop running-p2p
	sim "$E" release 1
	eventually grep -q 'held open' resume.err
	all running "${targets[@]}"
	let_go
}

#
# One of them fails
#

# one_fails STATUS OUTCOME/OWNER FAULT [OPTION...]: of a save; all run on with what they hold.
one_fails()
{
	local want=$1 verdict=$2 fault=$3

	shift 3
	echo "- $fault $*"
	sim "$B" fault "$fault"
	migctl "$want" --json save "$@" "${sources[@]}" set.img
	told "$want" "$verdict"
	all running "${sources[@]}"
	expect_shown "$A" seed 5
	expect_shown "$C" seed 7
	[[ $want == 81 ]] || expect_shown "$B" seed 6
	counts "$A"
	counts "$B"
	[[ ! -e set.img ]]
	sim "$B" fault clear
	sim "$B" seed 6
}

@test "save: a fault of one device: all run on, with what they hold" {
	one_fails 75 aborted/source 'arc running running-p2p EIO stay'
	one_fails 75 aborted/source 'arc running-p2p stop EIO stay'
	one_fails 75 aborted/source 'arc running-p2p stop EIO done'
	one_fails 75 aborted/source 'arc stop stop-copy EIO stay'
	one_fails 75 aborted/source 'arc stop stop-copy EIO done'
	one_fails 75 aborted/source 'arc running pre-copy EIO stay' --pre-copy
	one_fails 75 aborted/source 'arc pre-copy pre-copy-p2p EIO stay' --pre-copy
	one_fails 75 aborted/source 'arc pre-copy-p2p stop-copy EIO stay' --pre-copy
	one_fails 74 aborted/source 'read EIO 1000'
	one_fails 74 aborted/source 'read EIO 200000'
	one_fails 81 device-error/none 'arc running-p2p stop EIO error'
	one_fails 81 device-error/none 'read-error 1000'
	one_fails 75 aborted/source 'stall-read 1000' --timeout=1
}

@test "save: page requests that never drain: none is stopped for longer than the budget" {
	sim "$B" page_requests -1
	migctl 75 --json save --drain-timeout=0.3 "${sources[@]}" set.img
	told 75 aborted/source
	all running "${sources[@]}"
	sim "$B" page_requests 3
	migctl 0 --json save --drain-timeout=60 "${sources[@]}" set.img
	told 0 completed/source
	expect_json '.devices[1].drain_retries == 3'
}

@test "save: interrupted while one device is read: all run on" {
	sim "$B" fault 'stall-read 1000'
	start save "$VFIOMIGCTL" --json save "${sources[@]}" set.img
	eventually all stop-copy "${sources[@]}"
	kill -INT "$save"
	finish save 75
	told 75 aborted/source
	all running "${sources[@]}"
	counts "$B"
	[[ ! -e set.img ]]
}

@test "resume: a fault of one device: all are reset and stopped, or never were touched" {
	local fault status

	migctl 0 save "${sources[@]}" set.img
	while read -r status fault; do
		echo "- $fault"
		sim "$E" fault "$fault"
		migctl "$status" --json resume "${targets[@]}" set.img
		all stop "${targets[@]}"
		expect_shown "$D" seed 0
		expect_shown "$F" seed 0
		sim "$E" fault clear
		for fault in "${targets[@]}"; do
			"$VFIOMIGCTL" -q state "$fault" running
		done
	done <<-'END'
		74 write EIO 1000
		74 write-error 1000
		65 arc resuming stop EINVAL stay
	END
}

@test "save: killed: what the kernel says of each device is what the next command says" {
	local uuid said

	sim "$B" fault 'stall-read 1000'
	start save "$VFIOMIGCTL" save "${sources[@]}" set.img
	eventually all stop-copy "${sources[@]}"
	kill -KILL "$save"
	finish save 137
	for uuid in "${sources[@]}"; do
		migctl 0 --json state "$uuid"
		is_in "$uuid" "$(jq -r .state <<<"$output")"
		"$VFIOMIGCTL" -q state "$uuid" running
	done
	sim "$B" fault clear
	migctl 0 --json save "${sources[@]}" set.img
	told 0 completed/source
}

#
# Pre-copy, of devices that tell what is left
#

@test "pre-copy: each driver's habits, in one set" {
	local profile

	for profile in mlx5 virtio qat mtty; do
		echo "- $profile"
		sim "$B" profile $profile
		plain "$B"
		sim "$B" seed 6
		migctl 0 --json save --pre-copy --force "${sources[@]}" set.img
		told 0 completed/source
		expect_json '[.devices[].arcs[].to] | index("pre-copy-p2p")'
		all running "${sources[@]}"
		migctl 0 verify set.img
	done
}

@test "pre-copy: a driver without P2P or pre-copy among them" {
	sim "$B" profile pds
	plain "$B"
	migctl 0 --json save --pre-copy "${sources[@]}" set.img
	expect_json '.devices[1].arcs | all(.to != "pre-copy")' '.devices[0].arcs | any(.to == "pre-copy")'
	sim "$B" profile hisi_acc
	plain "$B"
	migctl 69 save --pre-copy "${sources[@]}" other.img
	expect_message "$B" P2P -- --no-p2p
	all running "${sources[@]}"
	migctl 0 --json save --pre-copy --no-p2p "${sources[@]}" other.img
	told 0 completed/source
}

@test "pre-copy: what does not converge is stopped, or runs on" {
	sim "$A" initial_bytes 300000
	sim "$A" dirty_rate 100000000
	migctl 75 --json save --pre-copy --downtime-limit=1ms --max-rounds=3 --on-divergence=abort \
		"${sources[@]}" set.img
	told 75 aborted/source
	all running "${sources[@]}"
	expect_json '[.devices[].arcs[].to] | index("stop-copy") == null'
	[[ ! -e set.img ]]
	migctl 0 --json save --pre-copy --downtime-limit=1ms --max-rounds=3 "${sources[@]}" set.img
	told 0 completed/source
	all running "${sources[@]}"
}
