# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A move by one command, `migrate DEV 'exec:... receive DEV -'`: what of move.bash is different
# where the source starts its other end.
#
# There are two kinds of command by turns: `receive` itself, which the source may signal as it ends;
# and two pipes to a `receive` of a session of its own, as ssh(1) has it on another host. strace
# leaves what the source starts alone. A source that has decided starts the command again until it
# is heard, so that there may be several destinations, one after another: only the first one is
# killed.

# shellcheck disable=SC2034,SC2154 # variables are move.bash's
load "${BASH_SOURCE[0]%/*}/move.bash"

# destination_runs: it will, by far.sh, which tells its process in far.pids.
destination_runs()
{
	local words=''

	((!${#traced[@]})) || printf -v words '%q ' "${traced[@]}"
	rm -f far.pids again
	cat >far.sh <<-END
		echo \$\$ >>far.pids
		[ -e again ] || set -- $words
		: >again
		exec "\$@" $tool receive ${receive_options[*]} --state-dir there \\
			--timeout $move_timeout $B - 2>>destination.err
	END
	cat >pipes.sh <<-'END'
		exec 3<&0
		exec cat 2>/dev/null 3<&- < <(
			cat <&3 2>/dev/null 3<&- | (setsid sh far.sh <&4 4<&- &) 4<&0 3<&-
		)
	END
	if ((trials % 4 < 2)); then
		move_link='exec:exec sh far.sh'
	else
		move_link='exec:exec bash pipes.sh'
	fi
}

# destination_starts [NAME N]: as in move.bash; what strace says is not in the source's file, which
# is written to meanwhile.
destination_starts()
{
	traced "$@"
	traced=("${traced[@]/%traced.log/traced.far}")
	rm -f traced.far
	destination_runs
}

# source_runs: $herald ends when no process has the source's standard error any more, and so none is
# left that will be a destination and is not in far.pids yet.
source_runs()
{
	rm -f said
	mkfifo said
	cat <said >source.err 3>&- &
	herald=$!
	started+=("$herald")
	"${traced[@]}" "$tool" migrate "${move_source[@]}" --state-dir here \
		--timeout "$move_timeout" "$A" "$move_link" >source.out 2>said 3>&- &
	source=$!
	started+=("$source")
}

# destinations_ended: all that have begun by now; $begun is how many.
destinations_ended()
{
	local pid

	begun=0
	[[ -e far.pids ]] || return 0
	while read -r pid; do
		has_ended "$pid" || return
		begun=$((begun + 1))
	done <far.pids
}

destination_ended()
{
	[[ -n $source ]] && has_ended "$herald" && destinations_ended
}

# source_is_over: it has ended; where it was told nothing by a second destination either, it is
# asked to, as in move.bash.
source_is_over()
{
	has_ended "$source" && has_ended "$herald" && return
	if destinations_ended && ((begun > 1)); then
		kill -TERM "$(end_of "$source")" 2>/dev/null || true
	fi
	return 1
}

destination_is_over()
{
	destination_ended && return
	record_of destination
	[[ $phase == prepared && -S there/$txid.sock ]]
}

# collect NAME: of a destination strace alone tells that it was killed.
collect()
{
	if [[ $1 == destination ]]; then
		status_destination=''
		! said 'killed by SIGKILL' traced.far || status_destination=137
		return
	fi
	status_source=0
	{ wait "$source" || status_source=$?; } 2>/dev/null
}

# command_teardown: no destination outlives the test, and none that has ended is killed for another.
command_teardown()
{
	local pid

	if [[ -e far.pids ]]; then
		while read -r pid; do
			has_ended "$pid" || kill -KILL "$pid"
		done <far.pids
	fi
	emu_teardown
}
