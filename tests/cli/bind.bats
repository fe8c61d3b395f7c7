#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bind, unbind and vfs without a device: what they refuse, and how. What they do is tested on the PCI
# machine.

# shellcheck disable=SC2154 # migctl sets output and stderr
setup()
{
	load ../helpers
}

@test "bind, unbind, vfs: misuse is told in one line" {
	for command in bind unbind vfs; do
		migctl 64 "$command"
		[[ $stderr == *': no DEV '* ]]
		migctl 64 "$command" no-device
		[[ $stderr == *'no-device: not a device name; '* ]]
		[[ ${#stderr_lines[@]} -le 1 ]]
	done
	for name in '' ../igbvf .; do
		migctl 64 bind --driver="$name" 0000:ff:1f.7
		[[ $stderr == "vfiomigctl bind: --driver is auto, none or a driver's name, not '$name' (see "* ]]
	done
	for number in -1 many 65536 ''; do
		migctl 64 vfs -- 0000:ff:1f.7 "$number"
		[[ $stderr == "vfiomigctl vfs: N is a number of VFs, 0 to 65535, not '$number' (see "* ]]
	done
	migctl 64 unbind --driver=none 0000:ff:1f.7
}

@test "bind, unbind, vfs: a device that is not there, or is no PCI function" {
	for command in bind unbind vfs; do
		migctl 66 "$command" 0000:ff:1f.7
		[[ $stderr == *'0000:ff:1f.7: no such PCI device'* || $stderr == *'no sysfs'* ]]
		migctl 66 --json "$command" 0000:ff:1f.7
		[[ $output == *'"status": 66'* || $output == *'"status":66'* ]]
	done
	migctl 66 bind --dry-run 0000:ff:1f.7
}
