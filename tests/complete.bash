# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the shells offer for a command line, by running them: complete_SHELL LINE prints the words that
# may stand in the place of the line's last one, sorted, folders without the slash at their end. They
# are asked for the completions of the source tree, $completions.

: "${completions:=$PWD/completions}"

# The line is taken apart as readline does, at blanks, ':' and '='; what readline would leave in place
# of the last word is put in front of the replies.
complete_bash()
{
	# shellcheck disable=SC2016 # for that shell
	bash --norc --noprofile -c '
		source "$1/${2%% *}" || exit
		line=$2 kept= COMP_WORDS=()
		COMP_WORDBREAKS=$'\'' \t\n"><=;|&(:'\''
		for word in $line; do
			while [[ $word =~ ^([^:=]*)([:=]+)(.*)$ ]]; do
				[[ -z ${BASH_REMATCH[1]} ]] || COMP_WORDS+=("${BASH_REMATCH[1]}")
				COMP_WORDS+=("${BASH_REMATCH[2]}")
				word=${BASH_REMATCH[3]}
			done
			[[ -z $word ]] || COMP_WORDS+=("$word")
		done
		[[ $line != *" " ]] || COMP_WORDS+=("")
		last=${line##* }
		[[ $last != *[:=]* ]] || kept=${last%"${last##*[:=]}"}
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line}
		spec=$(complete -p "${2%% *}")
		function=${spec#*-F } function=${function%% *}
		"$function" "${2%% *}"
		((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]/#/$kept}"
	' bash "$completions/bash" "$1" | sed 's|/$||' | sort -u
}

# Only a completion widget of an interactive shell can complete: one runs on a terminal of its own,
# with a compadd that prints what it is given.
complete_zsh()
{
	zsh -f "${BASH_SOURCE[0]%/*}/complete.zsh" "$completions/zsh" "$1" | sed 's|/$||' | sort -u
}

complete_fish()
{
	# shellcheck disable=SC2016 # for that shell
	fish --no-config -c '
		source $argv[1]/(string split " " -- $argv[2])[1].fish
		complete -C $argv[2] | string replace -r "\t.*" ""
	' "$completions/fish" "$1" | sed 's|/$||' | sort -u
}
