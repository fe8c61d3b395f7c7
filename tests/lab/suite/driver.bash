# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the suites of migsim and of migsim-pci share: devices that are told how to behave and say how
# they fare, and a driver that complains. Who loads this says where: $sysfs, the folder that has the
# devices, and $driver_module.

# shellcheck disable=SC2154 # sysfs and driver_module, of who loads this

teardown()
{
	local status=0

	lab_teardown || status=1
	expect_no_misuse || status=1
	return "$status"
}

# sim DEVICE ATTRIBUTE VALUE: tells a device something.
sim()
{
	echo "$3" >"$sysfs/$1/migsim/$2"
}

# shown DEVICE ATTRIBUTE: $shown is what the device says of itself.
shown()
{
	shown=''
	read -r shown <"$sysfs/$1/migsim/$2" || true
}

# expect_shown DEVICE ATTRIBUTE VALUE
expect_shown()
{
	shown "$1" "$2"
	[[ $shown == "$3" ]] || {
		echo "$2 is $shown, not $3"
		return 1
	}
}

# watch_misuse: for setup(): what the driver complains of from here on is the test's.
watch_misuse()
{
	misuse_allowed=''
	# Several files may share a boot.
	began="$driver_module suite: ${BATS_TEST_FILENAME##*/} $BATS_TEST_NUMBER"
	echo "$began" >/dev/kmsg
	read -r misuses <"/sys/module/$driver_module/parameters/misuses"
}

# kernel_log: since this test began.
kernel_log()
{
	dmesg | sed "1,/$began\$/d"
}

# The driver's complaints about whoever uses it, since this test began. A test that provokes them
# calls allow_misuse, and looks at $misuse if it wants to know which.
misuse()
{
	local now

	misuse=''
	read -r now <"/sys/module/$driver_module/parameters/misuses"
	((now > misuses)) || return 0
	misuse=$(kernel_log | grep -E 'migsim .*: misuse: ') || true
}

allow_misuse()
{
	misuse_allowed=yes
}

# A test that was skipped has not begun to watch.
expect_no_misuse()
{
	[[ -n ${misuses-} ]] || return 0
	misuse
	[[ -z $misuse || -n $misuse_allowed ]] || {
		echo "$misuse"
		return 1
	}
}
