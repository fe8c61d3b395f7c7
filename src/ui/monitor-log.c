// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/printable.h"
#include "base/units.h"
#include "ui/monitor-log.h"
#include "ui/report.h"

#define LOG_LOST_JSON "{\"schema\":1,\"command\":\"monitor\",\"event\":\"dropped\",\"dropped\":"

void monitor_log_init(struct monitor_log *log, bool json, bool quiet)
{
	log->json = json;
	log->quiet = quiet && !json;
	log->start_ns = clock_ns();
	if (json)
		lines_init(&log->out, STDOUT_FILENO, LOG_LOST_JSON, "}");
	else
		lines_init(&log->out, STDOUT_FILENO, "... ", " lines were lost ...");
}

void monitor_log_done(struct monitor_log *log)
{
	lines_done(&log->out);
}

int monitor_log_check(struct monitor_log *log, struct err *err)
{
	int r = lines_finish(&log->out, 0);

	if (r == 0 || r == -ETIMEDOUT)
		return 0;
	return err_fail(err, ERR_IO, r, "standard output: the report is lost");
}

/* The local time of day in text, the whole of it in JSON. */
static void monitor_log_time(const struct monitor_log *log, char *buf, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	if (log->json)
		n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
	else
		n = strftime(buf, size, "%H:%M:%S", localtime_r(&now.tv_sec, &tm));
	snprintf(buf + n, size - n, ".%0*ld%s", log->json ? 6 : 3,
		 log->json ? now.tv_nsec / 1000 : now.tv_nsec / 1000000, log->json ? "Z" : "");
}

/* Return: a new line's object; NULL where a line is text. */
static struct json_object *monitor_log_begin(const struct monitor_log *log, const char *event,
					     const char *device)
{
	struct json_object *o;
	char now[48];

	if (!log->json)
		return NULL;
	o = report_new("monitor");
	monitor_log_time(log, now, sizeof(now));
	report_string(o, "event", event);
	report_string(o, "time", now);
	report_uint(o, "at_ns", clock_ns() - log->start_ns);
	if (device)
		report_name(o, "device", device);
	return o;
}

static void monitor_log_end(struct monitor_log *log, struct json_object *o)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f) {
		report_json(f, o, false);
		if (fclose(f) == 0)
			lines_put(&log->out, text);
	}
	free(text);
	report_done(o);
}

static void monitor_log_text(struct monitor_log *log, const char *device, const char *fmt, ...)
	_printf_(3, 4);

static void monitor_log_text(struct monitor_log *log, const char *device, const char *fmt, ...)
{
	char now[48], what[512], line[640];
	va_list ap;

	if (log->quiet)
		return;
	monitor_log_time(log, now, sizeof(now));
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line) - 1, "%s  %-12s  %s", now, device, what);
	make_printable(line);
	strcat(line, "\n");
	lines_put(&log->out, line);
}

void monitor_log_device(struct monitor_log *log, const char *device, enum presence presence,
			const char *driver, const char *cdev)
{
	struct json_object *o = monitor_log_begin(log, "device", device);

	if (o) {
		report_string(o, "presence", presence_name(presence));
		report_string(o, "driver", driver);
		report_string(o, "cdev", cdev);
		monitor_log_end(log, o);
		return;
	}
	if (presence == PRESENCE_GONE || presence == PRESENCE_FREE)
		monitor_log_text(log, device, "%s",
				 presence == PRESENCE_GONE ? "is not there" : "has no driver");
	else
		monitor_log_text(log, device, "has %s%s%s%s", driver,
				 presence == PRESENCE_VFIO ? ", of VFIO" : "", cdev ? ": " : "",
				 cdev ? cdev : "");
}

void monitor_log_uevent(struct monitor_log *log, const char *device, const struct uevent *event)
{
	struct json_object *o = monitor_log_begin(log, "uevent", device);

	if (o) {
		report_name(o, "action", event->action);
		report_string(o, "subsystem", event->subsystem);
		report_string(o, "driver", event->driver);
		report_string(o, "node", event->devname);
		report_uint(o, "seqnum", event->seqnum);
		report_bool(o, "synthetic", event->synthetic);
		monitor_log_end(log, o);
		return;
	}
	monitor_log_text(log, device, "%s (%s)%s%s%s%s%s", event->action,
			 event->subsystem ? event->subsystem : "-", event->driver ? " " : "",
			 event->driver ? event->driver : "", event->devname ? " " : "",
			 event->devname ? event->devname : "",
			 event->synthetic ? ", written by a process" : "");
}

void monitor_log_port(struct monitor_log *log, const char *device, const struct devlink_port *port,
		      bool gone)
{
	struct json_object *o = monitor_log_begin(log, "port", device);
	char name[DEVLINK_PORT_NAME_MAX];

	devlink_port_name(port, name);
	if (o) {
		report_string(o, "port", name);
		report_bool(o, "gone", gone);
		if (gone || port->migratable == DEVLINK_ABSENT)
			report_null(o, "migratable");
		else
			report_bool(o, "migratable", port->migratable == DEVLINK_ON);
		monitor_log_end(log, o);
		return;
	}
	monitor_log_text(log, device, "port %s%s", name,
			 gone				      ? " is gone"
			 : port->migratable == DEVLINK_ABSENT ? ""
			 : port->migratable == DEVLINK_ON     ? ": migratable"
							      : ": not migratable");
}

static void monitor_log_state_text(struct monitor_log *log, const char *device,
				   const struct dwell *d, const struct dwell_change *change)
{
	const char *to = d->known ? fsm_name(d->state) : "not known: no process has it open";
	char ns[UNITS_MAX], down[UNITS_MAX];

	if (!change->had) {
		monitor_log_text(log, device, "state %s", to);
		return;
	}
	monitor_log_text(log, device, "state %s, after %s in %s%s%s", to,
			 format_duration(ns, change->ns), fsm_name(change->from),
			 change->up ? "; it was down for " : "",
			 change->up ? format_duration(down, change->down_ns) : "");
}

void monitor_log_state(struct monitor_log *log, const char *device, const struct dwell *d,
		       const struct dwell_change *change)
{
	struct json_object *o = monitor_log_begin(log, "state", device);

	if (!o) {
		monitor_log_state_text(log, device, d, change);
		return;
	}
	report_string(o, "state", d->known ? fsm_name(d->state) : NULL);
	report_string(o, "from", change->had ? fsm_name(change->from) : NULL);
	if (change->had)
		report_uint(o, "dwell_ns", change->ns);
	if (change->up)
		report_uint(o, "downtime_ns", change->down_ns);
	monitor_log_end(log, o);
}

void monitor_log_overrun(struct monitor_log *log, const char *source)
{
	struct json_object *o = monitor_log_begin(log, "overrun", NULL);

	if (!o) {
		monitor_log_text(log, "-", "overrun: %s were lost; looked at all devices again",
				 source);
		return;
	}
	report_string(o, "source", source);
	monitor_log_end(log, o);
}
