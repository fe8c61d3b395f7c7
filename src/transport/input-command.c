// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macros.h"
#include "transport/subprocess.h"
#include "transport/input-ops.h"

struct input_command {
	struct input in;
	struct subprocess command;
	struct cancel *cancel;
};

static struct input_command *input_command_of(struct input *in)
{
	return container_of(in, struct input_command, in);
}

/* The end is one only if the command says so too: what ssh(1) brings may have been cut off. */
static ssize_t input_command_read(struct input *in, void *buf, size_t len, struct err *err)
{
	struct input_command *c = input_command_of(in);
	ssize_t n;
	int r;

	if (!c->command.pid)
		return 0;
	do {
		r = cancel_poll(c->cancel, c->command.out, POLLIN, err);
		if (r < 0)
			return r;
		n = read(c->command.out, buf, len);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return err_fail(err, ERR_IO, -errno, "%s: reading", in->name);
	return n ? n : subprocess_wait(&c->command, c->cancel, -1, err);
}

static void input_command_free(struct input *in)
{
	struct input_command *c = input_command_of(in);

	subprocess_stop(&c->command, c->cancel);
	free(c);
}

static const struct input_ops input_command_ops = {
	.read = input_command_read,
	.free = input_command_free,
};

int input_command_open(const struct uri *uri, struct cancel *cancel, struct input **ret,
		       struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	struct input_command *c;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "%s", uri->text);
	in = &c->in;
	in->ops = &input_command_ops;
	in->ends = true;
	c->command = SUBPROCESS_NONE;
	c->cancel = cancel;
	r = input_name_it(in, uri->text, err);
	if (r < 0)
		return r;
	r = subprocess_start(&c->command, uri, SUBPROCESS_WRITES, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(in);
	return 0;
}
