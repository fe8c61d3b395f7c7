// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "emu/feature.h"
#include "fsm/fsm.h"

/* A request, in reach of those who answer it. @data: what follows the fixed part. */
struct request {
	struct vfu_feature f;
	const uint8_t *data;
	size_t len;
};

static int emu_feature_copy_in(void *to, size_t size, const struct request *q, struct err *err)
{
	if (q->len < size)
		return err_set(err, -EINVAL, "%zu bytes of feature, not %zu", q->len, size);
	memcpy(to, q->data, size);
	return 0;
}

/* The reply to a GET: @size bytes, if the client has room for them. */
static int emu_feature_put_data(const struct emu_device *d, const struct request *q,
				const void *data, size_t size, struct emu_reply *reply,
				struct err *err)
{
	struct vfu_feature f = { .argsz = (uint32_t)(sizeof(f) + size), .flags = q->f.flags };

	if (q->f.argsz < f.argsz && !emu_deviates(&d->config->deviations, DEVIATE_ARGSZ_IGNORED))
		return err_set(err, -EINVAL, "argsz of %" PRIu32 ", less than %" PRIu32, q->f.argsz,
			       f.argsz);
	emu_reply_add(reply, &f, sizeof(f));
	emu_reply_add(reply, data, size);
	return 0;
}

static int emu_feature_get_migration(struct emu_device *d, const struct request *q,
				     struct emu_reply *reply, struct err *err)
{
	const struct emu_deviations *off = &d->config->deviations;
	struct vfu_migration m = { .flags = d->config->caps };

	if (emu_deviates(off, DEVIATE_NO_STOP_COPY))
		m.flags &= ~(uint64_t)MIG_CAP_STOP_COPY;
	if (emu_deviates(off, DEVIATE_P2P_UNANNOUNCED))
		m.flags &= ~(uint64_t)MIG_CAP_P2P;
	if (emu_deviates(off, DEVIATE_PRE_COPY_UNANNOUNCED))
		m.flags &= ~(uint64_t)MIG_CAP_PRE_COPY;
	if (emu_deviates(off, DEVIATE_FLAGS_GARBAGE))
		m.flags |= UINT64_C(0xdead) << 32;
	return emu_feature_put_data(d, q, &m, sizeof(m), reply, err);
}

static int emu_feature_get_state(struct emu_device *d, const struct request *q,
				 struct emu_reply *reply, struct err *err)
{
	struct vfu_mig_state s = { .state = d->state, .data_fd = -1 };

	if (emu_deviates(&d->config->deviations, DEVIATE_STALE_STATE))
		s.state = d->state_before;
	return emu_feature_put_data(d, q, &s, sizeof(s), reply, err);
}

static int emu_feature_set_state(struct emu_device *d, const struct request *q,
				 struct emu_reply *reply, struct err *err)
{
	struct vfu_mig_state s;
	int r;

	r = emu_feature_copy_in(&s, sizeof(s), q, err);
	return r < 0 ? r : emu_device_set_state(d, s.state, &reply->delay_ns, err);
}

static int emu_feature_start_log(struct emu_device *d, const struct request *q,
				 struct emu_reply *reply, struct err *err)
{
	struct emu_range ranges[EMU_RANGES_MAX] = { 0 };
	struct vfu_log_start start;
	size_t len;
	int r;

	(void)reply;
	_Static_assert(sizeof(*ranges) == sizeof(struct vfu_log_range), "the same");
	r = emu_feature_copy_in(&start, sizeof(start), q, err);
	if (r < 0)
		return r;
	if (start.n_ranges <= EMU_RANGES_MAX) { /* more are refused by their number */
		len = start.n_ranges * sizeof(*ranges);
		if (q->len - sizeof(start) < len)
			return err_set(err, -EINVAL, "%" PRIu32 " ranges in %zu bytes",
				       start.n_ranges, q->len);
		memcpy(ranges, q->data + sizeof(start), len);
	}
	return emu_dma_log_start(&d->log, &d->config->deviations, start.page_size, ranges,
				 start.n_ranges, err);
}

static int emu_feature_stop_log(struct emu_device *d, const struct request *q,
				struct emu_reply *reply, struct err *err)
{
	(void)q;
	(void)reply;
	(void)err;
	emu_dma_log_stop(&d->log);
	return 0;
}

/* A client without room for the bitmap learns how much it takes. */
static int emu_feature_get_report(struct emu_device *d, const struct request *q,
				  struct emu_reply *reply, struct err *err)
{
	struct vfu_feature f = { .flags = q->f.flags };
	struct vfu_log_report report;
	struct emu_range range;
	size_t size;
	int r;

	r = emu_feature_copy_in(&report, sizeof(report), q, err);
	if (r < 0)
		return r;
	range = (struct emu_range){ .iova = report.iova, .length = report.length };
	r = emu_dma_log_size(&d->log, &range, report.page_size, &size, err);
	if (r < 0)
		return r;
	f.argsz = (uint32_t)(sizeof(f) + sizeof(report) + size);
	if (q->f.argsz < sizeof(f) + sizeof(report))
		return err_set(err, -EINVAL, "argsz of %" PRIu32, q->f.argsz);
	emu_reply_add(reply, &f, sizeof(f));
	emu_reply_add(reply, &report, sizeof(report));
	if (q->f.argsz < f.argsz)
		return 0;
	emu_dma_log_report(&d->log, &range, report.page_size, reply->payload + reply->len, size);
	if (!emu_deviates(&d->config->deviations, DEVIATE_LOG_REPEATS))
		emu_dma_log_clear(&d->log, fsm_runs(d->state));
	reply->len += size;
	return 0;
}

typedef int answer_fn(struct emu_device *d, const struct request *q, struct emu_reply *reply,
		      struct err *err);

/* SET is answered with what was sent, GET by its function. */
static const struct feature {
	unsigned int index;
	answer_fn *get, *set;
} features[] = {
	/* clang-format off */
	{ UAPI_FEATURE_MIGRATION,          emu_feature_get_migration, NULL      },
	{ UAPI_FEATURE_MIG_DEVICE_STATE,   emu_feature_get_state,     emu_feature_set_state },
	{ UAPI_FEATURE_DMA_LOGGING_START,  NULL,          emu_feature_start_log },
	{ UAPI_FEATURE_DMA_LOGGING_STOP,   NULL,          emu_feature_stop_log  },
	{ UAPI_FEATURE_DMA_LOGGING_REPORT, emu_feature_get_report,    NULL      },
	/* clang-format on */
};

static const struct feature *emu_feature_find(const struct request *q)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].index == (q->f.flags & VFU_FEATURE_INDEX_MASK))
			return &features[i];
	return NULL;
}

/* Which of GET, SET and PROBE go together, and go with this feature. */
static int emu_feature_check(const struct emu_device *d, const struct feature *f, uint32_t flags,
			     struct err *err)
{
	const struct emu_deviations *off = &d->config->deviations;
	const uint32_t known = VFU_FEATURE_INDEX_MASK | UAPI_FEATURE_GET | UAPI_FEATURE_SET |
			       UAPI_FEATURE_PROBE;
	bool get = flags & UAPI_FEATURE_GET, set = flags & UAPI_FEATURE_SET;
	bool probe = flags & UAPI_FEATURE_PROBE;

	if (!f && probe && emu_deviates(off, DEVIATE_UNKNOWN_FEATURE))
		return 0;
	if (!f || (!get && !set && !probe) || (get && !f->get) || (set && !f->set) ||
	    (flags & ~known) || (get && set && !probe && !emu_deviates(off, DEVIATE_GET_AND_SET)))
		return err_set(err, -EINVAL, "feature 0x%" PRIx32 " is not served", flags);
	return 0;
}

int emu_feature(struct emu_device *d, const struct emu_command *c, struct emu_reply *reply,
		struct err *err)
{
	struct request q = { .data = c->payload + sizeof(q.f) };
	const struct feature *f;
	int r;

	if (c->len < sizeof(q.f) || c->len > VFU_PAYLOAD_MAX)
		return err_set(err, -EINVAL, "%zu bytes of payload", c->len);
	memcpy(&q.f, c->payload, sizeof(q.f));
	q.len = c->len - sizeof(q.f);
	f = emu_feature_find(&q);
	r = emu_feature_check(d, f, q.f.flags, err);
	if (r < 0)
		return r;
	if (!(q.f.flags & UAPI_FEATURE_PROBE) && (q.f.flags & UAPI_FEATURE_GET))
		return f->get(d, &q, reply, err);
	if (!(q.f.flags & UAPI_FEATURE_PROBE))
		r = f->set(d, &q, reply, err);
	if (!r)
		emu_reply_add(reply, c->payload, c->len);
	return r;
}
