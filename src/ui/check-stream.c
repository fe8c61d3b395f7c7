// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "ui/check-parts.h"
#include "ui/check-report.h"
#include "ui/check-stream.h"

/*
 * PIPE_BUF bytes do not wait once poll() says that a pipe has room; a terminal that is stopped is
 * waited for. What cannot be written now is tried with what comes next, and at the end, where why
 * is told.
 */
static void check_stream_show(struct check_stream *s)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (s->shown < s->len && poll(&p, 1, 0) > 0) {
		ssize_t n =
			write(p.fd, s->text + s->shown, MIN(s->len - s->shown, (size_t)PIPE_BUF));

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			s->shown += (size_t)n;
	}
}

/* @text: freed. Where there is no memory for it, what comes is lost, and not out of order. */
static void check_stream_add(struct check_stream *s, char *text, size_t len)
{
	char *all = realloc(s->text, s->len + len + 1);

	if (!all)
		s->error = -ENOMEM;
	if (all)
		s->text = all;
	if (!s->error) {
		memcpy(s->text + s->len, text, len + 1);
		s->len += len;
	}
	free(text);
	check_stream_show(s);
}

static void check_stream_begun(void *ctx, size_t selected)
{
	struct check_stream *s = ctx;
	size_t len = 0;
	char *text = NULL;
	FILE *f;

	if (s->format != CHECK_STREAM_TAP)
		return;
	f = open_memstream(&text, &len);
	if (!f) {
		s->error = -ENOMEM;
		return;
	}
	check_tap_begin(f, selected);
	if (fclose(f) == 0)
		check_stream_add(s, text, len);
	else
		s->error = -ENOMEM;
}

static void check_stream_result(void *ctx, const struct check_result *result)
{
	struct check_stream *s = ctx;
	struct json_object *o;
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (s->format == CHECK_STREAM_NONE)
		return;
	f = open_memstream(&text, &len);
	if (!f) {
		s->error = -ENOMEM;
		return;
	}
	o = check_report_result(result);
	if (s->format == CHECK_STREAM_TAP)
		check_tap_result(f, o, ++s->n);
	else
		check_text_result(f, o);
	json_object_put(o);
	if (fclose(f) == 0)
		check_stream_add(s, text, len);
	else
		s->error = -ENOMEM;
}

struct check_listener check_stream_listener(struct check_stream *s)
{
	return (struct check_listener){
		.begun = check_stream_begun,
		.result = check_stream_result,
		.ctx = s,
	};
}

const char *check_stream_rest(const struct check_stream *s)
{
	return s->text ? s->text + s->shown : "";
}

void check_stream_done(struct check_stream *s)
{
	free(s->text);
}
