// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macros.h"
#include "transport/subprocess.h"
#include "transport/output-ops.h"

/* How long a command that no longer reads has to tell why. */
#define LAST_WORDS_MS 1000

struct output_command {
	struct output out;
	struct subprocess command;
	struct cancel *cancel;
};

static struct output_command *output_command_of(struct output *out)
{
	return container_of(out, struct output_command, out);
}

/* How it ended says more than that it no longer reads. */
static int output_command_ended_early(struct output_command *o, struct err *err)
{
	int r = subprocess_wait(&o->command, o->cancel, LAST_WORDS_MS, err);

	if (r < 0 && r != -ETIMEDOUT)
		return r;
	return err_fail(err, ERR_IO, -EPIPE, "%s: %s before it had read all", o->out.name,
			r < 0 ? "closed its input" : "ended");
}

static int output_command_write(struct output *out, const void *buf, size_t len, struct err *err)
{
	struct output_command *o = output_command_of(out);
	size_t done = 0;

	while (done < len) {
		ssize_t n;
		int r;

		r = cancel_poll(o->cancel, o->command.in, POLLOUT, err);
		if (r < 0)
			return r;
		n = write(o->command.in, (const char *)buf + done, len - done);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0 && errno == EPIPE)
			return output_command_ended_early(o, err);
		if (n < 0)
			return err_fail(err, ERR_IO, -errno, "%s: writing", out->name);
		done += (size_t)n;
	}
	return 0;
}

static int output_command_finish(struct output *out, struct err *err)
{
	struct output_command *o = output_command_of(out);

	close(TAKE_FD(o->command.in));
	return subprocess_wait(&o->command, o->cancel, -1, err);
}

static void output_command_free(struct output *out)
{
	struct output_command *o = output_command_of(out);

	subprocess_stop(&o->command, o->cancel);
	free(o);
}

static const struct output_ops output_command_ops = {
	.write = output_command_write,
	.finish = output_command_finish,
	.free = output_command_free,
};

int output_command_open(const struct uri *uri, struct cancel *cancel, struct output **ret,
			struct err *err)
{
	_cleanup_(output_freep) struct output *out = NULL;
	struct output_command *o;
	int r;

	o = calloc(1, sizeof(*o));
	if (!o)
		return err_set(err, -ENOMEM, "%s", uri->text);
	out = &o->out;
	out->ops = &output_command_ops;
	out->has_reader = true;
	o->command = SUBPROCESS_NONE;
	o->cancel = cancel;
	r = output_name_it(out, uri->text, err);
	if (r < 0)
		return r;
	r = subprocess_start(&o->command, uri, SUBPROCESS_READS, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out);
	return 0;
}
