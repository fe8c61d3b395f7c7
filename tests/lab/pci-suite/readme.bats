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

# What differs from run to run, or by what stands beside it: times, rates, identifiers; spaces.
alike()
{
	sed -E 's/[0-9.]+ (ns|us|ms|s|[KMG]iB\/s|B\/s)$/TIME/; s/^(image id +).*/\1ID/; s/ +/ /g'
}

# section: the lines of the README behind its marker, up to the next paragraph.
section()
{
	awk '/^`scripts\/lab --machine pci`/ { here = 1; next }
		here && /^    / { seen = 1; print substr($0, 5) }
		here && seen && !/^    / && !/^$/ { exit }' "${top_srcdir:?}/README.md"
}

@test "readme: from a fresh VF to its image" {
	local line commands=0

	: >told
	while IFS='' read -r line; do
		[[ $line == '$ '* ]] || continue
		echo "$line" >>told
		((++commands))
		bash -c "${line#\$ }" >>told 2>&1 || true
	done < <(section)
	((commands == 5))
	diff <(section | alike) <(grep -v '^$' told | alike)
	[[ -s vf.img ]]
	migctl 0 verify vf.img
}
