// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lines.h"
#include "base/macros.h"

void lines_init(struct lines *l, int fd, const char *lost_before, const char *lost_after)
{
	*l = (struct lines)LINES_INIT(*l, fd, lost_before, lost_after);
	STAILQ_INIT(&l->waiting);
}

/*
 * The descriptor. @lock is held from here on.
 */

/* Without /proc, or where another user has made the pipe, there is only poll(). */
static enum lines_way lines_open_own(struct lines *l)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd);
	l->own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return l->own < 0 ? LINES_POLLED : LINES_NONBLOCK;
}

static void lines_close_own(struct lines *l)
{
	if (l->own >= 0)
		close(l->own);
	l->own = -1;
}

static void lines_open(struct lines *l)
{
	struct stat st;

	if (fstat(l->fd, &st) < 0) {
		l->way = LINES_PLAIN; /* write() tells */
		return;
	}
	if (l->opened && st.st_dev == l->dev && st.st_ino == l->ino)
		return;
	lines_close_own(l);
	l->opened = true;
	l->error = 0;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(l->fd)))
		l->way = lines_open_own(l);
	else
		l->way = S_ISSOCK(st.st_mode) ? LINES_SOCKET : LINES_PLAIN;
}

/* Return: bytes; -EAGAIN where there is no room. */
static ssize_t lines_write_some(const struct lines *l, const char *text, size_t len)
{
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };
	ssize_t n;

	switch (l->way) {
	case LINES_NONBLOCK:
		n = write(l->own, text, len);
		break;
	case LINES_SOCKET:
		n = send(l->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case LINES_POLLED:
		n = poll(&p, 1, 0);
		if (!n)
			return -EAGAIN;
		n = n < 0 ? n : write(l->fd, text, MIN(len, PIPE_BUF));
		break;
	default:
		n = write(l->fd, text, len);
	}
	return n < 0 ? -errno : n;
}

/*
 * The queue
 */

static struct lines_line *lines_new(const char *text)
{
	size_t len = strlen(text);
	struct lines_line *line = malloc(sizeof(*line) + len);

	if (!line)
		return NULL;
	line->len = len;
	line->done = 0;
	memcpy(line->text, text, len);
	return line;
}

static void lines_remove(struct lines *l, struct lines_line *line)
{
	STAILQ_REMOVE(&l->waiting, line, lines_line, next);
	l->room_taken -= line->len;
	free(line);
}

static void lines_drop_all(struct lines *l)
{
	while (!STAILQ_EMPTY(&l->waiting))
		lines_remove(l, STAILQ_FIRST(&l->waiting));
}

/* The oldest that was not begun. */
static struct lines_line *lines_oldest(struct lines *l)
{
	struct lines_line *line = STAILQ_FIRST(&l->waiting);

	return line && line->done ? STAILQ_NEXT(line, next) : line;
}

static void lines_append(struct lines *l, const char *text)
{
	struct lines_line *line = lines_new(text), *oldest;

	if (!line) {
		l->lost++;
		return;
	}
	while (l->room_taken + line->len > LINES_ROOM && (oldest = lines_oldest(l))) {
		lines_remove(l, oldest);
		l->lost++;
	}
	STAILQ_INSERT_TAIL(&l->waiting, line, next);
	l->room_taken += line->len;
}

/* Return: 0 once all of it is written; -EAGAIN. */
static int lines_write_line(const struct lines *l, struct lines_line *line)
{
	while (line->done < line->len) {
		ssize_t n = lines_write_some(l, line->text + line->done, line->len - line->done);

		if (n < 0 && n != -EINTR)
			return (int)n;
		line->done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* Before the line at the head, which is older than none that was lost. */
static int lines_tell_lost(struct lines *l)
{
	struct lines_line *line;
	char text[256];
	int r;

	snprintf(text, sizeof(text), "%s%llu%s\n", l->lost_before, (unsigned long long)l->lost,
		 l->lost_after);
	line = lines_new(text);
	if (!line)
		return -EAGAIN;
	r = lines_write_line(l, line);
	if (!line->done) {
		free(line); /* there may be more to count by then */
		return r;
	}
	l->lost = 0;
	if (!r) {
		free(line);
		return 0;
	}
	STAILQ_INSERT_HEAD(&l->waiting, line, next);
	l->room_taken += line->len;
	return r;
}

static int lines_write_first(struct lines *l)
{
	struct lines_line *line = STAILQ_FIRST(&l->waiting);
	int r;

	r = l->lost && !line->done ? lines_tell_lost(l) : 0;
	if (r < 0)
		return r;
	r = lines_write_line(l, line);
	if (r < 0)
		return r;
	lines_remove(l, line);
	return 0;
}

static void lines_write_waiting(struct lines *l)
{
	int r = 0;

	lines_open(l);
	while (!r && !STAILQ_EMPTY(&l->waiting))
		r = lines_write_first(l);
	if (!r || r == -EAGAIN)
		return;
	l->error = r;
	lines_drop_all(l);
}

/*
 * What the header has
 */

void lines_put(struct lines *l, const char *text)
{
	pthread_mutex_lock(&l->lock);
	lines_append(l, text);
	lines_write_waiting(l);
	pthread_mutex_unlock(&l->lock);
}

void lines_flush(struct lines *l)
{
	pthread_mutex_lock(&l->lock);
	lines_write_waiting(l);
	pthread_mutex_unlock(&l->lock);
}

int lines_pending_fd(struct lines *l)
{
	int fd = -1;

	pthread_mutex_lock(&l->lock);
	if (!STAILQ_EMPTY(&l->waiting))
		fd = l->own >= 0 ? l->own : l->fd;
	pthread_mutex_unlock(&l->lock);
	return fd;
}

int lines_finish(struct lines *l, int timeout_ms)
{
	uint64_t deadline = clock_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	struct pollfd p = { .events = POLLOUT };
	int left = timeout_ms, r = 0;

	while ((p.fd = lines_pending_fd(l)) >= 0 && left) {
		left = clock_ms_until(deadline);
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			break;
		lines_flush(l);
	}
	pthread_mutex_lock(&l->lock);
	r = STAILQ_EMPTY(&l->waiting) ? l->error : -ETIMEDOUT;
	pthread_mutex_unlock(&l->lock);
	return r;
}

void lines_done(struct lines *l)
{
	pthread_mutex_lock(&l->lock);
	lines_drop_all(l);
	lines_close_own(l);
	l->opened = false;
	pthread_mutex_unlock(&l->lock);
}
