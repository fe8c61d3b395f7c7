# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `vfiomigctl check` says of devices that break a rule on purpose
#
# A table has a row for each deviation:
#
#	NAME	RULES	| ALSO
#
# RULES must each be told, with any verdict but pass, skip and info: they are what the deviation
# breaks. ALSO (patterns) are those that cannot hold, or be tried, without it. No other may be told.

# deviation_row TABLE NAME: its row, in `rules` and `also`.
deviation_row()
{
	local name rest

	rules=() also=()
	while read -r name rest; do
		[[ $name == "$2" ]] || continue
		read -r -a rules <<<"${rest%%|*}"
		[[ $rest != *"|"* ]] || read -r -a also <<<"${rest#*|}"
		return
	done <"$1"
	echo "$2 is not in $1"
	return 1
}

# deviation_options TABLE NAME: in `options`, what it takes to try the rules of its row. One that
# hangs is tried by these alone, with little time: no other rule is to be late by that.
deviation_options()
{
	deviation_row "$1" "$2" || return
	options=()
	[[ ${rules[*]} != *hostile.* ]] || options=(--hostile --rounds 30)
	case $2 in
	*-hangs | *-stalls) options+=(--rule-timeout 2s --rules "$(IFS=,; echo "${rules[*]}")") ;;
	esac
}

# deviation_told REPORT: the rules that are told of, a line each.
deviation_told()
{
	jq -r '.results[] | select(.verdict | IN("pass", "skip", "info", "not-tried") | not) | .id' "$1"
}

# deviation_judge TABLE NAME REPORT: whether the report is what the table says. What is not is printed.
deviation_judge()
{
	local id told bad=0

	deviation_row "$1" "$2" || return
	told=$'\n'$(deviation_told "$3")$'\n'
	for id in "${rules[@]}"; do
		[[ $told == *$'\n'"$id"$'\n'* ]] || { echo "$2: $id does not find it"; bad=1; }
	done
	for id in $told; do
		deviation_expects "$id" || { echo "$2: $id is told of, too"; bad=1; }
	done
	return "$bad"
}

# deviation_expects ID: it is one of `rules`, or a pattern of `also` has it.
deviation_expects()
{
	local pattern

	for pattern in "${rules[@]}" "${also[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $1 != $pattern ]] || return 0
	done
	return 1
}
