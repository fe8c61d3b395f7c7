# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the suites with migsim devices share: devices that can be told how to behave, and ways to
# look at them that do not go through the tool under test. See ../migsim/README.md.

load lab.bash

setup()
{
	migsim_setup migsim-v2
}

teardown()
{
	local status=0

	lab_teardown || status=1
	expect_no_misuse || status=1
	return "$status"
}

# migsim_setup TYPE: $A and $B, as lab_setup does.
migsim_setup()
{
	misuse_allowed=''
	lab_setup "$1"
	echo "migsim suite: $BATS_TEST_NUMBER" >/dev/kmsg
	read -r misuses </sys/module/migsim/parameters/misuses
	plain "$A"
	plain "$B"
}

# sim UUID ATTRIBUTE VALUE: tells a device something.
sim()
{
	echo "$3" >"/sys/bus/mdev/devices/$1/migsim/$2"
}

# shown UUID ATTRIBUTE: $shown is what the device says of itself.
shown()
{
	shown=''
	read -r shown <"/sys/bus/mdev/devices/$1/migsim/$2" || true
}

# plain UUID: it keeps its state when it is closed, so that it can be looked at afterwards.
plain()
{
	sim "$1" reset_on_open 0
}

# expect_shown UUID ATTRIBUTE VALUE
expect_shown()
{
	shown "$1" "$2"
	[[ $shown == "$3" ]] || {
		echo "$2 is $shown, not $3"
		return 1
	}
}

# is_in UUID STATE: for v1, too, of which debugfs knows nothing.
is_in()
{
	shown "$1" state
	real=$shown
	[[ $real == "$2" ]]
}

# same_state UUID UUID: they hold the same, as long as neither runs.
same_state()
{
	local digest

	shown "$1" digest
	digest=$shown
	expect_shown "$2" digest "$digest"
}

counts()
{
	local before

	shown "$1" counter
	before=$shown
	shown "$1" counter
	((shown > before))
}

# expect_frozen UUID: its counter stands still. Only a hint while it stands for an instant; so it
# is looked at several times, with another program in between.
expect_frozen()
{
	local before

	shown "$1" counter
	before=$shown
	for _ in 1 2 3; do
		/bin/true
		expect_shown "$1" counter "$before"
	done
}

# The driver's complaints about whoever uses it, since this test began. A test that provokes them
# calls allow_misuse, and looks at $misuse if it wants to know which.
misuse()
{
	local now

	misuse=''
	read -r now </sys/module/migsim/parameters/misuses
	((now > misuses)) || return 0
	misuse=$(dmesg | sed "1,/migsim suite: $BATS_TEST_NUMBER\$/d" | grep -E 'migsim .*: misuse: ') ||
		true
}

allow_misuse()
{
	misuse_allowed=yes
}

expect_no_misuse()
{
	misuse
	[[ -z $misuse || -n $misuse_allowed ]] || {
		echo "$misuse"
		return 1
	}
}

# resume_fd STATUS ARG...: resume into $B by an inherited descriptor, so that nobody has to hold it
# afterwards: plain devices keep what they have. $output and $stderr are what it wrote.
# shellcheck disable=SC2154 # tools is lab.bash's; run sets the others
resume_fd()
{
	local want=$1

	shift
	record "$tools/with-fd" "$B" 7 "$VFIOMIGCTL" resume --no-hold fd:7 "$@"
	printf '$ vfiomigctl resume --no-hold fd:7 %s\n%s\n%s\n' "$*" "$output" "$stderr"
	((status == want)) || {
		echo "exit status $status, not $want"
		return 1
	}
}

# expect_copied: $A, which is stopped, and $B hold the same; $B counts when it runs.
expect_copied()
{
	same_state "$A" "$B"
	expect_frozen "$B"
	migctl 0 state "$B" running
	eventually counts "$B"
}
