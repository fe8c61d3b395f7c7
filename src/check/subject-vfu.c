// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "check/subject-parts.h"
#include "device/vfu-client.h"

/**
 * struct subject_conn - a connection, for a subject and its forks: one exchange at a time
 * @lost: it was given up for another one, or a reply has not come, or was none: a server that is
 *        stuck may answer on another one
 */
struct subject_conn {
	pthread_mutex_t lock;
	struct vfu_client client;
	bool lost;
};

/* Return: what the reply says; -EREMOTEIO where there is none. */
static int subject_vfu_exchange(struct subject_dev *d, enum vfu_command command,
				const struct vfu_parts *parts, void *reply, size_t size,
				size_t *ret_len)
{
	struct vfu_header h;
	struct err why = { 0 };
	int r;

	pthread_mutex_lock(&d->conn->lock);
	r = vfu_client_exchange(&d->conn->client, command, parts, d->cancel, &h, reply, size,
				ret_len, &why);
	d->conn->lost |= r < 0;
	pthread_mutex_unlock(&d->conn->lock);
	return r < 0 ? subject_lost(d, NULL, &why) : vfu_reply_code(&h);
}

/* What came back, as much of it as there is room for. */
static int subject_vfu_copy(struct subject_dev *d, uint32_t flags, const uint8_t *reply, size_t got,
			    void *data, size_t len)
{
	struct err why = { 0 };

	if (!(flags & UAPI_FEATURE_GET) || flags & UAPI_FEATURE_PROBE || !len)
		return 0;
	if (vfu_feature_data(reply, got, flags, data, len, &why) < 0)
		return subject_lost(d, "DEVICE_FEATURE", &why);
	return 0;
}

/* A SET has data; of GETs that of DMA_LOGGING_REPORT says what is asked for. */
static size_t subject_vfu_sends(uint32_t flags, size_t len)
{
	if (flags & UAPI_FEATURE_SET)
		return len;
	return (flags & VFU_FEATURE_INDEX_MASK) == UAPI_FEATURE_DMA_LOGGING_REPORT
		       ? MIN(len, sizeof(struct vfu_log_report))
		       : 0;
}

static int subject_vfu_feature(struct subject_dev *d, uint32_t flags, uint32_t argsz, void *data,
			       size_t len)
{
	const struct vfu_feature head = { .argsz = argsz, .flags = flags };
	const struct vfu_parts parts = {
		.head = &head,
		.head_len = sizeof(head),
		.data = data,
		.data_len = subject_vfu_sends(flags, len),
	};
	size_t size = sizeof(head) + MAX(len, (size_t)argsz) + 64, got = 0;
	uint8_t *reply;
	int r;

	size = MIN(size, (size_t)VFU_PAYLOAD_MAX);
	reply = malloc(size);
	if (!reply)
		return -ENOMEM;
	r = subject_vfu_exchange(d, VFU_FEATURE, &parts, reply, size, &got);
	r = r < 0 ? r : subject_vfu_copy(d, flags, reply, got, data, len);
	free(reply);
	return r;
}

/* Servers that answer nothing of it while they are stopped have it all the same. */
static bool subject_vfu_can_reset(struct subject_dev *d)
{
	struct vfu_device_info info = { .argsz = sizeof(info) };
	const struct vfu_parts parts = { .head = &info, .head_len = sizeof(info) };
	size_t got;
	int r = subject_vfu_exchange(d, VFU_GET_INFO, &parts, &info, sizeof(info), &got);

	return r < 0 || got < sizeof(info) || info.flags & VFIO_DEVICE_FLAGS_RESET;
}

static int subject_vfu_query(struct subject_dev *d, struct err *err)
{
	struct vfu_migration m = { 0 };
	int r = subject_vfu_feature(d, UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION,
				    UAPI_FEATURE_HEADER + sizeof(m), &m, sizeof(m));

	if (r == -EREMOTEIO)
		return err_fail(err, ERR_PEER, -EPROTO, "%s: its server does not answer",
				d->s.name);
	if (r < 0)
		return err_fail(err, ERR_UNSUPPORTED, r, "%s: the server offers no migration",
				d->s.name);
	d->s.caps = (unsigned int)m.flags;
	subject_learn(d, subject_vfu_can_reset(d));
	return 0;
}

static void subject_vfu_close(struct subject_dev *d)
{
	if (!d->conn)
		return;
	vfu_client_close(&d->conn->client);
	pthread_mutex_destroy(&d->conn->lock);
	d->conn = mfree(d->conn);
}

static int subject_vfu_connect(struct subject_dev *d, struct err *err)
{
	int r = vfu_client_open(&d->conn->client, device_socket(d->dev), d->opts.acquire.timeout_ms,
				NULL, err);

	return r < 0 ? err_prefix(err, r, "%s", d->s.name) : 0;
}

static int subject_vfu_open(struct subject_dev *d, struct err *err)
{
	int r;

	d->conn = calloc(1, sizeof(*d->conn));
	if (!d->conn)
		return err_set(err, -ENOMEM, "%s", d->s.name);
	pthread_mutex_init(&d->conn->lock, NULL);
	d->conn->client.channel.fd = -1;
	r = subject_vfu_connect(d, err);
	return r < 0 ? r : subject_vfu_query(d, err);
}

void subject_vfu_release(struct subject_dev *d)
{
	pthread_mutex_lock(&d->conn->lock);
	vfu_client_close(&d->conn->client);
	d->conn->client.broken = -ESHUTDOWN;
	d->conn->lost = true;
	pthread_mutex_unlock(&d->conn->lock);
}

static int subject_vfu_revive(struct subject_dev *d, struct err *err)
{
	int r;

	if (!d->conn->lost)
		return 0;
	vfu_client_close(&d->conn->client);
	d->conn->lost = false;
	r = subject_vfu_connect(d, err);
	/* It was there: this is no wrong name. */
	if (r < 0)
		err->kind = ERR_DEVICE;
	return r;
}

static int subject_vfu_reset(struct subject_dev *d)
{
	size_t got;

	return subject_vfu_exchange(d, VFU_RESET, NULL, NULL, 0, &got);
}

static ssize_t subject_vfu_take(struct subject_dev *d, const uint8_t *reply, size_t got, void *buf,
				size_t len)
{
	struct vfu_mig_data head;
	struct err why = { 0 };

	if (vfu_copy_in(&head, sizeof(head), reply, got, &why) < 0 ||
	    vfu_mig_data_check(&head, got, (uint32_t)len, &why) < 0)
		return subject_lost(d, "MIG_DATA_READ", &why);
	memcpy(buf, reply + sizeof(head), head.size);
	return head.size;
}

static ssize_t subject_vfu_read(struct subject_session *x, void *buf, size_t len)
{
	const struct vfu_mig_data head = {
		.argsz = (uint32_t)(sizeof(head) + len),
		.size = (uint32_t)len,
	};
	const struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };
	uint8_t *reply = malloc(sizeof(head) + len);
	size_t got = 0;
	ssize_t n;

	if (!reply)
		return -ENOMEM;
	n = subject_vfu_exchange(x->d, VFU_MIG_DATA_READ, &parts, reply, sizeof(head) + len, &got);
	n = n < 0 ? n : subject_vfu_take(x->d, reply, got, buf, len);
	free(reply);
	return n;
}

static ssize_t subject_vfu_write(struct subject_session *x, const void *buf, size_t len)
{
	const struct vfu_mig_data head = {
		.argsz = (uint32_t)(sizeof(head) + len),
		.size = (uint32_t)len,
	};
	const struct vfu_parts parts = {
		.head = &head,
		.head_len = sizeof(head),
		.data = buf,
		.data_len = len,
	};
	uint8_t reply[sizeof(head)];
	size_t got;
	int r = subject_vfu_exchange(x->d, VFU_MIG_DATA_WRITE, &parts, reply, sizeof(reply), &got);

	return r < 0 ? r : (ssize_t)len;
}

static int subject_vfu_precopy_info(struct subject_session *x, struct mig_precopy_info *ret)
{
	(void)x;
	*ret = (struct mig_precopy_info){ 0 };
	return -EOPNOTSUPP;
}

static ssize_t subject_vfu_watch(struct subject_dev *d, void *buf, size_t len)
{
	const struct vfu_region_access access = {
		.offset = d->watch.offset,
		.region = d->watch.region,
		.count = (uint32_t)len,
	};
	const struct vfu_parts parts = { .head = &access, .head_len = sizeof(access) };
	struct vfu_region_access answer;
	uint8_t reply[sizeof(access) + SUBJECT_WATCH_MAX];
	struct err why = { 0 };
	size_t got = 0;
	int r = subject_vfu_exchange(d, VFU_REGION_READ, &parts, reply, sizeof(reply), &got);

	if (r < 0)
		return r;
	if (vfu_copy_in(&answer, sizeof(answer), reply, got, &why) < 0 ||
	    vfu_region_check(&access, &answer, got, true, &why) < 0)
		return subject_lost(d, "REGION_READ", &why);
	memcpy(buf, reply + sizeof(access), len);
	return (ssize_t)len;
}

size_t subject_block_max(const struct subject *s)
{
	const struct subject_dev *d = subject_dev(s);

	if (s->protocol == SUBJECT_V2)
		return SUBJECT_STATE_MAX;
	return MIN(d->conn->client.agreed.max_data_xfer_size, VFU_XFER_MAX);
}

const struct subject_ops subject_vfu_ops = {
	.open = subject_vfu_open,
	.close = subject_vfu_close,
	.feature = subject_vfu_feature,
	.reset = subject_vfu_reset,
	.read = subject_vfu_read,
	.write = subject_vfu_write,
	.precopy_info = subject_vfu_precopy_info,
	.watch = subject_vfu_watch,
	.revive = subject_vfu_revive,
};
