// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * A fuzz target without libFuzzer, for `make check`
 *
 * Linked with one of the targets, it gives it the files that are named; without any, inputs of its
 * own: what the target's mutator makes when it begins with nothing, the same ones each time.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 20000u
#define CHAINS 400
#define LINKS 40

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a target calls for a mutation that it has no opinion of. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	if (size < max && rand() % 4 == 0)
		data[size++] = (uint8_t)rand();
	if (size)
		data[(unsigned int)rand() % size] ^= (uint8_t)(1 << rand() % 8);
	return size;
}

static int replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "re");
	size_t size;

	if (!f) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

/* Exactly as long as it says, so that a sanitizer sees who reads on. */
static void try_input(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

int main(int argc, char **argv)
{
	static uint8_t data[INPUT_MAX];
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	srand(1);
	for (int i = 0; argc < 2 && i < CHAINS; i++) {
		size_t size = 0;

		for (int j = 0; j < LINKS; j++) {
			size = LLVMFuzzerCustomMutator(data, size, sizeof(data),
						       (unsigned int)rand() * 3u);
			try_input(data, size);
		}
	}
	printf("1..1\n%sok 1 - inputs survived\n", failed ? "not " : "");
	return failed;
}
