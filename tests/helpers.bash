# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What all bats tests share: setup() loads it.

bats_require_minimum_version 1.5.0

: "${VFIOMIGCTL:=vfiomigctl}"

# migctl STATUS ARG...: runs the tool and expects an exit status. Afterwards $output and $stderr
# are what it wrote. All of it is printed too, which bats shows only if the test then fails.
# shellcheck disable=SC2154 # run sets status, output and stderr
migctl()
{
	local want=$1

	shift
	run --separate-stderr "$VFIOMIGCTL" "$@"
	{
		printf '$ vfiomigctl'
		(($# == 0)) || printf ' %q' "$@"
		printf '\n%s\n%s\n' "$output" "$stderr"
	}
	((status == want)) || {
		echo "exit status $status, not $want"
		return 1
	}
}

# require WORD...: skips the test unless the machine has all of it. The only way to skip.
# A word that is not known here fails: a misspelt one would skip for ever.
require()
{
	local what

	for what; do
		case $what in
		root) ((EUID == 0)) || skip "needs root" ;;
		kvm) [[ -w /dev/kvm ]] || skip "needs /dev/kvm" ;;
		lab) [[ -n ${LAB-} ]] || skip "needs the lab (tests/lab/run)" ;;
		clang-format | fish | git | jq | mandoc | python3 | scdoc | shellcheck | strace | zsh)
			command -v "$what" >/dev/null || skip "needs $what"
			;;
		*)
			echo "require: unknown word '$what'" >&2
			return 1
			;;
		esac
	done
}
