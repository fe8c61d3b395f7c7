// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "device/dma-log.h"
#include "device/vfio-user.h"
#include "device/vfu-client.h"
#include "device/vfu-stream.h"
#include "fsm/fsm.h"

#define INDEX_MAX 32u
#define REGION_READ_MAX 4096
#define CONFIG_SIZE 256u /* of a config space whose region info is refused */

/**
 * struct vfio_user - a device in another process
 * @cancel: until vfio_user_query(): ends what is asked before anything is done to the device
 * @reconnected: the first conversation broke down, this is the second and last
 */
struct vfio_user {
	struct mig_dev dev;
	struct vfu_client client;
	struct cancel *cancel;
	bool only_asks;
	char *path;
	bool reconnected;
	struct dev_info info;
	struct dev_region regions[INDEX_MAX];
	struct dev_irq irqs[INDEX_MAX];
};

static struct vfio_user *vfio_user(struct mig_dev *dev)
{
	return container_of(dev, struct vfio_user, dev);
}

struct vfu_client *vfio_user_client(struct mig_dev *dev)
{
	return &vfio_user(dev)->client;
}

/*
 * Migration
 */

/* @data: sent with SET, filled by GET. */
static int vfio_user_feature(struct vfio_user *u, uint32_t flags, struct cancel *cancel, void *data,
			     size_t size, struct err *err)
{
	const struct vfu_feature head = {
		.argsz = (uint32_t)(sizeof(head) + size),
		.flags = flags,
	};
	struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };
	uint8_t reply[sizeof(head) + 64];
	size_t len;
	int r;

	if (flags & UAPI_FEATURE_SET) {
		parts.data = data;
		parts.data_len = size;
	}
	r = vfu_client_call(&u->client, VFU_FEATURE, &parts, cancel, reply, sizeof(reply), &len,
			    err);
	if (r < 0 || !(flags & UAPI_FEATURE_GET))
		return r;
	r = vfu_feature_data(reply, len, flags, data, size, err);
	return r < 0 ? err_classify(err, ERR_PEER, r) : 0;
}

/* Whether the server has a feature. Return: enum vfu_answer; negative errno. */
static int vfio_user_ask_feature(struct vfio_user *u, uint32_t flags, struct vfu_header *reply,
				 struct err *err)
{
	const struct vfu_feature head = {
		.argsz = (uint32_t)sizeof(head),
		.flags = UAPI_FEATURE_PROBE | flags,
	};
	const struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };
	uint8_t room[sizeof(head) + 64];
	size_t len;
	int r;

	r = vfu_client_exchange(&u->client, VFU_FEATURE, &parts, u->cancel, reply, room,
				sizeof(room), &len, err);
	return r < 0 ? r : (int)vfu_probe_answer(reply);
}

static bool vfio_user_probe(struct mig_dev *dev, unsigned int index)
{
	struct vfu_header reply;

	return vfio_user_ask_feature(vfio_user(dev), index, &reply, NULL) == VFU_YES;
}

/* @code: the errno that the server gave, or 0 */
static int vfio_user_no_migration(const struct vfio_user *u, int code, struct err *err)
{
	if (!code)
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: the server offers no migration", u->dev.name);
	return err_fail(err, ERR_UNSUPPORTED, code, "%s: the server offers no migration",
			u->dev.name);
}

/* Asked before it is used: what a server does with a feature that it does not know is its own. */
static int vfio_user_probe_migration(struct vfio_user *u, struct err *err)
{
	static const uint32_t needed[] = {
		UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION,
		UAPI_FEATURE_GET | UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		struct vfu_header reply;
		int r = vfio_user_ask_feature(u, needed[i], &reply, err);

		if (r < 0)
			return err_prefix(err, r, "%s", u->dev.name);
		if (r == VFU_NO)
			return vfio_user_no_migration(u, reply.error ? vfu_reply_code(&reply) : 0,
						      err);
		if (r == VFU_FAILED)
			return err_set(err, vfu_reply_code(&reply), "%s: DEVICE_FEATURE",
				       u->dev.name);
	}
	return 0;
}

static int vfio_user_fetch_caps(struct vfio_user *u, struct err *err)
{
	struct vfu_migration m;
	int r;

	r = vfio_user_probe_migration(u, err);
	if (r < 0)
		return r;
	r = vfio_user_feature(u, UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION, u->cancel, &m,
			      sizeof(m), err);
	/* Some grant any PROBE. */
	if (r == -EINVAL || r == -ENOTTY || r == -EOPNOTSUPP)
		return vfio_user_no_migration(u, r, err);
	if (r < 0)
		return err_prefix(err, r, "%s", u->dev.name);
	u->dev.caps = (unsigned int)m.flags;
	return 0;
}

static int vfio_user_query(struct mig_dev *dev, struct err *err)
{
	struct vfio_user *u = vfio_user(dev);
	int r;

	dev->can_reset = u->info.flags & VFIO_DEVICE_FLAGS_RESET;
	r = vfio_user_fetch_caps(u, err);
	/* An arc and a recovery are not ended half-way. */
	if (!u->only_asks)
		u->cancel = NULL;
	return r;
}

/*
 * Silence, noise or a signal within a message ends a conversation, but not the device: it keeps its
 * state, and on a new connection it can be brought back. Once; and not when the server went away by
 * itself: what then answers at its place may be another one.
 */
static int vfio_user_reconnect(struct vfio_user *u, struct err *err)
{
	int broken = u->client.broken, timeout_ms = u->client.channel.timeout_ms;
	int r;

	if (u->reconnected || (broken != -ETIMEDOUT && broken != -EPROTO && broken != -ECANCELED))
		return 0;
	log_debug("%s: connecting again", u->dev.name);
	u->reconnected = true;
	vfu_client_close(&u->client);
	r = vfu_client_open(&u->client, u->path, timeout_ms, NULL, err);
	if (r < 0)
		u->client.broken = r;
	return r;
}

static int vfio_user_get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	struct vfu_mig_state m = { .data_fd = -1 };
	int r;

	r = vfio_user_reconnect(vfio_user(dev), err);
	if (r < 0)
		return r;
	r = vfio_user_feature(vfio_user(dev), UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DEVICE_STATE,
			      vfio_user(dev)->cancel, &m, sizeof(m), err);
	if (r < 0)
		return r;
	*ret = (enum mig_state)m.state;
	return 0;
}

static int vfio_user_set_state(struct mig_dev *dev, enum mig_state to,
			       struct mig_stream **ret_stream, struct err *err)
{
	struct vfu_mig_state m = { .state = to, .data_fd = -1 };
	int r;

	if (dev->stream && !mig_opens_session(dev->state, to) && fsm_saving(to)) {
		r = vfu_stream_quiesce(dev->stream, err);
		if (r < 0)
			return r;
	}
	r = vfio_user_feature(vfio_user(dev), UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
			      NULL, &m, sizeof(m), err);
	if (r < 0 || dev->stream || !mig_opens_session(dev->state, to))
		return r;
	return vfu_stream_new(dev, &vfio_user(dev)->client, ret_stream, err);
}

static int vfio_user_reset(struct mig_dev *dev, struct err *err)
{
	size_t len;
	int r;

	r = vfu_client_call(&vfio_user(dev)->client, VFU_RESET, NULL, NULL, NULL, 0, &len, err);
	/* libvfio-user's way; not to be made to run for it by itself. */
	if (r == -EINVAL && dev->state_known &&
	    (dev->state == MIG_STOP || dev->state == MIG_STOP_COPY))
		err_hint(err, r, "it may refuse that while stopped: vfiomigctl state %s running",
			 dev->name);
	return r;
}

/* Since 2026-05 libvfio-user drops what was loaded on a reset, and leaves the state as it is. */
static int vfio_user_open_load(struct mig_dev *dev, struct mig_stream **ret, struct err *err)
{
	return vfu_stream_new(dev, &vfio_user(dev)->client, ret, err);
}

static int vfio_user_watch_fd(const struct mig_dev *dev)
{
	return container_of(dev, const struct vfio_user, dev)->client.channel.fd;
}

static int vfio_user_attend(struct mig_dev *dev, struct err *err)
{
	int r = vfu_client_attend(&vfio_user(dev)->client, err);

	return r < 0 ? err_prefix(err, r, "%s", dev->name) : 0;
}

static void vfio_user_close(struct mig_dev *dev)
{
	struct vfio_user *u = vfio_user(dev);

	vfu_client_close(&u->client);
	free(u->path);
	free(u);
}

static const struct mig_ops vfio_user_ops = {
	.name = "vfio-user",
	.next = fsm_next,
	.query = vfio_user_query,
	.get_state = vfio_user_get_state,
	.set_state = vfio_user_set_state,
	.reset = vfio_user_reset,
	.open_load = vfio_user_open_load,
	.probe = vfio_user_probe,
	.watch_fd = vfio_user_watch_fd,
	.attend = vfio_user_attend,
	.close = vfio_user_close,
};

/*
 * The device beside its migration: from what was asked when it was opened
 */

static int vfio_user_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	(void)err;
	*ret = vfio_user(dev)->info;
	return 0;
}

static int vfio_user_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret,
			    struct err *err)
{
	if (index >= INDEX_MAX)
		return err_set(err, -EINVAL, "%s: no region %u", dev->name, index);
	*ret = vfio_user(dev)->regions[index];
	return 0;
}

static int vfio_user_irq(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err)
{
	if (index >= INDEX_MAX)
		return err_set(err, -EINVAL, "%s: no IRQ %u", dev->name, index);
	*ret = vfio_user(dev)->irqs[index];
	return 0;
}

static int vfio_user_check_access(struct mig_dev *dev, const struct vfu_region_access *asked,
				  const uint8_t *reply, size_t len, bool data, struct err *err)
{
	struct vfu_region_access got = { 0 };
	int r;

	memcpy(&got, reply, MIN(len, sizeof(got)));
	r = vfu_region_check(asked, &got, len, data, err);
	if (r < 0)
		err_classify(err, ERR_PEER, err_prefix(err, r, "%s", dev->name));
	return r;
}

static ssize_t vfio_user_read(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			      void *buf, size_t len, struct err *err)
{
	struct vfio_user *u = vfio_user(dev);
	struct vfu_region_access access = {
		.offset = at,
		.region = region->index,
	};
	const struct vfu_parts parts = { .head = &access, .head_len = sizeof(access) };
	uint8_t reply[sizeof(access) + REGION_READ_MAX];
	size_t n;
	int r;

	len = MIN(len, (size_t)REGION_READ_MAX);
	len = MIN(len, u->client.agreed.max_data_xfer_size);
	access.count = (uint32_t)len;
	r = vfu_client_call(&u->client, VFU_REGION_READ, &parts, u->cancel, reply, sizeof(reply),
			    &n, err);
	if (r < 0)
		return err_prefix(err, r, "%s: region %u", dev->name, access.region);
	r = vfio_user_check_access(dev, &access, reply, n, true, err);
	if (r < 0)
		return r;
	memcpy(buf, reply + sizeof(access), len);
	return (ssize_t)len;
}

static int vfio_user_write(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			   const void *buf, size_t len, struct err *err)
{
	struct vfu_region_access access = {
		.offset = at,
		.region = region->index,
		.count = (uint32_t)len,
	};
	const struct vfu_parts parts = {
		.head = &access,
		.head_len = sizeof(access),
		.data = buf,
		.data_len = len,
	};
	uint8_t reply[sizeof(access)];
	size_t n;
	int r;

	r = vfu_client_call(&vfio_user(dev)->client, VFU_REGION_WRITE, &parts, NULL, reply,
			    sizeof(reply), &n, err);
	if (r < 0)
		return err_prefix(err, r, "%s: region %u", dev->name, access.region);
	return vfio_user_check_access(dev, &access, reply, n, false, err);
}

static const struct dev_ops vfio_user_dev_ops = {
	.info = vfio_user_info,
	.region = vfio_user_region,
	.irq = vfio_user_irq,
	.read = vfio_user_read,
	.write = vfio_user_write,
};

/*
 * What is asked when the device is opened. A server may refuse to tell of one index: VGA, the
 * interrupt for errors. Return: 0; VFIO_USER_REFUSED; negative errno.
 */
#define VFIO_USER_REFUSED 1

static int vfio_user_fetch(struct vfio_user *u, enum vfu_command command,
			   const struct vfu_parts *parts, void *reply, size_t size, size_t least,
			   struct err *err)
{
	struct vfu_header h;
	size_t len;
	int r;

	r = vfu_client_exchange(&u->client, command, parts, u->cancel, &h, reply, size, &len, err);
	if (r < 0)
		return r;
	r = vfu_reply_code(&h);
	if (r < 0) {
		err_set(err, r, "%s", vfu_command_name(command));
		return VFIO_USER_REFUSED;
	}
	if (len < least)
		return err_fail(err, ERR_PEER, -EPROTO, "%s: %zu bytes", vfu_command_name(command),
				len);
	return 0;
}

static int vfio_user_fetch_info(struct vfio_user *u, struct err *err)
{
	struct vfu_device_info info = { .argsz = sizeof(info) };
	const struct vfu_parts parts = { .head = &info, .head_len = sizeof(info) };
	int r;

	r = vfio_user_fetch(u, VFU_GET_INFO, &parts, &info, sizeof(info), sizeof(info), err);
	if (r)
		return r;
	u->info = (struct dev_info){
		.flags = info.flags,
		.n_regions = MIN(info.n_regions, INDEX_MAX),
		.n_irqs = MIN(info.n_irqs, INDEX_MAX),
	};
	return 0;
}

/* Room for capabilities, which say nothing that is used here. */
union region_reply {
	struct vfu_region_info info;
	uint8_t room[4096];
};

static int vfio_user_fetch_region(struct vfio_user *u, uint32_t index, struct err *err)
{
	struct vfu_region_info ask = { .argsz = sizeof(union region_reply), .index = index };
	const struct vfu_parts parts = { .head = &ask, .head_len = sizeof(ask) };
	union region_reply reply;
	int r;

	u->regions[index] = (struct dev_region){ .index = index };
	r = vfio_user_fetch(u, VFU_GET_REGION_INFO, &parts, &reply, sizeof(reply),
			    sizeof(reply.info), err);
	if (r == VFIO_USER_REFUSED)
		log_info("%s: tells nothing of region %u: %s", u->dev.name, index,
			 err_name(err->code));
	if (r)
		return MIN(r, 0);
	u->regions[index].flags = reply.info.flags;
	u->regions[index].size = reply.info.size;
	u->regions[index].offset = reply.info.offset;
	return 0;
}

static int vfio_user_fetch_irq(struct vfio_user *u, uint32_t index, struct err *err)
{
	struct vfu_irq_info info = { .argsz = sizeof(info), .index = index };
	const struct vfu_parts parts = { .head = &info, .head_len = sizeof(info) };
	int r;

	r = vfio_user_fetch(u, VFU_GET_IRQ_INFO, &parts, &info, sizeof(info), sizeof(info), err);
	if (r == VFIO_USER_REFUSED)
		log_info("%s: tells nothing of IRQ %u: %s", u->dev.name, index,
			 err_name(err->code));
	if (r)
		return MIN(r, 0);
	u->irqs[index] = (struct dev_irq){ .flags = info.flags, .count = info.count };
	return 0;
}

/*
 * What a PCI function surely has, for a server that says nothing about a stopped device: its
 * configuration space can be read all the same.
 */
static void vfio_user_assume_pci(struct vfio_user *u)
{
	log_debug("%s: tells nothing of itself while it is stopped", u->dev.name);
	u->info = (struct dev_info){
		.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.n_regions = VFIO_PCI_CONFIG_REGION_INDEX + 1,
	};
	u->regions[VFIO_PCI_CONFIG_REGION_INDEX] = (struct dev_region){
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
		.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		.size = CONFIG_SIZE,
	};
}

static int vfio_user_fetch_indices(struct vfio_user *u, struct err *err)
{
	for (uint32_t i = 0; i < u->info.n_regions; i++) {
		int r = vfio_user_fetch_region(u, i, err);

		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < u->info.n_irqs; i++) {
		int r = vfio_user_fetch_irq(u, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Now, since in STOP and STOP_COPY libvfio-user answers none of this. */
static int vfio_user_fetch_all(struct vfio_user *u, struct err *err)
{
	struct err why = { 0 };
	int r;

	r = vfio_user_fetch_info(u, &why);
	if (r == VFIO_USER_REFUSED && why.code == -EINVAL) {
		vfio_user_assume_pci(u);
		return 0;
	}
	if (r) {
		*err = why;
		return why.code;
	}
	r = vfio_user_fetch_indices(u, &why);
	if (r < 0)
		*err = why;
	return r;
}

int vfio_user_check(const char *path, const char *name, struct err *err)
{
	int r = unix_check(path, name, err);

	if (r == -ENAMETOOLONG) {
		err_classify(err, ERR_USAGE, r);
		return err_hint(err, r,
				"a socket's name has at most 107 bytes: use a relative one");
	}
	return r == -ENOENT || r == -ENOTSOCK ? err_classify(err, ERR_MISSING, r) : r;
}

static int vfio_user_connect(struct vfio_user *u, const char *path, const char *name,
			     int timeout_ms, struct err *err)
{
	int r;

	u->dev.name = strdup(name);
	u->path = strdup(path);
	if (!u->dev.name || !u->path)
		return err_set(err, -ENOMEM, "%s", name);
	r = vfu_client_open(&u->client, path, timeout_ms, u->cancel, err);
	if (r < 0)
		return err_prefix(err, r, "%s", name);
	r = vfio_user_fetch_all(u, err);
	return r < 0 ? err_prefix(err, r, "%s", name) : 0;
}

int vfio_user_open(const char *path, const char *name, int timeout_ms, struct cancel *cancel,
		   bool only_asks, struct mig_dev **ret, struct err *err)
{
	struct vfio_user *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_set(err, -ENOMEM, "%s", name);
	u->dev.ops = &vfio_user_ops;
	u->dev.dev_ops = &vfio_user_dev_ops;
	u->dev.log_ops = &vfio_user_dma_log_ops;
	u->client.channel.fd = -1;
	u->cancel = cancel;
	u->only_asks = only_asks;
	r = vfio_user_connect(u, path, name, timeout_ms, err);
	if (r < 0) {
		mig_close(&u->dev);
		return r;
	}
	*ret = &u->dev;
	return 0;
}
