# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the suites with migsim devices share: devices that can be told how to behave, and ways to
# look at them that do not go through the tool under test. See ../migsim/README.md.

# shellcheck disable=SC2034,SC2154 # variables for driver.bash, and of it
load lab.bash
sysfs=/sys/bus/mdev/devices driver_module=migsim
load driver.bash

setup()
{
	migsim_setup migsim-v2
}

# migsim_setup TYPE: $A and $B, as lab_setup does.
migsim_setup()
{
	lab_setup "$1"
	watch_misuse
	plain "$A"
	plain "$B"
}

# plain UUID: it keeps its state when it is closed, so that it can be looked at afterwards.
plain()
{
	sim "$1" reset_on_open 0
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
