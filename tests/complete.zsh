# SPDX-License-Identifier: GPL-2.0-or-later
#
# complete.zsh FOLDER LINE: prints what zsh offers for the line's last word, one a line, by the
# completion functions of FOLDER.
#
# Only a widget of an interactive shell can complete. One runs on a terminal of its own and sources
# this file, too ("inner"), for a compadd that prints what it offers.

if [[ $1 == inner ]]; then
	PROMPT= RPROMPT=
	unsetopt prompt_cr prompt_sp
	fpath=($2 $fpath)
	autoload -Uz compinit
	compinit -D -u
	LISTMAX=100000

	compadd() {
		local -a hits before after
		local hit

		# With one of these it fills an array, and offers nothing.
		if [[ " ${@[1,(i)(-|--)]} " == *\ -[OAD]\ * ]]; then
			builtin compadd "$@"
			return
		fi
		builtin compadd -A hits "$@"
		# A part of the path that is not shown, and what is appended.
		zparseopts -E p:=before S:=after
		[[ ${after[2]} == : ]] || after=()
		for hit in $hits; do
			print -r -- "offered:${IPREFIX}${before[2]}${(Q)hit}${after[2]}:end"
		done
		(($#hits))
	}
	all-offered() {
		print -r -- "all-offered:end"
	}
	comppostfuncs=(all-offered)
	bindkey '^I' complete-word
	print -r -- "ready:end"
	return
fi

zmodload zsh/zpty || exit
zpty inner zsh -f -i || exit
zpty -w inner "source ${(q)0} inner ${(q)1}"
output=
while [[ $output != *ready:end* ]]; do
	zpty -r inner piece || exit
	output+=$piece
done
zpty -w -n inner "$2"$'\t'
output=
while [[ $output != *all-offered:end* ]] && zpty -r inner piece; do
	output+=$piece
done
zpty -d inner

for line in ${(f)output}; do
	[[ $line != *offered:*:end* || $line == *all-offered:* ]] ||
		print -r -- "${${line#*offered:}%:end*}"
done
