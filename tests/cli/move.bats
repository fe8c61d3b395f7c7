#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both ends of a move, and a relay between them that cuts the connection after so many bytes of the
# source's, and carries the next one. Whatever it cuts, exactly one end runs the state afterwards,
# the same state to the last bit, and both records say so.

# shellcheck disable=SC2034,SC2154 # variables are emu.bash's and run's
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# relay CUT...: from the socket "near" to "far". What a cut has read last it does not pass on.
relay()
{
	require python3
	cat >relay.py <<-'END'
		import select, socket, sys

		cuts = [int(cut) for cut in sys.argv[1:]]
		listener = socket.socket(socket.AF_UNIX)
		listener.bind("near")
		listener.listen()
		print("ready", flush=True)
		while True:
		    near = listener.accept()[0]
		    far = socket.socket(socket.AF_UNIX)
		    far.connect("far")
		    limit = cuts.pop(0) if cuts else None
		    moved, whole = 0, True
		    while whole:
		        for s in select.select([near, far], [], [])[0]:
		            try:
		                data = s.recv(65536)
		                moved += len(data) if s is near else 0
		                whole = data and not (limit and moved >= limit)
		                if not whole:
		                    break
		                (far if s is near else near).sendall(data)
		            except OSError:
		                whole = False
		    print("moved", moved, flush=True)
		    near.close()
		    far.close()
	END
	rm -f near
	: >relay.out
	"$python" relay.py "$@" >relay.out 2>&1 3>&- &
	relay=$!
	started+=("$relay")
	eventually said ready relay.out
}

# receive: the second device takes what comes to "far".
receive()
{
	: >receiving.err
	start receiving receive --json --no-hold --state-dir=there "$B" unix:far
	eventually said 'listening on ' receiving.err
}

# phases HERE THERE: the records of both ends.
phases()
{
	said '"phase":"'"$1"'"' here/*.source
	said '"phase":"'"$2"'"' there/*.destination
}

# moved OPTION...: it is, whatever was cut.
moved()
{
	rm -rf here there far
	receive
	migctl 0 migrate --json --state-dir=here "$@" "$A" unix:near
	told owner destination
	finish receiving 0
	told owner destination
	expect_state "$A" stop
	expect_state "$B" running
	phases 'done' 'done'
	kill "$relay"
	has_run "$B"
	set_state "$A" running
}

@test "move: whatever breaks before READY, the state arrives in the end, and runs once" {
	local all cut

	emu_start --state-size 300K
	reference "$A"
	set_state "$A" running
	relay
	moved
	all=$(tail -n 1 relay.out)
	all=${all#moved }
	# In HELLO and OFFER nothing has begun; then in the stream, and at END, which stands before
	# the last message, COMMIT.
	for cut in 20000 100000 $((all - 120)) $((all - 56)); do
		relay "$cut" 20000
		moved --retries=3
	done
}

@test "move: COMMIT that is lost is said again, and the state runs once" {
	local all

	emu_start --state-size 300K
	reference "$A"
	set_state "$A" running
	relay
	moved
	all=$(tail -n 1 relay.out)
	relay "${all#moved }"
	moved
}
