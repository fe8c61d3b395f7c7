#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What keeps the tree in order. Reads it, changes nothing in it, needs no build.

setup()
{
	load ../helpers
	top=${top_srcdir:-$BATS_TEST_DIRNAME/../..}
	cd "$top"
}

# Files of the project, names ending in NUL: what git has or would take, or in a tarball the
# folders that hold sources (beside them is what autotools made). Without what a build in the
# source folder leaves there.
tree_files()
{
	local file

	if [[ -e .git ]] && git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard
	else
		find src tests man completions scripts .ci *.md Makefile.am configure.ac \
			bootstrap -type f -print0
	fi | while IFS= read -r -d '' file; do
		case $file in
		*.log | *.trs | *.[1-9] | *.o | *.so | */.deps/*) continue ;;
		esac
		# Gone, but not yet from git's list.
		[[ ! -f $file ]] || printf '%s\0' "$file"
	done
}

# A shell script that shellcheck knows, by its name or its first line.
is_shell()
{
	case $1 in
	*.bats | *.zsh | *.fish) return 1 ;;
	*.sh | *.bash | completions/bash/*) return 0 ;;
	*) head -n 1 "$1" | tr -d '\0' | grep -qE '^#!.*[/ ](ba|da)?sh( |$)' ;;
	esac
}

# A tree that check-floors accepts, for the tests to spoil.
small_house()
{
	local spdx='SPDX-License-Identifier: GPL-2.0-or-later'

	cd "$BATS_TEST_TMPDIR"
	mkdir -p src/base src/host src/fsm src/cmd
	echo "/* $spdx */" | tee src/base/err.h src/host/sysfs.h src/fsm/fsm.h src/cmd/cmd.h >/dev/null
	printf '// %s\n#include <stdio.h>\n#include "base/err.h"\n#include "host/sysfs.h"\n' \
		"$spdx" >src/host/sysfs.c
	printf '// %s\n#include "cmd/cmd.h"\n#include "host/sysfs.h"\n' "$spdx" >src/main.c
	printf '# %s\nA = \\\n' "$spdx" >Makefile.am
	for file in src/*/*.[ch] src/main.c; do
		printf '\t%s \\\n' "$file" >>Makefile.am
	done
	check=$OLDPWD/tests/lint/check-floors
	python3 "$check" .
}

# spoiled WORDS: check-floors finds something, and says WORDS of it.
spoiled()
{
	run python3 "$check" .
	echo "$output"
	[[ $status -eq 1 && $output == *"$1"* ]]
}

@test "house: includes go down, sources are in Makefile.am and say their licence" {
	require python3
	python3 tests/lint/check-floors .
}

@test "house: check-floors finds an include that goes up" {
	require python3
	small_house
	echo '#include "cmd/cmd.h"' >>src/host/sysfs.c
	spoiled "src/host/sysfs.c:5: host may not include cmd"
}

@test "house: check-floors finds an include of a sibling" {
	require python3
	small_house
	echo '  #  include "fsm/fsm.h"' >>src/host/sysfs.c
	spoiled "src/host/sysfs.c:5: host may not include fsm"
}

@test "house: check-floors finds a folder on no floor" {
	require python3
	small_house
	mkdir src/misc
	sed 's/sysfs/x/' src/host/sysfs.h >src/misc/x.h
	printf '\tsrc/misc/x.h\n' >>Makefile.am
	spoiled "src/misc/x.h: misc is on no floor"
}

@test "house: check-floors finds an include that is not named from src/" {
	require python3
	small_house
	echo '#include "sysfs.h"' >>src/host/sysfs.c
	spoiled 'src/host/sysfs.c:5: "sysfs.h" is not named from src/'
}

@test "house: check-floors finds a source that is not in Makefile.am" {
	require python3
	small_house
	cp src/host/sysfs.c src/host/new.c
	spoiled "src/host/new.c: not named in Makefile.am"
}

@test "house: check-floors finds a file without a licence" {
	require python3
	small_house
	mkdir scripts
	printf '#!/bin/sh\n' >scripts/run
	spoiled "scripts/run: no SPDX line"
}

@test "C: names, comments and sizes are those of the house" {
	require python3
	python3 tests/lint/check-names .
}

@test "tests: the suites that share the PCI machine are those in the tarball" {
	local listed named

	listed=$(sed '/^#/d' tests/lab/pci-suite/together | sort)
	named=$(sed -n '/^PCI_TOGETHER/,/[^\\]$/s|.*/\([^/]*\)\.bats.*|\1|p' tests/Makefile.inc | sort)
	diff <(echo "$listed") <(echo "$named")
	[[ -n $listed ]]
}

@test "tree: codespell finds no slips in comments, documents and messages" {
	require codespell
	# Words that tests cut short on purpose.
	tree_files | grep -zv '^COPYING$' | xargs -0 codespell --ignore-words-list=hel,stopp
}

@test "shell: shellcheck has nothing to say of scripts" {
	local file scripts=()

	require shellcheck
	while IFS= read -r -d '' file; do
		! is_shell "$file" || scripts+=("$file")
	done < <(tree_files)
	printf '%s\n' "${scripts[@]}"
	[[ " ${scripts[*]} " == *" bootstrap "* ]]
	shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
}

@test "shell: shellcheck has nothing to say of bats files" {
	require shellcheck
	# What it does not know of bats: run sets $stderr (SC2154); each test is a subshell and
	# means to be (SC2030, SC2031); a failing cd ends the test (SC2164). Tests pass code in
	# single quotes to other shells, so not its suggestions either.
	tree_files | grep -z '\.bats$' |
		xargs -0 shellcheck -s bats -S warning -e SC2154,SC2030,SC2031,SC2164
}

@test "man: mandoc finds no errors in the man pages" {
	local page made

	require scdoc mandoc
	for page in man/*.scd; do
		echo "$page"
		made=$BATS_TEST_TMPDIR/${page##*/}
		scdoc <"$page" >"${made%.scd}"
	done
	mandoc -T lint -W error "$BATS_TEST_TMPDIR"/*.[1-9]
}

@test "man: no line of an example is wider than a terminal" {
	run awk '/^```/ { inside = !inside; next }
		inside { gsub(/\t/, "        "); if (length > 70) print FILENAME ":" FNR ": " $0 }' man/*.scd
	echo "$output"
	[[ -z $output ]]
}

# The bracketed letters keep these patterns from finding themselves.
@test "tree: no leftovers: machine paths, notes to self" {
	run bash -c 'xargs -0 grep -nIwE "[T]ODO|[F]IXME|[X]XX" --' < <(tree_files)
	echo "$output"
	[[ $status -ne 0 && -z $output ]]
	run bash -c 'xargs -0 grep -nIE "(^|[^[:alnum:]_}.*-])/([w]ork|[r]oot)/" --' < <(tree_files)
	echo "$output"
	[[ $status -ne 0 && -z $output ]]
}

@test "tree: nothing that autotools or scdoc make is in git" {
	require git
	[[ -e .git ]] && git rev-parse --is-inside-work-tree >/dev/null 2>&1 || skip "not a git checkout"
	run git ls-files -- configure aclocal.m4 config.h.in Makefile.in '*/Makefile.in' build-aux \
		autom4te.cache config.status config.log Makefile 'm4/*.m4' 'man/*.[1-9]' '*.o' '*.a' '.deps'
	echo "$output"
	[[ $status -eq 0 && -z $output ]]
}

@test "tree: no spaces at the ends of lines" {
	run bash -c 'xargs -0 grep -nIE "[[:blank:]]+$" --' < <(tree_files | grep -zvE '^(COPYING|.*\.md)$')
	echo "$output"
	[[ $status -ne 0 && -z $output ]]
}

@test "C: clang-format has nothing to change" {
	local version

	require clang-format
	version=$(clang-format --version | sed -E 's/.*version ([0-9]+).*/\1/')
	((version >= 14)) || skip "needs clang-format 14, this is $version"
	# Code for the kernel has the style of the kernel.
	find src tests -path 'tests/lab/migsim*' -prune -o -path tests/lab/devlink-sim -prune -o \
		-name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
}
