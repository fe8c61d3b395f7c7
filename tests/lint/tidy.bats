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
