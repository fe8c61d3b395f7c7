#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of a report that does not arrive: its reader has gone, or the disk is full. By
# vfiomigctl(8), OUTPUT.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu
load ../recover

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# to_nobody COMMAND...: with a pipe whose reader has gone as its standard output.
to_nobody()
{
	local read write

	[[ -p pipe ]] || mkfifo pipe
	exec {read}<>pipe
	exec {write}>pipe
	exec {read}<&-
	"$@" >&"$write" {write}>&- || {
		status=$?
		exec {write}>&-
		return "$status"
	}
	exec {write}>&-
}

# to_full COMMAND...: with a full disk as its standard output.
to_full()
{
	"$@" >/dev/full
}

# loses WHERE STATUS LOST ARG...: of the tool, whose report goes WHERE; LOST: it says so.
loses()
{
	local to=$1 want=$2 lost=$3 said=no

	shift 3
	prepared "$@"
	record "$to" "$tool" "$@"
	[[ $stderr != *'standard output: the report is lost'* ]] || said=yes
	[[ $status/$said == "$want/$lost" ]] || {
		echo "$to vfiomigctl $*: status $status, not $want, loss told: $lost" "$stderr"
		return 1
	}
}

# prepared ARG...: what each of its runs needs anew.
prepared()
{
	case "$*" in
	*recover*force*) forge here destination prepared there "$B" ;;
	esac
}

@test "readers: one that goes is a loss to programs alone, a full disk to all, and a device's fate comes first" {
	local -A named=()
	local command class line gone full

	emu_start
	emu_start --socket bad --devices 1 --deviate unknown-feature
	journal here
	journal there
	migctl 0 save "$A" image
	migctl 0 save --report=events.json "$A" image2
	head -c 5000 image >'cut'
	while IFS='|' read -r class line; do
		named[${line%% *}]=1
		gone=no full=yes
		# The status of the work; of text and JSON for a reader that has gone, and for a full disk.
		case $class in
		# What it shows is what it is for.
		shows) set -- 0 0 74 74 74 ;;
		# Text for people, with --json, too.
		text) set -- 0 0 - 74 - ;;
		# Text for programs.
		document) set -- 0 74 - 74 - && gone=yes ;;
		# Its status says that something was found, and what it shows says what.
		finds) set -- 1 1 74 74 74 ;;
		# Of text only the error is there, which is said elsewhere; of JSON that is all of it where the
		# status says what has failed.
		says) set -- 1 1 74 1 74 && full=no ;;
		[0-9][0-9]) set -- "$class" "$class" "$class" "$class" "$class" && full=no ;;
		# What becomes of a device is what it is for.
		acts) set -- 0 0 0 0 0 ;;
		esac
		eval "command=($line)"
		prepared "${command[@]}"
		migctl "$1" "${command[@]}"
		loses to_nobody "$2" "$gone" "${command[@]}"
		loses to_full "$4" "$full" "${command[@]}"
		[[ $3 != - ]] || continue
		loses to_nobody "$3" yes --json "${command[@]}"
		loses to_full "$5" yes --json "${command[@]}"
	done <<-'END'
		shows|list
		shows|info "$A"
		shows|state "$A"
		shows|inspect image
		shows|inspect --sections image
		shows|verify image
		shows|extract --force image raw
		shows|report events.json
		text|doctor --help
		text|--version
		text|help
		text|vfs --usage
		shows|recover --list --state-dir here
		shows|bench --rounds 1 "$A"
		shows|dirty probe "$A"
		shows|dirty watch --rounds 1 --interval 1ms "$A"
		shows|check --list
		shows|check --rules feature "$A"
		document|check --tap --rules feature "$A"
		document|check --junit --rules feature "$A"
		finds|check --rules feature vfio-user:bad
		says|verify cut
		acts|save --force "$A" image3
		acts|resume --no-hold "$B" image
		acts|reset "$B"
		acts|state "$B" stop
		acts|recover --state-dir here --force=drop 00112233445566778899aabbccddeeff
		66|inspect nofile
		66|info 0000:ff:1f.7
		66|bind 0000:ff:1f.7
		66|unbind 0000:ff:1f.7
		66|vfs 0000:ff:1f.7
		66|migratable 0000:ff:1f.7
		73|migrate --state-dir here "$A" unix:none
	END
	# The others go on until a signal: see below, receive.bats, hold.bats and the lab's monitor.bats.
	named[receive]=1 named[hold]=1 named[monitor]=1
	migctl 0 help
	for line in "${lines[@]}"; do
		[[ ! $line =~ ^'  '([a-z]+)' ' || ${named[${BASH_REMATCH[1]}]-} ]] || {
			echo "not tried: $line"
			return 1
		}
	done
}

@test "readers: a watch ends with its reader, and leaves no log behind" {
	emu_start
	record -0 to_nobody "$tool" dirty watch --interval 1ms "$A"
	[[ ! $stderr ]]
	record -74 to_full "$tool" dirty watch --interval 1ms "$A"
	[[ $stderr == *'standard output: the report is lost: No space left on device (ENOSPC)' ]]
	migctl 71 dirty report --range 0+1M "$A"
}
