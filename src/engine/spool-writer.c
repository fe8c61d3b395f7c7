// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "engine/spool-writer.h"

/* A huge page each: the kernel then pins one instead of 512 for every write. */
#define SPOOL_WRITER_PIECE ((size_t)2 << 20)
#define SPOOL_WRITER_PIECES 4u
#define SPOOL_WRITER_POOL (SPOOL_WRITER_PIECES * SPOOL_WRITER_PIECE)

/* Of madvise(), MADV_POPULATE_WRITE: headers may lack it, and kernels before 5.14 refuse it. */
#define SPOOL_WRITER_POPULATE 23

/* What every disk takes offsets and lengths in. */
#define SPOOL_WRITER_BLOCK ((size_t)4096)

/* Pages of the cache that are told to go to the disk at once. */
#define SPOOL_WRITER_AHEAD ((off64_t)8 << 20)

enum spool_writer_phase {
	SPOOL_WRITER_TAKES, /* more is to come */
	SPOOL_WRITER_ENDS, /* nothing is, and the thread does the rest */
	SPOOL_WRITER_DONE,
	SPOOL_WRITER_DROPPED /* given up */
};

/**
 * struct spool_writer
 * @pool: SPOOL_WRITER_PIECES of them; that of piece N is at N modulo their number
 * @used: bytes in the piece that is being filled; the caller's alone
 * @offset, @begun: written so far, and up to where the disk was told to begin; the thread's alone
 * @direct: past the page cache; the thread's alone
 * @lock: of what follows
 * @filled, @written: pieces so far
 * @last: bytes in the last one, once the phase is SPOOL_WRITER_ENDS
 * @failed: negative errno
 */
struct spool_writer {
	int fd;
	struct cancel *cancel;
	uint8_t *pool;
	size_t used;
	off64_t offset, begun;
	bool direct;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t filled, written;
	size_t last;
	enum spool_writer_phase phase;
	int failed;
};

/*
 * The thread
 */

/* Return: whether writes pass the page cache now. */
static bool spool_writer_set_direct(const struct spool_writer *w, bool direct)
{
	int flags = fcntl(w->fd, F_GETFL);

	if (flags < 0)
		return !direct;
	flags = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
	return fcntl(w->fd, F_SETFL, flags) == 0 ? direct : !direct;
}

/* A help alone: what it fails with, the sync reports. */
static void spool_writer_begin_disk(struct spool_writer *w)
{
	if (w->direct || w->offset - w->begun < SPOOL_WRITER_AHEAD)
		return;
	sync_file_range(w->fd, w->begun, w->offset - w->begun, SYNC_FILE_RANGE_WRITE);
	w->begun = w->offset;
}

/* How much of @left bytes the next call writes: a tail that is no block goes through the cache. */
static size_t spool_writer_share(struct spool_writer *w, size_t left)
{
	if (!w->direct)
		return left;
	if (w->offset % (off64_t)SPOOL_WRITER_BLOCK == 0 && left >= SPOOL_WRITER_BLOCK)
		return left - left % SPOOL_WRITER_BLOCK;
	w->direct = spool_writer_set_direct(w, false);
	return left;
}

static int spool_writer_write(struct spool_writer *w, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = pwrite(w->fd, buf, spool_writer_share(w, len), w->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL && w->direct) {
			w->direct = spool_writer_set_direct(w, false);
			if (!w->direct)
				continue;
		}
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		w->offset += n;
		buf += n;
		len -= (size_t)n;
	}
	spool_writer_begin_disk(w);
	return 0;
}

static uint8_t *spool_writer_piece(const struct spool_writer *w, uint64_t number)
{
	return w->pool + number % SPOOL_WRITER_PIECES * SPOOL_WRITER_PIECE;
}

/* The caller holds @w->lock. The first failure counts. */
static void spool_writer_note(struct spool_writer *w, int r)
{
	if (r >= 0 || w->failed)
		return;
	w->failed = r;
	if (w->cancel)
		cancel_stop(w->cancel);
}

/* The caller holds @w->lock. Behind a failure pieces are only passed by. */
static void spool_writer_next(struct spool_writer *w)
{
	bool is_last = w->phase == SPOOL_WRITER_ENDS && w->written + 1 == w->filled;
	size_t len = is_last ? w->last : SPOOL_WRITER_PIECE;
	int r;

	if (!w->failed) {
		pthread_mutex_unlock(&w->lock);
		r = spool_writer_write(w, spool_writer_piece(w, w->written), len);
		pthread_mutex_lock(&w->lock);
		spool_writer_note(w, r);
	}
	w->written++;
	pthread_cond_broadcast(&w->changed);
}

/* The caller holds @w->lock, and all is written. */
static void spool_writer_sync(struct spool_writer *w)
{
	int r;

	if (!w->failed) {
		pthread_mutex_unlock(&w->lock);
		r = fsync(w->fd) < 0 ? -errno : 0;
		pthread_mutex_lock(&w->lock);
		spool_writer_note(w, r);
	}
	w->phase = MAX(w->phase, SPOOL_WRITER_DONE);
	pthread_cond_broadcast(&w->changed);
}

static void *spool_writer_thread(void *arg)
{
	struct spool_writer *w = arg;

	/* Have the pages before a device waits, and keep the caller waiting for none. A help. */
	madvise(w->pool, SPOOL_WRITER_POOL, SPOOL_WRITER_POPULATE);
	pthread_mutex_lock(&w->lock);
	while (w->phase < SPOOL_WRITER_DONE) {
		if (w->written < w->filled)
			spool_writer_next(w);
		else if (w->phase == SPOOL_WRITER_ENDS)
			spool_writer_sync(w);
		else
			pthread_cond_wait(&w->changed, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/*
 * The caller's side
 */

int spool_writer_new(int fd, struct cancel *cancel, struct spool_writer **ret, struct err *err)
{
	struct spool_writer *w = calloc(1, sizeof(*w));
	int r;

	if (w)
		w->pool = aligned_alloc(SPOOL_WRITER_PIECE, SPOOL_WRITER_POOL);
	if (!w || !w->pool) {
		free(w);
		return err_set(err, -ENOMEM, "spool");
	}
	/* A help: pages of any size do. */
	madvise(w->pool, SPOOL_WRITER_POOL, MADV_HUGEPAGE);
	w->fd = fd;
	w->cancel = cancel;
	w->direct = spool_writer_set_direct(w, true);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	r = -pthread_create(&w->thread, NULL, spool_writer_thread, w);
	if (r < 0) {
		pthread_cond_destroy(&w->changed);
		pthread_mutex_destroy(&w->lock);
		free(w->pool);
		free(w);
		return err_set(err, r, "pthread_create");
	}
	*ret = w;
	return 0;
}

static int spool_writer_await_room(struct spool_writer *w)
{
	int r;

	pthread_mutex_lock(&w->lock);
	while (!w->failed && w->filled - w->written == SPOOL_WRITER_PIECES)
		pthread_cond_wait(&w->changed, &w->lock);
	r = w->failed;
	pthread_mutex_unlock(&w->lock);
	return r;
}

static void spool_writer_hand_over(struct spool_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->filled++;
	w->used = 0;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

int spool_writer_put(struct spool_writer *w, const void *buf, size_t len)
{
	while (len) {
		const size_t n = MIN(len, SPOOL_WRITER_PIECE - w->used);
		int r = w->used ? 0 : spool_writer_await_room(w);

		if (r < 0)
			return r;
		/* None but this thread changes @filled. */
		memcpy(spool_writer_piece(w, w->filled) + w->used, buf, n);
		w->used += n;
		buf = (const char *)buf + n;
		len -= n;
		if (w->used == SPOOL_WRITER_PIECE)
			spool_writer_hand_over(w);
	}
	return 0;
}

void spool_writer_end(struct spool_writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->phase == SPOOL_WRITER_TAKES) {
		w->phase = SPOOL_WRITER_ENDS;
		w->last = w->used ? w->used : SPOOL_WRITER_PIECE;
		w->filled += w->used > 0;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
}

int spool_writer_wait(struct spool_writer *w)
{
	int r;

	spool_writer_end(w);
	pthread_mutex_lock(&w->lock);
	while (w->phase < SPOOL_WRITER_DONE)
		pthread_cond_wait(&w->changed, &w->lock);
	r = w->failed;
	pthread_mutex_unlock(&w->lock);
	return r;
}

int spool_writer_failure(struct spool_writer *w)
{
	int r;

	pthread_mutex_lock(&w->lock);
	r = w->failed;
	pthread_mutex_unlock(&w->lock);
	return r;
}

struct spool_writer *spool_writer_free(struct spool_writer *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->phase = SPOOL_WRITER_DROPPED;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w->pool);
	return mfree(w);
}
