# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the PCI suites share: three virtual functions of an igb NIC on migsim-pci, and ways to look at
# them that do not go through the tool under test. See ../migsim-pci/README.md.

# shellcheck disable=SC2034,SC2154 # variables of lab.bash's and record's, and for the tests

load ../suite/lab.bash
sysfs=/sys/bus/pci/devices driver_module=migsim_pci
load ../suite/driver.bash

# Words of mailbox memory, where a test leaves what it wants to find again. The first one is the
# PF's driver's; these three are in the middle, at the end, and where bytes are in the wrong order if
# they ever are.
words=(0x804 0x820 0x83c)

setup()
{
	pci_setup
}

# pci_setup: $PF, and $A, $B and $C, functions of it that are as new; an empty folder, on a tmpfs.
pci_setup()
{
	set +T
	require lab root
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	before=(/proc/[0-9]*)
	devices=()
	lab=$(cd "$BATS_TEST_DIRNAME/.." && pwd -P)
	PF=$("$lab/pci/vfs" pf)
	make_functions
	watch_misuse
}

# driver_of ADDRESS: $driver, empty without one.
driver_of()
{
	driver=$(readlink "$sysfs/$1/driver") || true
	driver=${driver##*/}
}

# bind ADDRESS DRIVER
bind()
{
	driver_of "$1"
	[[ $driver != "$2" ]] || return 0
	[[ -z $driver ]] || echo "$1" >"$sysfs/$1/driver/unbind"
	echo "$2" >"$sysfs/$1/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
	driver_of "$1"
	[[ $driver == "$2" ]]
}

# make_functions: three, bound, with the habits that they have at first. Those of an earlier test are
# as good as new once their habits are set again: nothing holds them, so they were reset.
make_functions()
{
	local count name path i=0

	[[ -e /sys/bus/pci/drivers/igb ]] || modprobe igb
	bind "$PF" igb
	read -r count <"$sysfs/$PF/sriov_numvfs"
	if ((count != 3)); then
		((count == 0)) || echo 0 >"$sysfs/$PF/sriov_numvfs"
		echo 3 >"$sysfs/$PF/sriov_numvfs"
	fi
	for name in A B C; do
		path=$(readlink "$sysfs/$PF/virtfn$i")
		printf -v "$name" %s "${path##*/}"
		((++i))
		bind "${!name}" migsim-pci
		sim "${!name}" profile igbvf
		sim "${!name}" fault clear
	done
}

# bar ADDRESS STEP...: registers as the host sees them; $values, in one line.
bar()
{
	values=$("$tools/bar" "$sysfs/$1/resource0" "${@:2}")
	values=${values//$'\n'/ }
}

# expect_words ADDRESS VALUE VALUE VALUE: what is in $words.
expect_words()
{
	bar "$1" "${words[@]}"
	[[ $values == "${*:2}" ]] || {
		echo "the registers are $values, not ${*:2}"
		return 1
	}
}

# own ADDRESS SCRIPT [OPTION...]: SCRIPT is run by a process that has the function as descriptor 9, as a
# program that drives it does. $output, $stderr and $status are the script's. In there: $ctl is the
# tool, write_words and all of the above.
own()
{
	local address=$1 script=$2

	shift 2
	record "$tools/with-fd" "$@" "$address" 9 "$BASH" -c "
		$(declare -f bar expect_words shown expect_shown sim write_words)
		$(declare -p words tools sysfs A B C PF)
		set -e
		ctl=$VFIOMIGCTL
		$script"
	printf 'an owner of %s, status %s:\n%s\n%s\n' "$address" "$status" "$output" "$stderr"
}

# In an owner's script, write_words VALUE VALUE VALUE: through VFIO.
write_words()
{
	"$tools/region" fd:9 0 "w4@${words[0]}=$1" "w4@${words[1]}=$2" "w4@${words[2]}=$3" >/dev/null
}

# arm ADDRESS FAULT...: and struck ADDRESS waits until one of them fires.
arm()
{
	shown "$1" hits
	hits_before=$shown
	for fault in "${@:2}"; do
		sim "$1" fault "$fault"
	done
}

struck()
{
	eventually has_hit "$1" $((hits_before + 1))
}

has_hit()
{
	shown "$1" hits
	((shown >= $2))
}
