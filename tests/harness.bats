#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the other tests stand on: tests/watch, tests/lab/run and scripts/lab.

# shellcheck disable=SC2154 # run and record set status, output and stderr

setup()
{
	set +T
	load helpers
	top=$(cd "${top_srcdir:-$BATS_TEST_DIRNAME/..}" && pwd -P)
	kernel=${LAB_KERNEL:-6.12}
	cd "$BATS_TEST_TMPDIR"
}

watch()
{
	record "$top/tests/watch" "$@"
	printf '%s\n%s\n' "$output" "$stderr"
}

lab()
{
	"$top/tests/lab/build-kernel" --cached "$kernel" >/dev/null || skip "no lab kernel"
	record "$@"
	printf '%s\n%s\n' "$output" "$stderr"
}

# driver FOLDER NAME...: modules that say hello, in a folder as the author of a driver has it.
driver()
{
	local name folder=$1

	mkdir "$folder"
	shift
	echo "obj-m := ${*/%/.o}" >"$folder/Makefile"
	for name; do
		cat >"$folder/$name.c" <<-END
			// SPDX-License-Identifier: GPL-2.0-only
			#include <linux/module.h>
			static int __init ${name}_init(void)
			{
				pr_info("hello from $name\n");
				return 0;
			}
			module_init(${name}_init);
			MODULE_DESCRIPTION("says hello");
			MODULE_LICENSE("GPL");
		END
	done
}

# tree: a checkout, without a build.
tree()
{
	mkdir tree
	cp -r "$top/scripts" tree/
	ln -s "$top/tests" tree/tests
}

# tool FOLDER: a "tool" in there that says which one it is.
tool()
{
	mkdir -p "$1"
	printf '#!/bin/sh\necho "of %s"\n' "$1" >"$1/vfiomigctl"
	chmod +x "$1/vfiomigctl"
}

@test "watch: passes on output and status" {
	require python3
	watch sh -c 'printf "a\nb"; echo c >&2; exit 3'
	[[ $status -eq 3 && $output == $'a\nb' && $stderr == c ]]
	watch sh -c 'kill -KILL $$'
	((status == 137))
	watch -- ./nosuch
	[[ $status -eq 127 && $stderr == "watch: ./nosuch: No such file or directory" ]]
}

@test "watch: ends what waits for ever and what runs in circles, and all that they started" {
	require python3
	# In a session of its own, and without the pipe.
	watch --silent 1 bash -c 'setsid sleep 1000 >&- 2>&- & echo $! >pid; echo one; exec >&-; wait'
	[[ $status -eq 124 && $output == one$'\n'"Bail out! "*"was idle for"*"sleep 1000"* ]]
	run ! kill -0 "$(<pid)"
	watch --silent 1 bash -c 'while :; do :; done'
	[[ $status -eq 124 && $output == "Bail out! "*"s of CPU time"*"while :"* ]]
}

@test "watch: leaves alone what says something now and then" {
	require python3
	watch --silent 10 bash -c 'for n in {1..7}; do sleep 2; echo $n; done'
	[[ $status -eq 0 && $output == $'1\n2\n'*$'\n7' ]]
}

@test "watch: a test that has ended leaves nothing running" {
	require python3
	watch bash -c 'sleep 1000 & echo $! >pid'
	((status == 0))
	run ! kill -0 "$(<pid)"
}

@test "watch: puts down the CPU time, by test, also of what is no longer below the test" {
	local busy='for ((n = 0; n < 150000; n++)); do :; done'

	require python3
	watch --record cpu-times --each bash -c "echo 1..2; ($busy); echo 'ok 1 - busy one'
		echo 'not ok 2 idle'; (setsid bash -c '$busy'; touch done) & while [ ! -e done ]; do :; done"
	[[ $output == *'not ok 2 idle' ]]
	cat cpu-times
	mapfile -t lines <cpu-times
	[[ ${lines[0]} == 0.*$'\tbusy one' && ${lines[0]} != 0.0* ]]
	[[ ${lines[1]} == 0.*$'\tidle' && ${lines[2]} == *$'\ttotal' ]]
}

# suite: a file of tests, each of which ends in another way. They are indented: the lines of a
# here-document that begin with @test would be taken for tests of this file.
suite()
{
	sed 's/^-//' >suite.bats <<-'END'
		setup_file() { export OF_FILE=1; }
		setup() { echo "in setup"; mine=$OF_FILE; }
		teardown() { echo "in teardown"; [[ ${torn-} != badly ]]; }
		helper() {
			echo "in helper"
			[[ a == b ]]
		}
		-@test "good: has what it needs" {
			[[ $OF_FILE$mine == 11 && -d $BATS_TEST_TMPDIR && $BATS_TEST_NUMBER == 1 ]]
			[[ -d $BATS_FILE_TMPDIR && $BATS_TEST_FILENAME == "$BATS_TEST_DIRNAME/suite.bats" ]]
			: >"$BATS_TEST_TMPDIR/file"
		}
		-@test "has a folder of its own, and no other test's variables" {
			[[ ! -e $BATS_TEST_TMPDIR/file && -z ${theirs-} ]]
			theirs=yes
		}
		-@test "bad: in the middle" {
			[[ -z ${theirs-} ]]
			false
			echo "not to be seen"
		}
		-@test "bad: in a function" {
			helper
			true
		}
		-@test "bad: in a sum" {
			((0))
		}
		-@test "bad: ended before its end" {
			exit 0
		}
		-@test "bad: no such command" {
			nosuchcommand
		}
		-@test "bad: torn down badly" {
			torn=badly
		}
		-@test "bad: run expects a status" {
			run -1 true
		}
		-@test "bad: run expects a failure" {
			run ! true
		}
		-@test "run: all of its forms" {
			both() { echo a; echo; echo b >&2; cd /; exit 3; }
			run both
			[[ $status == 3 && ${#lines[@]} == 2 && $output == $'a\n\nb' && $PWD != / ]]
			run -3 --separate-stderr both
			[[ $output == a && $stderr == b && ${lines[*]} == a ]]
			run ! helper
		}
		-@test "conditions do not fail" {
			if helper; then false; fi
			! helper
			helper || true
			theirs=$(false; echo "went on")
			[[ $theirs == "went on" ]]
		}
		-@test "skipped: for a reason" {
			skip "that there is"
		}
		-@test "skipped: for none" {
			skip
		}
	END
}

@test "run-bats: each test ends as it does with bats" {
	type -P bats >/dev/null || skip "needs bats"
	suite
	record -1 bats --formatter tap suite.bats
	grep -E '^(1\.\.|ok|not ok)' <<<"$output" >of-bats
	record -1 "$top/tests/run-bats" suite.bats
	printf '%s\n' "$output"
	grep -E '^(1\.\.|ok|not ok)' <<<"$output" >ours
	diff of-bats ours
	[[ $(grep -c '^not ok .* bad: ' ours) == 8 && $(grep -c '^not ok' ours) == 8 ]]
}

@test "run-bats: of a test that fails its output is shown, and where that was" {
	local line

	suite
	record -1 "$top/tests/run-bats" suite.bats
	line=$(grep -n 'a == b' suite.bats)
	[[ $output == *"not ok 4 bad: in a function
# in setup
# in helper
# \`[[ a == b ]]' failed
#   line ${line%%:*} of $PWD/suite.bats
#   line "*" of $PWD/suite.bats
# in teardown
not ok 5 "* ]]
	[[ $output != *"not to be seen"* ]]
}

@test "run-bats: what goes wrong outside of tests fails a file" {
	local text

	# shellcheck disable=SC2016 # for that shell
	# Each with a test that passes; the last one with one that is killed, which bats loses.
	for text in 'echo "x' '@test unquoted {' 'setup_file() { false; }' 'teardown_file() { false; }' \
		'load nosuch' 'nosuchcommand' 'setup() { kill -KILL "$BASHPID"; }'; do
		printf '%s\n-@test "good" {\n\ttrue\n}\n' "$text" | sed 's/^-//' >bad.bats
		record -1 "$top/tests/run-bats" bad.bats
		printf '%s\n' "$output"
		[[ $output == *'Bail out! '* || $output == *'not ok '* ]]
	done
}

@test "lab: a command's output and status, byte for byte" {
	lab "$top/tests/lab/run" -- sh -c 'printf "a\nb"; echo c >&2; exit 3'
	[[ $status -eq 3 && $output == $'a\nb' && $stderr == c ]]
}

@test "lab: a report that does not fit its schema fails the run, after it" {
	local report

	require jsonschema
	# shellcheck disable=SC2016 # for that shell
	for report in '{ "command": "verify" }' '{ "command": "nosuch" }'; do
		record -1 env top_builddir="$PWD" "$top/tests/lab/with-reports" \
			sh -c 'echo "$1" >"$VFIOMIG_REPORTS/x.bats"; echo ok 1' sh "$report"
		[[ $output == 'ok 1'$'\n'*'1 reports, 1 of which do not fit their schemas' ]]
	done
	record -3 env top_builddir="$PWD" "$top/tests/lab/with-reports" sh -c 'exit 3'
	[[ -z $output$stderr && -z $(find . -name 'reports.*') ]]
}

@test "lab: a machine that gets nowhere is taken off" {
	lab "$top/tests/lab/run" --silent 1 -- sleep 1000
	[[ $status -eq 124 && $stderr == "lab: wrote nothing and got nowhere"* ]]
}

@test "lab: a source is unpacked; of one that is no kernel only the log stays" {
	mkdir linux-6
	touch linux-6/Makefile
	tar -cf linux-6.tar linux-6
	export VFIOMIG_CACHE=$PWD/cache
	record "$top/tests/lab/build-kernel" ./linux-6.tar
	printf '%s\n' "$stderr"
	[[ $status -eq 1 && $stderr == *'| no kernel source with user mode in it'*'building linux-6-'*' failed'* ]]
	[[ $(cd cache/kernel/linux-6-*/ && echo *) == build.log ]]
}

@test "lab: drivers of any folder are built and loaded" {
	driver 'a driver' one two
	lab "$top/tests/lab/run" --module 'a driver' --module migsim -- sh -c 'dmesg | grep -o hello.*; cat /proc/modules'
	[[ $status -eq 0 && $output == $'hello from one\nhello from two\n'*migsim* ]]
	[[ $(echo a*/*) == 'a driver/Makefile a driver/one.c a driver/two.c' ]]
}

@test "lab: a driver that does not build is told of, and one that is not there" {
	driver broken broken
	echo 'int x = nosuch;' >>broken/broken.c
	lab "$top/tests/lab/run" --module broken -- true
	[[ $status -eq 125 && $stderr == *"'nosuch' undeclared"*"build-module: "*"broken does not build"* ]]
	lab "$top/tests/lab/run" --module nosuch -- true
	[[ $status -eq 125 && $stderr == "lab: --module nosuch: no folder with a Kbuild or a Makefile" ]]
}

@test "scripts/lab: the tool as it was built last is on the path, and a driver is loaded" {
	driver mine mine
	tree
	tool tree
	lab tree/scripts/lab --kernel "$kernel" --module mine vfiomigctl
	[[ $status -eq 0 && $output == 'of tree' && $stderr == *"tree/vfiomigctl"* ]]
	tool tree/build
	touch -d '1 hour ago' tree/vfiomigctl
	lab tree/scripts/lab --kernel "$kernel" --module mine sh -c 'vfiomigctl; mdev show $A; cat /proc/modules'
	[[ $status -eq 0 && $output == 'of tree/build'$'\n'*' mtty-2 '*$'\nmine '* ]]
}

@test "scripts/lab: says so when the tool is not built, and runs all the same" {
	tree
	lab env PATH=/usr/bin:/bin tree/scripts/lab --kernel "$kernel" echo here
	[[ $status -eq 0 && $output == here && $stderr == *"not built yet: ./bootstrap && ./configure && make"* ]]
}

@test "tests of the emulator, run by hand, find the one of their build" {
	local programs=("${top_builddir:-.}"/tests/emu/test-server)

	[[ -x ${programs[0]} ]] || skip "cmocka is missing"
	record env -u VFIOMIG_EMU "${programs[0]}"
	printf '%s\n%s\n' "$output" "$stderr"
	((status == 0))
}

@test "run-bats: a test sees no variable of it but those of bats" {
	# "@test" at the beginning of a line would be a test of this file.
	printf '%s\n' '@test "names" {' "compgen -v | grep '^[a-z]' | grep -v '^run_bats_' >names || true" \
		'}' >names.bats
	record -0 env -i PATH="$PATH" "$top/tests/run-bats" names.bats
	cat names
	[[ -e names && ! -s names ]]
}
