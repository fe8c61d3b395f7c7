// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd-name.h"
#include "base/listen-fds.h"
#include "base/log.h"
#include "base/sd-notify.h"
#include "device/hold-client.h"
#include "device/same.h"
#include "cmd/stored.h"

/* Of a device that another process has open, too. The rest of it is that device's alone. */
#define CMD_STORED_SHARED "shared-device"

/* "device.NAME" for "device". Return: @buf. */
static char *cmd_stored_name(const char *word, const char *name, char buf[FD_NAME_BUF])
{
	char escaped[FD_NAME_BUF];

	fd_name_escape(name, escaped);
	snprintf(buf, FD_NAME_BUF, "%s.%.*s", word, (int)FD_NAME_MAX - 16, escaped);
	return buf;
}

/* What stands behind "WORD." in @text; NULL where there is another word. */
static const char *cmd_stored_behind(const char *text, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(text, word, len) && text[len] == '.' ? text + len + 1 : NULL;
}

static const char *cmd_stored_rest(const char *text, enum hold_fd kind)
{
	const char *rest = cmd_stored_behind(text, hold_fd_name(kind));

	return rest || kind != HOLD_FD_DEVICE ? rest : cmd_stored_behind(text, CMD_STORED_SHARED);
}

static bool cmd_stored_is_shared(const struct device *dev)
{
	return device_ownership(dev) == DEVICE_SHARED && device_check_kept(dev, NULL) >= 0;
}

/*
 * The descriptor of a kind: the device's own, or, as the manager keeps one of those that are the
 * same, that of another device if there is only one. Return: -1 where there is none.
 */
static int cmd_stored_find(const struct listen_fds *l, enum hold_fd kind, const char *name)
{
	unsigned int others = 0;
	int other = -1;

	for (unsigned int i = 0; i < l->n; i++) {
		const char *rest = cmd_stored_rest(l->names[i], kind);

		if (rest && !strcmp(rest, name))
			return LISTEN_FDS_START + (int)i;
		if (!rest)
			continue;
		other = LISTEN_FDS_START + (int)i;
		others++;
	}
	return others == 1 && kind != HOLD_FD_DEVICE ? other : -1;
}

static bool cmd_stored_by_group(const struct listen_fds *l, const char *name)
{
	for (unsigned int i = 0; i < l->n; i++) {
		const char *rest = cmd_stored_rest(l->names[i], HOLD_FD_GROUP);

		if (rest && !strcmp(rest, name))
			return true;
	}
	return false;
}

/* Copies, so that to give up a device closes what is its own. */
static struct hold_fds cmd_stored_fds(const struct listen_fds *l, const char *name)
{
	struct hold_fds fds = HOLD_FDS_NONE;
	bool by_group = cmd_stored_by_group(l, name);

	for (int kind = 0; kind < HOLD_NR_FDS; kind++) {
		bool is_group = kind == HOLD_FD_GROUP || kind == HOLD_FD_CONTAINER;
		int fd = cmd_stored_find(l, kind, name);

		if (fd < 0 || (kind != HOLD_FD_DEVICE && is_group != by_group))
			continue;
		fds.v[kind] = fcntl(fd, F_DUPFD_CLOEXEC, LISTEN_FDS_START);
	}
	return fds;
}

/* Return: an open device, or NULL. */
static struct device *cmd_stored_adopt(const struct listen_fds *l, const char *name,
				       enum device_ownership ownership, const struct host *host,
				       const struct device_options *options)
{
	struct hold_fds fds = cmd_stored_fds(l, name);
	struct acquired acq = hold_fds_take(&fds);
	char text[FD_NAME_BUF], reason[ERR_REASON_MAX];
	struct device *dev = NULL;
	struct err err = { 0 };

	fd_name_unescape(name, text);
	if (device_adopt(host, text, &acq, ownership, options, &dev, &err) >= 0)
		return dev;
	log_warn("%s: was kept open, and is lost: %s%s", text, err.text, err_reason(&err, reason));
	cmd_stored_drop(text);
	return NULL;
}

/* What was inherited is closed: each device has copies of its own. */
static void cmd_stored_close_inherited(const struct listen_fds *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		for (int kind = 0; kind < HOLD_NR_FDS; kind++)
			if (cmd_stored_rest(l->names[i], kind))
				close(LISTEN_FDS_START + (int)i);
}

int cmd_stored_take(const struct host *host, const struct device_options *options,
		    struct cmd_stored *ret, struct err *err)
{
	const struct listen_fds *l = NULL;
	int r;

	*ret = (struct cmd_stored){ 0 };
	r = listen_fds(&l, err);
	if (r < 0)
		return r;
	ret->v = calloc(l->n + 1, sizeof(*ret->v));
	if (!ret->v)
		return err_set(err, -ENOMEM, "LISTEN_FDS");
	for (unsigned int i = 0; i < l->n; i++) {
		const char *name = cmd_stored_rest(l->names[i], HOLD_FD_DEVICE);
		bool shared = cmd_stored_behind(l->names[i], CMD_STORED_SHARED);
		struct device *dev;

		if (!name)
			continue;
		dev = cmd_stored_adopt(l, name, shared ? DEVICE_SHARED : DEVICE_SOLE, host,
				       options);
		if (dev)
			ret->v[ret->n++] = dev;
	}
	cmd_stored_close_inherited(l);
	return 0;
}

struct device *cmd_stored_claim(struct cmd_stored *s, const struct device *dev)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct device *found = s->v[i];

		if (strcmp(device_name(found), device_name(dev)) != 0 && !device_same(found, dev))
			continue;
		s->v[i] = s->v[--s->n];
		return found;
	}
	return NULL;
}

struct device *cmd_stored_next(struct cmd_stored *s)
{
	return s->n ? s->v[--s->n] : NULL;
}

void cmd_stored_done(struct cmd_stored *s)
{
	while (s->n)
		device_free(s->v[--s->n]);
	free(s->v);
	*s = (struct cmd_stored){ 0 };
}

void cmd_stored_put(const struct device *dev)
{
	const struct acquired *acq = device_fds(dev);
	const struct hold_fds fds = acq ? hold_fds_of(acq) : HOLD_FDS_NONE;
	char name[FD_NAME_BUF], reason[ERR_REASON_MAX];
	struct err err = { 0 };

	for (int kind = 0; kind < HOLD_NR_FDS; kind++) {
		const char *word = kind == HOLD_FD_DEVICE && cmd_stored_is_shared(dev)
					   ? CMD_STORED_SHARED
					   : hold_fd_name(kind);

		if (fds.v[kind] < 0)
			continue;
		cmd_stored_name(word, device_name(dev), name);
		if (sd_notify_store(name, &fds.v[kind], 1, &err) >= 0)
			continue;
		log_warn("%s: will not outlive this process: %s%s", device_name(dev), err.text,
			 err_reason(&err, reason));
		return;
	}
}

/* Return: false, and it was said, where the manager does not hear it. */
static bool cmd_stored_drop_one(const char *word, const char *name)
{
	char reason[ERR_REASON_MAX], text[FD_NAME_BUF];
	struct err err = { 0 };

	if (sd_notify_unstore(cmd_stored_name(word, name, text), &err) >= 0)
		return true;
	log_warn("%s: the service manager keeps it open: %s%s", name, err.text,
		 err_reason(&err, reason));
	return false;
}

void cmd_stored_drop(const char *name)
{
	if (!cmd_stored_drop_one(CMD_STORED_SHARED, name))
		return;
	for (int kind = 0; kind < HOLD_NR_FDS; kind++)
		if (!cmd_stored_drop_one(hold_fd_name(kind), name))
			return;
}
