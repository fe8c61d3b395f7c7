// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/cpus.h"
#include "base/macros.h"
#include "engine/scan-ahead.h"
#include "engine/scan.h"

/* More do not help: then the memory's speed is the limit. */
#define SCAN_THREADS_MAX 4u

/* Who can still answer has not come to an end, but gone. */
static int scan_ended(struct input *in, const struct image_parser *parser, struct err *err)
{
	int r = image_parser_eof(parser, err);

	if (r < 0 && input_answers(in))
		return err_fail(err, ERR_ABORTED, -ECONNRESET,
				"%s: gone before the end of the image", input_name(in));
	return r;
}

/* One read into the parser's own buffer. Return: enum image_progress, or negative errno. */
static int scan_step(struct input *in, struct image_parser *parser, bool *eof, struct err *err)
{
	size_t room;
	void *buf;
	ssize_t n;
	int r;

	r = image_parser_buffer(parser, &buf, &room, err);
	if (r < 0)
		return r;
	n = input_read(in, buf, room, err);
	if (n < 0)
		return (int)n;
	*eof = n == 0;
	return *eof ? scan_ended(in, parser, err) : image_parser_filled(parser, (size_t)n, err);
}

static void scan_tell(void *ctx, uint64_t bytes)
{
	struct transfer *transfer = ctx;

	if (transfer)
		atomic_store(&transfer->bytes, bytes);
}

/*
 * Once at a place: where it brings the parser no further, the parser has to take a step.
 * @tried_at: the place of the last time
 */
static int scan_try_ahead(const struct scan_ahead *ahead, uint64_t *tried_at, struct err *err)
{
	uint64_t at, seed;
	int r;

	if (ahead->threads < 2 || !input_rewindable(ahead->in) ||
	    !image_parser_between(ahead->parser, &at, &seed) || at == *tried_at)
		return 0;
	r = scan_ahead(ahead, err);
	if (image_parser_between(ahead->parser, &at, &seed))
		*tried_at = at;
	return r;
}

int scan_image_with(struct input *in, const struct image_sink *sink, void *ctx,
		    struct cancel *cancel, struct transfer *transfer, unsigned int threads,
		    struct err *err)
{
	_cleanup_(image_parser_freep) struct image_parser *parser = NULL;
	struct scan_ahead ahead = {
		.in = in,
		.cancel = cancel,
		.threads = threads,
		.progress = scan_tell,
		.ctx = transfer,
	};
	uint64_t tried_at = 0;
	bool eof = false;
	int r;

	r = image_parser_new(sink, ctx, &parser, err);
	if (r < 0)
		return r;
	ahead.parser = parser;
	do {
		r = cancel_check(cancel, err);
		if (r < 0)
			return r;
		r = scan_try_ahead(&ahead, &tried_at, err);
		r = r < 0 ? r : scan_step(in, parser, &eof, err);
		scan_tell(transfer, image_parser_bytes(parser));
		if (r < 0)
			return err->kind == ERR_IMAGE ? err_prefix(err, r, "%s", input_name(in))
						      : r;
	} while (!eof && (r == IMAGE_MORE || input_ends(in)));
	return 0;
}

int scan_image(struct input *in, const struct image_sink *sink, void *ctx, struct cancel *cancel,
	       struct transfer *transfer, struct err *err)
{
	unsigned int threads = MIN(cpus_usable(), SCAN_THREADS_MAX);

	return scan_image_with(in, sink, ctx, cancel, transfer, threads, err);
}
