// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * VERDICT against whatever libFuzzer thinks of
 *
 * An input is its text. What is accepted can be said again, and is the same then.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "wire/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict v, back;
	struct err err = { 0 };
	char *text;
	size_t len;

	if (verdict_decode((const char *)data, size, &v, &err) < 0)
		return 0;
	assert(v.accepted == !v.reason);
	assert(!v.reason || is_printable(v.reason, strlen(v.reason)));
	assert(verdict_encode(&v, &text, &len, &err) >= 0);
	assert(verdict_decode(text, len, &back, &err) >= 0);
	assert(back.accepted == v.accepted && back.n_devices == v.n_devices);
	for (size_t i = 0; i < v.n_devices; i++)
		assert(!strcmp(v.devices[i].saved, back.devices[i].saved) &&
		       v.devices[i].n_differences == back.devices[i].n_differences);
	verdict_done(&back);
	verdict_done(&v);
	free(text);
	return 0;
}

/* A text that is almost right, so that more than its first brace is looked at. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static const char start[] = "{\"schema\":1,\"accepted\":false,\"reason\":\"r\",\"devices\":"
				    "[{\"saved\":\"a\",\"here\":\"b\",\"differences\":[{\"field\":"
				    "\"f\",\"saved\":\"x\",\"here\":\"y\",\"vital\":true}]}]}";

	if (size < sizeof(start) && max >= sizeof(start) && seed % 2) {
		memcpy(data, start, sizeof(start) - 1);
		size = sizeof(start) - 1;
	}
	return LLVMFuzzerMutate(data, size, max);
}
