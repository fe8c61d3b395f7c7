// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "engine/scan.h"

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

int scan_image(struct input *in, const struct image_sink *sink, void *ctx, struct cancel *cancel,
	       struct transfer *transfer, struct err *err)
{
	_cleanup_(image_parser_freep) struct image_parser *parser = NULL;
	bool eof = false;
	int r;

	r = image_parser_new(sink, ctx, &parser, err);
	if (r < 0)
		return r;
	do {
		r = cancel_check(cancel, err);
		if (r < 0)
			return r;
		r = scan_step(in, parser, &eof, err);
		if (transfer)
			atomic_store(&transfer->bytes, image_parser_bytes(parser));
		if (r < 0)
			return err->kind == ERR_IMAGE ? err_prefix(err, r, "%s", input_name(in))
						      : r;
	} while (!eof && (r == IMAGE_MORE || input_ends(in)));
	return 0;
}
