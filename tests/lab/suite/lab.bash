# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the lab's suite shares: two devices, made anew for every test, and ways to look at them that
# do not go through the tool under test. Most of it is shell without other programs: in the lab
# each of them costs as much as the tool itself.

load ../../helpers.bash

# May be relative, and tests leave the folder.
tools=${top_builddir:?}/tests/lab/tools
[[ $tools == /* ]] || tools=$PWD/$tools

setup()
{
	lab_setup mtty-2
}

teardown()
{
	lab_teardown
}

# lab_setup [TYPE]: $A and $B, mtty of two ports if nothing else is said; an empty folder, on a
# tmpfs.
lab_setup()
{
	# Else bats traces each command of each function, which takes half of the time.
	set +T
	require lab root
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	before=(/proc/[0-9]*)
	devices=()
	make_device A "${1:-mtty-2}"
	make_device B "${1:-mtty-2}"
}

# What stood by when the tool was killed has done its work.
guardian_is_gone()
{
	local comm

	for comm in /proc/[0-9]*/comm; do
		read -r comm <"$comm" || continue
		[[ $comm != vfiomig-guard ]] || return 1
	done 2>/dev/null
}

# kill_at_calls CHECK COMMAND...: COMMAND is killed where one of its system calls begins or ends, and
# CHECK, a function, has to hold after each; at $LAB_CALLS places from its start to its end, 0 for all
# there are. The number of the place is in $place.
# shellcheck disable=SC2154 # status and stderr are record's
kill_at_calls()
{
	local check=$1 calls=${LAB_CALLS:-6} total step
	shift

	record "$tools/kill-nth" 0 count "$@"
	total=$(<count)
	((status == 0 && total > 100))
	"$check"
	((calls && calls < total)) || calls=$total
	step=$((total / calls))
	for ((place = 1 + RANDOM % step; place <= total; place += step)); do
		record "$tools/kill-nth" "$place" count "$@"
		# Killed, or through before it came to so many.
		((status == 137 || status == 0)) || {
			echo "place $place of $total: status $status: $stderr"
			return 1
		}
		"$check" || {
			echo "place $place of $total: ${*:1}"
			return 1
		}
	done
}

# A test that ends well has ended all of its processes; what a failed one leaves is ended here.
lab_teardown()
{
	local left uuid looks

	[[ -n ${before-} ]] || return 0
	exec 8>&-
	leftovers
	# What ends with a process of the test's takes a moment more than that.
	for ((looks = 0; looks < 150 && ${#leftovers[@]} > 0; looks++)); do
		nap 20
		leftovers
	done
	left=${leftovers[*]}
	while ((${#leftovers[@]} > 0)); do
		kill -KILL "${leftovers[@]}" 2>/dev/null || true
		leftovers
	done
	for uuid in "${devices[@]}"; do
		echo 1 >"/sys/bus/mdev/devices/$uuid/remove"
	done
	if [[ -n $left && -n ${BATS_TEST_COMPLETED-} ]]; then
		echo "still running after the test: $left"
		return 1
	fi
}

# $leftovers: processes that were not there before the test. The kernel's, and dead ones, have no
# command line.
leftovers()
{
	local dir command

	leftovers=()
	for dir in /proc/[0-9]*; do
		[[ " ${before[*]} " != *" $dir "* ]] || continue
		command=''
		IFS='' read -r -d '' command 2>/dev/null <"$dir/cmdline" || true
		[[ -z $command ]] || leftovers+=("${dir#/proc/}")
	done
}

# make_device NAME [TYPE]: a new device; its UUID in $NAME. See ../mdev, which does it for people.
make_device()
{
	local type=${2:-mtty-2} uuid

	read -r uuid </proc/sys/kernel/random/uuid
	echo "$uuid" >"/sys/class/mdev_bus/${type%%-*}/mdev_supported_types/$type/create"
	devices+=("$uuid")
	printf -v "$1" %s "$uuid"
}

# nodes UUID: $cdev and $group.
# shellcheck disable=SC2034 # for the test
nodes()
{
	local dir=/sys/bus/mdev/devices/$1

	cdev=$(echo "$dir"/vfio-dev/vfio*)
	cdev=/dev/vfio/devices/${cdev##*/}
	group=$(readlink "$dir/iommu_group")
	group=/dev/vfio/${group##*/}
}

# real_state UUID: $real is where the kernel says that the device is, in the tool's words.
real_state()
{
	read -r real <"/sys/kernel/debug/vfio/$1/migration/state"
	real=${real,,}
	real=${real//_/-}
}

is_in()
{
	real_state "$1"
	[[ $real == "$2" ]]
}

expect_state()
{
	is_in "$1" "$2" || {
		echo "the device is in $real, not in $2"
		return 1
	}
}

# fill UUID SEED: something in each register and FIFO of its UARTs.
fill()
{
	"$tools/uart" "$1" fill "$2"
}

# reference SEED [NAME]: $NAME, else $expected, is what a device shows that was filled so. Found out
# by $B, by the first test of a file that asks.
reference()
{
	local kept=$BATS_FILE_TMPDIR/reference.$1 name=${2-expected}

	if [[ ! -e $kept ]]; then
		fill "$B" "$1"
		"$tools/uart" "$B" show >"$kept"
		blank "$B"
	fi
	read_file "$name" "$kept"
	[[ ${!name} == *'port 1: '*' fifo '* ]]
}

# kept_image SEED: $image is one of a device that was filled so, and it is not to be written to.
# Made of $A, by the first test of a file that asks.
kept_image()
{
	image=$BATS_FILE_TMPDIR/image.$1
	[[ -e $image ]] || "$VFIOMIGCTL" -q save "$A" "$image"
}

# blank UUID: it holds something else than any reference.
blank()
{
	fill "$1" 0
}

# expect_contents UUID: what it holds is what reference said; it is blank afterwards.
# shellcheck disable=SC2154 # reference sets expected
expect_contents()
{
	local found

	found=$("$tools/uart" "$1" show)
	[[ $found == "$expected" ]] || {
		printf 'the device holds\n%s\nnot\n%s\n' "$found" "$expected"
		return 1
	}
	blank "$1"
}

# expect_message TEXT...: standard error of the last run has each.
# shellcheck disable=SC2154 # run sets stderr
expect_message()
{
	local text

	for text; do
		[[ $stderr == *"$text"* ]] || {
			echo "not said: $text"
			return 1
		}
	done
}

# table ROW... [+ ROW...]: $rows are those that are due. A row behind "+" takes the same way through
# the tool as one before it, with another number, so that only scripts/sweep (LAB_SWEEP) tries it.
table()
{
	local row

	rows=()
	for row; do
		if [[ $row != + ]]; then
			rows+=("$row")
		elif [[ -z ${LAB_SWEEP-} ]]; then
			break
		fi
	done
}

# wrote FILE TEXT: it has that by now.
wrote()
{
	local text

	read_file text "$1"
	[[ $text == *"$2"* ]]
}

# lacks PATTERN FILE: no line of it is like that.
lacks()
{
	if grep -E "$1" "$2"; then
		return 1
	fi
}

# expect_files NAME...: they, and nothing else, are in this folder.
expect_files()
{
	local found

	shopt -s nullglob dotglob
	found=(*)
	shopt -u nullglob dotglob
	[[ ${found[*]} == "$*" ]] || {
		echo "files here: ${found[*]}"
		return 1
	}
}

# start NAME COMMAND...: in the background, its output in NAME.out and NAME.err, its pid in $NAME.
# Descriptor 9, which tests write into pipes by, it does not get.
start()
{
	local name=$1

	shift
	: >"$name.out" 2>"$name.err"
	"$@" >"$name.out" 2>"$name.err" 3>&- 9>&- &
	printf -v "$name" %s "$!"
}

# clog FIFO ROOM: a FIFO with a reader that does not read, and room for ROOM bytes more (whole
# pages). Descriptor 8 is that reader.
clog()
{
	mkfifo "$1"
	exec 8<>"$1"
	# As large as the tool makes it: it would make room else.
	python3 -IS -c 'import fcntl; fcntl.fcntl(8, 1031, 1 << 20)' # F_SETPIPE_SZ
	head -c $((1048576 - $2)) /dev/zero >&8
}

# public_tool: $tool is a copy that any user may run, wherever the real one is.
public_tool()
{
	tool=$(mktemp -d "$TMPDIR/public.XXXXXX")/vfiomigctl
	install -m 755 "$VFIOMIGCTL" "$tool"
	chmod 755 "${tool%/*}"
}

# LeakSanitizer, part of an ASan build, gives up under ptrace.
strace()
{
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 command strace "$@"
}
