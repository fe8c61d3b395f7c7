#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check-names finds what it is for: each test spoils a small tree that it accepts. What it says of
# the project's own tree is a test of lint.bats.

setup()
{
	load ../helpers
	require python3
	check=$(realpath "${top_srcdir:-$BATS_TEST_DIRNAME/../..}")/tests/lint/check-names
	cd "$BATS_TEST_TMPDIR"
	mkdir -p src/base src/cmd src/emu tests/unit
	cat >src/base/pump.h <<-END
		/* Moves bytes; @level is anything that the file has. */

		#include <stdint.h>

		/**
		 * struct pump - a device's
		 * @level: 0 to PUMP_FULL
		 */
		struct pump {
			int level;
			int (*fill)(struct pump *p, int by); /* raise it by @by */
		};

		/* How full, and how long @level takes to rise. */
		#define PUMP_FULL 9
		#define PUMP_LEVEL(level) ((level) * 2)

		/** pump_run() - move @p->level; see pump_done(), and vfio_mig_get_next_state() */
		int pump_run(struct pump *p);

		void pump_done(struct pump *p);
	END
	cat >src/base/pump.c <<-END
		#include "base/pump.h"

		static __attribute__((unused)) int pump_step(struct pump *p)
		{
			/* @p is full. */
			return p->level == PUMP_FULL;
		}

		int pump_run(struct pump *p)
		{
			int r = pump_step(p);

			if (r < 0)
				return r;
			return pump_step(p);
		}
	END
	printf 'static int cmd_save_run(void)\n{\n\treturn 0;\n}\n' >src/cmd/save.c
	printf 'static int emu_save_run(void)\n{\n\treturn 0;\n}\n' >src/emu/save.c
	printf 'struct pump;\n\nstatic int any_name(void)\n{\n\treturn 0;\n}\n' >tests/unit/test-pump.c
	printf '# A house\n' >HACKING.md
	python3 "$check" .
}

# spoiled WORDS: check-names finds one thing, and says WORDS of it.
spoiled()
{
	run python3 "$check" .
	echo "$output"
	[[ $status -eq 1 && $output == "$1" ]]
}

@test "names: a static function without its file's prefix" {
	sed -i 's/pump_step/step/' src/base/pump.c
	spoiled "src/base/pump.c:3: step() does not begin with pump_"
}

@test "names: a static function of a command without the command's prefix" {
	sed -i 's/cmd_save_run/save_run/' src/cmd/save.c
	spoiled "src/cmd/save.c:1: save_run() does not begin with cmd_save_"
}

@test "names: a static function of the emulator without the emulator's prefix" {
	sed -i 's/emu_save_run/save_run/' src/emu/save.c
	spoiled "src/emu/save.c:1: save_run() does not begin with emu_save_"
}

@test "names: a parameter that is gone, above a prototype" {
	sed -i 's/int pump_run(struct pump \*p)/int pump_run(struct pump *q)/' src/base/pump.h
	spoiled "src/base/pump.h:18: @p->level is nothing of what this speaks of"
}

@test "names: a member that is gone, in a parameter's path" {
	sed -i 's/@p->level/@p->depth/' src/base/pump.h
	spoiled "src/base/pump.h:18: @p->depth is nothing of what this speaks of"
}

@test "names: a local variable is no parameter, above a function" {
	sed -i 's|^int pump_run|/* Steps, and @r is what they say. */\n&|' src/base/pump.c
	spoiled "src/base/pump.c:9: @r is nothing of what this speaks of"
}

@test "names: a member that is gone, in a structure's comment" {
	sed -i 's/int level;/int depth;/' src/base/pump.h
	run python3 "$check" .
	echo "$output"
	[[ $status -eq 1 && $output == *"src/base/pump.h:7: @level is nothing of what this speaks of"* ]]
}

@test "names: a parameter that is gone, of a function pointer" {
	sed -i 's/int by)/int more)/' src/base/pump.h
	spoiled "src/base/pump.h:11: @by is nothing of what this speaks of"
}

@test "names: something that is gone, in the head of a file" {
	sed -i 's/@level is anything/@depth is anything/' src/base/pump.h
	spoiled "src/base/pump.h:1: @depth is nothing of what this speaks of"
}

@test "names: a kernel-doc comment with another function's name" {
	sed -i 's|/\*\* pump_run()|/** pump_done()|' src/base/pump.h
	spoiled "src/base/pump.h:18: pump_done is not what follows"
}

@test "names: a function that is gone, in a comment" {
	sed -i 's/see pump_done()/see pump_close()/' src/base/pump.h
	spoiled "src/base/pump.h:18: there is no pump_close()"
}

@test "names: a function that is gone, in HACKING.md" {
	printf 'pump_run() moves.\npump_close() does not.\n' >HACKING.md
	spoiled "HACKING.md:2: there is no pump_close()"
}

@test "names: a tag with two meanings" {
	mkdir src/host
	printf 'enum pump { ON, OFF };\n' >src/host/sysfs.h
	spoiled "src/host/sysfs.h:1: enum pump is defined in src/base/pump.h:9, too"
}

@test "names: a line of code that is too long, tabs counted as eight" {
	sed -i "s|int level;|\tint level; /* $(printf 'x%.0s' {1..76}) */|" src/base/pump.h
	spoiled "src/base/pump.h:10: 101 columns"
}

@test "names: a line of prose that is too long" {
	printf '%0101d\n' 0 >CONTRIBUTING.md
	spoiled "CONTRIBUTING.md:1: 101 columns"
}

# A function of LINES in addition to its braces and first line, with TEXT in it.
long_function()
{
	printf 'static void any_other(void)\n{\n%s' "$2"
	for ((n = 0; n < $1; n++)); do
		printf '\tpump_run(0);\n'
	done
	printf '}\n'
}

@test "names: a function that is too long" {
	long_function 58 '' >>tests/unit/test-pump.c
	spoiled "tests/unit/test-pump.c:7: any_other() has 61 lines"
}

@test "names: a table makes no function too long" {
	local rows

	rows=$(printf '\t\t{ 1 },\n%.0s' {1..60})
	long_function 9 $'\tstatic const struct {\n\t\tint a;\n\t} rows[] = {\n'"$rows"$'\n\t};\n' \
		>>tests/unit/test-pump.c
	long_function 9 $'\tconst int rows[] = {\n'"$rows"$'\n\t};\n' >>tests/unit/test-pump.c
	python3 "$check" .
}

@test "names: comments that do not say who" {
	sed -i 's|/\* @p is full|/* Whoever filled @p|' src/base/pump.c
	spoiled 'src/base/pump.c:5: "Whoever": say who'
}

@test "names: documents that do not say who" {
	mkdir man
	printf 'To tell a user.\nTo tell somebody.\n' | tee man/pump.8.scd >CONTRIBUTING.md
	run python3 "$check" .
	echo "$output"
	[[ $status -eq 1 && ${lines[0]} == 'CONTRIBUTING.md:2: "somebody": say who' ]]
	[[ ${lines[1]} == 'man/pump.8.scd:2: "somebody": say who' ]]
}

@test "names: the user nobody is one" {
	sed -i 's|/\* @p is full|/* The user nobody filled @p|' src/base/pump.c
	python3 "$check" .
}

@test "names: a chain of steps where each asks for the last" {
	sed -i 's|return r;|return r;\n\tif (r >= 0 \&\& p->level)\n\t\tr = pump_step(p);|' \
		src/base/pump.c
	spoiled "src/base/pump.c:15: a chain: if (r < 0) return, and go on"
}

@test "names: a chain that compares with 0, or asks for not" {
	sed -i 's|return r;|return r;\n\tif (r == 0)\n\t\tr = pump_step(p);|' src/base/pump.c
	spoiled "src/base/pump.c:15: a chain: if (r < 0) return, and go on"
	sed -i 's|if (r == 0)|if (!r \&\& p->level)|' src/base/pump.c
	spoiled "src/base/pump.c:15: a chain: if (r < 0) return, and go on"
	sed -i 's|if (!r \&\& p->level)|for (int i = 0; !r \&\& i < 9; i++)|' src/base/pump.c
	spoiled "src/base/pump.c:15: a chain: if (r < 0) return, and go on"
}

@test "names: what a comment or a string says is not code" {
	sed -i '/@p is full/d; s|int r = .*|&\n\tconst char *s = "/* @none */ struct pump {";|' src/base/pump.c
	python3 "$check" .
}
