#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check-tidy finds what it is for, and takes what is written as it should be. What it says of the
# project's own tree takes longer than a test may: `make check-tidy`.

setup()
{
	load ../helpers
	require clang-tidy
	top=$(realpath "${top_srcdir:-$BATS_TEST_DIRNAME/../..}")
	cd "$BATS_TEST_TMPDIR"
	mkdir -p src/base tests/lint
	cp "$top/.clang-tidy" .
	cp "$top/tests/lint/tidy.h" tests/lint
	cp "$top/src/base/err.h" src/base
	cat >src/base/pump.c <<-END
		#include "base/err.h"
		int pump_open(int fd, const char **ret, struct err *err);
		int pump_level(int fd, struct err *err);
		int pump_open(int fd, const char **ret, struct err *err)
		{
			if (fd < 0)
				return err_set(err, fd, "no pump");
			*ret = "level";
			return 0;
		}
		int pump_level(int fd, struct err *err)
		{
			const char *text;
			int r = pump_open(fd, &text, err);

			if (r < 0)
				return r;
			return text[0];
		}
	END
}

@test "tidy: a result is set where the function that sets it has not failed" {
	"$top/tests/lint/check-tidy" . -Isrc -std=gnu17
}

@test "tidy: a result that is not set is found" {
	sed -i '/\*ret = /d' src/base/pump.c
	run "$top/tests/lint/check-tidy" . -Isrc -std=gnu17
	echo "$output"
	[[ $status -eq 1 && $output == *"src/base/pump.c:17:"*clang-analyzer-core.* ]]
}

@test "tidy: code that does not compile is found" {
	sed -i 's/fd < 0/fd < nothing/' src/base/pump.c
	run "$top/tests/lint/check-tidy" . -Isrc -std=gnu17
	echo "$output"
	[[ $status -eq 1 && $output == *"src/base/pump.c:6:"*nothing* ]]
}

@test "tidy: a slip is found in each file of a folder, by each kind of check" {
	local file

	for file in a b c; do
		cat >"src/base/$file.c" <<-END
			#include <stdlib.h>
			int ${file}_number(const char *text, const int *p);
			int ${file}_number(const char *text, const int *p)
			{
				return p ? 0 : atoi(text) + *p;
			}
			#define ${file}_HALF 1 / 2
		END
	done
	run "$top/tests/lint/check-tidy" . -Isrc -std=gnu17
	echo "$output"
	((status == 1))
	for file in a b c; do
		[[ $output == *"src/base/$file.c:5:"*cert-err34-c* ]]
		[[ $output == *"src/base/$file.c:5:"*clang-analyzer-core.NullDereference* ]]
		[[ $output == *"src/base/$file.c:7:"*bugprone-macro-parentheses* ]]
	done
	# FILES has some of them looked at only.
	FILES='src/base/a.c src/base/pump.c' run "$top/tests/lint/check-tidy" . -Isrc -std=gnu17
	[[ $status -eq 1 && $output == *src/base/a.c:5:* && $output != *src/base/b.c* ]]
}

@test "tidy: what has no name of its own in its folder is found" {
	local file

	for file in a b; do
		cat >"src/base/$file.c" <<-END
			static const int level = 1;
			const int *${file}_level(void);
			const int *${file}_level(void)
			{
				return &level;
			}
		END
	done
	run "$top/tests/lint/check-tidy" . -Isrc -std=gnu17
	echo "$output"
	[[ $status -eq 1 && $output == *"src/base/b.c:1:"*"redefinition of 'level'"* ]]
}

@test "tidy: a list of arguments is taken for one in each file" {
	local file

	for file in a b c; do
		cat >"src/base/$file.c" <<-END
			#include <stdarg.h>
			#include <stdio.h>
			void ${file}_say(const char *format, ...);
			void ${file}_say(const char *format, ...)
			{
				va_list args;

				va_start(args, format);
				vprintf(format, args);
				va_end(args);
			}
		END
	done
	"$top/tests/lint/check-tidy" . -Isrc -std=gnu17
}
