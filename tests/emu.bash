# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tests against vfiomig-emu share: an emulator that is ended with the test, ways to look at its
# devices that do not go through what is tested.
# The sockets have short, relative names: a socket's name has at most 107 bytes.

# shellcheck disable=SC2154 # run sets status, output and stderr
load "${BASH_SOURCE[0]%/*}/helpers.bash"

: "${VFIOMIG_EMU:=vfiomig-emu}"

# An empty folder to be in; $A and $B are the first two devices of an emulator.
emu_setup()
{
	require jq
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	export UBSAN_OPTIONS=${UBSAN_OPTIONS-halt_on_error=1:print_stacktrace=1}
	tool=$VFIOMIGCTL
	VFIOMIGCTL=bounded
	emu_pids=()
	started=()
	# For the tests.
	# shellcheck disable=SC2034
	A=vfio-user:emu
	# shellcheck disable=SC2034
	B=vfio-user:emu.1
}

# What migctl runs: the tool. What never ends, tests/watch ends: no test knows how long it may take
# on this machine.
bounded()
{
	"$tool" "$@"
}

# emu_start ARG...: two devices at the sockets emu and emu.1, unless --devices and --socket say
# otherwise. Returns when they can be connected to; $emu is the process.
emu_start()
{
	local line='' fd

	exec {fd}< <(exec "$VFIOMIG_EMU" --socket emu --devices 2 --exit-with-parent "$@" \
		2>>"$BATS_TEST_TMPDIR/emu.err" 3>&-)
	emu=$!
	emu_pids[emu]=$fd
	IFS='' read -r -u "$fd" line || true
	[[ $line == 'ready: '* ]] || {
		echo "vfiomig-emu $* is not ready: '$line'"
		cat "$BATS_TEST_TMPDIR/emu.err"
		return 1
	}
}

# emu_stop [PID]: ends an emulator, which must have been alive and well: the last one, or PID.
emu_stop()
{
	local pid=${1-$emu}

	kill -TERM "$pid" 2>/dev/null || true
	emu_wait "$pid"
	((emu_ended == 0)) || {
		echo "vfiomig-emu ended with $emu_ended"
		return 1
	}
}

# emu_died [PID]: it has killed itself, as it was told to.
emu_died()
{
	emu_wait "${1:-$emu}"
	((emu_ended == 137))
}

# Until the last writer of its output is gone, and that is itself; then its status in $emu_ended.
emu_wait()
{
	local fd=${emu_pids[$1]} line

	while IFS='' read -r -u "$fd" line; do :; done
	kill -KILL "$1" 2>/dev/null || true
	emu_ended=0
	wait "$1" 2>/dev/null || emu_ended=$?
	exec {fd}<&-
	unset "emu_pids[$1]"
}

emu_teardown()
{
	local pid failed=0

	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	for pid in "${!emu_pids[@]}"; do
		emu_stop "$pid" || failed=1
	done
	if [[ -s $BATS_TEST_TMPDIR/emu.err ]]; then
		cat "$BATS_TEST_TMPDIR/emu.err"
	fi
	if [[ -n ${BATS_TEST_COMPLETED-} ]]; then
		return $failed
	fi
}

# mute N SOCKET: so many that connect, and keep the connection, and say nothing; $mute is the process.
# Of an emulator's socket: others wait for the device.
mute()
{
	# What an earlier one said is no word of this one.
	: >mute.out
	python3 -c 'import signal, socket, sys
s = [socket.socket(socket.AF_UNIX) for i in range(int(sys.argv[1]))]
for one in s:
    one.connect(sys.argv[2])
print("connected", flush=True)
signal.pause()' "$@" >mute.out 3>&- &
	mute=$!
	started+=("$mute")
	eventually said connected mute.out
}

#
# The devices, as somebody else sees them
#

# state_of DEV: $real is its state as the next client finds it, or "gone".
state_of()
{
	local text

	real=gone
	text=$(bounded --json state "$1" 2>/dev/null) || return 0
	[[ $text =~ \"state\":\ \"([a-z0-9-]+)\" ]]
	real=${BASH_REMATCH[1]}
}

# expect_state DEV STATE
expect_state()
{
	state_of "$1"
	[[ $real == "$2" ]] || {
		echo "$1 is in $real, not in $2"
		return 1
	}
}

# set_state DEV STATE: by a client that then goes away.
set_state()
{
	bounded -q state "$1" "$2"
}

# stream DEV FILE: all that a stopped device holds.
stream()
{
	set_state "$1" stop && bounded -q save --raw --force "$1" "$2"
}

# reference DEV: the file "reference" is what it holds. It is left stopped.
reference()
{
	stream "$1" reference
}

# holds DEV: what the reference holds, to the last bit, the counter of its running time included.
holds()
{
	stream "$1" found && cmp reference found
}

# has_run DEV: what the reference holds, but for the last record with that counter.
has_run()
{
	local size

	size=$(stat -c %s reference)
	stream "$1" found && cmp -n $((size - 32)) reference found && run ! cmp -s reference found
}

# register SOCKET NAME: $register is one of BAR 0, read without any code of the project's.
register()
{
	register=$(python3 -IS - "$1" "$2" <<-'END'
		import socket, struct, sys

		at, form = {"digest": (0x10, "<Q"), "state": (0x1c, "<I"), "moved": (0x28, "<Q"),
		            "resets": (0x30, "<Q")}[sys.argv[2]]
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])

		def call(command, payload):
		    s.sendall(struct.pack("<HHIII", 7, command, 16 + len(payload), 0, 0) + payload)
		    head = s.recv(16, socket.MSG_WAITALL)
		    msg, what, size, flags, errno = struct.unpack("<HHIII", head)
		    assert (msg, what, flags) == (7, command, 1), head
		    return s.recv(size - 16, socket.MSG_WAITALL)

		call(1, struct.pack("<HH", 0, 1) + b'{"capabilities":{}}\0')
		size = struct.calcsize(form)
		reply = call(9, struct.pack("<QII", at, 0, size))
		print(struct.unpack(form, reply[16:])[0])
	END
	)
	[[ -n $register ]]
}

#
# Several devices, as a set
#

# members COUNT [FIRST]: $members are so many devices of an emulator, from number FIRST (0) on.
members()
{
	local n first=${2-0}

	members=()
	for ((n = first; n < first + $1; n++)); do
		if ((n == 0)); then members+=("$A"); else members+=("vfio-user:emu.$n"); fi
	done
}

# expect_states STATE...: one for each of $members, or one for all.
expect_states()
{
	local n want=("$@") found=()

	for ((n = $#; n < ${#members[@]}; n++)); do
		want+=("$1")
	done
	for n in "${!members[@]}"; do
		state_of "${members[n]}"
		found+=("$real")
	done
	[[ ${found[*]} == "${want[*]}" ]] || {
		echo "the devices are in ${found[*]}, not in ${want[*]}"
		return 1
	}
}

# expect_alike: all of $members are in the same state.
expect_alike()
{
	state_of "${members[@]:0:1}"
	expect_states "$real"
}

# expect_barrier FIRST THEN: by the file "events" (--event-log) each of $members had an event that
# is FIRST, a regular expression, before any of them had one that is THEN; and there was one.
expect_barrier()
{
	keeps_barrier "$1" "$2" && happened "$2"
}

# keeps_barrier FIRST THEN: the same, but there need not be one.
keeps_barrier()
{
	awk -v first="^($1)\$" -v then="^($2)\$" -v of="${members[*]#vfio-user:}" '
		BEGIN { n = split(of, names, " "); for (i in names) wanted[names[i]] }
		!($2 in wanted) { next }
		{ event = $0; sub(/^[^ ]* [^ ]* /, "", event) }
		event ~ first && !($2 in come) { come[$2]; here++ }
		event ~ then && here < n { early = 1; print "too early: " $0 }
		END { exit early }' events
}

# happened REGEX [DEV]: an event of a device, DEV or any, is so.
happened()
{
	local dev='[^ ]+'

	(($# < 2)) || dev=${2#vfio-user:}
	grep -qE "^[0-9]+ $dev ($1)\$" events
}

#
# What the tool said
#

# expect_message TEXT...: standard error is one line, which has each.
expect_message()
{
	local text

	[[ $stderr == 'vfiomigctl: '* && $stderr != *$'\n'* ]] || {
		echo "not one line"
		return 1
	}
	for text; do
		[[ $stderr == *"$text"* ]] || {
			echo "not said: $text"
			return 1
		}
	done
}

# expect_arcs ARC...: they were taken, in this order, and no others.
expect_arcs()
{
	local arcs

	arcs=$(jq -r '[.arcs[] | .from + ":" + .to + if .error then "=" + .error else "" end] |
		join(" ")' <<<"$output")
	[[ $arcs == "$*" ]] || {
		echo "arcs: $arcs"
		return 1
	}
}

# expect_files NAME...: they, and nothing else but sockets, are in this folder.
expect_files()
{
	local found

	found=$(find . -mindepth 1 ! -type s -printf '%P\n' | sort | paste -sd ' ')
	[[ $found == "$*" ]] || {
		echo "files here: $found"
		return 1
	}
}

#
# In the background
#

# start NAME ARG...: the tool, its output in NAME.out and NAME.err, its pid in $NAME.
# Descriptor 9, which tests write into pipes by, it does not get.
start()
{
	local name=$1

	shift
	# The process that opens them may come to it late: what an earlier one said is gone by then.
	: >"$name.out" 2>"$name.err"
	"$tool" "$@" >"$name.out" 2>"$name.err" 3>&- 9>&- &
	started+=("$!")
	printf -v "$name" %s "$!"
}

# end_started NAME: what was started beside the tool. The teardown does not kill its number once more:
# by then that may be another process.
end_started()
{
	local pid=${!1} left=() other

	kill "$pid"
	wait "$pid" || true
	for other in "${started[@]}"; do
		[[ $other == "$pid" ]] || left+=("$other")
	done
	started=("${left[@]}")
}

# said TEXT FILE
said()
{
	[[ -e $2 && $(<"$2") == *"$1"* ]]
}
