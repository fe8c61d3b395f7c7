// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "check/check.h"
#include "check/record.h"
#include "check/subject-parts.h"
#include "fsm/fsm.h"

struct subject_dev *subject_dev(const struct subject *s)
{
	return container_of((struct subject *)s, struct subject_dev, s);
}

void subject_log(const struct subject_dev *d, const char *fmt, ...)
{
	char text[CHECK_LINE_MAX];
	va_list ap;

	if (!d->s.check)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_record_add(d->s.check->record, "%s", text);
}

int subject_lost(struct subject_dev *d, const char *what, const struct err *why)
{
	char reason[ERR_REASON_MAX];

	snprintf(d->lost, sizeof(d->lost), "%s%s%.120s%.80s", what ? what : "", what ? ": " : "",
		 why->text, err_reason(why, reason));
	if (d->s.check)
		check_broken(d->s.check, "%s", d->lost);
	return -EREMOTEIO;
}

char *subject_result_text(ssize_t result, char buf[SUBJECT_RESULT_MAX])
{
	if (result < 0)
		snprintf(buf, SUBJECT_RESULT_MAX, "%s", err_name((int)result));
	else
		snprintf(buf, SUBJECT_RESULT_MAX, "%zd", result);
	return buf;
}

const char *subject_state_name(uint32_t state)
{
	static _Thread_local char names[4][24];
	static _Thread_local unsigned int next;
	char *name;

	if (state < MIG_NR_STATES)
		return fsm_name((enum mig_state)state);
	name = names[next++ % ARRAY_SIZE(names)];
	snprintf(name, sizeof(names[0]), "state %u", state);
	return name;
}

static bool subject_probe(struct subject_dev *d, uint32_t flags)
{
	return d->ops->feature(d, UAPI_FEATURE_PROBE | flags, UAPI_FEATURE_HEADER, NULL, 0) >= 0;
}

void subject_learn(struct subject_dev *d, bool can_reset)
{
	static const uint32_t data_size = UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DATA_SIZE,
			      precopy_v2 = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2,
			      dma_log = UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_START;
	unsigned int caps = d->s.caps, needs = 0;

	needs |= d->s.protocol == SUBJECT_V2 ? CHECK_NEEDS_KERNEL : CHECK_NEEDS_VFU;
	needs |= caps & MIG_CAP_P2P ? CHECK_NEEDS_P2P : CHECK_NEEDS_NO_P2P;
	needs |= caps & MIG_CAP_PRE_COPY ? CHECK_NEEDS_PRE_COPY : CHECK_NEEDS_NO_PRE_COPY;
	needs |= subject_probe(d, data_size) ? CHECK_NEEDS_DATA_SIZE : 0;
	needs |= subject_probe(d, precopy_v2) ? CHECK_NEEDS_PRECOPY_V2 : 0;
	needs |= subject_probe(d, dma_log) ? CHECK_NEEDS_DMA_LOG : 0;
	needs |= can_reset ? CHECK_NEEDS_RESET : 0;
	needs |= d->watch.len ? CHECK_NEEDS_WATCH : 0;
	if (device_ownership(d->dev) == DEVICE_SOLE || device_is_served(d->dev))
		needs |= CHECK_NEEDS_REOPEN;
	d->s.needs = needs;
}

/* What it learns by opening is of this opening alone. */
static int subject_open_again(struct subject_dev *d, struct err *err)
{
	d->loaded = d->opted_in = false;
	return d->ops->open(d, err);
}

int subject_open(struct device *dev, const struct device_options *opts, struct subject **ret,
		 struct err *err)
{
	struct subject_dev *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_set(err, -ENOMEM, "%s", device_name(dev));
	d->dev = dev;
	d->opts = *opts;
	d->ops = device_is_served(dev) ? &subject_vfu_ops : &subject_v2_ops;
	d->s.protocol = device_is_served(dev) ? SUBJECT_VFU : SUBJECT_V2;
	d->s.name = device_name(dev);
	d->s.fd = -1;
	LIST_INIT(&d->sessions);
	r = subject_open_again(d, err);
	if (r < 0) {
		subject_close(&d->s);
		return r;
	}
	d->s.name = device_name(dev);
	*ret = &d->s;
	return 0;
}

static void subject_close_sessions(struct subject_dev *d)
{
	while (!LIST_EMPTY(&d->sessions))
		subject_session_close(LIST_FIRST(&d->sessions));
}

struct subject *subject_close(struct subject *s)
{
	struct subject_dev *d;

	if (!s)
		return NULL;
	d = subject_dev(s);
	subject_close_sessions(d);
	if (!d->forked)
		d->ops->close(d);
	free(d);
	return NULL;
}

void subject_set_watch(struct subject *s, const struct subject_watch *watch)
{
	subject_dev(s)->watch = *watch;
	if (watch->len)
		s->needs |= CHECK_NEEDS_WATCH;
}

void subject_begin(struct subject *s, struct check *check, struct cancel *cancel)
{
	s->check = check;
	subject_dev(s)->cancel = cancel;
}

int subject_reopen(struct subject *s, struct err *err)
{
	struct subject_dev *d = subject_dev(s);
	int r;

	subject_close_sessions(d);
	d->ops->close(d);
	r = subject_open_again(d, err);
	subject_log(d, "close, open: %s", r < 0 ? err_name(r) : "0");
	return r;
}

int subject_fork(struct subject *s, struct subject **ret)
{
	struct subject_dev *d = malloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = *subject_dev(s);
	d->forked = true;
	d->s.check = NULL;
	LIST_INIT(&d->sessions);
	*ret = &d->s;
	return 0;
}

/*
 * Questions
 */

static const char *subject_feature_name(uint32_t index, char buf[24])
{
	static const char *const names[] = {
		[UAPI_FEATURE_MIGRATION] = "MIGRATION",
		[UAPI_FEATURE_MIG_DEVICE_STATE] = "MIG_DEVICE_STATE",
		[UAPI_FEATURE_DMA_LOGGING_START] = "DMA_LOGGING_START",
		[UAPI_FEATURE_DMA_LOGGING_STOP] = "DMA_LOGGING_STOP",
		[UAPI_FEATURE_DMA_LOGGING_REPORT] = "DMA_LOGGING_REPORT",
		[UAPI_FEATURE_MIG_DATA_SIZE] = "MIG_DATA_SIZE",
		[UAPI_FEATURE_MIG_PRECOPY_INFO_V2] = "MIG_PRECOPY_INFOv2",
	};

	if (index < ARRAY_SIZE(names) && names[index])
		return names[index];
	snprintf(buf, 24, "feature %u", index);
	return buf;
}

/* "GET", "PROBE SET", "no operation", and bits that are reserved. */
static void subject_log_feature(const struct subject_dev *d, uint32_t flags, uint32_t argsz,
				int result)
{
	const uint32_t known = UAPI_FEATURE_GET | UAPI_FEATURE_SET | UAPI_FEATURE_PROBE | 0xffffu;
	char name[24], rest[24] = "", text[SUBJECT_RESULT_MAX];

	if (flags & ~known)
		snprintf(rest, sizeof(rest), "+%#x ", flags & ~known);
	subject_log(d, "%s%s%s%s%s, argsz %u: %s", flags & UAPI_FEATURE_PROBE ? "PROBE " : "",
		    flags & UAPI_FEATURE_GET ? "GET " : "", flags & UAPI_FEATURE_SET ? "SET " : "",
		    rest, subject_feature_name(flags & 0xffffu, name), argsz,
		    subject_result_text(result, text));
}

int subject_feature(struct subject *s, uint32_t flags, uint32_t argsz, void *data, size_t len)
{
	struct subject_dev *d = subject_dev(s);
	int r = d->ops->feature(d, flags, argsz, data, len);

	subject_log_feature(d, flags, argsz, r);
	if (r >= 0 && flags == (UAPI_FEATURE_SET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2))
		d->opted_in = true;
	return r;
}

/* struct vfio_device_feature_mig_state, which is on vfio-user's wire as well */
struct subject_mig_state {
	uint32_t state;
	int32_t data_fd;
};

static int subject_ask_state(struct subject_dev *d, uint32_t *ret)
{
	struct subject_mig_state m = { .data_fd = -1 };
	int r = d->ops->feature(d, UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DEVICE_STATE,
				UAPI_FEATURE_HEADER + sizeof(m), &m, sizeof(m));

	if (r >= 0)
		*ret = m.state;
	return r;
}

int subject_get(struct subject *s, uint32_t *ret)
{
	struct subject_dev *d = subject_dev(s);
	int r = subject_ask_state(d, ret);

	subject_log(d, "GET: %s", r < 0 ? err_name(r) : subject_state_name(*ret));
	return r;
}

bool subject_is(struct subject *s, enum mig_state want)
{
	uint32_t state;

	return subject_get(s, &state) >= 0 && state == want;
}

/* A number that is another thing's of ours was not made for us: it is not closed. */
static bool subject_fd_is_new(const struct subject_dev *d, int fd)
{
	const struct subject_session *x;

	if (fd == d->s.fd || fd <= STDERR_FILENO)
		return false;
	LIST_FOREACH(x, &d->sessions, next)
	if (x->fd == fd)
		return false;
	return true;
}

static int subject_session_new(struct subject_dev *d, int fd, struct subject_session **ret)
{
	struct subject_session *x = malloc(sizeof(*x));

	if (!x)
		return -ENOMEM;
	*x = (struct subject_session){ .d = d, .fd = fd };
	x->own = fd >= 0 && subject_fd_is_new(d, fd);
	LIST_INSERT_HEAD(&d->sessions, x, next);
	*ret = x;
	return 0;
}

/* One SET, without evidence. @ret: as of subject_set(). */
static int subject_put_state(struct subject_dev *d, uint32_t to, struct subject_session **ret)
{
	struct subject_mig_state m = { .state = to, .data_fd = -1 };
	struct subject_session *x = NULL;
	int r = d->ops->feature(d, UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
				UAPI_FEATURE_HEADER + sizeof(m), &m, sizeof(m));

	if (ret)
		*ret = NULL;
	if (r < 0)
		return r;
	d->loaded |= to == MIG_RESUMING;
	if (d->s.protocol != SUBJECT_V2 || m.data_fd < 0)
		return r;
	r = subject_session_new(d, m.data_fd, &x);
	if (r < 0)
		return r;
	if (ret)
		*ret = x;
	else
		subject_session_close(x);
	return 0;
}

int subject_set(struct subject *s, uint32_t to, struct subject_session **ret)
{
	struct subject_dev *d = subject_dev(s);
	struct subject_session *x = NULL;
	int r = subject_put_state(d, to, &x);

	subject_log(d, "SET %s: %s%s", subject_state_name(to), r < 0 ? err_name(r) : "0",
		    x ? ", data_fd" : "");
	if (ret)
		*ret = x;
	else
		subject_session_close(x);
	return r;
}

int subject_reset(struct subject *s)
{
	struct subject_dev *d = subject_dev(s);
	int r = d->ops->reset(d);

	for (unsigned int i = 0; r == -EAGAIN && i < SUBJECT_RETRIES; i++) {
		if (d->cancel && cancel_pause(d->cancel, SUBJECT_RETRY_MS, NULL) < 0)
			break;
		r = d->ops->reset(d);
	}
	if (r >= 0)
		d->loaded = false;
	subject_log(d, "RESET: %s", r < 0 ? err_name(r) : "0");
	return r;
}

int subject_data_size(struct subject *s, uint64_t *ret)
{
	struct subject_dev *d = subject_dev(s);
	uint64_t size = 0;
	int r = d->ops->feature(d, UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DATA_SIZE,
				UAPI_FEATURE_HEADER + sizeof(size), &size, sizeof(size));

	if (r < 0)
		subject_log(d, "GET MIG_DATA_SIZE: %s", err_name(r));
	else
		subject_log(d, "GET MIG_DATA_SIZE: %llu", (unsigned long long)size);
	*ret = size;
	return r;
}

/*
 * Sessions
 */

int subject_session_of(struct subject *s, struct subject_session **ret)
{
	struct subject_dev *d = subject_dev(s);

	*ret = NULL;
	return d->s.protocol == SUBJECT_VFU ? subject_session_new(d, -1, ret) : 0;
}

int subject_session_fd(const struct subject_session *x)
{
	return x->fd;
}

struct subject_session *subject_session_close(struct subject_session *x)
{
	if (!x)
		return NULL;
	LIST_REMOVE(x, next);
	if (x->own)
		close(x->fd);
	free(x);
	return NULL;
}

ssize_t subject_read(struct subject_session *x, void *buf, size_t len)
{
	ssize_t n = x->d->ops->read(x, buf, MIN(len, subject_block_max(&x->d->s)));
	char text[SUBJECT_RESULT_MAX];

	subject_log(x->d, "read %zu: %s", len, subject_result_text(n, text));
	return n;
}

ssize_t subject_write(struct subject_session *x, const void *buf, size_t len)
{
	ssize_t n = x->d->ops->write(x, buf, MIN(len, subject_block_max(&x->d->s)));
	char text[SUBJECT_RESULT_MAX];

	subject_log(x->d, "write %zu: %s", len, subject_result_text(n, text));
	return n;
}

int subject_precopy_info(struct subject_session *x, struct mig_precopy_info *ret)
{
	int r = x->d->ops->precopy_info(x, ret);

	if (r < 0) {
		subject_log(x->d, "GET_PRECOPY_INFO: %s", err_name(r));
		return r;
	}
	ret->reinit = ret->reinit && x->d->opted_in;
	subject_log(x->d, "GET_PRECOPY_INFO: initial %llu, dirty %llu%s",
		    (unsigned long long)ret->initial_bytes, (unsigned long long)ret->dirty_bytes,
		    ret->reinit ? ", reinit" : "");
	return 0;
}

ssize_t subject_watch_read(struct subject *s, void *buf, size_t len)
{
	struct subject_dev *d = subject_dev(s);
	char text[SUBJECT_RESULT_MAX];
	ssize_t n;

	if (!d->watch.len)
		return -EINVAL;
	n = d->ops->watch(d, buf, MIN(len, (size_t)d->watch.len));
	subject_log(d, "read region %u at %#llx: %s", d->watch.region,
		    (unsigned long long)d->watch.offset, subject_result_text(n, text));
	return n;
}
