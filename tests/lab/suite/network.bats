#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A move between two network namespaces, whose link does all that networks do: it delays, loses,
# doubles, reorders and flips what it carries, and it breaks without a word. Devices are migsim's:
# what arrives is judged by their driver, byte by byte. Where a test has to break the link at a
# certain point, a driver stands still there.
#
# NETWORK_RUNS is how many moves each kind of trouble gets, NETWORK_MOVES how many go over links of
# all kinds by chance, from NETWORK_SEED; `scripts/sweep network` makes it a thousand.

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
	both_ran=''
}

# What a test did to the link is not the next one's.
teardown()
{
	local status=0

	[[ ! -e moved ]] || {
		print_again
		cat moved
	}
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

# receive HOST DEVICE [OPTION...]: it listens, as $receiving. The device is given as a descriptor:
# so it may be closed afterwards.
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
	start moving nsenter --net="/run/netns/$host" "$VFIOMIGCTL" migrate -v --json \
		--timeout="$timeout" --state-dir="$PWD/state.$host" "${trust[@]}" "$@" "$device" \
		"tcp:${!other}:${via-7000}"
}

# trouble NETEM...: both ways, from now on.
trouble()
{
	tc -n near qdisc replace dev veth0 root netem "$@"
	tc -n far qdisc replace dev veth0 root netem "$@"
}

# heal: the link carries all again, and both ends go on.
heal()
{
	local host

	for host in near far; do
		tc -n "$host" qdisc del dev veth0 root 2>/dev/null || true
		ip -n "$host" route flush type blackhole 2>/dev/null || true
		ip -n "$host" link set veth0 up
	done
	go_on receiving
	go_on moving
}

go_on()
{
	[[ -z ${!1-} ]] || has_ended "${!1}" || kill -CONT "${!1}" 2>/dev/null || true
}

# break_by WAY: what goes between the ends arrives no more, and neither is told.
break_by()
{
	case $1 in
	loss) trouble loss 100% ;;
	down) ip -n near link set veth0 down ;;
	route)
		ip -n near route add blackhole "$far"
		ip -n far route add blackhole "$near"
		;;
	receiver) kill -STOP "$receiving" ;;
	source) kill -STOP "$moving" ;;
	esac
}

# two_run: the state runs at both ends. $B is asked first: once it runs that, $A never does again.
# One that was reset is blank.
two_run()
{
	runs "$B" || return 1
	shown "$B" seed
	expect_shown "$A" seed "$shown" >/dev/null && runs "$A"
}

runs()
{
	shown "$1" state
	[[ $shown == running* || $shown == pre-copy* ]]
}

# meanwhile COMMAND...: eventually it succeeds, and at no look before both ran.
meanwhile()
{
	eventually meanwhile_look "$@" || return
	[[ -z $both_ran ]] || {
		echo "both ran"
		return 1
	}
}

meanwhile_look()
{
	! two_run || both_ran=yes
	"$@"
}

# source_runs_again: a source that had not decided has undone it, whatever the other end does.
source_runs_again()
{
	meanwhile has_ended "$moving"
	finish moving 75
	told owner source
	is_in "$A" running
	counts "$A"
	! is_in "$B" running
}

# has_moved: the state runs at the destination, and is the one that left.
has_moved()
{
	meanwhile has_ended "$moving"
	finish moving 0
	told owner destination
	finish receiving 0
	is_in "$A" stop
	is_in "$B" running
	phases 'done' 'done'
	shown "$A" seed
	expect_shown "$B" seed "$shown"
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

# by_chance: $chance is what a link may do, and $kind a word for it.
by_chance()
{
	chance=(delay "$((1 + RANDOM % 20))ms" "$((RANDOM % 5))ms" loss "$((RANDOM % 4))%")
	chance+=(duplicate "$((RANDOM % 6))%" corrupt "0.$((RANDOM % 3))%")
	chance+=(reorder "$((60 + RANDOM % 40))%" "$((RANDOM % 50))%")
	((RANDOM % 3)) || chance+=(rate "$((4 + RANDOM % 60))mbit")
	in_plain
	((RANDOM % 3)) || by_tls
}

# move_once HOST DEVICE OTHER DEVICE: what left has arrived, to the last bit by digest.
move_once()
{
	receive "$3" "$4" --stop
	migrate 0 "$1" "$2" "$3"
	told owner destination
	finish receiving 0
	is_in "$2" stop
	is_in "$4" stop
	same_state "$2" "$4"
}

# print_no_more, print_again: what is said meanwhile is in "moved" alone. Of a hundred moves it
# would take bats as long to print as the moves take.
print_no_more()
{
	exec 5>&1 >moved
}

print_again()
{
	exec >&5 5>&-
}

@test "network: moves back and forth, over links of all kinds by chance" {
	local n=0 moves=${NETWORK_MOVES:-30} seed=${NETWORK_SEED:-14} chance

	RANDOM=$seed
	sim "$A" size 60000
	sim "$B" size 60000
	while ((n < moves)); do
		by_chance
		echo "# move $n of seed $seed: ${trust[0]} ${chance[*]}"
		trouble "${chance[@]}"
		print_no_more
		sim "$A" seed $((RANDOM + 1))
		move_once near "$A" far "$B"
		move_once far "$B" near "$A"
		print_again
		rm moved
		((n += 2))
	done
	echo "# $n moves of seed $seed, all whole"
}

#
# A link that breaks without a word, and an end that stands still
#

# until_stopped FAULT...: a move whose destination stands still in that arc.
until_stopped()
{
	timeout=2s
	sim "$A" seed 4711
	migctl 0 -q state "$B" stop
	stall "$B" "$@"
	receive far "$B" --run
	start_migrate near "$A" far
	eventually stands_still "$B"
}

# destination_gives_up: it hears that the source has, or if READY was on its way by then, asks.
destination_gives_up()
{
	meanwhile judged receiving
	has_ended "$receiving" || recover_far
	meanwhile has_ended "$receiving"
	finish receiving 75
	is_in "$A" running
	is_in "$B" stop
	phases aborted aborted
}

judged()
{
	has_ended "${!1}" || wrote "$1.err" 'is in doubt'
}

recover_far()
{
	local txid

	txid=$(echo state.far/*.destination)
	txid=${txid##*/}
	record -0 "$VFIOMIGCTL" recover --state-dir=state.far \
		--peer="exec:$VFIOMIGCTL -q recover --state-dir state.near --serve -" "${txid%.*}"
}

# broken_before WAY: while the destination's driver judges what it was given.
broken_before()
{
	until_stopped stall-arc resuming stop
	break_by "$1"
	source_runs_again
	heal
	sim "$B" release 1
	destination_gives_up
}

# decided: the source has decided, and the destination does not hear of it.
decided()
{
	until_stopped stall-arc resuming stop
	tc -n near qdisc replace dev veth0 root netem loss 100%
	sim "$B" release 1
	meanwhile wrote "$(echo state.near/*.source)" '"phase":"committed"'
}

# broken_after WAY: the move goes on when the link does, and neither end runs before.
broken_after()
{
	decided
	break_by "$1"
	meanwhile wrote receiving.err 'is in doubt'
	is_in "$A" stop
	is_in "$B" stop
	heal
	has_moved
}

@test "network: lost before the decision, the source runs on" {
	broken_before loss
}

@test "network: lost after the decision, it goes on without recover" {
	broken_after loss
}

@test "network: the link is down before the decision" {
	broken_before down
}

@test "network: the link is down after the decision" {
	broken_after down
}

@test "network: there is no way to the other end before the decision" {
	broken_before route
}

@test "network: there is no way to the other end after the decision" {
	broken_after route
}

@test "network: the receiver stands still before the decision" {
	broken_before receiver
}

@test "network: the receiver stands still after the decision" {
	decided
	break_by receiver
	tc -n near qdisc del dev veth0 root
	meanwhile wrote moving.err "; connecting again"
	is_in "$B" stop
	heal
	has_moved
}

@test "network: the source stands still before the decision" {
	timeout=2s
	sim "$A" seed 4711
	migctl 0 -q state "$B" stop
	receive far "$B" --run
	stall "$A" stall-read 4096
	start_migrate near "$A" far
	eventually stands_still "$A"
	break_by source
	meanwhile has_ended "$receiving"
	finish receiving 75
	is_in "$B" stop
	sim "$A" release 1
	heal
	source_runs_again
	phases aborted aborted
}

@test "network: the source stands still after the decision" {
	until_stopped stall-arc stop running-p2p
	wrote "$(echo state.near/*.source)" '"phase":"committed"'
	break_by source
	sim "$B" release 1
	meanwhile has_ended "$receiving"
	is_in "$B" running
	heal
	has_moved
}

#
# Cut behind a certain message
#

# heal_relay: what it holds passes now, late.
heal_relay()
{
	kill -USR1 "$relay"
}

# decided_or_ended: the source has given up, or decided, and the destination hears of it no more.
decided_or_ended()
{
	local record

	has_ended "$moving" && return
	record=$(echo state.near/*.source)
	[[ -e $record ]] && wrote "$record" '"phase":"committed"' && judged receiving
}

# ends_well: a source that had not decided runs on, and one that had has moved.
ends_well()
{
	meanwhile decided_or_ended
	has_ended "$moving" || {
		heal_relay
		has_moved
		return
	}
	source_runs_again
	heal_relay
	eventually wrote relay.out 'source is gone'
	# Before the transaction has begun there it waits for another.
	if [[ -e $(echo state.far/*.destination) ]]; then
		destination_gives_up
	else
		kill -TERM "$receiving"
		finish receiving 75
	fi
}

# cut_after END N...: so many messages of that end arrive, and no more of either.
cut_after()
{
	local end=$1 n

	timeout=1s
	via=7001
	for n in "${@:2}"; do
		sim "$A" seed $((n + 1))
		migctl 0 -q state "$A" running
		migctl 0 -q state "$B" stop
		receive far "$B" --run
		start relay nsenter --net=/run/netns/far "$python" -IS \
			"${top_srcdir:?}/tests/cut-relay.py" 7001 "$far" 7000 "$end" "$n"
		eventually wrote relay.out ready
		start_migrate near "$A" far
		ends_well
		kill "$relay"
		finish relay 143
		rm -rf state.near state.far
	done
}

@test "network: nothing arrives behind the source's first messages" {
	# HELLO, OFFER, some of five FRAMES, END, COMMIT
	cut_after source 1 2 4 6 7
}

@test "network: nothing arrives behind the destination's first messages" {
	# HELLO, VERDICT, READY
	cut_after destination 1 2 3
}
