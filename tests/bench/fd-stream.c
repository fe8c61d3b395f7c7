// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * fd-stream save FD FILE, fd-stream load FD FILE
 *
 * The tool's own data path between a descriptor, taken for a device's data fd, and a file in any of
 * its forms: what the engine costs without a device. A save reads FD to its end, a load writes to
 * it. From the environment: with VFIOMIG_RAW there is no image around the stream; VFIOMIG_ZSTD is
 * the level at which a save compresses, VFIOMIG_THREADS the number of its threads.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/acquirer.h"
#include "engine/load.h"
#include "engine/save.h"
#include "fsm/fsm.h"

/* A device whose only state is its descriptor. */
static enum mig_state state = MIG_RUNNING;
static int data_fd;

static ssize_t fd_read(struct mig_stream *s, void *buf, size_t len)
{
	ssize_t n = read(data_fd, buf, len);

	(void)s;
	return n < 0 ? -errno : n;
}

static ssize_t fd_write(struct mig_stream *s, const void *buf, size_t len)
{
	ssize_t n = write(data_fd, buf, len);

	(void)s;
	return n < 0 ? -errno : n;
}

static void fd_close(struct mig_stream *s)
{
	(void)s;
}

static const struct mig_stream_ops stream_ops = {
	.read = fd_read,
	.write = fd_write,
	.close = fd_close,
};

static int query(struct mig_dev *dev, struct err *err)
{
	(void)err;
	dev->caps = MIG_CAP_STOP_COPY;
	return 0;
}

static int get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	(void)dev;
	(void)err;
	*ret = state;
	return 0;
}

static int set_state(struct mig_dev *dev, enum mig_state to, struct mig_stream **ret,
		     struct err *err)
{
	static struct mig_stream stream = { .ops = &stream_ops };

	(void)err;
	if (mig_opens_session(dev->state, to))
		*ret = &stream;
	state = to;
	return 0;
}

static int no_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	(void)dev;
	(void)err;
	memset(ret, 0, sizeof(*ret));
	return 0;
}

static void no_close(struct mig_dev *dev)
{
	(void)dev;
}

static const struct mig_ops mig_ops = {
	.name = "fd",
	.next = fsm_next,
	.query = query,
	.get_state = get_state,
	.set_state = set_state,
	.close = no_close,
};

static const struct dev_ops dev_ops = { .info = no_info };

/* A number from the environment, 0 if it is not there. */
static int setting(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

static int save(struct device *dev, const char *file, struct err *err)
{
	struct cancel cancel;
	struct save_result result;
	struct save_options o = {
		.source.devs = &dev,
		.source.n = 1,
		.source.raw = getenv("VFIOMIG_RAW"),
		.force = true,
		.source.zstd_level = setting("VFIOMIG_ZSTD"),
		.source.threads = (unsigned int)setting("VFIOMIG_THREADS"),
	};
	int r;

	r = uri_parse(file, URI_PLAIN, &o.uri, err);
	if (r < 0)
		return r;
	r = cancel_init(&cancel, err);
	if (r < 0)
		return r;
	r = save_run(&o, &cancel, &result, err);
	save_result_done(&result);
	return r;
}

static int load(struct device *dev, const char *file, struct err *err)
{
	struct cancel cancel;
	struct load_result result;
	struct load_options o = {
		.devs = &dev,
		.n = 1,
		.map = { .n = 1 },
		.raw = getenv("VFIOMIG_RAW"),
	};
	int r;

	r = uri_parse(file, URI_PLAIN, &o.uri, err);
	if (r < 0)
		return r;
	r = cancel_init(&cancel, err);
	if (r < 0)
		return r;
	r = load_run(&o, &cancel, &result, err);
	load_result_done(&result);
	return r;
}

int main(int argc, char **argv)
{
	struct mig_dev mig = {
		.ops = &mig_ops,
		.dev_ops = &dev_ops,
		.caps = MIG_CAP_STOP_COPY,
	};
	struct device dev = { .mig = &mig, .how = &acquirer_node, .lock = -1 };
	struct err err = { 0 };
	int r;

	if (argc != 4 || (strcmp(argv[1], "save") != 0 && strcmp(argv[1], "load") != 0)) {
		fprintf(stderr, "usage: fd-stream save|load FD FILE\n");
		return EXIT_FAILURE;
	}
	data_fd = atoi(argv[2]);
	mig.name = dev.spec = argv[2];
	r = !strcmp(argv[1], "save") ? save(&dev, argv[3], &err) : load(&dev, argv[3], &err);
	if (r < 0)
		fprintf(stderr, "fd-stream: %s: %s\n", err.text, strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
