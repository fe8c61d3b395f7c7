#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A move between two network namespaces, whose link does all that networks do: it delays, loses,
# doubles, reorders and flips what it carries, and it breaks without a word. Devices are migsim's:
# what arrives is judged by their driver, byte by byte. Where a test has to break the link at a
# certain point, a driver stands still there.
#
# NETWORK_RUNS is how many moves each kind of trouble gets.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables are lab.bash's and run's, or theirs
load migsim.bash

setup_file()
{
	[[ -n ${LAB-} ]] || return 0
	ip -batch - <<-'FILE_END'
		netns add near
		netns add far
		link add veth0 netns near type veth peer name veth0 netns far
	FILE_END
	# Packets of their own size: what is lost or flipped is one of many.
	ip -n near -batch - <<-'FILE_END'
		link set veth0 up gso_max_segs 1
		link set lo up
		addr add 10.99.0.1/24 dev veth0
	FILE_END
	ip -n far -batch - <<-'FILE_END'
		link set veth0 up gso_max_segs 1
		link set lo up
		addr add 10.99.0.2/24 dev veth0
	FILE_END
}

teardown_file()
{
	[[ -n ${LAB-} ]] || return 0
	ip netns del near
	ip netns del far
}

setup()
{
	migsim_setup migsim-v2
	near=10.99.0.1 far=10.99.0.2
	mkdir -m 700 psk
	(
		umask 077
		echo "mover:$("$tools/xxh3" <<<"$A")$("$tools/xxh3" 1 <<<"$A")" >psk/keys.psk
	)
	trust=(--insecure)
	timeout=30s
}

# What a test did to the link is not the next one's.
teardown()
{
	local status=0

	heal || status=1
	lab_teardown || status=1
	expect_no_misuse || status=1
	return "$status"
}

# by_tls, in_plain: how the ends trust each other from here on.
by_tls()
{
	trust=(--tls-creds=psk --tls-psk-user=mover)
}

in_plain()
{
	trust=(--insecure)
}

# at HOST COMMAND...: the names of $near and $far are those of their namespaces and state folders.
at()
{
	local host=$1

	shift
	nsenter --net="/run/netns/$host" "$@"
}

# receive HOST DEVICE [OPTION...]: it listens, as $receiving. The device is given as a descriptor: so
# it may be closed afterwards.
receive()
{
	local host=$1 device=$2

	shift 2
	start receiving nsenter --net="/run/netns/$host" "$tools/with-fd" "$device" 7 \
		"$VFIOMIGCTL" receive --json --no-hold --timeout="$timeout" \
		--state-dir="$PWD/state.$host" "${trust[@]}" "$@" fd:7 "tcp:${!host}:7000"
	eventually listens
	wrote receiving.err 'listening on ' || finish receiving 0
}

# listens: it does, or has ended.
listens()
{
	wrote receiving.err 'listening on ' || has_ended "$receiving"
}

# migrate STATUS HOST DEVICE OTHER [OPTION...]: to where OTHER listens.
migrate()
{
	start_migrate "${@:2}"
	finish moving "$1"
}

# start_migrate HOST DEVICE OTHER [OPTION...]: in the background, as $moving.
start_migrate()
{
	local host=$1 device=$2 other=$3

	shift 3
	start moving nsenter --net="/run/netns/$host" "$VFIOMIGCTL" migrate --json \
		--timeout="$timeout" --state-dir="$PWD/state.$host" "${trust[@]}" "$@" "$device" \
		"tcp:${!other}:7000"
}

# trouble NETEM...: both ways, from now on.
trouble()
{
	tc -n near qdisc replace dev veth0 root netem "$@"
	tc -n far qdisc replace dev veth0 root netem "$@"
}

heal()
{
	tc -n near qdisc del dev veth0 root 2>/dev/null || true
	tc -n far qdisc del dev veth0 root 2>/dev/null || true
	[[ -z ${receiving-} ]] || kill -CONT "$receiving" 2>/dev/null || true
}

# stands_still DEVICE: in the call that was armed.
stands_still()
{
	shown "$1" hits
	((shown > hits))
}

# stall DEVICE FAULT...: it is going to, and eventually stands_still DEVICE.
stall()
{
	shown "$1" hits
	hits=$shown
	sim "$1" fault "${*:2}"
}

# phases NEAR FAR: what the records of the one transaction say.
phases()
{
	wrote state.near/*.source '"phase":"'"$1"'"' && wrote state.far/*.destination '"phase":"'"$2"'"'
}

# to_and_fro: $A moves to the other side, where it is compared while it stands still, and back,
# where it goes on.
to_and_fro()
{
	local before

	receive far "$B" --stop
	migrate 0 near "$A" far
	told owner destination
	finish receiving 0
	is_in "$A" stop
	is_in "$B" stop
	same_state "$A" "$B"

	receive near "$A" --run
	migrate 0 far "$B" near
	told owner destination
	finish receiving 0
	is_in "$B" stop
	shown "$B" counter
	before=$shown
	counts "$A"
	shown "$A" counter
	((shown > before))
	shown "$B" seed
	expect_shown "$A" seed "$shown"
}

# troubled NETEM...: so often, in plain and by TLS in turns.
troubled()
{
	local n=0 runs=${NETWORK_RUNS:-2}

	sim "$A" size 150000
	sim "$B" size 150000
	trouble "$@"
	while ((n < runs)); do
		sim "$A" seed $((4711 + n))
		in_plain
		((n % 4 < 2)) || by_tls
		to_and_fro
		((n += 2))
	done
	by_tls
	to_and_fro
}

@test "network: what is delayed, by varying times, arrives whole" {
	troubled delay 80ms 20ms
}

@test "network: what is lost is sent again" {
	troubled loss 3%
}

@test "network: what is doubled and reordered arrives once, in its order" {
	troubled delay 5ms reorder 75% 50% duplicate 5%
}

@test "network: what is flipped does not arrive" {
	troubled corrupt 0.1%
}

@test "network: a slow link with all of that" {
	troubled delay 20ms 5ms loss 1% duplicate 1% corrupt 0.1% rate 20mbit
}

#
# A link that breaks without a word
#

@test "network: a link that heals after the decision needs no recover" {
	timeout=5s
	stall "$B" stall-arc resuming stop
	receive far "$B" --run
	start_migrate near "$A" far
	eventually stands_still "$B"
	tc -n near qdisc replace dev veth0 root netem loss 100%
	sim "$B" release 1
	eventually wrote "$(echo state.near/*.source)" '"phase":"committed"'
	is_in "$B" stop
	heal
	finish moving 0
	told owner destination
	finish receiving 0
	is_in "$B" running
	phases 'done' 'done'
}
