// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "engine/pump.h"

int pump_init(struct pump *p, struct err *err)
{
	p->frame = image_frame_new();
	p->len = 0;
	p->deadline_ns = 0;
	p->bytes = 0;
	p->ns = 0;
	return p->frame ? 0 : err_set(err, -ENOMEM, "a frame of 1 MiB");
}

void pump_done(struct pump *p)
{
	p->frame = image_frame_free(p->frame);
}

int pump_flush(struct pump *p, struct err *err)
{
	size_t len = p->len;

	if (!len)
		return 0;
	p->len = 0;
	return p->sink(p->ctx, p->frame, len, err);
}

static int run(struct pump *p, struct err *err)
{
	for (;;) {
		ssize_t n;
		int r;

		r = cancel_check(p->cancel, err);
		if (r < 0)
			return r;
		if (p->deadline_ns && clock_ns() >= p->deadline_ns && !mig_mid_chunk(p->dev))
			return 0;
		n = mig_read(p->dev, p->frame->payload + p->len, IMAGE_FRAME_PAYLOAD - p->len, err);
		if (n <= 0)
			return (int)n;
		p->len += (size_t)n;
		p->bytes += (uint64_t)n;
		atomic_fetch_add(&p->transfer->bytes, (uint64_t)n);
		if (p->len < IMAGE_FRAME_PAYLOAD)
			continue;
		r = pump_flush(p, err);
		if (r < 0)
			return r;
	}
}

int pump_run(struct pump *p, struct err *err)
{
	uint64_t start = clock_ns();
	int r = run(p, err);

	p->ns += clock_ns() - start;
	return r;
}
