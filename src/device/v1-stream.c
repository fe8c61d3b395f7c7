// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "device/v1-stream.h"
#include "fsm/fsm.h"

/* A driver that has bytes pending but hands out none is asked again: for 2 s in all. */
#define EMPTY_TRIES 100
#define EMPTY_PAUSE_MS 20

/**
 * struct v1_stream - a session
 * @head, @head_done: the length in front of the chunk under way, and how much of it has passed
 * @chunk, @done: the chunk's bytes, and how many have passed
 * @offset: place of the chunk in the window
 * @begun: there is a chunk under way
 * @pending: pending_bytes as last read
 */
struct v1_stream {
	struct mig_stream stream;
	struct mig_dev *dev;
	const struct v1_window *window;
	uint8_t head[sizeof(uint64_t)];
	size_t head_done;
	uint64_t chunk, done, offset;
	bool begun;
	uint64_t pending;
	struct err why;
};

#define REGISTER(name) offsetof(struct uapi_v1_registers, name)

static struct v1_stream *v1_stream(const struct mig_stream *s)
{
	return container_of(s, struct v1_stream, stream);
}

static int v1_stream_get(struct v1_stream *v, size_t at, const char *name, uint64_t *ret)
{
	int r = v1_read(v->window, at, ret, sizeof(*ret));

	return r < 0 ? err_set(&v->why, r, "reading %s", name) : 0;
}

/*
 * Saving
 */

static int v1_stream_get_pending(struct v1_stream *v)
{
	return v1_stream_get(v, REGISTER(pending_bytes), "pending_bytes", &v->pending);
}

/* Reading data_offset makes the driver fill the window, data_size says how far. */
static int v1_stream_get_chunk(struct v1_stream *v)
{
	int r;

	r = v1_stream_get(v, REGISTER(data_offset), "data_offset", &v->offset);
	if (r < 0)
		return r;
	r = v1_stream_get(v, REGISTER(data_size), "data_size", &v->chunk);
	if (r < 0)
		return r;
	if (v->chunk > v1_window_room(v->window, v->offset))
		return err_fail(&v->why, ERR_IO, -EPROTO,
				"data_offset %llu and data_size %llu: not in a region of %llu",
				(unsigned long long)v->offset, (unsigned long long)v->chunk,
				(unsigned long long)v->window->size);
	return 0;
}

/*
 * pending_bytes 0 is the end only while the session lasts: a device that another process has reset
 * has nothing pending either.
 */
static int v1_stream_check_end(struct v1_stream *v)
{
	uint32_t bits;
	int r;

	if (v->dev->state != MIG_STOP_COPY)
		return 0;
	r = v1_read(v->window, REGISTER(device_state), &bits, sizeof(bits));
	if (r < 0)
		return err_set(&v->why, r, "reading device_state");
	if ((bits & UAPI_V1_MASK) == fsm_v1_bits(MIG_STOP_COPY))
		return 0;
	return err_fail(&v->why, ERR_IO, -ENODEV,
			"another process has reset the device: device_state is 0x%x", bits);
}

/*
 * data_size 0 is not the end while bytes are pending. Before STOP_COPY it means that there is
 * nothing for now. In STOP_COPY the driver may need a moment: it is asked again for a bounded time,
 * after which the stream is incomplete, and that is an error.
 */
static int v1_stream_next_chunk(struct v1_stream *v)
{
	int r;

	for (int i = 0; i < EMPTY_TRIES; i++) {
		r = v1_stream_get_pending(v);
		if (r < 0)
			return r;
		if (!v->pending)
			return v1_stream_check_end(v);
		r = v1_stream_get_chunk(v);
		if (r < 0)
			return r;
		if (v->chunk) {
			uint64_t head = htole64(v->chunk);

			memcpy(v->head, &head, sizeof(v->head));
			v->head_done = 0;
			v->done = 0;
			v->begun = true;
			return 0;
		}
		if (v->dev->state != MIG_STOP_COPY)
			return 0;
		r = v->dev->cancel ? cancel_pause(v->dev->cancel, EMPTY_PAUSE_MS, &v->why) : 0;
		if (r < 0)
			return r;
	}
	return err_fail(&v->why, ERR_IO, -EIO, "%llu bytes are pending, and data_size stays 0",
			(unsigned long long)v->pending);
}

static ssize_t v1_stream_read(struct mig_stream *s, void *buf, size_t len)
{
	struct v1_stream *v = v1_stream(s);
	size_t n = 0, part;
	int r;

	if (!v->begun) {
		r = v1_stream_next_chunk(v);
		if (r < 0 || !v->begun)
			return r;
	}
	n = MIN(len, sizeof(v->head) - v->head_done);
	memcpy(buf, v->head + v->head_done, n);
	v->head_done += n;
	part = (size_t)MIN((uint64_t)(len - n), v->chunk - v->done);
	if (part) {
		r = v1_copy_out(v->window, v->offset + v->done, (char *)buf + n, part);
		if (r < 0)
			return err_set(&v->why, r, "reading the data section");
		v->done += part;
	}
	v->begun = v->head_done < sizeof(v->head) || v->done < v->chunk;
	return (ssize_t)(n + part);
}

/*
 * pending_bytes is all that v1 tells of pre-copy. Do not read it in mid-chunk: to the driver that
 * means that its chunk was taken.
 */
static int v1_stream_precopy_info(struct mig_stream *s, struct mig_precopy_info *ret)
{
	struct v1_stream *v = v1_stream(s);
	int r = v->begun ? 0 : v1_stream_get_pending(v);

	*ret = (struct mig_precopy_info){ .dirty_bytes = v->pending };
	return r;
}

/*
 * Loading
 */

static int v1_stream_begin_chunk(struct v1_stream *v)
{
	uint64_t head, room;
	int r;

	memcpy(&head, v->head, sizeof(head));
	v->chunk = le64toh(head);
	v->done = 0;
	if (!v->chunk)
		return err_fail(&v->why, ERR_IMAGE, -EBADMSG, "a chunk of no bytes");
	r = v1_stream_get(v, REGISTER(data_offset), "data_offset", &v->offset);
	if (r < 0)
		return r;
	room = v1_window_room(v->window, v->offset);
	if (v->chunk > room)
		return err_fail(&v->why, ERR_UNSUPPORTED, -EFBIG,
				"a chunk of %llu bytes, and the data section takes %llu",
				(unsigned long long)v->chunk, (unsigned long long)room);
	return 0;
}

static int v1_stream_end_chunk(struct v1_stream *v)
{
	int r = v1_write(v->window, REGISTER(data_size), &v->chunk, sizeof(v->chunk));

	if (r < 0)
		return err_set(&v->why, r, "writing data_size");
	v->begun = false;
	v->head_done = 0;
	return 0;
}

static ssize_t v1_stream_write(struct mig_stream *s, const void *buf, size_t len)
{
	struct v1_stream *v = v1_stream(s);
	size_t n;
	int r = 0;

	if (v->head_done < sizeof(v->head)) {
		n = MIN(len, sizeof(v->head) - v->head_done);
		memcpy(v->head + v->head_done, buf, n);
		v->head_done += n;
		v->begun = true;
		if (v->head_done == sizeof(v->head))
			r = v1_stream_begin_chunk(v);
		return r < 0 ? r : (ssize_t)n;
	}
	n = (size_t)MIN((uint64_t)len, v->chunk - v->done);
	r = v1_copy_in(v->window, v->offset + v->done, buf, n);
	if (r < 0)
		return err_set(&v->why, r, "writing the data section");
	v->done += n;
	if (v->done == v->chunk)
		r = v1_stream_end_chunk(v);
	return r < 0 ? r : (ssize_t)n;
}

static bool v1_stream_mid_chunk(const struct mig_stream *s)
{
	return v1_stream(s)->begun;
}

static const struct err *v1_stream_why(struct mig_stream *s)
{
	return &v1_stream(s)->why;
}

static void v1_stream_close(struct mig_stream *s)
{
	free(v1_stream(s));
}

static const struct mig_stream_ops v1_stream_ops = {
	.read = v1_stream_read,
	.write = v1_stream_write,
	.precopy_info = v1_stream_precopy_info,
	.mid_chunk = v1_stream_mid_chunk,
	.why = v1_stream_why,
	.close = v1_stream_close,
};

int v1_stream_new(struct mig_dev *dev, const struct v1_window *window, struct mig_stream **ret,
		  struct err *err)
{
	struct v1_stream *v = calloc(1, sizeof(*v));

	if (!v)
		return err_set(err, -ENOMEM, "%s", dev->name);
	v->stream.ops = &v1_stream_ops;
	v->dev = dev;
	v->window = window;
	*ret = &v->stream;
	return 0;
}
