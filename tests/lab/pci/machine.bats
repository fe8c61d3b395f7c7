#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The PCI machine, from outside: what tests/lab/run promises of it, and where it cannot be had.

# shellcheck disable=SC2154 # record sets status, output and stderr

setup()
{
	set +T
	load ../../helpers
	top=$(cd "${top_srcdir:-$BATS_TEST_DIRNAME/../../..}" && pwd -P)
	cd "$BATS_TEST_TMPDIR"
}

# lab OPTION... COMMAND...: in the machine.
lab()
{
	"$top/tests/lab/pci/prepare" --cached >/dev/null || skip "no PCI lab: tests/lab/pci/prepare makes it"
	record "$top/tests/lab/run" --machine pci "$@"
	printf '%s\n%s\n' "$output" "$stderr"
}

# refused STATUS TEXT OPTION...: run ends so, with that one line, and boots nothing.
refused()
{
	local want=$1 text=$2
	shift 2

	record "-$want" "$top/tests/lab/run" "$@" true
	echo "$stderr"
	[[ $stderr == "$text" && -z $output ]]
}

# stub NAME: a command that comes before the real one; its script is standard input.
stub()
{
	mkdir -p stubs
	{
		echo '#!/bin/sh'
		cat
	} >"stubs/$1"
	chmod +x "stubs/$1"
}

# Two in one boot, which costs as much as several tests.
@test "machine: environment, folder, each byte of output; what the kernel complains of is a failure" {
	mkdir 'a, folder'
	cd 'a, folder'
	head -c 700000 /dev/urandom >bytes
	export WORDS=$'of two\nlines'
	# What is left running is ended.
	# shellcheck disable=SC2016 # for the shell inside
	lab sh -c 'sleep 1000 & cat bytes; printf "%s|$PWD|$LAB_MACHINE|$(umask)\n" "$WORDS" >&2
		echo "<4>WARNING: made up" >/dev/kmsg; exit 3' >/dev/null
	# bash drops NULs, so the bytes are compared where record put them.
	cmp bytes "$BATS_TEST_TMPDIR/record.out"
	[[ $status -eq 125 && $stderr == "$WORDS|$PWD|pci|$(umask)"$'\n'"lab: the kernel complained (the \
command's status was 3)"*'WARNING: made up'* ]]
}

@test "machine: a kernel that crashes ends it" {
	lab sh -c 'echo out; echo c >/proc/sysrq-trigger'
	[[ $status -eq 125 && $stderr == "lab: the kernel ended before the command did"*'sysrq: Trigger a crash'* ]]
}

@test "machine: one that gets nowhere is taken off" {
	lab --silent 5 sh -c 'echo here; exec sleep 1000'
	[[ $status -eq 124 && $output == here && $stderr == "lab: wrote nothing and got nowhere"* ]]
}

@test "machine: without an IOMMU; on a terminal, of its size" {
	"$top/tests/lab/pci/prepare" --cached >/dev/null || skip "no PCI lab: tests/lab/pci/prepare makes it"
	cat >inside <<-'END'
		tty
		stty size
		find /sys/kernel/iommu_groups -mindepth 1 | wc -l
		exit 5
	END
	record script -q -e -c "stty rows 33 cols 101; '$top/tests/lab/run' --machine pci --variant no-iommu \
		--interactive sh inside" /dev/null
	cat -A <<<"$output"
	[[ $status -eq 5 && $output == *'/dev/hvc0'$'\r\n''33 101'$'\r\n''0'* ]]
}

@test "scripts/lab: a function, three VFs on their driver, and what makes others" {
	"$top/tests/lab/pci/prepare" --cached >/dev/null || skip "no PCI lab: tests/lab/pci/prepare makes it"
	# shellcheck disable=SC2016 # for the shell inside
	record "$top/scripts/lab" --machine pci sh -c 'echo $PF $VF0 $VF1 $VF2; vfs unbind $VF1; vfs show'
	printf '%s\n%s\n' "$output" "$stderr"
	[[ $status -eq 0 && ${lines[0]} == '0000:01:00.0 0000:01:10.0 0000:01:10.2 0000:01:10.4' ]]
	[[ ${lines[1]} == '0000:01:10.0 migsim-pci '* && ${lines[2]} == '0000:01:10.2 - '*' -' ]]
	[[ $stderr == *'$VF0  0000:01:10.0  /dev/vfio/'*'  /dev/vfio/devices/vfio'* ]]
}

@test "machine: options that it has not" {
	refused 125 "lab: --machine amiga: neither uml nor pci" --machine amiga
	refused 125 "lab: --kernel 7.2: pci has one of its own" --machine pci --kernel 7.2
	refused 125 "lab: --variant nosuch: neither no-iommu nor no-intremap" --machine pci --variant nosuch
	refused 125 "lab: --variant no-iommu: uml has none" --variant no-iommu
}

@test "machine: where packages cannot be had, one line and 77" {
	export VFIOMIG_CACHE=$PWD/cache PATH=$PWD/stubs:$PATH

	record -1 "$top/tests/lab/pci/prepare" --cached
	[[ -z $output$stderr && ! -e cache/pci/resolution ]]
	stub apt-get <<<'exit 100'
	refused 77 "prepare: cannot ask for Debian's packages" --machine pci
	# The lists are there, and have no QEMU that would do.
	stub apt-get <<-'END'
		case "$*" in
		*indextargets*) echo "main|$(. /etc/os-release; echo $VERSION_CODENAME)|http://localhost/debian|/nosuch:1" ;;
		*install*) echo 'Inst qemu-system-x86 (1:7.2+dfsg-7 Debian:12 [amd64])' ;;
		esac
	END
	refused 77 "prepare: no QEMU 8 or later in this machine's apt sources" --machine pci
	stub dpkg <<<'echo riscv64'
	refused 77 "prepare: not a Debian system for amd64" --machine pci
	[[ ! -e cache/pci/resolution ]]
}
