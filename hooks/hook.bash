# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the hooks share, which source it and say how their kind of guest or unit is paused:
#
#	hook_name	what messages call it
#	hook_target	the name of the variable that says which one
#	hook_runs	it runs now
#	hook_pause	pause it, and fail if it was not paused
#	hook_paused	it is paused, and may be continued
#	hook_continue	continue it
#
# The file's one word is "asked" until the answer is known. It is continued only if this run of vfiomigctl has paused it itself.

set -euo pipefail

# How often it is looked, five times a second, whether a pause comes that was asked for.
hook_looks=50

# The four are set by what sources this.
# shellcheck disable=SC2154
hook_fail()
{
	printf '%s: %s\n' "$hook_name" "$*" >&2
	exit 1
}

hook_need()
{
	hook_fail "is run by vfiomigctl --action-script, with $hook_target set"
}

# The file that says: this run has paused it.
hook_memory()
{
	local folder=${HOOK_STATE:-${XDG_RUNTIME_DIR:-/run}}/vfiomig-hooks

	[[ -d $folder ]] || mkdir -m 700 -- "$folder"
	hook_mark=$folder/$hook_name.$VFIOMIG_RUN
}

hook_begin()
{
	hook_runs || return 0
	# Before it is true: what is half done is undone by "abort".
	echo asked >"$hook_mark"
	if ! hook_pause; then
		echo refused >"$hook_mark"
		hook_fail "cannot be paused"
	fi
	echo paused >"$hook_mark"
}

# This was ended while it asked, and what it asked for may still come.
hook_take_back()
{
	local looks

	hook_paused || hook_continue 2>/dev/null || true
	for ((looks = 0; looks < hook_looks; looks++)); do
		! hook_paused || return 0
		sleep 0.2
	done
	hook_fail "was asked to pause, and has not: if it does, continue it by hand"
}

hook_end()
{
	[[ -e $hook_mark ]] || return 0
	if [[ $1 == abort && ${VFIOMIG_RECOVERED-} != yes ]]; then
		rm -f -- "$hook_mark"
		printf '%s: left paused: its devices are not as they were found\n' "$hook_name" >&2
		return 0
	fi
	[[ ${!hook_target-} ]] || hook_need
	[[ $(<"$hook_mark") != asked ]] || hook_take_back
	! hook_paused || hook_continue || hook_fail "cannot be continued"
	rm -f -- "$hook_mark"
}

hook_main()
{
	case $#:${1-} in
	1:post-stop | 1:pre-start) exit 0 ;;
	1:pre-stop | 1:post-start | 1:abort) ;;
	*)
		echo "usage: $hook_name pre-stop|post-stop|pre-start|post-start|abort" >&2
		exit 64
		;;
	esac
	# What this run has not paused is no matter of its later actions.
	[[ ${VFIOMIG_RUN-} && (${!hook_target-} || $1 != pre-stop) ]] || hook_need
	hook_memory
	if [[ $1 == pre-stop ]]; then
		hook_begin
	else
		hook_end "$1"
	fi
}
