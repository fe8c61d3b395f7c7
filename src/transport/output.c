// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/output-ops.h"

int output_name_it(struct output *out, const char *name, struct err *err)
{
	out->name = strdup(name);
	return out->name ? 0 : err_set(err, -ENOMEM, "%s", name);
}

int output_sync(int fd, const char *name, struct err *err)
{
	return fsync(fd) < 0 ? err_fail(err, ERR_IO, -errno, "%s: syncing", name) : 0;
}

/*
 * Only a missing or a regular file is ours to make or replace; a FIFO or a device node that is
 * there already is written to as it is.
 */
static bool output_makes_a_file(const struct uri *uri)
{
	struct stat st;

	return uri->kind == URI_FILE && (stat(uri->path, &st) < 0 || S_ISREG(st.st_mode));
}

int output_open(const struct uri *uri, bool force, struct cancel *cancel, struct output **ret,
		struct err *err)
{
	int r;

	r = output_check(uri, force, err);
	if (r < 0)
		return r;
	if (output_makes_a_file(uri))
		return output_file_open(uri, force, ret, err);
	if (uri->kind == URI_EXEC)
		return output_command_open(uri, cancel, ret, err);
	return output_fd_open(uri, cancel, ret, err);
}

bool output_room(const struct uri *uri, uint64_t *ret)
{
	return output_makes_a_file(uri) && output_file_room(uri->path, ret);
}

int output_write(void *output, const void *buf, size_t len, struct err *err)
{
	struct output *out = output;

	return out->ops->write(out, buf, len, err);
}

int output_finish(struct output *out, struct err *err)
{
	return out->ops->finish ? out->ops->finish(out, err) : 0;
}

bool output_has_reader(const struct output *out)
{
	return out->has_reader;
}

bool output_answers(const struct output *out)
{
	return out->ops->answer;
}

bool output_denies(const struct output *out)
{
	return out->ops->denies && out->ops->denies(out);
}

int output_answer(struct output *out, void *buf, size_t len, struct err *err)
{
	return out->ops->answer(out, buf, len, err);
}

int output_publish(struct output *out, struct err *err)
{
	return out->ops->publish ? out->ops->publish(out, err) : 0;
}

const char *output_name(const struct output *out)
{
	return out->name;
}

struct output *output_free(struct output *out)
{
	if (out) {
		char *name = out->name;

		out->ops->free(out);
		free(name);
	}
	return NULL;
}
