// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "image/totals.h"
#include "image/writer.h"

/*
 * @small: a page for the sections that are not DATA
 * @failed: the errno of the first write that failed: bytes may be missing from there on
 */
struct image_writer {
	image_write_fn *write;
	void *ctx;
	struct image_info info;
	struct image_totals_set totals;
	struct image_digest work;
	uint64_t size;
	int failed;
	uint8_t *small;
	struct image_encoding encoding;
};

static int writer_write_out(struct image_writer *w, const void *buf, size_t len, struct err *err)
{
	int r;

	r = w->write(w->ctx, buf, len, err);
	if (r < 0) {
		w->failed = r;
		return r;
	}
	w->size += len;
	return 0;
}

static int writer_check_usable(const struct image_writer *w, struct err *err)
{
	assert(!w->totals.all.ended);
	if (w->failed)
		return err_set(err, w->failed, "image already broken by a failed write");
	return 0;
}

/* Finish a section that is not DATA, its payload already in @buf. Return: the section's size. */
static size_t writer_finish_section(struct image_writer *w, uint8_t *buf, struct image_head *head)
{
	size_t len = image_section_finish(&w->work, buf, head);

	if (head->type != IMAGE_END)
		image_totals_section(&w->totals, head);
	return len;
}

static int writer_write_start(struct image_writer *w, const char *manifest, size_t len,
			      struct err *err)
{
	_cleanup_free_ uint8_t *buf = NULL;
	struct image_head head = {
		.type = IMAGE_MANIFEST,
		.flags = IMAGE_MANDATORY,
		.size = (uint32_t)len,
		.device = IMAGE_NO_DEVICE,
		.raw_size = (uint32_t)len,
	};
	size_t room = IMAGE_PAGE + ALIGN_UP(IMAGE_SECTION_HEADER + len, IMAGE_PAGE);

	buf = aligned_alloc(IMAGE_PAGE, room);
	if (!buf)
		return err_set(err, -ENOMEM, "image manifest");
	memset(buf, 0, IMAGE_PAGE);
	image_header_encode(&w->info, buf);
	memcpy(buf + IMAGE_PAGE + IMAGE_SECTION_HEADER, manifest, len);
	len = writer_finish_section(w, buf + IMAGE_PAGE, &head);
	return writer_write_out(w, buf, IMAGE_PAGE + len, err);
}

static int writer_name_image(const struct image_writer_options *opts, struct image_info *ret,
			     struct err *err)
{
	struct timespec now;

	*ret = (struct image_info){
		.major = IMAGE_MAJOR,
		.minor = IMAGE_MINOR,
		.created_ns = opts->created_ns,
	};
	if (!ret->created_ns) {
		clock_gettime(CLOCK_REALTIME, &now);
		ret->created_ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	}
	if (opts->id)
		memcpy(ret->id, opts->id, sizeof(ret->id));
	else if (getrandom(ret->id, sizeof(ret->id), 0) != sizeof(ret->id))
		return err_set(err, -errno, "image id");
	return 0;
}

static int writer_check_level(int level, struct err *err)
{
	if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
		return err_fail(err, ERR_USAGE, -EINVAL, "zstd level %d: not within %d and %d",
				level, ZSTD_minCLevel(), ZSTD_maxCLevel());
	return 0;
}

int image_writer_new(const struct image_manifest *m, const struct image_writer_options *opts,
		     image_write_fn *write, void *ctx, struct image_writer **ret, struct err *err)
{
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	_cleanup_free_ char *manifest = NULL;
	size_t len;
	int r;

	r = image_manifest_encode(m, &manifest, &len, err);
	if (r < 0)
		return r;

	w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(err, -ENOMEM, "image writer");
	w->write = write;
	w->ctx = ctx;
	r = writer_name_image(opts, &w->info, err);
	if (r < 0)
		return r;
	w->small = aligned_alloc(IMAGE_PAGE, IMAGE_PAGE);
	if (!w->small)
		return err_set(err, -ENOMEM, "image writer");
	r = image_digest_init(&w->work, image_seed(&w->info), err);
	if (r < 0)
		return r;
	r = image_totals_init(&w->totals, m->n_devices, image_seed(&w->info), err);
	if (r < 0)
		return r;
	w->encoding.seed = image_seed(&w->info);
	w->encoding.zstd_level = opts->zstd_level;
	r = writer_check_level(opts->zstd_level, err);
	if (r < 0)
		return r;
	r = writer_write_start(w, manifest, len, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

struct image_writer *image_writer_free(struct image_writer *w)
{
	if (!w)
		return NULL;
	image_totals_done(&w->totals);
	image_digest_done(&w->work);
	free(w->small);
	free(w);
	return NULL;
}

struct image_encoding *image_writer_encoding(struct image_writer *w)
{
	return &w->encoding;
}

int image_writer_put(struct image_writer *w, const struct image_frame *frame, struct err *err)
{
	const struct image_running_total *total = &w->totals.devices[frame->head.device];
	int r;

	r = writer_check_usable(w, err);
	if (r < 0)
		return r;
	assert(!total->ended);
	assert(frame->head.sequence == total->count && frame->head.offset == total->bytes);
	image_totals_section(&w->totals, &frame->head);
	return writer_write_out(w, frame->section, frame->len, err);
}

/* Write a section whose payload of @size bytes is already in @w->small. */
static int writer_write_small(struct image_writer *w, enum image_section type, uint32_t device,
			      uint32_t flags, uint32_t size, struct err *err)
{
	struct image_head head = {
		.type = type,
		.flags = flags,
		.size = size,
		.device = device,
		.raw_size = size,
	};

	return writer_write_out(w, w->small, writer_finish_section(w, w->small, &head), err);
}

int image_writer_sha256(struct image_writer *w, uint32_t device,
			const uint8_t sum[IMAGE_SHA256_SIZE], struct err *err)
{
	int r;

	assert(device < w->totals.n_devices);
	assert(!w->totals.devices[device].ended);
	r = writer_check_usable(w, err);
	if (r < 0)
		return r;
	memcpy(w->small + IMAGE_SECTION_HEADER, sum, IMAGE_SHA256_SIZE);
	return writer_write_small(w, IMAGE_SHA256, device, 0, IMAGE_SHA256_SIZE, err);
}

int image_writer_keepalive(struct image_writer *w, struct err *err)
{
	int r = writer_check_usable(w, err);

	return r < 0 ? r : writer_write_small(w, IMAGE_KEEPALIVE, IMAGE_NO_DEVICE, 0, 0, err);
}

int image_writer_device_end(struct image_writer *w, uint32_t device, struct err *err)
{
	struct image_running_total *total;
	struct image_end end;
	int r;

	assert(device < w->totals.n_devices);
	total = &w->totals.devices[device];
	assert(!total->ended);
	r = writer_check_usable(w, err);
	if (r < 0)
		return r;

	image_totals_end(total, &end);
	image_device_end_encode(&end, w->small + IMAGE_SECTION_HEADER);
	total->ended = true;
	return writer_write_small(w, IMAGE_DEVICE_END, device, IMAGE_MANDATORY, IMAGE_END_SIZE,
				  err);
}

int image_writer_end(struct image_writer *w, struct err *err)
{
	struct image_end end;
	int r;

	r = writer_check_usable(w, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < w->totals.n_devices; i++)
		assert(w->totals.devices[i].ended);

	image_totals_end(&w->totals.all, &end);
	image_end_encode(&end, w->small + IMAGE_SECTION_HEADER);
	w->totals.all.ended = true;
	return writer_write_small(w, IMAGE_END, IMAGE_NO_DEVICE, IMAGE_MANDATORY, IMAGE_END_SIZE,
				  err);
}

const struct image_info *image_writer_info(const struct image_writer *w)
{
	return &w->info;
}

void image_writer_receipt(const struct image_writer *w, struct image_receipt *ret)
{
	assert(w->totals.all.ended);
	*ret = (struct image_receipt){ .accepted = true };
	memcpy(ret->id, w->info.id, sizeof(ret->id));
	image_digest_value(&w->totals.all.digest, ret->digest);
}

uint64_t image_writer_size(const struct image_writer *w)
{
	return w->size;
}
