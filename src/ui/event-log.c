// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "transport/output.h"
#include "ui/event-json.h"
#include "ui/event-list.h"
#include "ui/event-log.h"
#include "ui/report.h"

/* As much is written at once. */
#define PIECE_SIZE (256l << 10)

/**
 * struct event_log_progress - a device's
 * @last_ns: when it was kept last
 * @waits: @latest came too soon after that, and is kept before anything else happens to the device
 */
struct event_log_progress {
	uint64_t last_ns;
	bool waits;
	struct event_progress latest;
};

struct event_log {
	struct output *out;
	struct json_object *head; /* command and devices */
	struct event_list list;
	struct event_log_progress *progress;
};

/* Of other kinds of files (a FIFO, a terminal) the reader could be waited for. */
static int event_log_check_path(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;
	return err_fail(err, ERR_OUTPUT, -EINVAL, "%s: no regular file", path);
}

static int event_log_open_output(struct event_log *log, const char *path, struct err *err)
{
	const struct uri uri = { .kind = URI_FILE, .text = path, .path = path };
	int r = event_log_check_path(path, err);

	return r < 0 ? r : output_open(&uri, false, NULL, &log->out, err);
}

int event_log_open(const char *path, const char *command, const char *const *names, unsigned int n,
		   struct event_log **ret, struct err *err)
{
	_cleanup_(event_log_freep) struct event_log *log = calloc(1, sizeof(*log));
	struct json_object *devices;
	int r;

	if (!log)
		return err_set(err, -ENOMEM, "%s", path);
	r = event_list_init(&log->list, n, EVENT_LIST_MAX, err);
	if (r < 0)
		return r;
	log->progress = calloc(n ? n : 1, sizeof(*log->progress));
	if (!log->progress)
		return err_set(err, -ENOMEM, "%s", path);
	r = event_log_open_output(log, path, err);
	if (r < 0)
		return r;
	log->head = report_new(command);
	report_string(log->head, "version", PACKAGE_VERSION);
	devices = report_array(log->head, "devices");
	for (unsigned int i = 0; i < n; i++)
		report_name(report_append(devices), "address", names[i]);
	*ret = TAKE_PTR(log);
	return 0;
}

static void event_log_on_progress(struct event_log *log, const struct event *e)
{
	struct event_log_progress *p = &log->progress[e->device];

	p->waits = p->last_ns && e->ns - p->last_ns < EVENT_LOG_PAUSE_NS;
	p->latest = e->progress;
	if (p->waits)
		return;
	p->last_ns = e->ns;
	event_list_add(&log->list, e);
}

/* It is as true at @ns as it was when it came. */
static void event_log_keep_latest(struct event_log *log, int device, uint64_t ns)
{
	struct event_log_progress *p = &log->progress[device];
	struct event e = {
		.kind = EVENT_PROGRESS,
		.ns = ns,
		.device = device,
		.progress = p->latest,
	};

	if (!p->waits)
		return;
	p->waits = false;
	event_list_add(&log->list, &e);
}

void event_log_on_event(void *log, const struct event *e)
{
	struct event_log *l = log;

	if (e->device >= 0 && (unsigned int)e->device >= l->list.devices)
		return;
	if (e->kind == EVENT_PROGRESS) {
		event_log_on_progress(l, e);
		return;
	}
	for (int i = 0; i < (int)l->list.devices; i++)
		if (e->device < 0 || e->device == i)
			event_log_keep_latest(l, i, e->ns);
	event_list_add(&l->list, e);
}

static const char *event_log_text(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE);
}

/**
 * struct event_log_writer - the file as it is being written
 * @text: what was not written yet
 */
struct event_log_writer {
	struct output *out;
	uint64_t origin_ns;
	FILE *text;
	char *buf;
	size_t size;
	bool any;
	int r;
	struct err *err;
};

static void event_log_flush(struct event_log_writer *w)
{
	if (w->r < 0)
		return;
	if (fflush(w->text) != 0)
		w->r = err_set(w->err, -ENOMEM, "%s", output_name(w->out));
	else
		w->r = output_write(w->out, w->buf, w->size, w->err);
	rewind(w->text);
}

static void event_log_write_event(void *ctx, const struct event *e)
{
	struct event_log_writer *w = ctx;
	struct json_object *o = event_json_new(e, w->origin_ns);

	fprintf(w->text, "%s\n%s", w->any ? "," : "", event_log_text(o));
	report_done(o);
	w->any = true;
	if (ftell(w->text) >= PIECE_SIZE)
		event_log_flush(w);
}

/* The head without its last brace, then the other members. */
static void event_log_write(struct event_log *log, struct event_log_writer *w,
			    struct json_object *result)
{
	const char *head = event_log_text(log->head);

	fprintf(w->text, "%.*s,\"events\":[", (int)strlen(head) - 1, head);
	event_list_replay(&log->list, event_log_write_event, w);
	fprintf(w->text, "\n],\"lost_events\":%llu,\"result\":%s}\n",
		(unsigned long long)log->list.lost, event_log_text(result));
	event_log_flush(w);
}

int event_log_finish(struct event_log *log, struct json_object *result, struct err *err)
{
	struct event_log_writer w = {
		.out = log->out,
		.origin_ns = event_list_origin(&log->list),
		.err = err,
	};

	w.text = open_memstream(&w.buf, &w.size);
	if (!w.text)
		return err_set(err, -ENOMEM, "%s", output_name(log->out));
	event_log_write(log, &w, result);
	fclose(w.text);
	free(w.buf);
	return w.r < 0 ? w.r : output_publish(log->out, err);
}

struct event_log *event_log_free(struct event_log *log)
{
	if (log) {
		output_free(log->out);
		report_done(log->head);
		event_list_done(&log->list);
		free(log->progress);
		free(log);
	}
	return NULL;
}
