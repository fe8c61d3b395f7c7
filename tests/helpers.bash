# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What all bats tests share: setup() loads it.

bats_require_minimum_version 1.5.0

: "${VFIOMIGCTL:=vfiomigctl}"

# shellcheck source=tests/read-file.bash
source "${BASH_SOURCE[0]%/*}/read-file.bash"

# That of a version manager is found by a script, which takes longer than many a test (in the lab
# ten times as long as python itself). $python is for who starts it by another program.
# shellcheck disable=SC2034 # for the tests
python=python3
if [[ -x /usr/bin/python3 ]]; then
	python=/usr/bin/python3
	hash -p "$python" python3
fi

# record [-STATUS] COMMAND...: what bats' "run --separate-stderr" does: $status, which must be
# STATUS if that is given, $output, $stderr and $lines. It takes one process where run takes six,
# and in the lab each of those costs nearly as much as the tool itself.
# shellcheck disable=SC2034,SC2154 # for the test; read_file sets output
record()
{
	local kept=$BATS_TEST_TMPDIR/record want=''

	if [[ $1 == -* ]]; then
		want=${1#-}
		shift
	fi
	status=0
	"$@" >"$kept.out" 2>"$kept.err" || status=$?
	read_file output "$kept.out"
	read_file stderr "$kept.err"
	drop_waits
	split_lines lines "$output"
	[[ -z $want ]] || expect_status "$want"
}

# split_lines NAME TEXT: the lines of it that are not empty, as the array NAME. "read" from a here-string
# asks the kernel for one byte at a time, as that is a pipe.
split_lines()
{
	local IFS=$'\n' noglob=${-//[!f]/}

	set -f
	# shellcheck disable=SC2206 # to be split
	eval "$1=(\$2)"
	[[ -n $noglob ]] || set +f
}

# drop_waits: $stderr without the names of calls that took the driver long. On a machine that is
# busy enough any call may, and what is tested is something else.
drop_waits()
{
	local line text=''

	[[ $stderr == *': still waiting for the driver: '* ]] || return 0
	while IFS='' read -r line; do
		[[ $line == *': still waiting for the driver: '* ]] || text+=$line$'\n'
	done <<<"$stderr"
	stderr=${text%$'\n'}
}

# expect_status STATUS: so the last command ended.
expect_status()
{
	((status == $1)) || {
		echo "exit status $status, not $1"
		return 1
	}
}

# migctl STATUS ARG...: runs the tool and expects an exit status. Afterwards $output and $stderr
# are what it wrote. All of it is printed too, which bats shows only if the test then fails.
# shellcheck disable=SC2154 # record sets output and stderr
migctl()
{
	local want=$1

	shift
	record "$VFIOMIGCTL" "$@"
	{
		printf '$ vfiomigctl'
		(($# == 0)) || printf ' %q' "$@"
		printf '\n%s\n%s\n' "$output" "$stderr"
	}
	[[ $output != '{'*'"schema": '* ]] ||
		printf '%s\n' "$output" >>"$BATS_FILE_TMPDIR/reports.$BATS_TEST_NUMBER"
	expect_status "$want"
}

# validate_reports [FILE...]: the JSON documents in them, or on standard input, fit their schemas.
# Status 77: no python here has jsonschema. The system's own goes first: a version manager's may
# lack it.
validate_reports()
{
	local python status=77

	for python in /usr/bin/python3 python3; do
		((status == 77)) || break
		command -v "$python" >/dev/null || continue
		status=0
		"$python" "${top_srcdir:?}/tests/validate-reports" "$top_srcdir/schema" "$@" || status=$?
	done
	return $status
}

# All reports that migctl has seen, in one go, since python takes its time to start. In the lab it
# takes so long that they are left to tests/lab/with-reports.
teardown_file()
{
	local reports=("$BATS_FILE_TMPDIR"/reports.*) status=0

	[[ -e ${reports[0]} ]] || return 0
	if [[ -n ${VFIOMIG_REPORTS-} ]]; then
		cat "${reports[@]}" >"$VFIOMIG_REPORTS/${BATS_TEST_FILENAME##*/}"
		return
	fi
	validate_reports "${reports[@]}" || status=$?
	((status == 0 || status == 77))
}

# find_qemu: $qemu, as the PCI machine has it.
find_qemu()
{
	local machine

	machine=$("${top_srcdir:?}/tests/lab/pci/prepare" --cached 2>/dev/null) || return
	qemu=$machine/qemu-system-x86_64
	[[ -x $qemu ]]
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
		qemu) find_qemu || skip "needs QEMU 8 or later (tests/lab/pci/prepare)" ;;
		lab) [[ -n ${LAB-} ]] || skip "needs the lab (tests/lab/run)" ;;
		jsonschema)
			validate_reports </dev/null >/dev/null || skip "needs python3 with jsonschema"
			;;
		yaml) python3 -c 'import yaml' 2>/dev/null || skip "needs python3 with yaml" ;;
		clang-format | clang-tidy | codespell | fish | git | jq | mandoc | openssl | prove | \
			python3 | scdoc | shellcheck | strace | systemd-analyze | xmllint | zsh)
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

# field NAME: a word or number of the report in $output, in $value: the first of that name, or
# nothing if there is none. What jq would say, without its process.
field()
{
	value=''
	[[ ! $output =~ \"$1\":\ \"?([a-z0-9-]+) ]] || value=${BASH_REMATCH[1]}
}

# told NAME VALUE: the report says so.
told()
{
	field "$1"
	[[ $value == "$2" ]] || {
		printf '%s\n' "$output" "$1 is '$value' in the report, not '$2'"
		return 1
	}
}

# finish NAME STATUS: it ends, so; $output and $stderr are what it wrote.
# shellcheck disable=SC2034 # for the test
finish()
{
	status=0
	eventually has_ended "${!1}" || kill -KILL "${!1}"
	wait "${!1}" || status=$?
	read_file output "$1.out"
	read_file stderr "$1.err"
	drop_waits
	printf '%s ended:\n%s\n%s\n' "$1" "$output" "$stderr"
	expect_status "$2"
}

has_ended()
{
	local stat=''

	IFS='' read -r -d '' stat 2>/dev/null <"/proc/$1/stat" || true
	[[ -z $stat || $stat == *') '[ZX]' '* ]]
}

# is_program PID NAME: it runs that program. A process may be gone at any moment, and bash ends at
# $(<FILE) without the file, whatever the substitution is a part of.
is_program()
{
	local comm=''

	IFS='' read -r comm 2>/dev/null <"/proc/$1/comm" || true
	[[ $comm == "$2" ]]
}

# eventually COMMAND...: until it succeeds. How long that takes is not for a test to judge, but it
# must not wait for ever: each look at it takes a part of what this machine can do.
eventually()
{
	local looks=0 pause=5

	until "$@"; do
		((++looks < 1500)) || {
			echo "never came true: $*"
			return 1
		}
		nap "$pause"
		# To look costs, in the lab as much as what is waited for.
		((pause = pause < 80 ? pause * 5 / 4 + 1 : 100))
	done
}

# nap MILLISECONDS: less than 1000, without another process. A FIFO that is open for writing, too,
# neither ends nor has anything to read.
nap()
{
	local fifo=$BATS_TEST_TMPDIR/nap seconds

	[[ -p $fifo ]] || mkfifo "$fifo"
	printf -v seconds '0.%03d' "$1"
	IFS='' read -r -t "$seconds" _ <>"$fifo" || true
}
