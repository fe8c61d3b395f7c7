#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both ends of a move, and a relay between them that cuts the connection after so many bytes of the
# source's, or at a message of it, and carries the next one. Whatever it cuts, exactly one end runs the state afterwards,
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

# relay CUT...: from the socket "near" to "far", each a number of bytes, END or COMMIT. What a cut has
# read last it does not pass on.
relay()
{
	require python3
	cat >relay.py <<-'END'
		import select, socket, struct, sys

		TYPES = {5: "END", 7: "COMMIT"}
		cuts = sys.argv[1:]

		class Source:
		    """What comes from it: bytes, and the messages that begin in them. HEARTBEAT comes when
		    its time has come, so that no message has its place by bytes."""
		    def __init__(self):
		        self.moved, self.head, self.left, self.seen = 0, b"", 0, set()

		    def take(self, data):
		        self.moved += len(data)
		        while data:
		            if self.left:
		                n = min(self.left, len(data))
		                self.left -= n
		            else:
		                n = min(32 - len(self.head), len(data))
		                self.head += data[:n]
		            data = data[n:]
		            if len(self.head) == 32:
		                kind, self.left = struct.unpack_from("<4xHxxI", self.head)
		                self.seen.add(TYPES.get(kind))
		                self.head = b""

		    def is_at(self, cut):
		        return cut in self.seen or (cut.isdigit() and self.moved >= int(cut))

		listener = socket.socket(socket.AF_UNIX)
		listener.bind("near")
		listener.listen()
		print("ready", flush=True)
		while True:
		    near = listener.accept()[0]
		    far = socket.socket(socket.AF_UNIX)
		    far.connect("far")
		    cut = cuts.pop(0) if cuts else ""
		    source, whole = Source(), True
		    while whole:
		        for s in select.select([near, far], [], [])[0]:
		            try:
		                data = s.recv(65536)
		                if s is near:
		                    source.take(data)
		                whole = data and not source.is_at(cut)
		                if not whole:
		                    break
		                (far if s is near else near).sendall(data)
		            except OSError:
		                whole = False
		    print("cut" if cut and source.is_at(cut) else "moved", flush=True)
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
	end_started relay
	has_run "$B"
	set_state "$A" running
}

@test "move: whatever breaks before READY, the state arrives in the end, and runs once" {
	local cut

	emu_start --state-size 300K
	reference "$A"
	set_state "$A" running
	# In HELLO and OFFER nothing has begun; then in the stream, and at its end.
	for cut in 20000 100000 END; do
		relay "$cut" 20000
		moved --retries=3
		[[ $(grep -c ^cut relay.out) == 2 ]]
	done
}

@test "move: COMMIT that is lost is said again, and the state runs once" {
	emu_start --state-size 300K
	reference "$A"
	set_state "$A" running
	relay COMMIT
	moved
	[[ $(grep -c ^cut relay.out) == 1 ]]
}

@test "move: by TLS, with a key that both have" {
	local at

	emu_start --state-size 300K
	reference "$A"
	set_state "$A" running
	mkdir keys other
	(umask 077 && printf 'ann:%032d\n' 1 >keys/keys.psk && printf 'ann:%032d\n' 2 >other/keys.psk)
	: >receiving.err
	start receiving receive --json --no-hold --state-dir=there --tls-creds=keys "$B" \
		tcp:127.0.0.1:0
	eventually said 'listening on ' receiving.err
	at=$(sed -n 's/.*listening on //p' receiving.err)
	migctl 78 migrate --json --state-dir=here --tls-creds=other --tls-psk-user=ann "$A" "$at"
	expect_state "$A" running
	migctl 0 migrate --json --state-dir=here --tls-creds=keys --tls-psk-user=ann "$A" "$at"
	told owner destination
	finish receiving 0
	expect_state "$A" stop
	expect_state "$B" running
	has_run "$B"
}

@test "move: several devices, one decision" {
	emu_start --socket here.s --devices 2 --state-size 300K
	emu_start --socket there.s --devices 2 --state-size 300K --seed 7
	: >receiving.err
	start receiving receive --json --no-hold --state-dir=there vfio-user:there.s \
		vfio-user:there.s.1 unix:far
	eventually said 'listening on ' receiving.err
	migctl 0 migrate --json --state-dir=here vfio-user:here.s vfio-user:here.s.1 unix:far
	finish receiving 0
	expect_state vfio-user:here.s stop
	expect_state vfio-user:here.s.1 stop
	expect_state vfio-user:there.s running
	expect_state vfio-user:there.s.1 running
	phases 'done' 'done'
}

@test "move: by a command, as ssh would be" {
	emu_start --state-size 300K
	reference "$A"
	set_state "$A" running
	migctl 0 migrate --json --state-dir=here "$A" \
		"exec:exec $tool receive --no-hold --state-dir=there $B - 2>receiving.err"
	told owner destination
	expect_state "$A" stop
	expect_state "$B" running
	phases 'done' 'done'
	has_run "$B"
}
