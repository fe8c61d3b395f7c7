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
		clang-format | clang-tidy | codespell | fish | git | jq | mandoc | python3 | scdoc | \
			shellcheck | strace | zsh)
			command -v "$what" >/dev/null || skip "needs $what"
			;;
		*)
			echo "require: unknown word '$what'" >&2
			return 1
			;;
		esac
	done
}

# expect_json FILTER...: each is true of the report in $output.
expect_json()
{
	local filter all=true

	for filter; do
		all+=" and ($filter)"
	done
	jq -e "$all" <<<"$output" >/dev/null && return
	for filter; do
		jq -e "$filter" <<<"$output" >/dev/null || echo "not so: $filter"
	done
	return 1
}

# finish NAME STATUS: it ends, so; $output and $stderr are what it wrote.
# shellcheck disable=SC2034 # for the test
finish()
{
	local ended=0

	eventually has_ended "${!1}" || kill -KILL "${!1}"
	wait "${!1}" || ended=$?
	output=$(<"$1.out")
	stderr=$(<"$1.err")
	printf '%s ended:\n%s\n%s\n' "$1" "$output" "$stderr"
	((ended == $2)) || {
		echo "exit status $ended, not $2"
		return 1
	}
}

has_ended()
{
	local command=''

	IFS='' read -r -d '' command 2>/dev/null <"/proc/$1/cmdline" || true
	[[ -z $command ]]
}

# eventually COMMAND...: until it succeeds, a minute at most.
eventually()
{
	local end=$((SECONDS + 60))

	until "$@"; do
		((SECONDS < end)) || {
			echo "never came true: $*"
			return 1
		}
		sleep 0.01
	done
}
