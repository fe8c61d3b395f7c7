// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "base/printable.h"
#include "ui/syslog-record.h"

/* Of one value; what is longer is cut. */
#define SYSLOG_RECORD_VALUE_MAX 512u

static struct json_object *syslog_record_look_up(struct json_object *o, const char *outer,
						 const char *inner)
{
	struct json_object *v;

	if (outer && !json_object_object_get_ex(o, outer, &o))
		return NULL;
	return json_object_object_get_ex(o, inner, &v) ? v : NULL;
}

static bool syslog_record_is_plain(const char *text)
{
	return *text && !strpbrk(text, " \"=\\");
}

static void syslog_record_put(FILE *f, const char *key, const char *value)
{
	char text[SYSLOG_RECORD_VALUE_MAX];

	snprintf(text, sizeof(text), "%s", value);
	make_printable(text);
	fprintf(f, " %s=", key);
	if (syslog_record_is_plain(text)) {
		fputs(text, f);
		return;
	}
	putc('"', f);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			putc('\\', f);
		putc(*p, f);
	}
	putc('"', f);
}

static const char *syslog_record_address(struct json_object *o)
{
	struct json_object *v = syslog_record_look_up(o, "device", "address");

	if (!v)
		v = syslog_record_look_up(o, NULL, "address");
	return json_object_get_string(v);
}

/* Of the only one, or of a list: "0000:3b:00.1,0000:3b:00.2". */
static void syslog_record_put_devices(FILE *f, struct json_object *report)
{
	const char *address = syslog_record_address(report);
	char text[SYSLOG_RECORD_VALUE_MAX] = "";
	struct json_object *list;
	size_t at = 0;

	if (!address && json_object_object_get_ex(report, "devices", &list) &&
	    json_object_is_type(list, json_type_array))
		for (size_t i = 0; i < json_object_array_length(list) && at < sizeof(text); i++) {
			const char *one = syslog_record_address(json_object_array_get_idx(list, i));

			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? "," : "",
					       one ? one : "-");
		}
	if (address || *text)
		syslog_record_put(f, "devices", address ? address : text);
}

static void syslog_record_write(FILE *f, struct json_object *report)
{
	static const struct {
		const char *name, *outer, *inner;
	} keys[] = {
		/* clang-format off */
		{ "outcome",     NULL,    "outcome" },
		{ "owner",       NULL,    "owner" },
		{ "status",      NULL,    "status" },
		{ "txid",        NULL,    "txid" },
		{ "phase",       NULL,    "phase" },
		{ "forced",      NULL,    "forced" },
		{ "image",       "image", "id" },
		{ "bytes",       NULL,    "bytes" },
		{ "downtime_ns", NULL,    "downtime_ns" },
		{ "error",       "error", "message" },
		/* clang-format on */
	};
	const char *command =
		json_object_get_string(syslog_record_look_up(report, NULL, "command"));

	fputs(command ? command : "-", f);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct json_object *v = syslog_record_look_up(report, keys[i].outer, keys[i].inner);

		if (v)
			syslog_record_put(f, keys[i].name, json_object_get_string(v));
	}
	syslog_record_put_devices(f, report);
}

int syslog_record_text(struct json_object *report, char **ret, struct err *err)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return err_set(err, -ENOMEM, "syslog");
	syslog_record_write(f, report);
	if (fclose(f) != 0) {
		free(text);
		return err_set(err, -ENOMEM, "syslog");
	}
	*ret = text;
	return 0;
}

int syslog_record_priority(struct json_object *report)
{
	const int status = json_object_get_int(syslog_record_look_up(report, NULL, "status"));

	if (status == ERR_IN_DOUBT || status == ERR_DEVICE)
		return LOG_DAEMON | LOG_ERR;
	return LOG_DAEMON | (status ? LOG_WARNING : LOG_NOTICE);
}

int syslog_record_send(const char *path, int priority, const char *text, struct err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	_cleanup_free_ char *line = NULL;
	const time_t now = time(NULL);
	_cleanup_fd_ int fd = -1;
	char when[32] = "";
	struct tm tm;
	int n;

	if (strlen(path) >= sizeof(to.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: too long for a socket", path);
	strcpy(to.sun_path, path);
	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%b %e %T ", &tm);
	n = asprintf(&line, "<%d>%s%s[%d]: %s", priority, when, program_invocation_short_name,
		     getpid(), text);
	if (n < 0) {
		line = NULL;
		return err_set(err, -ENOMEM, "syslog");
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    sendto(fd, line, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return err_set(err, -errno, "%s: the record is lost", path);
	return 0;
}
