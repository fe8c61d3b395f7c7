#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The source of a move with devices of a kernel driver. The other end is that of
# tests/cli/migrate.bats, over loopback; what it has received is loaded into $B, which then must hold
# what $A held.

# shellcheck disable=SC2034,SC2154 # variables are lab.bash's and run's, or theirs
load migsim.bash

# receiver CONDUCT...: $at is where it listens.
receiver()
{
	ip link set lo up
	# shellcheck disable=SC2154 # python is helpers.bash's
	start receiver "$python" "$top_srcdir/tests/cli/move-receiver.py" tcp:127.0.0.1:0 "$@" \
		</dev/null
	eventually wrote receiver.out ready
	read -r _ at <receiver.out
	at=tcp:127.0.0.1:$at
}

no_receiver()
{
	kill "$receiver"
	finish receiver 143
}

migrate()
{
	migctl "$1" migrate --json --insecure --state-dir="$PWD/state" "${@:2}"
}

phase_is()
{
	wrote state/*.source '"phase":"'"$1"'"'
}

@test "migrate: a driver's state arrives whole, and its device stays stopped" {
	receiver accept
	migrate 0 "$A" "$at"
	told owner destination
	is_in "$A" stop
	phase_is 'done'
	no_receiver
	resume_fd 0 --stop received.img
	expect_copied
}

@test "migrate: the other end is told what the driver expects, but of what is compressed" {
	local size

	migctl 0 save --raw "$A" raw
	size=$(stat -c %s raw)
	receiver refuse refuse refuse refuse
	migrate 75 "$A" "$at"
	migrate 75 --compress=zstd "$A" "$at"
	sim "$A" data_size none
	migrate 75 "$A" "$at"
	sim "$A" data_size over
	migrate 75 "$A" "$at"
	kill "$receiver" || true
	wait "$receiver" || true
	sed -n 's/.*source stops, expects //p' receiver.out | xargs | {
		read -r exact compressed none over
		((exact == size && over > size)) && [[ $compressed == None && $none == None ]]
	}
}

@test "migrate: with pre-copy, in one set, of a device that keeps changing" {
	sim "$A" dirty_rate 100000
	receiver accept
	migrate 0 --pre-copy "$A" "$B" "$at"
	told owner destination
	is_in "$A" stop
	is_in "$B" stop
	expect_frozen "$A"
	no_receiver
}

@test "migrate: a driver that fails on its way ends the move, and the device runs on" {
	local arc

	for arc in 'running-p2p stop' 'stop stop-copy'; do
		receiver accept
		sim "$A" fault "arc $arc EIO stay"
		migrate 75 "$A" "$at"
		expect_message "${arc/ / to } failed"
		told owner source
		is_in "$A" running
		counts "$A"
		eventually wrote receiver.out 'hears ABORT'
		no_receiver
		rm -rf state
	done
}

@test "migrate: of a set one driver fails: it is named, and all run on" {
	receiver accept
	sim "$B" fault 'read EIO 4096'
	migrate 74 --no-p2p "$A" "$B" "$at"
	expect_message "$B"
	told owner source
	is_in "$A" running
	is_in "$B" running
	no_receiver
}

@test "migrate --retries: a device that has stopped does not run before the other end has it" {
	receiver close-before-ready close-in-stream accept
	migrate 0 --retries=3 --report=report.json "$A" "$at"
	told reconnects 2
	is_in "$A" stop
	[[ $(jq '[.events[] | select(.event == "arc" and .from == "running")] | length' \
		report.json) == 1 ]]
	no_receiver
	resume_fd 0 --stop received.img
	expect_copied
}

@test "migrate: in doubt, a device that closing may reset is held, and keeps its state" {
	sim "$A" reset_on_open 1
	receiver close-after-commit
	start moving "$VFIOMIGCTL" migrate --json --insecure \
		--state-dir="$PWD/state" "$A" "$at"
	eventually wrote receiver.out 'connected: close-after-commit
says HELLO
hears HELLO'
	eventually phase_is committed
	kill -INT "$moving"
	kill -TERM "$moving"
	eventually wrote moving.err 'in doubt; held open'
	is_in "$A" stop
	no_receiver
	kill -TERM "$moving"
	finish moving 80
	wrote moving.err 'vfiomigctl recover '
}
