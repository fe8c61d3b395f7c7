#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# migratable without a device: what it refuses, and how. What it does is tested on the PCI machine.

# shellcheck disable=SC2154 # migctl sets output and stderr
setup()
{
	load ../helpers
}

@test "migratable: misuse is told in one line" {
	migctl 64 migratable
	[[ $stderr == *': no DEV '* ]]
	migctl 64 migratable 0000:00:00.0 enable
	[[ $stderr == "vfiomigctl migratable: VALUE is on or off, not 'enable' (see "* ]]
	migctl 64 migratable 0000:00:00.0 on off
	[[ $stderr == *"one argument too many: 'off'"* ]]
	migctl 64 migratable no-device on
	[[ $stderr == *'no-device: not a device name; '* ]]
}

@test "migratable: a device that is not there, or has no place in sysfs" {
	migctl 66 migratable 0000:ff:1f.7 on
	[[ $stderr == *'0000:ff:1f.7: no such PCI device'* || $stderr == *'no sysfs'* ]]
	migctl 69 migratable vfio-user:/no/such on
	[[ $stderr == 'vfiomigctl: vfio-user:/no/such: not a PCI function' ]]
	migctl 69 --json migratable vfio-user:/no/such
	[[ $output == *'"status": 69'* ]]
}
