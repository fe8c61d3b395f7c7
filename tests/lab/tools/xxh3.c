// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * xxh3 [SEED]
 *
 * XXH3-64 of standard input in 16 hexadecimal digits, as libxxhash has it; SEED is hexadecimal,
 * too. For tests that write messages and records by hand.
 */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define INPUT_MAX ((size_t)1 << 20)

int main(int argc, char **argv)
{
	static char input[INPUT_MAX];
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 16) : 0;
	const size_t n = fread(input, 1, sizeof(input), stdin);

	printf("%016" PRIx64 "\n", (uint64_t)XXH3_64bits_withSeed(input, n, seed));
	return EXIT_SUCCESS;
}
