#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The units of systemd: what systemd itself thinks of them.

setup()
{
	load ../helpers
	require systemd-analyze
	mkdir "$BATS_TEST_TMPDIR/units" "$BATS_TEST_TMPDIR/bin"
	cp "${top_srcdir:-$BATS_TEST_DIRNAME/../..}"/systemd/* "$BATS_TEST_TMPDIR/units"
	cd "$BATS_TEST_TMPDIR/units"
	printf '#!/bin/sh\n' >../bin/vfiomigctl
	chmod +x ../bin/vfiomigctl
	for file in *.in; do
		sed "s|@bindir@|$BATS_TEST_TMPDIR/bin|" "$file" >"${file%.in}"
	done
}

verify()
{
	record systemd-analyze verify --man=no ./vfiomig-hold@vfio0.service \
		./vfiomig-receive@vfio0.service ./vfiomig-receive@vfio0.socket \
		./vfiomig-destination@vfio0.service ./vfiomig-destination@vfio0.socket
	echo "$output$stderr"
}

@test "units: systemd-analyze verify has nothing to say" {
	verify
	((status == 0))
	[[ -z $output$stderr ]]
	# It does look: a word that is none, a program that is not there.
	sed -i s/^PrivateTmp/PrivateTemp/ vfiomig-hold@.service
	verify
	[[ $output$stderr == *PrivateTemp* ]]
	rm ../bin/vfiomigctl
	verify
	((status != 0))
}

@test "units: systemd-analyze security counts little exposure" {
	local unit

	for unit in hold receive destination; do
		record -0 systemd-analyze security --no-pager --offline=true --threshold=20 \
			"./vfiomig-$unit@.service"
		[[ $output == *'exposure level'* ]]
	done
	sed -i '/^Protect\|^Restrict\|^SystemCall/d' vfiomig-hold@.service
	record systemd-analyze security --no-pager --offline=true --threshold=20 ./vfiomig-hold@.service
	((status != 0))
}

@test "units: a holder can be started at each boot" {
	local root=$BATS_TEST_TMPDIR/root

	mkdir -p "$root/etc/systemd/system"
	cp vfiomig-hold@.service "$root/etc/systemd/system"
	record -0 systemctl --root="$root" enable vfiomig-hold@0000:3b:00.1.service
	[[ -L $root/etc/systemd/system/multi-user.target.wants/vfiomig-hold@0000:3b:00.1.service ]]
}

@test "units: what they run are commands and options that there are" {
	local file line

	for file in vfiomig-*@.service; do
		line=$(sed -n 's/^ExecStart=[^ ]*vfiomigctl //p' "$file")
		[[ -n $line ]]
		line=${line//%I/0000:ff:1f.7}
		line=${line//%t/$BATS_TEST_TMPDIR}
		line=${line//%i/i}
		mkdir -p "$BATS_TEST_TMPDIR/vfiomig-hold/i"
		# shellcheck disable=SC2086 # words
		record "$VFIOMIGCTL" $line
		echo "$line: $status $stderr"
		# Neither misuse of options nor success: there is no such device, or no such descriptor.
		[[ $stderr == *'no such PCI device'* || $stderr == *fd:@(image|move)": not a file descriptor's number"* ]]
	done
}
