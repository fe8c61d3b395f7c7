# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Owners of devices, for the suites: tools/consumer, told what to do by pipes.

# shellcheck disable=SC2154 # tools is lab.bash's

# consume NAME ARG...: a consumer; its pid in $NAME.
consume()
{
	local name=$1 to from
	shift

	mkfifo "$name.to" "$name.from"
	"$tools/consumer" "$@" <"$name.to" >"$name.from" 2>"$name.err" &
	printf -v "$name" %d $!
	exec {to}>"$name.to" {from}<"$name.from"
	printf -v "${name}_to" %d "$to"
	printf -v "${name}_from" %d "$from"
	consumers+=("$name")
	heard "$name" ready
}

# heard NAME WORD: it says so.
heard()
{
	local from=${1}_from answer

	read -r answer <&"${!from}"
	[[ $answer == "$2" ]] || {
		echo "$1 said '$answer', not '$2'"
		return 1
	}
}

# ask NAME WORD...: $answer is what it says to that.
ask()
{
	local to=${1}_to from=${1}_from

	echo "${*:2}" >&"${!to}"
	read -r answer <&"${!from}"
}

expect_answer()
{
	ask "${@:1:$#-1}"
	[[ $answer == "${!#}" ]] || {
		echo "$1: '${*:2:$#-2}' gave '$answer', not '${!#}'"
		return 1
	}
}

# dismiss NAME: it ends.
dismiss()
{
	kill "${!1}"
	wait "${!1}" || true
}
