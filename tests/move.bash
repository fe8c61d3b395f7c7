# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A move between two ends that are killed, and what has to hold then: at no moment both run the
# state, and once `recover` has been called at both ends, one does, the same state to the last bit.
#
# The emulator's events, which are in the order in which things happened at both devices, are the
# judge: every arc, begun and ended, not a sample of them. It is asked for nothing through the tool.

# shellcheck disable=SC2034,SC2154 # variables are emu.bash's
load "${BASH_SOURCE[0]%/*}/emu.bash"

# Of the records: the source's in "here", the destination's in "there". It listens at "far".
move_link=unix:far

# move_setup OPTION...: an emulator with two devices, each with a state of its own; "reference" is
# the first one's.
move_setup()
{
	# Else bats traces each command of each function, which takes half of the time.
	set +T
	require strace
	emu_start --state-size 96K --event-log events "$@"
	bounded -q save --raw --leave=stop "$A" reference
	findings=0 trials=0 killed=0 move_note='' move_spool=() move_source=() move_timeout=2s
	receive_options=(--no-hold)
	declare -gA tally=()
}

# move_anew: both devices run, each its own state, and nothing is recorded.
move_anew()
{
	rm -rf here there far traced.log source.err destination.err spool
	bounded -q reset "$A"
	bounded -q reset "$B"
	: >events
	: >destination.err
	: >recover.log
	source='' destination='' status_source='' status_destination=''
}

# traced: what the tool is run under, to be killed at the Nth call NAME of one of its threads; or as
# strace's "inject" says; what it starts is not. Nothing for no name.
traced()
{
	traced=()
	[[ -n ${1-} ]] || return 0
	traced=(strace -f -b execve -q -o traced.log -e "trace=$1" -e
		"inject=$1:${3-signal=KILL}:when=$2")
}

# recorded END: as traced, to have all of its calls in trace.END.
recorded()
{
	traced=(strace -f -b execve -qq -y -o "trace.$1")
}

# destination_starts [NAME N [WHAT]]: and listens, unless it is killed before.
destination_starts()
{
	traced "$@"
	destination_runs
}

# destination_runs: under what "traced" says, as the other end of a move has it.
destination_runs()
{
	"${traced[@]}" "$tool" receive "${receive_options[@]}" "${move_spool[@]}" --state-dir there \
		--timeout "$move_timeout" "$B" "$move_link" >destination.out 2>destination.err 3>&- &
	destination=$!
	started+=("$destination")
	eventually destination_listens
}

destination_listens()
{
	said 'listening on ' destination.err || has_ended "$destination"
}

# source_starts [NAME N [WHAT]]
source_starts()
{
	traced "$@"
	source_runs
}

source_runs()
{
	"${traced[@]}" "$tool" migrate "${move_source[@]}" --state-dir here \
		--timeout "$move_timeout" "$A" "$move_link" >source.out 2>source.err 3>&- &
	source=$!
	started+=("$source")
}

destination_ended()
{
	has_ended "$destination"
}

# record_of END: $phase is what its record says, "none" if there is none; $txid of the one there is.
record_of()
{
	local files=(here/*.source) text=''

	[[ $1 == source ]] || files=(there/*.destination)
	phase=none
	[[ -e ${files[0]} ]] || return 0
	txid=${files[0]##*/}
	txid=${txid%.*}
	read_file text "${files[0]}"
	[[ ! $text =~ \"phase\":\ *\"([a-z]+)\" ]] || phase=${BASH_REMATCH[1]}
}

# end_of PROCESS: that strace runs, or the process itself.
end_of()
{
	local children=''

	read -r children 2>/dev/null <"/proc/$1/task/$1/children" || true
	[[ -n $children ]] && is_program "$1" strace && set -- "${children%% *}"
	echo "$1"
}

# source_is_over: it has ended; where its other end is dead, it is asked to: what has decided tells
# the other end for as long as it is not told to stop by a second signal.
source_is_over()
{
	has_ended "$source" && return
	if destination_ended; then
		kill -TERM "$(end_of "$source")" 2>/dev/null || true
	fi
	return 1
}

# destination_is_over: it has ended, or waits for the source's word. What has heard of no transaction
# waits for the first one, and is told to end.
destination_is_over()
{
	destination_ended && return
	record_of destination
	case $phase in
	none) kill -TERM "$(end_of "$destination")" 2>/dev/null || true ;;
	prepared) said 'in doubt' destination.err && return ;;
	esac
	return 1
}

# collect NAME: its exit status, in $status_NAME; empty while it goes on.
collect()
{
	local ended=0

	printf -v "status_$1" ''
	[[ -n ${!1} ]] && has_ended "${!1}" || return 0
	{ wait "${!1}" || ended=$?; } 2>/dev/null
	printf -v "status_$1" %s "$ended"
}

# move_runs: both ends, until nothing more comes of it by itself.
move_runs()
{
	if ! destination_ended; then
		[[ -n $source ]] || source_starts
		eventually source_is_over || return
		eventually destination_is_over || return
	fi
	collect source
	collect destination
}

# recover_end END [WRAPPER...]: $recovered is its status. The other end is asked through its
# journal, or where its process waits.
recover_end()
{
	local end=$1 dir=here other=there peer

	shift
	[[ $end == source ]] || dir=there other=here
	recovered=0
	record_of "$end"
	[[ $phase != none ]] || return 0
	peer=(--peer "exec:$tool -q recover --timeout 5s --state-dir $other --serve -")
	if [[ $end == source && $move_link != exec:* ]] && ! destination_ended; then
		peer=(--peer "$move_link")
	fi
	echo "# recover $end ($phase) $*" >>recover.log
	{ "$@" "$tool" recover --state-dir "$dir" --timeout 5s "${peer[@]}" "$txid" \
		>>recover.log 2>&1 3>&- || recovered=$?; } 2>/dev/null
	echo "# status $recovered" >>recover.log
}

# recover_both FIRST: by turns, until both are over, FIRST first.
recover_both()
{
	local first=$1 second=source n over

	[[ $first == destination ]] || second=destination
	for ((n = 0; n < 4; n++)); do
		over=0
		for end in "$first" "$second"; do
			recover_end "$end"
			case $recovered in
			0) over=$((over + 1)) ;;
			71 | 80) ;;
			*) finding "recover of the $end: status $recovered" ;;
			esac
		done
		((over < 2)) || break
	done
	((over == 2)) || finding "not over after $n rounds of recover"
	destination_ended || eventually destination_ended || finding "the destination does not end"
}

# finding WHAT...: of this trial; what is there is kept for people where $MOVE_FINDINGS names a
# folder.
finding()
{
	findings=$((findings + 1))
	echo "FOUND: $move_note: $*"
	[[ -z ${MOVE_FINDINGS-} ]] || {
		mkdir -p "$MOVE_FINDINGS"
		echo "$move_note: $*" >>"$MOVE_FINDINGS/list"
		cp -r --no-preserve=ownership . "$MOVE_FINDINGS/$findings" 2>/dev/null || true
	}
}

# judge: $ran is who runs the state at the end of "events": source, destination, none or both; it
# fails if at any moment both did. The source's state is gone where its device is reset; the
# destination has it from RESUMING -> STOP to its next reset or load.
judge()
{
	ran=$(awk -v s="${A#vfio-user:}" -v d="${B#vfio-user:}" '
		function live(state) { return state ~ /^(running|running-p2p|pre-copy|pre-copy-p2p)$/ }
		BEGIN { runs[s] = runs[d] = 1; has[s] = 1 }
		$2 != s && $2 != d { next }
		$3 == "begin" && live($5) { runs[$2] = 1 }
		$3 == "end" { runs[$2] = live($5) }
		$3 == "end" && $5 == "resuming" { has[$2] = 0 }
		$3 == "end" && $4 == "resuming" { has[$2] = 1 }
		$3 == "failed" { runs[$2] = live($4) }
		$3 == "error" { runs[$2] = 0 }
		$3 == "reset" { runs[$2] = 1; has[$2] = 0 }
		runs[s] && has[s] && runs[d] && has[d] { two = two " " NR }
		END {
			if (two != "") { print "both, at line" two; exit }
			a = runs[s] && has[s]; b = runs[d] && has[d]
			print a ? "source" : b ? "destination" : has[s] || has[d] ? "none" : "lost"
		}' events)
}

# same_state DEV: it holds what the reference holds, but for the last record, which counts up while
# it runs.
same_state()
{
	local size

	size=$(stat -c %s reference)
	rm -f found
	bounded -q save --raw --force --leave=stop "$1" found &&
		cmp -s -n $((size - 32)) reference found
}

# settled: both records are over and say the same, and the one end that runs has the state.
settled()
{
	local here there

	record_of source
	here=$phase
	record_of destination
	there=$phase
	judge
	case $ran/$here/$there in
	source/none/none | source/aborted/none | source/none/aborted | source/aborted/aborted)
		same_state "$A" || finding "the source runs another state"
		;;
	destination/done/done)
		same_state "$B" || finding "the destination runs another state"
		;;
	*) finding "$ran runs it, records: $here, $there" ;;
	esac
}

# untouched: nothing was recorded, and no device has changed.
untouched()
{
	local files=(here/*.source there/*.destination)

	[[ ! -s events && ! -e ${files[0]} && ! -e ${files[1]} ]]
}

# trial FIRST: judges what is left of a move whose ends were killed, and after `recover`, FIRST at
# this end.
trial()
{
	trials=$((trials + 1))
	record_of source
	came_to=$phase
	record_of destination
	came_to+=/$phase
	tally[$came_to]=$((${tally[$came_to]-0} + 1))
	[[ $status_source != 137 && $status_destination != 137 ]] || killed=$((killed + 1))
	judge
	[[ $ran != both* ]] || finding "$ran"
	if ! untouched; then
		[[ -z ${again-} ]] || recover_killed
		recover_both "$1"
		settled
	fi
}

# recover_killed: of one end, at one of its calls by chance.
recover_killed()
{
	local end=source calls name nth

	((RANDOM % 2)) || end=destination
	if [[ ! -s recover.calls ]]; then
		recover_end "$end" strace -f -qq -y -o trace
		calls_of trace >recover.calls
		return
	fi
	mapfile -t calls <recover.calls
	read -r name nth <<<"${calls[RANDOM % ${#calls[@]}]}"
	traced "$name" "$nth"
	move_note+=", recover $end killed at $name $nth"
	recover_end "$end" "${traced[@]}"
	case $recovered in
	0 | 71 | 80 | 137) ;;
	*) finding "recover of the $end that is killed: status $recovered" ;;
	esac
}

# calls_of TRACE [WHICH]: a line for each system call in it (of strace -y): its name, and which of
# that name in its thread. Not those by which other processes are looked at, which may be thousands
# and change nothing. WHICH: "live": since the journal is open; "journal": those on its files that
# can fail and leave things as they were; close(2) cannot.
calls_of()
{
	awk -v which="${2-}" '
		$2 ~ /^execve/ { print_it = which == ""; journal = 0 }
		$2 !~ /^execve/ {
			journal = /[\/"](here|there)[\/">]/
			live = live || journal
			print_it = which == "" || (which == "live" && live) ||
				(which == "journal" && journal && $2 !~ /^close/)
		}
		/[<"]\/proc\/[0-9]/ { print_it = 0 }
		$2 ~ /^[a-z_0-9]+\(/ {
			sub(/\(.*/, "", $2)
			n[$1, $2]++
			if (print_it)
				print $2, n[$1, $2]
		}' "$1" | sort -u
}

# move_calls: all system calls of a move where nothing breaks, in source.calls and destination.calls;
# END.live and END.journal are parts of them.
move_calls()
{
	local end

	move_timeout=30s
	move_anew
	recorded destination
	destination_runs
	recorded source
	source_runs
	eventually has_ended "$source"
	wait "$source"
	eventually destination_ended
	move_timeout=2s
	for end in source destination; do
		calls_of trace.$end >$end.calls
		calls_of trace.$end live >$end.live
		calls_of trace.$end journal >$end.journal
	done
	judge
	[[ $ran == destination ]]
	same_state "$B"
}

# summary: how often which records ("source's/destination's") were what the killed ends had left.
summary()
{
	local came_to

	echo "# $trials moves, in $killed of them an end was killed, $findings findings; records left:"
	for came_to in "${!tally[@]}"; do
		echo "#	${tally[$came_to]} $came_to"
	done
}

# killed_at END NAME N: a move in which this end is killed there, and what has to hold then.
killed_at()
{
	local end=$1 name=$2 nth=$3

	move_note="$end killed at $name $nth"
	move_anew
	if [[ $end == destination ]]; then
		destination_starts "$name" "$nth"
	else
		destination_starts
		source_starts "$name" "$nth"
	fi
	move_runs || finding "never comes to an end"
	if ((trials % 2)); then trial source; else trial destination; fi
}

# call_by_chance FILE: (NAME N) in $call.
call_by_chance()
{
	local all

	mapfile -t all <"$1"
	read -ra call <<<"${all[RANDOM % ${#all[@]}]}"
}

# killed_pair: both ends are killed, each at a call of its own by chance.
killed_pair()
{
	local call at

	call_by_chance destination.live
	at=("${call[@]}")
	call_by_chance source.live
	move_note="source killed at ${call[*]}, destination at ${at[*]}"
	move_anew
	destination_starts "${at[@]}"
	destination_ended || source_starts "${call[@]}"
	move_runs || finding "never comes to an end"
	if ((trials % 2)); then trial source; else trial destination; fi
}

# stopped_then SIGNAL: the source is stopped at a call by chance; once the destination has judged its
# silence, the source gets SIGNAL: KILL, or CONT, and finds what has become of its move.
stopped_then()
{
	local call

	call_by_chance source.live
	move_note="source stopped at ${call[*]}, then $1"
	move_anew
	destination_starts
	source_starts "${call[@]}" signal=STOP
	eventually stopped_and_judged || finding "never comes to an end"
	kill "-$1" "$(end_of "$source")" 2>/dev/null || true
	# Another thread may come to its Nth call, too, and stop all once more.
	[[ $1 == KILL ]] || eventually source_goes_on || finding "the source never goes on to its end"
	move_runs || finding "never comes to an end"
	trial source
}

# stopped_and_judged: the source stands still, or has ended, and the destination is over.
stopped_and_judged()
{
	has_ended "$source" || said 'stopped by SIGSTOP' traced.log || return
	destination_is_over
}

source_goes_on()
{
	source_is_over && return
	kill -CONT "$(end_of "$source")" 2>/dev/null || true
	return 1
}

# failed_at END NAME N WHAT: this call of one end fails, as strace's "inject" says. What both ends
# then say has to be so before anybody recovers: only "in doubt" (80) and a device in trouble (81)
# leave anything to be done.
failed_at()
{
	local end=$1 name=$2 nth=$3 what=$4

	move_note="$end, $what at $name $nth"
	move_anew
	if [[ $end == destination ]]; then
		destination_starts "$name" "$nth" "$what"
	else
		destination_starts
		source_starts "$name" "$nth" "$what"
	fi
	move_runs || finding "never comes to an end"
	statuses
	trial source
}

# statuses: those of both ends are true.
statuses()
{
	judge
	case $status_source/$ran in
	0/destination) ;;
	0/*) finding "the source says that all is done, and $ran runs it" ;;
	7[0-9]/source | 6[4-9]/source | /* | 127/source) ;;
	80/*) said "vfiomigctl recover $txid" source.err || finding "in doubt, without the way out" ;;
	81/*) ;;
	*) finding "the source's status is $status_source, and $ran runs it" ;;
	esac
	case $status_destination/$ran in
	0/destination | 80/* | 81/* | /*) ;;
	0/*) finding "the destination says that all is done, and $ran runs it" ;;
	*/destination) finding "the destination's status is $status_destination, and it runs it" ;;
	7[0-9]/* | 6[4-9]/* | 127/*) ;;
	*) finding "the destination's status is $status_destination" ;;
	esac
}

#
# Many of them
#

# sample N FILE: $lines are so many of its calls, by chance; 0: all of them.
sample()
{
	local n

	mapfile -t lines <"$2"
	(($1)) || return 0
	lines=()
	for ((n = 0; n < $1; n++)); do
		call_by_chance "$2"
		lines+=("${call[*]}")
	done
}

# killed_at_calls END: at so many of its system calls; every third time `recover` is killed as well.
killed_at_calls()
{
	local again lines name nth point

	move_calls
	if ((MOVE_CALLS)); then sample "$MOVE_CALLS" "$1.live"; else sample 0 "$1.calls"; fi
	for point in "${lines[@]}"; do
		read -r name nth <<<"$point"
		again=''
		((trials % 3 < 2)) || again=yes
		killed_at "$1" "$name" "$nth"
	done
	summary
	((findings == 0))
}

# killed_in_pairs: $MOVE_PAIRS moves, both of whose ends are killed.
killed_in_pairs()
{
	local again

	move_calls
	while ((trials < MOVE_PAIRS)); do
		again=''
		((trials % 3 < 2)) || again=yes
		killed_pair
	done
	summary
	((findings == 0))
}
