// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a decoder makes of a stream, as lines, for tests that have their streams from elsewhere:
 * decode-dump DRIVER PIECE <stream, in pieces of so many bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "decode/decode.h"

static void dump_node(void *ctx, const struct decode_node *node)
{
	static const char *const kinds[] = {
		[DECODE_RECORD] = "record", [DECODE_UINT] = "number",
		[DECODE_HEX] = "number",    [DECODE_TEXT] = "text",
		[DECODE_OCTETS] = "octets", [DECODE_PAYLOAD] = "payload",
		[DECODE_REMARK] = "remark",
	};

	(void)ctx;
	/* In what words a decoder remarks on a record is its own to choose. */
	if (node->kind == DECODE_REMARK)
		return;
	printf("%u %s %" PRIu64 " %" PRIu64 " %s", node->depth, kinds[node->kind], node->at,
	       node->size, node->name);
	if (node->kind == DECODE_UINT || node->kind == DECODE_HEX)
		printf(" %" PRIu64, node->value);
	putchar('\n');
}

int main(int argc, char **argv)
{
	const struct decode_result *result;
	struct decode *d = NULL;
	uint64_t piece;
	char *buf;
	size_t n;

	if (argc != 3 || parse_uint(argv[2], 10, 1u << 20, &piece) < 0 || !piece)
		return EXIT_FAILURE;
	buf = malloc((size_t)piece);
	if (!buf || decode_new(argv[1], dump_node, NULL, &d, NULL) < 0)
		return EXIT_FAILURE;
	while ((n = fread(buf, 1, (size_t)piece, stdin)) > 0)
		decode_push(d, buf, n);
	decode_finish(d, true);
	result = decode_result(d);
	if (*result->odd)
		printf("odd %" PRIu64 "\n", result->odd_at);
	printf("bytes %" PRIu64 "\n", result->bytes);
	decode_free(d);
	free(buf);
	return EXIT_SUCCESS;
}
