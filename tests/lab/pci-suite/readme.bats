#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The README's way from a fresh VF to one that is saved: its commands, in its order, in the machine that
# it names, say what stands there.

# shellcheck disable=SC2154 # variables of pci.bash, and of record
load pci.bash

setup()
{
	local inside

	[[ -d /sys/module/devlink_sim ]] || skip "needs --module devlink-sim"
	pci_setup
	inside=$BATS_TEST_DIRNAME/../pci
	"$inside/modules"
	devlink dev eswitch set "pci/$PF" mode switchdev
	PATH=$(cd "${VFIOMIGCTL%/*}" && pwd):$PATH
}

teardown()
{
	devlink dev eswitch set "pci/$PF" mode legacy
}

# But for how columns are aligned, and a name that only pci.ids has.
alike()
{
	sed -E 's/ +/ /g; s/ (NAME|-|Intel .*)$//'
}

# section: the lines of the README behind its marker, up to the next paragraph.
section()
{
	awk '/^`scripts\/lab --machine pci`/ { here = 1; next }
		here && /^    / { seen = 1; print substr($0, 5) }
		here && seen && !/^    / && !/^$/ { exit }
		here && seen && /^$/ { print }' "${top_srcdir:?}/README.md"
}

@test "readme: from a fresh VF to its image" {
	local line commands=0

	: >told
	while IFS='' read -r line; do
		[[ $line == '$ '* ]] || continue
		echo "$line" >>told
		((++commands))
		bash -c "${line#\$ }" >>told 2>err || true
		# What is slow says so.
		grep -v ': still waiting for the driver: ' err >>told || true
	done < <(section)
	((commands == 5))
	diff <(section | grep -v '^$' | alike) <(grep -v '^$' told | alike)
	[[ -s vf.img ]]
	migctl 0 verify vf.img
}
