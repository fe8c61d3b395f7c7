// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "transport/input-ops.h"

struct input_reader {
	struct input in;
	input_read_fn *read;
	void *ctx;
};

static ssize_t input_reader_read(struct input *in, void *buf, size_t len, struct err *err)
{
	struct input_reader *r = container_of(in, struct input_reader, in);

	return r->read(r->ctx, buf, len, err);
}

static void input_reader_free(struct input *in)
{
	free(container_of(in, struct input_reader, in));
}

static const struct input_ops reader_ops = {
	.read = input_reader_read,
	.free = input_reader_free,
};

int input_from_reader(input_read_fn *read, void *ctx, const char *name, struct input **ret,
		      struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	struct input_reader *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return err_set(err, -ENOMEM, "%s", name);
	in = &r->in;
	in->ops = &reader_ops;
	in->ends = true;
	r->read = read;
	r->ctx = ctx;
	e = input_name_it(in, name, err);
	if (e < 0)
		return e;
	*ret = TAKE_PTR(in);
	return 0;
}
