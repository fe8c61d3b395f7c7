// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport/input-ops.h"

int input_name_it(struct input *in, const char *name, struct err *err)
{
	in->name = strdup(name);
	return in->name ? 0 : err_set(err, -ENOMEM, "%s", name);
}

int input_open(const struct uri *uri, struct cancel *cancel, struct input **ret, struct err *err)
{
	if (uri->kind == URI_EXEC)
		return input_command_open(uri, cancel, ret, err);
	return input_fd_open(uri, cancel, ret, err);
}

ssize_t input_read(struct input *in, void *buf, size_t len, struct err *err)
{
	return in->ops->read(in, buf, len, err);
}

bool input_rewindable(const struct input *in)
{
	return in->rewindable;
}

bool input_ends(const struct input *in)
{
	return in->ends;
}

bool input_is_carried(const struct input *in)
{
	return in->carried;
}

int input_rewind(struct input *in, struct err *err)
{
	if (!in->rewindable)
		return err_fail(err, ERR_IO, -ESPIPE, "%s: going back to the start", in->name);
	return in->ops->seek(in, 0, err);
}

int input_seek(struct input *in, uint64_t at, struct err *err)
{
	return in->ops->seek(in, at, err);
}

ssize_t input_read_at(struct input *in, void *buf, size_t len, uint64_t at, struct err *err)
{
	return in->ops->read_at(in, buf, len, at, err);
}

bool input_answers(const struct input *in)
{
	return in->ops->answer;
}

int input_answer(struct input *in, const void *buf, size_t len, struct err *err)
{
	return in->ops->answer(in, buf, len, err);
}

const char *input_name(const struct input *in)
{
	return in->name;
}

struct input *input_free(struct input *in)
{
	if (in) {
		char *name = in->name;

		in->ops->free(in);
		free(name);
	}
	return NULL;
}
