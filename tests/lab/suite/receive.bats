#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The destination of a move with devices of a real kernel that lose their state with the process:
# migsim resets at first open and last close, as a PCI function does. The source is that of
# tests/cli, which was written from the protocol alone; the rest is in tests/cli/receive.bats.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are migsim.bash's and run's, or theirs
load migsim.bash

source_py=$(cd "${top_srcdir:?}/tests/cli" && pwd -P)/move-source.py
txid=00112233445566778899aabbccddeeff

# $A has given its state to the file image, and shows it still; $B loses what it has when it closes.
setup()
{
	migsim_setup migsim-v2
	migctl 0 -q save --leave=stop "$A" image
	sim "$B" reset_on_open 1
}

# receive ARG...: waits for a source.
receive()
{
	start receive "$VFIOMIGCTL" receive --state-dir=state "$@" "$B" unix:r
	eventually listens
}

listens()
{
	[[ $(<receive.err) == *': listening on '* ]]
}

in_doubt()
{
	[[ $(<receive.err) == *' is in doubt: '* ]]
}

# send STEP...: what the source has heard is in $output.
send()
{
	record "$source_py" unix:r image hello hear:HELLO "$@"
	printf '%s\n' "$output" "$stderr"
	((status == 0))
}

# phase NAME: what the record says.
phase()
{
	[[ $(<"state/$txid.destination") == *'"phase":"'"$1"'"'* ]]
}

holds_on()
{
	[[ $(<receive.err) == *'; held open until '* ]]
}

runs()
{
	expect_state "$B" running
}

@test "receive: a state that ends with the process is held, and runs once the source says so" {
	receive --run
	send offer hear:VERDICT-yes frames end hear:READY close
	eventually in_doubt
	phase prepared
	same_state "$A" "$B"
	expect_state "$B" stop
	expect_frozen "$B"
	# In the spool, too, as it was sent.
	cmp image "state/spool/$txid.image"
	send commit hear:DONE gone
	eventually runs
	eventually counts "$B"
	eventually phase 'done'
	# The record comes first: the spool is of use until then.
	eventually test ! -e "state/spool/$txid.image"
	# A signal that comes before that would be too late to stop, and lose no state.
	eventually holds_on
	kill -TERM "$receive"
	finish receive 0
	[[ $stderr == *'let go with the state in it, and closing it may reset it: --handover or '* ]]
}

@test "receive: killed once it is prepared, the device has lost the state, and the spool has not" {
	local digest

	receive --run
	send offer hear:VERDICT-yes frames end hear:READY close
	eventually in_doubt
	shown "$A" digest
	digest=$shown
	kill -KILL "$receive"
	wait "$receive" || true
	eventually is_closed
	shown "$B" digest
	[[ $shown != "$digest" ]]
	phase prepared
	migctl 0 verify "state/spool/$txid.image"
	sim "$B" reset_on_open 0
	resume_fd 0 --stop "$PWD/state/spool/$txid.image"
	expect_copied
}

# Not before the last descriptor is gone.
is_closed()
{
	shown "$B" opens
	[[ $shown == 0 ]] || ! holders "$B"
}

holders()
{
	local fd

	nodes "$1"
	for fd in /proc/[0-9]*/fd/*; do
		[[ $fd -ef $cdev ]] && return 0
	done
	return 1
}

@test "receive: a source that gives it up leaves the device stopped, and nothing on disk" {
	receive
	send offer hear:VERDICT-yes frames end hear:READY abort gone
	finish receive 75
	phase aborted
	[[ ! -e state/spool/$txid.image && ! -e state/$txid.sock ]]
	[[ $stderr == *'the test wants it; the device was reset and is in stop' ]]
}

@test "receive: by a second command, the process that holds the device is named to the source" {
	local other=ffffffffffffffffffffffffffffffff

	receive --run
	send offer hear:VERDICT-yes frames end hear:READY commit hear:DONE gone
	eventually holds_on
	record "$source_py" "exec:$VFIOMIGCTL receive --state-dir=state $B - 2>command.err; echo \$? >ended" \
		image hello:txid=$other hear:HELLO offer hear:VERDICT-no gone
	printf '%s\n' "$output" "$stderr" "$(<command.err)"
	[[ $status == 0 && $output == *"$B: "*"pid $receive,"* ]]
	eventually test -s ended
	[[ $(<ended) == 71 && $(<command.err) == *"$B: "*"pid $receive,"* ]]
	# The state that came first is not touched.
	eventually counts "$B"
	phase 'done'
	# And its source is told that it is done by any process here.
	record "$source_py" "exec:$VFIOMIGCTL receive --state-dir=state $B - 2>command.err" \
		image hello hear:HELLO commit hear:DONE gone
	((status == 0))
	kill "$receive"
	finish receive 0
}
