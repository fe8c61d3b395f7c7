// SPDX-License-Identifier: GPL-2.0-or-later
#include <paths.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/console.h"
#include "base/listen-fds.h"
#include "base/macros.h"
#include "base/trace.h"
#include "device/hold-client.h"
#include "fsm/fsm.h"
#include "cmd/consumer.h"

/* Of each kind of descriptor: its variable, to which "_0" and so on are added. */
static const char *const cmd_consumer_variables[HOLD_NR_FDS] = {
	[HOLD_FD_DEVICE] = "VFIOMIG_FD",
	[HOLD_FD_IOMMUFD] = "VFIOMIG_IOMMUFD",
	[HOLD_FD_GROUP] = "VFIOMIG_GROUP_FD",
	[HOLD_FD_CONTAINER] = "VFIOMIG_CONTAINER_FD",
};

/* What is going to be inherited, in this order. */
struct cmd_consumer_fds {
	int fds[LISTEN_FDS_MAX];
	const char *names[LISTEN_FDS_MAX];
	unsigned int n;
};

/* Return: 0, -errno as access() says of what may be executed. */
static int cmd_consumer_look(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return eaccess(path, X_OK) < 0 ? -errno : 0;
}

/* As execvp() is going to look: a file that may not be executed is passed over, and remembered. */
static int cmd_consumer_look_along(const char *command)
{
	const char *path = getenv("PATH");
	const char *at = path ? path : _PATH_DEFPATH;
	int worst = -ENOENT;

	while (at) {
		size_t len = strcspn(at, ":");
		char *file;
		int r;

		if (asprintf(&file, "%.*s%s%s", (int)len, at, len ? "/" : "", command) < 0)
			return -ENOMEM;
		r = cmd_consumer_look(file);
		free(file);
		if (r >= 0)
			return 0;
		worst = r == -EACCES ? r : worst;
		at = at[len] ? at + len + 1 : NULL;
	}
	return worst;
}

int cmd_consumer_check(const char *command, struct err *err)
{
	int r = strchr(command, '/') ? cmd_consumer_look(command)
				     : cmd_consumer_look_along(command);

	if (r >= 0)
		return 0;
	return err_fail(err, err_denied(r, ERR_MISSING), r, "%s: cannot be executed", command);
}

static int cmd_consumer_set(const char *name, unsigned int i, const char *value)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_%u", name, i);
	if (!value)
		return unsetenv(key) < 0 ? -errno : 0;
	return setenv(key, value, 1) < 0 ? -errno : 0;
}

/* One that this device does not have is removed: it may be another's, from before. */
static int cmd_consumer_set_fd(enum hold_fd kind, unsigned int i, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return cmd_consumer_set(cmd_consumer_variables[kind], i, number < 0 ? NULL : text);
}

/* The descriptors of one device, and the variables that tell their numbers. */
static int cmd_consumer_add_fds(struct cmd_consumer_fds *all, const struct device *dev,
				unsigned int i)
{
	const struct acquired *acq = device_fds(dev);
	const struct hold_fds fds = acq ? hold_fds_of(acq) : HOLD_FDS_NONE;

	for (int kind = 0; kind < HOLD_NR_FDS; kind++) {
		bool has = fds.v[kind] >= 0;
		int r;

		if (has && all->n == LISTEN_FDS_MAX)
			return -E2BIG;
		r = cmd_consumer_set_fd(kind, i, has ? LISTEN_FDS_START + (int)all->n : -1);
		if (r < 0)
			return r;
		if (!has)
			continue;
		all->fds[all->n] = fds.v[kind];
		all->names[all->n++] = hold_fd_name(kind);
	}
	return 0;
}

static int cmd_consumer_add(struct cmd_consumer_fds *all, const struct device *dev, unsigned int i)
{
	int r;

	r = cmd_consumer_set("VFIOMIG_DEVICE", i, device_name(dev));
	if (r < 0)
		return r;
	r = cmd_consumer_set("VFIOMIG_STATE", i, fsm_name(dev->mig->state));
	return r < 0 ? r : cmd_consumer_add_fds(all, dev, i);
}

/* As the user called them, one a line: the same as the scripts of --action-script get. */
static int cmd_consumer_tell_names(const struct cmd_devices *d)
{
	_cleanup_free_ char *names = NULL;
	_cleanup_file_ FILE *f = NULL;
	size_t size;

	f = open_memstream(&names, &size);
	if (!f)
		return -ENOMEM;
	for (unsigned int i = 0; i < d->n; i++)
		fprintf(f, "%s%s", i ? "\n" : "", d->v[i]->spec);
	if (fflush(f) == EOF)
		return -ENOMEM;
	return setenv("VFIOMIG_DEVICES", names, 1) < 0 ? -errno : 0;
}

static int cmd_consumer_tell(struct cmd_consumer_fds *all, const struct cmd_devices *d,
			     const char *image_id)
{
	char number[16];
	int r;

	snprintf(number, sizeof(number), "%u", d->n);
	if (setenv("VFIOMIG_DEVICE_COUNT", number, 1) < 0)
		return -errno;
	r = cmd_consumer_tell_names(d);
	if (r < 0)
		return r;
	r = image_id ? setenv("VFIOMIG_IMAGE_ID", image_id, 1) : unsetenv("VFIOMIG_IMAGE_ID");
	if (r < 0)
		return -errno;
	for (unsigned int i = 0; i < d->n; i++) {
		r = cmd_consumer_add(all, d->v[i], i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What has handlers gets the default by execve(), what nohup ignores stays so. */
static void cmd_consumer_signals(int sigpipe_is, sigset_t *before)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, sigpipe_is ? SIG_IGN : SIG_DFL);
	pthread_sigmask(SIG_SETMASK, before ? before : &none, NULL);
}

/* How long a reader of what was said so far is waited for. */
#define SAY_WAIT_MS 5000

static void cmd_consumer_finish(struct invocation *inv)
{
	if (cmd_status(inv))
		lines_finish(&inv->status, SAY_WAIT_MS);
	lines_finish(console_lines(), SAY_WAIT_MS);
	trace_finish(SAY_WAIT_MS);
}

static int cmd_consumer_become(struct invocation *inv, char **argv, struct err *err)
{
	const struct err none = { 0 };
	sigset_t before;
	int r;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	inv->show(inv, 0, &none);
	cmd_consumer_finish(inv);
	cmd_consumer_signals(false, NULL);
	execvp(argv[0], argv);
	r = -errno;
	cmd_consumer_signals(true, &before);
	return err_set(err, r, "%s: cannot be executed", argv[0]);
}

int cmd_consumer_exec(struct invocation *inv, char **argv, const struct cmd_devices *d,
		      const char *image_id, struct err *err)
{
	static struct cmd_consumer_fds all;
	static struct listen_fds_given given;
	int r;

	r = cmd_consumer_tell(&all, d, image_id);
	if (r < 0)
		return err_set(err, r, "what %s is told", argv[0]);
	r = listen_fds_give(all.fds, all.names, all.n, &given, err);
	if (r < 0)
		return r;
	r = cmd_consumer_become(inv, argv, err);
	listen_fds_take_back(&given);
	return r;
}
